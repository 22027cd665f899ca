/* What the files of script/ share of the vm. Not for other folders. */
#ifndef PP_SCRIPT_VM_INTERNAL_H
#define PP_SCRIPT_VM_INTERNAL_H

#include "base/map.h"
#include "net/loop_task.h"
#include "script/vm.h"

#include <stdbool.h>
#include <stdint.h>

#define PP_POOL_MAX 256 /* finished coroutines kept for the next call */

struct pp_woken {
    lua_State *task;
    int nargs;
};

struct pp_vm {
    lua_State *L;
    struct pp_loop *loop;
    lua_State *pool[PP_POOL_MAX];
    int pool_count;
    struct pp_woken *woken; /* tasks to resume at the end of this turn, in order */
    size_t woken_count, woken_cap;
    struct pp_turn_task resume;
    int on_error;           /* reference to the function that reports a task's error; LUA_NOREF at first */
    struct pp_map handlers; /* by coroutine: clients' handlers that have waited; a shutdown lets them finish */
    struct pp_map retired;  /* waiting tasks of replaced code: their coroutines are not used again */
    struct pp_map dropped;  /* waiting tasks that are not to go on */
    int exit_code;
    uint64_t tasks_waiting;    /* coroutines that yielded and were not resumed yet */
    uint64_t errors;           /* tasks that raised */
    int depth;                 /* of calls into Lua inside one another */
    const char *running;       /* what the innermost call is, NULL outside of Lua */
    const char *noted;         /* the `running` that the pulse has the text of */
    uint64_t gc_longest_pause; /* ns, of one idle step */
    uint64_t gc_steps;
    size_t gc_base;     /* KB in use when the last cycle ended */
    unsigned gc_cycles; /* to be gone through in idle time, however little the heap has grown */
    bool gc_running;
};

#endif
