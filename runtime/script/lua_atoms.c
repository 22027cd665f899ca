/* A direct-mapped cache: a string has one place, and the last one there stays. What a peer makes up costs what it would
 * cost without the cache, and no more memory. */
#include "script/lua_atoms.h"

#include "supervisor/pulse.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#define SLOTS 256
#define LONGEST 31

_Static_assert(SLOTS == PP_PULSE_TYPES - 1, "each slot has its place in the pulse");

static struct slot {
    struct pp_lua_atom atom;
    uint8_t len; /* 0: empty */
    char bytes[LONGEST];
} slots[SLOTS];

static struct pp_lua_atom nobody; /* of what is too long to be kept */

/* `len` is 1 or more. */
static struct slot *slot_of(const char *bytes, size_t len)
{
    uint32_t head, tail;
    if (len < sizeof head)
        return &slots[((unsigned)(unsigned char)bytes[0] ^ (unsigned)len << 6) % SLOTS];
    memcpy(&head, bytes, sizeof head);
    memcpy(&tail, bytes + len - sizeof tail, sizeof tail);
    return &slots[((head * 2654435761u) ^ (tail * 2246822519u) ^ (uint32_t)len * 97u) >> 24];
}

static bool holds(const struct slot *slot, const char *bytes, size_t len)
{
    return slot->len == len && memcmp(slot->bytes, bytes, len) == 0;
}

struct pp_lua_atom *pp_lua_atom_find(const char *bytes, size_t len)
{
    if (len == 0 || len > LONGEST)
        return NULL;
    struct slot *slot = slot_of(bytes, len);
    return holds(slot, bytes, len) ? &slot->atom : NULL;
}

struct pp_lua_atom *pp_lua_atom_push(lua_State *L, const char *bytes, size_t len)
{
    if (len == 0 || len > LONGEST) {
        lua_pushlstring(L, bytes, len);
        nobody = (struct pp_lua_atom){.ref = LUA_NOREF};
        pp_pulse_write(pp_pulse->types[SLOTS], bytes, len);
        return &nobody;
    }
    struct slot *slot = slot_of(bytes, len);
    if (holds(slot, bytes, len)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, slot->atom.ref);
        return &slot->atom;
    }
    if (slot->len != 0)
        luaL_unref(L, LUA_REGISTRYINDEX, slot->atom.ref);
    lua_pushlstring(L, bytes, len);
    lua_pushvalue(L, -1);
    slot->atom = (struct pp_lua_atom){.ref = luaL_ref(L, LUA_REGISTRYINDEX)};
    slot->len = (uint8_t)len;
    memcpy(slot->bytes, bytes, len);
    pp_pulse_write(pp_pulse->types[slot - slots], bytes, len);
    return &slot->atom;
}

void pp_lua_atom_note(const struct pp_lua_atom *atom)
{
    size_t at = (size_t)((const char *)atom - (const char *)slots) / sizeof *slots;
    pp_pulse->type = atom == &nobody ? SLOTS : (uint32_t)at;
}

void pp_lua_atom_note_text(const char *bytes, size_t len)
{
    pp_pulse_write(pp_pulse->types[SLOTS], bytes, len);
    pp_pulse->type = SLOTS;
}

void pp_lua_atoms_clear(void)
{
    memset(slots, 0, sizeof slots);
}
