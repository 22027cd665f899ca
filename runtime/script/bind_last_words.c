/* painda.core.last_words: what is to be said where the process can't go on, and nobody is left in it who could say so.
 *
 *     begin(ms, late, crashed)    from here on: after `ms`, `late` is written to stderr and the process ends with
 *                                 status 1, whatever it is doing; and `crashed` before a signal such as SIGSEGV kills
 * it finish()                    there is nothing to be said any more
 *
 * For code that nothing in the process can end: LuaJIT looks at no hook in a compiled loop, and a call into the system
 * may block. */
#define _GNU_SOURCE
#include "script/bind.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define TEXT_MAX 512

static char late[TEXT_MAX], crashed[TEXT_MAX]; /* "" outside of begin … finish */

static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define DEADLY (sizeof deadly / sizeof *deadly)
static struct sigaction before[DEADLY];

static void say(const char *text)
{
    if (*text != '\0' && write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* nobody listens */
}

static void on_late(int signum)
{
    (void)signum;
    say(late);
    _exit(1);
}

/* Whoever would have had the signal, a sanitizer for example, has it when it comes again. */
static void on_deadly(int signum)
{
    for (size_t i = 0; i < DEADLY; i++)
        sigaction(deadly[i], &before[i], NULL);
    say(crashed);
    raise(signum);
}

static void arm(long ms)
{
    struct itimerval timer = {.it_value = {ms / 1000, ms % 1000 * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void catch_all(void)
{
    static bool caught;
    struct sigaction on_time = {.sa_handler = on_late, .sa_flags = SA_RESTART};
    struct sigaction on_crash = {.sa_handler = on_deadly, .sa_flags = SA_ONSTACK | SA_NODEFER};
    if (caught)
        return;
    caught = true;
    sigaction(SIGALRM, &on_time, NULL);
    for (size_t i = 0; i < DEADLY; i++)
        sigaction(deadly[i], &on_crash, &before[i]);
}

static int begin(lua_State *L)
{
    lua_Number ms = luaL_checknumber(L, 1);
    catch_all();
    snprintf(late, sizeof late, "\n%s\n", luaL_checkstring(L, 2));
    snprintf(crashed, sizeof crashed, "\n%s\n", luaL_checkstring(L, 3));
    arm((long)ms);
    return 0;
}

static int finish(lua_State *L)
{
    (void)L;
    arm(0);
    late[0] = crashed[0] = '\0';
    return 0;
}

int pp_bind_last_words(lua_State *L)
{
    static const luaL_Reg functions[] = {{"begin", begin}, {"finish", finish}, {NULL, NULL}};
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
