/* SPDX-License-Identifier: MIT */
/* journal.c - see journal.h: opening and reading, and the one thread, with what the two threads share.
 *
 * What they share is behind `mutex`, which nobody holds while the disk works, or is an atomic counter. The owner fills `queue`; the
 * writer takes all of it at once, so that whatever came while it wrote or synced is the next batch. */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "journal/compact.h"
#include "journal/reader.h"
#include "journal/writer.h"

static const char where[] = "journal";

#define BLOCK_BYTES (32u << 10) /* of frames in one allocation; a batch of results has some 100 bytes to 64 kB */
#define LOCK_SUFFIX ".lock"
#define DRAFT_SUFFIX ".tmp"

enum stage { STAGE_READING, STAGE_READ, STAGE_RUNNING, STAGE_ENDED };

/* What the writer tells the owner of itself. */
struct report {
    hq_error error, compaction_error; /* .code HQ_OK: none */
    struct journal_compactions compactions;
    struct journal_place end; /* of what is synced */
};

struct journal {
    const struct alloc *alloc;
    struct journal_options opt;
    enum stage stage;
    char *path, *lock_path, *draft_path; /* owned */
    char uid[UID_BYTES];
    struct lock lock;
    struct reader reader;
    struct writer writer;       /* the writer's, while it runs */
    struct compactor *compactor; /* owned; the writer's too; NULL: none is under way */
    pthread_t thread;

    pthread_mutex_t mutex; /* of all that follows, up to the counters */
    pthread_cond_t work, news; /* for the writer, for an owner that waits */
    struct list queue; /* owned: blocks */
    bool want_sync, stop, prune;
    uint32_t compact; /* how often it was asked for */
    uint64_t last;    /* position appended last */
    struct report report;

    atomic_uint_least64_t written, synced, appended, freed; /* positions, and bytes in memory: the difference of the last two */
    atomic_bool changed, failing;
};

/* "<what> event log file at `PATH`: <text>" */
static int name(const struct journal *j, const char *what, int code, hq_error *err)
{
    char text[sizeof err->text];
    if (!err || code == HQ_ENOMEM)
        return code;
    memcpy(text, err->text, sizeof text);
    int sys = err->sys;
    hqi_base_error_set(err, code, where, "%s event log file at `%.140s`: %s", what, j->path, text);
    err->sys = sys;
    return code;
}

static int name_open(const struct journal *j, int code, hq_error *err)
{
    return name(j, "Cannot open", code, err);
}

/* ---- opening ---- */

static char *join(const struct alloc *a, const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    char *p = hqi_base_alloc_get(a, n + m + 1);
    if (p) {
        memcpy(p, path, n);
        memcpy(p + n, suffix, m + 1);
    }
    return p;
}

static bool init_shared(struct journal *j)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    bool ok = pthread_mutex_init(&j->mutex, NULL) == 0;
    if (ok && pthread_cond_init(&j->work, &attr) != 0) {
        pthread_mutex_destroy(&j->mutex);
        ok = false;
    }
    if (ok && pthread_cond_init(&j->news, &attr) != 0) {
        pthread_cond_destroy(&j->work);
        pthread_mutex_destroy(&j->mutex);
        ok = false;
    }
    pthread_condattr_destroy(&attr);
    return ok;
}

static struct journal *make(const char *path, const struct journal_options *o)
{
    struct journal *j = hqi_base_alloc_zero(o->alloc, 1, sizeof *j);
    if (!j)
        return NULL;
    j->alloc = o->alloc;
    j->opt = *o;
    if (!j->opt.io)
        j->opt.io = &hqi_journal_io_system;
    if (!j->opt.writer)
        j->opt.writer = &hqi_base_alloc_libc;
    if (j->opt.compact_bytes == 0)
        j->opt.compact_bytes = COMPACT_MIN_BYTES;
    if (j->opt.flush_ms == 0)
        j->opt.flush_ms = JOURNAL_FLUSH_MS;
    j->path = join(j->alloc, path, "");
    j->lock_path = join(j->alloc, path, LOCK_SUFFIX);
    j->draft_path = join(j->alloc, path, DRAFT_SUFFIX);
    j->lock.fd = -1;
    list_init(&j->queue);
    j->writer = (struct writer){.alloc = j->opt.writer, .io = j->opt.io, .lock = &j->lock, .fd = -1};
    list_init(&j->writer.blocks);
    if (!j->path || !j->lock_path || !j->draft_path || !init_shared(j)) {
        hqi_base_alloc_free(j->alloc, j->path);
        hqi_base_alloc_free(j->alloc, j->lock_path);
        hqi_base_alloc_free(j->alloc, j->draft_path);
        hqi_base_alloc_free(j->alloc, j);
        return NULL;
    }
    j->writer.path = j->path;
    j->writer.draft = j->draft_path;
    j->writer.uid = j->uid;
    return j;
}

