/* SPDX-License-Identifier: MIT */
/* outbox.c - see outbox.h. A packet of reports stays below the default limit of a socket's buffer, which many
 * systems do not let a user raise. Must never happen: a report lost while the worker lives. */
#include "helper/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"

#define PACKET_BYTES 65536u /* an answer of 128 kB on top still fits a buffer of 208 kB */
#define ITEM_BYTES 96u      /* at most, without its texts */

void hqi_helper_outbox_init(struct outbox *o, int fd)
{
    *o = (struct outbox){.fd = fd};
    hqi_base_arena_init(&o->mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&o->packet, &hqi_base_alloc_libc);
}

static bool grow(struct outbox *o)
{
    if (o->n < o->room)
        return true;
    uint32_t room = o->room ? o->room * 2 : 64;
    struct from_helper *items = realloc(o->items, room * sizeof *items);
    if (items)
        o->items = items;
    uint64_t *start_ns = realloc(o->start_ns, room * sizeof *start_ns);
    if (start_ns)
        o->start_ns = start_ns;
    if (!items || !start_ns)
        return false;
    o->room = room;
    return true;
}

struct from_helper *hqi_helper_outbox_add(struct outbox *o, uint8_t kind, uint64_t start_ns)
{
    struct from_helper *item = &o->spare;
    if (grow(o)) {
        o->start_ns[o->n] = start_ns;
        item = &o->items[o->n++];
    } else {
        o->broken = true;
    }
    *item = (struct from_helper){.kind = kind};
    return item;
}

void hqi_helper_outbox_add_key(struct outbox *o, uint8_t kind, uint64_t key)
{
    hqi_helper_outbox_add(o, kind, 0)->u.key = key;
    o->urgent = true;
}

bool hqi_helper_outbox_add_packet(struct outbox *o, struct bytes packet, hq_error *err)
{
    struct from_helper *items;
    uint32_t n;
    if (hqi_wire_helper_decode_from(&items, &n, packet, &o->mem, err) < 0)
        return false;
    for (uint32_t i = 0; i < n; i++)
        *hqi_helper_outbox_add(o, items[i].kind, 0) = items[i];
    o->urgent = true;
    return n > 0;
}

bool hqi_helper_outbox_holds(const struct outbox *o, uint8_t kind)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->items[i].kind == kind)
            return true;
    return false;
}

/* At most: two bytes for a cpu, and what a GPU takes besides its id. */
static size_t load_bytes(const struct node_load *l)
{
    return 160 + 2 * (size_t)l->n_cpus + ((size_t)l->nvidia.n + l->amd.n) * (12 + HQI_MAX_GPU_ID);
}

static size_t text_bytes(const struct from_helper *item)
{
    switch (item->kind) {
    case FROM_HELPER_ENDED:
        return item->u.ended.text.n;
    case FROM_HELPER_COMMAND:
        return item->u.command.out.n + item->u.command.err.n;
    case FROM_HELPER_LOAD:
        return item->u.load.notes.n + load_bytes(item->u.load.load);
    default:
        return 0;
    }
}

/* How many items from the first on go into one packet: at least one. */
static uint32_t cut(const struct outbox *o)
{
    size_t bytes = 0;
    uint32_t n = 0;
    while (n < o->n) {
        bytes += ITEM_BYTES + text_bytes(&o->items[n]);
        if (n > 0 && bytes > PACKET_BYTES)
            break;
        n++;
    }
    return n;
}

static void set_ages(struct outbox *o, uint32_t n, uint64_t now_ns)
{
    for (uint32_t i = 0; i < n; i++) {
        struct from_helper *item = &o->items[i];
        uint64_t start = o->start_ns[i], age_ms = now_ns > start ? (now_ns - start) / HQI_MS : 0;
        if (item->kind == FROM_HELPER_STARTED)
            item->u.started.age_ms = age_ms;
        else if (item->kind == FROM_HELPER_ENDED && item->u.ended.code != HQ_CODE_LAUNCH)
            item->u.ended.age_ms = age_ms;
    }
}

static bool is_full(int sys)
{
    return sys == EAGAIN || sys == ENOBUFS || sys == ENOMEM || sys == EINTR;
}

/* false: the packet has not left. */
static bool send_first(struct outbox *o, uint32_t n, uint64_t now_ns)
{
    set_ages(o, n, now_ns);
    hqi_base_buf_clear(&o->packet);
    hqi_wire_helper_encode_from(o->items, n, &o->packet);
    if (o->packet.failed)
        return false;
    if (send(o->fd, o->packet.p, o->packet.n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return true;
    if (!is_full(errno))
        o->broken = true;
    return false;
}

void hqi_helper_outbox_flush(struct outbox *o, uint64_t now_ns)
{
    o->urgent = false;
    while (o->n > 0 && !o->broken) {
        uint32_t n = cut(o);
        if (!send_first(o, n, now_ns))
            return;
        o->n -= n;
        memmove(o->items, o->items + n, o->n * sizeof *o->items);
        memmove(o->start_ns, o->start_ns + n, o->n * sizeof *o->start_ns);
    }
    hqi_base_arena_clear(&o->mem);
}
