/* SPDX-License-Identifier: MIT */
/* journal_fuzz.c - journals from anywhere. The first byte chooses:
 *   even: the rest is a file. Whatever it holds, reading and repairing it ends, and what repair has saved reads as whole; and
 *         so does following it, in pages, as a server sends it, and then bytes of another file;
 *   odd:  the rest is records (u16 length, bytes), each with a good frame: what a checksum cannot keep from the state, the events and
 *         the compaction. What the state accepts it must keep whole, and compaction must accept too, or refuse. */
#include <stdlib.h>
#include <string.h>

#include "../journal/story.h"
#include "../unit/journal/disk.h"
#include "fuzz.h"
#include "journal/compact.h"
#include "journal/feed.h"
#include "journal/history.h"
#include "journal/reader.h"
#include "journal/repair.h"

#define PATH "j"
#define SALT 4711u
#define SAMPLE_STEPS 25u
#define FILE_MAX (1u << 20)

static void must(int holds)
{
    if (!holds)
        abort();
}

/* ---- files ---- */

static void read_through(struct disk *d, const char *path)
{
    struct reader r;
    struct journal_record record;
    int rc, fd = d->io.open(d, path, 0);
    uint64_t last = 0;
    if (hqi_journal_reader_init(&r, &hqi_base_alloc_libc, &d->io, fd, NULL) >= 0)
        do {
            while ((rc = hqi_journal_reader_next(&r, &record, NULL)) > 0) {
                must(record.position >= last && record.offset + FRAME_HEADER + record.bytes.n == r.offset);
                last = record.position;
            }
            hqi_journal_reader_skip(&r);
        } while (rc < 0 && r.bad_to);
    hqi_journal_reader_fini(&r);
    d->io.close(d, fd);
}

static void repair(struct disk *d)
{
    struct repair found, again;
    if (hqi_journal_repair(&found, PATH, "saved", &hqi_base_alloc_libc, &d->io, NULL) < 0)
        return;
    must(hqi_journal_repair(&again, "saved", NULL, &hqi_base_alloc_libc, &d->io, NULL) == HQ_OK);
    must(!again.header && !again.damages && !again.torn && !again.orphans && again.position == found.position);
}

static int follow_file(struct feed *f, uint32_t file, struct bytes in)
{
    const struct hq_doc *event;
    struct journal_place at = {file, FILE_HEADER};
    int rc = HQ_EAGAIN;
    for (size_t done = 0; rc == HQ_EAGAIN && done < in.n;) {
        size_t n = 1 + (size_t)(uint8_t)in.p[done] * 16;
        n = n < in.n - done ? n : in.n - done;
        must(hqi_journal_feed_page(f, &at, (struct bytes){in.p + done, n}, NULL) == HQ_OK);
        while ((rc = hqi_journal_feed_next(f, &event, NULL)) > 0)
            must(event->kind == DOC_MAP);
        must(rc < 0 && f->in.n - f->taken <= in.n);
        at.offset += n;
        done += n;
    }
    return rc;
}

static void follow(struct bytes file)
{
    struct feed f;
    if (file.n <= FILE_HEADER)
        return;
    file.p += FILE_HEADER;
    file.n -= FILE_HEADER;
    must(hqi_journal_feed_init(&f, &hqi_base_alloc_libc, NULL) == HQ_OK);
    if (follow_file(&f, SALT, file) == HQ_EAGAIN) {
        uint64_t position = f.position;
        follow_file(&f, SALT + 1, file); /* no frame of it has that salt */
        must(f.position == position);
    }
    hqi_journal_feed_fini(&f);
}

/* ---- records ---- */

static void tell(struct disk *d)
{
    struct reader r;
    struct journal_record record;
    struct history *h;
    const struct hq_doc *event;
    int rc = 1, fd = d->io.open(d, PATH, 0);
    must(hqi_journal_history_new(&h, &hqi_base_alloc_libc, NULL) == HQ_OK);
    if (hqi_journal_reader_init(&r, &hqi_base_alloc_libc, &d->io, fd, NULL) >= 0)
        while (rc >= 0 && hqi_journal_reader_next(&r, &record, NULL) > 0) {
            rc = hqi_journal_history_feed(h, record.position, record.bytes, NULL);
            while (rc >= 0 && (rc = hqi_journal_history_next(h, &event, NULL)) > 0)
                must(event->kind == DOC_MAP);
        }
    hqi_journal_history_free(h);
    hqi_journal_reader_fini(&r);
    d->io.close(d, fd);
}

