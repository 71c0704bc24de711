/* SPDX-License-Identifier: MIT */
/* said.c - see said.h. */
#include "said.h"

static const char *const states[] = {"waiting", "running", "finished", "failed", "canceled", "aborted", "opened"};

static void groups(const struct task_group *v, uint32_t n, struct buf *b)
{
    for (uint32_t i = 0; i < n; i++) {
        hqi_base_buf_addf(b, " %u.%u:", v[i].submit, v[i].instance);
        for (uint32_t k = 0; k < v[i].n_ranges; k++)
            hqi_base_buf_addf(b, "%s%u+%u", k ? "," : "", v[i].ranges[k].first, v[i].ranges[k].count);
    }
}

static void assign(const struct assign_group *g, struct buf *b)
{
    hqi_base_buf_addf(b, " %u.%u:", g->submit, g->instance);
    for (uint32_t k = 0; k < g->n_ranges; k++)
        hqi_base_buf_addf(b, "%s%u+%u", k ? "," : "", g->ranges[k].first, g->ranges[k].count);
    hqi_base_buf_adds(b, " ids ");
    for (uint32_t k = 0; k < g->n_ids; k++) {
        const hq_range *r = &g->ids[k];
        hqi_base_buf_addf(b, "%s%u-%u", k ? "," : "", r->first, r->first + (r->count - 1) * r->step);
        if (r->step != 1)
            hqi_base_buf_addf(b, ":%u", r->step);
    }
    for (uint32_t k = 0; k < g->n_entries; k++)
        hqi_base_buf_addf(b, "%s%.*s", k ? "," : " entries ", (int)g->entries[k].n, g->entries[k].p);
}

static void to_worker(const struct out *o, struct buf *b)
{
    const struct to_worker *m = &o->u.to_worker;
    hqi_base_buf_addf(b, "worker %u", o->worker.n);
    switch (m->kind) {
    case TO_WORKER_SPEC:
        hqi_base_buf_addf(b, " spec %u of job %u", m->u.spec.submit, m->u.spec.job.n);
        break;
    case TO_WORKER_ASSIGN:
        hqi_base_buf_adds(b, " assign");
        for (uint32_t i = 0; i < m->u.assign.n_groups; i++)
            assign(&m->u.assign.groups[i], b);
        break;
    case TO_WORKER_RETRACT:
    case TO_WORKER_CANCEL:
        hqi_base_buf_adds(b, m->kind == TO_WORKER_RETRACT ? " retract" : " cancel");
        groups(m->u.tasks.groups, m->u.tasks.n_groups, b);
        break;
    case TO_WORKER_DROP:
        hqi_base_buf_addf(b, " drop %u", m->u.drop.submit);
        break;
    case TO_WORKER_STOP:
        hqi_base_buf_addf(b, " stop %u", m->u.stop.reason);
        break;
    }
}

static void outcomes(const struct reply *r, struct buf *b)
{
    static const char *const words[] = {"", "done", "missing", "already", "failed"};
    for (uint32_t i = 0; i < r->u.outcomes.n; i++) {
        const struct id_outcome *o = &r->u.outcomes.ids[i];
        hqi_base_buf_addf(b, "%s%u %s", i ? ", " : " ", o->id, words[o->outcome]);
        if (r->kind == COMMAND_JOB_CANCEL && o->outcome != OUTCOME_NOT_FOUND)
            hqi_base_buf_addf(b, " %llu/%llu", (unsigned long long)o->done, (unsigned long long)o->already);
    }
}

