/* SPDX-License-Identifier: MIT */
/* outbox.h - what the worker is to be told. Reports gather here and leave in packets; what the socket does not
 * take stays, with its ages computed anew at each try. */
#ifndef HQI_HELPER_OUTBOX_H
#define HQI_HELPER_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "wire/helper.h"

struct outbox {
    int fd;                    /* borrowed */
    struct from_helper *items; /* owned; n of them wait */
    uint64_t *start_ns;        /* owned; of the task that items[i] speaks of */
    uint32_t n, room;
    struct arena mem; /* what the items point to; cleared when all have left */
    struct buf packet;
    bool urgent;              /* somebody waits for what is in here */
    bool broken;              /* the worker is gone, or there is no memory to tell it anything */
    struct from_helper spare; /* given out when there is no memory */
};

void hqi_helper_outbox_init(struct outbox *o, int fd);
/* A zeroed item to fill in, valid until the next add. Never NULL. `start_ns`: ages are filled in when it leaves. */
struct from_helper *hqi_helper_outbox_add(struct outbox *o, uint8_t kind, uint64_t start_ns);
void hqi_helper_outbox_add_key(struct outbox *o, uint8_t kind, uint64_t key);
/* Takes over items that a packet of ours holds; they live in o->mem. false: not a packet. */
bool hqi_helper_outbox_add_packet(struct outbox *o, struct bytes packet, hq_error *err);
/* Something of that kind has not left yet. */
bool hqi_helper_outbox_holds(const struct outbox *o, uint8_t kind);
/* Sends as much as the socket takes. */
void hqi_helper_outbox_flush(struct outbox *o, uint64_t now_ns);

#endif
