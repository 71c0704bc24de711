/* SPDX-License-Identifier: MIT */
/* rig.h - a worker's core on a bench: submits and requests as people write them, messages and reports as text.
 *
 * Tasks are called "submit.ordinal"; a task's id is its ordinal plus 100 times its submit. */
#ifndef TESTS_TASKS_RIG_H
#define TESTS_TASKS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "hqcore/types.h"
#include "tasks/tasks.h"
#include "text/request.h"
#include "text/resource_def.h"

#define RIG_KEYS 4096
#define RIG_SPECS 64

struct rig {
    struct failing mem;
    struct arena arena;
    struct worker_config config;
    struct resource_def defs[4];
    struct tasks *tasks;
    uint32_t n_helpers;
    struct now now;
    struct buf text;
    uint32_t specs[RIG_SPECS]; /* by number: the submit */
    struct rig_key {           /* by key */
        uint32_t submit, ord, helper;
    } keys[RIG_KEYS];
    char name[32];
};

/* "cpus=2; mem=sum(4)", no spaces needed */
static inline void rig_parse_node(struct rig *r, const char *node)
{
    char copy[256], *save = NULL;
    uint32_t n = 0;
    strcpy(copy, node);
    for (char *one = strtok_r(copy, ";", &save); one; one = strtok_r(NULL, ";", &save), n++) {
        int rc = strncmp(one, "cpus=", 5) == 0
                     ? hqi_text_resource_def_parse_cpus(&r->defs[n], &r->arena, bytes_of(one + 5), NULL)
                     : hqi_text_resource_def_parse(&r->defs[n], &r->arena, bytes_of(one), NULL);
        assert_int_equal(rc, 0);
    }
    hqi_model_resource_sort(r->defs, n);
    r->config.resources = (struct resources){r->defs, n};
}

static inline struct tasks_options rig_options(struct rig *r)
{
    return (struct tasks_options){.alloc = &r->mem.alloc, .config = &r->config, .n_helpers = r->n_helpers,
                                  .hq_path = bytes_of("/bin/hq")};
}

static inline void rig_init(struct rig *r, const char *node, uint32_t n_helpers)
{
    memset(r, 0, sizeof *r);
    failing_init(&r->mem, 0);
    hqi_base_arena_init(&r->arena, &hqi_base_alloc_libc);
    hqi_base_buf_init(&r->text, &hqi_base_alloc_libc);
    r->now = (struct now){.mono_ns = 1000 * HQI_SEC, .utc_ms = 1};
    r->n_helpers = n_helpers;
    rig_parse_node(r, node);
    struct tasks_options o = rig_options(r);
    assert_int_equal(hqi_tasks_tasks_new(&r->tasks, &o, NULL), 0);
}

static inline void rig_verify(struct rig *r)
{
    hq_error err = {0};
    struct failing mem = r->mem;
    r->mem.fail_at = 0; /* the check itself may have memory */
    if (hqi_tasks_verify(r->tasks, &err) < 0)
        fail_msg("%s", err.text);
    r->mem.calls = mem.calls;
    r->mem.fail_at = mem.fail_at;
}

static inline void rig_fini(struct rig *r)
{
    hqi_tasks_tasks_free(r->tasks);
    assert_int_equal(r->mem.live, 0);
    hqi_base_arena_fini(&r->arena);
    hqi_base_buf_fini(&r->text);
}

/* ---- from the server ---- */

/* "cpus=1; gpus=2"; variants apart by '|' */
static inline void rig_parse_request(struct arena *mem, const char *in, struct resource_request *ret)
{
    struct request_variant *variants = hqi_base_arena_zero(mem, 4, sizeof *variants);
    char copy[256], *save = NULL, *save_entry = NULL;
    strcpy(copy, in);
    *ret = (struct resource_request){variants, 0};
    for (char *v = strtok_r(copy, "|", &save); v; v = strtok_r(NULL, "|", &save)) {
        struct request_entry *entries = hqi_base_arena_zero(mem, 4, sizeof *entries);
        struct request_variant *variant = &variants[ret->n_variants++];
        *variant = (struct request_variant){.entries = entries, .weight = HQ_UNITS};
        for (char *e = strtok_r(v, ";", &save_entry); e; e = strtok_r(NULL, ";", &save_entry))
            assert_int_equal(hqi_text_request_parse(&entries[variant->n_entries++], mem, bytes_of(e), NULL), 0);
    }
}

/* A spec on the heap of libc, to be changed before rig_give. argv[0] is the submit's number. */
static inline struct spec *rig_spec(const char *request, int32_t priority)
{
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    struct bytes *argv = hqi_base_arena_zero(s->mem, 1, sizeof *argv);
    s->argv = argv;
    s->n_argv = 1;
    s->submit_dir = s->cwd = bytes_of("/sub");
    s->out.kind = s->err.kind = STDIO_NONE;
    s->priority = priority;
    rig_parse_request(s->mem, request, &s->request);
    return s;
}

