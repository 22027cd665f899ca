/* Clients: from an accepted connection to the callbacks of lua/painda/dispatch.lua. */
#include "base/clock.h"
#include "base/histogram.h"
#include "net/handshake.h"
#include "net/listener.h"
#include "script/call.h"
#include "script/lua_atoms.h"
#include "script/lua_flat.h"
#include "script/lua_json.h"
#include "script/lua_message.h"
#include "script/lua_room.h"
#include "script/lua_server.h"
#include "session/origin.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct pp_message *pp_lua_current_message;
static struct pp_lua_atom *current_atom; /* of its type; good where there is a current message */

static lua_State *begin(struct pp_lua_server *server, enum pp_callback callback)
{
    lua_State *task = pp_call_begin(server->vm);
    lua_rawgeti(task, LUA_REGISTRYINDEX, server->callbacks[callback]);
    return task;
}

static void push_object(lua_State *task, const struct pp_lua_client *client)
{
    lua_rawgeti(task, LUA_REGISTRYINDEX, client->object);
}

/* --- the session's events --- */

/* [-0, +3 or +0] Pushes the payload as three values, of which one is not nil: it as a table or other value, the message
 * object, or the function that makes its table and has to be called first of all. False, with the error, where it can't
 * be read. */
static bool push_payload(lua_State *task, const struct pp_message *message, struct pp_lua_atom *atom, char *error)
{
    lua_pushnil(task);
    lua_pushnil(task);
    if (message->schema == NULL && pp_flat_read(task, message->payload, message->payload_len, &atom->place))
        return true;
    lua_pop(task, 2);
    if (!pp_lua_message_push_payload(task, message, &atom->place, error, PP_LUA_JSON_ERROR))
        return false;
    lua_pushnil(task);
    lua_pushnil(task);
    return true;
}

/* [-0, +3 or +0] The same for what the handlers of the type need: all are nil where nothing is made ready, and can be
 * asked for by payload() and message(). A schema's payload is always read, since one that can't be is not a message:
 * false then. */
static bool push_prepared(lua_State *task, struct pp_lua_client *client, const struct pp_message *message,
                          struct pp_lua_atom *atom)
{
    char error[PP_LUA_JSON_ERROR];
    if (message->schema != NULL || (atom->hint == PP_HINT_PAYLOAD && !message->control)) {
        bool read = push_payload(task, message, atom, error);
        if (!read)
            pp_session_malformed(client->member.session, message->schema ? "SCHEMA_ERROR" : "DECODE_ERROR", error);
        return read;
    }
    lua_pushnil(task);
    if (atom->hint == PP_HINT_MESSAGE)
        pp_lua_message_push(task, message);
    else
        lua_pushnil(task);
    lua_pushnil(task);
    return true;
}

/* Runs the function and its seven arguments on `task` as the handler of `message`. */
static void run_message(lua_State *task, struct pp_lua_client *client, const struct pp_message *message,
                        struct pp_lua_atom *atom)
{
    const struct pp_message *outer = pp_lua_current_message;
    struct pp_lua_atom *outer_atom = current_atom;
    pp_lua_current_message = message;
    current_atom = atom;
    pp_lua_atom_note(atom);
    struct pp_lua_server *server = client->server;
    uint64_t began = server->measures ? pp_clock_ns() : 0;
    pp_call_run(server->vm, task, 7, "message");
    if (began > 0 && !message->control)
        pp_histogram_add(server->handler_time, pp_clock_ns() - began);
    pp_lua_current_message = outer;
    current_atom = outer_atom;
}

static void on_message(void *owner, const struct pp_message *message)
{
    struct pp_lua_client *client = owner;
    lua_State *task = begin(client->server, message->control ? PP_ON_CONTROL : PP_ON_MESSAGE);
    push_object(task, client);
    struct pp_lua_atom *atom = pp_lua_atom_push(task, message->type, message->type_len);
    if (message->ack_id > 0)
        lua_pushnumber(task, (lua_Number)message->ack_id);
    else
        lua_pushnil(task);
    if (message->ns != NULL)
        lua_pushlstring(task, message->ns, message->ns_len);
    else
        lua_pushnil(task);
    if (!push_prepared(task, client, message, atom)) {
        pp_call_cancel(client->server->vm, task);
        return;
    }
    run_message(task, client, message, atom);
}

/* Where the handlers of the type read the payload, reading it is the check: nothing is looked at twice. */
static bool on_unchecked(void *owner, const struct pp_message *message)
{
    struct pp_lua_client *client = owner;
    struct pp_lua_atom *atom = pp_lua_atom_find(message->type, message->type_len);
    if (atom == NULL || atom->hint != PP_HINT_PAYLOAD)
        return false;
    lua_State *task = begin(client->server, PP_ON_MESSAGE);
    char error[PP_LUA_JSON_ERROR];
    push_object(task, client);
    lua_rawgeti(task, LUA_REGISTRYINDEX, atom->ref);
    lua_pushnil(task);
    lua_pushnil(task);
    if (!push_payload(task, message, atom, error)) {
        pp_call_cancel(client->server->vm, task);
        return false;
    }
    run_message(task, client, message, atom);
    return true;
}

