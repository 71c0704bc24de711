/* SPDX-License-Identifier: MIT */
/* helper.c - packets between a worker and its helper processes.
 *
 * Promise: strings that reach execve, open or chdir hold no NUL and end with one. */
#include "wire/helper.h"

#include "wire/config.h"
#include "wire/helper.pb-c.h"
#include "wire/load.h"
#include "wire/spec.h"

#define MAX_BUILD 128u

/* ---- worker to helper, encoding ---- */

static Hqcore__HelperSpec *make_spec(struct encode *e, const struct helper_spec *s)
{
    Hqcore__HelperSpec *m = hqi_wire_pb_message(e, &hqcore__helper_spec__descriptor);
    if (!m)
        return NULL;
    m->spec = s->spec;
    m->n_argv = s->n_argv;
    m->argv = hqi_wire_pb_bytes_list(e, s->argv, s->n_argv);
    m->n_env = s->n_env;
    m->env = hqi_wire_spec_make_env(e, s->env, s->n_env);
    m->stdin_data = hqi_wire_pb_bytes(s->stdin_data);
    m->time_limit_ms = s->time_limit_ms;
    m->task_dir = s->task_dir;
    return m;
}

static Hqcore__HelperLaunch *make_launch(struct encode *e, const struct helper_launch *l)
{
    Hqcore__HelperLaunch *m = hqi_wire_pb_message(e, &hqcore__helper_launch__descriptor);
    if (!m)
        return NULL;
    m->key = l->key;
    m->after = l->after;
    m->spec = l->spec;
    m->n_env = l->n_env;
    m->env = hqi_wire_spec_make_env(e, l->env, l->n_env);
    m->n_prefix = l->n_prefix;
    m->prefix = hqi_wire_pb_bytes_list(e, l->prefix, l->n_prefix);
    m->cwd = hqi_wire_pb_bytes(l->cwd);
    m->stdout = hqi_wire_pb_bytes(l->out);
    m->stderr = hqi_wire_pb_bytes(l->err);
    m->rm_stdout = l->rm_out;
    m->rm_stderr = l->rm_err;
    return m;
}

static Hqcore__HelperCommand *make_command(struct encode *e, const struct to_helper *t)
{
    Hqcore__HelperCommand *m = hqi_wire_pb_message(e, &hqcore__helper_command__descriptor);
    if (!m)
        return NULL;
    m->tag = t->u.command.tag;
    m->n_argv = t->u.command.n_argv;
    m->argv = hqi_wire_pb_bytes_list(e, t->u.command.argv, t->u.command.n_argv);
    m->timeout_ms = t->u.command.timeout_ms;
    return m;
}

static Hqcore__HelperObserve *make_observe(struct encode *e, const struct helper_observe *o)
{
    Hqcore__HelperObserve *m = hqi_wire_pb_message(e, &hqcore__helper_observe__descriptor);
    if (!m)
        return NULL;
    m->interval_ms = o->interval_ms;
    m->nvidia = o->nvidia;
    m->amd = o->amd;
    return m;
}

static void fill_to(struct encode *e, Hqcore__ToHelperItem *m, const struct to_helper *t)
{
    m->body_case = (Hqcore__ToHelperItem__BodyCase)t->kind;
    switch (t->kind) {
    case TO_HELPER_SPEC:
        m->spec = make_spec(e, &t->u.spec);
        break;
    case TO_HELPER_DROP:
        m->drop = t->u.drop;
        break;
    case TO_HELPER_LAUNCH:
        m->launch = make_launch(e, &t->u.launch);
        break;
    case TO_HELPER_UNSTAGE:
        m->unstage = t->u.key;
        break;
    case TO_HELPER_KILL:
        m->kill = t->u.key;
        break;
    case TO_HELPER_HARDWARE:
        m->hardware = hqi_wire_pb_message(e, &hqcore__helper_detect__descriptor);
        if (m->hardware)
            m->hardware->hyper_threading = t->u.hardware.hyper_threading;
        break;
    case TO_HELPER_COMMAND:
        m->command = make_command(e, t);
        break;
    case TO_HELPER_OBSERVE:
        m->observe = make_observe(e, &t->u.observe);
        break;
    default:
        m->end = hqi_wire_pb_message(e, &hqcore__helper_end__descriptor);
    }
}

