/* SPDX-License-Identifier: MIT */
/* amount.c - NUMBER ["." DIGITS] with at most four digits behind the point; never rounds. */
#include "text/amount.h"

#include "hqcore/types.h"

static int scan_fraction(struct scan *s, size_t from, const char *label, uint32_t *fraction)
{
    uint32_t unit = HQ_UNITS, value = 0;
    if (!scan_sees_digit(s))
        return hqi_text_scan_bad_token(s, (struct scan_want){label, NULL});
    for (; scan_sees_digit(s); s->at++) {
        unit /= 10;
        value += unit * (uint32_t)(s->in.p[s->at] - '0');
        if (unit == 0)
            return hqi_text_scan_note(s, HQ_EINVAL, from, label, "Resource precision exceeded");
    }
    *fraction = value;
    return HQ_OK;
}

int hqi_text_amount_scan(struct scan *s, struct scan_want number, const char *label, uint64_t *amount)
{
    size_t from = s->at;
    uint32_t whole, fraction = 0;
    int rc = hqi_text_scan_number(s, number, label, &whole);
    if (rc >= 0 && hqi_text_scan_take(s, '.'))
        rc = scan_fraction(s, from, label, &fraction);
    if (rc >= 0)
        *amount = (uint64_t)whole * HQ_UNITS + fraction;
    return rc;
}

int hqi_text_amount_parse(uint64_t *amount, struct bytes in, struct buf *why)
{
    struct scan s = scan_of(in, why);
    int rc = hqi_text_amount_scan(&s, (struct scan_want){"number", NULL}, NULL, amount);
    return rc < 0 ? rc : hqi_text_scan_done(&s, (struct scan_want){NULL, ". or <end of input>"});
}
