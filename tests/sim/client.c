/* SPDX-License-Identifier: MIT */
/* client.c - random commands, sent again in a new session until they are answered; every answer is a promise, which goes
 * to the judge. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "wire/client.h"

#define ENDLESS 1000000000u

void client_init(struct sim *s, struct sim_client *c)
{
    memset(c, 0, sizeof *c);
    list_init(&c->asked);
    link_init(s, &c->peer, false, c);
    c->act_at = s->now + sim_about(s, s->p.act_ns);
}

static struct asked *asked_of(struct list *l)
{
    return hqi_container(l, struct asked, link);
}

static void forget(struct asked *a)
{
    list_unlink(&a->link);
    free(a->bytes);
    free(a);
}

void client_fini(struct sim_client *c)
{
    while (!list_empty(&c->asked))
        forget(asked_of(c->asked.next));
    link_fini(&c->peer);
}

/* ---- asking ---- */

static void send(struct sim *s, struct sim_client *c, struct asked *a)
{
    a->id = a->first_id;
    a->parts_left = a->parts;
    if (c->peer.end.session.id) /* else as soon as there is a session */
        link_send(s, &c->peer, (struct bytes){a->bytes, a->n});
}

static struct asked *ask(struct sim *s, struct sim_client *c, struct command *cmd)
{
    struct asked *a = calloc(1, sizeof *a);
    struct buf out;
    cmd->id = ++c->next_id;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_client_encode_command(cmd, &out);
    a->first_id = cmd->id;
    a->kind = cmd->kind;
    a->key = cmd->key.a;
    a->bytes = hqi_base_buf_take(&out, &a->n);
    hqi_base_buf_fini(&out);
    list_push_back(&c->asked, &a->link);
    send(s, c, a);
    return a;
}

void client_on_open(struct sim *s, struct peer *p)
{
    struct sim_client *c = p->owner;
    list_for(it, &c->asked)
        send(s, c, asked_of(it));
}

void client_on_over(struct sim *s, struct peer *p)
{
    link_fini(p);
    link_init(s, p, false, p->owner);
}

static struct key fresh_key(struct sim *s)
{
    return (struct key){sim_random(s) | 1, sim_random(s)};
}

/* ---- submits ---- */

static void fill_request(struct sim *s, struct spec *spec)
{
    static const uint8_t policies[] = {POLICY_COMPACT, POLICY_TIGHT, POLICY_SCATTER, POLICY_COMPACT_FORCED};
    struct request_entry *e = hqi_base_arena_zero(spec->mem, RESOURCES, sizeof *e);
    struct request_variant *v = hqi_base_arena_zero(spec->mem, 1, sizeof *v);
    uint32_t n = 0;
    e[n++] = (struct request_entry){bytes_of("cpus"), policies[sim_below(s, 3)], sim_between(s, 1, 3) * HQ_UNITS};
    if (sim_chance(s, 100))
        e[0].amount = sim_between(s, 1, 30) * HQ_UNITS / 10; /* fractions */
    else if (sim_chance(s, 60))
        e[0] = (struct request_entry){bytes_of("cpus"), POLICY_ALL, 0};
    else if (sim_chance(s, 60))
        e[0].policy = POLICY_COMPACT_FORCED;
    if (sim_chance(s, 200))
        e[n++] = (struct request_entry){bytes_of("gpus"), POLICY_COMPACT,
                                        sim_chance(s, 500) ? HQ_UNITS / 2 : sim_between(s, 1, 2) * HQ_UNITS};
    if (sim_chance(s, 200))
        e[n++] = (struct request_entry){bytes_of("mem"), POLICY_COMPACT, sim_between(s, 1, 400) * HQ_UNITS / 10};
    *v = (struct request_variant){0, e, n, sim_chance(s, 100) ? sim_between(s, 100, 10000) : 0, HQ_UNITS};
    spec->request = (struct resource_request){v, 1};
}

