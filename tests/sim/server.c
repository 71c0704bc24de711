/* SPDX-License-Identifier: MIT */
/* server.c - a composition root around the server's core: frames in, the outbox out; entries wait until their position
 * is written or synced; what peers may forget is acknowledged when it is synced. It crashes, and comes back from what
 * the disk kept, with all sessions unknown. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "wire/client.h"
#include "wire/record.h"
#include "wire/worker.h"

#define TICK_NS (200000ull) /* inputs gather for so long at most */

struct now server_now(const struct sim *s)
{
    return (struct now){s->now, SIM_UTC + s->server.utc_offset + s->now / HQI_MS};
}

static void wake(struct sim *s)
{
    uint64_t at = s->now + sim_below(s, TICK_NS);
    s->server.tick_at = sim_least(s->server.tick_at, at);
}

/* ---- memory ---- */

static void *allocate(void *user, void *ptr, size_t size)
{
    struct sim *s = user;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return s->server.starved && sim_chance(s, s->p.starves) ? NULL : realloc(ptr, size);
}

/* ---- facts ---- */

static void feed(struct sim *s, struct core *c, struct bytes record, uint64_t position)
{
    struct arena mem;
    struct fact *facts;
    uint32_t n;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_record_decode(&facts, &n, record, &hqi_base_alloc_libc, &mem, &err) < 0)
        sim_fail(s, "a record cannot be read: %s", err.text);
    else if (hqi_core_core_replay(c, position, facts, n, &err) < 0)
        sim_fail(s, "a record cannot be replayed: %s", err.text);
    hqi_wire_record_drop(facts, n);
    hqi_base_arena_fini(&mem);
}

static int on_facts(void *user, uint64_t position, const struct fact *facts, uint32_t n)
{
    struct sim *s = user;
    struct buf record;
    hqi_base_buf_init(&record, &hqi_base_alloc_libc);
    hqi_wire_record_encode(facts, n, &record);
    if (record.failed)
        sim_fail(s, "facts at %llu cannot be encoded", (unsigned long long)position);
    for (uint32_t i = 0; i < n; i++)
        judge_fact(s, &facts[i], position + i);
    if (s->disk.on)
        disk_append(s, hqi_base_buf_bytes(&record), position + n - 1);
    feed(s, s->server.replica, hqi_base_buf_bytes(&record), position + n - 1);
    hqi_base_buf_fini(&record);
    return HQ_OK;
}

/* ---- sessions ---- */

static struct session_end *session_of(struct list *l)
{
    return hqi_container(l, struct session_end, link);
}

static struct session_end *find_session(const struct sim *s, uint64_t id)
{
    list_for(it, &s->server.sessions)
        if (session_of(it)->session.id == id)
            return session_of(it);
    return NULL;
}

static struct session_end *find_worker(const struct sim *s, uint32_t id)
{
    list_for(it, &s->server.sessions)
        if (session_of(it)->is_worker && session_of(it)->worker == id && !session_of(it)->over)
            return session_of(it);
    return NULL;
}

bool server_serves(const struct sim *s, uint32_t worker, uint64_t epoch)
{
    return s->server.core && s->server.epoch == epoch && worker && find_worker(s, worker);
}

static void drop_results(struct list *ends)
{
    for (struct list *l; (l = list_pop_front(ends));)
        free(hqi_container(l, struct result, link));
}

static void session_free(struct session_end *e)
{
    list_unlink(&e->link);
    if (e->conn)
        e->conn->at_server = NULL;
    for (struct list *l; (l = list_pop_front(&e->held));)
        free(hqi_container(l, struct held, link));
    for (struct list *l; (l = list_pop_front(&e->unsafe));) {
        struct unsafe *u = hqi_container(l, struct unsafe, link);
        drop_results(&u->ends);
        free(u);
    }
    sim_parcel_drop(&e->backlog);
    hqi_net_session_fini(&e->session);
    free(e);
}

/* ---- what the core says ---- */

static void hold(struct session_end *e, const struct out *o, struct bytes payload)
{
    struct held *h = malloc(sizeof *h + payload.n);
    h->position = o->position;
    h->class = o->class;
    h->n = payload.n;
    memcpy(h->bytes, payload.p, payload.n);
    list_push_back(&e->held, &h->link);
}

static void take_entry(struct sim *s, const struct out *o)
{
    struct session_end *e = o->kind == OUT_WORKER ? find_worker(s, o->worker.n) : find_session(s, o->client);
    struct buf *out = &s->server.frame;
    const struct to_worker_batch batch = {.items = &o->u.to_worker, .n = 1};
    if (!e)
        return;
    hqi_base_buf_clear(out);
    if (o->kind == OUT_WORKER)
        hqi_wire_worker_encode_to(&batch, out);
    else
        hqi_wire_client_encode_reply(&o->u.reply, out);
    hold(e, o, hqi_base_buf_bytes(out));
}

