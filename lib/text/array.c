/* SPDX-License-Identifier: MIT */
/* array.c - ELEM {"," ELEM}, ELEM := NUMBER ["-" NUMBER] [":" NUMBER], spaces around each ELEM.
 *
 * Promise, to submit and to the selectors: what was accepted has distinct ids, decided without ever
 * counting them out, so that "0-4294967294" costs as little as "0". */
#include "text/array.h"

#include "base/limits.h"

static const struct scan_want any_number = {"number", NULL};
static const struct scan_want after_elem = {NULL, ", or - or : or <end of input>"};

/* "Invalid range" covers a step without an end, an end before its start, and steps that leave nothing. */
static int make_range(struct scan *s, size_t from, const uint32_t v[3], bool end, bool step, hq_range *ret)
{
    uint32_t first = v[0], last = end ? v[1] : v[0];
    if ((step && !end) || last < first || (step && (v[2] == 0 || v[2] > last - first)))
        return hqi_text_scan_note(s, HQ_EINVAL, from, "Integer range", "Invalid range");
    uint32_t by = step ? v[2] : 1;
    uint64_t count = (uint64_t)(last - first) / by + 1;
    if (count > UINT32_MAX)
        return hqi_text_scan_note(s, HQ_ELIMIT, from, "Integer range", "More than 4294967295 ids");
    *ret = (hq_range){.first = first, .count = (uint32_t)count, .step = by};
    return HQ_OK;
}

static int parse_range(struct scan *s, hq_range *ret)
{
    size_t from = s->at;
    uint32_t v[3] = {0};
    bool end = false, step = false;
    int rc = hqi_text_scan_number(s, any_number, "start", &v[0]);
    if (rc >= 0 && hqi_text_scan_take(s, '-')) {
        end = true;
        rc = hqi_text_scan_number(s, any_number, "end", &v[1]);
    }
    if (rc >= 0 && hqi_text_scan_take(s, ':')) {
        step = true;
        rc = hqi_text_scan_number(s, any_number, "step", &v[2]);
    }
    return rc < 0 ? rc : make_range(s, from, v, end, step, ret);
}

static uint32_t count_elems(struct bytes in)
{
    uint32_t n = 1;
    for (size_t i = 0; i < in.n && n <= HQI_MAX_RANGES; i++)
        n += in.p[i] == ',';
    return n;
}

static int parse_list(struct scan *s, hq_range *ranges, uint32_t *n)
{
    for (*n = 0;;) {
        hqi_text_scan_space(s);
        int rc = parse_range(s, &ranges[*n]);
        if (rc < 0)
            return rc;
        (*n)++;
        hqi_text_scan_space(s);
        if (!hqi_text_scan_take(s, ','))
            return hqi_text_scan_done(s, after_elem);
    }
}

int hqi_text_array_parse(struct text_array *ret, struct arena *mem, struct bytes in, struct buf *why)
{
    struct scan s = scan_of(in, why);
    uint32_t room = count_elems(in);
    if (room > HQI_MAX_RANGES)
        return hqi_text_scan_note(&s, HQ_ELIMIT, 0, NULL, "More than 1048576 ranges");
    hq_range *ranges = hqi_base_arena_get(mem, room * sizeof *ranges);
    if (!ranges)
        return HQ_ENOMEM;
    int rc = parse_list(&s, ranges, &ret->n);
    if (rc < 0)
        return rc;
    hq_error err;
    rc = hqi_model_intset_make(&ret->ids, mem, ranges, ret->n, &err);
    if (rc == HQ_EINVAL)
        return hqi_text_scan_note(&s, rc, 0, NULL, "Ranges overlap");
    if (rc == HQ_ELIMIT)
        return hqi_text_scan_note(&s, rc, 0, NULL, err.text);
    ret->ranges = ranges;
    return rc;
}

void hqi_text_array_print(const hq_range *ranges, uint32_t n, struct buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const hq_range *r = &ranges[i];
        hqi_base_buf_addf(out, i ? ",%u" : "%u", r->first);
        if (r->count > 1)
            hqi_base_buf_addf(out, "-%u", r->first + (r->count - 1) * r->step);
        if (r->count > 1 && r->step > 1)
            hqi_base_buf_addf(out, ":%u", r->step);
    }
}
