/* SPDX-License-Identifier: MIT */
/* frame.c - see frame.h. Pure bytes. */
#include "journal/frame.h"

#include <string.h>

#define XXH_INLINE_ALL /* as base/map.c: the library links no libxxhash */
#include <xxhash.h>

#include "base/error.h"

static const char where[] = "journal";

static const char magic[8] = "\x89HQJ\r\n\x1a\n";
static const char reference_magic[4] = {'h', 'q', 'j', 'l'};

enum { AT_VERSION = 8, AT_SALT = 12, AT_UID = 16, AT_MADE = 32, AT_SALT_AGAIN = 40, AT_SUM = 56 };

static void put(char *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (char)(v >> 8 * i);
}

static uint64_t get(const char *in, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)in[i] << 8 * i;
    return v;
}

/* ---- the header ---- */

void hqi_journal_frame_put_header(char out[FILE_HEADER], const struct file_header *h)
{
    memset(out, 0, FILE_HEADER);
    memcpy(out, magic, sizeof magic);
    put(out + AT_VERSION, FORMAT_VERSION, 4);
    put(out + AT_SALT, h->salt, 4);
    memcpy(out + AT_UID, h->uid, UID_BYTES);
    put(out + AT_MADE, h->made_ms, 8);
    put(out + AT_SALT_AGAIN, h->salt, 4);
    put(out + AT_SUM, XXH3_64bits_withSeed(out, AT_SUM, h->salt), 8);
}

static int refuse(struct bytes in, hq_error *err)
{
    if (in.n >= sizeof reference_magic && memcmp(in.p, reference_magic, sizeof reference_magic) == 0)
        return hqi_base_error_set(err, HQ_EJOURNAL, where,
                                  "Invalid journal format: it was written by the original HyperQueue, whose format differs");
    return hqi_base_error_set(err, HQ_EJOURNAL, where, "Invalid journal format");
}

int hqi_journal_frame_get_header(struct file_header *ret, struct bytes in, hq_error *err)
{
    size_t n = in.n < sizeof magic ? in.n : sizeof magic;
    if (n > 0 && memcmp(in.p, magic, n) != 0)
        return refuse(in, err);
    if (in.n < FILE_HEADER)
        return HQ_EAGAIN;
    uint32_t version = (uint32_t)get(in.p + AT_VERSION, 4);
    ret->salt = (uint32_t)get(in.p + AT_SALT, 4);
    if (get(in.p + AT_SUM, 8) != XXH3_64bits_withSeed(in.p, AT_SUM, ret->salt))
        return hqi_base_error_set(err, HQ_EJOURNAL, where, "its header is damaged");
    if (version != FORMAT_VERSION)
        return hqi_base_error_set(err, HQ_EVERSION, where,
                                  "Journal version mismatch; journal file: %u, this version supports: %u", version,
                                  FORMAT_VERSION);
    memcpy(ret->uid, in.p + AT_UID, UID_BYTES);
    ret->uid[UID_BYTES - 1] = '\0';
    ret->made_ms = get(in.p + AT_MADE, 8);
    return HQ_OK;
}

bool hqi_journal_frame_find_salt(uint32_t *ret, struct bytes in)
{
    static const unsigned places[] = {AT_SALT, AT_SALT_AGAIN};
    struct frame f;
    if (in.n < FILE_HEADER + FRAME_HEADER)
        return false;
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        *ret = (uint32_t)get(in.p + places[i], 4);
        if (hqi_journal_frame_get(&f, *ret, in.p + FILE_HEADER))
            return true;
    }
    return false;
}

/* ---- frames ---- */

static uint32_t head_sum(uint32_t salt, const char *head)
{
    return (uint32_t)XXH3_64bits_withSeed(head + 4, FRAME_HEADER - 4, salt);
}

static uint64_t record_sum(uint32_t salt, struct bytes record)
{
    return XXH3_64bits_withSeed(record.n ? record.p : "", record.n, salt);
}

void hqi_journal_frame_sketch(char out[FRAME_HEADER], uint64_t position, uint32_t length)
{
    memset(out, 0, FRAME_HEADER);
    put(out + 4, length, 4);
    put(out + 8, position, 8);
}

void hqi_journal_frame_put(char out[FRAME_HEADER], uint32_t salt, uint64_t position, struct bytes record)
{
    hqi_journal_frame_sketch(out, position, (uint32_t)record.n);
    put(out + 16, record_sum(salt, record), 8);
    put(out, head_sum(salt, out), 4);
}

void hqi_journal_frame_read(struct frame *ret, const char in[FRAME_HEADER])
{
    ret->length = (uint32_t)get(in + 4, 4);
    ret->position = get(in + 8, 8);
    ret->sum = get(in + 16, 8);
}

bool hqi_journal_frame_get(struct frame *ret, uint32_t salt, const char in[FRAME_HEADER])
{
    hqi_journal_frame_read(ret, in);
    return ret->length <= RECORD_MAX && (uint32_t)get(in, 4) == head_sum(salt, in);
}

bool hqi_journal_frame_holds(const struct frame *f, uint32_t salt, struct bytes record)
{
    return record.n == f->length && record_sum(salt, record) == f->sum;
}
