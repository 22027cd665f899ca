/* Growing runs of bytes. */
#include "base/buf.h"
#include "harness.h"

#include <stdbool.h>

static void starts_empty(void)
{
    struct pp_buf buf = {0};
    CU_ASSERT_EQUAL(buf.len, 0);
    pp_buf_append(&buf, NULL, 0);
    CU_ASSERT_PTR_NULL(buf.data);
    pp_buf_destroy(&buf);
}

static void keeps_what_is_appended(void)
{
    struct pp_buf buf = {0};
    pp_buf_append_string(&buf, "hello");
    pp_buf_append_char(&buf, ' ');
    pp_buf_append(&buf, "world\0!", 7);
    CU_ASSERT_EQUAL_FATAL(buf.len, 13);
    CU_ASSERT_EQUAL(memcmp(buf.data, "hello world\0!", 13), 0);
    pp_buf_destroy(&buf);
}

static void grows_to_any_length(void)
{
    struct pp_buf buf = {0};
    for (unsigned i = 0; i < 100000; i++)
        pp_buf_append_char(&buf, (char)(i % 251));
    CU_ASSERT_EQUAL_FATAL(buf.len, 100000);
    bool same = true;
    for (unsigned i = 0; i < 100000; i++)
        same = same && buf.data[i] == (char)(i % 251);
    CU_ASSERT_TRUE(same);
    CU_ASSERT_TRUE(buf.cap >= buf.len && buf.cap < 4 * buf.len);
    pp_buf_destroy(&buf);
}

static void reserves_as_much_as_was_asked_for(void)
{
    struct pp_buf buf = {0};
    for (size_t extra = 1; extra < 70000; extra = extra * 3 + 1) {
        memset(pp_buf_reserve(&buf, extra), 'x', extra);
        CU_ASSERT_TRUE(buf.cap - buf.len >= extra);
        buf.len += extra / 2;
    }
    pp_buf_destroy(&buf);
}

static void keeps_its_memory_when_cleared(void)
{
    struct pp_buf buf = {0};
    pp_buf_append_string(&buf, "something");
    size_t cap = buf.cap;
    pp_buf_clear(&buf);
    CU_ASSERT_EQUAL(buf.len, 0);
    CU_ASSERT_EQUAL(buf.cap, cap);
    pp_buf_destroy(&buf);
    CU_ASSERT_PTR_NULL(buf.data);
    pp_buf_append_string(&buf, "again");
    CU_ASSERT_EQUAL(buf.len, 5);
    pp_buf_destroy(&buf);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"starts empty", starts_empty},
        {"keeps what is appended, zero bytes too", keeps_what_is_appended},
        {"grows to any length, by doubling", grows_to_any_length},
        {"reserves as much as was asked for", reserves_as_much_as_was_asked_for},
        {"keeps its memory when cleared, and can be used after it was destroyed", keeps_its_memory_when_cleared},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("base/buf", tests);
}
