/* SPDX-License-Identifier: MIT */
/* hot_paths.c - the way of many tasks through the pure parts, for counting instructions (instructions.py).
 *
 * A server's core and a worker of 128 cpus pass each other the bytes that they would send; the clock moves when it is told
 * to, tasks end as soon as they are launched. Each step of the way is a function of its own, stage_NAME, that is counted by
 * itself. All is the same in every run. Prints, as JSON, what there was; exits 1 unless all tasks finished. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "tasks/tasks.h"
#include "text/array.h"
#include "wire/client.h"
#include "wire/worker.h"

#define TASKS 8000u
#define RANGES 1000u
#define CPUS 128u
#define HELPERS 2u
#define TURN_MS 1u
#define TURNS 10000u /* far more than are needed: then something hangs */
#define STAGE __attribute__((noinline, used)) static

struct rig {
    struct core *core;            /* owned */
    struct worker_config *config; /* owned: the worker's */
    struct tasks *tasks;          /* owned: the worker's */
    hq_worker_id worker;
    struct now now;
    struct arena in;   /* what was decoded last */
    struct buf frame;  /* what was encoded last */
    struct to_worker_batch work;
    struct from_worker news;
    struct to_helper *launches;
    struct from_helper *outcomes; /* of the same number */
    uint32_t n_launches, n_outcomes;
    uint64_t n_page;
};

static void check(int rc, const hq_error *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "hot_paths: %s\n", err->text);
    exit(1);
}

static void expect(bool ok, const char *what)
{
    const hq_error err = {.text = {0}};
    if (!ok)
        fprintf(stderr, "hot_paths: %s\n", what);
    check(ok ? 0 : HQ_EINTERNAL, &err);
}

static struct bytes encoded(struct rig *r)
{
    expect(!r->frame.failed, "no memory");
    return hqi_base_buf_bytes(&r->frame);
}

/* ---- texts ---- */

STAGE void stage_parse(struct bytes text, uint64_t expected)
{
    struct text_array array;
    struct arena mem;
    struct buf why;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&why, &hqi_base_alloc_libc);
    expect(hqi_text_array_parse(&array, &mem, text, &why) == HQ_OK && array.n == expected, "an array is refused");
    hqi_base_buf_fini(&why);
    hqi_base_arena_fini(&mem);
}

static void parse_ranges(void)
{
    struct buf text;
    hqi_base_buf_init(&text, &hqi_base_alloc_libc);
    for (uint32_t i = 0; i < RANGES; i++)
        hqi_base_buf_addf(&text, "%s%u-%u", i ? "," : "", 1000 * i, 1000 * i + i % 500);
    stage_parse(hqi_base_buf_bytes(&text), RANGES);
    hqi_base_buf_fini(&text);
}

/* ---- server to worker ---- */

STAGE void stage_plan(struct rig *r)
{
    hqi_core_tick(r->core, &r->now);
}

STAGE void stage_encode_work(struct rig *r)
{
    const struct out *o;
    hqi_base_buf_clear(&r->frame);
    for (; (o = hqi_core_peek(r->core)); hqi_core_pop(r->core)) {
        const struct to_worker_batch batch = {.items = &o->u.to_worker, .n = 1};
        if (o->kind == OUT_WORKER)
            hqi_wire_worker_encode_to(&batch, &r->frame);
    }
}

STAGE void stage_decode_work(struct rig *r)
{
    hq_error err;
    hqi_base_arena_clear(&r->in);
    check(hqi_wire_worker_decode_to(&r->work, encoded(r), &hqi_base_alloc_libc, &r->in, &err), &err);
}

STAGE void stage_take_work(struct rig *r)
{
    hq_error err;
    for (uint32_t i = 0; i < r->work.n; i++)
        check(hqi_tasks_on_server(r->tasks, &r->now, (struct to_worker *)&r->work.items[i], &err), &err);
}

/* ---- worker to helper and back ---- */

STAGE uint32_t stage_launch(struct rig *r, uint32_t helper, const struct to_helper **items)
{
    return hqi_tasks_take_helper(r->tasks, helper, items);
}

STAGE void stage_encode_launches(struct rig *r, const struct to_helper *items, uint32_t n)
{
    hqi_base_buf_clear(&r->frame);
    hqi_wire_helper_encode_to(items, n, &r->frame);
}

