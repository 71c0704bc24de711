/* SPDX-License-Identifier: MIT */
/* session.c - connecting, asking, and explaining why it did not work.
 *
 * The library keeps a dropped session open for a server that may come back; a command must not wait for that. So while the
 * connection is down, the server's port is tried by hand now and then: if nobody listens there, the command gives up. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"

#define PROBE_AFTER_MS 100       /* of a dropped connection, between tries of the port */
#define PROBE_TIMEOUT_MS 2000    /* of one try */
#define CONNECT_TIMEOUT_MS 15000 /* for a server whose port is open, but which says nothing */

static void on_log(void *user, const hq_log *rec)
{
    out_log_record(user, rec->level, rec->where, rec->text);
}

hq_ctx_options session_ctx_options(struct cli *cli, bool is_client)
{
    hq_ctx_options opt = {.size = sizeof opt, .user = cli, .log_level = log_most(&cli->log)};
    opt.log = opt.log_level == LOG_OFF || (is_client && opt.log_level < LOG_DEBUG) ? NULL : on_log;
    return opt;
}

/* ---- is anybody there? ---- */

static int probe_address(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol), sys = 0;
    if (fd < 0)
        return 0;
    if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
        sys = errno;
    if (sys == EINPROGRESS) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        socklen_t len = sizeof sys;
        if (poll(&p, 1, PROBE_TIMEOUT_MS) <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
            sys = 0;
    }
    close(fd);
    return sys;
}

/* errno of a connect that failed for good; 0: it worked, or one cannot tell yet. */
static int probe(const struct session *s)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    char port[8];
    int sys = 0;
    snprintf(port, sizeof port, "%u", s->port);
    if (getaddrinfo(s->host, port, &hints, &list) != 0)
        return 0;
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        sys = probe_address(a);
        if (sys == 0)
            break;
    }
    freeaddrinfo(list);
    return sys;
}

/* ---- connecting ---- */

/* " --server-dir <D>", where it is needed. */
static const char *dir_option(const struct cli *cli, char *out, size_t room)
{
    if (strcmp(cli->server_dir, cli->default_dir) == 0)
        out[0] = '\0';
    else
        snprintf(out, room, " --server-dir %s", cli->server_dir);
    return out;
}