/* The file first, so that a directory or a path that does not exist leaves no lock file behind. */
static int open_file(struct journal *j, hq_error *err)
{
    const struct journal_io *io = j->opt.io;
    uint64_t size;
    j->writer.fd = io->open(io->user, j->path, O_RDWR | O_CREAT);
    if (j->writer.fd < 0)
        return hqi_journal_io_error(err, errno, "it cannot be opened for writing");
    if (io->size(io->user, j->writer.fd, &size) < 0)
        return hqi_journal_io_error(err, errno, "it is not a file");
    return HQ_OK;
}

int hqi_journal_journal_open(struct journal **ret, const char *path, const struct journal_options *o, hq_error *err)
{
    struct journal *j = make(path, o);
    if (!j)
        return hqi_base_error_nomem(err, where);
    int r = open_file(j, err);
    if (r >= 0)
        r = hqi_journal_lock_take(&j->lock, j->lock_path, err);
    if (r >= 0)
        r = hqi_journal_reader_init(&j->reader, j->alloc, j->opt.io, j->writer.fd, err);
    if (r < 0) {
        name_open(j, r, err);
        hqi_journal_journal_free(j);
        return r;
    }
    memcpy(j->uid, j->reader.header.uid, sizeof j->uid);
    *ret = j;
    return HQ_OK;
}

int hqi_journal_journal_next(struct journal *j, struct journal_record *ret, hq_error *err)
{
    if (j->stage == STAGE_READ)
        return 0;
    if (j->stage != STAGE_READING)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the journal was read already");
    int r = hqi_journal_reader_next(&j->reader, ret, err);
    if (r == 0)
        j->stage = STAGE_READ;
    return r < 0 ? name_open(j, r, err) : r;
}

uint64_t hqi_journal_journal_torn(const struct journal *j, uint64_t *offset)
{
    *offset = j->reader.offset;
    return j->reader.torn;
}

const char *hqi_journal_journal_uid(const struct journal *j)
{
    return j->uid;
}

const char *hqi_journal_journal_path(const struct journal *j)
{
    return j->path;
}

/* ---- the writer's thread ---- */

/* What the thread has to do and has found, from one round to the next. */
struct duty {
    bool sync;           /* wanted, and not done */
    bool stop;
    bool compact, prune; /* wanted, and not begun */
    uint32_t asked;      /* how often compaction has been, so far */
    uint32_t serving;    /* what the one under way answers */
    uint64_t flush_at;   /* when what is unsynced is due */
    uint64_t look_at;    /* size of the file at which to see whether compaction pays */
    struct report report;
};

static bool has_orders(const struct journal *j, const struct duty *d)
{
    return !list_empty(&j->queue) || j->want_sync || j->stop || j->compact != d->asked;
}

static void wait_until(struct journal *j, uint64_t at_ns)
{
    struct timespec t = {.tv_sec = (time_t)(at_ns / HQI_SEC), .tv_nsec = (long)(at_ns % HQI_SEC)};
    if (at_ns == UINT64_MAX)
        pthread_cond_wait(&j->work, &j->mutex);
    else
        pthread_cond_timedwait(&j->work, &j->mutex, &t);
}

