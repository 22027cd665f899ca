/* painda.core.http: what lua/painda/http.lua is made of.
 *
 *     listen{…} → listener                  see lua_listener.h
 *     serve(listener, maxBody, fn) → server fn(exchange) runs as a task for each request
 *     field_is_clean(name, value)           may this be sent as a header?
 *
 *     is_directory(path) → boolean
 *
 * A server: close(), set_max_body(bytes), drain() → the number of its open requests: from then on a connection ends
 * with the request it is at. An exchange is one request and its answer:
 *
 *     read() → method, path, query, headers ("name: value\n" each), address, secure, body
 *     header(name) → value or nil           also of headers that read does not list
 *     is_open() → boolean                   false once it was answered or the client left
 *     answer(status, fields, body) → boolean, false where it is not open
 *     file(root, path, maxAge [, index]) → boolean, true where the file was there and is the answer */
#include "net/http.h"

#include "base/buf.h"
#include "net/http_syntax.h"
#include "net/listener.h"
#include "script/bind.h"
#include "script/call.h"
#include "script/lua_listener.h"

#include <lauxlib.h>
#include <sys/stat.h>

#define SERVER "painda.http.server"
#define EXCHANGE "painda.http.exchange"

struct server_box {
    struct pp_http *http; /* NULL once closed */
    struct pp_vm *vm;
    int listener, handler, self; /* references: to what it uses, and to itself while it serves */
};

struct exchange_box {
    struct pp_http_request *request; /* NULL once it was answered or is gone */
};

/* --- exchanges --- */

static struct pp_http_request *check_request(lua_State *L)
{
    return ((struct exchange_box *)luaL_checkudata(L, 1, EXCHANGE))->request;
}

static int exchange_read(lua_State *L)
{
    struct pp_http_request *request = check_request(L);
    if (request == NULL)
        return 0;
    size_t len;
    const struct pp_handshake *headers = pp_http_headers(request);
    const char *body = pp_http_body(request, &len);
    lua_pushstring(L, pp_http_method(request));
    lua_pushstring(L, pp_http_path(request));
    lua_pushstring(L, headers->query);
    lua_pushstring(L, headers->headers);
    lua_pushstring(L, headers->address);
    lua_pushboolean(L, headers->secure);
    lua_pushlstring(L, body, len);
    return 7;
}

static int exchange_header(lua_State *L)
{
    static struct pp_buf value; /* kept between calls */
    struct pp_http_request *request = check_request(L);
    const char *name = luaL_checkstring(L, 2);
    pp_buf_clear(&value);
    if (request == NULL || !pp_http_header(request, name, &value))
        return 0;
    lua_pushlstring(L, value.data ? value.data : "", value.len);
    return 1;
}

static int exchange_is_open(lua_State *L)
{
    lua_pushboolean(L, check_request(L) != NULL);
    return 1;
}

/* Takes the request out of its box: it is being answered. */
static struct pp_http_request *take_request(lua_State *L)
{
    struct exchange_box *box = lua_touserdata(L, 1);
    struct pp_http_request *request = box->request;
    box->request = NULL;
    return request;
}

static int exchange_answer(lua_State *L)
{
    size_t len;
    bool open = check_request(L) != NULL;
    struct pp_http_answer answer = {.status = (int)luaL_checkinteger(L, 2), .fields = luaL_checkstring(L, 3)};
    answer.body = luaL_checklstring(L, 4, &len);
    answer.len = len;
    if (open)
        pp_http_answer(take_request(L), &answer);
    lua_pushboolean(L, open);
    return 1;
}

static int exchange_file(lua_State *L)
{
    size_t len;
    struct pp_http_request *request = check_request(L);
    const char *path = luaL_checklstring(L, 3, &len);
    struct pp_http_files files = {
        .root = luaL_checkstring(L, 2),
        .max_age = (uint32_t)luaL_checknumber(L, 4),
        .index = luaL_optstring(L, 5, NULL),
    };
    bool answered = request != NULL && pp_http_answer_file(request, &files, path, len);
    if (answered)
        take_request(L);
    lua_pushboolean(L, answered);
    return 1;
}

/* Nobody is left who could answer. */
static int exchange_gc(lua_State *L)
{
    struct pp_http_request *request = take_request(L);
    if (request != NULL)
        pp_http_answer_text(request, 500, NULL, "no answer");
    return 0;
}

static void on_gone(void *user)
{
    struct exchange_box *box = user;
    box->request = NULL;
}

