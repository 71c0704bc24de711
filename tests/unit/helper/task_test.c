/* SPDX-License-Identifier: MIT */
/* task_test.c HQ-HELPER - launches, stages and ends tasks through a real helper. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "helper/proc.h"
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
    assert_int_equal(session_end(s), 0);
    session_remove(s);
    free(s);
    return 0;
}

static void assert_text(struct bytes text, const char *expected)
{
    char *got = strndup(text.p ? text.p : "", text.n);
    assert_string_equal(got, expected);
    free(got);
}

/* ---- ends ---- */

static void test_codes(void **state)
{
    static const struct {
        const char *script;
        uint16_t code;
    } cases[] = {
        {"exit 0", 0},
        {"exit 3", 3},
        {"exit 255", 255},
        {"kill -KILL $$", HQ_CODE_SIGNAL + SIGKILL},
        {"kill -TERM $$", HQ_CODE_SIGNAL + SIGTERM},
        {"kill -USR1 $$", HQ_CODE_SIGNAL + SIGUSR1},
        {"kill -PIPE $$", HQ_CODE_SIGNAL + SIGPIPE},
    };
    struct session *s = *state;
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session_shell(s, i, cases[i].script);
        const struct helper_ended *e = session_wait_ended(s, session_launch(s, i, 0));
        assert_int_equal(e->code, cases[i].code);
        assert_int_equal(e->text.n, 0);
        assert_true(e->max_rss_kb > 0);
        assert_true(e->age_ms >= e->duration_ms);
    }
}

static void test_usage(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
    const struct helper_ended *e = session_wait_ended(s, session_launch(s, 1, 0));
    assert_int_equal(e->code, 0);
    assert_true(e->user_us + e->system_us > 1000);
    assert_true((e->user_us + e->system_us) / 1000 <= e->duration_ms + 20);
}

static void test_started_names_the_process(void **state)
{
    struct session *s = *state;
    struct proc_stat st;
    session_shell(s, 1, "read x < fifo; exit 4");
    uint64_t key = session_launch(s, 1, 0);
    struct helper_started started = session_wait(s, FROM_HELPER_STARTED, key)->u.started;
    assert_int_equal(getsid(started.pid), started.pid);
    assert_int_equal(getpgid(started.pid), started.pid);
    assert_true(hqi_helper_proc_stat(started.pid, &st));
    assert_int_equal(st.parent, s->pid);
    assert_int_equal(st.start_ticks, started.start_ticks);
    session_release(s);
    assert_int_equal(session_wait_ended(s, key)->code, 4);
}

/* No descriptor but 0, 1, 2; no blocked or ignored signal; the limit of open files that was asked for. */
static void test_nothing_leaks_into_a_task(void **state)
{
    struct session *s = *state;
    session_shell(s, 1,
                  "ls /proc/self/fd | wc -l > fds; ulimit -Sn > nofile; "
                  "grep -E '^Sig(Blk|Ign)' /proc/self/status > signals; ulimit -Sn");
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 0))->code, 0);
    assert_string_equal(session_read(s, "fds"), "4\n"); /* ls has its directory open */
    assert_string_equal(session_read(s, "nofile"), "512\n");
    assert_string_equal(session_read(s, "signals"), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

/* ---- environment ---- */

static void test_environment_in_layers(void **state)
{
    struct session *s = *state;
    const struct env_var of_spec[] = {{bytes_of("A"), bytes_of("spec")},
                                      {bytes_of("B"), bytes_of("spec")},
                                      {bytes_of("HQ_TEST_BASE2"), bytes_of("spec")}};
    const struct env_var of_launch[] = {{bytes_of("B"), bytes_of("launch")},
                                        {bytes_of("C"), bytes_of("first")},
                                        {bytes_of("C"), bytes_of("a b=c")}};
    const char *argv[] = {"sh", "-c", "echo $HQ_TEST_BASE1 $HQ_TEST_BASE2 $A $B $C; env | grep -c '^[BC]='",
                          NULL};
    session_spec(s, 1, argv, &(struct helper_spec){.env = of_spec, .n_env = 3});
    struct helper_launch l = session_launch_of(s, 1, 0);
    l.env = of_launch;
    l.n_env = 3;
    l.out = bytes_of("out");
    assert_int_equal(session_wait_ended(s, session_send_launch(s, &l))->code, 0);
    assert_string_equal(session_read(s, "out"), "one spec spec launch a b=c\n2\n");
}

static void test_program_is_found_on_the_path_of_the_task(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"greet", "you", NULL};
    char *dir = session_path(s, "bin");
    assert_int_equal(mkdir(dir, 0700), 0);
    write_file(dir, "greet", "#!/bin/sh\necho hello $1\n", 0755);
    const struct env_var path = {bytes_of("PATH"), bytes_of("/nowhere:bin:/usr/bin")}; /* "bin" of the cwd */
    session_spec(s, 1, argv, NULL);
    struct helper_launch l = session_launch_of(s, 1, 0);
    l.env = &path;
    l.n_env = 1;
    l.out = bytes_of("out");
    assert_int_equal(session_wait_ended(s, session_send_launch(s, &l))->code, 0);
    assert_string_equal(session_read(s, "out"), "hello you\n");
}

