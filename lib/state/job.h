/* SPDX-License-Identifier: MIT */
/* job.h - jobs: their names, their ids' spans, their end. */
#ifndef HQI_STATE_JOB_H
#define HQI_STATE_JOB_H

#include "state/state.h"

/* Room for id, and the job, not linked. NULL: no memory. */
struct job *hqi_state_job_new(struct state *st, hq_job_id id, struct bytes name);
/* With its submits: of a job that has ended, or when the whole state is freed. NULL is fine. */
void hqi_state_job_free(struct state *st, struct job *j);
void hqi_state_job_link(struct state *st, struct job *j, uint64_t utc_ms);
bool hqi_state_job_reserve_spans(const struct state *st, struct job *j, uint32_t more); /* false: no memory */
void hqi_state_job_add_spans(struct job *j, struct submit *s);                          /* room was reserved */
/* Its tasks or its openness have changed: counts the change, and ends it when it is closed and has nothing left. */
void hqi_state_job_touch(struct state *st, struct job *j, uint64_t utc_ms);

void hqi_state_job_link_key(struct state *st, struct submit *s); /* so that its job is found by the submit's key */
void hqi_state_job_unlink_key(struct state *st, struct submit *s);

void hqi_state_job_apply_open(struct state *st, struct fact *f);
void hqi_state_job_apply_close(struct state *st, struct fact *f);
void hqi_state_job_apply_forget(struct state *st, struct fact *f);

#endif
