/* SPDX-License-Identifier: MIT */
/* report_data.c - see report_data.h. */
#include "report_data.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "format.h"
#include "submit_view.h"

#define NONE SIZE_MAX
#define MS_PER_S 1000
#define NS_PER_MS_DOC 1000000u /* of {nanos, secs} */

/* ---- what is known ---- */

struct shape { /* workers that offer the same */
    char *text;       /* owned */
    size_t *names;    /* owned: of its resources, */
    uint64_t *totals; /* owned: how much there is of each in one worker, */
    size_t *traces;   /* owned: and how much of it is in use */
    size_t n;
    size_t running;   /* trace */
};

struct request {
    size_t term;
    struct use {
        size_t name;
        uint64_t amount;
        bool all;
    } *uses; /* owned */
    size_t n;
};

struct submit {
    struct submit *next; /* of the job; the one that was looked for last comes first */
    struct range {
        uint64_t start, length, step;
    } *ranges; /* owned */
    size_t n_ranges;
    struct request *variants; /* owned */
    size_t n_variants;
};

struct run { /* a task that runs */
    struct run *next; /* with the same hash */
    uint64_t job, task, worker; /* 0: it has left */
    int64_t start_ms;
    const struct request *request; /* borrowed; NULL: unknown */
};

#define RUN_BUCKETS 65536u

struct report {
    int64_t from_ms, to_ms;
    char **names; /* owned: of resources, in order of appearance; the first is cpus */
    size_t n_names, room_names;
    struct shape *shapes; /* owned */
    size_t n_shapes, room_shapes;
    struct report_trace *traces; /* owned */
    size_t n_traces, room_traces;
    struct report_term *terms; /* owned */
    size_t n_terms, room_terms;
    size_t *workers; /* owned: shape by id; NONE: not there */
    size_t room_workers;
    struct submit **jobs; /* owned: by id */
    size_t room_jobs;
    struct run **runs; /* owned */
};

/* Room for element `at` of an array; new room is zeroed. */
static void *room_for(void *v, size_t at, size_t *room, size_t size)
{
    if (at < *room)
        return v;
    size_t more = at < 8 ? 16 : 2 * at;
    char *p = mem_grow(v, more, size);
    memset(p + *room * size, 0, (more - *room) * size);
    *room = more;
    return p;
}

/* ---- names, traces, terms ---- */

static size_t name_id(struct report *r, const char *name)
{
    for (size_t i = 0; i < r->n_names; i++)
        if (strcmp(r->names[i], name) == 0)
            return i;
    r->names = room_for(r->names, r->n_names, &r->room_names, sizeof *r->names);
    r->names[r->n_names] = mem_dup(name);
    return r->n_names++;
}

static size_t add_trace(struct report *r, const struct str *name)
{
    r->traces = room_for(r->traces, r->n_traces, &r->room_traces, sizeof *r->traces);
    r->traces[r->n_traces].name = mem_dup(str_text(name));
    return r->n_traces++;
}

static void add_step(struct report *r, size_t trace, int64_t ms, double change, bool to_zero)
{
    struct report_trace *t = &r->traces[trace];
    t->steps = room_for(t->steps, t->n, &t->room, sizeof *t->steps);
    t->steps[t->n++] = (struct report_step){ms, change, to_zero};
}

static size_t term_id(struct report *r, const char *text)
{
    for (size_t i = 0; i < r->n_terms; i++)
        if (strcmp(r->terms[i].text, text) == 0)
            return i;
    r->terms = room_for(r->terms, r->n_terms, &r->room_terms, sizeof *r->terms);
    r->terms[r->n_terms].text = mem_dup(text);
    return r->n_terms++;
}

/* ---- workers ---- */

static uint64_t total_of(const hq_doc *kind)
{
    uint64_t n = 0;
    if (hq_doc_get(kind, "Sum"))
        return field_uint(kind, "Sum.size");
    if (hq_doc_get(kind, "Range"))
        return (field_uint(kind, "Range.end") - field_uint(kind, "Range.start") + 1) * HQ_UNITS;
    for (size_t i = 0; i < field_len(kind, "Groups.groups"); i++)
        n += hq_doc_len(field_at(kind, "Groups.groups", i));
    return (n + field_len(kind, "List.values")) * HQ_UNITS;
}

/* In the order of their ids: a worker has few. */
static void sort_names(struct shape *s)
{
    for (size_t i = 1; i < s->n; i++)
        for (size_t k = i; k > 0 && s->names[k - 1] > s->names[k]; k--) {
            size_t name = s->names[k];
            uint64_t total = s->totals[k];
            s->names[k] = s->names[k - 1];
            s->totals[k] = s->totals[k - 1];
            s->names[k - 1] = name;
            s->totals[k - 1] = total;
        }
}

