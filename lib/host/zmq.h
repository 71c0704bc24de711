/* SPDX-License-Identifier: MIT */
/* zmq.h - the life of a zmq context, and the probes that keep libzmq from aborting the host. Seen by lib/host/ only. */
#ifndef HQI_HOST_ZMQ_H
#define HQI_HOST_ZMQ_H

#include "hqcore/error.h"

/* Starts it with one I/O thread. `fd` is any open descriptor (the probe duplicates it). HQ_ELIMIT, HQ_ENOMEM. */
int hqi_host_zmq_begin(void **ret, int fd, hq_error *err);
void hqi_host_zmq_end(void *zmq); /* NULL is fine; waits for what lingers */

#endif
