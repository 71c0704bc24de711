/* SPDX-License-Identifier: MIT */
/* name_test.c - lib/model/name.c and lib/model/unique.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/limits.h"
#include "model/name.h"
#include "model/unique.h"

static const struct {
    const char *text;
    size_t n;
    bool utf8;
} texts[] = {
    {"", 0, true},
    {"abc", 3, true},
    {"a\0b", 3, true},
    {"\xc3\xa9", 2, true},
    {"\xe2\x82\xac", 3, true},
    {"\xf0\x9f\x98\x80", 4, true},
    {"\xf4\x8f\xbf\xbf", 4, true},
    {"\xc3", 1, false},
    {"\xe2\x82", 2, false},
    {"\x80", 1, false},
    {"\xc0\xaf", 2, false},         /* overlong */
    {"\xe0\x80\xaf", 3, false},     /* overlong */
    {"\xf0\x80\x80\xaf", 4, false}, /* overlong */
    {"\xed\xa0\x80", 3, false},     /* surrogate */
    {"\xf4\x90\x80\x80", 4, false}, /* above U+10FFFF */
    {"\xff", 1, false},
    {"\xc3(", 2, false},
};

static void knows_utf8(void **state)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (hqi_model_name_is_utf8((struct bytes){texts[i].text, texts[i].n}) != texts[i].utf8)
            fail_msg("row %zu", i);
}

static void checks_names(void **state)
{
    char *longest = calloc(1, HQI_MAX_NAME + 1u);
    hq_error err;
    memset(longest, 'x', HQI_MAX_NAME + 1u);
    assert_int_equal(hqi_model_name_check(bytes_of("my job"), "job name", &err), HQ_OK);
    assert_int_equal(hqi_model_name_check((struct bytes){longest, HQI_MAX_NAME}, "job name", &err), HQ_OK);
    assert_int_equal(hqi_model_name_check((struct bytes){longest, HQI_MAX_NAME + 1u}, "job name", &err), HQ_ELIMIT);
    assert_string_equal(err.text, "the job name has 4097 bytes, at most 4096 are allowed");
    assert_int_equal(hqi_model_name_check(bytes_of("a\nb"), "job name", &err), HQ_EINVAL);
    assert_int_equal(hqi_model_name_check(bytes_of("a\tb"), "job name", &err), HQ_EINVAL);
    assert_int_equal(hqi_model_name_check((struct bytes){"a\0b", 3}, "job name", &err), HQ_EINVAL);
    assert_int_equal(hqi_model_name_check(bytes_of("\xff"), "job name", &err), HQ_EINVAL);
    assert_string_equal(err.text, "the job name is not valid UTF-8");
    assert_int_equal(hqi_model_name_check_string(bytes_of("\xff\n"), 2, "argument", &err), HQ_OK);
    assert_int_equal(hqi_model_name_check_string(bytes_of("abc"), 2, "argument", &err), HQ_ELIMIT);
    assert_int_equal(hqi_model_name_check_string((struct bytes){"a\0b", 3}, 9, "argument", &err), HQ_EINVAL);
    free(longest);
}

static void finds_the_repeated(void **state)
{
    static const uint32_t sizes[] = {2, 3, 1023, 1024, 5000, HQI_MAX_UNIQUE};
    struct bytes *names = calloc(HQI_MAX_UNIQUE + 1u, 2 * sizeof *names);
    char (*room)[12] = calloc(HQI_MAX_UNIQUE + 1u, sizeof *room);
    struct bytes twice;
    for (uint32_t i = 0; i <= HQI_MAX_UNIQUE; i++) {
        snprintf(room[i], sizeof room[i], "%u", i);
        names[2 * i] = bytes_of(room[i]); /* every second: a stride of two */
    }
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint32_t n = sizes[k];
        assert_int_equal(hqi_model_unique_check(names, 2 * sizeof *names, n, &twice), HQ_OK);
        struct bytes kept = names[2 * (n - 1)];
        names[2 * (n - 1)] = names[2 * (n / 3)];
        assert_int_equal(hqi_model_unique_check(names, 2 * sizeof *names, n, &twice), HQ_EINVAL);
        assert_true(bytes_equal(twice, names[2 * (n / 3)]));
        names[2 * (n - 1)] = kept;
    }
    assert_int_equal(hqi_model_unique_check(names, 2 * sizeof *names, HQI_MAX_UNIQUE + 1u, &twice), HQ_ELIMIT);
    assert_int_equal(hqi_model_unique_check(names, sizeof *names, 0, &twice), HQ_OK);
    const struct bytes empties[] = {{NULL, 0}, {"", 0}};
    assert_int_equal(hqi_model_unique_check(empties, sizeof *empties, 2, &twice), HQ_EINVAL);
    free(room);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(checks_names),
        cmocka_unit_test(finds_the_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
