/* SPDX-License-Identifier: MIT */
/* usage.c - usage lines and messages about wrong command lines.
 *
 * The wording and the choice between a full and a "smart" usage line (one that repeats what was given) are those that
 * users of the reference know, byte for byte; scripts and their authors search for them. */
#include "usage.h"

#include <string.h>

#include "similar.h"

#define TRY_HELP "\n\nFor more information, try '--help'.\n"

void usage_label(struct str *out, const struct arg *a)
{
    if (a->flags & ARG_POSITIONAL)
        str_addf(out, "<%s>%s", a->value, a->flags & ARG_TRAILING ? "..." : "");
    else if (!a->name)
        str_addf(out, "-%c", a->letter);
    else if (a->value)
        str_addf(out, "--%s <%s>", a->name, a->value);
    else
        str_addf(out, "--%s", a->name);
}

void usage_path(struct str *out, const struct matches *m)
{
    for (size_t i = 0; i < m->depth; i++)
        str_addf(out, "%s%s", i ? " " : "", m->level[i].cmd->name);
}

static bool contains(const struct arg *const *list, size_t n, const struct arg *a)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == a)
            return true;
    return false;
}

static void add_label(struct str *out, const struct arg *a)
{
    str_add(out, " ");
    usage_label(out, a);
}

/* Required options, then those used in their order, then the positionals in theirs. */
static void add_used(struct str *out, const struct command *cmd, const struct arg *const *used, size_t n)
{
    const struct arg *all[ARGS_MAX];
    size_t n_all = command_args(cmd, all);
    for (size_t i = 0; i < n_all; i++)
        if (all[i]->flags & ARG_REQUIRED && !(all[i]->flags & ARG_POSITIONAL))
            add_label(out, all[i]);
    for (size_t i = 0; i < n; i++)
        if (!(used[i]->flags & (ARG_POSITIONAL | ARG_REQUIRED)) && !contains(used, i, used[i]))
            add_label(out, used[i]);
    for (size_t i = 0; i < n_all; i++)
        if (all[i]->flags & ARG_POSITIONAL && (all[i]->flags & ARG_REQUIRED || contains(used, n, all[i])))
            add_label(out, all[i]);
}

void usage_line(struct str *out, const struct matches *m, const struct arg *const *used, size_t n)
{
    const struct command *cmd = m->level[m->depth - 1].cmd;
    str_add(out, "Usage: ");
    usage_path(out, m);
    if (n == 0)
        str_add(out, " [OPTIONS]");
    add_used(out, cmd, used, n);
    if (cmd->subs)
        str_add(out, " <COMMAND>");
}

static int end_with_usage(struct str *out, const struct matches *m, const struct arg *const *used, size_t n)
{
    str_add(out, "\n\n");
    usage_line(out, m, used, n);
    str_add(out, TRY_HELP);
    return 2;
}

int usage_unknown_option(struct str *out, const struct matches *m, const char *option, const char *similar,
                         const char *similar_sub, bool as_value, const struct arg *const *used, size_t n)
{
    str_addf(out, "error: unexpected argument '%s' found", option);
    if (similar && similar_sub)
        str_addf(out, "\n\n  tip: '%s --%s' exists", similar_sub, similar);
    else if (similar)
        str_addf(out, "\n\n  tip: a similar argument exists: '--%s'", similar);
    else if (as_value)
        str_addf(out, "\n\n  tip: to pass '%s' as a value, use '-- %s'", option, option);
    return end_with_usage(out, m, used, n);
}

static size_t sub_names(const struct command *cmd, const char **ret)
{
    size_t n = 0;
    for (const struct command *s = cmd->subs; s && s->name && n < ARGS_MAX; s++)
        ret[n++] = s->name;
    return n;
}

int usage_unknown_word(struct str *out, const struct matches *m, const char *word, bool after_dashes)
{
    const struct command *cmd = m->level[m->depth - 1].cmd;
    if (!cmd->subs) {
        str_addf(out, "error: unexpected argument '%s' found", word);
    } else if (after_dashes && command_find(cmd, word)) {
        str_addf(out,
                 "error: unexpected argument '%s' found\n\n"
                 "  tip: subcommand '%s' exists; to use it, remove the '--' before it",
                 word, word);
    } else {
        const char *names[ARGS_MAX], *similar[ARGS_MAX];
        size_t n = similar_find(word, names, sub_names(cmd, names), similar);
        str_addf(out, "error: unrecognized subcommand '%s'", word);
        for (size_t i = 0; i < n; i++)
            str_addf(out, "%s'%s'", i ? ", " : n == 1 ? "\n\n  tip: a similar subcommand exists: "
                                                      : "\n\n  tip: some similar subcommands exist: ", similar[i]);
    }
    return end_with_usage(out, m, NULL, 0);
}

