/* SPDX-License-Identifier: MIT */
/* task.c - see task.h.
 *
 * The life of a task: staged (in the list of the one before it), ready, running, over; or lingering, when a kill
 * has ended it and left others of its process group. Must never happen: two reports of an end; a signal
 * to a process that is not the task's; a successor that waits for nobody. */
#include "helper/task.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "helper/outcome.h"
#include "helper/proc.h"

#define GRACE_NS HQI_SEC /* between SIGINT and SIGKILL */
#define DIR_VARS 3u      /* HQ_TASK_DIR, HQ_ERROR_FILENAME, HQ_RESULT_FILENAME */

enum phase { STAGED, RUNNING, LINGERING };
enum stop { STOP_NONE, STOP_INTERRUPTED, STOP_KILLED };

struct task {
    struct map_node by_key;
    struct child child;
    struct list link;        /* of the list that its phase implies */
    struct list fresh;       /* while not announced */
    struct list behind;      /* staged ones that wait for this one; their links */
    struct task *before;     /* borrowed; STAGED: the one that it waits for */
    struct loop_timer timer; /* of its time limit, then of its kill */
    struct tasks *all;       /* borrowed */
    struct launch *launch;   /* counted */
    struct pad *pad;         /* owned until its exec is known */
    struct arena mem;        /* of all below */
    char *cwd, *out, *err;   /* NULL: none */
    char **prefix;
    uint32_t n_prefix;
    struct env env;
    char *dir; /* NULL: none */
    uint64_t start_ns;
    uint8_t phase, stop;
    bool timed_out, rm_out, rm_err;
};

static struct task *task_of(struct list *link)
{
    return hqi_container(link, struct task, link);
}

/* ---- making and freeing ---- */

static void on_timer(struct loop_timer *t);
static void on_ended(struct child *c, int status, const struct rusage *usage);

void hqi_helper_task_init(struct tasks *all)
{
    hqi_base_map_init(&all->by_key, &hqi_base_alloc_libc);
    list_init(&all->running);
    list_init(&all->ready);
    list_init(&all->fresh);
    list_init(&all->lingering);
    list_init(&all->spare);
}

static struct task *task_new(struct tasks *all)
{
    struct list *link = list_pop_front(&all->spare);
    struct arena mem;
    struct task *t = link ? task_of(link) : malloc(sizeof *t);
    if (!t)
        return NULL;
    if (link)
        mem = t->mem;
    else
        hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    *t = (struct task){.all = all, .mem = mem, .timer.run = on_timer, .child.ended = on_ended};
    list_init(&t->link);
    list_init(&t->fresh);
    list_init(&t->behind);
    return t;
}

/* Nothing may wait behind it. */
static void task_free(struct task *t)
{
    struct tasks *all = t->all;
    hqi_loop_timer_clear(all->loop, &t->timer);
    list_unlink(&t->link);
    list_unlink(&t->fresh);
    hqi_helper_spawn_give_pad(all->spawner, t->pad);
    if (t->launch)
        hqi_helper_launch_release(t->launch);
    hqi_base_arena_clear(&t->mem);
    list_push_front(&all->spare, &t->link);
}

static char *copy(struct task *t, struct bytes b, bool *ok)
{
    return b.n ? (char *)hqi_base_arena_bytes(&t->mem, b, ok).p : NULL;
}

/* Everything that it needs at its start, so that a staged one starts without delay. */
static bool fill(struct task *t, const struct helper_launch *in)
{
    bool ok = true;
    t->cwd = copy(t, in->cwd, &ok);
    t->out = copy(t, in->out, &ok);
    t->err = copy(t, in->err, &ok);
    t->rm_out = in->rm_out;
    t->rm_err = in->rm_err;
    t->n_prefix = in->n_prefix;
    t->prefix = hqi_base_arena_get(&t->mem, (in->n_prefix + 1) * sizeof *t->prefix);
    for (uint32_t i = 0; t->prefix && i < in->n_prefix; i++)
        t->prefix[i] = (char *)hqi_base_arena_bytes(&t->mem, in->prefix[i], &ok).p;
    return ok && t->prefix && hqi_helper_env_init(&t->env, &t->mem, in->n_env + DIR_VARS) &&
           hqi_helper_env_add(&t->env, &t->mem, in->env, in->n_env);
}

