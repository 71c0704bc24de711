/* SPDX-License-Identifier: MIT */
/* core.c - the life of the pure server: making, replaying, starting and stopping it, its outbox and its tick. See core.h
 * for the promises. The one way in which anything changes is hqi_core_commit. */
#include "core/core.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "core/inner.h"

static const char where[] = "core";

int hqi_core_core_new(struct core **ret, const struct core_options *o, hq_error *err)
{
    struct core *c = hqi_base_alloc_zero(o->alloc, 1, sizeof *c);
    int r;
    if (!c)
        return hqi_base_error_nomem(err, where);
    c->alloc = o->alloc;
    c->log = o->log;
    c->opt = *o;
    c->return_ns = UINT64_MAX;
    hqi_base_arena_init(&c->tick, o->alloc);
    hqi_base_arena_init(&c->mem, o->alloc);
    list_init(&c->outbox);
    list_init(&c->waiters);
    list_init(&c->uploads);
    c->spare = hqi_base_alloc_zero(o->alloc, 1, sizeof *c->spare);
    if (!c->spare) {
        r = hqi_base_error_nomem(err, where);
        goto fail;
    }
    r = hqi_state_state_new(&c->state, o->alloc, err);
    if (r < 0)
        goto fail;
    c->scratch = hqi_sched_scratch_new(o->alloc);
    if (!c->scratch) {
        r = hqi_base_error_nomem(err, where);
        goto fail;
    }
    *ret = c;
    return HQ_OK;
fail:
    hqi_core_core_free(c);
    return r;
}

static void free_list(struct core *c, struct list *head)
{
    struct list *l;
    while ((l = list_pop_front(head)))
        hqi_base_alloc_free(c->alloc, l); /* the link is the first member of all of them */
}

void hqi_core_core_free(struct core *c)
{
    if (!c)
        return;
    while (!list_empty(&c->uploads))
        hqi_core_upload_drop(c, hqi_container(c->uploads.next, struct upload, link));
    free_list(c, &c->waiters);
    hqi_state_state_free(c->state);
    hqi_sched_scratch_free(c->scratch);
    hqi_base_alloc_free(c->alloc, c->peers);
    hqi_base_alloc_free(c->alloc, c->spare);
    hqi_base_alloc_free(c->alloc, c->stop_reply);
    hqi_base_arena_fini(&c->tick);
    hqi_base_arena_fini(&c->mem);
    hqi_base_alloc_free(c->alloc, c);
}

const struct state *hqi_core_core_state(const struct core *c)
{
    return c->state;
}

void hqi_core_core_count(const struct core *c, struct core_counts *ret)
{
    *ret = (struct core_counts){.uploads = c->n_uploads};
    list_for(it, &c->waiters)
        ret->waits++;
}

/* ---- facts ---- */

int hqi_core_commit(struct core *c, struct fact *facts, uint32_t n, hq_error *err)
{
    struct list *mark = hqi_core_mark(c);
    for (uint32_t i = 0; i < n; i++) {
        int reserved = hqi_state_reserve(c->state, &facts[i], err);
        if (reserved < 0)
            return reserved;
    }
    for (uint32_t i = 0; i < n; i++)
        if (!hqi_core_announce(c, &facts[i], c->state->position + n)) {
            hqi_core_take_back(c, mark);
            return hqi_base_error_nomem(err, where);
        }
    int r = c->opt.on_facts && n ? c->opt.on_facts(c->opt.user, c->state->position + 1, facts, n) : HQ_OK;
    if (r < 0) {
        hqi_core_take_back(c, mark);
        return hqi_base_error_set(err, r, where, "what would happen cannot be recorded");
    }
    for (uint32_t i = 0; i < n; i++) {
        hqi_state_apply(c->state, &facts[i]);
        hqi_core_effects(c, &facts[i]);
    }
    c->dirty = c->dirty || n > 0;
    c->changed = c->changed || n > 0;
    return HQ_OK;
}

