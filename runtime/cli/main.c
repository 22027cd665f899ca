/* The painda program: an event loop, a Lua state on it, and lua/painda/cli.lua to read the command line. `painda run`
 * does all that in a process of its own, which a supervisor keeps. */
#include "base/log.h"
#include "net/loop.h"
#include "script/call.h"
#include "script/vm.h"
#include "script/watchdog.h"
#include "supervisor/notify.h"
#include "supervisor/supervisor.h"
#include "supervisor/worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* [-0, +0] require("painda.cli").main{arguments…}, as a task: every command may wait. */
static bool start(struct pp_vm *vm, int argc, char **argv)
{
    lua_State *task = pp_call_begin(vm);
    lua_getglobal(task, "require");
    lua_pushliteral(task, "painda.cli");
    lua_call(task, 1, 1);
    lua_getfield(task, -1, "main");
    lua_remove(task, -2);
    lua_createtable(task, argc, 0);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(task, argv[i]);
        lua_rawseti(task, -2, i);
    }
    return pp_call_run(vm, task, 1, "command line");
}

static bool wants_supervisor(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "run") != 0)
        return false;
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--no-supervisor") == 0 || strcmp(argv[i], "--help") == 0)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    bool is_worker = pp_worker_begin();
    if (!is_worker)
        pp_notify_begin();
    if (!is_worker && wants_supervisor(argc, argv))
        return pp_supervise(argv);
    setvbuf(stdout, NULL, _IOLBF, 0); /* what handlers print is seen at once, in a pipe too */
    struct pp_loop *loop = pp_loop_new();
    struct pp_vm *vm = pp_vm_new(loop);
    if (is_worker) {
        pp_loop_on_readable(loop, pp_worker_post(), pp_worker_answer);
        pp_watchdog_tell_where();
    }
    int code = 1;
    if (start(vm, argc, argv)) {
        pp_loop_run(loop);
        code = pp_vm_exit_code(vm);
    }
    pp_vm_delete(vm);
    pp_loop_delete(loop);
    return code;
}
