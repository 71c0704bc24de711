/* SPDX-License-Identifier: MIT */
/* memory.c - the sum resource `mem`, in MiB: what Slurm gave, else what the node has. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/hardware.h"
#include "helper/fd.h"
#include "hqcore/types.h"

#define MIB 1048576u
#define MAX_MIB (UINT64_MAX / HQ_UNITS)

static bool slurm_mib(const struct hardware_input *in, uint64_t *mib)
{
    const char *text = hqi_helper_hardware_getenv(in, "SLURM_MEM_PER_NODE");
    bool in_job =
        hqi_helper_hardware_getenv(in, "SLURM_JOB_ID") || hqi_helper_hardware_getenv(in, "SLURM_JOBID");
    if (!text || !in_job || text[0] < '0' || text[0] > '9')
        return false;
    char *end;
    errno = 0;
    *mib = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *mib > 0 && *mib <= MAX_MIB;
}

static bool total_bytes(const struct hardware_input *in, uint64_t *bytes)
{
    char path[4096], text[4096];
    uint64_t kib;
    snprintf(path, sizeof path, "%s/proc/meminfo", in->root);
    if (hqi_helper_fd_read_file(path, text, sizeof text) <= 0)
        return false;
    const char *line = strstr(text, "MemTotal:");
    if (!line || sscanf(line, "MemTotal: %" SCNu64 " kB", &kib) != 1 || kib == 0 ||
        kib > UINT64_MAX / 1024 / HQ_UNITS)
        return false;
    *bytes = kib * 1024;
    return true;
}

static void note(struct buf *notes, uint64_t bytes)
{
    double kib = (double)bytes / 1024;
    hqi_base_buf_addf(notes, "INFO Detected %" PRIu64 "B of memory (", bytes);
    if (bytes < 2048)
        hqi_base_buf_addf(notes, "%" PRIu64 " B", bytes);
    else if (bytes < 2ull * MIB)
        hqi_base_buf_addf(notes, "%.2f KiB", kib);
    else if (bytes < 2048ull * MIB)
        hqi_base_buf_addf(notes, "%.2f MiB", kib / 1024);
    else
        hqi_base_buf_addf(notes, "%.2f GiB", kib / MIB);
    hqi_base_buf_adds(notes, ")\n");
}

int hqi_helper_memory_detect(struct resource_def *def, const struct hardware_input *in,
                             struct hardware_output *out)
{
    uint64_t mib, bytes;
    *def = (struct resource_def){.name = bytes_of("mem"), .kind = RESOURCE_SUM};
    if (slurm_mib(in, &mib)) {
        def->sum = mib * HQ_UNITS;
    } else if (total_bytes(in, &bytes)) {
        def->sum = bytes / MIB * HQ_UNITS + bytes % MIB * HQ_UNITS / MIB;
        note(&out->notes, bytes);
    } else {
        hqi_base_buf_adds(&out->notes, "WARN The memory of this node cannot be read from /proc/meminfo\n");
        return 0;
    }
    return 1;
}
