/* SPDX-License-Identifier: MIT */
/* writer.c - see writer.h. */
#include "journal/writer.h"

#include <errno.h>

#include "base/clock.h"
#include "base/error.h"
#include "journal/reader.h"

#define FIRST_PAUSE_NS HQI_SEC       /* between tries while the disk refuses: soon enough when somebody has made room, */
#define LAST_PAUSE_NS (16 * HQI_SEC) /* and doubled, because a try may have to copy the whole file */

/* ---- blocks ---- */

void hqi_journal_writer_take(struct writer *w, struct list *blocks)
{
    for (struct list *l; (l = list_pop_front(blocks));)
        list_push_back(&w->blocks, l);
}

static struct block *block_of(struct list *l)
{
    return hqi_container(l, struct block, link);
}

static bool is_whole(const struct block *b)
{
    return b->done == b->n;
}

/* Those that are written whole. */
static void free_synced(struct writer *w)
{
    while (!list_empty(&w->blocks) && is_whole(block_of(w->blocks.next))) {
        struct block *b = block_of(list_pop_front(&w->blocks));
        w->freed += b->n;
        hqi_base_alloc_free(w->alloc, b);
    }
}

/* Its room is not needed any more; it may stay for as long as the flush period. */
static void shrink(struct writer *w, struct block *b)
{
    struct list *before = b->link.prev;
    if (b->room == b->n)
        return;
    list_unlink(&b->link);
    struct block *smaller = hqi_base_alloc_resize(w->alloc, b, 1, sizeof *b + b->n);
    b = smaller ? smaller : b;
    b->room = b->n;
    list_push_front(before, &b->link);
}

bool hqi_journal_writer_idle(const struct writer *w)
{
    return list_empty(&w->blocks) && !w->dir_dirty && !w->distrusted;
}

/* ---- a new file ---- */

static int rename_over(struct writer *w, struct draft *d, hq_error *err)
{
    int r = hqi_journal_lock_check(w->lock, err);
    w->lost = r == HQ_EEXIST;
    if (r >= 0 && w->io->rename(w->io->user, w->draft, w->path) < 0)
        r = hqi_journal_io_error(err, errno, "cannot rename %s", w->draft);
    if (r < 0)
        hqi_journal_draft_drop(d);
    return r;
}

/* All that is written is on the disk, if only its name is: what was told of `synced` must be found again. */
static int sync_name(struct writer *w, hq_error *err)
{
    w->durable = w->whole;
    free_synced(w);
    if (w->dir_dirty && w->io->sync_dir(w->io->user, w->path) < 0)
        return hqi_journal_io_error(err, errno, "cannot sync its directory");
    w->dir_dirty = false;
    w->synced = w->written;
    return HQ_OK;
}

int hqi_journal_writer_adopt(struct writer *w, struct draft *d, hq_error *err)
{
    int r = rename_over(w, d, err);
    if (r < 0)
        return r;
    if (w->fd >= 0)
        w->io->close(w->io->user, w->fd);
    w->fd = d->fd;
    w->salt = d->salt;
    w->end = w->whole = d->size;
    w->distrusted = false;
    hqi_journal_draft_fini(d);
    list_for(l, &w->blocks) {
        block_of(l)->done = block_of(l)->n;
        w->written = block_of(l)->position;
    }
    w->dir_dirty = true;
    return sync_name(w, err);
}

static int copy_prefix(struct writer *w, struct draft *d, hq_error *err)
{
    struct reader in;
    struct journal_record record;
    int r = hqi_journal_reader_init(&in, w->alloc, w->io, w->fd, err);
    in.size = w->durable;
    while (r >= 0 && (r = hqi_journal_reader_next(&in, &record, err)) > 0)
        r = hqi_journal_draft_put(d, record.position, record.bytes, err);
    if (r >= 0 && in.offset != w->durable)
        r = hqi_base_error_set(err, HQ_EJOURNAL, "journal", "what was synced up to byte %llu cannot be read any more",
                               (unsigned long long)w->durable);
    hqi_journal_reader_fini(&in);
    return r;
}

static int copy_blocks(struct writer *w, struct draft *d, hq_error *err)
{
    int r = HQ_OK;
    list_for(l, &w->blocks) {
        const struct block *b = block_of(l);
        for (size_t at = 0; r >= 0 && at < b->n;) {
            struct frame f;
            hqi_journal_frame_read(&f, b->bytes + at);
            r = hqi_journal_draft_put(d, f.position, (struct bytes){b->bytes + at + FRAME_HEADER, f.length}, err);
            at += FRAME_HEADER + f.length;
        }
    }
    return r;
}

