/* The timers and file watches of painda.core.runtime. */
#ifndef PP_SCRIPT_BIND_TIMER_H
#define PP_SCRIPT_BIND_TIMER_H

#include "script/vm.h"

/* [-0, +0] Adds timer(fn, guard) to the table on top: an object with start(ms) and stop(). fn runs as a task each time.
 * A guard goes by the machine's clock, also where the loop's was frozen. */
void pp_bind_timer(lua_State *L);

/* [-0, +0] Adds watch(directory, fn) to the table on top: an object with stop(), or nil and a message. fn(name) runs as
 * a task for each change; the name may be missing. */
void pp_bind_watch(lua_State *L);

/* [-0, +0] Adds on_signal(name, fn) to the table on top: fn(name, forwarded) runs as a task for each SIGTERM, SIGINT or
 * SIGHUP, of this process or, forwarded, of its supervisor. One function a signal; it stays until the vm ends. */
void pp_bind_signal(lua_State *L);

/* The vm goes: its functions are not called any more. */
void pp_unbind_signal(struct pp_vm *vm);

#endif
