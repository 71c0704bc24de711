/* SPDX-License-Identifier: MIT */
/* news.c - reports to the server, made from the lists of news.
 *
 * Promise: what a report holds leaves the lists only when the whole report was made, so nothing is lost for want
 * of memory. Rows are in the order in which they happened, grouped by submit and instance. */
#include "tasks/news.h"

#include "base/error.h"
#include "hqcore/types.h"
#include "model/spec.h"
#include "tasks/dispatch.h"
#include "tasks/host.h"
#include "tasks/queue.h"
#include "tasks/work.h"

/* A row takes at most some 20 bytes in a message; with the texts a report stays near HQI_BATCH_BYTES. */
#define ROW_BYTES 20u
/* Between the signal that kills a task and the one that tells the worker that its allocation ends: milliseconds, but for a
 * node that swaps. Failures inside allocations are told that much later. */
#define DOUBT_NS HQI_SEC

static const char unnamed[] = "";

/* ---- gathering ---- */

static void announce(struct tasks *t, struct work *w)
{
    if (list_empty(&w->news_link))
        list_push_back(&t->news, &w->news_link);
}

void hqi_tasks_news_add_piece(struct tasks *t, struct piece *p, int kind)
{
    list_push_back(&p->work->news[kind], &p->link);
    announce(t, p->work);
}

void hqi_tasks_news_add_pieces(struct tasks *t, struct list *pieces, int kind)
{
    for (struct list *link; (link = list_pop_front(pieces));)
        hqi_tasks_news_add_piece(t, hqi_container(link, struct piece, link), kind);
}

void hqi_tasks_news_add_started(struct tasks *t, struct attempt *a)
{
    list_push_back(&a->piece.work->news[NEWS_STARTED], &a->news);
    announce(t, a->piece.work);
}

void hqi_tasks_news_add_ended(struct tasks *t, struct attempt *a)
{
    list_push_back(&a->piece.work->news[NEWS_ENDED], &a->news);
    announce(t, a->piece.work);
}

void hqi_tasks_news_doubt(struct tasks *t, struct attempt *a)
{
    a->doubted_ns = t->now.mono_ns;
    list_push_back(&t->doubted, &a->news);
}

uint64_t hqi_tasks_news_trust_ns(const struct tasks *t)
{
    return list_empty(&t->doubted) ? UINT64_MAX : attempt_of_news(t->doubted.next)->doubted_ns + DOUBT_NS;
}

static void trust(struct tasks *t)
{
    while (hqi_tasks_news_trust_ns(t) <= t->now.mono_ns)
        hqi_tasks_news_add_ended(t, attempt_of_news(list_pop_front(&t->doubted)));
}

static void forget_doubted(struct tasks *t, const struct work *w)
{
    list_for_safe(link, next, &t->doubted) {
        struct attempt *a = attempt_of_news(link);
        if (a->piece.work != w)
            continue;
        list_unlink(link);
        hqi_tasks_queue_drop(t, &a->piece);
    }
}

static struct piece *piece_of_news(struct list *link, int kind)
{
    return kind <= NEWS_ENDED ? &attempt_of_news(link)->piece : hqi_container(link, struct piece, link);
}

static bool is_quiet(const struct work *w)
{
    for (int kind = 0; kind < NEWS_KINDS; kind++)
        if (!list_empty(&w->news[kind]))
            return false;
    return true;
}

/* The first `n` rows of a kind have been told, or never will be. */
static void forget(struct tasks *t, struct work *w, int kind, uint32_t n)
{
    for (; n > 0; n--) {
        struct list *link = list_pop_front(&w->news[kind]);
        if (kind != NEWS_STARTED)
            hqi_tasks_queue_drop(t, piece_of_news(link, kind));
    }
    if (is_quiet(w))
        list_unlink(&w->news_link);
}

static uint32_t length(const struct list *l)
{
    uint32_t n = 0;
    list_for(link, l)
        n++;
    return n;
}

void hqi_tasks_news_forget(struct tasks *t, struct work *w)
{
    for (int kind = 0; kind < NEWS_KINDS; kind++)
        forget(t, w, kind, length(&w->news[kind]));
    forget_doubted(t, w);
}

/* ---- one group: rows of one submit, instance and kind that follow each other ---- */

struct writer {
    struct tasks *tasks;
    struct arena *mem; /* borrowed */
    struct report *report;
    int64_t room; /* bytes */
    struct told { /* what this report takes from the lists */
        struct told *next;
        struct work *work;
        int kind;
        uint32_t n;
    } *told, **last; /* in mem */
    bool failed;
};

