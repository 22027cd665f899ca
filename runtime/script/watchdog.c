/* The thread only counts and sends a signal; everything that touches Lua happens on the loop's own thread. */
#define _GNU_SOURCE
#include "script/watchdog.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define LOOK_MS 20
#define SIGNAL SIGVTALRM

static _Atomic(uint32_t) limit_ms;
static _Atomic(uint32_t) call; /* rises with every call; odd while one runs */
static _Atomic(lua_State *) running;
static _Atomic(bool) stop;
static pthread_t looker, loop_thread;
static bool started;
static bool hooked; /* on the loop's thread only */

static void raise_limit(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "the handler ran for more than %d ms without waiting (handlerTimeout)", (int)atomic_load(&limit_ms));
}

/* lua_sethook is what may be called from a signal handler on the thread that runs Lua, as luajit's own interpreter
 * does. */
static void on_signal(int signum)
{
    (void)signum;
    lua_State *L = atomic_load(&running);
    if (L == NULL || (atomic_load(&call) & 1) == 0)
        return;
    hooked = true;
    lua_sethook(L, raise_limit, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void *look(void *arg)
{
    (void)arg;
    uint32_t seen = 0, looks = 0;
    while (!atomic_load(&stop)) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
        uint32_t now = atomic_load(&call), limit = atomic_load(&limit_ms);
        looks = now == seen && (now & 1) ? looks + 1 : 0;
        seen = now;
        if (limit > 0 && looks * LOOK_MS >= limit)
            pthread_kill(loop_thread, SIGNAL);
    }
    return NULL;
}

void pp_watchdog_set(struct pp_vm *vm, uint32_t ms)
{
    (void)vm;
    atomic_store(&limit_ms, ms);
    if (started || ms == 0)
        return;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGNAL, &action, NULL);
    loop_thread = pthread_self();
    /* Signals are the loop's: the thread must not take one of them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&looker, NULL, look, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void pp_watchdog_stop(void)
{
    if (!started)
        return;
    atomic_store(&stop, true);
    pthread_join(looker, NULL);
    atomic_store(&stop, false);
    started = false;
}

void pp_watchdog_enter(lua_State *state)
{
    atomic_store_explicit(&running, state, memory_order_relaxed);
    atomic_store_explicit(&call, atomic_load_explicit(&call, memory_order_relaxed) + 1, memory_order_relaxed);
}

void pp_watchdog_leave(lua_State *state)
{
    atomic_store_explicit(&call, atomic_load_explicit(&call, memory_order_relaxed) + 1, memory_order_relaxed);
    if (hooked) {
        hooked = false;
        lua_sethook(state, NULL, 0, 0);
    }
}
