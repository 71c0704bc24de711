/* SPDX-License-Identifier: MIT */
/* table.h - tables of text. Cells are added row by row; widths are known when it is printed. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "output.h"

#define TABLE_COLUMNS 8

struct table {
    const struct cli *cli;
    const char *const *headers; /* NULL: two columns of keys and values */
    size_t columns;
    bool right[TABLE_COLUMNS];  /* aligned to the right */
    struct str text;            /* all cells, each with its NUL */
    size_t *cells;              /* owned; where each starts in `text` */
    size_t n, room;
};

/* `headers` ends with NULL and outlives the table; NULL: keys and values. */
void table_init(struct table *t, const struct cli *cli, const char *const *headers);
void table_free(struct table *t);

void table_add(struct table *t, const char *text); /* escapes what a terminal must not see */
void table_add_styled(struct table *t, enum style style, const char *text);
void table_addf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_add_raw(struct table *t, const struct str *text); /* as it is, colours included */
void table_key(struct table *t, const char *key, const char *value); /* a row of keys and values */

void table_render(const struct table *t, struct str *out);
void table_print(const struct table *t); /* on stdout */

#endif
