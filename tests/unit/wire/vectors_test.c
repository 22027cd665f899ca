/* The golden vectors of frames (sdk/vectors/frames.json), both ways, and what is no frame. */
#include "harness.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "wire/frame.h"

struct bytes {
    unsigned char at[512];
    size_t len;
};

static struct bytes bytes_of(const json_t *object, const char *name)
{
    struct bytes bytes = {.len = 0};
    const char *text = json_string_value(json_object_get(object, name));
    CU_ASSERT_FATAL(text != NULL && strlen(text) / 2 <= sizeof(bytes.at));
    for (unsigned byte; text && sscanf(text, "%2x", &byte) == 1; text += 2)
        bytes.at[bytes.len++] = (unsigned char)byte;
    return bytes;
}

static unsigned number_of(const json_t *object, const char *name)
{
    return (unsigned)json_integer_value(json_object_get(object, name));
}

static json_t *load(void)
{
    json_t *vectors = json_load_file(PP_SOURCE "/sdk/vectors/frames.json", 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(vectors);
    return vectors;
}

static void hold_both_ways(void)
{
    json_t *vectors = load(), *vector;
    size_t i;
    json_array_foreach(json_object_get(vectors, "frames"), i, vector)
    {
        struct bytes bytes = bytes_of(vector, "frame"), payload = bytes_of(vector, "payload");
        struct pp_guard guard = pp_guard_new(bytes.len);
        struct pp_frame frame;
        ptrdiff_t taken = pp_frame_decode(pp_guard_place(&guard, bytes.at, bytes.len), bytes.len, &frame);
        CU_ASSERT_EQUAL_FATAL(taken, (ptrdiff_t)bytes.len);
        CU_ASSERT_EQUAL(frame.flags, number_of(vector, "flags"));
        CU_ASSERT_EQUAL(frame.type_id, number_of(vector, "typeId"));
        CU_ASSERT_EQUAL(frame.schema_version, number_of(vector, "schemaVersion"));
        CU_ASSERT_EQUAL_FATAL(frame.payload_len, payload.len);
        CU_ASSERT_EQUAL(memcmp(frame.payload, payload.at, payload.len), 0);
        unsigned char header[PP_FRAME_HEADER];
        pp_frame_encode(header, frame.flags, frame.type_id, frame.schema_version, frame.payload_len);
        CU_ASSERT_EQUAL(memcmp(header, bytes.at, PP_FRAME_HEADER), 0);
        pp_guard_delete(&guard);
    }
    CU_ASSERT(i > 0);
    json_decref(vectors);
}

static void are_refused(void)
{
    json_t *vectors = load(), *vector;
    size_t i;
    json_array_foreach(json_object_get(vectors, "refused"), i, vector)
    {
        struct bytes bytes = bytes_of(vector, "frame");
        const char *fault = json_string_value(json_object_get(vector, "fault"));
        struct pp_guard guard = pp_guard_new(bytes.len);
        struct pp_frame frame = {0};
        ptrdiff_t taken = pp_frame_decode(pp_guard_place(&guard, bytes.at, bytes.len), bytes.len, &frame);
        bool is_short = fault && strcmp(fault, "short") == 0, is_magic = fault && strcmp(fault, "magic") == 0;
        CU_ASSERT_EQUAL(taken, is_short ? -2 : -1);
        CU_ASSERT_EQUAL(frame.fault, is_short ? PP_FRAME_FINE : is_magic ? PP_FRAME_BAD_MAGIC : PP_FRAME_BAD_VERSION);
        pp_guard_delete(&guard);
    }
    CU_ASSERT(i > 0);
    json_decref(vectors);
}

int main(void)
{
    return pp_run_suite("wire/vectors", (CU_TestInfo[]){
                                            {"hold both ways", hold_both_ways},
                                            {"are refused", are_refused},
                                            CU_TEST_INFO_NULL,
                                        });
}