static void test_prefix_comes_first(void **state)
{
    struct session *s = *state;
    const struct bytes prefix[] = {bytes_of("env"), bytes_of("X=5")};
    session_shell(s, 1, "exit $X");
    struct helper_launch l = session_launch_of(s, 1, 0);
    l.prefix = prefix;
    l.n_prefix = 2;
    assert_int_equal(session_wait_ended(s, session_send_launch(s, &l))->code, 5);
}

static void test_a_script_without_interpreter_goes_to_the_shell(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"./script", "7", NULL};
    write_file(s->dir, "script", "exit $1\n", 0755);
    session_spec(s, 1, argv, NULL);
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 0))->code, 7);
}

/* ---- staging ---- */

static void test_a_chain_runs_in_order(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "read x < fifo; echo first >> log; exit 1");
    session_shell(s, 2, "echo second >> log; kill -KILL $$");
    session_shell(s, 3, "echo third >> log");
    const char *missing[] = {"/nonexistent", NULL};
    session_spec(s, 4, missing, NULL);
    uint64_t a = session_launch(s, 1, 0), b = session_launch(s, 2, a), c = session_launch(s, 4, b);
    uint64_t d = session_launch(s, 3, c);
    session_wait(s, FROM_HELPER_STARTED, a);
    assert_int_equal(access(session_path(s, "log"), F_OK), -1);
    session_release(s);
    assert_int_equal(session_wait_ended(s, d)->code, 0);
    assert_int_equal(session_find(s, FROM_HELPER_ENDED, a)->u.ended.code, 1);
    assert_int_equal(session_find(s, FROM_HELPER_ENDED, b)->u.ended.code, HQ_CODE_SIGNAL + SIGKILL);
    assert_int_equal(session_find(s, FROM_HELPER_ENDED, c)->u.ended.code, HQ_CODE_TEXT);
    assert_string_equal(session_read(s, "log"), "first\nsecond\nthird\n");
}

static void test_after_nobody_starts_now(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "exit 0");
    uint64_t first = session_launch(s, 1, 0);
    session_wait_ended(s, first);
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, first))->code, 0);
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 123456))->code, 0);
}

static void test_unstaged_leaves_those_behind_to_the_one_before(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "read x < fifo");
    session_shell(s, 2, "echo ran >> log");
    uint64_t a = session_launch(s, 1, 0), b = session_launch(s, 2, a), c = session_launch(s, 2, b);
    session_send_key(s, TO_HELPER_UNSTAGE, b);
    session_wait(s, FROM_HELPER_UNSTAGED, b);
    assert_int_equal(access(session_path(s, "log"), F_OK), -1); /* c waits for a now */
    session_release(s);
    assert_int_equal(session_wait_ended(s, c)->code, 0);
    assert_null(session_find(s, FROM_HELPER_ENDED, b));
    assert_string_equal(session_read(s, "log"), "ran\n");
}

