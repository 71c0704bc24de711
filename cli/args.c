/* SPDX-License-Identifier: MIT */
/* args.c - the parser of command lines.
 *
 * One level of the command tree after the other, left to right; the first thing wrong is reported and ends it. The
 * environment fills in for options that were not given, after the command line of a level was read. */
#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "similar.h"
#include "usage.h"
#include "value.h"

struct parser {
    struct matches *m;
    const struct command *root;
    char *const *argv; /* NULL-terminated */
    size_t at;
    bool trailing; /* behind `--`, or inside the words of an ARG_TRAILING */
    struct str *out;
};

size_t command_args(const struct command *c, const struct arg **ret)
{
    size_t n = 0;
    for (size_t b = 0; b < COMMAND_BLOCKS && c->args[b]; b++)
        for (const struct arg *a = c->args[b]; a->name || a->letter; a++)
            if (n < ARGS_MAX)
                ret[n++] = a;
    return n;
}

const struct command *command_find(const struct command *c, const char *name)
{
    for (const struct command *s = c->subs; s && s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

/* The options of the command at hand and the global ones. */
static size_t known_args(const struct parser *p, const struct arg **ret)
{
    const struct command *cmd = p->m->level[p->m->depth - 1].cmd;
    size_t n = cmd == p->root ? 0 : command_args(cmd, ret);
    return n + command_args(p->root, ret + n);
}

static const struct arg *find_option(const struct parser *p, const char *name, size_t len, char letter)
{
    const struct arg *all[2 * ARGS_MAX];
    size_t n = known_args(p, all);
    for (size_t i = 0; i < n; i++) {
        if (all[i]->flags & ARG_POSITIONAL)
            continue;
        if (name && all[i]->name && strlen(all[i]->name) == len && memcmp(all[i]->name, name, len) == 0)
            return all[i];
        if (!name && all[i]->letter == letter)
            return all[i];
    }
    return NULL;
}

static const struct arg *positional(const struct command *cmd, size_t index)
{
    const struct arg *all[ARGS_MAX];
    size_t n = command_args(cmd, all);
    for (size_t i = 0; i < n; i++)
        if (all[i]->flags & ARG_POSITIONAL && index-- == 0)
            return all[i];
    return NULL;
}

static struct level *top(const struct parser *p)
{
    return &p->m->level[p->m->depth - 1];
}

static size_t used_args(const struct parser *p, const struct arg **ret)
{
    const struct level *l = top(p);
    for (size_t i = 0; i < l->n; i++)
        ret[i] = l->items[i].arg;
    return l->n;
}

static struct match *match_of(struct level *l, const struct arg *a)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].arg == a)
            return &l->items[i];
    if (l->n == ARGS_MAX)
        return NULL;
    struct match *match = &l->items[l->n++];
    *match = (struct match){.arg = a};
    return match;
}

static void add_value(struct match *match, const char *text, uint64_t number)
{
    match->values = mem_grow(match->values, match->n + 1, sizeof(*match->values));
    match->values[match->n++] = (struct arg_value){text, number};
}

/* ---- values ---- */

static int take_value(struct parser *p, const struct arg *a, const char *text, bool from_env)
{
    char why[VALUE_WHY_MAX];
    uint64_t number = 0;
    switch (value_check(a, text, &number, why, sizeof why)) {
    case VALUE_EMPTY:
        return usage_no_value(p->out, a);
    case VALUE_NO_CHOICE:
        return usage_bad_choice(p->out, a, text, a->choices);
    case VALUE_BAD:
        return usage_bad_value(p->out, p->m, a, text, why);
    case VALUE_GOOD:
        break;
    }
    struct match *match = match_of(top(p), a);
    add_value(match, text, number);
    match->from_env = from_env;
    return ARGS_RUN;
}

static int take_list(struct parser *p, const struct arg *a, const char *text, bool from_env)
{
    struct matches *m = p->m;
    for (;;) {
        size_t len = strcspn(text, ",");
        m->texts = mem_grow(m->texts, m->n_texts + 1, sizeof(*m->texts));
        char *part = m->texts[m->n_texts++] = mem_dupn(text, len);
        int rc = take_value(p, a, part, from_env);
        if (rc != ARGS_RUN || text[len] == '\0')
            return rc;
        text += len + 1;
    }
}

static int take_option_value(struct parser *p, const struct arg *a, const char *text, bool from_env)
{
    for (size_t i = 0; i < top(p)->n; i++)
        if (top(p)->items[i].arg == a && !(a->flags & ARG_REPEAT))
            return usage_repeated(p->out, p->m, a);
    return (a->flags & ARG_COMMAS ? take_list : take_value)(p, a, text, from_env);
}

