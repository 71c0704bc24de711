/* SPDX-License-Identifier: MIT */
/* report_page.c - see report_page.h. The page's script draws; all that it draws is computed here. */
#include "report_page.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "json.h"

#define MS_PER_S 1000.0
#define DIGITS 12 /* of numbers: milliseconds of decades */
#define TINY 1e-9 /* what is left of sums of shares that should be 0 */

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<title>HQ Journal Report</title>\n"
    "<script src=\"https://cdn.plot.ly/plotly-3.1.0.min.js\"></script>\n"
    "<style>\n"
    "body { font-family: sans-serif; margin: 2em auto; max-width: 1200px; color: #222; }\n"
    "section { margin-bottom: 3em; }\n"
    ".cards { display: flex; gap: 1em; }\n"
    ".card { border: 1px solid #ccc; border-radius: 6px; padding: 0.7em 1.2em; }\n"
    ".card b { display: block; font-weight: normal; color: #777; font-size: 85%; }\n"
    ".legend { color: #555; font-size: 90%; }\n"
    ".chart { min-height: 450px; }\n"
    "</style>\n"
    "</head>\n"
    "<body>\n"
    "<h1>HQ Journal Report</h1>\n"
    "<div class=\"cards\" id=\"cards\"></div>\n"
    "<p id=\"failure\" hidden>The charts cannot be drawn: Plotly could not be loaded from cdn.plot.ly.</p>\n"
    "<section>\n"
    "<h2>Global worker statistics</h2>\n"
    "<div class=\"chart\" id=\"globalChart\"></div>\n"
    "<ul class=\"legend\">\n"
    "<li><b>Running workers R</b>: how many workers with the resources R were connected.</li>\n"
    "<li><b>N alloc on R</b>: how much of resource N their running tasks took; 1 is all that one such worker has.</li>\n"
    "</ul>\n"
    "</section>\n"
    "<section>\n"
    "<h2>Task counts</h2>\n"
    "<div class=\"chart\" id=\"countsChart\"></div>\n"
    "<ul class=\"legend terms\"></ul>\n"
    "</section>\n"
    "<section>\n"
    "<h2>Task durations</h2>\n"
    "<div class=\"chart\" id=\"durationsChart\"></div>\n"
    "<ul class=\"legend terms\"></ul>\n"
    "</section>\n"
    "<script type=\"application/json\" id=\"data\">\n";

static const char tail[] =
    "\n</script>\n"
    "<script>\n"
    "const data = JSON.parse(document.getElementById('data').textContent);\n"
    "const element = (parent, kind, text) => {\n"
    "  const e = document.createElement(kind);\n"
    "  e.textContent = text;\n"
    "  parent.append(e);\n"
    "  return e;\n"
    "};\n"
    "for (const card of data.cards) {\n"
    "  const e = element(document.getElementById('cards'), 'div', '');\n"
    "  e.className = 'card';\n"
    "  element(e, 'b', card.title);\n"
    "  element(e, 'span', card.text);\n"
    "}\n"
    "for (const list of document.querySelectorAll('.terms'))\n"
    "  data.terms.forEach((text, i) => element(list, 'li', `T${i + 1} = ${text}`));\n"
    "const axis = text => ({title: {text}});\n"
    "const draw = (id, traces, layout) => Plotly.newPlot(id, traces, layout, {responsive: true});\n"
    "const names = data.terms.map((_, i) => `T${i + 1}`);\n"
    "const bars = (name, y) => ({type: 'bar', name, x: names, y});\n"
    "if (typeof Plotly === 'undefined') {\n"
    "  document.getElementById('failure').hidden = false;\n"
    "} else {\n"
    "  draw('globalChart', data.workers.map(t => ({...t, mode: 'lines', line: {shape: 'vh'}})),\n"
    "       {xaxis: axis('Seconds since the server started'), yaxis: axis('Workers')});\n"
    "  draw('countsChart', [bars('Finished', data.finished), bars('Failed', data.failed)],\n"
    "       {barmode: 'group', yaxis: axis('Tasks')});\n"
    "  draw('durationsChart', data.durations.map(t => ({...t, type: 'box'})), {yaxis: axis('Seconds')});\n"
    "}\n"
    "</script>\n"
    "</body>\n"
    "</html>\n";

/* ---- steps ---- */

static double seconds(const struct report_page *p, int64_t ms)
{
    return (double)(ms - p->base_ms) / MS_PER_S;
}

