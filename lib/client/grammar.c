/* SPDX-License-Identifier: MIT */
/* grammar.c - checks of what users type, over lib/text/. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/tools.h"
#include "text/array.h"
#include "text/crash_limit.h"
#include "text/detect.h"
#include "text/duration.h"
#include "text/env_pair.h"
#include "text/request.h"
#include "text/resource_def.h"
#include "text/selector.h"
#include "text/stdio_spec.h"

/* One value in, its number out where it has one. */
typedef int check(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why);

static int check_array(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct text_array a;
    int r = hqi_text_array_parse(&a, mem, in, why);
    if (r >= 0)
        *value = a.ids.count;
    return r;
}

static int check_selector(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct selector s;
    return hqi_text_selector_parse(&s, mem, in, false, why);
}

static int check_selector_noall(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct selector s;
    return hqi_text_selector_parse(&s, mem, in, true, why);
}

static int check_single(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct selector s;
    int r = hqi_text_selector_parse_single(&s, mem, in, why);
    if (r >= 0 && s.kind == SELECT_IDS)
        *value = s.ids.ranges[0].first;
    return r;
}

static int check_duration(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    return hqi_text_duration_parse(value, in, why);
}

static int check_duration_human(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    return hqi_text_duration_parse_human(value, in, why);
}

static int check_amount(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct request_entry e = {0};
    int r = hqi_text_request_parse_amount(&e, in, why);
    if (r >= 0)
        *value = e.amount;
    return r;
}

static int check_request(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct request_entry e;
    int r = hqi_text_request_parse(&e, mem, in, why);
    if (r >= 0)
        *value = e.amount;
    return r;
}

static int check_resource(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct resource_def d;
    return hqi_text_resource_def_parse(&d, mem, in, why);
}

static int check_cpus(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct resource_def d;
    return hqi_text_resource_def_parse_cpus(&d, mem, in, why);
}

static int check_env(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct env_var v;
    return hqi_text_env_pair_parse(&v, in, why);
}

static int check_stdio(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    struct stdio_spec s;
    return hqi_text_stdio_spec_parse(&s, mem, in, why);
}

static int check_crash_limit(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    uint32_t limit;
    int r = hqi_text_crash_limit_parse(&limit, in, why);
    if (r >= 0)
        *value = limit;
    return r;
}

static int check_detect(struct bytes in, struct arena *mem, uint64_t *value, struct buf *why)
{
    uint32_t bits;
    int r = hqi_text_detect_parse(&bits, in, why);
    if (r >= 0)
        *value = bits ? bits : HQ_DETECT_NONE;
    return r;
}

static check *const checks[] = {
    [HQ_GRAMMAR_ARRAY] = check_array,
    [HQ_GRAMMAR_SELECTOR] = check_selector,
    [HQ_GRAMMAR_SELECTOR_NOALL] = check_selector_noall,
    [HQ_GRAMMAR_SINGLE] = check_single,
    [HQ_GRAMMAR_DURATION] = check_duration,
    [HQ_GRAMMAR_DURATION_HUMAN] = check_duration_human,
    [HQ_GRAMMAR_AMOUNT] = check_amount,
    [HQ_GRAMMAR_REQUEST] = check_request,
    [HQ_GRAMMAR_RESOURCE] = check_resource,
    [HQ_GRAMMAR_CPUS] = check_cpus,
    [HQ_GRAMMAR_ENV] = check_env,
    [HQ_GRAMMAR_STDIO] = check_stdio,
    [HQ_GRAMMAR_CRASH_LIMIT] = check_crash_limit,
    [HQ_GRAMMAR_DETECT] = check_detect,
};

int hq_tools_check(int grammar, const char *text, uint64_t *value, char *why, size_t room)
{
    struct buf message;
    struct arena mem;
    uint64_t number = 0;
    if (grammar <= 0 || (size_t)grammar >= sizeof checks / sizeof *checks || !text)
        return HQ_EINVAL;
    hqi_base_buf_init(&message, &hqi_base_alloc_libc); /* there is no ctx: before one is made, the command line is read */
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    int r = checks[grammar](bytes_of(text), &mem, &number, &message);
    if (r >= 0 && value)
        *value = number;
    if (r < 0 && why && room > 0) {
        struct bytes from = message.p ? hqi_base_buf_bytes(&message) : bytes_of(hq_strerror(r));
        size_t n = from.n < room - 1 ? from.n : room - 1;
        memcpy(why, from.p, n);
        why[n] = '\0';
    }
    hqi_base_arena_fini(&mem);
    hqi_base_buf_fini(&message);
    return r;
}
