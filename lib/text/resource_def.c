/* SPDX-License-Identifier: MIT */
/* resource_def.c - NAME "=" KIND.
 *
 * Promise: memory and time grow with the input, but for NxM, whose labels are bounded. Labels of lists
 * are counted before they are stored, so that each array is allocated once. */
#include "text/resource_def.h"

#include "model/unique.h"
#include "text/amount.h"
#include "text/name.h"

#define KIND_LABEL "resource kind"

static const struct scan_want any_kind = {"number", "[ or range or sum"};
static const struct scan_want no_keyword = {KIND_LABEL, "range or sum"};
static const struct scan_want no_number = {"number", NULL};
static const struct scan_want no_end = {NULL, "<end of input>"};
static const struct scan_want no_label = {KIND_LABEL, "label"};
static const struct scan_want no_quote = {KIND_LABEL, "\""};

struct parser {
    struct scan s;
    struct arena *mem; /* borrowed */
};

static int kind_note(struct parser *p, size_t from, const char *note)
{
    return hqi_text_scan_note(&p->s, HQ_EINVAL, from, KIND_LABEL, note);
}

static int too_many(struct parser *p, size_t from)
{
    return hqi_text_scan_note(&p->s, HQ_ELIMIT, from, KIND_LABEL, "More than 65536 labels");
}

/* One character, spaces around it allowed. */
static int expect(struct parser *p, char c)
{
    const char text[] = {c, '\0'};
    hqi_text_scan_space(&p->s);
    if (!hqi_text_scan_take(&p->s, c))
        return hqi_text_scan_bad_token(&p->s, (struct scan_want){KIND_LABEL, text});
    hqi_text_scan_space(&p->s);
    return HQ_OK;
}

/* ---- lists and groups ---- */

static bool is_label_char(char c)
{
    return c != ',' && c != '[' && c != ']' && c != '"' && !scan_is_space(c);
}

static int scan_quoted(struct parser *p, struct bytes *label)
{
    const char *end = memchr(p->s.in.p + p->s.at + 1, '"', p->s.in.n - p->s.at - 1);
    if (!end) {
        p->s.at = p->s.in.n;
        return hqi_text_scan_bad_token(&p->s, no_quote);
    }
    *label = (struct bytes){p->s.in.p + p->s.at + 1, 0};
    label->n = (size_t)(end - label->p);
    p->s.at += label->n + 2;
    return HQ_OK;
}

static int scan_label(struct parser *p, struct bytes *label)
{
    size_t from = p->s.at;
    if (scan_sees(&p->s, '"'))
        return scan_quoted(p, label);
    while (!scan_at_end(&p->s) && is_label_char(p->s.in.p[p->s.at]))
        p->s.at++;
    *label = (struct bytes){p->s.in.p + from, p->s.at - from};
    return label->n > 0 ? HQ_OK : hqi_text_scan_bad_token(&p->s, no_label);
}

/* The labels up to and with ']', behind '['. With `labels` NULL they are only counted. */
static int scan_items(struct parser *p, struct bytes *labels, uint32_t *n)
{
    struct bytes label;
    *n = 0;
    hqi_text_scan_space(&p->s);
    if (hqi_text_scan_take(&p->s, ']'))
        return HQ_OK;
    for (;;) {
        int rc = scan_label(p, labels ? &labels[*n] : &label);
        if (rc < 0)
            return rc;
        if (++*n > HQI_MAX_UNIQUE)
            return too_many(p, p->s.at);
        hqi_text_scan_space(&p->s);
        if (hqi_text_scan_take(&p->s, ']'))
            return HQ_OK;
        if (!hqi_text_scan_take(&p->s, ','))
            return hqi_text_scan_bad_token(&p->s, (struct scan_want){KIND_LABEL, ", or ]"});
        hqi_text_scan_space(&p->s);
    }
}

static bool copy_labels(struct parser *p, struct bytes *labels, uint32_t n)
{
    bool ok = true;
    for (uint32_t i = 0; i < n; i++)
        labels[i] = hqi_base_arena_bytes(p->mem, labels[i], &ok);
    return ok;
}

static int check_items(struct parser *p, size_t from, const struct bytes *labels, uint32_t n, bool group)
{
    struct bytes twice;
    if (n == 0)
        return kind_note(p, from, group ? "Each group has to contain at least a single element"
                                        : "List has to contain at least a single element");
    int rc = hqi_model_unique_check(labels, sizeof *labels, n, &twice);
    if (rc == HQ_EINVAL)
        return kind_note(p, from, group ? "Group items have to be unique" : "List items have to be unique");
    return rc < 0 ? too_many(p, from) : HQ_OK;
}