static struct spec *make_spec(struct sim *s)
{
    static const uint32_t limits[] = {CRASH_DEFAULT, CRASH_DEFAULT, CRASH_NEVER_RESTART, 1, 2, CRASH_UNLIMITED};
    struct spec *spec = hqi_model_spec_new(&hqi_base_alloc_libc);
    struct bytes *argv = hqi_base_arena_zero(spec->mem, 1, sizeof *argv);
    argv[0] = bytes_of("true");
    spec->argv = argv;
    spec->n_argv = 1;
    spec->submit_dir = spec->cwd = bytes_of("/tmp");
    spec->out.kind = spec->err.kind = STDIO_NONE;
    spec->crash_limit = limits[sim_below(s, sizeof limits / sizeof *limits)];
    spec->priority = sim_chance(s, 600) ? 0 : (int32_t)sim_between(s, 0, 4) - 2;
    spec->time_limit_ms = sim_chance(s, 100) ? sim_between(s, 1, 500) : 0;
    fill_request(s, spec);
    return spec;
}

static uint32_t count_tasks(struct sim *s)
{
    return (uint32_t)(sim_chance(s, 150) ? sim_between(s, 1, s->p.max_tasks) : sim_between(s, 1, s->p.max_tasks / 8 + 2));
}

static void fill_ids(struct sim *s, struct spec *spec, uint32_t first)
{
    hq_range r[2] = {{first, count_tasks(s), 1}, {0, 0, 1}};
    uint32_t n = 1;
    if (sim_chance(s, 200))
        r[0].step = (uint32_t)sim_between(s, 2, 7);
    if (sim_chance(s, 30))
        r[0] = (hq_range){first, ENDLESS, 1};
    if (sim_chance(s, 200) && r[0].count < ENDLESS) {
        r[n] = (hq_range){r[0].first + r[0].count * r[0].step + (uint32_t)sim_below(s, 100), (uint32_t)sim_between(s, 1, 20), 1};
        n++;
    }
    if (hqi_model_intset_make(&spec->ids, spec->mem, r, n, NULL) < 0)
        sim_fail(s, "ids that should be fine are not");
}

static void fill_entries(struct sim *s, struct spec *spec, uint32_t n)
{
    uint64_t *offsets = hqi_base_arena_get(spec->mem, (n + 1) * sizeof *offsets);
    char *blob = hqi_base_arena_zero(spec->mem, n + 1, 10);
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        offsets[i] = at;
        at += sim_below(s, 10);
    }
    offsets[n] = at;
    memset(blob, 'e', at);
    spec->entries = (struct entries){blob, offsets, n};
}

static uint32_t some_open_job(struct sim *s)
{
    for (uint32_t tries = 0; tries < 20 && s->judge.n_jobs > 1; tries++) {
        uint32_t job = (uint32_t)sim_between(s, 1, s->judge.n_jobs - 1);
        if (judge_job_has(s, job, JOB_OPEN))
            return job;
    }
    return 0;
}

static void submit(struct sim *s, struct sim_client *c)
{
    struct command cmd = {.kind = COMMAND_SUBMIT, .key = fresh_key(s)};
    struct spec *spec = make_spec(s);
    uint32_t parts = 0;
    cmd.u.submit.job.n = sim_chance(s, 400) ? some_open_job(s) : 0;
    cmd.u.submit.name = bytes_of("job");
    cmd.u.submit.max_fails = sim_chance(s, 250) ? (uint32_t)sim_below(s, 4) : UINT32_MAX;
    cmd.u.submit.spec = spec;
    if (sim_chance(s, 100)) {
        cmd.u.submit.more = true;
        parts = (uint32_t)sim_between(s, 1, 5);
    } else if (sim_chance(s, 150)) {
        fill_entries(s, spec, count_tasks(s));
    } else if (sim_chance(s, 150)) {
        cmd.u.submit.n_auto = (uint32_t)sim_below(s, 4);
    } else {
        fill_ids(s, spec, cmd.u.submit.job.n ? (uint32_t)sim_below(s, 5000) : (uint32_t)sim_below(s, 3));
    }
    struct asked *a = ask(s, c, &cmd);
    a->parts = a->parts_left = parts;
    s->jobs_asked++;
    hqi_model_spec_free(spec);
}

