/* SPDX-License-Identifier: MIT */
/* history_test.c - the events of stories: they alone tell how each task and job ended, as the state has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/world.h"
#include "journal/history.h"
#include "state/restate.h"
#include "story.h"
#include "wire/record.h"

#define SEEDS 60u
#define JOBS 256u

/* ---- what events have told ---- */

struct task_told {
    uint8_t state;
    bool known;
    uint32_t index, instance, worker;
};

struct job_told {
    bool known, completed, open;
    uint32_t counts[HQ_TASK_STATES];
    struct task_told *tasks; /* owned */
    uint32_t n, room;
};

struct told {
    struct job_told jobs[JOBS];
    bool recalled; /* of a state, which has no more of jobs that were forgotten, nor of a job that it was closed */
    uint64_t last_position;
    uint32_t events;
};

static const struct hq_doc *member(const struct hq_doc *d, const char *name)
{
    const struct hq_doc *m = hqi_model_doc_get(d, name);
    if (!m)
        fail_msg("%s is missing", name);
    return m;
}

static uint32_t number(const struct hq_doc *d, const char *name)
{
    assert_int_equal(member(d, name)->kind, DOC_UINT);
    return (uint32_t)member(d, name)->v.u;
}

static struct job_told *job_of(struct told *t, uint32_t id)
{
    assert_true(id < JOBS);
    return &t->jobs[id];
}

static struct task_told *task_of(struct job_told *j, uint32_t index)
{
    for (uint32_t i = 0; i < j->n; i++)
        if (j->tasks[i].index == index)
            return &j->tasks[i];
    if (j->n == j->room) {
        j->room = 2 * j->room + 16;
        j->tasks = realloc(j->tasks, j->room * sizeof *j->tasks);
    }
    j->tasks[j->n] = (struct task_told){.index = index};
    return &j->tasks[j->n++];
}

static void on_end(struct told *t, uint32_t job, uint32_t index, uint8_t state)
{
    struct job_told *j = job_of(t, job);
    struct task_told *k = task_of(j, index);
    assert_true(j->known && !j->completed);
    assert_true(!k->known || k->state == HQ_TASK_RUNNING); /* nothing ends twice */
    if (state == HQ_TASK_FINISHED)
        assert_true(k->known); /* nothing finishes that was not told to start */
    k->known = true;
    k->state = state;
    j->counts[state]++;
}

static void on_task(struct told *t, const struct hq_doc *e, const char *type)
{
    if (strcmp(type, "task-started") == 0) {
        struct task_told *k = task_of(job_of(t, number(e, "job")), number(e, "task"));
        /* An attempt may come back with its worker, which is then another one. */
        assert_true(!k->known || (k->state == HQ_TASK_RUNNING &&
                                  (number(e, "instance") > k->instance || number(e, "worker") != k->worker)));
        *k = (struct task_told){HQ_TASK_RUNNING, true, k->index, number(e, "instance"), number(e, "worker")};
    } else if (strcmp(type, "task-finished") == 0 || strcmp(type, "task-failed") == 0) {
        bool failed = strcmp(type, "task-failed") == 0;
        on_end(t, number(e, "job"), number(e, "task"), failed ? HQ_TASK_FAILED : HQ_TASK_FINISHED);
        if (failed)
            assert_true(member(e, "error")->n > 0);
    } else {
        const struct hq_doc *tasks = member(e, "tasks");
        uint8_t state = strcmp(type, "task-canceled") == 0 ? HQ_TASK_CANCELED : HQ_TASK_ABORTED;
        assert_true(tasks->n > 0);
        for (uint32_t i = 0; i < tasks->n; i++)
            on_end(t, number(&tasks->v.child[i], "job_id"), number(&tasks->v.child[i], "job_task_id"), state);
    }
}