int hqi_core_core_replay(struct core *c, uint64_t position, struct fact *facts, uint32_t n, hq_error *err)
{
    return hqi_state_replay(c->state, position, facts, n, err);
}

int hqi_core_core_start(struct core *c, const struct now *now, struct bytes uid, hq_error *err)
{
    struct fact f = {.kind = FACT_SERVER_START, .utc_ms = now->utc_ms};
    if (c->state->uid[0] != '\0')
        uid = bytes_of(c->state->uid);
    if (uid.n == 0 || uid.n >= sizeof c->uid)
        return hqi_base_error_set(err, HQ_EINVAL, where, "server uid of %zu characters: expected 1 to %zu", uid.n,
                                  sizeof c->uid - 1);
    memcpy(c->uid, uid.p, uid.n);
    c->uid[uid.n] = '\0';
    c->opt.info.uid = bytes_of(c->uid);
    c->opt.info.start_ms = now->utc_ms;
    f.u.server_start.epoch = c->state->epoch + 1;
    f.u.server_start.uid = bytes_of(c->uid);
    int r = hqi_state_check(c->state, &f, err);
    if (r >= 0)
        r = hqi_core_await_workers(c, now, err);
    return r < 0 ? r : hqi_core_commit(c, &f, 1, err);
}

void hqi_core_core_set_ports(struct core *c, uint16_t client_port, uint16_t worker_port)
{
    c->opt.info.client_port = client_port;
    c->opt.info.worker_port = worker_port;
}

/* ---- outbox ---- */

struct out *hqi_core_put(struct core *c, uint8_t kind, uint8_t class)
{
    struct out_node *n = hqi_base_arena_zero(&c->mem, 1, sizeof *n);
    if (!n)
        return NULL;
    n->out.kind = kind;
    n->out.class = class;
    n->out.position = c->state->position;
    list_push_back(&c->outbox, &n->link);
    return &n->out;
}

struct list *hqi_core_mark(struct core *c)
{
    return c->outbox.prev;
}

void hqi_core_take_back(struct core *c, struct list *mark)
{
    while (c->outbox.prev != mark)
        list_unlink(c->outbox.prev); /* its memory goes with the rest of the outbox */
}

/* Replies to mutations and everything that may tell of a terminal state wait for the disk; the rest needs only be written. */
static uint8_t reply_class(uint8_t kind)
{
    return kind == COMMAND_SERVER_INFO || kind == COMMAND_WORKER_LIST ? OUT_WRITTEN : OUT_SYNCED;
}

static void address(struct out *o, uint64_t client, uint64_t id, uint8_t kind)
{
    o->client = client;
    o->u.reply.id = id;
    o->u.reply.kind = kind;
}

struct reply *hqi_core_reply(struct core *c, uint64_t client, uint64_t id, uint8_t kind)
{
    struct out *o = hqi_core_put(c, OUT_REPLY, reply_class(kind));
    if (!o)
        return NULL;
    address(o, client, id, kind);
    return &o->u.reply;
}

void hqi_core_reply_fail(struct core *c, struct reply *r, int code, const char *text)
{
    char *copy = hqi_base_arena_printf(&c->mem, "%s", text);
    *r = (struct reply){.id = r->id, .kind = r->kind, .code = code, .text = copy ? copy : hq_strerror(code)};
}

void hqi_core_no_memory(struct core *c, uint64_t client, const struct command *cmd)
{
    if (c->spare_is_out)
        return;
    c->spare_is_out = true;
    c->spare->out = (struct out){.kind = OUT_REPLY, .class = OUT_WRITTEN, .position = c->state->position};
    address(&c->spare->out, client, cmd->id, cmd->kind);
    c->spare->out.u.reply.code = HQ_ENOMEM;
    c->spare->out.u.reply.text = "The server is out of memory; nothing was changed";
    list_push_back(&c->outbox, &c->spare->link);
}

