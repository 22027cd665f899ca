/* The supervisor's own loop: signals, what the worker says, and three times at which something is due. */
#define _GNU_SOURCE
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/child.h"
#include "supervisor/notify.h"
#include "supervisor/post.h"
#include "supervisor/sockets.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define HARD_TIMEOUT 10000 /* ms; until the worker has read its command line */
#define LOAD_TIMEOUT 30000
#define LOOKS 10        /* at the loop within that time */
#define LOOK_MS 1000    /* where hangs are not looked for */
#define MERCY 1000      /* ms from SIGABRT to SIGKILL, and from the second wish to end to the end */
#define FIRST_DELAY 100 /* ms; twice as much each time */
#define LONGEST_DELAY 10000
#define LIVED 10000 /* ms after which a crash is no longer one in a row */
#define NEVER UINT64_MAX

struct supervisor {
    char **argv;
    int signals;
    struct pp_child child;
    struct pp_sockets sockets;
    char generation[16];
    uint64_t hard_timeout, load_timeout, look_every; /* ms */
    uint64_t look_at, start_at, kill_at;             /* NEVER: not due */
    uint64_t feed_at;                                /* the watchdog: at the first look from then on */
    unsigned crashes;                                /* in a row */
    bool loading;                                    /* the application, which may take load_timeout more */
    bool stopping;                                   /* as it was told to */
    bool served;                                     /* an application was loaded, by whichever worker */
    int exit_code;                                   /* -1: it goes on */
};

static void set_looks(struct supervisor *self)
{
    uint64_t watchdog = pp_notify_watchdog_ms() / 4;
    self->look_every = self->hard_timeout > 0 ? (self->hard_timeout + LOOKS - 1) / LOOKS : LOOK_MS;
    if (watchdog > 0 && watchdog < self->look_every)
        self->look_every = watchdog;
    self->look_at = pp_clock_ms() + self->look_every;
}

static void start_worker(struct supervisor *self)
{
    self->start_at = NEVER;
    if (!pp_child_start(&self->child, self->argv, &self->sockets)) {
        self->exit_code = 1;
        return;
    }
    self->loading = true;
    set_looks(self);
}

/* --- what the worker says --- */

static void on_ready(struct supervisor *self, const char *generation)
{
    bool again = self->served && !self->child.ready;
    snprintf(self->generation, sizeof self->generation, "%s", generation);
    self->served = self->child.ready = true;
    self->loading = false;
    if (again)
        pp_log(PP_LOG_WARN, "the application serves again");
    char status[40];
    snprintf(status, sizeof status, "serving generation %s", self->generation);
    pp_notify("ready", status);
}

static void on_text(struct supervisor *self, const char *text, int fd)
{
    const char *rest;
    if ((rest = pp_post_after(text, "keep")) != NULL) {
        if (!pp_sockets_keep(&self->sockets, rest, fd))
            pp_log(PP_LOG_WARN, "the supervisor holds no more than %d sockets: %s would not outlive a crash",
                   PP_SOCKETS_MOST, rest);
        return;
    }
    if (fd >= 0)
        close(fd);
    if ((rest = pp_post_after(text, "drop")) != NULL)
        pp_sockets_drop(&self->sockets, strtoull(rest, NULL, 10));
    else if ((rest = pp_post_after(text, "ready")) != NULL)
        on_ready(self, rest);
    else if ((rest = pp_post_after(text, "log-level")) != NULL)
        pp_log_set_level(rest);
    else if ((rest = pp_post_after(text, "log-format")) != NULL)
        pp_log_set_format(rest);
    else if ((rest = pp_post_after(text, "hard-timeout")) != NULL) {
        self->hard_timeout = strtoull(rest, NULL, 10);
        set_looks(self);
    } else if ((rest = pp_post_after(text, "load-timeout")) != NULL)
        self->load_timeout = strtoull(rest, NULL, 10);
    else {
        self->loading = self->loading || strcmp(text, "reloading") == 0;
        pp_notify(text, NULL);
    }
}

static void hear(struct supervisor *self)
{
    char text[PP_POST_MOST];
    int fd, got = 0;
    while (self->child.post >= 0 && (got = pp_post_receive(self->child.post, text, &fd)) > 0)
        on_text(self, text, fd);
    if (got < 0) { /* it has ended, as SIGCHLD will say */
        close(self->child.post);
        self->child.post = -1;
    }
}

/* --- the end of a worker --- */

static uint64_t delay_after(unsigned crashes)
{
    if (crashes < 2)
        return 0;
    uint64_t delay = crashes < 16 ? (uint64_t)FIRST_DELAY << (crashes - 2) : LONGEST_DELAY;
    return delay < LONGEST_DELAY ? delay : LONGEST_DELAY;
}

static void log_crash(const struct supervisor *self, int signum)
{
    char text[200], name[24];
    const char *abbreviation = sigabbrev_np(signum);
    snprintf(name, sizeof name, "SIG%s", abbreviation ? abbreviation : "?");
    if (self->child.ending)
        snprintf(text, sizeof text, "the worker hung: its loop had not turned for %d ms, so it was ended (%s)",
                 (int)(self->hard_timeout + (self->loading ? self->load_timeout : 0)),
                 self->loading ? "hard-timeout and load-timeout" : "hard-timeout");
    else
        snprintf(text, sizeof text, "the worker crashed%s",
                 signum == SIGKILL ? " (the system kills so where memory has run out)" : "");
    pp_child_log(&self->child, text, self->generation, "signal", name);
}