static void on_job(struct told *t, const struct hq_doc *e, const char *type)
{
    if (strcmp(type, "job-open") == 0) {
        job_of(t, number(e, "job_id"))->known = job_of(t, number(e, "job_id"))->open = true;
    } else if (strcmp(type, "job-created") == 0) {
        struct job_told *j = job_of(t, number(e, "job"));
        assert_int_equal(j->open, !member(e, "closed_job")->v.b);
        j->known = true;
    } else if (strcmp(type, "job-close") == 0) {
        assert_true(job_of(t, number(e, "job_id"))->open);
        job_of(t, number(e, "job_id"))->open = false;
    } else if (strcmp(type, "job-completed") == 0) {
        struct job_told *j = job_of(t, number(e, "job"));
        assert_true(j->known && !j->completed && j->open == t->recalled);
        j->completed = true;
    } else {
        assert_string_equal(type, "job-cancel");
        assert_string_equal(member(e, "reason")->v.p, "because");
    }
}

/* Whoever prints the members as they come has them sorted. */
static void expect_sorted(const struct hq_doc *d)
{
    for (uint32_t i = 0; (d->kind == DOC_MAP || d->kind == DOC_LIST) && i < d->n; i++) {
        if (d->kind == DOC_MAP && i > 0)
            assert_true(strcmp(d->v.child[i - 1].name, d->v.child[i].name) < 0);
        if (d->v.child[i].kind == DOC_BYTES)
            assert_int_equal(d->v.child[i].v.p[d->v.child[i].n], '\0');
        expect_sorted(&d->v.child[i]);
    }
}

static void on_event(struct told *t, const struct hq_doc *d)
{
    const struct hq_doc *e = member(d, "event");
    const char *type = member(e, "type")->v.p;
    t->events++;
    assert_true(member(d, "time")->v.u >= WORLD_UTC);
    expect_sorted(d);
    if (strncmp(type, "task-", 5) == 0)
        on_task(t, e, type);
    else if (strncmp(type, "job-", 4) == 0)
        on_job(t, e, type);
}

static void compare(struct told *t, const struct state *st)
{
    for (uint32_t id = 1; id <= st->n_jobs; id++) {
        const struct job *j = st->jobs[id];
        struct job_told *told = job_of(t, id);
        assert_true(told->known || (t->recalled && !j));
        if (!j)
            continue;
        assert_int_equal(told->completed, hqi_state_job_ended(j));
        assert_int_equal(told->open, t->recalled || j->open);
        for (uint32_t i = HQ_TASK_FINISHED; i < HQ_TASK_STATES; i++)
            assert_int_equal(told->counts[i], j->counts[i]);
        for (uint32_t i = 0; i < told->n; i++) {
            struct task_view v;
            uint32_t ordinal;
            struct submit *s = hqi_state_job_find(j, told->tasks[i].index, &ordinal);
            hqi_state_task(s, ordinal, &v);
            if (v.state == HQ_TASK_RUNNING || v.state == HQ_TASK_FINISHED) {
                assert_int_equal(told->tasks[i].state, v.state);
                assert_int_equal(told->tasks[i].worker, v.worker);
                assert_int_equal(told->tasks[i].instance, v.instance);
            }
        }
    }
}

/* ---- tests ---- */

static int tell_all(const struct story *s, const struct alloc *a, struct told *t, hq_error *err)
{
    struct history *h;
    const struct hq_doc *d;
    int r = hqi_journal_history_new(&h, a, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < s->n && r >= 0; i++) {
        r = hqi_journal_history_feed(h, s->records[i].position, s->records[i].bytes, err);
        while (r >= 0 && (r = hqi_journal_history_next(h, &d, err)) > 0)
            on_event(t, d);
        if (r == 0)
            assert_int_equal(hqi_journal_history_position(h), s->records[i].position);
    }
    hqi_journal_history_free(h);
    return r;
}

static void free_told(struct told *t)
{
    for (uint32_t i = 0; i < JOBS; i++)
        free(t->jobs[i].tasks);
    free(t);
}

