/* SPDX-License-Identifier: MIT */
/* probe.c - the child writes the packet with the answer into a pipe. */
#include "helper/probe.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "helper/capture.h"
#include "helper/fd.h"
#include "helper/hardware.h"

#define TIMEOUT_S 60u /* GPU drivers have been seen to take 20 s to wake up */

struct probe {
    struct probes *all; /* borrowed */
    struct child child;
    struct capture packet;
    struct loop_timer timer;
    bool timed_out;
};

static void probe_free(struct probe *p)
{
    hqi_loop_timer_clear(p->all->loop, &p->timer);
    hqi_helper_capture_fini(&p->packet);
    free(p);
}

static void answer_error(struct outbox *o, const char *text)
{
    bool ok = true;
    struct from_helper *item = hqi_helper_outbox_add(o, FROM_HELPER_HARDWARE, 0);
    item->u.hardware.error = hqi_base_arena_bytes(&o->mem, bytes_of(text), &ok);
    o->urgent = true;
}

static void on_ended(struct child *c, int status, const struct rusage *usage)
{
    struct probe *p = hqi_container(c, struct probe, child);
    struct outbox *o = p->all->outbox;
    hqi_helper_capture_finish(&p->packet);
    bool whole = status == 0 && !p->packet.data.failed && p->packet.data.n > 0;
    if (!whole || !hqi_helper_outbox_add_packet(o, hqi_base_buf_bytes(&p->packet.data), NULL))
        answer_error(o, p->timed_out ? "hardware detection took longer than 60 s; give the resources by hand"
                                     : "hardware detection crashed; give the resources by hand");
    probe_free(p);
}

static void on_timeout(struct loop_timer *t)
{
    struct probe *p = hqi_container(t, struct probe, timer);
    p->timed_out = true;
    kill(child_pid(&p->child), SIGKILL);
}

/* In the child. Descriptors 0 to 2 are /dev/null, `fd` is the pipe. */
static int look(const struct probes *all, bool hyper_threading, int fd)
{
    struct hardware_input in = {.root = "",
                                .affinity = all->affinity,
                                .environment = all->environment,
                                .hyper_threading = hyper_threading};
    struct from_helper item = {.kind = FROM_HELPER_HARDWARE};
    struct arena mem;
    struct buf packet;
    if (dup2(fd, 3) < 0)
        return 1;
    hqi_helper_fd_close_from(4); /* the worker's socket above all */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, &(sigset_t){0}, NULL);
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&packet, &hqi_base_alloc_libc);
    hqi_helper_hardware_detect(&item.u.hardware, &in, &mem);
    hqi_wire_helper_encode_from(&item, 1, &packet);
    return packet.failed || !hqi_helper_fd_write(3, hqi_base_buf_bytes(&packet));
}

void hqi_helper_probe_start(struct probes *all, bool hyper_threading)
{
    struct probe *p = hqi_helper_child_reserve(all->children) ? calloc(1, sizeof *p) : NULL;
    hq_error err = {.text = "out of memory"};
    int fd = -1;
    pid_t pid = -1;
    if (p) {
        *p = (struct probe){.all = all, .child.ended = on_ended, .timer.run = on_timeout};
        if (hqi_helper_capture_open(&p->packet, all->loop, HELPER_PACKET, &fd, &err) == HQ_OK)
            pid = fork();
    }
    if (pid == 0)
        _exit(look(all, hyper_threading, fd)); /* nothing of ours may be flushed or freed twice */
    if (fd >= 0)
        close(fd);
    if (pid < 0) {
        answer_error(all->outbox, fd < 0 ? err.text : "hardware detection cannot start: no more processes");
        if (p)
            probe_free(p);
        return;
    }
    hqi_helper_child_add(all->children, &p->child, pid);
    hqi_loop_timer_set(all->loop, &p->timer, hqi_base_clock_now().mono_ns + TIMEOUT_S * HQI_SEC);
}