/* Waits for something to do, at most until `at_ns`. */
static void take_orders(struct journal *j, struct duty *d, uint64_t at_ns)
{
    pthread_mutex_lock(&j->mutex);
    if (!has_orders(j, d) && hqi_base_clock_now().mono_ns < at_ns)
        wait_until(j, at_ns);
    d->sync = d->sync || j->want_sync;
    d->stop = j->stop;
    d->compact = d->compact || j->compact != d->asked;
    d->prune = d->prune || j->prune;
    d->asked = j->compact;
    j->want_sync = j->prune = false;
    hqi_journal_writer_take(&j->writer, &j->queue);
    pthread_mutex_unlock(&j->mutex);
}

static bool has_news(const struct journal *j, const struct duty *d)
{
    const struct writer *w = &j->writer;
    return atomic_load(&j->written) != w->written || atomic_load(&j->synced) != w->synced ||
           atomic_load(&j->failing) != (w->error.code != HQ_OK) ||
           j->report.compactions.done != d->report.compactions.done; /* only this thread writes it */
}

static void tell(struct journal *j, struct duty *d)
{
    const struct writer *w = &j->writer;
    bool news = has_news(j, d);
    d->report.error = w->error;
    d->report.end = (struct journal_place){w->salt, w->durable};
    pthread_mutex_lock(&j->mutex);
    j->report = d->report;
    atomic_store(&j->freed, w->freed);
    atomic_store(&j->failing, w->error.code != HQ_OK);
    atomic_store(&j->written, w->written);
    atomic_store(&j->synced, w->synced);
    pthread_cond_signal(&j->news);
    pthread_mutex_unlock(&j->mutex);
    if (news && !atomic_exchange(&j->changed, true) && j->opt.wake)
        j->opt.wake(j->opt.user);
}

/* ---- the thread: compaction ---- */

static void end_compaction(struct journal *j, struct duty *d, const hq_error *e)
{
    hqi_journal_compactor_free(j->compactor);
    j->compactor = NULL;
    d->report.compaction_error = *e;
    d->report.compactions.done = d->serving;
    d->report.compactions.after = j->writer.whole;
    d->look_at = 2 * j->writer.whole; /* so that all looks together read each byte twice at most */
    if (d->look_at < j->opt.compact_bytes)
        d->look_at = j->opt.compact_bytes;
}

static int begin_compaction(struct journal *j, struct duty *d, hq_error *e)
{
    enum compact_mode mode = d->prune ? COMPACT_AND_PRUNE : d->compact ? COMPACT : COMPACT_IF_IT_PAYS;
    d->serving = d->asked;
    d->compact = d->prune = false;
    d->report.compactions.before = j->writer.whole;
    return hqi_journal_compactor_new(&j->compactor, &j->writer, mode, e);
}

/* One slice of it; what was asked for while another one was under way begins behind that. */
static void compact(struct journal *j, struct duty *d)
{
    hq_error e = {.code = HQ_OK};
    int r = 1;
    if (j->writer.error.code && !j->compactor)
        return;
    if (!j->compactor && !d->compact && j->writer.whole < d->look_at)
        return;
    if (j->writer.error.code)
        r = (e = j->writer.error).code;
    else if (!j->compactor)
        r = begin_compaction(j, d, &e);
    if (r >= 0)
        r = hqi_journal_compactor_step(j->compactor, &e);
    if (r <= 0)
        end_compaction(j, d, &e);
}

/* ---- the thread ---- */

static uint64_t next_look(const struct journal *j, const struct duty *d)
{
    if (j->writer.lost)
        return UINT64_MAX;
    if (j->writer.error.code)
        return j->writer.retry_at;
    return j->compactor || d->compact ? 0 : d->flush_at;
}

static void *run(void *user)
{
    struct journal *j = user;
    struct writer *w = &j->writer;
    struct duty d = {.flush_at = UINT64_MAX, .look_at = j->opt.compact_bytes};
    while (!d.stop) {
        take_orders(j, &d, next_look(j, &d));
        uint64_t now = hqi_base_clock_now().mono_ns;
        if (!hqi_journal_writer_idle(w) && d.flush_at == UINT64_MAX)
            d.flush_at = now + j->opt.flush_ms * HQI_MS;
        hqi_journal_writer_round(w, now, d.sync || d.stop || now >= d.flush_at, d.stop);
        if (!d.stop)
            compact(j, &d);
        if (hqi_journal_writer_idle(w)) {
            d.sync = false;
            d.flush_at = UINT64_MAX;
        }
        tell(j, &d);
    }
    return NULL;
}

