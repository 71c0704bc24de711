/* SPDX-License-Identifier: MIT */
/* groups.c - groups of tasks to and from their columns.
 *
 * Promise to the callers: in what was read, all columns of a group have its length, ordinals are below 2^32 - 1,
 * ranges do not wrap, rows of texts ascend. Whether the tasks exist is for others to check. */
#include "wire/groups.h"

#include "wire/columns.h"

#define MAX_VARIANT (HQI_MAX_VARIANTS - 1)
#define MAX_ORDINAL (UINT32_MAX - 1)

/* ---- ranges ---- */

void hqi_wire_groups_fill_tasks(struct encode *e, Hqcore__TaskGroup *m, const struct task_group *g)
{
    m->submit = g->submit;
    m->instance = g->instance;
    m->booked = g->booked;
    m->with_spec = g->with_spec;
    m->n_first = m->n_count = g->n_ranges;
    m->first = hqi_wire_pb_array(e, g->n_ranges, sizeof *m->first);
    m->count = hqi_wire_pb_array(e, g->n_ranges, sizeof *m->count);
    if (e->failed)
        return;
    uint32_t end = 0;
    for (uint32_t i = 0; i < g->n_ranges; i++) {
        m->first[i] = (int32_t)(g->ranges[i].first - end);
        m->count[i] = g->ranges[i].count;
        end = g->ranges[i].first + g->ranges[i].count;
    }
}

Hqcore__TaskGroup **hqi_wire_groups_make_tasks(struct encode *e, const struct task_group *v, uint32_t n)
{
    Hqcore__TaskGroup **list = hqi_wire_pb_list(e, &hqcore__task_group__descriptor, n);
    for (uint32_t i = 0; i < n && !e->failed; i++)
        hqi_wire_groups_fill_tasks(e, list[i], &v[i]);
    return list;
}

bool hqi_wire_groups_read_one(struct decode *d, const Hqcore__TaskGroup *in, struct task_group *ret,
                              uint32_t *count)
{
    if (!hqi_wire_pb_within(d, "TaskGroup.submit", in->submit, 1, UINT32_MAX) ||
        !hqi_wire_pb_count(d, "TaskGroup.first", in->n_first, HQI_MAX_RANGES) ||
        !hqi_wire_columns_length(d, "TaskGroup.count", in->n_count, in->n_first))
        return false;
    struct ord_range *ranges = hqi_wire_pb_get(d, in->n_first, sizeof *ranges);
    uint32_t end = 0;
    uint64_t total = 0;
    for (size_t i = 0; ranges && i < in->n_first; i++) {
        uint32_t first = end + (uint32_t)in->first[i], length = in->count[i];
        if (length == 0 || first > UINT32_MAX - length)
            return hqi_wire_pb_fail(d, HQ_EPROTO, "TaskGroup.count: %u ordinals from %u", length, first);
        ranges[i] = (struct ord_range){first, length};
        end = first + length;
        total += length;
    }
    *ret = (struct task_group){in->submit, in->instance, ranges, (uint32_t)in->n_first,
                               in->booked, in->with_spec};
    *count = (uint32_t)total;
    return ranges && hqi_wire_pb_within(d, "TaskGroup.count (their sum)", total, 0, UINT32_MAX);
}

bool hqi_wire_groups_read_tasks(struct decode *d, Hqcore__TaskGroup **in, size_t n,
                                const struct task_group **ret, uint32_t *n_ret)
{
    struct task_group *v = hqi_wire_pb_get(d, n, sizeof *v);
    uint32_t count;
    for (size_t i = 0; v && i < n; i++)
        if (!hqi_wire_groups_read_one(d, in[i], &v[i], &count))
            return false;
    *ret = v;
    *n_ret = (uint32_t)n;
    return v;
}

/* ---- starts ---- */

Hqcore__StartGroup **hqi_wire_groups_make_starts(struct encode *e, const struct start_group *v, uint32_t n)
{
    Hqcore__StartGroup **list = hqi_wire_pb_list(e, &hqcore__start_group__descriptor, n);
    for (uint32_t i = 0; i < n && !e->failed; i++) {
        Hqcore__StartGroup *m = list[i];
        m->submit = v[i].submit;
        m->instance = v[i].instance;
        m->n_ordinals = m->n_starts = v[i].n;
        m->ordinals = hqi_wire_columns_differ32(e, v[i].ordinals, v[i].n);
        m->starts = hqi_wire_columns_differ64(e, v[i].start_ms, v[i].n);
        m->variants = hqi_wire_columns_wide8(e, v[i].variant, v[i].n);
        m->n_variants = m->variants ? v[i].n : 0;
    }
    return list;
}

static bool read_ordinals(struct decode *d, const char *field, int32_t *in, size_t n, const uint32_t **ret)
{
    uint32_t *v = hqi_wire_columns_sum32(in, n), largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = v[i] > largest ? v[i] : largest;
    *ret = v;
    return hqi_wire_pb_within(d, field, largest, 0, MAX_ORDINAL) &&
           hqi_wire_pb_count(d, field, n, UINT32_MAX);
}

static bool read_variants(struct decode *d, const char *field, const uint32_t *in, size_t n_in, size_t n,
                          const uint8_t **ret)
{
    *ret = NULL;
    return n_in == 0 || hqi_wire_columns_narrow8(d, field, in, n_in, n, MAX_VARIANT, ret);
}

