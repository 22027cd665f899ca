/* The pure rules of the HTTP side: field syntax, lengths, ranges, validators, dates, paths, media types. */
#include "harness.h"
#include "net/http_syntax.h"

#include <string.h>

static bool field(const char *name, const char *value)
{
    return pp_http_field_is_clean(name, strlen(name), value, strlen(value));
}

static void takes_clean_fields(void)
{
    CU_ASSERT(field("x-a", "b"));
    CU_ASSERT(field("X_a.1!", "tab\tand \"quotes\", caf\xC3\xA9"));
    CU_ASSERT(field("x", ""));
}

static void refuses_fields_that_would_end_early(void)
{
    CU_ASSERT(!field("", "b"));
    CU_ASSERT(!field("a b", "c"));
    CU_ASSERT(!field("a:", "c"));
    CU_ASSERT(!field("a\r\n", "c"));
    CU_ASSERT(!field("a", "b\r\nset-cookie: c"));
    CU_ASSERT(!field("a", "b\nc"));
    CU_ASSERT(!field("a", "b\x7F"));
    CU_ASSERT(!pp_http_field_is_clean("a", 1, "b\0c", 3));
    CU_ASSERT(!pp_http_field_is_clean("a\0", 2, "b", 1));
}

static void reads_lengths(void)
{
    static const char *const bad[] = {
        "", " 5", "5 ", "+5", "-5", "5,5", "0x10", "5x", "9223372036854775808", "99999999999999999999999999"};
    uint64_t length;
    CU_ASSERT(pp_http_length("0", &length) && length == 0);
    CU_ASSERT(pp_http_length("0042", &length) && length == 42);
    CU_ASSERT(pp_http_length("9223372036854775807", &length) && length == INT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(pp_http_length(bad[i], &length));
}

static bool part(const char *text, uint64_t size, uint64_t first, uint64_t last)
{
    uint64_t from, to;
    return pp_http_range(text, size, &from, &to) == PP_HTTP_RANGE_PART && from == first && to == last;
}

static void reads_ranges(void)
{
    CU_ASSERT(part("bytes=0-0", 10, 0, 0));
    CU_ASSERT(part("bytes=2-5", 10, 2, 5));
    CU_ASSERT(part("Bytes=2-", 10, 2, 9));
    CU_ASSERT(part("bytes=5-99999999", 10, 5, 9));
    CU_ASSERT(part("bytes=-3", 10, 7, 9));
    CU_ASSERT(part("bytes=-30", 10, 0, 9));
    CU_ASSERT(part("bytes=9-9", 10, 9, 9));
}

static void tells_ranges_outside(void)
{
    static const char *const outside[] = {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=9999999999999-"};
    uint64_t first, last;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        CU_ASSERT_EQUAL(pp_http_range(outside[i], 10, &first, &last), PP_HTTP_RANGE_OUTSIDE);
    CU_ASSERT_EQUAL(pp_http_range("bytes=0-", 0, &first, &last), PP_HTTP_RANGE_OUTSIDE);
    CU_ASSERT_EQUAL(pp_http_range("bytes=-5", 0, &first, &last), PP_HTTP_RANGE_OUTSIDE);
}

static void ignores_other_ranges(void)
{
    static const char *const other[] = {
        "",          "bytes",         "bytes=",      "bytes=-",     "bytes=a-b",
        "bytes=5-2", "bytes=0-1,3-4", "lines=0-1",   "bytes=0-1 ",  "bytes= 0-1",
        "bytes=--1", "bytes=1",       "bytes=0x1-2", "bytes=1-2-3", "bytes=0-99999999999999999999999"};
    uint64_t first, last;
    CU_ASSERT_EQUAL(pp_http_range(NULL, 10, &first, &last), PP_HTTP_RANGE_NONE);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        CU_ASSERT_EQUAL(pp_http_range(other[i], 10, &first, &last), PP_HTTP_RANGE_NONE);
}

static void changes_etags_with_the_file(void)
{
    char one[PP_HTTP_ETAG_SIZE], other[PP_HTTP_ETAG_SIZE];
    pp_http_etag(one, 5, &(struct timespec){.tv_sec = 100, .tv_nsec = 7});
    CU_ASSERT(one[0] == '"' && one[strlen(one) - 1] == '"');
    pp_http_etag(other, 5, &(struct timespec){.tv_sec = 100, .tv_nsec = 7});
    CU_ASSERT_STRING_EQUAL(one, other);
    pp_http_etag(other, 6, &(struct timespec){.tv_sec = 100, .tv_nsec = 7});
    CU_ASSERT_STRING_NOT_EQUAL(one, other);
    pp_http_etag(other, 5, &(struct timespec){.tv_sec = 100, .tv_nsec = 8});
    CU_ASSERT_STRING_NOT_EQUAL(one, other);
    pp_http_etag(other, UINT64_MAX, &(struct timespec){.tv_sec = (time_t)INT64_MAX, .tv_nsec = 999999999});
    CU_ASSERT(strlen(other) < PP_HTTP_ETAG_SIZE - 1);
}

static void finds_etags_in_lists(void)
{
    CU_ASSERT(pp_http_etag_in("\"a\"", "\"a\""));
    CU_ASSERT(pp_http_etag_in("W/\"a\"", "\"a\""));
    CU_ASSERT(pp_http_etag_in("\"b\", \"a\"", "\"a\""));
    CU_ASSERT(pp_http_etag_in("\"b\",W/\"a\" ,\"c\"", "\"a\""));
    CU_ASSERT(pp_http_etag_in("*", "\"a\""));
    CU_ASSERT(!pp_http_etag_in("", "\"a\""));
    CU_ASSERT(!pp_http_etag_in(",,,", "\"a\""));
    CU_ASSERT(!pp_http_etag_in("\"ab\"", "\"a\""));
    CU_ASSERT(!pp_http_etag_in("\"a\"b", "\"a\""));
    CU_ASSERT(!pp_http_etag_in("a", "\"a\""));
}

static void writes_and_reads_dates(void)
{
    char text[PP_HTTP_DATE_SIZE];
    time_t when;
    pp_http_date(text, 784111777);
    CU_ASSERT_STRING_EQUAL(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    CU_ASSERT(pp_http_date_parse(text, &when));
    CU_ASSERT_EQUAL(when, 784111777);
    CU_ASSERT(!pp_http_date_parse("", &when));
    CU_ASSERT(!pp_http_date_parse("yesterday", &when));
    CU_ASSERT(!pp_http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT; length=5", &when));
    CU_ASSERT(!pp_http_date_parse("Sunday, 06-Nov-94 08:49:37 GMT", &when));
}

static bool safe(const char *path)
{
    return pp_http_path_is_safe(path, strlen(path));
}

static void takes_safe_paths(void)
{
    CU_ASSERT(safe(""));
    CU_ASSERT(safe("index.html"));
    CU_ASSERT(safe("a/b/c.txt"));
    CU_ASSERT(safe("a/b/"));
    CU_ASSERT(safe("a b/\xC3\xA9.txt"));
    CU_ASSERT(safe("a..b/c...txt"));
    CU_ASSERT(safe("%2e%2e/x"));
}

static void refuses_paths_that_lead_elsewhere(void)
{
    static const char *const bad[] = {"..",  "../x", "a/../x", "a/..", ".",     "./a", "a/.",  ".git/config", "a/.env",
                                      "...", "/etc", "a//b",   "a\\b", "..\\x", "\\",  "a\nb", "a\x7F",       "//"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(safe(bad[i]));
    CU_ASSERT_FALSE(pp_http_path_is_safe("a\0b", 3));
    CU_ASSERT_FALSE(pp_http_path_is_safe("\0", 1));
}

static void knows_media_types(void)
{
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("index.html"), "text/html; charset=utf-8");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("/a.b/x.MJS"), "text/javascript; charset=utf-8");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a.min.css"), "text/css; charset=utf-8");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a.zip"), "application/zip");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a.avif"), "image/avif");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a.woff2"), "font/woff2");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a.wasm"), "application/wasm");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a"), "application/octet-stream");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a."), "application/octet-stream");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("/dir.html/a"), "application/octet-stream");
    CU_ASSERT_STRING_EQUAL(pp_http_media_type("a.unheard-of"), "application/octet-stream");
}

int main(void)
{
    return pp_run_suite("net/http", (CU_TestInfo[]){
                                        {"takes clean fields", takes_clean_fields},
                                        {"refuses fields that would end early", refuses_fields_that_would_end_early},
                                        {"reads lengths", reads_lengths},
                                        {"reads ranges", reads_ranges},
                                        {"tells ranges outside", tells_ranges_outside},
                                        {"ignores other ranges", ignores_other_ranges},
                                        {"changes etags with the file", changes_etags_with_the_file},
                                        {"finds etags in lists", finds_etags_in_lists},
                                        {"writes and reads dates", writes_and_reads_dates},
                                        {"takes safe paths", takes_safe_paths},
                                        {"refuses paths that lead elsewhere", refuses_paths_that_lead_elsewhere},
                                        {"knows media types", knows_media_types},
                                        CU_TEST_INFO_NULL,
                                    });
}
