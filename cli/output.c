/* SPDX-License-Identifier: MIT */
/* output.c - printing in three modes. Nothing here ends the program. */
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "json.h"

#define DEFAULT_DIR ".hq-server" /* in the home directory */

static const char *const style_codes[] = {
    [STYLE_BOLD] = "1",    [STYLE_RED] = "31",     [STYLE_GREEN] = "32", [STYLE_YELLOW] = "33",
    [STYLE_BLUE] = "34",   [STYLE_MAGENTA] = "35", [STYLE_CYAN] = "36",  [STYLE_BRIGHT_RED] = "91",
};

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

/* What CLICOLOR and CLICOLOR_FORCE say; `unset` where they say nothing. */
static bool says_yes(const char *name, bool unset)
{
    const char *value = getenv(name);
    return value ? strcmp(value, "0") != 0 : unset;
}

static bool wants_color(const struct matches *m)
{
    enum { AUTO, ALWAYS, NEVER };
    uint64_t choice = args_number(m, "colors", AUTO);
    if (choice != AUTO)
        return choice == ALWAYS;
    if (says_yes("CLICOLOR_FORCE", false))
        return true;
    return isatty(STDOUT_FILENO) && !is_set("NO_COLOR") && says_yes("CLICOLOR", true);
}

static bool join(char *out, const char *dir, const char *name)
{
    int len = *name == '/' ? snprintf(out, PATH_MAX, "%s", name) : snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return len >= 0 && len < PATH_MAX;
}

bool out_init(struct cli *cli, const struct matches *m)
{
    *cli = (struct cli){.mode = (enum out_mode)args_number(m, "output-mode", OUT_CLI),
                        .color = wants_color(m)};
    log_view_init(&cli->log, args_has(m, "debug"), getenv("RUST_LOG"), getenv("RUST_LOG_STYLE"),
                  isatty(STDERR_FILENO) && !is_set("NO_COLOR"));
    const char *home = is_set("HOME") ? getenv("HOME") : is_set("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    const char *dir = args_text(m, "server-dir");
    char cwd[PATH_MAX];
    if (!join(cli->default_dir, home, DEFAULT_DIR)) {
        out_fail(cli, NULL, "The path of the home directory is too long");
        return false;
    }
    if (dir && *dir != '/' && !getcwd(cwd, sizeof cwd)) {
        char why[ERRNO_MAX];
        out_fail(cli, format_errno(errno, why), "Cannot tell the current directory");
        return false;
    }
    if (!join(cli->server_dir, dir && *dir != '/' ? cwd : "", dir ? dir : cli->default_dir)) {
        out_fail(cli, NULL, "The path of the server directory is too long: %s", dir ? dir : cli->default_dir);
        return false;
    }
    return true;
}

int out_end(struct cli *cli, int rc)
{
    if (cli->mode == OUT_JSON && !cli->json_done)
        out_json(cli, json_object());
    out_flush(cli);
    if (ferror(stdout) && !cli->write_errno) { /* within a print, and the reason is lost: another byte tells it */
        fputc('\n', stdout);
        out_flush(cli);
    }
    if (cli->serves || (!cli->write_errno && !ferror(stdout)))
        return rc;
    char why[ERRNO_MAX];
    if (cli->write_errno != EPIPE)
        fprintf(stderr, "Cannot write to stdout%s%s\n", cli->write_errno ? ": " : "",
                cli->write_errno ? format_errno(cli->write_errno, why) : "");
    return rc ? rc : 1;
}

int out_close(int rc)
{
    struct cli cli = {.mode = OUT_CLI};
    return out_end(&cli, rc);
}

void out_flush(struct cli *cli)
{
    errno = 0;
    if (fflush(stdout) != 0 && cli->write_errno == 0)
        cli->write_errno = errno;
}

void out_style(struct str *out, const struct cli *cli, enum style style, const char *text)
{
    if (style == STYLE_NONE || !cli->color)
        str_add(out, text);
    else
        str_addf(out, "\x1b[%sm%s\x1b[0m", style_codes[style], text);
}

/* ---- log ---- */

void out_log_record(const struct cli *cli, int level, const char *where, const char *text)
{
    struct str line = {0};
    if (!log_shows(&cli->log, level, where))
        return;
    log_line(&line, &cli->log, format_now(), level, where, text);
    fputs(line.p, stderr);
    str_free(&line);
}

void out_log(const struct cli *cli, enum log_level level, const char *format, ...)
{
    struct str text = {0};
    va_list args;
    va_start(args, format);
    str_addv(&text, format, args);
    va_end(args);
    out_log_record(cli, (int)level, "hq", str_text(&text));
    str_free(&text);
}

/* ---- results ---- */

void out_json(struct cli *cli, json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    fputc('\n', stdout);
    cli->json_done = true;
    json_decref(value);
}

/* The cause's lines behind the first are indented like it. */
static void add_cause(struct str *out, const char *cause)
{
    str_add(out, "\n\nCaused by:\n    ");
    for (const char *c = cause; *c; c++) {
        str_addn(out, c, 1);
        if (*c == '\n')
            str_add(out, "    ");
    }
}

int out_fail(struct cli *cli, const char *cause, const char *format, ...)
{
    struct str text = {0};
    va_list args;
    va_start(args, format);
    str_addv(&text, format, args);
    va_end(args);
    if (cause)
        add_cause(&text, cause);
    if (cli->mode == OUT_JSON)
        out_json(cli, json_pack("{s:o}", "error", json_bytes(str_text(&text), text.len)));
    else
        fprintf(stderr, "%s\n", str_text(&text));
    str_free(&text);
    return 1;
}
