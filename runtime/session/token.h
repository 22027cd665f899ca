/* Proof that a client holds a session: an HMAC that only this server can make. */
#ifndef PP_SESSION_TOKEN_H
#define PP_SESSION_TOKEN_H

#include "session/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_TOKEN_SIZE 65 /* 64 hexadecimal digits and a NUL */

struct pp_token_key {
    unsigned char *secret;
    size_t len;
    char epoch[PP_UUID_SIZE]; /* another one for every start of a server */
};

/* A new epoch; the secret is a copy of `secret`, or random where that is NULL. */
void pp_token_key_create(struct pp_token_key *key, const void *secret, size_t len);
void pp_token_key_destroy(struct pp_token_key *key);

/* The hexadecimal HMAC-SHA256 of session id, epoch and generation (in decimal digits), one behind the other. */
void pp_token_write(const struct pp_token_key *key, const char *sid, uint64_t generation, char out[PP_TOKEN_SIZE]);

/* Is `token` (any text) that of this session and generation? Takes as long whatever it is. */
bool pp_token_matches(const struct pp_token_key *key, const char *sid, uint64_t generation, const char *token);

#endif