void hqi_core_reply_error(struct core *c, uint64_t client, const struct command *cmd, int code, const char *text)
{
    struct reply *r = hqi_core_reply(c, client, cmd->id, cmd->kind);
    if (r)
        hqi_core_reply_fail(c, r, code, text);
    else
        hqi_core_no_memory(c, client, cmd);
}

const struct out *hqi_core_peek(struct core *c)
{
    if (list_empty(&c->outbox))
        return NULL;
    return &hqi_container(c->outbox.next, struct out_node, link)->out;
}

void hqi_core_pop(struct core *c)
{
    struct list *first = list_pop_front(&c->outbox);
    if (first == &c->spare->link)
        c->spare_is_out = false;
    if (list_empty(&c->outbox))
        hqi_base_arena_clear(&c->mem);
}

/* ---- commands ---- */

static void server_stop(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    if (c->stop_reply) {
        hqi_core_reply_error(c, client, cmd, HQ_ESTATE, "the server is stopping already");
        return;
    }
    c->stop_reply = hqi_base_alloc_zero(c->alloc, 1, sizeof *c->stop_reply);
    if (!c->stop_reply) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    address(&c->stop_reply->out, client, cmd->id, cmd->kind);
    hqi_core_stop(c, now);
}

typedef void handler(struct core *c, const struct now *now, uint64_t client, struct command *cmd);

static handler *const handlers[] = {
    [COMMAND_SERVER_INFO] = hqi_core_server_info,
    [COMMAND_SERVER_STOP] = server_stop,
    [COMMAND_SUBMIT] = hqi_core_submit,
    [COMMAND_SUBMIT_PART] = hqi_core_submit_part,
    [COMMAND_JOB_OPEN] = hqi_core_job_open,
    [COMMAND_JOB_CLOSE] = hqi_core_job_close,
    [COMMAND_JOB_CANCEL] = hqi_core_job_cancel,
    [COMMAND_JOB_FORGET] = hqi_core_job_forget,
    [COMMAND_JOB_LIST] = hqi_core_job_list,
    [COMMAND_JOB_INFO] = hqi_core_job_info,
    [COMMAND_JOB_WAIT] = hqi_core_job_wait,
    [COMMAND_JOB_PROGRESS] = hqi_core_job_progress,
    [COMMAND_TASK_PAGE] = hqi_core_task_page,
    [COMMAND_WORKER_LIST] = hqi_core_worker_list,
    [COMMAND_WORKER_STOP] = hqi_core_worker_stop,
    [COMMAND_WORKER_WAIT] = hqi_core_worker_wait,
};

static bool brings_work(uint8_t kind)
{
    return kind == COMMAND_SUBMIT || kind == COMMAND_SUBMIT_PART || kind == COMMAND_JOB_OPEN;
}

static bool changes_something(uint8_t kind)
{
    return brings_work(kind) || kind == COMMAND_JOB_CLOSE || kind == COMMAND_JOB_CANCEL || kind == COMMAND_JOB_FORGET ||
           kind == COMMAND_WORKER_STOP;
}

/* Leaves at once, whatever else cannot be recorded: it reveals nothing. */
static void refuse(struct core *c, uint64_t client, const struct command *cmd)
{
    struct reply *r = hqi_core_reply(c, client, cmd->id, cmd->kind);
    if (!r) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    hqi_core_reply_fail(c, r, HQ_EJOURNAL, c->refusal);
    hqi_container(r, struct out, u.reply)->class = OUT_WRITTEN;
}

void hqi_core_core_refuse(struct core *c, const char *text)
{
    c->refusal = text;
}

/* A reply was made before the facts that it reveals. */
static void set_positions(struct core *c, struct list *mark)
{
    for (struct list *it = mark->next; it != &c->outbox; it = it->next) {
        struct out *o = &hqi_container(it, struct out_node, link)->out;
        if (o->kind != OUT_REPLY)
            continue;
        bool reveals = o->u.reply.kind != COMMAND_SERVER_INFO && o->u.reply.code != HQ_EJOURNAL;
        o->position = reveals ? c->state->position : 0;
    }
}

