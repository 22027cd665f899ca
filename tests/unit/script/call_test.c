/* Tasks: the one door from C into Lua, on a real loop. */
#include "base/log.h"
#include "harness.h"
#include "net/loop.h"
#include "script/call.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <string.h>

static struct pp_loop *loop;
static struct pp_vm *vm;
static lua_State *L;

static void stop_loop(struct pp_timer *timer)
{
    (void)timer;
    pp_loop_stop(loop);
}

/* Runs the loop for a few milliseconds. */
static void turn(void)
{
    struct pp_timer timer = {.fire = stop_loop};
    pp_loop_timer_start(loop, &timer, 5);
    pp_loop_run(loop);
}

static int wait(lua_State *state)
{
    return pp_call_wait(state);
}

/* wake(thread, …) */
static int wake(lua_State *state)
{
    pp_call_wake(pp_vm_of(state), lua_tothread(state, 1), state, lua_gettop(state) - 1);
    return 0;
}

static void begin(void)
{
    loop = pp_loop_new();
    vm = pp_vm_new(loop);
    L = pp_vm_lua(vm);
    lua_register(L, "wait", wait);
    lua_register(L, "wake", wake);
    luaL_dostring(L, "seen = {} function see(...) for i = 1, select('#', ...) do seen[#seen + 1] = tostring((select(i, "
                     "...))) end end");
    pp_log_set_level("silent");
}

static void end(void)
{
    CU_ASSERT_EQUAL(lua_gettop(L), 0);
    pp_vm_delete(vm);
    pp_loop_delete(loop);
    pp_log_set_level("info");
}

/* Runs the code as a task. */
static bool run(const char *code)
{
    lua_State *task = pp_call_begin(vm);
    CU_ASSERT_EQUAL(lua_gettop(task), 0);
    CU_ASSERT_EQUAL_FATAL(luaL_loadstring(task, code), 0);
    return pp_call_run(vm, task, 0, "test");
}

/* What was passed to see(), joined with commas. */
static void seen_is(const char *text)
{
    luaL_dostring(L, "return table.concat(seen, ',')");
    CU_ASSERT_STRING_EQUAL(lua_tostring(L, -1), text);
    lua_pop(L, 1);
}

static void runs_to_the_end(void)
{
    begin();
    CU_ASSERT_TRUE(run("see(1) see(2) return 'dropped'"));
    seen_is("1,2");
    end();
}

static void passes_arguments(void)
{
    begin();
    lua_State *task = pp_call_begin(vm);
    lua_getglobal(task, "see");
    lua_pushinteger(task, 1);
    lua_pushnil(task);
    lua_pushliteral(task, "x");
    CU_ASSERT_TRUE(pp_call_run(vm, task, 3, "test"));
    seen_is("1,nil,x");
    end();
}

static void uses_a_coroutine_again(void)
{
    begin();
    lua_State *first = pp_call_begin(vm);
    pp_call_cancel(vm, first);
    for (int i = 0; i < 1000; i++) {
        lua_State *task = pp_call_begin(vm);
        CU_ASSERT_PTR_EQUAL(task, first);
        lua_getglobal(task, "tostring");
        lua_pushinteger(task, i);
        pp_call_run(vm, task, 1, "test");
    }
    end();
}

static void gives_back_what_was_not_run(void)
{
    begin();
    lua_State *task = pp_call_begin(vm);
    lua_pushliteral(task, "something");
    pp_call_cancel(vm, task);
    lua_State *again = pp_call_begin(vm);
    CU_ASSERT_PTR_EQUAL(again, task);
    CU_ASSERT_EQUAL(lua_gettop(again), 0);
    pp_call_cancel(vm, again);
    end();
}

static void contains_errors(void)
{
    begin();
    CU_ASSERT_FALSE(run("error 'on purpose'"));
    CU_ASSERT_FALSE(run("error {}"));
    CU_ASSERT_FALSE(run("error()"));
    CU_ASSERT_FALSE(run("local function f() return f() + 1 end f()"));
    CU_ASSERT_TRUE(run("see 'alive'"));
    seen_is("alive");
    end();
}

