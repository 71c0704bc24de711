/* SPDX-License-Identifier: MIT */
/* similar.h - how much two words are alike, for "a similar argument exists". */
#ifndef CLI_SIMILAR_H
#define CLI_SIMILAR_H

#include <stddef.h>

#define SIMILAR_ENOUGH 0.7 /* above: worth a tip */

/* Jaro similarity, 0 (nothing in common) to 1 (equal), over bytes. */
double similar_jaro(const char *a, const char *b);

/* Those of `words` that are similar enough to `to`, the most similar last; returns their number. */
size_t similar_find(const char *to, const char *const *words, size_t n, const char **ret);

#endif
