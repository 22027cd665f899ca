/* Work beside the loop: on another thread, told of in the loop, and waited for by an owner that goes. */
#include "harness.h"
#include "net/loop.h"
#include "net/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static struct pp_loop *loop;

struct job {
    pthread_t thread; /* on which it worked */
    bool worked, was_told, hears_signals;
    int slow_ms;
    int *left; /* jobs: the last stops the loop */
};

static void work(void *arg)
{
    struct job *job = arg;
    sigset_t blocked;
    usleep((useconds_t)job->slow_ms * 1000);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    job->hears_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGABRT);
    job->thread = pthread_self();
    job->worked = true;
}

static void done(void *arg)
{
    struct job *job = arg;
    CU_ASSERT_TRUE(job->worked);
    CU_ASSERT_FALSE(job->was_told);
    job->was_told = true;
    if (--*job->left == 0)
        pp_loop_stop(loop);
}

static void works_on_other_threads_and_tells_the_loop(void)
{
    struct job jobs[8] = {0};
    int left = 8;
    loop = pp_loop_new();
    for (int i = 0; i < 8; i++) {
        jobs[i].left = &left;
        CU_ASSERT_PTR_NOT_NULL(pp_work_start(loop, work, done, &jobs[i]));
    }
    for (int i = 0; i < 8; i++)
        CU_ASSERT_FALSE(jobs[i].was_told); /* in the loop, and not before it runs */
    pp_loop_run(loop);
    for (int i = 0; i < 8; i++) {
        CU_ASSERT_TRUE(jobs[i].was_told);
        CU_ASSERT_FALSE(jobs[i].hears_signals);
        CU_ASSERT_FALSE(pthread_equal(jobs[i].thread, pthread_self()));
    }
    pp_loop_delete(loop);
}

static void leaves_the_signals_of_the_loops_thread_alone(void)
{
    struct job job = {.left = &(int){1}};
    sigset_t before, after;
    loop = pp_loop_new();
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    pp_work_start(loop, work, done, &job);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    CU_ASSERT_EQUAL(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
    pp_loop_run(loop);
    pp_loop_delete(loop);
}

static void is_waited_for_and_not_told_of_where_its_owner_goes(void)
{
    struct job slow = {.slow_ms = 30}, quick = {0};
    loop = pp_loop_new();
    struct pp_work *first = pp_work_start(loop, work, done, &slow), *second = pp_work_start(loop, work, done, &quick);
    usleep(5000);
    pp_work_end(second); /* it may have ended, and said so */
    pp_work_end(first);
    CU_ASSERT_TRUE(slow.worked);
    CU_ASSERT_TRUE(quick.worked);
    pp_loop_delete(loop);
    CU_ASSERT_FALSE(slow.was_told);
    CU_ASSERT_FALSE(quick.was_told);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"works on other threads and tells the loop", works_on_other_threads_and_tells_the_loop},
        {"leaves the signals of the loop's thread alone", leaves_the_signals_of_the_loops_thread_alone},
        {"is waited for, and not told of, where its owner goes", is_waited_for_and_not_told_of_where_its_owner_goes},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/work", tests);
}
