/* SPDX-License-Identifier: MIT */
/* story.c - see story.h. A random walk: each step is one thing that clients or workers may do, of those that make sense now. */
#include "story.h"

#include <fcntl.h>
#include <stdlib.h>

#include "../core/world.h"
#include "journal/reader.h"
#include "wire/record.h"

#define LIVE_WORKERS 6u

struct walk {
    struct world w;
    uint64_t seed;
};

static uint32_t below(struct walk *k, uint32_t n)
{
    k->seed = k->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((k->seed >> 33) % n);
}

static bool chance(struct walk *k, uint32_t percent)
{
    return below(k, 100) < percent;
}

static const struct state *state_of(const struct walk *k)
{
    return hqi_core_core_state(k->w.core);
}

/* ---- clients ---- */

static uint32_t some_job(struct walk *k)
{
    uint32_t n = state_of(k)->n_jobs;
    return n ? 1 + below(k, n) : 1;
}

static void submit_something(struct walk *k)
{
    const struct job *j = hqi_state_job(state_of(k), (hq_job_id){some_job(k)});
    const hq_range ids = {below(k, 1000) * 100, 1 + below(k, 12), 1 + below(k, 3)};
    struct submit_args a = {.cpus = 1 + below(k, 2), .priority = (int32_t)below(k, 3) - 1, .limit_fails = chance(k, 20)};
    a.gpus = chance(k, 8) ? 1 : 0;
    a.crash_limit = chance(k, 20) ? CRASH_NEVER : chance(k, 30) ? 2 : 0;
    a.job = j && j->open ? j->id.n : 0;
    if (chance(k, 50))
        a.ids = &ids;
    else
        a.n_auto = below(k, 15);
    world_submit(&k->w, &a);
}

static void end_something(struct walk *k)
{
    static const uint8_t kinds[] = {COMMAND_JOB_CLOSE, COMMAND_JOB_CANCEL, COMMAND_JOB_FORGET, COMMAND_JOB_FORGET};
    struct command cmd = {.kind = kinds[below(k, sizeof kinds)]};
    uint32_t none = 0;
    hq_range r = {some_job(k), 1, 1};
    cmd.u.jobs.jobs = (struct selector){.kind = SELECT_IDS, .ids = (struct intset){&r, &none, 1, 1, true}};
    cmd.u.jobs.reason = bytes_of("because");
    cmd.u.jobs.states = UINT32_MAX;
    world_command(&k->w, &cmd);
}

/* ---- workers ---- */

static void join(struct walk *k)
{
    struct worker_config *c = hqi_model_config_new(&k->w.mem.alloc);
    uint32_t n = 1 + chance(k, 30) + chance(k, 10);
    static const char *const names[] = {"cpus", "gpus", "mem"};
    struct resource_def *d = hqi_base_arena_zero(c->mem, 3, sizeof *d);
    hq_worker_id id;
    for (uint32_t i = 0; i < n; i++)
        d[i] = (struct resource_def){.name = bytes_of(names[i]), .kind = RESOURCE_RANGE, .end = below(k, 6)};
    c->hostname = bytes_of("node");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->resources = (struct resources){d, n};
    char token[HQI_TOKEN_BYTES];
    const struct bytes as = world_token(++k->w.n_joined, token);
    assert_int_equal(hqi_core_on_worker_join(k->w.core, &k->w.now, &c, k->w.n_joined, as, &id, NULL), HQ_OK);
    world_drain(&k->w);
}

/* With something of a job or two, which it may or may not have. */
static void come_back(struct walk *k)
{
    const struct state *st = state_of(k);
    struct held v[3];
    for (uint32_t i = 0; i < 3; i++)
        v[i] = (struct held){(enum holding)below(k, 4), 1 + below(k, st->n_submits ? st->n_submits : 1), below(k, 2), below(k, 12),
                             1 + below(k, 3)};
    if (k->w.n_joined)
        world_back_with(&k->w, 1 + below(k, k->w.n_joined), 0, v, 3);
    world_forget_said(&k->w);
}

static struct worker *live_worker(struct walk *k, uint32_t *n_live)
{
    const struct state *st = state_of(k);
    struct worker *found = NULL;
    *n_live = 0;
    for (uint32_t id = 1; id <= st->n_workers; id++)
        if (st->workers[id]->end == HQ_WORKER_RUNNING && below(k, ++*n_live) == 0)
            found = st->workers[id];
    return found;
}

