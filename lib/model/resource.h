/* SPDX-License-Identifier: MIT */
/* resource.h - what a worker has, and what a task asks for. Amounts count 1/10000 (HQ_UNITS).
 *
 * Types have room for variants, multi-node, weights and coupling; what the scheduler does not place
 * yet is refused when it is submitted, never ignored. */
#ifndef HQI_MODEL_RESOURCE_H
#define HQI_MODEL_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "hqcore/error.h"

/* Stored and sent: never renumbered. */
enum resource_kind { RESOURCE_LIST = 1, RESOURCE_GROUPS = 2, RESOURCE_RANGE = 3, RESOURCE_SUM = 4 };

struct resource_def {
    struct bytes name;   /* UTF-8: letter, then letters, digits, '/' */
    uint8_t kind;
    uint32_t start, end; /* RANGE: start..end inclusive */
    const struct bytes *labels;  /* LIST, GROUPS: all labels, group after group */
    uint32_t n_labels;
    const uint32_t *group_sizes; /* GROUPS: sum is n_labels, each > 0 */
    uint32_t n_groups;
    uint64_t sum; /* SUM: amount in 1/10000 */
};

/* Sorted by name, names unique. Coupling comes with its own issue of the format. */
struct resources {
    const struct resource_def *items;
    uint32_t n;
};

uint64_t hqi_model_resource_total(const struct resource_def *def); /* in 1/10000 */
/* "cpus", duplicates, emptiness, kinds, unique labels, limits. HQ_EINVAL with the user's text:
 * `Resource X defined twice`, `Resource X is empty`, `Resource 'cpus' is missing`, ... */
int hqi_model_resource_check(const struct resources *r, hq_error *err);
int hqi_model_resource_copy(struct resources *ret, struct arena *mem, const struct resources *from);
/* By name, as check() wants them; equal names keep their order. */
void hqi_model_resource_sort(struct resource_def *items, uint32_t n);
const struct resource_def *hqi_model_resource_find(const struct resources *r, struct bytes name);
bool hqi_model_resource_name_ok(struct bytes name);

/* Tasks that are functions of the worker's host ask for the resource of that name, which only workers with that function
 * have: "function/simulate". It has no limit of its own. */
#define HQI_FUNCTION_PREFIX "function/"
#define HQI_FUNCTION_SUM ((uint64_t)UINT32_MAX * HQ_UNITS)
/* The function's name in it; false: it is not of that kind. */
bool hqi_model_resource_function(struct bytes resource, struct bytes *name);

/* Stored and sent: never renumbered. */
enum request_policy {
    POLICY_COMPACT = 1,
    POLICY_COMPACT_FORCED = 2,
    POLICY_TIGHT = 3,
    POLICY_TIGHT_FORCED = 4,
    POLICY_SCATTER = 5,
    POLICY_ALL = 6
};

struct request_entry {
    struct bytes name;
    uint8_t policy;
    uint64_t amount; /* in 1/10000, > 0; 0 with POLICY_ALL */
};

struct request_variant {
    uint32_t n_nodes; /* 0: part of one node */
    const struct request_entry *entries; /* sorted by name, names unique */
    uint32_t n_entries;
    uint64_t min_time_ms; /* the worker must live at least that long; 0: whatever */
    uint32_t weight;      /* in 1/10000; default HQ_UNITS */
};

struct resource_request {
    const struct request_variant *variants; /* in order of preference */
    uint32_t n_variants;                    /* >= 1 */
};

/* HQ_EINVAL: no variant, no entry, zero amounts, `Resource 'X' defined more than once`, bad names;
 * HQ_ELIMIT. */
int hqi_model_request_check(const struct resource_request *r, hq_error *err);
int hqi_model_request_copy(struct resource_request *ret, struct arena *mem, const struct resource_request *from);
bool hqi_model_request_equal(const struct resource_request *a, const struct resource_request *b);
uint64_t hqi_model_request_hash(const struct resource_request *r);
/* "1 compact", "2.5 tight!", "all" */
void hqi_model_request_entry_text(const struct request_entry *e, struct buf *out);
const char *hqi_model_request_policy_name(uint8_t policy); /* "compact!", ...; "?" for unknown */
/* "2", "0.5", "1.0001" */
void hqi_model_amount_text(uint64_t amount, struct buf *out);

#endif
