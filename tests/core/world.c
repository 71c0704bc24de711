/* SPDX-License-Identifier: MIT */
/* world.c - see world.h. */
#include "world.h"

#include <stdio.h>

#include "said.h"
#include "wire/record.h"

static int keep_facts(void *user, uint64_t position, const struct fact *facts, uint32_t n)
{
    struct world *w = user;
    struct buf record;
    if (w->full)
        return HQ_ENOMEM;
    assert_int_equal(position, hqi_core_core_state(w->core)->position + 1);
    hqi_base_buf_init(&record, &hqi_base_alloc_libc);
    hqi_wire_record_encode(facts, n, &record);
    assert_false(record.failed);
    uint32_t length = (uint32_t)record.n;
    hqi_base_buf_add(&w->records, &length, sizeof length);
    hqi_base_buf_add(&w->records, record.p, record.n);
    hqi_base_buf_fini(&record);
    return HQ_OK;
}

static struct core *make_core(struct world *w)
{
    const struct core_options o = {.alloc = &w->mem.alloc, .on_facts = keep_facts, .user = w,
                                   .info.version = bytes_of("1.2.3")};
    struct core *c;
    assert_int_equal(hqi_core_core_new(&c, &o, NULL), HQ_OK);
    return c;
}

void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    failing_init(&w->mem, 0);
    hqi_base_buf_init(&w->said, &hqi_base_alloc_libc);
    hqi_base_buf_init(&w->records, &hqi_base_alloc_libc);
    w->now = (struct now){HQI_SEC, WORLD_UTC};
    w->client = CLIENT;
    w->core = make_core(w);
    assert_int_equal(hqi_core_core_start(w->core, &w->now, bytes_of("abcdef"), NULL), HQ_OK);
}

void world_verify(struct world *w)
{
    hq_error err;
    if (hqi_state_verify(hqi_core_core_state(w->core), &err) < 0)
        fail_msg("%s", err.text);
}

static void replay_record(struct core *c, struct bytes in)
{
    struct arena mem;
    struct fact *facts;
    uint32_t n;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_record_decode(&facts, &n, in, &hqi_base_alloc_libc, &mem, &err) < 0 ||
        hqi_core_core_replay(c, hqi_core_core_state(c)->position + n, facts, n, &err) < 0)
        fail_msg("%s", err.text);
    hqi_wire_record_drop(facts, n);
    hqi_base_arena_fini(&mem);
}

static void replay(struct world *w, struct core *c)
{
    for (size_t at = 0; at < w->records.n;) {
        uint32_t length;
        memcpy(&length, w->records.p + at, sizeof length);
        replay_record(c, (struct bytes){w->records.p + at + sizeof length, length});
        at += sizeof length + length;
    }
}

struct core *world_replay(struct world *w)
{
    struct core *c;
    const struct core_options o = {.alloc = &hqi_base_alloc_libc};
    assert_int_equal(hqi_core_core_new(&c, &o, NULL), HQ_OK);
    replay(w, c);
    assert_true(hqi_state_digest(hqi_core_core_state(c)) == hqi_state_digest(hqi_core_core_state(w->core)));
    return c;
}

size_t world_n_records(const struct world *w)
{
    size_t n = 0;
    for (size_t at = 0; at < w->records.n; n++) {
        uint32_t length;
        memcpy(&length, w->records.p + at, sizeof length);
        at += sizeof length + length;
    }
    return n;
}

void world_close(struct world *w)
{
    world_verify(w);
    hqi_core_core_free(world_replay(w));
    hqi_core_core_free(w->core);
    assert_int_equal(w->mem.live, 0);
    hqi_base_buf_fini(&w->said);
    hqi_base_buf_fini(&w->records);
}

void world_drain(struct world *w)
{
    const struct out *o;
    while ((o = hqi_core_peek(w->core))) {
        assert_true(o->position <= hqi_core_core_state(w->core)->position);
        said_out(o, &w->said);
        hqi_core_pop(w->core);
    }
}

