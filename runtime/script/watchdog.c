/* A timer that runs while the loop's thread does. Its signal comes to that thread, so all that touches Lua happens
 * there; a thread that looked on would be simpler, but a process with two pays for it at every system call. */
#define _GNU_SOURCE
#include "script/watchdog.h"

#include "base/log.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 20u
#define SIGNAL SIGVTALRM

static uint32_t limit_ms;
static volatile uint32_t call; /* rises with every call; odd while one runs */
static lua_State *volatile running;
static uint32_t seen, looks; /* the signal handler's */
static volatile bool hooked;
static timer_t timer;
static bool started;

static void raise_limit(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "the handler ran for more than %d ms without waiting (handlerTimeout)", (int)limit_ms);
}

/* lua_sethook is what may be called from a signal handler on the thread that runs Lua, as luajit's own interpreter
 * does. */
static void on_signal(int signum)
{
    (void)signum;
    uint32_t now = call;
    looks = now == seen && (now & 1) ? looks + 1 : 0;
    seen = now;
    if (limit_ms == 0 || looks * LOOK_MS < limit_ms)
        return;
    hooked = true;
    lua_sethook(running, raise_limit, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void start(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGNAL};
    struct itimerspec every = {.it_interval.tv_nsec = LOOK_MS * 1000000L, .it_value.tv_nsec = LOOK_MS * 1000000L};
    event._sigev_un._tid = gettid();
    sigaction(SIGNAL, &action, NULL);
    started = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0;
    if (started)
        timer_settime(timer, 0, &every, NULL);
    else
        pp_log(PP_LOG_WARN, "handlerTimeout has no effect: %s", strerror(errno));
}

void pp_watchdog_set(struct pp_vm *vm, uint32_t ms)
{
    (void)vm;
    limit_ms = ms;
    if (!started && ms > 0)
        start();
}

void pp_watchdog_stop(void)
{
    if (started)
        timer_delete(timer);
    started = false;
}

void pp_watchdog_enter(lua_State *state)
{
    running = state;
    call = call + 1;
}

void pp_watchdog_leave(lua_State *state)
{
    call = call + 1;
    if (hooked) {
        hooked = false;
        lua_sethook(state, NULL, 0, 0);
    }
}
