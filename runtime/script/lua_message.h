/* The message object of handlers: type, payload, __ns, __ackId. Its payload stays bytes until it is read, so that
 * relaying a message nobody read costs no JSON work. */
#ifndef PP_SCRIPT_LUA_MESSAGE_H
#define PP_SCRIPT_LUA_MESSAGE_H

#include "session/session.h"

#include <lua.h>
#include <stdbool.h>

/* Makes the metatable, once per state. [-0, +0] */
void pp_lua_message_init(lua_State *L);

/* [-0, +1] A message object with its own copy of the bytes. The payload of a schema message is not in it: the caller
 * stores the value it has read. */
void pp_lua_message_push(lua_State *L, const struct pp_message *message);

/* [-0, +1 or +0] Pushes the payload as a Lua value and returns true, or writes why it can't be read into `error`. JSON
 * that the envelope scanner has let pass can always be read. `place` is for pp_lua_json_decode_at, or NULL. */
bool pp_lua_message_push_payload(lua_State *L, const struct pp_message *message, uint64_t *place, char *error,
                                 size_t error_size);

/* A view of the message object at `index`: true where its payload is still the bytes that came (then *out is good while
 * the object lives), false where it was read into a table, or replaced: its payload must be encoded anew. */
bool pp_lua_message_raw(lua_State *L, int index, struct pp_message *out);

/* The same for the bytes of a message object; NULL where its payload must be encoded anew. */
const struct pp_message *pp_lua_message_of(const void *userdata);

/* [-0, +1] What getmetatable answers for message objects and for nothing else. */
void pp_lua_message_push_mark(lua_State *L);

/* Is the value at `index` a message object? */
bool pp_lua_message_test(lua_State *L, int index);

#endif
