/* A direct-mapped cache: a string has one place, and the last one there stays. What a peer makes up costs what it would
 * cost without the cache, and no more memory. */
#include "script/lua_atoms.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#define PLACES 256
#define LONGEST 31

struct atom {
    uint8_t len; /* 0: empty */
    char bytes[LONGEST];
    int ref;
    enum pp_lua_hint hint;
};

static struct atom atoms[PLACES];
static enum pp_lua_hint no_hint; /* of what is too long to be kept */

static unsigned place_of(const char *bytes, size_t len)
{
    uint32_t head, tail;
    if (len < sizeof head)
        return (unsigned)(unsigned char)bytes[0] ^ (unsigned)len << 6;
    memcpy(&head, bytes, sizeof head);
    memcpy(&tail, bytes + len - sizeof tail, sizeof tail);
    return ((head * 2654435761u) ^ (tail * 2246822519u) ^ (uint32_t)len * 97u) >> 24;
}

enum pp_lua_hint *pp_lua_atom_push(lua_State *L, const char *bytes, size_t len)
{
    if (len == 0 || len > LONGEST) {
        lua_pushlstring(L, bytes, len);
        no_hint = PP_HINT_NONE;
        return &no_hint;
    }
    struct atom *atom = &atoms[place_of(bytes, len)];
    if (atom->len == len && memcmp(atom->bytes, bytes, len) == 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, atom->ref);
        return &atom->hint;
    }
    if (atom->len != 0)
        luaL_unref(L, LUA_REGISTRYINDEX, atom->ref);
    lua_pushlstring(L, bytes, len);
    lua_pushvalue(L, -1);
    atom->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    atom->len = (uint8_t)len;
    memcpy(atom->bytes, bytes, len);
    atom->hint = PP_HINT_NONE;
    return &atom->hint;
}

enum pp_lua_hint pp_lua_atom_hint(const char *bytes, size_t len)
{
    if (len == 0 || len > LONGEST)
        return PP_HINT_NONE;
    const struct atom *atom = &atoms[place_of(bytes, len)];
    return atom->len == len && memcmp(atom->bytes, bytes, len) == 0 ? atom->hint : PP_HINT_NONE;
}

void pp_lua_atoms_clear(void)
{
    memset(atoms, 0, sizeof atoms);
}
