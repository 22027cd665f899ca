/* Which pages may connect, and whose word about an address is believed: tables. */
#include "harness.h"
#include "session/origin.h"

#include <stdio.h>
#include <string.h>

static void matches_origins(void)
{
    static const struct {
        const char *rule, *origin;
        bool in;
    } cases[] = {
        {"*", "https://any.example", true},
        {"*", "null", true},
        {"https://shop.example.com", "https://shop.example.com", true},
        {"https://shop.example.com", "HTTPS://Shop.Example.COM", true},
        {"https://shop.example.com", "http://shop.example.com", false},
        {"https://shop.example.com", "https://shop.example.com:8443", false},
        {"https://shop.example.com", "https://shop.example.com.evil.example", false},
        {"https://shop.example.com", "https://evilshop.example.com", false},
        {"https://shop.example.com:8443", "https://shop.example.com:8443", true},
        {"*.example.com", "https://a.example.com", true},
        {"*.example.com", "http://a.b.example.com", true},
        {"*.example.com", "https://example.com", false},
        {"*.example.com", "https://.example.com", false},
        {"*.example.com", "https://evilexample.com", false},
        {"*.example.com", "https://a.example.com.evil.example", false},
        {"*.example.com", "https://a.example.com:444", false},
        {"https://*.example.com", "https://a.example.com", true},
        {"https://*.example.com", "http://a.example.com", false},
        {"example.com", "https://example.com", true},
        {"example.com", "http://example.com", true},
        {"example.com", "https://a.example.com", false},
        {"localhost:3000", "http://localhost:3000", true},
        {"localhost:3000", "http://localhost:3001", false},
        {"localhost", "http://localhost:3000", false},
        {"null", "null", true},
        {"example.com", "null", false},
        {"*.example.com", "null", false},
        {"https://shop.example.com", "null", false},
        {"null", "https://null.example", false},
        {"https://a.example", "", false},
        {"https://a.example", "a.example", false},
        {"*.example.com", "a.example.com", false},
        {"https://a.example", "x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (pp_origin_matches(cases[i].rule, cases[i].origin, strlen(cases[i].origin)) != cases[i].in) {
            fprintf(stderr, "%s and %s\n", cases[i].rule, cases[i].origin);
            CU_FAIL("judged an origin wrongly");
        }
    CU_ASSERT_TRUE(pp_origin_matches("https://a.example", "https://a.example/and more", 17));
}

static void finds_addresses_in_ranges(void)
{
    static const struct {
        const char *address, *range;
        bool in;
    } cases[] = {
        {"10.1.2.3", "10.0.0.0/8", true},
        {"11.1.2.3", "10.0.0.0/8", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.4", "10.1.2.3", false},
        {"10.1.2.3", "10.1.2.3/32", true},
        {"192.168.1.127", "192.168.1.0/25", true},
        {"192.168.1.128", "192.168.1.0/25", false},
        {"1.2.3.4", "0.0.0.0/0", true},
        {"172.16.0.1", "172.16.0.0/12", true},
        {"172.31.255.255", "172.16.0.0/12", true},
        {"172.32.0.0", "172.16.0.0/12", false},
        {"2001:db8::1", "2001:db8::/32", true},
        {"2001:db9::1", "2001:db8::/32", false},
        {"::1", "::1", true},
        {"::1", "0:0:0:0:0:0:0:1", true},
        {"::1", "::/0", true},
        {"10.1.2.3", "::/0", false},
        {"::1", "0.0.0.0/0", false},
        {"2001:db8::ff", "2001:db8::80/121", true},
        {"2001:db8::7f", "2001:db8::80/121", false},
        {"unix", "unix", true},
        {"unix", "10.0.0.0/8", false},
        {"10.1.2.3", "unix", false},
        {"nonsense", "10.0.0.0/8", false},
        {"10.1.2.3", "nonsense", false},
        {"10.1.2.3", "10.0.0.0/33", false},
        {"10.1.2.3", "10.0.0.0/-1", false},
        {"10.1.2.3", "10.0.0.0/", false},
        {"10.1.2.3", "10.0.0.0/8x", false},
        {"", "10.0.0.0/8", false},
        {"10.1.2.3", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (pp_address_in(cases[i].address, cases[i].range) != cases[i].in) {
            fprintf(stderr, "%s in %s\n", cases[i].address, cases[i].range);
            CU_FAIL("judged an address wrongly");
        }
}

static void knows_valid_ranges(void)
{
    static const char *const valid[] = {"10.0.0.0/8", "10.0.0.1", "::1", "2001:db8::/32",
                                        "0.0.0.0/0",  "::/128",   "unix"};
    static const char *const wrong[] = {"",
                                        "unix/1",
                                        "10.0.0.0/33",
                                        "::/129",
                                        "10.0.0/8",
                                        "10.0.0.0/",
                                        "10.0.0.0/ 8x",
                                        "10.0.0.0/8/8",
                                        "localhost",
                                        "*",
                                        "10.0.0.256",
                                        "10.0.0.0/-0x1",
                                        "0000000000000000000000000000000000000000000000000000000000000000000000/8"};
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
        CU_ASSERT_TRUE(pp_address_range_valid(valid[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_FALSE(pp_address_range_valid(wrong[i]));
}

static const char *client_address(const char *peer, const char *forwarded, const char *const *trusted)
{
    static char out[64];
    pp_client_address(peer, forwarded, forwarded ? strlen(forwarded) : 0, trusted, out, sizeof out);
    return out;
}

static void believes_proxies_that_are_trusted(void)
{
    const char *const none[] = {NULL}, *const two[] = {"10.0.0.0/8", "::1", NULL}, *const local[] = {"unix", NULL};
    CU_ASSERT_STRING_EQUAL(client_address("9.9.9.9", "1.2.3.4", NULL), "9.9.9.9");
    CU_ASSERT_STRING_EQUAL(client_address("9.9.9.9", "1.2.3.4", none), "9.9.9.9");
    CU_ASSERT_STRING_EQUAL(client_address("9.9.9.9", "1.2.3.4", two), "9.9.9.9");
    CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", "1.2.3.4", two), "1.2.3.4");
    CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", NULL, two), "10.0.0.1");
    CU_ASSERT_STRING_EQUAL(client_address("unix", "1.2.3.4", local), "1.2.3.4");
    /* what stands further left was written by the client itself */
    CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", "6.6.6.6, 1.2.3.4", two), "1.2.3.4");
    CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", two), "1.2.3.4");
    CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", " 1.2.3.4 ,\t10.0.0.2 ,", two), "1.2.3.4");
    CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", "10.0.0.3,10.0.0.2", two), "10.0.0.3");
    CU_ASSERT_STRING_EQUAL(client_address("::1", "2001:db8::5", two), "2001:db8::5");
}

static void does_not_believe_what_is_no_address(void)
{
    const char *const two[] = {"10.0.0.0/8", NULL};
    static const char *const wrong[] = {
        "",           ",",     "unknown",
        "1.2.3.4:80", "1.2.3", "<script>",
        "1.2.3.4x",   "[::1]", "00000000000000000000000000000000000000000000000000000000000000000000001.2.3.4"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", wrong[i], two), "10.0.0.1");
    CU_ASSERT_STRING_EQUAL(client_address("10.0.0.1", "1.2.3.4, unknown, 10.0.0.2", two), "10.0.0.2");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"matches origins", matches_origins},
        {"finds addresses in ranges", finds_addresses_in_ranges},
        {"knows valid ranges", knows_valid_ranges},
        {"believes proxies that are trusted, from the right", believes_proxies_that_are_trusted},
        {"does not believe what is no address", does_not_believe_what_is_no_address},
        CU_TEST_INFO_NULL,
    };
    return pp_run_suite("session/origin", tests);
}