static void drain(struct sim *s)
{
    const struct out *o;
    while ((o = hqi_core_peek(s->server.core))) {
        if (o->position > hqi_core_core_state(s->server.core)->position)
            sim_fail(s, "an entry of the outbox reveals a fact that was not applied");
        take_entry(s, o);
        hqi_core_pop(s->server.core);
    }
}

static void release(struct sim *s, struct session_end *e)
{
    while (!list_empty(&e->held)) {
        struct held *h = hqi_container(e->held.next, struct held, link);
        if (!disk_is_safe(s, h->position, h->class))
            break;
        hqi_net_session_push(&e->session, (struct bytes){h->bytes, h->n}, NULL);
        list_unlink(&h->link);
        free(h);
    }
    while (!list_empty(&e->unsafe)) {
        struct unsafe *u = hqi_container(e->unsafe.next, struct unsafe, link);
        if (!disk_is_safe(s, u->position, OUT_SYNCED))
            break;
        hqi_net_session_set_safe(&e->session, u->number);
        list_for(it, &u->ends)
            judge_acknowledged(s, e->worker, hqi_container(it, struct result, link));
        drop_results(&u->ends);
        list_unlink(&u->link);
        free(u);
    }
}

/* ---- ends of sessions ---- */

static void send_word(struct sim *s, struct conn *c, uint8_t kind, uint64_t session, const char *text)
{
    uint8_t header[HQI_FRAME_HEADER];
    struct buf out;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_session_frame_header(header, &(struct frame){.kind = kind, .session = session});
    hqi_base_buf_add(&out, header, sizeof header);
    hqi_wire_session_encode_refuse(&(struct refuse){HQ_ECLOSED, bytes_of(text)}, &out);
    net_send(s, c, TO_PEER, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

static void lose(struct sim *s, struct session_end *e, uint8_t reason)
{
    struct now now = server_now(s);
    sim_trace(s, "server: session of %s %u is over (%u)", e->is_worker ? "worker" : "client", e->worker, reason);
    e->over = true;
    if (e->conn)
        send_word(s, e->conn, FRAME_BYE, e->session.id, "it is over");
    if (!e->is_worker)
        hqi_core_on_client_gone(s->server.core, e->session.id);
    else if (e->worker)
        hqi_core_on_worker_lost(s->server.core, &now, (hq_worker_id){e->worker}, reason);
    drain(s);
    session_free(e);
    wake(s);
}

static void detach(struct sim *s, struct session_end *e)
{
    if (e->conn)
        e->conn->at_server = NULL;
    e->conn = NULL;
    e->lost_at = s->now + RESUME_NS;
}

void server_on_drop(struct sim *s, struct conn *c)
{
    if (c->at_server)
        detach(s, c->at_server);
}

/* ---- greetings ---- */

static void attach(struct sim *s, struct session_end *e, struct conn *c, uint64_t greeting)
{
    detach(s, e);
    e->conn = c;
    c->at_server = e;
    e->greeting = greeting;
    e->heard = e->said = s->now;
    e->ack_at = NEVER;
}

static void welcome(struct sim *s, struct session_end *e, bool resumed)
{
    uint8_t header[HQI_FRAME_HEADER];
    struct buf out;
    const struct state *st = hqi_core_core_state(s->server.core);
    const struct welcome w = {.session = e->session.id, .server_epoch = s->server.epoch, .server_uid = bytes_of(st->uid),
                              .received = resumed ? e->session.received : 0, .resumed = resumed,
                              .token = bytes_of("t"), .heartbeat_ms = 400};
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_session_frame_header(header, &(struct frame){.kind = FRAME_WELCOME});
    hqi_base_buf_add(&out, header, sizeof header);
    hqi_wire_session_encode_welcome(&w, &out);
    net_send(s, e->conn, TO_PEER, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

static void open_session(struct sim *s, struct conn *c, const struct hello *h)
{
    struct session_end *e = calloc(1, sizeof *e);
    hqi_net_session_init(&e->session, &hqi_base_alloc_libc, s->server.epoch << 32 | ++s->server.next_session);
    list_init(&e->held);
    list_init(&e->unsafe);
    list_init(&e->backlog);
    e->uid = h->uid;
    e->is_worker = bytes_is(h->token, "w");
    list_push_back(&s->server.sessions, &e->link);
    attach(s, e, c, h->epoch);
    welcome(s, e, false);
}

static void resume_session(struct sim *s, struct conn *c, const struct hello *h)
{
    struct session_end *e = find_session(s, h->session);
    hq_error err;
    if (!e || e->uid != h->uid) {
        send_word(s, c, FRAME_REFUSE, 0, "this session is not known");
        return;
    }
    if (h->epoch <= e->greeting)
        return; /* late: a newer connection has said hello */
    if (hqi_net_session_resume(&e->session, h->received, &err) < 0) {
        sim_fail(s, "a session cannot be resumed: %s", err.text);
        return;
    }
    attach(s, e, c, h->epoch);
    s->judge.resumed++;
    welcome(s, e, true);
}

static void on_hello(struct sim *s, struct conn *c, const struct frame *f)
{
    struct hello h;
    hq_error err;
    hqi_base_arena_clear(&s->server.mem);
    if (hqi_wire_session_decode_hello(&h, f->payload, &s->server.mem, &err) < 0)
        sim_fail(s, "a HELLO cannot be read: %s", err.text);
    else if (h.session)
        resume_session(s, c, &h);
    else
        open_session(s, c, &h);
}

/* ---- frames ---- */

/* It may come back before its old session is known to be lost. */
static void replace(struct sim *s, uint32_t worker)
{
    struct session_end *old = find_worker(s, worker);
    if (!old)
        return;
    if (old->conn)
        send_word(s, old->conn, FRAME_BYE, old->session.id, "the worker has registered anew");
    session_free(old);
}

static int identify(struct sim *s, struct session_end *e, const struct now *now, struct from_worker *m, hq_error *err)
{
    const struct attach *a = m->u.hello.attach;
    hq_worker_id id;
    uint64_t token[2] = {sim_random(s), sim_random(s)};
    const struct bytes fresh = {(const char *)token, sizeof token};
    int r = a ? hqi_core_on_worker_back(s->server.core, now, &m->u.hello.config, e->uid, a, &id, err)
              : hqi_core_on_worker_join(s->server.core, now, &m->u.hello.config, e->uid, fresh, &id, err);
    if (r < 0)
        return r;
    replace(s, id.n);
    e->worker = id.n;
    sim_trace(s, "server: worker %u %s", id.n, a ? "is back" : "registered");
    return HQ_OK;
}

/* Who a worker is must be safe before it is told. */
static void welcome_worker(struct sim *s, struct session_end *e)
{
    const struct state *st = hqi_core_core_state(s->server.core);
    const struct worker *w = hqi_state_worker(st, (hq_worker_id){e->worker});
    const struct to_worker_batch batch = {.has_registered = true,
                                          .registered = {.worker = {e->worker},
                                                         .server_uid = bytes_of("simsim"),
                                                         .token = {(const char *)w->token, sizeof w->token},
                                                         .durable = s->disk.on}};
    const struct out o = {.class = OUT_SYNCED, .position = st->position};
    hqi_base_buf_clear(&s->server.frame);
    hqi_wire_worker_encode_to(&batch, &s->server.frame);
    hold(e, &o, hqi_base_buf_bytes(&s->server.frame));
    e->welcomed = true;
}

static void keep_results(struct unsafe *u, const struct report *r)
{
    for (uint32_t i = 0; i < r->n_ended; i++)
        for (uint32_t k = 0; k < r->ended[i].n; k++) {
            struct result *o = malloc(sizeof *o);
            *o = (struct result){.submit = r->ended[i].submit, .ordinal = r->ended[i].ordinals[k],
                                  .instance = r->ended[i].instance, .code = r->ended[i].code[k]};
            list_push_back(&u->ends, &o->link);
        }
}

static int on_register(struct sim *s, struct session_end *e, const struct now *now, struct from_worker *m, struct unsafe *u,
                       hq_error *err)
{
    const struct attach *a = m->u.hello.attach;
    int r = HQ_OK;
    if (e->settled)
        return HQ_EPROTO;
    if (e->worker == 0)
        r = identify(s, e, now, m, err);
    if (r >= 0 && !e->welcomed)
        welcome_worker(s, e);
    if (r >= 0 && a)
        r = hqi_core_on_worker_holds(s->server.core, now, (hq_worker_id){e->worker}, a, err);
    if (r < 0)
        return r;
    e->settled = true;
    if (a) {
        keep_results(u, &a->news);
        judge_came_back(s, e->worker, a);
    }
    return HQ_OK;
}

static int on_worker_data(struct sim *s, struct session_end *e, const struct now *now, struct bytes payload,
                          struct unsafe *u, hq_error *err)
{
    struct from_worker m;
    int r = hqi_wire_worker_decode_from(&m, payload, &hqi_base_alloc_libc, &s->server.mem, err);
    if (r < 0)
        return r;
    if (m.kind == FROM_WORKER_REGISTER) {
        r = on_register(s, e, now, &m, u, err);
        hqi_model_config_free(m.u.hello.config);
        return r;
    }
    if (m.kind == FROM_WORKER_ENDING) {
        hqi_core_on_worker_ending(s->server.core, now, (hq_worker_id){e->worker}, m.u.ending);
        return HQ_OK;
    }
    if (m.kind == FROM_WORKER_OVERVIEW)
        return hqi_core_on_overview(s->server.core, now, (hq_worker_id){e->worker}, m.u.overview, err);
    keep_results(u, &m.u.report);
    return hqi_core_on_report(s->server.core, now, (hq_worker_id){e->worker}, &m.u.report, err);
}

static int on_client_data(struct sim *s, struct session_end *e, const struct now *now, struct bytes payload, hq_error *err)
{
    struct command cmd;
    int r = hqi_wire_client_decode_command(&cmd, payload, &hqi_base_alloc_libc, &s->server.mem, err);
    if (r < 0)
        return r;
    hqi_core_on_command(s->server.core, now, e->session.id, &cmd);
    return HQ_OK;
}

/* HQ_ENOMEM: nothing of it is acknowledged, it is to be given again. */
static int take_data(struct sim *s, struct session_end *e, uint64_t number, struct bytes payload)
{
    struct now now = server_now(s);
    struct unsafe *u = calloc(1, sizeof *u);
    hq_error err = {0};
    list_init(&u->ends);
    hqi_base_arena_clear(&s->server.mem);
    int r = e->is_worker ? on_worker_data(s, e, &now, payload, u, &err) : on_client_data(s, e, &now, payload, &err);
    if (r < 0 && !(r == HQ_ENOMEM && s->p.starves))
        sim_fail(s, "the server refuses an honest message: %s", err.text);
    drain(s);
    wake(s);
    if (r == HQ_ENOMEM) {
        drop_results(&u->ends);
        free(u);
        return r;
    }
    u->number = number;
    u->position = hqi_core_core_state(s->server.core)->position;
    list_push_back(&e->unsafe, &u->link);
    return HQ_OK;
}

/* The number of a frame that waits is kept as the time of its parcel. */
static void on_data(struct sim *s, struct session_end *e, const struct frame *f)
{
    if (!list_empty(&e->backlog) || take_data(s, e, f->number, f->payload) == HQ_ENOMEM) {
        sim_parcel_push(&e->backlog, f->number, f->payload);
        s->server.retry_at = sim_least(s->server.retry_at, s->now + 20 * HQI_MS);
    }
}

static void retry(struct sim *s)
{
    s->server.retry_at = NEVER;
    list_for(it, &s->server.sessions) {
        struct session_end *e = session_of(it);
        while (!list_empty(&e->backlog)) {
            struct parcel *p = hqi_container(e->backlog.next, struct parcel, link);
            if (take_data(s, e, p->at, (struct bytes){p->bytes, p->n}) == HQ_ENOMEM) {
                s->server.retry_at = s->now + 20 * HQI_MS;
                break;
            }
            list_unlink(&p->link);
            free(p);
        }
    }
}

void server_on_frame(struct sim *s, struct conn *c, struct bytes frame)
{
    struct frame f;
    struct session_end *e = c->at_server;
    bool fresh;
    hq_error err;
    if (hqi_wire_session_frame_parse(&f, frame, &err) < 0) {
        sim_fail(s, "a frame cannot be read: %s", err.text);
        return;
    }
    if (f.kind == FRAME_HELLO) {
        on_hello(s, c, &f);
        return;
    }
    if (!e || f.session != e->session.id)
        return; /* late: of a dead session or connection */
    e->heard = s->now;
    if (f.kind == FRAME_BYE) {
        lose(s, e, HQ_WORKER_STOPPED);
        return;
    }
    if (hqi_net_session_take(&e->session, &f, &fresh, &err) < 0)
        sim_fail(s, "the server cannot take what a peer sent: %s", err.text);
    else if (fresh)
        on_data(s, e, &f);
}

/* ---- time ---- */

static void judge_sessions(struct sim *s)
{
    list_for_safe(it, tmp, &s->server.sessions) {
        struct session_end *e = session_of(it);
        if (!e->conn && s->now >= e->lost_at)
            lose(s, e, HQ_WORKER_CONNECTION_LOST);
        else if (e->conn && s->now >= e->heard + SILENT_NS)
            lose(s, e, HQ_WORKER_HEARTBEAT_LOST);
    }
}

static void tick(struct sim *s)
{
    struct server *v = &s->server;
    struct now now = server_now(s);
    hqi_core_tick(v->core, &now);
    drain(s);
    judge_state(s);
    uint64_t at = hqi_core_deadline(v->core), idle_ms = hqi_core_idle_deadline_ms(v->core);
    v->tick_at = at <= s->now ? s->now + 50000 : at;
    if (idle_ms != UINT64_MAX)
        v->tick_at = sim_least(v->tick_at, s->now + (idle_ms > now.utc_ms ? idle_ms - now.utc_ms : 1) * HQI_MS);
}

static void start(struct sim *s);

void server_step(struct sim *s)
{
    struct server *v = &s->server;
    if (!v->core && s->now >= v->restart_at)
        start(s);
    if (!v->core)
        return;
    judge_sessions(s);
    if (s->now >= v->retry_at)
        retry(s);
    if (s->now >= v->tick_at)
        tick(s);
    list_for(it, &v->sessions) {
        release(s, session_of(it));
        end_flush(s, session_of(it), TO_PEER);
    }
}

uint64_t server_next(const struct sim *s)
{
    const struct server *v = &s->server;
    uint64_t at = sim_least(v->tick_at, v->retry_at);
    if (!v->core)
        return v->restart_at;
    list_for(it, &v->sessions) {
        const struct session_end *e = session_of(it);
        at = sim_least(at, e->conn ? end_next(e) : e->lost_at);
    }
    return at;
}

/* ---- lives ---- */

static struct core *make_core(struct sim *s, bool live)
{
    struct core *c = NULL;
    struct core_options o = {.alloc = &hqi_base_alloc_libc};
    if (live) {
        o.alloc = &s->server.alloc;
        o.on_facts = on_facts;
    }
    o.user = s;
    o.info.version = bytes_of("sim");
    if (hqi_core_core_new(&c, &o, NULL) < 0)
        abort();
    return c;
}

static void start(struct sim *s)
{
    struct server *v = &s->server;
    hq_error err;
    struct now now;
    v->starved = false;
    v->retry_at = NEVER;
    v->alloc = (struct alloc){allocate, s};
    v->core = make_core(s, true);
    v->replica = make_core(s, false);
    for (uint32_t i = 0; i < s->disk.n; i++) {
        feed(s, v->core, (struct bytes){s->disk.records[i].bytes, s->disk.records[i].n}, s->disk.records[i].position);
        feed(s, v->replica, (struct bytes){s->disk.records[i].bytes, s->disk.records[i].n}, s->disk.records[i].position);
    }
    if (v->epoch)
        judge_restart(s);
    now = server_now(s);
    if (hqi_core_core_start(v->core, &now, bytes_of("simsim"), &err) < 0)
        sim_fail(s, "the server does not start: %s", err.text);
    drain(s);
    s->disk.written = s->disk.synced = s->disk.n; /* its epoch is safe before it listens */
    v->epoch = hqi_core_core_state(v->core)->epoch;
    v->tick_at = s->now;
    v->starved = s->p.starves > 0 && !s->calm;
    sim_trace(s, "server: started, epoch %llu, position %llu", (unsigned long long)v->epoch,
              (unsigned long long)hqi_core_core_state(v->core)->position);
}

static void stop(struct sim *s)
{
    struct server *v = &s->server;
    while (!list_empty(&v->sessions))
        session_free(session_of(v->sessions.next));
    hqi_core_core_free(v->core);
    hqi_core_core_free(v->replica);
    v->core = v->replica = NULL;
}

void server_crash(struct sim *s, bool node)
{
    if (!s->server.core)
        return;
    sim_trace(s, "server: %s", node ? "its node crashes" : "kill -9");
    stop(s);
    net_cut_all(s);
    disk_crash(s, node);
    if (node)
        judge_node_crashed(s);
    s->server.restart_at = s->now + sim_about(s, sim_chance(s, 200) ? 3 * HQI_SEC : 200 * HQI_MS);
}

void server_init(struct sim *s)
{
    list_init(&s->server.sessions);
    hqi_base_arena_init(&s->server.mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&s->server.frame, &hqi_base_alloc_libc);
    s->server.utc_offset = 3600 * 1000;
    start(s);
}

void server_fini(struct sim *s)
{
    stop(s);
    hqi_base_arena_fini(&s->server.mem);
    hqi_base_buf_fini(&s->server.frame);
}
