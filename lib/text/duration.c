/* SPDX-License-Identifier: MIT */
/* duration.c - [[HH:]MM:]SS, and sequences of <integer><unit>.
 *
 * Promise: exact in seconds and nanoseconds before it rounds; a sum that leaves the range is an error,
 * never a short time. */
#include "text/duration.h"

#include "base/limits.h"

#define NS_PER_SEC 1000000000u
#define NS_PER_MS 1000000u

struct span {
    uint64_t secs;
    uint32_t nanos; /* below NS_PER_SEC */
};

static const struct {
    const char *name;
    uint32_t secs, nanos;
} units[] = {
    {"ns", 0, 1},         {"nsec", 0, 1},       {"nanos", 0, 1},
    {"us", 0, 1000},      {"\xc2\xb5s", 0, 1000}, {"usec", 0, 1000},
    {"ms", 0, 1000000},   {"msec", 0, 1000000}, {"millis", 0, 1000000},
    {"s", 1, 0},          {"sec", 1, 0},        {"secs", 1, 0},
    {"second", 1, 0},     {"seconds", 1, 0},    {"m", 60, 0},
    {"min", 60, 0},       {"mins", 60, 0},      {"minute", 60, 0},
    {"minutes", 60, 0},   {"h", 3600, 0},       {"hr", 3600, 0},
    {"hrs", 3600, 0},     {"hour", 3600, 0},    {"hours", 3600, 0},
    {"d", 86400, 0},      {"day", 86400, 0},    {"days", 86400, 0},
    {"w", 604800, 0},     {"wk", 604800, 0},    {"wks", 604800, 0},
    {"week", 604800, 0},  {"weeks", 604800, 0}, {"M", 2630016, 0}, /* 30.44 days */
    {"month", 2630016, 0}, {"months", 2630016, 0}, {"y", 31557600, 0}, /* 365.25 days */
    {"yr", 31557600, 0},  {"yrs", 31557600, 0}, {"year", 31557600, 0},
    {"years", 31557600, 0},
};

/* ---- what can be wrong with <integer><unit> ---- */

enum fault_kind { FAULT_NONE, FAULT_EMPTY, FAULT_CHARACTER, FAULT_NUMBER, FAULT_UNIT, FAULT_OVERFLOW };

struct fault {
    enum fault_kind kind;
    size_t from, to; /* bytes of the input */
    uint64_t value;  /* FAULT_UNIT: the number in front */
};

static void explain(const struct fault *f, struct bytes in, struct buf *why)
{
    int unit_n = (int)(f->to - f->from < 80 ? f->to - f->from : 80);
    switch (f->kind) {
    case FAULT_NONE:
        break;
    case FAULT_EMPTY:
        hqi_base_buf_adds(why, "value was empty");
        break;
    case FAULT_CHARACTER:
        hqi_base_buf_addf(why, "invalid character at %zu", f->from);
        break;
    case FAULT_NUMBER:
        hqi_base_buf_addf(why, "expected number at %zu", f->from);
        break;
    case FAULT_UNIT:
        if (unit_n == 0)
            hqi_base_buf_addf(why, "time unit needed, for example %llusec or %llums", (unsigned long long)f->value,
                              (unsigned long long)f->value);
        else
            hqi_base_buf_addf(why,
                              "unknown time unit \"%.*s\", supported units: ns, us, ms, sec, min, hours, days, weeks, "
                              "months, years (and few variations)",
                              unit_n, in.p + f->from);
        break;
    case FAULT_OVERFLOW:
        hqi_base_buf_adds(why, "number is too large");
        break;
    }
}

/* The short form that stands behind the hint on the two notations. */
static void explain_tersely(const struct fault *f, struct bytes in, struct buf *why)
{
    int unit_n = (int)(f->to - f->from < 80 ? f->to - f->from : 80);
    hqi_base_buf_adds(why, "Could not parse PBS walltime. Use either `HH:MM:SS` or humantime format (2hours): ");
    switch (f->kind) {
    case FAULT_NONE:
        break;
    case FAULT_EMPTY:
        hqi_base_buf_adds(why, "Empty");
        break;
    case FAULT_CHARACTER:
        hqi_base_buf_addf(why, "InvalidCharacter(%zu)", f->from);
        break;
    case FAULT_NUMBER:
        hqi_base_buf_addf(why, "NumberExpected(%zu)", f->from);
        break;
    case FAULT_UNIT:
        hqi_base_buf_addf(why, "UnknownUnit { start: %zu, end: %zu, unit: \"%.*s\", value: %llu }", f->from, f->to,
                          unit_n, in.p + f->from, (unsigned long long)f->value);
        break;
    case FAULT_OVERFLOW:
        hqi_base_buf_adds(why, "NumberOverflow");
        break;
    }
}

/* ---- <integer><unit> ---- */

