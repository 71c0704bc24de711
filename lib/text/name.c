/* SPDX-License-Identifier: MIT */
/* name.c - takes no more and no less than what the model accepts as a name. */
#include "text/name.h"

#include "base/limits.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int hqi_text_name_scan(struct scan *s, struct scan_want none, const char *label, struct bytes *ret)
{
    size_t from = s->at;
    if (scan_at_end(s) || !is_letter(s->in.p[from]))
        return hqi_text_scan_bad_token(s, none);
    while (!scan_at_end(s) && (is_letter(s->in.p[s->at]) || scan_sees_digit(s) || scan_sees(s, '/')))
        s->at++;
    if (s->at - from > HQI_MAX_RESOURCE_NAME)
        return hqi_text_scan_note(s, HQ_ELIMIT, from, label, "Resource names have at most 128 characters");
    *ret = (struct bytes){s->in.p + from, s->at - from};
    return HQ_OK;
}
