/* SPDX-License-Identifier: MIT */
/* helper.c - the helper processes of a worker: starting them, asking them while the worker is made, and starting others
 * for those that die.
 *
 * A link may not be freed from its own callback, so a lost helper is buried, and replaced, by the repair timer. */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "tasks/helper_start.h"
#include "worker/worker.h"

static const char where[] = "worker";

#define REPAIR_NS HQI_SEC /* between tries to start another helper */

/* ---- items ---- */

static struct bytes keep(struct worker_answers *a, struct bytes b)
{
    bool ok = true;
    struct bytes kept = hqi_base_arena_bytes(a->mem, b, &ok);
    a->no_memory = a->no_memory || !ok;
    return kept;
}

static void on_hardware(struct worker_answers *a, const struct helper_hardware *h)
{
    if (!a->mem)
        return;
    a->notes = keep(a, h->notes);
    a->error = keep(a, h->error);
    a->gpus = keep(a, h->gpus);
    if (hqi_model_resource_copy(&a->resources, a->mem, &h->resources) < 0)
        a->no_memory = true;
    a->has_hardware = true;
}

static void on_command(struct worker_answers *a, int32_t status, struct bytes out)
{
    if (!a->mem)
        return;
    a->status = status;
    a->out = keep(a, out);
    a->has_command = true;
}

void hqi_worker_helper_log_notes(const struct hq_worker *w, struct bytes notes)
{
    static const struct {
        const char *word;
        int level;
    } levels[] = {{"ERROR ", LOG_ERROR}, {"WARN ", LOG_WARN}, {"INFO ", LOG_INFO}, {"DEBUG ", LOG_DEBUG7}};
    while (notes.n > 0) {
        const char *end = memchr(notes.p, '\n', notes.n);
        size_t n = end ? (size_t)(end - notes.p) : notes.n;
        int level = LOG_INFO;
        size_t skip = 0;
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
            if (strncmp(notes.p, levels[i].word, strlen(levels[i].word)) == 0) {
                level = levels[i].level;
                skip = strlen(levels[i].word);
            }
        hqi_base_log_write(w->log, level, where, "%.*s", (int)(n - skip), notes.p + skip);
        notes.p += end ? n + 1 : n;
        notes.n -= end ? n + 1 : n;
    }
}

/* False: out of memory; nothing else can go wrong. */
static bool take_item(struct hq_worker *w, uint32_t index, const struct from_helper *item)
{
    struct now now = hqi_worker_now(w);
    return !w->tasks || hqi_tasks_on_helper(w->tasks, &now, index, item, NULL) >= 0;
}

static uint32_t on_items(void *user, uint32_t index, const struct from_helper *items, uint32_t n)
{
    struct hq_worker *w = user;
    bool ok = true;
    uint32_t i = 0;
    for (; i < n && ok; i += ok) {
        if (items[i].kind == FROM_HELPER_HARDWARE)
            on_hardware(&w->answers, &items[i].u.hardware);
        else if (items[i].kind == FROM_HELPER_COMMAND)
            on_command(&w->answers, items[i].u.command.status, items[i].u.command.out);
        else if (items[i].kind == FROM_HELPER_LOAD)
            hqi_worker_overview_take(w, items[i].u.load.load, items[i].u.load.notes);
        else
            ok = take_item(w, index, &items[i]);
    }
    hqi_worker_effects_pump(w);
    return i;
}

static void on_lost(void *user, uint32_t index)
{
    struct hq_worker *w = user;
    w->answers.helper_lost = true;
    hqi_worker_helper_lose(w, index);
}

static const struct helper_link_ops ops = {on_items, on_lost};

/* ---- starting ---- */

static int start_one(struct hq_worker *w, uint32_t index, hq_error *err)
{
    const struct helper_link_options o = {
        .alloc = w->alloc,
        .log = w->log,
        .loop = w->loop,
        .path = w->helper_path,
        .env = w->task_env,
        .work_dir = w->work_dir,
        .nofile = w->task_files,
        .keep_affinity = w->keep_affinity,
        .index = index,
        .ops = &ops,
        .user = w,
    };
    return hqi_tasks_helper_link_new(&w->helpers[index].link, &o, err);
}

static int open_error(const char *path, hq_error *err)
{
    if (errno == EMFILE || errno == ENFILE)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "no file descriptor is left for the helper; raise `ulimit -n`");
    return hqi_base_error_sys(err, errno, where, "cannot open the helper '%s'", path);
}

