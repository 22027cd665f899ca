/* Lua tables and strings read where LuaJIT keeps them. Its interface takes five calls to get at one member of a table,
 * which is most of the time that it takes to look at a large state; the memory itself is read in a fraction of that.
 *
 * Nobody promises how that memory looks, so nothing here may be used before pp_raw_is_known() has said that it looks as
 * below. Where it doesn't, all works through the interface. Nothing is written, and nothing read stays valid once Lua
 * runs or makes anything. Values are those of 64-bit LuaJIT 2.1 (GC64). */
#ifndef PP_SCRIPT_LUA_RAW_H
#define PP_SCRIPT_LUA_RAW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <lua.h>

/* A number, or 17 bits that say what it is and 47 bits of a pointer. */
typedef uint64_t pp_raw_value;

enum pp_raw_kind {                       /* the 17 bits, sign-extended; doubles have all other */
                   PP_RAW_INTEGER = -14, /* of 32 bits; there are none on x86-64 */
                   PP_RAW_TABLE = -12,
                   PP_RAW_STRING = -5,
                   PP_RAW_LIGHTUSERDATA = -4,
                   PP_RAW_TRUE = -3,
                   PP_RAW_FALSE = -2,
                   PP_RAW_NIL = -1,
};

#define PP_RAW_NONE UINT64_MAX /* nil: no such element or member */

struct pp_raw_string {
    uint64_t next;
    uint8_t flags[4];
    uint32_t id, hash, len;
    char bytes[];
};

struct pp_raw_node {
    pp_raw_value value, key;
    const struct pp_raw_node *next;
};

struct pp_raw_table {
    uint64_t next;
    uint8_t flags[8];
    const pp_raw_value *items; /* by their index; [0] too */
    uint64_t gray;
    const struct pp_raw_table *metatable;
    const struct pp_raw_node *nodes;
    uint32_t items_size; /* the last index, and one */
    uint32_t nodes_mask; /* nodes, less one */
};

/* Whether LuaJIT's tables and strings look like this: tried once in a process, on tables of many kinds. [-0, +0] */
bool pp_raw_is_known(lua_State *L);

/* What null (a light userdata) is in this Lua state, which differs. Where pp_raw_is_known() only. [-0, +0] */
pp_raw_value pp_raw_null(lua_State *L);

/* An enum pp_raw_kind, or some other number where it is a double. */
static inline int32_t pp_raw_kind(pp_raw_value value)
{
    return (int32_t)((int64_t)value >> 47);
}

static inline bool pp_raw_is_number(pp_raw_value value)
{
    return (uint32_t)pp_raw_kind(value) <= (uint32_t)PP_RAW_INTEGER;
}

static inline double pp_raw_number(pp_raw_value value)
{
    double number;
    if (pp_raw_kind(value) == PP_RAW_INTEGER)
        return (int32_t)(uint32_t)value;
    memcpy(&number, &value, sizeof number);
    return number;
}

static inline const void *pp_raw_pointer(pp_raw_value value)
{
    return (const void *)(uintptr_t)(value & ((UINT64_C(1) << 47) - 1)); /* NOLINT(performance-no-int-to-ptr) */
}

#endif