static void on_limited(void *owner, const struct pp_refusal *refusal)
{
    struct pp_lua_client *client = owner;
    lua_State *task = begin(client->server, PP_ON_LIMITED);
    push_object(task, client);
    if (refusal->ns != NULL)
        lua_pushlstring(task, refusal->ns, refusal->ns_len);
    else
        lua_pushnil(task);
    lua_pushnumber(task, refusal->limit);
    lua_pushnumber(task, refusal->window);
    pp_call_run(client->server->vm, task, 4, "onLimit");
}

static void on_backpressure(void *owner)
{
    (void)owner; /* counted by the session */
}

/* The call that tells the Lua object that its connection is gone (`reason`, NULL: it has been for some time), and with
 * `over` the session, which so leaves its rooms. */
static lua_State *begin_closed(struct pp_lua_client *client, const char *reason, uint16_t code, bool over)
{
    lua_State *task = begin(client->server, PP_ON_CLOSED);
    push_object(task, client);
    lua_pushstring(task, reason);
    lua_pushinteger(task, code);
    lua_pushboolean(task, over);
    if (over)
        pp_lua_push_rooms(task, &client->member);
    else
        lua_pushnil(task);
    return task;
}

static void on_detached(void *owner, const char *reason, uint16_t code)
{
    struct pp_lua_client *client = owner;
    lua_State *task = begin_closed(client, reason, code, false);
    pp_hub_detach(&client->server->hub, &client->member);
    pp_call_run(client->server->vm, task, 5, "disconnect");
}

static void on_closed(void *owner, const char *reason, uint16_t code)
{
    struct pp_lua_client *client = owner;
    struct pp_lua_server *server = client->server;
    bool was_detached = client->member.address == NULL;
    lua_State *task = begin_closed(client, was_detached ? NULL : reason, code, true);
    pp_hub_remove(&server->hub, &client->member);
    client->member.session = NULL;
    luaL_unref(pp_vm_lua(server->vm), LUA_REGISTRYINDEX, client->object); /* the task holds it now */
    client->object = LUA_NOREF;
    pp_call_run(server->vm, task, 5, "disconnect");
    pp_lua_server_unused(server);
}

static const struct pp_session_ops session_ops = {
    .message = on_message,
    .unchecked = on_unchecked,
    .limited = on_limited,
    .backpressure = on_backpressure,
    .detached = on_detached,
    .closed = on_closed,
};

/* --- the listener's events --- */

static bool origin_allowed(const struct pp_lua_server *server, const struct pp_handshake *handshake)
{
    size_t len;
    const char *origin = pp_handshake_header(handshake, "origin", &len);
    if (origin == NULL || server->allowed_origins == NULL)
        return true;
    for (char **rule = server->allowed_origins; *rule != NULL; rule++)
        if (pp_origin_matches(*rule, origin, len))
            return true;
    return false;
}

static int on_upgrade(void *owner, const struct pp_handshake *handshake)
{
    struct pp_lua_server *server = owner;
    if (server->closing)
        return 503;
    if (!origin_allowed(server, handshake)) {
        server->refused++;
        return 403;
    }
    return 0;
}

static void ignore_message(void *owner, unsigned char *bytes, size_t len, bool text)
{
    (void)owner, (void)bytes, (void)len, (void)text;
}

static void ignore_closed(void *owner, uint16_t code, const char *reason, bool by_peer)
{
    (void)owner, (void)code, (void)reason, (void)by_peer;
}

static void refuse(struct pp_conn *conn, struct pp_handshake *handshake, uint16_t code, const char *text)
{
    static const struct pp_conn_ops ops = {.message = ignore_message, .closed = ignore_closed};
    static const struct pp_conn_limits limits = {.max_payload = 4096, .max_queue = 4096, .close_after = 1000};
    pp_conn_set_owner(conn, &ops, &limits, NULL);
    pp_conn_close(conn, code, text);
    pp_handshake_delete(handshake);
}

/* A client on that line, with that id or, where it is NULL, one of its own. `counted` is the address that it counts
 * under; it may be gone again when this returns. */
