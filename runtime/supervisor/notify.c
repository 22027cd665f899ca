/* Datagrams to the service manager. */
#define _GNU_SOURCE
#include "supervisor/notify.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un manager;
static socklen_t manager_len; /* 0: there is none */
static uint64_t watchdog_ms;

/* A number of the environment, taken out of it; 0 where it is none. */
static uint64_t take_number(const char *name)
{
    const char *text = getenv(name);
    uint64_t number = text ? strtoull(text, NULL, 10) : 0;
    unsetenv(name);
    return number;
}

static void take_address(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    if (len > 1 && len < sizeof manager.sun_path && (*path == '/' || *path == '@')) {
        manager.sun_family = AF_UNIX;
        memcpy(manager.sun_path, path, len);
        if (*path == '@')
            manager.sun_path[0] = '\0';
        manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    } else if (len > 0) {
        pp_log(PP_LOG_WARN, "the service manager is told nothing: NOTIFY_SOCKET is no path of a Unix socket");
    }
    unsetenv("NOTIFY_SOCKET");
}

void pp_notify_begin(void)
{
    take_address();
    uint64_t pid = take_number("WATCHDOG_PID"), us = take_number("WATCHDOG_USEC");
    if (pid == 0 || pid == (uint64_t)getpid())
        watchdog_ms = us / 1000;
}

uint64_t pp_notify_watchdog_ms(void)
{
    return manager_len > 0 ? watchdog_ms : 0;
}

static void send_text(const char *text)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&manager, manager_len) < 0)
        pp_log(PP_LOG_WARN, "the service manager could not be told: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

void pp_notify(const char *state, const char *status)
{
    char text[512], line[256] = "";
    if (manager_len == 0)
        return;
    if (status != NULL)
        snprintf(line, sizeof line, "STATUS=%s\n", status);
    if (strcmp(state, "ready") == 0)
        snprintf(text, sizeof text, "READY=1\n%s", line);
    else if (strcmp(state, "reloading") == 0)
        snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n%s", pp_clock_ns() / 1000, line);
    else if (strcmp(state, "stopping") == 0)
        snprintf(text, sizeof text, "STOPPING=1\n%s", line);
    else if (strcmp(state, "watchdog") == 0)
        snprintf(text, sizeof text, "WATCHDOG=1\n%s", line);
    else
        return;
    send_text(text);
}
