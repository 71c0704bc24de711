/* SPDX-License-Identifier: MIT */
/* worker.c - the commands below `hq worker` that ask about workers. */
#include "worker.h"

#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "format.h"
#include "session.h"
#include "table.h"
#include "worker_start.h"
#include "worker_view.h"

enum { OUTCOME_DONE = 1, OUTCOME_NOT_FOUND = 2, OUTCOME_ALREADY = 3 }; /* OutcomeKind of client.proto */
enum { FILTER_RUNNING, FILTER_OFFLINE };

typedef unsigned long long ull;

static const char *const filters[] = {"running", "offline", NULL};

static const hq_doc *fetch(struct session *s, const char *workers, bool offline_too, bool details)
{
    hq_error err;
    int sent = hq_tools_worker_list(s->client, workers, offline_too, details, session_tag(s), &err);
    const hq_event *e = session_reply(s, sent, &err);
    return e ? e->u.reply.doc : NULL;
}

/* ---- list ---- */

static void add_row(struct table *t, const hq_doc *worker)
{
    struct str resources = {0};
    int end = (int)field_uint(worker, "end");
    worker_resources_text(&resources, hq_doc_get(worker, "config.resources"), false);
    table_addf(t, "%llu", (ull)field_uint(worker, "id"));
    table_add_styled(t, format_worker_style(end), format_worker_state(end));
    table_add(t, field_text(worker, "config.hostname"));
    table_add(t, str_text(&resources));
    table_add(t, worker_manager(worker));
    table_add(t, worker_manager_job_id(worker));
    str_free(&resources);
}

static void print_list(struct cli *cli, const hq_doc *doc, bool skip_running)
{
    static const char *const headers[] = {"ID", "State", "Hostname", "Resources", "Manager", "Manager Job ID", NULL};
    struct table t;
    json_t *list = json_array();
    table_init(&t, cli, headers);
    t.right[0] = true;
    for (size_t i = 0; i < field_len(doc, "workers"); i++) {
        const hq_doc *worker = field_at(doc, "workers", i);
        uint64_t end = field_uint(worker, "end");
        if (skip_running && end == HQ_WORKER_RUNNING)
            continue;
        struct worker_view view = worker_view(worker, false);
        if (cli->mode == OUT_JSON)
            json_array_append_new(list, worker_json(&view));
        else if (cli->mode == OUT_CLI)
            add_row(&t, worker);
        else
            printf("%llu %s\n", (ull)field_uint(worker, "id"), format_worker_state((int)end));
    }
    if (cli->mode == OUT_CLI)
        table_print(&t);
    if (cli->mode == OUT_JSON)
        out_json(cli, list);
    else
        json_decref(list);
    table_free(&t);
}

static int run_list(struct cli *cli, const struct matches *m)
{
    struct session s;
    const hq_doc *doc = NULL;
    bool offline = args_number(m, "filter", FILTER_RUNNING) == FILTER_OFFLINE;
    if (session_open(&s, cli))
        doc = fetch(&s, "all", args_has(m, "all") || offline, false);
    if (doc)
        print_list(cli, doc, offline);
    session_close(&s);
    return doc ? 0 : 1;
}

/* ---- info, address, wait ---- */

static int run_info(struct cli *cli, const struct matches *m)
{
    struct session s;
    const hq_doc *doc = NULL;
    json_t *list = json_array();
    if (session_open(&s, cli))
        doc = fetch(&s, args_text(m, "SELECTOR"), true, true);
    for (size_t i = 0; i < field_len(doc, "missing"); i++)
        out_log(cli, LOG_ERROR, "Worker %llu not found", (ull)hq_doc_uint(field_at(doc, "missing", i)));
    for (size_t i = 0; i < field_len(doc, "workers"); i++) {
        struct worker_view view = worker_view(field_at(doc, "workers", i), true);
        if (cli->mode == OUT_JSON)
            json_array_append_new(list, worker_json(&view));
        if (cli->mode == OUT_CLI && i > 0)
            puts("");
        if (cli->mode == OUT_CLI)
            worker_print(cli, &view);
    }
    if (doc && cli->mode == OUT_JSON)
        out_json(cli, json_incref(list));
    json_decref(list);
    session_close(&s);
    return doc ? 0 : 1;
}

static int run_address(struct cli *cli, const struct matches *m)
{
    struct session s;
    const hq_doc *doc = NULL;
    int rc = 1;
    ull id = args_number(m, "WORKER_ID", 0);
    struct str selector = {0};
    str_addf(&selector, "%llu", id);
    if (session_open(&s, cli))
        doc = fetch(&s, selector.p, true, false);
    if (doc && field_len(doc, "workers") == 1) {
        puts(field_text(field_at(doc, "workers", 0), "config.hostname"));
        rc = 0;
    } else if (doc) {
        out_fail(cli, NULL, "Worker %llu not found", id);
    }
    str_free(&selector);
    session_close(&s);
    return rc;
}

static int run_wait(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    uint32_t count = (uint32_t)args_number(m, "WORKER_COUNT", 0);
    bool ok = session_open(&s, cli);
    if (ok && count > 0)
        ok = session_reply(&s, hq_tools_worker_wait(s.client, count, session_tag(&s), &err), &err) != NULL;
    session_close(&s);
    return ok ? 0 : 1;
}

/* ---- stop ---- */