void hqi_wire_helper_encode_to(const struct to_helper *items, uint32_t n, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__ToHelper pb = HQCORE__TO_HELPER__INIT;
    pb.n_items = n;
    pb.items = hqi_wire_pb_list(&e, &hqcore__to_helper_item__descriptor, n);
    for (uint32_t i = 0; i < n && !e.failed; i++)
        fill_to(&e, pb.items[i], &items[i]);
    hqi_wire_pb_encode_finish(&e, &pb, out);
}

/* ---- worker to helper, decoding ---- */

static bool read_spec(struct decode *d, const Hqcore__HelperSpec *in, struct helper_spec *ret)
{
    ret->spec = in->spec;
    ret->time_limit_ms = in->time_limit_ms;
    ret->task_dir = in->task_dir;
    return hqi_wire_pb_texts(d, "HelperSpec.argv", in->argv, in->n_argv, HQI_MAX_ARGS, &ret->argv,
                             &ret->n_argv) &&
           hqi_wire_pb_within(d, "HelperSpec.argv (their number)", in->n_argv, 1, HQI_MAX_ARGS) &&
           hqi_wire_spec_read_env(d, "HelperSpec.env", in->env, in->n_env, &ret->env, &ret->n_env) &&
           hqi_wire_pb_blob(d, "HelperSpec.stdin_data", in->stdin_data, HQI_MAX_MESSAGE, &ret->stdin_data);
}

static bool read_launch(struct decode *d, const Hqcore__HelperLaunch *in, struct helper_launch *ret)
{
    ret->key = in->key;
    ret->after = in->after;
    ret->spec = in->spec;
    ret->rm_out = in->rm_stdout;
    ret->rm_err = in->rm_stderr;
    return hqi_wire_pb_within(d, "HelperLaunch.key", in->key, 1, UINT64_MAX) &&
           hqi_wire_spec_read_env(d, "HelperLaunch.env", in->env, in->n_env, &ret->env, &ret->n_env) &&
           hqi_wire_pb_texts(d, "HelperLaunch.prefix", in->prefix, in->n_prefix, HQI_MAX_ARGS, &ret->prefix,
                             &ret->n_prefix) &&
           hqi_wire_pb_text(d, "HelperLaunch.cwd", in->cwd, HQI_MAX_STRING, &ret->cwd) &&
           hqi_wire_pb_text(d, "HelperLaunch.stdout", in->stdout, HQI_MAX_STRING, &ret->out) &&
           hqi_wire_pb_text(d, "HelperLaunch.stderr", in->stderr, HQI_MAX_STRING, &ret->err);
}

static bool read_command(struct decode *d, const Hqcore__HelperCommand *in, struct to_helper *ret)
{
    ret->u.command.tag = in->tag;
    ret->u.command.timeout_ms = in->timeout_ms;
    return hqi_wire_pb_texts(d, "HelperCommand.argv", in->argv, in->n_argv, HQI_MAX_ARGS,
                             &ret->u.command.argv, &ret->u.command.n_argv) &&
           hqi_wire_pb_within(d, "HelperCommand.argv (their number)", in->n_argv, 1, HQI_MAX_ARGS);
}

static bool read_to(struct decode *d, const Hqcore__ToHelperItem *in, struct to_helper *ret)
{
    ret->kind = (uint8_t)in->body_case;
    switch (in->body_case) {
    case HQCORE__TO_HELPER_ITEM__BODY_SPEC:
        return read_spec(d, in->spec, &ret->u.spec);
    case HQCORE__TO_HELPER_ITEM__BODY_DROP:
        ret->u.drop = in->drop;
        return true;
    case HQCORE__TO_HELPER_ITEM__BODY_LAUNCH:
        return read_launch(d, in->launch, &ret->u.launch);
    case HQCORE__TO_HELPER_ITEM__BODY_UNSTAGE:
        ret->u.key = in->unstage;
        return true;
    case HQCORE__TO_HELPER_ITEM__BODY_KILL:
        ret->u.key = in->kill;
        return true;
    case HQCORE__TO_HELPER_ITEM__BODY_HARDWARE:
        ret->u.hardware.hyper_threading = in->hardware->hyper_threading;
        return true;
    case HQCORE__TO_HELPER_ITEM__BODY_COMMAND:
        return read_command(d, in->command, ret);
    case HQCORE__TO_HELPER_ITEM__BODY_END:
        return true;
    case HQCORE__TO_HELPER_ITEM__BODY_OBSERVE:
        ret->u.observe = (struct helper_observe){in->observe->interval_ms, in->observe->nvidia, in->observe->amd};
        return true;
    default:
        return hqi_wire_pb_fail(d, HQ_EPROTO, "ToHelperItem.body is none that this version knows");
    }
}

