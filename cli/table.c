/* SPDX-License-Identifier: MIT */
/* table.c - tables of text with ASCII borders. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

#define FLUSH_AT 65536 /* bytes of a rendered table that are printed at a time */

void table_init(struct table *t, const struct cli *cli, const char *const *headers)
{
    *t = (struct table){.cli = cli, .headers = headers, .columns = headers ? 0 : 2};
    while (headers && headers[t->columns])
        t->columns++;
}

void table_free(struct table *t)
{
    str_free(&t->text);
    free(t->cells);
    t->cells = NULL;
    t->n = t->room = 0;
}

static void start_cell(struct table *t)
{
    if (t->n == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->cells = mem_grow(t->cells, t->room, sizeof(*t->cells));
    }
    t->cells[t->n++] = t->text.len;
}

static void end_cell(struct table *t)
{
    str_addn(&t->text, "", 1);
}

void table_add(struct table *t, const char *text)
{
    table_add_styled(t, STYLE_NONE, text);
}

/* Each line is styled by itself, so that the borders beside it are not. */
void table_add_styled(struct table *t, enum style style, const char *text)
{
    struct str safe = {0};
    format_safe(&safe, text, strlen(text));
    start_cell(t);
    char *line = safe.p;
    while (line && *line) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (*line)
            out_style(&t->text, t->cli, style, line);
        if (end)
            str_add(&t->text, "\n");
        line = end ? end + 1 : NULL;
    }
    end_cell(t);
    str_free(&safe);
}

void table_addf(struct table *t, const char *format, ...)
{
    struct str text = {0};
    va_list args;
    va_start(args, format);
    str_addv(&text, format, args);
    va_end(args);
    table_add(t, str_text(&text));
    str_free(&text);
}

void table_add_raw(struct table *t, const struct str *text)
{
    start_cell(t);
    str_add(&t->text, str_text(text));
    end_cell(t);
}

void table_key(struct table *t, const char *key, const char *value)
{
    table_add_styled(t, STYLE_BOLD, key);
    table_add(t, value);
}

/* ---- rendering ---- */

/* The n-th line of a cell and its length; a newline at the end of the cell starts no line. */
static const char *cell_line(const char *cell, size_t n, size_t *len)
{
    for (; n > 0; n--) {
        const char *end = strchr(cell, '\n');
        if (!end || end[1] == '\0')
            return NULL;
        cell = end + 1;
    }
    *len = strcspn(cell, "\n");
    return cell;
}

static void measure(const struct table *t, const char *cell, size_t *width)
{
    size_t len;
    const char *line;
    for (size_t i = 0; (line = cell_line(cell, i, &len)); i++) {
        size_t w = format_width(line, len);
        *width = w > *width ? w : *width;
    }
}

static void add_border(const struct table *t, const size_t *width, struct str *out)
{
    for (size_t c = 0; c < t->columns; c++) {
        str_add(out, "+");
        str_fill(out, '-', width[c] + 2);
    }
    str_add(out, "+\n");
}

static bool add_line(const struct table *t, const char *const *cells, size_t n, const size_t *width, struct str *out)
{
    const char *line[TABLE_COLUMNS];
    size_t len[TABLE_COLUMNS] = {0};
    bool any = false;
    for (size_t c = 0; c < t->columns; c++) {
        line[c] = cell_line(cells[c], n, &len[c]);
        any |= line[c] != NULL;
    }
    for (size_t c = 0; any && c < t->columns; c++) {
        size_t fill = width[c] - (line[c] ? format_width(line[c], len[c]) : 0);
        str_add(out, "| ");
        str_fill(out, ' ', t->right[c] ? fill : 0);
        str_addn(out, line[c] ? line[c] : "", line[c] ? len[c] : 0);
        str_fill(out, ' ', (t->right[c] ? 0 : fill) + 1);
    }
    if (any)
        str_add(out, "|\n");
    return any;
}

static void add_row(const struct table *t, const char *const *cells, const size_t *width, struct str *out)
{
    for (size_t n = 0; add_line(t, cells, n, width, out); n++)
        ;
}

static void add_head(const struct table *t, const size_t *width, struct str *out)
{
    struct str bold[TABLE_COLUMNS] = {{0}};
    const char *cells[TABLE_COLUMNS];
    for (size_t c = 0; c < t->columns; c++) {
        out_style(&bold[c], t->cli, STYLE_BOLD, t->headers[c]);
        cells[c] = str_text(&bold[c]);
    }
    add_row(t, cells, width, out);
    for (size_t c = 0; c < t->columns; c++)
        str_free(&bold[c]);
    add_border(t, width, out);
}

static void render(const struct table *t, struct str *out, FILE *file)
{
    size_t width[TABLE_COLUMNS] = {0};
    for (size_t c = 0; t->headers && c < t->columns; c++)
        measure(t, t->headers[c], &width[c]);
    for (size_t i = 0; i < t->n; i++)
        measure(t, t->text.p + t->cells[i], &width[i % t->columns]);
    add_border(t, width, out);
    if (t->headers)
        add_head(t, width, out);
    for (size_t i = 0; i + t->columns <= t->n; i += t->columns) {
        const char *cells[TABLE_COLUMNS];
        for (size_t c = 0; c < t->columns; c++)
            cells[c] = t->text.p + t->cells[i + c];
        add_row(t, cells, width, out);
        if (file && out->len > FLUSH_AT) {
            fputs(out->p, file);
            str_clear(out);
        }
    }
    if (t->n > 0)
        add_border(t, width, out);
}

void table_render(const struct table *t, struct str *out)
{
    render(t, out, NULL);
}

void table_print(const struct table *t)
{
    struct str out = {0};
    render(t, &out, stdout);
    fputs(str_text(&out), stdout);
    str_free(&out);
}
