/* SPDX-License-Identifier: MIT */
/* What a task is started with: every variable, its paths, its prefix. */
#include "rig.h"

/* All variables of the first launch, the submit's first: "NAME=value\n"... */
struct seen {
    char *env;
    char cwd[256], out[256], err[256], prefix[256];
    bool rm_out, rm_err;
    struct helper_spec spec; /* numbers only */
};

static void print_env(struct buf *b, const struct env_var *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hqi_base_buf_addf(b, "%.*s=%.*s\n", (int)v[i].name.n, v[i].name.p, (int)v[i].value.n, v[i].value.p);
}

static void copy(char *to, struct bytes from)
{
    snprintf(to, 256, "%.*s", (int)from.n, from.p ? from.p : "");
}

static void see(struct rig *r, struct seen *seen)
{
    const struct to_helper *items;
    uint32_t n = hqi_tasks_take_helper(r->tasks, 0, &items);
    memset(seen, 0, sizeof *seen);
    hqi_base_buf_clear(&r->text);
    for (uint32_t i = 0; i < n; i++) {
        const struct helper_launch *l = &items[i].u.launch;
        rig_note(r, 0, &items[i]);
        if (items[i].kind == TO_HELPER_SPEC) {
            seen->spec = items[i].u.spec;
            print_env(&r->text, items[i].u.spec.env, items[i].u.spec.n_env);
            continue;
        }
        assert_int_equal(items[i].kind, TO_HELPER_LAUNCH);
        print_env(&r->text, l->env, l->n_env);
        copy(seen->cwd, l->cwd);
        copy(seen->out, l->out);
        copy(seen->err, l->err);
        seen->rm_out = l->rm_out;
        seen->rm_err = l->rm_err;
        for (uint32_t j = 0; j < l->n_prefix; j++) {
            strncat(seen->prefix, l->prefix[j].p, l->prefix[j].n);
            strcat(seen->prefix, " ");
        }
        break;
    }
    seen->env = r->text.p;
}

/* NAME=value,... of the user */
static void set_env(struct spec *s, const char *in)
{
    struct env_var *v = hqi_base_arena_zero(s->mem, 8, sizeof *v);
    char *text = hqi_base_arena_printf(s->mem, "%s", in), *save = NULL;
    for (char *one = strtok_r(text, ";", &save); one; one = strtok_r(NULL, ";", &save)) {
        char *equal = strchr(one, '=');
        v[s->n_env++] = (struct env_var){{one, (size_t)(equal - one)}, bytes_of(equal + 1)};
    }
    s->env = v;
}

#define COMMON "HQ_JOB_ID=1\nHQ_SUBMIT_DIR=/sub\nHQ=/bin/hq\n"
#define TASK "HQ_TASK_ID=100\nHQ_INSTANCE_ID=0\n"