static void on_request(void *owner, struct pp_http_request *request)
{
    struct server_box *server = owner;
    lua_State *task = pp_call_begin(server->vm);
    lua_rawgeti(task, LUA_REGISTRYINDEX, server->handler);
    struct exchange_box *box = lua_newuserdata(task, sizeof *box);
    box->request = request;
    luaL_getmetatable(task, EXCHANGE);
    lua_setmetatable(task, -2);
    pp_http_set_user(request, box);
    pp_call_run(server->vm, task, 1, "request");
}

/* --- servers --- */

static const struct pp_http_ops ops = {.request = on_request, .gone = on_gone};

static int serve(lua_State *L)
{
    struct pp_listener *listener = pp_lua_listener_check(L, 1);
    lua_Number max_body = luaL_checknumber(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 3);
    struct server_box *box = lua_newuserdata(L, sizeof *box);
    *box = (struct server_box){.vm = pp_vm_of(L), .listener = LUA_NOREF, .handler = LUA_NOREF, .self = LUA_NOREF};
    luaL_getmetatable(L, SERVER);
    lua_setmetatable(L, -2);
    lua_insert(L, 1); /* stack now: server, listener, max_body, fn */
    box->handler = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 2);
    box->listener = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 1);
    box->self = luaL_ref(L, LUA_REGISTRYINDEX);
    box->http = pp_http_new(pp_vm_loop(box->vm), &ops, box, (uint64_t)max_body);
    pp_listener_set_http(listener, box->http);
    lua_settop(L, 1);
    return 1;
}

static int server_set_max_body(lua_State *L)
{
    struct server_box *box = luaL_checkudata(L, 1, SERVER);
    lua_Number max_body = luaL_checknumber(L, 2);
    if (box->http != NULL)
        pp_http_set_max_body(box->http, (uint64_t)max_body);
    return 0;
}

static int server_drain(lua_State *L)
{
    struct server_box *box = luaL_checkudata(L, 1, SERVER);
    lua_pushinteger(L, box->http ? (lua_Integer)pp_http_drain(box->http) : 0);
    return 1;
}

/* Also the finaliser; closing twice is fine. The listener stays as it is. */
static int server_close(lua_State *L)
{
    struct server_box *box = luaL_checkudata(L, 1, SERVER);
    struct pp_http *http = box->http;
    if (http == NULL)
        return 0;
    box->http = NULL;
    lua_rawgeti(L, LUA_REGISTRYINDEX, box->listener);
    struct pp_listener *listener = pp_lua_listener_test(L, -1);
    if (listener != NULL)
        pp_listener_set_http(listener, NULL);
    pp_http_delete(http);
    luaL_unref(L, LUA_REGISTRYINDEX, box->listener);
    luaL_unref(L, LUA_REGISTRYINDEX, box->handler);
    luaL_unref(L, LUA_REGISTRYINDEX, box->self);
    return 0;
}

static int field_is_clean(lua_State *L)
{
    size_t name_len, value_len;
    const char *name = luaL_checklstring(L, 1, &name_len);
    const char *value = luaL_checklstring(L, 2, &value_len);
    lua_pushboolean(L, pp_http_field_is_clean(name, name_len, value, value_len));
    return 1;
}

static int is_directory(lua_State *L)
{
    struct stat found;
    lua_pushboolean(L, stat(luaL_checkstring(L, 1), &found) == 0 && S_ISDIR(found.st_mode));
    return 1;
}

/* --- the module --- */

static void make_metatable(lua_State *L, const char *kind, lua_CFunction gc, const luaL_Reg *methods)
{
    if (luaL_newmetatable(L, kind)) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_newtable(L);
        luaL_register(L, NULL, methods);
        lua_setfield(L, -2, "__index");
        lua_pushstring(L, kind);
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

int pp_bind_http(lua_State *L)
{
    static const luaL_Reg server_methods[] = {
        {"close", server_close},
        {"set_max_body", server_set_max_body},
        {"drain", server_drain},
        {NULL, NULL},
    };
    static const luaL_Reg exchange_methods[] = {
        {"read", exchange_read},     {"header", exchange_header}, {"is_open", exchange_is_open},
        {"answer", exchange_answer}, {"file", exchange_file},     {NULL, NULL},
    };
    static const luaL_Reg functions[] = {
        {"listen", pp_lua_listener_open}, {"serve", serve}, {"field_is_clean", field_is_clean},
        {"is_directory", is_directory},   {NULL, NULL},
    };
    pp_lua_listener_init(L);
    make_metatable(L, SERVER, server_close, server_methods);
    make_metatable(L, EXCHANGE, exchange_gc, exchange_methods);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
