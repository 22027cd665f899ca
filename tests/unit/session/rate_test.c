/* Rate limits in virtual time. */
#include "harness.h"
#include "random.h"
#include "session/rate.h"

static unsigned allowed(struct pp_rate *rate, const struct pp_rate_limit *limit, uint64_t now, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += pp_rate_allow(rate, limit, now);
    return n;
}

static void allows_all_without_a_limit(void)
{
    struct pp_rate rate = {0};
    struct pp_rate_limit limit = {0};
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 5, 100000), 100000);
}

static void counts_each_second_anew(void)
{
    struct pp_rate rate = {0};
    struct pp_rate_limit limit = {.per_second = 10};
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 5000, 25), 10);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 5999, 25), 0);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 6000, 25), 10);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 60000, 25), 10);
}

static void counts_minutes_beside_seconds(void)
{
    struct pp_rate rate = {0};
    struct pp_rate_limit limit = {.per_second = 10, .per_minute = 25};
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 60000, 20), 10);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 61000, 20), 10);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 62000, 20), 5);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 119999, 20), 0);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 120000, 20), 10);
}

/* At a fixed window's edge twice the limit may pass; a sliding one counts the window before in proportion. */
static void slides(void)
{
    struct pp_rate fixed = {0}, sliding = {0};
    struct pp_rate_limit limit = {.per_second = 100};
    CU_ASSERT_EQUAL(allowed(&fixed, &limit, 1999, 200) + allowed(&fixed, &limit, 2000, 200), 200);
    limit.sliding = true;
    CU_ASSERT_EQUAL(allowed(&sliding, &limit, 1999, 200), 100);
    CU_ASSERT_EQUAL(allowed(&sliding, &limit, 2000, 200), 0);
    CU_ASSERT_EQUAL(allowed(&sliding, &limit, 2250, 200), 25);
    CU_ASSERT_EQUAL(allowed(&sliding, &limit, 2500, 200), 25);
    CU_ASSERT_EQUAL(allowed(&sliding, &limit, 4000, 200), 100); /* the window before was empty */
}

static void does_not_count_what_it_refused(void)
{
    struct pp_rate rate = {0};
    struct pp_rate_limit limit = {.per_second = 10, .sliding = true};
    allowed(&rate, &limit, 1000, 100000);
    CU_ASSERT_EQUAL(allowed(&rate, &limit, 2500, 100), 5);
}

static void never_passes_more_than_the_limit(void)
{
    struct pp_random random = {5};
    for (int round = 0; round < 200; round++) {
        struct pp_rate rate = {0};
        struct pp_rate_limit limit = {.per_second = 1 + (uint32_t)pp_random_below(&random, 20), .sliding = round % 2};
        uint64_t now = pp_random_below(&random, 100000), window = 0;
        uint32_t count = 0;
        for (int i = 0; i < 2000; i++) {
            now += pp_random_below(&random, 60);
            if (now / 1000 != window)
                count = 0;
            window = now / 1000;
            count += pp_rate_allow(&rate, &limit, now);
            if (count > limit.per_second)
                CU_FAIL("let too many pass");
        }
    }
}

static void tells_once_in_each_window(void)
{
    struct pp_rate rate = {0};
    struct pp_rate_limit limit = {.per_second = 1};
    pp_rate_allow(&rate, &limit, 1000);
    CU_ASSERT_FALSE(pp_rate_allow(&rate, &limit, 1001));
    CU_ASSERT_TRUE(pp_rate_tell_once(&rate));
    CU_ASSERT_FALSE(pp_rate_allow(&rate, &limit, 1002));
    CU_ASSERT_FALSE(pp_rate_tell_once(&rate));
    pp_rate_allow(&rate, &limit, 2000);
    CU_ASSERT_FALSE(pp_rate_allow(&rate, &limit, 2001));
    CU_ASSERT_TRUE(pp_rate_tell_once(&rate));
}

static void tells_once_a_minute_of_the_minute(void)
{
    struct pp_rate rate = {0};
    struct pp_rate_limit limit = {.per_second = 5, .per_minute = 7};
    unsigned told = 0;
    for (uint64_t now = 60000; now < 120000; now += 100)
        told += !pp_rate_allow(&rate, &limit, now) && pp_rate_tell_once(&rate);
    CU_ASSERT_EQUAL(told, 2); /* of the first second, then of the minute */
    for (uint64_t now = 120000; now < 180000; now += 100)
        told += !pp_rate_allow(&rate, &limit, now) && pp_rate_tell_once(&rate);
    CU_ASSERT_EQUAL(told, 4);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"allows all without a limit", allows_all_without_a_limit},
        {"counts each second anew", counts_each_second_anew},
        {"counts minutes beside seconds", counts_minutes_beside_seconds},
        {"slides", slides},
        {"does not count what it refused", does_not_count_what_it_refused},
        {"never passes more than the limit in a window", never_passes_more_than_the_limit},
        {"tells once in each window", tells_once_in_each_window},
        {"tells once a minute of the minute", tells_once_a_minute_of_the_minute},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("session/rate", tests);
}
