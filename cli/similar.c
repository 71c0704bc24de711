/* SPDX-License-Identifier: MIT */
/* similar.c - the Jaro similarity of two words. Words beyond the limit are never similar: a tip is a courtesy. */
#include "similar.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 256 /* longer than any option; bounds the two tables on the stack */

static size_t matches(const char *a, size_t na, const char *b, size_t nb, bool *in_a, bool *in_b)
{
    size_t longer = na > nb ? na : nb, range = longer / 2 > 0 ? longer / 2 - 1 : 0, count = 0;
    for (size_t i = 0; i < na; i++) {
        size_t from = i > range ? i - range : 0, to = i + range + 1 < nb ? i + range + 1 : nb;
        for (size_t j = from; j < to; j++) {
            if (in_b[j] || a[i] != b[j])
                continue;
            in_a[i] = in_b[j] = true;
            count++;
            break;
        }
    }
    return count;
}

static size_t transpositions(const char *a, size_t na, const bool *in_a, const char *b, const bool *in_b)
{
    size_t count = 0, j = 0;
    for (size_t i = 0; i < na; i++) {
        if (!in_a[i])
            continue;
        while (!in_b[j])
            j++;
        count += a[i] != b[j++];
    }
    return count / 2;
}

double similar_jaro(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na == 0 && nb == 0)
        return 1;
    if (na == 0 || nb == 0 || na > WORD_MAX || nb > WORD_MAX)
        return 0;
    bool in_a[WORD_MAX] = {false}, in_b[WORD_MAX] = {false};
    size_t m = matches(a, na, b, nb, in_a, in_b);
    if (m == 0)
        return 0;
    size_t t = transpositions(a, na, in_a, b, in_b);
    double count = (double)m;
    return (count / (double)na + count / (double)nb + (count - (double)t) / count) / 3;
}

size_t similar_find(const char *to, const char *const *words, size_t n, const char **ret)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        double score = similar_jaro(to, words[i]);
        if (score <= SIMILAR_ENOUGH)
            continue;
        size_t at = found++;
        for (; at > 0 && similar_jaro(to, ret[at - 1]) > score; at--)
            ret[at] = ret[at - 1];
        ret[at] = words[i];
    }
    return found;
}
