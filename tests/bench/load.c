// bench_load: opens WebSocket connections to one server, keeps messages in flight, prints one line of JSON.
// It does next to nothing for a message, so that the server is what is measured. Run it with --help.
#include "engine.h"

#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "bench_load --port N [options]: load for a WebSocket server on 127.0.0.1\n"
    "  --mode echo|broadcast|hold|listen   what counts as an answer; hold: idle until stdin closes\n"
    "  --format painda|json|socketio|colyseus (of which the last only listens)\n"
    "  --connections N (100)        --idle N (0) more, silent\n"
    "  --inflight N (16)            messages a sender has under way\n"
    "  --size BYTES (80)            of a message, the 16-byte header of a painda frame in it\n"
    "  --seconds S (3)              --warmup S (1)\n"
    "  --path PATH                  of the upgrade request\n"
    "  --paths FILE                 the same, one a line, for each connection its own\n"
    "  --spin                       never sleep while waiting\n"
    "  --server-pid PID             whose processor time to report\n";

static double number(const char *text, const char *name, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || value < least || value > most)
        errx(2, "--%s takes a number from %g to %g, not '%s'", name, least, most, text);
    return value;
}

static int choice(const char *text, const char *name, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    errx(2, "--%s does not know '%s' (see --help)", name, text);
}

static const struct option options[] = {
    {"mode", 1, 0, 'm'},       {"format", 1, 0, 'f'},   {"connections", 1, 0, 'c'},
    {"idle", 1, 0, 'i'},       {"inflight", 1, 0, 'd'}, {"size", 1, 0, 'b'},
    {"seconds", 1, 0, 's'},    {"warmup", 1, 0, 'w'},   {"path", 1, 0, 'u'},
    {"port", 1, 0, 'p'},       {"spin", 0, 0, 'x'},     {"help", 0, 0, 'h'},
    {"server-pid", 1, 0, 'P'}, {"paths", 1, 0, 'U'},    {0},
};

static void take_option(struct pp_bench_plan *plan, int letter, const char *name)
{
    static const char *const modes[] = {"echo", "broadcast", "hold", "listen"};
    static const char *const formats[] = {"painda", "json", "socketio", "colyseus"};
    switch (letter) {
    case 'm':
        plan->mode = (enum pp_bench_mode)choice(optarg, name, modes, 4);
        break;
    case 'f':
        plan->format = (enum pp_bench_format)choice(optarg, name, formats, 4);
        break;
    case 'c':
        plan->connections = (uint32_t)number(optarg, name, 1, 60000);
        break;
    case 'i':
        plan->idle = (uint32_t)number(optarg, name, 0, 60000);
        break;
    case 'd':
        plan->inflight = (uint32_t)number(optarg, name, 1, 10000);
        break;
    case 'b':
        plan->size = (uint32_t)number(optarg, name, 1, PP_BENCH_MESSAGE_MAX);
        break;
    case 's':
        plan->seconds = number(optarg, name, 0.01, 3600);
        break;
    case 'w':
        plan->warmup = number(optarg, name, 0, 3600);
        break;
    case 'u':
        plan->server.path = optarg;
        break;
    case 'U':
        plan->server.paths = fopen(optarg, "r");
        if (!plan->server.paths)
            err(2, "--paths %s", optarg);
        break;
    case 'p':
        plan->server.address.sin_port = htons((uint16_t)number(optarg, name, 1, 65535));
        break;
    case 'P':
        plan->server_pid = (int)number(optarg, name, 1, 1 << 30);
        break;
    case 'x':
        plan->spin = true;
        break;
    case 'h':
        fputs(help, stdout);
        exit(0);
    default:
        exit(2);
    }
}

static struct pp_bench_plan parse(int argc, char **argv)
{
    struct pp_bench_plan plan = {.connections = 100, .inflight = 16, .size = 80, .seconds = 3, .warmup = 1};
    plan.server.address.sin_family = AF_INET;
    plan.server.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int letter, which = 0;
    while ((letter = getopt_long(argc, argv, "", options, &which)) != -1)
        take_option(&plan, letter, options[which].name);
    if (optind < argc)
        errx(2, "unknown argument '%s' (see --help)", argv[optind]);
    if (!plan.server.address.sin_port)
        errx(2, "--port is missing (see --help)");
    if (!plan.server.path)
        plan.server.path = plan.format == PP_BENCH_SOCKETIO ? "/socket.io/?EIO=4&transport=websocket" : "/";
    if (plan.format == PP_BENCH_COLYSEUS && plan.mode < PP_BENCH_HOLD)
        errx(2, "this format only listens (see --help)");
    if (plan.size < pp_bench_message_least(plan.format))
        errx(2, "--size is at least %zu for this format", pp_bench_message_least(plan.format));
    return plan;
}

static void print(const struct pp_bench_plan *plan, const struct pp_bench_result *result)
{
    const struct pp_bench_histogram *latency = &result->latency;
    printf("{\"connections\": %u, \"idle\": %u, \"inflight\": %u, \"size\": %u, \"seconds\": %.3f, ", plan->connections,
           plan->idle, plan->inflight, plan->size, result->seconds);
    printf("\"messages\": %llu, \"rate\": %.0f, \"bytes_in\": %llu, \"bytes_out\": %llu, \"missing\": %llu, ",
           (unsigned long long)result->messages, (double)result->messages / result->seconds,
           (unsigned long long)result->bytes_in, (unsigned long long)result->bytes_out,
           (unsigned long long)result->missing);
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"load_cpu\": %.2f, \"server_cpu\": %.2f}\n",
           1e-3 * (double)pp_bench_histogram_at(latency, 0.5), 1e-3 * (double)pp_bench_histogram_at(latency, 0.99),
           1e-3 * (double)latency->max, result->load_cpu, result->server_cpu);
}

int main(int argc, char **argv)
{
    struct pp_bench_plan plan = parse(argc, argv);
    if (plan.mode == PP_BENCH_HOLD) {
        pp_bench_hold(&plan);
        return 0;
    }
    static struct pp_bench_result result;
    pp_bench_run(&plan, &result);
    print(&plan, &result);
    return 0;
}
