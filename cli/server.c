/* SPDX-License-Identifier: MIT */
/* server.c - `hq server`: runs one in the foreground, and talks to one. */
#include "server.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fields.h"
#include "format.h"
#include "json.h"
#include "session.h"
#include "signals.h"
#include "table.h"

#define HOST_MAX 256          /* bytes of a host name, as POSIX has it */
#define TRY_MS 1000           /* one attempt of `server wait` to connect */
#define PAUSE_NS 100000000    /* between attempts */
#define WAIT_DEFAULT_MS 300000
#define LARGE_BLOCK 131072    /* bytes; what the server keeps of ended tasks comes in blocks a little larger */
#define ALREADY_MS 2000       /* for finding out whether the directory's server is alive */

typedef unsigned long long ull;

static const char *local_host(char out[HOST_MAX])
{
    if (gethostname(out, HOST_MAX) < 0)
        strcpy(out, "localhost");
    out[HOST_MAX - 1] = '\0';
    return out;
}

/* ---- info ---- */

struct facts { /* of a server; texts are borrowed */
    const char *dir; /* shown by `server start` only, else NULL */
    const char *uid, *client_host, *worker_host, *version, *journal_path;
    uint64_t client_port, worker_port, pid, start_ms;
};

static struct facts facts_of(const hq_doc *info)
{
    return (struct facts){.uid = field_text(info, "uid"), .client_host = field_text(info, "client_host"),
                          .worker_host = field_text(info, "worker_host"), .version = field_text(info, "version"),
                          .journal_path = field_text(info, "journal_path"),
                          .client_port = field_uint(info, "client_port"),
                          .worker_port = field_uint(info, "worker_port"), .pid = field_uint(info, "pid"),
                          .start_ms = field_uint(info, "start_ms")};
}

static void add_number(struct table *t, const char *key, uint64_t value)
{
    table_add_styled(t, STYLE_BOLD, key);
    table_addf(t, "%llu", (ull)value);
}

static void print_table(struct cli *cli, const struct facts *f)
{
    struct table t;
    struct str date = {0};
    table_init(&t, cli, NULL);
    if (f->dir)
        table_key(&t, "Server directory", f->dir);
    table_key(&t, "Server UID", f->uid);
    table_key(&t, "Client host", f->client_host);
    add_number(&t, "Client port", f->client_port);
    table_key(&t, "Worker host", f->worker_host);
    add_number(&t, "Worker port", f->worker_port);
    table_key(&t, "Version", f->version);
    add_number(&t, "Pid", f->pid);
    format_utc(&date, f->start_ms / 1000 * 1000);
    table_key(&t, "Start date", str_text(&date));
    table_key(&t, "Journal path", f->journal_path);
    table_print(&t);
    table_free(&t);
    str_free(&date);
}

static json_t *facts_json(const struct facts *f)
{
    json_t *o = json_object();
    json_object_set_new(o, "server_dir", f->dir ? json_text(f->dir) : json_null());
    json_object_set_new(o, "server_uid", json_text(f->uid));
    json_object_set_new(o, "client_host", json_text(f->client_host));
    json_object_set_new(o, "client_port", json_integer((json_int_t)f->client_port));
    json_object_set_new(o, "worker_host", json_text(f->worker_host));
    json_object_set_new(o, "worker_port", json_integer((json_int_t)f->worker_port));
    json_object_set_new(o, "version", json_text(f->version));
    json_object_set_new(o, "pid", json_integer((json_int_t)f->pid));
    json_object_set_new(o, "start_date", json_time_ms(f->start_ms));
    json_object_set_new(o, "journal_path", *f->journal_path ? json_text(f->journal_path) : json_null());
    return o;
}

static void print_facts(struct cli *cli, const struct facts *f)
{
    if (cli->mode == OUT_JSON)
        out_json(cli, facts_json(f));
    else if (cli->mode == OUT_CLI)
        print_table(cli, f);
    else if (f->dir)
        puts(f->dir);
    out_flush(cli);
}

static int run_info(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    const hq_event *e = NULL;
    if (session_open(&s, cli))
        e = session_reply(&s, hq_tools_server_info(s.client, session_tag(&s), &err), &err);
    if (e) {
        struct facts facts = facts_of(e->u.reply.doc);
        print_facts(cli, &facts);
    }
    session_close(&s);
    return e ? 0 : 1;
}

