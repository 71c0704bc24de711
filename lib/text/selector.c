/* SPDX-License-Identifier: MIT */
/* selector.c - "last", "all" and lists of ids.
 *
 * Promise: a selector of ids names a bounded number of them, so that answering about each is bounded. */
#include "text/selector.h"

#include "base/limits.h"
#include "text/array.h"
#include "text/integer.h"

int hqi_text_selector_parse(struct selector *ret, struct arena *mem, struct bytes in, bool no_all, struct buf *why)
{
    struct text_array array;
    *ret = (struct selector){.kind = SELECT_LAST};
    if (bytes_is(in, "last"))
        return HQ_OK;
    if (!no_all && bytes_is(in, "all")) {
        ret->kind = SELECT_ALL;
        return HQ_OK;
    }
    int rc = hqi_text_array_parse(&array, mem, in, why);
    if (rc < 0)
        return rc;
    if (array.ids.count > HQI_MAX_SELECT) {
        if (why)
            hqi_base_buf_addf(why, "%u ids selected, at most %u are allowed; use `all` or several commands",
                              array.ids.count, HQI_MAX_SELECT);
        return HQ_ELIMIT;
    }
    *ret = (struct selector){.kind = SELECT_IDS, .ids = array.ids};
    return HQ_OK;
}

int hqi_text_selector_parse_single(struct selector *ret, struct arena *mem, struct bytes in, struct buf *why)
{
    uint64_t id;
    *ret = (struct selector){.kind = SELECT_LAST};
    if (bytes_is(in, "last"))
        return HQ_OK;
    enum integer_fault fault = hqi_text_integer_parse(in, UINT32_MAX, &id);
    if (fault != INTEGER_OK) {
        if (why)
            hqi_base_buf_adds(why, hqi_text_integer_fault_text(fault));
        return HQ_EINVAL;
    }
    const hq_range one = {.first = (uint32_t)id, .count = 1, .step = 1};
    ret->kind = SELECT_IDS;
    return hqi_model_intset_make(&ret->ids, mem, &one, 1, NULL);
}