static void *get(struct writer *w, size_t n, size_t size)
{
    void *p = hqi_base_arena_zero(w->mem, n ? n : 1, size);
    w->failed = w->failed || !p;
    return p;
}

static struct bytes text_of(const struct attempt *a)
{
    if (a->reason)
        return bytes_of(a->reason);
    return (struct bytes){a->text ? a->text : unnamed, a->n_text};
}

static uint32_t run_of(struct writer *w, struct list *from, const struct list *end, int kind)
{
    uint32_t n = 0, instance = piece_of_news(from, kind)->instance;
    for (; from != end && piece_of_news(from, kind)->instance == instance && w->room > 0; from = from->next, n++) {
        w->room -= ROW_BYTES;
        if (kind == NEWS_ENDED)
            w->room -= (int64_t)text_of(attempt_of_news(from)).n;
    }
    return n;
}

static uint64_t age_ms(const struct writer *w, const struct attempt *a)
{
    uint64_t now = w->tasks->now.mono_ns;
    return a->start_ns && now > a->start_ns ? (now - a->start_ns) / HQI_MS : 0;
}

static void write_started(struct writer *w, struct list *link, uint32_t n, struct report_start *ret)
{
    uint32_t *ordinals = get(w, n, sizeof *ordinals);
    uint64_t *ages = get(w, n, sizeof *ages);
    uint8_t *variant = get(w, n, sizeof *variant), any = 0;
    for (uint32_t i = 0; !w->failed && i < n; i++, link = link->next) {
        const struct attempt *a = attempt_of_news(link);
        ordinals[i] = a->piece.ord;
        ages[i] = age_ms(w, a);
        any |= variant[i] = a->variant;
    }
    *ret = (struct report_start){.n = n, .ordinals = ordinals, .age_ms = ages, .variant = any ? variant : NULL};
}

static void write_text(struct writer *w, const struct attempt *a, uint32_t row, struct end_text *texts, uint32_t *n)
{
    bool ok = true, is_reason = a->code == HQ_CODE_TEXT || a->code == HQ_CODE_LAUNCH;
    if (!is_reason && a->n_text == 0)
        return;
    texts[(*n)++] = (struct end_text){row, hqi_base_arena_bytes(w->mem, text_of(a), &ok)};
    w->failed = w->failed || !ok;
}

static void write_ended(struct writer *w, struct list *link, uint32_t n, struct report_end *ret)
{
    uint32_t *ordinals = get(w, n, sizeof *ordinals);
    uint64_t *ages = get(w, n, sizeof *ages), *durations = get(w, n, sizeof *durations);
    uint16_t *codes = get(w, n, sizeof *codes);
    uint8_t *variant = get(w, n, sizeof *variant), any = 0;
    struct end_text *texts = get(w, n, sizeof *texts);
    uint32_t n_texts = 0;
    for (uint32_t i = 0; !w->failed && i < n; i++, link = link->next) {
        const struct attempt *a = attempt_of_news(link);
        ordinals[i] = a->piece.ord;
        ages[i] = age_ms(w, a);
        durations[i] = a->duration_ms;
        codes[i] = a->code;
        any |= variant[i] = a->variant;
        write_text(w, a, i, texts, &n_texts);
    }
    *ret = (struct report_end){.n = n, .ordinals = ordinals, .age_ms = ages, .duration_ms = durations, .code = codes,
                               .variant = any ? variant : NULL, .texts = n_texts ? texts : NULL, .n_texts = n_texts};
}

static void write_pieces(struct writer *w, struct list *link, int kind, uint32_t n, struct task_group *ret)
{
    struct ord_range *ranges = get(w, n, sizeof *ranges);
    uint32_t used = 0;
    for (uint32_t i = 0; !w->failed && i < n; i++, link = link->next) {
        const struct piece *p = piece_of_news(link, kind);
        if (used > 0 && ranges[used - 1].first + ranges[used - 1].count == p->ord)
            ranges[used - 1].count += p->count;
        else
            ranges[used++] = (struct ord_range){p->ord, p->count};
    }
    *ret = (struct task_group){.ranges = ranges, .n_ranges = used};
}

/* ---- the report ---- */

