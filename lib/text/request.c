/* SPDX-License-Identifier: MIT */
/* request.c - NAME "=" ( "all" | AMOUNT [POLICY] ).
 *
 * Promise: an accepted entry passes the model's own check: a positive amount, or `all`. */
#include "text/request.h"

#include "text/amount.h"
#include "text/name.h"

static const struct {
    const char *word;
    uint8_t policy;
} policies[] = { /* the forced ones first: their words begin with the others' */
    {"compact!", POLICY_COMPACT_FORCED}, {"compact", POLICY_COMPACT}, {"tight!", POLICY_TIGHT_FORCED},
    {"tight", POLICY_TIGHT},             {"scatter", POLICY_SCATTER},
};

static const struct scan_want no_number = {"number", "all"};
static const struct scan_want no_word = {NULL, "all"};
static const struct scan_want no_policy = {NULL, "<end of input> or c or s or t"};
static const struct scan_want no_end = {NULL, "<end of input>"};
static const struct scan_want no_equals = {NULL, "="};
static const struct scan_want no_name = {NULL, "identifier"};

static bool take_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if (s->in.n - s->at < n || memcmp(s->in.p + s->at, word, n) != 0)
        return false;
    s->at += n;
    return true;
}

static int scan_policy(struct scan *s, uint8_t *policy)
{
    *policy = POLICY_COMPACT;
    if (scan_at_end(s))
        return HQ_OK;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        if (take_word(s, policies[i].word)) {
            *policy = policies[i].policy;
            return hqi_text_scan_done(s, no_end);
        }
    return hqi_text_scan_bad_token(s, no_policy);
}

static int scan_amount(struct scan *s, struct request_entry *ret)
{
    uint64_t amount;
    uint8_t policy;
    if (bytes_is((struct bytes){s->in.p + s->at, s->in.n - s->at}, "all")) {
        ret->policy = POLICY_ALL;
        ret->amount = 0;
        return HQ_OK;
    }
    hqi_text_scan_space(s);
    size_t from = s->at;
    if (hqi_text_scan_word(s).n > 0)
        return hqi_text_scan_bad_word(s, no_word);
    int rc = hqi_text_amount_scan(s, no_number, NULL, &amount);
    if (rc < 0)
        return rc;
    hqi_text_scan_space(s);
    rc = scan_policy(s, &policy);
    if (rc < 0)
        return rc;
    if (amount == 0)
        return hqi_text_scan_note(s, HQ_EINVAL, from, NULL, "Zero resources cannot be requested");
    ret->amount = amount;
    ret->policy = policy;
    return HQ_OK;
}

int hqi_text_request_parse_amount(struct request_entry *ret, struct bytes in, struct buf *why)
{
    struct scan s = scan_of(in, why);
    return scan_amount(&s, ret);
}

int hqi_text_request_parse(struct request_entry *ret, struct arena *mem, struct bytes in, struct buf *why)
{
    struct scan s = scan_of(in, why);
    struct bytes name;
    bool ok = true;
    int rc = hqi_text_name_scan(&s, no_name, NULL, &name);
    if (rc < 0)
        return rc;
    hqi_text_scan_space(&s);
    if (!hqi_text_scan_take(&s, '='))
        return hqi_text_scan_bad_token(&s, no_equals);
    hqi_text_scan_space(&s);
    rc = scan_amount(&s, ret);
    if (rc < 0)
        return rc;
    ret->name = hqi_base_arena_bytes(mem, name, &ok);
    return ok ? HQ_OK : HQ_ENOMEM;
}
