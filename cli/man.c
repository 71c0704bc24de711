/* SPDX-License-Identifier: MIT */
/* man.c - `hq-man DIR`, a program of the build: writes the manual pages, made from the command table. One page for hq and
 * one for each command below it, groups with all their members. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "hqcore/tools.h"
#include "usage.h"

/* Text of roff: no escape, no request at the start of a line. */
static void add_text(struct str *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        str_add(out, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            str_add(out, "\\e");
        else if (*text == '-')
            str_add(out, "\\-");
        else
            str_addn(out, text, 1);
    }
}

static void add_option(struct str *out, const struct arg *a)
{
    struct str label = {0};
    str_add(out, ".TP\n.B ");
    if (a->letter && a->name)
        str_addf(out, "\\-%c, ", a->letter);
    usage_label(&label, a);
    add_text(out, label.p);
    str_add(out, "\n");
    add_text(out, a->help);
    str_add(out, ".\n");
    if (a->more)
        add_text(out, a->more), str_add(out, "\n");
    if (a->choices) {
        str_add(out, "One of");
        for (size_t i = 0; a->choices[i]; i++)
            str_addf(out, "%s %s", i ? "," : "", a->choices[i]);
        str_add(out, ".\n");
    }
    if (a->fallback) {
        str_add(out, "Default: ");
        add_text(out, a->fallback);
        str_add(out, ".\n");
    }
    if (a->env)
        str_addf(out, "Environment: %s.\n", a->env);
    str_free(&label);
}

static void add_options(struct str *out, const struct command *cmd)
{
    const struct arg *args[ARGS_MAX];
    size_t n = command_args(cmd, args);
    for (size_t i = 0; i < n; i++)
        add_option(out, args[i]);
}

static void add_synopsis(struct str *out, const char *path, const struct command *cmd)
{
    const struct arg *args[ARGS_MAX];
    size_t n = command_args(cmd, args);
    str_addf(out, ".B %s\n[OPTIONS]", path);
    for (size_t i = 0; i < n; i++) {
        if (!(args[i]->flags & ARG_REQUIRED))
            continue;
        struct str label = {0};
        usage_label(&label, args[i]);
        str_add(out, " ");
        add_text(out, label.p);
        str_free(&label);
    }
    str_add(out, cmd->subs ? " <COMMAND>\n" : "\n");
}

static void add_description(struct str *out, const struct command *cmd)
{
    add_text(out, cmd->about);
    str_add(out, ".\n");
    if (cmd->more) {
        str_add(out, ".PP\n");
        add_text(out, cmd->more);
        str_add(out, "\n");
    }
}

static void add_members(struct str *out, const struct command *group)
{
    for (const struct command *s = group->subs; s && s->name; s++) {
        struct str path = {0};
        str_addf(&path, "hq %s %s", group->name, s->name);
        str_addf(out, ".SH HQ %s %s\n", group->name, s->name);
        add_synopsis(out, path.p, s);
        str_add(out, ".PP\n");
        add_description(out, s);
        add_options(out, s);
        str_free(&path);
    }
}

static void add_see_also(struct str *out)
{
    str_add(out, ".SH SEE ALSO\n.BR hq (1)");
    for (const struct command *s = commands_root.subs; s->name; s++)
        str_addf(out, ",\n.BR hq\\-%s (1)", s->name);
    str_add(out, "\n");
}

static void add_page(struct str *out, const char *title, const char *path, const struct command *cmd)
{
    str_addf(out, ".TH %s 1 \"\" \"hyperqueue %s\"\n.SH NAME\n%s \\- ", title, hq_tools_version(), title);
    add_text(out, cmd->about);
    str_add(out, "\n.SH SYNOPSIS\n");
    add_synopsis(out, path, cmd);
    str_add(out, ".SH DESCRIPTION\n");
    add_description(out, cmd);
    if (cmd == &commands_root) {
        str_add(out, ".SH COMMANDS\n");
        for (const struct command *s = cmd->subs; s->name; s++)
            str_addf(out, ".TP\n.BR hq\\-%s (1)\n%s.\n", s->name, s->about);
    } else if (cmd->subs) {
        add_members(out, cmd);
    } else {
        str_add(out, ".SH OPTIONS\n");
        add_options(out, cmd);
    }
    str_add(out, ".SH GLOBAL OPTIONS\n");
    add_options(out, &commands_root);
    str_add(out, ".SH EXIT STATUS\n0 on success, 1 on failure, 2 for a wrong command line.\n");
    add_see_also(out);
}

static bool write_page(const char *dir, const char *title, const char *path, const struct command *cmd)
{
    struct str file = {0}, page = {0};
    str_addf(&file, "%s/%s.1", dir, title);
    add_page(&page, title, path, cmd);
    FILE *f = fopen(file.p, "we");
    bool ok = f && fputs(page.p, f) >= 0;
    if (f)
        ok = fclose(f) == 0 && ok;
    if (!ok)
        fprintf(stderr, "Cannot write %s: %s\n", file.p, strerror(errno));
    str_free(&file);
    str_free(&page);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("Usage: hq-man DIR\n", stderr);
        return 2;
    }
    bool ok = write_page(argv[1], "hq", "hq", &commands_root);
    for (const struct command *s = commands_root.subs; ok && s->name; s++) {
        struct str title = {0}, path = {0};
        str_addf(&title, "hq-%s", s->name);
        str_addf(&path, "hq %s", s->name);
        ok = write_page(argv[1], title.p, path.p, s);
        str_free(&title);
        str_free(&path);
    }
    return ok ? 0 : 1;
}
