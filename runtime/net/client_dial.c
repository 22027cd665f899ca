/* From a name to an open connection. Names are looked up by libuv, since libwebsockets would block; each address is
 * then tried with a connection (wsi) of libwebsockets. */
#include "base/memory.h"
#include "net/client_internal.h"
#include "net/probe.h"

#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* libwebsockets 4.1 on libuv leaves its watcher behind where a connection could not be made, stopped but never closed.
 */
static void close_forgotten(uv_handle_t *handle, void *wsi)
{
    if (handle->type == UV_POLL && handle->data == wsi && !uv_is_closing(handle))
        uv_close(handle, free_handle);
}

void pp_client_dial_forget(struct pp_client_link *link, struct lws *wsi)
{
    if (!link->opened)
        uv_walk(&link->loop->uv, close_forgotten, wsi);
    lws_set_opaque_user_data(wsi, NULL);
    struct pp_client *client = link->client;
    free(link);
    if (client == NULL)
        return;
    client->link = NULL;
    client->wsi = NULL;
    pp_client_at_turn_end(client);
}

static void dial(struct pp_client *client)
{
    char address[128] = "";
    if (client->address == NULL)
        snprintf(address, sizeof address, "+%s", client->options.unix_path);
    else
        getnameinfo(client->address->ai_addr, client->address->ai_addrlen, address, sizeof address, NULL, 0,
                    NI_NUMERICHOST);
    int tls = LCCSCF_USE_SSL;
    /* libwebsockets takes the host to end at its first colon: an IPv6 address is checked in check_ip instead. */
    if (client->options.insecure || strchr(client->options.host, ':') != NULL)
        tls |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
    struct pp_client_link *link = pp_malloc(sizeof *link);
    *link = (struct pp_client_link){.client = client, .loop = client->loop};
    client->link = link;
    client->dialed = true;
    client->reached = client->killed = false;
    struct lws_client_connect_info info = {
        .context = client->loop->lws,
        .vhost = client->vhost,
        .address = address,
        .port = client->options.port,
        .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (client->options.secure ? tls : 0),
        .path = client->options.path,
        .host = client->host_header,
        .alpn = "http/1.1",
        .opaque_user_data = link,
    };
    struct lws *wsi = lws_client_connect_via_info(&info);
    if (wsi != NULL && client->link == link) {
        client->wsi = wsi;
        return;
    }
    if (client->link == link) { /* whatever is left of the wsi frees the link */
        link->client = NULL;
        client->link = NULL;
    }
    pp_client_at_turn_end(client);
}

static void on_probed(void *arg, const char *reason)
{
    struct pp_client *client = arg;
    client->probe = NULL;
    if (client->state == CONNECTING)
        pp_client_fail(client, "%s", reason ? reason : "the connection was lost before the handshake");
    else
        pp_client_at_turn_end(client);
}

static void explain_unix(struct pp_client *client)
{
    uv_fs_t stat;
    int missing = uv_fs_stat(&client->loop->uv, &stat, client->options.unix_path, NULL);
    uv_fs_req_cleanup(&stat);
    pp_client_fail(client, "%s: %s", client->options.unix_path,
                   missing < 0 ? uv_strerror(missing) : "nobody listens there");
}

/* The wsi at hand came to nothing, and did not say why. */
static void explain(struct pp_client *client)
{
    if (client->reached)
        pp_client_fail(client, "the connection was lost before the handshake");
    else if (client->address == NULL)
        explain_unix(client);
    else
        client->probe = pp_probe_start(client->loop, client->address->ai_addr, on_probed, client);
    if (client->state == CONNECTING && client->probe == NULL)
        pp_client_fail(client, "no connection could be made");
}

void pp_client_dial_next(struct pp_client *client)
{
    bool more = client->address != NULL && client->address->ai_next != NULL;
    if (client->dialed && (client->reached || !more)) {
        explain(client);
        return;
    }
    if (client->dialed)
        client->address = client->address->ai_next;
    dial(client);
}

