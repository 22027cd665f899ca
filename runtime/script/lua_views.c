/* painda.core.server: views(server, name, root) → the views of a typed room's members, and what these know (viewers.h).
 * `name` is the room's, as JSON. A member's client is held while it is a viewer. Numbers are those of viewers.h. With
 * `root`, the address of a declared state's block, they are told in frames, and `name` is the room's number there.
 *
 *     views:map(name), views:place(map, x, y) → numbers; nil where there are too many
 *     views:fault(map) → what is wrong with the map, as the end of a sentence; nil where nothing is
 *     views:new() → a view that sees all           views:free(view)
 *     views:choose(view, map, place)               of that map a choice: by place, or (nil) what is listed
 *     views:near(view, radius, margin, of, place)  what is around the entity `of`, or (nil) around where it is moved to
 *     views:move(view, x, y)
 *     views:list(view, map, names, count)          these are seen
 *     views:add(client, view, version, even) → a viewer           views:remove(viewer)
 *     views:view(viewer, view, leaving)            it sees that from now on
 *     views:wait(viewer)                           it knows nothing from now on
 *     views:look(told, again)                      the state as it was told last (lua_told.c); again: it did not change
 *     views:look_at_state(changed)                 the same of a declared state
 *     views:is_slow(above) → will somebody fall behind?
 *     views:publish(version, above) → sent, made, bytes, those that fell behind, those that have left; either an array,
 *         or nil
 *     views:whole(viewer, version) → all that it sees, as JSON or a snapshot, which it knows then
 *     views:since(viewer, kept, version) → what became different since, and the version that it knew; nil where all
 *         of it is shorter, or there can be none. `kept` is of lua_kept.c; in frames the address of a copy that has the
 *         pieces (state/view.h)
 *     views:is_crowded() → do viewers that are behind keep too much?
 *     views:clear(): lets go of it all
 *
 *     without_waiting(fn, …) → what fn(…) returns; where it waits it raises */
#include "script/lua_views.h"

#include <lauxlib.h>

#include "script/lua_kept.h"
#include "script/lua_server.h"
#include "script/lua_told.h"
#include "script/snapshot.h"
#include "script/viewers.h"

#define VIEWS "painda.core.views"

static struct pp_buf text; /* kept between calls; what raises while it is in use leaves it to the next */

static struct pp_viewers *check(lua_State *L)
{
    struct pp_viewers *viewers = luaL_checkudata(L, 1, VIEWS);
    luaL_argcheck(L, viewers->interest != NULL, 1, "it was cleared");
    return viewers;
}

static uint32_t check_view(lua_State *L, const struct pp_viewers *viewers, int index)
{
    uint32_t view = (uint32_t)luaL_checkinteger(L, index);
    luaL_argcheck(L, view < viewers->view_count && viewers->views[view].kind != PP_VIEW_FREE, index, "no view");
    return view;
}

static uint32_t check_viewer(lua_State *L, const struct pp_viewers *viewers)
{
    uint32_t viewer = (uint32_t)luaL_checkinteger(L, 2);
    luaL_argcheck(L, viewer < viewers->count && viewers->list[viewer].state != PP_VIEWER_FREE, 2, "no viewer");
    return viewer;
}

static int check_map(lua_State *L, const struct pp_viewers *viewers, int index)
{
    int map_number = (int)luaL_checkinteger(L, index);
    bool good = map_number >= 0 && (uint32_t)map_number < pp_interest_map_count(viewers->interest);
    luaL_argcheck(L, good, index, "no map");
    return map_number;
}

static int push_number(lua_State *L, int number)
{
    if (number < 0)
        return 0;
    lua_pushinteger(L, number);
    return 1;
}

/* --- views --- */

static int map(lua_State *L)
{
    size_t len;
    struct pp_viewers *viewers = check(L);
    const char *name = luaL_checklstring(L, 2, &len);
    return push_number(L, pp_interest_map(viewers->interest, name, len));
}

