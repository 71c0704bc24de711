/* SPDX-License-Identifier: MIT */
/* completion.c - completion scripts. Each shell's script first finds the command that is being typed ("hq job list"), and
 * then offers what the table has for it. */
#include "completion.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "walk.h"

/* What bash and zsh do not say alike. */
struct dialect {
    const char *offer, *offer_end; /* around the words to choose from */
    const char *offer_files;
    void (*add_word)(struct str *out, const char *dashes, const char *name, const char *help);
    const char *list, *list_end; /* around the words of a command */
};

struct writer {
    struct str *out;
    const struct command *root;
    const struct dialect *dialect;         /* NULL: fish */
    const char *before, *between;          /* of paths */
    bool any;                              /* a path was written */
};

static const char *const shells[] = {"bash", "fish", "zsh", NULL}; /* by enum shell */

/* Options of a command and the global ones. */
static size_t all_args(const struct writer *w, const struct command *cmd, const struct arg **ret)
{
    size_t n = cmd == w->root ? 0 : command_args(cmd, ret);
    return n + command_args(w->root, ret + n);
}

/* Text within single quotes. */
static void add_quoted(struct str *out, const char *text, const char *also_escape)
{
    for (; *text; text++) {
        if (*text == '\'')
            str_add(out, "'\\''");
        else if (strchr(also_escape, *text))
            str_addf(out, "\\%c", *text);
        else
            str_addn(out, text, 1);
    }
}

static void add_choices(struct str *out, const struct arg *a)
{
    for (size_t i = 0; a->choices[i]; i++)
        str_addf(out, "%s%s", i ? " " : "", a->choices[i]);
}

/* The pattern that knows a command when its last word has come: "hq server", "hq server start", ... */
static void add_path(void *user, const char *path, const struct command *cmd)
{
    struct writer *w = user;
    if (cmd == w->root)
        return;
    str_addf(w->out, "%s'%s'", w->any ? w->between : w->before, path);
    w->any = true;
}

/* ---- bash and zsh ---- */

static void add_values(void *user, const char *path, const struct command *cmd)
{
    struct writer *w = user;
    const struct arg *args[2 * ARGS_MAX];
    size_t n = all_args(w, cmd, args);
    for (size_t i = 0; i < n; i++) {
        if (args[i]->flags & ARG_POSITIONAL || !args[i]->value)
            continue;
        str_addf(w->out, "        '%s --%s') ", path, args[i]->name);
        if (args[i]->choices) {
            str_add(w->out, w->dialect->offer);
            add_choices(w->out, args[i]);
            str_add(w->out, w->dialect->offer_end);
        } else if (walk_is_path(args[i])) {
            str_add(w->out, w->dialect->offer_files);
        }
        str_add(w->out, "return ;;\n");
    }
}

static void add_arg_words(const struct writer *w, const struct arg *a)
{
    const char letter[] = {a->letter, '\0'};
    if (!(a->flags & ARG_POSITIONAL))
        w->dialect->add_word(w->out, a->name ? "--" : "-", a->name ? a->name : letter, a->help);
    for (size_t i = 0; a->flags & ARG_POSITIONAL && a->choices && a->choices[i]; i++)
        w->dialect->add_word(w->out, "", a->choices[i], a->help);
}

static void add_words(void *user, const char *path, const struct command *cmd)
{
    struct writer *w = user;
    const struct arg *args[2 * ARGS_MAX];
    size_t n = all_args(w, cmd, args);
    str_addf(w->out, "        '%s') %s", path, w->dialect->list);
    for (const struct command *s = cmd->subs; s && s->name; s++)
        w->dialect->add_word(w->out, "", s->name, s->about);
    for (size_t i = 0; i < n; i++)
        add_arg_words(w, args[i]);
    w->dialect->add_word(w->out, "--", "help", "Print help");
    str_addf(w->out, "%s ;;\n", w->dialect->list_end);
}

static void bash_word(struct str *out, const char *dashes, const char *name, const char *help)
{
    (void)help;
    str_addf(out, "%s%s ", dashes, name);
}

