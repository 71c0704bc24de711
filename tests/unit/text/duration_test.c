/* SPDX-License-Identifier: MIT */
/* duration_test.c - lib/text/duration.c; results in milliseconds. */
#include "parse_case.h"

#include "text/duration.h"

#define HINT "Could not parse PBS walltime. Use either `HH:MM:SS` or humantime format (2hours): "

static int parse(struct parse_bench *b, struct bytes in, struct buf *why)
{
    uint64_t ms;
    int rc = hqi_text_duration_parse(&ms, in, why);
    if (rc >= 0)
        hqi_base_buf_addf(&b->out, "%llu", (unsigned long long)ms);
    return rc;
}

static int parse_human(struct parse_bench *b, struct bytes in, struct buf *why)
{
    uint64_t ms;
    int rc = hqi_text_duration_parse_human(&ms, in, why);
    if (rc >= 0)
        hqi_base_buf_addf(&b->out, "%llu", (unsigned long long)ms);
    return rc;
}

static const struct parse_case both[] = {
    {"10", "10000", NULL, 0},
    {"0", "0", NULL, 0},
    {"01", "1000", NULL, 0},
    {"1:1", "61000", NULL, 0},
    {"80:02", "4802000", NULL, 0},
    {"02:03:04", "7384000", NULL, 0},
    {"1_000", "1000000", NULL, 0},
    {"2h5m10s", "7510000", NULL, 0},
    {"2h 5m 10s", "7510000", NULL, 0},
    {"2 hours 5 minutes 10s", "7510000", NULL, 0},
    {" 2 hours ", "7200000", NULL, 0},
    {"500ms", "500", NULL, 0},
    {"1h30m", "5400000", NULL, 0},
    {"1w", "604800000", NULL, 0},
    {"1M", "2630016000", NULL, 0},
    {"1m", "60000", NULL, 0},
    {"1y", "31557600000", NULL, 0},
    {"1us", "1", NULL, 0},
    {"1\xc2\xb5s", "1", NULL, 0},
    {"999999ns 1ns", "1", NULL, 0},
    {"999999ns 2ns", "2", NULL, 0},
    {"1500us", "2", NULL, 0},
    {"18446744073709551615ns", NULL, "100 years", HQ_ELIMIT},
    {"1s 1s 1s", "3000", NULL, 0},
    {"12:", NULL, HINT "InvalidCharacter(2)", 0},
    {"12:x", NULL, HINT "InvalidCharacter(2)", 0},
    {"1:2:3:4", NULL, HINT "InvalidCharacter(1)", 0},
    {"-5", NULL, HINT "NumberExpected(0)", 0},
    {"1.5h", NULL, HINT "InvalidCharacter(1)", 0},
    {"5 parsecs", NULL, HINT "UnknownUnit { start: 2, end: 9, unit: \"parsecs\", value: 5 }", 0},
    {"", NULL, HINT "Empty", 0},
    {"  ", NULL, HINT "Empty", 0},
    {"foo", NULL, HINT "NumberExpected(0)", 0},
    {"1h foo", NULL, HINT "NumberExpected(3)", 0},
    {"10 20", NULL, HINT "UnknownUnit", 0},
    {"1 0s", NULL, HINT "UnknownUnit", 0},
    {" 10", NULL, HINT "UnknownUnit { start: 3, end: 3, unit: \"\", value: 10 }", 0},
    {"4294967296", NULL, HINT "UnknownUnit", 0},
    {"4294967295", NULL, "durations of more than 100 years are not supported", HQ_ELIMIT},
    {"4294967295:4294967295:4294967295", NULL, "100 years", HQ_ELIMIT},
    {"99999999999999999999s", NULL, HINT "NumberOverflow", 0},
    {"18446744073709551615y", NULL, HINT "NumberOverflow", 0},
    {"18446744073709551615s 1s", NULL, HINT "NumberOverflow", 0},
    {"1000y", NULL, "100 years", HQ_ELIMIT},
    {"1S", NULL, HINT "UnknownUnit", 0},
    {"1\xc2s", NULL, HINT "InvalidCharacter(1)", 0},
    {"1\xc2", NULL, HINT "InvalidCharacter(1)", 0},
};

static const struct parse_case human[] = {
    {"0", "0", NULL, 0},
    {"10s", "10000", NULL, 0},
    {"0s", "0", NULL, 0},
    {"1day 2h", "93600000", NULL, 0},
    {"10", NULL, "time unit needed, for example 10sec or 10ms", 0},
    {"00", NULL, "time unit needed, for example 0sec or 0ms", 0},
    {"1:00", NULL, "invalid character at 1", 0},
    {"x", NULL, "expected number at 0", 0},
    {"1x", NULL, "unknown time unit \"x\", supported units: ns, us, ms", 0},
    {"", NULL, "value was empty", 0},
    {"99999999999999999999s", NULL, "number is too large", 0},
};

static const char *const units[] = {
    "ns nsec nanos", "us \xc2\xb5s usec", "ms msec millis", "s sec secs second seconds", "m min mins minute minutes",
    "h hr hrs hour hours", "d day days", "w wk wks week weeks", "M month months", "y yr yrs year years",
};
static const uint64_t unit_ms[] = {1,       1,        1,         1000,       60000,
                                   3600000, 86400000, 604800000, 2630016000, 31557600000};

static void parses_durations(void **state)
{
    CHECK_CASES(both, parse);
    CHECK_CASES(human, parse_human);
}

static void knows_all_units(void **state)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        for (const char *at = units[i]; *at;) {
            char text[32] = "1";
            size_t n = strcspn(at, " ");
            uint64_t ms = 0;
            memcpy(text + 1, at, n);
            assert_int_equal(hqi_text_duration_parse_human(&ms, bytes_of(text), NULL), HQ_OK);
            assert_int_equal(ms, unit_ms[i]);
            at += n + (at[n] == ' ');
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_durations),
        cmocka_unit_test(knows_all_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
