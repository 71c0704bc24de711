/* SPDX-License-Identifier: MIT */
/* select.c - see select.h. */
#include "client/select.h"

#include "base/error.h"
#include "text/array.h"
#include "text/selector.h"

static const char where[] = "client";

void hqi_client_select_one(struct selector *ret, struct one_id *place, uint32_t id)
{
    *place = (struct one_id){{id, 1, 1}, 0};
    ret->kind = SELECT_IDS;
    ret->ids = (struct intset){.ranges = &place->range, .before = &place->before, .n_ranges = 1, .count = 1, .apart = true};
}

static int explain(int code, const char *what, const char *text, struct buf *why, hq_error *err)
{
    if (code == HQ_ENOMEM)
        return hqi_base_error_nomem(err, where);
    return hqi_base_error_set(err, code, where, "invalid %s '%s': %s", what, text, why->p ? why->p : hq_strerror(code));
}

int hqi_client_select_parse(struct selector *ret, struct arena *mem, const char *text, hq_error *err)
{
    struct buf why;
    if (!text)
        return hqi_base_error_set(err, HQ_EINVAL, where, "the selector is NULL: expected \"all\", \"last\" or ids");
    hqi_base_buf_init(&why, mem->alloc);
    int code = hqi_text_selector_parse(ret, mem, bytes_of(text), false, &why);
    if (code < 0)
        explain(code, "selector", text, &why, err);
    hqi_base_buf_fini(&why);
    return code;
}

int hqi_client_select_array(struct intset *ret, struct arena *mem, const char *text, hq_error *err)
{
    struct text_array array;
    struct buf why;
    *ret = (struct intset){0};
    if (!text)
        return HQ_OK;
    hqi_base_buf_init(&why, mem->alloc);
    int code = hqi_text_array_parse(&array, mem, bytes_of(text), &why);
    if (code < 0)
        explain(code, "array", text, &why, err);
    else
        *ret = array.ids;
    hqi_base_buf_fini(&why);
    return code;
}
