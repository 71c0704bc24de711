/* SPDX-License-Identifier: MIT */
/* text.c - bytes from anywhere, made fit for a terminal: the part of format.h that knows UTF-8. */
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "format.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Length of the well-formed sequence at `p`, with its code point; 0: there is none. */
static size_t sequence(const unsigned char *p, size_t len, uint32_t *code)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } shapes[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t i = 0; i < 4; i++) {
        if ((p[0] & shapes[i].mask) != shapes[i].lead)
            continue;
        if (i >= len)
            return 0;
        uint32_t c = p[0] & (unsigned char)~shapes[i].mask;
        for (size_t j = 1; j <= i; j++) {
            if ((p[j] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (p[j] & 0x3f);
        }
        *code = c;
        return c < shapes[i].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : i + 1;
    }
    return 0;
}

static void clean(struct str *out, const char *text, size_t len, bool escape)
{
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t n = sequence((const unsigned char *)text + i, len - i, &code);
        if (n == 0)
            str_add(out, REPLACEMENT);
        else if (escape && code != '\n' && (code < 0x20 || (code >= 0x7f && code < 0xa0)))
            str_addf(out, "\\x%02x", code);
        else
            str_addn(out, text + i, n);
        i += n ? n : 1;
    }
}

void format_safe(struct str *out, const char *text, size_t len)
{
    clean(out, text, len, true);
}

void format_utf8(struct str *out, const char *text, size_t len)
{
    clean(out, text, len, false);
}

/* Columns of one character; wcwidth knows only in a UTF-8 locale, which is set when one is first needed. */
static size_t columns(uint32_t code)
{
    if (code < 0x80)
        return 1;
    if (wcwidth(0x4e00) != 2)
        setlocale(LC_CTYPE, "C.UTF-8");
    int width = wcwidth((wchar_t)code);
    return width >= 0 ? (size_t)width : 1;
}

static size_t escape_length(const char *text, size_t len)
{
    if (len < 2 || text[0] != '\x1b' || text[1] != '[')
        return 0;
    const char *end = memchr(text, 'm', len);
    return end ? (size_t)(end - text) + 1 : 0;
}

/* Bytes of the character or escape sequence at `text`, and the columns that it takes. */
static size_t piece(const char *text, size_t len, size_t *width)
{
    size_t n = escape_length(text, len);
    uint32_t code = 0;
    *width = 0;
    if (n > 0)
        return n;
    n = sequence((const unsigned char *)text, len, &code);
    *width = n ? columns(code) : 1;
    return n ? n : 1;
}

size_t format_width(const char *text, size_t len)
{
    size_t width = 0, w;
    for (size_t i = 0; i < len; width += w)
        i += piece(text + i, len - i, &w);
    return width;
}

void format_cut(struct str *out, const char *text, size_t width)
{
    for (size_t len = strlen(text), n, w; len > 0; text += n, len -= n) {
        n = piece(text, len, &w);
        if (w <= width)
            str_addn(out, text, n);
        width = w <= width ? width - w : 0;
    }
}
