/* SPDX-License-Identifier: MIT */
/* same.c - comparing values, and hostile bytes. */
#include "same.h"

#include <stdlib.h>

#include "../failing_alloc.h"

void same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.n, b.n);
    assert_true(bytes_equal(a, b));
}

void same_list(const struct bytes *a, uint32_t n_a, const struct bytes *b, uint32_t n_b)
{
    assert_int_equal(n_a, n_b);
    for (uint32_t i = 0; i < n_a; i++)
        same_bytes(a[i], b[i]);
}

void same_env(const struct env_var *a, uint32_t n_a, const struct env_var *b, uint32_t n_b)
{
    assert_int_equal(n_a, n_b);
    for (uint32_t i = 0; i < n_a; i++) {
        same_bytes(a[i].name, b[i].name);
        same_bytes(a[i].value, b[i].value);
    }
}

void same_column(const void *a, const void *b, uint32_t n, size_t size)
{
    static const char zeros[4096];
    assert_true(n * size <= sizeof zeros);
    if (n)
        assert_memory_equal(a ? a : zeros, b ? b : zeros, n * size);
}

void same_set(const struct intset *a, const struct intset *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->n_ranges, b->n_ranges);
    if (a->n_ranges)
        assert_memory_equal(a->ranges, b->ranges, a->n_ranges * sizeof *a->ranges);
}

static void same_stdio(const struct stdio_spec *a, const struct stdio_spec *b)
{
    same_field(a, b, kind);
    same_field(a, b, rm_if_finished);
    same_bytes(a->path, b->path);
}

static void same_variant(const struct request_variant *a, const struct request_variant *b)
{
    same_field(a, b, n_nodes);
    same_field(a, b, n_entries);
    same_field(a, b, min_time_ms);
    same_field(a, b, weight);
    for (uint32_t i = 0; i < a->n_entries; i++) {
        same_bytes(a->entries[i].name, b->entries[i].name);
        same_field(&a->entries[i], &b->entries[i], policy);
        same_field(&a->entries[i], &b->entries[i], amount);
    }
}

void same_spec(const struct spec *a, const struct spec *b)
{
    same_set(&a->ids, &b->ids);
    same_list(a->argv, a->n_argv, b->argv, b->n_argv);
    same_env(a->env, a->n_env, b->env, b->n_env);
    same_bytes(a->submit_dir, b->submit_dir);
    same_bytes(a->cwd, b->cwd);
    same_stdio(&a->out, &b->out);
    same_stdio(&a->err, &b->err);
    same_bytes(a->stdin_data, b->stdin_data);
    same_field(a, b, request.n_variants);
    for (uint32_t i = 0; i < a->request.n_variants; i++)
        same_variant(&a->request.variants[i], &b->request.variants[i]);
    same_field(a, b, entries.n);
    for (uint32_t i = 0; i < a->entries.n; i++)
        same_bytes(spec_entry(a, i), spec_entry(b, i));
    same_field(a, b, priority);
    same_field(a, b, crash_limit);
    same_field(a, b, time_limit_ms);
    same_field(a, b, pin);
    same_field(a, b, task_dir);
}

void same_resources(const struct resources *a, const struct resources *b)
{
    same_field(a, b, n);
    for (uint32_t i = 0; i < a->n; i++) {
        const struct resource_def *x = &a->items[i], *y = &b->items[i];
        same_bytes(x->name, y->name);
        same_field(x, y, kind);
        same_field(x, y, start);
        same_field(x, y, end);
        same_field(x, y, sum);
        same_list(x->labels, x->n_labels, y->labels, y->n_labels);
        same_field(x, y, n_groups);
        same_column(x->group_sizes, y->group_sizes, x->n_groups, sizeof *x->group_sizes);
    }
}

void same_config(const struct worker_config *a, const struct worker_config *b)
{
    same_bytes(a->hostname, b->hostname);
    same_bytes(a->group, b->group);
    same_bytes(a->work_dir, b->work_dir);
    same_bytes(a->listen_address, b->listen_address);
    same_bytes(a->manager_job_id, b->manager_job_id);
    same_field(a, b, manager);
    same_field(a, b, on_server_lost);
    same_field(a, b, pid);
    same_field(a, b, min_utilization);
    same_field(a, b, heartbeat_ms);
    same_field(a, b, idle_timeout_ms);
    same_field(a, b, time_limit_ms);
    same_field(a, b, overview_interval_ms);
    same_resources(&a->resources, &b->resources);
}

static void same_gpus(const struct gpu_loads *a, const struct gpu_loads *b)
{
    same_field(a, b, known);
    same_field(a, b, n);
    for (uint32_t i = 0; i < a->n; i++) {
        same_bytes(a->items[i].id, b->items[i].id);
        same_field(a, b, items[i].busy);
        same_field(a, b, items[i].memory);
    }
}

void same_load(const struct node_load *a, const struct node_load *b)
{
    same_field(a, b, utc_s);
    same_field(a, b, n_cpus);
    same_column(a->cpus, b->cpus, a->n_cpus, sizeof *a->cpus);
    same_field(a, b, memory_total);
    same_field(a, b, memory_free);
    assert_memory_equal(&a->network, &b->network, sizeof a->network);
    same_gpus(&a->nvidia, &b->nvidia);
    same_gpus(&a->amd, &b->amd);
}

