/* Threads that come and go: each tells the loop of its end, and is joined there. */
#include "net/work.h"

#include "base/memory.h"
#include "net/loop_internal.h"

#include <signal.h>
#include <stdlib.h>

struct pp_work {
    uv_thread_t thread;
    uv_async_t ended;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void run(void *arg)
{
    struct pp_work *self = arg;
    self->work(self->arg);
    uv_async_send(&self->ended);
}

static void free_work(uv_handle_t *handle)
{
    free(handle->data);
}

void pp_work_end(struct pp_work *work)
{
    uv_thread_join(&work->thread);
    uv_close((uv_handle_t *)&work->ended, free_work);
}

static void on_ended(uv_async_t *handle)
{
    struct pp_work *self = handle->data;
    void (*done)(void *) = self->done;
    void *arg = self->arg;
    pp_work_end(self);
    done(arg);
}

/* Signals are the loop's thread's: what it is in the middle of is looked at from some of their handlers. */
static int start_without_signals(struct pp_work *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = uv_thread_create(&self->thread, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

struct pp_work *pp_work_start(struct pp_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct pp_work *self = pp_calloc(1, sizeof *self);
    self->work = work;
    self->done = done;
    self->arg = arg;
    self->ended.data = self;
    if (uv_async_init(&loop->uv, &self->ended, on_ended) != 0) {
        free(self);
        return NULL;
    }
    if (start_without_signals(self) != 0) {
        uv_close((uv_handle_t *)&self->ended, free_work);
        return NULL;
    }
    return self;
}
