/* SPDX-License-Identifier: MIT */
/* readers.c - clients that read the journal (live.c: where there is none): each has a descriptor of its own, and at most one request that waits, so that it costs
 * the same however far behind it is.
 *
 * They are shown what is synced (durable.c says why for replies): somebody who waits for more has it synced at once, and
 * asks again when that was shown, so that there is at most one sync for each time that a reader has read. */
#include "base/error.h"
#include "server/server.h"

static const char where[] = "server";

#define MAX_READERS 64u /* descriptors that clients may hold, of the 1,024 that a host often has */

void hqi_server_readers_init(struct hq_server *s, struct journal_reader *r)
{
    *r = (struct journal_reader){.id = 0};
    hqi_journal_recording_init(&r->recording, s->alloc);
    hqi_journal_tail_init(&r->tail, &hqi_journal_io_system);
}

static void close_tail(struct hq_server *s, struct journal_reader *r)
{
    s->n_readers -= r->counted;
    r->counted = false;
    hqi_journal_tail_close(&r->tail);
}

void hqi_server_readers_fini(struct hq_server *s, struct journal_reader *r)
{
    r->id = 0;
    close_tail(s, r);
    hqi_journal_recording_drop(&r->recording);
}

static int count(struct hq_server *s, struct journal_reader *r, hq_error *err)
{
    if (r->counted)
        return HQ_OK;
    if (s->n_readers == MAX_READERS)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "%u clients are reading the journal: at most %u can", s->n_readers,
                                  MAX_READERS);
    s->n_readers++;
    r->counted = true;
    return HQ_OK;
}

/* The page that follows, in *page, which becomes the caller's; NULL: nothing does. */
static int read_page(struct hq_server *s, struct journal_reader *r, char **page, struct bytes *ret, hq_error *err)
{
    uint64_t n;
    int code = hqi_journal_tail_look(&r->tail, s->journal, &r->at, &n, err);
    *page = NULL;
    *ret = (struct bytes){NULL, 0};
    if (code < 0 || n == 0)
        return code;
    *ret = (struct bytes){NULL, n < HQI_JOURNAL_PAGE ? (size_t)n : HQI_JOURNAL_PAGE};
    ret->p = *page = hqi_base_alloc_get(s->alloc, ret->n);
    return *page ? hqi_journal_tail_read(&r->tail, &r->at, *page, ret->n, err) : hqi_base_error_nomem(err, where);
}

/* Ends the request, or, if there is nothing to say yet and it waits, leaves it. May end the client. */
static void answer(struct hq_server *s, struct server_client *c)
{
    struct journal_reader *r = &c->reader;
    hq_error err = {.code = HQ_OK};
    struct reply reply = {.id = r->id, .kind = COMMAND_JOURNAL_READ};
    char *page;
    reply.u.journal.position = hqi_journal_journal_synced(s->journal); /* before it is read: what is read may be more */
    reply.code = read_page(s, r, &page, &reply.u.journal.data, &err);
    reply.u.journal.at = r->at;
    if (reply.code == HQ_OK && reply.u.journal.data.n == 0 && r->wait) {
        uint64_t all = hqi_core_core_state(s->core)->position;
        hqi_server_durable_want(s, &(struct safety){all, all});
    } else {
        reply.text = reply.code < 0 ? err.text : NULL;
        r->id = 0;
        if (reply.code < 0)
            close_tail(s, r);
        hqi_server_clients_answer(s, c->peer, &reply);
    }
    hqi_base_alloc_free(s->alloc, page);
}

static int refuse(const struct journal_reader *r, hq_error *err)
{
    if (r->id)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the journal is being read already by this client");
    return HQ_OK;
}

void hqi_server_readers_on_read(struct hq_server *s, struct server_client *c, const struct command *cmd)
{
    struct journal_reader *r = &c->reader;
    hq_error err;
    int code = refuse(r, &err);
    if (code >= 0)
        code = count(s, r, &err);
    if (code < 0) {
        hqi_server_clients_answer(s, c->peer, &(struct reply){.id = cmd->id, .kind = cmd->kind, .code = code, .text = err.text});
        return;
    }
    r->id = cmd->id;
    r->at = cmd->u.journal_read.at;
    r->wait = cmd->u.journal_read.wait;
    (s->journal ? answer : hqi_server_live_answer)(s, c);
}

void hqi_server_readers_on_progress(struct hq_server *s)
{
    list_for_safe(it, tmp, &s->clients) {
        struct server_client *c = hqi_container(it, struct server_client, link);
        if (c->reader.id)
            answer(s, c);
    }
}
