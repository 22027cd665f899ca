/* Message types as Lua strings, and what is remembered of them. A server hears the same few types again and again;
 * interning each anew is what a small message would pay most for. */
#ifndef PP_SCRIPT_LUA_ATOMS_H
#define PP_SCRIPT_LUA_ATOMS_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* What the handlers of a type asked for the last time one came: it is made ready for them the next time, on the way
 * into Lua, where it costs less than a call back. Never more than a guess. */
enum pp_lua_hint { PP_HINT_NONE, PP_HINT_PAYLOAD, PP_HINT_MESSAGE };

/* An atom may come to stand for another type at any time: what is read of it and written to it is a guess. */
struct pp_lua_atom {
    int ref; /* of the string, in the registry */
    enum pp_lua_hint hint;
    uint64_t place; /* for pp_lua_json_decode_at */
};

/* The atom of a type, or NULL where it has none. */
struct pp_lua_atom *pp_lua_atom_find(const char *bytes, size_t len);

/* [-0, +1] Pushes the bytes as a Lua string. Returns its atom, never NULL. */
struct pp_lua_atom *pp_lua_atom_push(lua_State *L, const char *bytes, size_t len);

/* Notes in the pulse that a message of the type is at hand. */
void pp_lua_atom_note(const struct pp_lua_atom *atom);

/* The same for a type that is no atom. */
void pp_lua_atom_note_text(const char *bytes, size_t len);

/* Forgets all of them: the state goes. */
void pp_lua_atoms_clear(void);

#endif
