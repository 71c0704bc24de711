/* SPDX-License-Identifier: MIT */
/* helper_link.h - starting a helper process, and the socketpair to it.
 *
 * Started through an intermediate clone with CLONE_VM | CLONE_VFORK and no exit signal: the host's waitpid(-1) sees
 * neither, no SIGCHLD, no atfork handler, no page table copied. The helper watches the worker's end of the
 * socket and its pidfd, and kills all tasks when the worker dies in any way. */
#ifndef HQI_TASKS_HELPER_LINK_H
#define HQI_TASKS_HELPER_LINK_H

#include "base/alloc.h"
#include "base/log.h"
#include "loop/loop.h"
#include "wire/helper.h"

struct helper_link;

struct helper_link_ops {
    /* Returns how many of them, from the first, were taken; the others, n > 0, come again some time later, before anything else
     * that the helper said. May send, not free. */
    uint32_t (*on_items)(void *user, uint32_t index, const struct from_helper *items, uint32_t n);
    void (*on_lost)(void *user, uint32_t index); /* the helper died: once; may free the link */
};

struct helper_link_options {
    const struct alloc *alloc;
    const struct log *log;
    struct loop *loop;
    const char *path;        /* the executable; NULL: searched (beside the shared library that holds this code, ../libexec/hqcore,
                              * the configured libexecdir, the build directory of an uninstalled build) */
    const char *const *env;  /* NULL-terminated */
    const char *work_dir;    /* for task dirs; absolute */
    uint64_t nofile;         /* soft limit of open files for tasks; 0: this process's own */
    bool keep_affinity;      /* tasks stay on the processors of the calling thread */
    uint32_t index;          /* given back in the calls */
    const struct helper_link_ops *ops;
    void *user;
};

/* Blocks for the start of one process (an exec). HQ_ENOENT: no helper found (text lists where); HQ_ESYS; HQ_ELIMIT. */
int hqi_tasks_helper_link_new(struct helper_link **ret, const struct helper_link_options *o, hq_error *err);
void hqi_tasks_helper_link_free(struct helper_link *l); /* closes: the helper kills its tasks and ends */
void hqi_tasks_helper_link_free_forked(struct helper_link *l);
/* Encodes and queues; what the socket does not take now leaves when it does. HQ_ENOMEM, HQ_ELIMIT (one item too large). */
int hqi_tasks_helper_link_send(struct helper_link *l, const struct to_helper *items, uint32_t n, hq_error *err);
/* Waits for the next packet, at most timeout_ms, and delivers it through on_items (worker creation only).
 * HQ_ETIMEDOUT, HQ_EINTR, HQ_ENOMEM, HQ_ECLOSED: the helper has ended (on_lost is not called for that). */
int hqi_tasks_helper_link_wait(struct helper_link *l, int timeout_ms, hq_error *err);
int32_t hqi_tasks_helper_link_pid(const struct helper_link *l);

#endif
