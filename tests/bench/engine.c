// The epoll loop of the load generator; see engine.h.
//
// A sender's next 2 * inflight frames lie ready in its ring, so that whatever became due in one turn is one write:
//   | frame 0 | frame 1 | … | frame n-1 | frame 0 | frame 1 | …      at: where the next write begins, owed: its length
#include "engine.h"

#include "frame.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 20, CARRY_MAX = 1 << 16, EVENTS = 1024, SILENCE_SECONDS = 5 };

struct conn {
    int fd;
    uint32_t number;
    uint32_t first_id; // of the message its ring begins with
    bool sends, checked;
    uint8_t *ring;
    size_t ring_size; // of one half
    size_t at, owed;
    uint64_t *sent_at; // nanoseconds, in the order sent; answers come in that order
    uint32_t oldest;   // the entry of sent_at that the next answer belongs to
    uint64_t sent, received;
    uint8_t *carry; // the beginning of a frame that did not arrive whole, or NULL
    size_t carried;
    uint8_t pong[PP_BENCH_HEAD_MAX + 125];
    size_t pong_size; // of a pong not yet sent
};

struct engine {
    const struct pp_bench_plan *plan;
    struct pp_bench_result *result;
    struct conn *conns; // the idle ones first
    uint32_t count;
    size_t frame_size;
    int epoll;
    bool draining; // no new messages
    uint64_t now;  // nanoseconds
    uint8_t *buffer;
};

static uint64_t clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *must(void *memory)
{
    if (!memory)
        errx(1, "out of memory");
    return memory;
}

static void lost(const struct conn *conn, const char *why)
{
    errx(1, "connection %u after %llu answers: %s", conn->number, (unsigned long long)conn->received, why);
}

// --- sending

static void fill_ring(const struct engine *engine, struct conn *conn)
{
    const struct pp_bench_plan *plan = engine->plan;
    conn->sends = true;
    conn->first_id = conn->number * plan->inflight;
    conn->ring_size = plan->inflight * engine->frame_size;
    conn->ring = must(malloc(2 * conn->ring_size));
    conn->sent_at = must(calloc(plan->inflight, sizeof *conn->sent_at));
    for (uint32_t i = 0; i < plan->inflight; i++)
        pp_bench_message_write(plan->format, conn->first_id + i, plan->size, conn->ring + i * engine->frame_size);
    memcpy(conn->ring + conn->ring_size, conn->ring, conn->ring_size);
}

