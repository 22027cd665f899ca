/* JSON text to Lua values and back.
 *
 *     null   painda.null, a light userdata of NULL        arrays    tables with the array mark as metatable
 *     true   true        1.5   1.5       "a"  "a"         objects   plain tables
 *
 * Nothing here raises but for Lua's own "not enough memory". Metamethods are never called. */
#ifndef PP_SCRIPT_LUA_JSON_H
#define PP_SCRIPT_LUA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

struct pp_buf;

/* The array mark, a metatable, stands in the registry under this name: lua_getfield(L, LUA_REGISTRYINDEX,
 * PP_LUA_ARRAY). */
#define PP_LUA_ARRAY "painda.array"

/* Long enough for every message below; a longer path is cut in the middle of it. */
#define PP_LUA_JSON_ERROR 256

/* Makes the array mark and the caches of this Lua state. Call it once per state, before anything else here. [-0, +0] */
void pp_lua_json_init(lua_State *L);

/* Pushes the value of `text` and returns 1, or pushes nothing, writes the reason into `error` (NUL-terminated, cut at
 * `error_size`) and returns 0. `text` is untrusted: nesting above 64, invalid UTF-8 and everything RFC 8259 doesn't
 * allow are refused. [-0, +1 or +0] */
int pp_lua_json_decode(lua_State *L, const char *text, size_t len, char *error, size_t error_size);

/* The same, for texts that are alike: what their objects teach is kept at `place`, which begins as 0, and not mixed
 * with what all others teach. [-0, +1 or +0] */
int pp_lua_json_decode_at(lua_State *L, const char *text, size_t len, uint64_t *place, char *error, size_t error_size);

/* Appends the value at `index` as JSON: true; or false with the reason in `error`, which begins with the path inside
 * the value (`payload.players[3].x: NaN cannot be encoded`), and nothing appended. nil is null; tables with the array
 * mark and nonempty sequences 1..n are arrays; other tables are objects and need string keys. [-0, +0] */
bool pp_lua_json_encode(lua_State *L, int index, struct pp_buf *out, char *error, size_t error_size);

#endif
