/* SPDX-License-Identifier: MIT */
/* dir_test.c - numbering, hq-current and its races, and directories that do not let us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "serverdir/dir.h"

static int enter_dir(void **state)
{
    char name[] = "/tmp/dir_test.XXXXXX";
    assert_non_null(mkdtemp(name));
    assert_int_equal(chdir(name), 0);
    *state = realpath(name, NULL);
    return 0;
}

static int leave_dir(void **state)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(*state);
    return 0;
}

static void assert_link(const char *link, const char *target)
{
    char room[4096];
    ssize_t n = readlink(link, room, sizeof room - 1);
    if (n < 0)
        fail_msg("%s is no link", link);
    room[n] = '\0';
    assert_string_equal(room, target);
}

static unsigned count_entries(const char *dir) /* hidden ones, too */
{
    char command[4200];
    unsigned n = 0;
    snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *f = popen(command, "r");
    assert_int_equal(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

static void test_default(void **state)
{
    struct dir_path p;
    hq_error err;
    setenv("HOME", "/home/me", 1);
    unsetenv("HQ_SERVER_DIR");
    assert_int_equal(hqi_serverdir_dir_default(&p, &err), HQ_OK);
    assert_string_equal(p.text, "/home/me/.hq-server");
    setenv("HOME", "/home/me/", 1);
    assert_int_equal(hqi_serverdir_dir_default(&p, &err), HQ_OK);
    assert_string_equal(p.text, "/home/me/.hq-server");
    setenv("HQ_SERVER_DIR", "over/here", 1);
    assert_int_equal(hqi_serverdir_dir_default(&p, &err), HQ_OK);
    assert_string_equal(p.text, "over/here");
    setenv("HQ_SERVER_DIR", "", 1); /* as good as not set */
    unsetenv("HOME");
    assert_int_equal(hqi_serverdir_dir_default(&p, &err), HQ_EINVAL);
    assert_non_null(strstr(err.text, "HQ_SERVER_DIR"));
}

static void test_numbers(void **state)
{
    static const struct {
        const char *before, *next;
    } steps[] = {{NULL, "001"},      {NULL, "002"},          {"1", "003"},     {"12", "013"},     {"0013", "014"},
                 {"136", "137"},     {"notes", "138"},       {"200x", "139"},  {"x200", "140"},   {"-500", "141"},
                 {"1234", "1235"},   {"4294967296", "1236"}, {"000", "1237"},  {"99999999999999999999", "1238"},
                 {"file:5000", "1239"}, {"file:1240", "1241"}};
    const char *root = *state;
    struct dir_path dir, p;
    hq_error err;
    char expected[4200], name[64];
    assert_int_equal(hqi_serverdir_dir_join(&dir, root, "a/b//c", &err), HQ_OK);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const char *before = steps[i].before;
        if (before && strncmp(before, "file:", 5) == 0) {
            snprintf(name, sizeof name, "a/b/c/%s", before + 5);
            fclose(fopen(name, "w"));
        } else if (before) {
            snprintf(name, sizeof name, "a/b/c/%s", before);
            assert_int_equal(mkdir(name, 0755), 0);
        }
        if (hqi_serverdir_dir_create(&p, dir.text, &err) != HQ_OK)
            fail_msg("%s", err.text);
        snprintf(expected, sizeof expected, "%s/%s", dir.text, steps[i].next);
        assert_string_equal(p.text, expected);
        struct stat st;
        assert_int_equal(stat(p.text, &st), 0);
        assert_true(S_ISDIR(st.st_mode));
    }
}

static void test_resolve(void **state)
{
    const char *root = *state;
    struct dir_path p, instance;
    hq_error err;
    char expected[4200];
    assert_int_equal(hqi_serverdir_dir_resolve(&p, "none", &err), HQ_ENOENT);
    assert_string_equal(err.text, "\"none\" is not a directory");
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(hqi_serverdir_dir_resolve(&p, "d", &err), HQ_OK);
    assert_string_equal(p.text, "d"); /* a bare directory serves as well */
    assert_int_equal(hqi_serverdir_dir_create(&instance, "d", &err), HQ_OK);
    assert_int_equal(hqi_serverdir_dir_publish("d", instance.text, &err), HQ_OK);
    assert_link("d/hq-current", "001"); /* not "d/001", which would be sought in d */
    snprintf(expected, sizeof expected, "%s/d/001", root);
    assert_int_equal(hqi_serverdir_dir_resolve(&p, "d", &err), HQ_OK);
    assert_string_equal(p.text, expected);
    assert_int_equal(rmdir("d/001"), 0); /* a link to nowhere: the directory itself */
    assert_int_equal(hqi_serverdir_dir_resolve(&p, "d", &err), HQ_OK);
    assert_string_equal(p.text, "d");
    fclose(fopen("f", "w"));
    assert_int_equal(hqi_serverdir_dir_resolve(&p, "f", &err), HQ_ENOENT);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(hqi_serverdir_dir_resolve(&p, "loop", &err), HQ_ENOENT);
}

static void test_publish_and_retract(void **state)
{
    const char *root = *state;
    struct dir_path a, b;
    hq_error err;
    assert_int_equal(hqi_serverdir_dir_create(&a, root, &err), HQ_OK);
    assert_int_equal(hqi_serverdir_dir_publish(root, a.text, &err), HQ_OK);
    assert_link("hq-current", a.text);
    assert_int_equal(hqi_serverdir_dir_create(&b, root, &err), HQ_OK);
    assert_int_equal(hqi_serverdir_dir_publish(root, b.text, &err), HQ_OK); /* a is dead */
    assert_link("hq-current", b.text);
    hqi_serverdir_dir_retract(root, a.text); /* or so it seemed: its end takes away nothing */
    assert_link("hq-current", b.text);
    hqi_serverdir_dir_retract(root, b.text);
    assert_int_equal(access("hq-current", F_OK), -1);
    hqi_serverdir_dir_retract(root, b.text);
    assert_int_equal(count_entries(root), 2); /* no temporary name is left */
}

static void test_publish_over_what_is_there(void **state)
{
    const char *root = *state;
    struct dir_path a;
    hq_error err;
    assert_int_equal(hqi_serverdir_dir_create(&a, root, &err), HQ_OK);
    fclose(fopen("hq-current", "w")); /* a file is replaced */
    assert_int_equal(hqi_serverdir_dir_publish(root, a.text, &err), HQ_OK);
    assert_link("hq-current", a.text);
    assert_int_equal(unlink("hq-current"), 0);
    assert_int_equal(mkdir("hq-current", 0755), 0); /* a directory is not */
    assert_int_equal(hqi_serverdir_dir_publish(root, a.text, &err), HQ_ESYS);
    assert_non_null(strstr(err.text, "hq-current"));
    hqi_serverdir_dir_retract(root, a.text);
    assert_int_equal(access("hq-current", F_OK), 0);
    assert_int_equal(count_entries(root), 2);
}

/* Many servers at once: every number is claimed once, and hq-current always points to an instance that is there. */
static void test_races(void **state)
{
    enum { SERVERS = 6, ROUNDS = 40 };
    const char *root = *state;
    pid_t pids[SERVERS];
    for (int i = 0; i < SERVERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct dir_path p;
            for (int k = 0; k < ROUNDS; k++)
                if (hqi_serverdir_dir_create(&p, root, NULL) < 0 || hqi_serverdir_dir_publish(root, p.text, NULL) < 0)
                    _exit(1);
                else if (k % 2)
                    hqi_serverdir_dir_retract(root, p.text);
            _exit(0);
        }
    }
    for (int left = SERVERS; left > 0;) {
        int status;
        char target[4096];
        ssize_t n = readlink("hq-current", target, sizeof target - 1);
        if (n > 0) {
            target[n] = '\0';
            assert_int_equal(access(target, F_OK), 0);
        }
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            left--;
        }
    }
    struct dir_path p;
    char expected[4200];
    snprintf(expected, sizeof expected, "%s/%03d", root, SERVERS * ROUNDS + 1);
    assert_int_equal(hqi_serverdir_dir_create(&p, root, NULL), HQ_OK);
    assert_string_equal(p.text, expected);
    unsigned link = access("hq-current", F_OK) == 0;
    assert_int_equal(count_entries(root), SERVERS * ROUNDS + 1 + link);
}

