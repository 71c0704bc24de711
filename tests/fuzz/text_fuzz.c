/* SPDX-License-Identifier: MIT */
/* text_fuzz.c - every grammar of lib/text on the same bytes.
 *
 * Traps when an accepted value breaks what the grammar promises, when a refused one has no reason, or
 * when an array does not survive being printed and read again. */
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "hqcore/types.h"
#include "text/allocation.h"
#include "text/amount.h"
#include "text/array.h"
#include "text/cpu_list.h"
#include "text/crash_limit.h"
#include "text/detect.h"
#include "text/duration.h"
#include "text/env_pair.h"
#include "text/integer.h"
#include "text/placeholder.h"
#include "text/request.h"
#include "text/resource_def.h"
#include "text/selector.h"
#include "text/stdio_spec.h"
#include "text/task_error.h"
#include "text/task_paths.h"

#define MUST(condition)       \
    do {                      \
        if (!(condition))     \
            __builtin_trap(); \
    } while (0)

struct bench {
    struct arena mem;
    struct buf why, out;
};

/* Either a value, or a reason of bounded length (a picture shows at most some 2,000 bytes, twice indented). */
static bool accepted(struct bench *b, int rc, size_t in_n)
{
    MUST(rc == HQ_OK || rc == HQ_EINVAL || rc == HQ_ELIMIT);
    MUST((rc == HQ_OK) == (b->why.n == 0) && b->why.n < 8000 + in_n);
    hqi_base_buf_clear(&b->why);
    return rc == HQ_OK;
}

static void try_array(struct bench *b, struct bytes in)
{
    struct text_array a, again;
    struct selector sel;
    hqi_base_buf_clear(&b->out);
    if (accepted(b, hqi_text_array_parse(&a, &b->mem, in, &b->why), in.n)) {
        MUST(a.n >= 1 && a.ids.count >= a.n);
        hqi_text_array_print(a.ranges, a.n, &b->out);
        MUST(hqi_text_array_parse(&again, &b->mem, hqi_base_buf_bytes(&b->out), NULL) == HQ_OK);
        MUST(again.n == a.n && again.ids.count == a.ids.count);
        uint32_t last = hqi_model_intset_select(&a.ids, a.ids.count - 1);
        MUST(hqi_model_intset_rank(&a.ids, last) == a.ids.count - 1);
    }
    if (accepted(b, hqi_text_selector_parse(&sel, &b->mem, in, false, &b->why), in.n))
        MUST(sel.kind != SELECT_IDS || (sel.ids.count > 0 && sel.ids.count <= HQI_MAX_SELECT));
    accepted(b, hqi_text_selector_parse_single(&sel, &b->mem, in, &b->why), in.n);
}

static void try_resources(struct bench *b, struct bytes in)
{
    struct request_entry e = {.name = bytes_of("cpus")};
    struct resource_def d;
    const struct request_variant v = {.entries = &e, .n_entries = 1, .weight = HQ_UNITS};
    const struct resource_request r = {&v, 1};
    uint64_t amount;
    accepted(b, hqi_text_amount_parse(&amount, in, &b->why), in.n);
    if (accepted(b, hqi_text_request_parse_amount(&e, in, &b->why), in.n))
        MUST(hqi_model_request_check(&r, NULL) == HQ_OK);
    if (accepted(b, hqi_text_request_parse(&e, &b->mem, in, &b->why), in.n))
        MUST(hqi_model_request_check(&r, NULL) == HQ_OK);
    if (accepted(b, hqi_text_resource_def_parse(&d, &b->mem, in, &b->why), in.n))
        MUST(hqi_model_resource_name_ok(d.name) && (d.kind == RESOURCE_SUM || hqi_model_resource_total(&d) > 0));
    if (accepted(b, hqi_text_resource_def_parse_cpus(&d, &b->mem, in, &b->why), in.n)) {
        const struct resources set = {&d, 1};
        hqi_model_resource_check(&set, NULL);
    }
}

static void try_words(struct bench *b, struct bytes in)
{
    uint64_t ms;
    uint32_t n;
    struct env_var env;
    struct stdio_spec io;
    if (accepted(b, hqi_text_duration_parse(&ms, in, &b->why), in.n))
        MUST(ms <= HQI_MAX_DURATION_MS);
    if (accepted(b, hqi_text_duration_parse_human(&ms, in, &b->why), in.n))
        MUST(ms <= HQI_MAX_DURATION_MS);
    accepted(b, hqi_text_stdio_spec_parse(&io, &b->mem, in, &b->why), in.n);
    accepted(b, hqi_text_crash_limit_parse(&n, in, &b->why), in.n);
    accepted(b, hqi_text_detect_parse(&n, in, &b->why), in.n);
    if (accepted(b, hqi_text_env_pair_parse(&env, in, &b->why), in.n))
        MUST(env.name.n + env.value.n <= in.n);
    if (hqi_text_integer_parse(in, UINT32_MAX, &ms) == INTEGER_OK)
        MUST(ms <= UINT32_MAX);
}

static void try_paths(struct bench *b, struct bytes in)
{
    const struct path_values values = {1, 2, 3, bytes_of("/submit"), bytes_of("abcdef")};
    const struct task_paths typed = {in, in, bytes_of("x")};
    struct task_paths first, second;
    if (hqi_text_task_paths_at_submit(&first, &b->mem, &typed, &values) < 0)
        return;
    MUST(hqi_text_task_paths_at_start(&second, &b->mem, &first, &values) == HQ_OK);
    MUST(second.cwd.n > 0 && second.cwd.p[0] == '/' && (in.n == 0 || second.out.p[0] == '/'));
    hqi_base_buf_clear(&b->out);
    hqi_text_task_error_print(513, in, 5, &b->out);
    MUST(b->out.n == in.n);
}

static void try_foreign(struct bench *b, struct bytes in)
{
    const hq_range *ranges;
    uint32_t n;
    uint64_t secs;
    if (hqi_text_cpu_list_parse(&ranges, &n, &b->mem, in) == HQ_OK)
        MUST(n >= 1 && ranges[0].count >= 1);
    hqi_text_allocation_time(in, &secs);
    hqi_text_allocation_slurm_left(in, &secs);
    hqi_text_allocation_pbs_left(in, &secs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench b;
    const struct bytes in = {(const char *)data, size};
    hqi_base_arena_init(&b.mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&b.why, &hqi_base_alloc_libc);
    hqi_base_buf_init(&b.out, &hqi_base_alloc_libc);
    try_array(&b, in);
    try_resources(&b, in);
    try_words(&b, in);
    try_paths(&b, in);
    try_foreign(&b, in);
    hqi_base_buf_fini(&b.out);
    hqi_base_buf_fini(&b.why);
    hqi_base_arena_fini(&b.mem);
    return 0;
}
