/* The frame header, read and written. */
#include "wire/frame.h"

#include "wire/bytes.h"

#include <string.h>

static const unsigned char magic[4] = {'P', 'P', 'N', 'D'};

ptrdiff_t pp_frame_decode(const void *bytes, size_t len, struct pp_frame *out)
{
    const unsigned char *at = bytes;
    out->fault = PP_FRAME_FINE;
    if (len > 0 && memcmp(at, magic, len < 4 ? len : 4) != 0) {
        out->fault = PP_FRAME_BAD_MAGIC;
        return -1;
    }
    if (len >= 6 && (out->version = pp_get_u16(at + 4)) != PP_FRAME_VERSION) {
        out->fault = PP_FRAME_BAD_VERSION;
        return -1;
    }
    if (len < PP_FRAME_HEADER)
        return -2;
    out->flags = pp_get_u16(at + 6) & PP_FLAG_KNOWN;
    out->payload_len = pp_get_u32(at + 8);
    out->type_id = pp_get_u16(at + 12);
    out->schema_version = pp_get_u16(at + 14);
    out->payload = at + PP_FRAME_HEADER;
    if (out->payload_len > len - PP_FRAME_HEADER)
        return -2;
    return (ptrdiff_t)(PP_FRAME_HEADER + (size_t)out->payload_len);
}

void pp_frame_encode(unsigned char out[PP_FRAME_HEADER], uint16_t flags, uint16_t type_id, uint16_t schema_version,
                     uint32_t payload_len)
{
    if (type_id != 0)
        flags |= PP_FLAG_SCHEMA;
    memcpy(out, magic, sizeof(magic));
    pp_put_u16(out + 4, PP_FRAME_VERSION);
    pp_put_u16(out + 6, flags & PP_FLAG_KNOWN);
    pp_put_u32(out + 8, payload_len);
    pp_put_u16(out + 12, type_id);
    pp_put_u16(out + 14, schema_version);
}

const char *pp_frame_fault_text(enum pp_frame_fault fault)
{
    switch (fault) {
    case PP_FRAME_BAD_MAGIC:
        return "not a Painda frame: it does not begin with PPND";
    case PP_FRAME_BAD_VERSION:
        return "protocol version is not 2";
    case PP_FRAME_FINE:
        break;
    }
    return "no fault";
}
