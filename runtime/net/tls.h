/* What listener and client share about TLS. */
#ifndef PP_NET_TLS_H
#define PP_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* TLS 1.2 and later, and no renegotiation: its callbacks would reach into connections that libwebsockets no longer has.
 */
#define PP_TLS_OPTIONS (SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION)

/* Can these PEM files be used together? False with a message that names the file and what is wrong with it. */
bool pp_tls_check_files(const char *cert, const char *key, char *error, size_t error_size);

#endif
