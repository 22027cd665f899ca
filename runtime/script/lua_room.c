/* painda.core.server, on rooms. Keys are as hub/room.h has them; lua/painda/target.lua and room.lua check names.
 *
 *     room_fault(name, max) → nil, or what is wrong with it
 *     join(client, key, max) → was it not in it before; nil, text, code where it can't
 *     leave(client, key) → was it in it
 *     rooms(client, prefix) → the names of its rooms in the namespace of that prefix, the default one where it is nil
 *     members(server, except, rooms, without, away) → the client objects of an audience, those whose connection is lost
 *         and whose session is kept only with `away` */
#include "script/lua_room.h"

#include "base/buf.h"
#include "hub/room.h"

#include <lauxlib.h>
#include <string.h>

/* The keys of the audience at hand. Kept between calls, so that sending to rooms allocates nothing. */
static struct pp_buf keys;

/* Appends the array's strings to `keys`; returns how many. */
static size_t read_keys(lua_State *L, int index)
{
    if (!lua_istable(L, index))
        return 0;
    size_t count = lua_objlen(L, index);
    for (size_t i = 0; i < count; i++) {
        struct pp_key key;
        lua_rawgeti(L, index, (int)i + 1);
        key.bytes = lua_tolstring(L, -1, &key.len); /* the array holds it */
        lua_pop(L, 1);
        if (key.bytes == NULL)
            luaL_error(L, "the key of a room is a string");
        pp_buf_append(&keys, &key, sizeof key);
    }
    return count;
}

struct pp_audience pp_lua_audience(lua_State *L, int index)
{
    struct pp_lua_client *except = lua_touserdata(L, index);
    pp_buf_clear(&keys);
    size_t rooms = read_keys(L, index + 1), without = read_keys(L, index + 2);
    const struct pp_key *all = (const struct pp_key *)(const void *)keys.data;
    return (struct pp_audience){
        .in_rooms = lua_istable(L, index + 1),
        .rooms = all,
        .room_count = rooms,
        .without = without > 0 ? all + rooms : NULL,
        .without_count = without,
        .except = except ? &except->member : NULL,
    };
}

/* --- a client's rooms --- */

static int room_fault(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    const char *fault = pp_room_name_fault(name, len, (size_t)luaL_checknumber(L, 2));
    if (fault == NULL)
        return 0;
    lua_pushstring(L, fault);
    return 1;
}

static int refuse(lua_State *L, const char *text, const char *code)
{
    lua_pushnil(L);
    lua_pushstring(L, text);
    lua_pushstring(L, code);
    return 3;
}

/* Would one more room with a name be too many? The count takes a walk, and is seldom needed. */
static bool is_full(const struct pp_member *member, lua_Number max)
{
    return member->room_count >= max && pp_room_count_named(member) >= max;
}

static int join(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    struct pp_hub *hub = &client->server->hub;
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, len > 0, 2, "a key is not empty");
    if (client->member.session == NULL)
        return refuse(L, "closed", "closed");
    if (!lua_isnoneornil(L, 3) && is_full(&client->member, luaL_checknumber(L, 3))) {
        const struct pp_room *room = pp_room_find(hub, key, len);
        if (room == NULL || !pp_room_has(hub, room, &client->member))
            return refuse(L, "full", "ROOM_ERROR");
    }
    lua_pushboolean(L, pp_room_join(hub, &client->member, key, len));
    return 1;
}

static int leave(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    lua_pushboolean(L, pp_room_leave(&client->server->hub, &client->member, key, len));
    return 1;
}

/* --- looking --- */

void pp_lua_push_rooms(lua_State *L, const struct pp_member *member)
{
    if (member->room_count == 0) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, (int)member->room_count, 0);
    for (uint32_t i = 0; i < member->room_count; i++) {
        lua_pushlstring(L, member->rooms[i]->key, member->rooms[i]->key_len);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* [-0, +1 or +0] Pushes the room's name and returns true where it has one and is in the namespace of the prefix (NULL:
 * the default one). */
static bool push_name(lua_State *L, const struct pp_room *room, const char *prefix, size_t prefix_len)
{
    const char *name = room->key;
    size_t len = room->key_len;
    if (prefix != NULL) {
        if (len < prefix_len || memcmp(name, prefix, prefix_len) != 0)
            return false;
        name += prefix_len;
        len -= prefix_len;
    }
    if (len == 0 || memchr(name, '\0', len) != NULL)
        return false;
    lua_pushlstring(L, name, len);
    return true;
}

static int rooms_of(lua_State *L)
{
    const struct pp_lua_client *client = pp_lua_client_at(L, 1);
    size_t prefix_len = 0;
    const char *prefix = lua_tolstring(L, 2, &prefix_len);
    int count = 0;
    lua_newtable(L);
    for (uint32_t i = 0; i < client->member.room_count; i++)
        if (push_name(L, client->member.rooms[i], prefix, prefix_len))
            lua_rawseti(L, -2, ++count);
    return 1;
}

struct listing {
    lua_State *L;
    bool away;
    int count;
};

static void add_member(void *arg, struct pp_member *member)
{
    struct listing *listing = arg;
    if (!listing->away && pp_session_is_detached(member->session))
        return;
    pp_lua_push_client_object(listing->L, member);
    lua_rawseti(listing->L, -2, ++listing->count);
}

static int members(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    lua_settop(L, 5);
    struct pp_audience audience = pp_lua_audience(L, 2);
    struct listing listing = {.L = L, .away = lua_toboolean(L, 5)};
    lua_newtable(L);
    pp_audience_each(&server->hub, &audience, add_member, &listing);
    return 1;
}

void pp_bind_room_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"room_fault", room_fault}, {"join", join},       {"leave", leave},
        {"rooms", rooms_of},        {"members", members}, {NULL, NULL},
    };
    luaL_register(L, NULL, functions);
}
