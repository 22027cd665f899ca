/* Tokens of sessions, by OpenSSL. */
#include "session/token.h"

#include "base/log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void check(bool done, const char *what)
{
    if (done)
        return;
    pp_log(PP_LOG_ERROR, what);
    abort();
}

void pp_token_key_make(struct pp_token_key *key, const void *secret, size_t len)
{
    pp_uuid(key->epoch);
    if (secret == NULL)
        check(getrandom(key->secret, sizeof key->secret, 0) == sizeof key->secret, "the system has no random numbers");
    else
        check(EVP_Digest(secret, len, key->secret, NULL, EVP_sha256(), NULL) == 1, "SHA-256 is missing");
}

void pp_token_write(const struct pp_token_key *key, const char *sid, uint64_t generation, char out[PP_TOKEN_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char text[256], digest[EVP_MAX_MD_SIZE];
    int len = snprintf((char *)text, sizeof text, "%s\n%s\n%llu", sid, key->epoch, (unsigned long long)generation);
    unsigned int digest_len = 0;
    check(HMAC(EVP_sha256(), key->secret, sizeof key->secret, text, (size_t)len, digest, &digest_len) != NULL,
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
