/* What is read out of a handshake once it is kept. */
#include "harness.h"
#include "net/handshake.h"

#include <string.h>

static const char *header(const char *headers, const char *name)
{
    static char value[100];
    struct pp_handshake handshake = {.headers = headers};
    size_t len;
    const char *found = pp_handshake_header(&handshake, name, &len);
    if (found == NULL)
        return NULL;
    memcpy(value, found, len);
    value[len] = '\0';
    return value;
}

static void finds_headers(void)
{
    static const char headers[] = "host: example.com\norigin: https://a.example\nx-empty: \nx-colon: a: b\n";
    CU_ASSERT_STRING_EQUAL(header(headers, "host"), "example.com");
    CU_ASSERT_STRING_EQUAL(header(headers, "origin"), "https://a.example");
    CU_ASSERT_STRING_EQUAL(header(headers, "x-empty"), "");
    CU_ASSERT_STRING_EQUAL(header(headers, "x-colon"), "a: b");
    CU_ASSERT_PTR_NULL(header(headers, "hos"));
    CU_ASSERT_PTR_NULL(header(headers, "hostx"));
    CU_ASSERT_PTR_NULL(header(headers, "example.com"));
    CU_ASSERT_PTR_NULL(header("", "host"));
}

static const char *query(const char *text, const char *name, size_t size)
{
    static char value[100];
    struct pp_handshake handshake = {.query = text};
    return pp_handshake_query(&handshake, name, value, size) ? value : NULL;
}

static void finds_arguments_of_the_query(void)
{
    static const char text[] = "a=1&bb=2&a=3&empty=&flag&c=%41+%2b%C3%BC";
    CU_ASSERT_STRING_EQUAL(query(text, "a", 100), "1"); /* the first */
    CU_ASSERT_STRING_EQUAL(query(text, "bb", 100), "2");
    CU_ASSERT_STRING_EQUAL(query(text, "empty", 100), "");
    CU_ASSERT_STRING_EQUAL(query(text, "c", 100), "A +\xC3\xBC");
    CU_ASSERT_PTR_NULL(query(text, "b", 100));
    CU_ASSERT_PTR_NULL(query(text, "flag", 100));
    CU_ASSERT_PTR_NULL(query("", "a", 100));
    CU_ASSERT_STRING_EQUAL(query("&&a=1&&", "a", 100), "1");
    CU_ASSERT_STRING_EQUAL(query("a=1=2", "a", 100), "1=2");
}

static void refuses_what_is_not_encoded_properly(void)
{
    CU_ASSERT_PTR_NULL(query("a=%", "a", 100));
    CU_ASSERT_PTR_NULL(query("a=%4", "a", 100));
    CU_ASSERT_PTR_NULL(query("a=%4&b=1", "a", 100));
    CU_ASSERT_PTR_NULL(query("a=%zz", "a", 100));
    CU_ASSERT_PTR_NULL(query("a=x%00y", "a", 100)); /* a NUL would cut it */
}

static void refuses_what_does_not_fit(void)
{
    CU_ASSERT_STRING_EQUAL(query("a=1234", "a", 5), "1234");
    CU_ASSERT_PTR_NULL(query("a=12345", "a", 5));
    CU_ASSERT_STRING_EQUAL(query("a=%31%32%33%34", "a", 5), "1234");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"finds headers by their whole name", finds_headers},
        {"finds arguments of the query", finds_arguments_of_the_query},
        {"refuses what is not encoded properly", refuses_what_is_not_encoded_properly},
        {"refuses what does not fit", refuses_what_does_not_fit},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("net/handshake", tests);
}
