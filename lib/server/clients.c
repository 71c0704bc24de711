/* SPDX-License-Identifier: MIT */
/* clients.c - the client plane: commands in. Replies leave through outbox.c.
 *
 * A command is acknowledged when it was applied, and answered when that is safe: an acknowledgement is no promise; a client that
 * sends what makes no sense is told, and its session ends. One that does not read its replies loses nothing: its further commands
 * wait, unacknowledged. */
#include "base/error.h"
#include "server/server.h"
#include "wire/client.h"

static const char where[] = "server";

#define UNREAD_BYTES (16u << 20)  /* of replies: with more on their way to a client, its commands wait */
#define RESUMED 64u               /* commands that waited, in one round: as many as a session may bring */
#define WAITING_BYTES (16u << 20) /* of commands: whoever sends more without reading is let go */

static int on_open(void *user, struct peer *p, const struct hello *h, hq_error *err)
{
    struct hq_server *s = user;
    if (s->stage != STAGE_RUNNING)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the server is stopping");
    struct server_client *c = hqi_base_alloc_zero(s->alloc, 1, sizeof *c);
    if (!c)
        return hqi_base_error_nomem(err, where);
    c->peer = p;
    hqi_server_outbox_init(&c->out, p);
    list_init(&c->pressed);
    hqi_server_readers_init(s, &c->reader);
    hqi_host_backlog_init(&c->waiting, s->alloc);
    list_push_back(&s->clients, &c->link);
    hqi_net_peer_set_user(p, c);
    return HQ_OK;
}

static void release(struct hq_server *s, struct server_client *c)
{
    list_unlink(&c->pressed);
    hqi_host_backlog_fini(&c->waiting);
    hqi_server_readers_fini(s, &c->reader);
    hqi_server_outbox_fini(s, &c->out);
    hqi_base_alloc_free(s->alloc, c);
}

static void forget(struct hq_server *s, struct peer *p)
{
    struct server_client *c = hqi_net_peer_user(p);
    hqi_core_on_client_gone(s->core, hqi_net_peer_id(p));
    list_unlink(&c->link);
    release(s, c);
}

static void drop(struct hq_server *s, struct peer *p, int code, const char *text)
{
    hqi_base_log_write(s->log, LOG_ERROR, where, "Client error: %s", text);
    forget(s, p);
    hqi_net_peer_bye(p, code, text);
}

void hqi_server_clients_drop_failed(struct hq_server *s)
{
    list_for_safe(it, tmp, &s->clients) {
        struct server_client *c = hqi_container(it, struct server_client, link);
        if (c->out.failed)
            drop(s, c->peer, c->out.failed, c->out.failed == HQ_ELIMIT ? "it asks for more than it reads" : hq_strerror(c->out.failed));
    }
}

/* What is no matter of the core is answered here: a command that cannot be read, and one that asks for a file. */
static int answer(struct hq_server *s, struct peer *p, const struct reply *r)
{
    hqi_base_buf_clear(&s->frame);
    hqi_wire_client_encode_reply(r, &s->frame);
    return s->frame.failed ? HQ_ENOMEM : hqi_net_peer_send(p, hqi_base_buf_bytes(&s->frame), NULL);
}

static void answer_failure(struct hq_server *s, struct peer *p, uint64_t id, const hq_error *why)
{
    const struct reply r = {.id = id, .code = why->code, .text = why->text, .kind = COMMAND_SERVER_INFO};
    if (id == 0 || answer(s, p, &r) < 0)
        drop(s, p, why->code, why->text);
}

static void answer_dump(struct hq_server *s, struct peer *p, const struct command *cmd)
{
    hq_error err;
    struct reply r = {.id = cmd->id, .kind = cmd->kind};
    bool ok = true;
    struct bytes path = hqi_base_arena_bytes(&s->in, cmd->u.path, &ok); /* with a NUL behind it */
    r.code = ok ? hqi_server_dump_write(s, path.p, &err) : hqi_base_error_nomem(&err, where);
    r.text = r.code < 0 ? err.text : NULL;
    int sent = answer(s, p, &r);
    if (sent < 0)
        drop(s, p, sent, hq_strerror(sent));
}

static void answer_plain(struct hq_server *s, struct peer *p, const struct reply *r, const struct safety *need)
{
    struct server_client *c = hqi_net_peer_user(p);
    hqi_base_buf_clear(&s->frame);
    hqi_wire_client_encode_reply(r, &s->frame);
    int sent = s->frame.failed ? HQ_ENOMEM : hqi_server_outbox_send(s, &c->out, need, hqi_base_buf_bytes(&s->frame));
    if (sent < 0)
        drop(s, p, sent, hq_strerror(sent));
}

void hqi_server_clients_answer(struct hq_server *s, struct peer *p, const struct reply *r)
{
    answer_plain(s, p, r, &(struct safety){0, 0});
}

static void answer_flush(struct hq_server *s, struct peer *p, const struct command *cmd)
{
    const char *refusal = hqi_server_durable_refusal(s);
    uint64_t position = hqi_core_core_state(s->core)->position;
    const struct reply r = {.id = cmd->id, .kind = cmd->kind, .code = refusal ? HQ_EJOURNAL : HQ_OK, .text = refusal};
    answer_plain(s, p, &r, refusal ? &(struct safety){0, 0} : &(struct safety){position, position});
}

