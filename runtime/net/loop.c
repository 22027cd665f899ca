/* The loop on libuv. A turn's work ends twice: after the sockets (check) and after the timers (prepare). */
#include "net/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/conn_internal.h"
#include "net/loop_internal.h"
#include "net/lws.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct signal_watch {
    uv_signal_t handle;
    void (*caught)(void *arg, int signum);
    void *arg;
};

struct pp_watch {
    uv_fs_event_t handle;
    void (*changed)(void *arg, const char *name);
    void *arg;
};

static void append(struct pp_turn_tasks *tasks, struct pp_turn_task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    *tasks->tail = task;
    tasks->tail = &task->next;
}

void pp_loop_at_turn_end(struct pp_loop *loop, struct pp_turn_task *task)
{
    append(&loop->tasks, task);
}

void pp_loop_at_next_turn(struct pp_loop *loop, struct pp_turn_task *task)
{
    append(&loop->later, task);
}

static bool take_off(struct pp_turn_tasks *tasks, struct pp_turn_task *task)
{
    struct pp_turn_task **link = &tasks->first;
    while (*link != task && *link != NULL)
        link = &(*link)->next;
    if (*link == NULL)
        return false;
    *link = task->next;
    if (tasks->tail == &task->next)
        tasks->tail = link;
    return true;
}

void pp_loop_forget_task(struct pp_loop *loop, struct pp_turn_task *task)
{
    if (task->queued && !take_off(&loop->tasks, task))
        take_off(&loop->later, task);
    task->queued = false;
}

void pp_loop_run_tasks(struct pp_loop *loop)
{
    struct pp_turn_task *task;
    while ((task = loop->tasks.first) != NULL) {
        loop->tasks.first = task->next;
        if (loop->tasks.first == NULL)
            loop->tasks.tail = &loop->tasks.first;
        else
            __builtin_prefetch(loop->tasks.first);
        task->queued = false;
        task->run(task);
    }
}

static void on_check(uv_check_t *check)
{
    struct pp_loop *loop = check->data;
    if (loop->later.first != NULL) {
        *loop->tasks.tail = loop->later.first;
        loop->tasks.tail = loop->later.tail;
        loop->later.first = NULL;
        loop->later.tail = &loop->later.first;
    }
    pp_loop_run_tasks(loop);
}

static void on_spin(uv_idle_t *spin)
{
    (void)spin;
}

static void spin_while(struct pp_loop *loop, bool more)
{
    if (more)
        uv_idle_start(&loop->spin, on_spin);
    else
        uv_idle_stop(&loop->spin);
}

static void on_timers(uv_timer_t *handle)
{
    struct pp_loop *loop = handle->data;
    loop->timers.armed = UINT64_MAX;
    if (!loop->clock.frozen)
        pp_wheel_advance(&loop->timers.wheel, pp_loop_time(loop));
}

static void on_guards(uv_timer_t *handle)
{
    struct pp_loop *loop = handle->data;
    loop->guards.armed = UINT64_MAX;
    pp_wheel_advance(&loop->guards.wheel, uv_now(&loop->uv));
}

/* Wakes the loop for the next timer. `now` is the time on the clock of the timers. */
static void arm(struct pp_loop_timers *timers, uint64_t now, void (*fire)(uv_timer_t *handle))
{
    uint64_t due = pp_wheel_next(&timers->wheel);
    if (due == timers->armed)
        return;
    timers->armed = due;
    if (due == UINT64_MAX)
        uv_timer_stop(&timers->handle);
    else
        uv_timer_start(&timers->handle, fire, due > now ? due - now : 0, 0);
}

static void arm_timers(struct pp_loop *loop)
{
    arm(&loop->guards, uv_now(&loop->uv), on_guards);
    if (!loop->clock.frozen)
        arm(&loop->timers, pp_loop_time(loop), on_timers);
}

bool pp_loop_is_quiet(struct pp_loop *loop)
{
    struct pollfd poller = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};
    return poll(&poller, 1, 0) == 0;
}

static bool nothing_waits(struct pp_loop *loop)
{
    return loop->running && pp_loop_is_quiet(loop) && uv_backend_timeout(&loop->uv) != 0;
}

