/* What every CUnit program here shares: one suite from a list of tests, CUnit's own summary, exit status 1 on a
 * failure.
 *
 *     int main(void)
 *     {
 *         return pp_run_suite("wire/frame", (CU_TestInfo[]){{"reads a header", reads_header}, CU_TEST_INFO_NULL});
 *     } */
#ifndef PP_TESTS_HARNESS_H
#define PP_TESTS_HARNESS_H

#include <CUnit/Basic.h>

static inline int pp_run_suite(const char *name, CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = {{name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return 2;
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    unsigned run = CU_get_number_of_tests_run();
    CU_cleanup_registry();
    return failed > 0 || run == 0;
}

#endif
