/* painda.core.server: told() → what the members of a typed room know of its state.
 *
 *     told:take(state, most, shallow) → the delta as JSON; false where nothing changed; nil and what is wrong, with the
 *         path. The state is then what the members know. `most` are the bytes that it may be long as JSON.
 *     told:look(state, most) → true where it is another than what they know; else as above. Nothing is taken yet
 *     told:commit(): what was looked at last is what they know
 *     told:read(json): that is what they know
 *     told:json() → all that they know
 *     told:clear(): lets go of the memory; what they know is nil */
#include "script/lua_told.h"
#include "base/buf.h"
#include "delta/delta.h"
#include "script/lua_json.h"
#include "script/snapshot.h"
#include "value/json_writer.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define TOLD "painda.core.told"
#define SHALLOW_MEMBERS 256 /* where the first level has more, comparing it member by member saves nothing */

static struct pp_buf text; /* kept between calls; what raises while it is in use leaves it to the next */

/* [-0, +0 or +2] Looks at the state at 2. False with nil and the reason pushed. */
static bool look_at(lua_State *L, struct pp_snapshot *told)
{
    char error[PP_LUA_JSON_ERROR];
    size_t most = (size_t)luaL_checknumber(L, 3);
    size_t max_bytes = most < SIZE_MAX / 16 ? most * 16 : SIZE_MAX; /* a number takes 16 bytes, and one of JSON */
    told->trees[0].max_bytes = told->trees[1].max_bytes = max_bytes;
    if (!pp_snapshot_look(told, L, 2, "state", error, sizeof error)) {
        lua_pushnil(L);
        lua_pushstring(L, error);
        return false;
    }
    /* A byte of a string is up to six of JSON: most states need no second look. */
    if (told->trees[told->last ^ told->afresh].bytes <= most / 6 || !pp_value_is_longer(&told->next, most))
        return true;
    lua_pushnil(L);
    lua_pushfstring(L, "the state is more than %f bytes as JSON (maxStateSize)", (double)most);
    return false;
}

/* --- shallow deltas --- */

static bool is_table(const struct pp_value *value)
{
    return value->kind == PP_VALUE_ARRAY || value->kind == PP_VALUE_MAP;
}

static bool has_reserved(const struct pp_value *map)
{
    for (uint32_t i = 0; i < map->count; i++)
        if (map->members[i].key->len >= 5 && memcmp(map->members[i].key->bytes, "__pp_", 5) == 0)
            return true;
    return false;
}

static bool is_plain_map(const struct pp_value *value)
{
    return value->kind == PP_VALUE_MAP && value->count <= SHALLOW_MEMBERS && !has_reserved(value);
}

/* The member of that key, which is mostly at the same place. */
static const struct pp_value_member *find(const struct pp_value *map, const struct pp_value_key *key, uint32_t place)
{
    if (place < map->count && pp_key_same(map->members[place].key, key))
        return &map->members[place];
    return pp_value_get(map, key->bytes, key->len);
}

static void write_key(const struct pp_value_key *key, bool *any)
{
    pp_buf_append_char(&text, *any ? ',' : '{');
    *any = true;
    pp_json_write_string(&text, key->bytes, key->len);
    pp_buf_append_char(&text, ':');
}

/* Of two maps: each member that changed, whole. False where none did. */
static bool write_shallow(const struct pp_value *before, const struct pp_value *after)
{
    bool any = false;
    for (uint32_t i = 0; i < after->count; i++) {
        const struct pp_value_member *now = &after->members[i], *was = find(before, now->key, i);
        if (was != NULL && pp_value_equal(&was->value, &now->value))
            continue;
        write_key(now->key, &any);
        if (is_table(&now->value))
            pp_buf_append_string(&text, "{\"__pp_value\":");
        pp_value_write(&now->value, &text);
        if (is_table(&now->value))
            pp_buf_append_char(&text, '}');
    }
    for (uint32_t i = 0; i < before->count; i++)
        if (find(after, before->members[i].key, i) == NULL) {
            write_key(before->members[i].key, &any);
            pp_buf_append_string(&text, "{\"__pp_deleted\":true}");
        }
    if (any)
        pp_buf_append_char(&text, '}');
    return any;
}

/* --- methods --- */

struct pp_snapshot *pp_lua_told_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, TOLD);
}

static int take(lua_State *L)
{
    struct pp_snapshot *told = pp_lua_told_check(L, 1);
    lua_settop(L, 4);
    if (!look_at(L, told))
        return 2;
    const struct pp_value *before = pp_snapshot_root(told), *after = &told->next;
    pp_buf_clear(&text);
    bool shallow = lua_toboolean(L, 4) && is_plain_map(before) && is_plain_map(after);
    bool changed = shallow ? write_shallow(before, after) : pp_delta_diff(before, after, &text);
    if (!changed) {
        if (told->afresh)
            pp_snapshot_commit(told);
        lua_pushboolean(L, 0);
        return 1;
    }
    pp_snapshot_commit(told);
    lua_pushlstring(L, text.data, text.len);
    return 1;
}

static int look(lua_State *L)
{
    struct pp_snapshot *told = pp_lua_told_check(L, 1);
    lua_settop(L, 3);
    if (!look_at(L, told))
        return 2;
    bool changed = !pp_value_equal(pp_snapshot_root(told), &told->next);
    if (!changed && told->afresh)
        pp_snapshot_commit(told);
    lua_pushboolean(L, changed);
    return 1;
}

static int commit(lua_State *L)
{
    pp_snapshot_commit(pp_lua_told_check(L, 1));
    return 0;
}

static int read_json(lua_State *L)
{
    struct pp_snapshot *told = pp_lua_told_check(L, 1);
    struct pp_tree *fresh = &told->trees[!told->last];
    size_t len;
    char error[PP_LUA_JSON_ERROR];
    const char *given = luaL_checklstring(L, 2, &len);
    fresh->max_bytes = SIZE_MAX;
    if (!pp_tree_parse(fresh, given, len, error, sizeof error))
        return luaL_error(L, "%s", error);
    told->next = fresh->root;
    told->afresh = true;
    pp_snapshot_commit(told);
    return 0;
}

static int json(lua_State *L)
{
    pp_buf_clear(&text);
    pp_value_write(pp_snapshot_root(pp_lua_told_check(L, 1)), &text);
    lua_pushlstring(L, text.data, text.len);
    return 1;
}

static int clear(lua_State *L)
{
    struct pp_snapshot *told = pp_lua_told_check(L, 1);
    pp_snapshot_destroy(told);
    *told = (struct pp_snapshot){0};
    return 0;
}

static int new_told(lua_State *L)
{
    struct pp_snapshot *told = lua_newuserdata(L, sizeof *told);
    *told = (struct pp_snapshot){0};
    luaL_getmetatable(L, TOLD);
    lua_setmetatable(L, -2);
    return 1;
}

void pp_bind_told(lua_State *L)
{
    static const luaL_Reg methods[] = {{"take", take},      {"look", look},   {"commit", commit}, {"json", json},
                                       {"read", read_json}, {"clear", clear}, {"__gc", clear},    {NULL, NULL}};
    static const luaL_Reg functions[] = {{"told", new_told}, {NULL, NULL}};
    luaL_newmetatable(L, TOLD);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_register(L, NULL, functions);
}