/* ---- starting and stopping ---- */

static int start_thread(struct journal *j, hq_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the thread; the caller's own is put back */
    int sys = pthread_create(&j->thread, NULL, run, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (sys)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "no thread can be started for the journal; raise `ulimit -u`");
    pthread_setname_np(j->thread, "hq-journal");
    return HQ_OK;
}

static int prepare(struct journal *j, const char *uid, hq_error *err)
{
    struct writer *w = &j->writer;
    const struct reader *in = &j->reader;
    w->salt = in->header.salt;
    if (!in->headless)
        return hqi_journal_writer_open(w, in->offset, in->last, j->lock.taken_over, err);
    snprintf(j->uid, sizeof j->uid, "%s", uid);
    return hqi_journal_writer_create(w, err);
}

int hqi_journal_journal_start(struct journal *j, const char *uid, hq_error *err)
{
    if (j->stage != STAGE_READ)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the journal was not read to its end, or started before");
    int r = prepare(j, uid, err);
    if (r < 0)
        return name_open(j, r, err);
    hqi_journal_reader_fini(&j->reader);
    atomic_store(&j->written, j->writer.written);
    atomic_store(&j->synced, j->writer.synced);
    j->report.end = (struct journal_place){j->writer.salt, j->writer.durable};
    r = start_thread(j, err);
    if (r >= 0)
        j->stage = STAGE_RUNNING;
    return r;
}

int hqi_journal_journal_stop(struct journal *j, hq_error *err)
{
    if (j->stage != STAGE_RUNNING)
        return HQ_OK;
    pthread_mutex_lock(&j->mutex);
    j->stop = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->mutex);
    pthread_join(j->thread, NULL);
    j->stage = STAGE_ENDED;
    return hqi_journal_journal_error(j, err);
}

static void free_queue(struct journal *j)
{
    for (struct list *l; (l = list_pop_front(&j->queue));)
        hqi_base_alloc_free(j->opt.writer, hqi_container(l, struct block, link));
}

static void free_rest(struct journal *j)
{
    hqi_journal_reader_fini(&j->reader);
    hqi_base_alloc_free(j->alloc, j->path);
    hqi_base_alloc_free(j->alloc, j->lock_path);
    hqi_base_alloc_free(j->alloc, j->draft_path);
    hqi_base_alloc_free(j->alloc, j);
}

void hqi_journal_journal_free(struct journal *j)
{
    if (!j)
        return;
    hqi_journal_journal_stop(j, NULL);
    hqi_journal_compactor_free(j->compactor);
    free_queue(j);
    hqi_journal_writer_fini(&j->writer);
    hqi_journal_lock_give(&j->lock);
    pthread_cond_destroy(&j->work);
    pthread_cond_destroy(&j->news);
    pthread_mutex_destroy(&j->mutex);
    free_rest(j);
}

/* The writer's thread does not exist here, and may have been anywhere when the process forked: what it works on is left alone. */
void hqi_journal_journal_free_forked(struct journal *j)
{
    if (!j)
        return;
    if (j->writer.fd >= 0)
        j->opt.io->close(j->opt.io->user, j->writer.fd);
    hqi_journal_lock_give_forked(&j->lock);
    free_rest(j);
}

/* ---- appending ---- */

static struct block *last_block(struct journal *j, size_t need)
{
    if (list_empty(&j->queue))
        return NULL;
    struct block *b = hqi_container(j->queue.prev, struct block, link);
    return b->room - b->n >= need ? b : NULL;
}

static struct block *new_block(struct journal *j, size_t need)
{
    size_t room = need > BLOCK_BYTES ? need : BLOCK_BYTES;
    struct block *b = hqi_base_alloc_get(j->opt.writer, sizeof *b + room);
    if (b)
        *b = (struct block){.room = room};
    return b;
}

static void put_frame(struct block *b, uint64_t position, struct bytes record)
{
    hqi_journal_frame_sketch(b->bytes + b->n, position, (uint32_t)record.n);
    if (record.n)
        memcpy(b->bytes + b->n + FRAME_HEADER, record.p, record.n);
    b->n += FRAME_HEADER + record.n;
    b->position = position;
}