static void test_unstage_of_what_has_started_is_not_answered(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "read x < fifo");
    uint64_t a = session_launch(s, 1, 0);
    session_wait(s, FROM_HELPER_STARTED, a);
    session_send_key(s, TO_HELPER_UNSTAGE, a);
    session_send_key(s, TO_HELPER_UNSTAGE, 999);
    session_release(s);
    assert_int_equal(session_wait_ended(s, a)->code, 0);
    session_send_key(s, TO_HELPER_UNSTAGE, a);
    uint64_t b = session_launch(s, 1, 0);
    session_release(s);
    session_wait_ended(s, b);
    assert_null(session_find(s, FROM_HELPER_UNSTAGED, a));
    assert_null(session_find(s, FROM_HELPER_UNSTAGED, 999));
}

static void test_the_next_starts_before_the_report(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "exit 0");
    session_shell(s, 2, "read x < fifo");
    uint64_t a = session_launch(s, 2, 0), b = session_launch(s, 1, a), c = session_launch(s, 2, b);
    uint64_t d = session_launch(s, 1, c); /* staged, so that reports may wait for others */
    session_release(s);
    session_wait(s, FROM_HELPER_STARTED, c);
    assert_non_null(session_find(s, FROM_HELPER_ENDED, a));
    assert_non_null(session_find(s, FROM_HELPER_ENDED, b));
    session_release(s);
    session_wait_ended(s, d);
}

/* ---- files ---- */

static void test_outputs_and_their_directories_are_made(void **state)
{
    struct session *s = *state;
    struct stat st;
    session_shell(s, 1, "echo to out; echo to err >&2; pwd > where");
    struct helper_launch l = session_launch_of(s, 1, 0);
    char *cwd = session_path(s, "a/b/c");
    l.cwd = bytes_of(cwd);
    l.out = bytes_of("job-1/deep/0.stdout");
    l.err = bytes_of(session_path(s, "elsewhere/0.stderr"));
    assert_int_equal(session_wait_ended(s, session_send_launch(s, &l))->code, 0);
    assert_string_equal(session_read(s, "a/b/c/job-1/deep/0.stdout"), "to out\n");
    assert_string_equal(session_read(s, "elsewhere/0.stderr"), "to err\n");
    assert_int_equal(strncmp(session_read(s, "a/b/c/where"), cwd, strlen(cwd)), 0);
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(session_path(s, "elsewhere/0.stderr"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666 & ~mask);
}

static void test_outputs_are_truncated(void **state)
{
    struct session *s = *state;
    write_file(s->dir, "out", "something long from before\n", 0644);
    session_shell(s, 1, "echo new");
    struct helper_launch l = session_launch_of(s, 1, 0);
    l.out = bytes_of("out");
    assert_int_equal(session_wait_ended(s, session_send_launch(s, &l))->code, 0);
    assert_string_equal(session_read(s, "out"), "new\n");
}

static void test_rm_if_finished(void **state)
{
    static const struct {
        const char *script;
        bool rm_out, rm_err, has_out, has_err;
    } cases[] = {
        {"exit 0", true, true, false, false},   {"exit 0", true, false, false, true},
        {"exit 0", false, true, true, false},   {"exit 1", true, true, true, true},
        {"kill -9 $$", true, true, true, true},
    };
    struct session *s = *state;
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session_shell(s, i, cases[i].script);
        struct helper_launch l = session_launch_of(s, i, 0);
        l.out = bytes_of("out");
        l.err = bytes_of(session_path(s, "err"));
        l.rm_out = cases[i].rm_out;
        l.rm_err = cases[i].rm_err;
        session_wait_ended(s, session_send_launch(s, &l));
        assert_int_equal(access(session_path(s, "out"), F_OK) == 0, cases[i].has_out);
        assert_int_equal(access(session_path(s, "err"), F_OK) == 0, cases[i].has_err);
    }
}

