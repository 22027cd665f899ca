/* painda.core.server: servers, and the functions on their clients.
 *
 *     new(callbacks) → server              configure(server, options)      listen(server, listener)
 *     stats(server) → table                clients(server) → array of client objects
 *     by_id(server, id) → client object    shut(server): accepts no more   close(server): and lets it go */
#include "base/memory.h"
#include "net/listener.h"
#include "script/bind.h"
#include "script/lua_flat.h"
#include "script/lua_kept.h"
#include "script/lua_listener.h"
#include "script/lua_message.h"
#include "script/lua_room.h"
#include "script/lua_schema.h"
#include "script/lua_server.h"
#include "script/lua_told.h"
#include "script/lua_views.h"
#include "session/origin.h"
#include "wire/compress.h"
#include "wire/frame.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define SERVER "painda.server"

static struct pp_inflater *inflater; /* one for the process: inflating never waits */

struct pp_lua_server *pp_lua_server_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, SERVER);
}

/* --- options --- */

static double number(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool flag(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static void free_strings(char **strings)
{
    for (char **string = strings; string != NULL && *string != NULL; string++)
        free(*string);
    free(strings);
}

/* The array of strings under `name`, copied; NULL where there is none. */
static char **strings(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    char **copy = NULL;
    if (lua_istable(L, -1)) {
        size_t count = lua_objlen(L, -1);
        copy = pp_calloc(count + 1, sizeof *copy);
        for (size_t i = 0; i < count; i++) {
            size_t len;
            lua_rawgeti(L, -1, (int)i + 1);
            const char *text = lua_tolstring(L, -1, &len);
            copy[i] = pp_strndup(text ? text : "", text ? len : 0);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
    return copy;
}

static void replace_strings(char ***place, char **fresh)
{
    free_strings(*place);
    *place = fresh;
}

static void keep_ref(lua_State *L, int *ref, const char *name)
{
    luaL_unref(L, LUA_REGISTRYINDEX, *ref);
    lua_getfield(L, 2, name);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX); /* LUA_REFNIL for nil */
}

static void configure_registry(lua_State *L, struct pp_lua_server *server)
{
    lua_getfield(L, 2, "registry");
    server->config.registry = lua_isnil(L, -1) ? NULL : pp_lua_registry_check(L, -1);
    lua_pop(L, 1);
    keep_ref(L, &server->registry, "registry");
}

static void configure_compression(lua_State *L, struct pp_lua_server *server)
{
    bool wanted = flag(L, "compress");
    if (wanted && server->compressor == NULL)
        server->compressor = pp_compressor_new((int)number(L, "compressionLevel"));
    server->config.encoding = (struct pp_encoding){
        .compressor = wanted ? server->compressor : NULL,
        .threshold = (size_t)number(L, "compressionThreshold"),
        .mode = (uint16_t)((uint16_t)number(L, "mode") & PP_FLAG_MODE),
    };
}

/* With recovery the options `recovery…` are there. The secret is that of the first time. */
static void configure_recovery(lua_State *L, struct pp_lua_server *server)
{
    if (flag(L, "recovery") && server->recovery == NULL) {
        size_t len;
        lua_getfield(L, 2, "recoverySecret");
        const char *secret = lua_tolstring(L, -1, &len);
        server->recovery = pp_recovery_new(secret, len, pp_session_evict);
        lua_pop(L, 1);
    }
    server->config.recovery = flag(L, "recovery") && !server->closing ? server->recovery : NULL;
    if (server->config.recovery != NULL)
        pp_recovery_set_limits(server->recovery, (struct pp_recovery_limits){
                                                     .max_count = (uint32_t)number(L, "recoveryMaxCount"),
                                                     .max_bytes = (size_t)number(L, "recoveryMaxBytes"),
                                                     .max_total = (size_t)number(L, "recoveryMaxTotal"),
                                                     .retention_ms = (uint32_t)number(L, "recoveryRetention"),
                                                 });
}

static void free_overrides(struct pp_lua_server *server)
{
    for (size_t i = 0; i < server->config.limits.override_count; i++)
        free((char *)server->limit_overrides[i].ns);
    free(server->limit_overrides);
    server->limit_overrides = NULL;
}

/* The limit in the table at 2. */
static struct pp_rate_limit limit_of(lua_State *L, bool sliding)
{
    return (struct pp_rate_limit){
        .per_second = (uint32_t)number(L, "maxPerSecond"),
        .per_minute = (uint32_t)number(L, "maxPerMinute"),
        .sliding = sliding,
    };
}

/* `limitOverrides` is an array of {ns, maxPerSecond, maxPerMinute}. */
static void configure_limits(lua_State *L, struct pp_lua_server *server)
{
    bool sliding = flag(L, "slidingWindow");
    free_overrides(server);
    lua_getfield(L, 2, "limitOverrides");
    size_t count = lua_objlen(L, -1);
    server->limit_overrides = count > 0 ? pp_calloc(count, sizeof *server->limit_overrides) : NULL;
    server->config.limits =
        (struct pp_limits){.rest = limit_of(L, sliding), .overrides = server->limit_overrides, .override_count = count};
    for (size_t i = 0; i < count; i++) {
        struct pp_limit_override *override = &server->limit_overrides[i];
        lua_rawgeti(L, -1, (int)i + 1);
        lua_insert(L, 2); /* stack now: server, override, options, array */
        lua_getfield(L, 2, "ns");
        const char *ns = lua_tolstring(L, -1, &override->ns_len);
        override->ns = pp_strndup(ns, override->ns_len);
        lua_pop(L, 1);
        override->limit = limit_of(L, sliding);
        lua_remove(L, 2);
    }
    lua_pop(L, 1);
}

/* configure(server, options): every option is given, checked by lua/painda/server.lua. What is open keeps its timers
 * and uses the rest from the next message on. */
static int configure(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct pp_session_config *config = &server->config;
    config->conn = (struct pp_conn_limits){
        .max_payload = (size_t)number(L, "maxPayload") + PP_FRAME_HEADER,
        .max_queue = (size_t)number(L, "maxBackpressure"),
        .close_after = 2000,
    };
    configure_compression(L, server);
    configure_registry(L, server);
    configure_recovery(L, server);
    config->inflater = inflater;
    config->max_decompressed = (size_t)number(L, "maxDecompressedSize");
    configure_limits(L, server);
    config->heartbeat_interval = (uint32_t)number(L, "heartbeatInterval");
    config->heartbeat_timeout = (uint32_t)number(L, "heartbeatTimeout");
    config->volatile_above = (size_t)number(L, "volatileAbove");
    config->drop_when_full = flag(L, "dropWhenFull");
    server->max_per_address = (uint32_t)number(L, "maxConnectionsPerIp");
    replace_strings(&server->allowed_origins, strings(L, "allowedOrigins"));
    replace_strings(&server->trusted_proxies, strings(L, "trustedProxies"));
    keep_ref(L, &server->object, "object");
    return 0;
}

/* --- life --- */

static void hold(lua_State *L, struct pp_lua_server *server)
{
    if (server->self != LUA_NOREF)
        return;
    lua_pushvalue(L, 1);
    server->self = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int listen(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    server->port = pp_lua_listener_check(L, 2);
    lua_settop(L, 2);
    server->listener = luaL_ref(L, LUA_REGISTRYINDEX);
    hold(L, server);
    pp_listener_set_ws(server->port, &pp_lua_listener_ops, server);
    return 0;
}

static int new_server(lua_State *L)
{
    static const char *const names[PP_CALLBACKS] = {"opened", "resumed", "message", "control", "closed", "limited"};
    luaL_checktype(L, 1, LUA_TTABLE);
    struct pp_lua_server *server = lua_newuserdata(L, sizeof *server);
    *server = (struct pp_lua_server){
        .vm = pp_vm_of(L), .object = LUA_NOREF, .self = LUA_NOREF, .listener = LUA_NOREF, .registry = LUA_NOREF};
    for (int i = 0; i < PP_CALLBACKS; i++) {
        lua_getfield(L, 1, names[i]);
        server->callbacks[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    luaL_getmetatable(L, SERVER);
    lua_setmetatable(L, -2);
    return 1;
}

static void stop_listening(struct pp_lua_server *server)
{
    if (server->port == NULL)
        return;
    lua_State *L = pp_vm_lua(server->vm);
    lua_rawgeti(L, LUA_REGISTRYINDEX, server->listener);
    struct pp_listener *listener = pp_lua_listener_test(L, -1);
    lua_pop(L, 1);
    if (listener != NULL)
        pp_listener_set_ws(listener, NULL, NULL);
    server->port = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, server->listener);
    server->listener = LUA_NOREF;
}

/* Ends the sessions that wait for their clients. */
static void end_detached(struct pp_lua_server *server)
{
    for (uint32_t i = 0; i < server->hub.count; i++)
        if (pp_session_is_detached(server->hub.members[i]->session))
            pp_session_close(server->hub.members[i]->session, 0, "", "server shutdown");
}

/* shut(server): no new client from here on, and none comes back. Its clients stay. */
static int shut(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    server->closing = true;
    server->config.recovery = NULL;
    stop_listening(server);
    end_detached(server);
    return 0;
}

void pp_lua_server_unused(struct pp_lua_server *server)
{
    lua_State *L = pp_vm_lua(server->vm);
    if (!server->closing || server->hub.count > 0 || server->self == LUA_NOREF)
        return;
    luaL_unref(L, LUA_REGISTRYINDEX, server->object);
    luaL_unref(L, LUA_REGISTRYINDEX, server->self);
    server->object = server->self = LUA_NOREF;
}

static int close_server(lua_State *L)
{
    shut(L);
    pp_lua_server_unused(pp_lua_server_check(L, 1));
    return 0;
}

static int collect(lua_State *L)
{
    struct pp_lua_server *server = lua_touserdata(L, 1);
    stop_listening(server);
    while (server->hub.count > 0) { /* the process ends with clients connected */
        struct pp_member *member = server->hub.members[0];
        pp_hub_remove(&server->hub, member);
        pp_session_delete(member->session);
        member->session = NULL;
    }
    for (int i = 0; i < PP_CALLBACKS; i++)
        luaL_unref(L, LUA_REGISTRYINDEX, server->callbacks[i]);
    luaL_unref(L, LUA_REGISTRYINDEX, server->registry);
    free_overrides(server);
    free_strings(server->allowed_origins);
    free_strings(server->trusted_proxies);
    pp_compressor_delete(server->compressor);
    free(server->handler_time);
    pp_recovery_delete(server->recovery);
    pp_hub_destroy(&server->hub);
    return 0;
}

/* --- looking --- */

static void set_number(lua_State *L, const char *name, uint64_t value)
{
    lua_pushnumber(L, (lua_Number)value);
    lua_setfield(L, -2, name);
}

static void set_recovery_stats(lua_State *L, const struct pp_lua_server *server)
{
    static struct pp_recovery_stats none;
    struct pp_recovery *recovery = server->recovery;
    const struct pp_recovery_stats *counted = recovery ? pp_recovery_stats(recovery) : &none;
    set_number(L, "sessionsDetached", recovery ? pp_recovery_detached(recovery) : 0);
    set_number(L, "recoveryBytes", recovery ? pp_recovery_bytes(recovery) : 0);
    set_number(L, "sessionsRecovered", counted->recovered);
    set_number(L, "recoveryFailed", counted->failed);
    set_number(L, "sessionsExpired", counted->expired);
    set_number(L, "sessionsEvicted", counted->evicted);
}

static int stats(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    struct pp_session_stats counted = server->stats;
    for (uint32_t i = 0; i < server->hub.count; i++)
        pp_session_add_traffic(server->hub.members[i]->session, &counted);
    lua_createtable(L, 0, 24);
    set_number(L, "clients", server->hub.count - server->hub.detached);
    set_number(L, "rooms", server->hub.named_rooms);
    set_number(L, "roomJoins", server->hub.joins);
    set_number(L, "roomLeaves", server->hub.leaves);
    set_number(L, "connections", server->connections);
    set_number(L, "refused", server->refused);
    set_number(L, "messagesReceived", counted.messages_in);
    set_number(L, "messagesSent", counted.messages_out);
    set_number(L, "bytesReceived", counted.bytes_in);
    set_number(L, "bytesSent", counted.bytes_out);
    set_number(L, "malformed", counted.malformed);
    set_number(L, "rateLimited", counted.limited);
    set_number(L, "dropped", counted.dropped);
    set_number(L, "forbidden", counted.forbidden);
    set_recovery_stats(L, server);
    return 1;
}

void pp_lua_push_client_object(lua_State *L, const struct pp_member *member)
{
    const struct pp_lua_client *client =
        (const struct pp_lua_client *)((const char *)member - offsetof(struct pp_lua_client, member));
    lua_rawgeti(L, LUA_REGISTRYINDEX, client->object);
}

/* clients(server, away): those that are connected; with `away` those too whose connection is lost. */
static int clients(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    bool away = lua_toboolean(L, 2);
    int found = 0;
    lua_createtable(L, (int)(server->hub.count - (away ? 0 : server->hub.detached)), 0);
    for (uint32_t i = 0; i < server->hub.count; i++) {
        if (!away && pp_session_is_detached(server->hub.members[i]->session))
            continue;
        pp_lua_push_client_object(L, server->hub.members[i]);
        lua_rawseti(L, -2, ++found);
    }
    return 1;
}

/* count(server) → how many clients there are, those that are away among them */
static int count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)pp_lua_server_check(L, 1)->hub.count);
    return 1;
}

static int by_id(lua_State *L)
{
    struct pp_lua_server *server = pp_lua_server_check(L, 1);
    size_t len;
    const char *id = luaL_checklstring(L, 2, &len);
    const struct pp_member *member = pp_hub_by_id(&server->hub, id, len);
    if (member == NULL)
        return 0;
    pp_lua_push_client_object(L, member);
    return 1;
}

/* range_valid(text): can it be an entry of trustedProxies? */
static int range_valid(lua_State *L)
{
    lua_pushboolean(L, pp_address_range_valid(luaL_checkstring(L, 1)));
    return 1;
}

/* forbidden(server): counts a control message that a client may not send. */
static int forbidden(lua_State *L)
{
    pp_lua_server_check(L, 1)->stats.forbidden++;
    return 0;
}

int pp_bind_server(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"new", new_server},     {"configure", configure}, {"listen", listen},           {"shut", shut},
        {"close", close_server}, {"stats", stats},         {"clients", clients},         {"count", count},
        {"by_id", by_id},        {"forbidden", forbidden}, {"range_valid", range_valid}, {NULL, NULL},
    };
    if (inflater == NULL)
        inflater = pp_inflater_new();
    pp_lua_message_init(L);
    luaL_newmetatable(L, SERVER);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    pp_bind_client_functions(L);
    pp_bind_send_functions(L);
    pp_bind_flat_functions(L);
    pp_bind_publish(L);
    pp_bind_metrics(L);
    pp_bind_room_functions(L);
    pp_bind_typed_room(L);
    pp_bind_told(L);
    pp_bind_kept(L);
    pp_bind_views(L);
    return 1;
}
