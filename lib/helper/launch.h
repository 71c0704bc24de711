/* SPDX-License-Identifier: MIT */
/* launch.h - what the launches of one submit have in common, made ready once: argv, environment, standard
 * input. */
#ifndef HQI_HELPER_LAUNCH_H
#define HQI_HELPER_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "helper/env.h"
#include "wire/helper.h"

struct launch {
    struct map_node by_number;
    struct arena *mem; /* owned; this struct lives in it */
    char **argv;       /* n_argv of them */
    uint32_t n_argv;
    struct env env;         /* the helper's own with the spec's on top */
    int in_fd;              /* owned; a sealed file with the data of its standard input; -1: none */
    const char *in_path;    /* opens it anew, so that each task reads from its start; NULL: none */
    uint64_t time_limit_ns; /* 0: none */
    bool task_dir;
    bool dropped;   /* freed when its last task ends */
    uint32_t users; /* tasks */
};

struct launches {
    struct map by_number; /* owned; those not dropped */
    char *const *base;    /* borrowed: the environment that all start from */
    uint32_t n_base;
    hq_error err; /* of the last one that could not be kept */
};

void hqi_helper_launch_init(struct launches *all, char *const *environment);
/* What cannot be kept is missing when a task names it, and all->err says why. */
void hqi_helper_launch_add(struct launches *all, const struct helper_spec *spec);
void hqi_helper_launch_drop(struct launches *all, uint32_t number);
struct launch *hqi_helper_launch_get(const struct launches *all, uint32_t number); /* NULL: there is none */
void hqi_helper_launch_use(struct launch *l);
void hqi_helper_launch_release(struct launch *l);

#endif
