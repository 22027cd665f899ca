/* Inflation: the first two bytes are the limit. Nothing comes out beyond it, memory stays near it, an error leaves the
 * buffer as it was, and what was accepted survives being compressed and inflated again. */
#include "wire/compress.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

static void check_round_trip(struct pp_compressor *compressor, struct pp_inflater *inflater, const char *text,
                             size_t len)
{
    struct pp_buf packed = {0}, again = {0};
    if (pp_compress(compressor, text, len, &packed)) {
        require(packed.len < len);
        require(pp_inflate(inflater, packed.data, packed.len, len, &again) == PP_INFLATE_OK);
        require(again.len == len && memcmp(again.data, text, len) == 0);
        pp_buf_clear(&again);
        require(pp_inflate(inflater, packed.data, packed.len, len - 1, &again) == PP_INFLATE_TOO_LARGE);
        require(again.len == 0);
    }
    pp_buf_destroy(&packed);
    pp_buf_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pp_compressor *compressor;
    static struct pp_inflater *inflater;
    if (compressor == NULL) {
        compressor = pp_compressor_new(1);
        inflater = pp_inflater_new();
    }
    if (size < 2)
        return 0;
    size_t max = (size_t)data[0] << 8 | data[1];
    struct pp_buf out = {0};
    pp_buf_append_string(&out, "kept");
    enum pp_inflate_status status = pp_inflate(inflater, data + 2, size - 2, max, &out);
    require(memcmp(out.data, "kept", 4) == 0);
    require(out.len <= max + 4 && out.cap <= max + 64 + 1);
    if (status == PP_INFLATE_OK)
        check_round_trip(compressor, inflater, out.data + 4, out.len - 4);
    else
        require(out.len == 4);
    pp_buf_destroy(&out);
    return 0;
}
