/* SPDX-License-Identifier: MIT */
/* help.c - short and long help. */
#include "help.h"

#include <stdlib.h>
#include <string.h>

#include "hqcore/tools.h"
#include "usage.h"

#define WIDTH 100      /* of wrapped text in long help */
#define LONG_INDENT 10 /* of what an option does, below its name */

int help_version(struct str *out)
{
    str_addf(out, "hyperqueue %s\n", hq_tools_version());
    return 0;
}

/* `text` in lines of at most WIDTH, each behind `indent` spaces. Newlines in it stay. */
static void add_wrapped(struct str *out, const char *text, size_t indent)
{
    size_t column = 0;
    while (*text) {
        size_t len = strcspn(text, " \n");
        if (column == 0)
            str_fill(out, ' ', indent);
        else if (indent + column + 1 + len > WIDTH)
            str_add(out, "\n"), str_fill(out, ' ', indent), column = 0;
        else
            str_add(out, " "), column++;
        str_addn(out, text, len);
        column += len;
        text += len;
        if (*text == '\n')
            str_add(out, "\n"), column = 0;
        text += *text != '\0';
    }
    str_add(out, "\n");
}

/* "  -v, --verbose <X>", aligned whether or not there is a letter. */
static void add_option_name(struct str *out, const struct arg *a)
{
    if (a->flags & ARG_POSITIONAL) {
        str_add(out, "  ");
        usage_label(out, a);
        return;
    }
    if (!a->name) {
        str_addf(out, "  -%c", a->letter);
        return;
    }
    str_add(out, a->letter ? "  -" : "      ");
    if (a->letter)
        str_addf(out, "%c, ", a->letter);
    usage_label(out, a);
}

static void add_facts(struct str *out, const struct arg *a, const char *before)
{
    if (a->env)
        str_addf(out, "%s[env: %s]", before, a->env);
    if (a->fallback)
        str_addf(out, "%s[default: %s]", before, a->fallback);
    if (!a->choices)
        return;
    str_addf(out, "%s[possible values: ", before);
    for (size_t i = 0; a->choices[i]; i++)
        str_addf(out, "%s%s", i ? ", " : "", a->choices[i]);
    str_add(out, "]");
}

static void add_short(struct str *out, const char *name, const char *help, const struct arg *a, size_t width)
{
    size_t len = strlen(name);
    str_add(out, name);
    str_fill(out, ' ', width > len ? width - len + 2 : 2);
    str_add(out, help);
    if (a)
        add_facts(out, a, " ");
    str_add(out, "\n");
}

static void add_long(struct str *out, const char *name, const char *help, const struct arg *a)
{
    str_addf(out, "%s\n", name);
    add_wrapped(out, help, LONG_INDENT);
    if (!a)
        return;
    if (a->more) {
        str_add(out, "\n");
        add_wrapped(out, a->more, LONG_INDENT);
    }
    struct str facts = {0};
    add_facts(&facts, a, "\n          ");
    if (facts.len > 0)
        str_addf(out, "%s\n", facts.p);
    str_free(&facts);
}

struct row {
    char *name; /* owned */
    const char *help;
    const struct arg *arg; /* NULL: built in, or a command */
};

static size_t rows_of_args(const struct arg *const *all, size_t n, bool positionals, struct row *ret)
{
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(all[i]->flags & ARG_POSITIONAL) == positionals)
            continue;
        struct str name = {0};
        add_option_name(&name, all[i]);
        ret[n_rows++] = (struct row){name.p, all[i]->help, all[i]};
    }
    return n_rows;
}

static size_t rows_of_subs(const struct command *cmd, struct row *ret)
{
    size_t n = 0;
    for (const struct command *s = cmd->subs; s && s->name && n < ARGS_MAX; s++) {
        struct str name = {0};
        str_addf(&name, "  %s", s->name);
        ret[n++] = (struct row){name.p, s->about, NULL};
    }
    return n;
}

static void add_section(struct str *out, const char *title, struct row *rows, size_t n, bool is_long)
{
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        width = strlen(rows[i].name) > width ? strlen(rows[i].name) : width;
    if (n > 0)
        str_addf(out, "\n%s:\n", title);
    for (size_t i = 0; i < n; i++) {
        if (is_long)
            add_long(out, rows[i].name, rows[i].help, rows[i].arg);
        else
            add_short(out, rows[i].name, rows[i].help, rows[i].arg, width);
        if (is_long && i + 1 < n)
            str_add(out, "\n");
        free(rows[i].name);
    }
}

static size_t add_builtin(struct row *rows, size_t n, bool at_root, bool is_long)
{
    rows[n++] = (struct row){mem_dup("  -h, --help"),
                             is_long ? "Print help (see a summary with '-h')" : "Print help (see more with '--help')",
                             NULL};
    if (at_root)
        rows[n++] = (struct row){mem_dup("  -V, --version"), "Print version", NULL};
    return n;
}

void help_print(struct str *out, const struct matches *m, const struct command *root, bool is_long)
{
    const struct command *cmd = m->level[m->depth - 1].cmd;
    const struct arg *all[ARGS_MAX], *globals[ARGS_MAX];
    size_t n = cmd == root ? 0 : command_args(cmd, all), n_globals = command_args(root, globals);
    struct row rows[ARGS_MAX + 2];
    str_addf(out, "%s\n\n", cmd->about);
    if (is_long && cmd->more) {
        add_wrapped(out, cmd->more, 0);
        str_add(out, "\n");
    }
    usage_line(out, m, NULL, 0);
    str_add(out, "\n");
    add_section(out, "Commands", rows, rows_of_subs(cmd, rows), false);
    add_section(out, "Arguments", rows, rows_of_args(all, n, true, rows), is_long);
    add_section(out, "Options", rows, add_builtin(rows, rows_of_args(all, n, false, rows), cmd == root, is_long),
                is_long);
    if (is_long)
        add_section(out, "GLOBAL OPTIONS", rows, rows_of_args(globals, n_globals, false, rows), true);
}