static void on_crash(struct supervisor *self, int signum)
{
    uint64_t now = pp_clock_ms();
    log_crash(self, signum);
    if (self->stopping || !self->served) {
        self->exit_code = 128 + signum;
        return;
    }
    self->crashes = now - self->child.started < LIVED ? self->crashes + 1 : 1;
    uint64_t delay = delay_after(self->crashes);
    self->start_at = now + delay;
    if (self->crashes > 1)
        pp_log(PP_LOG_WARN, "the worker has crashed %u times in a row: the next one starts in %d ms", self->crashes,
               (int)delay);
}

static void on_end(struct supervisor *self, int status)
{
    hear(self); /* its last words */
    if (WIFEXITED(status))
        self->exit_code = WEXITSTATUS(status);
    else
        on_crash(self, WTERMSIG(status));
    self->kill_at = NEVER;
    pp_child_forget(&self->child);
}

/* As the first process of a container it has orphans of others to bury, too. */
static void reap(struct supervisor *self)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == self->child.pid)
            on_end(self, status);
}

/* --- signals --- */

/* Said over the post and not with kill(2): what signals a whole group, as a terminal or systemd does, has signalled the
 * worker itself, which so tells one wish from two. A second wish is granted whatever the worker does. */
static void on_signal(struct supervisor *self, int signum)
{
    char text[32];
    if (signum == SIGCHLD)
        return;
    if (signum != SIGHUP) {
        if (self->stopping)
            self->kill_at = pp_clock_ms() + MERCY;
        self->stopping = true;
    }
    snprintf(text, sizeof text, "signal %d", signum);
    if (self->child.pid > 0)
        pp_post_send(self->child.post, text, -1);
    else if (self->stopping)
        self->exit_code = 0;
}

static void hear_signals(struct supervisor *self)
{
    struct signalfd_siginfo signal;
    while (self->exit_code < 0 && read(self->signals, &signal, sizeof signal) == sizeof signal)
        on_signal(self, (int)signal.ssi_signo);
    reap(self);
}

static int open_signals(void)
{
    static const int heard[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) {
        signal(heard[i], SIG_DFL); /* what is ignored, as by nohup(1), would not be heard */
        sigaddset(&set, heard[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --- what is due --- */

/* Twice within the time that the service manager gives. */
static void feed_watchdog(struct supervisor *self)
{
    uint64_t now = pp_clock_ms();
    if (pp_notify_watchdog_ms() == 0 || now < self->feed_at)
        return;
    pp_notify("watchdog", NULL);
    self->feed_at = now + pp_notify_watchdog_ms() / 2 - self->look_every;
}

static void look(struct supervisor *self)
{
    struct pp_child *child = &self->child;
    uint64_t limit = self->hard_timeout + (self->loading ? self->load_timeout : 0);
    self->look_at = pp_clock_ms() + self->look_every;
    if (child->pid > 0)
        pp_child_look(child, self->look_every);
    if (child->hung == 0)
        feed_watchdog(self);
    if (self->hard_timeout == 0 || child->ending || child->hung < limit)
        return;
    child->ending = true;
    self->kill_at = pp_clock_ms() + MERCY;
    kill(child->pid, SIGABRT);
}

static void do_what_is_due(struct supervisor *self)
{
    uint64_t now = pp_clock_ms();
    if (now >= self->start_at)
        start_worker(self);
    if (now >= self->kill_at) {
        self->kill_at = NEVER;
        if (self->child.pid > 0)
            kill(self->child.pid, SIGKILL);
    }
    if (now >= self->look_at)
        look(self);
}

static int until_due(const struct supervisor *self)
{
    uint64_t now = pp_clock_ms(), due = self->look_at;
    due = self->start_at < due ? self->start_at : due;
    due = self->kill_at < due ? self->kill_at : due;
    return due == NEVER ? -1 : due <= now ? 0 : (int)(due - now);
}

static void wait_for_news(struct supervisor *self)
{
    struct pollfd fds[] = {{.fd = self->signals, .events = POLLIN}, {.fd = self->child.post, .events = POLLIN}};
    if (poll(fds, 2, until_due(self)) < 0 && errno != EINTR)
        pp_log(PP_LOG_WARN, "the supervisor can't wait: %s", strerror(errno));
    if (fds[1].revents != 0)
        hear(self);
    hear_signals(self);
}

int pp_supervise(char **argv)
{
    struct supervisor self = {.argv = argv,
                              .signals = open_signals(),
                              .child = {.post = -1},
                              .hard_timeout = HARD_TIMEOUT,
                              .load_timeout = LOAD_TIMEOUT,
                              .look_at = NEVER,
                              .start_at = NEVER,
                              .kill_at = NEVER,
                              .exit_code = -1};
    start_worker(&self);
    while (self.exit_code < 0) {
        wait_for_news(&self);
        if (self.exit_code < 0)
            do_what_is_due(&self);
    }
    pp_sockets_drop_all(&self.sockets);
    close(self.signals);
    return self.exit_code;
}
