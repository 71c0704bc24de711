/* SPDX-License-Identifier: MIT */
/* inbox.h - what the worker says. */
#ifndef HQI_HELPER_INBOX_H
#define HQI_HELPER_INBOX_H

#include <stdbool.h>

#include "base/arena.h"
#include "loop/loop.h"
#include "wire/helper.h"

struct inbox {
    struct loop_source source;
    char *packet;     /* owned; HELPER_PACKET bytes */
    struct arena mem; /* of the packet in work */
    void (*on_item)(void *user, const struct to_helper *item);
    void *user;
    bool closed;  /* end of file, or a peer that does not speak our language */
    hq_error err; /* of the latter */
};

int hqi_helper_inbox_init(struct inbox *in, struct loop *loop, int fd, hq_error *err);

#endif
