/* SPDX-License-Identifier: MIT */
/* write_main.c - journal_write PATH SEED STEPS: writes the journal of a story; journal_write PATH example: that of a short
 * session, the same one each time, with everything that `hq journal export` shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/world.h"
#include "story.h"

/* ---- the session ---- */

static void join_as(struct world *w, const char *host)
{
    struct worker_config *c = hqi_model_config_new(&w->mem.alloc);
    struct resource_def *d = hqi_base_arena_zero(c->mem, 1, sizeof *d);
    hq_worker_id id;
    d[0] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .start = 0, .end = 3};
    c->hostname = bytes_of(host);
    c->group = bytes_of("default");
    c->work_dir = bytes_of("/tmp/work");
    c->listen_address = bytes_of("w1:12345");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->pid = 4711;
    c->resources = (struct resources){d, 1};
    assert_int_equal(hqi_core_on_worker_join(w->core, &w->now, &c, 0, (struct bytes){0}, &id, NULL), HQ_OK);
    world_drain(w);
}

static void run_all(struct world *w, uint32_t submit, uint32_t n, uint16_t code)
{
    world_tick(w);
    world_pass_ms(w, 100);
    world_started(w, 1, submit, 0, 0, n);
    world_pass_ms(w, 150);
    world_ended(w, 1, submit, 0, 0, n, code);
}

static void cancel(struct world *w, uint32_t job, const char *reason)
{
    struct command cmd = {.kind = COMMAND_JOB_CANCEL};
    uint32_t none = 0;
    hq_range r = {job, 1, 1};
    cmd.u.jobs.jobs = (struct selector){.kind = SELECT_IDS, .ids = (struct intset){&r, &none, 1, 1, true}};
    cmd.u.jobs.reason = bytes_of(reason);
    world_command(w, &cmd);
}

static void example(struct world *w)
{
    const hq_range three = {1, 3, 1}, two = {1, 2, 1};
    join_as(w, "w1");
    submit(w, .name = "done", .ids = &three);
    run_all(w, 1, 3, 0);
    world_overview(w, 1);
    submit(w, .name = "bash", .n_auto = 1);
    run_all(w, 2, 1, 2);
    world_open_job(w, "open", NO_LIMIT);
    submit(w, .name = "true", .n_auto = 1, .job = 3);
    run_all(w, 3, 1, 0);
    submit(w, .name = "true", .ids = &two, .cpus = 100);
    world_tick(w);
    cancel(w, 4, "too \"large\"");
    submit(w, .name = "once", .n_auto = 1, .crash_limit = CRASH_NEVER);
    world_tick(w);
    world_pass_ms(w, 20);
    world_started(w, 1, 5, 0, 0, 1);
    submit(w, .name = "again", .n_auto = 1);
    submit(w, .name = "fails", .n_auto = 3, .limit_fails = true);
    world_tick(w);
    world_pass_ms(w, 10);
    world_ended(w, 1, 7, 0, 0, 1, HQ_CODE_TEXT);
    world_lose(w, 1, HQ_WORKER_HEARTBEAT_LOST);
    world_jobs(w, COMMAND_JOB_CLOSE, 3);
    world_pass_ms(w, 10);
    hqi_core_stopped(w->core, &w->now);
}

static void write_example(const char *path)
{
    struct world w;
    struct draft d;
    struct state *st;
    uint32_t length;
    world_open(&w);
    example(&w);
    assert_int_equal(hqi_state_state_new(&st, &hqi_base_alloc_libc, NULL), HQ_OK);
    assert_int_equal(hqi_journal_draft_begin(&d, &hqi_base_alloc_libc, &hqi_journal_io_system, path, "abcdef", true, NULL),
                     HQ_OK);
    for (size_t at = 0; at < w.records.n; at += sizeof length + length) {
        memcpy(&length, w.records.p + at, sizeof length);
        struct bytes record = {w.records.p + at + sizeof length, length};
        story_feed(st, 0, record);
        assert_int_equal(hqi_journal_draft_put(&d, st->position, record, NULL), HQ_OK);
    }
    assert_int_equal(hqi_journal_draft_sync(&d, NULL), HQ_OK);
    hqi_journal_draft_fini(&d);
    hqi_state_state_free(st);
    world_close(&w);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "example") == 0) {
        write_example(argv[1]);
        return 0;
    }
    if (argc != 4) {
        fprintf(stderr, "usage: journal_write PATH SEED STEPS | PATH example\n");
        return 2;
    }
    struct story s;
    story_make(&s, strtoull(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10));
    story_write(&s, 0, s.n, &hqi_journal_io_system, argv[1]);
    story_fini(&s);
    return 0;
}
