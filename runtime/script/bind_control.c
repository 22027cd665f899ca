/* painda.core.control: Unix sockets, the server's end on the loop and the tool's end, which blocks.
 *
 *     listen(path, fn) → listener, or nil and a message      listener:close()
 *         fn(peer, bytes) runs as a task for what a peer sends, and fn(peer, nil) when it has gone
 *         peer:send(text), peer:close(), peer:pid()
 *     dial(path) → line, or nil, a message and true where nobody listens any more
 *         line:send(text, ms) → true, or nil and a message    line:close()
 *         line:receive(ms) → bytes, "" at the end, or nil and "timeout", "interrupted" or a message */
#include "net/local.h"
#include "net/loop.h"
#include "script/bind.h"
#include "script/call.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LISTENER "painda.control.listener"
#define PEER "painda.control.peer"
#define LINE "painda.control.line"

struct listener {
    struct pp_local_listener *listener; /* NULL once closed */
    struct pp_vm *vm;
    int fn;
    bool silent; /* it is being collected: Lua hears nothing any more */
};

/* Held in the registry while it is open. */
struct peer {
    struct pp_local *local; /* NULL once closed */
    struct listener *listener;
    pid_t pid;
    int self;
};

struct line {
    int fd; /* -1 once closed */
};

static void tell(struct peer *peer, const char *bytes, size_t len)
{
    struct pp_vm *vm = peer->listener->vm;
    lua_State *task = pp_call_begin(vm);
    lua_rawgeti(task, LUA_REGISTRYINDEX, peer->listener->fn);
    lua_rawgeti(task, LUA_REGISTRYINDEX, peer->self);
    if (bytes != NULL)
        lua_pushlstring(task, bytes, len);
    else
        lua_pushnil(task);
    pp_call_run(vm, task, 2, "control");
}

static void *on_accepted(void *owner, struct pp_local *local, pid_t pid)
{
    struct listener *listener = owner;
    lua_State *L = pp_vm_lua(listener->vm);
    struct peer *peer = lua_newuserdata(L, sizeof *peer);
    *peer = (struct peer){.local = local, .listener = listener, .pid = pid};
    luaL_getmetatable(L, PEER);
    lua_setmetatable(L, -2);
    peer->self = luaL_ref(L, LUA_REGISTRYINDEX);
    return peer;
}

static void on_received(void *arg, const char *bytes, size_t len)
{
    tell(arg, bytes, len);
}

static void on_closed(void *arg)
{
    struct peer *peer = arg;
    peer->local = NULL;
    if (!peer->listener->silent)
        tell(peer, NULL, 0);
    luaL_unref(pp_vm_lua(peer->listener->vm), LUA_REGISTRYINDEX, peer->self);
}

static int peer_send(lua_State *L)
{
    struct peer *peer = luaL_checkudata(L, 1, PEER);
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    if (peer->local != NULL)
        pp_local_write(peer->local, bytes, len);
    return 0;
}

static int peer_close(lua_State *L)
{
    struct peer *peer = luaL_checkudata(L, 1, PEER);
    if (peer->local != NULL)
        pp_local_close(peer->local);
    return 0;
}

static int peer_pid(lua_State *L)
{
    struct peer *peer = luaL_checkudata(L, 1, PEER);
    lua_pushinteger(L, peer->pid);
    return 1;
}

static int close_listener(struct listener *listener, bool silent)
{
    if (listener->listener == NULL)
        return 0;
    listener->silent = silent;
    pp_local_unlisten(listener->listener);
    listener->listener = NULL;
    luaL_unref(pp_vm_lua(listener->vm), LUA_REGISTRYINDEX, listener->fn);
    return 0;
}

static int listener_close(lua_State *L)
{
    return close_listener(luaL_checkudata(L, 1, LISTENER), false);
}

static int listener_gc(lua_State *L)
{
    return close_listener(luaL_checkudata(L, 1, LISTENER), true);
}

static const char *why_not(int failed)
{
    return failed == -EADDRINUSE ? "another server listens there"
           : failed == -EEXIST   ? "it is there and is no socket"
                                 : strerror(-failed);
}

static int control_listen(lua_State *L)
{
    static const struct pp_local_ops ops = {on_accepted, on_received, on_closed};
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct listener *listener = lua_newuserdata(L, sizeof *listener);
    *listener = (struct listener){.vm = pp_vm_of(L), .fn = LUA_NOREF};
    luaL_getmetatable(L, LISTENER);
    lua_setmetatable(L, -2);
    int failed = pp_local_listen(pp_vm_loop(listener->vm), path, &ops, listener, &listener->listener);
    if (failed) {
        lua_pushnil(L);
        lua_pushfstring(L, "cannot open %s: %s", path, why_not(failed));
        return 2;
    }
    lua_insert(L, 2); /* stack now: path, listener, fn */
    listener->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

/* [-0, +2] */
static int fail(lua_State *L, int failed)
{
    lua_pushnil(L);
    if (failed == -ETIMEDOUT)
        lua_pushliteral(L, "timeout");
    else if (failed == -EINTR)
        lua_pushliteral(L, "interrupted");
    else
        lua_pushstring(L, strerror(-failed));
    return 2;
}

static int control_dial(lua_State *L)
{
    int fd = pp_local_dial(luaL_checkstring(L, 1));
    if (fd < 0) {
        fail(L, fd);
        lua_pushboolean(L, fd == -ECONNREFUSED || fd == -ENOENT);
        return 3;
    }
    struct line *line = lua_newuserdata(L, sizeof *line);
    line->fd = fd;
    luaL_getmetatable(L, LINE);
    lua_setmetatable(L, -2);
    return 1;
}

static int open_fd(lua_State *L)
{
    struct line *line = luaL_checkudata(L, 1, LINE);
    luaL_argcheck(L, line->fd >= 0, 1, "it was closed");
    return line->fd;
}

static int line_send(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    int failed = pp_local_send(open_fd(L), bytes, len, (int)luaL_optinteger(L, 3, -1));
    if (failed)
        return fail(L, failed);
    lua_pushboolean(L, 1);
    return 1;
}

static int line_receive(lua_State *L)
{
    char bytes[16 * 1024];
    ssize_t n = pp_local_read(open_fd(L), bytes, sizeof bytes, (int)luaL_optinteger(L, 2, -1));
    if (n < 0)
        return fail(L, (int)n);
    lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

static int line_close(lua_State *L)
{
    struct line *line = luaL_checkudata(L, 1, LINE);
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
    return 0;
}

/* [-0, +0] */
static void new_class(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int pp_bind_control(lua_State *L)
{
    static const luaL_Reg listener[] = {{"close", listener_close}, {"__gc", listener_gc}, {NULL, NULL}};
    static const luaL_Reg peer[] = {{"send", peer_send}, {"close", peer_close}, {"pid", peer_pid}, {NULL, NULL}};
    static const luaL_Reg line[] = {
        {"send", line_send}, {"receive", line_receive}, {"close", line_close}, {"__gc", line_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"listen", control_listen}, {"dial", control_dial}, {NULL, NULL}};
    new_class(L, LISTENER, listener);
    new_class(L, PEER, peer);
    new_class(L, LINE, line);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
