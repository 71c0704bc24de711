/* SPDX-License-Identifier: MIT */
/* replay.c - facts that come from a journal: the same apply, behind a check. */
#include "base/error.h"
#include "state/state.h"

static int number(struct state *s, uint64_t position, const struct fact *facts, uint32_t n, hq_error *err)
{
    bool repeats = n == 1 && facts->kind == FACT_REMAINS; /* the number of the last fact that it stands for */
    if (position < n || position - n + repeats < s->position)
        return hqi_base_error_set(err, HQ_EJOURNAL, "state", "%u facts up to number %llu cannot follow number %llu", n,
                                  (unsigned long long)position, (unsigned long long)s->position);
    s->position = position - n;
    return HQ_OK;
}

int hqi_state_replay(struct state *s, uint64_t position, struct fact *facts, uint32_t n, hq_error *err)
{
    const uint64_t before = s->position;
    uint32_t applied = 0;
    int r = number(s, position, facts, n, err);
    while (r >= 0 && applied < n) {
        r = hqi_state_check(s, &facts[applied], err);
        if (r >= 0)
            r = hqi_state_reserve(s, &facts[applied], err);
        if (r >= 0)
            hqi_state_apply(s, &facts[applied++]);
    }
    if (applied == 0)
        s->position = before;
    return r;
}
