/* SPDX-License-Identifier: MIT */
/* tail.c - see tail.h. */
#include "journal/tail.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "journal/frame.h"

static const char where[] = "journal";

void hqi_journal_tail_init(struct tail *t, const struct journal_io *io)
{
    *t = (struct tail){.io = io, .fd = -1};
}

void hqi_journal_tail_close(struct tail *t)
{
    if (t->fd >= 0)
        t->io->close(t->io->user, t->fd);
    t->fd = -1;
}

static int read_at(const struct tail *t, uint64_t offset, char *p, size_t n, hq_error *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = t->io->pread(t->io->user, t->fd, p + done, n - done, offset + done);
        if (got < 0)
            return hqi_journal_io_error(err, errno, "the journal cannot be read at byte %llu", (unsigned long long)(offset + done));
        if (got == 0)
            return hqi_base_error_set(err, HQ_EJOURNAL, where, "the journal became shorter while it was read");
        done += (size_t)got;
    }
    return HQ_OK;
}

static int open_file(struct tail *t, const char *path, hq_error *err)
{
    char head[FILE_HEADER];
    struct file_header h;
    hqi_journal_tail_close(t);
    t->fd = t->io->open(t->io->user, path, O_RDONLY);
    if (t->fd < 0)
        return hqi_journal_io_error(err, errno, "the journal `%.140s` cannot be opened", path);
    int r = read_at(t, 0, head, sizeof head, err);
    if (r >= 0)
        r = hqi_journal_frame_get_header(&h, (struct bytes){head, sizeof head}, err);
    if (r < 0)
        hqi_journal_tail_close(t);
    else
        t->file = h.salt;
    return r;
}

/* A file that the journal is no longer, or not yet known to be, does not grow, and all of it is synced. */
static int readable(const struct tail *t, struct journal *j, uint64_t *ret, bool *current, hq_error *err)
{
    struct journal_place end = hqi_journal_journal_end(j);
    *current = end.file == t->file;
    *ret = end.offset;
    if (!*current && t->io->size(t->io->user, t->fd, ret) < 0)
        return hqi_journal_io_error(err, errno, "the journal cannot be read");
    return HQ_OK;
}

int hqi_journal_tail_look(struct tail *t, struct journal *j, struct journal_place *at, uint64_t *ret, hq_error *err)
{
    bool current = false;
    uint64_t end = 0;
    int r = HQ_OK;
    if (t->fd < 0 || at->offset == 0 || at->file != t->file)
        r = open_file(t, hqi_journal_journal_path(j), err);
    for (int files = 0; r >= 0; files++) {
        if (at->offset == 0 || at->file != t->file)
            *at = (struct journal_place){t->file, FILE_HEADER};
        r = readable(t, j, &end, &current, err);
        if (r < 0 || at->offset != end || current || files > 0)
            break;
        r = open_file(t, hqi_journal_journal_path(j), err);
    }
    if (r < 0)
        return r;
    if (at->offset > end)
        return hqi_base_error_set(err, HQ_EJOURNAL, where, "byte %llu of the journal is asked for, and it has %llu",
                                  (unsigned long long)at->offset, (unsigned long long)end);
    *ret = end - at->offset;
    return HQ_OK;
}

int hqi_journal_tail_read(const struct tail *t, const struct journal_place *at, char *p, size_t n, hq_error *err)
{
    return read_at(t, at->offset, p, n, err);
}