static int place(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    int of = check_map(L, viewers, 2);
    return push_number(L, pp_interest_place(viewers->interest, of, luaL_checkstring(L, 3), luaL_checkstring(L, 4)));
}

static int fault(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    lua_pushstring(L, pp_interest_fault(viewers->interest, check_map(L, viewers, 2)));
    return 1;
}

static int new_view(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)pp_viewers_add_view(check(L)));
    return 1;
}

static int free_view(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    pp_viewers_free_view(viewers, check_view(L, viewers, 2));
    return 0;
}

static int choose(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    pp_view_choose(viewers, check_view(L, viewers, 2), check_map(L, viewers, 3), (int)luaL_optinteger(L, 4, -1));
    return 0;
}

static int set_near(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    size_t len = 0;
    const char *of = lua_tolstring(L, 5, &len);
    pp_view_set_near(viewers, check_view(L, viewers, 2), luaL_checknumber(L, 3), luaL_checknumber(L, 4), of, len,
                     (int)luaL_checkinteger(L, 6));
    return 0;
}

static int move(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    struct pp_view *view = &viewers->views[check_view(L, viewers, 2)];
    view->x = luaL_checknumber(L, 3);
    view->y = luaL_checknumber(L, 4);
    view->placed = true;
    return 0;
}

static int list(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    struct pp_view *view = &viewers->views[check_view(L, viewers, 2)];
    int of = check_map(L, viewers, 3), count = (int)luaL_checkinteger(L, 5);
    luaL_checktype(L, 4, LUA_TTABLE);
    struct pp_set *seen = &view->maps[of].seen;
    pp_set_clear(seen);
    for (int i = 1; i <= count; i++) {
        size_t len;
        lua_rawgeti(L, 4, i);
        const char *name = lua_tolstring(L, -1, &len);
        int64_t number = name != NULL ? pp_interest_entity(viewers->interest, of, name, len) : -1;
        if (number >= 0)
            pp_set_add(seen, (uint32_t)number);
        lua_pop(L, 1);
    }
    return 0;
}

/* --- viewers --- */

static int add(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    struct pp_lua_client *client = pp_lua_client_at(L, 2);
    uint32_t number = pp_viewers_add(viewers, &client->member, check_view(L, viewers, 3), luaL_checknumber(L, 4),
                                     lua_toboolean(L, 5));
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (int)number + 1);
    lua_pushinteger(L, (lua_Integer)number);
    return 1;
}

static int remove_viewer(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    uint32_t number = check_viewer(L, viewers);
    pp_viewers_remove(viewers, number);
    lua_getfenv(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, (int)number + 1);
    return 0;
}

static int set_view(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    struct pp_viewer *viewer = &viewers->list[check_viewer(L, viewers)];
    viewer->view = check_view(L, viewers, 3);
    viewer->leaving = lua_toboolean(L, 4);
    return 0;
}

static int wait(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    pp_viewers_set_state(viewers, check_viewer(L, viewers), PP_VIEWER_WAITING);
    return 0;
}

/* --- ticks --- */

static int look(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    const struct pp_snapshot *told = pp_lua_told_check(L, 2);
    const struct pp_value *now = pp_snapshot_root(told);
    pp_viewers_look(viewers, lua_toboolean(L, 3) ? now : &told->before, now);
    return 0;
}

static int look_at_state(lua_State *L)
{
    pp_viewers_look_at_state(check(L), lua_toboolean(L, 2));
    return 0;
}

struct news {
    lua_State *L;
    int fell, left; /* how many are in the tables below the top */
};

/* Stack: those that fell, those that have left; tables. */
static void note(void *arg, uint32_t viewer, bool fell)
{
    struct news *news = arg;
    lua_pushinteger(news->L, (lua_Integer)viewer);
    lua_rawseti(news->L, fell ? -3 : -2, fell ? ++news->fell : ++news->left);
}

