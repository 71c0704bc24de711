/* SPDX-License-Identifier: MIT */
/* launch.c - environment, paths and prefix of a task, and the messages that start, unstage and kill.
 *
 * Promise, to users: a task sees the variables that HyperQueue's tasks see, with the same words, and ours are on top of
 * its own; OMP_* of its own are left alone. What is the same for a whole submit travels once. */
#include "tasks/launch.h"

#include "base/buf.h"
#include "base/error.h"
#include "hqcore/types.h"
#include "tasks/dispatch.h"
#include "tasks/queue.h"
#include "tasks/slot.h"
#include "tasks/work.h"
#include "text/task_paths.h"

#define TAKE_MAX 256u     /* attempts spoken of in one call: a few packets */
#define ITEMS_EACH 2u     /* at most: the spec and the launch, or an unstage and a kill */
#define PER_ENTRY_VARS 5u /* of one resource: request, values, and up to three of its own */
#define COMMON_VARS 4u
#define TASK_VARS 6u
#define PREFIX_WORDS 3u
#define PATH_TOO_LONG "Cannot start the task: the path of its directory or of an output is too long"
#define ENTRY_WITH_NUL "Cannot start the task: its entry has a NUL byte, which HQ_ENTRY cannot hold"
#define PIN_WITHOUT_CPUS "Pinning failed, no CPU ids allocated for task"

/* ---- a list of variables in an arena ---- */

struct vars {
    struct arena *mem; /* borrowed */
    struct env_var *v; /* in mem, with room for all that will come */
    uint32_t n;
    bool ok;
};

static struct vars vars_make(struct arena *mem, uint64_t room)
{
    struct env_var *v = hqi_base_arena_zero(mem, room, sizeof *v);
    return (struct vars){.mem = mem, .v = v, .ok = v != NULL};
}

static void add(struct vars *e, struct bytes name, struct bytes value)
{
    if (e->ok)
        e->v[e->n++] = (struct env_var){name, value};
}

static void add_named(struct vars *e, const char *name, struct bytes value)
{
    add(e, bytes_of(name), value);
}

static struct bytes number(struct vars *e, uint64_t n)
{
    char *text = e->ok ? hqi_base_arena_printf(e->mem, "%llu", (unsigned long long)n) : NULL;
    e->ok = text != NULL;
    return bytes_of(text);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* "HQ_RESOURCE_VALUES_gpus_nvidia" */
static struct bytes variable_of(struct vars *e, const char *prefix, struct bytes resource)
{
    size_t head = strlen(prefix);
    char *p = e->ok ? hqi_base_arena_get(e->mem, head + resource.n + 1) : NULL;
    e->ok = p != NULL;
    if (!p)
        return (struct bytes){0};
    memcpy(p, prefix, head);
    for (size_t i = 0; i < resource.n; i++)
        p[head + i] = is_plain(resource.p[i]) ? resource.p[i] : '_';
    p[head + resource.n] = '\0';
    return (struct bytes){p, head + resource.n};
}

/* ---- what an allocation tells its tasks ---- */

static struct bytes keep(struct vars *e, const struct buf *text)
{
    e->ok = e->ok && !text->failed;
    return e->ok ? hqi_base_arena_bytes(e->mem, hqi_base_buf_bytes(text), &e->ok) : (struct bytes){0};
}

/* CPUs and GPUs have variables that other software reads. */
static void add_known(struct slot *s, struct vars *e, const struct request_entry *r, uint32_t at, struct bytes labels)
{
    uint64_t amount = s->allocation.entries[at].amount;
    if (bytes_is(r->name, "cpus")) {
        add_named(e, "HQ_CPUS", labels);
        s->cpus = labels;
        if (amount % HQ_UNITS == 0)
            s->omp_threads = number(e, amount / HQ_UNITS);
    } else if (bytes_is(r->name, "gpus/nvidia")) {
        add_named(e, "CUDA_VISIBLE_DEVICES", labels);
        add_named(e, "CUDA_DEVICE_ORDER", bytes_of("PCI_BUS_ID"));
    } else if (bytes_is(r->name, "gpus/amd")) {
        add_named(e, "ROCR_VISIBLE_DEVICES", labels);
    }
}

static void add_resource(struct tasks *t, struct slot *s, struct vars *e, uint32_t at, struct buf *text)
{
    const struct request_entry *r = &s->class->variants[s->variant].request->entries[at];
    hqi_base_buf_clear(text);
    hqi_model_request_entry_text(r, text);
    add(e, variable_of(e, "HQ_RESOURCE_REQUEST_", r->name), keep(e, text));
    if (s->allocation.entries[at].n_held == 0)
        return;
    hqi_base_buf_clear(text);
    hqi_tasks_pool_labels(t->pools, &s->allocation, at, text);
    struct bytes labels = keep(e, text);
    add(e, variable_of(e, "HQ_RESOURCE_VALUES_", r->name), labels);
    add_known(s, e, r, at, labels);
}

bool hqi_tasks_launch_describe(struct tasks *t, struct slot *s)
{
    uint32_t n = s->allocation.n_entries;
    struct vars e = vars_make(&s->mem, 1 + (uint64_t)n * PER_ENTRY_VARS);
    struct buf text;
    hqi_base_buf_init(&text, t->alloc);
    if (s->class->request.n_variants > 1)
        add_named(&e, "HQ_RESOURCE_VARIANT", number(&e, s->variant));
    for (uint32_t i = 0; i < n; i++)
        add_resource(t, s, &e, i, &text);
    hqi_base_buf_fini(&text);
    s->env = e.v;
    s->n_env = e.n;
    return e.ok;
}

/* ---- what a submit tells its tasks ---- */

static bool has_var(const struct spec *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_env; i++)
        if (bytes_is(s->env[i].name, name))
            return true;
    return false;
}