static int take_flag(struct parser *p, const struct arg *a, bool from_env)
{
    for (size_t i = 0; i < top(p)->n; i++)
        if (top(p)->items[i].arg == a && a->kind != ARG_COUNT)
            return usage_repeated(p->out, p->m, a);
    struct match *match = match_of(top(p), a);
    add_value(match, "true", 1);
    match->from_env = from_env;
    return ARGS_RUN;
}

/* ---- options ---- */

static const char *similar_option(const struct parser *p, const char *name)
{
    const struct arg *all[2 * ARGS_MAX];
    const char *names[2 * ARGS_MAX + 2], *similar[2 * ARGS_MAX + 2];
    size_t n = known_args(p, all), n_names = 0;
    for (size_t i = 0; i < n; i++)
        if (all[i]->name && !(all[i]->flags & ARG_POSITIONAL))
            names[n_names++] = all[i]->name;
    names[n_names++] = "help";
    if (p->m->depth == 1)
        names[n_names++] = "version";
    n_names = similar_find(name, names, n_names, similar);
    return n_names ? similar[n_names - 1] : NULL;
}

/* An option of a subcommand that follows: `hq --name x submit` */
static const char *option_of_later_sub(const struct parser *p, const char *name, const char **sub)
{
    for (size_t i = p->at; p->argv[i]; i++) {
        const struct command *c = command_find(top(p)->cmd, p->argv[i]);
        const struct arg *all[ARGS_MAX];
        const char *names[ARGS_MAX], *similar[ARGS_MAX];
        size_t n = c ? command_args(c, all) : 0, n_names = 0;
        for (size_t j = 0; j < n; j++)
            if (all[j]->name && !(all[j]->flags & ARG_POSITIONAL))
                names[n_names++] = all[j]->name;
        n_names = similar_find(name, names, n_names, similar);
        if (n_names > 0) {
            *sub = c->name;
            return similar[n_names - 1];
        }
    }
    return NULL;
}

static int unknown_option(struct parser *p, const char *token)
{
    const struct arg *used[ARGS_MAX + 1];
    size_t n = used_args(p, used), len = strcspn(token, "=");
    char *option = mem_dupn(token, len);
    const char *similar = similar_option(p, option + 2), *sub = NULL;
    if (similar && strcmp(similar, "help") != 0 && strcmp(similar, "version") != 0)
        used[n++] = find_option(p, similar, strlen(similar), 0);
    if (!similar)
        similar = option_of_later_sub(p, option + 2, &sub);
    bool as_value = !similar && positional(top(p)->cmd, 0);
    int rc = usage_unknown_option(p->out, p->m, option, similar, sub, as_value, used, n);
    free(option);
    return rc;
}

static int unknown_letter(struct parser *p, char letter)
{
    char option[] = {'-', letter, '\0'};
    return usage_unknown_option(p->out, p->m, option, NULL, NULL, positional(top(p)->cmd, 0) != NULL, NULL, 0);
}

static bool looks_like_option(const char *token)
{
    return token[0] == '-' && token[1] != '\0';
}

static bool is_help(const char *token)
{
    return strcmp(token, "--help") == 0 || strcmp(token, "-h") == 0;
}

static int take_long(struct parser *p, const char *token);
static int take_letters(struct parser *p, const char *token);

/* The value of an option is its next word, unless that looks like an option: then either that one is unknown or
 * this one lacks its value. */
static int next_value(struct parser *p, const struct arg *a)
{
    const char *next = p->argv[p->at];
    if (next && !looks_like_option(next)) {
        p->at++;
        return take_option_value(p, a, next, false);
    }
    if (!next || strcmp(next, "--") == 0 || is_help(next))
        return usage_no_value(p->out, a);
    bool is_long = next[1] == '-';
    if (is_long && !find_option(p, next + 2, strcspn(next + 2, "="), 0))
        return unknown_option(p, next);
    if (!is_long && !find_option(p, NULL, 0, next[1]))
        return unknown_letter(p, next[1]);
    return usage_no_value(p->out, a);
}

static int take_help(struct parser *p, bool is_long)
{
    help_print(p->out, p->m, p->root, is_long);
    return 0;
}