static void read_shape(struct report *r, const hq_doc *resources, struct shape *s)
{
    struct str text = {0};
    s->n = hq_doc_len(resources);
    s->names = mem_new(s->n + 1, sizeof *s->names);
    s->totals = mem_new(s->n + 1, sizeof *s->totals);
    s->traces = mem_new(s->n + 1, sizeof *s->traces);
    for (size_t i = 0; i < s->n; i++) {
        s->names[i] = name_id(r, field_text(hq_doc_at(resources, i), "name"));
        s->totals[i] = total_of(hq_doc_get(hq_doc_at(resources, i), "kind"));
    }
    sort_names(s);
    for (size_t i = 0; i < s->n; i++) {
        str_addf(&text, "%s%s:", i ? ", " : "", r->names[s->names[i]]);
        format_amount(&text, s->totals[i]);
    }
    s->text = mem_dup(str_text(&text));
    str_free(&text);
}

static void free_shape(struct shape *s)
{
    free(s->text);
    free(s->names);
    free(s->totals);
    free(s->traces);
}

static void make_traces(struct report *r, struct shape *s)
{
    struct str name = {0};
    str_addf(&name, "Running workers %s", s->text);
    s->running = add_trace(r, &name);
    for (size_t i = 0; i < s->n; i++) {
        str_clear(&name);
        str_addf(&name, "%s alloc on %s", r->names[s->names[i]], s->text);
        s->traces[i] = add_trace(r, &name);
    }
    str_free(&name);
}

static size_t shape_id(struct report *r, const hq_doc *resources)
{
    struct shape s;
    read_shape(r, resources, &s);
    for (size_t i = 0; i < r->n_shapes; i++)
        if (strcmp(r->shapes[i].text, s.text) == 0) {
            free_shape(&s);
            return i;
        }
    make_traces(r, &s);
    r->shapes = room_for(r->shapes, r->n_shapes, &r->room_shapes, sizeof *r->shapes);
    r->shapes[r->n_shapes] = s;
    return r->n_shapes++;
}

static void on_worker_connected(struct report *r, const hq_doc *e, int64_t ms)
{
    size_t id = field_uint(e, "id"), before = r->room_workers;
    r->workers = room_for(r->workers, id, &r->room_workers, sizeof *r->workers);
    for (size_t i = before; i < r->room_workers; i++)
        r->workers[i] = NONE;
    r->workers[id] = shape_id(r, hq_doc_get(hq_doc_get(hq_doc_get(e, "configuration"), "resources"), "resources"));
    add_step(r, r->shapes[r->workers[id]].running, ms, 1, false);
}

static const struct shape *shape_of(const struct report *r, uint64_t worker)
{
    return worker < r->room_workers && r->workers[worker] != NONE ? &r->shapes[r->workers[worker]] : NULL;
}

/* ---- submits ---- */

static void add_policy(struct str *out, const hq_doc *policy, struct use *u)
{
    const hq_doc *amount = hq_doc_get_kind(policy) == HQ_DOC_MAP ? hq_doc_at(policy, 0) : NULL;
    u->all = !amount;
    if (u->all) {
        str_add(out, "all");
        return;
    }
    u->amount = hq_doc_uint(amount);
    format_amount(out, u->amount);
    str_addf(out, " %s", submit_policy_text(hq_doc_name(amount)));
}

/* "cpus: 1 compact, min_time: 1m" */
static void read_request(struct report *r, const hq_doc *variant, struct request *q)
{
    struct str text = {0};
    uint64_t nodes = field_uint(variant, "n_nodes");
    uint64_t min_ms = field_uint(variant, "min_time.secs") * MS_PER_S + field_uint(variant, "min_time.nanos") / NS_PER_MS_DOC;
    if (nodes > 0)
        str_addf(&text, "nodes: %llu", (unsigned long long)nodes);
    q->n = field_len(variant, "resources");
    q->uses = mem_new(q->n + 1, sizeof *q->uses);
    for (size_t i = 0; i < q->n; i++) {
        const hq_doc *entry = field_at(variant, "resources", i);
        q->uses[i].name = name_id(r, field_text(entry, "resource"));
        str_addf(&text, "%s%s: ", text.len ? ", " : "", field_text(entry, "resource"));
        add_policy(&text, hq_doc_get(entry, "policy"), &q->uses[i]);
    }
    if (min_ms > 0) {
        str_add(&text, ", min_time: ");
        format_exact_ms(&text, min_ms, "0");
    }
    q->term = term_id(r, str_text(&text));
    str_free(&text);
}