static bool add_span(struct span *sum, uint64_t n, uint32_t secs, uint32_t nanos)
{
    uint64_t whole, per_sec = nanos ? NS_PER_SEC / nanos : 0;
    if (__builtin_mul_overflow(n, (uint64_t)secs, &whole))
        return false;
    uint32_t rest = nanos ? (uint32_t)(n % per_sec) * nanos : 0;
    if (nanos)
        whole = n / per_sec;
    sum->nanos += rest;
    if (sum->nanos >= NS_PER_SEC) {
        sum->nanos -= NS_PER_SEC;
        whole++; /* nanos != 0 here, so that whole is far from its end */
    }
    return !__builtin_add_overflow(sum->secs, whole, &sum->secs);
}

static size_t unit_letter(struct bytes in, size_t at) /* its length, or 0 */
{
    char c = in.p[at];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return 1;
    return in.n - at >= 2 && memcmp(in.p + at, "\xc2\xb5", 2) == 0 ? 2 : 0;
}

static bool read_digits(struct scan *s, uint64_t *n)
{
    bool fits = true;
    for (*n = 0; scan_sees_digit(s); s->at++) {
        uint64_t digit = (uint64_t)(s->in.p[s->at] - '0');
        fits = fits && !__builtin_mul_overflow(*n, (uint64_t)10, n) && !__builtin_add_overflow(*n, digit, n);
    }
    return fits;
}

static struct fault add_unit(struct scan *s, uint64_t n, struct span *sum)
{
    size_t from = s->at, len;
    while (!scan_at_end(s) && (len = unit_letter(s->in, s->at)) > 0)
        s->at += len;
    if (!scan_at_end(s) && !scan_sees_digit(s) && !scan_is_space(s->in.p[s->at]))
        return (struct fault){.kind = FAULT_CHARACTER, .from = s->at, .to = s->at};
    const struct bytes unit = {s->in.p + from, s->at - from};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (bytes_is(unit, units[i].name))
            return add_span(sum, n, units[i].secs, units[i].nanos) ? (struct fault){0}
                                                                   : (struct fault){.kind = FAULT_OVERFLOW};
    return (struct fault){.kind = FAULT_UNIT, .from = from, .to = s->at, .value = n};
}

static struct fault read_human(struct bytes in, struct span *sum)
{
    struct scan s = scan_of(in, NULL);
    struct fault f = {0};
    uint64_t n;
    *sum = (struct span){0};
    if (bytes_is(in, "0"))
        return f;
    hqi_text_scan_space(&s);
    if (scan_at_end(&s))
        return (struct fault){.kind = FAULT_EMPTY};
    while (f.kind == FAULT_NONE && !scan_at_end(&s)) {
        if (!scan_sees_digit(&s))
            return (struct fault){.kind = FAULT_NUMBER, .from = s.at, .to = s.at};
        if (!read_digits(&s, &n))
            return (struct fault){.kind = FAULT_OVERFLOW};
        hqi_text_scan_space(&s);
        f = add_unit(&s, n, sum);
        hqi_text_scan_space(&s);
    }
    return f;
}

/* ---- [[HH:]MM:]SS ---- */

static bool read_clock(struct bytes in, struct span *sum)
{
    struct scan s = scan_of(in, NULL);
    uint32_t field;
    *sum = (struct span){0};
    for (int fields = 1; fields <= 3; fields++) {
        if (hqi_text_scan_number(&s, (struct scan_want){0}, NULL, &field) < 0)
            return false;
        sum->secs = sum->secs * 60 + field; /* at most 2^32 * 3661 */
        if (scan_at_end(&s))
            return true;
        if (!hqi_text_scan_take(&s, ':'))
            return false;
    }
    return false;
}

static int to_ms(uint64_t *ms, struct span sum, struct buf *why)
{
    if (sum.secs >= HQI_MAX_DURATION_MS / 1000) {
        if (why)
            hqi_base_buf_adds(why, "durations of more than 100 years are not supported");
        return HQ_ELIMIT;
    }
    *ms = sum.secs * 1000 + (sum.nanos + NS_PER_MS - 1) / NS_PER_MS;
    return HQ_OK;
}

int hqi_text_duration_parse(uint64_t *ms, struct bytes in, struct buf *why)
{
    struct span sum;
    if (read_clock(in, &sum))
        return to_ms(ms, sum, why);
    struct fault f = read_human(in, &sum);
    if (f.kind == FAULT_NONE)
        return to_ms(ms, sum, why);
    if (why)
        explain_tersely(&f, in, why);
    return HQ_EINVAL;
}

int hqi_text_duration_parse_human(uint64_t *ms, struct bytes in, struct buf *why)
{
    struct span sum;
    struct fault f = read_human(in, &sum);
    if (f.kind == FAULT_NONE)
        return to_ms(ms, sum, why);
    if (why)
        explain(&f, in, why);
    return HQ_EINVAL;
}
