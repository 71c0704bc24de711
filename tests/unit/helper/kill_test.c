/* SPDX-License-Identifier: MIT */
/* kill_test.c HQ-HELPER - kills, time limits, and what is left when worker or helper end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "session.h"

static const char *program;

static int setup(void **state)
{
    struct session *s = malloc(sizeof *s);
    session_start(s, program);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct session *s = *state;
    session_remove(s);
    free(s);
    return 0;
}

static uint64_t now_ms(void)
{
    return hqi_base_clock_now().mono_ns / HQI_MS;
}

static void test_kill_is_a_sigint_first(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "trap 'exit 42' INT; echo $$ > pid; while :; do read x < fifo; done");
    uint64_t key = session_launch(s, 1, 0);
    session_read_pid(s, "pid");
    session_send_key(s, TO_HELPER_KILL, key);
    assert_int_equal(session_wait_ended(s, key)->code, 42);
    assert_int_equal(session_end(s), 0);
}

static void test_kill_of_a_group_that_ignores_sigint(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "trap '' INT; sleep 1000 & echo $! > pid; wait");
    uint64_t key = session_launch(s, 1, 0);
    pid_t inner = (pid_t)session_read_pid(s, "pid");
    uint64_t before = now_ms();
    session_send_key(s, TO_HELPER_KILL, key);
    session_send_key(s, TO_HELPER_KILL, key); /* the first counts */
    assert_int_equal(session_wait_ended(s, key)->code, HQ_CODE_SIGNAL + SIGKILL);
    assert_in_range(now_ms() - before, 990, 4000);
    assert_true(is_gone_within(inner, 1000));
    assert_int_equal(session_end(s), 0);
}

static void test_kill_reaches_members_that_outlive_their_leader(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "trap 'exit 3' INT; sh -c 'trap \"\" INT; echo $$ > pid; exec sleep 1000' & wait");
    uint64_t key = session_launch(s, 1, 0);
    pid_t inner = (pid_t)session_read_pid(s, "pid");
    session_send_key(s, TO_HELPER_KILL, key);
    session_wait_ended(s, key);
    assert_true(is_gone_within(inner, 4000));
    assert_int_equal(session_end(s), 0);
}

static void test_descendants_of_a_finished_task_live_on(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "sleep 1000 & echo $! > pid");
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 0))->code, 0);
    pid_t inner = (pid_t)session_read_pid(s, "pid");
    session_shell(s, 2, "exit 0");
    session_wait_ended(s, session_launch(s, 2, 0));
    assert_false(is_gone_within(inner, 0));
    assert_int_equal(session_end(s), 0);
    assert_true(is_gone_within(inner, 0)); /* until the worker ends */
}

static void test_time_limit(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"sh", "-c", "trap 'exit 0' INT; while :; do read x < fifo; done", NULL};
    session_spec(s, 1, argv, &(struct helper_spec){.time_limit_ms = 200});
    uint64_t key = session_launch(s, 1, 0);
    struct helper_ended e = *session_wait_ended(s, key);
    assert_int_equal(e.code, HQ_CODE_TIME_LIMIT); /* although it exited with 0 */
    assert_in_range(e.duration_ms, 200, 3000);

    const char *quick[] = {"true", NULL};
    session_spec(s, 2, quick, &(struct helper_spec){.time_limit_ms = 5000});
    assert_int_equal(session_wait_ended(s, session_launch(s, 2, 0))->code, 0);
    assert_int_equal(session_end(s), 0);
}

static void test_kill_of_a_staged_task_takes_it_back(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "read x < fifo");
    uint64_t a = session_launch(s, 1, 0), b = session_launch(s, 1, a);
    session_send_key(s, TO_HELPER_KILL, b);
    session_wait(s, FROM_HELPER_UNSTAGED, b);
    session_release(s);
    session_wait_ended(s, a);
    assert_int_equal(session_end(s), 0);
}

static void test_a_killed_task_hands_over_to_the_next(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "read x < fifo");
    session_shell(s, 2, "exit 6");
    uint64_t a = session_launch(s, 1, 0), b = session_launch(s, 2, a);
    session_send_key(s, TO_HELPER_KILL, a);
    assert_int_equal(session_wait_ended(s, b)->code, 6);
    assert_int_equal(session_find(s, FROM_HELPER_ENDED, a)->u.ended.code, HQ_CODE_SIGNAL + SIGINT);
    assert_int_equal(session_end(s), 0);
}

static void test_end_reports_and_leaves_nobody(void **state)
{
    struct session *s = *state;
    session_shell(s, 1,
                  "setsid sh -c 'setsid sleep 1000 & echo $! > pid1'; trap '' INT; echo $$ > pid2; "
                  "while :; do sleep 1000; done");
    session_shell(s, 2, "read x < fifo");
    uint64_t a = session_launch(s, 1, 0), b = session_launch(s, 2, 0), c = session_launch(s, 2, b);
    pid_t daemon = (pid_t)session_read_pid(s, "pid1"), leader = (pid_t)session_read_pid(s, "pid2");
    uint64_t before = now_ms();
    assert_int_equal(session_end(s), 0);
    assert_in_range(now_ms() - before, 990, 4900);
    assert_int_equal(session_find(s, FROM_HELPER_ENDED, a)->u.ended.code, HQ_CODE_SIGNAL + SIGKILL);
    assert_int_equal(session_find(s, FROM_HELPER_ENDED, b)->u.ended.code, HQ_CODE_SIGNAL + SIGINT);
    assert_non_null(session_find(s, FROM_HELPER_UNSTAGED, c));
    assert_true(is_gone_within(daemon, 0));
    assert_true(is_gone_within(leader, 0));
}