void world_forget_said(struct world *w)
{
    hqi_base_buf_clear(&w->said);
}

static void differs(const char *said, const char *text, const char *file, int line)
{
    print_error("--- said:\n%s--- expected:\n%s", said, text);
    _fail(file, line);
}

void world_expect_at(struct world *w, const char *text, const char *file, int line)
{
    const char *said = w->said.n ? w->said.p : "";
    if (strcmp(said, text) != 0)
        differs(said, text, file, line);
    world_forget_said(w);
}

void world_pass_ms(struct world *w, uint64_t ms)
{
    w->now.mono_ns += ms * HQI_MS;
    w->now.utc_ms += ms;
}

void world_tick(struct world *w)
{
    for (int i = 0; i < 100; i++) {
        hqi_core_tick(w->core, &w->now);
        world_drain(w);
        if (hqi_core_deadline(w->core) > w->now.mono_ns)
            return;
    }
    fail_msg("the core wants to be called again and again");
}

/* ---- clients ---- */

uint64_t world_command(struct world *w, struct command *cmd)
{
    bool mutates = cmd->kind == COMMAND_SUBMIT || cmd->kind == COMMAND_JOB_OPEN;
    cmd->id = ++w->next_id;
    if (mutates && cmd->key.a == 0)
        cmd->key.a = 1000 + ++w->next_key;
    hqi_core_on_command(w->core, &w->now, w->client, cmd);
    world_drain(w);
    return cmd->id;
}

static void fill_entries(struct spec *s, const struct submit_args *a)
{
    uint64_t *offsets = hqi_base_arena_get(s->mem, (a->n_entries + 1) * sizeof *offsets);
    uint64_t at = 0;
    for (uint32_t i = 0; i < a->n_entries; i++)
        at += strlen(a->entries[i]);
    char *blob = hqi_base_arena_get(s->mem, at + 1);
    at = 0;
    for (uint32_t i = 0; i < a->n_entries; i++) {
        offsets[i] = at;
        memcpy(blob + at, a->entries[i], strlen(a->entries[i]));
        at += strlen(a->entries[i]);
    }
    offsets[a->n_entries] = at;
    s->entries = (struct entries){blob, offsets, a->n_entries};
}

struct spec *world_spec(struct world *w, const struct submit_args *a)
{
    struct spec *s = hqi_model_spec_new(w ? &w->mem.alloc : &hqi_base_alloc_libc);
    struct request_entry *e = hqi_base_arena_zero(s->mem, 2, sizeof *e);
    struct request_variant *v = hqi_base_arena_zero(s->mem, 1, sizeof *v);
    struct bytes *argv = hqi_base_arena_zero(s->mem, 1, sizeof *argv);
    e[0] = (struct request_entry){bytes_of("cpus"), POLICY_COMPACT, (a->cpus ? a->cpus : 1) * (uint64_t)HQ_UNITS};
    e[1] = (struct request_entry){bytes_of("gpus"), POLICY_COMPACT, a->gpus * (uint64_t)HQ_UNITS};
    *v = (struct request_variant){0, e, a->gpus ? 2 : 1, a->min_time_ms, HQ_UNITS};
    argv[0] = bytes_of("true");
    s->argv = argv;
    s->n_argv = 1;
    s->submit_dir = bytes_of("/home");
    s->cwd = bytes_of(a->cwd ? a->cwd : "/home");
    s->out.kind = s->err.kind = STDIO_NONE;
    s->request = (struct resource_request){v, 1};
    s->priority = a->priority;
    s->crash_limit = a->crash_limit == CRASH_NEVER ? CRASH_NEVER_RESTART : a->crash_limit ? a->crash_limit : CRASH_DEFAULT;
    if (a->n_entries)
        fill_entries(s, a);
    if (a->ids)
        assert_int_equal(hqi_model_intset_make(&s->ids, s->mem, a->ids, a->n_ids ? a->n_ids : 1, NULL), HQ_OK);
    return s;
}