static const struct {
    const char *node, *request, *user;
    uint8_t pin;
    const char *env, *prefix;
} cases[] = {
    {"cpus=4", "cpus=2", "", PIN_NONE,
     COMMON TASK "HQ_RESOURCE_REQUEST_cpus=2 compact\nHQ_RESOURCE_VALUES_cpus=3,2\nHQ_CPUS=3,2\nOMP_NUM_THREADS=2\n", ""},
    /* ours are behind the user's, so they win; OMP_NUM_THREADS is the user's */
    {"cpus=4", "cpus=1", "OMP_NUM_THREADS=7;HQ_JOB_ID=x;A=b", PIN_NONE,
     "OMP_NUM_THREADS=7\nHQ_JOB_ID=x\nA=b\n" COMMON TASK
     "HQ_RESOURCE_REQUEST_cpus=1 compact\nHQ_RESOURCE_VALUES_cpus=3\nHQ_CPUS=3\n", ""},
    {"cpus=4", "cpus=1.5", "", PIN_NONE,
     COMMON TASK "HQ_RESOURCE_REQUEST_cpus=1.5 compact\nHQ_RESOURCE_VALUES_cpus=3,2\nHQ_CPUS=3,2\n", ""},
    {"cpus=2;gpus/amd=[9,8];gpus/nvidia=[u1,u2];mem=sum(4)",
     "cpus=all;gpus/amd=1 tight!;gpus/nvidia=0.5;mem=2.25", "", PIN_NONE,
     COMMON TASK "HQ_RESOURCE_REQUEST_cpus=all\nHQ_RESOURCE_VALUES_cpus=1,0\nHQ_CPUS=1,0\n"
                 "HQ_RESOURCE_REQUEST_gpus_amd=1 tight!\nHQ_RESOURCE_VALUES_gpus_amd=8\nROCR_VISIBLE_DEVICES=8\n"
                 "HQ_RESOURCE_REQUEST_gpus_nvidia=0.5 compact\nHQ_RESOURCE_VALUES_gpus_nvidia=u2\n"
                 "CUDA_VISIBLE_DEVICES=u2\nCUDA_DEVICE_ORDER=PCI_BUS_ID\n"
                 "HQ_RESOURCE_REQUEST_mem=2.25 compact\nOMP_NUM_THREADS=2\n", ""},
    {"cpus=4", "gpus=1|cpus=1", "", PIN_NONE,
     COMMON TASK "HQ_RESOURCE_VARIANT=1\nHQ_RESOURCE_REQUEST_cpus=1 compact\nHQ_RESOURCE_VALUES_cpus=3\nHQ_CPUS=3\n"
                 "OMP_NUM_THREADS=1\n", ""},
    {"cpus=[a,b]", "cpus=2", "", PIN_TASKSET,
     COMMON "HQ_PIN=taskset\n" TASK
            "HQ_RESOURCE_REQUEST_cpus=2 compact\nHQ_RESOURCE_VALUES_cpus=b,a\nHQ_CPUS=b,a\nOMP_NUM_THREADS=2\n",
     "taskset -c b,a "},
    {"cpus=2", "cpus=2", "", PIN_OMP,
     COMMON "HQ_PIN=omp\n" TASK
            "HQ_RESOURCE_REQUEST_cpus=2 compact\nHQ_RESOURCE_VALUES_cpus=1,0\nHQ_CPUS=1,0\nOMP_NUM_THREADS=2\n"
            "OMP_PROC_BIND=close\nOMP_PLACES={1,0}\n", ""},
    {"cpus=2", "cpus=1", "OMP_PROC_BIND=spread;OMP_PLACES=cores", PIN_OMP,
     "OMP_PROC_BIND=spread\nOMP_PLACES=cores\n" COMMON "HQ_PIN=omp\n" TASK
     "HQ_RESOURCE_REQUEST_cpus=1 compact\nHQ_RESOURCE_VALUES_cpus=1\nHQ_CPUS=1\nOMP_NUM_THREADS=1\n", ""},
};

static void every_variable_of_a_task(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig r;
        struct seen seen;
        rig_init(&r, cases[i].node, 1);
        struct spec *s = rig_spec(cases[i].request, 0);
        s->pin = cases[i].pin;
        set_env(s, cases[i].user);
        rig_give(&r, 1, s);
        rig_assign(&r, 1, 0, 1);
        see(&r, &seen);
        assert_string_equal(seen.env, cases[i].env);
        assert_string_equal(seen.prefix, cases[i].prefix);
        rig_fini(&r);
    }
}