int hqi_wire_helper_decode_to(struct to_helper **items, uint32_t *n, struct bytes in, struct arena *mem,
                              hq_error *err)
{
    struct decode d = {.mem = mem, .err = err};
    *items = NULL;
    *n = 0;
    const Hqcore__ToHelper *m = hqi_wire_pb_unpack(&d, &hqcore__to_helper__descriptor, in, PB_BUDGET);
    if (!m)
        return d.code;
    struct to_helper *v = hqi_wire_pb_get(&d, m->n_items, sizeof *v);
    for (size_t i = 0; v && i < m->n_items; i++)
        if (!read_to(&d, m->items[i], &v[i]))
            return d.code;
    *items = v;
    *n = v ? (uint32_t)m->n_items : 0;
    return d.code;
}

/* ---- helper to worker, encoding ---- */

static Hqcore__HelperStarted *make_started(struct encode *e, const struct helper_started *s)
{
    Hqcore__HelperStarted *m = hqi_wire_pb_message(e, &hqcore__helper_started__descriptor);
    if (m) {
        m->key = s->key;
        m->age_ms = s->age_ms;
        m->pid = s->pid;
        m->start_ticks = s->start_ticks;
    }
    return m;
}

static Hqcore__HelperEnded *make_ended(struct encode *e, const struct helper_ended *s)
{
    Hqcore__HelperEnded *m = hqi_wire_pb_message(e, &hqcore__helper_ended__descriptor);
    if (m) {
        m->key = s->key;
        m->age_ms = s->age_ms;
        m->duration_ms = s->duration_ms;
        m->code = s->code;
        m->text = hqi_wire_pb_bytes(s->text);
        m->user_us = s->user_us;
        m->system_us = s->system_us;
        m->max_rss_kb = s->max_rss_kb;
    }
    return m;
}

static Hqcore__HelperHardware *make_hardware(struct encode *e, const struct helper_hardware *h)
{
    Hqcore__HelperHardware *m = hqi_wire_pb_message(e, &hqcore__helper_hardware__descriptor);
    if (m) {
        m->n_resources = h->resources.n;
        m->resources = hqi_wire_config_make_resources(e, &h->resources);
        m->notes = hqi_wire_pb_bytes(h->notes);
        m->error = hqi_wire_pb_bytes(h->error);
        m->gpus = hqi_wire_pb_bytes(h->gpus);
    }
    return m;
}

static void fill_from(struct encode *e, Hqcore__FromHelperItem *m, const struct from_helper *f)
{
    m->body_case = (Hqcore__FromHelperItem__BodyCase)f->kind;
    switch (f->kind) {
    case FROM_HELPER_HELLO:
        m->hello = hqi_wire_pb_message(e, &hqcore__helper_hello__descriptor);
        if (m->hello) {
            m->hello->build = hqi_wire_pb_bytes(f->u.hello.build);
            m->hello->pid = f->u.hello.pid;
        }
        break;
    case FROM_HELPER_STARTED:
        m->started = make_started(e, &f->u.started);
        break;
    case FROM_HELPER_ENDED:
        m->ended = make_ended(e, &f->u.ended);
        break;
    case FROM_HELPER_UNSTAGED:
        m->unstaged = f->u.key;
        break;
    case FROM_HELPER_HARDWARE:
        m->hardware = make_hardware(e, &f->u.hardware);
        break;
    case FROM_HELPER_LOAD:
        m->load = hqi_wire_pb_message(e, &hqcore__helper_load__descriptor);
        if (m->load) {
            m->load->load = hqi_wire_load_make(e, f->u.load.load);
            m->load->notes = hqi_wire_pb_bytes(f->u.load.notes);
        }
        break;
    default:
        m->command = hqi_wire_pb_message(e, &hqcore__helper_result__descriptor);
        if (m->command) {
            m->command->tag = f->u.command.tag;
            m->command->status = f->u.command.status;
            m->command->out = hqi_wire_pb_bytes(f->u.command.out);
            m->command->err = hqi_wire_pb_bytes(f->u.command.err);
        }
    }
}

void hqi_wire_helper_encode_from(const struct from_helper *items, uint32_t n, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__FromHelper pb = HQCORE__FROM_HELPER__INIT;
    pb.n_items = n;
    pb.items = hqi_wire_pb_list(&e, &hqcore__from_helper_item__descriptor, n);
    for (uint32_t i = 0; i < n && !e.failed; i++)
        fill_from(&e, pb.items[i], &items[i]);
    hqi_wire_pb_encode_finish(&e, &pb, out);
}