static struct pp_session *open_client(struct pp_lua_server *server, struct pp_line line, const char *id,
                                      struct pp_handshake *handshake, const char *counted,
                                      const struct pp_resume *resume, enum pp_verdict verdict)
{
    static const char *const failures[] = {
        [PP_RESUME_UNKNOWN] = "unknown", [PP_RESUME_BAD_TOKEN] = "token", [PP_RESUME_GAP] = "gap"};
    lua_State *task = begin(server, PP_ON_OPEN);
    lua_rawgeti(task, LUA_REGISTRYINDEX, server->object);
    struct pp_lua_client *client = lua_newuserdata(task, sizeof *client);
    *client = (struct pp_lua_client){.server = server, .object = LUA_NOREF};
    struct pp_session *session = pp_session_new_on(pp_vm_loop(server->vm), &server->config, &server->stats,
                                                   &session_ops, client, line, handshake);
    if (id != NULL)
        pp_session_set_id(session, id);
    client->member.session = session;
    pp_hub_add(&server->hub, &client->member, counted);
    server->connections++;
    pp_session_greet(session, resume, verdict);
    /* Until the Lua side attaches its object, the userdata stands for it: a session always has one to hand out. */
    lua_pushvalue(task, -1);
    client->object = luaL_ref(task, LUA_REGISTRYINDEX);
    lua_pushstring(task, pp_session_id(session));
    lua_pushstring(task, *counted ? counted : handshake->address);
    lua_pushstring(task, resume->asked ? failures[verdict] : NULL);
    pp_call_run(server->vm, task, 5, "connection");
    return session;
}

/* The client whose session is asked for, or NULL. */
static struct pp_lua_client *asked_for(const struct pp_lua_server *server, const struct pp_resume *resume)
{
    struct pp_member *member = resume->asked ? pp_hub_by_id(&server->hub, resume->sid, strlen(resume->sid)) : NULL;
    return member ? (struct pp_lua_client *)((char *)member - offsetof(struct pp_lua_client, member)) : NULL;
}

/* Gives the client that is asked for this connection, where its session can go on. */
static enum pp_verdict resume_client(struct pp_lua_client *client, struct pp_conn *conn, struct pp_handshake *handshake,
                                     const char *address, const struct pp_resume *resume)
{
    if (client == NULL)
        return PP_RESUME_UNKNOWN;
    struct pp_session *session = client->member.session;
    enum pp_verdict verdict = pp_session_judge(session, resume);
    if (verdict == PP_RESUME_GAP) /* its client holds the token, and can't go on with it: nobody can */
        pp_session_close(session, PP_CLOSE_TAKEN_OVER, "session taken over", "transport close");
    if (verdict != PP_RESUME_GOOD)
        return verdict;
    if (!pp_session_resume(session, resume, (struct pp_line){.conn = conn}, handshake))
        return PP_RESUME_UNKNOWN;
    pp_hub_attach(&client->server->hub, &client->member, address);
    client->server->connections++;
    lua_State *task = begin(client->server, PP_ON_RESUMED);
    push_object(task, client);
    lua_pushstring(task, address);
    pp_call_run(client->server->vm, task, 2, "connection");
    return PP_RESUME_GOOD;
}

/* Has the address as many connections as it may? One that is taken over does not count. */
static bool is_crowded(const struct pp_lua_server *server, const char *address, const struct pp_lua_client *client)
{
    const char *own = client ? client->member.address : NULL;
    uint32_t count = pp_hub_count_address(&server->hub, address) - (own != NULL && strcmp(own, address) == 0);
    return server->max_per_address > 0 && count >= server->max_per_address;
}

static void on_open(void *owner, struct pp_conn *conn, struct pp_handshake *handshake)
{
    struct pp_lua_server *server = owner;
    struct pp_resume resume;
    char address[64];
    size_t len = 0;
    const char *forwarded = pp_handshake_header(handshake, "x-forwarded-for", &len);
    pp_client_address(handshake->address, forwarded, len, (const char *const *)server->trusted_proxies, address,
                      sizeof address);
    pp_resume_read(handshake, &resume);
    struct pp_lua_client *client = asked_for(server, &resume);
    if (is_crowded(server, address, client)) {
        server->refused++;
        refuse(conn, handshake, PP_CLOSE_TOO_MANY, "too many connections from this IP");
        return;
    }
    enum pp_verdict verdict = resume_client(client, conn, handshake, address, &resume);
    if (verdict != PP_RESUME_GOOD)
        open_client(server, (struct pp_line){.conn = conn}, NULL, handshake, address, &resume, verdict);
}

struct pp_session *pp_lua_server_admit(void *owner, struct pp_line line, const char *id, struct pp_handshake *handshake,
                                       char *error, size_t error_size)
{
    static const struct pp_resume none;
    struct pp_lua_server *server = owner;
    if (server->closing || pp_hub_by_id(&server->hub, id, strlen(id)) != NULL) {
        snprintf(error, error_size, server->closing ? "the server is closed" : "the id %s is taken", id);
        pp_handshake_delete(handshake);
        return NULL;
    }
    /* Counts under no address: what the application makes itself is nobody's attack. */
    return open_client(server, line, id, handshake, "", &none, PP_RESUME_UNKNOWN);
}

