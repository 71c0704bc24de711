/* SPDX-License-Identifier: MIT */
/* access_test.c - access files: the exact form that is written, and whatever else may stand in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "serverdir/access.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX5A "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
#define CLIENT "\"client\": {\"host\": \"node1\", \"port\": 40123, \"secret_key\": \"" HEX "\"}"
#define FILE_OF(rest) "{\"version\": \"hqcore-1\", " rest "}"

static const char full_text[] = "{\n"
                                "  \"version\": \"hqcore-1\",\n"
                                "  \"server_uid\": \"aB3dE9\",\n"
                                "  \"client\": {\n"
                                "    \"host\": \"node1\",\n"
                                "    \"port\": 40123,\n"
                                "    \"secret_key\": \"" HEX "\"\n"
                                "  },\n"
                                "  \"worker\": {\n"
                                "    \"host\": \"node1.cluster\",\n"
                                "    \"port\": 40124,\n"
                                "    \"secret_key\": \"" HEX5A "\"\n"
                                "  }\n"
                                "}";
static const char worker_text[] = "{\n"
                                  "  \"version\": \"hqcore-1\",\n"
                                  "  \"worker\": {\n"
                                  "    \"host\": \"node1.cluster\",\n"
                                  "    \"port\": 40124,\n"
                                  "    \"secret_key\": \"" HEX5A "\"\n"
                                  "  }\n"
                                  "}";

static struct access full(void)
{
    struct access a = {.server_uid = "aB3dE9",
                       .plane = {{.given = true, .host = "node1", .port = 40123},
                                 {.given = true, .host = "node1.cluster", .port = 40124}}};
    for (int i = 0; i < 32; i++)
        a.plane[ACCESS_CLIENT].secret[i] = (uint8_t)i;
    memset(a.plane[ACCESS_WORKER].secret, 0x5a, 32);
    return a;
}

static void assert_format(const struct access *a, const char *expected)
{
    struct buf b;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    assert_int_equal(hqi_serverdir_access_format(a, &b, NULL), HQ_OK);
    assert_string_equal(b.p, expected);
    hqi_base_buf_fini(&b);
}

static void test_exact_form(void **state)
{
    struct access a = full();
    assert_format(&a, full_text);
    a.plane[ACCESS_CLIENT].given = false;
    assert_format(&a, worker_text); /* and no uid */
}

static void test_round_trip(void **state)
{
    struct access a = full(), b;
    memset(&b, 0xee, sizeof b);
    assert_int_equal(hqi_serverdir_access_parse(&b, bytes_of(full_text), NULL), HQ_OK);
    assert_string_equal(b.server_uid, "aB3dE9");
    for (int i = 0; i < ACCESS_PLANES; i++) {
        assert_true(b.plane[i].given);
        assert_string_equal(b.plane[i].host, a.plane[i].host);
        assert_int_equal(b.plane[i].port, a.plane[i].port);
        assert_memory_equal(b.plane[i].secret, a.plane[i].secret, 32);
    }
    assert_int_equal(hqi_serverdir_access_parse(&b, bytes_of(worker_text), NULL), HQ_OK);
    assert_string_equal(b.server_uid, "");
    assert_false(b.plane[ACCESS_CLIENT].given);
    hq_error err;
    assert_int_equal(hqi_serverdir_access_need(&b, ACCESS_WORKER, &err), HQ_OK);
    assert_int_equal(hqi_serverdir_access_need(&b, ACCESS_CLIENT, &err), HQ_EPROTO);
    assert_non_null(strstr(err.text, "\"client\""));
}