/* Room for what is written next: groups of a kind lie one behind the other, so they are counted first. */
static uint32_t count_groups(const struct tasks *t, int kind)
{
    uint32_t n = 0;
    list_for(link, &t->news) {
        struct work *w = hqi_container(link, struct work, news_link);
        const struct piece *before = NULL;
        list_for(row, &w->news[kind]) {
            const struct piece *p = piece_of_news(row, kind);
            n += !before || before->instance != p->instance;
            before = p;
        }
    }
    return n;
}

static void remember(struct writer *w, struct work *work, int kind, uint32_t n)
{
    struct told *told = get(w, 1, sizeof *told);
    if (!told)
        return;
    *told = (struct told){.work = work, .kind = kind, .n = n};
    *w->last = told;
    w->last = &told->next;
}

/* Where the next group of this kind goes. */
struct cursor {
    struct report_start *started;
    struct report_end *ended;
    struct task_group *pieces;
    uint32_t n;
};

static void write_group(struct writer *w, struct work *work, struct list *from, int kind, uint32_t n, struct cursor *at)
{
    uint32_t instance = piece_of_news(from, kind)->instance;
    if (kind == NEWS_STARTED) {
        write_started(w, from, n, &at->started[at->n]);
        at->started[at->n].submit = work->submit;
        at->started[at->n].instance = instance;
    } else if (kind == NEWS_ENDED) {
        write_ended(w, from, n, &at->ended[at->n]);
        at->ended[at->n].submit = work->submit;
        at->ended[at->n].instance = instance;
    } else {
        write_pieces(w, from, kind, n, &at->pieces[at->n]);
        at->pieces[at->n].submit = work->submit;
        at->pieces[at->n].instance = instance;
    }
    at->n++;
}

static void write_work(struct writer *w, struct work *work, int kind, struct cursor *at)
{
    struct list *rows = &work->news[kind], *from = rows->next;
    while (from != rows && w->room > 0 && !w->failed) {
        uint32_t n = run_of(w, from, rows, kind);
        write_group(w, work, from, kind, n, at);
        remember(w, work, kind, n);
        for (; n > 0; n--)
            from = from->next;
    }
}

static struct cursor write_kind(struct writer *w, int kind)
{
    struct cursor at = {0};
    uint32_t n = count_groups(w->tasks, kind);
    if (kind == NEWS_STARTED)
        at.started = get(w, n, sizeof *at.started);
    else if (kind == NEWS_ENDED)
        at.ended = get(w, n, sizeof *at.ended);
    else
        at.pieces = get(w, n, sizeof *at.pieces);
    if (w->failed)
        return at;
    list_for(link, &w->tasks->news)
        write_work(w, hqi_container(link, struct work, news_link), kind, &at);
    return at;
}

static bool write_report(struct writer *w, struct report *ret)
{
    struct cursor at[NEWS_KINDS];
    for (int kind = 0; kind < NEWS_KINDS; kind++)
        at[kind] = write_kind(w, kind);
    *ret = (struct report){
        .started = at[NEWS_STARTED].started,   .n_started = at[NEWS_STARTED].n,
        .ended = at[NEWS_ENDED].ended,         .n_ended = at[NEWS_ENDED].n,
        .returned = at[NEWS_RETURNED].pieces,  .n_returned = at[NEWS_RETURNED].n,
        .rejected = at[NEWS_REJECTED].pieces,  .n_rejected = at[NEWS_REJECTED].n,
        .crashed = at[NEWS_CRASHED].pieces,    .n_crashed = at[NEWS_CRASHED].n,
    };
    return !w->failed;
}

/* A task that has ended is no news any more as one that had started. */
static void prune(struct tasks *t)
{
    list_for_safe(link, next, &t->news)
        if (is_quiet(hqi_container(link, struct work, news_link)))
            list_unlink(link);
}

bool hqi_tasks_take_report(struct tasks *t, const struct now *now, struct report *ret)
{
    struct writer w = {.tasks = t, .mem = &t->report_mem, .room = HQI_BATCH_BYTES};
    w.last = &w.told;
    t->now = *now;
    hqi_tasks_dispatch_wake(t);
    hqi_tasks_dispatch_run(t);
    hqi_tasks_host_tell(t);
    trust(t);
    hqi_base_arena_clear(w.mem);
    prune(t);
    if (list_empty(&t->news))
        return false;
    if (!write_report(&w, ret)) {
        t->starved = true;
        return false;
    }
    for (struct told *told = w.told; told; told = told->next)
        forget(t, told->work, told->kind, told->n);
    return true;
}