static bool read_start(struct decode *d, const Hqcore__StartGroup *in, struct start_group *ret)
{
    size_t n = in->n_ordinals;
    if (!hqi_wire_pb_within(d, "StartGroup.submit", in->submit, 1, UINT32_MAX) ||
        !hqi_wire_columns_length(d, "StartGroup.starts", in->n_starts, n) ||
        !read_ordinals(d, "StartGroup.ordinals", in->ordinals, n, &ret->ordinals) ||
        !read_variants(d, "StartGroup.variants", in->variants, in->n_variants, n, &ret->variant))
        return false;
    ret->submit = in->submit;
    ret->instance = in->instance;
    ret->n = (uint32_t)n;
    ret->start_ms = hqi_wire_columns_sum64(in->starts, n);
    return true;
}

bool hqi_wire_groups_read_starts(struct decode *d, Hqcore__StartGroup **in, size_t n,
                                 const struct start_group **ret, uint32_t *n_ret)
{
    struct start_group *v = hqi_wire_pb_get(d, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++)
        if (!read_start(d, in[i], &v[i]))
            return false;
    *ret = v;
    *n_ret = (uint32_t)n;
    return v;
}

/* ---- ends ---- */

void hqi_wire_groups_make_texts(struct encode *e, const struct end_text *v, uint32_t n, uint32_t **rows,
                                ProtobufCBinaryData **texts)
{
    *rows = hqi_wire_pb_array(e, n, sizeof **rows);
    *texts = hqi_wire_pb_array(e, n, sizeof **texts);
    for (uint32_t i = 0; i < n && !e->failed; i++) {
        (*rows)[i] = v[i].row;
        (*texts)[i] = hqi_wire_pb_bytes(v[i].text);
    }
}

bool hqi_wire_groups_read_texts(struct decode *d, const uint32_t *rows, size_t n_rows,
                                const ProtobufCBinaryData *texts, size_t n_texts, uint32_t n,
                                const struct end_text **ret, uint32_t *n_ret)
{
    *ret = NULL;
    *n_ret = (uint32_t)n_texts;
    if (!hqi_wire_columns_length(d, "text_rows", n_rows, n_texts))
        return false;
    if (n_texts == 0)
        return true;
    struct end_text *v = hqi_wire_pb_get(d, n_texts, sizeof *v);
    for (size_t i = 0; v && i < n_texts; i++) {
        if (rows[i] >= n || (i && rows[i] <= rows[i - 1]))
            return hqi_wire_pb_fail(d, HQ_EPROTO, "text_rows: row %u of %u does not ascend", rows[i], n);
        v[i].row = rows[i];
        if (!hqi_wire_pb_blob(d, "texts", texts[i], HQI_MAX_STRING, &v[i].text))
            return false;
    }
    *ret = v;
    return v;
}

static void fill_end(struct encode *e, Hqcore__EndGroup *m, const struct end_group *g)
{
    m->submit = g->submit;
    m->instance = g->instance;
    m->n_ordinals = m->n_starts = m->n_durations_ms = g->n;
    m->ordinals = hqi_wire_columns_differ32(e, g->ordinals, g->n);
    m->starts = hqi_wire_columns_differ64(e, g->start_ms, g->n);
    m->durations_ms = (uint64_t *)g->duration_ms; /* protobuf-c only reads it */
    m->codes = hqi_wire_columns_wide16(e, g->code, g->n);
    m->n_codes = m->codes ? g->n : 0;
    m->variants = hqi_wire_columns_wide8(e, g->variant, g->n);
    m->n_variants = m->variants ? g->n : 0;
    m->n_text_rows = m->n_texts = g->n_texts;
    hqi_wire_groups_make_texts(e, g->texts, g->n_texts, &m->text_rows, &m->texts);
}

Hqcore__EndGroup **hqi_wire_groups_make_ends(struct encode *e, const struct end_group *v, uint32_t n)
{
    Hqcore__EndGroup **list = hqi_wire_pb_list(e, &hqcore__end_group__descriptor, n);
    for (uint32_t i = 0; i < n && !e->failed; i++)
        fill_end(e, list[i], &v[i]);
    return list;
}

static bool read_end(struct decode *d, const Hqcore__EndGroup *in, struct end_group *ret)
{
    size_t n = in->n_ordinals;
    if (!hqi_wire_pb_within(d, "EndGroup.submit", in->submit, 1, UINT32_MAX) ||
        !hqi_wire_columns_length(d, "EndGroup.starts", in->n_starts, n) ||
        !hqi_wire_columns_length(d, "EndGroup.durations_ms", in->n_durations_ms, n) ||
        !read_ordinals(d, "EndGroup.ordinals", in->ordinals, n, &ret->ordinals) ||
        !hqi_wire_columns_narrow16(d, "EndGroup.codes", in->codes, in->n_codes, n, HQ_CODE_CRASH_LIMIT,
                                   &ret->code) ||
        !read_variants(d, "EndGroup.variants", in->variants, in->n_variants, n, &ret->variant))
        return false;
    ret->submit = in->submit;
    ret->instance = in->instance;
    ret->n = (uint32_t)n;
    ret->start_ms = hqi_wire_columns_sum64(in->starts, n);
    ret->duration_ms = in->durations_ms;
    return hqi_wire_groups_read_texts(d, in->text_rows, in->n_text_rows, in->texts, in->n_texts, ret->n,
                                      &ret->texts, &ret->n_texts);
}

bool hqi_wire_groups_read_ends(struct decode *d, Hqcore__EndGroup **in, size_t n,
                               const struct end_group **ret, uint32_t *n_ret)
{
    struct end_group *v = hqi_wire_pb_get(d, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++)
        if (!read_end(d, in[i], &v[i]))
            return false;
    *ret = v;
    *n_ret = (uint32_t)n;
    return v;
}
