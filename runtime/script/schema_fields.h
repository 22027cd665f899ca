/* A Lua list of fields, { {name = "x", type = "float32"}, … }, compiled into a record. */
#ifndef PP_SCRIPT_SCHEMA_FIELDS_H
#define PP_SCRIPT_SCHEMA_FIELDS_H

#include "wire/schema_type.h"

#include <lua.h>

/* [-0, +0] The record of the list at `index`, the caller's, or NULL with what is wrong and where in `error`.
 * Metamethods are not called. Every field's tag is a reference to its name in the Lua registry. */
struct pp_record *pp_lua_fields_compile(lua_State *L, int index, char *error, size_t error_size);

/* [-0, +0] Gives the references back; the record stays its owner's. NULL is fine. */
void pp_lua_fields_forget(lua_State *L, struct pp_record *record);

/* [-0, +0] Checks that the table at `index` has no keys but those of `known` (ends with NULL); `error` names the first
 * other. */
bool pp_lua_known_keys(lua_State *L, int index, const char *const *known, char *error, size_t error_size);

#endif