static void send_part(struct sim *s, struct sim_client *c, struct asked *a)
{
    struct command cmd = {.kind = COMMAND_SUBMIT_PART, .key = {a->key, 0}};
    uint32_t lengths[8], n = (uint32_t)sim_between(s, 1, 8);
    char bytes[80];
    struct buf out;
    memset(bytes, 'p', sizeof bytes);
    for (uint32_t i = 0; i < n; i++) {
        lengths[i] = (uint32_t)sim_below(s, 10);
        cmd.u.part.blob.n += lengths[i];
    }
    cmd.id = a->id = ++c->next_id;
    cmd.u.part.blob.p = bytes;
    cmd.u.part.lengths = lengths;
    cmd.u.part.n = n;
    cmd.u.part.last = --a->parts_left == 0;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_client_encode_command(&cmd, &out);
    link_send(s, &c->peer, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

/* ---- other commands ---- */

static uint32_t some_job(struct sim *s)
{
    return s->judge.n_jobs > 1 ? (uint32_t)sim_between(s, 1, s->judge.n_jobs - 1) : 1;
}

static void name_jobs(struct selector *sel, uint32_t job, hq_range *r)
{
    static const uint32_t none[1] = {0};
    *r = (hq_range){job, 1, 1};
    sel->kind = job ? SELECT_IDS : SELECT_ALL;
    if (job)
        sel->ids = (struct intset){r, none, 1, 1, true};
}

static struct asked *ask_jobs(struct sim *s, struct sim_client *c, uint8_t kind, uint32_t job)
{
    struct command cmd = {.kind = kind};
    hq_range r;
    name_jobs(&cmd.u.jobs.jobs, job, &r);
    if (kind == COMMAND_JOB_CANCEL)
        cmd.u.jobs.reason = bytes_of(sim_chance(s, 500) ? "because" : "");
    if (kind == COMMAND_JOB_WAIT)
        cmd.u.jobs.without_close = sim_chance(s, 300);
    if (kind == COMMAND_JOB_PROGRESS)
        cmd.u.jobs.since = sim_chance(s, 500) ? sim_below(s, 200) : 0;
    struct asked *a = ask(s, c, &cmd);
    a->job = job;
    a->counts = kind == COMMAND_JOB_WAIT && !cmd.u.jobs.without_close && judge_job_has(s, job, JOB_TOLD);
    return a;
}

static void ask_page(struct sim *s, struct sim_client *c)
{
    struct command cmd = {.kind = COMMAND_TASK_PAGE};
    uint32_t job = some_job(s);
    cmd.u.task_page.job.n = job;
    cmd.u.task_page.limit = (uint32_t)sim_between(s, 1, 100);
    cmd.u.task_page.states = sim_chance(s, 300) ? 1u << HQ_TASK_FINISHED | 1u << HQ_TASK_FAILED : 0;
    ask(s, c, &cmd)->job = job;
}

static void open_job(struct sim *s, struct sim_client *c)
{
    struct command cmd = {.kind = COMMAND_JOB_OPEN, .key = fresh_key(s)};
    cmd.u.job_open.name = bytes_of("open");
    cmd.u.job_open.max_fails = sim_chance(s, 300) ? (uint32_t)sim_below(s, 3) : UINT32_MAX;
    ask(s, c, &cmd);
}

static void forget_job(struct sim *s, struct sim_client *c)
{
    uint32_t job = some_job(s);
    judge_note_job(s, job, JOB_MAY_BE_FORGOTTEN);
    ask_jobs(s, c, COMMAND_JOB_FORGET, job);
}

static void stop_worker(struct sim *s, struct sim_client *c)
{
    struct command cmd = {.kind = COMMAND_WORKER_STOP};
    hq_range r;
    name_jobs(&cmd.u.workers.workers, (uint32_t)sim_between(s, 1, 10), &r);
    ask(s, c, &cmd);
}

static void look_around(struct sim *s, struct sim_client *c)
{
    struct command list = {.kind = COMMAND_JOB_LIST, .u.job_list.all = true};
    struct command workers = {.kind = COMMAND_WORKER_LIST, .u.workers = {.workers.kind = SELECT_ALL, .offline_too = true}};
    struct command wait = {.kind = COMMAND_WORKER_WAIT, .u.worker_wait.count = 1};
    struct command info = {.kind = COMMAND_SERVER_INFO};
    struct command *const all[] = {&list, &workers, &wait, &info};
    ask(s, c, all[sim_below(s, 4)]);
}

static void act(struct sim *s, struct sim_client *c)
{
    uint64_t dice = sim_below(s, 100);
    if (s->jobs_asked >= s->p.n_jobs)
        dice = 44 + dice / 2;
    if (dice < 40)
        submit(s, c);
    else if (dice < 44)
        open_job(s, c);
    else if (dice < 46)
        ask_jobs(s, c, COMMAND_JOB_CLOSE, some_job(s));
    else if (dice < 53)
        ask_jobs(s, c, COMMAND_JOB_CANCEL, some_job(s));
    else if (dice < 57)
        forget_job(s, c);
    else if (dice < 65)
        ask_jobs(s, c, COMMAND_JOB_WAIT, some_job(s));
    else if (dice < 70)
        ask_jobs(s, c, COMMAND_JOB_PROGRESS, some_job(s));
    else if (dice < 85)
        ask_page(s, c);
    else if (dice < 92)
        ask_jobs(s, c, COMMAND_JOB_INFO, some_job(s));
    else if (dice < 93)
        stop_worker(s, c);
    else
        look_around(s, c);
}

void client_finish(struct sim *s, struct sim_client *c)
{
    const struct state *st = s->server.core ? hqi_core_core_state(s->server.core) : NULL;
    for (uint32_t id = 1; st && id <= st->n_jobs; id++) {
        const struct job *j = hqi_state_job(st, (hq_job_id){id});
        if (j && j->open)
            ask_jobs(s, c, COMMAND_JOB_CLOSE, id);
        if (j && j->counts[HQ_TASK_WAITING] > 1000000)
            ask_jobs(s, c, COMMAND_JOB_CANCEL, id);
    }
}

/* ---- answers ---- */

static bool is_possible(int code)
{
    return code == HQ_OK || code == HQ_ENOENT || code == HQ_EEXIST || code == HQ_ESTATE || code == HQ_ELIMIT;
}

static void take_page(struct sim *s, const struct asked *a, const struct task_page *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        judge_told_task(s, a->job, p->ids[i], p->state[i]);
}

static void take_reply(struct sim *s, struct sim_client *c, struct asked *a, const struct reply_view *r)
{
    if (r->code == HQ_ENOMEM && s->p.starves) {
        send(s, c, a);
        return;
    }
    if (!is_possible(r->code))
        sim_fail(s, "a command of kind %u was answered with %d: %.*s", a->kind, r->code, (int)r->text.n, r->text.p);
    if (r->code == HQ_OK && a->parts_left && r->job.n == 0) {
        send_part(s, c, a);
        return;
    }
    if (r->code == HQ_OK && (a->kind == COMMAND_SUBMIT || a->kind == COMMAND_JOB_OPEN))
        judge_told_job(s, a->key, r->job.n);
    if (r->code == HQ_OK && a->kind == COMMAND_JOB_OPEN)
        judge_note_job(s, r->job.n, JOB_OPEN);
    if (r->code == HQ_OK && a->kind == COMMAND_TASK_PAGE)
        take_page(s, a, &r->tasks);
    if (r->code == HQ_OK && a->counts)
        judge_told_ended(s, a->job);
    forget(a);
}

void client_on_data(struct sim *s, struct peer *p, uint64_t number, struct bytes payload)
{
    struct sim_client *c = p->owner;
    struct reply_view r;
    struct arena mem;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_client_decode_reply(&r, payload, &mem, &err) < 0) {
        sim_fail(s, "a client cannot read its server: %s", err.text);
        hqi_base_arena_fini(&mem);
        return;
    }
    struct asked *found = NULL;
    list_for(it, &c->asked)
        if (asked_of(it)->id == r.id)
            found = asked_of(it);
    if (found)
        take_reply(s, c, found, &r);
    else
        sim_fail(s, "reply %llu answers nothing that was asked", (unsigned long long)r.id);
    hqi_base_arena_fini(&mem);
    hqi_net_session_set_safe(&p->end.session, number);
}

/* ---- time ---- */

void client_step(struct sim *s, struct sim_client *c)
{
    link_step(s, &c->peer);
    if (s->now < c->act_at)
        return;
    c->act_at = s->now + sim_about(s, s->calm ? HQI_SEC : s->p.act_ns);
    if (s->calm)
        client_finish(s, c);
    else
        act(s, c);
    if (c->peer.state == LINK_UP)
        end_flush(s, &c->peer.end, TO_SERVER);
}

uint64_t client_next(const struct sim_client *c)
{
    return sim_least(c->act_at, link_next(&c->peer));
}
