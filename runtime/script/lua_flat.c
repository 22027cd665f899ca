/* Both ways of flat objects. Reading follows the shape that is expected, and gives up at the first difference. */
#include "script/lua_flat.h"

#include "base/buf.h"
#include "script/lua_message.h"
#include "script/lua_server.h"
#include "value/json_scan.h"
#include "value/json_writer.h"
#include "wire/envelope.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#define MAX_KEYS 512
#define KEY_TEXT 47     /* longest text of a key, with its quotes, comma and colon */
#define LONGEST_REST 63 /* objects that are not looked at after many in a row were no use */

struct pp_flat pp_flat_in, pp_flat_out;

struct key_text {
    uint8_t len;
    char text[KEY_TEXT]; /* `,"key":` */
};

static struct key_text key_texts[MAX_KEYS];
static unsigned key_count;
static int reader_ref = LUA_NOREF; /* reader(kinds, key…) → function, in lua/painda/flat.lua */
static struct pp_buf envelope;     /* kept between calls */

/* --- out --- */

/* learn_key(key) → what to put into `keys`, or nil where it can't be learned */
static int learn_key(lua_State *L)
{
    size_t len;
    const char *key = luaL_checklstring(L, 1, &len);
    if (len + 4 > KEY_TEXT || key_count == MAX_KEYS)
        return 0;
    struct key_text *learned = &key_texts[key_count];
    if (!pp_json_copy_plain(learned->text + 2, key, len))
        return 0;
    memcpy(learned->text, ",\"", 2);
    memcpy(learned->text + 2 + len, "\":", 2);
    learned->len = (uint8_t)(len + 4);
    lua_pushinteger(L, (lua_Integer)key_count++);
    return 1;
}

/* forget_keys(): their numbers are given again. */
static int forget_keys(lua_State *L)
{
    (void)L;
    key_count = 0;
    return 0;
}

PP_JSON_INLINE bool write_field(unsigned i)
{
    const struct key_text *key = &key_texts[pp_flat_out.keys[i]];
    char *to = pp_buf_reserve(&envelope, KEY_TEXT + PP_JSON_NUMBER_MAX);
    memcpy(to, key->text, 16);
    if (key->len > 16)
        memcpy(to + 16, key->text + 16, KEY_TEXT - 16);
    envelope.len += key->len;
    double number = pp_flat_out.numbers[i];
    switch ((enum pp_flat_kind)pp_flat_out.kinds[i]) {
    case PP_FLAT_NUMBER:
        envelope.len += isfinite(number) ? pp_json_number_write(number, to + key->len) : 0;
        return isfinite(number);
    case PP_FLAT_STRING:
        return pp_json_write_string(&envelope, pp_flat_out.strings[i], pp_flat_out.lens[i]);
    case PP_FLAT_BOOLEAN:
        pp_buf_append_string(&envelope, number != 0 ? "true" : "false");
        return true;
    case PP_FLAT_NULL:
        pp_buf_append(&envelope, "null", 4);
        return true;
    }
    return false;
}

/* Without a client it is the other way that says so. */
static bool is_sendable(const struct pp_lua_client *client, const char *type, size_t len)
{
    return client != NULL && client->member.session != NULL && client->server->config.registry == NULL && len > 0 &&
           !(len >= 5 && memcmp(type, "__pp_", 5) == 0);
}

static bool send_envelope(const struct pp_lua_client *client)
{
    pp_envelope_end(&envelope, NULL, 0, 0);
    struct pp_outgoing out = {
        .encoding = &client->server->config.encoding, .envelope = envelope.data, .envelope_len = envelope.len};
    bool sent = pp_session_send(client->member.session, &out, false);
    pp_outgoing_destroy(&out);
    return sent;
}

int pp_flat_send(void *ref, const char *type, size_t type_len, uint32_t count)
{
    const struct pp_lua_client *client = ref;
    pp_buf_clear(&envelope);
    if (count == 0 || !is_sendable(client, type, type_len) || !pp_envelope_begin(&envelope, type, type_len))
        return false;
    size_t start = envelope.len;
    for (unsigned i = 0; i < count; i++)
        if (!write_field(i))
            return false;
    envelope.data[start] = '{'; /* where the first key put its comma */
    pp_buf_append_char(&envelope, '}');
    return send_envelope(client);
}

int pp_flat_relay(void *ref, void *object)
{
    const struct pp_lua_client *client = ref;
    const struct pp_message *message = pp_lua_message_of(object);
    pp_buf_clear(&envelope);
    if (message == NULL || !is_sendable(client, message->type, message->type_len) ||
        !pp_envelope_begin(&envelope, message->type, message->type_len))
        return false;
    if (message->payload_len > 0)
        pp_buf_append(&envelope, message->payload, message->payload_len);
    else
        pp_buf_append(&envelope, "null", 4);
    return send_envelope(client);
}

/* --- in --- */