static void test_accepted(void **state)
{
    static const char *const texts[] = {
        FILE_OF(CLIENT),
        FILE_OF("\"extra\": [1, {\"a\": null}], " CLIENT ", \"more\": 1e300"),
        FILE_OF("\"client\": {\"x\": 1, \"host\": \"10.0.0.1\", \"port\": 1, \"secret_key\": \"" HEX5A "\"}"),
        "  " FILE_OF("\"server_uid\": \"\", " CLIENT) "\n\n",
        "{\"client\": {\"secret_key\": \"FFfFFfFFfFFfFFfFFfFFfFFfFFfFFfFFFFfFFfFFfFFfFFfFFfFFfFFfFFfFFfFF\", \"port\": 65535, "
        "\"host\": \"n\xc3\xb6" "de\"}, \"version\": \"hqcore-1\"}",
        "{\"version\": \"hqcore-1\"}", /* neither half: whoever needs one says so */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct access a;
        hq_error err = {0};
        if (hqi_serverdir_access_parse(&a, bytes_of(texts[i]), &err) != HQ_OK)
            fail_msg("%s: %s", texts[i], err.text);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *says;
    } cases[] = {
        {"", HQ_EPROTO, "it is empty"},
        {"garbage", HQ_EPROTO, "line 1"},
        {"{\"version\": \"hqcore-1\"", HQ_EPROTO, "line 1"},
        {"[]", HQ_EPROTO, "object"},
        {"null", HQ_EPROTO, "line 1"},
        {FILE_OF(CLIENT) "x", HQ_EPROTO, "end of file"},
        {FILE_OF(CLIENT ", " CLIENT), HQ_EPROTO, "duplicate"},
        {"{\"version\": \"hqcore-1\", \"a\": \"\xff\"}", HQ_EPROTO, "0xff"},
        {"{}", HQ_EPROTO, "\"version\""},
        {"{\"version\": 1}", HQ_EPROTO, "\"version\""},
        {"{\"version\": \"0.26.2\", " CLIENT "}", HQ_EVERSION,
         "Hyperqueue version mismatch detected.\nAccess record contains version 0.26.2, but the current version is "
         "hqcore-1."},
        {"{\"version\": \"hqcore-10\"}", HQ_EVERSION, "hqcore-10"},
        {"{\"version\": \"\"}", HQ_EVERSION, "mismatch"},
        {FILE_OF("\"client\": 1"), HQ_EPROTO, "\"client\" must be an object"},
        {FILE_OF("\"client\": null"), HQ_EPROTO, "\"client\""},
        {FILE_OF("\"worker\": {}"), HQ_EPROTO, "\"worker.host\""},
        {FILE_OF("\"worker\": {\"host\": \"\", \"port\": 1}"), HQ_EPROTO, "\"worker.host\""},
        {FILE_OF("\"worker\": {\"host\": \"a b\", \"port\": 1}"), HQ_EPROTO, "\"worker.host\""},
        {FILE_OF("\"worker\": {\"host\": \"a\\nb\", \"port\": 1}"), HQ_EPROTO, "\"worker.host\""},
        {FILE_OF("\"worker\": {\"host\": \"a\\u0000b\", \"port\": 1}"), HQ_EPROTO, "line 1"},
        {FILE_OF("\"worker\": {\"host\": [\"a\"], \"port\": 1}"), HQ_EPROTO, "\"worker.host\""},
        {FILE_OF("\"worker\": {\"host\": \"a\"}"), HQ_EPROTO, "\"worker.port\""},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 0}"), HQ_EPROTO, "\"worker.port\""},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 65536}"), HQ_EPROTO, "\"worker.port\""},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": -1}"), HQ_EPROTO, "\"worker.port\""},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80.5}"), HQ_EPROTO, "\"worker.port\""},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": \"80\"}"), HQ_EPROTO, "\"worker.port\""},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80}"), HQ_EPROTO, "\"worker.secret_key\""},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80, \"secret_key\": null}"), HQ_EPROTO, "not supported"},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80, \"secret_key\": \"\"}"), HQ_EPROTO, "64 hex"},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80, \"secret_key\": \"" HEX "0\"}"), HQ_EPROTO, "64 hex"},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80, \"secret_key\": \"0" HEX5A "0\"}"), HQ_EPROTO, "64 hex"},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80, \"secret_key\": \"g" HEX5A "\"}"), HQ_EPROTO, "64 hex"},
        {FILE_OF("\"worker\": {\"host\": \"a\", \"port\": 80, \"secret_key\": 7}"), HQ_EPROTO, "64 hex"},
        {FILE_OF("\"server_uid\": 1"), HQ_EPROTO, "\"server_uid\""},
        {FILE_OF("\"server_uid\": \"a-b\""), HQ_EPROTO, "\"server_uid\""},
        {FILE_OF("\"server_uid\": \"aaaaaaaaaaaaaaaa\""), HQ_EPROTO, "\"server_uid\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct access a = full(), before = a;
        hq_error err = {0};
        int rc = hqi_serverdir_access_parse(&a, bytes_of(cases[i].text), &err);
        if (rc != cases[i].code || err.code != rc || !strstr(err.text, cases[i].says))
            fail_msg("%s: %d, %s", cases[i].text, rc, err.text);
        assert_memory_equal(&a, &before, sizeof a);
    }
}

