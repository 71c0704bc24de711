/* SPDX-License-Identifier: MIT */
/* journal.c - `hq journal`: events as JSON, one on a line; and what is wrong with a journal. */
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "hqcore/tools.h"
#include "json.h"
#include "report.h"
#include "session.h"

#define SAVED_SUFFIX ".repaired"

typedef unsigned long long ull;

/* ---- events as lines ---- */

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\')
            return false;
    return true;
}

/* Nearly all texts need no escaping. */
static void add_text(struct str *out, const char *text, size_t len)
{
    if (is_plain(text, len)) {
        str_add(out, "\"");
        str_addn(out, text, len);
        str_add(out, "\"");
        return;
    }
    json_t *value = json_bytes(text, len);
    char *dump = json_dumps(value, JSON_ENCODE_ANY);
    str_add(out, dump ? dump : "\"\"");
    free(dump);
    json_decref(value);
}

static void add_double(struct str *out, double d)
{
    json_t *value = json_real(d);
    char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    str_add(out, dump ? dump : "0.0");
    free(dump);
    json_decref(value);
}

static void add_value(struct str *out, const hq_doc *d);

static void add_members(struct str *out, const hq_doc *d, bool named)
{
    str_add(out, named ? "{" : "[");
    for (size_t i = 0; i < hq_doc_len(d); i++) {
        const hq_doc *child = hq_doc_at(d, i);
        if (i > 0)
            str_add(out, ",");
        if (named) {
            add_text(out, hq_doc_name(child), strlen(hq_doc_name(child)));
            str_add(out, ":");
        }
        add_value(out, child);
    }
    str_add(out, named ? "}" : "]");
}

static void add_value(struct str *out, const hq_doc *d)
{
    size_t len = 0;
    const char *text = hq_doc_bytes(d, &len);
    switch (hq_doc_get_kind(d)) {
    case HQ_DOC_BOOL:
        str_add(out, hq_doc_uint(d) ? "true" : "false");
        break;
    case HQ_DOC_INT:
        str_addf(out, "%lld", (long long)hq_doc_int(d));
        break;
    case HQ_DOC_UINT:
        str_addf(out, "%llu", (ull)hq_doc_uint(d));
        break;
    case HQ_DOC_DOUBLE:
        add_double(out, hq_doc_double(d));
        break;
    case HQ_DOC_BYTES:
        add_text(out, text, len);
        break;
    case HQ_DOC_LIST:
    case HQ_DOC_MAP:
        add_members(out, d, hq_doc_get_kind(d) == HQ_DOC_MAP);
        break;
    default:
        str_add(out, "null");
    }
}

/* {"event":{...},"time":"2026-01-31T09:15:00.123Z"} */
static void print_event(struct str *line, const hq_doc *event)
{
    str_clear(line);
    str_add(line, "{\"event\":");
    add_value(line, hq_doc_get(event, "event"));
    str_add(line, ",\"time\":\"");
    format_rfc3339(line, hq_doc_int(hq_doc_get(event, "time")) * NS_PER_MS);
    str_add(line, "\"}\n");
    fwrite(line->p, 1, line->len, stdout);
}

/* ---- export ---- */

static int run_export(struct cli *cli, const struct matches *m)
{
    const char *path = args_text(m, "journal");
    hq_journal *j;
    const hq_doc *event;
    hq_error err;
    struct str line = {0}, count = {0};
    uint64_t n = 0;
    int r = hq_tools_journal_open(&j, path, &err);
    if (r < 0)
        return out_fail(cli, NULL, "%s", err.text);
    for (; (r = hq_tools_journal_next(j, &event, &err)) > 0 && !ferror(stdout); n++)
        print_event(&line, event);
    hq_tools_journal_free(j);
    if (r < 0)
        out_log(cli, LOG_ERROR, "Encountered an error while reading event log file: %s", err.text);
    format_count(&count, n, "event");
    out_log(cli, LOG_INFO, "Outputted %s", str_text(&count));
    str_free(&count);
    str_free(&line);
    return r < 0 ? 1 : 0;
}

/* ---- verify, repair ---- */

static bool is_damaged(const hq_journal_check *c)
{
    return c->header_damaged || c->damages > 0;
}

static void say_what_is_there(const hq_journal_check *c)
{
    struct str s = {0};
    str_addf(&s, "Journal of server %s: ", c->server_uid[0] ? c->server_uid : "(none yet)");
    format_count(&s, c->records, "record");
    str_add(&s, ", ");
    format_count(&s, c->jobs, "job");
    str_add(&s, " with ");
    format_count(&s, c->tasks, "task");
    str_add(&s, ", ");
    format_count(&s, c->workers, "worker");
    puts(str_text(&s));
    str_free(&s);
}