int usage_no_subcommand(struct str *out, const struct matches *m)
{
    const char *names[ARGS_MAX];
    size_t n = sub_names(m->level[m->depth - 1].cmd, names);
    str_add(out, "error: '");
    usage_path(out, m);
    str_add(out, "' requires a subcommand but one was not provided\n  [subcommands: ");
    for (size_t i = 0; i < n; i++)
        str_addf(out, "%s%s", i ? ", " : "", names[i]);
    str_add(out, "]");
    return end_with_usage(out, m, NULL, 0);
}

int usage_missing(struct str *out, const struct matches *m, const struct arg *const *missing, size_t n_missing,
                  const struct arg *const *used, size_t n)
{
    const struct arg *both[2 * ARGS_MAX];
    str_add(out, "error: the following required arguments were not provided:");
    memcpy(both, used, n * sizeof(*both));
    for (size_t i = 0; i < n_missing; i++) {
        both[n + i] = missing[i];
        str_add(out, "\n  ");
        usage_label(out, missing[i]);
    }
    return end_with_usage(out, m, both, n + n_missing);
}

int usage_repeated(struct str *out, const struct matches *m, const struct arg *a)
{
    str_add(out, "error: the argument '");
    usage_label(out, a);
    str_add(out, "' cannot be used multiple times");
    return end_with_usage(out, m, NULL, 0);
}

int usage_conflict(struct str *out, const struct matches *m, const struct arg *a, const struct arg *const *with,
                   size_t n_with, const struct arg *const *used, size_t n)
{
    str_add(out, "error: the argument '");
    usage_label(out, a);
    str_add(out, "' cannot be used with");
    if (n_with == 1) {
        str_add(out, " '");
        usage_label(out, with[0]);
        str_add(out, "'");
    } else {
        str_add(out, ":");
        for (size_t i = 0; i < n_with; i++) {
            str_add(out, "\n  ");
            usage_label(out, with[i]);
        }
    }
    return end_with_usage(out, m, used, n);
}

static void add_choices(struct str *out, const char *const *choices)
{
    str_add(out, "\n  [possible values: ");
    for (size_t i = 0; choices[i]; i++)
        str_addf(out, "%s%s", i ? ", " : "", choices[i]);
    str_add(out, "]");
}

int usage_no_value(struct str *out, const struct arg *a)
{
    str_add(out, "error: a value is required for '");
    usage_label(out, a);
    str_add(out, "' but none was supplied");
    if (a->choices)
        add_choices(out, a->choices);
    str_add(out, TRY_HELP);
    return 2;
}

int usage_surplus_value(struct str *out, const struct matches *m, const struct arg *a, const char *value,
                        const struct arg *const *used, size_t n)
{
    str_addf(out, "error: unexpected value '%s' for '", value);
    usage_label(out, a);
    str_add(out, "' found; no more were expected");
    return end_with_usage(out, m, used, n);
}

static void bad_value(struct str *out, const struct arg *a, const char *value)
{
    str_addf(out, "error: invalid value '%s' for '", value);
    usage_label(out, a);
    str_add(out, "'");
}

int usage_bad_choice(struct str *out, const struct arg *a, const char *value, const char *const *choices)
{
    if (!*value)
        return usage_no_value(out, a);
    const char *similar[ARGS_MAX];
    size_t n = 0;
    while (choices[n] && n < ARGS_MAX)
        n++;
    n = similar_find(value, choices, n, similar);
    bad_value(out, a, value);
    add_choices(out, choices);
    if (n > 0)
        str_addf(out, "\n\n  tip: a similar value exists: '%s'", similar[n - 1]);
    str_add(out, TRY_HELP);
    return 2;
}

/* A message with a picture ends with an empty line before the hint, unless there was nothing to picture. */
static void add_reason(struct str *out, const char *why)
{
    static const char nothing[] = "(the input was empty)";
    size_t len = strlen(why);
    while (len > 0 && why[len - 1] == '\n')
        len--;
    str_add(out, ": ");
    str_addn(out, why, len);
    size_t tail = sizeof nothing - 1;
    bool empty_input = len >= tail && memcmp(why + len - tail, nothing, tail) == 0;
    if (memchr(why, '\n', len) && !empty_input)
        str_add(out, "\n");
}

int usage_bad_value(struct str *out, const struct matches *m, const struct arg *a, const char *value, const char *why)
{
    if (a->flags & ARG_BARE_ERROR) {
        str_addf(out, "error: %s\n", why);
        return 2;
    }
    if (a->flags & ARG_USAGE_ERROR) {
        str_addf(out, "error: %s", why);
        return end_with_usage(out, m, NULL, 0);
    }
    bad_value(out, a, value);
    add_reason(out, why);
    str_add(out, TRY_HELP);
    return 2;
}
