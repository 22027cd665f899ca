/* The frozen clock. It is moved in the prepare step of a turn, one due time each, so that sockets are looked at between
 * any two. */
#include "net/loop_clock.h"

#include "net/loop_internal.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET_TURNS 2
#define LOST_MS 1000 /* a datagram that takes longer is lost */

static void fire_at_once(struct pp_loop *loop)
{
    struct pp_timer *list = loop->clock.at_once, *timer;
    loop->clock.at_once = NULL;
    if (list == NULL)
        return;
    list->link = &list; /* else cancelling the newest would write to the loop */
    pp_timer_reverse(&list);
    while ((timer = list) != NULL) { /* what they start at once has its turn in the next one */
        pp_timer_take(timer);
        timer->fire(timer);
    }
}

static void finish(struct pp_loop *loop)
{
    void (*done)(void *arg) = loop->clock.done;
    loop->clock.done = NULL;
    if (done != NULL)
        done(loop->clock.arg);
}

/* To the next time at which something is due, or that a timer is moved within the wheel. */
static void move(struct pp_loop *loop)
{
    struct pp_loop_clock *clock = &loop->clock;
    uint64_t next = pp_wheel_next(&loop->timers.wheel);
    if (next > clock->target)
        next = clock->target;
    if (next > clock->now)
        clock->now = next;
    pp_wheel_advance(&loop->timers.wheel, clock->now);
}

/* A datagram socket of the loopback that is connected to itself, or -1. */
static int open_marker(void)
{
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof self;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        (bind(fd, (struct sockaddr *)&self, len) != 0 || getsockname(fd, (struct sockaddr *)&self, &len) != 0 ||
         connect(fd, (struct sockaddr *)&self, len) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* What was written to a socket of the loopback is at its other end at once as a rule, and later where the system is
 * busy. Packets pass it in their order: once a datagram has come back, what was written before is there. */
static void let_arrive(struct pp_loop_clock *clock)
{
    char byte = 0;
    if (clock->marker < 0)
        clock->marker = open_marker();
    struct pollfd poller = {.fd = clock->marker, .events = POLLIN};
    if (send(clock->marker, &byte, 1, 0) == 1 && poll(&poller, 1, LOST_MS) > 0)
        recv(clock->marker, &byte, 1, MSG_DONTWAIT);
}

/* One quiet turn is not enough: what a handler has asked libuv to watch is looked at from the next on. */
static bool is_quiet(struct pp_loop *loop)
{
    struct pp_loop_clock *clock = &loop->clock;
    if (clock->wrote)
        let_arrive(clock);
    clock->quiet = pp_loop_is_quiet(loop) ? clock->quiet + 1 : 0;
    if (clock->quiet < QUIET_TURNS)
        return false;
    clock->wrote = false;
    clock->quiet = 0;
    return true;
}

bool pp_loop_clock_step(struct pp_loop *loop)
{
    struct pp_loop_clock *clock = &loop->clock;
    pp_wheel_advance(&loop->timers.wheel, clock->now); /* what was due when the clock was frozen */
    bool rests = clock->at_once == NULL && loop->later.first == NULL;
    bool moving = clock->done != NULL && rests && is_quiet(loop);
    if (clock->at_once != NULL)
        fire_at_once(loop);
    else if (moving && clock->now < clock->target)
        move(loop);
    else if (moving)
        finish(loop);
    pp_loop_run_tasks(loop);
    return clock->done != NULL || clock->at_once != NULL;
}

void pp_loop_clock_freeze(struct pp_loop *loop)
{
    if (loop->clock.frozen)
        return;
    loop->clock.now = (pp_loop_now_ns(loop) + 999999) / 1000000; /* never back, not by what a turn has taken */
    loop->clock.target = loop->clock.now;
    loop->clock.frozen = true;
    loop->timers.armed = UINT64_MAX;
    uv_timer_stop(&loop->timers.handle);
}

bool pp_loop_clock_frozen(const struct pp_loop *loop)
{
    return loop->clock.frozen;
}

bool pp_loop_clock_advance(struct pp_loop *loop, uint64_t ms, void (*done)(void *arg), void *arg)
{
    struct pp_loop_clock *clock = &loop->clock;
    if (!clock->frozen || clock->done != NULL)
        return false;
    clock->target = clock->now + ms;
    clock->done = done;
    clock->arg = arg;
    return true;
}

void pp_loop_clock_thaw(struct pp_loop *loop)
{
    struct pp_loop_clock *clock = &loop->clock;
    if (!clock->frozen)
        return;
    clock->ahead = clock->now - uv_now(&loop->uv);
    clock->frozen = false;
    pp_timer_reverse(&clock->at_once);
    while (clock->at_once != NULL)
        pp_loop_timer_start(loop, clock->at_once, 0);
    finish(loop);
}
