/* SPDX-License-Identifier: MIT */
/* options.c - see options.h. A worker wrote them: whatever is not as expected is an error. */
#include "helper/options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const char where[] = "hq-helper";

enum field { WORKER, WORKER_FD, SOCKET, NOFILE, WORK_DIR, KEEP_AFFINITY };

static const struct option_def {
    const char *name;
    enum field field;
} defs[] = {
    {"--worker", WORKER}, {"--worker-fd", WORKER_FD}, {"--socket", SOCKET},
    {"--nofile", NOFILE}, {"--work-dir", WORK_DIR},   {"--keep-affinity", KEEP_AFFINITY},
};

static const struct option_def *find(const char *name)
{
    for (size_t i = 0; i < sizeof defs / sizeof *defs; i++)
        if (strcmp(defs[i].name, name) == 0)
            return &defs[i];
    return NULL;
}

static int number(const char *name, const char *text, unsigned long max, unsigned long *ret, hq_error *err)
{
    char *end;
    errno = 0;
    *ret = strtoul(text, &end, 10);
    if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *ret <= max)
        return HQ_OK;
    return hqi_base_error_set(err, HQ_EINVAL, where, "%s takes a number of at most %lu, not \"%s\"", name,
                              max, text);
}

static int take(struct options *o, const struct option_def *def, const char *value, hq_error *err)
{
    unsigned long n = 0;
    if (def->field == WORK_DIR) {
        o->work_dir = value;
        if (value[0] == '/')
            return HQ_OK;
        return hqi_base_error_set(err, HQ_EINVAL, where, "--work-dir takes an absolute path, not \"%s\"",
                                  value);
    }
    int rc = number(def->name, value, def->field == NOFILE ? ULONG_MAX : INT_MAX, &n, err);
    if (rc < 0)
        return rc;
    if (def->field == WORKER)
        o->worker = (pid_t)n;
    else if (def->field == WORKER_FD)
        o->worker_fd = (int)n;
    else if (def->field == SOCKET)
        o->socket = (int)n;
    else
        o->nofile = n;
    return HQ_OK;
}

int hqi_helper_options_parse(struct options *ret, int argc, char *const *argv, hq_error *err)
{
    *ret = (struct options){.worker_fd = -1, .socket = 3};
    for (int i = 1; i < argc; i++) {
        const struct option_def *def = find(argv[i]);
        if (!def)
            return hqi_base_error_set(err, HQ_EINVAL, where, "unknown option \"%s\"", argv[i]);
        if (def->field == KEEP_AFFINITY) {
            ret->keep_affinity = true;
            continue;
        }
        if (i + 1 == argc)
            return hqi_base_error_set(err, HQ_EINVAL, where, "%s lacks its value", argv[i]);
        int rc = take(ret, def, argv[++i], err);
        if (rc < 0)
            return rc;
    }
    if (ret->worker <= 0 || !ret->work_dir)
        return hqi_base_error_set(err, HQ_EINVAL, where, "--worker and --work-dir are required");
    return HQ_OK;
}
