/* SPDX-License-Identifier: MIT */
/* config.c - making, copying and checking what a worker says of itself.
 *
 * Promise, to the server: a configuration that passed check() can be shown, journalled and planned
 * with; a copy is deep and lives in one arena, or there is none. */
#include "model/config.h"

#include "base/error.h"
#include "base/limits.h"
#include "hqcore/types.h"
#include "model/name.h"

#define WHERE "model"
#define HEARTBEAT_FLOOR_MS 150u /* below it a busy network alone loses workers */

struct worker_config *hqi_model_config_new(const struct alloc *a)
{
    struct arena *mem = hqi_base_arena_new(a);
    struct worker_config *c = mem ? hqi_base_arena_zero(mem, 1, sizeof *c) : NULL;
    if (!c) {
        hqi_base_arena_free(mem);
        return NULL;
    }
    c->mem = mem;
    return c;
}

void hqi_model_config_free(struct worker_config *c)
{
    if (c)
        hqi_base_arena_free(c->mem);
}

struct worker_config *hqi_model_config_copy(const struct alloc *a, const struct worker_config *from)
{
    struct worker_config *c = hqi_model_config_new(a);
    bool ok = true;
    if (!c)
        return NULL;
    struct arena *mem = c->mem;
    *c = *from;
    c->mem = mem;
    c->hostname = hqi_base_arena_bytes(mem, from->hostname, &ok);
    c->group = hqi_base_arena_bytes(mem, from->group, &ok);
    c->work_dir = hqi_base_arena_bytes(mem, from->work_dir, &ok);
    c->listen_address = hqi_base_arena_bytes(mem, from->listen_address, &ok);
    c->manager_job_id = hqi_base_arena_bytes(mem, from->manager_job_id, &ok);
    if (!ok || hqi_model_resource_copy(&c->resources, mem, &from->resources) < 0) {
        hqi_model_config_free(c);
        return NULL;
    }
    return c;
}

static int check_names(const struct worker_config *c, hq_error *err)
{
    const struct {
        struct bytes name;
        const char *what;
        bool needed;
    } names[] = {
        {c->hostname, "hostname of the worker", true},
        {c->group, "group of the worker", true},
        {c->listen_address, "listen address of the worker", false},
        {c->manager_job_id, "allocation id of the worker", false},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].needed && names[i].name.n == 0)
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the %s is empty", names[i].what);
        int rc = hqi_model_name_check(names[i].name, names[i].what, err);
        if (rc < 0)
            return rc;
    }
    return hqi_model_name_check_string(c->work_dir, HQI_MAX_NAME, "work directory of the worker", err);
}

static int check_times(const struct worker_config *c, hq_error *err)
{
    const struct {
        uint64_t ms;
        const char *what;
    } times[] = {
        {c->heartbeat_ms, "heartbeat"},
        {c->idle_timeout_ms, "idle timeout"},
        {c->time_limit_ms, "time limit"},
        {c->overview_interval_ms, "overview interval"},
    };
    if (c->heartbeat_ms <= HEARTBEAT_FLOOR_MS)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the heartbeat of %llu ms is not above %u ms",
                                  (unsigned long long)c->heartbeat_ms, HEARTBEAT_FLOOR_MS);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i].ms > HQI_MAX_DURATION_MS)
            return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "the %s of %llu ms is above %llu ms", times[i].what,
                                      (unsigned long long)times[i].ms, (unsigned long long)HQI_MAX_DURATION_MS);
    return HQ_OK;
}

int hqi_model_config_check(const struct worker_config *c, hq_error *err)
{
    int rc = check_names(c, err);
    if (rc >= 0)
        rc = check_times(c, err);
    if (rc < 0)
        return rc;
    if (c->min_utilization > HQ_UNITS)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Minimal utilization has to be in the interval [0.0, 1.0].");
    if (c->on_server_lost < LOST_STOP || c->on_server_lost > LOST_AS_SERVER)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "unknown choice %u for a lost server", c->on_server_lost);
    if (c->manager > MANAGER_SLURM)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "unknown allocation manager %u", c->manager);
    return hqi_model_resource_check(&c->resources, err);
}