static void come_or_go(struct walk *k)
{
    static const uint8_t reasons[] = {HQ_WORKER_CONNECTION_LOST, HQ_WORKER_HEARTBEAT_LOST, HQ_WORKER_STOPPED};
    uint32_t n;
    struct worker *w = live_worker(k, &n);
    if (n < 2 || (n < LIVE_WORKERS && chance(k, 50)))
        join(k);
    else if (chance(k, 20))
        come_back(k);
    else if (chance(k, 30))
        world_stop_worker(&k->w, w->id.n);
    else
        world_lose(&k->w, w->id.n, reasons[below(k, sizeof reasons)]);
}

/* ---- tasks ---- */

static void report(struct walk *k)
{
    static const uint16_t codes[] = {0, 0, 0, 0, 1, HQ_CODE_SIGNAL + 9, HQ_CODE_TEXT, HQ_CODE_LAUNCH};
    uint32_t n;
    struct worker *w = live_worker(k, &n);
    if (!w || w->n_active == 0)
        return;
    struct list *at = w->active.next;
    for (uint32_t i = below(k, w->n_active); i > 0; i--)
        at = at->next;
    const struct piece *p = hqi_container(at, struct piece, in_worker);
    uint32_t worker = w->id.n, submit = p->submit->id, instance = p->instance, ordinal = p->first, what = below(k, 100);
    bool started = p->started;
    if (what < 35 && !started)
        world_started(&k->w, worker, submit, instance, ordinal, 1);
    else if (what < 88)
        world_ended(&k->w, worker, submit, instance, ordinal, 1, codes[below(k, started ? 7 : 8)]);
    else if (what < 91)
        world_given(&k->w, CRASHED, worker, submit, instance, ordinal, 1);
    else if (!started)
        world_given(&k->w, what < 92 ? REJECTED : RETURNED, worker, submit, instance, ordinal, 1);
}

static void observe(struct walk *k)
{
    uint32_t n;
    const struct worker *w = live_worker(k, &n);
    if (w)
        world_overview(&k->w, w->id.n);
}

static void take_step(struct walk *k)
{
    uint32_t what = below(k, 100);
    if (what < 8)
        submit_something(k);
    else if (what < 10)
        world_open_job(&k->w, "open", chance(k, 50) ? 2 : NO_LIMIT);
    else if (what < 18)
        end_something(k);
    else if (what < 22)
        come_or_go(k);
    else if (what < 25)
        observe(k);
    else
        report(k);
    world_pass_ms(&k->w, below(k, 400));
    world_tick(&k->w);
}

/* ---- what came of it ---- */

static uint32_t feed(struct state *st, uint64_t position, struct bytes record, uint32_t *kinds)
{
    struct arena mem;
    struct fact *facts;
    uint32_t n;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_record_decode(&facts, &n, record, &hqi_base_alloc_libc, &mem, &err) < 0)
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < n; i++)
        *kinds |= 1u << facts[i].kind;
    if (hqi_state_replay(st, position ? position : st->position + n, facts, n, &err) < 0)
        fail_msg("%s", err.text);
    hqi_wire_record_drop(facts, n);
    hqi_base_arena_fini(&mem);
    return n;
}

void story_feed(struct state *st, uint64_t position, struct bytes record)
{
    uint32_t kinds = 0;
    feed(st, position, record, &kinds);
}

static void split(struct story *s, const struct world *w)
{
    struct state *st;
    uint32_t room = 0, length;
    assert_int_equal(hqi_state_state_new(&st, &hqi_base_alloc_libc, NULL), HQ_OK);
    hqi_base_buf_add(&s->bytes, w->records.p, w->records.n);
    for (size_t at = 0; at < s->bytes.n; at += sizeof length + length) {
        memcpy(&length, s->bytes.p + at, sizeof length);
        if (s->n == room) {
            room = 2 * room + 64;
            s->records = realloc(s->records, room * sizeof *s->records);
        }
        struct story_record *r = &s->records[s->n++];
        r->bytes = (struct bytes){s->bytes.p + at + sizeof length, length};
        feed(st, 0, r->bytes, &s->kinds);
        r->position = st->position;
        r->digest = hqi_state_digest(st);
    }
    hqi_state_state_free(st);
}