static double applied(double value, const struct report_step *s)
{
    value = s->to_zero ? 0 : value + s->change;
    return fabs(value) < TINY ? 0 : value;
}

static void add_point(json_t *x, json_t *y, double at, double value)
{
    json_array_append_new(x, json_real(at));
    json_array_append_new(y, json_real(value));
}

/* One point for each moment at which the value changes; what was before the first one shown is its first value. */
static json_t *trace_json(const struct report_page *p, const struct report_trace *t)
{
    json_t *x = json_array(), *y = json_array();
    double value = 0;
    size_t i = 0;
    while (i < t->n && t->steps[i].ms <= p->from_ms)
        value = applied(value, &t->steps[i++]);
    add_point(x, y, seconds(p, p->from_ms), value);
    while (i < t->n) {
        int64_t ms = t->steps[i].ms;
        while (i < t->n && t->steps[i].ms == ms)
            value = applied(value, &t->steps[i++]);
        add_point(x, y, seconds(p, ms), value);
    }
    return json_pack("{s:o, s:o, s:o}", "name", json_text(t->name), "x", x, "y", y);
}

static json_t *workers_json(const struct report_page *p)
{
    size_t n;
    const struct report_trace *t = report_traces(p->data, &n);
    json_t *ret = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(ret, trace_json(p, &t[i]));
    return ret;
}

/* ---- tasks ---- */

static json_t *terms_json(const struct report_page *p)
{
    size_t n;
    const struct report_term *t = report_terms(p->data, &n);
    json_t *ret = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(ret, json_text(t[i].text));
    return ret;
}

static json_t *counts_json(const struct report_page *p, enum report_end end)
{
    size_t n;
    const struct report_term *t = report_terms(p->data, &n);
    json_t *ret = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(ret, json_integer((json_int_t)t[i].ends[end].count));
    return ret;
}

static void add_durations(json_t *to, const struct report_ends *e, const char *word, size_t term)
{
    json_t *y = json_array();
    if (e->n == 0) {
        json_decref(y);
        return;
    }
    for (size_t i = 0; i < e->n; i++)
        json_array_append_new(y, json_real(e->seconds[i]));
    json_array_append_new(to, json_pack("{s:o, s:o}", "name", json_sprintf("%s T%zu", word, term + 1), "y", y));
}

static json_t *durations_json(const struct report_page *p)
{
    size_t n;
    const struct report_term *t = report_terms(p->data, &n);
    json_t *ret = json_array();
    for (size_t i = 0; i < n; i++) {
        add_durations(ret, &t[i].ends[REPORT_FINISHED], "Finished", i);
        add_durations(ret, &t[i].ends[REPORT_FAILED], "Failed", i);
    }
    return ret;
}

/* ---- cards ---- */

static json_t *card(const char *title, struct str *text)
{
    json_t *ret = json_pack("{s:s, s:o}", "title", title, "text", json_text(str_text(text)));
    str_clear(text);
    return ret;
}

static void add_offset(struct str *out, const struct report_page *p, int64_t ms)
{
    format_exact_ms(out, (uint64_t)(ms - p->base_ms), "0s");
}

static json_t *cards_json(const struct report_page *p)
{
    json_t *ret = json_array();
    struct str text = {0};
    format_utc(&text, (uint64_t)p->base_ms);
    json_array_append_new(ret, card("Server started", &text));
    if (p->filtered_from) {
        str_add(&text, p->filtered_to ? "between " : "since ");
        add_offset(&text, p, p->from_ms);
    }
    if (p->filtered_to) {
        str_add(&text, p->filtered_from ? " and " : "upto ");
        add_offset(&text, p, p->to_ms);
    }
    if (text.len > 0)
        json_array_append_new(ret, card("Time filtering", &text));
    str_free(&text);
    return ret;
}

/* ---- the page ---- */

/* The only texts of users in it are names of resources, which are letters, digits and the like: nothing that could end a script. */
void report_page_write(FILE *f, const struct report_page *page)
{
    json_t *all = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "cards", cards_json(page), "durations", durations_json(page),
                            "failed", counts_json(page, REPORT_FAILED), "finished", counts_json(page, REPORT_FINISHED),
                            "terms", terms_json(page), "workers", workers_json(page));
    fputs(head, f);
    json_dumpf(all, f, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    fputs(tail, f);
    json_decref(all);
}
