/* Listening sockets, and what is said where there can be none. */
#include "harness.h"
#include "net/bind.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char error[256];

static int connect_to(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static void listens_on(const char *host)
{
    int fd = pp_bind(host, 0, error, sizeof error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    int port = pp_bound_port(fd);
    CU_ASSERT_TRUE(port > 0 && port < 65536);
    int client = connect_to(port);
    CU_ASSERT_TRUE(client >= 0);
    close(client);
    close(fd);
    CU_ASSERT_EQUAL(connect_to(port), -1);
}

static void listens_on_any_free_port(void)
{
    listens_on("127.0.0.1");
    listens_on(NULL); /* IPv6, and IPv4 with it */
    listens_on("");
}

static void says_that_a_port_is_taken(void)
{
    int fd = pp_bind("127.0.0.1", 0, error, sizeof error);
    char expected[100];
    snprintf(expected, sizeof expected, "cannot listen on port %d of 127.0.0.1: Address already in use",
             pp_bound_port(fd));
    CU_ASSERT_EQUAL(pp_bind("127.0.0.1", pp_bound_port(fd), error, sizeof error), -1);
    CU_ASSERT_EQUAL(strncmp(error, expected, strlen(expected)), 0);
    close(fd);
}

static void says_that_a_host_is_not_here(void)
{
    CU_ASSERT_EQUAL(pp_bind("192.0.2.1", 0, error, sizeof error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "192.0.2.1"));
    CU_ASSERT_EQUAL(pp_bind("not a host", 0, error, sizeof error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "not a host"));
}

static void listens_on_a_unix_socket(void)
{
    char host[64];
    snprintf(host, sizeof host, "unix:/tmp/pp-bind-%d", (int)getpid());
    int fd = pp_bind(host, 0, error, sizeof error);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pp_bound_port(fd), 0);
    CU_ASSERT_EQUAL(pp_bind(host, 0, error, sizeof error), -1); /* somebody answers there */
    CU_ASSERT_PTR_NOT_NULL(strstr(error, host));
    close(fd);
    fd = pp_bind(host, 0, error, sizeof error); /* left over from a process that is gone */
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
    unlink(host + 5);
}

static void leaves_files_alone_that_are_no_sockets(void)
{
    char path[] = "/tmp/pp-bind-XXXXXX", host[64];
    close(mkstemp(path));
    snprintf(host, sizeof host, "unix:%s", path);
    struct stat st;
    CU_ASSERT_EQUAL(pp_bind(host, 0, error, sizeof error), -1);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    unlink(path);
}

static void refuses_paths_of_a_wrong_length(void)
{
    char host[300] = "unix:/";
    CU_ASSERT_EQUAL(pp_bind("unix:", 0, error, sizeof error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "1 to 107 bytes, not 0"));
    memset(host + 6, 'x', 200);
    CU_ASSERT_EQUAL(pp_bind(host, 0, error, sizeof error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "not 201"));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"listens on any free port", listens_on_any_free_port},
        {"says that a port is taken", says_that_a_port_is_taken},
        {"says that a host is not here", says_that_a_host_is_not_here},
        {"listens on a Unix socket, and takes over one that was left", listens_on_a_unix_socket},
        {"leaves files alone that are no sockets", leaves_files_alone_that_are_no_sockets},
        {"refuses paths of a wrong length", refuses_paths_of_a_wrong_length},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/bind", tests);
}
