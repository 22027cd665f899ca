/* What is known of the call under way is in the pulse (supervisor/pulse.h), where a supervisor sees it.
 *
 * A timer that runs while the loop's thread does. Its signal comes to that thread, so all that touches Lua happens
 * there; a thread that looked on would be simpler, but a process with two pays for it at every system call. */
#define _GNU_SOURCE
#include "script/watchdog.h"

#include "base/log.h"
#include "supervisor/pulse.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 20u
#define SIGNAL SIGVTALRM

static uint32_t limit_ms;
static lua_State *volatile running;
static uint32_t seen, looks; /* the signal handler's */
static volatile bool hooked;
static timer_t timer;
static bool started;
static char reason[256]; /* "" until the call under way has been told */

/* Raises again and again until the call has ended, so that nothing in it can go on by catching it: always with the
 * place where it was at first. */
static void raise_limit(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (reason[0] == '\0') {
        luaL_where(L, 0); /* the function that runs, or where that is C's, its caller */
        if (*lua_tostring(L, -1) == '\0')
            luaL_where(L, 1);
        snprintf(reason, sizeof reason, "%sthe handler ran for more than %d ms without waiting (handlerTimeout)",
                 lua_tostring(L, -1), (int)limit_ms);
    }
    lua_pushstring(L, reason);
    lua_error(L);
}

/* lua_sethook is what may be called from a signal handler on the thread that runs Lua, as luajit's own interpreter
 * does. */
static void on_signal(int signum)
{
    (void)signum;
    uint32_t now = pp_pulse->calls;
    looks = now == seen && (now & 1) ? looks + 1 : 0;
    seen = now;
    if (limit_ms == 0 || looks * LOOK_MS < limit_ms)
        return;
    hooked = true;
    lua_sethook(running, raise_limit, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* The worker hangs, and its supervisor ends it. Looking at a coroutine that runs may itself fail, which ends it too. */
static void on_abort(int signum)
{
    lua_Debug about;
    struct pp_pulse *pulse = pp_pulse;
    signal(SIGABRT, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
    for (int level = 0; pp_pulse_is_in_lua(pulse) && lua_getstack(running, level, &about); level++) {
        lua_getinfo(running, "S", &about);
        if (about.linedefined < 0) /* a C function */
            continue;
        snprintf(pulse->where, sizeof pulse->where, "%s:%d", about.short_src, about.linedefined);
        break;
    }
    raise(signum);
}

void pp_watchdog_tell_where(void)
{
    signal(SIGABRT, on_abort);
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
    pp_pulse->calls = pp_pulse->calls + 1;
}

void pp_watchdog_leave(lua_State *state)
{
    pp_pulse->calls = pp_pulse->calls + 1;
    if (hooked) {
        hooked = false;
        reason[0] = '\0';
        lua_sethook(state, NULL, 0, 0);
    }
}
