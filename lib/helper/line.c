/* SPDX-License-Identifier: MIT */
/* line.c - see line.h. */
#include "helper/line.h"

#define MOST_DECIMAL 1e15

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void drop(struct bytes *b, size_t n)
{
    b->p += n;
    b->n -= n;
}

struct bytes hqi_helper_line_trim(struct bytes b)
{
    while (b.n > 0 && is_blank(b.p[0]))
        drop(&b, 1);
    while (b.n > 0 && is_blank(b.p[b.n - 1]))
        b.n--;
    return b;
}

/* Up to `end`, which is dropped. */
static struct bytes cut(struct bytes *b, char end)
{
    const char *at = b->n ? memchr(b->p, end, b->n) : NULL;
    struct bytes piece = {b->p, at ? (size_t)(at - b->p) : b->n};
    if (b->n)
        drop(b, at ? piece.n + 1 : piece.n);
    return piece;
}

bool hqi_helper_line_next(struct bytes *text, struct bytes *line)
{
    if (text->n == 0)
        return false;
    *line = cut(text, '\n');
    return true;
}

struct bytes hqi_helper_line_column(struct bytes *line, char separator)
{
    return hqi_helper_line_trim(cut(line, separator));
}

bool hqi_helper_line_skip(struct bytes *line, const char *word)
{
    size_t n = strlen(word);
    if (line->n < n || memcmp(line->p, word, n) != 0)
        return false;
    drop(line, n);
    return true;
}

bool hqi_helper_line_number(struct bytes *line, uint64_t *ret)
{
    struct bytes rest = *line;
    uint64_t n = 0;
    while (rest.n > 0 && is_blank(rest.p[0]))
        drop(&rest, 1);
    if (rest.n == 0 || !is_digit(rest.p[0]))
        return false;
    for (; rest.n > 0 && is_digit(rest.p[0]); drop(&rest, 1)) {
        uint64_t digit = (uint64_t)(rest.p[0] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    *line = rest;
    return true;
}

bool hqi_helper_line_decimal(struct bytes *line, double *ret)
{
    struct bytes rest = *line;
    uint64_t whole;
    if (!hqi_helper_line_number(&rest, &whole) || (double)whole > MOST_DECIMAL)
        return false;
    double value = (double)whole, unit = 0.1;
    if (rest.n > 0 && rest.p[0] == '.')
        for (drop(&rest, 1); rest.n > 0 && is_digit(rest.p[0]); drop(&rest, 1), unit /= 10)
            value += unit * (rest.p[0] - '0');
    *ret = value;
    *line = rest;
    return true;
}