static int parse_list(struct parser *p, size_t from, struct resource_def *ret)
{
    size_t items = p->s.at;
    uint32_t n;
    int rc = scan_items(p, NULL, &n);
    if (rc < 0)
        return rc;
    struct bytes *labels = hqi_base_arena_zero(p->mem, n, sizeof *labels);
    if (!labels)
        return HQ_ENOMEM;
    p->s.at = items;
    rc = scan_items(p, labels, &n);
    if (rc >= 0)
        rc = check_items(p, from, labels, n, false);
    if (rc >= 0 && !copy_labels(p, labels, n))
        rc = HQ_ENOMEM;
    ret->kind = RESOURCE_LIST;
    ret->labels = labels;
    ret->n_labels = n;
    return rc;
}

/* All groups up to and with the last ']'. First with NULLs, to count, then to store. */
static int scan_groups(struct parser *p, size_t from, struct bytes *labels, uint32_t *sizes, struct resource_def *ret)
{
    ret->n_groups = ret->n_labels = 0;
    for (;;) {
        uint32_t n;
        int rc = expect(p, '[');
        if (rc >= 0)
            rc = scan_items(p, labels ? labels + ret->n_labels : NULL, &n);
        if (rc >= 0 && labels)
            rc = check_items(p, from, labels + ret->n_labels, n, true);
        if (rc < 0)
            return rc;
        if (sizes)
            sizes[ret->n_groups] = n;
        ret->n_groups++;
        ret->n_labels += n;
        if (ret->n_labels > HQI_MAX_UNIQUE)
            return too_many(p, from);
        hqi_text_scan_space(&p->s);
        if (hqi_text_scan_take(&p->s, ']'))
            return HQ_OK;
        if (!hqi_text_scan_take(&p->s, ','))
            return hqi_text_scan_bad_token(&p->s, (struct scan_want){KIND_LABEL, ", or ]"});
    }
}

static int parse_groups(struct parser *p, size_t from, struct resource_def *ret)
{
    size_t first = p->s.at;
    int rc = scan_groups(p, from, NULL, NULL, ret);
    if (rc < 0)
        return rc;
    struct bytes *labels = hqi_base_arena_zero(p->mem, ret->n_labels, sizeof *labels);
    uint32_t *sizes = hqi_base_arena_zero(p->mem, ret->n_groups, sizeof *sizes);
    if (!labels || !sizes)
        return HQ_ENOMEM;
    p->s.at = first;
    rc = scan_groups(p, from, labels, sizes, ret);
    if (rc >= 0 && !copy_labels(p, labels, ret->n_labels))
        rc = HQ_ENOMEM;
    ret->kind = ret->n_groups == 1 ? RESOURCE_LIST : RESOURCE_GROUPS;
    ret->labels = labels;
    ret->group_sizes = sizes;
    if (ret->n_groups == 1) {
        ret->group_sizes = NULL;
        ret->n_groups = 0;
    }
    return rc;
}

static int parse_brackets(struct parser *p, struct resource_def *ret)
{
    size_t from = p->s.at++;
    hqi_text_scan_space(&p->s);
    return scan_sees(&p->s, '[') ? parse_groups(p, from, ret) : parse_list(p, from, ret);
}

/* ---- NxM ---- */

static int number_labels(struct parser *p, uint32_t groups, uint32_t size, struct resource_def *ret)
{
    uint32_t n = groups * size;
    struct bytes *labels = hqi_base_arena_zero(p->mem, n, sizeof *labels);
    uint32_t *sizes = hqi_base_arena_zero(p->mem, groups, sizeof *sizes);
    if (!labels || !sizes)
        return HQ_ENOMEM;
    for (uint32_t i = 0; i < groups; i++)
        sizes[i] = size;
    for (uint32_t i = 0; i < n; i++) {
        labels[i] = bytes_of(hqi_base_arena_printf(p->mem, "%u", i));
        if (!labels[i].p)
            return HQ_ENOMEM;
    }
    *ret = (struct resource_def){.kind = RESOURCE_GROUPS, .labels = labels, .n_labels = n, .group_sizes = sizes, .n_groups = groups};
    return HQ_OK;
}

static void count_from_zero(struct resource_def *ret, uint32_t n) /* n > 0 */
{
    *ret = (struct resource_def){.kind = RESOURCE_RANGE, .start = 0, .end = n - 1};
}

static int parse_product(struct parser *p, size_t from, uint32_t groups, struct resource_def *ret)
{
    uint32_t size;
    int rc = hqi_text_scan_number(&p->s, no_number, KIND_LABEL, &size);
    if (rc < 0)
        return rc;
    if (groups == 0)
        return kind_note(p, from, "There has to be at least a single group");
    if (size == 0)
        return kind_note(p, from, "Each group has to contain at least a single element");
    if (groups == 1) {
        count_from_zero(ret, size);
        return HQ_OK;
    }
    if ((uint64_t)groups * size > HQI_MAX_UNIQUE)
        return too_many(p, from);
    return number_labels(p, groups, size, ret);
}