static void reports_errors(void)
{
    begin();
    CU_ASSERT_TRUE(run("require('painda.core.runtime').set_error_handler(function(thread, err, what)\n"
                       "  see(type(thread), coroutine.status(thread), err, what, debug.traceback(thread):match('in "
                       "function .*f') ~= nil)\n"
                       "end)"));
    CU_ASSERT_FALSE(run("local function f() error('on purpose', 0) end f()"));
    seen_is("thread,dead,on purpose,test,true");
    end();
}

static void survives_an_error_while_it_reports_one(void)
{
    begin();
    CU_ASSERT_TRUE(run("require('painda.core.runtime').set_error_handler(function() see 'told' error 'again' end)"));
    CU_ASSERT_FALSE(run("error 'on purpose'"));
    seen_is("told");
    CU_ASSERT_TRUE(run("see 'alive'"));
    end();
}

static void waits_and_is_woken(void)
{
    begin();
    CU_ASSERT_TRUE(run("one = coroutine.running() see('begins') see(wait()) see('ends')"));
    seen_is("begins");
    lua_gc(L, LUA_GCCOLLECT, 0); /* nobody but the registry holds it */
    CU_ASSERT_TRUE(run("local thread = one one = nil wake(thread, 'a', nil, 3) see('woken')"));
    seen_is("begins,woken");
    turn();
    seen_is("begins,woken,a,nil,3,ends");
    end();
}

static void wakes_in_order_also_those_that_are_woken_meanwhile(void)
{
    begin();
    CU_ASSERT_TRUE(run("c = coroutine.running() wait() see 'c'"));
    CU_ASSERT_TRUE(run("a = coroutine.running() wait() see 'a' wake(c)"));
    CU_ASSERT_TRUE(run("b = coroutine.running() wait() see 'b'"));
    CU_ASSERT_TRUE(run("wake(a) wake(b)"));
    turn();
    seen_is("a,b,c");
    end();
}

static void waits_again_and_again(void)
{
    begin();
    CU_ASSERT_TRUE(run("one = coroutine.running() for i = 1, 3 do see(wait()) end"));
    for (int i = 0; i < 3; i++) {
        run("wake(one, 'x')");
        turn();
    }
    seen_is("x,x,x");
    end();
}

static void contains_an_error_after_a_wait(void)
{
    begin();
    CU_ASSERT_TRUE(
        run("one = coroutine.running() see(pcall(function() wait() error('inside', 0) end)) wait() error 'outside'"));
    run("wake(one)");
    turn();
    seen_is("false,inside");
    run("wake(one)");
    turn();
    CU_ASSERT_TRUE(run("see(coroutine.status(one))"));
    seen_is("false,inside,dead");
    end();
}

static void many_wait_at_once(void)
{
    begin();
    CU_ASSERT_TRUE(run("threads, ended = {}, 0"));
    for (int i = 0; i < 2000; i++)
        CU_ASSERT_TRUE(run("threads[#threads + 1] = coroutine.running() wait() ended = ended + 1"));
    CU_ASSERT_TRUE(run("for _, thread in ipairs(threads) do wake(thread) end"));
    turn();
    CU_ASSERT_TRUE(run("see(ended)"));
    seen_is("2000");
    for (int i = 0; i < 600; i++) /* of those in the pool, and of new ones */
        CU_ASSERT_TRUE(run("return 1"));
    end();
}

static void refuses_a_stray_yield(void)
{
    begin();
    CU_ASSERT_TRUE(
        run("require('painda.core.runtime').set_error_handler(function(_, err) see(err:match 'coroutine.yield') end)"));
    CU_ASSERT_FALSE(run("coroutine.yield()"));
    CU_ASSERT_FALSE(run("coroutine.yield(1, 2)"));
    CU_ASSERT_FALSE(run("coroutine.yield(io.stdout)"));
    seen_is("coroutine.yield,coroutine.yield,coroutine.yield");
    CU_ASSERT_TRUE(run("see(coroutine.wrap(function() coroutine.yield('fine') end)())"));
    end();
}

static void refuses_to_wait_in_a_coroutine_of_the_application(void)
{
    begin();
    CU_ASSERT_TRUE(run("see(coroutine.resume(coroutine.create(wait)))"));
    luaL_dostring(L, "return seen[1], seen[2]:match 'only a handler or a task' ~= nil");
    CU_ASSERT_STRING_EQUAL(lua_tostring(L, -2), "false");
    CU_ASSERT_TRUE(lua_toboolean(L, -1));
    lua_pop(L, 2);
    end();
}

