// What the load generator sends: masked client frames, each with its own numbers, its own name and its own random key.
#ifndef PP_BENCH_MESSAGE_H
#define PP_BENCH_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum pp_bench_format {
    PP_BENCH_PAINDA,   // binary: the 16-byte header, then the JSON envelope
    PP_BENCH_JSON,     // text: the bare envelope, for ws
    PP_BENCH_SOCKETIO, // text: an event packet of Socket.IO in an Engine.IO message
    PP_BENCH_COLYSEUS, // nothing but the answer to the first message, by which a client says that it has joined
};

enum { PP_BENCH_TAG = 7, PP_BENCH_MESSAGE_MAX = 60000 };

// How long a frame is on the wire when its message has size bytes. All frames of one run have one length.
size_t pp_bench_message_frame_size(size_t size);

// The least size a message of this format can have.
size_t pp_bench_message_least(enum pp_bench_format format);

// Writes message number id, of exactly size bytes, as a masked frame. size is between the least and the maximum.
void pp_bench_message_write(enum pp_bench_format format, uint32_t id, size_t size, uint8_t *out);

// The name that message number id carries, by which its answer is recognised. No zero at the end.
void pp_bench_message_tag(uint32_t id, char tag[PP_BENCH_TAG]);

#endif
