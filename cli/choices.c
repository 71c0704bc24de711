/* SPDX-License-Identifier: MIT */
/* choices.c - words and id lists. */
#include "choices.h"

#include <ctype.h>

const char *const choices_states[] = {"waiting",  "running", "finished", "failed",
                                      "canceled", "aborted", "opened",   NULL};

static uint32_t number(const char **text)
{
    uint32_t n = 0;
    for (; isdigit((unsigned char)**text) || **text == '_'; ++*text)
        if (**text != '_')
            n = n * 10 + (uint32_t)(**text - '0');
    return n;
}

static void skip(const char **text, const char *what)
{
    while (**text && (isspace((unsigned char)**text) || **text == *what))
        ++*text;
}

static void next_range(struct id_cursor *c)
{
    skip(&c->text, ",");
    if (!isdigit((unsigned char)*c->text))
        return;
    uint32_t first = number(&c->text), last = first;
    c->step = 1;
    if (*c->text == '-') {
        c->text++;
        last = number(&c->text);
    }
    if (*c->text == ':') {
        c->text++;
        c->step = number(&c->text);
    }
    c->next = first;
    c->left = last >= first && c->step > 0 ? (uint64_t)(last - first) / c->step + 1 : 0;
}

bool choices_next_id(struct id_cursor *c, uint32_t *ret)
{
    if (c->left == 0)
        next_range(c);
    if (c->left == 0)
        return false;
    *ret = c->next;
    c->next += c->step;
    c->left--;
    return true;
}

uint64_t choices_count_ids(const char *text)
{
    struct id_cursor c = {.text = text};
    uint64_t total = 0;
    for (next_range(&c); c.left > 0; next_range(&c)) {
        total += c.left;
        c.left = 0;
    }
    return total;
}
