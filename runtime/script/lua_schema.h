/* Schemas between Lua values and frame payloads, and the Lua face of the registry (painda.PPSchemaRegistry and the
 * serializers). */
#ifndef PP_SCRIPT_LUA_SCHEMA_H
#define PP_SCRIPT_LUA_SCHEMA_H

#include "base/buf.h"
#include "wire/schema.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the Lua registry has the table of serializers by address: see bind_schema.c. */
#define PP_LUA_SERIALIZERS "painda.serializers"

/* The registry of the userdata at `index`, or NULL where it is something else. Its schemas are good as long as that
 * userdata is: keep it (luaL_ref) for as long as the registry is used. */
struct pp_registry *pp_lua_registry_test(lua_State *L, int index);

/* The same as a function's argument: raises the usual argument error. */
struct pp_registry *pp_lua_registry_check(lua_State *L, int index);

/* [-0, +0] Appends the payload for the value at `index`. False with a sentence in `error` (which names the schema and
 * the field) where the value does not fit; `out` is as long as it was then. Metamethods are never called. */
bool pp_lua_schema_encode(lua_State *L, const struct pp_schema *schema, int index, struct pp_buf *out, char *error,
                          size_t error_size);

/* [-0, +1] Pushes the value and returns 1, or pushes nothing and returns 0 with a sentence in `error`. `version` is the
 * frame's: 0 and the schema's own are read as they are, any other goes through the serializer's upgrade, called
 * protected; it can't wait. What upgrade raised stands in `error` too: it is for the log, a peer need not see the
 * script's paths. */
int pp_lua_schema_decode(lua_State *L, const struct pp_schema *schema, uint16_t version, const void *payload,
                         size_t len, char *error, size_t error_size);

#endif
