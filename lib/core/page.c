/* SPDX-License-Identifier: MIT */
/* page.c - tasks of a job as columns, ascending by id, a page at a time. The cursor is the id of the next task; it stays good
 * while the job lives, whatever changes in between. */
#include <stdlib.h>

#include "base/limits.h"
#include "core/inner.h"

#define CURSOR (1ull << 32) /* in each: 0 is none, and an id */

struct columns {
    uint32_t n, room;
    uint32_t *ids, *worker, *instance;
    uint8_t *state;
    uint16_t *code;
    int64_t *start, *duration;
    struct end_text *texts;
    uint32_t n_texts;
    size_t bytes; /* of texts */
};

static bool is_full(const struct columns *v)
{
    return v->n == v->room || v->bytes >= HQI_PAGE_BYTES;
}

static bool columns_get(struct core *c, struct columns *v, uint32_t room)
{
    struct arena *m = &c->mem;
    *v = (struct columns){.room = room};
    v->ids = hqi_base_arena_get(m, room * sizeof *v->ids);
    v->worker = hqi_base_arena_get(m, room * sizeof *v->worker);
    v->instance = hqi_base_arena_get(m, room * sizeof *v->instance);
    v->state = hqi_base_arena_get(m, room * sizeof *v->state);
    v->code = hqi_base_arena_get(m, room * sizeof *v->code);
    v->start = hqi_base_arena_get(m, room * sizeof *v->start);
    v->duration = hqi_base_arena_get(m, room * sizeof *v->duration);
    v->texts = hqi_base_arena_get(m, room * sizeof *v->texts);
    return v->ids && v->worker && v->instance && v->state && v->code && v->start && v->duration && v->texts;
}

static bool has_ended(uint8_t state)
{
    return state != HQ_TASK_WAITING && state != HQ_TASK_RUNNING;
}

static void add_task(struct columns *v, uint32_t id, const struct task_view *t)
{
    uint32_t i = v->n++;
    v->ids[i] = id;
    v->worker[i] = t->worker;
    v->instance[i] = t->instance;
    v->state[i] = t->state;
    v->code[i] = t->code;
    v->start[i] = t->started ? (int64_t)t->start_ms : -1;
    v->duration[i] = has_ended(t->state) && t->started ? (int64_t)t->duration_ms : -1;
    if (t->text || t->dropped)
        v->texts[v->n_texts++] = (struct end_text){i, {t->text, t->text_len}};
    v->bytes += t->text_len;
}

/* Returns the next cursor, 0 at the end. */
static uint64_t fill(struct core *c, const struct job *j, const struct command *cmd, struct columns *v, bool *failed)
{
    uint32_t from = (uint32_t)cmd->u.task_page.cursor;
    uint32_t states = cmd->u.task_page.states ? cmd->u.task_page.states : (1u << HQ_TASK_STATES) - 1;
    struct walk w;
    struct walk_task at;
    if (cmd->u.task_page.ids.count)
        hqi_core_walk_ids(&w, &c->tick, j, &cmd->u.task_page.ids, from);
    else
        hqi_core_walk_job(&w, &c->tick, j, from, states);
    while (hqi_core_walk_next(&w, &at)) {
        struct task_view t;
        if (is_full(v))
            return CURSOR | at.id;
        hqi_state_task(at.submit, at.ordinal, &t);
        if (states & 1u << t.state)
            add_task(v, at.id, &t);
    }
    *failed = w.failed;
    return 0;
}

static bool fill_names(struct core *c, const struct columns *v, struct task_page *p)
{
    uint32_t n_workers = c->state->n_workers, n = 0;
    uint8_t *seen = hqi_base_arena_zero(&c->tick, n_workers + 1u, 1);
    struct worker_name *names = hqi_base_arena_get(&c->mem, (n_workers + 1u) * sizeof *names);
    if (!seen || !names)
        return false;
    for (uint32_t i = 0; i < v->n; i++)
        if (v->worker[i] <= n_workers)
            seen[v->worker[i]] = 1;
    for (uint32_t w = 1; w <= n_workers; w++)
        if (seen[w])
            names[n++] = (struct worker_name){{w}, hqi_state_worker(c->state, (hq_worker_id){w})->config->hostname};
    p->workers = names;
    p->n_workers = n;
    return true;
}

void hqi_core_task_page(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    const struct job *j = hqi_state_job(c->state, cmd->u.task_page.job);
    uint32_t limit = cmd->u.task_page.limit;
    struct columns v;
    (void)now;
    if (!j) {
        hqi_core_reply_error(c, client, cmd, HQ_ENOENT, "Job not found");
        return;
    }
    if (limit == 0 || limit > HQI_MAX_PAGE)
        limit = HQI_MAX_PAGE;
    uint64_t most = cmd->u.task_page.ids.count ? cmd->u.task_page.ids.count : hqi_state_job_total(j);
    if (limit > most)
        limit = (uint32_t)most;
    struct reply *r = columns_get(c, &v, limit + 1) ? hqi_core_reply(c, client, cmd->id, cmd->kind) : NULL;
    if (!r) {
        hqi_core_reply_error(c, client, cmd, HQ_ENOMEM, "The server is out of memory for this page");
        return;
    }
    v.room = limit ? limit : 1;
    bool failed = false;
    uint64_t next = fill(c, j, cmd, &v, &failed);
    r->u.tasks = (struct task_page){v.n, v.ids, v.state, v.code, v.start, v.duration, v.worker, v.instance,
                                    v.texts, v.n_texts, next, NULL, 0};
    if (failed || !fill_names(c, &v, &r->u.tasks))
        hqi_core_reply_fail(c, r, HQ_ENOMEM, "The server is out of memory for this page");
}
