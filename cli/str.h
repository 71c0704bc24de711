/* SPDX-License-Identifier: MIT */
/* str.h - text that grows. Running out of memory ends the program, since a command can do nothing else. */
#ifndef CLI_STR_H
#define CLI_STR_H

#include <stdarg.h>
#include <stddef.h>

/* malloc, realloc and strdup that never return NULL. */
void *mem_new(size_t count, size_t size); /* zeroed */
void *mem_grow(void *p, size_t count, size_t size);
char *mem_dup(const char *text);
char *mem_dupn(const char *text, size_t len);

struct str {
    char *p; /* owned; NUL-terminated once something was added */
    size_t len, room;
};

void str_free(struct str *s);
void str_clear(struct str *s);
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const char *text, size_t len);
void str_fill(struct str *s, char c, size_t count);
void str_addf(struct str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_addv(struct str *s, const char *format, va_list args) __attribute__((format(printf, 2, 0), nonnull(2)));
const char *str_text(const struct str *s); /* "" while empty */

#endif
