/* SPDX-License-Identifier: MIT */
/* outcome.c - the texts of failed tasks. They are part of what users and their scripts know: their wording
 * does not change. */
#include "helper/outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "hqcore/types.h"

#define ERROR_FILE_BYTES 2048 /* read of a task's error file, at most */
#define MAX_TEXT 16384u       /* an argv may have megabytes: beyond this it is cut */

static struct outcome finish(struct buf *b, uint16_t code, struct arena *mem)
{
    bool ok = true; /* without memory the text is lost, the code is not */
    struct bytes text = {b->p, b->n < MAX_TEXT ? b->n : MAX_TEXT};
    struct outcome o = {.code = code, .text = hqi_base_arena_bytes(mem, text, &ok)};
    hqi_base_buf_fini(b);
    return o;
}

static void add_os(struct buf *b, int sys)
{
    char text[128];
    hqi_base_buf_adds(b, hqi_base_error_os_text(sys, text, sizeof text));
}

/* The length of the valid UTF-8 sequence at `p`, or 0. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char first, last, second_min, second_max, length;
    } forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        size_t length = forms[f].length;
        if (p[0] < forms[f].first || p[0] > forms[f].last || n < length)
            continue;
        if (length > 1 && (p[1] < forms[f].second_min || p[1] > forms[f].second_max))
            return 0;
        for (size_t i = 2; i < length; i++)
            if ((p[i] & 0xc0) != 0x80)
                return 0;
        return length;
    }
    return 0;
}

static void add_escaped(struct buf *b, unsigned char c)
{
    static const char plain[] = "\"\\\n\r\t", escaped[] = "\"\\nrt";
    const char *at = c ? strchr(plain, c) : NULL;
    if (at)
        hqi_base_buf_addf(b, "\\%c", escaped[at - plain]);
    else if (c == 0)
        hqi_base_buf_adds(b, "\\0");
    else
        hqi_base_buf_addf(b, "\\u{%x}", c);
}

/* Bytes that are no UTF-8 become U+FFFD. `quoted`: with the escapes of a quoted string. */
static void add_text(struct buf *b, const char *text, size_t n, bool quoted)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0, length; i < n; i += length ? length : 1) {
        bool special = p[i] < 0x20 || p[i] == 0x7f || p[i] == '"' || p[i] == '\\';
        length = utf8_length(p + i, n - i);
        if (length == 0)
            hqi_base_buf_adds(b, "\xef\xbf\xbd");
        else if (quoted && special)
            add_escaped(b, p[i]);
        else
            hqi_base_buf_add(b, p + i, length);
    }
}

static void add_path(struct buf *b, const char *path)
{
    add_text(b, path, strlen(path), false);
}

static struct outcome no_directory(const struct pad *pad, const char *which, const char *path, bool rm,
                                   struct buf *b, struct arena *mem)
{
    hqi_base_buf_addf(b, "Cannot create %s directory at File { path: \"", which);
    add_text(b, path, strlen(path), true);
    hqi_base_buf_addf(b, "\", on_close: %s }: ", rm ? "RmIfFinished" : "None");
    add_os(b, pad->sys);
    return finish(b, HQ_CODE_LAUNCH, mem);
}

static bool ends_with_sh(const char *program)
{
    const char *name = strrchr(program, '/');
    name = name ? name + 1 : program;
    const char *dot = strrchr(name, '.');
    return dot && dot != name && strcmp(dot, ".sh") == 0;
}

/* `program` starts neither with "/" nor with "./", and names a file of the working directory. */
static bool is_file_of_cwd(const char *cwd, const char *program, struct arena *mem, char **path)
{
    struct stat st;
    bool dotted = strncmp(program, "./", 2) == 0;
    *path = cwd && program[0] != '/' && !dotted ? hqi_base_arena_printf(mem, "%s/%s", cwd, program) : NULL;
    return *path && stat(*path, &st) == 0 && S_ISREG(st.st_mode);
}

static void add_hint(struct buf *b, const struct pad *pad, struct arena *mem)
{
    const char *program = pad->argv[1];
    char *path;
    if (pad->sys == ENOENT) {
        hqi_base_buf_adds(b, "\nThe program that you have tried to execute (`");
        add_path(b, program);
        hqi_base_buf_adds(b, "`) was not found.");
        if (!is_file_of_cwd(pad->plan.cwd, program, mem, &path))
            return;
        hqi_base_buf_adds(b, "\nThe file `");
        add_path(b, path);
        hqi_base_buf_adds(b, "` exists, maybe you have meant `./");
        add_path(b, program);
        hqi_base_buf_adds(b, "` instead?");
    } else if (pad->sys == EACCES && ends_with_sh(program)) {
        hqi_base_buf_adds(b, "\nThe script that you have tried to execute (`");
        add_path(b, program);
        hqi_base_buf_adds(b, "`) is not executable.\nTry making it executable or add a shebang line to it.");
    }
}

