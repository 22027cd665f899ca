/* A client's limits over its namespaces, in virtual time. */
#include "harness.h"
#include "session/limiter.h"

#include <string.h>

static const struct pp_limit_override overrides[] = {
    {.ns = "/chat", .ns_len = 5, .limit = {.per_second = 2}},
    {.ns = "/game", .ns_len = 5, .limit = {.per_second = 20, .per_minute = 30}},
};
static const struct pp_limits limits = {.rest = {.per_second = 10}, .overrides = overrides, .override_count = 2};

static struct pp_refusal refusal;

static unsigned allowed(struct pp_limiter *limiter, const char *ns, uint64_t now, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += pp_limiter_allow(limiter, &limits, ns, ns ? strlen(ns) : 0, now, &refusal);
    return n;
}

static void counts_overridden_namespaces_separately(void)
{
    struct pp_limiter limiter = {0};
    CU_ASSERT_EQUAL(allowed(&limiter, "/game", 1000, 100), 20);
    CU_ASSERT_EQUAL(refusal.limit, 20);
    CU_ASSERT_EQUAL(refusal.window, 1000);
    CU_ASSERT_EQUAL(allowed(&limiter, "/chat", 1000, 100), 2);
    CU_ASSERT_EQUAL(memcmp(refusal.ns, "/chat", 5), 0);
    CU_ASSERT_EQUAL(allowed(&limiter, NULL, 1000, 6), 6);
    CU_ASSERT_EQUAL(allowed(&limiter, "/gamer", 1000, 3), 3);
    CU_ASSERT_EQUAL(allowed(&limiter, "/", 1000, 3), 1);
    CU_ASSERT_EQUAL(refusal.ns, NULL);
    CU_ASSERT_EQUAL(allowed(&limiter, "/game", 2000, 100), 10);
    CU_ASSERT_EQUAL(refusal.limit, 30);
    CU_ASSERT_EQUAL(refusal.window, 60000);
    pp_limiter_destroy(&limiter);
}

static void tells_once_a_window_of_each(void)
{
    struct pp_limiter limiter = {0};
    allowed(&limiter, "/chat", 1000, 3);
    CU_ASSERT_TRUE(refusal.first);
    allowed(&limiter, NULL, 1000, 11);
    CU_ASSERT_TRUE(refusal.first);
    allowed(&limiter, "/chat", 1001, 1);
    CU_ASSERT_FALSE(refusal.first);
    allowed(&limiter, "/chat", 2000, 3);
    CU_ASSERT_TRUE(refusal.first);
    pp_limiter_destroy(&limiter);
}

static void may_override_the_default_namespace(void)
{
    static const struct pp_limit_override override = {.ns = "/", .ns_len = 1, .limit = {.per_second = 1}};
    struct pp_limits only = {.overrides = &override, .override_count = 1};
    struct pp_limiter limiter = {0};
    CU_ASSERT_TRUE(pp_limits_any(&only));
    CU_ASSERT_TRUE(pp_limiter_allow(&limiter, &only, NULL, 0, 1000, &refusal));
    CU_ASSERT_FALSE(pp_limiter_allow(&limiter, &only, NULL, 0, 1000, &refusal));
    CU_ASSERT_TRUE(pp_limiter_allow(&limiter, &only, "/x", 2, 1000, &refusal)); /* no limit for the rest */
    CU_ASSERT_TRUE(pp_limiter_may_look(&limiter, &only, 1000, &refusal));
    pp_limiter_destroy(&limiter);
}

static void bounds_what_is_read(void)
{
    struct pp_limiter limiter = {0};
    unsigned looks = 0;
    for (int i = 0; i < 1000; i++)
        looks += pp_limiter_may_look(&limiter, &limits, 1000, &refusal);
    CU_ASSERT_EQUAL(looks, 64); /* 2 * (10 + 2 + 20) */
    CU_ASSERT_EQUAL(allowed(&limiter, NULL, 1000, 5), 5);
    pp_limiter_destroy(&limiter);
}

static void begins_anew_where_the_overrides_change(void)
{
    struct pp_limits fewer = limits;
    struct pp_limiter limiter = {0};
    fewer.override_count = 1;
    CU_ASSERT_EQUAL(allowed(&limiter, "/chat", 1000, 9), 2);
    CU_ASSERT_TRUE(pp_limiter_allow(&limiter, &fewer, "/chat", 5, 1000, &refusal));
    CU_ASSERT_EQUAL(allowed(&limiter, "/game", 1000, 1), 1);
    fewer.override_count = 0;
    CU_ASSERT_TRUE(pp_limiter_allow(&limiter, &fewer, "/chat", 5, 1000, &refusal));
    pp_limiter_destroy(&limiter);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"counts overridden namespaces separately", counts_overridden_namespaces_separately},
        {"tells once a window of each", tells_once_a_window_of_each},
        {"may override the default namespace", may_override_the_default_namespace},
        {"bounds what is read", bounds_what_is_read},
        {"begins anew where the overrides change", begins_anew_where_the_overrides_change},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("session/limiter", tests);
}
