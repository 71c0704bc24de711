/* SPDX-License-Identifier: MIT */
/* access.c - reading and writing access files; see access.h.
 *
 * Unknown keys are ignored, so that a later release of the same format version may add some. Must never happen: a secret in
 * an error text. */
#include "serverdir/access.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "wire/version.h"

#define MAX_FILE 65536u /* ours have 400 bytes */
#define MAX_SHOWN 64    /* bytes of a foreign version in an error text */

static const char where[] = "serverdir";
static const char *const plane_names[ACCESS_PLANES] = {"client", "worker"};

/* ---- what is in bounds ---- */

/* Printable, without spaces: it goes into URLs, log lines and a terminal. */
static bool is_plain(const char *s, size_t size)
{
    size_t n = strnlen(s, size);
    if (n == 0 || n == size)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
            return false;
    return true;
}

static bool is_uid(const char *s, size_t size)
{
    size_t n = strnlen(s, size);
    if (n == size)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= 'A' && s[i] <= 'Z'))
            return false;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(uint8_t *out, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        int high = text[2 * i] ? hex_digit(text[2 * i]) : -1;
        int low = high >= 0 && text[2 * i + 1] ? hex_digit(text[2 * i + 1]) : -1;
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * n] == '\0';
}

static bool copy(char *out, size_t size, const char *text) /* false: too long */
{
    size_t n = strlen(text);
    if (n >= size)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

/* ---- reading ---- */

static int refuse(hq_error *err, const char *plane, const char *key, const char *expected)
{
    return hqi_base_error_set(err, HQ_EPROTO, where, "not an access file: \"%s%s%s\" must be %s", plane,
                              plane[0] ? "." : "", key, expected);
}

static int read_plane(struct access_end *ret, const json_t *root, const char *name, hq_error *err)
{
    const json_t *o = json_object_get(root, name);
    if (!o)
        return HQ_OK;
    if (!json_is_object(o))
        return refuse(err, "", name, "an object");
    const char *host = json_string_value(json_object_get(o, "host"));
    if (!host || !copy(ret->host, sizeof ret->host, host) || !is_plain(ret->host, sizeof ret->host))
        return refuse(err, name, "host", "the name or address of a host");
    const json_t *port = json_object_get(o, "port");
    json_int_t n = json_integer_value(port);
    if (n < 1 || n > UINT16_MAX)
        return refuse(err, name, "port", "a number from 1 to 65535");
    const json_t *secret = json_object_get(o, "secret_key");
    if (json_is_null(secret))
        return refuse(err, name, "secret_key",
                      "64 hexadecimal digits; null (no encryption) is not supported: "
                      "make a new file with `hq server generate-access`");
    if (!json_is_string(secret) || !read_hex(ret->secret, sizeof ret->secret, json_string_value(secret)))
        return refuse(err, name, "secret_key", "64 hexadecimal digits");
    ret->port = (uint16_t)n;
    ret->given = true;
    return HQ_OK;
}

static int check_version(const json_t *root, hq_error *err)
{
    const json_t *version = json_object_get(root, "version");
    if (!json_is_string(version))
        return refuse(err, "", "version", "a string");
    const char *text = json_string_value(version);
    if (strcmp(text, HQI_ACCESS_VERSION) == 0)
        return HQ_OK;
    return hqi_base_error_set(err, HQ_EVERSION, where,
                              "Hyperqueue version mismatch detected.\nAccess record contains version %.*s, but the "
                              "current version is %s.",
                              MAX_SHOWN, text, HQI_ACCESS_VERSION);
}

static int read_root(struct access *ret, const json_t *root, hq_error *err)
{
    if (!json_is_object(root))
        return hqi_base_error_set(err, HQ_EPROTO, where, "not an access file: a JSON object was expected");
    int rc = check_version(root, err);
    const json_t *uid = json_object_get(root, "server_uid");
    if (rc == HQ_OK && uid &&
        (!json_is_string(uid) || !copy(ret->server_uid, sizeof ret->server_uid, json_string_value(uid)) ||
         !is_uid(ret->server_uid, sizeof ret->server_uid)))
        return refuse(err, "", "server_uid", "at most 15 letters and digits");
    for (int i = 0; rc == HQ_OK && i < ACCESS_PLANES; i++)
        rc = read_plane(&ret->plane[i], root, plane_names[i], err);
    return rc;
}

int hqi_serverdir_access_parse(struct access *ret, struct bytes text, hq_error *err)
{
    json_error_t json;
    struct access a = {.server_uid = ""};
    json_t *root = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &json);
    if (!root && json_error_code(&json) == json_error_out_of_memory)
        return hqi_base_error_nomem(err, where);
    if (!root)
        return hqi_base_error_set(err, HQ_EPROTO, where, "not an access file: %s (line %d, column %d)",
                                  text.n ? json.text : "it is empty", json.line, json.column);
    int rc = read_root(&a, root, err);
    json_decref(root);
    if (rc == HQ_OK)
        *ret = a;
    return rc;
}

