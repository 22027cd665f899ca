/* Flat objects, such as {x = 1.5, name = "Ann"}, between C and compiled Lua: through memory that both know, since
 * LuaJIT compiles reads, writes and calls by its FFI into a trace, and leaves the trace for the Lua API.
 *
 *     JSON ─▶ pp_flat_read ─▶ pp_flat_in ─▶ a function made for these keys and kinds ─▶ table
 *     table ─▶ lua/painda/flat.lua ─▶ pp_flat_out ─▶ pp_flat_send ─▶ JSON
 *
 * It is a short cut: what has nested values, too many keys, or is rare, goes through lua_json.h. The functions that are
 * called by FFI must not touch Lua. */
#ifndef PP_SCRIPT_LUA_FLAT_H
#define PP_SCRIPT_LUA_FLAT_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "script/lua_json_shape.h"

#define PP_FLAT_FIELDS 12

/* Declared once more in lua/painda/flat.lua, as is all that follows but pp_flat_read. */
enum pp_flat_kind { PP_FLAT_NUMBER, PP_FLAT_STRING, PP_FLAT_BOOLEAN, PP_FLAT_NULL };

struct pp_flat {
    double numbers[PP_FLAT_FIELDS];      /* a boolean is 0 or 1 */
    const char *strings[PP_FLAT_FIELDS]; /* good until the handler returns, or the call */
    uint32_t lens[PP_FLAT_FIELDS];
    uint16_t keys[PP_FLAT_FIELDS]; /* numbers that core.learn_key gave; not used for reading */
    uint8_t kinds[PP_FLAT_FIELDS];
};

extern struct pp_flat pp_flat_in, pp_flat_out;

/* Sends the first `count` fields of pp_flat_out to the client that the userdata `ref` is: 1. 0: nothing was sent, and
 * the slow way knows why not. (Calls of functions that return a bool are not compiled.) */
int pp_flat_send(void *ref, const char *type, size_t type_len, uint32_t count);

/* Sends a message object as it was received; else as above. */
int pp_flat_relay(void *ref, void *object);

/* [-0, +1 or +0] Lays a JSON object's fields down in pp_flat_in and pushes the Lua function that makes a table of them:
 * true. False where it is not like the objects that were last met at `place`, or they are not flat. */
bool pp_flat_read(lua_State *L, const char *text, size_t len, pp_shape_id *place);

/* [-0, +0] Adds learn_key(key) → number or nil, forget_keys(), set_reader(fn) and message_mark to the module table on
 * top. */
void pp_bind_flat_functions(lua_State *L);

#endif