static void test_fifo_as_output(void **state)
{
    struct session *s = *state;
    char text[16] = "";
    session_shell(s, 1, "cat /proc/self/fdinfo/1 | grep flags > flags; echo piped");
    struct helper_launch l = session_launch_of(s, 1, 0);
    l.out = bytes_of("fifo");
    const struct helper_ended *e = session_wait_ended(s, session_send_launch(s, &l));
    assert_int_equal(e->code, HQ_CODE_TEXT); /* nobody reads: an error, not a hang */
    assert_text(e->text, "Creating stream file failed: No such device or address (os error 6)");

    int fd = open(s->fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    l.key = s->next_key++;
    assert_int_equal(session_wait_ended(s, session_send_launch(s, &l))->code, 0);
    assert_int_equal(read(fd, text, sizeof text - 1), 6);
    assert_string_equal(text, "piped\n");
    close(fd);
}

static void test_stdin_for_each_task(void **state)
{
    enum { TASKS = 20, BYTES = 300000 };
    struct session *s = *state;
    const char *argv[] = {"sh", "-c", "cksum > sum-$N; [ ! -w /dev/fd/0 ] || true", NULL};
    char *data = malloc(BYTES);
    uint64_t keys[TASKS];
    for (int i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7 + i / 251);
    session_spec(s, 1, argv, &(struct helper_spec){.stdin_data = {data, BYTES}});
    free(data);
    for (int i = 0; i < TASKS; i++) {
        char number[8];
        snprintf(number, sizeof number, "%d", i);
        const struct env_var n = {bytes_of("N"), bytes_of(number)};
        struct helper_launch l = session_launch_of(s, 1, 0);
        l.env = &n;
        l.n_env = 1;
        keys[i] = session_send_launch(s, &l);
    }
    session_send(s, &(struct to_helper){.kind = TO_HELPER_DROP, .u.drop = 1}, 1); /* those launched keep it */
    for (int i = 0; i < TASKS; i++) {
        char name[16];
        assert_int_equal(session_wait_ended(s, keys[i])->code, 0);
        snprintf(name, sizeof name, "sum-%d", i);
        assert_string_equal(session_read(s, name), session_read(s, "sum-0"));
        assert_non_null(strstr(session_read(s, name), " 300000\n"));
    }
}

static void test_without_stdin_there_is_end_of_file(void **state)
{
    struct session *s = *state;
    session_shell(s, 1, "read x; echo $? > status");
    session_wait_ended(s, session_launch(s, 1, 0));
    assert_string_equal(session_read(s, "status"), "1\n");
}

/* ---- task directories ---- */

static void shell_with_dir(struct session *s, uint32_t number, const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    session_spec(s, number, argv, &(struct helper_spec){.task_dir = true});
}

static void test_task_dir(void **state)
{
    struct session *s = *state;
    struct stat st;
    shell_with_dir(s, 1,
                   "echo $HQ_TASK_DIR > dir; [ $HQ_ERROR_FILENAME = $HQ_TASK_DIR/hq-error ] && "
                   "stat -c %a $HQ_TASK_DIR >> dir; mkdir -p $HQ_TASK_DIR/x/y; echo > $HQ_TASK_DIR/x/y/z; "
                   "ln -s $PWD $HQ_TASK_DIR/link");
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 0))->code, 0);
    const char *dir = session_read(s, "dir");
    const char *line = strchr(dir, '\n');
    assert_string_equal(line, "\n700\n");
    char *path = strndup(dir, (size_t)(line - dir));
    char *work = session_path(s, "work/t");
    assert_int_equal(strncmp(path, work, strlen(work)), 0);
    assert_int_equal(strlen(path), strlen(work) + 6);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(access(session_path(s, "dir"), F_OK), 0); /* the link was not followed */
    free(path);
}

static void test_large_task_dir_is_removed(void **state)
{
    struct session *s = *state;
    struct stat st;
    shell_with_dir(s, 1,
                   "cd $HQ_TASK_DIR; for d in 1 2 3 4 5 6 7; do mkdir -p $d/$d; (cd $d/$d; "
                   "for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9; do > $i$j; done; done); done");
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 0))->code, 0);
    char *below = session_path(s, "work");
    for (int i = 0; i < 2000 && stat(below, &st) == 0 && st.st_nlink > 2; i++)
        usleep(5000); /* a child process of the helper is at it */
    assert_int_equal(rmdir(below), 0);
}

