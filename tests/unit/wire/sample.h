/* SPDX-License-Identifier: MIT */
/* sample.h - random but valid values of everything that travels, from a seed: for round trips here, and as the seeds
 * of the fuzzers. All live in `mem`, but for specs and configs: what makes them says who frees them. */
#ifndef TESTS_WIRE_SAMPLE_H
#define TESTS_WIRE_SAMPLE_H

#include "base/arena.h"
#include "model/command.h"
#include "model/reply.h"
#include "model/report.h"
#include "wire/client.h"
#include "wire/helper.h"
#include "wire/record.h"
#include "wire/session.h"
#include "wire/worker.h"

struct sample {
    uint64_t seed;
    struct arena *mem; /* borrowed */
};

uint32_t sample_below(struct sample *s, uint32_t n); /* 0..n-1 */
bool sample_bool(struct sample *s);
uint64_t sample_wide(struct sample *s); /* of any length in bits */
struct bytes sample_blob(struct sample *s, uint32_t max);
struct bytes sample_text(struct sample *s, uint32_t max); /* no NUL */
struct bytes sample_name(struct sample *s);               /* UTF-8 */

/* Never freed as such: their `mem` is NULL. */
struct spec *sample_spec(struct sample *s, bool tasks);
struct worker_config *sample_config(struct sample *s);
struct resources sample_resources(struct sample *s);

const struct task_group *sample_tasks(struct sample *s, uint32_t n, bool marks);
struct hello sample_hello(struct sample *s);
struct welcome sample_welcome(struct sample *s);
struct refuse sample_refuse(struct sample *s);
struct node_load *sample_load(struct sample *s);
struct report sample_report(struct sample *s);
struct from_worker sample_from_worker(struct sample *s, uint8_t kind);
struct to_worker_batch sample_to_worker(struct sample *s);         /* an item of each kind */
struct to_helper *sample_to_helper(struct sample *s, uint32_t *n); /* likewise */
struct from_helper *sample_from_helper(struct sample *s, uint32_t *n);
struct fact *sample_facts(struct sample *s, uint32_t *n); /* a fact of each kind */
struct command sample_command(struct sample *s, uint8_t kind);
struct reply sample_reply(struct sample *s, uint8_t kind);

#endif
