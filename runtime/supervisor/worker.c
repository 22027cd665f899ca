/* The worker's end of the post. */
#include "supervisor/worker.h"

#include "base/log.h"
#include "supervisor/notify.h"
#include "supervisor/post.h"
#include "supervisor/pulse.h"
#include "supervisor/sockets.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int post = -1;
static void (*on_signal)(int signum);
static struct pp_sockets inherited;

/* False where the supervisor is gone. */
static bool inherit_sockets(void)
{
    char text[PP_POST_MOST];
    int fd, got;
    while ((got = pp_post_receive(post, text, &fd)) > 0 && strcmp(text, "begin") != 0)
        pp_sockets_keep(&inherited, pp_post_after(text, "socket"), fd);
    return got >= 0;
}

bool pp_worker_begin(void)
{
    const char *given = getenv(PP_WORKER_VARIABLE);
    int pulse;
    bool is_worker = given != NULL && sscanf(given, "%d %d", &post, &pulse) == 2;
    unsetenv(PP_WORKER_VARIABLE);
    if (!is_worker) {
        post = -1;
        return false;
    }
    fcntl(post, F_SETFD, FD_CLOEXEC);
    pp_pulse_attach(pulse);
    close(pulse);
    prctl(PR_SET_NAME, "painda-worker"); /* for ps(1): execve has named it after /proc/self/exe */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!inherit_sockets()) /* it has died before it could take us with it */
        _exit(1);
    return true;
}

int pp_worker_post(void)
{
    return post;
}

void pp_worker_on_signal(void (*caught)(int signum))
{
    on_signal = caught;
}

void pp_worker_answer(void)
{
    char text[PP_POST_MOST];
    int fd;
    while (pp_post_receive(post, text, &fd) > 0) {
        const char *rest;
        if ((rest = pp_post_after(text, "ping")) != NULL)
            pp_pulse->answered = (uint32_t)strtoul(rest, NULL, 10);
        else if ((rest = pp_post_after(text, "signal")) != NULL && on_signal != NULL)
            on_signal((int)strtol(rest, NULL, 10));
    }
}

void pp_worker_tell(const char *format, ...)
{
    char text[PP_POST_MOST];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (post >= 0) {
        pp_post_send(post, text, -1);
        return;
    }
    char *space = strchr(text, ' ');
    if (space != NULL)
        *space = '\0';
    pp_notify(text, NULL);
}

int pp_worker_take_socket(const char *address)
{
    return pp_sockets_take(&inherited, address);
}

void pp_worker_keep_socket(const char *address, int fd)
{
    char text[PP_POST_MOST];
    if (post < 0)
        return;
    bool fits = strlen(address) < PP_SOCKETS_ADDRESS;
    snprintf(text, sizeof text, "keep %.*s", PP_SOCKETS_ADDRESS, address);
    if (!fits || !pp_post_send(post, text, fd))
        pp_log(PP_LOG_WARN, "the supervisor could not be given the socket of %s: after a crash it opens anew", address);
}

void pp_worker_drop_socket(int fd)
{
    if (post < 0)
        return;
    /* The supervisor's descriptor would keep it accepting into a queue that nobody empties. */
    shutdown(fd, SHUT_RDWR);
    pp_worker_tell("drop %" PRIu64, pp_socket_inode(fd));
}

void pp_worker_is_ready(int generation)
{
    for (unsigned i = 0; i < inherited.count; i++)
        pp_worker_drop_socket(inherited.kept[i].fd);
    pp_sockets_drop_all(&inherited);
    pp_worker_tell("ready %d", generation);
}
