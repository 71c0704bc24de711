/* SPDX-License-Identifier: MIT */
/* submit.h - submits: the columns and exceptions of their tasks. */
#ifndef HQI_STATE_SUBMIT_H
#define HQI_STATE_SUBMIT_H

#include "state/state.h"

#define MAX_SUBMITS HQI_MAX_JOBS /* ids given, so that a damaged one does not ask for gigabytes */

#define COLUMN_START_MAX ((1ull << 40) - 1) /* of start_ms; stands for: this late or later, see exception */
#define COLUMN_DURATION_MAX UINT32_MAX
#define COLUMN_VARIANTS 32u
#define PAGE_TASKS (CHUNK_TASKS * CHUNK_FAN)

/* Room for id, and the submit, not linked; class, level and spec are the caller's to set. NULL: no memory. */
struct submit *hqi_state_submit_new(struct state *st, uint32_t id);
void hqi_state_submit_free(struct state *st, struct submit *s); /* unlinks it from the arrays; NULL is fine */
void hqi_state_submit_apply(struct state *st, struct fact *f);

/* Chunks for these tasks; false: no memory. Chunks made for nothing mean nothing. */
bool hqi_state_submit_reserve_chunks(const struct state *st, struct submit *s, struct ord_range r);
bool hqi_state_submit_reserve_known(const struct state *st, struct submit *s, hq_worker_id w);
void hqi_state_submit_mark_known(struct submit *s, hq_worker_id w); /* room was reserved, or nothing happens */
void hqi_state_submit_mark_unknown(struct submit *s, hq_worker_id w);

struct exception *hqi_state_submit_exception(const struct submit *s, uint32_t ordinal); /* or NULL */
/* Makes the task's exception out of the memory of a piece, which is linked nowhere. */
struct exception *hqi_state_submit_except(struct submit *s, uint32_t ordinal, struct piece *memory);

/* How many tasks the chunk of this ordinal has, and how many chunks the page of this number. */
static inline uint32_t hqi_state_submit_chunk_tasks(const struct submit *s, uint32_t ordinal)
{
    uint32_t left = s->spec->ids.count - ordinal / CHUNK_TASKS * CHUNK_TASKS;
    return left < CHUNK_TASKS ? left : CHUNK_TASKS;
}
static inline uint32_t hqi_state_submit_page_chunks(const struct submit *s, uint32_t page)
{
    uint32_t left = (s->spec->ids.count - 1) / CHUNK_TASKS + 1 - page * CHUNK_FAN;
    return left < CHUNK_FAN ? left : CHUNK_FAN;
}

static inline struct chunk *hqi_state_submit_chunk(const struct submit *s, uint32_t ordinal) /* or NULL */
{
    struct chunk **page = s->pages ? s->pages[ordinal / PAGE_TASKS] : NULL;
    return page ? page[ordinal / CHUNK_TASKS % CHUNK_FAN] : NULL;
}

/* Writes the column of a task that was handed out, and counts the change everywhere; `from` is its state so far. */
static inline void hqi_state_submit_write(struct submit *s, uint32_t ordinal, uint8_t from, const struct column *to)
{
    struct chunk *c = hqi_state_submit_chunk(s, ordinal);
    c->tasks[ordinal % CHUNK_TASKS] = *to;
    c->counts[from]--;
    c->counts[to->state]++;
    s->counts[from]--;
    s->counts[to->state]++;
    s->job->counts[from]--;
    s->job->counts[to->state]++;
}

#endif
