/* UUIDs; random bytes are fetched many at a time. */
#include "session/uuid.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void pp_uuid(char out[PP_UUID_SIZE])
{
    static unsigned char pool[256]; /* what getrandom gives without being interrupted */
    static size_t used = sizeof pool;
    static const char digits[] = "0123456789abcdef";
    if (used == sizeof pool) {
        if (getrandom(pool, sizeof pool, 0) != sizeof pool) {
            pp_log(PP_LOG_ERROR, "the system has no random numbers");
            abort();
        }
        used = 0;
    }
    unsigned char *bytes = pool + used;
    used += 16;
    bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
    memset(bytes, 0, 16); /* an id is a secret while its session lives */
}