STAGE void stage_decode_launches(struct rig *r)
{
    hq_error err;
    hqi_base_arena_clear(&r->in);
    check(hqi_wire_helper_decode_to(&r->launches, &r->n_launches, encoded(r), &r->in, &err), &err);
}

STAGE void stage_encode_outcomes(struct rig *r)
{
    hqi_base_buf_clear(&r->frame);
    hqi_wire_helper_encode_from(r->outcomes, r->n_outcomes, &r->frame);
}

STAGE void stage_decode_outcomes(struct rig *r)
{
    hq_error err;
    hqi_base_arena_clear(&r->in);
    check(hqi_wire_helper_decode_from(&r->outcomes, &r->n_outcomes, encoded(r), &r->in, &err), &err);
}

STAGE void stage_take_outcomes(struct rig *r, uint32_t helper)
{
    hq_error err;
    for (uint32_t i = 0; i < r->n_outcomes; i++)
        check(hqi_tasks_on_helper(r->tasks, &r->now, helper, &r->outcomes[i], &err), &err);
}

/* Each launch has ended well. */
static void end_launches(struct rig *r)
{
    r->n_outcomes = 0;
    r->outcomes = hqi_base_arena_zero(&r->in, r->n_launches, sizeof *r->outcomes);
    expect(r->outcomes != NULL, "no memory");
    for (uint32_t i = 0; i < r->n_launches; i++)
        if (r->launches[i].kind == TO_HELPER_LAUNCH)
            r->outcomes[r->n_outcomes++] = (struct from_helper){
                .kind = FROM_HELPER_ENDED,
                .u.ended = {.key = r->launches[i].u.launch.key, .age_ms = 1, .duration_ms = 1, .user_us = 500,
                            .system_us = 500, .max_rss_kb = 1000}};
}

static void run_helper(struct rig *r, uint32_t helper)
{
    const struct to_helper *items;
    for (uint32_t n; (n = stage_launch(r, helper, &items)) > 0;) {
        stage_encode_launches(r, items, n);
        stage_decode_launches(r);
        end_launches(r);
        stage_encode_outcomes(r);
        stage_decode_outcomes(r);
        stage_take_outcomes(r, helper);
    }
}

/* ---- worker to server ---- */

STAGE bool stage_report(struct rig *r)
{
    r->news.kind = FROM_WORKER_REPORT;
    return hqi_tasks_take_report(r->tasks, &r->now, &r->news.u.report);
}

STAGE void stage_encode_report(struct rig *r)
{
    hqi_base_buf_clear(&r->frame);
    hqi_wire_worker_encode_from(&r->news, &r->frame);
}

STAGE void stage_decode_report(struct rig *r)
{
    hq_error err;
    hqi_base_arena_clear(&r->in);
    check(hqi_wire_worker_decode_from(&r->news, encoded(r), &hqi_base_alloc_libc, &r->in, &err), &err);
}

STAGE void stage_take_report(struct rig *r)
{
    hq_error err;
    check(hqi_core_on_report(r->core, &r->now, r->worker, &r->news.u.report, &err), &err);
}

/* ---- the way ---- */

static void turn(struct rig *r)
{
    r->now.mono_ns += TURN_MS * HQI_MS;
    r->now.utc_ms += TURN_MS;
    stage_plan(r);
    stage_encode_work(r);
    stage_decode_work(r);
    stage_take_work(r);
    for (uint32_t h = 0; h < HELPERS; h++)
        run_helper(r, h);
    while (stage_report(r)) {
        stage_encode_report(r);
        stage_decode_report(r);
        stage_take_report(r);
    }
}

static struct worker_config *make_config(void)
{
    struct worker_config *c = hqi_model_config_new(&hqi_base_alloc_libc);
    struct resource_def *d = c ? hqi_base_arena_zero(c->mem, 1, sizeof *d) : NULL;
    expect(d != NULL, "no memory");
    *d = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .end = CPUS - 1};
    c->hostname = bytes_of("node");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->resources = (struct resources){d, 1};
    return c;
}

