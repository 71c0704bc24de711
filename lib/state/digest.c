/* SPDX-License-Identifier: MIT */
/* digest.c - one number for all that a state means.
 *
 * Promise: equal states have equal digests, whatever memory they took on the way: spare pieces, empty chunks, room and
 * hash tables do not count. Nor do error texts, which a full memory may lose. */
#include <string.h>

#include "state/state.h"
#include "state/submit.h"

static void add(uint64_t *h, uint64_t v)
{
    const uint64_t pair[2] = {*h, v};
    *h = hqi_base_map_hash(pair, sizeof pair);
}

static void add_bytes(uint64_t *h, const void *p, size_t n)
{
    add(h, n);
    add(h, n ? hqi_base_map_hash(p, n) : 0);
}

static void add_counts(uint64_t *h, const uint64_t counts[HQ_TASK_STATES])
{
    add_bytes(h, counts, HQ_TASK_STATES * sizeof *counts);
}

/* ---- submits ---- */

static void add_exception(struct map_node *n, void *user)
{
    const struct exception *e = hqi_container(n, struct exception, by_ordinal);
    uint64_t *sum = user, h = n->key;
    add(&h, e->instance);
    add(&h, e->start_ms);
    add(&h, e->duration_ms);
    *sum += h; /* whatever the order of the table */
}

static void add_known(uint64_t *h, const struct submit *s)
{
    for (uint32_t i = 0; i < s->known_bytes; i++)
        if (s->known[i]) {
            add(h, i);
            add(h, s->known[i]);
        }
}

static void add_chunk(uint64_t *h, const struct submit *s, const struct chunk *c, uint32_t first)
{
    const uint32_t n = hqi_state_submit_chunk_tasks(s, first);
    if (c->counts[HQ_TASK_WAITING] == n)
        return;
    add(h, first);
    add_bytes(h, c->counts, sizeof c->counts);
    add_bytes(h, c->tasks, n * sizeof *c->tasks);
}

static void add_columns(uint64_t *h, const struct submit *s)
{
    for (uint32_t i = 0; i < s->n_pages; i++)
        for (uint32_t k = 0; s->pages[i] && k < hqi_state_submit_page_chunks(s, i); k++)
            if (s->pages[i][k])
                add_chunk(h, s, s->pages[i][k], (i * CHUNK_FAN + k) * CHUNK_TASKS);
}

static void add_submit(uint64_t *h, const struct submit *s)
{
    uint64_t exceptions = s->exceptions.count;
    struct map map = s->exceptions; /* each() wants one that may change; this one does not */
    hqi_base_map_each(&map, add_exception, &exceptions);
    add(h, s->id);
    add(h, s->spec->ids.count);
    add(h, (uint64_t)s->spec->priority);
    add(h, s->spec->crash_limit);
    add(h, s->class->id);
    add(h, s->key.a);
    add(h, s->key.b);
    add(h, s->at_ms);
    add_counts(h, s->counts);
    add(h, s->active);
    add(h, s->rest_state);
    add(h, s->rest_ms);
    add(h, exceptions);
    add_known(h, s);
    add_columns(h, s);
}

static void add_job(uint64_t *h, const struct job *j)
{
    add(h, j->id.n);
    add_bytes(h, j->name, j->name_len);
    add_bytes(h, j->cancel_reason, j->reason_len);
    add(h, j->open);
    add(h, j->max_fails);
    add(h, j->key.a);
    add(h, j->key.b);
    add_bytes(h, &j->close_key, sizeof j->close_key);
    add_bytes(h, &j->cancel_key, sizeof j->cancel_key);
    add(h, j->canceled);
    add(h, j->submitted_ms);
    add(h, j->ended_ms);
    add(h, j->change);
    add_counts(h, j->counts);
    add(h, j->text_bytes);
    add(h, j->result_bytes);
    for (uint32_t i = 0; i < j->n_spans; i++) {
        add_bytes(h, &j->spans[i].ids, sizeof j->spans[i].ids);
        add(h, j->spans[i].reach);
        add(h, j->spans[i].submit->id);
    }
    list_for(n, &j->submits) {
        add_submit(h, hqi_container(n, struct submit, in_job));
    }
}

