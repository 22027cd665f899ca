/* Message types as Lua strings. A server hears the same few types again and again; interning each anew is what a small
 * message would pay most for. */
#ifndef PP_SCRIPT_LUA_ATOMS_H
#define PP_SCRIPT_LUA_ATOMS_H

#include <lua.h>
#include <stddef.h>

/* What the handlers of a type asked for the last time one came: it is made ready for them the next time, on the way
 * into Lua, where it costs less than a call back. Never more than a guess. */
enum pp_lua_hint { PP_HINT_NONE, PP_HINT_PAYLOAD, PP_HINT_MESSAGE };

/* [-0, +1] Pushes the bytes as a Lua string. Returns where the hint for them is kept. */
enum pp_lua_hint *pp_lua_atom_push(lua_State *L, const char *bytes, size_t len);

/* The hint for the bytes, without a string: PP_HINT_NONE for what is not kept. */
enum pp_lua_hint pp_lua_atom_hint(const char *bytes, size_t len);

/* Forgets all of them: the state goes. */
void pp_lua_atoms_clear(void);

#endif
