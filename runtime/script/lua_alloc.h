/* Lua's memory: the system's, with small blocks kept for the next of their size. A small message is a handful of them,
 * made and collected in such numbers that the system's allocator runs out of its own quick lists. */
#ifndef PP_SCRIPT_LUA_ALLOC_H
#define PP_SCRIPT_LUA_ALLOC_H

#include <stddef.h>

/* A lua_Alloc: `block` of `old_size` bytes becomes one of `size` bytes, 0 frees it. NULL where there is no memory, and
 * then the block is as it was. The argument is not used: the kept blocks are the thread's that runs Lua. */
void *pp_lua_allocate(void *arg, void *block, size_t old_size, size_t size);

/* Gives the kept blocks back to the system. */
void pp_lua_allocate_trim(void);

#endif
