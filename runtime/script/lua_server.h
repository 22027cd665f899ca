/* Servers and their clients as Lua objects: what bind_server.c, lua_client.c and lua_send.c share.
 *
 * A server is a userdata that lives until it was closed and its last client is gone. A client is a userdata too: it
 * stays in the hub while its session lives, and is a handle that answers "closed" afterwards. */
#ifndef PP_SCRIPT_LUA_SERVER_H
#define PP_SCRIPT_LUA_SERVER_H

#include "hub/hub.h"
#include "script/vm.h"

#include <stdbool.h>

struct pp_compressor;
struct pp_histogram;
struct pp_listener;

/* The functions of lua/painda/dispatch.lua that C calls. */
enum pp_callback { PP_ON_OPEN, PP_ON_RESUMED, PP_ON_MESSAGE, PP_ON_CONTROL, PP_ON_CLOSED, PP_ON_LIMITED, PP_CALLBACKS };

struct pp_lua_server {
    struct pp_vm *vm;
    struct pp_hub hub;
    struct pp_session_config config;
    struct pp_session_stats stats;
    struct pp_compressor *compressor;
    struct pp_limit_override *limit_overrides; /* as in config; owned */
    struct pp_recovery *recovery;              /* NULL until recovery is first configured */
    char **allowed_origins;                    /* NULL-terminated; NULL: all */
    char **trusted_proxies;                    /* NULL-terminated; NULL: none */
    uint32_t max_per_address;
    uint64_t connections, refused;
    struct pp_histogram *handler_time; /* of message handlers until they end or wait; NULL: never asked for */
    bool measures;                     /* it is asked for now */
    int callbacks[PP_CALLBACKS];       /* references to functions */
    int object;                        /* reference to the Lua server object, given to the callbacks */
    int self;                          /* reference to this userdata while it is open or has clients */
    int listener, registry;            /* references to their userdata */
    struct pp_listener *port;          /* NULL once it stopped listening */
    bool closing;
};

struct pp_lua_client {
    struct pp_member member; /* member.session is NULL once it is gone */
    struct pp_lua_server *server;
    int object; /* reference to the Lua client object while the session lives */
};

/* The message that a client's handler is being called for; NULL otherwise. Only its bytes' owner sets it. */
extern const struct pp_message *pp_lua_current_message;

/* [-0, +0] What a listener calls: upgrades are judged and connections become clients of the server. */
extern const struct pp_listener_ops pp_lua_listener_ops;

/* [-0, +0] Makes a client within this process a client of the pp_lua_server `owner`: see struct pp_virtual_options. */
struct pp_session *pp_lua_server_admit(void *owner, struct pp_line line, const char *id, struct pp_handshake *handshake,
                                       char *error, size_t error_size);

/* The server of the userdata at `index`; raises where it is something else. */
struct pp_lua_server *pp_lua_server_check(lua_State *L, int index);

/* Raises at the line of the application: a method of a client was called without its client. */
_Noreturn void pp_lua_no_client(lua_State *L);

/* The client of the userdata at `index`. Internal: the Lua side passes nothing else, or nil, which raises. */
static inline struct pp_lua_client *pp_lua_client_at(lua_State *L, int index)
{
    struct pp_lua_client *client = lua_touserdata(L, index);
    if (client == NULL)
        pp_lua_no_client(L);
    return client;
}

/* [-0, +1] The Lua object of the client that owns the member. */
void pp_lua_push_client_object(lua_State *L, const struct pp_member *member);

/* Called when a client is gone: lets the server go where it was the last. */
void pp_lua_server_unused(struct pp_lua_server *server);

/* [-0, +0] Adds the client functions, and those that send, to the module table on top. */
void pp_bind_client_functions(lua_State *L);
void pp_bind_send_functions(lua_State *L);
void pp_bind_publish(lua_State *L);
void pp_bind_metrics(lua_State *L);
void pp_bind_typed_room(lua_State *L);

#endif