static void test_not_allowed(void **state)
{
    struct dir_path p;
    hq_error err;
    fclose(fopen("f", "w"));
    assert_int_equal(hqi_serverdir_dir_create(&p, "f/g", &err), HQ_ESYS);
    assert_int_equal(err.sys, 20);
    assert_non_null(strstr(err.text, "f/g"));
    assert_int_equal(hqi_serverdir_dir_create(&p, "f", &err), HQ_ENOENT);
    assert_int_equal(hqi_serverdir_dir_create(&p, "", &err), HQ_ENOENT);
    assert_int_equal(hqi_serverdir_dir_publish("none", "none/001", &err), HQ_ESYS);
    assert_int_equal(err.sys, 2);
    assert_int_equal(mkdir("locked", 0755), 0);
    assert_int_equal(mkdir("locked/001", 0755), 0);
    assert_int_equal(chmod("locked", 0555), 0);
    assert_int_equal(chmod(".", 0755), 0);
    pid_t pid = fork(); /* root may write anywhere */
    if (pid == 0) {
        int wrong = geteuid() == 0 && setuid(65534) < 0;
        wrong |= hqi_serverdir_dir_create(&p, "locked", &err) != HQ_ESYS || err.sys != 13;
        wrong |= hqi_serverdir_dir_create(&p, "locked/x", &err) != HQ_ESYS || err.sys != 13;
        wrong |= hqi_serverdir_dir_publish("locked", "locked/001", &err) != HQ_ESYS || err.sys != 13;
        _exit(wrong);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_long_paths(void **state)
{
    static char path[HQI_DIR_PATH + 10];
    struct dir_path p;
    hq_error err;
    memset(path, 'a', sizeof path - 1);
    assert_int_equal(hqi_serverdir_dir_create(&p, path, &err), HQ_ELIMIT);
    assert_int_equal(hqi_serverdir_dir_resolve(&p, path, &err), HQ_ELIMIT);
    assert_int_equal(hqi_serverdir_dir_publish(path, "x", &err), HQ_ELIMIT);
    hqi_serverdir_dir_retract(path, "x");
    path[HQI_DIR_PATH - 1 - 4] = '\0';
    assert_int_equal(hqi_serverdir_dir_join(&p, path, "bcd", &err), HQ_OK);
    assert_int_equal(strlen(p.text), HQI_DIR_PATH - 1);
    assert_int_equal(hqi_serverdir_dir_join(&p, path, "bcde", &err), HQ_ELIMIT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, enter_dir, leave_dir)
    const struct CMUnitTest tests[] = {
        T(test_default),
        T(test_numbers),
        T(test_resolve),
        T(test_publish_and_retract),
        T(test_publish_over_what_is_there),
        T(test_races),
        T(test_not_allowed),
        T(test_long_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
