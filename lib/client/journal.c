/* SPDX-License-Identifier: MIT */
/* journal.c - journals as hqcore/tools.h shows them: files, read without a server and without its lock, and what a server sends. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "client/journal.h"
#include "hqcore/tools.h"
#include "journal/feed.h"
#include "journal/history.h"
#include "journal/reader.h"
#include "journal/repair.h"

static const char where[] = "journal";

struct hq_journal {
    const struct journal_io *io;
    int fd;
    struct reader reader;
    struct history *history;
    bool remote, follow, begun; /* remote: of a server, all that follows is of those only; */
    struct feed feed;           /* all before only of files */
};

static int name(const char *path, int code, hq_error *err)
{
    if (err && code != HQ_ENOMEM && code != HQ_EEXIST) {
        hq_error inner = *err;
        hqi_base_error_set(err, code, where, "Cannot open event log file at `%.140s`: %s", path, inner.text);
        err->sys = inner.sys;
    }
    return code;
}

/* ---- events ---- */

static int open_file(struct hq_journal *j, const char *path, hq_error *err)
{
    j->fd = j->io->open(j->io->user, path, O_RDONLY);
    if (j->fd < 0)
        return hqi_base_error_sys(err, errno, where, "Cannot open event log file at `%.140s`", path);
    int r = hqi_journal_reader_init(&j->reader, &hqi_base_alloc_libc, j->io, j->fd, err);
    return r < 0 ? name(path, r, err) : hqi_journal_history_new(&j->history, &hqi_base_alloc_libc, err);
}

int hq_tools_journal_open(hq_journal **ret, const char *path, hq_error *err)
{
    if (!ret || !path)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_tools_journal_open: an argument is NULL");
    struct hq_journal *j = hqi_base_alloc_zero(&hqi_base_alloc_libc, 1, sizeof *j);
    if (!j)
        return hqi_base_error_nomem(err, where);
    j->io = &hqi_journal_io_system;
    int r = open_file(j, path, err);
    if (r < 0)
        hq_tools_journal_free(j);
    else
        *ret = j;
    return r;
}

int hq_tools_journal_next(hq_journal *j, const hq_doc **ret, hq_error *err)
{
    struct journal_record record;
    int r;
    if (j->remote)
        return hqi_journal_feed_next(&j->feed, ret, err);
    while ((r = hqi_journal_history_next(j->history, ret, err)) == 0) {
        r = hqi_journal_reader_next(&j->reader, &record, err);
        if (r > 0)
            r = hqi_journal_history_feed(j->history, record.position, record.bytes, err);
        else
            return r;
        if (r < 0)
            return r;
    }
    return r;
}

void hq_tools_journal_free(hq_journal *j)
{
    if (!j)
        return;
    hqi_journal_feed_fini(&j->feed);
    hqi_journal_history_free(j->history);
    hqi_journal_reader_fini(&j->reader);
    if (j->fd >= 0)
        j->io->close(j->io->user, j->fd);
    hqi_base_alloc_free(&hqi_base_alloc_libc, j);
}

/* ---- events of a server ---- */

int hq_tools_journal_remote(hq_journal **ret, int follow, hq_error *err)
{
    if (!ret)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_tools_journal_remote: ret is NULL");
    struct hq_journal *j = hqi_base_alloc_zero(&hqi_base_alloc_libc, 1, sizeof *j);
    if (!j)
        return hqi_base_error_nomem(err, where);
    j->fd = -1;
    j->remote = true;
    j->follow = follow;
    int r = hqi_journal_feed_init(&j->feed, &hqi_base_alloc_libc, err);
    if (r < 0)
        hq_tools_journal_free(j);
    else
        *ret = j;
    return r;
}

int hqi_client_journal_ask(const hq_journal *j, struct command *ret, hq_error *err)
{
    if (!j || !j->remote)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_tools_journal_read: not a journal of hq_tools_journal_remote");
    *ret = (struct command){.kind = COMMAND_JOURNAL_READ};
    ret->u.journal_read.at = j->feed.at;
    ret->u.journal_read.wait = j->follow;
    return HQ_OK;
}

int hq_tools_journal_feed(hq_journal *j, const hq_doc *page, hq_error *err)
{
    struct journal_place at = {(uint32_t)hq_doc_uint(hq_doc_get(page, "file")), hq_doc_uint(hq_doc_get(page, "offset"))};
    struct bytes data = {NULL, 0};
    data.p = hq_doc_bytes(hq_doc_get(page, "data"), &data.n);
    if (!j || !j->remote)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_tools_journal_feed: not a journal of hq_tools_journal_remote");
    if (!j->begun && !j->follow)
        j->feed.until = hq_doc_uint(hq_doc_get(page, "position"));
    if (!j->begun)
        j->feed.restated = hq_doc_uint(hq_doc_get(page, "restated"));
    j->begun = true;
    if (!j->follow && data.n == 0)
        j->feed.until = j->feed.position;
    return hqi_journal_feed_page(&j->feed, &at, data, err);
}

/* ---- looking for damage ---- */

_Static_assert(sizeof((hq_journal_check *)NULL)->damage / sizeof(hq_journal_damage) == DAMAGES_SHOWN, "as many as are kept");
_Static_assert(sizeof((hq_journal_check *)NULL)->server_uid == UID_BYTES, "a uid");

static void fill(hq_journal_check *ret, const struct repair *r)
{
    hq_journal_check c = {
        .size = ret->size, .header_damaged = r->header, .bytes = r->bytes, .records = r->records, .facts = r->facts,
        .position = r->position, .jobs = r->jobs, .tasks = r->tasks, .workers = r->workers, .torn = r->torn,
        .torn_from = r->torn_from, .damages = r->damages, .damaged = r->damaged, .orphans = r->orphans,
    };
    memcpy(c.server_uid, r->uid, sizeof c.server_uid);
    memcpy(c.orphan, r->orphan, sizeof c.orphan);
    for (uint32_t i = 0; i < DAMAGES_SHOWN; i++)
        c.damage[i] = (hq_journal_damage){r->damage[i].from, r->damage[i].to};
    *ret = c;
}

int hq_tools_journal_check(const char *path, const char *save, hq_journal_check *ret, hq_error *err)
{
    struct repair found;
    if (!path || !ret || ret->size != sizeof *ret)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_journal_check.size is not set");
    int r = hqi_journal_repair(&found, path, save, &hqi_base_alloc_libc, &hqi_journal_io_system, err);
    if (r < 0)
        return name(path, r, err);
    fill(ret, &found);
    return HQ_OK;
}