/* In `--option=value` bash takes the sign for a word. */
static void bash_script(struct writer *w)
{
    static const struct dialect dialect = {"COMPREPLY=($(compgen -W '", "' -- \"$cur\")); ",
                                           "COMPREPLY=($(compgen -f -- \"$cur\")); ", bash_word, "words='", "'"};
    w->dialect = &dialect;
    w->before = "            ";
    w->between = "|";
    str_add(w->out, "# bash completion for hq\n_hq() {\n    local cur prev at words i\n"
                    "    cur=\"${COMP_WORDS[COMP_CWORD]}\"\n    prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                    "    if [[ $cur == = ]]; then\n        cur=\n    elif [[ $prev == = ]]; then\n"
                    "        prev=\"${COMP_WORDS[COMP_CWORD-2]}\"\n    fi\n    at=hq\n"
                    "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case \"$at ${COMP_WORDS[i]}\" in\n");
    walk_commands(w->root, add_path, w);
    str_add(w->out, ") at=\"$at ${COMP_WORDS[i]}\" ;;\n        esac\n    done\n    COMPREPLY=()\n"
                    "    case \"$at $prev\" in\n");
    walk_commands(w->root, add_values, w);
    str_add(w->out, "    esac\n    case \"$at\" in\n");
    walk_commands(w->root, add_words, w);
    str_add(w->out, "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                    "complete -o default -F _hq hq\n");
}

static void zsh_word(struct str *out, const char *dashes, const char *name, const char *help)
{
    str_addf(out, " '%s%s:", dashes, name);
    add_quoted(out, help, ":");
    str_add(out, "'");
}

static void zsh_script(struct writer *w)
{
    static const struct dialect dialect = {"compadd -- ", "; ", "_files; ", zsh_word, "list=(", ")"};
    w->dialect = &dialect;
    w->before = "            ";
    w->between = "|";
    str_add(w->out, "#compdef hq\n_hq() {\n    local at=hq prev=\"${words[CURRENT-1]}\" i\n    local -a list\n"
                    "    if [[ ${words[CURRENT]} == --*=* ]]; then\n        prev=\"${words[CURRENT]%%=*}\"\n"
                    "        compset -P '*='\n    fi\n"
                    "    for ((i = 2; i < CURRENT; i++)); do\n        case \"$at ${words[i]}\" in\n");
    walk_commands(w->root, add_path, w);
    str_add(w->out, ") at=\"$at ${words[i]}\" ;;\n        esac\n    done\n    case \"$at $prev\" in\n");
    walk_commands(w->root, add_values, w);
    str_add(w->out, "    esac\n    case \"$at\" in\n");
    walk_commands(w->root, add_words, w);
    str_add(w->out, "    esac\n    _describe hq list || _files\n}\n"
                    "if [ \"$funcstack[1]\" = _hq ]; then _hq \"$@\"; else compdef _hq hq; fi\n");
}

/* ---- fish ---- */

static void fish_start(struct writer *w, const char *path, const char *help)
{
    str_addf(w->out, "complete -c hq -n 'test (__hq_at) = \"%s\"' -d '", path);
    add_quoted(w->out, help, "");
    str_add(w->out, "'");
}

static void fish_arg(struct writer *w, const char *path, const struct arg *a)
{
    bool positional = a->flags & ARG_POSITIONAL;
    if (positional && !a->choices)
        return;
    fish_start(w, path, a->help);
    if (!positional && a->name)
        str_addf(w->out, " -l %s", a->name);
    if (!positional && a->letter)
        str_addf(w->out, " -s %c", a->letter);
    if (a->value && !positional)
        str_add(w->out, walk_is_path(a) ? " -r" : " -x");
    if (a->choices) {
        str_add(w->out, positional ? " -f -a '" : " -a '");
        add_choices(w->out, a);
        str_add(w->out, "'");
    }
    str_add(w->out, "\n");
}

static void fish_words(void *user, const char *path, const struct command *cmd)
{
    struct writer *w = user;
    const struct arg *args[2 * ARGS_MAX];
    size_t n = all_args(w, cmd, args);
    for (const struct command *s = cmd->subs; s && s->name; s++) {
        fish_start(w, path, s->about);
        str_addf(w->out, " -f -a %s\n", s->name);
    }
    for (size_t i = 0; i < n; i++)
        fish_arg(w, path, args[i]);
}

static void fish_script(struct writer *w)
{
    w->before = " ";
    w->between = " ";
    str_add(w->out, "# fish completion for hq\nfunction __hq_at\n    set -l at hq\n"
                    "    for word in (commandline -opc)[2..-1]\n        switch \"$at $word\"\n            case");
    walk_commands(w->root, add_path, w);
    str_add(w->out, "\n                set at \"$at $word\"\n        end\n    end\n    echo $at\nend\n");
    walk_commands(w->root, fish_words, w);
}

/* ---- command ---- */

void completion_script(struct str *out, enum shell shell, const struct command *root)
{
    static void (*const writers[])(struct writer *) = {bash_script, fish_script, zsh_script};
    struct writer w = {.out = out, .root = root};
    writers[shell](&w);
}

int completion_run(struct cli *cli, const struct matches *m)
{
    struct str out = {0};
    enum shell shell = (enum shell)args_number(m, "SHELL", SHELL_BASH);
    fprintf(stderr, "Generating completion file for %s...\n", shells[shell]);
    completion_script(&out, shell, &commands_root);
    fputs(out.p, stdout);
    str_free(&out);
    return 0;
}

const struct arg completion_args[] = {
    {.name = "SHELL", .value = "SHELL", .kind = ARG_CHOICE, .choices = shells,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "The shell"},
    {0},
};
