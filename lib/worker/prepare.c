/* SPDX-License-Identifier: MIT */
/* prepare.c - from options to the parts of a worker that need nobody's answer: its directories, what it says of
 * itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "host/uid.h"
#include "serverdir/dir.h"
#include "worker/worker.h"

static const char where[] = "worker";

#define PATH_BYTES 4096u
#define DEFAULT_HEARTBEAT_MS 8000u

/* ---- directories ---- */

static int copy_path(struct hq_worker *w, const char *path, const char **ret, hq_error *err)
{
    char cwd[PATH_BYTES];
    if (path[0] == '/')
        cwd[0] = '\0';
    else if (!getcwd(cwd, sizeof cwd))
        return hqi_base_error_sys(err, errno, where, "the current directory cannot be found");
    *ret = hqi_base_arena_printf(w->mem, "%s%s%s", cwd, cwd[0] ? "/" : "", path);
    return *ret ? HQ_OK : hqi_base_error_nomem(err, where);
}

static int make_dir(const char *path, hq_error *err)
{
    char part[PATH_BYTES];
    size_t n = strlen(path);
    if (n >= sizeof part)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "a path of %zu bytes: at most %u", n, PATH_BYTES - 1);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return hqi_base_error_sys(err, errno, where, "cannot create work directory %s", part);
    }
    return HQ_OK;
}

static int default_work_dir(struct hq_worker *w, hq_error *err)
{
    const char *tmp = hqi_worker_env_get(w, "TMPDIR");
    char name[HQI_UID_CHARACTERS + 1];
    int r = hqi_host_uid_make(name, err);
    if (r < 0)
        return r;
    const char *path = hqi_base_arena_printf(w->mem, "%s/hq-worker%s/work", tmp && *tmp ? tmp : "/tmp", name);
    r = path ? copy_path(w, path, &w->work_dir, err) : hqi_base_error_nomem(err, where);
    if (r < 0)
        return r;
    w->own_dir = hqi_base_arena_printf(w->mem, "%.*s", (int)(strlen(w->work_dir) - strlen("/work")), w->work_dir);
    return w->own_dir ? HQ_OK : hqi_base_error_nomem(err, where);
}

void hqi_worker_prepare_undo(const struct hq_worker *w)
{
    if (w->own_dir && rmdir(w->work_dir) == 0) /* not while tasks still have directories below */
        rmdir(w->own_dir);
}

/* What tasks see as HQ: this program, if it is the `hq` command. */
static int find_hq(struct hq_worker *w, hq_error *err)
{
    char path[PATH_BYTES];
    bool ok = true;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n < 3 || (size_t)n == sizeof path || memcmp(path + n - 3, "/hq", 3) != 0)
        return HQ_OK;
    w->hq_path = hqi_base_arena_bytes(w->mem, (struct bytes){path, (size_t)n}, &ok);
    return ok ? HQ_OK : hqi_base_error_nomem(err, where);
}

/* Whatever becomes of the environment and the current directory, it will be looked for there. */
static int find_server_dir(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    struct dir_path dir;
    int r = o->server_dir ? HQ_OK : hqi_serverdir_dir_default(&dir, err);
    return r < 0 ? r : copy_path(w, o->server_dir ? o->server_dir : dir.text, &w->server_dir, err);
}

int hqi_worker_prepare_dirs(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    int r = find_hq(w, err);
    w->task_files = o->task_files;
    w->keep_affinity = o->keep_affinity != 0;
    if (r >= 0 && !o->endpoint)
        r = find_server_dir(w, o, err);
    if (r >= 0 && o->helper)
        r = copy_path(w, o->helper, &w->helper_path, err);
    if (r >= 0)
        r = o->work_dir ? copy_path(w, o->work_dir, &w->work_dir, err) : default_work_dir(w, err);
    return r < 0 ? r : make_dir(w->work_dir, err);
}

/* ---- what it says of itself ---- */

static uint8_t lost_policy(int option)
{
    static const uint8_t policies[] = {
        [HQ_LOST_DEFAULT] = LOST_AS_SERVER,
        [HQ_LOST_STOP] = LOST_STOP,
        [HQ_LOST_FINISH_RUNNING] = LOST_FINISH_RUNNING,
        [HQ_LOST_WAIT] = LOST_WAIT,
    };
    return policies[option];
}

static int check_options(const hq_worker_options *o, hq_error *err)
{
    if (o->on_server_lost < HQ_LOST_DEFAULT || o->on_server_lost > HQ_LOST_WAIT)
        return hqi_base_error_set(err, HQ_EINVAL, where, "on_server_lost %d: expected one of enum hq_on_server_lost",
                                  o->on_server_lost);
    if (o->manager < HQ_MANAGER_DETECT || o->manager > HQ_MANAGER_SLURM)
        return hqi_base_error_set(err, HQ_EINVAL, where, "manager %d: expected one of enum hq_manager", o->manager);
    if (!(o->min_utilization >= 0 && o->min_utilization <= 1))
        return hqi_base_error_set(err, HQ_EINVAL, where, "min_utilization %g: expected 0.0 to 1.0", o->min_utilization);
    return HQ_OK;
}

int hqi_worker_prepare_config(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    struct worker_config *c = w->config;
    char host[HQI_HOST_BYTES] = "localhost";
    bool ok = true;
    int r = check_options(o, err);
    if (r < 0)
        return r;
    if (gethostname(host, sizeof host - 1) < 0)
        return hqi_base_error_sys(err, errno, where, "this host has no name");
    c->hostname = hqi_base_arena_bytes(c->mem, bytes_of(o->hostname ? o->hostname : host), &ok);
    c->group = hqi_base_arena_bytes(c->mem, bytes_of(o->group ? o->group : "default"), &ok);
    c->listen_address = bytes_of(hqi_base_arena_printf(c->mem, "%s:0", c->hostname.p ? c->hostname.p : ""));
    c->work_dir = bytes_of(w->work_dir); /* w->mem lives longer than the config */
    c->on_server_lost = lost_policy(o->on_server_lost);
    c->pid = (uint32_t)getpid();
    c->heartbeat_ms = o->heartbeat_ms ? o->heartbeat_ms : DEFAULT_HEARTBEAT_MS;
    c->idle_timeout_ms = o->idle_timeout_ms;
    c->time_limit_ms = o->time_limit_ms;
    c->overview_interval_ms = o->overview_interval_ms;
    c->min_utilization = (uint32_t)(o->min_utilization * HQ_UNITS + 0.5);
    return ok && c->listen_address.p ? HQ_OK : hqi_base_error_nomem(err, where);
}
