/* Keeping what libwebsockets knows of a request before it forgets it. */
#include "net/handshake.h"

#include "base/buf.h"
#include "base/memory.h"
#include "net/lws.h"
#include "net/peer.h"

#include <ctype.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>

/* Headers of the WebSocket handshake itself, which tell an application nothing. */
static bool is_kept(int token)
{
    switch (token) {
    case WSI_TOKEN_GET_URI:
    case WSI_TOKEN_POST_URI:
    case WSI_TOKEN_CONNECTION:
    case WSI_TOKEN_UPGRADE:
    case WSI_TOKEN_KEY:
    case WSI_TOKEN_KEY1:
    case WSI_TOKEN_KEY2:
    case WSI_TOKEN_HTTP_URI_ARGS:
        return false;
    default:
        return true;
    }
}

/* Appends the value of a token, NUL-terminated; returns its length, or -1 where the request has none. */
static int append_token(struct pp_buf *out, struct lws *wsi, enum lws_token_indexes token)
{
    int len = lws_hdr_total_length(wsi, token);
    if (len <= 0)
        return -1;
    char *room = pp_buf_reserve(out, (size_t)len + 1);
    if (lws_hdr_copy(wsi, room, len + 1, token) < 0)
        return -1;
    out->len += (size_t)len + 1;
    return len;
}

/* Ends the line of a value, which is NUL-terminated, before the blanks at its end (RFC 9110, 5.5). */
static void end_line(struct pp_buf *out, size_t value)
{
    out->len--;
    while (out->len > value && (out->data[out->len - 1] == ' ' || out->data[out->len - 1] == '\t'))
        out->len--;
    pp_buf_append_char(out, '\n');
}

static void append_headers(struct pp_buf *out, struct lws *wsi)
{
    for (int token = 0; token < WSI_TOKEN_COUNT; token++) {
        const char *name = (const char *)lws_token_to_string((enum lws_token_indexes)token);
        if (name == NULL || strchr(name, ':') == NULL || !is_kept(token))
            continue;
        size_t before = out->len;
        pp_buf_append(out, name, strcspn(name, ":"));
        pp_buf_append_string(out, ": ");
        size_t value = out->len;
        if (append_token(out, wsi, (enum lws_token_indexes)token) < 0)
            out->len = before;
        else
            end_line(out, value);
    }
    pp_buf_append_char(out, '\0');
}

/* libwebsockets has decoded each argument; joined again, what would be read as syntax must be encoded. */
static void append_argument(struct pp_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[4];
        if (c <= ' ' || c == '%' || c == '&' || c == '+' || c == 0x7F)
            pp_buf_append(out, escape, (size_t)snprintf(escape, sizeof escape, "%%%02X", c));
        else
            pp_buf_append_char(out, (char)c);
    }
}

static void append_query(struct pp_buf *out, struct lws *wsi)
{
    char argument[PP_LWS_HEADER_DATA + 1];
    for (int i = 0;; i++) {
        int len = lws_hdr_copy_fragment(wsi, argument, sizeof argument, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (len < 0)
            break;
        if (i > 0)
            pp_buf_append_char(out, '&');
        append_argument(out, argument, (size_t)len);
    }
    pp_buf_append_char(out, '\0');
}

/* Copies `text`, which has each string at its offset. */
static struct pp_handshake *make(const struct pp_buf *text, size_t query, size_t address, size_t headers)
{
    struct pp_handshake *handshake = pp_malloc(sizeof *handshake + text->len);
    char *copy = (char *)(handshake + 1);
    memcpy(copy, text->data, text->len);
    *handshake = (struct pp_handshake){
        .path = copy, .query = copy + query, .address = copy + address, .headers = copy + headers};
    return handshake;
}

struct pp_handshake *pp_handshake_make(const char *path, const char *query, const char *address, const char *headers)
{
    struct pp_buf text = {0};
    size_t at[3];
    pp_buf_append(&text, path, strlen(path) + 1);
    at[0] = text.len;
    pp_buf_append(&text, query, strlen(query) + 1);
    at[1] = text.len;
    pp_buf_append(&text, address, strlen(address) + 1);
    at[2] = text.len;
    pp_buf_append(&text, headers, strlen(headers) + 1);
    struct pp_handshake *handshake = make(&text, at[0], at[1], at[2]);
    pp_buf_destroy(&text);
    return handshake;
}

struct pp_handshake *pp_handshake_new(struct lws *wsi)
{
    struct pp_buf text = {0};
    if (append_token(&text, wsi, WSI_TOKEN_GET_URI) < 0)
        pp_buf_append(&text, "/", 2);
    size_t query = text.len;
    append_query(&text, wsi);
    size_t address = text.len;
    struct pp_peer peer;
    pp_peer_of(lws_get_socket_fd(wsi), &peer);
    pp_buf_append(&text, peer.address, strlen(peer.address) + 1);
    size_t headers = text.len;
    append_headers(&text, wsi);
    struct pp_handshake *handshake = make(&text, query, address, headers);
    handshake->port = peer.port;
    handshake->secure = lws_is_ssl(wsi) != 0;
    pp_buf_destroy(&text);
    return handshake;
}

void pp_handshake_delete(struct pp_handshake *handshake)
{
    free(handshake);
}

const char *pp_handshake_header(const struct pp_handshake *handshake, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    for (const char *line = handshake->headers; *line != '\0'; line = strchr(line, '\n') + 1)
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 2;
            *len = strcspn(value, "\n");
            return value;
        }
    return NULL;
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static bool percent_decode(const char *text, size_t len, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

bool pp_handshake_query(const struct pp_handshake *handshake, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name);
    for (const char *at = handshake->query; *at != '\0';) {
        size_t len = strcspn(at, "&");
        if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=')
            return percent_decode(at + name_len + 1, len - name_len - 1, out, size);
        at += len + (at[len] == '&');
    }
    return false;
}