static void compact(struct disk *d, uint64_t size, uint64_t position, enum compact_mode mode)
{
    char path[] = "/nonexistent/lock";
    struct lock lock = {.fd = -1, .path = path}; /* without it the last step is refused: nothing is renamed */
    struct writer w = {.alloc = &hqi_base_alloc_libc, .io = &d->io, .lock = &lock, .path = PATH, .draft = "draft",
                       .uid = "abcdef", .salt = SALT, .end = size, .whole = size, .durable = size, .written = position,
                       .synced = position};
    struct compactor *c;
    list_init(&w.blocks);
    w.fd = d->io.open(d, PATH, 0);
    must(hqi_journal_compactor_new(&c, &w, mode, NULL) == HQ_OK);
    hq_error err = {.code = HQ_OK};
    while (hqi_journal_compactor_step(c, &err) > 0)
        ;
    must(err.code != HQ_EINTERNAL); /* it never writes what restores something else, and never tries to */
    hqi_journal_compactor_free(c);
    hqi_journal_writer_fini(&w);
}

static size_t put_frame(char *out, uint64_t position, struct bytes record)
{
    hqi_journal_frame_put(out, SALT, position, record);
    if (record.n)
        memcpy(out + FRAME_HEADER, record.p, record.n);
    return FRAME_HEADER + record.n;
}

/* A position that can be right: the number of facts is the count of the outer field's tags. */
static uint32_t count_facts(struct bytes record)
{
    uint32_t n = 0;
    for (size_t at = 0; at < record.n && record.p[at] == 0x0a; n++) {
        uint32_t length = 0, shift = 0;
        while (++at < record.n && shift < 28 && record.p[at] & 0x80) {
            length |= (uint32_t)(record.p[at] & 0x7f) << shift;
            shift += 7;
        }
        if (at >= record.n)
            break;
        length |= (uint32_t)(record.p[at] & 0x7f) << shift;
        at += 1 + (size_t)length;
    }
    return n ? n : 1;
}

static void take_records(const uint8_t *data, size_t size)
{
    char *file = malloc(FILE_MAX);
    size_t n = FILE_HEADER;
    uint64_t position = 0;
    struct disk d;
    hqi_journal_frame_put_header(file, &(struct file_header){.salt = SALT, .uid = "abcdef"});
    while (size >= 2) {
        size_t length = data[0] | (size_t)data[1] << 8;
        length = length < size - 2 ? length : size - 2;
        struct bytes record = {(const char *)data + 2, length};
        if (n + FRAME_HEADER + length > FILE_MAX)
            break;
        position += count_facts(record);
        n += put_frame(file + n, position, record);
        data += 2 + length;
        size -= 2 + length;
    }
    disk_init(&d);
    disk_put(&d, PATH, (struct bytes){file, n});
    tell(&d);
    compact(&d, n, position, COMPACT);
    compact(&d, n, position, COMPACT_AND_PRUNE);
    disk_fini(&d);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2) {
        take_records(data + 1, size - 1);
        return 0;
    }
    struct disk d;
    disk_init(&d);
    disk_put(&d, PATH, (struct bytes){(const char *)data + 1, size - 1});
    read_through(&d, PATH);
    repair(&d);
    disk_fini(&d);
    follow((struct bytes){(const char *)data + 1, size - 1});
    return 0;
}

size_t fuzz_sample(uint64_t seed, uint8_t *out, size_t room)
{
    struct story s;
    size_t n = 1;
    story_make(&s, seed, SAMPLE_STEPS);
    out[0] = seed % 2;
    if (room > 1 + FILE_HEADER && seed % 2 == 0) {
        hqi_journal_frame_put_header((char *)out + 1, &(struct file_header){.salt = SALT, .uid = "abcdef"});
        n += FILE_HEADER;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        struct bytes r = s.records[i].bytes;
        if (n + FRAME_HEADER + r.n > room || r.n > 0xffff)
            break;
        if (seed % 2 == 0) {
            n += put_frame((char *)out + n, s.records[i].position, r);
        } else {
            out[n] = (uint8_t)r.n;
            out[n + 1] = (uint8_t)(r.n >> 8);
            memcpy(out + n + 2, r.p, r.n);
            n += 2 + r.n;
        }
    }
    story_fini(&s);
    return n;
}