static size_t send_some(struct conn *conn, const uint8_t *data, size_t size)
{
    ssize_t sent = send(conn->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        lost(conn, strerror(errno));
    return sent < 0 ? 0 : (size_t)sent;
}

static void flush(struct engine *engine, struct conn *conn)
{
    if (conn->pong_size && !conn->owed) { // between frames only
        if (send_some(conn, conn->pong, conn->pong_size) != conn->pong_size)
            lost(conn, "no room for a pong");
        conn->pong_size = 0;
    }
    if (!conn->owed)
        return;
    size_t sent = send_some(conn, conn->ring + conn->at, conn->owed);
    conn->owed -= sent;
    conn->at += sent;
    if (conn->at >= conn->ring_size)
        conn->at -= conn->ring_size;
    engine->result->bytes_out += sent;
}

// Each of count messages takes the place of one that was answered, so the oldest entries of sent_at are free.
static void owe(struct engine *engine, struct conn *conn, uint32_t count)
{
    conn->owed += count * engine->frame_size;
    conn->sent += count;
}

// --- receiving

// The first answer has to be to the first message: a server that answers everything with errors is not fast.
static void check_answer(const struct engine *engine, struct conn *conn, const struct pp_bench_frame *frame)
{
    char tag[PP_BENCH_TAG];
    conn->checked = true;
    pp_bench_message_tag(
        engine->plan->mode == PP_BENCH_BROADCAST ? engine->conns[engine->plan->idle].first_id : conn->first_id, tag);
    if (!memmem(frame->payload, frame->length, tag, sizeof tag)) {
        int shown = frame->length < 300 ? (int)frame->length : 300;
        int skip = engine->plan->format == PP_BENCH_PAINDA && shown > 16 ? 16 : 0;
        errx(1, "the first answer is not to the first message: '%.*s'", shown - skip, frame->payload + skip);
    }
}

static void queue_pong(struct conn *conn, uint8_t opcode, const uint8_t *payload, size_t length)
{
    size_t head = pp_bench_head_write(conn->pong, opcode, length, true);
    memset(conn->pong + head, 0, 4); // a mask of zeros leaves the payload as it is
    memcpy(conn->pong + head + 4, payload, length);
    conn->pong_size = head + 4 + length;
}

static void take_message(struct engine *engine, struct conn *conn, const struct pp_bench_frame *frame)
{
    if (!conn->checked)
        check_answer(engine, conn, frame);
    conn->received++;
    engine->result->messages++;
    if (!conn->sends)
        return;
    if (conn->received > conn->sent)
        lost(conn, "more answers than messages");
    uint64_t *stamp = &conn->sent_at[conn->oldest];
    pp_bench_histogram_add(&engine->result->latency, engine->now - *stamp);
    *stamp = engine->now;
    if (++conn->oldest == engine->plan->inflight)
        conn->oldest = 0;
    if (!engine->draining)
        owe(engine, conn, 1);
}

// A server that recovers sessions begins with a message of its own.
static bool is_greeting(const struct engine *engine, const struct conn *conn, const struct pp_bench_frame *frame)
{
    return engine->plan->format == PP_BENCH_PAINDA && conn->received == 0 && frame->length > 40 &&
           memcmp(frame->payload + 16, "{\"type\":\"__pp_session\"", 22) == 0;
}

// Where nobody sends.
static void count_message(struct engine *engine, struct conn *conn)
{
    if (engine->plan->format == PP_BENCH_COLYSEUS && conn->received == 0)
        queue_pong(conn, PP_BENCH_BINARY, (const uint8_t *)"\n", 1);
    conn->received++;
    engine->result->messages++;
}

static void take_frame(struct engine *engine, struct conn *conn, const struct pp_bench_frame *frame)
{
    bool engine_ping = engine->plan->format == PP_BENCH_SOCKETIO && frame->length == 1 && frame->payload[0] == '2';
    if (engine_ping)
        queue_pong(conn, PP_BENCH_TEXT, (const uint8_t *)"3", 1);
    else if (frame->opcode <= PP_BENCH_BINARY && engine->plan->mode >= PP_BENCH_HOLD)
        count_message(engine, conn);
    else if (frame->opcode <= PP_BENCH_BINARY && !is_greeting(engine, conn, frame))
        take_message(engine, conn, frame);
    else if (frame->opcode == PP_BENCH_PING && frame->length <= 125)
        queue_pong(conn, PP_BENCH_PONG, frame->payload, (size_t)frame->length);
    else if (frame->opcode == PP_BENCH_CLOSE) {
        char why[64];
        uint64_t code = frame->length >= 2 ? pp_bench_read_be(frame->payload, 2) : 1005;
        snprintf(why, sizeof why, "the server closed it with code %llu", (unsigned long long)code);
        lost(conn, why);
    }
}

static void keep_rest(struct conn *conn, const uint8_t *rest, size_t size)
{
    if (size > CARRY_MAX)
        lost(conn, "an answer is longer than 64 KiB");
    if (size && !conn->carry)
        conn->carry = must(malloc(CARRY_MAX));
    if (size)
        memcpy(conn->carry, rest, size);
    conn->carried = size;
}

// One read. Returns whether there may be more: with edge-triggered epoll a short read is the sign of an empty socket.
static bool receive(struct engine *engine, struct conn *conn)
{
    if (conn->carried)
        memcpy(engine->buffer, conn->carry, conn->carried);
    ssize_t got = recv(conn->fd, engine->buffer + conn->carried, READ_SIZE, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0)
        lost(conn, got ? strerror(errno) : "the server closed the socket");
    engine->now = clock_now();
    engine->result->bytes_in += (uint64_t)got;
    const uint8_t *data = engine->buffer;
    size_t size = conn->carried + (size_t)got, used;
    struct pp_bench_frame frame;
    while ((used = pp_bench_frame_parse(data, size, &frame)) > 0) {
        take_frame(engine, conn, &frame);
        data += used;
        size -= used;
    }
    keep_rest(conn, data, size);
    return got == READ_SIZE;
}

static void turn(struct engine *engine, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(engine->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct conn *conn = events[i].data.ptr;
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            while (receive(engine, conn))
                ;
        flush(engine, conn);
    }
}

// --- the run

static void watch(struct engine *engine, struct conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        err(1, "epoll");
}

static void start(struct engine *engine, const struct pp_bench_plan *plan, struct pp_bench_result *result)
{
    *engine = (struct engine){.plan = plan, .result = result, .count = plan->idle + plan->connections};
    engine->frame_size = pp_bench_message_frame_size(plan->size);
    engine->buffer = must(malloc(READ_SIZE + CARRY_MAX));
    engine->conns = must(calloc(engine->count, sizeof *engine->conns));
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < engine->count; i++) {
        struct conn *conn = &engine->conns[i];
        conn->number = i;
        conn->fd = pp_bench_open(&plan->server, plan->format);
        watch(engine, conn);
    }
}

