/* zlib, with states that are reset instead of made again. */
#include "wire/compress.h"

#include "base/memory.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#define CHUNK 16384 /* the first guess at least, when making room for inflated bytes */

struct pp_compressor {
    z_stream z;
};

struct pp_inflater {
    z_stream z;
};

static voidpf zlib_alloc(voidpf self, uInt count, uInt size)
{
    (void)self;
    return pp_calloc(count, size);
}

static void zlib_free(voidpf self, voidpf memory)
{
    (void)self;
    free(memory);
}

/* With an allocator that can't fail and a good level neither of the two set-ups can fail, short of a zlib of another
 * ABI. */
static void check(int status)
{
    if (status != Z_OK)
        abort();
}

struct pp_compressor *pp_compressor_new(int level)
{
    struct pp_compressor *compressor = pp_calloc(1, sizeof(*compressor));
    compressor->z.zalloc = zlib_alloc;
    compressor->z.zfree = zlib_free;
    check(deflateInit(&compressor->z, level));
    return compressor;
}

void pp_compressor_delete(struct pp_compressor *compressor)
{
    if (compressor == NULL)
        return;
    deflateEnd(&compressor->z);
    free(compressor);
}

bool pp_compress(struct pp_compressor *compressor, const void *bytes, size_t len, struct pp_buf *out)
{
    if (len < 2 || len > UINT_MAX)
        return false;
    z_stream *z = &compressor->z;
    deflateReset(z);
    z->next_in = (z_const Bytef *)bytes;
    z->avail_in = (uInt)len;
    /* Room for less than the input is all it gets: where that does not do, the result would not be kept. */
    z->next_out = (Bytef *)pp_buf_reserve(out, len - 1);
    z->avail_out = (uInt)(len - 1);
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return false;
    out->len += len - 1 - z->avail_out;
    return true;
}

struct pp_inflater *pp_inflater_new(void)
{
    struct pp_inflater *inflater = pp_calloc(1, sizeof(*inflater));
    inflater->z.zalloc = zlib_alloc;
    inflater->z.zfree = zlib_free;
    check(inflateInit(&inflater->z));
    return inflater;
}

void pp_inflater_delete(struct pp_inflater *inflater)
{
    if (inflater == NULL)
        return;
    inflateEnd(&inflater->z);
    free(inflater);
}

/* Room for more output: `want` bytes at first, then twice what there is, never for more than `most` bytes after
 * `start`. Not pp_buf_grow, which doubles without a limit. */
static void make_room(struct pp_buf *out, size_t start, size_t most, size_t want)
{
    size_t held = out->len - start;
    if (held > 0 && out->len < out->cap)
        return;
    size_t room = held > 0 ? held * 2 : want;
    if (room > most)
        room = most;
    if (start + room > out->cap) {
        out->data = pp_realloc(out->data, start + room);
        out->cap = start + room;
    }
}

enum pp_inflate_status pp_inflate(struct pp_inflater *inflater, const void *bytes, size_t len, size_t max,
                                  struct pp_buf *out)
{
    z_stream *z = &inflater->z;
    size_t start = out->len;
    size_t most = max < SIZE_MAX - start ? max + 1 : max; /* one byte over is how the limit is noticed */
    int status = len <= UINT_MAX ? inflateReset(z) : Z_DATA_ERROR;
    z->next_in = (z_const Bytef *)bytes;
    z->avail_in = (uInt)len;
    while (status == Z_OK && out->len - start < most) {
        make_room(out, start, most, len * 4 > CHUNK ? len * 4 : CHUNK);
        size_t room = out->cap - out->len;
        if (room > most - (out->len - start))
            room = most - (out->len - start);
        if (room > UINT_MAX)
            room = UINT_MAX;
        z->next_out = (Bytef *)out->data + out->len;
        z->avail_out = (uInt)room;
        status = inflate(z, Z_NO_FLUSH);
        out->len += room - z->avail_out;
    }
    bool whole = status == Z_STREAM_END && z->avail_in == 0;
    if (whole && out->len - start <= max)
        return PP_INFLATE_OK;
    bool over = out->len - start > max;
    out->len = start;
    return over ? PP_INFLATE_TOO_LARGE : PP_INFLATE_CORRUPT;
}
