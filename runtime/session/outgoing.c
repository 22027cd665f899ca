/* Framing of outgoing messages. */
#include "session/outgoing.h"

#include "base/buf.h"
#include "net/ws.h"
#include "wire/compress.h"
#include "wire/frame.h"

#include <string.h>

static struct pp_packet *packet_of(const void *bytes, size_t len)
{
    struct pp_packet *packet = pp_packet_new(len);
    memcpy(pp_packet_data(packet), bytes, len);
    return packet;
}

static struct pp_packet *framed(const struct pp_outgoing *out, const void *bytes, size_t len)
{
    const struct pp_encoding *encoding = out->encoding;
    struct pp_buf smaller = {0};
    uint16_t flags = encoding->mode;
    if (encoding->compressor != NULL && len >= encoding->threshold &&
        pp_compress(encoding->compressor, bytes, len, &smaller)) {
        flags |= PP_FLAG_COMPRESSED;
        bytes = smaller.data;
        len = smaller.len;
    }
    struct pp_packet *packet = packet_of(bytes, len);
    pp_frame_encode(pp_packet_push(packet, PP_FRAME_HEADER), flags, out->type_id, out->schema_version, (uint32_t)len);
    pp_ws_seal(packet, PP_WS_BINARY);
    pp_buf_destroy(&smaller);
    return packet;
}

struct pp_packet *pp_outgoing_packet(struct pp_outgoing *out, bool text)
{
    if (text) {
        if (out->text == NULL && out->envelope != NULL) {
            out->text = packet_of(out->envelope, out->envelope_len);
            pp_ws_seal(out->text, PP_WS_TEXT);
        }
        return out->text;
    }
    if (out->binary == NULL)
        out->binary = out->schema_payload ? framed(out, out->schema_payload, out->schema_payload_len)
                                          : framed(out, out->envelope, out->envelope_len);
    return out->binary;
}

void pp_outgoing_destroy(struct pp_outgoing *out)
{
    if (out->binary != NULL)
        pp_packet_unref(out->binary);
    if (out->text != NULL)
        pp_packet_unref(out->text);
    out->binary = out->text = NULL;
}
