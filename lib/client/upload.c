/* SPDX-License-Identifier: MIT */
/* upload.c - the entries of a large submit, sent in parts as the server has room for them.
 *
 * The submit's caller may free its builder at once, so the entries are copied here. A part holds whole entries; one that is
 * larger than a part cannot be sent. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "client/client.h"

static const char where[] = "client";

#define PART_ENTRIES 65536u /* lengths in one part */

struct upload {
    const struct alloc *alloc; /* borrowed */
    struct key key;
    char *blob;                /* owned */
    uint32_t *lengths;         /* owned */
    uint32_t n;
    uint32_t at;               /* the next entry */
    uint64_t byte;             /* where it begins */
    uint64_t credit;           /* bytes that may be sent */
};

int hqi_client_upload_new(struct upload **ret, const struct alloc *a, const struct entries *e, struct key key, hq_error *err)
{
    uint64_t first = e->offsets[0], total = e->offsets[e->n] - first;
    struct upload *u = hqi_base_alloc_zero(a, 1, sizeof *u);
    if (!u)
        return hqi_base_error_nomem(err, where);
    u->alloc = a;
    u->key = key;
    u->n = e->n;
    u->blob = hqi_base_alloc_get(a, total ? total : 1);
    u->lengths = hqi_base_alloc_zero(a, e->n, sizeof *u->lengths);
    if (!u->blob || !u->lengths) {
        hqi_client_upload_free(u);
        return hqi_base_error_nomem(err, where);
    }
    memcpy(u->blob, e->blob + first, total);
    for (uint32_t i = 0; i < e->n; i++) {
        uint64_t length = e->offsets[i + 1] - e->offsets[i];
        if (length > HQI_PART_BYTES) {
            hqi_client_upload_free(u);
            return hqi_base_error_set(err, HQ_ELIMIT, where, "entry %u has %llu bytes: at most %u", i,
                                      (unsigned long long)length, HQI_PART_BYTES);
        }
        u->lengths[i] = (uint32_t)length;
    }
    *ret = u;
    return HQ_OK;
}

void hqi_client_upload_free(struct upload *u)
{
    if (!u)
        return;
    hqi_base_alloc_free(u->alloc, u->blob);
    hqi_base_alloc_free(u->alloc, u->lengths);
    hqi_base_alloc_free(u->alloc, u);
}

void hqi_client_upload_rewind(struct upload *u)
{
    if (u)
        u->at = u->byte = u->credit = 0;
}

/* The next part, or false: there is no credit for it. */
static bool cut(struct upload *u, struct command *part)
{
    uint32_t n = 0;
    uint64_t bytes = 0;
    while (u->at + n < u->n && n < PART_ENTRIES && bytes + u->lengths[u->at + n] <= HQI_PART_BYTES)
        bytes += u->lengths[u->at + n++];
    if (bytes > u->credit)
        return false;
    *part = (struct command){.kind = COMMAND_SUBMIT_PART, .key = u->key};
    part->u.part.lengths = u->lengths + u->at;
    part->u.part.n = n;
    part->u.part.blob = (struct bytes){u->blob + u->byte, bytes};
    part->u.part.last = u->at + n == u->n;
    u->at += n;
    u->byte += bytes;
    u->credit -= bytes;
    return true;
}

int hqi_client_upload_on_credit(struct request *r, uint64_t credit, hq_error *err)
{
    struct upload *u = r->upload;
    struct command part;
    u->credit += credit;
    while (u->at < u->n && cut(u, &part)) {
        int code = hqi_client_request_send_more(r, &part, err);
        if (code < 0)
            return code;
    }
    return HQ_OK;
}