uint64_t world_submit(struct world *w, const struct submit_args *a)
{
    size_t fail_at = w->mem.fail_at; /* the spec is the decoder's: the core only takes it */
    struct command cmd = {.kind = COMMAND_SUBMIT, .key = {a->key, 0}};
    w->mem.fail_at = 0;
    cmd.u.submit.spec = world_spec(w, a);
    w->mem.fail_at = fail_at;
    if (fail_at)
        w->mem.calls = 0;
    cmd.u.submit.job.n = a->job;
    cmd.u.submit.name = bytes_of(a->name ? a->name : "job");
    cmd.u.submit.max_fails = a->limit_fails ? a->max_fails : NO_LIMIT;
    cmd.u.submit.n_auto = a->n_auto;
    cmd.u.submit.more = a->more;
    uint64_t id = world_command(w, &cmd);
    assert_null(cmd.u.submit.spec);
    return id;
}

uint64_t world_part(struct world *w, uint64_t key, const char *entry, uint32_t length, bool last)
{
    struct command cmd = {.kind = COMMAND_SUBMIT_PART, .key = {key, 0}};
    cmd.u.part.lengths = &length;
    cmd.u.part.n = entry ? 1 : 0;
    cmd.u.part.blob = bytes_of(entry);
    cmd.u.part.last = last;
    return world_command(w, &cmd);
}

static void select_one(struct selector *s, uint32_t n, hq_range *r)
{
    static const uint32_t none[1] = {0};
    *r = (hq_range){n, 1, 1};
    s->kind = n == 0 ? SELECT_ALL : n == UINT32_MAX ? SELECT_LAST : SELECT_IDS;
    if (s->kind == SELECT_IDS)
        s->ids = (struct intset){r, none, 1, 1, true};
}

uint64_t world_jobs(struct world *w, uint8_t kind, uint32_t job)
{
    struct command cmd = {.kind = kind};
    hq_range r;
    select_one(&cmd.u.jobs.jobs, job, &r);
    return world_command(w, &cmd);
}

uint64_t world_open_job(struct world *w, const char *name, uint32_t max_fails)
{
    struct command cmd = {.kind = COMMAND_JOB_OPEN};
    cmd.u.job_open.name = bytes_of(name);
    cmd.u.job_open.max_fails = max_fails;
    return world_command(w, &cmd);
}

uint64_t world_stop_worker(struct world *w, uint32_t worker)
{
    struct command cmd = {.kind = COMMAND_WORKER_STOP};
    hq_range r;
    select_one(&cmd.u.workers.workers, worker, &r);
    return world_command(w, &cmd);
}

/* ---- workers ---- */

uint32_t world_join(struct world *w, uint32_t cpus)
{
    return world_join_with(w, cpus, 0, 0);
}

struct bytes world_token(uint32_t nth, char text[HQI_TOKEN_BYTES])
{
    memset(text, 'a' + (int)(nth % 26), HQI_TOKEN_BYTES);
    return (struct bytes){text, HQI_TOKEN_BYTES};
}

/* Whatever shall fail, this does not. */
static struct worker_config *make_config(struct world *w, uint32_t cpus, const struct worker_config *like)
{
    size_t fail_at = w->mem.fail_at;
    w->mem.fail_at = 0;
    struct worker_config *c = hqi_model_config_new(&w->mem.alloc);
    struct resource_def *d = hqi_base_arena_zero(c->mem, 1, sizeof *d);
    d[0] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .start = 0, .end = cpus - 1};
    c->hostname = bytes_of("node");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->idle_timeout_ms = like->idle_timeout_ms;
    c->time_limit_ms = like->time_limit_ms;
    c->min_utilization = like->min_utilization;
    c->resources = (struct resources){d, 1};
    w->mem.fail_at = fail_at;
    if (fail_at)
        w->mem.calls = 0;
    return c;
}

uint32_t world_join_with(struct world *w, uint32_t cpus, uint64_t idle_ms, uint64_t limit_ms)
{
    return world_join_as(w, cpus, &(struct worker_config){.idle_timeout_ms = idle_ms, .time_limit_ms = limit_ms});
}

