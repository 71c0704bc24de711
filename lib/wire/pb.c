/* SPDX-License-Identifier: MIT */
/* pb.c - protobuf-c over arenas.
 *
 * Promise: no bytes of a peer take more memory than the budget, none are believed before they are checked, and
 * a failed allocation leaves a message that is never packed. Memory of an unpacked message is only given back
 * with its arena, which is why protobuf-c's free does nothing here. */
#include "wire/pb.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

void hqi_wire_pb_encode_init(struct encode *e, const struct buf *out)
{
    hqi_base_arena_init(&e->mem, out->alloc);
    e->failed = false;
}

/* `room`: of what it may take at most. */
static void finish(struct encode *e, const void *message, size_t room, struct buf *out)
{
    if (e->failed || !message || room > INT32_MAX) /* protobuf ends at 2 GiB */
        out->failed = true;
    else if (hqi_base_buf_reserve(out, room)) {
        out->n += protobuf_c_message_pack(message, (uint8_t *)out->p + out->n);
        out->p[out->n] = '\0';
    }
}

void hqi_wire_pb_encode_finish(struct encode *e, const void *message, struct buf *out)
{
    finish(e, message, e->failed || !message ? 0 : protobuf_c_message_get_packed_size(message), out);
    hqi_base_arena_fini(&e->mem);
}

/* ---- sizes without a look at each value ---- */

#define TAG_MOST 5u
#define NUMBER_MOST 10u   /* of any number, lengths too */
#define ROOM_MOST (1u << 20) /* beyond it a buffer is as large as it has to be */

static size_t message_most(const ProtobufCMessage *m);

/* What is at `p`, without its tag. Numbers and what may be missing: as large as can be. */
static size_t value_most(ProtobufCType type, const void *p)
{
    if (type == PROTOBUF_C_TYPE_STRING) {
        const char *s = *(char *const *)p;
        return NUMBER_MOST + (s ? strlen(s) : 0);
    }
    if (type == PROTOBUF_C_TYPE_BYTES)
        return NUMBER_MOST + ((const ProtobufCBinaryData *)p)->len;
    if (type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *m = *(ProtobufCMessage *const *)p;
        return NUMBER_MOST + (m ? message_most(m) : 0);
    }
    return NUMBER_MOST;
}

static size_t list_most(ProtobufCType type, const char *items, size_t n, bool packed)
{
    size_t sum = 0, size = type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
    if (type != PROTOBUF_C_TYPE_STRING && type != PROTOBUF_C_TYPE_BYTES && type != PROTOBUF_C_TYPE_MESSAGE)
        return TAG_MOST + NUMBER_MOST + n * (packed ? NUMBER_MOST : TAG_MOST + NUMBER_MOST);
    for (size_t i = 0; i < n; i++)
        sum += TAG_MOST + value_most(type, items + i * size);
    return sum;
}

static size_t field_most(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const char *p = (const char *)m + f->offset, *quantifier = (const char *)m + f->quantifier_offset;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t n = *(const size_t *)quantifier;
        return n ? list_most(f->type, *(char *const *)p, n, f->flags & PROTOBUF_C_FIELD_FLAG_PACKED) : 0;
    }
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF && *(const uint32_t *)quantifier != f->id)
        return 0; /* the member is another's */
    return TAG_MOST + value_most(f->type, p);
}

static size_t message_most(const ProtobufCMessage *m)
{
    size_t sum = 0;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        sum += field_most(m, &m->descriptor->fields[i]);
    return sum;
}

size_t hqi_wire_pb_room(const void *message)
{
    size_t most = message_most(message);
    return most < ROOM_MOST ? most : protobuf_c_message_get_packed_size(message);
}

void hqi_wire_pb_encode_init_kept(struct encode *e, struct arena *mem)
{
    hqi_base_arena_clear(mem);
    e->mem = *mem;
    e->failed = false;
}

void hqi_wire_pb_encode_finish_kept(struct encode *e, const void *message, struct arena *mem, struct buf *out)
{
    finish(e, message, e->failed || !message ? 0 : hqi_wire_pb_room(message), out);
    *mem = e->mem;
}

/* ---- making ---- */

static void *encode_get(struct encode *e, size_t n, size_t size)
{
    size_t total;
    void *p = NULL;
    if (!__builtin_mul_overflow(n, size, &total))
        p = hqi_base_arena_get(&e->mem, total);
    if (!p)
        e->failed = true;
    return p;
}

void *hqi_wire_pb_message(struct encode *e, const ProtobufCMessageDescriptor *d)
{
    void *p = encode_get(e, 1, d->sizeof_message);
    if (p)
        protobuf_c_message_init(d, p);
    return p;
}

void *hqi_wire_pb_array(struct encode *e, size_t n, size_t size)
{
    return n ? encode_get(e, n, size) : NULL;
}

void *hqi_wire_pb_list(struct encode *e, const ProtobufCMessageDescriptor *d, size_t n)
{
    char *pointers = hqi_wire_pb_array(e, n, sizeof(void *));
    char *messages = hqi_wire_pb_array(e, n, d->sizeof_message);
    if (!pointers || !messages)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        void *p = messages + i * d->sizeof_message;
        protobuf_c_message_init(d, p);
        memcpy(pointers + i * sizeof p, &p, sizeof p); /* whatever the pointers' type is to be */
    }
    return pointers;
}

char *hqi_wire_pb_string(struct encode *e, struct bytes b)
{
    bool ok = true;
    struct bytes copy = hqi_base_arena_bytes(&e->mem, b, &ok);
    if (!ok)
        e->failed = true;
    return ok ? (char *)copy.p : NULL;
}