static inline int rig_give(struct rig *r, uint32_t submit, struct spec *s)
{
    struct to_worker item = {.kind = TO_WORKER_SPEC};
    ((struct bytes *)s->argv)[0] = bytes_of(hqi_base_arena_printf(s->mem, "%u", submit));
    item.u.spec.submit = submit;
    item.u.spec.job = (hq_job_id){submit};
    item.u.spec.server_uid = bytes_of("uid");
    item.u.spec.spec = s;
    int rc = hqi_tasks_on_server(r->tasks, &r->now, &item, NULL);
    assert_true((rc == 0) == (item.u.spec.spec == NULL));
    if (rc < 0)
        hqi_model_spec_free(s);
    return rc;
}

static inline void rig_submit(struct rig *r, uint32_t submit, const char *request, int32_t priority)
{
    assert_int_equal(rig_give(r, submit, rig_spec(request, priority)), 0);
}

static inline int rig_try_assign(struct rig *r, uint32_t submit, uint32_t first, uint32_t count, uint32_t instance)
{
    const struct ord_range range = {first, count};
    const hq_range ids = {submit * 100 + first, count, 1};
    const struct assign_group g = {.submit = submit, .instance = instance, .ranges = &range, .n_ranges = 1, .ids = &ids,
                                   .n_ids = 1};
    struct to_worker item = {.kind = TO_WORKER_ASSIGN};
    item.u.assign.groups = &g;
    item.u.assign.n_groups = 1;
    return hqi_tasks_on_server(r->tasks, &r->now, &item, NULL);
}

static inline void rig_assign(struct rig *r, uint32_t submit, uint32_t first, uint32_t count)
{
    assert_int_equal(rig_try_assign(r, submit, first, count, 0), 0);
}

/* RETRACT or CANCEL */
static inline int rig_try_take(struct rig *r, uint8_t kind, uint32_t submit, uint32_t first, uint32_t count,
                               uint32_t instance)
{
    const struct ord_range range = {first, count};
    const struct task_group g = {.submit = submit, .instance = instance, .ranges = &range, .n_ranges = 1};
    struct to_worker item = {.kind = kind};
    item.u.tasks.groups = &g;
    item.u.tasks.n_groups = 1;
    return hqi_tasks_on_server(r->tasks, &r->now, &item, NULL);
}

static inline void rig_take(struct rig *r, uint8_t kind, uint32_t submit, uint32_t first, uint32_t count)
{
    assert_int_equal(rig_try_take(r, kind, submit, first, count, 0), 0);
}

static inline void rig_drop(struct rig *r, uint32_t submit)
{
    struct to_worker item = {.kind = TO_WORKER_DROP};
    item.u.drop.submit = submit;
    assert_int_equal(hqi_tasks_on_server(r->tasks, &r->now, &item, NULL), 0);
}

/* ---- to and from the helpers ---- */

static inline const char *rig_key_name(struct rig *r, uint64_t key, char *out, size_t size)
{
    snprintf(out, size, "%u.%u", r->keys[key].submit, r->keys[key].ord);
    return out;
}

static inline uint32_t rig_number(struct bytes b)
{
    uint32_t n = 0;
    for (size_t i = 0; i < b.n; i++)
        n = n * 10 + (uint32_t)(b.p[i] - '0');
    return n;
}

static inline struct bytes rig_var(const struct helper_launch *l, const char *name)
{
    for (uint32_t i = 0; i < l->n_env; i++)
        if (bytes_is(l->env[i].name, name))
            return l->env[i].value;
    return (struct bytes){0};
}

static inline void rig_note(struct rig *r, uint32_t helper, const struct to_helper *item)
{
    const struct helper_launch *l = &item->u.launch;
    if (item->kind == TO_HELPER_SPEC) {
        assert_in_range(item->u.spec.spec, 1, RIG_SPECS - 1);
        r->specs[item->u.spec.spec] = rig_number(item->u.spec.argv[0]);
    } else if (item->kind == TO_HELPER_LAUNCH) {
        assert_in_range(l->key, 1, RIG_KEYS - 1);
        uint32_t submit = r->specs[l->spec];
        r->keys[l->key] = (struct rig_key){submit, rig_number(rig_var(l, "HQ_TASK_ID")) - submit * 100, helper};
    }
}

static inline void rig_print(struct rig *r, const struct to_helper *item)
{
    char a[32], b[32];
    switch (item->kind) {
    case TO_HELPER_SPEC:
        hqi_base_buf_addf(&r->text, "spec %u; ", r->specs[item->u.spec.spec]);
        break;
    case TO_HELPER_DROP:
        hqi_base_buf_addf(&r->text, "drop %u; ", r->specs[item->u.drop]);
        break;
    case TO_HELPER_LAUNCH:
        hqi_base_buf_addf(&r->text, item->u.launch.after ? "stage %s>%s; " : "launch %s; ",
                          rig_key_name(r, item->u.launch.key, a, sizeof a),
                          rig_key_name(r, item->u.launch.after, b, sizeof b));
        break;
    default:
        hqi_base_buf_addf(&r->text, "%s %s; ", item->kind == TO_HELPER_KILL ? "kill" : "unstage",
                          rig_key_name(r, item->u.key, a, sizeof a));
    }
}