static void test_error_file(void **state)
{
    static const struct {
        const char *script;
        uint16_t code;
        const char *text; /* NULL: 2048 times 'x', and that it was cut */
    } cases[] = {
        {"printf 'it broke' > $HQ_ERROR_FILENAME; exit 1", HQ_CODE_TEXT, "it broke"},
        {"printf 'it broke\\n' > $HQ_ERROR_FILENAME; kill -9 $$", HQ_CODE_TEXT, "it broke\n"},
        {"printf 'a\\377b' > $HQ_ERROR_FILENAME; exit 1", HQ_CODE_TEXT,
         "a\xef\xbf\xbd"
         "b"},
        {"> $HQ_ERROR_FILENAME; exit 1", HQ_CODE_TEXT, "Task created an error file, but it is empty"},
        {"printf 'ignored' > $HQ_ERROR_FILENAME; exit 0", 0, ""},
        {"exit 9", 9, ""},
        {"mkdir $HQ_ERROR_FILENAME; exit 9", 9, ""},
        {"printf '%02048d' 0 | tr 0 x > $HQ_ERROR_FILENAME; exit 1", HQ_CODE_TEXT, NULL},
        {"printf '%03000d' 0 | tr 0 x > $HQ_ERROR_FILENAME; exit 1", HQ_CODE_TEXT, NULL},
    };
    struct session *s = *state;
    char cut[2100];
    memset(cut, 'x', 2048);
    strcpy(cut + 2048, "\n[The message was truncated]");
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        shell_with_dir(s, i, cases[i].script);
        const struct helper_ended *e = session_wait_ended(s, session_launch(s, i, 0));
        assert_int_equal(e->code, cases[i].code);
        assert_text(e->text, cases[i].text ? cases[i].text : cut);
    }
}

/* ---- what cannot be started ---- */

struct refusal {
    const char *argv[4];
    const char *cwd, *out, *err; /* in DIR; NULL: DIR, none, none */
    uint16_t code;
    const char *text; /* @: DIR */
};

