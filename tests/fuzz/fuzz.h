/* SPDX-License-Identifier: MIT */
/* fuzz.h - what a fuzz target NAME_fuzz.c defines. libFuzzer calls the first function, replay.c both. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Eats any bytes: crashes, or aborts when a promise is broken. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Writes a valid input, the same for the same seed, and returns its size; 0 when it does not fit. A target may do without:
 * then replay.c starts from its corpus alone, or from noise. */
size_t fuzz_sample(uint64_t seed, uint8_t *out, size_t room) __attribute__((weak));

#endif
