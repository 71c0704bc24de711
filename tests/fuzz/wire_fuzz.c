/* SPDX-License-Identifier: MIT */
/* wire_fuzz.c - all decoders of lib/wire. The first byte of an input selects one, the rest are its bytes.
 *
 * Besides not crashing: what decodes must encode, decode again, and encode to the same bytes, since a server writes
 * to its journal and sends to its workers what it was given by others. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sample.h"

typedef bool pass_fn(struct bytes in, struct arena *mem,
                     struct buf *out); /* decodes; encodes unless it is NULL */

static bool hello(struct bytes in, struct arena *mem, struct buf *out)
{
    struct hello m;
    if (hqi_wire_session_decode_hello(&m, in, mem, NULL) < 0)
        return false;
    hqi_wire_session_encode_hello(&m, out);
    return true;
}

static bool welcome(struct bytes in, struct arena *mem, struct buf *out)
{
    struct welcome m;
    if (hqi_wire_session_decode_welcome(&m, in, mem, NULL) < 0)
        return false;
    hqi_wire_session_encode_welcome(&m, out);
    return true;
}

static bool refuse(struct bytes in, struct arena *mem, struct buf *out)
{
    struct refuse m;
    if (hqi_wire_session_decode_refuse(&m, in, mem, NULL) < 0)
        return false;
    hqi_wire_session_encode_refuse(&m, out);
    return true;
}

static bool frame(struct bytes in, struct arena *mem, struct buf *out)
{
    struct frame f;
    uint8_t header[HQI_FRAME_HEADER];
    if (hqi_wire_session_frame_parse(&f, in, NULL) < 0)
        return false;
    hqi_wire_session_frame_header(header, &f);
    hqi_base_buf_add(out, header, sizeof header);
    hqi_base_buf_add(out, f.payload.p, f.payload.n);
    return true;
}

static bool from_worker(struct bytes in, struct arena *mem, struct buf *out)
{
    struct from_worker m;
    if (hqi_wire_worker_decode_from(&m, in, &hqi_base_alloc_libc, mem, NULL) < 0)
        return false;
    hqi_wire_worker_encode_from(&m, out);
    if (m.kind == FROM_WORKER_REGISTER)
        hqi_model_config_free(m.u.hello.config);
    return true;
}

static bool to_worker(struct bytes in, struct arena *mem, struct buf *out)
{
    struct to_worker_batch m;
    if (hqi_wire_worker_decode_to(&m, in, &hqi_base_alloc_libc, mem, NULL) < 0)
        return false;
    hqi_wire_worker_encode_to(&m, out);
    for (uint32_t i = 0; i < m.n; i++)
        if (m.items[i].kind == TO_WORKER_SPEC)
            hqi_model_spec_free((struct spec *)m.items[i].u.spec.spec);
    return true;
}

static bool to_helper(struct bytes in, struct arena *mem, struct buf *out)
{
    struct to_helper *v;
    uint32_t n;
    if (hqi_wire_helper_decode_to(&v, &n, in, mem, NULL) < 0)
        return false;
    hqi_wire_helper_encode_to(v, n, out);
    return true;
}

static bool from_helper(struct bytes in, struct arena *mem, struct buf *out)
{
    struct from_helper *v;
    uint32_t n;
    if (hqi_wire_helper_decode_from(&v, &n, in, mem, NULL) < 0)
        return false;
    hqi_wire_helper_encode_from(v, n, out);
    return true;
}

static bool record(struct bytes in, struct arena *mem, struct buf *out)
{
    struct fact *v;
    uint32_t n;
    if (hqi_wire_record_decode(&v, &n, in, &hqi_base_alloc_libc, mem, NULL) < 0)
        return false;
    hqi_wire_record_encode(v, n, out);
    hqi_wire_record_drop(v, n);
    return true;
}

static bool command(struct bytes in, struct arena *mem, struct buf *out)
{
    struct command c;
    bool ok = hqi_wire_client_decode_command(&c, in, &hqi_base_alloc_libc, mem, NULL) == HQ_OK;
    if (ok)
        hqi_wire_client_encode_command(&c, out);
    if (c.kind == COMMAND_SUBMIT)
        hqi_model_spec_free(c.u.submit.spec);
    return ok;
}