static void on_job_created(struct report *r, const hq_doc *e)
{
    const hq_doc *desc = hq_doc_get(hq_doc_get(e, "submit_desc"), "task_desc");
    size_t job = field_uint(e, "job");
    struct submit *s = mem_new(1, sizeof *s);
    s->n_ranges = field_len(desc, "ids.ranges");
    s->ranges = mem_new(s->n_ranges + 1, sizeof *s->ranges);
    for (size_t i = 0; i < s->n_ranges; i++) {
        const hq_doc *range = field_at(desc, "ids.ranges", i);
        s->ranges[i] = (struct range){field_uint(range, "start"), field_uint(range, "count"), field_uint(range, "step")};
    }
    s->n_variants = field_len(desc, "resources.variants");
    s->variants = mem_new(s->n_variants + 1, sizeof *s->variants);
    for (size_t i = 0; i < s->n_variants; i++)
        read_request(r, field_at(desc, "resources.variants", i), &s->variants[i]);
    r->jobs = room_for(r->jobs, job, &r->room_jobs, sizeof *r->jobs);
    s->next = r->jobs[job];
    r->jobs[job] = s;
}

static bool holds(const struct submit *s, uint64_t task)
{
    for (size_t i = 0; i < s->n_ranges; i++) {
        const struct range *v = &s->ranges[i];
        if (task >= v->start && task - v->start < v->length && (v->step < 2 || (task - v->start) % v->step == 0))
            return true;
    }
    return false;
}

/* NULL: the journal does not tell what the task asks for. */
static const struct request *request_of(struct report *r, uint64_t job, uint64_t task, uint64_t variant)
{
    if (job >= r->room_jobs)
        return NULL;
    for (struct submit **at = &r->jobs[job]; *at; at = &(*at)->next) {
        struct submit *s = *at;
        if (!holds(s, task))
            continue;
        *at = s->next;
        s->next = r->jobs[job];
        r->jobs[job] = s;
        return variant < s->n_variants ? &s->variants[variant] : NULL;
    }
    return NULL;
}

/* ---- tasks that run ---- */

static struct run **place_of(struct report *r, uint64_t job, uint64_t task)
{
    struct run **at = &r->runs[(job * 31 + task) % RUN_BUCKETS];
    while (*at && ((*at)->job != job || (*at)->task != task))
        at = &(*at)->next;
    return at;
}

/* The share of each resource of its worker that the task takes. */
static void use(struct report *r, const struct run *run, int64_t ms, double sign)
{
    const struct shape *s = shape_of(r, run->worker);
    for (size_t i = 0; s && run->request && i < run->request->n; i++) {
        const struct use *u = &run->request->uses[i];
        for (size_t k = 0; k < s->n; k++)
            if (s->names[k] == u->name && s->totals[k] > 0)
                add_step(r, s->traces[k], ms, sign * (u->all ? 1.0 : (double)u->amount / (double)s->totals[k]), false);
    }
}

static void end_run(struct report *r, struct run **at, int64_t ms)
{
    struct run *run = *at;
    use(r, run, ms, -1);
    *at = run->next;
    free(run);
}

static void on_task_started(struct report *r, const hq_doc *e, int64_t ms)
{
    uint64_t job = field_uint(e, "job"), task = field_uint(e, "task");
    struct run **at = place_of(r, job, task), *run;
    if (*at)
        end_run(r, at, ms); /* another attempt, of which no end was told */
    run = mem_new(1, sizeof *run);
    *run = (struct run){r->runs[(job * 31 + task) % RUN_BUCKETS], job, task, field_uint(e, "worker"), ms,
                        request_of(r, job, task, field_uint(e, "variant"))};
    r->runs[(job * 31 + task) % RUN_BUCKETS] = run;
    use(r, run, ms, 1);
}

static void count(struct report *r, const struct request *q, enum report_end end, const struct run *run, int64_t ms)
{
    if (!q || ms < r->from_ms)
        return;
    struct report_ends *v = &r->terms[q->term].ends[end];
    v->count++;
    if (!run)
        return;
    v->seconds = room_for(v->seconds, v->n, &v->room, sizeof *v->seconds);
    v->seconds[v->n++] = ms > run->start_ms ? (double)(ms - run->start_ms) / MS_PER_S : 0;
}

static void on_task_ended(struct report *r, const hq_doc *e, int64_t ms, enum report_end end)
{
    uint64_t job = field_uint(e, "job"), task = field_uint(e, "task");
    struct run **at = place_of(r, job, task);
    count(r, *at ? (*at)->request : request_of(r, job, task, 0), end, *at, ms);
    if (*at)
        end_run(r, at, ms);
}

static void on_tasks_given_up(struct report *r, const hq_doc *e, int64_t ms)
{
    for (size_t i = 0; i < field_len(e, "tasks"); i++) {
        const hq_doc *t = field_at(e, "tasks", i);
        struct run **at = place_of(r, field_uint(t, "job_id"), field_uint(t, "job_task_id"));
        if (*at)
            end_run(r, at, ms);
    }
}

