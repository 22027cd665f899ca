/* The one door from C into Lua. Every call runs protected, on a pooled coroutine, so that it may wait; an error goes to
 * the log with its traceback and nowhere else.
 *
 *     lua_State *task = pp_call_begin(vm);
 *     … push a function and its n arguments on task …
 *     pp_call_run(vm, task, n, "timer");
 *
 * A task that waits yields through painda.task (C: pp_call_wait) and is woken with pp_call_wake. */
#ifndef PP_SCRIPT_CALL_H
#define PP_SCRIPT_CALL_H

#include "script/vm.h"

#include <stdbool.h>

/* A coroutine with an empty stack and room for LUA_MINSTACK values. It must be run, at once. */
lua_State *pp_call_begin(struct pp_vm *vm);

/* Runs the function below its n arguments. True where it finished or waits, false where it raised; results are dropped.
 * `what` names the caller in the log ("timer", "message"); static. */
bool pp_call_run(struct pp_vm *vm, lua_State *task, int nargs, const char *what);

/* Gives a task back that is not to be run after all. */
void pp_call_cancel(struct pp_vm *vm, lua_State *task);

/* For a C function that waits: `return pp_call_wait(L);`. Its results are what pp_call_wake passes. Raises where L is
 * not a task (a coroutine of the application's own). */
int pp_call_wait(lua_State *L);

/* Moves the top n values of `from` to the waiting `task` and resumes it at the end of this turn. */
void pp_call_wake(struct pp_vm *vm, lua_State *task, lua_State *from, int n);

/* [-0, +1] Pushes an array of the tasks that wait and were not in an earlier one. Their coroutines are not given to
 * other tasks when they end, so what is noted of one under its coroutine stays true. */
void pp_call_retire(struct pp_vm *vm, lua_State *L);

/* The vm goes: forgets the handlers that wait. */
void pp_call_forget_handlers(struct pp_vm *vm);

/* A waiting task does not go on: whoever wakes it ends it, and nothing of it runs any more. Does nothing to a coroutine
 * that is no task, or does not wait. */
void pp_call_drop(struct pp_vm *vm, lua_State *task);

#endif