static void finish(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->count; i++) {
        struct conn *conn = &engine->conns[i];
        close(conn->fd);
        free(conn->ring);
        free(conn->sent_at);
        free(conn->carry);
    }
    close(engine->epoll);
    free(engine->conns);
    free(engine->buffer);
}

static void begin_sending(struct engine *engine)
{
    const struct pp_bench_plan *plan = engine->plan;
    uint32_t all = plan->mode == PP_BENCH_LISTEN ? 0 : plan->connections;
    uint32_t senders = plan->mode == PP_BENCH_BROADCAST ? 1 : all;
    for (uint32_t i = plan->idle; i < plan->idle + senders; i++)
        fill_ring(engine, &engine->conns[i]);
    engine->now = clock_now();
    for (uint32_t i = plan->idle; i < plan->idle + senders; i++) {
        struct conn *conn = &engine->conns[i];
        for (uint32_t k = 0; k < plan->inflight; k++)
            conn->sent_at[k] = engine->now;
        owe(engine, conn, plan->inflight);
        flush(engine, conn);
    }
}

// Turns for this long, and ends the program where a server falls silent.
static void turn_for(struct engine *engine, double seconds)
{
    uint64_t begin = clock_now(), seen = engine->result->messages, last = begin;
    uint64_t until = begin + (uint64_t)(seconds * 1e9);
    for (uint64_t now = begin; now < until; now = clock_now()) {
        turn(engine, engine->plan->spin ? 0 : 50);
        if (seen != engine->result->messages) {
            seen = engine->result->messages;
            last = now;
        } else if (now - last > SILENCE_SECONDS * 1000000000ull) {
            errx(1, "the server has answered nothing for %d seconds", SILENCE_SECONDS);
        }
    }
}

static uint64_t count_missing(const struct engine *engine)
{
    uint64_t missing = 0;
    if (engine->plan->mode == PP_BENCH_LISTEN)
        return 0;
    for (uint32_t i = engine->plan->idle; i < engine->count; i++) {
        bool broadcast = engine->plan->mode == PP_BENCH_BROADCAST;
        missing += engine->conns[broadcast ? engine->plan->idle : i].sent - engine->conns[i].received;
    }
    return missing;
}

// Everything that was sent has to come back, after the end of the measured time too.
static uint64_t drain(struct engine *engine)
{
    struct pp_bench_result uncounted = {0};
    engine->result = &uncounted;
    engine->draining = true;
    uint64_t until = clock_now() + 1000000000u;
    while (count_missing(engine) && clock_now() < until)
        turn(engine, 10);
    return count_missing(engine);
}

static double own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Processor seconds of another process, 0 where they cannot be read.
static double cpu_of(int pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = pid ? fopen(path, "r") : NULL;
    if (!file)
        return 0;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *name_end = strrchr(text, ')');
    if (!name_end || sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void pp_bench_run(const struct pp_bench_plan *plan, struct pp_bench_result *result)
{
    struct engine engine;
    start(&engine, plan, result);
    begin_sending(&engine);
    turn_for(&engine, plan->warmup);
    memset(result, 0, sizeof *result);
    double load_before = own_cpu(), server_before = cpu_of(plan->server_pid);
    uint64_t begin = clock_now();
    turn_for(&engine, plan->seconds);
    result->seconds = 1e-9 * (double)(clock_now() - begin);
    result->load_cpu = (own_cpu() - load_before) / result->seconds;
    result->server_cpu = (cpu_of(plan->server_pid) - server_before) / result->seconds;
    result->missing = drain(&engine);
    finish(&engine);
}

void pp_bench_hold(const struct pp_bench_plan *plan)
{
    struct engine engine;
    struct pp_bench_result result = {0};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    start(&engine, plan, &result);
    printf("{\"connected\": %u}\n", engine.count);
    fflush(stdout);
    do
        turn(&engine, plan->spin ? 0 : 50);
    while (poll(&input, 1, 0) <= 0 || read(STDIN_FILENO, &byte, 1) > 0);
    finish(&engine);
}
