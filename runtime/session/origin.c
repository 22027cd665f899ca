/* Origins and addresses. */
#include "session/origin.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t len;
};

static struct span after_scheme(struct span text, bool *has_scheme)
{
    for (size_t i = 0; i + 3 <= text.len; i++)
        if (memcmp(text.at + i, "://", 3) == 0) {
            *has_scheme = true;
            return (struct span){text.at + i + 3, text.len - i - 3};
        }
    *has_scheme = false;
    return text;
}

static bool host_matches(struct span rule, struct span host)
{
    if (rule.len > 2 && rule.at[0] == '*' && rule.at[1] == '.') {
        rule.at++; /* ".example.com" must end the host, with a name in front */
        rule.len--;
        return host.len > rule.len && strncasecmp(host.at + host.len - rule.len, rule.at, rule.len) == 0;
    }
    return host.len == rule.len && strncasecmp(host.at, rule.at, rule.len) == 0;
}

bool pp_origin_matches(const char *rule, const char *origin, size_t origin_len)
{
    if (strcmp(rule, "*") == 0)
        return true;
    struct span whole_rule = {rule, strlen(rule)}, whole = {origin, origin_len};
    bool rule_scheme, scheme;
    struct span rule_host = after_scheme(whole_rule, &rule_scheme), host = after_scheme(whole, &scheme);
    if (!scheme) /* "null", and whatever is not an origin */
        return whole.len == whole_rule.len && memcmp(rule, origin, origin_len) == 0;
    size_t prefix = (size_t)(host.at - origin);
    if (rule_scheme && ((size_t)(rule_host.at - rule) != prefix || strncasecmp(rule, origin, prefix) != 0))
        return false;
    return host_matches(rule_host, host);
}

static int parse_address(const char *text, unsigned char bytes[16])
{
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 32;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 128 : 0;
}

/* Splits "10.0.0.0/8"; bits is -1 where the range is not valid. Returns the address' width in bits, 0 for "unix". */
static int parse_range(const char *range, unsigned char bytes[16], int *bits)
{
    char address[64];
    const char *slash = strchr(range, '/');
    size_t len = slash ? (size_t)(slash - range) : strlen(range);
    *bits = -1;
    if (strcmp(range, "unix") == 0)
        *bits = 0;
    if (*bits == 0 || len >= sizeof address)
        return 0;
    memcpy(address, range, len);
    address[len] = '\0';
    int width = parse_address(address, bytes);
    if (width == 0)
        return 0;
    char *end = NULL;
    long given = slash ? strtol(slash + 1, &end, 10) : width;
    if (given >= 0 && given <= width && (slash == NULL || (end != slash + 1 && *end == '\0')))
        *bits = (int)given;
    return width;
}

bool pp_address_range_valid(const char *range)
{
    unsigned char bytes[16];
    int bits;
    parse_range(range, bytes, &bits);
    return bits >= 0;
}

bool pp_address_in(const char *address, const char *range)
{
    unsigned char base[16], given[16];
    int bits;
    int width = parse_range(range, base, &bits);
    if (width == 0)
        return bits == 0 && strcmp(address, "unix") == 0;
    if (bits < 0 || parse_address(address, given) != width)
        return false;
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(base, given, (size_t)whole) != 0)
        return false;
    return rest == 0 || (base[whole] ^ given[whole]) >> (8 - rest) == 0;
}

static bool is_trusted(const char *address, const char *const *trusted)
{
    for (; trusted != NULL && *trusted != NULL; trusted++)
        if (pp_address_in(address, *trusted))
            return true;
    return false;
}

/* Takes the last hop off `hops`; false where there is none left. */
static bool last_hop(struct span *hops, char *out, size_t size)
{
    size_t end = hops->len;
    while (end > 0 && strchr(" \t,", hops->at[end - 1]) != NULL)
        end--;
    size_t start = end;
    while (start > 0 && strchr(" \t,", hops->at[start - 1]) == NULL)
        start--;
    if (end == start || end - start >= size)
        return false;
    memcpy(out, hops->at + start, end - start);
    out[end - start] = '\0';
    hops->len = start;
    return true;
}

void pp_client_address(const char *peer, const char *forwarded, size_t forwarded_len, const char *const *trusted,
                       char *out, size_t size)
{
    struct span hops = {forwarded, forwarded ? forwarded_len : 0};
    char hop[64];
    unsigned char bytes[16];
    snprintf(out, size, "%s", peer);
    while (is_trusted(out, trusted) && last_hop(&hops, hop, sizeof hop) && parse_address(hop, bytes) != 0)
        snprintf(out, size, "%s", hop);
}