uint32_t world_join_as(struct world *w, uint32_t cpus, const struct worker_config *like)
{
    struct worker_config *c = make_config(w, cpus, like);
    hq_worker_id id = {0};
    hq_error err;
    char token[HQI_TOKEN_BYTES];
    const struct bytes as = world_token(++w->n_joined, token);
    int r = hqi_core_on_worker_join(w->core, &w->now, &c, w->n_joined, as, &id, &err);
    if (r < 0)
        hqi_base_buf_addf(&w->said, "join refused: %s\n", err.text);
    assert_true((r < 0) == (c != NULL));
    hqi_model_config_free(c);
    world_drain(w);
    return id.n;
}

int world_report(struct world *w, uint32_t worker, const struct report *r)
{
    hq_error err;
    int rc = hqi_core_on_report(w->core, &w->now, (hq_worker_id){worker}, r, &err);
    world_drain(w);
    return rc;
}

#define ROWS 64u

int world_started(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance, uint32_t first, uint32_t n)
{
    uint32_t ordinals[ROWS];
    uint64_t age[ROWS] = {0};
    struct report_start s = {submit, instance, n, ordinals, age, NULL};
    const struct report r = {.started = &s, .n_started = 1};
    assert_true(n <= ROWS);
    for (uint32_t i = 0; i < n; i++)
        ordinals[i] = first + i;
    return world_report(w, worker, &r);
}

int world_overview(struct world *w, uint32_t worker)
{
    static const uint32_t cpus[] = {HQI_LOAD_WHOLE, 1234};
    static const struct gpu_load gpu = {{"0000:01:00.0", 12}, 5000, 25};
    const struct node_load load = {.utc_s = w->now.utc_ms / 1000, .cpus = cpus, .n_cpus = 2, .memory_total = 4096,
                                   .memory_free = 2048, .network = {1, 2, 3, 4, 5, 6}, .nvidia = {true, &gpu, 1}};
    int r = hqi_core_on_overview(w->core, &w->now, (hq_worker_id){worker}, &load, NULL);
    world_drain(w);
    return r;
}

int world_ended(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance, uint32_t first, uint32_t n,
                uint16_t code)
{
    uint32_t ordinals[ROWS];
    uint64_t age[ROWS] = {0}, duration[ROWS] = {0};
    uint16_t codes[ROWS];
    struct end_text texts[ROWS];
    struct report_end e = {submit, instance, n, ordinals, age, duration, codes, NULL, texts, 0};
    const struct report r = {.ended = &e, .n_ended = 1};
    assert_true(n <= ROWS);
    for (uint32_t i = 0; i < n; i++) {
        ordinals[i] = first + i;
        codes[i] = code;
        if (code == HQ_CODE_TEXT || code == HQ_CODE_LAUNCH)
            texts[e.n_texts++] = (struct end_text){i, bytes_of("no such file")};
    }
    return world_report(w, worker, &r);
}

int world_given(struct world *w, enum given how, uint32_t worker, uint32_t submit, uint32_t instance, uint32_t first,
                uint32_t n)
{
    const struct ord_range range = {first, n};
    const struct task_group g = {.submit = submit, .instance = instance, .ranges = &range, .n_ranges = 1};
    struct report r = {0};
    if (how == RETURNED)
        r = (struct report){.returned = &g, .n_returned = 1};
    else if (how == REJECTED)
        r = (struct report){.rejected = &g, .n_rejected = 1};
    else
        r = (struct report){.crashed = &g, .n_crashed = 1};
    return world_report(w, worker, &r);
}

void world_lose(struct world *w, uint32_t worker, uint8_t reason)
{
    hqi_core_on_worker_lost(w->core, &w->now, (hq_worker_id){worker}, reason);
    world_drain(w);
}

/* ---- restarts ---- */

