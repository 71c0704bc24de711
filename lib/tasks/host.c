/* SPDX-License-Identifier: MIT */
/* host.c - the post whose tasks the host itself runs, as functions.
 *
 * Slots, chains, limits and reports are those of any other post. What differs: a whole chain is handed over at once, since
 * nothing can be asked back from the host; so everything that was handed over has started. */
#include "tasks/host.h"

#include "model/spec.h"
#include "tasks/dispatch.h"
#include "tasks/news.h"

#define TAKE_MAX 32768u               /* tasks handed over at once */
#define TAKE_BYTES (4u << 20)         /* of their entries, if there are several */
#define TELL_NS (20 * HQI_MS)         /* as helpers do: what ends sooner is told once, as ended */

static struct attempt *attempt_of_mail(const struct list *link)
{
    return hqi_container(link, struct attempt, mail);
}

/* KILL: whoever runs it can ask, and what it comes to is ignored. */
static void drop_kills(struct list *mail)
{
    list_for_safe(link, next, mail) {
        struct attempt *a = attempt_of_mail(link);
        if (a->due & MAIL_LAUNCH)
            continue;
        list_unlink(link);
        a->due = 0;
    }
}

/* How many at the front belong to one submit. */
static uint32_t measure(const struct list *mail)
{
    const struct work *w = attempt_of_mail(mail->next)->piece.work;
    size_t bytes = 0;
    uint32_t n = 0;
    list_for(link, mail) {
        const struct attempt *a = attempt_of_mail(link);
        bytes += a->entry.n;
        if (a->piece.work != w || n == TAKE_MAX || (n > 0 && bytes > TAKE_BYTES))
            break;
        n++;
    }
    return n;
}

static struct bytes function_of(const struct class *c)
{
    const struct request_variant *v = c->variants[0].request;
    struct bytes name = {0};
    for (uint32_t i = 0; i < v->n_entries && !hqi_model_resource_function(v->entries[i].name, &name); i++)
        ;
    return name;
}

static bool copy_entries(struct host_tasks *ret, struct arena *mem, const struct list *mail)
{
    bool ok = true;
    ret->entries = hqi_base_arena_get(mem, ret->n * sizeof *ret->entries);
    ret->entry_sizes = hqi_base_arena_get(mem, ret->n * sizeof *ret->entry_sizes);
    if (!ret->entries || !ret->entry_sizes)
        return false;
    const struct list *link = mail->next;
    for (uint32_t i = 0; i < ret->n; i++, link = link->next) {
        const struct bytes entry = attempt_of_mail(link)->entry;
        ret->entries[i] = hqi_base_arena_bytes(mem, entry, &ok).p;
        ret->entry_sizes[i] = entry.n;
    }
    return ok;
}

static bool copy_columns(struct host_tasks *ret, struct arena *mem, const struct list *mail)
{
    uint64_t *keys = hqi_base_arena_get(mem, ret->n * sizeof *keys);
    uint32_t *ids = hqi_base_arena_get(mem, ret->n * sizeof *ids);
    uint32_t *instances = hqi_base_arena_get(mem, ret->n * sizeof *instances);
    ret->answered = hqi_base_arena_zero(mem, ret->n, sizeof *ret->answered);
    if (!keys || !ids || !instances || !ret->answered)
        return false;
    const struct list *link = mail->next;
    for (uint32_t i = 0; i < ret->n; i++, link = link->next) {
        const struct attempt *a = attempt_of_mail(link);
        keys[i] = a->by_key.key;
        ids[i] = a->piece.id;
        instances[i] = a->piece.instance;
    }
    ret->keys = keys;
    ret->ids = ids;
    ret->instances = instances;
    return true;
}

/* Everything is copied, so that the host's threads may read it while tasks come and go here. */
static bool copy(struct host_tasks *ret, struct arena *mem, const struct list *mail)
{
    const struct attempt *first = attempt_of_mail(mail->next);
    bool ok = true;
    ret->n = measure(mail);
    ret->job = first->piece.work->job;
    ret->time_limit_ms = first->piece.work->spec->time_limit_ms;
    ret->function = hqi_base_arena_bytes(mem, function_of(first->piece.work->lane->class), &ok);
    return ok && copy_columns(ret, mem, mail) && (!first->entry.p || copy_entries(ret, mem, mail));
}

static void hand_over(struct tasks *t, struct list *mail, uint32_t n)
{
    for (; n > 0; n--) {
        struct attempt *a = attempt_of_mail(list_pop_front(mail));
        a->due = 0;
        a->sent = a->started = true;
        a->start_ns = t->now.mono_ns;
        list_push_back(&t->handed, &a->news);
    }
}

bool hqi_tasks_host_due(const struct tasks *t)
{
    return !list_empty(&t->posts[host_post(t)].mail);
}

bool hqi_tasks_take_host(struct tasks *t, const struct now *now, struct arena *mem, struct host_tasks *ret)
{
    struct list *mail = &t->posts[host_post(t)].mail;
    struct host_tasks all = {0};
    t->now = *now;
    hqi_tasks_dispatch_run(t);
    drop_kills(mail);
    if (list_empty(mail))
        return false;
    if (!copy(&all, mem, mail)) {
        t->starved = true;
        return false;
    }
    hand_over(t, mail, all.n);
    *ret = all;
    return true;
}

/* ---- telling ---- */

uint64_t hqi_tasks_host_tell_ns(const struct tasks *t)
{
    return list_empty(&t->handed) ? UINT64_MAX : attempt_of_news(t->handed.next)->start_ns + TELL_NS;
}

void hqi_tasks_host_tell(struct tasks *t)
{
    while (hqi_tasks_host_tell_ns(t) <= t->now.mono_ns) {
        struct attempt *a = attempt_of_news(t->handed.next);
        list_unlink(&a->news);
        hqi_tasks_news_add_started(t, a);
    }
}