/* Lays the value at `at` down; NULL where it is none that can be. */
PP_JSON_INLINE const char *read_value(const char *at, const char *begin, const char *end, unsigned i)
{
    char c = at < end ? *at : '\0';
    if (c == '"') {
        struct pp_json_scan scan = pp_json_scan_string(at + 1, begin, end);
        pp_flat_in.strings[i] = at + 1;
        pp_flat_in.lens[i] = (uint32_t)(scan.at - at - 1);
        pp_flat_in.kinds[i] = PP_FLAT_STRING;
        return scan.error == NULL && !scan.escaped ? scan.at + 1 : NULL;
    }
    if (c == '-' || pp_json_is_digit(c)) {
        struct pp_json_decimal decimal = pp_json_scan_number(at, end);
        if (decimal.end == NULL)
            return NULL;
        pp_flat_in.numbers[i] = pp_json_number_from(&decimal, at);
        pp_flat_in.kinds[i] = PP_FLAT_NUMBER;
        return isfinite(pp_flat_in.numbers[i]) ? decimal.end : NULL;
    }
    if (c != 't' && c != 'f')
        return NULL;
    pp_flat_in.numbers[i] = c == 't';
    pp_flat_in.kinds[i] = PP_FLAT_BOOLEAN;
    return pp_json_scan_word(at, end);
}

/* How many fields the object has where it is one of `shape`, written without spaces, else 0. *kinds_out has two bits
 * for each. */
static unsigned read_fields(const struct pp_shapes *shapes, const struct pp_shape *shape, const char *text, size_t len,
                            uint32_t *kinds_out)
{
    const char *at = text, *end = text + len;
    pp_shape_id expected = shape->first;
    uint32_t kinds = 0;
    char c = len > 0 ? *at : '\0';
    for (unsigned i = 0; i < PP_FLAT_FIELDS && c == (i == 0 ? '{' : ','); i++) {
        const struct pp_shape *key = &shapes->slots[expected % PP_SHAPE_SLOTS];
        if (key->id != expected || !pp_shape_is_next(key, at + 1, end))
            return 0;
        at = read_value(at + 1 + key->key_len, text, end, i);
        if (at == NULL || at >= end)
            return 0;
        kinds |= (uint32_t)pp_flat_in.kinds[i] << 2 * i;
        expected = key->next;
        c = *at;
        if (c == '}' && at + 1 == end && key->id == shape->id) {
            *kinds_out = kinds;
            return i + 1;
        }
    }
    return 0;
}

/* The keys of a shape, from the last to the first, pushed from the first to the last. False where one is not known any
 * more. [-0, +count] */
static bool push_keys(lua_State *L, const struct pp_shapes *shapes, const struct pp_shape *shape, unsigned count)
{
    const struct pp_shape *keys[PP_FLAT_FIELDS];
    for (unsigned i = count; i > 0; i--) {
        keys[i - 1] = shape;
        const struct pp_shape *before = &shapes->slots[shape->parent % PP_SHAPE_SLOTS];
        if (i > 1 && before->id != shape->parent)
            return false;
        shape = before;
    }
    for (unsigned i = 0; i < count; i++)
        lua_pushlstring(L, keys[i]->key + 1, keys[i]->key_len - 3U);
    return true;
}

/* Has the function made that reads objects of this shape with these kinds of values. May run finalizers. */
static bool make_reader(lua_State *L, const struct pp_shapes *shapes, struct pp_shape *shape, uint32_t kinds,
                        unsigned count)
{
    int top = lua_gettop(L);
    pp_shape_id id = shape->id;
    if (reader_ref == LUA_NOREF || !lua_checkstack(L, PP_FLAT_FIELDS + 4))
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, reader_ref);
    lua_pushinteger(L, (lua_Integer)kinds);
    bool made = push_keys(L, shapes, shape, count) && lua_pcall(L, (int)count + 1, 1, 0) == 0 &&
                lua_isfunction(L, -1) && shape->id == id;
    if (made) {
        lua_rawseti(L, LUA_REGISTRYINDEX, shape->reader);
        shape->has_reader = true;
        shape->kinds = kinds;
    }
    lua_settop(L, top);
    return made;
}

/* What comes seldom, or never flat, is looked at ever more seldom. */
static bool rest(struct pp_shape *shape)
{
    shape->rest = shape->rest < LONGEST_REST ? (uint8_t)(shape->rest * 2 + 1) : LONGEST_REST;
    shape->skip = shape->rest;
    if (shape->rest == LONGEST_REST)
        shape->has_reader = false; /* of other kinds than come now */
    return false;
}

bool pp_flat_read(lua_State *L, const char *text, size_t len, pp_shape_id *place)
{
    struct pp_shapes *shapes = pp_shapes_open(L);
    struct pp_shape *shape = pp_shapes_at(shapes, *place);
    if (shape->id != *place || !shape->has_maker)
        return false;
    if (shape->skip > 0)
        return shape->skip--, false;
    uint32_t kinds = 0;
    unsigned count = read_fields(shapes, shape, text, len, &kinds);
    if (count == 0 || (shape->has_reader && shape->kinds != kinds))
        return rest(shape);
    if (!shape->has_reader) { /* making it may have read something else */
        make_reader(L, shapes, shape, kinds, count);
        return false;
    }
    shape->rest = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, shape->reader);
    return true;
}

static int set_reader(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    reader_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

void pp_bind_flat_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"learn_key", learn_key}, {"forget_keys", forget_keys}, {"set_reader", set_reader}, {NULL, NULL}};
    key_count = 0;
    reader_ref = LUA_NOREF;
    luaL_register(L, NULL, functions);
    pp_lua_message_push_mark(L);
    lua_setfield(L, -2, "message_mark");
}
