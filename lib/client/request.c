/* SPDX-License-Identifier: MIT */
/* request.c - requests in flight, and what becomes of their replies.
 *
 * Promise: every request ends exactly once: with the server's reply, or with the reason why none can come any more.
 * Lists that come in pages are asked for page by page under one request, and joined before anybody sees them. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "client/client.h"
#include "host/tree.h"
#include "net/keys.h"

static const char where[] = "client";

/* ---- life ---- */

struct request *hqi_client_request_new(struct hq_client *c, bool blocking, uint64_t tag, hq_error *err)
{
    struct request *r = hqi_base_alloc_zero(c->alloc, 1, sizeof *r);
    if (!r || !hqi_base_map_reserve(&c->by_id, 1))
        goto fail;
    r->client = c;
    r->id = ++c->last_id;
    list_init(&r->link);
    if (blocking)
        return r;
    r->event = hqi_host_event_new(&c->handle, HQ_EVENT_REPLY);
    if (!r->event)
        goto fail;
    r->event->pub.tag = tag;
    return r;
fail:
    hqi_base_alloc_free(c->alloc, r);
    hqi_base_error_nomem(err, where);
    return NULL;
}

void hqi_client_request_free(struct request *r)
{
    if (!r)
        return;
    struct hq_client *c = r->client;
    if (!list_empty(&r->link))
        hqi_base_map_take(&c->by_id, r->id);
    list_unlink(&r->link);
    hqi_host_event_free(c->handle.ctx, r->event);
    hqi_client_upload_free(r->upload);
    hqi_base_arena_free(r->mem);
    hqi_base_alloc_free(c->alloc, r->sent);
    hqi_base_alloc_free(c->alloc, r);
}

/* Only of servers that may come back. */
static bool keep_sent(struct request *r)
{
    struct hq_client *c = r->client;
    if (!c->durable && c->was_connected)
        return true;
    hqi_base_alloc_free(c->alloc, r->sent);
    r->n_sent = c->frame.n;
    r->sent = hqi_base_alloc_strdup(c->alloc, c->frame.p, c->frame.n);
    return r->sent;
}

int hqi_client_request_ask_again(struct request *r, hq_error *err)
{
    hqi_client_upload_rewind(r->upload);
    if (!r->sent)
        return hqi_base_error_set(err, HQ_ECLOSED, where, "Connection closed");
    return hqi_net_link_send(r->client->link, (struct bytes){r->sent, r->n_sent}, err);
}

int hqi_client_request_send_more(struct request *r, struct command *cmd, hq_error *err)
{
    struct hq_client *c = r->client;
    cmd->id = r->id;
    r->kind = cmd->kind;
    hqi_base_buf_clear(&c->frame);
    hqi_wire_client_encode_command(cmd, &c->frame);
    if (c->frame.failed || (cmd->kind != COMMAND_SUBMIT_PART && !keep_sent(r)))
        return hqi_base_error_nomem(err, where);
    if (!c->link) /* it is looked for, and then everything is asked */
        return HQ_OK;
    return hqi_net_link_send(c->link, hqi_base_buf_bytes(&c->frame), err);
}

/* So that the one that is asked again changes nothing more, and gets the first one's reply. A submit brings its own. */
static int give_key(struct command *cmd, hq_error *err)
{
    bool needs = cmd->kind == COMMAND_JOB_OPEN || cmd->kind == COMMAND_JOB_CLOSE || cmd->kind == COMMAND_JOB_CANCEL;
    if (needs && hqi_net_keys_random(&cmd->key, sizeof cmd->key) < 0)
        return hqi_base_error_set(err, HQ_ESYS, where, "no random numbers can be had");
    return HQ_OK;
}

int hqi_client_request_send(struct request *r, struct command *cmd, hq_error *err)
{
    struct hq_client *c = r->client;
    int code = give_key(cmd, err);
    if (code >= 0)
        code = hqi_client_request_send_more(r, cmd, err);
    if (code < 0) {
        hqi_client_request_free(r);
        return code;
    }
    list_push_back(&c->requests, &r->link);
    hqi_base_map_put(&c->by_id, &r->by_id, r->id);
    return HQ_OK;
}

/* ---- ending ---- */