static inline const char *rig_text(struct rig *r)
{
    if (r->text.n >= 2)
        r->text.p[r->text.n -= 2] = '\0';
    return r->text.n ? r->text.p : "";
}

/* All messages of all helpers: "spec 1; launch 1.0; stage 1.1>1.0; unstage 1.1; kill 1.0; drop 1" */
static inline const char *rig_mail(struct rig *r)
{
    hqi_base_buf_clear(&r->text);
    for (uint32_t h = 0; h < r->n_helpers; h++) {
        const struct to_helper *items;
        for (uint32_t n; (n = hqi_tasks_take_helper(r->tasks, h, &items)) > 0;)
            for (uint32_t i = 0; i < n; i++) {
                rig_note(r, h, &items[i]);
                rig_print(r, &items[i]);
            }
    }
    rig_verify(r);
    return rig_text(r);
}

/* The key under which a task was launched last. */
static inline uint64_t rig_key(struct rig *r, const char *task)
{
    char name[32];
    for (uint64_t key = RIG_KEYS - 1; key > 0; key--)
        if (r->keys[key].submit && strcmp(rig_key_name(r, key, name, sizeof name), task) == 0)
            return key;
    fail_msg("%s was not launched", task);
    return 0;
}

static inline int rig_try_say(struct rig *r, const char *task, struct from_helper item)
{
    uint64_t key = rig_key(r, task);
    if (item.kind == FROM_HELPER_STARTED)
        item.u.started.key = key;
    else if (item.kind == FROM_HELPER_ENDED)
        item.u.ended.key = key;
    else
        item.u.key = key;
    return hqi_tasks_on_helper(r->tasks, &r->now, r->keys[key].helper, &item, NULL);
}

static inline void rig_started(struct rig *r, const char *task)
{
    assert_int_equal(rig_try_say(r, task, (struct from_helper){.kind = FROM_HELPER_STARTED}), 0);
}

static inline void rig_ended_after(struct rig *r, const char *task, uint16_t code, uint64_t ms, const char *text)
{
    struct from_helper item = {.kind = FROM_HELPER_ENDED};
    item.u.ended.code = code;
    item.u.ended.age_ms = item.u.ended.duration_ms = ms;
    item.u.ended.text = bytes_of(text);
    assert_int_equal(rig_try_say(r, task, item), 0);
}

static inline void rig_ended(struct rig *r, const char *task)
{
    rig_ended_after(r, task, 0, 1000, NULL);
}

static inline void rig_unstaged(struct rig *r, const char *task)
{
    assert_int_equal(rig_try_say(r, task, (struct from_helper){.kind = FROM_HELPER_UNSTAGED}), 0);
}

/* ---- reports ---- */

static inline void rig_print_groups(struct rig *r, const char *what, const struct task_group *g, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < g[i].n_ranges; j++) {
            hqi_base_buf_addf(&r->text, "%s %u.%u", what, g[i].submit, g[i].ranges[j].first);
            if (g[i].ranges[j].count > 1)
                hqi_base_buf_addf(&r->text, "-%u", g[i].ranges[j].first + g[i].ranges[j].count - 1);
            hqi_base_buf_adds(&r->text, "; ");
        }
}

static inline void rig_print_ended(struct rig *r, const struct report_end *e)
{
    uint32_t text = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        hqi_base_buf_addf(&r->text, "ended %u.%u=%u", e->submit, e->ordinals[i], e->code[i]);
        if (text < e->n_texts && e->texts[text].row == i) {
            hqi_base_buf_addf(&r->text, " (%.*s)", (int)e->texts[text].text.n, e->texts[text].text.p);
            text++;
        }
        hqi_base_buf_adds(&r->text, "; ");
    }
    assert_int_equal(text, e->n_texts);
}

/* "started 1.0; ended 1.1=0; returned 1.2-5; rejected 2.0; crashed 1.6" */
static inline const char *rig_report(struct rig *r)
{
    struct report report;
    hqi_base_buf_clear(&r->text);
    while (hqi_tasks_take_report(r->tasks, &r->now, &report)) {
        for (uint32_t i = 0; i < report.n_started; i++)
            for (uint32_t j = 0; j < report.started[i].n; j++)
                hqi_base_buf_addf(&r->text, "started %u.%u; ", report.started[i].submit, report.started[i].ordinals[j]);
        for (uint32_t i = 0; i < report.n_ended; i++)
            rig_print_ended(r, &report.ended[i]);
        rig_print_groups(r, "returned", report.returned, report.n_returned);
        rig_print_groups(r, "rejected", report.rejected, report.n_rejected);
        rig_print_groups(r, "crashed", report.crashed, report.n_crashed);
    }
    return rig_text(r);
}

#define expect_mail(r, what) assert_string_equal(rig_mail(r), what)
#define expect_report(r, what) assert_string_equal(rig_report(r), what)

#endif
