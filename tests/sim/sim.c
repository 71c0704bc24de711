/* SPDX-License-Identifier: MIT */
/* sim.c - chance, time, and the loop: everything that is due happens, in a fixed order; then time jumps to what comes
 * next. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- chance ---- */

uint64_t sim_random(struct sim *s) /* splitmix64 */
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
    return sim_random(s) % n;
}

uint64_t sim_between(struct sim *s, uint64_t low, uint64_t high)
{
    return low + sim_below(s, high - low + 1);
}

bool sim_chance(struct sim *s, uint32_t in_1000)
{
    return sim_below(s, 1000) < in_1000;
}

uint64_t sim_about(struct sim *s, uint64_t ns)
{
    uint64_t most = sim_chance(s, 50) ? 10 * ns : ns + ns / 2;
    return ns / 2 + sim_below(s, most - ns / 2 + 1);
}

/* ---- words ---- */

static double seconds(const struct sim *s)
{
    return (double)(s->now - SIM_START) / 1e9;
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    va_list ap;
    if (s->failed)
        return;
    s->failed = true;
    va_start(ap, fmt);
    vsnprintf(s->why, sizeof s->why, fmt, ap);
    va_end(ap);
    printf("seed %llu: %s at t=%.6f s\n", (unsigned long long)s->seed, s->why, seconds(s));
    fflush(stdout);
}

void sim_trace(struct sim *s, const char *fmt, ...)
{
    va_list ap;
    if (!s->trace)
        return;
    printf("%12.6f  ", seconds(s));
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

/* ---- the loop ---- */

static void step(struct sim *s)
{
    chaos_step(s);
    disk_step(s);
    net_step(s);
    server_step(s);
    for (uint32_t i = 0; i < s->n_workers; i++)
        worker_step(s, s->workers[i]);
    for (uint32_t i = 0; i < s->n_clients; i++)
        client_step(s, &s->clients[i]);
}

static uint64_t next(const struct sim *s)
{
    uint64_t at = sim_least(sim_least(chaos_next(s), disk_next(s)), sim_least(net_next(s), server_next(s)));
    for (uint32_t i = 0; i < s->n_workers; i++)
        at = sim_least(at, worker_next(s->workers[i]));
    for (uint32_t i = 0; i < s->n_clients; i++)
        at = sim_least(at, client_next(&s->clients[i]));
    return at;
}

#define MAX_STILL 10000u /* steps without time passing: somebody turns in circles */

static void loop(struct sim *s)
{
    uint32_t still = 0;
    while (!s->failed) {
        step(s);
        if (s->done_at == NEVER && s->calm && judge_all_done(s))
            s->done_at = s->now + 5 * HQI_SEC;
        if (s->now >= s->done_at)
            return;
        uint64_t at = next(s);
        still = at <= s->now ? still + 1 : 0;
        if (still > MAX_STILL)
            sim_fail(s, "time stands still");
        if (at > s->now)
            s->now = sim_least(at, s->done_at);
        if (s->done_at == NEVER && s->now > s->end_at)
            judge_complain(s);
    }
}

bool sim_run(uint64_t seed, bool trace)
{
    struct sim *s = calloc(1, sizeof *s);
    s->seed = s->random = seed;
    s->trace = trace;
    s->now = SIM_START;
    s->done_at = NEVER;
    list_init(&s->conns);
    judge_init(s);
    chaos_init(s);
    server_init(s);
    for (; s->n_clients < s->p.n_clients; s->n_clients++)
        client_init(s, &s->clients[s->n_clients]);
    loop(s);
    if (!s->failed)
        judge_end(s);
    bool ok = !s->failed;
    if (trace)
        printf("%12.6f  %s\n", seconds(s), ok ? "all is well" : s->why);
    for (uint32_t i = 0; i < s->n_workers; i++)
        worker_free(s, s->workers[i]);
    for (uint32_t i = 0; i < s->n_clients; i++)
        client_fini(&s->clients[i]);
    server_fini(s);
    net_fini(s);
    disk_fini(s);
    judge_fini(s);
    free(s);
    return ok;
}
