/* Frame headers: whatever the bytes, every frame read lies inside of them, and is what encoding its fields gives. */
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

/* The bytes but for the flag bits nobody knows. */
static void check_same(const struct pp_frame *frame, const uint8_t *at)
{
    unsigned char again[PP_FRAME_HEADER], known[PP_FRAME_HEADER];
    memcpy(known, at, sizeof(known));
    known[6] = 0;
    known[7] &= PP_FLAG_KNOWN;
    if (frame->type_id != 0)
        known[7] |= PP_FLAG_SCHEMA;
    pp_frame_encode(again, frame->flags, frame->type_id, frame->schema_version, frame->payload_len);
    require(memcmp(again, known, sizeof(known)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0;;) {
        struct pp_frame frame;
        ptrdiff_t took = pp_frame_decode(data + at, size - at, &frame);
        if (took <= 0) {
            require(took == -2 || (took == -1 && frame.fault != PP_FRAME_FINE));
            require(took == -1 || frame.fault == PP_FRAME_FINE);
            return 0;
        }
        require((size_t)took == PP_FRAME_HEADER + (size_t)frame.payload_len && (size_t)took <= size - at);
        require(frame.payload == data + at + PP_FRAME_HEADER);
        require(pp_frame_decode(data + at, (size_t)took - 1, &frame) == -2);
        require(pp_frame_decode(data + at, (size_t)took, &frame) == took);
        check_same(&frame, data + at);
        at += (size_t)took;
    }
}