/* clang-format off: one case, one paragraph */
static const struct refusal refusals[] = {
    {{"nonexistent-program", "a b", "\"q\"\n"},
     NULL,
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Cannot execute \"nonexistent-program a b \\\"q\\\"\\n\": No such file or directory (os error 2)\n"
     "The program that you have tried to execute (`nonexistent-program`) was not found."},
    {{"./nonexistent"},
     NULL,
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Cannot execute \"./nonexistent\": No such file or directory (os error 2)\n"
     "The program that you have tried to execute (`./nonexistent`) was not found."},
    {{"here"},
     NULL,
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Cannot execute \"here\": No such file or directory (os error 2)\n"
     "The program that you have tried to execute (`here`) was not found.\n"
     "The file `@/here` exists, maybe you have meant `./here` instead?"},
    {{"./plain.sh"},
     NULL,
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Cannot execute \"./plain.sh\": Permission denied (os error 13)\n"
     "The script that you have tried to execute (`./plain.sh`) is not executable.\n"
     "Try making it executable or add a shebang line to it."},
    {{"./plain"},
     NULL,
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Cannot execute \"./plain\": Permission denied (os error 13)"},
    {{""},
     NULL,
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Cannot execute \"\": No such file or directory (os error 2)\n"
     "The program that you have tried to execute (``) was not found."},
    {{"true"},
     "plain/below",
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Could not create working directory: Not a directory (os error 20)"},
    {{"true"},
     "plain",
     NULL,
     NULL,
     HQ_CODE_TEXT,
     "Could not create working directory: File exists (os error 17)"},
    {{"true"}, NULL, "bin", NULL, HQ_CODE_TEXT, "Creating stream file failed: Is a directory (os error 21)"},
    {{"true"}, NULL, NULL, "bin", HQ_CODE_TEXT, "Creating stream file failed: Is a directory (os error 21)"},
    {{"true"},
     NULL,
     "loop",
     NULL,
     HQ_CODE_TEXT,
     "Creating stream file failed: Too many levels of symbolic links (os error 40)"},
    {{"true"},
     NULL,
     "plain/out",
     NULL,
     HQ_CODE_LAUNCH,
     "Cannot create stdout directory at File { path: \"plain/out\", on_close: None }: File exists (os error "
     "17)"},
    {{"true"},
     NULL,
     NULL,
     "plain/x/err",
     HQ_CODE_LAUNCH,
     "Cannot create stderr directory at File { path: \"plain/x/err\", on_close: None }: Not a directory (os "
     "error 20)"},
    {{"true"},
     "plain/below",
     "job-1/0.stdout",
     NULL,
     HQ_CODE_LAUNCH,
     "Cannot create stdout directory at File { path: \"job-1/0.stdout\", on_close: None }: "
     "Not a directory (os error 20)"},
};
/* clang-format on */

static char *with_dir(struct session *s, const char *text)
{
    const char *at = strchr(text, '@');
    return at ? hqi_base_arena_printf(&s->mem, "%.*s%s%s", (int)(at - text), text, s->dir, at + 1)
              : hqi_base_arena_printf(&s->mem, "%s", text);
}

static void test_texts_of_refusals(void **state)
{
    struct session *s = *state;
    write_file(s->dir, "here", "exit 0\n", 0755);
    write_file(s->dir, "plain.sh", "exit 0\n", 0644);
    write_file(s->dir, "plain", "exit 0\n", 0644);
    assert_int_equal(mkdir(session_path(s, "bin"), 0700), 0);
    assert_int_equal(symlink("loop", session_path(s, "loop")), 0);
    for (uint32_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        session_spec(s, i, r->argv, NULL);
        struct helper_launch l = session_launch_of(s, i, 0);
        if (r->cwd)
            l.cwd = bytes_of(session_path(s, r->cwd));
        l.out = bytes_of(r->out);
        l.err = bytes_of(r->err);
        struct helper_ended e = *session_wait_ended(s, session_send_launch(s, &l));
        assert_text(e.text, with_dir(s, r->text));
        assert_int_equal(e.code, r->code);
        if (r->code == HQ_CODE_LAUNCH)
            assert_true(e.age_ms == 0 && e.duration_ms == 0);
        assert_null(session_find(s, FROM_HELPER_STARTED, l.key));
    }
}

static void test_task_dir_that_cannot_be_made(void **state)
{
    struct session *s = *state;
    write_file(s->dir, "work", "in the way\n", 0644);
    shell_with_dir(s, 1, "exit 0");
    const struct helper_ended *e = session_wait_ended(s, session_launch(s, 1, 0));
    assert_int_equal(e->code, HQ_CODE_LAUNCH);
    assert_text(e->text, with_dir(s, "Cannot create task_dir in worker's workdir at @/work: "
                                     "Not a directory (os error 20)"));
}

static void test_unknown_spec(void **state)
{
    struct session *s = *state;
    const struct helper_ended *e = session_wait_ended(s, session_launch(s, 77, 0));
    assert_int_equal(e->code, HQ_CODE_LAUNCH);
    assert_text(e->text, "The helper does not know what this task is to run");
}

/* An open of a leased file waits until the lease is given up, as one on a dead file system does. */
static void test_a_start_that_hangs_delays_nobody(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"./leased", NULL};
    write_file(s->dir, "leased", "#!/bin/sh\nexit 5\n", 0755);
    int fd = open(session_path(s, "leased"), O_RDONLY | O_CLOEXEC);
    signal(SIGIO, SIG_IGN); /* the kernel's request to give it up */
    if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
        skip(); /* no leases on this file system */
    session_spec(s, 1, argv, NULL);
    session_shell(s, 2, "exit 6");
    uint64_t hangs = session_launch(s, 1, 0), killed = session_launch(s, 1, 0);
    uint64_t next = session_launch(s, 2, killed);
    for (int i = 0; i < 10; i++)
        assert_int_equal(session_wait_ended(s, session_launch(s, 2, 0))->code, 6);
    session_send_key(s, TO_HELPER_KILL, killed);
    assert_int_equal(session_wait_ended(s, next)->code, 6);
    assert_int_equal(session_find(s, FROM_HELPER_ENDED, killed)->u.ended.code, HQ_CODE_SIGNAL + SIGINT);
    assert_null(session_find(s, FROM_HELPER_STARTED, hangs));
    assert_null(session_find(s, FROM_HELPER_ENDED, hangs));
    close(fd);
    assert_int_equal(session_wait_ended(s, hangs)->code, 5);
}

