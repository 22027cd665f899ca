/* What a worker and its supervisor say to each other: short texts over a pair of sockets, each with a descriptor or
 * none.
 *
 *     to the worker      socket ADDRESS (and a listening socket)    begin (all of those were sent)
 *                        ping N                                     signal N
 *     to the supervisor  keep ADDRESS (and a listening socket)      drop INODE
 *                        ready GENERATION                           reloading            stopping
 *                        hard-timeout MS                            load-timeout MS
 *                        log-level LEVEL                            log-format FORMAT */
#ifndef PP_SUPERVISOR_POST_H
#define PP_SUPERVISOR_POST_H

#include <stdbool.h>

#define PP_POST_MOST 256 /* bytes of a text and the NUL behind it */

/* Sends `text`, and the descriptor where it is not -1; it stays the caller's. Never waits: false where the other side
 * is gone, does not read, or the text is too long. */
bool pp_post_send(int post, const char *text, int fd);

/* Takes the next text: 1, or 0 where none waits, or -1 where the other side is gone. `fd` gets the descriptor that came
 * with it, which is the caller's now, or -1. Never waits. */
int pp_post_receive(int post, char text[PP_POST_MOST], int *fd);

/* What stands behind `verb` and a space in the text, or NULL where it begins otherwise. */
const char *pp_post_after(const char *text, const char *verb);

#endif
