/* SPDX-License-Identifier: MIT */
/* hardware.c - the parts put together. */
#include "helper/hardware.h"

#include <string.h>

#define MAX_DEFS (MAX_GPU_KINDS + 2u)

const char *hqi_helper_hardware_getenv(const struct hardware_input *in, const char *name)
{
    size_t n = strlen(name);
    for (char *const *var = in->environment; *var; var++)
        if (strncmp(*var, name, n) == 0 && (*var)[n] == '=')
            return *var + n + 1;
    return NULL;
}

static int detect(struct helper_hardware *ret, const struct hardware_input *in, struct hardware_output *out)
{
    struct resource_def *defs = hqi_base_arena_zero(out->mem, MAX_DEFS, sizeof *defs);
    int n = 0, found;
    if (!defs)
        return HQ_ENOMEM;
    if ((found = hqi_helper_cpus_detect(&defs[n], in, out)) < 0)
        return found;
    n += found;
    if ((found = hqi_helper_gpus_detect(&defs[n], in, out)) < 0)
        return found;
    n += found;
    if ((found = hqi_helper_memory_detect(&defs[n], in, out)) < 0)
        return found;
    n += found;
    ret->resources = (struct resources){defs, (uint32_t)n};
    return HQ_OK;
}

void hqi_helper_hardware_detect(struct helper_hardware *ret, const struct hardware_input *in,
                                struct arena *mem)
{
    struct hardware_output out = {.mem = mem};
    bool ok = true;
    *ret = (struct helper_hardware){0};
    hqi_base_buf_init(&out.notes, mem->alloc);
    hqi_base_buf_init(&out.gpus, mem->alloc);
    int rc = detect(ret, in, &out);
    ret->notes = hqi_base_arena_bytes(mem, hqi_base_buf_bytes(&out.notes), &ok);
    ret->gpus = hqi_base_arena_bytes(mem, hqi_base_buf_bytes(&out.gpus), &ok);
    if (rc < 0 || !ok || out.notes.failed || out.gpus.failed)
        *ret = (struct helper_hardware){.error = bytes_of("out of memory")};
    hqi_base_buf_fini(&out.notes);
    hqi_base_buf_fini(&out.gpus);
}