static struct spec *make_spec(void)
{
    static const struct request_entry cpus = {{"cpus", 4}, POLICY_COMPACT, HQ_UNITS};
    static const struct request_variant variant = {.entries = &cpus, .n_entries = 1, .weight = HQ_UNITS};
    static const struct bytes argv[] = {{"/bin/true", 9}};
    const hq_range ids = {1, TASKS, 1};
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    expect(s && hqi_model_intset_make(&s->ids, s->mem, &ids, 1, NULL) == HQ_OK, "no memory");
    s->argv = argv;
    s->n_argv = 1;
    s->submit_dir = s->cwd = bytes_of("/tmp");
    s->out = s->err = (struct stdio_spec){STDIO_FILE, false, bytes_of("job-%{JOB_ID}/%{TASK_ID}.out")};
    s->request = (struct resource_request){&variant, 1};
    s->crash_limit = CRASH_DEFAULT;
    return s;
}

static void ask(struct rig *r, struct command *cmd)
{
    cmd->id = 1;
    hqi_core_on_command(r->core, &r->now, 1, cmd);
}

STAGE void stage_submit(struct rig *r, struct command *cmd)
{
    ask(r, cmd);
}

/* All there is of one job: pages, encoded. */
STAGE uint64_t stage_page(struct rig *r, uint64_t cursor)
{
    struct command cmd = {.kind = COMMAND_TASK_PAGE, .u.task_page = {.job = {1}, .cursor = cursor}};
    ask(r, &cmd);
    const struct out *o = hqi_core_peek(r->core);
    expect(o && o->kind == OUT_REPLY && o->u.reply.code == HQ_OK, "no page of tasks");
    hqi_base_buf_clear(&r->frame);
    hqi_wire_client_encode_reply(&o->u.reply, &r->frame);
    r->n_page += o->u.reply.u.tasks.n;
    uint64_t next = o->u.reply.u.tasks.next;
    hqi_core_pop(r->core);
    return next;
}

static void open_rig(struct rig *r)
{
    const struct core_options o = {.alloc = &hqi_base_alloc_libc};
    struct worker_config *joins = make_config();
    hq_error err;
    r->now = (struct now){HQI_SEC, 1700000000000ull};
    r->config = make_config();
    hqi_base_arena_init(&r->in, &hqi_base_alloc_libc);
    hqi_base_buf_init(&r->frame, &hqi_base_alloc_libc);
    check(hqi_core_core_new(&r->core, &o, &err), &err);
    check(hqi_core_core_start(r->core, &r->now, bytes_of("abcdef"), &err), &err);
    check(hqi_core_on_worker_join(r->core, &r->now, &joins, 0, (struct bytes){0}, &r->worker, &err), &err);
    const struct tasks_options t = {.alloc = &hqi_base_alloc_libc, .config = r->config, .n_helpers = HELPERS};
    check(hqi_tasks_tasks_new(&r->tasks, &t, &err), &err);
}

static void close_rig(struct rig *r)
{
    hqi_tasks_tasks_free(r->tasks);
    hqi_core_core_free(r->core);
    hqi_model_config_free(r->config);
    hqi_base_arena_fini(&r->in);
    hqi_base_buf_fini(&r->frame);
}

static bool all_finished(const struct rig *r)
{
    const struct job *j = hqi_state_job(hqi_core_core_state(r->core), (hq_job_id){1});
    return j && j->counts[HQ_TASK_FINISHED] == TASKS;
}

int main(void)
{
    struct rig r = {0};
    struct command submit = {.kind = COMMAND_SUBMIT, .key = {1, 1}};
    submit.u.submit.spec = make_spec();
    submit.u.submit.name = bytes_of("job");
    submit.u.submit.max_fails = UINT32_MAX;
    parse_ranges();
    open_rig(&r);
    stage_submit(&r, &submit);
    for (unsigned i = 0; i < TURNS && !all_finished(&r); i++)
        turn(&r);
    expect(all_finished(&r), "not all tasks have finished");
    turn(&r); /* the worker hears that the job is over */
    for (uint64_t cursor = 0; (cursor = stage_page(&r, cursor)) != 0;)
        ;
    expect(r.n_page == TASKS, "not all tasks were listed");
    printf("{\"tasks\": %u, \"ranges\": %u, \"submits\": 1}\n", TASKS, RANGES);
    close_rig(&r);
    return 0;
}