/* A reply is read as a tree, which is never encoded again: only walked. */
static size_t walk(const struct hq_doc *d)
{
    size_t n = 1;
    if (d->kind == DOC_BYTES && d->v.p[d->n] != '\0')
        abort();
    if (d->kind == DOC_LIST || d->kind == DOC_MAP)
        for (uint32_t i = 0; i < d->n; i++)
            n += walk(&d->v.child[i]);
    return n;
}

static bool reply(struct bytes in, struct arena *mem, struct buf *out)
{
    struct reply_view v;
    if (hqi_wire_client_decode_reply(&v, in, mem, NULL) == HQ_OK && v.doc && walk(v.doc) == 0)
        abort();
    return false;
}

static pass_fn *const passes[] = {hello,     welcome,     refuse, frame,   from_worker, to_worker,
                                  to_helper, from_helper, record, command, reply};
#define N_PASSES (sizeof passes / sizeof *passes)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    pass_fn *pass = passes[data[0] % N_PASSES];
    struct arena mem;
    struct buf first, second;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&first, &hqi_base_alloc_libc);
    hqi_base_buf_init(&second, &hqi_base_alloc_libc);
    if (pass((struct bytes){(const char *)data + 1, size - 1}, &mem, &first)) {
        if (first.failed || !pass(hqi_base_buf_bytes(&first), &mem, &second))
            abort();
        if (second.failed || !bytes_equal(hqi_base_buf_bytes(&first), hqi_base_buf_bytes(&second)))
            abort();
    }
    hqi_base_buf_fini(&second);
    hqi_base_buf_fini(&first);
    hqi_base_arena_fini(&mem);
    return 0;
}

static void encode_sample(struct sample *s, size_t which, struct buf *out)
{
    uint32_t n, kind;
    if (passes[which] == hello)
        hqi_wire_session_encode_hello(&(struct hello[]){sample_hello(s)}[0], out);
    else if (passes[which] == welcome)
        hqi_wire_session_encode_welcome(&(struct welcome[]){sample_welcome(s)}[0], out);
    else if (passes[which] == refuse)
        hqi_wire_session_encode_refuse(&(struct refuse[]){sample_refuse(s)}[0], out);
    else if (passes[which] == frame)
        hqi_base_buf_add(out, "hq\1\4, and what follows: twenty-four bytes", 40);
    else if (passes[which] == from_worker) {
        struct from_worker m = sample_from_worker(s, (uint8_t)(1 + sample_below(s, FROM_WORKER_OVERVIEW)));
        hqi_wire_worker_encode_from(&m, out);
    } else if (passes[which] == to_worker) {
        struct to_worker_batch m = sample_to_worker(s);
        hqi_wire_worker_encode_to(&m, out);
    } else if (passes[which] == to_helper) {
        const struct to_helper *v = sample_to_helper(s, &n);
        hqi_wire_helper_encode_to(v + sample_below(s, n), 1, out);
    } else if (passes[which] == from_helper) {
        const struct from_helper *v = sample_from_helper(s, &n);
        hqi_wire_helper_encode_from(v + sample_below(s, n), 1, out);
    } else if (passes[which] == record) {
        const struct fact *v = sample_facts(s, &n);
        hqi_wire_record_encode(v + sample_below(s, n), 1, out);
    } else {
        kind = 1 + sample_below(s, COMMAND_LAST);
        struct command c = sample_command(s, (uint8_t)kind);
        struct reply r = sample_reply(s, (uint8_t)kind);
        if (passes[which] == command)
            hqi_wire_client_encode_command(&c, out);
        else
            hqi_wire_client_encode_reply(&r, out);
    }
}

size_t fuzz_sample(uint64_t seed, uint8_t *out, size_t room)
{
    struct arena mem;
    struct buf b;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    struct sample s = {seed, &mem};
    size_t which = sample_below(&s, N_PASSES), n = 0;
    encode_sample(&s, which, &b);
    if (!b.failed && b.n < room) {
        out[0] = (uint8_t)which;
        memcpy(out + 1, b.p ? b.p : "", b.n);
        n = b.n + 1;
    }
    hqi_base_buf_fini(&b);
    hqi_base_arena_fini(&mem);
    return n;
}