static void make(struct story *s, uint64_t seed, unsigned steps, bool tidy)
{
    struct walk k = {.seed = seed * 2 + 1};
    *s = (struct story){.n = 0};
    hqi_base_buf_init(&s->bytes, &hqi_base_alloc_libc);
    world_open(&k.w);
    join(&k);
    for (unsigned i = 0; i < steps; i++)
        take_step(&k);
    for (uint32_t id = state_of(&k)->n_jobs; tidy && id > 0; id--) {
        world_jobs(&k.w, COMMAND_JOB_CLOSE, id);
        world_jobs(&k.w, COMMAND_JOB_CANCEL, id);
        world_jobs(&k.w, COMMAND_JOB_FORGET, id);
    }
    hqi_core_stopped(k.w.core, &k.w.now);
    split(s, &k.w);
    assert_true(s->records[s->n - 1].digest == hqi_state_digest(state_of(&k)));
    world_close(&k.w);
}

void story_make(struct story *s, uint64_t seed, unsigned steps)
{
    make(s, seed, steps, false);
}

void story_make_tidy(struct story *s, uint64_t seed, unsigned steps)
{
    make(s, seed, steps, true);
}

void story_fini(struct story *s)
{
    hqi_base_buf_fini(&s->bytes);
    free(s->records);
}

/* ---- files ---- */

static void each_record(const struct journal_io *io, const char *path, void (*eat)(void *user, const struct journal_record *r),
                        void *user)
{
    struct reader r;
    struct journal_record record;
    hq_error err;
    int rc, fd = io->open(io->user, path, O_RDONLY);
    assert_true(fd >= 0);
    if (hqi_journal_reader_init(&r, &hqi_base_alloc_libc, io, fd, &err) < 0)
        fail_msg("%s", err.text);
    while ((rc = hqi_journal_reader_next(&r, &record, &err)) > 0)
        eat(user, &record);
    if (rc < 0)
        fail_msg("%s", err.text);
    hqi_journal_reader_fini(&r);
    io->close(io->user, fd);
}

struct restoring {
    struct state *st;
    uint32_t n;
};

static void restore_one(void *user, const struct journal_record *r)
{
    struct restoring *v = user;
    story_feed(v->st, r->position, r->bytes);
    v->n++;
}

struct state *story_restore(const struct journal_io *io, const char *path, uint32_t *n)
{
    struct restoring v = {.n = 0};
    assert_int_equal(hqi_state_state_new(&v.st, &hqi_base_alloc_libc, NULL), HQ_OK);
    each_record(io, path, restore_one, &v);
    *n = v.n;
    return v.st;
}

struct counting {
    const struct state *st;
    uint32_t ended, live;
};

static void count_one(void *user, const struct journal_record *r)
{
    struct counting *v = user;
    struct arena mem;
    struct fact *facts;
    uint32_t n;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(hqi_wire_record_decode(&facts, &n, r->bytes, &hqi_base_alloc_libc, &mem, NULL), HQ_OK);
    for (uint32_t i = 0; i < n; i++) {
        const struct worker *w = facts[i].kind == FACT_OVERVIEW ? hqi_state_worker(v->st, facts[i].u.overview.worker) : NULL;
        v->live += w && w->end == HQ_WORKER_RUNNING;
        v->ended += facts[i].kind == FACT_OVERVIEW && (!w || w->end != HQ_WORKER_RUNNING);
    }
    hqi_wire_record_drop(facts, n);
    hqi_base_arena_fini(&mem);
}

void story_count_overviews(const struct journal_io *io, const char *path, const struct state *st, uint32_t *ended, uint32_t *live)
{
    struct counting v = {.st = st};
    each_record(io, path, count_one, &v);
    *ended = v.ended;
    *live = v.live;
}

void story_write(const struct story *s, uint32_t from, uint32_t to, const struct journal_io *io, const char *path)
{
    struct draft d;
    assert_int_equal(hqi_journal_draft_begin(&d, &hqi_base_alloc_libc, io, path, "abcdef", false, NULL), HQ_OK);
    for (uint32_t i = from; i < to; i++)
        assert_int_equal(hqi_journal_draft_put(&d, s->records[i].position, s->records[i].bytes, NULL), HQ_OK);
    assert_int_equal(hqi_journal_draft_sync(&d, NULL), HQ_OK);
    io->close(io->user, d.fd);
    io->sync_dir(io->user, path);
    hqi_journal_draft_fini(&d);
}