static void events_tell_what_the_state_says(void **unused)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct story s;
        struct told *t = calloc(1, sizeof *t);
        hq_error err;
        struct state *st;
        story_make(&s, seed, 300);
        if (tell_all(&s, &hqi_base_alloc_libc, t, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(hqi_state_state_new(&st, &hqi_base_alloc_libc, NULL), HQ_OK);
        for (uint32_t i = 0; i < s.n; i++)
            story_feed(st, s.records[i].position, s.records[i].bytes);
        compare(t, st);
        assert_true(t->events > 100);
        hqi_state_state_free(st);
        free_told(t);
        story_fini(&s);
    }
}

static void every_allocation_fails(void **unused)
{
    struct story s;
    story_make(&s, 3, 60);
    for (size_t at = 1;; at++) {
        struct failing mem;
        struct told *t = calloc(1, sizeof *t);
        hq_error err;
        failing_init(&mem, at);
        int r = tell_all(&s, &mem.alloc, t, &err);
        free_told(t);
        if (r < 0)
            assert_int_equal(err.code, HQ_ENOMEM);
        assert_int_equal(mem.live, 0);
        if (!mem.hit)
            break;
    }
    story_fini(&s);
}

/* A job of many tasks that nobody touched is given up in pieces, not in one event of gigabytes. */
static void a_large_job_is_given_up_in_pieces(void **unused)
{
    const hq_range ids = {0, 3 * EVENT_TASKS / 2, 2};
    struct world w;
    struct history *h;
    const struct hq_doc *d;
    hq_error err;
    uint32_t length, events = 0, tasks = 0, completed = 0;
    uint64_t position = 0;
    world_open(&w);
    submit(&w, .ids = &ids);
    world_jobs(&w, COMMAND_JOB_CANCEL, 1);
    assert_int_equal(hqi_journal_history_new(&h, &hqi_base_alloc_libc, NULL), HQ_OK);
    for (size_t at = 0; at < w.records.n; at += sizeof length + length) {
        memcpy(&length, w.records.p + at, sizeof length);
        assert_int_equal(hqi_journal_history_feed(h, ++position, (struct bytes){w.records.p + at + sizeof length, length}, &err),
                         HQ_OK);
        while (hqi_journal_history_next(h, &d, &err) > 0) {
            const struct hq_doc *e = member(d, "event"), *list = hqi_model_doc_get(e, "tasks");
            completed += strcmp(member(e, "type")->v.p, "job-completed") == 0;
            for (uint32_t i = 0; list && i < list->n; i++)
                assert_int_equal(number(&list->v.child[i], "job_task_id"), 2 * tasks++);
            events += list != NULL;
        }
    }
    assert_int_equal(events, 2);
    assert_int_equal(tasks, ids.count);
    assert_int_equal(completed, 1);
    hqi_journal_history_free(h);
    world_close(&w);
}

static void records_of_no_server(void **unused)
{
    struct history *h;
    struct story s;
    const struct hq_doc *d;
    hq_error err;
    story_make(&s, 1, 50);
    assert_int_equal(hqi_journal_history_new(&h, &hqi_base_alloc_libc, NULL), HQ_OK);
    assert_true(hqi_journal_history_feed(h, 1, bytes_of("no record"), &err) < 0);
    assert_int_equal(hqi_journal_history_feed(h, s.records[s.n - 2].position, s.records[s.n - 2].bytes, &err), HQ_OK);
    assert_int_equal(hqi_journal_history_next(h, &d, &err), HQ_EJOURNAL); /* of tasks that nobody submitted */
    hqi_journal_history_free(h);
    story_fini(&s);
}

/* ---- a reader that comes late, to a server without a journal ---- */

/* State and history of the first `cut` records of a story; the history knows the state only. */
struct late {
    struct state *st;
    struct history *h;
    uint64_t position; /* of the history */
};

