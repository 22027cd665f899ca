/* Which web pages may connect, and whose word about a client's address is believed. Pure functions. */
#ifndef PP_SESSION_ORIGIN_H
#define PP_SESSION_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

/* Does `rule` let `origin` ("https://shop.example.com:8443") in?
 *   "*"                          every origin
 *   "https://shop.example.com"   that scheme, host and port
 *   "*.example.com"              any name below example.com, not example.com itself; "https:" and two slashes may stand
 * before "example.com", "localhost:3000"   that host (and port), whatever the scheme "null"                       the
 * opaque origin of sandboxed pages and files, which no other rule lets in */
bool pp_origin_matches(const char *rule, const char *origin, size_t origin_len);

/* Is `address` in `range`: "10.0.0.0/8", "2001:db8::/32", one address, or "unix"? False for a range that is none of
 * these. */
bool pp_address_in(const char *address, const char *range);

/* Can `range` be used with pp_address_in? */
bool pp_address_range_valid(const char *range);

/* The client's address: the right-most hop of `forwarded` (an X-Forwarded-For header, may be NULL) that is not itself
 * in `trusted` (NULL-terminated), where `peer` is; else `peer`. Written to `out` with a NUL; what is no address is not
 * believed. */
void pp_client_address(const char *peer, const char *forwarded, size_t forwarded_len, const char *const *trusted,
                       char *out, size_t size);

#endif
