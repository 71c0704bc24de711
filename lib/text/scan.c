/* SPDX-License-Identifier: MIT */
/* scan.c - the small steps that the grammars share, and their picture.
 *
 * Promise: never reads outside the input, whatever it holds; the picture stays a few lines however
 * long the input is, with the mark under the right character. */
#include "text/scan.h"

/* Of a longer input the picture shows this much around the mark: more helps nobody. */
#define SHOWN_BYTES 2000u
#define SHOWN_BEFORE 1500u

void hqi_text_scan_space(struct scan *s)
{
    while (s->at < s->in.n && scan_is_space(s->in.p[s->at]))
        s->at++;
}

bool hqi_text_scan_take(struct scan *s, char c)
{
    if (!scan_sees(s, c))
        return false;
    s->at++;
    return true;
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

struct bytes hqi_text_scan_word(const struct scan *s)
{
    size_t end = s->at;
    if (end < s->in.n && is_word_start(s->in.p[end]))
        while (end < s->in.n && (is_word_start(s->in.p[end]) || scan_is_digit(s->in.p[end])))
            end++;
    return (struct bytes){s->in.p + s->at, end - s->at};
}

int hqi_text_scan_number(struct scan *s, struct scan_want number, const char *whole, uint32_t *ret)
{
    size_t from = s->at;
    uint64_t value = 0;
    if (!scan_sees_digit(s))
        return hqi_text_scan_bad_token(s, number);
    for (; scan_sees_digit(s) || scan_sees(s, '_'); s->at++) {
        if (s->in.p[s->at] != '_' && value <= UINT32_MAX)
            value = value * 10 + (uint64_t)(s->in.p[s->at] - '0');
    }
    if (value > UINT32_MAX)
        return hqi_text_scan_note(s, HQ_EINVAL, from, whole, "Cannot parse as 4-byte unsigned integer");
    *ret = (uint32_t)value;
    return HQ_OK;
}

int hqi_text_scan_done(struct scan *s, struct scan_want want)
{
    return scan_at_end(s) ? HQ_OK : hqi_text_scan_bad_token(s, want);
}

/* ---- the picture ---- */

static bool continues(char c) /* not the first byte of a UTF-8 sequence */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static void add_window(struct buf *why, struct bytes in, size_t from, size_t *column)
{
    size_t begin = 0, end = in.n;
    if (in.n > SHOWN_BYTES) {
        begin = from > SHOWN_BEFORE ? from - SHOWN_BEFORE : 0;
        end = in.n - begin > SHOWN_BYTES ? begin + SHOWN_BYTES : in.n;
        while (begin > 0 && begin < from && continues(in.p[begin]))
            begin++;
        while (end > from && end < in.n && continues(in.p[end]))
            end--;
    }
    *column = 0;
    for (size_t i = begin; i < from; i++)
        *column += !continues(in.p[i]);
    if (begin > 0) {
        hqi_base_buf_adds(why, "...");
        *column += 3;
    }
    hqi_base_buf_add(why, in.p + begin, end - begin);
    if (end < in.n)
        hqi_base_buf_adds(why, "...");
}

static void add_picture(struct scan *s, bool token, size_t from, struct scan_want want)
{
    size_t column;
    hqi_base_buf_adds(s->why, token ? "Unexpected token found" : "Unexpected end of input found");
    if (want.label)
        hqi_base_buf_addf(s->why, " while attempting to parse %s", want.label);
    hqi_base_buf_addf(s->why, ", expected %s:\n", want.expected ? want.expected : "something else");
    if (s->in.n == 0) {
        hqi_base_buf_adds(s->why, "(the input was empty)");
        return;
    }
    hqi_base_buf_adds(s->why, "  ");
    add_window(s->why, s->in, from, &column);
    hqi_base_buf_addf(s->why, "\n  %*s|\n  %*s--- ", (int)column, "", (int)column, "");
}

static int bad_span(struct scan *s, size_t n, struct scan_want want)
{
    if (!s->why)
        return HQ_EINVAL;
    add_picture(s, n > 0, s->at, want);
    if (s->in.n == 0)
        return HQ_EINVAL;
    if (n == 0) {
        hqi_base_buf_adds(s->why, "Unexpected end of input\n");
    } else {
        hqi_base_buf_adds(s->why, "Unexpected token `");
        hqi_base_buf_add(s->why, s->in.p + s->at, n < SHOWN_BYTES ? n : SHOWN_BYTES);
        hqi_base_buf_adds(s->why, "`\n");
    }
    return HQ_EINVAL;
}

int hqi_text_scan_bad_token(struct scan *s, struct scan_want want)
{
    size_t n = scan_at_end(s) ? 0 : 1;
    while (n > 0 && s->at + n < s->in.n && continues(s->in.p[s->at + n]))
        n++;
    return bad_span(s, n, want);
}

int hqi_text_scan_bad_word(struct scan *s, struct scan_want want)
{
    size_t n = hqi_text_scan_word(s).n;
    return n == 0 ? hqi_text_scan_bad_token(s, want) : bad_span(s, n, want);
}

int hqi_text_scan_note(struct scan *s, int code, size_t from, const char *label, const char *note)
{
    if (!s->why)
        return code;
    add_picture(s, false, from, (struct scan_want){label, NULL});
    if (s->in.n > 0)
        hqi_base_buf_addf(s->why, "%s\n", note);
    return code;
}
