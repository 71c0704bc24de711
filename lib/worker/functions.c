/* SPDX-License-Identifier: MIT */
/* functions.c - tasks that the host runs itself: batches out as events, answers in.
 *
 * A batch is a copy: the host's threads read it while this thread goes on. Must never happen: a batch freed while a task of
 * it is unanswered, or an answer taken twice. */
#include "base/error.h"
#include "base/limits.h"
#include "worker/worker.h"

static const char where[] = "worker";

_Static_assert(HQ_MAX_RESULT == HQI_MAX_RESULT, "what the public header says");

/* ---- handing over ---- */

/* Everything but the tasks: what may fail comes before they are taken. */
static struct worker_batch *make(struct hq_worker *w, struct event **event)
{
    struct arena *mem = hqi_base_arena_new(w->alloc);
    struct worker_batch *b = mem ? hqi_base_arena_zero(mem, 1, sizeof *b) : NULL;
    *event = b ? hqi_host_event_new(&w->handle, HQ_EVENT_BATCH) : NULL;
    if (!*event) {
        hqi_base_arena_free(mem);
        return NULL;
    }
    b->mem = mem;
    return b;
}

static bool hand_over_one(struct hq_worker *w, const struct now *now)
{
    struct event *event;
    struct host_tasks t;
    struct worker_batch *b = make(w, &event);
    if (!b)
        return false;
    if (!hqi_tasks_take_host(w->tasks, now, b->mem, &t)) {
        hqi_host_event_free(w->handle.ctx, event);
        hqi_base_arena_free(b->mem);
        return false;
    }
    b->pub = (hq_batch){.job = t.job, .function = t.function.p, .count = t.n, .index = t.ids, .instance = t.instances,
                        .entry = t.entries, .entry_size = t.entry_sizes, .time_limit_ms = t.time_limit_ms};
    b->keys = t.keys;
    b->n_left = t.n;
    b->since_ns = now->mono_ns;
    b->answered = t.answered;
    list_push_back(&w->batches, &b->link);
    event->pub.u.batch = &b->pub;
    hqi_host_event_push(w->handle.ctx, event);
    return true;
}

bool hqi_worker_functions_hand_over(struct hq_worker *w)
{
    const struct now now = hqi_worker_now(w);
    while (hqi_tasks_host_due(w->tasks)) {
        if (!hqi_host_event_room(w->handle.ctx))
            return true;
        if (!hand_over_one(w, &now))
            return false;
    }
    return false;
}

static void free_batch(struct worker_batch *b)
{
    list_unlink(&b->link);
    hqi_base_arena_free(b->mem);
}

void hqi_worker_functions_fini(struct hq_worker *w)
{
    while (!list_empty(&w->batches))
        free_batch(hqi_container(w->batches.next, struct worker_batch, link));
}

/* ---- answers ---- */

/* By its address: a pointer that the host has made up, or kept for too long, is not followed. */
static struct worker_batch *find(const struct hq_worker *w, const hq_batch *pub)
{
    list_for(link, &w->batches) {
        struct worker_batch *b = hqi_container(link, struct worker_batch, link);
        if (&b->pub == pub)
            return b;
    }
    return NULL;
}

static int check_answer(const struct worker_batch *b, const hq_answer *a, hq_error *err)
{
    if (a->first > b->pub.count || a->count > b->pub.count - a->first)
        return hqi_base_error_set(err, HQ_EINVAL, where, "tasks %zu to %zu of a batch of %zu are answered", a->first,
                                  a->first + a->count, b->pub.count);
    for (size_t i = 0; a->code && i < a->count; i++)
        if (a->code[i] < 0 || a->code[i] >= HQ_CODE_SIGNAL)
            return hqi_base_error_set(err, HQ_EINVAL, where, "the code %d is answered: expected 0 to 255", a->code[i]);
    for (size_t i = 0; a->duration_ns && i < a->count; i++)
        if (a->duration_ns[i] < 0)
            return hqi_base_error_set(err, HQ_EINVAL, where, "the duration %lld ns is answered: expected 0 or more",
                                      (long long)a->duration_ns[i]);
    if (a->result && !a->result_size)
        return hqi_base_error_set(err, HQ_EINVAL, where, "results are answered without their sizes");
    for (size_t i = 0; a->result && i < a->count; i++)
        if (a->result[i] && a->result_size[i] > HQI_MAX_RESULT)
            return hqi_base_error_set(err, HQ_ELIMIT, where, "a result of %zu bytes: at most %u; write it to a file",
                                      a->result_size[i], HQI_MAX_RESULT);
    return HQ_OK;
}

