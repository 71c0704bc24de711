/* SPDX-License-Identifier: MIT */
/* journal_test.c - the journal as the server sees it, its thread included, on a real disk and on one that fails. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/clock.h"
#include "disk.h"
#include "journal/frame.h"
#include "journal/journal.h"

#define LONG_MS 3600000u

static char dir[64], path[80];

/* ---- one journal ---- */

static void wake(void *user)
{
    const uint64_t one = 1;
    assert_int_equal(write(*(int *)user, &one, sizeof one), sizeof one);
}

struct bench {
    struct journal *j;
    int event; /* an eventfd: woken */
    struct journal_options opt;
};

static void set_up(struct bench *b)
{
    *b = (struct bench){.event = eventfd(0, EFD_CLOEXEC)};
    b->opt = (struct journal_options){.alloc = &hqi_base_alloc_libc, .flush_ms = LONG_MS, .wake = wake, .user = &b->event};
}

/* Reads all; the number of records. */
static unsigned open_and_read(struct bench *b)
{
    hq_error err;
    struct journal_record r;
    unsigned n = 0;
    int rc;
    if (hqi_journal_journal_open(&b->j, path, &b->opt, &err) < 0)
        fail_msg("%s", err.text);
    while ((rc = hqi_journal_journal_next(b->j, &r, &err)) > 0)
        assert_int_equal(r.position, ++n);
    if (rc < 0)
        fail_msg("%s", err.text);
    return n;
}

static void start(struct bench *b)
{
    hq_error err;
    if (hqi_journal_journal_start(b->j, "aB3dE9", &err) < 0)
        fail_msg("%s", err.text);
}

static void queue(struct bench *b, uint64_t position)
{
    char text[64];
    int n = snprintf(text, sizeof text, "record %u", (unsigned)position);
    assert_int_equal(hqi_journal_journal_append(b->j, position, (struct bytes){text, (size_t)n}, NULL), HQ_OK);
}

static void append(struct bench *b, uint64_t position)
{
    queue(b, position);
    hqi_journal_journal_push(b->j);
}

/* Waits for the thread to say that something changed, until `done` says that it is enough. */
static void wait_for(struct bench *b, bool (*done)(struct bench *b, uint64_t value), uint64_t value)
{
    for (;;) {
        hqi_journal_journal_look(b->j);
        if (done(b, value))
            return;
        struct pollfd p = {.fd = b->event, .events = POLLIN};
        uint64_t count;
        assert_int_equal(poll(&p, 1, 30000), 1);
        assert_int_equal(read(b->event, &count, sizeof count), sizeof count);
    }
}

static bool is_written(struct bench *b, uint64_t position)
{
    return hqi_journal_journal_written(b->j) >= position;
}

static bool is_synced(struct bench *b, uint64_t position)
{
    return hqi_journal_journal_synced(b->j) >= position;
}

static bool is_failing(struct bench *b, uint64_t failing)
{
    return (hqi_journal_journal_error(b->j, NULL) < 0) == (failing != 0);
}

static void end(struct bench *b)
{
    hqi_journal_journal_free(b->j);
    close(b->event);
}

static void put_file(struct bytes content)
{
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(content.p, 1, content.n, f), content.n);
    fclose(f);
}

/* ---- tests ---- */