/* ---- queues ---- */

static void add_piece(uint64_t *h, const struct piece *p)
{
    add(h, (uint64_t)p->submit->id << 32 | p->first);
    add(h, (uint64_t)p->count << 32 | p->instance);
    add(h, p->crashes);
}

static void add_levels(uint64_t *h, const struct state *st)
{
    for (struct tree_node *n = hqi_base_tree_first(&st->levels); n; n = hqi_base_tree_next(n)) {
        const struct level *l = hqi_container(n, struct level, by_rank);
        add(h, (uint64_t)l->priority);
        add(h, l->class->id);
        add(h, l->waiting);
        for (struct tree_node *p = hqi_base_tree_first(&l->pieces); p; p = hqi_base_tree_next(p))
            add_piece(h, hqi_container(p, struct piece, in_level));
    }
}

static void add_classes(uint64_t *h, const struct state *st)
{
    for (uint32_t i = 0; i < st->n_resources; i++)
        add_bytes(h, st->resources[i], strlen(st->resources[i]));
    for (uint32_t i = 0; i < st->n_classes; i++) {
        add(h, hqi_model_request_hash(st->classes[i]->request));
        add(h, st->classes[i]->waiting);
        add_bytes(h, st->classes[i]->resource, st->classes[i]->n_entries * sizeof *st->classes[i]->resource);
    }
}

/* ---- workers ---- */

static void add_attempt(uint64_t *h, const struct piece *p)
{
    add_piece(h, p);
    add(h, p->booked | p->started << 1 | p->retracting << 2);
    add(h, p->least);
    if (p->started) {
        add(h, p->start_ms);
        add(h, p->variant);
    }
}

static void add_wclass(uint64_t *h, const struct wclass *wc)
{
    add(h, wc->class->id);
    add(h, (uint64_t)wc->booked << 32 | wc->prefilled);
    add(h, (uint64_t)wc->retracting << 1 | wc->blocked);
    add(h, wc->rate_x16);
    add(h, wc->rate_ms);
}

static void add_worker(uint64_t *h, const struct worker *w)
{
    add(h, w->id.n);
    add_bytes(h, w->config->hostname.p, w->config->hostname.n);
    add(h, (uint64_t)w->end << 8 | w->stopping);
    add(h, w->uid);
    add_bytes(h, w->token, w->has_token ? sizeof w->token : 0);
    add(h, w->joined_ms);
    add(h, w->ended_ms);
    add(h, w->idle_since_ms);
    add_bytes(h, w->total, w->n_resources * sizeof *w->total);
    add_bytes(h, w->free, w->n_resources * sizeof *w->free);
    add(h, (uint64_t)w->n_active << 32 | w->n_running);
    add(h, w->has_last ? (uint64_t)w->last_task.job.n << 32 | w->last_task.index : 0);
    add(h, w->last_ms);
    list_for(n, &w->active) {
        add_attempt(h, hqi_container(n, struct piece, in_worker));
    }
    list_for(n, &w->class_list) {
        add_wclass(h, hqi_container(n, struct wclass, in_worker));
    }
}

uint64_t hqi_state_digest(const struct state *s)
{
    uint64_t h = s->position;
    add(&h, s->epoch);
    add_bytes(&h, s->uid, sizeof s->uid);
    add(&h, (uint64_t)s->n_jobs << 32 | s->live_jobs);
    add(&h, (uint64_t)s->n_submits << 32 | s->n_workers);
    for (uint32_t i = 1; i <= s->n_jobs; i++)
        if (s->jobs[i])
            add_job(&h, s->jobs[i]);
    for (uint32_t i = 1; i <= s->n_workers; i++)
        if (s->workers[i])
            add_worker(&h, s->workers[i]);
    add_classes(&h, s);
    add_levels(&h, s);
    return h;
}
