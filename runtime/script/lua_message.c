/* Message objects: one userdata that holds the bytes, and an environment table once something was stored in it. */
#include "script/lua_message.h"

#include "script/lua_json.h"
#include "script/lua_schema.h"

#include <lauxlib.h>
#include <string.h>

#define MESSAGE "painda.message"

struct lua_message {
    const void *mark;          /* first: other userdata are asked for it too */
    struct pp_message message; /* its spans point behind this struct */
    bool has_env;              /* fields were stored: the environment is ours */
    bool changed;              /* the payload was read into a table, or replaced */
};

static const char message_mark; /* its address is in every message object and in no other userdata */
static int metatable_ref;

static struct lua_message *check(lua_State *L, int index)
{
    struct lua_message *object = lua_touserdata(L, index);
    if (!pp_lua_message_test(L, index))
        luaL_argerror(L, index, "message expected");
    return object;
}

bool pp_lua_message_test(lua_State *L, int index)
{
    const struct lua_message *object = lua_touserdata(L, index);
    return object != NULL && lua_type(L, index) == LUA_TUSERDATA && lua_objlen(L, index) >= sizeof *object &&
           object->mark == &message_mark;
}

bool pp_lua_message_push_payload(lua_State *L, const struct pp_message *message, uint64_t *place, char *error,
                                 size_t error_size)
{
    if (message->schema != NULL)
        return pp_lua_schema_decode(L, message->schema, message->schema_version, message->payload, message->payload_len,
                                    error, error_size);
    if (message->payload_len > 0 && place != NULL)
        return pp_lua_json_decode_at(L, message->payload, message->payload_len, place, error, error_size);
    if (message->payload_len > 0)
        return pp_lua_json_decode(L, message->payload, message->payload_len, error, error_size);
    lua_pushlightuserdata(L, NULL);
    return true;
}

static char *copy_span(char **room, const char *bytes, size_t len)
{
    char *at = *room;
    if (len > 0)
        memcpy(at, bytes, len);
    *room += len;
    return at;
}

/* [-2, +0] Stores the value on top under the key below it, in the environment of the object at `at`. */
static void store(lua_State *L, struct lua_message *object, int at)
{
    if (at < 0)
        at = lua_gettop(L) + at + 1;
    if (!object->has_env) {
        lua_createtable(L, 0, 1);
        lua_setfenv(L, at);
        object->has_env = true;
    }
    lua_getfenv(L, at);
    lua_insert(L, -3); /* stack now: env, key, value */
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void pp_lua_message_push(lua_State *L, const struct pp_message *message)
{
    size_t bytes = message->type_len + message->payload_len + message->ns_len;
    struct lua_message *object = lua_newuserdata(L, sizeof *object + bytes);
    char *room = (char *)(object + 1);
    object->mark = &message_mark;
    object->message = *message;
    object->message.type = copy_span(&room, message->type, message->type_len);
    object->message.payload = copy_span(&room, message->payload, message->payload_len);
    object->message.ns = message->ns_len ? copy_span(&room, message->ns, message->ns_len) : NULL;
    object->has_env = false;
    /* A schema may go with its registry when the application is loaded again: its payload is read at once, by the
     * caller. */
    object->changed = message->schema != NULL;
    object->message.schema = NULL;
    object->message.payload_len = message->schema ? 0 : message->payload_len;
    lua_rawgeti(L, LUA_REGISTRYINDEX, metatable_ref);
    lua_setmetatable(L, -2);
}

/* [-0, +1] What was stored under the key at 2; false where nothing was. */
static bool push_stored(lua_State *L, const struct lua_message *object)
{
    if (!object->has_env)
        return false;
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    bool stored = !lua_isnil(L, -1);
    if (lua_touserdata(L, -1) == &message_mark)
        lua_pushnil(L);
    return stored;
}

static void push_payload(lua_State *L, struct lua_message *object)
{
    char error[PP_LUA_JSON_ERROR];
    if (!pp_lua_message_push_payload(L, &object->message, NULL, error, sizeof error))
        luaL_error(L, "%s", error);
    if (!lua_istable(L, -1))
        return; /* cheap to read again, and can't be changed by its reader */
    object->changed = true;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    store(L, object, 1);
}

static int on_index(lua_State *L)
{
    struct lua_message *object = lua_touserdata(L, 1);
    const struct pp_message *message = &object->message;
    size_t len;
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : "";
    if (push_stored(L, object))
        return 1;
    if (strcmp(key, "type") == 0)
        lua_pushlstring(L, message->type, message->type_len);
    else if (strcmp(key, "payload") == 0)
        push_payload(L, object);
    else if (strcmp(key, "__ackId") == 0 && message->ack_id > 0)
        lua_pushnumber(L, (lua_Number)message->ack_id);
    else if (strcmp(key, "__ns") == 0 && message->ns != NULL)
        lua_pushlstring(L, message->ns, message->ns_len);
    else
        lua_pushnil(L);
    return 1;
}

static int on_newindex(lua_State *L)
{
    struct lua_message *object = check(L, 1);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    bool is_type = strcmp(name, "type") == 0;
    if (is_type && (lua_type(L, 3) != LUA_TSTRING || lua_objlen(L, 3) == 0)) /* nobody could be told of the message */
        return luaL_error(L, "the type of a message is a string that is not empty, not %s",
                          lua_type(L, 3) == LUA_TSTRING ? "\"\"" : luaL_typename(L, 3));
    if (is_type || strcmp(name, "payload") == 0)
        object->changed = true;
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) { /* a stored nil would bring the old value back: the mark stands for it */
        lua_pop(L, 1);
        lua_pushlightuserdata(L, (void *)&message_mark);
    }
    store(L, object, 1);
    return 0;
}

static int on_tostring(lua_State *L)
{
    struct lua_message *object = check(L, 1);
    lua_pushliteral(L, "message ");
    lua_pushlstring(L, object->message.type, object->message.type_len);
    lua_concat(L, 2);
    return 1;
}

bool pp_lua_message_raw(lua_State *L, int at, struct pp_message *out)
{
    struct lua_message *object = lua_touserdata(L, at);
    *out = object->message;
    return !object->changed;
}

const struct pp_message *pp_lua_message_of(const void *userdata)
{
    const struct lua_message *object = userdata;
    return object->changed ? NULL : &object->message;
}

void pp_lua_message_push_mark(lua_State *L)
{
    luaL_getmetatable(L, MESSAGE);
    lua_getfield(L, -1, "__metatable");
    lua_remove(L, -2);
}

void pp_lua_message_init(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"__index", on_index}, {"__newindex", on_newindex}, {"__tostring", on_tostring}, {NULL, NULL}};
    luaL_newmetatable(L, MESSAGE);
    luaL_register(L, NULL, methods);
    lua_newtable(L); /* the methods are for messages only: nobody else may take hold of them */
    lua_setfield(L, -2, "__metatable");
    metatable_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
