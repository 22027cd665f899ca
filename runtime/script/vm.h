/* The Lua state of the process: made with the runtime's own modules in package.preload, on an event loop. */
#ifndef PP_SCRIPT_VM_H
#define PP_SCRIPT_VM_H

#include <lua.h>

struct pp_loop;
struct pp_vm;

struct pp_vm *pp_vm_new(struct pp_loop *loop);

/* Runs every finaliser and frees; the loop must still exist. */
void pp_vm_delete(struct pp_vm *vm);

lua_State *pp_vm_lua(struct pp_vm *vm); /* the main state: keep this one, never a coroutine's */
struct pp_loop *pp_vm_loop(struct pp_vm *vm);

/* What the program asked to exit with; 0 at first. */
int pp_vm_exit_code(const struct pp_vm *vm);

/* The vm that any of its states belongs to. */
struct pp_vm *pp_vm_of(lua_State *L);

#endif
