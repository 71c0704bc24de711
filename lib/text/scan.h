/* SPDX-License-Identifier: MIT */
/* scan.h - one pass over what a user typed, and the picture that shows where it went wrong:
 *
 *     Unexpected token found while attempting to parse number, expected something else:
 *       12-x
 *          |
 *          --- Unexpected token `x`
 *
 * Every grammar of this directory returns HQ_OK, HQ_EINVAL, HQ_ELIMIT or HQ_ENOMEM. `why` (borrowed, may
 * be NULL) then has the whole message appended, for EINVAL and ELIMIT, as it is shown behind
 * "invalid value 'V' for 'ARG': "; a picture ends with a newline. Results that need memory live in the
 * arena that the caller names. */
#ifndef HQI_TEXT_SCAN_H
#define HQI_TEXT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "hqcore/error.h"

struct scan {
    struct bytes in;
    size_t at;
    struct buf *why; /* borrowed; NULL: no message wanted */
};

/* What was expected and within which construct; NULL label: none is named, NULL expected: "something else". */
struct scan_want {
    const char *label, *expected;
};

static inline struct scan scan_of(struct bytes in, struct buf *why)
{
    return (struct scan){in.n ? in : (struct bytes){"", 0}, 0, why};
}
static inline bool scan_at_end(const struct scan *s)
{
    return s->at >= s->in.n;
}
static inline bool scan_sees(const struct scan *s, char c)
{
    return s->at < s->in.n && s->in.p[s->at] == c;
}
static inline bool scan_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static inline bool scan_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool scan_sees_digit(const struct scan *s)
{
    return s->at < s->in.n && scan_is_digit(s->in.p[s->at]);
}

void hqi_text_scan_space(struct scan *s);
bool hqi_text_scan_take(struct scan *s, char c);
/* The word (letter or '_', then letters, digits, '_') at the cursor, which stays; empty if there is none. */
struct bytes hqi_text_scan_word(const struct scan *s);
/* A digit, then digits and underscores, below 2^32. `number`: how to complain about what is no digit;
 * `whole`: the label when it is too large. */
int hqi_text_scan_number(struct scan *s, struct scan_want number, const char *whole, uint32_t *ret);
/* The end of the input, or a complaint. */
int hqi_text_scan_done(struct scan *s, struct scan_want want);

/* HQ_EINVAL: what stands at the cursor (one character, or the word there) is not what was wanted. */
int hqi_text_scan_bad_token(struct scan *s, struct scan_want want);
int hqi_text_scan_bad_word(struct scan *s, struct scan_want want);
/* `code`, with a remark on what begins at `from`. */
int hqi_text_scan_note(struct scan *s, int code, size_t from, const char *label, const char *note);

#endif
