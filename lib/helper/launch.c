/* SPDX-License-Identifier: MIT */
/* launch.c - see launch.h. A number may be used again after its drop, while tasks of the old one still run. */
#include "helper/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "helper/fd.h"

#define LONGEST_MS (UINT64_MAX / HQI_MS / 2) /* a longer limit never comes */

static const char where[] = "helper";

void hqi_helper_launch_init(struct launches *all, char *const *environment)
{
    *all = (struct launches){.base = environment};
    while (environment[all->n_base])
        all->n_base++;
    hqi_base_map_init(&all->by_number, &hqi_base_alloc_libc);
}

static void launch_free(struct launch *l)
{
    if (!l)
        return;
    if (l->in_fd >= 0)
        close(l->in_fd);
    hqi_base_arena_free(l->mem);
}

static bool copy_argv(struct launch *l, const struct helper_spec *spec)
{
    bool ok = true;
    l->n_argv = spec->n_argv;
    l->argv = hqi_base_arena_get(l->mem, (spec->n_argv + 1) * sizeof *l->argv);
    for (uint32_t i = 0; l->argv && i < spec->n_argv; i++)
        l->argv[i] = (char *)hqi_base_arena_bytes(l->mem, spec->argv[i], &ok).p;
    return l->argv && ok;
}

static bool make_env(struct launch *l, const struct launches *all, const struct helper_spec *spec)
{
    if (!hqi_helper_env_init(&l->env, l->mem, all->n_base + spec->n_env))
        return false;
    for (uint32_t i = 0; i < all->n_base; i++)
        hqi_helper_env_set(&l->env, all->base[i]);
    return hqi_helper_env_add(&l->env, l->mem, spec->env, spec->n_env);
}

static bool make_stdin(struct launch *l, struct bytes data)
{
    if (data.n == 0)
        return true;
    l->in_fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (l->in_fd < 0 || !hqi_helper_fd_write(l->in_fd, data))
        return false;
    fcntl(l->in_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    l->in_path = hqi_base_arena_printf(l->mem, "/proc/self/fd/%d", l->in_fd);
    return l->in_path != NULL;
}

static struct launch *launch_new(const struct launches *all, const struct helper_spec *spec)
{
    struct arena *mem = hqi_base_arena_new(&hqi_base_alloc_libc);
    struct launch *l = mem ? hqi_base_arena_zero(mem, 1, sizeof *l) : NULL;
    if (!l) {
        hqi_base_arena_free(mem);
        return NULL;
    }
    l->mem = mem;
    l->in_fd = -1;
    l->time_limit_ns = spec->time_limit_ms > LONGEST_MS ? 0 : spec->time_limit_ms * HQI_MS;
    l->task_dir = spec->task_dir;
    if (copy_argv(l, spec) && make_env(l, all, spec))
        return l;
    launch_free(l);
    return NULL;
}

void hqi_helper_launch_add(struct launches *all, const struct helper_spec *spec)
{
    struct launch *l = hqi_base_map_reserve(&all->by_number, 1) ? launch_new(all, spec) : NULL;
    hqi_helper_launch_drop(all, spec->spec);
    if (!l) {
        hqi_base_error_nomem(&all->err, where);
    } else if (!make_stdin(l, spec->stdin_data)) {
        hqi_base_error_sys(&all->err, errno, where, "cannot keep %zu bytes of standard input",
                           spec->stdin_data.n);
        launch_free(l);
    } else {
        hqi_base_map_put(&all->by_number, &l->by_number, spec->spec);
    }
}

void hqi_helper_launch_drop(struct launches *all, uint32_t number)
{
    struct map_node *node = hqi_base_map_take(&all->by_number, number);
    if (!node)
        return;
    struct launch *l = hqi_container(node, struct launch, by_number);
    l->dropped = true;
    if (l->users == 0)
        launch_free(l);
}

struct launch *hqi_helper_launch_get(const struct launches *all, uint32_t number)
{
    struct map_node *node = hqi_base_map_get(&all->by_number, number);
    return node ? hqi_container(node, struct launch, by_number) : NULL;
}

void hqi_helper_launch_use(struct launch *l)
{
    l->users++;
}

void hqi_helper_launch_release(struct launch *l)
{
    if (--l->users == 0 && l->dropped)
        launch_free(l);
}