static void runs_one_inside_of_another(void)
{
    begin();
    CU_ASSERT_TRUE(run("local spawn = require('painda.core.runtime').spawn\n"
                       "local function nest(n) see(n) if n < 3 then spawn(nest, n + 1) end see(-n) end nest(1)\n"
                       "spawn(function() outer = coroutine.running() wait() see('later') end) see('on')\n"
                       "spawn(error, 'on purpose') see('still on')"));
    seen_is("1,2,3,-3,-2,-1,on,still on");
    run("wake(outer)");
    turn();
    seen_is("1,2,3,-3,-2,-1,on,still on,later");
    end();
}

/* How many tasks a look finds that wait and were not found before. */
static int retire(void)
{
    pp_call_retire(vm, L);
    int count = (int)lua_objlen(L, -1);
    lua_pop(L, 1);
    return count;
}

static void tells_once_who_waits(void)
{
    begin();
    CU_ASSERT_EQUAL(retire(), 0);
    run("one = coroutine.running() wait() see 'one'");
    run("two = coroutine.running() wait() wait()");
    run("own = coroutine.create(function() coroutine.yield() end) coroutine.resume(own)"); /* is no task */
    CU_ASSERT_EQUAL(retire(), 2);
    CU_ASSERT_EQUAL(retire(), 0);
    run("wake(one) wake(two)");
    turn();
    run("three = coroutine.running() wait()");
    CU_ASSERT_EQUAL(retire(), 1); /* the second waits again, and was told of */
    seen_is("one");
    end();
}

static void uses_no_coroutine_again_that_was_told_of(void)
{
    begin();
    run("one = coroutine.running() wait()");
    CU_ASSERT_EQUAL(retire(), 1);
    run("wake(one)");
    turn();
    run("see(coroutine.running() ~= one)");
    run("see(coroutine.running() ~= one)");
    seen_is("true,true");
    end();
}

static void drops_who_waits(void)
{
    begin();
    run("one = coroutine.running() wait() see 'one'");
    run("two = coroutine.running() wait() see 'two'");
    lua_getglobal(L, "one");
    pp_call_drop(vm, lua_tothread(L, -1));
    pp_call_drop(vm, L); /* is none that waits */
    lua_pop(L, 1);
    run("wake(one) wake(two)");
    turn();
    seen_is("two");
    run("one = nil");
    lua_gc(L, LUA_GCCOLLECT, 0);
    run("wait() see 'another'");
    turn();
    end();
}

/* A state that closes with tasks that still wait frees them; under the sanitizer nothing is left. */
static void ends_with_tasks_that_wait(void)
{
    begin();
    CU_ASSERT_TRUE(run("wait()"));
    CU_ASSERT_TRUE(run("one = coroutine.running() wait()"));
    CU_ASSERT_TRUE(run("wake(one)")); /* and one that is woken, but was not resumed */
    end();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"runs to the end", runs_to_the_end},
        {"passes arguments", passes_arguments},
        {"uses a coroutine again", uses_a_coroutine_again},
        {"gives back what was not run", gives_back_what_was_not_run},
        {"contains errors", contains_errors},
        {"reports errors", reports_errors},
        {"survives an error while it reports one", survives_an_error_while_it_reports_one},
        {"waits and is woken", waits_and_is_woken},
        {"wakes in order, also those that are woken meanwhile", wakes_in_order_also_those_that_are_woken_meanwhile},
        {"waits again and again", waits_again_and_again},
        {"contains an error after a wait", contains_an_error_after_a_wait},
        {"lets many wait at once", many_wait_at_once},
        {"refuses a stray yield", refuses_a_stray_yield},
        {"refuses to wait in a coroutine of the application", refuses_to_wait_in_a_coroutine_of_the_application},
        {"runs one inside of another", runs_one_inside_of_another},
        {"tells once who waits", tells_once_who_waits},
        {"uses no coroutine again that was told of", uses_no_coroutine_again_that_was_told_of},
        {"drops who waits", drops_who_waits},
        {"ends with tasks that wait", ends_with_tasks_that_wait},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("script/call", tests);
}
