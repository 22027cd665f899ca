/* The sockets that outlive a worker. */
#include "harness.h"
#include "supervisor/sockets.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pp_sockets sockets;

static int new_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    return fd;
}

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void gives_each_address_its_own_in_order(void)
{
    int first = new_socket(), second = new_socket(), other = new_socket();
    CU_ASSERT_TRUE(pp_sockets_keep(&sockets, "* 0", first));
    CU_ASSERT_TRUE(pp_sockets_keep(&sockets, "::1 0", other));
    CU_ASSERT_TRUE(pp_sockets_keep(&sockets, "* 0", second));
    CU_ASSERT_EQUAL(pp_sockets_take(&sockets, "* 0"), first);
    CU_ASSERT_EQUAL(pp_sockets_take(&sockets, "* 0"), second);
    CU_ASSERT_EQUAL(pp_sockets_take(&sockets, "* 0"), -1);
    CU_ASSERT_EQUAL(pp_sockets_take(&sockets, "::1 0"), other);
    CU_ASSERT_EQUAL(sockets.count, 0);
    close(first);
    close(second);
    close(other);
}

static void knows_a_socket_by_any_descriptor(void)
{
    int fd = new_socket(), stays = new_socket(), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    pp_sockets_keep(&sockets, "* 1", fd);
    pp_sockets_keep(&sockets, "* 2", stays);
    pp_sockets_drop(&sockets, pp_socket_inode(copy));
    CU_ASSERT_FALSE(is_open(fd));
    CU_ASSERT_TRUE(is_open(copy));
    CU_ASSERT_TRUE(is_open(stays));
    CU_ASSERT_EQUAL(sockets.count, 1);
    pp_sockets_drop(&sockets, 12345); /* of none */
    pp_sockets_drop_all(&sockets);
    CU_ASSERT_FALSE(is_open(stays));
    CU_ASSERT_EQUAL(sockets.count, 0);
    close(copy);
}

static void holds_no_more_than_its_table(void)
{
    char address[PP_SOCKETS_ADDRESS + 1];
    memset(address, 'x', sizeof address);
    address[PP_SOCKETS_ADDRESS] = '\0';
    int fd = new_socket();
    CU_ASSERT_FALSE(pp_sockets_keep(&sockets, address, fd));
    CU_ASSERT_FALSE(is_open(fd));
    for (int i = 0; i < PP_SOCKETS_MOST; i++)
        CU_ASSERT_TRUE(pp_sockets_keep(&sockets, address + 1, new_socket()));
    fd = new_socket();
    CU_ASSERT_FALSE(pp_sockets_keep(&sockets, "* 0", fd));
    CU_ASSERT_FALSE(is_open(fd));
    CU_ASSERT_FALSE(pp_sockets_keep(&sockets, "* 0", -1));
    pp_sockets_drop_all(&sockets);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"gives each address its own, in order", gives_each_address_its_own_in_order},
        {"knows a socket by any descriptor", knows_a_socket_by_any_descriptor},
        {"holds no more than its table", holds_no_more_than_its_table},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("supervisor/sockets", tests);
}
