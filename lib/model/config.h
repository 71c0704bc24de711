/* SPDX-License-Identifier: MIT */
/* config.h - what a worker says of itself when it registers. Immutable; lives in its own arena. */
#ifndef HQI_MODEL_CONFIG_H
#define HQI_MODEL_CONFIG_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "model/resource.h"

/* Sent: never renumbered. AS_SERVER: the server chooses when the worker registers, by whether it can be restored. */
enum on_server_lost { LOST_STOP = 1, LOST_FINISH_RUNNING = 2, LOST_WAIT = 3, LOST_AS_SERVER = 4 };
enum manager_kind { MANAGER_NONE = 0, MANAGER_PBS = 1, MANAGER_SLURM = 2 };

struct worker_config {
    struct arena *mem; /* owned */
    struct bytes hostname, group, work_dir, listen_address;
    struct bytes manager_job_id; /* empty without a manager */
    uint8_t manager;
    uint8_t on_server_lost;
    uint32_t pid;
    uint32_t min_utilization;      /* in 1/10000 */
    uint64_t heartbeat_ms;         /* > 150 */
    uint64_t idle_timeout_ms;      /* 0: none of its own, the server's default counts */
    uint64_t time_limit_ms;        /* 0: none; counted from registration */
    uint64_t overview_interval_ms; /* 0: off */
    struct resources resources;
};

struct worker_config *hqi_model_config_new(const struct alloc *a);
struct worker_config *hqi_model_config_copy(const struct alloc *a, const struct worker_config *from);
void hqi_model_config_free(struct worker_config *c); /* NULL is fine */
int hqi_model_config_check(const struct worker_config *c, hq_error *err);

#endif
