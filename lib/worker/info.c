/* SPDX-License-Identifier: MIT */
/* info.c - what a worker is, and what a node has, as trees for people.
 *
 * The trees are those that a server's reply would give: the worker is put into such a reply, and the reply is read
 * back. So there is one description of their shape, client.proto. */
#include "base/error.h"
#include "hqcore/tools.h"
#include "host/tree.h"
#include "wire/client.h"
#include "worker/worker.h"

static const char where[] = "worker";

/* workers[0] of a reply to worker_list; everything in `mem`. NULL: no memory. */
static const struct hq_doc *worker_doc(struct arena *mem, const struct alloc *a, const struct worker_config *config)
{
    const struct worker_info info = {.config = config, .idle_timeout_ms = config->idle_timeout_ms};
    struct reply r = {.id = 1, .kind = COMMAND_WORKER_LIST};
    struct reply_view view = {0};
    struct buf bytes;
    r.u.workers.workers = &info;
    r.u.workers.n = 1;
    hqi_base_buf_init(&bytes, a);
    hqi_wire_client_encode_reply(&r, &bytes);
    int code = bytes.failed ? HQ_ENOMEM : hqi_wire_client_decode_reply(&view, hqi_base_buf_bytes(&bytes), mem, NULL);
    hqi_base_buf_fini(&bytes);
    return code < 0 ? NULL : hq_doc_at(hq_doc_get(view.doc, "workers"), 0);
}

int hqi_worker_info_make(struct hq_doc **ret, const struct alloc *a, const struct worker_config *config, hq_error *err)
{
    struct arena *mem = hqi_base_arena_new(a);
    if (!mem)
        return hqi_base_error_nomem(err, where);
    struct hq_doc *root = hqi_host_tree_root(mem, worker_doc(mem, a, config));
    if (!root) {
        hqi_base_arena_free(mem);
        return hqi_base_error_nomem(err, where);
    }
    *ret = root;
    return HQ_OK;
}

static void set_number(const struct hq_doc *parent, const char *name, uint64_t value)
{
    struct hq_doc *node = (struct hq_doc *)hq_doc_get(parent, name); /* our own tree */
    if (node)
        node->v.u = value;
}

void hqi_worker_info_set_lost(struct hq_worker *w)
{
    set_number(hq_doc_get(w->info, "config"), "on_server_lost", w->config->on_server_lost);
}

void hqi_worker_info_set_idle(struct hq_worker *w, uint64_t ms)
{
    set_number(w->info, "idle_timeout_ms", ms);
}

const hq_doc *hq_tools_worker_info(const hq_worker *w)
{
    return w ? w->info : NULL;
}

const char *hq_tools_worker_end_text(const hq_worker *w)
{
    return w ? w->end_text : "";
}

/* ---- hardware ---- */

static bool bytes_doc(struct hq_doc *ret, struct arena *mem, const char *name, struct bytes b)
{
    bool ok = true;
    struct bytes copy = hqi_base_arena_bytes(mem, b, &ok);
    *ret = (struct hq_doc){.kind = DOC_BYTES, .n = (uint32_t)copy.n, .name = name, .v.p = copy.p};
    return ok;
}

/* {resources, notes, gpus} as HelperHardware has them. */
static struct hq_doc *hardware_doc(struct arena *mem, const struct alloc *a, const struct worker_answers *found)
{
    const struct worker_config config = {.resources = found->resources};
    const struct hq_doc *resources = hq_doc_get(worker_doc(mem, a, &config), "config.resources");
    struct hq_doc *child = hqi_base_arena_zero(mem, 3, sizeof *child);
    const struct hq_doc map = {.kind = DOC_MAP, .n = 3, .v.child = child};
    if (!resources || !child)
        return NULL;
    child[0] = *resources;
    child[0].name = "resources";
    if (!bytes_doc(&child[1], mem, "notes", found->notes) || !bytes_doc(&child[2], mem, "gpus", found->gpus))
        return NULL;
    return hqi_host_tree_root(mem, &map);
}

static int ask_hardware(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    struct to_helper item = {.kind = TO_HELPER_HARDWARE};
    item.u.hardware.hyper_threading = !o->no_hyper_threading;
    w->mem = hqi_base_arena_new(w->alloc);
    int r = w->mem ? hqi_worker_env_copy(w, NULL, err) : hqi_base_error_nomem(err, where);
    if (r < 0)
        return r;
    w->work_dir = "/";
    w->helper_path = o->helper;
    r = hqi_worker_helper_start(w, 1, err);
    if (r >= 0)
        r = hqi_worker_helper_ask(w, &item, &w->answers.has_hardware, HARDWARE_MS, err);
    if (r >= 0 && w->answers.error.n > 0)
        r = hqi_base_error_set(err, HQ_EINTERNAL, where, "the hardware could not be detected: %.*s",
                               (int)w->answers.error.n, w->answers.error.p);
    return r;
}

/* A worker of which only a helper exists asks it, and goes again. */
int hq_tools_hardware(hq_ctx *ctx, int no_hyper_threading, const char *helper, hq_doc **ret, hq_error *err)
{
    const hq_worker_options o = {.size = sizeof o, .no_hyper_threading = no_hyper_threading, .helper = helper};
    int r = hqi_host_ctx_check(ctx, err);
    if (r < 0)
        return r;
    struct arena *mem = hqi_base_arena_new(&ctx->alloc);
    struct hq_worker *w = mem ? hqi_worker_worker_make(ctx) : NULL;
    r = w ? ask_hardware(w, &o, err) : hqi_base_error_nomem(err, where);
    if (r >= 0) {
        hq_doc *root = hardware_doc(mem, &ctx->alloc, &w->answers);
        r = root ? HQ_OK : hqi_base_error_nomem(err, where);
        if (root)
            *ret = root;
    }
    hq_worker_free(w);
    if (r < 0)
        hqi_base_arena_free(mem);
    return r;
}