const char *session_dir(const struct cli *cli, char *out)
{
    char path[PATH_MAX + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/hq-current", cli->server_dir);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && realpath(path, out))
        return out;
    return cli->server_dir;
}

static bool no_access(struct cli *cli, const hq_error *err)
{
    char option[PATH_MAX + 32], why[ERRNO_MAX], dir[PATH_MAX];
    struct str cause = {0};
    if (err->code == HQ_ENOENT) {
        str_addf(&cause, "Error: \"%s\" is not a directory", cli->server_dir);
        out_fail(cli, cause.p, "Invalid server directory");
        str_free(&cause);
    } else if (err->code == HQ_EVERSION) {
        out_fail(cli, NULL, "%s", err->text);
    } else {
        out_fail(cli, err->code == HQ_ESYS && err->sys ? format_errno(err->sys, why) : err->text,
                 "No running instance of HQ found at \"%s\".\nTry to start the server: `hq server start%s` or use a "
                 "different server directory.",
                 session_dir(cli, dir), dir_option(cli, option, sizeof option));
    }
    return false;
}

static bool unreachable(struct session *s, const char *cause)
{
    char option[PATH_MAX + 32];
    out_fail(s->cli, cause,
             "Access token found but HQ server %s:%u is unreachable.\nTry to (re)start the server using `hq server "
             "start%s`",
             s->host, s->port, dir_option(s->cli, option, sizeof option));
    return false;
}

static int read_access(struct session *s, struct cli *cli, hq_error *err)
{
    hq_access_info access = {.size = sizeof access};
    *s = (struct session){.cli = cli};
    int rc = hq_tools_access_read(cli->server_dir, &access, err);
    if (rc < 0)
        return rc;
    if (access.client_port == 0) {
        *err = (hq_error){.code = HQ_EPROTO, .text = "the access file is for workers only"};
        return HQ_EPROTO;
    }
    memcpy(s->host, access.client_host, sizeof s->host);
    memcpy(s->server_uid, access.server_uid, sizeof s->server_uid);
    s->port = access.client_port;
    return HQ_OK;
}

static int start_client(struct session *s, hq_error *err)
{
    hq_ctx_options ctx_opt = session_ctx_options(s->cli, true);
    hq_client_options opt = {.size = sizeof opt, .server_dir = s->cli->server_dir};
    int rc = hq_ctx_new(&s->ctx, &ctx_opt, err);
    return rc < 0 ? rc : hq_client_new(&s->client, s->ctx, &opt, err);
}

/* True when connected, with what came behind that left to be taken. *why: what to say otherwise; empty: nothing yet. */
static bool take_connection_events(struct session *s, char why[ERRNO_MAX])
{
    const hq_event *e;
    while (!s->connected && hq_ctx_next(s->ctx, &e) > 0) {
        if (e->type != HQ_EVENT_CONNECTION)
            continue;
        s->connected = e->u.state == HQ_CONNECTED;
        if (e->u.state == HQ_CONNECTION_REFUSED)
            snprintf(why, ERRNO_MAX, "%s", e->text && *e->text ? e->text : hq_strerror(e->code));
    }
    return s->connected;
}

static bool await_connection(struct session *s, int timeout_ms, char why[ERRNO_MAX])
{
    int64_t end = format_now() + timeout_ms * NS_PER_MS;
    why[0] = '\0';
    while (!why[0]) {
        hq_error err;
        int64_t left = (end - format_now()) / NS_PER_MS;
        int rc = hq_ctx_run(s->ctx, left > 0 ? (int)left : 0, &err);
        if (take_connection_events(s, why))
            return true;
        if (!why[0] && rc < 0 && rc != HQ_ETIMEDOUT && rc != HQ_EINTR)
            snprintf(why, ERRNO_MAX, "%s", err.text);
        else if (!why[0] && format_now() >= end)
            format_errno(ETIMEDOUT, why);
    }
    return false;
}

bool session_open(struct session *s, struct cli *cli)
{
    hq_error err;
    if (read_access(s, cli, &err) < 0)
        return no_access(cli, &err);
    return start_client(s, &err) >= 0 || unreachable(s, err.text);
}

bool session_try(struct session *s, struct cli *cli, int timeout_ms)
{
    hq_error err;
    char why[ERRNO_MAX];
    if (read_access(s, cli, &err) == 0 && start_client(s, &err) == 0 && await_connection(s, timeout_ms, why))
        return true;
    session_close(s);
    return false;
}

void session_close(struct session *s)
{
    hq_ctx_free(s->ctx);
    s->ctx = NULL;
    s->client = NULL;
}

/* ---- asking ---- */

uint64_t session_tag(struct session *s)
{
    return ++s->tag;
}

static void on_end(struct session *s)
{
    s->given_up |= s->awaited;
    s->closed |= !s->awaited;
}

static void on_connection(struct session *s, int state)
{
    s->dropped = state == HQ_CONNECTION_DROPPED;
    s->awaited = state == HQ_CONNECTION_AWAITED || (s->awaited && state != HQ_CONNECTED);
    if (state == HQ_CONNECTION_LOST || state == HQ_CONNECTION_REFUSED)
        on_end(s);
    if (state == HQ_CONNECTION_AWAITED)
        out_log(s->cli, LOG_WARN, "The connection to the server is lost; waiting for it to come back");
}

static const hq_event *next_reply(struct session *s)
{
    const hq_event *e;
    while (hq_ctx_next(s->ctx, &e) > 0) {
        if (e->type == HQ_EVENT_CONNECTION && e->source == hq_client_source(s->client))
            on_connection(s, e->u.state);
        if (e->type == HQ_EVENT_REPLY && e->tag == s->tag)
            return e;
    }
    return NULL;
}

const hq_event *session_answer(struct session *s, int sent, const hq_error *err)
{
    char why[ERRNO_MAX];
    if (!s->connected && !await_connection(s, CONNECT_TIMEOUT_MS, why)) {
        unreachable(s, why);
        return NULL;
    }
    if (sent < 0) {
        next_reply(s); /* the server may have said goodbye since the last answer */
        if (sent != HQ_ECLOSED || !s->closed || !s->may_close)
            out_fail(s->cli, NULL, "%s", err->text);
        return NULL;
    }
    for (;;) {
        hq_error failed;
        int rc = hq_ctx_run(s->ctx, s->dropped ? PROBE_AFTER_MS : -1, &failed);
        const hq_event *e = next_reply(s);
        if (e && e->code == HQ_ECLOSED)
            on_end(s);
        else if (e)
            return e;
        bool gone = s->given_up || (s->dropped && rc == HQ_ETIMEDOUT && probe(s) != 0);
        if (gone || (s->closed && !s->may_close))
            out_fail(s->cli, NULL, "Connection closed");
        if (gone || s->closed)
            return NULL;
        if (rc < 0 && rc != HQ_ETIMEDOUT && rc != HQ_EINTR) {
            out_fail(s->cli, NULL, "%s", failed.text);
            return NULL;
        }
    }
}

const hq_event *session_reply(struct session *s, int sent, const hq_error *err)
{
    const hq_event *e = session_answer(s, sent, err);
    if (!e || e->code == HQ_OK)
        return e;
    out_fail(s->cli, NULL, "Error: %s", e->text && *e->text ? e->text : hq_strerror(e->code));
    return NULL;
}