static int is_slow(lua_State *L)
{
    lua_pushboolean(L, pp_viewers_are_slow(check(L), (size_t)luaL_checknumber(L, 2)));
    return 1;
}

static int publish(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    struct news news = {.L = L};
    double version = luaL_checknumber(L, 2);
    size_t above = (size_t)luaL_checknumber(L, 3);
    lua_settop(L, 3);
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    lua_newtable(L);
    struct pp_viewers_report report = pp_viewers_publish(viewers, version, above, note, &news);
    lua_pushnumber(L, report.sent);
    lua_insert(L, 4);
    lua_pushnumber(L, report.made);
    lua_insert(L, 5);
    lua_pushnumber(L, (lua_Number)report.bytes);
    lua_insert(L, 6);
    for (int i = 7; i <= 8; i++)
        if ((i == 7 ? news.fell : news.left) == 0) {
            lua_pushnil(L);
            lua_replace(L, i);
        }
    return 5;
}

static int whole(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    pp_buf_clear(&text);
    pp_viewers_write_whole(viewers, check_viewer(L, viewers), luaL_checknumber(L, 3), &text);
    lua_pushlstring(L, text.data, text.len);
    return 1;
}

static int since(lua_State *L)
{
    struct pp_viewers *viewers = check(L);
    uint32_t number = check_viewer(L, viewers);
    struct pp_viewers_past past = {0};
    if (viewers->frames)
        past.copy = (const struct pp_state_block *)(uintptr_t)luaL_checknumber(L, 3);
    else
        past.tree = pp_lua_kept_check(L, 3);
    double version = luaL_checknumber(L, 4), known = viewers->list[number].version;
    pp_buf_clear(&text);
    if (viewers->list[number].state != PP_VIEWER_BEHIND ||
        !pp_viewers_write_since(viewers, number, &past, version, &text))
        return 0;
    lua_pushlstring(L, text.data, text.len);
    lua_pushnumber(L, known);
    return 2;
}

static int is_crowded(lua_State *L)
{
    lua_pushboolean(L, pp_interest_is_crowded(check(L)->interest));
    return 1;
}

static int clear(lua_State *L)
{
    pp_viewers_destroy(luaL_checkudata(L, 1, VIEWS));
    return 0;
}

static int new_views(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    size_t len;
    const char *name = luaL_checklstring(L, 2, &len);
    uintptr_t root = (uintptr_t)luaL_optnumber(L, 3, 0);
    struct pp_viewers *viewers = lua_newuserdata(L, sizeof *viewers);
    *viewers = (struct pp_viewers){0};
    luaL_getmetatable(L, VIEWS);
    lua_setmetatable(L, -2);
    lua_newtable(L); /* clients, by viewer; and the server, by whose encoding messages are made */
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "server");
    lua_setfenv(L, -2);
    pp_viewers_init(viewers, &server->config.encoding, name, len, (struct pp_state_block *)root);
    return 1;
}

/* A call from C can't be yielded across. */
static int without_waiting(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

void pp_bind_views(lua_State *L)
{
    static const luaL_Reg methods[] = {{"map", map},
                                       {"place", place},
                                       {"fault", fault},
                                       {"new", new_view},
                                       {"free", free_view},
                                       {"choose", choose},
                                       {"near", set_near},
                                       {"move", move},
                                       {"list", list},
                                       {"add", add},
                                       {"view", set_view},
                                       {"wait", wait},
                                       {"remove", remove_viewer},
                                       {"look", look},
                                       {"look_at_state", look_at_state},
                                       {"since", since},
                                       {"is_slow", is_slow},
                                       {"publish", publish},
                                       {"whole", whole},
                                       {"is_crowded", is_crowded},
                                       {"clear", clear},
                                       {"__gc", clear},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"views", new_views}, {"without_waiting", without_waiting}, {NULL, NULL}};
    luaL_newmetatable(L, VIEWS);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_register(L, NULL, functions);
}