static bool write_spec(struct tasks *t, const struct work *w, struct arena *mem, struct to_helper *ret)
{
    const struct spec *s = w->spec;
    struct vars e = vars_make(mem, (uint64_t)s->n_env + COMMON_VARS);
    for (uint32_t i = 0; i < s->n_env; i++)
        add(&e, s->env[i].name, s->env[i].value);
    add_named(&e, "HQ_JOB_ID", number(&e, w->job.n));
    add_named(&e, "HQ_SUBMIT_DIR", s->submit_dir);
    if (t->hq_path.n > 0)
        add_named(&e, "HQ", t->hq_path);
    if (s->pin != PIN_NONE)
        add_named(&e, "HQ_PIN", bytes_of(s->pin == PIN_TASKSET ? "taskset" : "omp"));
    *ret = (struct to_helper){.kind = TO_HELPER_SPEC,
                              .u.spec = {.spec = w->number, .argv = s->argv, .n_argv = s->n_argv, .env = e.v,
                                         .n_env = e.n, .stdin_data = s->stdin_data,
                                         .time_limit_ms = s->time_limit_ms, .task_dir = s->task_dir}};
    return e.ok;
}

/* ---- one launch ---- */

const char *hqi_tasks_launch_obstacle(const struct work *w, const struct variant *v)
{
    return w->spec->pin != PIN_NONE && !v->has_cpus ? PIN_WITHOUT_CPUS : NULL;
}

static void add_pinning(struct vars *e, const struct spec *spec, const struct slot *s)
{
    if (spec->pin != PIN_OMP)
        return;
    if (!has_var(spec, "OMP_PROC_BIND"))
        add_named(e, "OMP_PROC_BIND", bytes_of("close"));
    if (has_var(spec, "OMP_PLACES"))
        return;
    char *places = e->ok ? hqi_base_arena_printf(e->mem, "{%.*s}", (int)s->cpus.n, s->cpus.p) : NULL;
    e->ok = places != NULL;
    add_named(e, "OMP_PLACES", bytes_of(places));
}

static bool write_env(const struct attempt *a, struct arena *mem, struct helper_launch *ret)
{
    const struct slot *s = a->slot;
    const struct spec *spec = a->piece.work->spec;
    struct vars e = vars_make(mem, (uint64_t)s->n_env + TASK_VARS);
    add_named(&e, "HQ_TASK_ID", number(&e, a->piece.id));
    add_named(&e, "HQ_INSTANCE_ID", number(&e, a->piece.instance));
    if (a->entry.p)
        add_named(&e, "HQ_ENTRY", a->entry);
    for (uint32_t i = 0; i < s->n_env; i++)
        add(&e, s->env[i].name, s->env[i].value);
    if (s->omp_threads.n > 0 && !has_var(spec, "OMP_NUM_THREADS"))
        add_named(&e, "OMP_NUM_THREADS", s->omp_threads);
    add_pinning(&e, spec, s);
    ret->env = e.v;
    ret->n_env = e.n;
    return e.ok;
}

static bool write_prefix(const struct attempt *a, struct arena *mem, struct helper_launch *ret)
{
    if (a->piece.work->spec->pin != PIN_TASKSET)
        return true;
    struct bytes *words = hqi_base_arena_zero(mem, PREFIX_WORDS, sizeof *words);
    if (!words)
        return false;
    words[0] = bytes_of("taskset");
    words[1] = bytes_of("-c");
    words[2] = a->slot->cpus;
    ret->prefix = words;
    ret->n_prefix = PREFIX_WORDS;
    return true;
}

static struct bytes path_of(const struct stdio_spec *s)
{
    return s->kind == STDIO_FILE ? s->path : (struct bytes){0};
}

