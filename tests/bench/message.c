// Builds the messages of the load; see message.h.
#include "message.h"

#include "frame.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const envelope = "{\"type\":\"echo\",\"payload\":{\"x\":%u.5,\"y\":-%u.25,\"name\":\"%.*s";
static const char *const event = "42[\"echo\",{\"x\":%u.5,\"y\":-%u.25,\"name\":\"%.*s";

void pp_bench_message_tag(uint32_t id, char tag[PP_BENCH_TAG])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (int i = PP_BENCH_TAG - 1; i >= 0; i--, id /= 36)
        tag[i] = digits[id % 36];
}

// The JSON of one message: its head up to the tag, then filling, then the brackets that close it.
static void write_json(enum pp_bench_format format, uint32_t id, size_t size, char *out)
{
    const char *end = format == PP_BENCH_SOCKETIO ? "\"}]" : "\"}}";
    char head[96], tag[PP_BENCH_TAG];
    pp_bench_message_tag(id, tag);
    int written = snprintf(head, sizeof head, format == PP_BENCH_SOCKETIO ? event : envelope, 100 + id % 900, id % 10,
                           PP_BENCH_TAG, tag);
    memset(out, 'x', size);
    memcpy(out, head, (size_t)written);
    memcpy(out + size - 3, end, 3);
}

static size_t json_least(enum pp_bench_format format)
{
    return format == PP_BENCH_SOCKETIO ? 53 : 64;
}

static size_t header_size(enum pp_bench_format format)
{
    return format == PP_BENCH_PAINDA ? 16 : 0;
}

size_t pp_bench_message_least(enum pp_bench_format format)
{
    return header_size(format) + json_least(format);
}

size_t pp_bench_message_frame_size(size_t size)
{
    uint8_t head[PP_BENCH_HEAD_MAX];
    return pp_bench_head_write(head, PP_BENCH_TEXT, size, true) + 4 + size;
}

void pp_bench_message_write(enum pp_bench_format format, uint32_t id, size_t size, uint8_t *out)
{
    uint8_t opcode = format == PP_BENCH_PAINDA ? PP_BENCH_BINARY : PP_BENCH_TEXT;
    out += pp_bench_head_write(out, opcode, size, true);
    uint8_t *key = out, *payload = out + 4;
    for (int i = 0; i < 4; i++)
        key[i] = (uint8_t)(rand() >> 7);
    size_t json = size - header_size(format);
    if (format == PP_BENCH_PAINDA) {
        // "PPND", version 2, no flags, the length, type id 0 (an envelope), no schema version
        const uint8_t header[16] = {'P', 'P', 'N', 'D', 0, 2, 0, 0, 0, 0, (uint8_t)(json >> 8), (uint8_t)json};
        memcpy(payload, header, sizeof header);
    }
    write_json(format, id, json, (char *)payload + header_size(format));
    pp_bench_mask(payload, payload, size, key);
}
