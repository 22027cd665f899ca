/* Tokens of sessions, by OpenSSL. */
#include "session/token.h"

#include "base/log.h"
#include "base/memory.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RANDOM_SECRET 32 /* bytes */

static void check(bool done, const char *what)
{
    if (done)
        return;
    pp_log(PP_LOG_ERROR, "%s", what);
    abort();
}

void pp_token_key_create(struct pp_token_key *key, const void *secret, size_t len)
{
    pp_uuid(key->epoch);
    key->len = secret ? len : RANDOM_SECRET;
    key->secret = pp_malloc(key->len);
    if (secret != NULL)
        memcpy(key->secret, secret, len);
    else
        check(getrandom(key->secret, RANDOM_SECRET, 0) == RANDOM_SECRET, "the system has no random numbers");
}

void pp_token_key_destroy(struct pp_token_key *key)
{
    OPENSSL_cleanse(key->secret, key->len);
    free(key->secret);
}

void pp_token_write(const struct pp_token_key *key, const char *sid, uint64_t generation, char out[PP_TOKEN_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char text[256], digest[EVP_MAX_MD_SIZE];
    int len = snprintf((char *)text, sizeof text, "%s%s%llu", sid, key->epoch, (unsigned long long)generation);
    unsigned int digest_len = 0;
    check(HMAC(EVP_sha256(), key->secret, (int)key->len, text, (size_t)len, digest, &digest_len) != NULL,
          "HMAC-SHA256 is missing");
    for (unsigned int i = 0; i < digest_len; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = '\0';
}

bool pp_token_matches(const struct pp_token_key *key, const char *sid, uint64_t generation, const char *token)
{
    char expected[PP_TOKEN_SIZE];
    pp_token_write(key, sid, generation, expected);
    bool same = strlen(token) == PP_TOKEN_SIZE - 1 && CRYPTO_memcmp(expected, token, PP_TOKEN_SIZE - 1) == 0;
    OPENSSL_cleanse(expected, sizeof expected);
    return same;
}
