/* SPDX-License-Identifier: MIT */
/* helper_test.c - packets between worker and helper: round trips, limits, hostile bytes. */
#include "same.h"

#include "base/limits.h"

#define ROUNDS 60
#define HOSTILE_ROUNDS 4

struct items { /* for starved() */
    const void *v;
    uint32_t n;
};

static int decode_to(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct to_helper *v;
    uint32_t n;
    return hqi_wire_helper_decode_to(&v, &n, in, mem, err);
}

static int decode_from(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct from_helper *v;
    uint32_t n;
    return hqi_wire_helper_decode_from(&v, &n, in, mem, err);
}

static void encode_to(const void *value, struct buf *out)
{
    const struct items *i = value;
    hqi_wire_helper_encode_to(i->v, i->n, out);
}

static void encode_from(const void *value, struct buf *out)
{
    const struct items *i = value;
    hqi_wire_helper_encode_from(i->v, i->n, out);
}

static void same_spec_item(const struct helper_spec *a, const struct helper_spec *b)
{
    same_field(a, b, spec);
    same_list(a->argv, a->n_argv, b->argv, b->n_argv);
    same_env(a->env, a->n_env, b->env, b->n_env);
    same_bytes(a->stdin_data, b->stdin_data);
    same_field(a, b, time_limit_ms);
    same_field(a, b, task_dir);
}

static void same_launch(const struct helper_launch *a, const struct helper_launch *b)
{
    same_field(a, b, key);
    same_field(a, b, after);
    same_field(a, b, spec);
    same_env(a->env, a->n_env, b->env, b->n_env);
    same_list(a->prefix, a->n_prefix, b->prefix, b->n_prefix);
    same_bytes(a->cwd, b->cwd);
    same_bytes(a->out, b->out);
    same_bytes(a->err, b->err);
    same_field(a, b, rm_out);
    same_field(a, b, rm_err);
    assert_int_equal(b->cwd.p[b->cwd.n], 0); /* chdir reads it so */
    assert_int_equal(b->out.p[b->out.n], 0);
    for (uint32_t i = 0; i < b->n_prefix; i++)
        assert_int_equal(b->prefix[i].p[b->prefix[i].n], 0);
}

static void same_to(const struct to_helper *a, const struct to_helper *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case TO_HELPER_SPEC:
        same_spec_item(&a->u.spec, &b->u.spec);
        break;
    case TO_HELPER_DROP:
        same_field(a, b, u.drop);
        break;
    case TO_HELPER_LAUNCH:
        same_launch(&a->u.launch, &b->u.launch);
        break;
    case TO_HELPER_UNSTAGE:
    case TO_HELPER_KILL:
        same_field(a, b, u.key);
        break;
    case TO_HELPER_HARDWARE:
        same_field(a, b, u.hardware.hyper_threading);
        break;
    case TO_HELPER_COMMAND:
        same_field(a, b, u.command.tag);
        same_list(a->u.command.argv, a->u.command.n_argv, b->u.command.argv, b->u.command.n_argv);
        same_field(a, b, u.command.timeout_ms);
        break;
    case TO_HELPER_OBSERVE:
        same_field(a, b, u.observe.interval_ms);
        same_field(a, b, u.observe.nvidia);
        same_field(a, b, u.observe.amd);
        break;
    default:
        assert_int_equal(a->kind, TO_HELPER_END);
    }
}

static void same_from(const struct from_helper *a, const struct from_helper *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case FROM_HELPER_HELLO:
        same_bytes(a->u.hello.build, b->u.hello.build);
        same_field(a, b, u.hello.pid);
        break;
    case FROM_HELPER_STARTED:
        same_field(a, b, u.started.key);
        same_field(a, b, u.started.age_ms);
        same_field(a, b, u.started.pid);
        same_field(a, b, u.started.start_ticks);
        break;
    case FROM_HELPER_ENDED:
        same_field(a, b, u.ended.key);
        same_field(a, b, u.ended.age_ms);
        same_field(a, b, u.ended.duration_ms);
        same_field(a, b, u.ended.code);
        same_bytes(a->u.ended.text, b->u.ended.text);
        same_field(a, b, u.ended.user_us);
        same_field(a, b, u.ended.system_us);
        same_field(a, b, u.ended.max_rss_kb);
        break;
    case FROM_HELPER_UNSTAGED:
        same_field(a, b, u.key);
        break;
    case FROM_HELPER_HARDWARE:
        same_resources(&a->u.hardware.resources, &b->u.hardware.resources);
        same_bytes(a->u.hardware.notes, b->u.hardware.notes);
        same_bytes(a->u.hardware.error, b->u.hardware.error);
        same_bytes(a->u.hardware.gpus, b->u.hardware.gpus);
        break;
    case FROM_HELPER_LOAD:
        same_load(a->u.load.load, b->u.load.load);
        same_bytes(a->u.load.notes, b->u.load.notes);
        break;
    default:
        same_field(a, b, u.command.tag);
        same_field(a, b, u.command.status);
        same_bytes(a->u.command.out, b->u.command.out);
        same_bytes(a->u.command.err, b->u.command.err);
    }
}