/* NxM; where a plain count may stand (`count`), also N. */
static int parse_digits(struct parser *p, bool count, struct resource_def *ret)
{
    size_t from = p->s.at;
    uint32_t n;
    int rc = hqi_text_scan_number(&p->s, no_number, KIND_LABEL, &n);
    if (rc < 0)
        return rc;
    if (hqi_text_scan_take(&p->s, 'x'))
        return parse_product(p, from, n, ret);
    if (!count)
        return hqi_text_scan_bad_token(&p->s, (struct scan_want){KIND_LABEL, "x"});
    if (n == 0)
        *ret = (struct resource_def){.kind = RESOURCE_SUM};
    else
        count_from_zero(ret, n);
    return HQ_OK;
}

/* ---- range(A-B), sum(AMOUNT) ---- */

static int parse_range(struct parser *p, size_t from, struct resource_def *ret)
{
    uint32_t start, end;
    int rc = expect(p, '(');
    if (rc >= 0)
        rc = hqi_text_scan_number(&p->s, no_number, KIND_LABEL, &start);
    if (rc >= 0)
        rc = expect(p, '-');
    if (rc >= 0)
        rc = hqi_text_scan_number(&p->s, no_number, KIND_LABEL, &end);
    if (rc >= 0)
        rc = expect(p, ')');
    if (rc < 0)
        return rc;
    if (start > end)
        return kind_note(p, from, "Start must be greater or equal to end");
    *ret = (struct resource_def){.kind = RESOURCE_RANGE, .start = start, .end = end};
    return HQ_OK;
}

static int parse_sum(struct parser *p, struct resource_def *ret)
{
    uint64_t sum = 0;
    int rc = expect(p, '(');
    if (rc >= 0)
        rc = hqi_text_amount_scan(&p->s, no_number, KIND_LABEL, &sum);
    if (rc >= 0)
        rc = expect(p, ')');
    *ret = (struct resource_def){.kind = RESOURCE_SUM, .sum = sum};
    return rc;
}

static int parse_kind(struct parser *p, bool count, struct resource_def *ret)
{
    size_t from = p->s.at;
    struct bytes word = hqi_text_scan_word(&p->s);
    int rc;
    if (scan_sees_digit(&p->s)) {
        rc = parse_digits(p, count, ret);
    } else if (scan_sees(&p->s, '[')) {
        rc = parse_brackets(p, ret);
    } else if (bytes_is(word, "range") || bytes_is(word, "sum")) {
        p->s.at += word.n;
        rc = bytes_is(word, "sum") ? parse_sum(p, ret) : parse_range(p, from, ret);
    } else {
        rc = hqi_text_scan_bad_word(&p->s, word.n > 0 ? no_keyword : any_kind);
    }
    if (rc < 0)
        return rc;
    hqi_text_scan_space(&p->s);
    return hqi_text_scan_done(&p->s, no_end);
}

static int parse_name(struct parser *p, struct bytes *name)
{
    static const char label[] = "resource name";
    hqi_text_scan_space(&p->s);
    int rc = hqi_text_name_scan(&p->s, (struct scan_want){label, "identifier"}, label, name);
    if (rc < 0)
        return rc;
    size_t end = p->s.at;
    hqi_text_scan_space(&p->s);
    if (hqi_text_scan_take(&p->s, '='))
        return HQ_OK;
    /* Directly behind the name, a longer name might have been meant. */
    return hqi_text_scan_bad_token(&p->s, (struct scan_want){p->s.at == end ? label : "resource definition", "="});
}

int hqi_text_resource_def_parse(struct resource_def *ret, struct arena *mem, struct bytes in, struct buf *why)
{
    struct parser p = {scan_of(in, why), mem};
    struct bytes name;
    bool ok = true;
    *ret = (struct resource_def){0};
    int rc = parse_name(&p, &name);
    if (rc < 0)
        return rc;
    hqi_text_scan_space(&p.s);
    rc = parse_kind(&p, false, ret);
    if (rc < 0)
        return rc;
    ret->name = hqi_base_arena_bytes(mem, name, &ok);
    return ok ? HQ_OK : HQ_ENOMEM;
}

int hqi_text_resource_def_parse_cpus(struct resource_def *ret, struct arena *mem, struct bytes in, struct buf *why)
{
    struct parser p = {scan_of(in, why), mem};
    *ret = (struct resource_def){0};
    int rc = parse_kind(&p, true, ret);
    if (rc >= 0)
        ret->name = bytes_of("cpus");
    return rc;
}
