/* SPDX-License-Identifier: MIT */
/* columns.c - results, page by page, as the public columns. */
#include <string.h>

#include "base/error.h"
#include "client/client.h"
#include "client/select.h"
#include "hqcore/tools.h"

static const char where[] = "client";

#define NS_PER_MS 1000000
#define SIZED_COLUMNS offsetof(hq_task_columns, index) /* the least that a caller's struct holds */

static bool has_ended(uint8_t state)
{
    return state == HQ_TASK_FINISHED || state == HQ_TASK_FAILED;
}

static int64_t in_ns(int64_t ms)
{
    return ms < 0 ? -1 : ms * NS_PER_MS;
}

/* What is text in some rows: why they failed, or what they have returned. All with a NUL behind it. */
struct texts {
    const char **error;
    const void **result;
    size_t *size;
};

static bool make_texts(struct texts *ret, struct arena *mem, const struct task_page *p)
{
    bool ok = true;
    ret->error = hqi_base_arena_zero(mem, p->n + 1u, sizeof *ret->error);
    ret->result = hqi_base_arena_zero(mem, p->n + 1u, sizeof *ret->result);
    ret->size = hqi_base_arena_zero(mem, p->n + 1u, sizeof *ret->size);
    if (!ret->error || !ret->result || !ret->size)
        return false;
    for (uint32_t i = 0; ok && i < p->n_texts; i++) {
        uint32_t row = p->texts[i].row;
        const struct bytes text = p->texts[i].text;
        const char *copy = text.n > 0 ? hqi_base_arena_bytes(mem, text, &ok).p : NULL;
        if (end_text_is_result(p->code[row])) {
            ret->result[row] = copy;
            ret->size[row] = copy ? text.n : HQ_RESULT_DROPPED;
        } else {
            ret->error[row] = copy ? copy : "";
        }
    }
    return ok;
}

/* The public columns; what differs in width is made in `mem`. False: no memory. */
static bool make_columns(hq_task_columns *ret, struct arena *mem, const struct task_page *p)
{
    int32_t *code = hqi_base_arena_get(mem, (p->n + 1u) * sizeof *code);
    int64_t *start = hqi_base_arena_get(mem, (p->n + 1u) * sizeof *start);
    int64_t *duration = hqi_base_arena_get(mem, (p->n + 1u) * sizeof *duration);
    struct texts texts;
    if (!code || !start || !duration || !make_texts(&texts, mem, p))
        return false;
    for (uint32_t i = 0; i < p->n; i++) {
        code[i] = has_ended(p->state[i]) ? p->code[i] : -1;
        start[i] = in_ns(p->start_ms[i]);
        duration[i] = in_ns(p->duration_ms[i]);
    }
    *ret = (hq_task_columns){
        .count = p->n,
        .index = p->ids,
        .state = p->state,
        .code = code,
        .start_ns = start,
        .duration_ns = duration,
        .worker = p->worker,
        .instance = p->instance,
        .error = texts.error,
        .result = texts.result,
        .result_size = texts.size,
    };
    return true;
}

bool hqi_client_columns_make(struct request *r)
{
    hq_task_columns *all = hqi_base_arena_get(r->mem, sizeof *all);
    if (!all || !make_columns(all, r->mem, &r->page))
        return false;
    all->size = sizeof *all;
    r->columns = all;
    return true;
}

/* Moves the answer's memory to the client, where it stays until the next page. */
static int hand_out(struct request *r, uint64_t *cursor, hq_task_columns *ret, hq_error *err)
{
    struct hq_client *c = r->client;
    hq_task_columns all;
    if (!make_columns(&all, r->mem, &r->page))
        return hqi_base_error_nomem(err, where);
    all.size = ret->size;
    memcpy(ret, &all, ret->size < sizeof all ? ret->size : sizeof all);
    *cursor = r->page.next;
    hqi_base_arena_free(c->page);
    c->page = r->mem;
    r->mem = NULL;
    return HQ_OK;
}

static int ask(hq_client *c, struct command *cmd, uint64_t *cursor, hq_task_columns *ret, hq_error *err)
{
    struct request *r = hqi_client_request_new(c, true, 0, err);
    if (!r)
        return HQ_ENOMEM;
    int code = hqi_client_request_send(r, cmd, err);
    if (code < 0)
        return code;
    code = hqi_client_request_wait(r, -1, err);
    if (!r->done)
        return code;
    if (code >= 0)
        code = hand_out(r, cursor, ret, err);
    hqi_client_request_free(r);
    return code;
}

int hq_tools_task_page(hq_client *c, hq_job_id job, const char *ids, uint32_t states, uint64_t *cursor, hq_task_columns *ret,
                       hq_error *err)
{
    struct command cmd = {.kind = COMMAND_TASK_PAGE};
    struct arena mem;
    int code = hqi_client_client_check(c, err);
    if (code < 0)
        return code;
    if (!cursor || !ret || ret->size < SIZED_COLUMNS)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_task_columns.size or the cursor is not set");
    hqi_base_arena_init(&mem, c->alloc);
    cmd.u.task_page.job = job;
    cmd.u.task_page.cursor = *cursor;
    cmd.u.task_page.states = states;
    code = hqi_client_select_array(&cmd.u.task_page.ids, &mem, ids, err);
    if (code >= 0)
        code = ask(c, &cmd, cursor, ret, err);
    hqi_base_arena_fini(&mem);
    return code;
}

int hq_client_tasks(hq_client *c, hq_job_id job, uint64_t cursor, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_TASK_PAGE};
    int code = hqi_client_client_check(c, err);
    struct request *r = code < 0 ? NULL : hqi_client_request_new(c, false, tag, err);
    if (!r)
        return code < 0 ? code : HQ_ENOMEM;
    cmd.u.task_page.job = job;
    cmd.u.task_page.cursor = cursor;
    return hqi_client_request_send(r, &cmd, err);
}

int hq_job_tasks(hq_client *c, hq_job_id job, uint64_t *cursor, hq_task_columns *ret, hq_error *err)
{
    return hq_tools_task_page(c, job, NULL, 0, cursor, ret, err);
}
