/* SPDX-License-Identifier: MIT */
/* draft.c - see draft.h. */
#include "journal/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/error.h"

static const char where[] = "journal";

#define PIECE_BYTES (1u << 20) /* written at once: large enough for a parallel file system, small beside the records in memory */

static int create(struct draft *d, bool exclusive, hq_error *err)
{
    d->fd = d->io->open(d->io->user, d->path, O_RDWR | O_CREAT | (exclusive ? O_EXCL : O_TRUNC));
    if (d->fd >= 0)
        return HQ_OK;
    if (errno == EEXIST)
        return hqi_base_error_set(err, HQ_EEXIST, where, "%s exists already", d->path);
    return hqi_journal_io_error(err, errno, "cannot create %s", d->path);
}

int hqi_journal_draft_begin(struct draft *d, const struct alloc *a, const struct journal_io *io, const char *path,
                            const char *uid, bool exclusive, hq_error *err)
{
    struct file_header h = {.made_ms = hqi_base_clock_now().utc_ms};
    char header[FILE_HEADER];
    *d = (struct draft){.io = io, .path = path, .fd = -1};
    hqi_base_buf_init(&d->out, a);
    if (strlen(uid) >= sizeof h.uid)
        return hqi_base_error_set(err, HQ_EINVAL, where, "server uid of %zu characters: at most %zu", strlen(uid),
                                  sizeof h.uid - 1);
    memcpy(h.uid, uid, strlen(uid));
    if (getrandom(&h.salt, sizeof h.salt, 0) != (ssize_t)sizeof h.salt)
        return hqi_journal_io_error(err, errno, "no random numbers can be had");
    d->salt = h.salt;
    hqi_journal_frame_put_header(header, &h);
    hqi_base_buf_add(&d->out, header, sizeof header);
    return create(d, exclusive, err);
}

static int write_all(struct draft *d, const char *p, size_t n, hq_error *err)
{
    while (n > 0) {
        ssize_t done = d->io->pwrite(d->io->user, d->fd, p, n, d->size);
        if (done <= 0)
            return hqi_journal_io_error(err, done < 0 ? errno : ENOSPC, "cannot write %s", d->path);
        p += done;
        n -= (size_t)done;
        d->size += (uint64_t)done;
    }
    return HQ_OK;
}

int hqi_journal_draft_flush(struct draft *d, hq_error *err)
{
    if (d->out.failed)
        return hqi_base_error_nomem(err, where);
    int r = write_all(d, d->out.p, d->out.n, err);
    hqi_base_buf_clear(&d->out);
    return r;
}

int hqi_journal_draft_put(struct draft *d, uint64_t position, struct bytes record, hq_error *err)
{
    char head[FRAME_HEADER];
    hqi_journal_frame_put(head, d->salt, position, record);
    hqi_base_buf_add(&d->out, head, sizeof head);
    hqi_base_buf_add(&d->out, record.p, record.n);
    return d->out.failed || d->out.n >= PIECE_BYTES ? hqi_journal_draft_flush(d, err) : HQ_OK;
}

int hqi_journal_draft_sync(struct draft *d, hq_error *err)
{
    int r = hqi_journal_draft_flush(d, err);
    if (r >= 0 && d->io->sync(d->io->user, d->fd) < 0)
        r = hqi_journal_io_error(err, errno, "cannot sync %s", d->path);
    return r;
}

void hqi_journal_draft_fini(struct draft *d)
{
    if (d->out.alloc)
        hqi_base_buf_fini(&d->out);
}

void hqi_journal_draft_drop(struct draft *d)
{
    if (d->fd >= 0) {
        d->io->close(d->io->user, d->fd);
        d->io->unlink(d->io->user, d->path);
    }
    d->fd = -1;
    hqi_journal_draft_fini(d);
}