/* ---- the end ---- */

static void add_end(struct tasks *all, uint64_t key, uint64_t start_ns, uint64_t end_ns, struct outcome o,
                    const struct rusage *usage)
{
    struct from_helper *item = hqi_helper_outbox_add(all->outbox, FROM_HELPER_ENDED, start_ns);
    struct helper_ended *e = &item->u.ended;
    *e = (struct helper_ended){.key = key, .code = o.code, .text = o.text};
    if (o.code != HQ_CODE_LAUNCH)
        e->duration_ms = (end_ns - start_ns) / HQI_MS;
    if (usage) {
        e->user_us = (uint64_t)usage->ru_utime.tv_sec * 1000000u + (uint64_t)usage->ru_utime.tv_usec;
        e->system_us = (uint64_t)usage->ru_stime.tv_sec * 1000000u + (uint64_t)usage->ru_stime.tv_usec;
        e->max_rss_kb = (uint64_t)usage->ru_maxrss;
    }
}

/* Those behind it have waited long enough. false: there are none, so its slot runs dry. */
static bool release(struct task *t)
{
    struct tasks *all = t->all;
    bool any = false;
    for (struct list *link; (link = list_pop_front(&t->behind)); any = true) {
        list_push_back(&all->ready, link);
        all->n_staged--;
    }
    return any;
}

/* It did not get as far as having a process. */
static void fail(struct task *t, struct outcome o)
{
    struct tasks *all = t->all;
    uint64_t now_ns = hqi_base_clock_now().mono_ns;
    add_end(all, t->by_key.key, t->start_ns ? t->start_ns : now_ns, now_ns, o, NULL);
    if (!release(t))
        all->outbox->urgent = true;
    if (t->dir)
        hqi_helper_taskdir_remove(&all->dirs, t->dir);
    hqi_base_map_take(&all->by_key, t->by_key.key);
    task_free(t);
}

/* ---- the start ---- */

static bool make_dir(struct task *t, int *sys)
{
    t->dir = hqi_helper_taskdir_make(&t->all->dirs, &t->mem, sys);
    if (!t->dir)
        return false;
    char *dir_var = hqi_base_arena_printf(&t->mem, "HQ_TASK_DIR=%s", t->dir);
    char *file_var = hqi_base_arena_printf(&t->mem, "HQ_ERROR_FILENAME=%s/hq-error", t->dir);
    char *result_var = hqi_base_arena_printf(&t->mem, "HQ_RESULT_FILENAME=%s/hq-result", t->dir);
    *sys = ENOMEM;
    if (!dir_var || !file_var || !result_var)
        return false;
    hqi_helper_env_set(&t->env, dir_var);
    hqi_helper_env_set(&t->env, file_var);
    hqi_helper_env_set(&t->env, result_var);
    return true;
}

static struct pad *make_pad(struct task *t)
{
    const struct launch *l = t->launch;
    struct pad *pad =
        hqi_helper_spawn_take_pad(t->all->spawner, t->n_prefix + l->n_argv, l->env.n + t->env.n);
    if (!pad)
        return NULL;
    char **argv = pad->argv + 1;
    memcpy(argv, t->prefix, t->n_prefix * sizeof *argv);
    memcpy(argv + t->n_prefix, l->argv, l->n_argv * sizeof *argv);
    argv[t->n_prefix + l->n_argv] = NULL;
    hqi_helper_env_merge(pad->envp, &l->env, &t->env);
    pad->plan.cwd = t->cwd;
    pad->plan.in = l->in_path;
    pad->plan.out = t->out;
    pad->plan.err = t->err;
    pad->plan.path = hqi_helper_env_get(&t->env, "PATH");
    if (!pad->plan.path)
        pad->plan.path = hqi_helper_env_get(&l->env, "PATH");
    return pad;
}

static void run(struct task *t, int pid)
{
    struct tasks *all = t->all;
    t->phase = RUNNING;
    hqi_helper_child_add(all->children, &t->child, pid);
    list_push_back(&all->running, &t->link);
    list_push_back(&all->fresh, &t->fresh);
    all->n_running++;
    if (t->launch->time_limit_ns)
        hqi_loop_timer_set(all->loop, &t->timer, t->start_ns + t->launch->time_limit_ns);
}