static struct outcome not_executed(const struct pad *pad, struct buf *b, struct arena *mem)
{
    hqi_base_buf_adds(b, "Cannot execute \"");
    for (char **arg = pad->argv + 1; *arg; arg++) {
        if (arg != pad->argv + 1)
            hqi_base_buf_addc(b, ' ');
        add_text(b, *arg, strlen(*arg), true);
    }
    hqi_base_buf_adds(b, "\": ");
    add_os(b, pad->sys);
    add_hint(b, pad, mem);
    return finish(b, HQ_CODE_TEXT, mem);
}

struct outcome hqi_helper_outcome_of_spawn(const struct pad *pad, bool rm_out, bool rm_err, struct arena *mem)
{
    struct buf b;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    switch (pad->step) {
    case SPAWN_OUT_DIR:
        return no_directory(pad, "stdout", pad->plan.out, rm_out, &b, mem);
    case SPAWN_ERR_DIR:
        return no_directory(pad, "stderr", pad->plan.err, rm_err, &b, mem);
    case SPAWN_CWD:
        hqi_base_buf_adds(&b, "Could not create working directory: ");
        break;
    case SPAWN_STREAM:
        hqi_base_buf_adds(&b, "Creating stream file failed: ");
        break;
    default:
        return not_executed(pad, &b, mem);
    }
    add_os(&b, pad->sys);
    return finish(&b, HQ_CODE_TEXT, mem);
}

/* What the task itself wrote about its failure; false: it did not. */
static bool read_error_file(const char *dir, struct arena *mem, struct outcome *ret)
{
    char text[ERROR_FILE_BYTES];
    struct buf b;
    char *path = hqi_base_arena_printf(mem, "%s/hq-error", dir);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    if (n < 0)
        return false;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    if (n == 0)
        hqi_base_buf_adds(&b, "Task created an error file, but it is empty");
    add_text(&b, text, (size_t)n, false);
    if (n == sizeof text)
        hqi_base_buf_adds(&b, "\n[The message was truncated]");
    *ret = finish(&b, HQ_CODE_TEXT, mem);
    return true;
}

/* Of a result file that is too large, or that cannot be read. */
static struct outcome no_result(long long size, int sys, struct arena *mem)
{
    struct buf b;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    if (size > HQI_MAX_RESULT) {
        hqi_base_buf_addf(&b, "The result of the task has %lld bytes, at most %u are kept; write it to a file of your own", size,
                          HQI_MAX_RESULT);
    } else {
        hqi_base_buf_adds(&b, "The result of the task cannot be read: ");
        add_os(&b, sys);
    }
    return finish(&b, HQ_CODE_TEXT, mem);
}

static bool read_all(int fd, char *p, size_t n)
{
    size_t at = 0;
    for (ssize_t got; at < n && (got = read(fd, p + at, n - at)) > 0;)
        at += (size_t)got;
    return at == n;
}

/* What the task has returned, into o->text; a success whose result cannot be had is none. */
static void add_result(struct outcome *o, const char *dir, struct arena *mem)
{
    char *path = hqi_base_arena_printf(mem, "%s/hq-result", dir);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    struct stat st = {0};
    if (fd < 0)
        return;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= HQI_MAX_RESULT;
    size_t n = ok ? (size_t)st.st_size : 0;
    char *p = n > 0 ? hqi_base_arena_get(mem, n) : NULL;
    errno = EIO;
    if (p && read_all(fd, p, n))
        o->text = (struct bytes){p, n};
    else if ((!ok || n > 0) && o->code == 0)
        *o = no_result((long long)st.st_size, p ? errno : S_ISREG(st.st_mode) ? ENOMEM : EINVAL, mem);
    close(fd);
}

struct outcome hqi_helper_outcome_of_exit(int status, bool timed_out, const char *dir, struct arena *mem)
{
    struct outcome o = {.code = HQ_CODE_TIME_LIMIT};
    if (timed_out || (status != 0 && dir && read_error_file(dir, mem, &o)))
        return o;
    o.code = (uint16_t)(WIFSIGNALED(status) ? HQ_CODE_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status));
    if (dir && !WIFSIGNALED(status))
        add_result(&o, dir, mem);
    return o;
}

struct outcome hqi_helper_outcome_of_taskdir(const char *below, int sys, struct arena *mem)
{
    struct buf b;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    hqi_base_buf_adds(&b, "Cannot create task_dir in worker's workdir at ");
    add_path(&b, below);
    hqi_base_buf_adds(&b, ": ");
    add_os(&b, sys);
    return finish(&b, HQ_CODE_LAUNCH, mem);
}

struct outcome hqi_helper_outcome_text(uint16_t code, struct arena *mem, const char *text)
{
    struct buf b;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    hqi_base_buf_adds(&b, text);
    return finish(&b, code, mem);
}
