/* TLS for clients with a context of our own: libwebsockets' would also trust certificates in a folder beside the
 * working directory, and would hand verification to whichever virtual host was made first. */
#include "net/client_vhost.h"

#include "base/memory.h"
#include "net/loop_internal.h"
#include "net/lws.h"
#include "net/tls.h"

#include <errno.h>
#include <libwebsockets.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One way of trusting. Kept for the life of the process: libwebsockets points at the name, loops share the context. */
struct trust {
    struct trust *next;
    SSL_CTX *context;
    char name[]; /* of the virtual host: "client", "client insecure", or "client ca=FILE" */
};

static struct trust *trusts;

static int keep_verdict(int ok, X509_STORE_CTX *store)
{
    (void)store;
    return ok;
}

static int verify(X509_STORE_CTX *store, void *insecure)
{
    if (insecure != NULL) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_verify_cb(store, keep_verdict);
    return X509_verify_cert(store);
}

static SSL_CTX *make_context(const char *ca_file, bool insecure, char *error, size_t error_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_options(context, PP_TLS_OPTIONS);
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_cert_verify_callback(context, verify, insecure ? &trusts : NULL);
    if (ca_file == NULL) {
        SSL_CTX_set_default_verify_paths(context);
    } else if (SSL_CTX_load_verify_file(context, ca_file) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        if (access(ca_file, R_OK) != 0)
            reason = strerror(errno);
        snprintf(error, error_size, "the CA file %s cannot be used: %s", ca_file,
                 reason ? reason : "no certificate in it");
        SSL_CTX_free(context);
        context = NULL;
    }
    ERR_clear_error();
    return context;
}

static struct trust *find_trust(const char *ca_file, bool insecure, char *error, size_t error_size)
{
    char name[4096 + 16];
    snprintf(name, sizeof name, "client%s%s",
             insecure  ? " insecure"
             : ca_file ? " ca="
                       : "",
             ca_file && !insecure ? ca_file : "");
    for (struct trust *trust = trusts; trust != NULL; trust = trust->next)
        if (strcmp(trust->name, name) == 0)
            return trust;
    SSL_CTX *context = make_context(insecure ? NULL : ca_file, insecure, error, error_size);
    if (context == NULL)
        return NULL;
    struct trust *trust = pp_malloc(sizeof *trust + strlen(name) + 1);
    *trust = (struct trust){.next = trusts, .context = context};
    memcpy(trust->name, name, strlen(name) + 1);
    trusts = trust;
    return trust;
}

struct lws_vhost *pp_client_vhost(struct pp_loop *loop, const struct lws_protocols *protocols, const char *ca_file,
                                  bool insecure, char *error, size_t error_size)
{
    struct lws_context *context = pp_lws_context(loop);
    struct trust *trust = find_trust(ca_file, insecure, error, error_size);
    if (context == NULL)
        snprintf(error, error_size, "libwebsockets did not start");
    if (context == NULL || trust == NULL)
        return NULL;
    struct lws_vhost *vhost = lws_get_vhost_by_name(context, trust->name);
    if (vhost != NULL)
        return vhost;
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .vhost_name = trust->name,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .provided_client_ssl_ctx = trust->context,
        .http_proxy_address = "none:0", /* or $http_proxy would be used */
        .timeout_secs = 10,
    };
    vhost = lws_create_vhost(context, &info);
    if (vhost == NULL)
        snprintf(error, error_size, "libwebsockets could not make a virtual host");
    return vhost;
}
