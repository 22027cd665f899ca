/* Signals as tasks. */
#include "net/loop.h"
#include "script/bind_timer.h"
#include "script/call.h"
#include "supervisor/worker.h"

#include <lauxlib.h>
#include <signal.h>
#include <string.h>

static const struct {
    const char *name;
    int signum;
} known[] = {{"SIGTERM", SIGTERM}, {"SIGINT", SIGINT}, {"SIGHUP", SIGHUP}};

#define KNOWN (sizeof known / sizeof known[0])

static int functions[KNOWN];    /* references; 0: not watched yet. Signals are the process's, and so is this */
static struct pp_vm *listening; /* NULL once its vm is gone: the loop may still tell of a signal while it closes */

static void call(struct pp_vm *vm, int signum, bool forwarded)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (known[i].signum == signum && functions[i] != 0) {
            lua_State *task = pp_call_begin(vm);
            lua_rawgeti(task, LUA_REGISTRYINDEX, functions[i]);
            lua_pushstring(task, known[i].name);
            lua_pushboolean(task, forwarded);
            pp_call_run(vm, task, 2, "signal");
        }
}

static void on_signal(void *arg, int signum)
{
    if (arg == listening)
        call(arg, signum, false);
}

static void on_forwarded(int signum)
{
    if (listening != NULL)
        call(listening, signum, true);
}

/* A supervisor has its workers begin with these blocked, so that none is lost. */
static void let_through(int signum)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signum);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int watch_signal(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct pp_vm *vm = pp_vm_of(L);
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(known[i].name, name) == 0) {
            if (functions[i] == 0)
                pp_loop_on_signal(pp_vm_loop(vm), known[i].signum, on_signal, vm);
            else
                luaL_unref(L, LUA_REGISTRYINDEX, functions[i]);
            functions[i] = luaL_ref(L, LUA_REGISTRYINDEX);
            listening = vm;
            let_through(known[i].signum);
            pp_worker_on_signal(on_forwarded);
            return 0;
        }
    return luaL_argerror(L, 1, "SIGTERM, SIGINT or SIGHUP expected");
}

void pp_bind_signal(lua_State *L)
{
    lua_pushcfunction(L, watch_signal);
    lua_setfield(L, -2, "on_signal");
}

void pp_unbind_signal(struct pp_vm *vm)
{
    if (vm == listening)
        listening = NULL;
}
