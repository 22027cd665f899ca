/* The limit on how long a handler may keep the processor. Where one call into Lua works for too long, a signal sets a
 * hook that raises in it, again and again until it has ended, so that a pcall around the loop does not keep it alive.
 *
 * Hooks work in interpreted code. A loop that LuaJIT has compiled does not see them, nor does a C function: those end
 * only with the process, which a supervisor sees to (supervisor/supervisor.h). */
#ifndef PP_SCRIPT_WATCHDOG_H
#define PP_SCRIPT_WATCHDOG_H

#include "script/vm.h"

#include <stdint.h>

/* From now on a call may work for `ms` milliseconds of processor time; 0: as long as it likes. One limit for the
 * process, whose Lua runs on the thread that calls this. */
void pp_watchdog_set(struct pp_vm *vm, uint32_t ms);

/* Ends the looking on. */
void pp_watchdog_stop(void);

/* From now on, what ends the process with SIGABRT finds in the pulse where Lua was: the file and the first line of the
 * function. */
void pp_watchdog_tell_where(void);

/* Around each outermost call into Lua: `state` is the coroutine that runs. */
void pp_watchdog_enter(lua_State *state);
void pp_watchdog_leave(lua_State *state);

#endif
