/* SPDX-License-Identifier: MIT */
/* lock_test.c - one owner, among processes and threads; dead owners; owners elsewhere. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/lock.h"

#define CROWD 16u

static char path[64];

static void put_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void expect_refused(const char *text)
{
    struct lock l;
    hq_error err;
    assert_int_equal(hqi_journal_lock_take(&l, path, &err), HQ_EEXIST);
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
    assert_int_equal(l.fd, -1);
}

static void taken_and_given(void **unused)
{
    struct lock l;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hqi_journal_lock_take(&l, path, NULL), HQ_OK);
        assert_false(l.taken_over);
        assert_int_equal(hqi_journal_lock_check(&l, NULL), HQ_OK);
        hqi_journal_lock_give(&l);
        assert_int_equal(access(path, F_OK), -1);
    }
}

/* The refused one closes a descriptor of the file, which drops the first one's record lock: check() takes it again. */
static void one_process_is_refused_too(void **unused)
{
    struct lock l;
    char name[32];
    assert_int_equal(hqi_journal_lock_take(&l, path, NULL), HQ_OK);
    snprintf(name, sizeof name, "pid %d on", (int)getpid());
    expect_refused(name);
    assert_int_equal(hqi_journal_lock_check(&l, NULL), HQ_OK);
    pid_t child = fork();
    if (child == 0) { /* it must not be our pid that keeps it out */
        put_file("nobody\n");
        struct lock mine;
        _exit(hqi_journal_lock_take(&mine, path, NULL) == HQ_EEXIST ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    hqi_journal_lock_give_forked(&l);
    unlink(path);
}

/* ---- many at once ---- */

static pthread_barrier_t barrier;
static atomic_uint winners;

static void *rush(void *user)
{
    struct lock *l = user;
    pthread_barrier_wait(&barrier);
    if (hqi_journal_lock_take(l, path, NULL) == HQ_OK)
        atomic_fetch_add(&winners, 1);
    return NULL;
}

static void of_many_threads_one_wins(void **unused)
{
    for (unsigned round = 0; round < 50; round++) {
        struct lock l[CROWD];
        pthread_t t[CROWD];
        atomic_store(&winners, 0);
        pthread_barrier_init(&barrier, NULL, CROWD);
        for (unsigned i = 0; i < CROWD; i++)
            assert_int_equal(pthread_create(&t[i], NULL, rush, &l[i]), 0);
        for (unsigned i = 0; i < CROWD; i++)
            pthread_join(t[i], NULL);
        pthread_barrier_destroy(&barrier);
        assert_int_equal(atomic_load(&winners), 1);
        for (unsigned i = 0; i < CROWD; i++)
            if (l[i].fd >= 0) {
                assert_int_equal(hqi_journal_lock_check(&l[i], NULL), HQ_OK);
                hqi_journal_lock_give(&l[i]);
            }
    }
}

/* Each child that has it says so, and keeps it until all have tried. */
static void of_many_processes_one_wins(void **unused)
{
    for (unsigned round = 0; round < 20; round++) {
        int go[2], tell[2], hold[2];
        pid_t child[CROWD];
        char said[CROWD];
        assert_int_equal(pipe(go) | pipe(tell) | pipe(hold), 0);
        for (unsigned i = 0; i < CROWD; i++) {
            child[i] = fork();
            if (child[i] != 0)
                continue;
            struct lock l;
            char c;
            close(go[1]);
            close(hold[1]);
            if (read(go[0], &c, 1) != 0)
                _exit(1);
            c = hqi_journal_lock_take(&l, path, NULL) == HQ_OK ? 'y' : 'n';
            if (write(tell[1], &c, 1) != 1 || read(hold[0], &c, 1) != 0)
                _exit(1);
            _exit(0); /* as if killed: nothing is given up */
        }
        close(go[0]);
        close(go[1]);
        close(hold[0]);
        unsigned n = 0;
        for (unsigned i = 0; i < CROWD; i++) {
            assert_int_equal(read(tell[0], &said[i], 1), 1);
            n += said[i] == 'y';
        }
        assert_int_equal(n, 1);
        close(hold[1]);
        close(tell[0]);
        close(tell[1]);
        for (unsigned i = 0; i < CROWD; i++)
            waitpid(child[i], NULL, 0);
    }
    unlink(path);
}

/* ---- owners that are gone ---- */

/* A child of the dead owner lives, and has its descriptors. */
static void a_dead_owner_with_a_living_child(void **unused)
{
    int hold[2], tell[2];
    char c;
    assert_int_equal(pipe(hold) | pipe(tell), 0);
    pid_t owner = fork();
    if (owner == 0) {
        struct lock l;
        close(hold[1]);
        c = hqi_journal_lock_take(&l, path, NULL) == HQ_OK ? 'y' : 'n';
        if (fork() == 0) {
            c = write(tell[1], &c, 1) == 1 && read(hold[0], &c, 1) == 0;
            _exit(0);
        }
        pause();
    }
    assert_int_equal(read(tell[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    expect_refused("in use by the server with pid");
    kill(owner, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)owner, &info, WEXITED | WNOWAIT), 0); /* dead, and not asked for yet */
    struct lock l;
    assert_int_equal(hqi_journal_lock_take(&l, path, NULL), HQ_OK);
    assert_false(l.taken_over); /* it cannot write any more */
    hqi_journal_lock_give(&l);
    waitpid(owner, NULL, 0);
    close(hold[1]);
    close(hold[0]);
    close(tell[0]);
    close(tell[1]);
}

/* No record lock of theirs is seen here: it is taken, but what they had open may still be written to. */
static void an_owner_elsewhere(void **unused)
{
    struct lock l;
    put_file("hqcore-journal-lock 1 host elsewhere boot b00 pid 7 start 1 token 00000000000000ff\n");
    assert_int_equal(hqi_journal_lock_take(&l, path, NULL), HQ_OK);
    assert_true(l.taken_over);
    put_file("hqcore-journal-lock 1 host elsewhere boot b00 pid 7 start 1 token 0000000000000100\n");
    hq_error err;
    assert_int_equal(hqi_journal_lock_check(&l, &err), HQ_EEXIST);
    assert_non_null(strstr(err.text, "pid 7 on elsewhere"));
    hqi_journal_lock_give(&l);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

static void nonsense_in_the_file(void **unused)
{
    static const char *const texts[] = {"", "\n", "hqcore-journal-lock 1 host", "\xff\xfe", "hqcore-journal-lock 1 host h boot b pid x"};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct lock l;
        put_file(texts[i]);
        assert_int_equal(hqi_journal_lock_take(&l, path, NULL), HQ_OK);
        assert_int_equal(hqi_journal_lock_check(&l, NULL), HQ_OK);
        hqi_journal_lock_give(&l);
    }
}

static void a_place_that_does_not_exist(void **unused)
{
    struct lock l;
    hq_error err;
    char nowhere[] = "/nonexistent/j.lock";
    assert_int_equal(hqi_journal_lock_take(&l, nowhere, &err), HQ_EJOURNAL);
    assert_non_null(strstr(err.text, "/nonexistent/j.lock: No such file or directory (os error 2)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_and_given),
        cmocka_unit_test(one_process_is_refused_too),
        cmocka_unit_test(of_many_threads_one_wins),
        cmocka_unit_test(of_many_processes_one_wins),
        cmocka_unit_test(a_dead_owner_with_a_living_child),
        cmocka_unit_test(an_owner_elsewhere),
        cmocka_unit_test(nonsense_in_the_file),
        cmocka_unit_test(a_place_that_does_not_exist),
    };
    snprintf(path, sizeof path, "/tmp/lock_test.%d.lock", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