static uint64_t held(const struct journal *j)
{
    return atomic_load(&j->appended) - atomic_load(&j->freed);
}

int hqi_journal_journal_append(struct journal *j, uint64_t position, struct bytes record, hq_error *err)
{
    size_t need = FRAME_HEADER + record.n;
    if (j->stage != STAGE_RUNNING)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the journal is not open");
    if (record.n > RECORD_MAX || held(j) + need > JOURNAL_MAX_BYTES)
        return hqi_base_error_set(err, HQ_ELIMIT, where,
                                  "a record of %zu bytes, with %llu not yet on the disk: at most %u, and %u together", record.n,
                                  (unsigned long long)held(j), RECORD_MAX, JOURNAL_MAX_BYTES);
    pthread_mutex_lock(&j->mutex);
    struct block *b = last_block(j, need);
    if (!b && (b = new_block(j, need)))
        list_push_back(&j->queue, &b->link);
    if (b)
        put_frame(b, position, record);
    j->last = b ? position : j->last;
    pthread_mutex_unlock(&j->mutex);
    if (!b)
        return hqi_base_error_nomem(err, where);
    atomic_fetch_add(&j->appended, need);
    return HQ_OK;
}

void hqi_journal_journal_push(struct journal *j)
{
    pthread_cond_signal(&j->work); /* the queue changed under the mutex: a thread that did not see it waits by now */
}

/* ---- how far it is ---- */

uint64_t hqi_journal_journal_written(const struct journal *j)
{
    return atomic_load(&j->written);
}

uint64_t hqi_journal_journal_synced(const struct journal *j)
{
    return atomic_load(&j->synced);
}

struct journal_place hqi_journal_journal_end(struct journal *j)
{
    pthread_mutex_lock(&j->mutex);
    struct journal_place end = j->report.end;
    pthread_mutex_unlock(&j->mutex);
    return end;
}

void hqi_journal_journal_want_sync(struct journal *j)
{
    pthread_mutex_lock(&j->mutex);
    j->want_sync = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->mutex);
}

int hqi_journal_journal_flush(struct journal *j, hq_error *err)
{
    if (j->stage != STAGE_RUNNING)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the journal is not open");
    pthread_mutex_lock(&j->mutex);
    j->want_sync = true;
    pthread_cond_signal(&j->work);
    while (atomic_load(&j->synced) < j->last && !atomic_load(&j->failing))
        pthread_cond_wait(&j->news, &j->mutex);
    pthread_mutex_unlock(&j->mutex);
    return hqi_journal_journal_error(j, err);
}

bool hqi_journal_journal_changed(const struct journal *j)
{
    return atomic_load(&j->changed);
}

void hqi_journal_journal_look(struct journal *j)
{
    atomic_store(&j->changed, false);
}

bool hqi_journal_journal_full(const struct journal *j)
{
    return atomic_load(&j->failing) || held(j) > JOURNAL_FULL_BYTES;
}

static int copy_error(const struct journal *j, const hq_error *from, hq_error *err)
{
    if (from->code == HQ_OK)
        return HQ_OK;
    if (err) {
        *err = *from;
        name(j, "Cannot write", from->code, err);
    }
    return from->code;
}

int hqi_journal_journal_error(struct journal *j, hq_error *err)
{
    if (!atomic_load(&j->failing))
        return HQ_OK;
    pthread_mutex_lock(&j->mutex);
    hq_error e = j->report.error;
    pthread_mutex_unlock(&j->mutex);
    return copy_error(j, &e, err);
}

/* ---- compaction ---- */

void hqi_journal_journal_compact(struct journal *j, bool prune)
{
    pthread_mutex_lock(&j->mutex);
    j->compact++;
    j->prune = j->prune || prune;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->mutex);
}

int hqi_journal_journal_compactions(struct journal *j, struct journal_compactions *ret, hq_error *err)
{
    pthread_mutex_lock(&j->mutex);
    hq_error e = j->report.compaction_error;
    *ret = j->report.compactions;
    ret->asked = j->compact;
    pthread_mutex_unlock(&j->mutex);
    return copy_error(j, &e, err);
}
