/* SPDX-License-Identifier: MIT */
/* zmq.c - see zmq.h.
 *
 * libzmq starts its threads with the first socket, and aborts when it then gets no descriptor or thread. So the
 * descriptors and threads are first taken and given back by us, and a socket that is closed at once starts them here,
 * while all signals are blocked: a signal for the host must never be delivered to libzmq's threads. */
#include "host/zmq.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <zmq.h>

#include "base/error.h"

static const char where[] = "zmq";

#define BEGIN_FDS 10u    /* measured: context, I/O thread, reaper and a first socket */
#define MAX_PROBE 64u
#define ZMQ_OWN_THREADS 2u /* one for I/O, the reaper */

static int probe_fds(int fd, unsigned n, hq_error *err)
{
    int taken[MAX_PROBE];
    unsigned got = 0;
    if (n > MAX_PROBE)
        n = MAX_PROBE;
    while (got < n && (taken[got] = fcntl(fd, F_DUPFD_CLOEXEC, 0)) >= 0)
        got++;
    for (unsigned i = 0; i < got; i++)
        close(taken[i]);
    if (got < n)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "%u file descriptors are needed and %u are left; raise `ulimit -n`",
                                  n, got);
    return HQ_OK;
}

/* Threads that exist at once, to show that they can. */
struct crowd {
    pthread_mutex_t gate;
    pthread_t threads[ZMQ_OWN_THREADS];
    unsigned n;
};

static void *stand_by(void *gate)
{
    pthread_mutex_lock(gate); /* held until all of them exist */
    pthread_mutex_unlock(gate);
    return NULL;
}

/* They may still be ending afterwards: to be dispersed in any case. */
static int gather(struct crowd *c, hq_error *err)
{
    int sys = 0;
    *c = (struct crowd){.gate = PTHREAD_MUTEX_INITIALIZER};
    pthread_mutex_lock(&c->gate);
    while (c->n < ZMQ_OWN_THREADS && (sys = pthread_create(&c->threads[c->n], NULL, stand_by, &c->gate)) == 0)
        c->n++;
    pthread_mutex_unlock(&c->gate);
    if (sys != 0)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "%u threads are needed and %u can be started; raise `ulimit -u`",
                                  ZMQ_OWN_THREADS, c->n);
    return HQ_OK;
}

static void disperse(struct crowd *c)
{
    for (unsigned i = 0; i < c->n; i++)
        pthread_join(c->threads[i], NULL);
    pthread_mutex_destroy(&c->gate);
}

static void *new_context(void)
{
    void *zmq = zmq_ctx_new();
    if (!zmq)
        return NULL;
    zmq_ctx_set(zmq, ZMQ_IO_THREADS, 1);
    zmq_ctx_set(zmq, ZMQ_THREAD_NAME_PREFIX, 0);
    zmq_ctx_set(zmq, ZMQ_BLOCKY, 0);
    return zmq;
}

static int start_threads(void *zmq, hq_error *err)
{
    void *first = zmq_socket(zmq, ZMQ_PAIR);
    if (!first)
        return hqi_base_error_sys(err, errno, where, "cannot start libzmq");
    zmq_close(first);
    return HQ_OK;
}

/* The context is made while the crowd ends: to wait for threads is what costs in here, and each command pays it. */
static int begin(void **ret, hq_error *err)
{
    struct crowd c;
    void *zmq = NULL;
    int r = gather(&c, err);
    if (r >= 0 && !(zmq = new_context()))
        r = hqi_base_error_nomem(err, where);
    disperse(&c);
    if (r >= 0)
        r = start_threads(zmq, err);
    if (r < 0)
        hqi_host_zmq_end(zmq);
    else
        *ret = zmq;
    return r;
}

int hqi_host_zmq_begin(void **ret, int fd, hq_error *err)
{
    sigset_t all, before;
    int r = probe_fds(fd, BEGIN_FDS, err);
    if (r < 0)
        return r;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = begin(ret, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

void hqi_host_zmq_end(void *zmq)
{
    if (!zmq)
        return;
    while (zmq_ctx_term(zmq) < 0 && errno == EINTR)
        ;
}
