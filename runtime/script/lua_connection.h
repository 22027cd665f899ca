/* A connection to a server as a Lua object ("painda.connection"): what bind_client.c and lua_connection_send.c share.
 */
#ifndef PP_SCRIPT_LUA_CONNECTION_H
#define PP_SCRIPT_LUA_CONNECTION_H

#include "net/client.h"
#include "script/vm.h"

struct pp_registry;

#define PP_LUA_CONNECTION "painda.connection"

enum pp_lua_connection_reference {
    PP_CONNECTION_OBJECT,
    PP_CONNECTION_OPEN,
    PP_CONNECTION_MESSAGE,
    PP_CONNECTION_FAULT,
    PP_CONNECTION_CLOSED,
    PP_CONNECTION_REGISTRY,
    PP_CONNECTION_REFERENCES
};

struct pp_lua_connection {
    struct pp_vm *vm;
    struct pp_client *client;     /* NULL once it is gone */
    struct pp_registry *registry; /* NULL: no schemas */
    int references[PP_CONNECTION_REFERENCES];
    int self;         /* reference to this userdata while it is connected */
    size_t threshold; /* payloads of fewer bytes are not compressed */
    size_t max_decompressed;
    uint16_t mode;
    bool json; /* sends text messages */
    bool closing;
};

/* send(connection, type, payload, ns, ackId) → true, or nil, a text, and "closed", "full" or "ENCODE_ERROR" */
int pp_lua_connection_send(lua_State *L);

#endif
