/* Formatting of log lines; each line is one write(2), so lines of several processes don't mix. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error", "silent"};
static enum pp_log_level threshold = PP_LOG_INFO;
static bool as_json;

bool pp_log_set_level(const char *name)
{
    for (int i = PP_LOG_DEBUG; i <= PP_LOG_SILENT; i++)
        if (strcmp(name, level_names[i]) == 0) {
            threshold = (enum pp_log_level)i;
            return true;
        }
    return false;
}

bool pp_log_set_format(const char *name)
{
    bool json = strcmp(name, "json") == 0;
    if (!json && strcmp(name, "text") != 0)
        return false;
    as_json = json;
    return true;
}

bool pp_log_enabled(enum pp_log_level level)
{
    return level >= threshold;
}

static void append_time(struct pp_buf *line)
{
    uint64_t now = pp_clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char text[40];
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    len += (size_t)snprintf(text + len, sizeof text - len, ".%03uZ", (unsigned)(now % 1000));
    pp_buf_append(line, text, len);
}

/* Escapes control characters, and quotes and backslashes where `quoted`. C1 controls (U+0080-9F) begin with byte 0xC2.
   A byte that is no UTF-8 becomes the escape of the replacement character, so that a line of JSON is always one. */
static void append_escaped(struct pp_buf *line, const char *text, size_t len, bool quoted)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xC2 && i + 1 < len && (unsigned char)text[i + 1] < 0xA0;
        size_t wide = c >= 0x80 && !c1 ? pp_utf8_length(text + i, text + len) : 1;
        char escape[8];
        if (wide == 0) {
            pp_buf_append_string(line, "\\ufffd");
        } else if (wide > 1) {
            pp_buf_append(line, text + i, wide);
            i += wide - 1;
        } else if (c == '\n')
            pp_buf_append(line, "\\n", 2);
        else if (c < 0x20 || c == 0x7F || c1)
            pp_buf_append(line, escape,
                          (size_t)snprintf(escape, sizeof escape, "\\u%04x", c1 ? (unsigned char)text[++i] : c));
        else if (quoted && (c == '"' || c == '\\'))
            pp_buf_append(line, (char[]){'\\', (char)c}, 2);
        else
            pp_buf_append_char(line, (char)c);
    }
}

static void append_quoted(struct pp_buf *line, const char *text, size_t len)
{
    pp_buf_append_char(line, '"');
    append_escaped(line, text, len, true);
    pp_buf_append_char(line, '"');
}

/* Is the key one that each line has? The field of that name is written as "fields.time" and so on. */
static bool is_own(const char *key)
{
    return strcmp(key, "time") == 0 || strcmp(key, "level") == 0 || strcmp(key, "msg") == 0;
}

static void append_json(struct pp_buf *line, enum pp_log_level level, const char *text, size_t len,
                        const struct pp_log_field *fields, size_t count)
{
    pp_buf_append_string(line, "{\"time\":\"");
    append_time(line);
    pp_buf_append_string(line, "\",\"level\":\"");
    pp_buf_append_string(line, level_names[level]);
    pp_buf_append_string(line, "\",\"msg\":");
    append_quoted(line, text, len);
    for (size_t i = 0; i < count; i++) {
        pp_buf_append_string(line, is_own(fields[i].key) ? ",\"fields." : ",\"");
        append_escaped(line, fields[i].key, strlen(fields[i].key), true);
        pp_buf_append_string(line, "\":");
        append_quoted(line, fields[i].value, fields[i].len);
    }
    pp_buf_append_string(line, "}\n");
}

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == '"' || text[i] == '=' || text[i] == '\\' || text[i] == 0x7F)
            return false;
    return len > 0;
}

static void append_text(struct pp_buf *line, enum pp_log_level level, const char *text, size_t len,
                        const struct pp_log_field *fields, size_t count)
{
    append_time(line);
    pp_buf_append_char(line, ' ');
    pp_buf_append_string(line, level_names[level]);
    pp_buf_append_char(line, ' ');
    const char *newline = memchr(text, '\n', len);
    size_t first = newline ? (size_t)(newline - text) : len;
    append_escaped(line, text, first, false);
    for (size_t i = 0; i < count; i++) {
        pp_buf_append_char(line, ' ');
        pp_buf_append_string(line, fields[i].key);
        pp_buf_append_char(line, '=');
        if (is_plain(fields[i].value, fields[i].len))
            append_escaped(line, fields[i].value, fields[i].len, false);
        else
            append_quoted(line, fields[i].value, fields[i].len);
    }
    for (size_t at = first; at < len;) {
        const char *start = text + at + 1;
        newline = memchr(start, '\n', len - at - 1);
        size_t part = newline ? (size_t)(newline - start) : len - at - 1;
        pp_buf_append_string(line, "\n    ");
        append_escaped(line, start, part, false);
        at += part + 1;
    }
    pp_buf_append_char(line, '\n');
}

void pp_log_write(enum pp_log_level level, const char *text, size_t len, const struct pp_log_field *fields,
                  size_t count)
{
    if (!pp_log_enabled(level))
        return;
    struct pp_buf line = {0};
    if (as_json)
        append_json(&line, level, text, len, fields, count);
    else
        append_text(&line, level, text, len, fields, count);
    /* A log that can't be written has nowhere to say so. */
    ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written;
    pp_buf_destroy(&line);
}

void pp_log(enum pp_log_level level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len >= (int)sizeof text)
        len = (int)sizeof text - 1;
    pp_log_write(level, text, (size_t)len, NULL, 0);
}