static void do_idle_work(struct pp_loop *loop)
{
    while (nothing_waits(loop)) {
        bool more = loop->idle_step(loop->idle_arg);
        pp_loop_run_tasks(loop);
        spin_while(loop, loop->later.first != NULL);
        uv_update_time(&loop->uv);
        arm_timers(loop);
        if (!more)
            break;
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct pp_loop *loop = prepare->data;
    pp_loop_run_tasks(loop);
    bool more = loop->clock.frozen && pp_loop_clock_step(loop);
    spin_while(loop, more || loop->later.first != NULL);
    arm_timers(loop);
    if (loop->turns != NULL)
        pp_loop_turn_ends(loop);
    if (loop->idle_step != NULL)
        do_idle_work(loop);
    if (loop->turns != NULL)
        pp_loop_turn_begins(loop);
}

static void open_timers(struct pp_loop *loop, struct pp_loop_timers *timers)
{
    uv_timer_init(&loop->uv, &timers->handle);
    timers->handle.data = loop;
    timers->armed = UINT64_MAX;
    pp_wheel_create(&timers->wheel, uv_now(&loop->uv));
}

struct pp_loop *pp_loop_new(void)
{
    struct pp_loop *loop = pp_calloc(1, sizeof *loop);
    uv_loop_init(&loop->uv);
    loop->uv.data = loop;
    uv_check_init(&loop->uv, &loop->check);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_idle_init(&loop->uv, &loop->spin);
    loop->check.data = loop->prepare.data = loop;
    uv_check_start(&loop->check, on_check);
    uv_prepare_start(&loop->prepare, on_prepare);
    open_timers(loop, &loop->timers);
    open_timers(loop, &loop->guards);
    loop->tasks.tail = &loop->tasks.first;
    loop->later.tail = &loop->later.first;
    loop->parked_fd = -1;
    loop->clock.marker = -1;
    loop->running = true;
    return loop;
}

void pp_loop_run(struct pp_loop *loop)
{
    while (loop->running)
        uv_run(&loop->uv, UV_RUN_ONCE);
    loop->running = true;
}

void pp_loop_stop(struct pp_loop *loop)
{
    loop->running = false;
    uv_stop(&loop->uv);
}

uint64_t pp_loop_now(const struct pp_loop *loop)
{
    return pp_loop_time(loop);
}

uint64_t pp_loop_now_ns(const struct pp_loop *loop)
{
    if (loop->clock.frozen)
        return loop->clock.now * 1000000;
    return pp_clock_ns() + loop->clock.ahead * 1000000;
}

void pp_loop_timer_start(struct pp_loop *loop, struct pp_timer *timer, uint64_t after)
{
    pp_loop_timer_stop(loop, timer);
    /* The wheel has been at this time already, and the clock may stay there. */
    if (loop->clock.frozen && after == 0) {
        timer->due = loop->clock.now;
        pp_timer_push(&loop->clock.at_once, timer);
    } else { /* the wheel may be behind the clock by as long as nothing was due */
        pp_wheel_add(&loop->timers.wheel, timer, pp_loop_time(loop) + after);
    }
}

void pp_loop_guard_start(struct pp_loop *loop, struct pp_timer *timer, uint64_t after)
{
    pp_loop_timer_stop(loop, timer);
    pp_wheel_add(&loop->guards.wheel, timer, pp_clock_ms() + 1 + after);
}

void pp_loop_timer_stop(struct pp_loop *loop, struct pp_timer *timer)
{
    /* A wheel has to be told where it loses the last of a slot. */
    char *link = (char *)timer->link, *guards = (char *)&loop->guards.wheel;
    bool guard = link >= guards && link < guards + sizeof loop->guards.wheel;
    pp_wheel_cancel(guard ? &loop->guards.wheel : &loop->timers.wheel, timer);
}

void pp_loop_set_idle(struct pp_loop *loop, bool (*step)(void *arg), void *arg)
{
    loop->idle_step = step;
    loop->idle_arg = arg;
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct signal_watch *watch = handle->data;
    watch->caught(watch->arg, signum);
}

void pp_loop_on_signal(struct pp_loop *loop, int signum, void (*caught)(void *arg, int signum), void *arg)
{
    struct signal_watch *watch = pp_calloc(1, sizeof *watch);
    watch->caught = caught;
    watch->arg = arg;
    watch->handle.data = watch;
    uv_signal_init(&loop->uv, &watch->handle);
    uv_signal_start(&watch->handle, on_signal, signum);
    uv_unref((uv_handle_t *)&watch->handle);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct pp_loop *loop = handle->data;
    (void)events;
    if (status == 0)
        loop->readable();
    else
        uv_poll_stop(handle);
}

void pp_loop_on_readable(struct pp_loop *loop, int fd, void (*readable)(void))
{
    loop->readable = readable;
    uv_poll_init(&loop->uv, &loop->listened, fd);
    loop->listened.data = loop;
    uv_poll_start(&loop->listened, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&loop->listened);
}

static void on_fs_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct pp_watch *watch = handle->data;
    (void)events;
    if (status == 0)
        watch->changed(watch->arg, name);
}

static void free_handle_data(uv_handle_t *handle)
{
    free(handle->data);
}

int pp_loop_watch(struct pp_loop *loop, const char *directory, void (*changed)(void *arg, const char *name), void *arg,
                  struct pp_watch **watch_out)
{
    struct pp_watch *watch = pp_calloc(1, sizeof *watch);
    watch->changed = changed;
    watch->arg = arg;
    watch->handle.data = watch;
    uv_fs_event_init(&loop->uv, &watch->handle);
    int failed = uv_fs_event_start(&watch->handle, on_fs_event, directory, 0);
    if (failed) {
        uv_close((uv_handle_t *)&watch->handle, free_handle_data);
        return failed;
    }
    *watch_out = watch;
    return 0;
}

void pp_loop_unwatch(struct pp_watch *watch)
{
    uv_close((uv_handle_t *)&watch->handle, free_handle_data);
}

static void close_leftover(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (uv_is_closing(handle))
        return;
    bool ours = handle->type == UV_SIGNAL || handle->type == UV_FS_EVENT;
    uv_close(handle, ours && handle->data != NULL ? free_handle_data : NULL);
}

void pp_loop_delete(struct pp_loop *loop)
{
    pp_conn_drop_closing(loop);
    pp_loop_run_tasks(loop);
    pp_lws_close(loop);
    pp_loop_run_tasks(loop); /* what has just left libwebsockets */
    pp_conn_drop_closing(loop);
    pp_loop_run_tasks(loop);
    uv_walk(&loop->uv, close_leftover, NULL);
    /* A stop that nobody has consumed yet would end the first run at once. */
    for (int i = 0; i < 100 && uv_run(&loop->uv, UV_RUN_NOWAIT) != 0; i++) {
    }
    if (loop->parked_fd >= 0)
        close(loop->parked_fd);
    if (loop->clock.marker >= 0)
        close(loop->clock.marker);
    if (uv_loop_close(&loop->uv) == 0)
        free(loop);
    else /* a look-up in a thread of libuv's may still write to it */
        pp_log(PP_LOG_DEBUG, "the event loop was left with work under way");
}