static void answer_prune(struct hq_server *s, struct peer *p, const struct command *cmd)
{
    struct server_client *c = hqi_net_peer_user(p);
    const struct reply r = {.id = cmd->id, .kind = cmd->kind};
    c->prune_id = cmd->id;
    c->prune_asked = hqi_server_durable_prune(s);
    if (c->prune_asked)
        return;
    c->prune_id = 0;
    answer_plain(s, p, &r, &(struct safety){0, 0});
}

void hqi_server_clients_on_pruned(struct hq_server *s, uint32_t done, const hq_error *err)
{
    list_for_safe(it, tmp, &s->clients) {
        struct server_client *c = hqi_container(it, struct server_client, link);
        const struct reply r = {.id = c->prune_id, .kind = COMMAND_JOURNAL_PRUNE, .code = err->code, .text = err->text};
        if (c->prune_id == 0 || c->prune_asked > done)
            continue;
        c->prune_id = 0;
        answer_plain(s, c->peer, &r, &(struct safety){0, 0});
    }
}

/* May end the client. */
static void take(struct hq_server *s, struct peer *p, uint64_t number, struct bytes payload)
{
    struct command cmd;
    hq_error err;
    struct now now = hqi_server_now(s);
    hqi_net_peer_safe(p, number);
    hqi_base_arena_clear(&s->in);
    if (hqi_wire_client_decode_command(&cmd, payload, s->alloc, &s->in, &err) < 0) {
        answer_failure(s, p, cmd.id, &err);
        return;
    }
    if (cmd.kind == COMMAND_DEBUG_DUMP) {
        answer_dump(s, p, &cmd);
        return;
    }
    if (cmd.kind == COMMAND_JOURNAL_FLUSH || cmd.kind == COMMAND_JOURNAL_PRUNE) {
        (cmd.kind == COMMAND_JOURNAL_FLUSH ? answer_flush : answer_prune)(s, p, &cmd);
        return;
    }
    if (cmd.kind == COMMAND_JOURNAL_READ) {
        hqi_server_readers_on_read(s, hqi_net_peer_user(p), &cmd);
        return;
    }
    if (cmd.kind == COMMAND_SERVER_STOP)
        hqi_base_log_write(s->log, LOG_INFO, where, "Received Stop command from client");
    hqi_core_core_refuse(s->core, hqi_server_durable_refusal(s));
    hqi_core_on_command(s->core, &now, hqi_net_peer_id(p), &cmd);
    hqi_server_outbox_drain(s);
}

/* ---- clients that do not read ---- */

static bool reads_too_little(const struct server_client *c)
{
    return hqi_net_peer_queued(c->peer) + c->out.bytes >= UNREAD_BYTES;
}

static void keep(struct hq_server *s, struct server_client *c, uint64_t number, struct bytes payload)
{
    c->waiting_bytes += sizeof(struct backlog_frame) + payload.n;
    if (c->waiting_bytes > WAITING_BYTES)
        drop(s, c->peer, HQ_ELIMIT, "it asks for more than it reads");
    else if (!hqi_host_backlog_keep(&c->waiting, number, 0, payload))
        drop(s, c->peer, HQ_ENOMEM, hq_strerror(HQ_ENOMEM));
    else if (list_empty(&c->pressed))
        list_push_back(&s->pressed, &c->pressed);
}

static void on_data(void *user, struct peer *p, uint64_t number, struct bytes payload)
{
    struct hq_server *s = user;
    struct server_client *c = hqi_net_peer_user(p);
    if (!list_empty(&c->pressed) || reads_too_little(c))
        keep(s, c, number, payload);
    else
        take(s, p, number, payload);
}

static struct server_client *next_to_resume(const struct hq_server *s)
{
    list_for(it, &s->pressed) {
        struct server_client *c = hqi_container(it, struct server_client, pressed);
        if (!reads_too_little(c))
            return c;
    }
    return NULL;
}

bool hqi_server_clients_resume(struct hq_server *s)
{
    struct server_client *c = next_to_resume(s);
    for (unsigned i = 0; c && i < RESUMED; i++, c = next_to_resume(s)) {
        struct backlog_frame *f = hqi_host_backlog_first(&c->waiting);
        list_unlink(&f->link); /* out of the client, which taking it may end */
        c->waiting_bytes -= sizeof *f + f->n;
        if (!hqi_host_backlog_first(&c->waiting))
            list_unlink(&c->pressed);
        take(s, c->peer, f->number, (struct bytes){f->payload, f->n});
        hqi_base_alloc_free(s->alloc, f);
    }
    return c;
}

static void on_lost(void *user, struct peer *p, enum peer_loss why, struct bytes text)
{
    struct hq_server *s = user;
    if (why == PEER_BROKEN)
        hqi_base_log_write(s->log, LOG_ERROR, where, "Client error: %.*s", (int)text.n, text.p);
    forget(s, p);
}

static void on_idle(void *user)
{
    hqi_server_run_core(user);
}

const struct router_ops hqi_server_clients_ops = {on_open, on_data, on_lost, on_idle};

void hqi_server_clients_bye(struct hq_server *s)
{
    while (!list_empty(&s->clients)) {
        struct peer *p = hqi_container(s->clients.next, struct server_client, link)->peer;
        forget(s, p);
        hqi_net_peer_bye(p, HQ_ECLOSED, "the server has stopped");
    }
}

void hqi_server_clients_fini(struct hq_server *s)
{
    for (struct list *l; (l = list_pop_front(&s->clients));)
        release(s, hqi_container(l, struct server_client, link));
}