void same_tasks(const struct task_group *a, uint32_t n_a, const struct task_group *b, uint32_t n_b)
{
    assert_int_equal(n_a, n_b);
    for (uint32_t i = 0; i < n_a; i++) {
        same_field(&a[i], &b[i], submit);
        same_field(&a[i], &b[i], instance);
        same_field(&a[i], &b[i], booked);
        same_field(&a[i], &b[i], with_spec);
        same_field(&a[i], &b[i], n_ranges);
        same_column(a[i].ranges, b[i].ranges, a[i].n_ranges, sizeof *a[i].ranges);
    }
}

void same_texts(const struct end_text *a, uint32_t n_a, const struct end_text *b, uint32_t n_b)
{
    assert_int_equal(n_a, n_b);
    for (uint32_t i = 0; i < n_a; i++) {
        assert_int_equal(a[i].row, b[i].row);
        same_bytes(a[i].text, b[i].text);
    }
}

void same_start(const struct start_group *a, const struct start_group *b)
{
    same_field(a, b, submit);
    same_field(a, b, instance);
    same_field(a, b, n);
    same_column(a->ordinals, b->ordinals, a->n, sizeof *a->ordinals);
    same_column(a->start_ms, b->start_ms, a->n, sizeof *a->start_ms);
    same_column(a->variant, b->variant, a->n, sizeof *a->variant);
}

void same_end(const struct end_group *a, const struct end_group *b)
{
    same_start(&(struct start_group){a->submit, a->instance, a->n, a->ordinals, a->start_ms, a->variant},
               &(struct start_group){b->submit, b->instance, b->n, b->ordinals, b->start_ms, b->variant});
    same_column(a->duration_ms, b->duration_ms, a->n, sizeof *a->duration_ms);
    same_column(a->code, b->code, a->n, sizeof *a->code);
    same_texts(a->texts, a->n_texts, b->texts, b->n_texts);
}

/* ---- hostile bytes ---- */

static const int expected_errors[] = {HQ_OK, HQ_EPROTO, HQ_ELIMIT, HQ_EVERSION};

static int decode_once(struct bytes in, decode_fn *decode, const struct alloc *a, hq_error *err)
{
    char *exact = malloc(in.n + !in.n); /* so that a byte too far is seen */
    memcpy(exact, in.p, in.n);
    struct arena mem;
    hqi_base_arena_init(&mem, a);
    *err = (hq_error){0};
    int rc = decode((struct bytes){exact, in.n}, a, &mem, err);
    hqi_base_arena_fini(&mem);
    free(exact);
    assert_int_equal(rc, err->code);
    assert_true(rc == HQ_OK || err->text[0]);
    return rc;
}

static void borne(struct bytes in, decode_fn *decode)
{
    hq_error err;
    int rc = decode_once(in, decode, &hqi_base_alloc_libc, &err);
    for (size_t i = 0; i < sizeof expected_errors / sizeof *expected_errors; i++)
        if (rc == expected_errors[i])
            return;
    fail_msg("%d is none of the errors that bytes may cause: %s", rc, err.text);
}

static void every_allocation_fails(struct bytes sample, decode_fn *decode)
{
    hq_error err;
    for (size_t i = 1;; i++) {
        struct failing f;
        failing_init(&f, i);
        int rc = decode_once(sample, decode, &f.alloc, &err);
        assert_int_equal(f.live, 0);
        assert_int_equal(rc, f.hit ? HQ_ENOMEM : HQ_OK);
        if (!f.hit)
            break;
    }
}

void hostile(struct bytes sample, decode_fn *decode)
{
    static const char unknown[] = "\xfa\x7f\x03"
                                  "abc"; /* field 2047, three bytes */
    hq_error err;
    char *copy = malloc(sample.n + sizeof unknown);
    memcpy(copy, sample.p, sample.n);
    for (size_t n = 0; n < sample.n; n++)
        borne((struct bytes){copy, n}, decode);
    for (size_t i = 0; i < sample.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            copy[i] = (char)(sample.p[i] ^ (1 << bit));
            borne((struct bytes){copy, sample.n}, decode);
            copy[i] = sample.p[i];
        }
    memcpy(copy + sample.n, unknown, sizeof unknown - 1);
    assert_int_equal(
        decode_once((struct bytes){copy, sample.n + sizeof unknown - 1}, decode, &hqi_base_alloc_libc, &err),
        HQ_OK);
    free(copy);
    every_allocation_fails(sample, decode);
}

void starved(const void *value, encode_fn *encode)
{
    for (size_t i = 1;; i++) {
        struct failing f;
        struct buf out;
        failing_init(&f, i);
        hqi_base_buf_init(&out, &f.alloc);
        encode(value, &out);
        assert_true(out.failed == f.hit);
        hqi_base_buf_fini(&out);
        assert_int_equal(f.live, 0);
        if (!f.hit)
            break;
    }
}