/* ---- the end of the worker ---- */

#define DEEP                                                                                             \
    "setsid sh -c 'setsid sleep 1000 & echo $! > pid1'; (trap '' INT TERM HUP; sleep 1000) & echo $! > " \
    "pid2; "                                                                                             \
    "echo $$ > pid3; wait"

/* Plays the worker: starts a helper with a task, says so through `out`, and sleeps. */
static void play_worker(int out)
{
    struct session s;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* not to be left when the test itself is stopped */
    setpgid(0, 0);
    session_start(&s, program);
    session_shell(&s, 1, DEEP);
    session_launch(&s, 1, 0);
    for (int i = 1; i <= 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "pid%d", i);
        session_read_pid(&s, name);
    }
    if (write(out, &s, sizeof s) != sizeof s)
        _exit(1);
    if (fork() == 0) /* holds the socket open: the helper sees no end of file */
        prctl(PR_SET_PDEATHSIG, 0);
    for (;;)
        pause();
}

static void check_death(bool whole_group)
{
    struct session s;
    int ends[2];
    pid_t pids[4];
    assert_int_equal(pipe(ends), 0);
    pid_t worker = fork();
    if (worker == 0)
        play_worker(ends[1]);
    assert_int_equal(read(ends[0], &s, sizeof s), sizeof s);
    hqi_base_arena_init(&s.mem, &hqi_base_alloc_libc); /* only its names are of use here */
    pids[0] = s.pid;
    for (int i = 1; i <= 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "pid%d", i);
        pids[i] = (pid_t)session_read_pid(&s, name);
        assert_false(is_gone_within(pids[i], 0));
    }
    if (whole_group)
        kill(-worker, SIGKILL);
    kill(worker, SIGKILL);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    for (int i = 0; i <= 3; i++)
        assert_true(is_gone_within(pids[i], 5000));
    kill(-worker, SIGKILL); /* the one that held the socket */
    close(ends[0]);
    close(ends[1]);
    s.fd = -1;
    s.events = NULL;
    hqi_base_buf_init(&s.packet, &hqi_base_alloc_libc);
    session_remove(&s);
}

static void test_nobody_survives_the_worker(void **state)
{
    check_death(false);
}

static void test_nobody_survives_the_group_of_the_worker(void **state)
{
    check_death(true);
}

static void test_end_of_file_is_enough(void **state)
{
    struct session *s = *state;
    int status;
    session_shell(s, 1, DEEP);
    session_launch(s, 1, 0);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "pid%d", i + 1);
        pids[i] = (pid_t)session_read_pid(s, name);
    }
    close(s->fd);
    s->fd = -1;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 3; i++)
        assert_true(is_gone_within(pids[i], 0));
}

static void test_tasks_die_with_a_killed_helper(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "echo $$ > pid; while :; do read x < fifo; done");
    session_launch(s, 1, 0);
    pid_t task = (pid_t)session_read_pid(s, "pid");
    kill(s->pid, SIGKILL);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
    assert_true(is_gone_within(task, 5000));
}

static void test_nonsense_ends_the_helper(void **state)
{
    struct session *s = *state;
    int status;
    assert_int_equal(write(s->fd, "\xff\xff\xff\xff", 4), 4);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_a_key_used_twice_ends_the_helper(void **state)
{
    struct session *s = *state;
    int status;
    session_shell(s, 1, "read x < fifo");
    struct helper_launch l = session_launch_of(s, 1, 0);
    session_send_launch(s, &l);
    session_send_launch(s, &l);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_signals_to_the_helper_do_nothing(void **state)
{
    struct session *s = *state;
    const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGALRM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        kill(s->pid, signals[i]);
    session_shell(s, 1, "exit 0");
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 0))->code, 0);
    assert_int_equal(session_end(s), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_kill_is_a_sigint_first),
        CASE(test_kill_of_a_group_that_ignores_sigint),
        CASE(test_kill_reaches_members_that_outlive_their_leader),
        CASE(test_descendants_of_a_finished_task_live_on),
        CASE(test_time_limit),
        CASE(test_kill_of_a_staged_task_takes_it_back),
        CASE(test_a_killed_task_hands_over_to_the_next),
        CASE(test_end_reports_and_leaves_nobody),
        CASE(test_end_of_file_is_enough),
        CASE(test_tasks_die_with_a_killed_helper),
        CASE(test_nonsense_ends_the_helper),
        CASE(test_a_key_used_twice_ends_the_helper),
        CASE(test_signals_to_the_helper_do_nothing),
#undef CASE
        cmocka_unit_test(test_nobody_survives_the_worker),
        cmocka_unit_test(test_nobody_survives_the_group_of_the_worker),
    };
    if (argc != 2)
        return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
