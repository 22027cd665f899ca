// The load itself: connections that keep a number of messages in flight, one epoll loop, and what it counted.
#ifndef PP_BENCH_ENGINE_H
#define PP_BENCH_ENGINE_H

#include "handshake.h"
#include "histogram.h"

#include <stdbool.h>

enum pp_bench_mode {
    PP_BENCH_ECHO,      // every connection sends; each answer, of any kind, lets it send one more
    PP_BENCH_BROADCAST, // the first connection sends; what arrives at any is counted, its own copy lets it send one
                        // more
    PP_BENCH_HOLD,      // nobody sends; the connections stay open until standard input closes
    PP_BENCH_LISTEN,    // nobody sends; what arrives is counted
};

struct pp_bench_plan {
    struct pp_bench_server server;
    enum pp_bench_format format;
    enum pp_bench_mode mode;
    uint32_t connections; // at least 1
    uint32_t idle;        // opened before the others, send nothing
    uint32_t inflight;    // messages a sender has under way
    uint32_t size;        // bytes of a message
    double warmup, seconds;
    bool spin;      // never sleep in epoll_wait: steadier latencies, one core always busy
    int server_pid; // whose processor time is read, or 0
};

struct pp_bench_result {
    struct pp_bench_histogram latency; // as the senders saw it
    uint64_t messages;                 // answers or deliveries
    uint64_t bytes_in, bytes_out;      // frames with their heads
    uint64_t missing;                  // what had still not come one second after the end
    double seconds;                    // as long as it really took
    double load_cpu, server_cpu;       // share of one core
};

// Runs the plan. Ends the program with a message on any failure: a connection lost, a wrong first answer, silence.
void pp_bench_run(const struct pp_bench_plan *plan, struct pp_bench_result *result);

// PP_BENCH_HOLD: opens, prints one line of JSON, waits for the end of standard input, meanwhile answering pings.
void pp_bench_hold(const struct pp_bench_plan *plan);

#endif