static int make_anew(struct writer *w, hq_error *err)
{
    struct draft d;
    int r = hqi_journal_draft_begin(&d, w->alloc, w->io, w->draft, w->uid, false, err);
    if (r >= 0 && w->fd >= 0)
        r = copy_prefix(w, &d, err);
    if (r >= 0)
        r = copy_blocks(w, &d, err);
    if (r >= 0)
        r = hqi_journal_draft_sync(&d, err);
    if (r < 0) {
        hqi_journal_draft_drop(&d);
        return r;
    }
    return hqi_journal_writer_adopt(w, &d, err);
}

/* ---- life ---- */

int hqi_journal_writer_open(struct writer *w, uint64_t end, uint64_t position, bool made_anew, hq_error *err)
{
    w->end = w->whole = w->durable = end;
    w->written = w->synced = position;
    w->distrusted = made_anew;
    w->io->unlink(w->io->user, w->draft); /* of one that died making it */
    if (made_anew)
        return make_anew(w, err);
    if (w->io->truncate(w->io->user, w->fd, end) < 0)
        return hqi_journal_io_error(err, errno, "its torn end cannot be cut off");
    if (w->io->sync(w->io->user, w->fd) < 0)
        return hqi_journal_io_error(err, errno, "it cannot be synced");
    return HQ_OK;
}

int hqi_journal_writer_create(struct writer *w, hq_error *err)
{
    if (w->fd >= 0)
        w->io->close(w->io->user, w->fd);
    w->fd = -1;
    return make_anew(w, err);
}

void hqi_journal_writer_fini(struct writer *w)
{
    for (struct list *l; (l = list_pop_front(&w->blocks));)
        hqi_base_alloc_free(w->alloc, block_of(l));
    if (w->fd >= 0)
        w->io->close(w->io->user, w->fd);
    w->fd = -1;
}

/* ---- rounds ---- */

static void seal(const struct writer *w, struct block *b)
{
    for (size_t at = 0; at < b->n;) {
        struct frame f;
        hqi_journal_frame_read(&f, b->bytes + at);
        hqi_journal_frame_put(b->bytes + at, w->salt, f.position, (struct bytes){b->bytes + at + FRAME_HEADER, f.length});
        at += FRAME_HEADER + f.length;
    }
}

static int write_block(struct writer *w, struct block *b, hq_error *err)
{
    if (b->done == 0)
        seal(w, b);
    while (!is_whole(b)) {
        ssize_t n = w->io->pwrite(w->io->user, w->fd, b->bytes + b->done, b->n - b->done, w->end);
        if (n <= 0)
            return hqi_journal_io_error(err, n < 0 ? errno : ENOSPC, "cannot be written");
        b->done += (size_t)n;
        w->end += (uint64_t)n;
    }
    w->whole = w->end;
    w->written = b->position;
    return HQ_OK;
}

static int write_blocks(struct writer *w, hq_error *err)
{
    int r = HQ_OK;
    list_for_safe(l, next, &w->blocks) {
        struct block *b = block_of(l);
        if (r < 0 || is_whole(b))
            continue;
        r = write_block(w, b, err);
        if (r >= 0)
            shrink(w, b);
    }
    return r;
}

static int sync_file(struct writer *w, hq_error *err)
{
    int r = HQ_OK;
    if (w->durable == w->whole && !w->dir_dirty)
        return HQ_OK;
    r = hqi_journal_lock_check(w->lock, err);
    w->lost = r == HQ_EEXIST;
    if (r < 0)
        return r;
    if (w->io->is_at(w->io->user, w->fd, w->path) == 0) { /* what is synced must be found again */
        w->distrusted = true;
        return hqi_base_error_set(err, HQ_EJOURNAL, "journal", "it was removed, or replaced");
    }
    if (w->io->sync(w->io->user, w->fd) < 0) {
        w->distrusted = true;
        return hqi_journal_io_error(err, errno, "cannot be synced");
    }
    return sync_name(w, err);
}

static int work(struct writer *w, bool sync, hq_error *err)
{
    if (w->distrusted)
        return make_anew(w, err);
    int r = write_blocks(w, err);
    int s = sync ? sync_file(w, r < 0 ? NULL : err) : HQ_OK;
    if (w->distrusted) /* at once: a new one may well do */
        return make_anew(w, err);
    return r < 0 ? r : s;
}

void hqi_journal_writer_round(struct writer *w, uint64_t now_ns, bool sync, bool force)
{
    hq_error e = {.code = HQ_OK};
    bool failing = w->error.code != HQ_OK;
    if (w->lost || (failing && now_ns < w->retry_at && !force))
        return;
    if (work(w, sync || failing, &e) >= 0) {
        w->error.code = HQ_OK;
        return;
    }
    w->error = e;
    w->pause_ns = failing ? 2 * w->pause_ns : FIRST_PAUSE_NS;
    if (w->pause_ns > LAST_PAUSE_NS)
        w->pause_ns = LAST_PAUSE_NS;
    w->retry_at = now_ns + w->pause_ns;
}
