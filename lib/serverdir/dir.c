/* SPDX-License-Identifier: MIT */
/* dir.c - see dir.h. Several servers may start and end in one directory at the same time: numbers are claimed by mkdir,
 * the link is replaced by rename, and taken away in a way that can be undone. */
#include "serverdir/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

#define CURRENT "hq-current"
#define MAX_NUMBER 999999999u
#define TRIES 1000u /* of claiming a number that others claim, too */
#define LOCK_PAUSE_NS 10000000 /* between tries to lock, which together take 5 s: far more than a start needs */
#define LOCK_TRIES 500u

static const char where[] = "serverdir";

_Static_assert(HQI_DIR_PATH >= PATH_MAX, "realpath writes up to PATH_MAX bytes");

static int too_long(hq_error *err, const char *path)
{
    return hqi_base_error_set(err, HQ_ELIMIT, where, "the path %.100s... is longer than %u bytes", path,
                              HQI_DIR_PATH - 1);
}

static int set_path(struct dir_path *ret, const char *text, hq_error *err)
{
    size_t n = strlen(text);
    if (n >= sizeof ret->text)
        return too_long(err, text);
    memmove(ret->text, text, n + 1);
    return HQ_OK;
}

int hqi_serverdir_dir_join(struct dir_path *ret, const char *dir, const char *name, hq_error *err)
{
    size_t n = strlen(dir), m = strlen(name);
    bool slash = n > 0 && dir[n - 1] == '/';
    if (n + m + 2 > sizeof ret->text)
        return too_long(err, dir);
    memmove(ret->text, dir, n);
    if (!slash)
        ret->text[n++] = '/';
    memcpy(ret->text + n, name, m + 1);
    return HQ_OK;
}

int hqi_serverdir_dir_default(struct dir_path *ret, hq_error *err)
{
    const char *dir = getenv("HQ_SERVER_DIR"), *home = getenv("HOME");
    if (dir && dir[0])
        return set_path(ret, dir, err);
    if (home && home[0])
        return hqi_serverdir_dir_join(ret, home, ".hq-server", err);
    return hqi_base_error_set(err, HQ_EINVAL, where,
                              "there is no default server directory: neither HQ_SERVER_DIR nor HOME is set");
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int hqi_serverdir_dir_resolve(struct dir_path *ret, const char *dir, hq_error *err)
{
    struct dir_path current;
    int rc = hqi_serverdir_dir_join(&current, dir, CURRENT, err);
    if (rc < 0)
        return rc;
    if (is_directory(current.text) && realpath(current.text, ret->text))
        return HQ_OK;
    if (!is_directory(dir))
        return hqi_base_error_set(err, HQ_ENOENT, where, "\"%s\" is not a directory", dir);
    return set_path(ret, dir, err);
}

/* ---- making ---- */

static int make_parents(const char *dir, hq_error *err)
{
    struct dir_path path;
    int rc = set_path(&path, dir, err);
    if (rc < 0)
        return rc;
    for (char *p = path.text + 1; path.text[0]; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        int sys = mkdir(path.text, 0777) < 0 ? errno : 0;
        if (sys && sys != EEXIST && !is_directory(path.text)) /* a read-only parent is fine where it is there */
            return hqi_base_error_sys(err, sys, where, "cannot create the directory %s", path.text);
        *p = end;
        if (end == '\0')
            break;
    }
    if (!is_directory(dir))
        return hqi_base_error_set(err, HQ_ENOENT, where, "\"%s\" is not a directory", dir);
    return HQ_OK;
}

int hqi_serverdir_dir_lock(int *ret, const char *dir, hq_error *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    int rc = make_parents(dir, err);
    *ret = -1;
    if (rc < 0)
        return rc;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return HQ_OK; /* what comes next will say why */
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            *ret = fd;
            return HQ_OK;
        }
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        nanosleep(&pause, NULL);
    }
    close(fd);
    return HQ_OK;
}

