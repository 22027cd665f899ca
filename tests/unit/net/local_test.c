/* Unix sockets for tools: who is let in, what is there afterwards, and peers that do not read. */
#include "harness.h"
#include "net/local.h"
#include "net/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

struct server {
    struct pp_loop *loop;
    struct pp_local_listener *listener;
    struct pp_local *last;
    struct pp_timer guard;
    char received[64];
    int accepted, closed;
    bool echo;
    pid_t pid;
};

static void *on_accepted(void *owner, struct pp_local *local, pid_t pid)
{
    struct server *server = owner;
    server->accepted++;
    server->pid = pid;
    server->last = local;
    return server;
}

static void on_received(void *arg, const char *bytes, size_t len)
{
    struct server *server = arg;
    snprintf(server->received, sizeof server->received, "%.*s", (int)len, bytes);
    if (server->echo)
        pp_local_write(server->last, bytes, len);
    pp_loop_stop(server->loop);
}

static void on_closed(void *arg)
{
    struct server *server = arg;
    server->closed++;
    server->last = NULL;
    pp_loop_stop(server->loop);
}

static const struct pp_local_ops ops = {on_accepted, on_received, on_closed};

static void open_server(struct server *server)
{
    snprintf(folder, sizeof folder, "/tmp/pp-local-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/here.sock", folder);
    *server = (struct server){.loop = pp_loop_new()};
    CU_ASSERT_EQUAL_FATAL(pp_local_listen(server->loop, path, &ops, server, &server->listener), 0);
}

static void close_server(struct server *server)
{
    if (server->listener != NULL)
        pp_local_unlisten(server->listener);
    pp_loop_delete(server->loop);
    CU_ASSERT_EQUAL(rmdir(folder), 0); /* nothing was left in it */
}

static void echoes_to_its_owner(void)
{
    struct server server;
    struct stat file;
    char answer[16];
    open_server(&server);
    server.echo = true;
    CU_ASSERT_EQUAL(stat(path, &file), 0);
    CU_ASSERT_EQUAL(file.st_mode & 0777, 0600);
    int fd = pp_local_dial(path);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pp_local_read(fd, answer, sizeof answer, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(pp_local_send(fd, "hello", 5, 0), 0);
    pp_loop_run(server.loop);
    CU_ASSERT_EQUAL(pp_local_read(fd, answer, sizeof answer, 1000), 5);
    CU_ASSERT_EQUAL(memcmp(answer, "hello", 5), 0);
    CU_ASSERT_EQUAL(server.pid, getpid());
    close(fd);
    pp_loop_run(server.loop);
    CU_ASSERT_EQUAL(server.closed, 1);
    close_server(&server);
}

static void takes_the_place_of_nobody_who_listens_and_of_no_other_file(void)
{
    struct server first;
    struct pp_local_listener *none;
    char other[128];
    open_server(&first);
    CU_ASSERT_EQUAL(pp_local_listen(first.loop, path, &ops, &first, &none), -EADDRINUSE);
    int fd = pp_local_dial(path);
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
    snprintf(other, sizeof other, "%s/data", folder);
    FILE *file = fopen(other, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fclose(file);
    CU_ASSERT_EQUAL(pp_local_listen(first.loop, other, &ops, &first, &none), -EEXIST);
    CU_ASSERT_EQUAL(unlink(other), 0);
    close_server(&first);
}

static void goes_only_with_its_own_file(void)
{
    struct server first, second;
    open_server(&first);
    CU_ASSERT_EQUAL(unlink(path), 0);
    second = (struct server){.loop = first.loop};
    CU_ASSERT_EQUAL_FATAL(pp_local_listen(first.loop, path, &ops, &second, &second.listener), 0);
    pp_local_unlisten(first.listener);
    first.listener = NULL;
    int fd = pp_local_dial(path); /* the second's is still there */
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
    pp_local_unlisten(second.listener);
    CU_ASSERT_EQUAL(pp_local_dial(path), -ENOENT);
    close_server(&first);
}

static void refuses_paths_that_cannot_be(void)
{
    struct server server;
    struct pp_local_listener *none;
    char longer[200];
    open_server(&server);
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CU_ASSERT_EQUAL(pp_local_listen(server.loop, longer, &ops, &server, &none), -ENAMETOOLONG);
    CU_ASSERT_EQUAL(pp_local_dial(longer), -ENAMETOOLONG);
    CU_ASSERT_EQUAL(pp_local_listen(server.loop, "/nowhere/here.sock", &ops, &server, &none), -ENOENT);
    close_server(&server);
}

static void closes_who_does_not_read(void)
{
    static char much[1 << 20];
    struct server server;
    open_server(&server);
    int fd = pp_local_dial(path);
    CU_ASSERT_EQUAL(pp_local_send(fd, "x", 1, 0), 0);
    pp_loop_run(server.loop);
    for (int i = 0; i < 16 && server.last != NULL; i++)
        pp_local_write(server.last, much, sizeof much);
    CU_ASSERT_EQUAL(server.closed, 1);
    close(fd);
    close_server(&server);
}

static void has_room_for_so_many(void)
{
    struct server server;
    int fds[PP_LOCAL_MAX + 1];
    char byte;
    open_server(&server);
    for (int i = 0; i <= PP_LOCAL_MAX; i++) {
        fds[i] = pp_local_dial(path);
        CU_ASSERT_TRUE(fds[i] >= 0);
        pp_local_send(fds[i], "x", 1, 0);
        if (i < PP_LOCAL_MAX)
            pp_loop_run(server.loop);
    }
    pp_local_write(server.last, "y", 1); /* wakes the loop for the last: whoever is served reads */
    close(fds[0]);
    while (server.closed == 0)
        pp_loop_run(server.loop);
    CU_ASSERT_EQUAL(server.accepted, PP_LOCAL_MAX);
    ssize_t n = pp_local_read(fds[PP_LOCAL_MAX], &byte, 1, 5000);
    CU_ASSERT_TRUE(n == 0 || n == -ECONNRESET);
    for (int i = 1; i <= PP_LOCAL_MAX; i++)
        close(fds[i]);
    close_server(&server);
}

static void closes_its_connections_with_it(void)
{
    struct server server;
    char byte;
    open_server(&server);
    int fd = pp_local_dial(path);
    pp_local_send(fd, "x", 1, 0);
    pp_loop_run(server.loop);
    pp_local_unlisten(server.listener);
    server.listener = NULL;
    CU_ASSERT_EQUAL(server.closed, 1);
    close_server(&server);
    CU_ASSERT_EQUAL(pp_local_read(fd, &byte, 1, 1000), 0);
    close(fd);
}

int main(void)
{
    return pp_run_suite("net/local", (CU_TestInfo[]){{"echoes to its owner", echoes_to_its_owner},
                                                     {"takes the place of nobody who listens, and of no other file",
                                                      takes_the_place_of_nobody_who_listens_and_of_no_other_file},
                                                     {"goes only with its own file", goes_only_with_its_own_file},
                                                     {"refuses paths that cannot be", refuses_paths_that_cannot_be},
                                                     {"closes who does not read", closes_who_does_not_read},
                                                     {"has room for so many", has_room_for_so_many},
                                                     {"closes its connections with it", closes_its_connections_with_it},
                                                     CU_TEST_INFO_NULL});
}
