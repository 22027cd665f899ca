/* What worker and supervisor say to each other. */
#define _GNU_SOURCE
#include "harness.h"
#include "supervisor/post.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[PP_POST_MOST];
static int ends[2], fd;

static void open_post(void)
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_post(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void carries_texts_in_order(void)
{
    open_post();
    CU_ASSERT_EQUAL(pp_post_receive(ends[1], text, &fd), 0);
    CU_ASSERT_TRUE(pp_post_send(ends[0], "ping 1", -1));
    CU_ASSERT_TRUE(pp_post_send(ends[0], "ping 2", -1));
    CU_ASSERT_EQUAL(pp_post_receive(ends[1], text, &fd), 1);
    CU_ASSERT_STRING_EQUAL(text, "ping 1");
    CU_ASSERT_EQUAL(fd, -1);
    CU_ASSERT_EQUAL(pp_post_receive(ends[1], text, &fd), 1);
    CU_ASSERT_STRING_EQUAL(text, "ping 2");
    CU_ASSERT_EQUAL(pp_post_receive(ends[1], text, &fd), 0);
    close_post();
}

static void carries_a_descriptor(void)
{
    struct stat before, after;
    open_post();
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fstat(file, &before);
    CU_ASSERT_TRUE(pp_post_send(ends[0], "keep * 0", file));
    close(file);
    CU_ASSERT_EQUAL(pp_post_receive(ends[1], text, &fd), 1);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fstat(fd, &after), 0);
    CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
    CU_ASSERT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    close_post();
}

static void tells_that_the_other_side_is_gone(void)
{
    open_post();
    close(ends[0]);
    CU_ASSERT_EQUAL(pp_post_receive(ends[1], text, &fd), -1);
    CU_ASSERT_FALSE(pp_post_send(ends[1], "ready 1", -1));
    close(ends[1]);
}

static void never_waits_for_one_who_does_not_read(void)
{
    open_post();
    int sent = 0;
    while (sent < 1000000 && pp_post_send(ends[0], "ping 1", -1))
        sent++;
    CU_ASSERT_TRUE(sent > 64 && sent < 1000000);
    close_post();
}

static void refuses_what_would_be_cut_off(void)
{
    char longest[PP_POST_MOST + 1];
    open_post();
    memset(longest, 'x', sizeof longest);
    longest[PP_POST_MOST] = '\0';
    CU_ASSERT_FALSE(pp_post_send(ends[0], longest, -1));
    longest[PP_POST_MOST - 1] = '\0';
    CU_ASSERT_TRUE(pp_post_send(ends[0], longest, -1));
    CU_ASSERT_EQUAL(pp_post_receive(ends[1], text, &fd), 1);
    CU_ASSERT_STRING_EQUAL(text, longest);
    close_post();
}

static void tells_verbs_apart(void)
{
    CU_ASSERT_STRING_EQUAL(pp_post_after("ping 7", "ping"), "7");
    CU_ASSERT_STRING_EQUAL(pp_post_after("stopping", "stopping"), "");
    CU_ASSERT_PTR_NULL(pp_post_after("pings 7", "ping"));
    CU_ASSERT_PTR_NULL(pp_post_after("pin", "ping"));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"carries texts in order", carries_texts_in_order},
        {"carries a descriptor", carries_a_descriptor},
        {"tells that the other side is gone", tells_that_the_other_side_is_gone},
        {"never waits for one who does not read", never_waits_for_one_who_does_not_read},
        {"refuses what would be cut off", refuses_what_would_be_cut_off},
        {"tells verbs apart", tells_verbs_apart},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("supervisor/post", tests);
}
