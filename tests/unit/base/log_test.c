/* Log lines, read back from where they were written. */
#include "base/log.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int saved_stderr;
static FILE *caught;

static void begin(void)
{
    caught = tmpfile();
    if (caught == NULL)
        abort();
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fileno(caught), STDERR_FILENO);
}

/* What was written since begin(), NUL-terminated. */
static const char *end(void)
{
    static char text[8192];
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    rewind(caught);
    size_t len = fread(text, 1, sizeof text - 1, caught);
    text[len] = '\0';
    fclose(caught);
    return text;
}

static const char *logged(const char *text, const struct pp_log_field *fields, size_t count)
{
    begin();
    pp_log_write(PP_LOG_WARN, text, strlen(text), fields, count);
    return end();
}

#define FIELD(key, value)                                                                                              \
    {                                                                                                                  \
        key, value, sizeof value - 1                                                                                   \
    }

static void writes_a_line_of_text(void)
{
    struct pp_log_field fields[] = {FIELD("room", "lobby"), FIELD("n", "3")};
    const char *line = logged("joined", fields, 2);
    unsigned year, month, day, hour, minute, second, ms;
    int used = 0;
    CU_ASSERT_EQUAL(
        sscanf(line, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ%n", &year, &month, &day, &hour, &minute, &second, &ms, &used), 7);
    CU_ASSERT_EQUAL(used, 24);
    CU_ASSERT_STRING_EQUAL(line + 24, " warn joined room=lobby n=3\n");
}

static void quotes_what_is_not_plain(void)
{
    struct pp_log_field fields[] = {FIELD("a", ""), FIELD("b", "x y"), FIELD("c", "k=v"), FIELD("d", "q\"\\"),
                                    FIELD("e", "ü")};
    CU_ASSERT_STRING_EQUAL(logged("x", fields, 5) + 24, " warn x a=\"\" b=\"x y\" c=\"k=v\" d=\"q\\\"\\\\\" e=ü\n");
}

static void escapes_what_could_fool_a_reader(void)
{
    struct pp_log_field fields[] = {FIELD("a", "x\ny"), FIELD("b", "\x1B[31m"),
                                    FIELD("c", "\0\x7F\xC2\x9B"
                                               "m"),
                                    FIELD("d", "\r")};
    CU_ASSERT_STRING_EQUAL(
        logged("t\x1B\rx", fields, 4) + 24,
        " warn t\\u001b\\u000dx a=\"x\\ny\" b=\"\\u001b[31m\" c=\"\\u0000\\u007f\\u009bm\" d=\"\\u000d\"\n");
}

static void indents_the_lines_below_the_first(void)
{
    struct pp_log_field fields[] = {FIELD("k", "v")};
    CU_ASSERT_STRING_EQUAL(logged("one\ntwo\n\nfour", fields, 1) + 24, " warn one k=v\n    two\n    \n    four\n");
    CU_ASSERT_STRING_EQUAL(logged("one\n", NULL, 0) + 24, " warn one\n    \n");
}

static void writes_json(void)
{
    struct pp_log_field fields[] = {FIELD("k", "a\"\\\n\x01")};
    CU_ASSERT_TRUE(pp_log_set_format("json"));
    const char *line = logged("one\ntwo", fields, 1);
    CU_ASSERT_EQUAL(strncmp(line, "{\"time\":\"", 9), 0);
    CU_ASSERT_STRING_EQUAL(line + 33, "\",\"level\":\"warn\",\"msg\":\"one\\ntwo\",\"k\":\"a\\\"\\\\\\n\\u0001\"}\n");
    CU_ASSERT_FALSE(pp_log_set_format("xml"));
    CU_ASSERT_TRUE(pp_log_set_format("text"));
}

static void writes_json_whatever_it_is_given(void)
{
    struct pp_log_field fields[] = {FIELD("time", "t"), FIELD("level", "l"), FIELD("msg", "m"),
                                    FIELD("k\xFF", "\xC3(\xE2\x82")};
    CU_ASSERT_TRUE(pp_log_set_format("json"));
    const char *line = logged("a\x80\xC3\xA4\xF0\x9F\x98\x80", fields, 4);
    CU_ASSERT_STRING_EQUAL(line + 33, "\",\"level\":\"warn\",\"msg\":\"a\\ufffd\xC3\xA4\xF0\x9F\x98\x80\","
                                      "\"fields.time\":\"t\",\"fields.level\":\"l\",\"fields.msg\":\"m\","
                                      "\"k\\ufffd\":\"\\ufffd(\\ufffd\\ufffd\"}\n");
    CU_ASSERT_TRUE(pp_log_set_format("text"));
}

static void leaves_out_what_is_below_the_level(void)
{
    static const char *const names[] = {"debug", "info", "warn", "error", "silent"};
    for (int level = PP_LOG_DEBUG; level <= PP_LOG_SILENT; level++) {
        CU_ASSERT_TRUE(pp_log_set_level(names[level]));
        int lines = 0;
        begin();
        for (int i = PP_LOG_DEBUG; i <= PP_LOG_ERROR; i++) {
            pp_log((enum pp_log_level)i, "%s %d", "line", i);
            CU_ASSERT_EQUAL(pp_log_enabled((enum pp_log_level)i), i >= level);
        }
        for (const char *at = end(); (at = strchr(at, '\n')) != NULL; at++)
            lines++;
        CU_ASSERT_EQUAL(lines, PP_LOG_SILENT - level);
    }
    CU_ASSERT_FALSE(pp_log_set_level("loud"));
    CU_ASSERT_FALSE(pp_log_set_level(""));
    CU_ASSERT_FALSE(pp_log_enabled(PP_LOG_ERROR));
    CU_ASSERT_TRUE(pp_log_set_level("info"));
}

static void cuts_what_is_too_long_for_a_format(void)
{
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    begin();
    pp_log(PP_LOG_ERROR, "%s", text);
    const char *line = end();
    CU_ASSERT_EQUAL(strlen(line), 24 + strlen(" error ") + 1023 + 1);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"writes a line of text", writes_a_line_of_text},
        {"quotes what is not plain", quotes_what_is_not_plain},
        {"escapes what could fool a reader", escapes_what_could_fool_a_reader},
        {"indents the lines below the first", indents_the_lines_below_the_first},
        {"writes JSON", writes_json},
        {"writes JSON whatever it is given", writes_json_whatever_it_is_given},
        {"leaves out what is below the level", leaves_out_what_is_below_the_level},
        {"cuts what is too long for a format", cuts_what_is_too_long_for_a_format},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("base/log", tests);
}