static int learn(void *user, const struct fact *facts, uint32_t n)
{
    struct late *l = user;
    struct buf record;
    hqi_base_buf_init(&record, &hqi_base_alloc_libc);
    hqi_wire_record_encode(facts, n, &record);
    int r = hqi_journal_history_learn(l->h, l->position += n, hqi_base_buf_bytes(&record), NULL);
    hqi_base_buf_fini(&record);
    return r;
}

static int restate(struct late *l, const struct alloc *a)
{
    const struct restate r = {a, WORLD_UTC, WORLD_UTC + 100000000, learn, l};
    hq_error err;
    l->position = 0;
    int code = hqi_journal_history_new(&l->h, a, &err);
    if (code >= 0)
        code = hqi_state_restate(l->st, &r);
    return code < 0 ? code : hqi_journal_history_recall(l->h, &err);
}

static void come_late(struct late *l, const struct story *s, uint32_t cut)
{
    *l = (struct late){.h = NULL};
    assert_int_equal(hqi_state_state_new(&l->st, &hqi_base_alloc_libc, NULL), HQ_OK);
    for (uint32_t i = 0; i < cut; i++)
        story_feed(l->st, s->records[i].position, s->records[i].bytes);
}

static void leave(struct late *l)
{
    hqi_journal_history_free(l->h);
    l->h = NULL;
    hqi_state_state_free(l->st);
}

static void what_is_recalled_is_what_the_state_says(void **unused)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct story s;
        struct late l;
        const struct hq_doc *d;
        uint64_t last = 0;
        int r;
        story_make(&s, seed, 300);
        struct told *t = calloc(1, sizeof *t);
        t->recalled = true;
        come_late(&l, &s, s.n - (uint32_t)(seed * 7 % (s.n / 2)));
        assert_int_equal(restate(&l, &hqi_base_alloc_libc), HQ_OK);
        while ((r = hqi_journal_history_next(l.h, &d, NULL)) > 0) {
            on_event(t, d);
            assert_true(member(d, "time")->v.u >= last);
            last = member(d, "time")->v.u;
        }
        assert_int_equal(r, 0);
        compare(t, l.st);
        leave(&l);
        free_told(t);
        story_fini(&s);
    }
}

static void print(struct buf *out, const struct hq_doc *d)
{
    hqi_base_buf_add(out, &d->kind, sizeof d->kind);
    if (d->name)
        hqi_base_buf_add(out, d->name, strlen(d->name));
    if (d->kind == DOC_BYTES)
        hqi_base_buf_add(out, d->v.p, d->n);
    else if (d->kind != DOC_MAP && d->kind != DOC_LIST)
        hqi_base_buf_add(out, &d->v, sizeof d->v);
    for (uint32_t i = 0; (d->kind == DOC_MAP || d->kind == DOC_LIST) && i < d->n; i++)
        print(out, &d->v.child[i]);
}

static void tell_record(struct history *h, uint64_t position, struct bytes record, struct buf *out)
{
    const struct hq_doc *d;
    hq_error err;
    int r = hqi_journal_history_feed(h, position, record, &err);
    while (r >= 0 && (r = hqi_journal_history_next(h, &d, &err)) > 0)
        if (out)
            print(out, d);
    if (r < 0)
        fail_msg("%s", err.text);
}

/* As a server sends it: without what is large. */
static void tell_lean(struct late *l, struct bytes record, struct buf *out)
{
    struct arena mem;
    struct fact *facts;
    struct buf lean;
    uint32_t n;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&lean, &hqi_base_alloc_libc);
    assert_int_equal(hqi_wire_record_decode(&facts, &n, record, &hqi_base_alloc_libc, &mem, NULL), HQ_OK);
    hqi_wire_record_encode(hqi_state_restate_lean(facts, n, &mem), n, &lean);
    tell_record(l->h, l->position += n, hqi_base_buf_bytes(&lean), out);
    hqi_wire_record_drop(facts, n);
    hqi_base_buf_fini(&lean);
    hqi_base_arena_fini(&mem);
}