static void written_synced_and_read_again(void **unused)
{
    struct bench b;
    set_up(&b);
    assert_int_equal(open_and_read(&b), 0);
    assert_string_equal(hqi_journal_journal_uid(b.j), "");
    start(&b);
    for (uint64_t p = 1; p <= 500; p++)
        append(&b, p);
    wait_for(&b, is_written, 500);
    assert_int_equal(hqi_journal_journal_synced(b.j), 0); /* nobody asked, the flush period is an hour */
    hqi_journal_journal_want_sync(b.j);
    wait_for(&b, is_synced, 500);
    append(&b, 501);
    assert_int_equal(hqi_journal_journal_stop(b.j, NULL), HQ_OK);
    assert_int_equal(hqi_journal_journal_synced(b.j), 501);
    hq_error err;
    assert_int_equal(hqi_journal_journal_append(b.j, 502, (struct bytes){"x", 1}, &err), HQ_ESTATE);
    end(&b);

    set_up(&b);
    assert_int_equal(open_and_read(&b), 501);
    assert_string_equal(hqi_journal_journal_uid(b.j), "aB3dE9");
    start(&b);
    assert_int_equal(hqi_journal_journal_synced(b.j), 501);
    append(&b, 502);
    end(&b);
    set_up(&b);
    assert_int_equal(open_and_read(&b), 502);
    end(&b);
    char lock[100];
    snprintf(lock, sizeof lock, "%s.lock", path);
    assert_int_equal(access(lock, F_OK), -1); /* nothing is left lying about */
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_nobody_pushed_is_not_forgotten(void **unused)
{
    struct bench b;
    set_up(&b);
    open_and_read(&b);
    start(&b);
    queue(&b, 1);
    assert_int_equal(hqi_journal_journal_flush(b.j, NULL), HQ_OK);
    assert_int_equal(hqi_journal_journal_synced(b.j), 1);
    queue(&b, 2);
    queue(&b, 3);
    hqi_journal_journal_push(b.j);
    wait_for(&b, is_written, 3);
    queue(&b, 4);
    hqi_journal_journal_want_sync(b.j);
    wait_for(&b, is_synced, 4);
    queue(&b, 5);
    end(&b);
    set_up(&b);
    assert_int_equal(open_and_read(&b), 5);
    end(&b);
}

static void progress_is_synced_within_the_flush_period(void **unused)
{
    struct bench b;
    set_up(&b);
    b.opt.flush_ms = 1;
    open_and_read(&b);
    start(&b);
    append(&b, 1);
    wait_for(&b, is_synced, 1);
    end(&b);
}

static void a_torn_tail_is_reported_and_cut(void **unused)
{
    struct bench b;
    uint64_t offset;
    set_up(&b);
    open_and_read(&b);
    start(&b);
    append(&b, 1);
    append(&b, 2);
    end(&b);
    assert_int_equal(truncate(path, 64 + 2 * (FRAME_HEADER + 8) - 3), 0);
    set_up(&b);
    assert_int_equal(open_and_read(&b), 1);
    assert_int_equal(hqi_journal_journal_torn(b.j, &offset), FRAME_HEADER + 5);
    assert_int_equal(offset, 64 + FRAME_HEADER + 8);
    start(&b);
    append(&b, 2);
    end(&b);
    set_up(&b);
    assert_int_equal(open_and_read(&b), 2);
    assert_int_equal(hqi_journal_journal_torn(b.j, &offset), 0);
    end(&b);
}

static void expect_open(int code, const char *text)
{
    struct bench b;
    hq_error err;
    set_up(&b);
    assert_int_equal(hqi_journal_journal_open(&b.j, path, &b.opt, &err), code);
    if (!strstr(err.text, text) || !strstr(err.text, path))
        fail_msg("%s", err.text);
    close(b.event);
}

static void what_is_no_journal_is_refused(void **unused)
{
    char header[FILE_HEADER];
    put_file(bytes_of("hello world this is not a journal\n"));
    expect_open(HQ_EJOURNAL, "Invalid journal format");
    put_file(bytes_of("hqjl0002\x1a"));
    expect_open(HQ_EJOURNAL, "written by the original HyperQueue");
    hqi_journal_frame_put_header(header, &(struct file_header){.salt = 1, .uid = "abc"});
    header[20] ^= 1;
    put_file((struct bytes){header, sizeof header});
    expect_open(HQ_EJOURNAL, "its header is damaged");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_open(HQ_EJOURNAL, "Is a directory");
    rmdir(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_open(HQ_EJOURNAL, "it is not a file");
    unlink(path);
    struct bench b;
    hq_error err;
    set_up(&b);
    assert_int_equal(hqi_journal_journal_open(&b.j, "/nonexistent/j", &b.opt, &err), HQ_EJOURNAL);
    assert_non_null(strstr(err.text, "`/nonexistent/j`: it cannot be opened for writing: No such file or directory"));
    close(b.event);
}

static void an_empty_file_and_a_piece_of_a_header_are_new_journals(void **unused)
{
    char header[FILE_HEADER];
    hqi_journal_frame_put_header(header, &(struct file_header){.salt = 1, .uid = "abc"});
    for (size_t n = 0; n < sizeof header; n += 9) {
        struct bench b;
        uint64_t offset;
        put_file((struct bytes){header, n});
        set_up(&b);
        assert_int_equal(open_and_read(&b), 0);
        assert_int_equal(hqi_journal_journal_torn(b.j, &offset), n);
        start(&b);
        append(&b, 1);
        end(&b);
        set_up(&b);
        assert_int_equal(open_and_read(&b), 1);
        end(&b);
    }
}

static void two_of_one_journal(void **unused)
{
    struct bench b, other;
    hq_error err;
    set_up(&b);
    open_and_read(&b);
    start(&b);
    set_up(&other);
    assert_int_equal(hqi_journal_journal_open(&other.j, path, &other.opt, &err), HQ_EEXIST);
    char expected[200], host[65] = "";
    gethostname(host, sizeof host - 1);
    snprintf(expected, sizeof expected,
             "Cannot open event log file at `%s`: in use by the server with pid %d on %s; stop that one first", path,
             (int)getpid(), host);
    assert_string_equal(err.text, expected);
    close(other.event);
    append(&b, 1);
    hqi_journal_journal_want_sync(b.j);
    wait_for(&b, is_synced, 1);
    end(&b);
}

static void a_forked_child_frees_and_touches_nothing(void **unused)
{
    struct bench b;
    set_up(&b);
    open_and_read(&b);
    start(&b);
    append(&b, 1);
    pid_t child = fork();
    if (child == 0) {
        hqi_journal_journal_free_forked(b.j);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    append(&b, 2);
    hqi_journal_journal_want_sync(b.j);
    wait_for(&b, is_synced, 2);
    end(&b);
    set_up(&b);
    assert_int_equal(open_and_read(&b), 2);
    end(&b);
}

/* A full disk: what is appended is held, the error says why; with room again all of it is there. */
static void a_full_disk_and_room_again(void **unused)
{
    struct bench b;
    struct disk d;
    disk_init(&d);
    set_up(&b);
    b.opt.io = &d.io;
    open_and_read(&b);
    start(&b);
    append(&b, 1);
    hqi_journal_journal_want_sync(b.j);
    wait_for(&b, is_synced, 1);
    assert_false(hqi_journal_journal_full(b.j));
    d.room = 100;
    append(&b, 2);
    hqi_journal_journal_want_sync(b.j);
    wait_for(&b, is_failing, 1);
    hq_error err;
    assert_int_equal(hqi_journal_journal_error(b.j, &err), HQ_EJOURNAL);
    assert_int_equal(err.sys, ENOSPC);
    assert_non_null(strstr(err.text, "Cannot write event log file at `"));
    assert_non_null(strstr(err.text, "cannot be written: No space left on device (os error 28)"));
    assert_true(hqi_journal_journal_full(b.j));
    append(&b, 3);
    assert_int_equal(hqi_journal_journal_written(b.j), 1);
    d.room = 0;
    wait_for(&b, is_failing, 0);
    wait_for(&b, is_synced, 3);
    assert_false(hqi_journal_journal_full(b.j));
    assert_int_equal(hqi_journal_journal_stop(b.j, NULL), HQ_OK);
    end(&b);
    set_up(&b);
    b.opt.io = &d.io;
    assert_int_equal(open_and_read(&b), 3);
    end(&b);
    disk_fini(&d);
}

static void stopping_on_a_disk_that_fails_says_so(void **unused)
{
    struct bench b;
    struct disk d;
    hq_error err;
    disk_init(&d);
    set_up(&b);
    b.opt.io = &d.io;
    open_and_read(&b);
    start(&b);
    d.fail_at = 1;
    d.fail_kind = DISK_WRITE;
    d.kind_calls = 0;
    d.forever = true;
    append(&b, 1);
    assert_int_equal(hqi_journal_journal_stop(b.j, &err), HQ_EJOURNAL);
    assert_non_null(strstr(err.text, "Input/output error"));
    end(&b);
    disk_fini(&d);
}

static void what_is_too_much_is_refused(void **unused)
{
    struct bench b;
    struct disk d;
    hq_error err;
    disk_init(&d);
    set_up(&b);
    b.opt.io = &d.io;
    open_and_read(&b);
    start(&b);
    d.fail_at = 1;
    d.fail_kind = DISK_WRITE;
    d.kind_calls = 0;
    d.forever = true;
    append(&b, 1);
    const size_t most = JOURNAL_MAX_BYTES - 2 * FRAME_HEADER - strlen("record 1"); /* the bytes are not looked at */
    assert_int_equal(hqi_journal_journal_append(b.j, 2, (struct bytes){"", most + 1}, &err), HQ_ELIMIT);
    assert_non_null(strstr(err.text, "at most 2147483647, and 1610612736 together"));
    append(&b, 2);
    end(&b);
    disk_fini(&d);
}

static void opening_without_memory(void **unused)
{
    for (size_t at = 1;; at++) {
        struct bench b;
        struct failing mem;
        struct journal_record r;
        hq_error err;
        failing_init(&mem, at);
        set_up(&b);
        b.opt.alloc = &mem.alloc;
        int rc = hqi_journal_journal_open(&b.j, path, &b.opt, &err);
        if (rc == HQ_OK) {
            while ((rc = hqi_journal_journal_next(b.j, &r, &err)) > 0)
                ;
            if (rc == 0)
                rc = hqi_journal_journal_start(b.j, "aB3dE9", &err);
            hqi_journal_journal_free(b.j);
        }
        assert_int_equal(rc, mem.hit ? HQ_ENOMEM : HQ_OK);
        assert_int_equal(mem.live, 0);
        close(b.event);
        if (!mem.hit)
            break;
    }
}

static void the_thread_blocks_all_signals(void **unused)
{
    struct bench b;
    char name[64], line[256];
    sigset_t before, after;
    set_up(&b);
    open_and_read(&b);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    start(&b);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal < 64; signal++)
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
    unsigned found = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (const struct dirent *e; (e = readdir(tasks));) {
        snprintf(name, sizeof name, "/proc/self/task/%.20s/status", e->d_name);
        FILE *f = fopen(name, "r");
        bool ours = false;
        while (f && fgets(line, sizeof line, f)) {
            ours = ours || strcmp(line, "Name:\thq-journal\n") == 0;
            if (!ours || strncmp(line, "SigBlk:\t", 8) != 0)
                continue;
            found++;
            assert_int_equal(strtoull(line + 8, NULL, 16) >> (SIGTERM - 1) & 1, 1);
            assert_int_equal(strtoull(line + 8, NULL, 16) >> (SIGCHLD - 1) & 1, 1);
        }
        if (f)
            fclose(f);
    }
    closedir(tasks);
    assert_int_equal(found, 1);
    end(&b);
}

static int enter(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/journal_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/j", dir);
    return 0;
}

static int leave(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(written_synced_and_read_again, enter, leave),
        cmocka_unit_test_setup_teardown(what_nobody_pushed_is_not_forgotten, enter, leave),
        cmocka_unit_test_setup_teardown(progress_is_synced_within_the_flush_period, enter, leave),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_reported_and_cut, enter, leave),
        cmocka_unit_test_setup_teardown(what_is_no_journal_is_refused, enter, leave),
        cmocka_unit_test_setup_teardown(an_empty_file_and_a_piece_of_a_header_are_new_journals, enter, leave),
        cmocka_unit_test_setup_teardown(two_of_one_journal, enter, leave),
        cmocka_unit_test_setup_teardown(a_forked_child_frees_and_touches_nothing, enter, leave),
        cmocka_unit_test_setup_teardown(a_full_disk_and_room_again, enter, leave),
        cmocka_unit_test_setup_teardown(stopping_on_a_disk_that_fails_says_so, enter, leave),
        cmocka_unit_test_setup_teardown(what_is_too_much_is_refused, enter, leave),
        cmocka_unit_test_setup_teardown(opening_without_memory, enter, leave),
        cmocka_unit_test_setup_teardown(the_thread_blocks_all_signals, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
