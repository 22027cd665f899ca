/* The 16 bytes in front of every binary message. All integers are big-endian.
 *
 *     0        4        6        8           12       14       16
 *     | "PPND" | version| flags  | length    | type id| schema | payload: length bytes …
 *     |        | 2      |        |           |        | version|
 *
 * flags: bits 0-1 mode, bit 2 compressed, bit 3 schema-encoded; the others are sent as 0 and ignored on receipt.
 * A type id of 0 is a JSON envelope, any other is looked up in the schema registry: the id decides, bit 3 only says so.
 */
#ifndef PP_WIRE_FRAME_H
#define PP_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define PP_FRAME_HEADER 16
#define PP_FRAME_MAGIC 0x50504E44u
#define PP_FRAME_VERSION 2

#define PP_FLAG_MODE 0x0003u
#define PP_FLAG_COMPRESSED 0x0004u
#define PP_FLAG_SCHEMA 0x0008u
#define PP_FLAG_KNOWN 0x000Fu

/* Type ids from PP_TYPE_PROTOCOL on belong to the protocol; their frames are no messages of the application's. */
#define PP_TYPE_PROTOCOL 0xFF00
enum pp_room_frame {
    PP_TYPE_ROOM_SCHEMA = 0xFF00, /* what a room's state is made of */
    PP_TYPE_ROOM_STATE,           /* all of it */
    PP_TYPE_ROOM_DELTA,           /* what changed */
    PP_TYPE_ROOM_VIEW,            /* the same over several versions: to who sees a part, or was behind */
};

enum pp_mode { PP_MODE_CHAT, PP_MODE_MEDIA, PP_MODE_GAMING, PP_MODE_VOICE };

enum pp_frame_fault {
    PP_FRAME_FINE,
    PP_FRAME_BAD_MAGIC,   /* close 4011 */
    PP_FRAME_BAD_VERSION, /* close 4010; version tells which one was said */
};

struct pp_frame {
    uint16_t version;
    uint16_t flags; /* the known ones only */
    uint16_t type_id;
    uint16_t schema_version;      /* 0: unversioned */
    uint32_t payload_len;         /* as sent: after compression */
    const unsigned char *payload; /* in the caller's bytes */
    enum pp_frame_fault fault;
};

/* Reads the frame that `bytes` begins with.
 *   > 0  bytes that it takes, header and payload; a batch is read by calling again with what follows
 *   -1   not a frame: out->fault says why. Told from the first wrong byte on, however few there are
 *   -2   a frame so far, but bytes are missing. A WebSocket message is whole, so there it means truncated
 * With -2 nothing in `out` but fault may be used. */
ptrdiff_t pp_frame_decode(const void *bytes, size_t len, struct pp_frame *out);

/* Writes a header. `flags` is the mode and PP_FLAG_…; PP_FLAG_SCHEMA is set by a type id above 0. Can't fail. */
void pp_frame_encode(unsigned char out[PP_FRAME_HEADER], uint16_t flags, uint16_t type_id, uint16_t schema_version,
                     uint32_t payload_len);

/* Why pp_frame_decode said -1, for a __pp_error message. */
const char *pp_frame_fault_text(enum pp_frame_fault fault);

#endif