void world_restart(struct world *w)
{
    uint64_t digest = hqi_state_digest(hqi_core_core_state(w->core));
    hqi_core_core_free(w->core);
    w->core = make_core(w);
    replay(w, w->core);
    assert_true(hqi_state_digest(hqi_core_core_state(w->core)) == digest);
    assert_int_equal(hqi_core_core_start(w->core, &w->now, bytes_of("zzzzzz"), NULL), HQ_OK);
    world_drain(w);
}

#define HELD 8u /* rows that one worker names */

struct listing {
    struct task_group waiting[HELD], crashed[HELD];
    struct report_start started[HELD];
    struct report_end ended[HELD];
    struct ord_range ranges[HELD];
    uint32_t ordinals[HELD][ROWS], submits[HELD];
    uint64_t zeros[ROWS];
    uint16_t codes[ROWS];
};

static void list_held(struct listing *l, struct attach *a, const struct held *h, uint32_t at)
{
    struct task_group g = {.submit = h->submit, .instance = h->instance, .ranges = &l->ranges[at], .n_ranges = 1};
    l->ranges[at] = (struct ord_range){h->first, h->n};
    for (uint32_t i = 0; i < h->n; i++)
        l->ordinals[at][i] = h->first + i;
    if (h->how == HOLDS_WAITING)
        l->waiting[a->n_waiting++] = g;
    else if (h->how == HOLDS_CRASHED)
        l->crashed[a->news.n_crashed++] = g;
    else if (h->how == HOLDS_STARTED)
        l->started[a->news.n_started++] =
            (struct report_start){h->submit, h->instance, h->n, l->ordinals[at], l->zeros, NULL};
    else
        l->ended[a->news.n_ended++] =
            (struct report_end){h->submit, h->instance, h->n, l->ordinals[at], l->zeros, l->zeros, l->codes, NULL, NULL, 0};
}

uint32_t world_back_with(struct world *w, uint32_t nth, uint32_t submits, const struct held *v, uint32_t n)
{
    static struct listing l;
    char token[HQI_TOKEN_BYTES];
    struct attach a = {.worker = {nth}, .token = world_token(nth, token), .server_uid = bytes_of("abcdef"), .epoch = 1,
                       .submits = l.submits, .n_submits = submits, .waiting = l.waiting,
                       .news = {.started = l.started, .ended = l.ended, .crashed = l.crashed}};
    struct worker_config *c = make_config(w, 2, &(struct worker_config){0});
    hq_worker_id id = {0};
    hq_error err;
    assert_true(n <= HELD && submits <= HELD);
    for (uint32_t i = 0; i < submits; i++)
        l.submits[i] = i + 1;
    for (uint32_t i = 0; i < n && v[i].n; i++)
        list_held(&l, &a, &v[i], i);
    a.token = w->as.token.n ? w->as.token : a.token;
    a.server_uid = w->as.server_uid.n ? w->as.server_uid : a.server_uid;
    a.epoch = w->as.epoch ? w->as.epoch : a.epoch;
    int r = hqi_core_on_worker_back(w->core, &w->now, &c, nth, &a, &id, &err);
    hqi_model_config_free(c);
    while (r >= 0 && (r = hqi_core_on_worker_holds(w->core, &w->now, id, &a, &err)) == HQ_ENOMEM)
        r = HQ_OK; /* as often as it takes: each time something else fails */
    if (r < 0)
        hqi_base_buf_addf(&w->said, "%u refused: %d %s\n", nth, r, err.text);
    world_drain(w);
    return r < 0 ? 0 : id.n;
}

/* ---- reading ---- */

void world_task(const struct world *w, uint32_t submit, uint32_t ordinal, struct task_view *ret)
{
    hqi_state_task(hqi_state_submit(hqi_core_core_state(w->core), submit), ordinal, ret);
}

uint64_t world_count(const struct world *w, uint32_t job, uint8_t state)
{
    return hqi_state_job(hqi_core_core_state(w->core), (hq_job_id){job})->counts[state];
}

uint32_t world_active(const struct world *w, uint32_t worker)
{
    return hqi_state_worker(hqi_core_core_state(w->core), (hq_worker_id){worker})->n_active;
}
