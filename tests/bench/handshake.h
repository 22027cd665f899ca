// Opening one connection, in blocking steps: TCP, the HTTP upgrade, and for Socket.IO its own greeting.
#ifndef PP_BENCH_HANDSHAKE_H
#define PP_BENCH_HANDSHAKE_H

#include "message.h"

#include <netinet/in.h>
#include <stdio.h>

struct pp_bench_server {
    struct sockaddr_in address;
    const char *path; // of the upgrade request, query string and all
    FILE *paths;      // where not NULL: the next line of it instead
};

// Returns a non-blocking socket whose next byte is the first of a frame. Ends the program with a message where the
// server refuses, is silent for ten seconds, or answers with something else.
int pp_bench_open(const struct pp_bench_server *server, enum pp_bench_format format);

#endif