static void log_stop(const struct cli *cli, const hq_doc *outcome)
{
    ull id = field_uint(outcome, "id");
    switch (field_uint(outcome, "outcome")) {
    case OUTCOME_DONE:
        out_log(cli, LOG_INFO, "Worker %llu stopped", id);
        break;
    case OUTCOME_ALREADY:
        out_log(cli, LOG_WARN, "Stopping worker %llu failed; worker is already stopped", id);
        break;
    case OUTCOME_NOT_FOUND:
        out_log(cli, LOG_ERROR, "Stopping worker %llu failed; worker not found", id);
        break;
    default:
        out_log(cli, LOG_ERROR, "Stopping worker %llu failed; the server could not stop it", id);
    }
}

static int run_stop(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    const hq_event *e = NULL;
    if (session_open(&s, cli))
        e = session_reply(&s, hq_tools_worker_stop(s.client, args_text(m, "SELECTOR"), session_tag(&s), &err), &err);
    for (size_t i = 0; e && i < field_len(e->u.reply.doc, "ids"); i++)
        log_stop(cli, field_at(e->u.reply.doc, "ids", i));
    session_close(&s);
    return e ? 0 : 1;
}

/* ---- hwdetect ---- */

/* Lines "LEVEL text" for the log. */
static void log_notes(const struct cli *cli, const char *notes)
{
    while (*notes) {
        size_t len = strcspn(notes, "\n"), word = strcspn(notes, " \n");
        int level = word == 4 && memcmp(notes, "WARN", 4) == 0   ? LOG_WARN
                    : word == 5 && memcmp(notes, "DEBUG", 5) == 0 ? LOG_DEBUG
                                                                  : LOG_INFO;
        if (word < len)
            out_log(cli, level, "%.*s", (int)(len - word - 1), notes + word + 1);
        notes += len + (notes[len] == '\n');
    }
}

static void print_hardware(struct cli *cli, const hq_doc *hardware)
{
    const hq_doc *resources = hq_doc_get(hardware, "resources");
    struct str brief = {0}, full = {0};
    log_notes(cli, field_text(hardware, "notes"));
    if (cli->mode == OUT_JSON)
        out_json(cli, worker_resources_json(resources));
    worker_resources_text(&brief, resources, true);
    worker_resources_full(&full, resources);
    if (cli->mode == OUT_CLI)
        printf("Summary:\n%s\n\nFull Description:\n%s", str_text(&brief), str_text(&full));
    if (cli->mode == OUT_CLI && field_has_text(hardware, "gpus"))
        printf("\nGPUs:\n%s", field_text(hardware, "gpus"));
    str_free(&brief);
    str_free(&full);
}

static int run_hwdetect(struct cli *cli, const struct matches *m)
{
    hq_ctx_options opt = session_ctx_options(cli, false);
    hq_ctx *ctx = NULL;
    hq_doc *hardware = NULL;
    hq_error err;
    int rc = 0;
    if (hq_ctx_new(&ctx, &opt, &err) < 0 ||
        hq_tools_hardware(ctx, args_has(m, "no-hyper-threading"), NULL, &hardware, &err) < 0)
        rc = out_fail(cli, NULL, "%s", err.text);
    else
        print_hardware(cli, hardware);
    hq_doc_free(hardware);
    hq_ctx_free(ctx);
    return rc;
}

/* ---- table ---- */

static const struct arg selector_args[] = {
    {.name = "SELECTOR", .value = "SELECTOR", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_SELECTOR,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "The worker(s): ids like `1,3-5`, `last` or `all`"},
    {0},
};

static const struct arg list_args[] = {
    {.name = "all", .kind = ARG_FLAG, .conflicts = {"filter"}, .help = "List all workers, also those that have ended"},
    {.name = "filter", .value = "FILTER", .kind = ARG_CHOICE, .choices = filters,
     .help = "List workers in this state"},
    {0},
};

static const struct arg address_args[] = {
    {.name = "WORKER_ID", .value = "WORKER_ID", .kind = ARG_NUMBER, .max = UINT32_MAX,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "Id of the worker"},
    {0},
};

static const struct arg wait_args[] = {
    {.name = "WORKER_COUNT", .value = "WORKER_COUNT", .kind = ARG_NUMBER, .max = UINT32_MAX,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "How many workers to wait for"},
    {0},
};

static const struct arg hwdetect_args[] = {
    {.name = "no-hyper-threading", .kind = ARG_FLAG, .help = "Take one cpu of each core only"},
    {0},
};

const struct command worker_commands[] = {
    {.name = "start", .about = "Starts a worker", .args = {worker_start_args}, .run = worker_start_run,
     .more = "The worker runs in the foreground until it is stopped."},
    {.name = "stop", .about = "Stop workers", .args = {selector_args}, .run = run_stop},
    {.name = "list", .about = "List workers", .args = {list_args}, .run = run_list},
    {.name = "hwdetect", .about = "Performs hardware detection", .args = {hwdetect_args}, .run = run_hwdetect,
     .more = "This serves to test how a worker sees the hardware on a machine where the command is invoked."},
    {.name = "info", .about = "Show everything about some workers", .args = {selector_args}, .run = run_info},
    {.name = "address", .about = "Print the host name of a worker", .args = {address_args}, .run = run_address},
    {.name = "wait", .about = "Waits on the connection of worker(s)", .args = {wait_args}, .run = run_wait},
    {0},
};