/* 0: not a number that we would count on from. */
static uint32_t number_of(const char *name)
{
    uint64_t n = 0;
    for (const char *p = name; *p; p++) {
        if (*p < '0' || *p > '9' || n > MAX_NUMBER)
            return 0;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    return n < MAX_NUMBER ? (uint32_t)n : 0;
}

static int find_highest(const char *dir, uint32_t *ret, hq_error *err)
{
    DIR *d = opendir(dir); /* its fd is O_CLOEXEC */
    if (!d)
        return hqi_base_error_sys(err, errno, where, "cannot read the directory %s", dir);
    *ret = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        struct stat st;
        uint32_t n = number_of(e->d_name);
        if (n > *ret && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode))
            *ret = n;
    }
    closedir(d);
    return HQ_OK;
}

int hqi_serverdir_dir_create(struct dir_path *ret, const char *dir, hq_error *err)
{
    uint32_t n = 0;
    struct dir_path made;
    int rc = make_parents(dir, err);
    if (rc == HQ_OK)
        rc = find_highest(dir, &n, err);
    for (unsigned i = 0; rc == HQ_OK && i < TRIES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03u", ++n);
        rc = hqi_serverdir_dir_join(&made, dir, name, err);
        if (rc == HQ_OK && mkdir(made.text, 0777) == 0)
            return set_path(ret, made.text, err);
        if (rc == HQ_OK && errno != EEXIST)
            return hqi_base_error_sys(err, errno, where, "cannot create the directory %s", made.text);
    }
    return rc < 0 ? rc
                  : hqi_base_error_set(err, HQ_ELIMIT, where, "no number is free in %s up to %u", dir, n);
}

/* ---- hq-current ---- */

/* What the link holds: absolute where `dir` is, else relative to the directory that the link is in. */
static const char *target_of(const char *instance)
{
    const char *slash = strrchr(instance, '/');
    return instance[0] == '/' || !slash ? instance : slash + 1;
}

static int make_temporary_name(struct dir_path *ret, const char *dir, hq_error *err)
{
    uint64_t random = 0;
    char name[48];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint64_t)getpid();
    snprintf(name, sizeof name, ".%s-%016llx", CURRENT, (unsigned long long)random);
    return hqi_serverdir_dir_join(ret, dir, name, err);
}

int hqi_serverdir_dir_publish(const char *dir, const char *instance, hq_error *err)
{
    struct dir_path current, fresh;
    int rc = hqi_serverdir_dir_join(&current, dir, CURRENT, err);
    if (rc == HQ_OK)
        rc = make_temporary_name(&fresh, dir, err);
    if (rc < 0)
        return rc;
    if (symlink(target_of(instance), fresh.text) < 0)
        return hqi_base_error_sys(err, errno, where, "cannot create the link %s", current.text);
    if (rename(fresh.text, current.text) == 0)
        return HQ_OK;
    int sys = errno;
    unlink(fresh.text);
    return hqi_base_error_sys(err, sys, where, "cannot replace the link %s", current.text);
}

static bool is_ours(const char *link, const char *instance)
{
    struct dir_path target;
    ssize_t n = readlink(link, target.text, sizeof target.text - 1);
    if (n < 0)
        return false;
    target.text[n] = '\0';
    return strcmp(target.text, target_of(instance)) == 0;
}

void hqi_serverdir_dir_retract(const char *dir, const char *instance)
{
    struct dir_path current, taken;
    if (hqi_serverdir_dir_join(&current, dir, CURRENT, NULL) < 0 || !is_ours(current.text, instance) ||
        make_temporary_name(&taken, dir, NULL) < 0 || rename(current.text, taken.text) < 0)
        return;
    if (!is_ours(taken.text, instance)) /* another server came in between: give it back, unless there is a newer one */
        if (link(taken.text, current.text) < 0 && errno != EEXIST)
            rename(taken.text, current.text);
    unlink(taken.text);
}
