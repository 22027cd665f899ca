/* The Lua stack as source and sink of the struct codec: a field is looked up by the interned name that its tag refers
 * to. */
#ifndef PP_SCRIPT_LUA_STRUCT_H
#define PP_SCRIPT_LUA_STRUCT_H

#include "wire/schema_codec.h"

#include <lua.h>

/* Stack slots that each level of a record takes. */
#define PP_LUA_STRUCT_SLOTS 4

/* `self` of each is the lua_State. The source begins with the value on top of the stack and may leave more there where
 * it is refused; the sink pushes one value, or more where the bytes are refused. No metamethod is called. */
extern const struct pp_value_source pp_lua_source;
extern const struct pp_value_sink pp_lua_sink;

/* [-0, +0] The value on top in words, for error messages: `the string "abc"`, `nothing`, `a list of 3`. */
void pp_lua_describe(void *self, char *out, size_t size);

#endif
