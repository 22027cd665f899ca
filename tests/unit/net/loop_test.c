/* The loop: what runs at the end of a turn, timers, idle work, watching a folder. */
#include "harness.h"
#include "net/loop.h"
#include "net/loop_task.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pp_loop *loop;
static char order[64]; /* the names of what ran */

struct named {
    struct pp_turn_task task;
    struct pp_timer timer;
    char name;
    struct named *then; /* queued when this one runs */
};

static void note(char name)
{
    order[strlen(order)] = name;
}

static void run_task(struct pp_turn_task *task)
{
    struct named *named = (struct named *)((char *)task - offsetof(struct named, task));
    note(named->name);
    if (named->then != NULL)
        pp_loop_at_turn_end(loop, &named->then->task);
}

static void fire(struct pp_timer *timer)
{
    struct named *named = (struct named *)((char *)timer - offsetof(struct named, timer));
    note(named->name);
    if (named->then != NULL)
        pp_loop_at_turn_end(loop, &named->then->task);
}

static void stop(struct pp_timer *timer)
{
    (void)timer;
    pp_loop_stop(loop);
}

static void run_for(uint64_t ms)
{
    struct pp_timer timer = {.fire = stop};
    pp_loop_timer_start(loop, &timer, ms);
    pp_loop_run(loop);
}

static void begin(void)
{
    loop = pp_loop_new();
    memset(order, 0, sizeof order);
}

static struct named named(char name)
{
    return (struct named){.task.run = run_task, .timer.fire = fire, .name = name};
}

static void runs_tasks_in_order_once(void)
{
    begin();
    struct named a = named('a'), b = named('b'), c = named('c');
    a.then = &c;
    pp_loop_at_turn_end(loop, &a.task);
    pp_loop_at_turn_end(loop, &b.task);
    pp_loop_at_turn_end(loop, &a.task); /* is queued already */
    run_for(1);
    CU_ASSERT_STRING_EQUAL(order, "abc");
    pp_loop_at_turn_end(loop, &b.task);
    run_for(1);
    CU_ASSERT_STRING_EQUAL(order, "abcb");
    pp_loop_delete(loop);
}

static void runs_what_a_timer_queued(void)
{
    begin();
    struct named a = named('a'), b = named('b');
    a.then = &b;
    pp_loop_timer_start(loop, &a.timer, 1);
    run_for(1);
    run_for(1); /* where the loop was stopped in that turn */
    CU_ASSERT_STRING_EQUAL(order, "ab");
    pp_loop_delete(loop);
}

static void forgets_tasks_wherever_they_stand(void)
{
    for (int gone = 0; gone < 3; gone++) {
        struct named tasks[] = {named('a'), named('b'), named('c')}, late = named('d');
        begin();
        for (int i = 0; i < 3; i++)
            pp_loop_at_turn_end(loop, &tasks[i].task);
        pp_loop_forget_task(loop, &tasks[gone].task);
        pp_loop_forget_task(loop, &tasks[gone].task);
        pp_loop_at_turn_end(loop, &late.task);
        run_for(1);
        CU_ASSERT_STRING_EQUAL(order, gone == 0 ? "bcd" : gone == 1 ? "acd" : "abd");
        pp_loop_delete(loop);
    }
    begin();
    struct named only = named('a'), next = named('b');
    pp_loop_at_turn_end(loop, &only.task);
    pp_loop_forget_task(loop, &only.task);
    pp_loop_at_turn_end(loop, &next.task);
    run_for(1);
    CU_ASSERT_STRING_EQUAL(order, "b");
    pp_loop_delete(loop);
}

static void fires_timers_in_order(void)
{
    begin();
    struct named a = named('a'), b = named('b'), c = named('c'), d = named('d');
    uint64_t start = pp_loop_now(loop);
    pp_loop_timer_start(loop, &c.timer, 6);
    pp_loop_timer_start(loop, &a.timer, 0);
    pp_loop_timer_start(loop, &b.timer, 3);
    pp_loop_timer_start(loop, &d.timer, 4);
    pp_loop_timer_stop(loop, &d.timer);
    pp_loop_timer_stop(loop, &d.timer);
    run_for(12);
    CU_ASSERT_STRING_EQUAL(order, "abc");
    CU_ASSERT_TRUE(pp_loop_now(loop) >= start + 12);
    pp_loop_delete(loop);
}

