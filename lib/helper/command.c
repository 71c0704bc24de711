/* SPDX-License-Identifier: MIT */
/* command.c - one object per command, which ends itself. */
#include "helper/command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "helper/capture.h"
#include "helper/outcome.h"

#define CAPTURE_BYTES 65536u /* of each output; job managers say less about one job */

struct command {
    struct commands *all; /* borrowed */
    struct arena *mem;    /* owned; this struct lives in it */
    struct child child;
    struct capture out, err;
    struct loop_timer timer;
    struct pad *pad; /* owned */
    struct command_end end;
    bool timed_out;
};

static void command_free(struct command *c)
{
    hqi_loop_timer_clear(c->all->loop, &c->timer);
    hqi_helper_capture_fini(&c->out);
    hqi_helper_capture_fini(&c->err);
    hqi_helper_spawn_give_pad(c->all->spawner, c->pad);
    hqi_base_arena_free(c->mem);
}

static void on_timeout(struct loop_timer *t)
{
    struct command *c = hqi_container(t, struct command, timer);
    c->timed_out = true;
    if (kill(-child_pid(&c->child), SIGKILL) < 0)
        kill(child_pid(&c->child), SIGKILL);
}

static void on_ended(struct child *child, int status, const struct rusage *usage)
{
    struct command *c = hqi_container(child, struct command, child);
    if (c->pad->step != SPAWN_OK) {
        c->end.run(c->end.user, -1, (struct bytes){0}, hqi_helper_outcome_of_spawn(c->pad, false, false, c->mem).text);
    } else {
        hqi_helper_capture_finish(&c->out);
        hqi_helper_capture_finish(&c->err);
        c->end.run(c->end.user, WIFEXITED(status) && !c->timed_out ? WEXITSTATUS(status) : -1,
                   hqi_base_buf_bytes(&c->out.data), hqi_base_buf_bytes(&c->err.data));
    }
    command_free(c);
}

static struct pad *make_pad(struct command *c, const struct bytes *argv, uint32_t n_argv)
{
    const struct commands *all = c->all;
    uint32_t n_env = 0;
    bool ok = true;
    while (all->environment[n_env])
        n_env++;
    struct pad *pad = hqi_helper_spawn_take_pad(all->spawner, n_argv, n_env);
    for (uint32_t i = 0; pad && i < n_argv; i++)
        pad->argv[i + 1] = (char *)hqi_base_arena_bytes(c->mem, argv[i], &ok).p;
    if (!pad || !ok) {
        hqi_helper_spawn_give_pad(all->spawner, pad);
        return NULL;
    }
    pad->argv[n_argv + 1] = NULL;
    memcpy(pad->envp, all->environment, (n_env + 1) * sizeof *pad->envp);
    pad->plan.path = getenv("PATH");
    return pad;
}

/* The text of what went wrong, or NULL. */
static const char *start(struct command *c, const struct bytes *argv, uint32_t n_argv, uint64_t timeout_ms,
                         hq_error *err)
{
    struct commands *all = c->all;
    int out = -1, diag = -1, pid = -1;
    c->pad = n_argv && hqi_helper_child_reserve(all->children) ? make_pad(c, argv, n_argv) : NULL;
    if (!c->pad)
        return n_argv ? "out of memory" : "No command arguments";
    if (hqi_helper_capture_open(&c->out, all->loop, CAPTURE_BYTES, &out, err) == HQ_OK &&
        hqi_helper_capture_open(&c->err, all->loop, CAPTURE_BYTES, &diag, err) == HQ_OK) {
        c->pad->plan.out_fd = out;
        c->pad->plan.err_fd = diag;
        pid = hqi_helper_spawn_start(all->spawner, c->pad);
    }
    if (out >= 0)
        close(out);
    if (diag >= 0)
        close(diag);
    if (pid < 0)
        return diag < 0 ? err->text : strerror(-pid);
    hqi_helper_child_add(all->children, &c->child, pid);
    if (timeout_ms)
        hqi_loop_timer_set(all->loop, &c->timer, hqi_base_clock_now().mono_ns + timeout_ms * HQI_MS);
    return NULL;
}

void hqi_helper_command_start(struct commands *all, const struct bytes *argv, uint32_t n_argv, uint64_t timeout_ms,
                              struct command_end end)
{
    hq_error err;
    struct arena *mem = hqi_base_arena_new(&hqi_base_alloc_libc);
    struct command *c = mem ? hqi_base_arena_zero(mem, 1, sizeof *c) : NULL;
    if (!c) {
        hqi_base_arena_free(mem);
        end.run(end.user, -1, (struct bytes){0}, bytes_of("out of memory"));
        return;
    }
    *c = (struct command){.all = all, .mem = mem, .child.ended = on_ended, .timer.run = on_timeout, .end = end};
    const char *problem = start(c, argv, n_argv, timeout_ms, &err);
    if (problem) {
        end.run(end.user, -1, (struct bytes){0}, bytes_of(problem));
        command_free(c);
    }
}

/* ---- for the worker ---- */

struct question {
    struct outbox *outbox; /* borrowed */
    uint64_t tag;
};

static void answer(struct outbox *o, uint64_t tag, int32_t status, struct bytes out, struct bytes err)
{
    bool ok = true;
    struct from_helper *item = hqi_helper_outbox_add(o, FROM_HELPER_COMMAND, 0);
    item->u.command.tag = tag;
    item->u.command.status = status;
    item->u.command.out = hqi_base_arena_bytes(&o->mem, out, &ok);
    item->u.command.err = hqi_base_arena_bytes(&o->mem, err, &ok);
    o->urgent = true;
}

static void answer_question(void *user, int32_t status, struct bytes out, struct bytes err)
{
    struct question *q = user;
    answer(q->outbox, q->tag, status, out, err);
    free(q);
}

void hqi_helper_command_run(struct commands *all, uint64_t tag, const struct bytes *argv, uint32_t n_argv,
                            uint64_t timeout_ms)
{
    struct question *q = malloc(sizeof *q);
    if (!q) {
        answer(all->outbox, tag, -1, (struct bytes){0}, bytes_of("out of memory"));
        return;
    }
    *q = (struct question){all->outbox, tag};
    hqi_helper_command_start(all, argv, n_argv, timeout_ms, (struct command_end){answer_question, q});
}
