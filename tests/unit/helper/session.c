/* SPDX-License-Identifier: MIT */
/* session.c - see session.h. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "helper/proc.h"

#define PATIENCE_MS 20000
#define SEND_LIMIT 100000u /* larger packets are passed as files */

static void exec_helper(struct session *s, int fd)
{
    char worker[16], work[128];
    snprintf(worker, sizeof worker, "%d", (int)getppid());
    snprintf(work, sizeof work, "%s/work", s->dir);
    dup2(fd, 9);
    execl(s->program, s->program, "--worker", worker, "--work-dir", work, "--socket", "9", "--nofile", "512",
          NULL);
    _exit(99);
}

void session_start(struct session *s, const char *program)
{
    int ends[2];
    *s = (struct session){.program = program, .next_key = 1};
    strcpy(s->dir, "/tmp/hq-helper-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->fifo, sizeof s->fifo, "%s/fifo", s->dir);
    assert_int_equal(mkfifo(s->fifo, 0600), 0);
    hqi_base_arena_init(&s->mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&s->packet, &hqi_base_alloc_libc);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    s->fd = ends[0];
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        exec_helper(s, ends[1]);
    close(ends[1]);
    const struct from_helper *hello = session_wait(s, FROM_HELPER_HELLO, 0);
    assert_int_equal(hello->u.hello.pid, s->pid);
    assert_true(hello->u.hello.build.n > 0);
}

void session_remove(struct session *s)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", s->dir);
    assert_int_equal(system(command), 0);
    close(s->fd);
    free(s->events);
    hqi_base_arena_fini(&s->mem);
    hqi_base_buf_fini(&s->packet);
}

/* ---- sending ---- */

static void pass_as_file(struct session *s)
{
    int file = memfd_create("packet", MFD_CLOEXEC);
    char one = 0,
         control[CMSG_SPACE(sizeof file)] __attribute__((aligned(__alignof__(struct cmsghdr)))) = {0};
    struct iovec iov = {&one, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    assert_int_equal(write(file, s->packet.p, s->packet.n), s->packet.n);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(c), &file, sizeof file);
    assert_int_equal(sendmsg(s->fd, &msg, MSG_NOSIGNAL), 1);
    close(file);
}

void session_send(struct session *s, const struct to_helper *items, uint32_t n)
{
    hqi_base_buf_clear(&s->packet);
    hqi_wire_helper_encode_to(items, n, &s->packet);
    assert_false(s->packet.failed);
    if (s->packet.n > SEND_LIMIT)
        pass_as_file(s);
    else
        assert_int_equal(send(s->fd, s->packet.p, s->packet.n, MSG_NOSIGNAL), s->packet.n);
}

void session_send_key(struct session *s, uint8_t kind, uint64_t key)
{
    struct to_helper item = {.kind = kind, .u.key = key};
    session_send(s, &item, 1);
}

void session_spec(struct session *s, uint32_t number, const char *const *argv, const struct helper_spec *more)
{
    struct to_helper item = {.kind = TO_HELPER_SPEC};
    struct bytes args[64];
    uint32_t n = 0;
    if (more)
        item.u.spec = *more;
    for (; argv[n]; n++)
        args[n] = bytes_of(argv[n]);
    item.u.spec.spec = number;
    item.u.spec.argv = args;
    item.u.spec.n_argv = n;
    session_send(s, &item, 1);
}

void session_shell(struct session *s, uint32_t number, const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    session_spec(s, number, argv, NULL);
}

struct helper_launch session_launch_of(struct session *s, uint32_t number, uint64_t after)
{
    return (struct helper_launch){
        .key = s->next_key++, .after = after, .spec = number, .cwd = bytes_of(s->dir)};
}

uint64_t session_send_launch(struct session *s, const struct helper_launch *l)
{
    struct to_helper item = {.kind = TO_HELPER_LAUNCH, .u.launch = *l};
    session_send(s, &item, 1);
    return l->key;
}

uint64_t session_launch(struct session *s, uint32_t number, uint64_t after)
{
    struct helper_launch l = session_launch_of(s, number, after);
    return session_send_launch(s, &l);
}

/* ---- receiving ---- */