/* Whatever is missing at its end, a file is refused; every byte of it flipped, it does not crash. */
static void test_truncated_and_flipped(void **state)
{
    struct access a;
    char text[sizeof full_text];
    for (size_t n = 0; n < strlen(full_text); n++)
        assert_int_equal(hqi_serverdir_access_parse(&a, (struct bytes){full_text, n}, NULL), HQ_EPROTO);
    for (size_t i = 0; i < strlen(full_text); i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(text, full_text, sizeof text);
            text[i] ^= (char)(1 << bit);
            int rc = hqi_serverdir_access_parse(&a, (struct bytes){text, strlen(full_text)}, NULL);
            assert_true(rc == HQ_OK || rc == HQ_EPROTO || rc == HQ_EVERSION);
        }
}

static void test_deep_nesting(void **state)
{
    char text[60000];
    struct access a;
    memset(text, '[', sizeof text);
    assert_int_equal(hqi_serverdir_access_parse(&a, (struct bytes){text, sizeof text}, NULL), HQ_EPROTO);
    for (size_t i = 0; i + 5 <= sizeof text; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    assert_int_equal(hqi_serverdir_access_parse(&a, (struct bytes){text, sizeof text}, NULL), HQ_EPROTO);
}

static void test_format_refuses(void **state)
{
    struct access cases[6];
    struct failing f;
    struct buf b;
    for (int i = 0; i < 6; i++)
        cases[i] = full();
    cases[0].plane[ACCESS_CLIENT].given = cases[0].plane[ACCESS_WORKER].given = false;
    cases[1].plane[ACCESS_WORKER].port = 0;
    cases[2].plane[ACCESS_CLIENT].host[0] = '\0';
    memset(cases[3].plane[ACCESS_CLIENT].host, 'a', HQI_ACCESS_HOST_BYTES); /* not terminated */
    strcpy(cases[4].server_uid, "no/uid");
    strcpy(cases[5].plane[ACCESS_WORKER].host, "\xff\xfe");
    for (int i = 0; i < 6; i++) {
        hqi_base_buf_init(&b, &hqi_base_alloc_libc);
        assert_int_equal(hqi_serverdir_access_format(&cases[i], &b, NULL), HQ_EINVAL);
        hqi_base_buf_fini(&b);
    }
    const struct access good = full();
    failing_init(&f, 1);
    hqi_base_buf_init(&b, &f.alloc);
    assert_int_equal(hqi_serverdir_access_format(&good, &b, NULL), HQ_ENOMEM);
    hqi_base_buf_fini(&b);
    assert_int_equal(f.live, 0);
}

/* ---- files ---- */

static int enter_dir(void **state)
{
    char name[] = "/tmp/access_test.XXXXXX";
    assert_non_null(mkdtemp(name));
    assert_int_equal(chdir(name), 0);
    *state = strdup(name);
    return 0;
}

static int leave_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(*state);
    return 0;
}

