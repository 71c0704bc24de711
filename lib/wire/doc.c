/* SPDX-License-Identifier: MIT */
/* doc.c - messages to trees.
 *
 * Depth is that of the .proto files, which have no recursive message; memory is counted against a budget. */
#include "wire/doc.h"

#include <string.h>

struct maker {
    struct decode *d;
    size_t left; /* of the budget */
};

static bool make_map(struct maker *k, const ProtobufCMessage *m, struct hq_doc *ret);

static struct hq_doc *make_children(struct maker *k, size_t n, struct hq_doc *parent, uint8_t kind)
{
    if (n > UINT32_MAX || n > k->left / sizeof(struct hq_doc)) {
        hqi_wire_pb_fail(k->d, HQ_ELIMIT, "a reply needs too much memory as a tree: ask for fewer ids");
        return NULL;
    }
    k->left -= n * sizeof(struct hq_doc);
    parent->kind = kind;
    parent->n = (uint32_t)n;
    return parent->v.child = hqi_wire_pb_get(k->d, n, sizeof(struct hq_doc));
}

static void set_bytes(struct hq_doc *ret, const char *p, size_t n)
{
    ret->kind = DOC_BYTES;
    ret->n = (uint32_t)n;
    ret->v.p = p && n ? p : "";
}

static void set_uint(struct hq_doc *ret, uint64_t u)
{
    ret->kind = DOC_UINT;
    ret->v.u = u;
}

static void set_int(struct hq_doc *ret, int64_t i)
{
    ret->kind = DOC_INT;
    ret->v.i = i;
}

static size_t value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return sizeof(uint32_t);
    }
}

/* Values are copied out: the tree must not care for the types of the generated structs. */
static bool make_value(struct maker *k, const ProtobufCFieldDescriptor *f, const void *at, struct hq_doc *ret)
{
    union {
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
        float f;
        double d;
        protobuf_c_boolean b;
        const char *s;
        const ProtobufCMessage *m;
        ProtobufCBinaryData bytes;
    } v;
    memcpy(&v, at, value_size(f->type));
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        set_int(ret, v.i32);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        set_int(ret, v.i64);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        set_uint(ret, v.u32);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        set_uint(ret, v.u64);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        ret->kind = DOC_DOUBLE;
        ret->v.d = f->type == PROTOBUF_C_TYPE_FLOAT ? (double)v.f : v.d;
        break;
    case PROTOBUF_C_TYPE_BOOL:
        ret->kind = DOC_BOOL;
        ret->v.b = v.b;
        break;
    case PROTOBUF_C_TYPE_STRING:
        set_bytes(ret, v.s, v.s ? strlen(v.s) : 0);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        set_bytes(ret, (const char *)v.bytes.data, v.bytes.len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        return !v.m || make_map(k, v.m, ret); /* a missing one stays NULL */
    }
    return true;
}

static bool make_list(struct maker *k, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m,
                      struct hq_doc *ret)
{
    const char *base = (const char *)m, *items;
    size_t n;
    memcpy(&n, base + f->quantifier_offset, sizeof n);
    memcpy(&items, base + f->offset, sizeof items);
    struct hq_doc *child = make_children(k, n, ret, DOC_LIST);
    for (size_t i = 0; child && i < n; i++)
        if (!make_value(k, f, items + i * value_size(f->type), &child[i]))
            return false;
    return child;
}

static bool make_field(struct maker *k, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m,
                       struct hq_doc *ret)
{
    const char *base = (const char *)m;
    ret->name = f->name;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return make_list(k, f, m, ret);
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t which;
        memcpy(&which, base + f->quantifier_offset, sizeof which);
        if (which != f->id)
            return true; /* stays NULL */
    }
    return make_value(k, f, base + f->offset, ret);
}

static bool make_map(struct maker *k, const ProtobufCMessage *m, struct hq_doc *ret)
{
    const ProtobufCMessageDescriptor *desc = m->descriptor;
    struct hq_doc *child = make_children(k, desc->n_fields, ret, DOC_MAP);
    for (unsigned i = 0; child && i < desc->n_fields; i++)
        if (!make_field(k, &desc->fields[i], m, &child[i]))
            return false;
    return child;
}

const struct hq_doc *hqi_wire_doc_make(struct decode *d, const ProtobufCMessage *m, size_t budget)
{
    struct maker k = {d, budget};
    struct hq_doc *root = hqi_wire_pb_get(d, 1, sizeof *root);
    return root && make_map(&k, m, root) ? root : NULL;
}
