/* SPDX-License-Identifier: MIT */
/* curve_request.c - the floor under a client command: one encrypted request and its reply, by a fresh process.
 *
 *     curve_request serve                a ROUTER with CURVE on loopback that echoes; prints PORT and PUBLIC KEY,
 *                                        ends when its standard input does
 *     curve_request ask PORT KEY         a DEALER: key pair, connect, handshake, one request, one reply, exit
 *
 * `ask` does with libzmq what a client has to do, with the same precautions (no delayed write, exit without
 * waiting for libzmq's threads), and nothing else. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

#define KEY_TEXT 41 /* Z85 of 32 bytes, and a NUL */
#define WAIT_MS 10000

static void check(int rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "curve_request: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

/* Echoes until standard input has ended. */
static void echo(void *socket)
{
    zmq_pollitem_t items[] = {{.socket = socket, .events = ZMQ_POLLIN}, {.fd = STDIN_FILENO, .events = ZMQ_POLLIN}};
    while (zmq_poll(items, 2, -1) >= 0 && items[1].revents == 0) {
        zmq_msg_t peer, body;
        zmq_msg_init(&peer);
        zmq_msg_init(&body);
        check(zmq_msg_recv(&peer, socket, 0), "receive");
        check(zmq_msg_recv(&body, socket, 0), "receive");
        check(zmq_msg_send(&peer, socket, ZMQ_SNDMORE), "send");
        check(zmq_msg_send(&body, socket, 0), "send");
    }
}

static int serve(void *ctx)
{
    void *socket = zmq_socket(ctx, ZMQ_ROUTER);
    char key[KEY_TEXT], secret[KEY_TEXT], endpoint[64];
    size_t n = sizeof endpoint;
    int yes = 1;
    check(zmq_curve_keypair(key, secret), "keys");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes), "CURVE_SERVER");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, KEY_TEXT), "CURVE_SECRETKEY");
    check(zmq_bind(socket, "tcp://127.0.0.1:*"), "bind");
    check(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &n), "LAST_ENDPOINT");
    printf("%s %s\n", strrchr(endpoint, ':') + 1, key);
    fflush(stdout);
    echo(socket);
    return 0;
}

static int ask(void *ctx, const char *port, const char *server_key)
{
    void *socket = zmq_socket(ctx, ZMQ_DEALER);
    char key[KEY_TEXT], secret[KEY_TEXT], endpoint[64], reply[64];
    int limit = WAIT_MS;
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%s", port);
    check(zmq_curve_keypair(key, secret), "keys");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, KEY_TEXT), "CURVE_SERVERKEY");
    check(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, key, KEY_TEXT), "CURVE_PUBLICKEY");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, KEY_TEXT), "CURVE_SECRETKEY");
    check(zmq_setsockopt(socket, ZMQ_RCVTIMEO, &limit, sizeof limit), "RCVTIMEO");
    check(zmq_connect(socket, endpoint), "connect");
    check(zmq_send(socket, "request", 7, 0), "send");
    check(zmq_recv(socket, reply, sizeof reply, 0), "receive");
    _exit(0);
}

int main(int argc, char **argv)
{
    void *ctx = zmq_ctx_new();
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve(ctx);
    if (argc == 4 && strcmp(argv[1], "ask") == 0)
        return ask(ctx, argv[2], argv[3]);
    fprintf(stderr, "usage: curve_request serve | ask PORT KEY\n");
    return 2;
}
