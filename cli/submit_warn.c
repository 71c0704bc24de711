/* SPDX-License-Identifier: MIT */
/* submit_warn.c - warnings about output paths. */
#include "submit_warn.h"

#include <stdlib.h>
#include <string.h>

#include "hqcore/tools.h"

#define MANY_FILES 999
#define NAMES_MAX 1024 /* of unknown placeholders, joined */

/* The path in a STDIO value, without its mode. "": the default path; NULL: no file. The caller frees. */
static char *stdio_path(const char *value)
{
    if (!value)
        return mem_dup("");
    return strcmp(value, "none") == 0 ? NULL : mem_dupn(value, strcspn(value, ":"));
}

static void warn_many(struct cli *cli, uint64_t n_ids, bool out, bool err)
{
    const char *streams = out && err ? "stdout and stderr" : out ? "stdout" : "stderr";
    uint64_t files = n_ids * (uint64_t)(out + err);
    if (files <= MANY_FILES)
        return;
    out_log(cli, LOG_WARN,
            "The job will create %llu files for %s. Consider using the `--stream` option to stream all outputs into a "
            "single file",
            (unsigned long long)files, streams);
}

static bool has_task_id(const char *path)
{
    int has = 0;
    char names[NAMES_MAX];
    hq_tools_placeholders(path, &has, names, sizeof names);
    return has;
}

static void warn_same_file(struct cli *cli, const char *stream, const char *path, const char *cwd)
{
    bool by_cwd = cwd && has_task_id(cwd) && (strstr(path, "%{CWD}") || *path != '/');
    if (*path == '\0' || has_task_id(path) || by_cwd)
        return;
    out_log(cli, LOG_WARN,
            "You have submitted an array job, but the `%s` path does not contain the task ID placeholder.\n"
            "Individual tasks might thus overwrite the file. Consider adding `%%{TASK_ID}` to the `--%s` value.",
            stream, stream);
}

static void warn_unknown(struct cli *cli, const char *path, const char *what)
{
    int has = 0;
    char names[NAMES_MAX];
    int n = path ? hq_tools_placeholders(path, &has, names, sizeof names) : 0;
    if (n > 0)
        out_log(cli, LOG_WARN, "Found unknown placeholder%s `%s` in %s", n > 1 ? "s" : "", names, what);
}

void submit_warn(struct cli *cli, const struct submit_paths *p)
{
    char *out = stdio_path(p->out), *err = stdio_path(p->err);
    warn_many(cli, p->n_ids, out != NULL, err != NULL);
    if (out && p->n_ids > 1)
        warn_same_file(cli, "stdout", out, p->cwd);
    if (err && p->n_ids > 1)
        warn_same_file(cli, "stderr", err, p->cwd);
    warn_unknown(cli, out, "stdout path");
    warn_unknown(cli, err, "stderr path");
    warn_unknown(cli, p->cwd, "working directory path");
    free(out);
    free(err);
}