static void entries_are_the_tasks_own(void **state)
{
    const struct bytes entries[] = {{"a\xff\1b", 4}, {"", 0}, bytes_of("third")};
    static const char *const expected[] = {"a\xff\1b", "", "third"};
    const struct ord_range ranges[] = {{4, 1}, {7, 2}};
    const hq_range ids[] = {{10, 2, 5}, {90, 1, 1}};
    const struct assign_group g = {.submit = 1, .instance = 3, .ranges = ranges, .n_ranges = 2, .ids = ids, .n_ids = 2,
                                   .entries = entries, .n_entries = 3};
    struct to_worker item = {.kind = TO_WORKER_ASSIGN};
    const struct to_helper *items;
    struct rig r;
    item.u.assign.groups = &g;
    item.u.assign.n_groups = 1;
    rig_init(&r, "cpus=3", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    assert_int_equal(hqi_tasks_on_server(r.tasks, &r.now, &item, NULL), 0);
    assert_int_equal(hqi_tasks_take_helper(r.tasks, 0, &items), 4);
    static const uint32_t task_ids[] = {10, 15, 90};
    for (uint32_t i = 0; i < 3; i++) {
        const struct helper_launch *l = &items[i + 1].u.launch;
        assert_int_equal(rig_var(l, "HQ_ENTRY").n, entries[i].n);
        assert_string_equal(rig_var(l, "HQ_ENTRY").p, expected[i]);
        assert_int_equal(rig_number(rig_var(l, "HQ_TASK_ID")), task_ids[i]);
        assert_int_equal(rig_number(rig_var(l, "HQ_INSTANCE_ID")), 3);
    }
    rig_fini(&r);
}

static void paths_are_resolved(void **state)
{
    static const struct {
        const char *cwd, *out, *err, *is_cwd, *is_out, *is_err;
    } paths[] = {
        {"%{SERVER_UID}-%{TASK_ID}-%{INSTANCE_ID}", "%{JOB_ID}/stdout", NULL, "/sub/uid-100-0", "/sub/uid-100-0/1/stdout", ""},
        {"/abs/%{JOB_ID}", "%{CWD}/o", "/e/%{TASK_ID}", "/abs/1", "/abs/1/o", "/e/100"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct rig r;
        struct seen seen;
        rig_init(&r, "cpus=1", 1);
        struct spec *s = rig_spec("cpus=1", 0);
        s->cwd = bytes_of(paths[i].cwd);
        s->out = (struct stdio_spec){STDIO_FILE, true, bytes_of(paths[i].out)};
        s->err = (struct stdio_spec){paths[i].err ? STDIO_FILE : STDIO_NONE, true, bytes_of(paths[i].err)};
        s->time_limit_ms = 77;
        s->task_dir = true;
        s->stdin_data = bytes_of("in");
        rig_give(&r, 1, s);
        rig_assign(&r, 1, 0, 1);
        see(&r, &seen);
        assert_string_equal(seen.cwd, paths[i].is_cwd);
        assert_string_equal(seen.out, paths[i].is_out);
        assert_string_equal(seen.err, paths[i].is_err);
        assert_true(seen.rm_out);
        assert_int_equal(seen.rm_err, paths[i].err != NULL);
        assert_int_equal(seen.spec.time_limit_ms, 77);
        assert_true(seen.spec.task_dir);
        assert_true(bytes_is(seen.spec.stdin_data, "in"));
        rig_fini(&r);
    }
}

/* The follower has its own numbers, and the allocation of the one before it. */
static void followers_inherit(void **state)
{
    struct rig r;
    const struct to_helper *items;
    rig_init(&r, "cpus=3", 1);
    rig_submit(&r, 1, "cpus=2", 0);
    rig_assign(&r, 1, 0, 2);
    assert_int_equal(hqi_tasks_take_helper(r.tasks, 0, &items), 3);
    const struct helper_launch *a = &items[1].u.launch, *b = &items[2].u.launch;
    assert_int_equal(b->after, a->key);
    assert_true(bytes_is(rig_var(a, "HQ_CPUS"), "2,1"));
    assert_true(bytes_is(rig_var(b, "HQ_CPUS"), "2,1"));
    assert_int_equal(rig_number(rig_var(b, "HQ_TASK_ID")), 101);
    rig_fini(&r);
}

static void what_cannot_be_launched_has_failed(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2;gpus=[a]", 1);
    struct spec *s = rig_spec("gpus=1", 0);
    s->pin = PIN_TASKSET;
    rig_give(&r, 1, s);
    rig_submit(&r, 2, "gpus=1", 0);
    rig_assign(&r, 1, 0, 2);
    rig_assign(&r, 2, 0, 2);
    rig_assign(&r, 1, 2, 1);
    expect_mail(&r, "spec 2; launch 2.0; stage 2.1>2.0");
    expect_report(&r, "ended 1.0=514 (Pinning failed, no CPU ids allocated for task); "
                      "ended 1.1=514 (Pinning failed, no CPU ids allocated for task); "
                      "ended 1.2=514 (Pinning failed, no CPU ids allocated for task)");
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variable_of_a_task),        cmocka_unit_test(entries_are_the_tasks_own),
        cmocka_unit_test(paths_are_resolved),              cmocka_unit_test(followers_inherit),
        cmocka_unit_test(what_cannot_be_launched_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