static void test_store_and_load(void **state)
{
    struct access a = full(), b;
    struct stat st;
    hq_error err;
    mode_t old = umask(0277); /* not even we may read it, would the umask have its way */
    assert_int_equal(hqi_serverdir_access_store(&a, HQI_ACCESS_FILE, &hqi_base_alloc_libc, &err), HQ_OK);
    umask(old);
    assert_int_equal(stat(HQI_ACCESS_FILE, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(st.st_size, strlen(full_text)); /* no newline at the end */
    assert_int_equal(hqi_serverdir_access_load(&b, HQI_ACCESS_FILE, &err), HQ_OK);
    assert_string_equal(b.plane[ACCESS_WORKER].host, "node1.cluster");

    a.plane[ACCESS_CLIENT].port = 1;
    assert_int_equal(hqi_serverdir_access_store(&a, HQI_ACCESS_FILE, &hqi_base_alloc_libc, &err), HQ_ESYS);
    assert_int_equal(err.sys, 17);
    assert_non_null(strstr(err.text, "File exists (os error 17)"));
    assert_int_equal(hqi_serverdir_access_load(&b, HQI_ACCESS_FILE, &err), HQ_OK);
    assert_int_equal(b.plane[ACCESS_CLIENT].port, 40123); /* untouched */

    assert_int_equal(symlink("/tmp/elsewhere-that-is-not-there", "dangling"), 0);
    assert_int_equal(hqi_serverdir_access_store(&a, "dangling", &hqi_base_alloc_libc, &err), HQ_ESYS);
    assert_int_equal(err.sys, 17); /* never through a link */
}

static void test_store_fails(void **state)
{
    struct access a = full();
    hq_error err;
    assert_int_equal(hqi_serverdir_access_store(&a, "no/such/dir", &hqi_base_alloc_libc, &err), HQ_ESYS);
    assert_int_equal(err.sys, 2);
    a.plane[ACCESS_CLIENT].port = 0;
    assert_int_equal(hqi_serverdir_access_store(&a, "x", &hqi_base_alloc_libc, &err), HQ_EINVAL);
    assert_int_equal(access("x", F_OK), -1);
}

static void put_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_load_fails(void **state)
{
    static char large[70000];
    struct access a;
    hq_error err;
    assert_int_equal(hqi_serverdir_access_load(&a, "missing", &err), HQ_ESYS);
    assert_int_equal(err.sys, 2);
    assert_non_null(strstr(err.text, "No such file or directory (os error 2)"));
    assert_int_equal(hqi_serverdir_access_load(&a, ".", &err), HQ_ESYS);
    assert_int_equal(err.sys, 21);
    put_file("empty", "", 0);
    assert_int_equal(hqi_serverdir_access_load(&a, "empty", &err), HQ_EPROTO);
    memset(large, ' ', sizeof large);
    memcpy(large, full_text, strlen(full_text)); /* valid, were it not for its length */
    put_file("large", large, sizeof large);
    assert_int_equal(hqi_serverdir_access_load(&a, "large", &err), HQ_EPROTO);
    assert_non_null(strstr(err.text, "65536"));
    put_file("padded", large, 65536);
    assert_int_equal(hqi_serverdir_access_load(&a, "padded", &err), HQ_OK);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(hqi_serverdir_access_load(&a, "fifo", &err), HQ_EPROTO); /* and does not hang */
    put_file("reference", "{\"version\": \"0.26.2-dev\"}", 25);
    assert_int_equal(hqi_serverdir_access_load(&a, "reference", &err), HQ_EVERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_form),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_truncated_and_flipped),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_format_refuses),
        cmocka_unit_test_setup_teardown(test_store_and_load, enter_dir, leave_dir),
        cmocka_unit_test_setup_teardown(test_store_fails, enter_dir, leave_dir),
        cmocka_unit_test_setup_teardown(test_load_fails, enter_dir, leave_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
