/* SPDX-License-Identifier: MIT */
/* durable.c - the journal of this server: restoring from it, recording, and when what was recorded is safe.
 *
 * Promise: a batch of facts is in the journal's hands before any of it is applied, and what reveals it waits for the disk
 * (outbox.c). While the journal cannot be written nothing is undone and nobody is lost: commands that would change something
 * are refused, replies and acknowledgements wait, workers fill their windows and pause. Without a journal nothing waits. */
#include <stdio.h>

#include "base/error.h"
#include "server/server.h"
#include "wire/record.h"

static const char where[] = "server";

/* ---- restoring ---- */

static int replay(struct hq_server *s, const struct journal_record *in, hq_error *err)
{
    struct fact *facts;
    uint32_t n;
    hq_error why;
    hqi_base_arena_clear(&s->in);
    int r = hqi_wire_record_decode(&facts, &n, in->bytes, s->alloc, &s->in, &why);
    if (r >= 0) {
        r = hqi_core_core_replay(s->core, in->position, facts, n, &why);
        hqi_wire_record_drop(facts, n);
    }
    if (r >= 0)
        return HQ_OK;
    return hqi_base_error_set(err, r == HQ_ENOMEM || r == HQ_EVERSION ? r : HQ_EJOURNAL, where,
                              "Cannot restore from journal `%s`, record at byte %llu: %s", hqi_journal_journal_path(s->journal),
                              (unsigned long long)in->offset, why.text);
}

static int restore(struct hq_server *s, hq_error *err)
{
    struct journal_record in;
    uint64_t offset;
    int r;
    while ((r = hqi_journal_journal_next(s->journal, &in, err)) > 0 && (r = replay(s, &in, err)) >= 0)
        ;
    if (r < 0)
        return r;
    uint64_t torn = hqi_journal_journal_torn(s->journal, &offset);
    if (torn)
        hqi_base_log_write(s->log, LOG_WARN, where,
                           "Journal contains not fully written data; they will be removed from the log (%llu bytes from byte %llu on)",
                           (unsigned long long)torn, (unsigned long long)offset);
    return HQ_OK;
}

static void on_wake(void *user)
{
    hqi_loop_loop_wake(((struct hq_server *)user)->loop);
}

int hqi_server_durable_open(struct hq_server *s, const hq_server_options *o, hq_error *err)
{
    const struct journal_options jo = {.alloc = s->alloc, .flush_ms = o->journal_flush_ms, .wake = on_wake, .user = s};
    if (!o->journal)
        return HQ_OK;
    int r = hqi_journal_journal_open(&s->journal, o->journal, &jo, err);
    if (r < 0)
        return r;
    s->restored = hqi_journal_journal_uid(s->journal)[0] != '\0';
    if (s->restored)
        hqi_base_log_write(s->log, LOG_INFO, where, "Loading journal ...");
    r = restore(s, err);
    const char *uid = hqi_core_core_state(s->core)->uid;
    if (r >= 0)
        r = hqi_journal_journal_start(s->journal, uid[0] ? uid : s->access.server_uid, err);
    if (r >= 0)
        r = hqi_loop_source_add(s->loop, &s->progress, err);
    return r;
}

int hqi_server_durable_settle(struct hq_server *s, hq_error *err)
{
    int r = s->journal ? hqi_journal_journal_flush(s->journal, err) : HQ_OK;
    if (r >= 0 && s->restored)
        hqi_base_log_write(s->log, LOG_INFO, where, "State restoration completed");
    return r;
}

/* ---- recording ---- */

/* What a report changes and what is handed out for it are written together: when the core has run, which it does after all inputs. */
static void expect_push(struct hq_server *s)
{
    if (s->unpushed)
        return;
    s->unpushed = true;
    hqi_server_wake_core(s);
}

int hqi_server_durable_on_facts(void *user, uint64_t position, const struct fact *facts, uint32_t n)
{
    struct hq_server *s = user;
    hq_error err;
    if (!s->journal) {
        hqi_server_live_record(s, facts, n);
        return HQ_OK;
    }
    hqi_base_buf_clear(&s->record);
    hqi_wire_record_encode_in(&s->making, facts, n, &s->record);
    if (s->record.failed)
        return HQ_ENOMEM;
    int r = hqi_journal_journal_append(s->journal, position + n - 1, hqi_base_buf_bytes(&s->record), &err);
    if (r >= 0) {
        expect_push(s);
        return HQ_OK;
    }
    if (!s->failing)
        hqi_base_log_write(s->log, LOG_ERROR, where, "%s", err.text);
    return HQ_ENOMEM; /* whoever caused it tries again later */
}