/* Helpers that are started later must be of the same build, whatever happens to the file. */
static int open_program(struct hq_worker *w, hq_error *err)
{
    char *found = NULL;
    int r = w->helper_path ? HQ_OK : hqi_tasks_helper_start_find(&found, w->alloc, err);
    const char *path = w->helper_path ? w->helper_path : found;
    if (r >= 0 && (w->program = open(path, O_PATH | O_CLOEXEC)) < 0)
        r = open_error(path, err);
    hqi_base_alloc_free(w->alloc, found);
    if (r < 0)
        return r;
    w->helper_path = hqi_base_arena_printf(w->mem, "/proc/self/fd/%d", w->program);
    return w->helper_path ? HQ_OK : hqi_base_error_nomem(err, where);
}

int hqi_worker_helper_start(struct hq_worker *w, uint32_t n, hq_error *err)
{
    int r = w->program < 0 ? open_program(w, err) : HQ_OK;
    while (r >= 0 && w->n_helpers < n) {
        r = start_one(w, w->n_helpers, err);
        w->n_helpers += r >= 0;
    }
    return r;
}

int hqi_worker_helper_ask(struct hq_worker *w, const struct to_helper *item, const bool *done, int timeout_ms,
                           hq_error *err)
{
    struct helper_link *l = w->helpers[0].link;
    uint64_t end = hqi_base_clock_now().mono_ns + (uint64_t)timeout_ms * HQI_MS;
    w->answers.mem = w->mem;
    int r = hqi_tasks_helper_link_send(l, item, 1, err);
    while (r >= 0 && !*done) {
        uint64_t now = hqi_base_clock_now().mono_ns;
        if (w->answers.helper_lost)
            return hqi_base_error_set(err, HQ_EINTERNAL, where, "the helper process has died");
        if (now >= end)
            return hqi_base_error_set(err, HQ_ETIMEDOUT, where, "the helper process did not answer in %d ms", timeout_ms);
        r = hqi_tasks_helper_link_wait(l, (int)((end - now + HQI_MS - 1) / HQI_MS), err);
        if (r == HQ_ETIMEDOUT || r == HQ_EINTR)
            r = HQ_OK;
    }
    if (r >= 0 && w->answers.no_memory)
        r = hqi_base_error_nomem(err, where);
    return r;
}

/* ---- losing ---- */

void hqi_worker_helper_lose(struct hq_worker *w, uint32_t index)
{
    struct now now = hqi_worker_now(w);
    if (w->helpers[index].lost)
        return;
    w->helpers[index].lost = true;
    hqi_loop_timer_set(w->loop, &w->repair, now.mono_ns);
    if (w->phase < PHASE_ENDING && w->tasks) {
        hqi_base_log_write(w->log, LOG_WARN, where, "A helper process has died; its tasks are started again");
        hqi_worker_orphans_kill(w, index);
        hqi_tasks_on_helper_lost(w->tasks, &now, index);
        hqi_worker_effects_pump(w);
    }
}

static bool repair_one(struct hq_worker *w, uint32_t index)
{
    struct worker_helper *h = &w->helpers[index];
    hq_error err;
    if (!h->lost)
        return true;
    hqi_tasks_helper_link_free(h->link);
    h->link = NULL;
    if (w->phase >= PHASE_ENDING)
        return true;
    if (start_one(w, index, &err) < 0) {
        hqi_base_log_write(w->log, LOG_ERROR, where, "Cannot start a helper process: %s", err.text);
        return false;
    }
    h->lost = false;
    if (index == 0 && w->id.n)
        hqi_worker_overview_ask(w);
    return true;
}

void hqi_worker_helper_on_repair(struct loop_timer *t)
{
    struct hq_worker *w = hqi_container(t, struct hq_worker, repair);
    bool done = true;
    for (uint32_t i = 0; i < w->n_helpers; i++)
        done = repair_one(w, i) && done;
    if (!done)
        hqi_loop_timer_set(w->loop, t, hqi_worker_now(w).mono_ns + REPAIR_NS);
    hqi_worker_effects_pump(w);
    hqi_worker_end_look(w);
}

/* ---- ending ---- */

bool hqi_worker_helper_gone(const struct hq_worker *w)
{
    for (uint32_t i = 0; i < w->n_helpers; i++)
        if (!w->helpers[i].lost)
            return false;
    return true;
}

void hqi_worker_helper_ask_to_end(struct hq_worker *w)
{
    const struct to_helper item = {.kind = TO_HELPER_END};
    for (uint32_t i = 0; i < w->n_helpers; i++)
        if (!w->helpers[i].lost && hqi_tasks_helper_link_send(w->helpers[i].link, &item, 1, NULL) < 0)
            hqi_worker_helper_lose(w, i);
}

void hqi_worker_helper_free(struct hq_worker *w, bool forked)
{
    for (uint32_t i = 0; i < MAX_HELPERS; i++) {
        if (forked)
            hqi_tasks_helper_link_free_forked(w->helpers[i].link);
        else
            hqi_tasks_helper_link_free(w->helpers[i].link);
        w->helpers[i].link = NULL;
    }
}