static void to_round_trip(struct sample *s, struct buf *out, bool with_hostile)
{
    uint32_t n, n_back;
    struct to_helper *a = sample_to_helper(s, &n), *b;
    struct items items = {a, n};
    hqi_base_buf_clear(out);
    encode_to(&items, out);
    assert_int_equal(hqi_wire_helper_decode_to(&b, &n_back, hqi_base_buf_bytes(out), s->mem, NULL), HQ_OK);
    assert_int_equal(n, n_back);
    for (uint32_t i = 0; i < n; i++)
        same_to(&a[i], &b[i]);
    if (with_hostile) {
        hostile(hqi_base_buf_bytes(out), decode_to);
        starved(&items, encode_to);
    }
}

static void from_round_trip(struct sample *s, struct buf *out, bool with_hostile)
{
    uint32_t n, n_back;
    struct from_helper *a = sample_from_helper(s, &n), *b;
    struct items items = {a, n};
    hqi_base_buf_clear(out);
    encode_from(&items, out);
    assert_int_equal(hqi_wire_helper_decode_from(&b, &n_back, hqi_base_buf_bytes(out), s->mem, NULL), HQ_OK);
    assert_int_equal(n, n_back);
    for (uint32_t i = 0; i < n; i++)
        same_from(&a[i], &b[i]);
    if (with_hostile) {
        hostile(hqi_base_buf_bytes(out), decode_from);
        starved(&items, encode_from);
    }
}

static void round_trips(void **state)
{
    struct arena mem;
    struct buf out;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        to_round_trip(&(struct sample){seed, &mem}, &out, seed < HOSTILE_ROUNDS);
        from_round_trip(&(struct sample){seed, &mem}, &out, seed < HOSTILE_ROUNDS);
        hqi_base_arena_clear(&mem);
    }
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void refused(const struct to_helper *item, const char *text)
{
    struct arena mem;
    struct buf out;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_helper_encode_to(item, 1, &out);
    assert_int_equal(decode_to(hqi_base_buf_bytes(&out), NULL, &mem, &err), HQ_EPROTO);
    assert_memory_equal(err.text, text, strlen(text));
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void strings_for_the_system_hold_no_nul(void **state)
{
    const struct bytes nul = {"a\0b", 3}, good = {"a", 1};
    const struct env_var env = {good, nul};
    struct to_helper launch = {.kind = TO_HELPER_LAUNCH, .u.launch = {.key = 1}};
    launch.u.launch.cwd = nul;
    refused(&launch, "HelperLaunch.cwd holds a zero byte");
    launch.u.launch.cwd = good;
    launch.u.launch.err = nul;
    refused(&launch, "HelperLaunch.stderr holds a zero byte");
    launch.u.launch.err = good;
    launch.u.launch.env = &env;
    launch.u.launch.n_env = 1;
    refused(&launch, "HelperLaunch.env holds a zero byte");
    launch.u.launch.n_env = 0;
    launch.u.launch.key = 0;
    refused(&launch, "HelperLaunch.key is 0");
    refused(&(struct to_helper){.kind = TO_HELPER_SPEC, .u.spec = {.argv = &nul, .n_argv = 1}},
            "HelperSpec.argv holds a zero byte");
    refused(&(struct to_helper){.kind = TO_HELPER_SPEC}, "HelperSpec.argv (their number) is 0");
    refused(&(struct to_helper){.kind = TO_HELPER_COMMAND}, "HelperCommand.argv (their number) is 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(strings_for_the_system_hold_no_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