/* ---- many ---- */

/* The reports that its socket does not take wait in the helper. */
static void test_a_worker_that_does_not_read_loses_nothing(void **state)
{
    enum { TASKS = 1000 };
    struct session *s = *state;
    const char *argv[] = {"/bin/true", NULL};
    uint64_t key = 0;
    session_spec(s, 1, argv, NULL);
    for (int i = 0; i < TASKS; i++)
        key = session_launch(s, 1, i % 5 ? key : 0);
    session_shell(s, 2, "echo done > done");
    session_launch(s, 2, key);
    for (int i = 0; i < 4000 && access(session_path(s, "done"), F_OK) < 0; i++)
        usleep(5000);
    for (uint64_t k = 1; k <= TASKS; k++)
        assert_int_equal(session_wait_ended(s, k)->code, 0);
}

/* Reports what the machine does; the goal is measured by the benchmarks. */
static void test_thousands(void **state)
{
    enum { TASKS = 5000, SLOTS = 2, DEPTH = 1 };
    struct session *s = *state;
    const char *argv[] = {"/bin/true", NULL};
    uint64_t last[SLOTS] = {0};
    uint32_t launched = 0, ended = 0, wrong = 0;
    session_spec(s, 1, argv, NULL);
    uint64_t before_ns = hqi_base_clock_now().mono_ns;
    for (; launched < SLOTS * (1 + DEPTH); launched++)
        last[launched % SLOTS] = session_launch(s, 1, last[launched % SLOTS]);
    for (uint32_t at = s->n; ended < TASKS;) {
        while (at == s->n)
            session_wait_more(s);
        for (; at < s->n; at++) {
            if (s->events[at].kind != FROM_HELPER_ENDED)
                continue;
            wrong += s->events[at].u.ended.code != 0;
            ended++;
            if (launched < TASKS) {
                last[launched % SLOTS] = session_launch(s, 1, last[launched % SLOTS]);
                launched++;
            }
        }
    }
    double seconds = (double)(hqi_base_clock_now().mono_ns - before_ns) / 1e9;
    assert_int_equal(wrong, 0);
    print_message("%d x /bin/true, %d slots: %.0f tasks/s\n", TASKS, SLOTS, TASKS / seconds);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_codes),
        CASE(test_usage),
        CASE(test_started_names_the_process),
        CASE(test_nothing_leaks_into_a_task),
        CASE(test_environment_in_layers),
        CASE(test_program_is_found_on_the_path_of_the_task),
        CASE(test_prefix_comes_first),
        CASE(test_a_script_without_interpreter_goes_to_the_shell),
        CASE(test_a_chain_runs_in_order),
        CASE(test_after_nobody_starts_now),
        CASE(test_unstaged_leaves_those_behind_to_the_one_before),
        CASE(test_unstage_of_what_has_started_is_not_answered),
        CASE(test_the_next_starts_before_the_report),
        CASE(test_outputs_and_their_directories_are_made),
        CASE(test_outputs_are_truncated),
        CASE(test_rm_if_finished),
        CASE(test_fifo_as_output),
        CASE(test_stdin_for_each_task),
        CASE(test_without_stdin_there_is_end_of_file),
        CASE(test_task_dir),
        CASE(test_large_task_dir_is_removed),
        CASE(test_error_file),
        CASE(test_texts_of_refusals),
        CASE(test_task_dir_that_cannot_be_made),
        CASE(test_unknown_spec),
        CASE(test_a_worker_that_does_not_read_loses_nothing),
        CASE(test_a_start_that_hangs_delays_nobody),
        CASE(test_thousands),
#undef CASE
    };
    if (argc != 2)
        return 2;
    program = argv[1];
    setenv("HQ_TEST_BASE1", "one", 1);
    setenv("HQ_TEST_BASE2", "two", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
