/* SPDX-License-Identifier: MIT */
/* dump.c - what the server knows, as a JSON file for people who look for a fault.
 *
 * Promise: bounded, whatever the state holds: of long lists the newest entries, and how many there are. Nothing of
 * a task's command, environment or entries: such a file is sent around. Blocks on the file system, as its caller
 * was told. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "server/server.h"

static const char where[] = "server";

#define MOST_JOBS 1000u /* of each: a reader looks no further, and the file stays at some MB */
#define MOST_SUBMITS 16u
#define MOST_WORKERS 1000u
#define MOST_QUEUES 1000u

struct dump {
    const struct hq_server *server;
    const struct state *state;
    bool failed; /* memory was lacking somewhere */
};

/* ---- values ---- */

static void put(struct dump *d, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        d->failed = true;
}

static void append(struct dump *d, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) < 0)
        d->failed = true;
}

static void put_number(struct dump *d, json_t *object, const char *key, uint64_t value)
{
    put(d, object, key, json_integer((json_int_t)value));
}

/* JSON knows UTF-8 only, and hosts may be called otherwise. */
static void put_text(struct dump *d, json_t *object, const char *key, struct bytes text)
{
    json_t *value = json_stringn(text.p ? text.p : "", text.n);
    put(d, object, key, value ? value : json_string("(not UTF-8)"));
}

static json_t *counts_json(struct dump *d, const uint64_t counts[HQ_TASK_STATES])
{
    static const char *const names[HQ_TASK_STATES] = {
        [HQ_TASK_WAITING] = "waiting", [HQ_TASK_RUNNING] = "running",   [HQ_TASK_FINISHED] = "finished",
        [HQ_TASK_FAILED] = "failed",   [HQ_TASK_CANCELED] = "canceled", [HQ_TASK_ABORTED] = "aborted",
    };
    json_t *o = json_object();
    for (size_t i = 0; i < HQ_TASK_STATES; i++)
        put_number(d, o, names[i], counts[i]);
    return o;
}

/* ---- jobs ---- */

static json_t *submit_json(struct dump *d, const struct submit *s)
{
    json_t *o = json_object();
    put_number(d, o, "id", s->id);
    put_number(d, o, "tasks", s->spec->ids.count);
    put_number(d, o, "handed_out", s->active);
    put_number(d, o, "class", s->class->id);
    put_number(d, o, "submitted_ms", s->at_ms);
    put(d, o, "priority", json_integer(s->spec->priority));
    put(d, o, "counts", counts_json(d, s->counts));
    return o;
}

static json_t *job_json(struct dump *d, const struct job *j)
{
    json_t *o = json_object(), *submits = json_array();
    uint32_t skip = j->n_submits > MOST_SUBMITS ? j->n_submits - MOST_SUBMITS : 0;
    put_number(d, o, "id", j->id.n);
    put_text(d, o, "name", (struct bytes){j->name, j->name_len});
    put(d, o, "open", json_boolean(j->open));
    put_number(d, o, "change", j->change);
    put_number(d, o, "submitted_ms", j->submitted_ms);
    put_number(d, o, "ended_ms", j->ended_ms);
    put(d, o, "counts", counts_json(d, j->counts));
    list_for(it, &j->submits)
        if (skip == 0)
            append(d, submits, submit_json(d, hqi_container(it, struct submit, in_job)));
        else
            skip--;
    put(d, o, "submits", submits);
    put_number(d, o, "submits_total", j->n_submits);
    return o;
}

static json_t *jobs_json(struct dump *d)
{
    json_t *list = json_array();
    uint32_t n = 0;
    for (uint32_t id = d->state->n_jobs; id > 0 && n < MOST_JOBS; id--) {
        const struct job *j = hqi_state_job(d->state, (hq_job_id){id});
        if (j)
            append(d, list, job_json(d, j));
        n += j != NULL;
    }
    return list;
}

/* ---- queues ---- */

static json_t *queues_json(struct dump *d)
{
    json_t *list = json_array();
    uint32_t n = 0;
    list_for(it, &d->state->all_levels) {
        const struct level *l = hqi_container(it, struct level, in_state);
        if (l->waiting == 0 || n == MOST_QUEUES)
            continue;
        json_t *o = json_object();
        put(d, o, "priority", json_integer(l->priority));
        put_number(d, o, "class", l->class->id);
        put_number(d, o, "waiting", l->waiting);
        append(d, list, o);
        n++;
    }
    return list;
}