static void start(struct task *t)
{
    struct tasks *all = t->all;
    struct arena *texts = &all->outbox->mem;
    int sys = ENOMEM;
    t->before = NULL;
    if (t->launch->task_dir && !make_dir(t, &sys)) {
        fail(t, hqi_helper_outcome_of_taskdir(all->dirs.below, sys, texts));
        return;
    }
    t->start_ns = hqi_base_clock_now().mono_ns;
    if (t->n_prefix + t->launch->n_argv == 0) {
        fail(t, hqi_helper_outcome_text(HQ_CODE_TEXT, texts, "No command arguments"));
        return;
    }
    t->pad = hqi_helper_child_reserve(all->children) ? make_pad(t) : NULL;
    if (!t->pad) {
        fail(t, hqi_helper_outcome_text(HQ_CODE_TEXT, texts, "Cannot start the task: out of memory"));
        return;
    }
    int pid = hqi_helper_spawn_start(all->spawner, t->pad);
    if (pid < 0) {
        t->pad->step = SPAWN_EXEC;
        t->pad->sys = -pid;
        fail(t, hqi_helper_outcome_of_spawn(t->pad, t->rm_out, t->rm_err, texts));
        return;
    }
    run(t, pid);
}

/* A queue and no recursion: a chain of thousands of failures must not need a stack. */
static void start_ready(struct tasks *all)
{
    for (struct list *link; (link = list_pop_front(&all->ready));)
        start(task_of(link));
}

static void refuse(struct tasks *all, uint64_t key, const char *text)
{
    uint64_t now_ns = hqi_base_clock_now().mono_ns;
    add_end(all, key, now_ns, now_ns, hqi_helper_outcome_text(HQ_CODE_LAUNCH, &all->outbox->mem, text), NULL);
    all->outbox->urgent = true;
}

static struct task *get(const struct tasks *all, uint64_t key)
{
    struct map_node *node = hqi_base_map_get(&all->by_key, key);
    return node ? hqi_container(node, struct task, by_key) : NULL;
}

static void stage(struct task *t, struct task *before)
{
    t->phase = STAGED;
    t->before = before;
    list_push_back(&before->behind, &t->link);
    t->all->n_staged++;
}

bool hqi_helper_task_launch(struct tasks *all, const struct helper_launch *in)
{
    const char *unknown = "The helper does not know what this task is to run";
    struct launch *l = hqi_helper_launch_get(all->launches, in->spec);
    if (get(all, in->key))
        return false;
    if (!l) {
        refuse(all, in->key, all->launches->err.code < 0 ? all->launches->err.text : unknown);
        return true;
    }
    struct task *t = hqi_base_map_reserve(&all->by_key, 1) ? task_new(all) : NULL;
    if (!t || !fill(t, in)) {
        if (t)
            task_free(t);
        refuse(all, in->key, "Cannot prepare the task: out of memory");
        return true;
    }
    t->launch = l;
    hqi_helper_launch_use(l);
    hqi_base_map_put(&all->by_key, &t->by_key, in->key);
    struct task *before = in->after ? get(all, in->after) : NULL;
    if (before) {
        stage(t, before);
    } else {
        list_push_back(&all->ready, &t->link);
        start_ready(all);
    }
    return true;
}

/* ---- taking back ---- */

static void unstage(struct task *t)
{
    struct tasks *all = t->all;
    for (struct list *link; (link = list_pop_front(&t->behind));) {
        task_of(link)->before = t->before;
        list_push_back(&t->before->behind, link);
    }
    all->n_staged--;
    hqi_helper_outbox_add_key(all->outbox, FROM_HELPER_UNSTAGED, t->by_key.key);
    hqi_base_map_take(&all->by_key, t->by_key.key);
    task_free(t);
}

void hqi_helper_task_unstage(struct tasks *all, uint64_t key)
{
    struct task *t = get(all, key);
    if (t && t->phase == STAGED)
        unstage(t);
}

/* ---- killing ---- */

static void signal_group(const struct task *t, int sig)
{
    pid_t pid = child_pid(&t->child);
    if (kill(-pid, sig) < 0) /* it has not come to its setsid yet */
        kill(pid, sig);
}