void hqi_core_on_command(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct list *mark = hqi_core_mark(c);
    hqi_base_arena_clear(&c->tick);
    if (cmd->kind >= sizeof handlers / sizeof *handlers || !handlers[cmd->kind])
        hqi_core_reply_error(c, client, cmd, HQ_EPROTO, "Received an invalid message: unknown kind of command");
    else if (c->refusal && changes_something(cmd->kind))
        refuse(c, client, cmd);
    else if (c->stopping && brings_work(cmd->kind))
        hqi_core_reply_error(c, client, cmd, HQ_ESTATE, "The server is stopping and takes no more work");
    else
        handlers[cmd->kind](c, now, client, cmd);
    set_positions(c, mark);
    if (cmd->kind == COMMAND_SUBMIT && cmd->u.submit.spec) {
        hqi_model_spec_free(cmd->u.submit.spec);
        cmd->u.submit.spec = NULL;
    }
}

void hqi_core_on_client_gone(struct core *c, uint64_t client)
{
    list_for_safe(it, tmp, &c->uploads) {
        struct upload *u = hqi_container(it, struct upload, link);
        if (u->client == client)
            hqi_core_upload_drop(c, u);
    }
    list_for_safe(it, tmp, &c->waiters) {
        struct waiter *w = hqi_container(it, struct waiter, link);
        if (w->client != client)
            continue;
        list_unlink(&w->link);
        hqi_base_alloc_free(c->alloc, w);
    }
    if (c->stop_reply && c->stop_reply->out.client == client)
        c->stop_reply->out.client = 0;
}

/* ---- stopping ---- */

void hqi_core_stop(struct core *c, const struct now *now)
{
    const struct state *s = c->state;
    c->stopping = true;
    hqi_base_arena_clear(&c->tick);
    for (uint32_t id = 1; id <= s->n_workers; id++) {
        struct worker *w = hqi_state_worker(s, (hq_worker_id){id});
        if (!w || w->end != HQ_WORKER_RUNNING || w->stopping)
            continue;
        struct fact f = {.kind = FACT_WORKER_STOP, .utc_ms = now->utc_ms};
        f.u.worker_stop.worker = w->id;
        f.u.worker_stop.reason = HQ_WORKER_STOPPED;
        hqi_core_commit(c, &f, 1, NULL); /* no memory: that worker will see a lost server instead */
    }
}

bool hqi_core_stopping(const struct core *c)
{
    return c->stopping;
}

void hqi_core_stopped(struct core *c, const struct now *now)
{
    struct fact f = {.kind = FACT_SERVER_STOP, .utc_ms = now->utc_ms};
    if (c->stopped)
        return;
    c->stopped = true;
    hqi_core_commit(c, &f, 1, NULL); /* no memory: nothing hangs on it, the history ends without it */
    if (!c->stop_reply || c->stop_reply->out.client == 0)
        return;
    c->stop_reply->out.kind = OUT_REPLY;
    c->stop_reply->out.class = OUT_SYNCED;
    c->stop_reply->out.position = c->state->position;
    list_push_back(&c->outbox, &c->stop_reply->link);
}

/* ---- tick ---- */

static uint64_t idle_ends_ms(const struct core *c, const struct worker *w)
{
    uint64_t timeout = w->config->idle_timeout_ms ? w->config->idle_timeout_ms : c->opt.worker_idle_timeout_ms;
    if (timeout == 0 || w->n_active > 0 || hqi_core_is_away(c, w->id) || w->stopping || w->end != HQ_WORKER_RUNNING)
        return UINT64_MAX;
    return w->idle_since_ms + timeout;
}