static void runs_again_after_it_was_stopped(void)
{
    begin();
    struct named a = named('a');
    pp_loop_stop(loop);
    pp_loop_run(loop); /* returns at once */
    pp_loop_timer_start(loop, &a.timer, 1);
    run_for(5);
    CU_ASSERT_STRING_EQUAL(order, "a");
    pp_loop_delete(loop);
}

static int steps;

static bool step(void *arg)
{
    steps++;
    if (steps == 5)
        pp_loop_stop(arg);
    return steps < 5;
}

static void works_while_nothing_waits(void)
{
    begin();
    steps = 0;
    run_for(1); /* a new loop has its own descriptors to watch first */
    pp_loop_set_idle(loop, step, loop);
    pp_loop_run(loop);
    CU_ASSERT_EQUAL(steps, 5);
    pp_loop_set_idle(loop, NULL, NULL);
    run_for(2);
    CU_ASSERT_EQUAL(steps, 5);
    pp_loop_delete(loop);
}

static void on_change(void *arg, const char *name)
{
    (void)arg;
    note(name != NULL && strcmp(name, "new") == 0 ? 'n' : '?');
}

static void tells_of_changes_in_a_folder(void)
{
    char folder[] = "/tmp/pp-loop-XXXXXX", path[64];
    struct pp_watch *watch;
    begin();
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    CU_ASSERT_EQUAL_FATAL(pp_loop_watch(loop, folder, on_change, NULL, &watch), 0);
    snprintf(path, sizeof path, "%s/new", folder);
    fclose(fopen(path, "w"));
    for (int i = 0; i < 500 && order[0] == '\0'; i++)
        run_for(2);
    CU_ASSERT_EQUAL(order[0], 'n');
    pp_loop_unwatch(watch);
    run_for(2);
    memset(order, 0, sizeof order);
    unlink(path);
    run_for(10);
    CU_ASSERT_STRING_EQUAL(order, "");
    rmdir(folder);
    CU_ASSERT_TRUE(pp_loop_watch(loop, folder, on_change, NULL, &watch) < 0);
    pp_loop_delete(loop);
}

static void ends_with_all_that_is_left_open(void)
{
    struct pp_watch *watch;
    begin();
    struct named a = named('a'), b = named('b');
    pp_loop_watch(loop, "/tmp", on_change, NULL, &watch);
    pp_loop_timer_start(loop, &a.timer, 100000);
    pp_loop_at_turn_end(loop, &b.task);
    pp_loop_delete(loop);
    CU_ASSERT_STRING_EQUAL(order, "b"); /* what was queued is still done */
}

static unsigned turns;

static void run_again(struct pp_turn_task *task)
{
    turns++;
    pp_loop_at_next_turn(loop, task);
}

/* A task that starts itself again and again would keep the loop to itself if this were the same turn. */
static void runs_tasks_of_the_next_turn_without_waiting(void)
{
    begin();
    struct pp_turn_task again = {.run = run_again};
    struct named a = named('a'), b = named('b'), gone = named('x');
    turns = 0;
    pp_loop_at_next_turn(loop, &again);
    pp_loop_at_next_turn(loop, &gone.task);
    pp_loop_at_next_turn(loop, &b.task);
    pp_loop_at_turn_end(loop, &a.task);
    pp_loop_forget_task(loop, &gone.task);
    run_for(5);
    CU_ASSERT_STRING_EQUAL(order, "ab");
    CU_ASSERT_TRUE(turns > 5);
    pp_loop_forget_task(loop, &again);
    pp_loop_delete(loop);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"runs tasks in order, each once", runs_tasks_in_order_once},
        {"runs what a timer queued", runs_what_a_timer_queued},
        {"forgets tasks wherever they stand", forgets_tasks_wherever_they_stand},
        {"fires timers in order", fires_timers_in_order},
        {"runs again after it was stopped", runs_again_after_it_was_stopped},
        {"works while nothing waits", works_while_nothing_waits},
        {"tells of changes in a folder", tells_of_changes_in_a_folder},
        {"ends with all that is left open", ends_with_all_that_is_left_open},
        {"runs tasks of the next turn without waiting", runs_tasks_of_the_next_turn_without_waiting},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/loop", tests);
}