static void stop(struct task *t)
{
    if (t->stop != STOP_NONE)
        return;
    t->stop = STOP_INTERRUPTED;
    signal_group(t, SIGINT);
    hqi_loop_timer_set(t->all->loop, &t->timer, hqi_base_clock_now().mono_ns + GRACE_NS);
}

/* The leader was reaped, so its number may have a new owner; but while the group has members no process gets it,
 * and when a process has it, the group is gone. */
static void kill_rest(struct task *t)
{
    pid_t pid = child_pid(&t->child);
    if (kill(pid, 0) < 0 && errno == ESRCH)
        kill(-pid, SIGKILL);
    task_free(t);
}

static void on_timer(struct loop_timer *timer)
{
    struct task *t = hqi_container(timer, struct task, timer);
    if (t->phase == LINGERING) {
        kill_rest(t);
    } else if (t->stop == STOP_NONE) {
        t->timed_out = true;
        stop(t);
    } else {
        t->stop = STOP_KILLED;
        signal_group(t, SIGKILL);
    }
}

void hqi_helper_task_kill(struct tasks *all, uint64_t key)
{
    struct task *t = get(all, key);
    if (!t)
        return;
    if (t->phase == STAGED)
        unstage(t);
    else
        stop(t);
}

void hqi_helper_task_kill_all(struct tasks *all)
{
    list_for(link, &all->running) {
        struct task *t = task_of(link);
        while (!list_empty(&t->behind))
            unstage(task_of(t->behind.next));
        stop(t);
    }
}

/* ---- reaping ---- */

/* Relative to the task's cwd. Whether it works is nobody's concern: the task has succeeded. */
static void remove_file(struct task *t, const char *path)
{
    if (path[0] != '/' && t->cwd)
        path = hqi_base_arena_printf(&t->mem, "%s/%s", t->cwd, path);
    if (path)
        unlink(path);
}

static void remove_files(struct task *t, bool succeeded)
{
    if (t->dir)
        hqi_helper_taskdir_remove(&t->all->dirs, t->dir);
    if (succeeded && t->rm_out && t->out)
        remove_file(t, t->out);
    if (succeeded && t->rm_err && t->err)
        remove_file(t, t->err);
}

static void retire(struct task *t)
{
    struct tasks *all = t->all;
    hqi_base_map_take(&all->by_key, t->by_key.key);
    list_unlink(&t->fresh);
    list_unlink(&t->link);
    all->n_running--;
    if (t->stop != STOP_INTERRUPTED || kill(-child_pid(&t->child), 0) < 0) {
        task_free(t);
        return;
    }
    t->phase = LINGERING; /* its timer goes on */
    list_push_back(&all->lingering, &t->link);
}

static void on_ended(struct child *c, int status, const struct rusage *usage)
{
    struct task *t = hqi_container(c, struct task, child);
    struct tasks *all = t->all;
    struct arena *texts = &all->outbox->mem;
    uint64_t end_ns = hqi_base_clock_now().mono_ns;
    struct outcome o = t->pad && t->pad->step != SPAWN_OK
                           ? hqi_helper_outcome_of_spawn(t->pad, t->rm_out, t->rm_err, texts)
                           : hqi_helper_outcome_of_exit(status, t->timed_out, t->dir, texts);
    add_end(all, t->by_key.key, t->start_ns, end_ns, o, usage);
    if (!release(t))
        all->outbox->urgent = true;
    start_ready(all); /* the processor waits for it; all else can wait */
    remove_files(t, o.code == 0);
    retire(t);
}

/* ---- telling ---- */

bool hqi_helper_task_announce(struct tasks *all)
{
    list_for_safe(link, next, &all->fresh) {
        struct task *t = hqi_container(link, struct task, fresh);
        struct proc_stat st;
        if (hqi_helper_spawn_is_busy(t->pad))
            continue;
        list_unlink(link);
        if (t->pad->step != SPAWN_OK || !hqi_helper_proc_stat(child_pid(&t->child), &st))
            continue; /* its end is on its way */
        hqi_helper_spawn_give_pad(all->spawner, t->pad);
        t->pad = NULL;
        struct from_helper *item = hqi_helper_outbox_add(all->outbox, FROM_HELPER_STARTED, t->start_ns);
        item->u.started = (struct helper_started){
            .key = t->by_key.key, .pid = child_pid(&t->child), .start_ticks = st.start_ticks};
    }
    return !list_empty(&all->fresh);
}