ProtobufCBinaryData *hqi_wire_pb_bytes_list(struct encode *e, const struct bytes *v, size_t n)
{
    ProtobufCBinaryData *list = hqi_wire_pb_array(e, n, sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        list[i] = hqi_wire_pb_bytes(v[i]);
    return list;
}

/* ---- unpacking ---- */

struct budget {
    struct arena *mem;
    size_t left;
    bool spent, no_memory;
};

static void *budget_get(void *user, size_t size)
{
    struct budget *b = user;
    if (size >= b->left) {
        b->spent = true;
        return NULL;
    }
    char *p = hqi_base_arena_get(b->mem, size + 1);
    if (!p) {
        b->no_memory = true;
        return NULL;
    }
    b->left -= size + 1;
    p[size] = '\0';
    return p;
}

static void budget_free(void *user, void *p)
{
}

void *hqi_wire_pb_unpack(struct decode *d, const ProtobufCMessageDescriptor *desc, struct bytes in,
                         size_t budget)
{
    struct budget b = {.mem = d->mem, .left = budget};
    ProtobufCAllocator hook = {budget_get, budget_free, &b};
    void *m = protobuf_c_message_unpack(desc, &hook, in.n, (const uint8_t *)in.p);
    if (m)
        return m;
    if (b.no_memory)
        hqi_wire_pb_fail(d, HQ_ENOMEM, "out of memory for a %s of %zu bytes", desc->short_name, in.n);
    else if (b.spent)
        hqi_wire_pb_fail(d, HQ_ELIMIT, "a %s of %zu bytes needs more than %zu bytes of memory",
                         desc->short_name, in.n, budget);
    else
        hqi_wire_pb_fail(d, HQ_EPROTO, "%zu bytes are no %s", in.n, desc->short_name);
    return NULL;
}

bool hqi_wire_pb_fail(struct decode *d, int code, const char *fmt, ...)
{
    char text[sizeof d->err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    d->code = hqi_base_error_set(d->err, code, "wire", "%s", text);
    return false;
}

void *hqi_wire_pb_get(struct decode *d, size_t n, size_t size)
{
    void *p = hqi_base_arena_zero(d->mem, n, size);
    if (!p)
        hqi_wire_pb_fail(d, HQ_ENOMEM, "out of memory for %zu items of a message", n);
    return p;
}

/* ---- checks ---- */

/* Length of the sequence at s, 0 when it is none: overlong forms, surrogates and what is beyond U+10FFFF are none. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
    static const struct {
        unsigned char first, last, low, high; /* of the first byte; of the second */
        uint8_t length;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last)
            continue;
        if (n < forms[i].length || (forms[i].length > 1 && (s[1] < forms[i].low || s[1] > forms[i].high)))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

bool hqi_wire_pb_utf8(const char *s, size_t n)
{
    while (n) {
        size_t k = utf8_sequence((const unsigned char *)s, n);
        if (k == 0)
            return false;
        s += k;
        n -= k;
    }
    return true;
}

static bool too_long(struct decode *d, const char *field, size_t n, size_t max)
{
    return !hqi_wire_pb_fail(d, HQ_ELIMIT, "%s has %zu bytes, at most %zu are allowed", field, n, max);
}

bool hqi_wire_pb_name(struct decode *d, const char *field, const char *in, size_t max, struct bytes *ret)
{
    *ret = bytes_of(in);
    if (ret->n > max)
        return !too_long(d, field, ret->n, max);
    return hqi_wire_pb_utf8(ret->p, ret->n) || hqi_wire_pb_fail(d, HQ_EPROTO, "%s is not valid UTF-8", field);
}

bool hqi_wire_pb_blob(struct decode *d, const char *field, ProtobufCBinaryData in, size_t max,
                      struct bytes *ret)
{
    *ret = (struct bytes){in.len ? (const char *)in.data : "", in.len};
    return in.len <= max || !too_long(d, field, in.len, max);
}

bool hqi_wire_pb_text(struct decode *d, const char *field, ProtobufCBinaryData in, size_t max,
                      struct bytes *ret)
{
    if (!hqi_wire_pb_blob(d, field, in, max, ret))
        return false;
    return !ret->n || !memchr(ret->p, 0, ret->n) ||
           hqi_wire_pb_fail(d, HQ_EPROTO, "%s holds a zero byte", field);
}

bool hqi_wire_pb_texts(struct decode *d, const char *field, const ProtobufCBinaryData *in, size_t n,
                       size_t max_n, const struct bytes **ret, uint32_t *n_ret)
{
    if (!hqi_wire_pb_count(d, field, n, max_n))
        return false;
    struct bytes *v = n ? hqi_wire_pb_get(d, n, sizeof *v) : NULL;
    for (size_t i = 0; i < n; i++)
        if (!v || !hqi_wire_pb_text(d, field, in[i], HQI_MAX_STRING, &v[i]))
            return false;
    *ret = v;
    *n_ret = (uint32_t)n;
    return true;
}

bool hqi_wire_pb_within(struct decode *d, const char *field, uint64_t value, uint64_t min, uint64_t max)
{
    if (value >= min && value <= max)
        return true;
    return hqi_wire_pb_fail(d, HQ_EPROTO, "%s is %llu, %llu to %llu was expected", field,
                            (unsigned long long)value, (unsigned long long)min, (unsigned long long)max);
}

bool hqi_wire_pb_count(struct decode *d, const char *field, size_t n, size_t max)
{
    return n <= max ||
           hqi_wire_pb_fail(d, HQ_ELIMIT, "%s has %zu items, at most %zu are allowed", field, n, max);
}

bool hqi_wire_pb_given(struct decode *d, const char *field, const void *message)
{
    return message || hqi_wire_pb_fail(d, HQ_EPROTO, "%s is missing", field);
}
