/* SPDX-License-Identifier: MIT */
/* env.c - open addressing over the names; at most half of the slots are taken, nothing is ever removed. */
#include "helper/env.h"

#include <string.h>

static size_t name_length(const char *var)
{
    return (size_t)(strchrnul(var, '=') - var);
}

static uint32_t hash(const char *name, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a: names are short */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h ^ h >> 15;
}

/* The slot of that name, or the free one where it belongs. */
static uint32_t find(const struct env *e, const char *name, size_t n)
{
    uint32_t slot = hash(name, n) & e->mask;
    while (e->slots[slot] != 0) {
        const char *var = e->vars[e->slots[slot] - 1];
        if (strncmp(var, name, n) == 0 && var[n] == '=')
            break;
        slot = (slot + 1) & e->mask;
    }
    return slot;
}

bool hqi_helper_env_init(struct env *e, struct arena *mem, uint32_t room)
{
    uint32_t slots = 8;
    while (slots / 2 < room)
        slots *= 2;
    *e = (struct env){.room = room, .mask = slots - 1};
    e->vars = hqi_base_arena_get(mem, (room + 1) * sizeof *e->vars);
    e->slots = hqi_base_arena_zero(mem, slots, sizeof *e->slots);
    return e->vars && e->slots;
}

void hqi_helper_env_set(struct env *e, char *var)
{
    size_t n = name_length(var);
    if (var[n] != '=')
        return;
    uint32_t slot = find(e, var, n);
    if (e->slots[slot] != 0) {
        e->vars[e->slots[slot] - 1] = var;
    } else if (e->n < e->room) {
        e->vars[e->n++] = var;
        e->slots[slot] = e->n;
    }
}

bool hqi_helper_env_add(struct env *e, struct arena *mem, const struct env_var *vars, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct env_var *v = &vars[i];
        char *var = hqi_base_arena_get(mem, v->name.n + v->value.n + 2);
        if (!var)
            return false;
        if (v->name.n)
            memcpy(var, v->name.p, v->name.n);
        var[v->name.n] = '=';
        if (v->value.n)
            memcpy(var + v->name.n + 1, v->value.p, v->value.n);
        var[v->name.n + 1 + v->value.n] = '\0';
        hqi_helper_env_set(e, var);
    }
    return true;
}

const char *hqi_helper_env_get(const struct env *e, const char *name)
{
    size_t n = strlen(name);
    uint32_t index = e->slots[find(e, name, n)];
    return index ? e->vars[index - 1] + n + 1 : NULL;
}

void hqi_helper_env_merge(char **out, const struct env *base, const struct env *over)
{
    uint32_t n = base->n;
    if (n)
        memcpy(out, base->vars, n * sizeof *out);
    for (uint32_t i = 0; i < over->n; i++) {
        char *var = over->vars[i];
        uint32_t index = base->slots[find(base, var, name_length(var))];
        out[index ? index - 1 : n++] = var;
    }
    out[n] = NULL;
}
