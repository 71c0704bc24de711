/* SPDX-License-Identifier: MIT */
/* live.c - what a server without a journal tells those who would read one.
 *
 * A reader gets records as it would of a journal, framed alike: first the state as facts (state/restate.h), all at once, since it must be
 * of one moment; then, if it wants to, what happens. That is recorded for each reader by itself, and nobody else: without readers a batch
 * of facts costs one look at an empty list. A reader that does not read costs what is there already and LIVE_BYTES. Must never happen:
 * that a reader's lack of memory keeps anything from happening. */
#include "base/error.h"
#include "net/keys.h"
#include "server/server.h"
#include "state/restate.h"
#include "wire/record.h"

static const char where[] = "server";

#define PAST_BYTES (1u << 30)  /* of a state: some 40 million tasks that have ended */
#define LIVE_BYTES (32u << 20) /* of what happens while a reader does not read: over a million tasks that start and end */

/* ---- recording ---- */

static int encode(struct hq_server *s, const struct fact *facts, uint32_t n)
{
    hqi_base_buf_clear(&s->record);
    hqi_wire_record_encode_in(&s->making, facts, n, &s->record);
    return s->record.failed ? HQ_ENOMEM : HQ_OK;
}

static struct journal_reader *reader_of(struct list *link)
{
    return hqi_container(hqi_container(link, struct recording, link), struct journal_reader, recording);
}

static void tell(struct hq_server *s, bool waits)
{
    if (!waits || s->has_news)
        return;
    s->has_news = true;
    hqi_loop_loop_wake(s->loop);
}

void hqi_server_live_record(struct hq_server *s, const struct fact *facts, uint32_t n)
{
    struct arena mem;
    if (list_empty(&s->recordings))
        return;
    hqi_base_arena_init(&mem, s->alloc);
    const struct fact *lean = hqi_state_restate_lean(facts, n, &mem);
    int made = lean ? encode(s, lean, n) : HQ_ENOMEM;
    hqi_base_arena_fini(&mem);
    list_for_safe(it, tmp, &s->recordings) {
        struct journal_reader *r = reader_of(it);
        if (made < 0)
            hqi_journal_recording_fail(&r->recording, made);
        else
            hqi_journal_recording_add(&r->recording, hqi_base_buf_bytes(&s->record), n);
        tell(s, r->id != 0);
    }
}

/* ---- beginning ---- */

struct beginning {
    struct hq_server *s;
    struct recording *r;
};

static int on_restated(void *user, const struct fact *facts, uint32_t n)
{
    struct beginning *b = user;
    int r = encode(b->s, facts, n);
    return r < 0 ? r : hqi_journal_recording_add(b->r, hqi_base_buf_bytes(&b->s->record), n);
}

static int restate(struct hq_server *s, struct recording *r, hq_error *err)
{
    struct beginning b = {s, r};
    const struct restate how = {.alloc = s->alloc, .start_ms = s->start_ms, .now_ms = hqi_server_now(s).utc_ms, .put = on_restated,
                                .user = &b};
    int code = hqi_state_restate(hqi_core_core_state(s->core), &how);
    if (code == HQ_ELIMIT)
        return hqi_base_error_set(err, code, where, "this server knows too much to tell it at once: more than %u MiB", PAST_BYTES >> 20);
    return code < 0 ? hqi_base_error_nomem(err, where) : HQ_OK;
}

static int begin(struct hq_server *s, struct journal_reader *reader, hq_error *err)
{
    struct recording *r = &reader->recording;
    uint32_t salt;
    if (hqi_net_keys_random(&salt, sizeof salt) < 0)
        return hqi_base_error_set(err, HQ_ESYS, where, "no random numbers can be had");
    hqi_journal_recording_begin(r, salt, PAST_BYTES);
    int code = restate(s, r, err);
    if (code < 0)
        return code;
    reader->restated = r->position;
    r->limit = r->bytes + LIVE_BYTES;
    if (reader->wait)
        list_push_back(&s->recordings, &r->link);
    return HQ_OK;
}

/* ---- reading ---- */

/* Is it what follows that was asked for? */
static int check(const struct recording *r, const struct journal_place *asked, hq_error *err)
{
    if (r->failed == HQ_ENOMEM)
        return hqi_base_error_nomem(err, where);
    if (r->failed)
        return hqi_base_error_set(err, r->failed, where, "more has happened than was read, and only %u MiB are kept; start again",
                                  LIVE_BYTES >> 20);
    if (asked->file != r->next.file || asked->offset != r->next.offset)
        return hqi_base_error_set(err, HQ_EPROTO, where, "byte %llu is asked for, and byte %llu is next",
                                  (unsigned long long)asked->offset, (unsigned long long)r->next.offset);
    return HQ_OK;
}

/* The page that follows, in *page, which becomes the caller's; NULL: nothing does. */
static int read_page(struct hq_server *s, struct journal_reader *reader, struct reply *reply, char **page, hq_error *err)
{
    struct recording *r = &reader->recording;
    int code = reader->at.offset == 0 ? begin(s, reader, err) : check(r, &reader->at, err);
    size_t n = r->bytes < HQI_JOURNAL_PAGE ? (size_t)r->bytes : HQI_JOURNAL_PAGE;
    *page = NULL;
    if (code < 0)
        return code;
    reader->at = r->next; /* it has begun */
    reply->u.journal.at = r->next;
    reply->u.journal.position = r->position;
    reply->u.journal.restated = reader->restated;
    if (n > 0 && !(*page = hqi_base_alloc_get(s->alloc, n)))
        return hqi_base_error_nomem(err, where);
    if (n > 0)
        reply->u.journal.data = (struct bytes){*page, hqi_journal_recording_take(r, *page, n)};
    if (r->limit > r->bytes + LIVE_BYTES)
        r->limit = r->bytes + LIVE_BYTES; /* of the past only what is left */
    return HQ_OK;
}

void hqi_server_live_answer(struct hq_server *s, struct server_client *c)
{
    struct journal_reader *r = &c->reader;
    hq_error err = {.code = HQ_OK};
    struct reply reply = {.id = r->id, .kind = COMMAND_JOURNAL_READ};
    char *page;
    reply.code = read_page(s, r, &reply, &page, &err);
    if (reply.code == HQ_OK && !page && r->wait)
        return; /* until there is something */
    reply.text = reply.code < 0 ? err.text : NULL;
    r->id = 0;
    if (reply.code < 0)
        hqi_server_readers_fini(s, r);
    hqi_server_clients_answer(s, c->peer, &reply);
    hqi_base_alloc_free(s->alloc, page);
}

/* ---- life ---- */

static bool has_news(struct loop_source *news)
{
    return hqi_container(news, struct hq_server, news)->has_news;
}

static void on_news(struct loop_source *news)
{
    struct hq_server *s = hqi_container(news, struct hq_server, news);
    s->has_news = false;
    list_for_safe(it, tmp, &s->clients) {
        struct server_client *c = hqi_container(it, struct server_client, link);
        if (c->reader.id)
            hqi_server_live_answer(s, c);
    }
}

void hqi_server_live_init(struct hq_server *s)
{
    list_init(&s->recordings);
    s->news = (struct loop_source){.fd = -1, .ready = has_news, .run = on_news};
}

int hqi_server_live_open(struct hq_server *s, hq_error *err)
{
    return hqi_loop_source_add(s->loop, &s->news, err);
}

void hqi_server_live_fini(struct hq_server *s)
{
    hqi_loop_source_remove(s->loop, &s->news);
}
