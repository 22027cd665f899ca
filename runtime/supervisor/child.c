/* One worker process. It begins anew with execve, so that nothing which a crash has told of addresses holds for the
 * next. */
#define _GNU_SOURCE
#include "supervisor/child.h"

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/post.h"
#include "supervisor/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* In the new process. Its signals stay blocked until it listens for them. */
_Noreturn static void become_worker(char **argv, int post, int pulse)
{
    char descriptors[32];
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    fcntl(post, F_SETFD, 0);
    fcntl(pulse, F_SETFD, 0);
    snprintf(descriptors, sizeof descriptors, "%d %d", post, pulse);
    setenv(PP_WORKER_VARIABLE, descriptors, 1);
    execv("/proc/self/exe", argv);
    pp_log(PP_LOG_ERROR, "the worker can't be run: %s (painda run --no-supervisor does without)", strerror(errno));
    _exit(1);
}

static void hand_down(int post, const struct pp_sockets *sockets)
{
    char text[PP_POST_MOST];
    for (unsigned i = 0; i < sockets->count; i++) {
        snprintf(text, sizeof text, "socket %s", sockets->kept[i].address);
        pp_post_send(post, text, sockets->kept[i].fd);
    }
    pp_post_send(post, "begin", -1);
}

static bool failed_to(const char *what)
{
    pp_log(PP_LOG_ERROR, "no worker can be started: %s: %s", what, strerror(errno));
    return false;
}

bool pp_child_start(struct pp_child *child, char **argv, const struct pp_sockets *sockets)
{
    int ends[2];
    *child = (struct pp_child){.post = -1, .started = pp_clock_ms()};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return failed_to("socketpair");
    int pulse = pp_pulse_create(&child->pulse);
    hand_down(ends[0], sockets);
    child->pid = pulse < 0 ? -1 : fork();
    if (child->pid == 0)
        become_worker(argv, ends[1], pulse);
    bool started = child->pid > 0 || failed_to(pulse < 0 ? "memfd_create" : "fork");
    child->post = ends[0];
    close(ends[1]);
    if (pulse >= 0)
        close(pulse);
    if (!started)
        pp_child_forget(child);
    return started;
}

/* Its state, as a letter of proc(5), and the ms of processor time that it has used; '?' where that can't be told. */
static char state_of(pid_t pid, uint64_t *cpu)
{
    char path[40], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return '?';
    size_t len = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[len] = '\0';
    const char *name_end = strrchr(line, ')'); /* the name may hold anything */
    unsigned long user, kernel;
    char state;
    if (name_end == NULL ||
        sscanf(name_end, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state, &user, &kernel) != 3)
        return '?';
    *cpu = (user + kernel) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    return state;
}

void pp_child_look(struct pp_child *child, uint64_t ms)
{
    char text[32];
    uint64_t before = child->cpu;
    char state = state_of(child->pid, &child->cpu);
    if (child->pulse->answered == child->ping) {
        child->hung = 0;
        child->ping++;
        snprintf(text, sizeof text, "ping %u", (unsigned)child->ping);
        pp_post_send(child->post, text, -1);
    } else if (state == 'R') {
        child->hung += child->cpu - before;
    } else if (state != 'T' && state != 't') {
        child->hung += ms;
    }
}

static void add(struct pp_log_field *fields, size_t *count, const char *key, const char *value)
{
    if (key != NULL && *value != '\0')
        fields[(*count)++] = (struct pp_log_field){key, value, strlen(value)};
}

void pp_child_log(const struct pp_child *child, const char *text, const char *generation, const char *extra,
                  const char *value)
{
    struct pp_log_field fields[6];
    size_t count = 0;
    const struct pp_pulse *pulse = child->pulse;
    char what[PP_PULSE_TEXT] = "none", type[PP_PULSE_TEXT] = "", where[sizeof pulse->where], pid[16];
    if (pp_pulse_is_in_lua(pulse))
        pp_pulse_read(pulse->what, sizeof pulse->what, what, sizeof what);
    uint32_t place = pulse->type;
    if (strcmp(what, "message") == 0 && place < PP_PULSE_TYPES)
        pp_pulse_read(pulse->types[place], PP_PULSE_TEXT, type, sizeof type);
    pp_pulse_read(pulse->where, sizeof pulse->where, where, sizeof where);
    snprintf(pid, sizeof pid, "%d", (int)child->pid);
    add(fields, &count, "handler", what);
    add(fields, &count, "type", type);
    add(fields, &count, "at", where);
    add(fields, &count, "generation", generation);
    add(fields, &count, extra, value);
    add(fields, &count, "pid", pid);
    pp_log_write(PP_LOG_ERROR, text, strlen(text), fields, count);
}

void pp_child_forget(struct pp_child *child)
{
    if (child->post >= 0)
        close(child->post);
    pp_pulse_destroy(child->pulse);
    *child = (struct pp_child){.post = -1};
}