static uint64_t now_ms(void)
{
    return hqi_base_clock_now().mono_ns / HQI_MS;
}

static void keep(struct session *s, const struct from_helper *items, uint32_t n)
{
    s->events = realloc(s->events, (s->n + n) * sizeof *s->events);
    assert_non_null(s->events);
    memcpy(s->events + s->n, items, n * sizeof *items);
    s->n += n;
}

/* false: end of file. Fails the test when nothing comes. */
static bool receive(struct session *s, uint64_t until_ms)
{
    static char packet[HELPER_PACKET];
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    struct from_helper *items;
    uint32_t n;
    uint64_t now = now_ms();
    assert_int_equal(poll(&p, 1, now < until_ms ? (int)(until_ms - now) : 0), 1);
    ssize_t got = recv(s->fd, packet, sizeof packet, 0);
    if (got <= 0)
        return false;
    char *kept = hqi_base_arena_get(&s->mem, (size_t)got); /* what was decoded may point into the packet */
    assert_non_null(kept);
    memcpy(kept, packet, (size_t)got);
    assert_int_equal(
        hqi_wire_helper_decode_from(&items, &n, (struct bytes){kept, (size_t)got}, &s->mem, NULL), 0);
    keep(s, items, n);
    return true;
}

static uint64_t key_of(const struct from_helper *e)
{
    switch (e->kind) {
    case FROM_HELPER_STARTED:
        return e->u.started.key;
    case FROM_HELPER_ENDED:
        return e->u.ended.key;
    case FROM_HELPER_UNSTAGED:
        return e->u.key;
    case FROM_HELPER_COMMAND:
        return e->u.command.tag;
    default:
        return 0;
    }
}

const struct from_helper *session_find(const struct session *s, uint8_t kind, uint64_t key)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->events[i].kind == kind && key_of(&s->events[i]) == key)
            return &s->events[i];
    return NULL;
}

const struct from_helper *session_wait(struct session *s, uint8_t kind, uint64_t key)
{
    uint64_t until_ms = now_ms() + PATIENCE_MS;
    const struct from_helper *e;
    while (!(e = session_find(s, kind, key)))
        assert_true(receive(s, until_ms));
    return e;
}

void session_wait_more(struct session *s)
{
    assert_true(receive(s, now_ms() + PATIENCE_MS));
}

const struct helper_ended *session_wait_ended(struct session *s, uint64_t key)
{
    return &session_wait(s, FROM_HELPER_ENDED, key)->u.ended;
}

int session_end(struct session *s)
{
    int status;
    uint64_t until_ms = now_ms() + PATIENCE_MS;
    session_send_key(s, TO_HELPER_END, 0);
    while (receive(s, until_ms))
        ;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- files and processes ---- */

void session_release(struct session *s)
{
    int fd = open(s->fifo, O_WRONLY | O_CLOEXEC); /* waits for the reader */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "go\n", 3), 3);
    close(fd);
}

char *session_path(struct session *s, const char *name)
{
    char *path = hqi_base_arena_printf(&s->mem, "%s/%s", s->dir, name);
    assert_non_null(path);
    return path;
}

void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
}

const char *session_read(struct session *s, const char *name)
{
    struct stat st;
    int fd = open(session_path(s, name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *text = hqi_base_arena_zero(&s->mem, 1, (size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    close(fd);
    return text;
}

long session_read_pid(struct session *s, const char *name)
{
    uint64_t until_ms = now_ms() + PATIENCE_MS;
    for (;;) {
        if (access(session_path(s, name), R_OK) == 0) {
            const char *text = session_read(s, name);
            if (strchr(text, '\n'))
                return atol(text);
        }
        assert_true(now_ms() < until_ms);
        poll(NULL, 0, 5);
    }
}

int is_gone_within(pid_t pid, unsigned ms)
{
    struct proc_stat st;
    for (uint64_t until_ms = now_ms() + ms;; poll(NULL, 0, 5)) {
        if (!hqi_helper_proc_stat(pid, &st) || st.state == 'Z' || st.state == 'X')
            return 1;
        if (now_ms() >= until_ms)
            return 0;
    }
}