static void say_damage(const hq_journal_check *c)
{
    size_t shown = sizeof c->damage / sizeof *c->damage;
    if (c->header_damaged)
        puts("Its header is damaged");
    for (size_t i = 0; i < c->damages && i < shown; i++)
        printf("Damaged from byte %llu to %llu: %llu bytes\n", (ull)c->damage[i].from, (ull)c->damage[i].to,
               (ull)(c->damage[i].to - c->damage[i].from));
    if (c->damages > shown)
        printf("... and %llu more, %llu bytes in all\n", (ull)(c->damages - shown), (ull)c->damaged);
    if (c->orphans > 0)
        printf("Lost with them: %llu of the facts that follow, for instance: %s\n", (ull)c->orphans, c->orphan);
    if (c->torn > 0)
        printf("The last %llu bytes, from byte %llu, are no whole record; the next start of the server cuts them off\n",
               (ull)c->torn, (ull)c->torn_from);
    if (!is_damaged(c))
        puts("Nothing is damaged");
}

static json_t *check_json(const hq_journal_check *c)
{
    json_t *damages = json_array();
    for (size_t i = 0; i < c->damages && i < sizeof c->damage / sizeof *c->damage; i++)
        json_array_append_new(damages, json_pack("{s:I, s:I}", "from", (json_int_t)c->damage[i].from, "to",
                                                 (json_int_t)c->damage[i].to));
    return json_pack("{s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I}", "server_uid",
                     json_text(c->server_uid), "header_damaged", c->header_damaged, "bytes", (json_int_t)c->bytes,
                     "records", (json_int_t)c->records, "facts", (json_int_t)c->facts, "position",
                     (json_int_t)c->position, "jobs", (json_int_t)c->jobs, "tasks", (json_int_t)c->tasks, "workers",
                     (json_int_t)c->workers, "torn_bytes", (json_int_t)c->torn, "damaged_bytes", (json_int_t)c->damaged,
                     "damages", damages, "lost_facts", (json_int_t)c->orphans);
}

static void say(struct cli *cli, const hq_journal_check *c)
{
    if (cli->mode == OUT_JSON) {
        out_json(cli, check_json(c));
    } else if (cli->mode == OUT_CLI) {
        say_what_is_there(c);
        say_damage(c);
    }
}

static int run_verify(struct cli *cli, const struct matches *m)
{
    hq_journal_check c = {.size = sizeof c};
    hq_error err;
    if (hq_tools_journal_check(args_text(m, "journal"), NULL, &c, &err) < 0)
        return out_fail(cli, NULL, "%s", err.text);
    say(cli, &c);
    return is_damaged(&c) ? 1 : 0;
}

static int run_repair(struct cli *cli, const struct matches *m)
{
    const char *path = args_text(m, "journal");
    hq_journal_check c = {.size = sizeof c};
    hq_error err;
    struct str saved = {0};
    int rc = 0;
    str_addf(&saved, "%s%s", path, SAVED_SUFFIX);
    if (hq_tools_journal_check(path, NULL, &c, &err) < 0 ||
        (is_damaged(&c) && hq_tools_journal_check(path, saved.p, &c, &err) < 0)) {
        rc = out_fail(cli, NULL, "%s", err.text);
    } else {
        say(cli, &c);
        if (is_damaged(&c))
            out_log(cli, LOG_INFO, "What is good was saved as %s; the journal itself is as it was. Move the new file over it to "
                                   "start a server from it", saved.p);
    }
    str_free(&saved);
    return rc;
}

/* ---- of a server that runs ---- */

static int ask(struct cli *cli, int (*send)(hq_client *c, uint64_t tag, hq_error *err))
{
    struct session s;
    hq_error err;
    bool ok = session_open(&s, cli) && session_reply(&s, send(s.client, session_tag(&s), &err), &err);
    session_close(&s);
    return ok ? 0 : 1;
}

static int run_flush(struct cli *cli, const struct matches *m)
{
    return ask(cli, hq_tools_journal_flush);
}

static int run_prune(struct cli *cli, const struct matches *m)
{
    return ask(cli, hq_tools_journal_prune);
}

/* ---- events of a server that runs ---- */

/* All that is there; HQ_EAGAIN: more may come. */
static int print_events(hq_journal *j, struct str *line, bool at_once, hq_error *err)
{
    const hq_doc *event;
    int r;
    while ((r = hq_tools_journal_next(j, &event, err)) > 0 && !ferror(stdout)) {
        print_event(line, event);
        if (at_once)
            fflush(stdout);
    }
    return r > 0 ? HQ_OK : r; /* nobody reads what is printed any more */
}