static void set_port(struct addrinfo *address, int port)
{
    if (address->ai_family == AF_INET)
        ((struct sockaddr_in *)address->ai_addr)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)address->ai_addr)->sin6_port = htons((uint16_t)port);
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses)
{
    struct pp_client *client = lookup->data;
    client->looking_up = false;
    client->addresses = client->address = addresses;
    if (client->state == DEAD) {
        pp_client_settle(client);
        return;
    }
    if (status != 0) {
        pp_client_fail(client, "%s was not found: %s", client->options.host, uv_strerror(status));
        return;
    }
    for (struct addrinfo *each = addresses; each != NULL; each = each->ai_next)
        set_port(each, client->options.port);
    client->state = CONNECTING;
    pp_client_dial_next(client);
}

static void say_why(struct pp_client *client, struct lws *wsi, const char *text, size_t len)
{
    SSL *ssl = lws_get_ssl(wsi);
    unsigned status = lws_http_client_http_response(wsi);
    if (status != 0 && status != 101) {
        pp_client_fail(client, "the server answered %u and did not upgrade to WebSocket", status);
    } else if (ssl != NULL && SSL_get_verify_result(ssl) != X509_V_OK) {
        pp_client_fail(client, "the server's certificate is refused: %s",
                       X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    } else if (ssl != NULL && !SSL_is_init_finished(ssl)) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        pp_client_fail(client, "the TLS handshake failed%s%s", reason ? ": " : "", reason ? reason : "");
    } else if (text != NULL && len >= 3 && memcmp(text, "HS:", 3) == 0) {
        pp_client_fail(client, "the server's answer is not a WebSocket handshake (%.*s)", (int)len, text);
    } else {
        pp_client_fail(client, "the server ended the connection in the handshake");
    }
}

void pp_client_dial_failed(struct pp_client *client, struct lws *wsi, const char *text, size_t len)
{
    client->killed = true; /* libwebsockets is about to */
    if (client->state == CONNECTING && client->reached)
        say_why(client, wsi, text, text ? strnlen(text, len) : 0);
}

static bool check_ip(const struct pp_client *client, struct lws *wsi)
{
    if (!client->options.secure || client->options.insecure || strchr(client->options.host, ':') == NULL)
        return true;
    X509 *certificate = SSL_get1_peer_certificate(lws_get_ssl(wsi));
    bool fits = certificate != NULL && X509_check_ip_asc(certificate, client->options.host, 0) == 1;
    X509_free(certificate);
    return fits;
}

int pp_client_dial_headers(struct pp_client *client, struct lws *wsi, char **at, size_t room)
{
    if (!check_ip(client, wsi)) {
        pp_client_fail(client, "the server's certificate is refused: IP address mismatch");
        return -1;
    }
    size_t len = client->options.headers ? strlen(client->options.headers) : 0;
    if (len > room) {
        pp_client_fail(client, "the headers are too long: %zu bytes, %zu fit", len, room);
        return -1;
    }
    if (len > 0)
        memcpy(*at, client->options.headers, len);
    *at += len;
    return 0;
}

static char *make_host_header(const struct pp_client_options *options)
{
    char text[320];
    bool v6 = strchr(options->host, ':') != NULL;
    snprintf(text, sizeof text, "%s%s%s", v6 ? "[" : "", options->host, v6 ? "]" : "");
    size_t len = strlen(text);
    if (options->unix_path == NULL && options->port != (options->secure ? 443 : 80))
        snprintf(text + len, sizeof text - len, ":%d", options->port);
    return pp_strndup(text, strlen(text));
}

void pp_client_look_up(struct pp_client *client)
{
    client->host_header = make_host_header(&client->options);
    if (client->options.unix_path != NULL) {
        client->state = CONNECTING;
        pp_client_at_turn_end(client);
        return;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    client->lookup.data = client;
    int failed = uv_getaddrinfo(&client->loop->uv, &client->lookup, on_lookup, client->options.host, NULL, &hints);
    client->looking_up = failed == 0;
    if (failed)
        pp_client_fail(client, "%s cannot be looked up: %s", client->options.host, uv_strerror(failed));
}
