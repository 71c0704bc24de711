/* SPDX-License-Identifier: MIT */
/* script.c - the head of a script: its interpreter, and directives, which are found but refused. */
#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"

#define HEAD_MAX (32u << 10) /* bytes of a script that are looked at */

void words_free(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->p[i]);
    free(w->p);
    *w = (struct words){0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A quoted part; a backslash keeps a quote from ending it and stays in the text. */
static const char *quoted(struct str *word, const char *p, const char *end)
{
    for (; p < end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end)
            str_addn(word, p++, 1);
        str_addn(word, p, 1);
    }
    return p < end ? p + 1 : NULL;
}

static const char *bare(struct str *word, const char *p, const char *end)
{
    for (; p < end && !is_blank(*p) && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end && (p[1] == ' ' || p[1] == '"'))
            str_addn(word, p++, 1);
        str_addn(word, p, 1);
    }
    return p;
}

bool words_split(struct words *w, const char *text, size_t len)
{
    const char *p = text, *end = text + len;
    *w = (struct words){0};
    for (;;) {
        while (p < end && is_blank(*p))
            p++;
        if (p == end)
            return true;
        struct str word = {0};
        str_addn(&word, "", 0);
        while (p && p < end && !is_blank(*p))
            p = *p == '"' ? quoted(&word, p + 1, end) : bare(&word, p, end);
        w->p = mem_grow(w->p, w->n + 1, sizeof(*w->p));
        w->p[w->n++] = word.p;
        if (!p)
            return false;
    }
}

bool script_is(const char *command)
{
    size_t len = strlen(command);
    return len >= 3 && strcmp(command + len - 3, ".sh") == 0;
}

/* Directives stand in the comments before the first command. */
static bool has_directive(const char *head, size_t len)
{
    for (const char *line = head, *end = head + len; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        while (line < stop && is_blank(*line))
            line++;
        size_t n = (size_t)(stop - line);
        size_t text = 4;
        while (text < n && (is_blank(line[text]) || line[text] == '\r'))
            text++;
        if (text < n && memcmp(line, "#HQ ", 4) == 0)
            return true;
        if (n > 0 && *line != '#' && *line != '\r')
            return false;
        line = stop + 1;
    }
    return false;
}

bool script_parse(const char *head, size_t len, struct words *shebang, struct str *why)
{
    *shebang = (struct words){0};
    if (has_directive(head, len)) {
        str_add(why, "#HQ directives are not supported yet. Give their options on the command line and use "
                     "`--directives=off`.");
        return false;
    }
    if (len < 2 || memcmp(head, "#!", 2) != 0)
        return true;
    const char *end = memchr(head, '\n', len);
    size_t n = end ? (size_t)(end - head) : len;
    n -= n > 2 && head[n - 1] == '\r';
    if (words_split(shebang, head + 2, n - 2))
        return true;
    words_free(shebang);
    str_add(why, "Parse error: a quote is not closed in the first line");
    return false;
}

bool script_read(const char *path, struct words *shebang, struct str *why)
{
    static char head[HEAD_MAX + 1];
    char text[ERRNO_MAX];
    size_t len = 0;
    ssize_t n = -1;
    *shebang = (struct words){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len < HEAD_MAX && (n = read(fd, head + len, HEAD_MAX - len)) > 0)
        len += (size_t)n;
    if (n < 0 && len < HEAD_MAX)
        str_add(why, format_errno(errno, text));
    if (fd >= 0)
        close(fd);
    head[len] = '\0';
    return why->len == 0 && script_parse(head, len, shebang, why);
}