static int take_long(struct parser *p, const char *token)
{
    size_t len = strcspn(token + 2, "=");
    const char *value = token[2 + len] == '=' ? token + 2 + len + 1 : NULL;
    if (is_help(token))
        return take_help(p, true);
    if (p->m->depth == 1 && strcmp(token, "--version") == 0)
        return help_version(p->out);
    const struct arg *a = find_option(p, token + 2, len, 0);
    if (!a)
        return unknown_option(p, token);
    if (!a->value && value) {
        const struct arg *used[ARGS_MAX];
        size_t n = used_args(p, used);
        return usage_surplus_value(p->out, p->m, a, value, used, n);
    }
    if (!a->value)
        return take_flag(p, a, false);
    return value ? take_option_value(p, a, value, false) : next_value(p, a);
}

static int take_letters(struct parser *p, const char *token)
{
    for (const char *c = token + 1; *c; c++) {
        if (*c == 'h')
            return take_help(p, false);
        if (p->m->depth == 1 && *c == 'V')
            return help_version(p->out);
        const struct arg *a = find_option(p, NULL, 0, *c);
        if (!a)
            return unknown_letter(p, *c);
        if (a->value)
            return c[1] ? take_option_value(p, a, c + 1 + (c[1] == '='), false) : next_value(p, a);
        int rc = take_flag(p, a, false);
        if (rc != ARGS_RUN)
            return rc;
    }
    return ARGS_RUN;
}

/* ---- words ---- */

static int parse_level(struct parser *p, const struct command *cmd);

static int take_word(struct parser *p, const char *token, size_t *index, bool *done)
{
    const struct command *sub = p->trailing ? NULL : command_find(top(p)->cmd, token);
    if (sub) {
        *done = true;
        return parse_level(p, sub);
    }
    const struct arg *a = positional(top(p)->cmd, *index);
    if (!a)
        return usage_unknown_word(p->out, p->m, token, p->trailing);
    if (a->flags & ARG_TRAILING)
        p->trailing = true;
    else
        ++*index;
    return take_value(p, a, token, false);
}

static int take_words(struct parser *p, bool *done)
{
    size_t index = 0;
    bool dashes = false;
    while (p->argv[p->at] && !*done) {
        const char *token = p->argv[p->at++];
        int rc = ARGS_RUN;
        if (p->trailing)
            rc = take_word(p, token, &index, done);
        else if (strcmp(token, "--") == 0 && !dashes)
            p->trailing = dashes = true;
        else if (strncmp(token, "--", 2) == 0)
            rc = take_long(p, token);
        else if (looks_like_option(token))
            rc = take_letters(p, token);
        else
            rc = take_word(p, token, &index, done);
        if (rc != ARGS_RUN)
            return rc;
    }
    return ARGS_RUN;
}

/* ---- after the words of a level ---- */

static int take_env(struct parser *p)
{
    static const char *const booleans[] = {"true", "false", NULL};
    const struct arg *all[2 * ARGS_MAX];
    size_t n = known_args(p, all);
    for (size_t i = 0; i < n; i++) {
        const char *text = all[i]->env ? getenv(all[i]->env) : NULL;
        const struct arg *used[ARGS_MAX];
        size_t n_used = used_args(p, used), j = 0;
        while (j < n_used && used[j] != all[i])
            j++;
        if (!text || j < n_used)
            continue;
        int rc = ARGS_RUN;
        if (all[i]->value)
            rc = take_value(p, all[i], text, true);
        else if (strcmp(text, "true") == 0)
            rc = take_flag(p, all[i], true);
        else if (strcmp(text, "false") != 0)
            rc = usage_bad_choice(p->out, all[i], text, booleans);
        if (rc != ARGS_RUN)
            return rc;
    }
    return ARGS_RUN;
}

static bool names(const struct arg *a, const struct arg *b)
{
    for (size_t i = 0; i < 2 && a->conflicts[i] && b->name; i++)
        if (strcmp(a->conflicts[i], b->name) == 0)
            return true;
    return false;
}

static int check_conflicts(struct parser *p)
{
    const struct arg *used[ARGS_MAX], *with[ARGS_MAX], *rest[ARGS_MAX];
    size_t n = used_args(p, used);
    for (size_t i = 0; i < n; i++) {
        size_t n_with = 0, n_rest = 0;
        for (size_t j = 0; j < n; j++)
            if (j != i && (names(used[i], used[j]) || names(used[j], used[i])))
                with[n_with++] = used[j];
            else
                rest[n_rest++] = used[j];
        if (n_with > 0)
            return usage_conflict(p->out, p->m, used[i], with, n_with, rest, n_rest);
    }
    return ARGS_RUN;
}