/* ---- start ---- */

static void warn_encrypted(struct cli *cli, const struct matches *m)
{
    if (args_has(m, "disable-client-authentication-and-encryption") ||
        args_has(m, "disable-worker-authentication-and-encryption"))
        out_log(cli, LOG_WARN, "Connections stay authenticated and encrypted: this cannot be disabled");
}

static int make_server(hq_server **ret, hq_ctx *ctx, struct cli *cli, const struct matches *m, hq_error *err)
{
    hq_server_options opt = {.size = sizeof opt, .server_dir = cli->server_dir, .bind = "0.0.0.0"};
    const char *host = args_text(m, "host");
    opt.access_file = args_text(m, "access-file");
    opt.host[HQ_PLANE_CLIENT] = opt.host[HQ_PLANE_WORKER] = host && *host ? host : NULL;
    opt.port[HQ_PLANE_CLIENT] = (uint16_t)args_number(m, "client-port", 0);
    opt.port[HQ_PLANE_WORKER] = (uint16_t)args_number(m, "worker-port", 0);
    opt.worker_idle_timeout_ms = args_limit(m, "idle-timeout");
    opt.journal = args_text(m, "journal");
    opt.journal_flush_ms = args_number(m, "journal-flush-period", 0);
    return hq_server_new(ret, ctx, &opt, err);
}

/* What `server info` would answer, without asking. */
static void announce(struct cli *cli, const char *journal)
{
    hq_access_info access = {.size = sizeof access};
    hq_error err;
    if (hq_tools_access_read(cli->server_dir, &access, &err) < 0) {
        out_log(cli, LOG_ERROR, "The access file just made cannot be read: %s", err.text);
        return;
    }
    struct facts facts = {.dir = cli->server_dir, .uid = access.server_uid, .client_host = access.client_host,
                          .worker_host = access.worker_host, .version = hq_tools_version(), .journal_path = journal ? journal : "",
                          .client_port = access.client_port, .worker_port = access.worker_port,
                          .pid = (uint64_t)getpid(), .start_ms = (uint64_t)(format_now() / NS_PER_MS)};
    out_log(cli, LOG_INFO, "Storing access file as '%s/access.json'", access.dir);
    print_facts(cli, &facts);
}

static int serve(struct cli *cli, hq_ctx *ctx, hq_server *server)
{
    bool stopping = false;
    for (;;) {
        hq_error err;
        const hq_event *e;
        int rc = hq_ctx_run(ctx, -1, &err);
        if (rc < 0 && rc != HQ_EINTR && rc != HQ_ETIMEDOUT)
            return out_fail(cli, NULL, "%s", err.text);
        int signal = signals_take();
        if (signal && !stopping) {
            out_log(cli, LOG_INFO, "Received %s, attempting to stop", signal == SIGINT ? "SIGINT" : "SIGTERM");
            hq_server_stop(server, &err);
            stopping = true;
        }
        while (hq_ctx_next(ctx, &e) > 0)
            if (e->type == HQ_EVENT_STOPPED && e->source == hq_server_source(server))
                return e->code == HQ_OK ? 0 : out_fail(cli, NULL, "%s", e->text);
    }
}

