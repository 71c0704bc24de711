/* SPDX-License-Identifier: MIT */
/* str.c - text that grows, and memory that is there or ends the program. */
#include "str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *p)
{
    if (!p) {
        fputs("Out of memory\n", stderr);
        exit(1);
    }
    return p;
}

void *mem_new(size_t count, size_t size)
{
    return or_die(calloc(count ? count : 1, size));
}

void *mem_grow(void *p, size_t count, size_t size)
{
    return or_die(reallocarray(p, count, size));
}

char *mem_dup(const char *text)
{
    return or_die(strdup(text));
}

char *mem_dupn(const char *text, size_t len)
{
    char *p = mem_new(len + 1, 1);
    memcpy(p, text, len);
    return p;
}

void str_free(struct str *s)
{
    free(s->p);
    *s = (struct str){0};
}

void str_clear(struct str *s)
{
    s->len = 0;
    if (s->p)
        s->p[0] = '\0';
}

static void make_room(struct str *s, size_t more)
{
    if (more > SIZE_MAX / 2 - s->len)
        or_die(NULL);
    size_t need = s->len + more + 1;
    if (need <= s->room)
        return;
    size_t room = s->room * 2;
    s->room = room > need ? room : need + 32;
    s->p = mem_grow(s->p, s->room, 1);
}

void str_addn(struct str *s, const char *text, size_t len)
{
    make_room(s, len);
    if (len > 0)
        memcpy(s->p + s->len, text, len);
    s->len += len;
    s->p[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
    str_addn(s, text, strlen(text));
}

void str_fill(struct str *s, char c, size_t count)
{
    make_room(s, count);
    memset(s->p + s->len, c, count);
    s->len += count;
    s->p[s->len] = '\0';
}

void str_addv(struct str *s, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len > 0) {
        make_room(s, (size_t)len);
        vsnprintf(s->p + s->len, (size_t)len + 1, format, again);
        s->len += (size_t)len;
    }
    va_end(again);
}

void str_addf(struct str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str_addv(s, format, args);
    va_end(args);
}

const char *str_text(const struct str *s)
{
    return s->p ? s->p : "";
}
