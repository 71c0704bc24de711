/* SPDX-License-Identifier: MIT */
/* journal/event.h - events as people's scripts know them: one small tree each, {event: {type, ...}, time}, time in ms since
 * 1970. The members of every map are in the order of their names, durations {nanos, secs}, amounts in 1/10000, and
 * everything is called what HyperQueue calls it, hyphens and underscores included: whoever prints the tree as JSON has the
 * line that such scripts read. Written in an arena; texts are borrowed. NULL: no memory. */
#ifndef HQI_JOURNAL_EVENT_H
#define HQI_JOURNAL_EVENT_H

#include "base/arena.h"
#include "model/doc.h"
#include "model/fact.h"

const struct hq_doc *hqi_journal_event_server_start(struct arena *mem, uint64_t ms, struct bytes uid);
const struct hq_doc *hqi_journal_event_server_stop(struct arena *mem, uint64_t ms);
const struct hq_doc *hqi_journal_event_worker_connected(struct arena *mem, uint64_t ms, hq_worker_id w,
                                                        const struct worker_config *c);
const struct hq_doc *hqi_journal_event_worker_lost(struct arena *mem, uint64_t ms, hq_worker_id w, uint8_t reason);
const struct hq_doc *hqi_journal_event_worker_overview(struct arena *mem, uint64_t ms, hq_worker_id w, const struct node_load *l);
const struct hq_doc *hqi_journal_event_job_open(struct arena *mem, uint64_t ms, hq_job_id job, struct bytes name,
                                                uint32_t max_fails);
const struct hq_doc *hqi_journal_event_job_close(struct arena *mem, uint64_t ms, hq_job_id job);
struct job_created {
    hq_job_id job;
    bool closed;        /* it was made with these tasks, and gets no others */
    struct bytes name;
    uint32_t max_fails; /* UINT32_MAX: no limit */
    const struct spec *spec;
};
const struct hq_doc *hqi_journal_event_job_created(struct arena *mem, uint64_t ms, const struct job_created *c);
const struct hq_doc *hqi_journal_event_job_cancel(struct arena *mem, uint64_t ms, hq_job_id job, struct bytes reason);
const struct hq_doc *hqi_journal_event_job_completed(struct arena *mem, uint64_t ms, hq_job_id job);
const struct hq_doc *hqi_journal_event_task_started(struct arena *mem, uint64_t ms, hq_task_id task, uint32_t instance,
                                                    hq_worker_id w, uint8_t variant);
const struct hq_doc *hqi_journal_event_task_finished(struct arena *mem, uint64_t ms, hq_task_id task);
const struct hq_doc *hqi_journal_event_task_failed(struct arena *mem, uint64_t ms, hq_task_id task, struct bytes error);
/* `state` is HQ_TASK_CANCELED or HQ_TASK_ABORTED; all tasks are of one job. */
const struct hq_doc *hqi_journal_event_tasks_given_up(struct arena *mem, uint64_t ms, uint8_t state, hq_job_id job,
                                                      const uint32_t *ids, uint32_t n);

#endif