static ssize_t read_all(int fd, char *room, size_t size)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(fd, room + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

int hqi_serverdir_access_load(struct access *ret, const char *path, hq_error *err)
{
    char room[MAX_FILE + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO in its place shall not hold us */
    if (fd < 0)
        return hqi_base_error_sys(err, errno, where, "cannot read %s", path);
    ssize_t n = read_all(fd, room, sizeof room);
    int sys = errno;
    close(fd);
    if (n < 0)
        return hqi_base_error_sys(err, sys, where, "cannot read %s", path);
    if ((size_t)n > MAX_FILE)
        return hqi_base_error_set(err, HQ_EPROTO, where, "not an access file: more than %u bytes", MAX_FILE);
    return hqi_serverdir_access_parse(ret, (struct bytes){room, (size_t)n}, err);
}

int hqi_serverdir_access_need(const struct access *a, enum access_plane plane, hq_error *err)
{
    if (a->plane[plane].given)
        return HQ_OK;
    return hqi_base_error_set(err, HQ_EPROTO, where, "the access file has no \"%s\" part, which is needed to connect as %s",
                              plane_names[plane], plane_names[plane]);
}

/* ---- writing ---- */

static json_t *make_plane(const struct access_end *e)
{
    char hex[2 * HQI_ACCESS_SECRET_BYTES + 1];
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof e->secret; i++) {
        hex[2 * i] = digits[e->secret[i] >> 4];
        hex[2 * i + 1] = digits[e->secret[i] & 15];
    }
    hex[sizeof hex - 1] = '\0';
    return json_pack("{s:s, s:i, s:s}", "host", e->host, "port", (int)e->port, "secret_key", hex);
}

static bool is_writable(const struct access *a)
{
    bool any = false;
    for (int i = 0; i < ACCESS_PLANES; i++) {
        const struct access_end *e = &a->plane[i];
        any |= e->given;
        if (e->given && (e->port == 0 || !is_plain(e->host, sizeof e->host)))
            return false;
    }
    return any && is_uid(a->server_uid, sizeof a->server_uid);
}

static int append(const char *p, size_t n, void *out)
{
    hqi_base_buf_add(out, p, n);
    return ((struct buf *)out)->failed ? -1 : 0;
}

int hqi_serverdir_access_format(const struct access *a, struct buf *out, hq_error *err)
{
    if (!is_writable(a))
        return hqi_base_error_set(err, HQ_EINVAL, where, "an access file needs a host, a port and a uid of letters and digits");
    json_t *root = json_pack("{s:s}", "version", HQI_ACCESS_VERSION);
    bool ok = root != NULL;
    if (a->plane[ACCESS_CLIENT].given && a->plane[ACCESS_WORKER].given)
        ok = ok && json_object_set_new(root, "server_uid", json_string(a->server_uid)) == 0;
    for (int i = 0; i < ACCESS_PLANES; i++)
        if (a->plane[i].given)
            ok = ok && json_object_set_new(root, plane_names[i], make_plane(&a->plane[i])) == 0;
    ok = ok && json_dump_callback(root, append, out, JSON_INDENT(2)) == 0;
    json_decref(root);
    if (ok)
        return HQ_OK;
    /* jansson writes UTF-8 only, and says no more than that it failed. */
    return out->failed ? hqi_base_error_nomem(err, where)
                       : hqi_base_error_set(err, HQ_EINVAL, where, "a host's name in an access file must be UTF-8");
}

static int write_all(int fd, struct bytes text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text.p += n;
        text.n -= (size_t)n;
    }
    return 0;
}

static int store_text(const char *path, struct bytes text, hq_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (fd < 0)
        return hqi_base_error_sys(err, errno, where, "cannot store the access file %s", path);
    bool ok = fchmod(fd, 0400) == 0 && write_all(fd, text) == 0; /* whatever the umask says */
    int sys = errno;
    if (close(fd) < 0 && ok) { /* where a quota is full, NFS may say so only now */
        ok = false;
        sys = errno;
    }
    if (ok)
        return HQ_OK;
    unlink(path);
    return hqi_base_error_sys(err, sys, where, "cannot store the access file %s", path);
}

int hqi_serverdir_access_store(const struct access *a, const char *path, const struct alloc *alloc, hq_error *err)
{
    struct buf text;
    hqi_base_buf_init(&text, alloc);
    int rc = hqi_serverdir_access_format(a, &text, err);
    if (rc == HQ_OK)
        rc = store_text(path, hqi_base_buf_bytes(&text), err);
    hqi_base_buf_fini(&text);
    return rc;
}
