/* Payload compression in the zlib format (RFC 1950, what browsers call "deflate"). Each payload stands alone; the
 * states are only kept to spare their set-up, so one of each serves all connections of a loop. */
#ifndef PP_WIRE_COMPRESS_H
#define PP_WIRE_COMPRESS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct pp_compressor;
struct pp_inflater;

enum pp_inflate_status {
    PP_INFLATE_OK,
    PP_INFLATE_CORRUPT,   /* not zlib, truncated, a wrong checksum, bytes after the end, or it needs a dictionary */
    PP_INFLATE_TOO_LARGE, /* it holds more than the limit */
};

/* level: 1 (fast) to 9 (small), -1 for zlib's default. */
struct pp_compressor *pp_compressor_new(int level);
void pp_compressor_delete(struct pp_compressor *compressor); /* NULL is fine */

/* Appends the compressed bytes to `out` and returns true, where they are fewer than `len`; else false, and `out` is as
 * it was. */
bool pp_compress(struct pp_compressor *compressor, const void *bytes, size_t len, struct pp_buf *out);

struct pp_inflater *pp_inflater_new(void);
void pp_inflater_delete(struct pp_inflater *inflater); /* NULL is fine */

/* Appends at most `max` inflated bytes to `out`. Inflation stops at the limit: memory stays below max and a little
 * more, whatever the input would have become. On anything but PP_INFLATE_OK `out` is as long as it was. */
enum pp_inflate_status pp_inflate(struct pp_inflater *inflater, const void *bytes, size_t len, size_t max,
                                  struct pp_buf *out);

#endif
