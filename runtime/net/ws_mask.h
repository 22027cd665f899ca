/* WebSocket framing for the client's side: a header, and every byte of the payload masked (RFC 6455, section 5.3). */
#ifndef PP_NET_WS_MASK_H
#define PP_NET_WS_MASK_H

#include "net/ws.h"

#define PP_WS_MASKED_HEADER 14 /* bytes of headroom it takes at most */

/* Masks the packet's bytes where they lie and puts the header of a whole message of `opcode` in front. Once per packet,
 * which nobody else may hold. */
void pp_ws_seal_masked(struct pp_packet *packet, enum pp_ws_opcode opcode);

/* A sealed control frame; len is at most 125. The caller owns the reference. */
struct pp_packet *pp_ws_control_masked(enum pp_ws_opcode opcode, const void *payload, size_t len);

/* A sealed close frame; `reason` is cut to fit. */
struct pp_packet *pp_ws_close_packet_masked(uint16_t code, const char *reason);

#endif
