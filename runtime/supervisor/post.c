/* Texts and descriptors over a SOCK_SEQPACKET socket. */
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include "supervisor/post.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

bool pp_post_send(int post, const char *text, int fd)
{
    size_t len = strlen(text);
    if (len >= PP_POST_MOST)
        return false;
    struct iovec piece = {.iov_base = (void *)text, .iov_len = len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    union control control = {.head = {.cmsg_len = 0}};
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        control.head =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    return sendmsg(post, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

int pp_post_receive(int post, char text[PP_POST_MOST], int *fd)
{
    struct iovec piece = {.iov_base = text, .iov_len = PP_POST_MOST - 1};
    union control control;
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t len;
    *fd = -1;
    do
        len = recvmsg(post, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    if (len <= 0)
        return len < 0 && errno == EAGAIN ? 0 : -1;
    text[len] = '\0';
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(head), sizeof *fd);
    return 1;
}

const char *pp_post_after(const char *text, const char *verb)
{
    size_t len = strlen(verb);
    if (strncmp(text, verb, len) != 0 || (text[len] != ' ' && text[len] != '\0'))
        return NULL;
    return text[len] == ' ' ? text + len + 1 : text + len;
}