/* ---- helper to worker, decoding ---- */

static bool read_started(const Hqcore__HelperStarted *in, struct helper_started *ret)
{
    *ret = (struct helper_started){in->key, in->age_ms, in->pid, in->start_ticks};
    return true;
}

static bool read_ended(struct decode *d, const Hqcore__HelperEnded *in, struct helper_ended *ret)
{
    ret->key = in->key;
    ret->age_ms = in->age_ms;
    ret->duration_ms = in->duration_ms;
    ret->code = (uint16_t)in->code;
    ret->user_us = in->user_us;
    ret->system_us = in->system_us;
    ret->max_rss_kb = in->max_rss_kb;
    return hqi_wire_pb_within(d, "HelperEnded.code", in->code, 0, HQ_CODE_CRASH_LIMIT) &&
           hqi_wire_pb_blob(d, "HelperEnded.text", in->text, HELPER_PACKET, &ret->text);
}

static bool read_hardware(struct decode *d, const Hqcore__HelperHardware *in, struct helper_hardware *ret)
{
    return hqi_wire_config_read_resources(d, in->resources, in->n_resources, &ret->resources) &&
           hqi_wire_pb_text(d, "HelperHardware.notes", in->notes, HELPER_PACKET, &ret->notes) &&
           hqi_wire_pb_text(d, "HelperHardware.error", in->error, HELPER_PACKET, &ret->error) &&
           hqi_wire_pb_text(d, "HelperHardware.gpus", in->gpus, HELPER_PACKET, &ret->gpus);
}

static bool read_result(struct decode *d, const Hqcore__HelperResult *in, struct from_helper *ret)
{
    ret->u.command.tag = in->tag;
    ret->u.command.status = in->status;
    return hqi_wire_pb_blob(d, "HelperResult.out", in->out, HELPER_PACKET, &ret->u.command.out) &&
           hqi_wire_pb_blob(d, "HelperResult.err", in->err, HELPER_PACKET, &ret->u.command.err);
}

static bool read_from(struct decode *d, const Hqcore__FromHelperItem *in, struct from_helper *ret)
{
    ret->kind = (uint8_t)in->body_case;
    switch (in->body_case) {
    case HQCORE__FROM_HELPER_ITEM__BODY_HELLO:
        ret->u.hello.pid = in->hello->pid;
        return hqi_wire_pb_text(d, "HelperHello.build", in->hello->build, MAX_BUILD, &ret->u.hello.build);
    case HQCORE__FROM_HELPER_ITEM__BODY_STARTED:
        return read_started(in->started, &ret->u.started);
    case HQCORE__FROM_HELPER_ITEM__BODY_ENDED:
        return read_ended(d, in->ended, &ret->u.ended);
    case HQCORE__FROM_HELPER_ITEM__BODY_UNSTAGED:
        ret->u.key = in->unstaged;
        return true;
    case HQCORE__FROM_HELPER_ITEM__BODY_HARDWARE:
        return read_hardware(d, in->hardware, &ret->u.hardware);
    case HQCORE__FROM_HELPER_ITEM__BODY_COMMAND:
        return read_result(d, in->command, ret);
    case HQCORE__FROM_HELPER_ITEM__BODY_LOAD:
        ret->u.load.load = hqi_wire_load_read(d, in->load->load);
        return ret->u.load.load &&
               hqi_wire_pb_text(d, "HelperLoad.notes", in->load->notes, HELPER_PACKET, &ret->u.load.notes);
    default:
        return hqi_wire_pb_fail(d, HQ_EPROTO, "FromHelperItem.body is none that this version knows");
    }
}

int hqi_wire_helper_decode_from(struct from_helper **items, uint32_t *n, struct bytes in, struct arena *mem,
                                hq_error *err)
{
    struct decode d = {.mem = mem, .err = err};
    *items = NULL;
    *n = 0;
    const Hqcore__FromHelper *m = hqi_wire_pb_unpack(&d, &hqcore__from_helper__descriptor, in, PB_BUDGET);
    if (!m)
        return d.code;
    struct from_helper *v = hqi_wire_pb_get(&d, m->n_items, sizeof *v);
    for (size_t i = 0; v && i < m->n_items; i++)
        if (!read_from(&d, m->items[i], &v[i]))
            return d.code;
    *items = v;
    *n = v ? (uint32_t)m->n_items : 0;
    return d.code;
}
