/* A connection to a server as a Lua object ("painda.connection"): what bind_client.c and lua_connection_send.c share.
 */
#ifndef PP_SCRIPT_LUA_CONNECTION_H
#define PP_SCRIPT_LUA_CONNECTION_H

#include "net/client.h"
#include "script/vm.h"

struct pp_registry;
struct pp_virtual;

#define PP_LUA_CONNECTION "painda.connection"

enum pp_lua_connection_reference {
    PP_CONNECTION_OBJECT,
    PP_CONNECTION_OPEN,
    PP_CONNECTION_MESSAGE,
    PP_CONNECTION_FRAME,
    PP_CONNECTION_FAULT,
    PP_CONNECTION_PONG,
    PP_CONNECTION_CLOSED,
    PP_CONNECTION_REGISTRY,
    PP_CONNECTION_SERVER, /* of a virtual client */
    PP_CONNECTION_REFERENCES
};

struct pp_lua_connection {
    struct pp_vm *vm;
    struct pp_client *client;     /* NULL once it is gone, and where it is virtual */
    struct pp_virtual *virtual;   /* likewise for one that is not */
    struct pp_registry *registry; /* NULL: no schemas */
    int references[PP_CONNECTION_REFERENCES];
    int self;         /* reference to this userdata while it is connected */
    size_t threshold; /* payloads of fewer bytes are not compressed */
    size_t max_decompressed;
    uint16_t mode;
    bool json; /* sends text messages */
    bool closing;
};

/* [-0, +1] A connection with the handlers at 2 and the encoding that the options at 1 ask for, connected to nothing. */
struct pp_lua_connection *pp_lua_connection_new(lua_State *L);

/* What net/client.h and session/virtual.h tell a connection. */
extern const struct pp_client_ops pp_lua_connection_ops;

/* It could not be connected: lets go of what it holds. */
void pp_lua_connection_release(struct pp_lua_connection *connection);

/* connect_virtual(options, handlers) → connection: options are server (its userdata), id, path, query (text), headers
 * ("name: value\n" …), mode, registry */
int pp_lua_connection_connect_virtual(lua_State *L);

/* send(connection, type, payload, ns, ackId) → true, or nil, a text, and "closed", "full" or "ENCODE_ERROR" */
int pp_lua_connection_send(lua_State *L);

#endif