static int write_paths(const struct attempt *a, struct arena *mem, struct helper_launch *ret)
{
    const struct work *w = a->piece.work;
    const struct spec *s = w->spec;
    const struct task_paths typed = {s->cwd, path_of(&s->out), path_of(&s->err)};
    const struct path_values values = {.job = w->job.n, .task = a->piece.id, .instance = a->piece.instance,
                                       .submit_dir = s->submit_dir, .server_uid = bytes_of(w->server_uid)};
    struct task_paths paths;
    int rc = hqi_text_task_paths_at_start(&paths, mem, &typed, &values);
    if (rc < 0)
        return rc;
    ret->cwd = paths.cwd;
    ret->out = paths.out;
    ret->err = paths.err;
    ret->rm_out = ret->out.n > 0 && s->out.rm_if_finished;
    ret->rm_err = ret->err.n > 0 && s->err.rm_if_finished;
    return HQ_OK;
}

static int write_launch(struct attempt *a, struct arena *mem, struct to_helper *ret)
{
    struct helper_launch *l = &ret->u.launch;
    *ret = (struct to_helper){.kind = TO_HELPER_LAUNCH};
    l->key = a->by_key.key;
    l->after = attempt_is_first(a) ? 0 : attempt_of_chain(a->chain.prev)->by_key.key;
    l->spec = a->piece.work->number;
    if (a->entry.n > 0 && memchr(a->entry.p, '\0', a->entry.n))
        return HQ_EINVAL;
    int rc = write_paths(a, mem, l);
    if (rc < 0)
        return rc;
    return write_env(a, mem, l) && write_prefix(a, mem, l) ? HQ_OK : HQ_ENOMEM;
}

/* ---- messages ---- */

struct outgoing {
    struct tasks *tasks;
    uint32_t helper;
    struct arena *mem; /* borrowed */
    struct to_helper *items;
    uint32_t n, room;
};

/* false: no memory; nothing of this attempt was written. */
static bool add_launch(struct outgoing *o, struct attempt *a)
{
    struct work *w = a->piece.work;
    uint64_t bit = 1ull << o->helper;
    uint32_t n = o->n;
    if (!(w->told & bit) && !write_spec(o->tasks, w, o->mem, &o->items[n++]))
        return false;
    int rc = write_launch(a, o->mem, &o->items[n]);
    if (rc == HQ_ENOMEM)
        return false;
    if (rc < 0) {
        hqi_tasks_slot_remove(o->tasks, a);
        hqi_tasks_dispatch_fail(o->tasks, a, rc == HQ_EINVAL ? ENTRY_WITH_NUL : PATH_TOO_LONG);
        return true;
    }
    w->told |= bit;
    a->sent = true;
    o->n = n + 1;
    return true;
}

static void add_key(struct outgoing *o, uint8_t kind, uint64_t key)
{
    o->items[o->n++] = (struct to_helper){.kind = kind, .u.key = key};
}

static bool add_mail(struct outgoing *o, struct attempt *a)
{
    uint8_t due = a->due;
    if (due & MAIL_LAUNCH)
        return add_launch(o, a);
    if (due & MAIL_UNSTAGE)
        add_key(o, TO_HELPER_UNSTAGE, a->by_key.key);
    if (due & MAIL_KILL)
        add_key(o, TO_HELPER_KILL, a->by_key.key);
    return true;
}

/* Submits that nothing here needs any more. */
static void add_drops(struct outgoing *o)
{
    uint64_t bit = 1ull << o->helper;
    list_for_safe(link, next, &o->tasks->gone) {
        struct work *w = hqi_container(link, struct work, link);
        if (!(w->told & bit) || w->n_slotted > 0 || o->n == o->room)
            continue;
        o->items[o->n++] = (struct to_helper){.kind = TO_HELPER_DROP, .u.drop = w->number};
        w->told &= ~bit;
        hqi_tasks_work_settle(o->tasks, w);
    }
}

static void add_all(struct outgoing *o)
{
    struct list *mail = &o->tasks->posts[o->helper].mail;
    while (!list_empty(mail) && o->n + ITEMS_EACH <= o->room) {
        struct attempt *a = hqi_container(mail->next, struct attempt, mail);
        if (!add_mail(o, a)) {
            o->tasks->starved = true;
            return;
        }
        if (list_empty(mail) || mail->next != &a->mail)
            continue; /* it failed, and is gone from here */
        list_unlink(&a->mail);
        a->due = 0;
    }
    add_drops(o);
}

uint32_t hqi_tasks_take_helper(struct tasks *t, uint32_t helper, const struct to_helper **items)
{
    struct post *p = &t->posts[helper];
    struct outgoing o = {.tasks = t, .helper = helper, .mem = &p->mem, .room = TAKE_MAX * ITEMS_EACH};
    hqi_tasks_dispatch_run(t);
    hqi_base_arena_clear(o.mem);
    if (list_empty(&p->mail) && list_empty(&t->gone))
        return 0;
    o.items = hqi_base_arena_get(o.mem, o.room * sizeof *o.items);
    if (!o.items) {
        t->starved = true;
        return 0;
    }
    add_all(&o);
    *items = o.items;
    return o.n;
}
