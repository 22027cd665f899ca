/* Looking at certificate files before libwebsockets does, for a message that helps. */
#include "net/tls.h"

#include <openssl/err.h>
#include <stdio.h>

static bool fail(SSL_CTX *context, const char *what, const char *file, char *error, size_t error_size)
{
    char reason[160];
    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
    ERR_clear_error();
    snprintf(error, error_size, "tls: %s %s cannot be used: %s", what, file, reason);
    SSL_CTX_free(context);
    return false;
}

bool pp_tls_check_files(const char *cert, const char *key, char *error, size_t error_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return fail(context, "certificate", cert, error, error_size);
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return fail(context, "key", key, error, error_size);
    if (SSL_CTX_check_private_key(context) != 1)
        return fail(context, "the certificate does not belong to the key", key, error, error_size);
    SSL_CTX_free(context);
    return true;
}