/* ---- workers ---- */

static json_t *worker_classes_json(struct dump *d, const struct worker *w)
{
    json_t *list = json_array();
    list_for(it, &w->class_list) {
        const struct wclass *c = hqi_container(it, struct wclass, in_worker);
        json_t *o = json_object();
        put_number(d, o, "class", c->class->id);
        put_number(d, o, "booked", c->booked);
        put_number(d, o, "prefilled", c->prefilled);
        put_number(d, o, "retracting", c->retracting);
        put(d, o, "blocked", json_boolean(c->blocked));
        put(d, o, "finishes_per_s", json_real(c->rate_x16 / 16.0));
        append(d, list, o);
    }
    return list;
}

static json_t *worker_resources_json(struct dump *d, const struct worker *w)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < w->n_resources; i++) {
        if (w->total[i] == 0)
            continue;
        json_t *o = json_object();
        put_text(d, o, "name", bytes_of(d->state->resources[i]));
        put(d, o, "total", json_real((double)w->total[i] / HQ_UNITS));
        put(d, o, "free", json_real((double)w->free[i] / HQ_UNITS));
        append(d, list, o);
    }
    return list;
}

static json_t *worker_json(struct dump *d, const struct worker *w)
{
    json_t *o = json_object();
    put_number(d, o, "id", w->id.n);
    put_text(d, o, "hostname", w->config->hostname);
    put_text(d, o, "group", w->config->group);
    put_number(d, o, "end", w->end);
    put_number(d, o, "stopping", w->stopping);
    put_number(d, o, "handed_out", w->n_active);
    put_number(d, o, "running", w->n_running);
    put_number(d, o, "joined_ms", w->joined_ms);
    put_number(d, o, "ended_ms", w->ended_ms);
    put(d, o, "classes", worker_classes_json(d, w));
    put(d, o, "resources", worker_resources_json(d, w));
    return o;
}

static json_t *workers_json(struct dump *d)
{
    json_t *list = json_array();
    uint32_t n = 0;
    for (uint32_t id = d->state->n_workers; id > 0 && n < MOST_WORKERS; id--) {
        const struct worker *w = hqi_state_worker(d->state, (hq_worker_id){id});
        if (w)
            append(d, list, worker_json(d, w));
        n += w != NULL;
    }
    return list;
}

/* ---- all of it ---- */

static json_t *counters_json(struct dump *d)
{
    const struct state *s = d->state;
    struct core_counts counts;
    json_t *o = json_object();
    uint32_t clients = 0;
    list_for(it, &d->server->clients)
        clients++;
    hqi_core_core_count(d->server->core, &counts);
    put_number(d, o, "epoch", s->epoch);
    put_number(d, o, "position", s->position);
    put_number(d, o, "clients", clients);
    put_number(d, o, "waiting_commands", counts.waits);
    put_number(d, o, "uploads", counts.uploads);
    put_number(d, o, "jobs", s->live_jobs);
    put_number(d, o, "jobs_ever", s->n_jobs);
    put_number(d, o, "workers_ever", s->n_workers);
    put_number(d, o, "classes", s->n_classes);
    put_number(d, o, "handed_out", s->attempts.count);
    return o;
}

static char *text_of(struct dump *d)
{
    json_t *root = json_object(), *all = json_object();
    put(d, all, "counters", counters_json(d));
    put(d, all, "jobs", jobs_json(d));
    put(d, all, "queues", queues_json(d));
    put(d, all, "workers", workers_json(d));
    put(d, root, "tako", all);
    char *text = d->failed ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(root);
    return text;
}

/* 0 or errno. A FIFO that nobody reads is no place to wait for. */
static int write_file(const char *path, const char *text)
{
    size_t left = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600), sys = 0;
    if (fd < 0)
        return errno;
    while (left > 0 && sys == 0) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno != EINTR)
            sys = errno;
        text += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    if (close(fd) < 0 && sys == 0)
        sys = errno;
    return sys;
}

int hqi_server_dump_write(const struct hq_server *s, const char *path, hq_error *err)
{
    struct dump d = {s, hqi_core_core_state(s->core), false};
    char *text = text_of(&d);
    if (!text)
        return hqi_base_error_nomem(err, where);
    int sys = write_file(path, text);
    free(text);
    return sys ? hqi_base_error_sys(err, sys, where, "Could not write debug dump") : HQ_OK;
}
