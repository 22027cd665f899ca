/* WebSocket framing (RFC 6455, section 5) for the server's side: pure bytes, no sockets.
 *
 * A message from a client is unmasked where it lies. Limits and the rules of the RFC are checked as soon as a header is
 * whole: nothing is buffered for a frame that will be refused. */
#ifndef PP_NET_WS_H
#define PP_NET_WS_H

#include "base/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pp_ws_opcode {
    PP_WS_CONTINUATION = 0,
    PP_WS_TEXT = 1,
    PP_WS_BINARY = 2,
    PP_WS_CLOSE = 8,
    PP_WS_PING = 9,
    PP_WS_PONG = 10,
};

enum pp_ws_close {
    PP_WS_CLOSE_NORMAL = 1000,
    PP_WS_CLOSE_GOING_AWAY = 1001,
    PP_WS_CLOSE_PROTOCOL = 1002,
    PP_WS_CLOSE_NO_STATUS = 1005, /* never on the wire: a close frame without a code */
    PP_WS_CLOSE_ABNORMAL = 1006,  /* never on the wire: the connection was lost */
    PP_WS_CLOSE_BAD_UTF8 = 1007,
    PP_WS_CLOSE_TOO_BIG = 1009,
};

struct pp_ws_frame {
    bool final;
    enum pp_ws_opcode opcode;
    unsigned char *payload; /* unmasked */
    size_t len;
};

#define PP_WS_MORE (-2)
#define PP_WS_ERROR (-1)

/* Reads the first frame of `bytes` and unmasks it in place. Returns the bytes it took; PP_WS_MORE where the frame is
 * not whole, with *needed the length of the whole frame once that is known, else 0; PP_WS_ERROR with *code and *reason
 * to close with. A data frame longer than `max_payload` is PP_WS_ERROR from its header on. */
ptrdiff_t pp_ws_read(unsigned char *bytes, size_t len, size_t max_payload, struct pp_ws_frame *frame, size_t *needed,
                     uint16_t *code, const char **reason);

/* Puts the header of a whole, unmasked message of `opcode` into the packet's headroom. Once per packet. */
void pp_ws_seal(struct pp_packet *packet, enum pp_ws_opcode opcode);

/* A sealed control frame; len is at most 125. The caller owns the reference. */
struct pp_packet *pp_ws_control(enum pp_ws_opcode opcode, const void *payload, size_t len);

/* A sealed close frame; `reason` is cut to fit. */
struct pp_packet *pp_ws_close_packet(uint16_t code, const char *reason);

/* May a peer send this code (RFC 6455, section 7.4)? */
bool pp_ws_close_code_valid(uint16_t code);

#endif
