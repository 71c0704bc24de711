/* SPDX-License-Identifier: MIT */
/* entries.c - entries of task arrays from files. */
#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"

#define BIG_FILE (100u << 20)  /* worth a warning */
#define READ_STEP (1u << 16)
#define REAL_DIGITS 17         /* always enough for a double */

/* ---- files ---- */

bool blob_drain(struct blob *b, int fd, int *sys)
{
    size_t room = 0;
    ssize_t n;
    *b = (struct blob){0};
    do {
        if (room - b->len < READ_STEP)
            b->p = mem_grow(b->p, room = 2 * room + READ_STEP, 1);
        n = read(fd, b->p + b->len, READ_STEP);
        b->len += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    *sys = n < 0 ? errno : 0;
    return n == 0;
}

bool blob_read(struct blob *b, const char *path, int *sys)
{
    struct stat st;
    *b = (struct blob){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        *sys = errno;
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = true;
    void *map = S_ISREG(st.st_mode) && st.st_size > 0
                    ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                    : MAP_FAILED;
    if (map != MAP_FAILED)
        *b = (struct blob){map, (size_t)st.st_size, (size_t)st.st_size};
    else
        ok = blob_drain(b, fd, sys);
    close(fd);
    if (!ok)
        blob_free(b);
    return ok;
}

void blob_free(struct blob *b)
{
    if (b->mapped)
        munmap(b->p, b->mapped);
    else
        free(b->p);
    *b = (struct blob){0};
}

static bool read_entries(struct cli *cli, struct blob *b, const char *path, const char *what, const char *than)
{
    int sys;
    char why[ERRNO_MAX];
    out_log(cli, LOG_INFO, "Reading %s: %s", what, path);
    if (!blob_read(b, path, &sys)) {
        out_fail(cli, NULL, "%s", format_errno(sys, why));
        return false;
    }
    if (b->len > BIG_FILE)
        out_log(cli, LOG_WARN, "Reading file bigger %s 100MB", than);
    return true;
}

bool entries_from_lines(struct cli *cli, hq_submit *submit, const char *path)
{
    struct blob b;
    if (!read_entries(cli, &b, path, "file", "than"))
        return false;
    for (size_t at = 0; at < b.len;) {
        const char *end = memchr(b.p + at, '\n', b.len - at);
        size_t len = end ? (size_t)(end - b.p) - at : b.len - at;
        hq_submit_add_entry(submit, b.p + at, len);
        at += len + 1;
    }
    if (b.len == 0)
        hq_submit_set_ranges(submit, NULL, 0); /* no entries are no tasks */
    blob_free(&b);
    return true;
}

/* ---- JSON ---- */

static void add_zeros(struct str *out, int n)
{
    while (n-- > 0)
        str_add(out, "0");
}

/* The shortest text that reads back as the same number, with an exponent only below 1e-5 and from 1e16 on. */
static void add_real(struct str *out, double value)
{
    char text[64], digits[64];
    int n = 15;
    do
        snprintf(text, sizeof text, "%.*e", n - 1, fabs(value));
    while (strtod(text, NULL) != fabs(value) && ++n <= REAL_DIGITS);
    int exponent = atoi(strchr(text, 'e') + 1), point = exponent + 1; /* of so many digits, or zeros behind it if negative */
    n = (int)strcspn(text, "e");
    snprintf(digits, sizeof digits, "%c%.*s", text[0], n > 2 ? n - 2 : 0, text + 2);
    for (n = (int)strlen(digits); n > 1 && digits[n - 1] == '0'; n--)
        ;
    str_add(out, signbit(value) ? "-" : "");
    if (point > 16 || point <= -5) {
        str_addf(out, n > 1 ? "%c.%.*se%d" : "%c%.*se%d", digits[0], n - 1, digits + 1, exponent);
    } else if (point <= 0) {
        str_add(out, "0.");
        add_zeros(out, -point);
        str_addn(out, digits, (size_t)n);
    } else {
        str_addn(out, digits, (size_t)(n < point ? n : point));
        add_zeros(out, point - n);
        str_addf(out, ".%.*s", n > point ? n - point : 1, n > point ? digits + point : "0");
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool add_string(struct str *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text)
        str_add(out, text);
    free(text);
    return text != NULL;
}

static bool add_object(struct str *out, const json_t *value)
{
    size_t n = 0;
    const char **keys = mem_new(json_object_size(value), sizeof(*keys)), *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member)
        keys[n++] = key;
    qsort(keys, n, sizeof(*keys), by_text);
    bool ok = true;
    str_add(out, "{");
    for (size_t i = 0; i < n && ok; i++) {
        json_t *name = json_string(keys[i]);
        str_add(out, i ? "," : "");
        ok = add_string(out, name);
        str_add(out, ":");
        ok = ok && entries_compact(out, json_object_get(value, keys[i]));
        json_decref(name);
    }
    str_add(out, "}");
    free(keys);
    return ok;
}

static bool add_array(struct str *out, const json_t *value)
{
    bool ok = true;
    str_add(out, "[");
    for (size_t i = 0; i < json_array_size(value) && ok; i++) {
        str_add(out, i ? "," : "");
        ok = entries_compact(out, json_array_get(value, i));
    }
    str_add(out, "]");
    return ok;
}

bool entries_compact(struct str *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return add_object(out, value);
    case JSON_ARRAY:
        return add_array(out, value);
    case JSON_REAL:
        add_real(out, json_real_value(value));
        return true;
    default:
        return add_string(out, value);
    }
}

/* The library points behind the token that it does not like, and quotes it. */
static void report_syntax(struct cli *cli, const json_error_t *error)
{
    const char *near = strstr(error->text, " near '");
    int column = error->column;
    if (json_error_code(error) == json_error_invalid_syntax && near) {
        size_t len = strlen(near + 7) - 1;
        column -= column > (int)len ? (int)len - 1 : column - 1;
        out_fail(cli, NULL, "expected value at line %d column %d", error->line, column);
    } else {
        out_fail(cli, NULL, "%s at line %d column %d", error->text, error->line, column);
    }
}

bool entries_from_json(struct cli *cli, hq_submit *submit, const char *path)
{
    struct blob b;
    json_error_t error;
    if (!read_entries(cli, &b, path, "json file", "then"))
        return false;
    json_t *root = json_loadb(b.p ? b.p : "", b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    blob_free(&b);
    if (!root) {
        report_syntax(cli, &error);
        return false;
    }
    bool ok = json_is_array(root);
    if (!ok)
        out_fail(cli, NULL, "%s: The top element of the provided JSON file has to be an array", path);
    struct str text = {0};
    for (size_t i = 0; ok && i < json_array_size(root); i++) {
        str_clear(&text);
        ok = entries_compact(&text, json_array_get(root, i));
        if (ok)
            hq_submit_add_entry(submit, str_text(&text), text.len);
        else
            out_fail(cli, NULL, "%s: element %zu cannot be written as text", path, i);
    }
    if (ok && json_array_size(root) == 0)
        hq_submit_set_ranges(submit, NULL, 0); /* no entries are no tasks */
    str_free(&text);
    json_decref(root);
    return ok;
}