/* Tasks without a time of their own share the time since the last answer, one after the other. */
struct shares {
    uint64_t now_ns, since_ns, n, at;
};

static struct helper_ended outcome(const struct worker_batch *b, const hq_answer *a, size_t i, struct shares *s)
{
    size_t row = i - a->first;
    uint64_t all_ns = s->now_ns > s->since_ns ? s->now_ns - s->since_ns : 0;
    uint64_t share_ns = s->n ? all_ns / s->n : 0;
    uint64_t ns = a->duration_ns ? (uint64_t)a->duration_ns[row] : share_ns;
    uint64_t age_ns = a->duration_ns ? ns : all_ns - share_ns * s->at++; /* of its start */
    struct helper_ended e = {.key = b->keys[i], .age_ms = age_ns / HQI_MS, .duration_ms = ns / HQI_MS};
    e.code = a->code ? (uint16_t)a->code[row] : 0;
    if (a->result && a->result[row])
        e.text = (struct bytes){a->result[row], a->result_size[row]};
    if (a->error && a->error[row]) {
        e.code = HQ_CODE_TEXT;
        e.text = bytes_of(a->error[row]);
    }
    if (b->pub.time_limit_ms && ns > b->pub.time_limit_ms * HQI_MS) {
        e.code = HQ_CODE_TIME_LIMIT;
        e.text = (struct bytes){0};
    }
    return e;
}

static int take(struct hq_worker *w, struct worker_batch *b, const hq_answer *a, hq_error *err)
{
    const struct now now = hqi_loop_loop_refresh(w->loop);
    struct shares shares = {.now_ns = now.mono_ns, .since_ns = b->since_ns};
    for (size_t i = a->first; i < a->first + a->count; i++)
        shares.n += !b->answered[i];
    for (size_t i = a->first; i < a->first + a->count; i++) {
        if (b->answered[i])
            continue;
        const struct helper_ended e = outcome(b, a, i, &shares);
        int r = hqi_tasks_on_host(w->tasks, &now, &e, err);
        if (r < 0)
            return r;
        b->answered[i] = true;
        b->n_left--;
    }
    b->since_ns = now.mono_ns;
    return HQ_OK;
}

/* The batch, for a call of the host's; NULL: `code` says why. */
static struct worker_batch *reach(const hq_worker *w, const hq_batch *pub, int *code, hq_error *err)
{
    *code = hqi_host_ctx_check(w ? w->handle.ctx : NULL, err);
    if (*code < 0)
        return NULL;
    struct worker_batch *b = find(w, pub);
    if (!b)
        *code = hqi_base_error_set(err, HQ_EINVAL, where, "not a batch of this worker, or one that was answered");
    return b;
}

int hq_worker_answer(hq_worker *w, const hq_batch *pub, const hq_answer *answer, hq_error *err)
{
    hq_answer a;
    int r;
    struct worker_batch *b = reach(w, pub, &r, err);
    if (!b)
        return r;
    r = hqi_host_ctx_options(&a, sizeof a, answer, "hq_answer", err);
    if (!answer)
        a.count = b->pub.count;
    if (r >= 0 && w->phase >= PHASE_ENDING)
        r = hqi_base_error_set(err, HQ_ECLOSED, where, "the worker has ended");
    if (r >= 0)
        r = check_answer(b, &a, err);
    if (r >= 0)
        r = take(w, b, &a, err);
    if (b->n_left == 0)
        free_batch(b);
    if (w->phase < PHASE_ENDING)
        hqi_loop_timer_set(w->loop, &w->report, hqi_worker_now(w).mono_ns); /* what follows comes with the next dispatch */
    return r;
}

/* ---- questions ---- */

int hq_worker_wants(const hq_worker *w, const hq_batch *pub, size_t i)
{
    int code;
    struct worker_batch *b = reach(w, pub, &code, NULL);
    if (!b)
        return code;
    return w->phase < PHASE_ENDING && i < b->pub.count && !b->answered[i] && hqi_tasks_host_wants(w->tasks, b->keys[i]);
}

const char *hq_worker_variable(const hq_worker *w, const hq_batch *pub, size_t i, const char *name)
{
    int code;
    struct bytes value;
    struct worker_batch *b = reach(w, pub, &code, NULL);
    if (!b || !name || i >= b->pub.count || b->answered[i])
        return NULL;
    return hqi_tasks_host_variable(w->tasks, b->keys[i], name, &value) ? value.p : NULL;
}