void hqi_server_durable_push(struct hq_server *s)
{
    if (!s->unpushed)
        return;
    s->unpushed = false;
    hqi_journal_journal_push(s->journal);
}

/* ---- what is safe ---- */

bool hqi_server_durable_is_safe(const struct hq_server *s, const struct safety *need)
{
    return !s->journal || (hqi_journal_journal_written(s->journal) >= need->written &&
                           hqi_journal_journal_synced(s->journal) >= need->synced);
}

void hqi_server_durable_want(struct hq_server *s, const struct safety *need)
{
    if (s->journal && need->synced > s->wanted) {
        s->wanted = hqi_core_core_state(s->core)->position;
        hqi_journal_journal_want_sync(s->journal);
    }
}

const char *hqi_server_durable_refusal(struct hq_server *s)
{
    hq_error err;
    if (!s->journal || !hqi_journal_journal_full(s->journal))
        return NULL;
    if (hqi_journal_journal_error(s->journal, &err) < 0)
        snprintf(s->refusal, sizeof s->refusal, "Nothing was changed, since it could not be recorded. %s", err.text);
    else
        snprintf(s->refusal, sizeof s->refusal, "Nothing was changed: the disk of journal `%s` is too slow, try again later",
                 hqi_journal_journal_path(s->journal));
    return s->refusal;
}

/* ---- progress ---- */

static bool has_progress(struct loop_source *p)
{
    return hqi_journal_journal_changed(hqi_container(p, struct hq_server, progress)->journal);
}

static void tell_failure(struct hq_server *s)
{
    hq_error err;
    bool failing = hqi_journal_journal_error(s->journal, &err) < 0;
    if (failing && !s->failing)
        hqi_base_log_write(s->log, LOG_ERROR, where, "%s; nothing new is accepted until it can be written again", err.text);
    else if (!failing && s->failing)
        hqi_base_log_write(s->log, LOG_INFO, where, "The journal can be written again");
    s->failing = failing;
}

uint32_t hqi_server_durable_prune(struct hq_server *s)
{
    struct journal_compactions c;
    if (!s->journal)
        return 0;
    hqi_journal_journal_compact(s->journal, true);
    hqi_journal_journal_compactions(s->journal, &c, NULL);
    return c.asked;
}

static void tell_compactions(struct hq_server *s)
{
    struct journal_compactions c;
    hq_error err = {.code = HQ_OK};
    hqi_journal_journal_compactions(s->journal, &c, &err);
    hqi_server_clients_on_pruned(s, c.done, &err);
}

static void on_progress(struct loop_source *p)
{
    struct hq_server *s = hqi_container(p, struct hq_server, progress);
    hqi_journal_journal_look(s->journal);
    tell_failure(s);
    tell_compactions(s);
    hqi_server_readers_on_progress(s);
    hqi_server_outbox_release(s);
    hqi_server_workers_acknowledge(s);
}

void hqi_server_durable_init(struct hq_server *s)
{
    s->progress = (struct loop_source){.fd = -1, .ready = has_progress, .run = on_progress};
    hqi_base_buf_init(&s->record, s->alloc);
    hqi_base_arena_init(&s->making, s->alloc);
}

void hqi_server_durable_stop(struct hq_server *s)
{
    hq_error err;
    if (s->journal && hqi_journal_journal_stop(s->journal, &err) < 0)
        hqi_base_log_write(s->log, LOG_ERROR, where, "%s; what happened last is lost", err.text);
}

void hqi_server_durable_fini(struct hq_server *s, bool forked)
{
    hqi_loop_source_remove(s->loop, &s->progress);
    if (forked)
        hqi_journal_journal_free_forked(s->journal);
    else
        hqi_journal_journal_free(s->journal);
    s->journal = NULL;
    hqi_base_buf_fini(&s->record);
    hqi_base_arena_fini(&s->making);
}
