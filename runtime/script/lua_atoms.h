/* Message types as Lua strings. A server hears the same few types again and again; interning each anew is what a small
 * message would pay most for. */
#ifndef PP_SCRIPT_LUA_ATOMS_H
#define PP_SCRIPT_LUA_ATOMS_H

#include <lua.h>
#include <stddef.h>

/* [-0, +1] Pushes the bytes as a Lua string. */
void pp_lua_atom_push(lua_State *L, const char *bytes, size_t len);

/* Forgets all of them: the state goes. */
void pp_lua_atoms_clear(void);

#endif
