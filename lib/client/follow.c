/* SPDX-License-Identifier: MIT */
/* follow.c - HQ_EVENT_TASKS: a job is followed by its change counter.
 *
 * One question is out at a time, answered when the job has changed; it is asked again only when the host has room for
 * another event. So a host that does not read costs nothing, here or on the server. The event says that the
 * job has changed and in which state it is; what has changed is read with hq_job_tasks. */
#include "client/client.h"

#define FULL_NS (50 * HQI_MS) /* between looks whether the host has read its events */

static int ask(struct request *r)
{
    hq_range range = {r->job.n, 1, 1};
    uint32_t before = 0;
    struct command cmd = {.kind = COMMAND_JOB_PROGRESS};
    cmd.u.jobs.jobs.kind = SELECT_IDS;
    cmd.u.jobs.jobs.ids = (struct intset){.ranges = &range, .before = &before, .n_ranges = 1, .count = 1, .apart = true};
    cmd.u.jobs.since = r->since;
    return hqi_client_request_send_more(r, &cmd, NULL);
}

void hqi_client_follow_start(struct hq_client *c, hq_job_id job, uint64_t tag)
{
    struct request *r = hqi_client_request_new(c, true, 0, NULL);
    if (!r)
        return; /* no memory: the host hears nothing of this job, and can still ask */
    r->follow = true;
    r->job = job;
    r->tag = tag;
    if (ask(r) < 0) {
        hqi_client_request_free(r);
        return;
    }
    list_push_back(&c->requests, &r->link);
    hqi_base_map_put(&c->by_id, &r->by_id, r->id);
}

static bool is_over(uint32_t state, bool open)
{
    return !open && state != HQ_TASK_WAITING && state != HQ_TASK_RUNNING;
}

static struct event *make_event(const struct request *r)
{
    struct hq_client *c = r->client;
    struct event *e = hqi_host_event_room(c->handle.ctx) ? hqi_host_event_new(&c->handle, HQ_EVENT_TASKS) : NULL;
    if (!e)
        return NULL;
    e->pub.tag = r->tag;
    e->pub.u.tasks.job = r->job;
    e->pub.u.tasks.state = (int32_t)r->state;
    return e;
}

/* Tells what was answered, and asks again; without room for an event it does so later. */
static void go_on(struct request *r)
{
    struct hq_client *c = r->client;
    struct event *e = make_event(r);
    r->paused = !e;
    if (!e) {
        hqi_loop_timer_set(c->loop, &c->resume, hqi_loop_loop_now(c->loop).mono_ns + FULL_NS);
        return;
    }
    hqi_host_event_push(c->handle.ctx, e);
    if (r->last || ask(r) < 0)
        hqi_client_request_free(r);
}

void hqi_client_follow_on_reply(struct request *r, const struct reply_view *v)
{
    const hq_doc *job = hq_doc_at(hq_doc_get(v->doc, "jobs"), 0);
    if (!job || v->code != HQ_OK) { /* forgotten */
        hqi_client_request_free(r);
        return;
    }
    r->state = (uint32_t)hq_doc_uint(hq_doc_get(job, "state"));
    r->last = is_over(r->state, hq_doc_uint(hq_doc_get(job, "open")));
    r->since = v->change;
    go_on(r);
}

void hqi_client_follow_on_resume(struct loop_timer *t)
{
    struct hq_client *c = hqi_container(t, struct hq_client, resume);
    list_for_safe(it, tmp, &c->requests) {
        struct request *r = hqi_container(it, struct request, link);
        if (r->paused)
            go_on(r);
    }
}