static void jobs(const struct reply *r, struct buf *b)
{
    for (uint32_t i = 0; i < r->u.jobs.n; i++) {
        const struct job_info *j = &r->u.jobs.jobs[i];
        hqi_base_buf_addf(b, "%s%u%s %s", i ? ", " : " ", j->id.n, j->open ? "*" : "", states[j->state]);
        for (uint32_t s = 0; s < HQ_TASK_STATES; s++)
            hqi_base_buf_addf(b, "%s%llu", s ? "/" : " ", (unsigned long long)j->stats.count[s]);
        if (j->cancel_reason.n)
            hqi_base_buf_addf(b, " (%.*s)", (int)j->cancel_reason.n, j->cancel_reason.p);
        for (uint32_t k = 0; k < j->n_failed; k++)
            hqi_base_buf_addf(b, " !%u=%u", j->failed[k].id, j->failed[k].code);
    }
    for (uint32_t i = 0; i < r->u.jobs.n_missing; i++)
        hqi_base_buf_addf(b, " missing %u", r->u.jobs.missing[i]);
    if (r->u.jobs.next)
        hqi_base_buf_addf(b, " next %u", r->u.jobs.next);
}

static void tasks(const struct task_page *p, struct buf *b)
{
    for (uint32_t i = 0; i < p->n; i++) {
        hqi_base_buf_addf(b, "%s%u %s", i ? ", " : " ", p->ids[i], states[p->state[i]]);
        if (p->worker[i])
            hqi_base_buf_addf(b, "@%u.%u", p->worker[i], p->instance[i]);
        if (p->state[i] == HQ_TASK_FAILED)
            hqi_base_buf_addf(b, "=%u", p->code[i]);
    }
    for (uint32_t i = 0; i < p->n_texts; i++)
        hqi_base_buf_addf(b, " [%u: %.*s]", p->texts[i].row, (int)p->texts[i].text.n, p->texts[i].text.p);
    if (p->next)
        hqi_base_buf_adds(b, " more");
}

static void workers(const struct reply *r, struct buf *b)
{
    for (uint32_t i = 0; i < r->u.workers.n; i++) {
        const struct worker_info *w = &r->u.workers.workers[i];
        hqi_base_buf_addf(b, "%s%u end %u has %u runs %u", i ? ", " : " ", w->id.n, w->end, w->assigned, w->running);
    }
    for (uint32_t i = 0; i < r->u.workers.n_missing; i++)
        hqi_base_buf_addf(b, " missing %u", r->u.workers.missing[i]);
}

static void body(const struct reply *r, struct buf *b)
{
    switch (r->kind) {
    case COMMAND_SUBMIT:
    case COMMAND_SUBMIT_PART:
    case COMMAND_JOB_OPEN:
        if (r->more)
            hqi_base_buf_adds(b, " more");
        else
            hqi_base_buf_addf(b, " job %u", r->u.job.job.n);
        break;
    case COMMAND_JOB_CLOSE:
    case COMMAND_JOB_CANCEL:
    case COMMAND_WORKER_STOP:
        outcomes(r, b);
        break;
    case COMMAND_JOB_FORGET:
        hqi_base_buf_addf(b, " forgot %u ignored %u", r->u.outcomes.forgotten, r->u.outcomes.ignored);
        break;
    case COMMAND_JOB_LIST:
    case COMMAND_JOB_INFO:
    case COMMAND_JOB_PROGRESS:
        jobs(r, b);
        break;
    case COMMAND_TASK_PAGE:
        tasks(&r->u.tasks, b);
        break;
    case COMMAND_WORKER_LIST:
        workers(r, b);
        break;
    case COMMAND_SERVER_INFO:
        hqi_base_buf_addf(b, " %.*s", (int)r->u.server.uid.n, r->u.server.uid.p);
        break;
    }
}

static void reply(const struct out *o, struct buf *b)
{
    const struct reply *r = &o->u.reply;
    hqi_base_buf_addf(b, "client %llu #%llu", (unsigned long long)o->client, (unsigned long long)r->id);
    if (r->code < 0)
        hqi_base_buf_addf(b, " error %d: %s", r->code, r->text);
    else
        body(r, b);
}

void said_out(const struct out *o, struct buf *text)
{
    if (o->kind == OUT_REPLY)
        reply(o, text);
    else
        to_worker(o, text);
    hqi_base_buf_addc(text, '\n');
}