const struct pp_listener_ops pp_lua_listener_ops = {.upgrade = on_upgrade, .open = on_open};

/* --- functions for Lua --- */

/* attach(client, object): `object` is what the callbacks get from here on. */
static int attach(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    if (client->member.session == NULL)
        return 0;
    lua_settop(L, 2);
    luaL_unref(L, LUA_REGISTRYINDEX, client->object);
    client->object = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

_Noreturn void pp_lua_no_client(lua_State *L)
{
    lua_Debug caller; /* the method */
    const char *name = NULL;
    if (lua_getstack(L, 1, &caller) && lua_getinfo(L, "n", &caller))
        name = caller.name;
    luaL_where(L, 2);
    lua_pushfstring(L, "%s was not given its client: call it with a colon, as in client:%s(…)",
                    name ? name : "a method", name ? name : "emit");
    lua_concat(L, 2);
    lua_error(L);
    abort(); /* not reached: lua_error does not say that it never returns */
}

static void set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void push_headers(lua_State *L, const char *line)
{
    lua_newtable(L);
    while (*line != '\0') {
        size_t name = strcspn(line, ":"), len = strcspn(line, "\n");
        lua_pushlstring(L, line, name);
        lua_pushlstring(L, line + name + 2, len - name - 2);
        lua_rawset(L, -3);
        line += len + 1;
    }
}

/* handshake(client) → {path, query (text), headers, address, port, secure}, or nil, "closed" */
static int handshake_of(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    const struct pp_handshake *handshake = client->member.session ? pp_session_handshake(client->member.session) : NULL;
    if (handshake == NULL) {
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 2;
    }
    lua_createtable(L, 0, 6);
    set_string(L, "path", handshake->path);
    set_string(L, "query", handshake->query);
    set_string(L, "address", *client->member.address ? client->member.address : handshake->address);
    lua_pushboolean(L, handshake->secure);
    lua_setfield(L, -2, "secure");
    lua_pushinteger(L, handshake->port);
    lua_setfield(L, -2, "port");
    push_headers(L, handshake->headers);
    lua_setfield(L, -2, "headers");
    return 1;
}

/* close(client, code, text, reason): reason is one of the static disconnect reasons. */
static int close_client(lua_State *L)
{
    static const char *const reasons[] = {"forced server disconnect", "server shutdown", NULL};
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    int code = (int)luaL_checkinteger(L, 2);
    const char *text = luaL_checkstring(L, 3);
    const char *reason = reasons[luaL_checkoption(L, 4, reasons[0], reasons)];
    if (client->member.session != NULL)
        pp_session_close(client->member.session, (uint16_t)code, text, reason);
    return 0;
}

/* hold(client, outside): its messages wait, but for the protocol's own, until accept(client). `outside`: it was never
 * let in, so nothing that is said to all is said to it. */
static int hold(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    if (client->member.session == NULL)
        return 0;
    if (lua_toboolean(L, 2))
        pp_session_keep_out(client->member.session);
    else
        pp_session_hold(client->member.session);
    return 0;
}

/* accept(client) → is it open? A resumed client is sent what it missed. */
static int accept_client(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    lua_pushboolean(L, client->member.session != NULL && pp_session_accept(client->member.session));
    return 1;
}

/* queued(client) → bytes that wait to be written, 0 where it is gone */
static int queued(lua_State *L)
{
    struct pp_lua_client *client = pp_lua_client_at(L, 1);
    lua_pushnumber(L, client->member.session ? (lua_Number)pp_session_queued(client->member.session) : 0);
    return 1;
}

/* payload() → the payload of the JSON message being handled */
static int payload(lua_State *L)
{
    char error[PP_LUA_JSON_ERROR] = "no message is being handled";
    if (pp_lua_current_message == NULL ||
        !pp_lua_message_push_payload(L, pp_lua_current_message, &current_atom->place, error, sizeof error))
        return luaL_error(L, "%s", error);
    current_atom->hint = PP_HINT_PAYLOAD;
    return 1;
}

/* message() → the message being handled, as an object that may be kept */
static int message_object(lua_State *L)
{
    if (pp_lua_current_message == NULL)
        return luaL_error(L, "no message is being handled");
    pp_lua_message_push(L, pp_lua_current_message);
    current_atom->hint = PP_HINT_MESSAGE;
    return 1;
}

/* size(message object) → the bytes that it keeps */
static int size_of_message(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)lua_objlen(L, 1));
    return 1;
}

void pp_bind_client_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"attach", attach}, {"handshake", handshake_of}, {"close_client", close_client},
        {"queued", queued}, {"payload", payload},        {"message", message_object},
        {"hold", hold},     {"accept", accept_client},   {"size", size_of_message},
        {NULL, NULL}};
    luaL_register(L, NULL, functions);
}
