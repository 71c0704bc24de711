/* SPDX-License-Identifier: MIT */
/* disk.c - a journal that is a list of records, how many of them were written, and how many synced. Killing the server keeps
 * what was written; a crash of its node keeps what was synced, and any prefix of the rest. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

void disk_append(struct sim *s, struct bytes record, uint64_t position)
{
    struct disk *d = &s->disk;
    if (d->n == d->room) {
        d->room = d->room ? 2 * d->room : 64;
        d->records = realloc(d->records, d->room * sizeof *d->records);
    }
    struct record *r = &d->records[d->n++];
    r->position = position;
    r->n = record.n;
    r->bytes = malloc(record.n + 1);
    memcpy(r->bytes, record.p, record.n);
    if (d->write_at == NEVER)
        d->write_at = s->now + sim_about(s, HQI_MS / 2);
}

static uint64_t position_of(const struct disk *d, uint32_t records)
{
    return records ? d->records[records - 1].position : 0;
}

bool disk_is_synced(const struct sim *s, uint64_t position)
{
    return !s->disk.on || position_of(&s->disk, s->disk.synced) >= position;
}

bool disk_is_safe(struct sim *s, uint64_t position, uint8_t class)
{
    struct disk *d = &s->disk;
    if (!d->on)
        return true;
    if (class == OUT_WRITTEN)
        return position_of(d, d->written) >= position;
    if (disk_is_synced(s, position))
        return true;
    d->wanted = true;
    return false;
}

void disk_step(struct sim *s)
{
    struct disk *d = &s->disk;
    if (d->write_at <= s->now && d->written == d->n)
        d->write_at = NEVER;
    if (d->write_at <= s->now) {
        d->written += sim_chance(s, 300) ? (uint32_t)sim_between(s, 1, d->n - d->written) : d->n - d->written;
        d->write_at = d->written < d->n ? s->now + sim_about(s, HQI_MS) : NEVER;
    }
    if (d->sync_at <= s->now) {
        d->synced = d->syncing;
        d->sync_at = NEVER;
    }
    if (d->sync_at == NEVER && d->wanted && d->written > d->synced) {
        d->wanted = false;
        d->syncing = d->written;
        d->sync_at = s->now + sim_about(s, s->p.sync_ns);
    }
}

uint64_t disk_next(const struct sim *s)
{
    const struct disk *d = &s->disk;
    bool starts = d->sync_at == NEVER && d->wanted && d->written > d->synced;
    return starts ? s->now : sim_least(d->write_at, d->sync_at);
}

void disk_crash(struct sim *s, bool node)
{
    struct disk *d = &s->disk;
    uint32_t keep = node ? d->synced + (uint32_t)sim_below(s, d->n - d->synced + 1u) : d->written;
    while (d->n > keep)
        free(d->records[--d->n].bytes);
    d->written = d->synced = d->n;
    d->write_at = d->sync_at = NEVER;
    d->wanted = false;
}

void disk_fini(struct sim *s)
{
    while (s->disk.n)
        free(s->disk.records[--s->disk.n].bytes);
    free(s->disk.records);
}