static size_t add_missing(const struct parser *p, bool positionals, const struct arg **ret)
{
    const struct arg *all[ARGS_MAX], *used[ARGS_MAX];
    size_t n = command_args(top(p)->cmd, all), n_used = used_args(p, used), n_missing = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < n_used && used[j] != all[i])
            j++;
        if (all[i]->flags & ARG_REQUIRED && !(all[i]->flags & ARG_POSITIONAL) == !positionals && j == n_used)
            ret[n_missing++] = all[i];
    }
    return n_missing;
}

static int check_required(struct parser *p)
{
    const struct arg *used[ARGS_MAX], *missing[ARGS_MAX];
    size_t n_used = used_args(p, used), n_missing = add_missing(p, false, missing);
    n_missing += add_missing(p, true, missing + n_missing);
    return n_missing ? usage_missing(p->out, p->m, missing, n_missing, used, n_used) : ARGS_RUN;
}

static int check_level(struct parser *p)
{
    int rc = take_env(p);
    if (rc != ARGS_RUN)
        return rc;
    if (top(p)->cmd->subs && top(p)->n == 0) {
        help_print(p->out, p->m, p->root, false);
        return 2;
    }
    if (top(p)->cmd->subs)
        return usage_no_subcommand(p->out, p->m);
    rc = check_conflicts(p);
    return rc == ARGS_RUN ? check_required(p) : rc;
}

static int parse_level(struct parser *p, const struct command *cmd)
{
    p->m->level[p->m->depth++] = (struct level){.cmd = cmd};
    bool in_sub = false;
    int rc = take_words(p, &in_sub);
    return rc != ARGS_RUN || in_sub ? rc : check_level(p);
}

int args_parse(struct matches *ret, const struct command *root, int argc, char *const *argv, struct str *out)
{
    struct parser p = {.m = ret, .root = root, .argv = argv, .at = argc > 0, .out = out};
    ret->depth = ret->n_texts = 0;
    ret->texts = NULL;
    return parse_level(&p, root);
}

void args_free(struct matches *m)
{
    for (size_t i = 0; i < m->depth; i++)
        for (size_t j = 0; j < m->level[i].n; j++)
            free(m->level[i].items[j].values);
    for (size_t i = 0; i < m->n_texts; i++)
        free(m->texts[i]);
    free(m->texts);
    m->depth = m->n_texts = 0;
    m->texts = NULL;
}

/* ---- answers ---- */

static void must_exist(const struct matches *m, const char *name)
{
    const struct arg *all[2 * ARGS_MAX];
    size_t n = command_args(m->level[m->depth - 1].cmd, all);
    n += command_args(m->level[0].cmd, all + n);
    for (size_t i = 0; i < n; i++)
        if ((all[i]->name && strcmp(all[i]->name, name) == 0) || (!all[i]->name && all[i]->letter == name[0]))
            return;
    fprintf(stderr, "hq: no option is called %s\n", name);
    abort();
}

static bool is_called(const struct arg *a, const char *name)
{
    return a->name ? strcmp(a->name, name) == 0 : a->letter == name[0] && name[1] == '\0';
}

/* The deepest level that has it wins, but for the environment's values, which any word on the line beats. */
const struct match *args_get(const struct matches *m, const char *name)
{
    const struct match *best = NULL;
    must_exist(m, name);
    for (size_t i = m->depth; i-- > 0;)
        for (size_t j = 0; j < m->level[i].n; j++) {
            const struct match *match = &m->level[i].items[j];
            if (is_called(match->arg, name) && (!best || (best->from_env && !match->from_env)))
                best = match;
        }
    return best;
}

bool args_has(const struct matches *m, const char *name)
{
    return args_get(m, name) != NULL;
}

const char *args_text(const struct matches *m, const char *name)
{
    const struct match *match = args_get(m, name);
    return match ? match->values[match->n - 1].text : NULL;
}

uint64_t args_number(const struct matches *m, const char *name, uint64_t fallback)
{
    const struct match *match = args_get(m, name);
    return match ? match->values[match->n - 1].number : fallback;
}

uint64_t args_limit(const struct matches *m, const char *name)
{
    uint64_t ms = args_number(m, name, 0);
    return ms == 0 && args_has(m, name) ? 1 : ms;
}

size_t args_count(const struct matches *m, const char *name)
{
    const struct match *match = args_get(m, name);
    return match ? match->n : 0;
}

uint32_t args_set(const struct matches *m, const char *name)
{
    const struct match *match = args_get(m, name);
    uint32_t set = 0;
    for (size_t i = 0; match && i < match->n; i++)
        set |= UINT32_C(1) << match->values[i].number;
    return set;
}