static int print_pages(struct session *s, hq_journal *j, bool at_once)
{
    struct str line = {0};
    hq_error err;
    int r = HQ_EAGAIN;
    while (r == HQ_EAGAIN) {
        const hq_event *e = session_reply(s, hq_tools_journal_read(s->client, j, session_tag(s), &err), &err);
        if (!e)
            break;
        r = hq_tools_journal_feed(j, e->u.reply.doc, &err);
        if (r >= 0)
            r = print_events(j, &line, at_once, &err);
    }
    str_free(&line);
    if (r < 0 && r != HQ_EAGAIN)
        return out_fail(s->cli, NULL, "Error: %s", err.text);
    return r == HQ_OK || s->closed ? 0 : 1;
}

static int print_remote(struct session *s, bool follow)
{
    hq_journal *j;
    hq_error err;
    if (hq_tools_journal_remote(&j, follow, &err) < 0)
        return out_fail(s->cli, NULL, "%s", err.text);
    int rc = print_pages(s, j, follow);
    hq_tools_journal_free(j);
    return rc;
}

static int run_replay(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    int rc = 1;
    if (session_open(&s, cli) && session_reply(&s, hq_tools_journal_flush(s.client, session_tag(&s), &err), &err))
        rc = print_remote(&s, false);
    session_close(&s);
    return rc;
}

static int run_stream(struct cli *cli, const struct matches *m)
{
    struct session s;
    int rc = 1;
    if (session_open(&s, cli)) {
        s.may_close = true;
        rc = print_remote(&s, true);
    }
    session_close(&s);
    return rc;
}

/* ---- table ---- */

static const struct arg report_args[] = {
    {.name = "output", .value = "OUTPUT", .kind = ARG_PATH, .flags = ARG_POSITIONAL | ARG_REQUIRED,
     .help = "Path of the page to be written; a file that is there is replaced"},
    {.name = "start-time", .value = "START_TIME", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .help = "Begin so long after the server's start"},
    {.name = "end-time", .value = "END_TIME", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .help = "End so long after the server's start"},
    {0},
};

static const struct arg path_args[] = {
    {.name = "journal", .value = "JOURNAL", .kind = ARG_PATH, .flags = ARG_POSITIONAL | ARG_REQUIRED,
     .help = "Path of the journal"},
    {0},
};

const struct command journal_commands[] = {
    {.name = "export", .about = "Print the events of a journal as JSON, one on a line", .args = {path_args},
     .run = run_export, .more = "Needs no server; the journal of one that runs is read as far as it has been written."},
    {.name = "flush", .about = "Have the server write its journal to the disk, and wait until it is there", .run = run_flush,
     .more = "What was submitted, canceled, opened or closed is there when the command for it returns, without this."},
    {.name = "prune", .about = "Remove from the server's journal what is over", .run = run_prune,
     .more = "Jobs that have ended and workers that have gone are in the journal no longer, and will not be known after a restart. What "
             "was forgotten leaves the journal by itself."},
    {.name = "replay", .about = "Print the events of a running server so far, as JSON, one on a line", .run = run_replay,
     .more = "Of a journal that was pruned, what is left of it is printed; of a server without a journal, what it still knows: the last "
             "attempt of each task, and no job that was forgotten."},
    {.name = "report", .about = "Make an HTML page of charts from a journal: workers, what of them was in use, tasks", .args = {path_args, report_args},
     .run = report_run, .more = "Needs no server. Whoever looks at the page needs access to the network: the library that draws the charts, Plotly, is "
     "loaded from its makers."},
    {.name = "stream", .about = "Print the events of a running server so far, and then as they happen", .run = run_stream,
     .more = "Ends with the server. Each line is printed at once. Of a server with a journal, what it says is on the disk, and when the server is "
             "killed and started again, the events go on where they ended; without one it begins with what the server still knows."},
    {.name = "verify", .about = "Tell whether a journal is whole", .args = {path_args}, .run = run_verify,
     .more = "Reads all of it, and restores from it what a server would. The exit code is 1 when it is damaged. A last record that "
             "is not whole is no damage: it was being written when its server died."},
    {.name = "repair", .about = "Save what is good of a damaged journal into a new file", .args = {path_args},
     .run = run_repair,
     .more = "The new file is <JOURNAL>" SAVED_SUFFIX "; the journal itself is not touched. Tells what is lost. A server does not start from "
             "a journal that is damaged before its end, because its tasks might run twice."},
    {0},
};
