/* SPDX-License-Identifier: MIT */
/* session.h - a command's connection to the server, and its requests one after the other. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "hqcore/tools.h"
#include "output.h"

struct session {
    struct cli *cli;
    hq_ctx *ctx;       /* owned */
    hq_client *client; /* owned by ctx */
    uint64_t tag;      /* of the request in flight */
    bool connected;    /* the server has answered */
    bool dropped;      /* the connection is down and may come back */
    bool awaited;      /* the server is lost, and is waited for; */
    bool given_up;     /* in vain */
    bool closed;       /* the server has said goodbye */
    bool may_close;    /* set by the caller: then that is no failure, and not reported */
    char host[256], server_uid[16];
    uint16_t port;
};

/* Options of a ctx whose log goes to stderr; what clients log shows from DEBUG on only. */
hq_ctx_options session_ctx_options(struct cli *cli, bool is_client);

/* Begins to connect to the server of cli->server_dir. The first request leaves at once, and what becomes of it tells whether
 * the server can be reached. False: reported. Close in any case. */
bool session_open(struct session *s, struct cli *cli);
void session_close(struct session *s);

/* Where the access file is looked for: the directory of the server's instance, if there is one, else the server directory
 * itself. `out` has room for PATH_MAX. */
const char *session_dir(const struct cli *cli, char *out);

/* One silent try of at most timeout_ms, for those who wait for a server. The session is closed unless DONE. */
bool session_try(struct session *s, struct cli *cli, int timeout_ms);

uint64_t session_tag(struct session *s); /* for the next request */

/* The reply to the request made with the last tag, valid until the next call on the ctx. `sent` and `err` are what
 * making the request gave. NULL: reported, as "Error: <message>". */
const hq_event *session_reply(struct session *s, int sent, const hq_error *err);
/* The same, but failures that the server tells come back as a reply with a code. */
const hq_event *session_answer(struct session *s, int sent, const hq_error *err);

#endif