static void push_event(struct request *r)
{
    struct event *e = r->event;
    r->event = NULL;
    if (r->doc) { /* the event owns it, and all that it lives with */
        e->doc = r->doc;
        e->pub.u.reply.doc = r->doc;
        r->mem = NULL;
    }
    if (r->columns) {
        e->mem = r->mem;
        e->pub.u.reply.tasks = r->columns;
        e->pub.u.reply.cursor = r->page.next;
        r->mem = NULL;
    }
    e->pub.u.reply.job = r->job;
    hqi_host_event_set_text(e, r->code, bytes_of(r->text));
    hqi_host_event_push(r->client->handle.ctx, e);
}

static void unlink_request(struct request *r)
{
    if (!list_empty(&r->link))
        hqi_base_map_take(&r->client->by_id, r->id);
    list_unlink(&r->link);
}

void hqi_client_request_finish(struct request *r, int code, struct bytes text)
{
    size_t n = text.n < sizeof r->text - 1 ? text.n : sizeof r->text - 1;
    unlink_request(r);
    r->code = code;
    if (n > 0)
        memcpy(r->text, text.p, n);
    r->text[n] = '\0';
    r->done = true;
    if (r->event)
        push_event(r);
    else if (!r->abandoned && !r->follow)
        return; /* the one who waits frees it */
    hqi_client_request_free(r);
}

void hqi_client_request_finish_all(struct hq_client *c)
{
    while (!list_empty(&c->requests))
        hqi_client_request_finish(hqi_container(c->requests.next, struct request, link), c->over,
                                  bytes_of(c->over_text));
}

/* ---- pages ---- */

/* The member of the reply that is a list in pages. */
static const char *list_name(uint8_t kind)
{
    return kind == COMMAND_JOB_LIST ? "jobs" : "workers";
}

static struct hq_doc *member(const struct hq_doc *d, const char *name)
{
    return (struct hq_doc *)hq_doc_get(d, name); /* our own tree, not yet shown to anybody */
}

/* Puts the list of `next` behind that of r->doc. Both live in r->mem. */
static int join(struct request *r, const struct hq_doc *next)
{
    struct hq_doc *to = member(r->doc, list_name(r->again.kind));
    const struct hq_doc *from = member(next, list_name(r->again.kind));
    if (!to || !from || from->n == 0)
        return HQ_OK;
    struct hq_doc *all = hqi_base_arena_get(r->mem, (to->n + (size_t)from->n) * sizeof *all);
    if (!all)
        return HQ_ENOMEM;
    if (to->n)
        memcpy(all, to->v.child, to->n * sizeof *all);
    memcpy(all + to->n, from->v.child, from->n * sizeof *all);
    to->v.child = all;
    to->n += from->n;
    return HQ_OK;
}

static int ask_next_page(struct request *r, uint32_t from, hq_error *err)
{
    if (r->again.kind == COMMAND_JOB_LIST)
        r->again.u.job_list.from = from;
    else
        r->again.u.workers.from = from;
    return hqi_client_request_send_more(r, &r->again, err);
}

/* ---- replies ---- */

static void finish_failed(struct request *r, int code)
{
    hqi_client_request_finish(r, code, bytes_of(hq_strerror(code)));
}

/* What became of the first job that was asked for; 0: the reply is not of that kind. */
static uint64_t first_outcome(const struct request *r)
{
    return hq_doc_uint(hq_doc_get(hq_doc_at(hq_doc_get(r->doc, "ids"), 0), "outcome"));
}

/* The job that was asked for does not exist: each kind of reply has its way to say so. */
static bool names_nothing(const struct request *r)
{
    bool found_none = r->kind == COMMAND_JOB_PROGRESS && hq_doc_len(hq_doc_get(r->doc, "jobs")) == 0;
    return found_none || hq_doc_len(hq_doc_get(r->doc, "missing")) > 0 || first_outcome(r) == OUTCOME_NOT_FOUND;
}

