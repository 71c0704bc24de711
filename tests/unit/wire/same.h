/* SPDX-License-Identifier: MIT */
/* same.h - asserts that two values are equal, field by field; and what a codec must bear: any bytes, any failure of
 * memory. */
#ifndef TESTS_WIRE_SAME_H
#define TESTS_WIRE_SAME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sample.h"

#define same_field(a, b, field) assert_int_equal((a)->field, (b)->field)

void same_bytes(struct bytes a, struct bytes b);
void same_list(const struct bytes *a, uint32_t n_a, const struct bytes *b, uint32_t n_b);
void same_env(const struct env_var *a, uint32_t n_a, const struct env_var *b, uint32_t n_b);
void same_column(const void *a, const void *b, uint32_t n, size_t size); /* NULL: zeros */
void same_set(const struct intset *a, const struct intset *b);
void same_spec(const struct spec *a, const struct spec *b);
void same_resources(const struct resources *a, const struct resources *b);
void same_config(const struct worker_config *a, const struct worker_config *b);
void same_load(const struct node_load *a, const struct node_load *b);
void same_tasks(const struct task_group *a, uint32_t n_a, const struct task_group *b, uint32_t n_b);
void same_texts(const struct end_text *a, uint32_t n_a, const struct end_text *b, uint32_t n_b);
void same_start(const struct start_group *a, const struct start_group *b);
void same_end(const struct end_group *a, const struct end_group *b);

/* Decodes `in` and frees all; returns what the decoder did. */
typedef int decode_fn(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err);
/* The sample cut at every byte, with every bit flipped, with an unknown field behind it (which must still
 * decode), and decoded while each allocation fails in turn. */
void hostile(struct bytes sample, decode_fn *decode);
/* Encodes while each allocation fails in turn: the buffer must say so. */
typedef void encode_fn(const void *value, struct buf *out);
void starved(const void *value, encode_fn *encode);

#endif