/* Byte for byte, whenever the reader comes. */
static void what_follows_is_told_the_same(void **unused)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct story s;
        struct late l;
        struct history *whole;
        struct buf a, b;
        const struct hq_doc *d;
        story_make(&s, seed, 300);
        uint32_t cut = 1 + (uint32_t)(seed * 31 % (s.n - 1)); /* the last one is the stop */
        hqi_base_buf_init(&a, &hqi_base_alloc_libc);
        hqi_base_buf_init(&b, &hqi_base_alloc_libc);
        come_late(&l, &s, cut);
        assert_int_equal(restate(&l, &hqi_base_alloc_libc), HQ_OK);
        while (hqi_journal_history_next(l.h, &d, NULL) > 0)
            ;
        assert_int_equal(hqi_journal_history_new(&whole, &hqi_base_alloc_libc, NULL), HQ_OK);
        for (uint32_t i = 0; i < s.n; i++) {
            tell_record(whole, s.records[i].position, s.records[i].bytes, i < cut ? NULL : &a);
            if (i >= cut)
                tell_lean(&l, s.records[i].bytes, &b);
            assert_int_equal(a.n, b.n);
        }
        assert_true(a.n > 0);
        assert_memory_equal(a.p, b.p, a.n);
        hqi_journal_history_free(whole);
        hqi_base_buf_fini(&a);
        hqi_base_buf_fini(&b);
        leave(&l);
        story_fini(&s);
    }
}

static void every_allocation_of_a_late_reader_fails(void **unused)
{
    struct story s;
    struct late l;
    bool hit = true;
    story_make(&s, 3, 100);
    come_late(&l, &s, s.n);
    for (size_t at = 1; hit; at++) {
        struct failing mem;
        const struct hq_doc *d;
        failing_init(&mem, at);
        int r = restate(&l, &mem.alloc);
        while (r >= 0 && (r = hqi_journal_history_next(l.h, &d, NULL)) > 0)
            ;
        if (r != 0) /* else an error text was lost */
            assert_int_equal(r, HQ_ENOMEM);
        assert_true(mem.hit || r == 0);
        hqi_journal_history_free(l.h);
        l.h = NULL;
        assert_int_equal(mem.live, 0);
        hit = mem.hit;
    }
    leave(&l);
    story_fini(&s);
}

/* Nothing in it for each task. */
static void a_billion_tasks_that_nobody_touched(void **unused)
{
    const hq_range ids = {0, 1000000000, 1};
    struct world w;
    struct late l = {.h = NULL};
    const struct hq_doc *d;
    uint32_t events = 0;
    world_open(&w);
    submit(&w, .ids = &ids);
    l.st = (struct state *)hqi_core_core_state(w.core);
    assert_int_equal(restate(&l, &hqi_base_alloc_libc), HQ_OK);
    while (hqi_journal_history_next(l.h, &d, NULL) > 0)
        events++;
    assert_int_equal(events, 3); /* the server's start, job-open, job-created */
    hqi_journal_history_free(l.h);
    world_jobs(&w, COMMAND_JOB_CANCEL, 1);
    assert_int_equal(restate(&l, &hqi_base_alloc_libc), HQ_OK);
    for (events = 0; events < 5; events++) {
        assert_int_equal(hqi_journal_history_next(l.h, &d, NULL), 1);
        if (events == 4) /* in pieces */
            assert_int_equal(member(member(d, "event"), "tasks")->n, EVENT_TASKS);
    }
    hqi_journal_history_free(l.h);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_tell_what_the_state_says),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(a_large_job_is_given_up_in_pieces),
        cmocka_unit_test(records_of_no_server),
        cmocka_unit_test(what_is_recalled_is_what_the_state_says),
        cmocka_unit_test(what_follows_is_told_the_same),
        cmocka_unit_test(every_allocation_of_a_late_reader_fails),
        cmocka_unit_test(a_billion_tasks_that_nobody_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
