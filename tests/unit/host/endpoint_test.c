/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/endpoint.h"

static void test_good(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        {"tcp://127.0.0.1:4040", "127.0.0.1", 4040},
        {"tcp://node1.example.org:1", "node1.example.org", 1},
        {"tcp://[::1]:65535", "::1", 65535},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char host[HQI_HOST_BYTES], again[300];
        uint16_t port;
        assert_int_equal(hqi_host_endpoint_parse(cases[i].text, host, &port, NULL), HQ_OK);
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
        hqi_host_endpoint_print(again, sizeof again, host, port);
        assert_string_equal(again, cases[i].text);
    }
}

static void test_bad(void **state)
{
    static const char *const cases[] = {
        "", "tcp://", "tcp://host", "tcp://host:", "tcp://:80", "tcp://host:0", "tcp://host:65536", "tcp://host:8x",
        "ipc:///tmp/x", "host:80", "tcp://[]:80", "tcp://host:99999999999999999999",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char host[HQI_HOST_BYTES];
        uint16_t port;
        hq_error err;
        assert_int_equal(hqi_host_endpoint_parse(cases[i], host, &port, &err), HQ_EINVAL);
        assert_non_null(strstr(err.text, "expected tcp://HOST:PORT"));
    }
}

static void test_long_host(void **state)
{
    char text[400] = "tcp://", host[HQI_HOST_BYTES];
    uint16_t port;
    memset(text + 6, 'a', HQI_HOST_BYTES - 1);
    strcpy(text + 6 + HQI_HOST_BYTES - 1, ":80");
    assert_int_equal(hqi_host_endpoint_parse(text, host, &port, NULL), HQ_OK);
    memset(text + 6, 'a', HQI_HOST_BYTES);
    strcpy(text + 6 + HQI_HOST_BYTES, ":80");
    assert_int_equal(hqi_host_endpoint_parse(text, host, &port, NULL), HQ_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
