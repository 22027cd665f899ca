/* The JSON envelope of a message: {"type": string, "payload": any, "__ns": string, "__ackId": integer}. The scanner
 * finds the four spans and checks the whole text; the payload stays bytes until a handler reads it. */
#ifndef PP_WIRE_ENVELOPE_H
#define PP_WIRE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pp_buf;

/* Spans point into the scanned text and live as long as it does; none is NUL-terminated. */
struct pp_envelope {
    const char *type; /* unescaped, at least one byte; may hold any Unicode character, NUL too */
    size_t type_len;
    const char *payload; /* JSON text, valid, without spaces around it; NULL where absent (to be read as null) */
    size_t payload_len;  /* 0 where absent */
    const char *ns;      /* unescaped, as sent; NULL where absent */
    size_t ns_len;       /* 0 where absent or empty: the default namespace */
    uint64_t ack_id;     /* 1 to 2^53, 0 where absent */
    const char *error;   /* static text where the scan failed, else NULL */
    size_t offset;       /* where in the text it failed */
};

/* Checks all of `text` as strict JSON and fills `out`: 0, or -1 with out->error and out->offset set and the rest
 * cleared. `type` and `__ns` are unescaped in place, so `text` is no longer JSON afterwards (the payload's bytes are
 * untouched). Of duplicate keys the last wins, unknown ones are ignored. Allocates nothing, reads nothing past `len`.
 */
int pp_envelope_scan(char *text, size_t len, struct pp_envelope *out);

/* Finds the parts of an envelope that is written in the usual way, `{"type":"…","payload":…}` and nothing else, without
 * a look at the payload. True means: if out->payload is one JSON value, the envelope is valid and these are its parts;
 * else it has to be scanned. So that who decodes the payload at once need not have it checked before. */
bool pp_envelope_peek(const char *text, size_t len, struct pp_envelope *out);

/* Appends `{"type":"…","payload":`. The caller appends the payload's JSON text (or `null`), then calls pp_envelope_end.
 * False where `type` is not UTF-8: nothing is appended. */
bool pp_envelope_begin(struct pp_buf *out, const char *type, size_t type_len);

/* Appends `,"__ns":…` where ns_len isn't 0, `,"__ackId":…` where ack_id isn't 0, and `}`.
 * False where `ns` is not UTF-8: nothing is appended. */
bool pp_envelope_end(struct pp_buf *out, const char *ns, size_t ns_len, uint64_t ack_id);

#endif
