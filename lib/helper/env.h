/* SPDX-License-Identifier: MIT */
/* env.h - "NAME=value" strings with an index by name, so that overlaying one set by another takes time
 * linear in their sizes. A later setting of a name replaces the earlier one in its place. */
#ifndef HQI_HELPER_ENV_H
#define HQI_HELPER_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/spec.h"

struct env {
    char **vars; /* n of them, borrowed as is what they point to */
    uint32_t n, room;
    uint32_t *slots; /* index + 1 into vars, 0: free; a power of two of them, mask + 1 */
    uint32_t mask;
};

bool hqi_helper_env_init(struct env *e, struct arena *mem, uint32_t room); /* false: no memory */
void hqi_helper_env_set(struct env *e, char *var); /* within the room asked for; without '=' it is dropped */
/* Copies them; false: no memory. */
bool hqi_helper_env_add(struct env *e, struct arena *mem, const struct env_var *vars, uint32_t n);
const char *hqi_helper_env_get(const struct env *e, const char *name); /* the value, or NULL */
/* `over` on top of `base` into out[base->n + over->n + 1], with a NULL at the end. */
void hqi_helper_env_merge(char **out, const struct env *base, const struct env *over);

#endif