static void stop_idle(struct core *c, const struct now *now)
{
    for (uint32_t id = 1; id <= c->state->n_workers; id++) {
        struct worker *w = hqi_state_worker(c->state, (hq_worker_id){id});
        if (!w || idle_ends_ms(c, w) > now->utc_ms)
            continue;
        struct fact f = {.kind = FACT_WORKER_STOP, .utc_ms = now->utc_ms};
        f.u.worker_stop.worker = w->id;
        f.u.worker_stop.reason = HQ_WORKER_IDLE_TIMEOUT;
        hqi_core_commit(c, &f, 1, NULL); /* no memory: the next tick tries again */
    }
}

static void plan(struct core *c, const struct now *now)
{
    struct plan_input in = {now->utc_ms, c->peers, c->n_peers, PLAN_STEPS, PLAN_TASKS};
    struct plan_result r = {0};
    hqi_base_arena_clear(&c->tick);
    c->dirty = false;
    bool short_of_memory = hqi_sched_plan(&r, c->state, c->scratch, &in, &c->tick, NULL) < 0;
    /* Each fact stands for itself: memory for one worker's hand-out may be there when the next one's is not. */
    for (uint32_t i = 0; i < r.n && !short_of_memory; i++)
        short_of_memory = hqi_core_commit(c, &r.facts[i], 1, NULL) < 0;
    c->dirty = r.more || short_of_memory;
    if (short_of_memory)
        hqi_core_retry_later(c, now);
}

void hqi_core_retry_later(struct core *c, const struct now *now)
{
    c->not_before_ns = now->mono_ns + RETRY_NS;
}

void hqi_core_tick(struct core *c, const struct now *now)
{
    c->not_before_ns = 0;
    if (now->mono_ns >= c->return_ns)
        hqi_core_lose_awaited(c, now);
    if (c->dirty && !c->stopping)
        plan(c, now);
    stop_idle(c, now);
    list_for_safe(it, tmp, &c->uploads) {
        struct upload *u = hqi_container(it, struct upload, link);
        if (u->deadline_ns > now->mono_ns)
            continue;
        hqi_base_log_write(c->log, LOG_WARN, "core", "a submit whose parts stopped coming for %u s was dropped",
                           HQI_UPLOAD_TIMEOUT_S);
        hqi_core_upload_drop(c, u); /* its next part is answered with an error */
    }
    hqi_base_arena_clear(&c->tick);
    hqi_core_waiters_look(c, now);
}

uint64_t hqi_core_deadline(const struct core *c)
{
    uint64_t at = c->return_ns;
    if ((c->dirty && !c->stopping) || c->changed)
        return c->not_before_ns;
    list_for(it, &c->uploads) {
        const struct upload *u = hqi_container(it, struct upload, link);
        at = u->deadline_ns < at ? u->deadline_ns : at;
    }
    uint64_t w = hqi_core_waiters_deadline(c);
    return w < at ? w : at;
}

uint64_t hqi_core_idle_deadline_ms(const struct core *c)
{
    uint64_t at = UINT64_MAX;
    for (uint32_t id = 1; id <= c->state->n_workers; id++) {
        const struct worker *w = hqi_state_worker(c->state, (hq_worker_id){id});
        uint64_t ends = w ? idle_ends_ms(c, w) : UINT64_MAX;
        at = ends < at ? ends : at;
    }
    return at;
}

bool hqi_core_reserve_peer(struct core *c, hq_worker_id w)
{
    if (w.n < c->n_peers)
        return true;
    uint32_t n = (w.n + 1) * 2;
    struct plan_peer *v = hqi_base_alloc_resize(c->alloc, c->peers, n, sizeof *v);
    if (!v)
        return false;
    memset(v + c->n_peers, 0, (n - c->n_peers) * sizeof *v);
    c->peers = v;
    c->n_peers = n;
    return true;
}

void hqi_core_set_peer(struct core *c, hq_worker_id w, const struct plan_peer *p)
{
    if (!hqi_core_reserve_peer(c, w))
        return; /* the planner then knows less, nothing else */
    bool away = c->peers[w.n].away; /* that is the core's own */
    if (c->peers[w.n].stalled != p->stalled)
        c->dirty = true;
    c->peers[w.n] = *p;
    c->peers[w.n].away = away;
}