/* What a forgotten job had goes back to the system: glibc would else keep large blocks for itself once one was freed. */
static void return_large_blocks(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

static int run_start(struct cli *cli, const struct matches *m)
{
    static const int caught[] = {SIGINT, SIGTERM, 0};
    hq_ctx_options opt = session_ctx_options(cli, false);
    hq_ctx *ctx = NULL;
    hq_server *server = NULL;
    hq_error err;
    struct session s;
    int rc;
    cli->serves = true;
    return_large_blocks();
    out_log(cli, LOG_INFO, "HyperQueue %s", hq_tools_version());
    if (session_try(&s, cli, ALREADY_MS)) {
        session_close(&s);
        return out_fail(cli, NULL,
                        "Server at %s is already online, please stop it first using `hq server stop --server-dir %s`",
                        cli->server_dir, cli->server_dir);
    }
    out_log(cli, LOG_INFO, "No online server found, starting a new server");
    warn_encrypted(cli, m);
    if (hq_ctx_new(&ctx, &opt, &err) < 0 || make_server(&server, ctx, cli, m, &err) < 0) {
        bool taken = err.code == HQ_ESYS && err.sys == EADDRINUSE;
        rc = taken ? out_fail(cli, err.text, "Cannot create HQ server socket") : out_fail(cli, NULL, "%s", err.text);
    } else {
        signals_catch(ctx, caught);
        announce(cli, args_text(m, "journal"));
        rc = serve(cli, ctx, server);
        signals_stop();
    }
    hq_server_free(server);
    hq_ctx_free(ctx);
    return rc;
}

/* ---- stop, wait ---- */

static int run_stop(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    int rc = 1;
    if (session_open(&s, cli)) {
        int sent = hq_tools_server_stop(s.client, session_tag(&s), &err);
        out_log(cli, LOG_INFO, "Stopping server");
        s.may_close = true; /* it may end before its answer is out */
        rc = session_reply(&s, sent, &err) || s.closed ? 0 : 1;
    }
    session_close(&s);
    return rc;
}

static int run_wait(struct cli *cli, const struct matches *m)
{
    uint64_t timeout = args_number(m, "timeout", WAIT_DEFAULT_MS);
    int64_t end = format_now() + (int64_t)timeout * NS_PER_MS;
    struct str text = {0};
    struct session s;
    bool found;
    int rc = 0;
    format_exact(&text, timeout * NS_PER_MS);
    out_log(cli, LOG_INFO, "Waiting for server to become available (timeout: %s)...", text.p);
    while (!(found = session_try(&s, cli, TRY_MS)) && format_now() < end)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    if (found) {
        out_log(cli, LOG_INFO, "Successfully connected to server");
        session_close(&s);
    } else {
        rc = out_fail(cli, NULL,
                      "Timeout after %s: Could not connect to server at `%s`. Make sure that the server is running.",
                      text.p, cli->server_dir);
    }
    str_free(&text);
    return rc;
}

/* ---- debug-dump ---- */

static int run_debug_dump(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    bool ok = session_open(&s, cli);
    if (ok) {
        out_log(cli, LOG_INFO, "Dumping server state ...");
        int sent = hq_tools_server_debug_dump(s.client, args_text(m, "PATH"), session_tag(&s), &err);
        ok = session_reply(&s, sent, &err) != NULL;
    }
    if (ok)
        out_log(cli, LOG_INFO, "Dump finished");
    session_close(&s);
    return ok ? 0 : 1;
}

/* ---- generate-access ---- */

static int run_generate_access(struct cli *cli, const struct matches *m)
{
    char room[HOST_MAX], why[ERRNO_MAX];
    hq_error err;
    const char *host = args_text(m, "host") ? args_text(m, "host") : local_host(room);
    hq_access_options opt = {.size = sizeof opt,
                             .client_host = args_text(m, "client-host") ? args_text(m, "client-host") : host,
                             .worker_host = args_text(m, "worker-host") ? args_text(m, "worker-host") : host,
                             .client_port = (uint16_t)args_number(m, "client-port", 0),
                             .worker_port = (uint16_t)args_number(m, "worker-port", 0),
                             .path = args_text(m, "ACCESS_FILE"),
                             .client_path = args_text(m, "client-file"),
                             .worker_path = args_text(m, "worker-file")};
    const char *const paths[] = {opt.path, opt.client_path, opt.worker_path};
    int rc = hq_tools_access_generate(&opt, &err);
    for (size_t i = 0; i < 3; i++)
        if (paths[i] && (rc == 0 || i == 0))
            out_log(cli, LOG_INFO, "Storing access file as '%s'", paths[i]);
    if (rc < 0)
        return out_fail(cli, NULL, "%s", err.code == HQ_ESYS && err.sys ? format_errno(err.sys, why) : err.text);
    return 0;
}

/* ---- table ---- */

static const struct arg start_args[] = {
    {.name = "host", .value = "HOST", .kind = ARG_TEXT, .fallback = "the local host name",
     .help = "Name or address under which clients and workers reach this server"},
    {.name = "idle-timeout", .value = "IDLE_TIMEOUT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .help = "Stop workers that had nothing to do for so long, unless they have their own time"},
    {.name = "journal", .value = "JOURNAL", .kind = ARG_PATH,
     .help = "Record everything in this file; if it exists, restore from it"},
    {.name = "journal-flush-period", .value = "JOURNAL_FLUSH_PERIOD", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .fallback = "5s", .help = "How long the progress of tasks may be in the file before it is on the disk"},
    {.name = "client-port", .value = "CLIENT_PORT", .kind = ARG_NUMBER, .max = UINT16_MAX, .fallback = "any free port",
     .help = "Port for clients"},
    {.name = "worker-port", .value = "WORKER_PORT", .kind = ARG_NUMBER, .max = UINT16_MAX, .fallback = "any free port",
     .help = "Port for workers"},
    {.name = "access-file", .value = "ACCESS_FILE", .kind = ARG_PATH,
     .help = "Take hosts, ports and keys from this file, made by `hq server generate-access`"},
    {.name = "scheduler-time-limit", .value = "SCHEDULER_TIME_LIMIT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .fallback = "5s", .help = "Accepted for old scripts: a round of scheduling takes milliseconds at most"},
    {.name = "disable-client-authentication-and-encryption", .kind = ARG_FLAG,
     .help = "Accepted for old scripts; connections of clients stay encrypted"},
    {.name = "disable-worker-authentication-and-encryption", .kind = ARG_FLAG,
     .help = "Accepted for old scripts; connections of workers stay encrypted"},
    {0},
};

static const struct arg generate_args[] = {
    {.name = "ACCESS_FILE", .value = "ACCESS_FILE", .kind = ARG_PATH, .flags = ARG_POSITIONAL | ARG_REQUIRED,
     .help = "The file to make; it must not exist"},
    {.name = "client-file", .value = "CLIENT_FILE", .kind = ARG_PATH, .help = "Make a file that holds the clients' half"},
    {.name = "worker-file", .value = "WORKER_FILE", .kind = ARG_PATH, .help = "Make a file that holds the workers' half"},
    {.name = "host", .value = "HOST", .kind = ARG_TEXT, .fallback = "the local host name", .help = "Host of the server"},
    {.name = "client-host", .value = "CLIENT_HOST", .kind = ARG_TEXT, .help = "Host of the server as clients see it"},
    {.name = "worker-host", .value = "WORKER_HOST", .kind = ARG_TEXT, .help = "Host of the server as workers see it"},
    {.name = "client-port", .value = "CLIENT_PORT", .kind = ARG_NUMBER, .max = UINT16_MAX, .flags = ARG_REQUIRED,
     .help = "Port for clients"},
    {.name = "worker-port", .value = "WORKER_PORT", .kind = ARG_NUMBER, .max = UINT16_MAX, .flags = ARG_REQUIRED,
     .help = "Port for workers"},
    {0},
};

static const struct arg dump_args[] = {
    {.name = "PATH", .value = "PATH", .kind = ARG_PATH, .flags = ARG_POSITIONAL | ARG_REQUIRED,
     .help = "The file to write; a relative path starts at the server's working directory"},
    {0},
};

static const struct arg wait_args[] = {
    {.name = "timeout", .value = "TIMEOUT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION, .fallback = "5m",
     .help = "Give up after so long"},
    {0},
};

const struct command server_commands[] = {
    {.name = "start", .about = "Start a server", .args = {start_args}, .run = run_start,
     .more = "The server runs in the foreground until SIGINT, SIGTERM or `hq server stop`."},
    {.name = "stop", .about = "Stop the server and its workers", .run = run_stop},
    {.name = "info", .about = "Show where the server runs", .run = run_info},
    {.name = "generate-access", .about = "Make an access file for a server that is started later",
     .args = {generate_args}, .run = run_generate_access},
    {.name = "debug-dump", .about = "Let the server write its state to a file", .args = {dump_args},
     .run = run_debug_dump,
     .more = "The file is JSON for people who look for a fault; its content may change from release to release. It holds "
             "nothing of commands, environments and entries."},
    {.name = "wait", .about = "Wait until the server becomes available", .args = {wait_args}, .run = run_wait},
    {0},
};
