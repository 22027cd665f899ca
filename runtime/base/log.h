/* One line an event: time, level, text, key=value fields. Control characters are escaped, since peers choose some of
 * the bytes.
 *
 *     2026-05-01T12:00:00.123Z info listening port=3000
 *     {"time":"2026-05-01T12:00:00.123Z","level":"info","msg":"listening","port":"3000"} */
#ifndef PP_BASE_LOG_H
#define PP_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum pp_log_level { PP_LOG_DEBUG, PP_LOG_INFO, PP_LOG_WARN, PP_LOG_ERROR, PP_LOG_SILENT };

struct pp_log_field {
    const char *key;
    const char *value; /* any bytes */
    size_t len;
};

/* False where `name` is none of debug, info, warn, error, silent: nothing is changed. */
bool pp_log_set_level(const char *name);

/* False where `name` is neither text nor json: nothing is changed. */
bool pp_log_set_format(const char *name);

bool pp_log_enabled(enum pp_log_level level);

/* Writes one line to stderr where the level is enabled. A newline inside `text` (a traceback) is kept as an indented
 * line in the text format, escaped in JSON. */
void pp_log_write(enum pp_log_level level, const char *text, size_t len, const struct pp_log_field *fields,
                  size_t count);

/* The same for C's own messages: printf's format, no fields. */
__attribute__((format(printf, 2, 3))) void pp_log(enum pp_log_level level, const char *format, ...);

#endif