/* What runs on the worker (0: on any) takes nothing any more. How the tasks end is still to be told. */
static void end_use(struct report *r, uint64_t worker, int64_t ms)
{
    for (size_t i = 0; i < RUN_BUCKETS; i++)
        for (struct run *run = r->runs[i]; run; run = run->next) {
            if (worker != 0 && run->worker != worker)
                continue;
            use(r, run, ms, -1);
            run->worker = 0;
        }
}

static void on_worker_lost(struct report *r, const hq_doc *e, int64_t ms)
{
    uint64_t id = field_uint(e, "id");
    const struct shape *s = shape_of(r, id);
    if (!s)
        return;
    end_use(r, id, ms);
    add_step(r, s->running, ms, -1, false);
    r->workers[id] = NONE;
}

static void on_server_stop(struct report *r, int64_t ms)
{
    end_use(r, 0, ms);
    for (size_t i = 0; i < r->n_traces; i++)
        add_step(r, i, ms, 0, true);
    for (size_t i = 0; i < r->room_workers; i++)
        r->workers[i] = NONE;
}

/* ---- events ---- */

void report_add(struct report *r, const hq_doc *event)
{
    const hq_doc *e = hq_doc_get(event, "event");
    const char *type = field_text(e, "type");
    int64_t ms = hq_doc_int(hq_doc_get(event, "time"));
    if (ms > r->to_ms)
        return;
    if (strcmp(type, "task-started") == 0)
        on_task_started(r, e, ms);
    else if (strcmp(type, "task-finished") == 0)
        on_task_ended(r, e, ms, REPORT_FINISHED);
    else if (strcmp(type, "task-failed") == 0)
        on_task_ended(r, e, ms, REPORT_FAILED);
    else if (strcmp(type, "task-canceled") == 0 || strcmp(type, "task-aborted") == 0)
        on_tasks_given_up(r, e, ms);
    else if (strcmp(type, "job-created") == 0)
        on_job_created(r, e);
    else if (strcmp(type, "worker-connected") == 0)
        on_worker_connected(r, e, ms);
    else if (strcmp(type, "worker-lost") == 0)
        on_worker_lost(r, e, ms);
    else if (strcmp(type, "server-stop") == 0)
        on_server_stop(r, ms);
}

/* ---- life and reading ---- */

struct report *report_new(int64_t from_ms, int64_t to_ms)
{
    struct report *r = mem_new(1, sizeof *r);
    r->from_ms = from_ms;
    r->to_ms = to_ms;
    r->runs = mem_new(RUN_BUCKETS, sizeof *r->runs);
    name_id(r, "cpus");
    return r;
}

static void free_submit(struct submit *s)
{
    for (size_t i = 0; i < s->n_variants; i++)
        free(s->variants[i].uses);
    free(s->variants);
    free(s->ranges);
    free(s);
}

static void free_jobs(struct report *r)
{
    for (size_t i = 0; i < r->room_jobs; i++)
        for (struct submit *s; (s = r->jobs[i]);) {
            r->jobs[i] = s->next;
            free_submit(s);
        }
    free(r->jobs);
}

static void free_runs(struct report *r)
{
    for (size_t i = 0; i < RUN_BUCKETS; i++)
        for (struct run *v; (v = r->runs[i]);) {
            r->runs[i] = v->next;
            free(v);
        }
    free(r->runs);
}

static void free_results(struct report *r)
{
    for (size_t i = 0; i < r->n_traces; i++) {
        free(r->traces[i].name);
        free(r->traces[i].steps);
    }
    for (size_t i = 0; i < r->n_terms; i++) {
        free(r->terms[i].text);
        for (size_t k = 0; k < REPORT_ENDS; k++)
            free(r->terms[i].ends[k].seconds);
    }
    free(r->traces);
    free(r->terms);
}

void report_free(struct report *r)
{
    if (!r)
        return;
    free_runs(r);
    free_jobs(r);
    free_results(r);
    for (size_t i = 0; i < r->n_shapes; i++)
        free_shape(&r->shapes[i]);
    for (size_t i = 0; i < r->n_names; i++)
        free(r->names[i]);
    free(r->shapes);
    free(r->names);
    free(r->workers);
    free(r);
}

/* At one time, what takes comes behind what gives: nothing seems to be in use twice. */
static int by_time(const void *a, const void *b)
{
    const struct report_step *x = a, *y = b;
    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    return (x->change > y->change) - (x->change < y->change);
}

void report_sort(struct report *r)
{
    for (size_t i = 0; i < r->n_traces; i++)
        if (r->traces[i].n > 1)
            qsort(r->traces[i].steps, r->traces[i].n, sizeof *r->traces[i].steps, by_time);
}

const struct report_trace *report_traces(const struct report *r, size_t *n)
{
    *n = r->n_traces;
    return r->traces;
}

const struct report_term *report_terms(const struct report *r, size_t *n)
{
    *n = r->n_terms;
    return r->terms;
}