static void finish_good(struct request *r)
{
    struct hq_client *c = r->client;
    hq_job_id job = r->job;
    uint64_t tag = r->event ? r->event->pub.tag : 0;
    bool wants_events = r->wants_events;
    if (r->one && names_nothing(r)) {
        char text[48];
        int n = snprintf(text, sizeof text, "Job %u not found.", r->asked.n);
        hqi_client_request_finish(r, HQ_ENOENT, (struct bytes){text, (size_t)n});
        return;
    }
    if (r->one && first_outcome(r) == OUTCOME_FAILED) { /* nothing else can stand in the way of it */
        hqi_client_request_finish(r, HQ_ENOMEM, bytes_of("the server is out of memory; nothing has changed"));
        return;
    }
    hqi_client_request_finish(r, HQ_OK, (struct bytes){0});
    if (wants_events)
        hqi_client_follow_start(c, job, tag);
}

static void on_credit(struct request *r, uint64_t credit)
{
    hq_error err;
    hqi_base_arena_free(r->mem); /* there will be many of these */
    r->mem = NULL;
    if (!r->upload)
        return;
    int code = hqi_client_upload_on_credit(r, credit, &err);
    if (code < 0)
        hqi_client_request_finish(r, code, bytes_of(err.text));
}

/* One page of many: the doc of the first stays, the others are joined to it. */
static void on_page(struct request *r, const struct reply_view *v)
{
    hq_error err = {0};
    int code = HQ_OK;
    if (!r->doc)
        r->doc = hqi_host_tree_root(r->mem, v->doc);
    else
        code = join(r, v->doc);
    if (!r->doc || code < 0)
        finish_failed(r, HQ_ENOMEM);
    else if (v->next == 0)
        finish_good(r);
    else if ((code = ask_next_page(r, v->next, &err)) < 0)
        hqi_client_request_finish(r, code, bytes_of(err.text));
}

static void on_answer(struct request *r, const struct reply_view *v)
{
    if (v->code != HQ_OK) {
        hqi_client_request_finish(r, v->code, v->text);
        return;
    }
    if (v->credit || (v->kind == COMMAND_SUBMIT_PART && v->job.n == 0)) {
        on_credit(r, v->credit);
        return;
    }
    if (r->again.kind) {
        on_page(r, v);
        return;
    }
    r->job = v->job;
    r->page = v->tasks;
    r->doc = hqi_host_tree_root(r->mem, v->doc);
    bool wants_columns = r->kind == COMMAND_TASK_PAGE && r->event;
    if ((v->doc && !r->doc) || (wants_columns && !hqi_client_columns_make(r)))
        finish_failed(r, HQ_ENOMEM);
    else
        finish_good(r);
}

/* Whose reply it is shows only when it has been read. */
int hqi_client_request_on_reply(struct hq_client *c, struct bytes payload, hq_error *err)
{
    struct reply_view v;
    struct arena *mem = hqi_base_arena_new(c->alloc);
    if (!mem)
        return hqi_base_error_nomem(err, where);
    int code = hqi_wire_client_decode_reply(&v, payload, mem, err);
    if (code < 0) {
        hqi_base_arena_free(mem);
        return code;
    }
    struct map_node *n = hqi_base_map_get(&c->by_id, v.id);
    struct request *r = n ? hqi_container(n, struct request, by_id) : NULL;
    if (!r) { /* abandoned, or of a part of an upload that has failed */
        hqi_base_arena_free(mem);
        return HQ_OK;
    }
    if (r->follow) {
        hqi_client_follow_on_reply(r, &v);
        hqi_base_arena_free(mem);
        return HQ_OK;
    }
    if (r->mem) { /* a further page must live with the first: read it again, there */
        code = hqi_wire_client_decode_reply(&v, payload, r->mem, err);
        hqi_base_arena_free(mem);
        if (code < 0)
            return code;
    } else {
        r->mem = mem;
    }
    on_answer(r, &v);
    return HQ_OK;
}

/* ---- blocking ---- */

int hqi_client_request_wait(struct request *r, int timeout_ms, hq_error *err)
{
    hq_ctx *ctx = r->client->handle.ctx;
    uint64_t deadline = hqi_host_ctx_deadline(timeout_ms);
    while (!r->done) {
        int code = hqi_host_ctx_turn(ctx, deadline, err);
        if (code < 0) {
            r->abandoned = true;
            return code;
        }
    }
    return r->code == HQ_OK ? HQ_OK : hqi_base_error_set(err, r->code, where, "%s", r->text);
}
