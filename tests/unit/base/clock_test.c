/* Clocks: they agree with each other, and the monotonic one does not go back. */
#include "base/clock.h"
#include "harness.h"

static void does_not_go_back(void)
{
    uint64_t before = pp_clock_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = pp_clock_ns();
        if (now < before)
            CU_FAIL("the monotonic clock went back");
        before = now;
    }
}

static void counts_the_same_in_both_units(void)
{
    uint64_t before = pp_clock_ns() / 1000000, ms = pp_clock_ms(), after = pp_clock_ns() / 1000000;
    CU_ASSERT_TRUE(before <= ms && ms <= after);
}

static void knows_the_year(void)
{
    CU_ASSERT_TRUE(pp_clock_wall_ms() > UINT64_C(1700000000000)); /* 2023, in milliseconds */
    CU_ASSERT_TRUE(pp_clock_wall_ms() < UINT64_C(4102444800000)); /* 2100 */
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"does not go back", does_not_go_back},
        {"counts the same in both units", counts_the_same_in_both_units},
        {"knows the year", knows_the_year},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("base/clock", tests);
}
