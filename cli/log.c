/* SPDX-License-Identifier: MIT */
/* log.c - see log.h. Nothing here prints. */
#include "log.h"

#include <string.h>
#include <strings.h>

#include "format.h"

static const struct {
    const char *word;
    int level;
} words[] = {
    {"off", LOG_OFF}, {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {"trace", LOG_DEBUG},
};

static bool find_level(const char *text, size_t len, int *level)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == len && strncasecmp(words[i].word, text, len) == 0) {
            *level = words[i].level;
            return true;
        }
    return false;
}

/* Names of the reference's parts that mean the whole program here. */
static bool is_whole_program(const char *name, size_t len)
{
    return (len == 10 && memcmp(name, "hyperqueue", 10) == 0) || (len == 4 && memcmp(name, "tako", 4) == 0);
}

/* One of the parts between commas: `level`, `target` or `target=level`. */
static void add_directive(struct log_view *v, const char *text, size_t len)
{
    const char *sign = memchr(text, '=', len);
    size_t name = sign ? (size_t)(sign - text) : len;
    int level = LOG_DEBUG;
    if (sign && !find_level(sign + 1, len - name - 1, &level))
        return;
    if (!sign && find_level(text, len, &level))
        name = 0;
    if (name == 0 ? len > 0 : is_whole_program(text, name))
        v->level = level;
    else if (name > 0 && v->n_targets < LOG_TARGETS)
        v->targets[v->n_targets++] = (struct log_target){text, name, level};
}

void log_view_init(struct log_view *v, bool debug, const char *spec, const char *style, bool terminal)
{
    *v = (struct log_view){.level = debug ? LOG_DEBUG : LOG_INFO};
    v->in_full = debug || (spec && strstr(spec, "debug"));
    v->color = style && strcmp(style, "always") == 0 ? true : style && strcmp(style, "never") == 0 ? false : terminal;
    size_t left = spec ? strcspn(spec, "/") : 0; /* a pattern may follow; all lines are taken to match it */
    while (left > 0) {
        const char *end = memchr(spec, ',', left);
        size_t len = end ? (size_t)(end - spec) : left;
        add_directive(v, spec, len);
        spec += len + (end != NULL);
        left -= len + (end != NULL);
    }
}

bool log_shows(const struct log_view *v, int level, const char *where)
{
    const struct log_target *best = NULL;
    for (size_t i = 0; i < v->n_targets; i++) {
        const struct log_target *t = &v->targets[i];
        if (strncmp(where, t->name, t->len) == 0 && (!best || t->len >= best->len))
            best = t;
    }
    return level <= (best ? best->level : v->level);
}

int log_most(const struct log_view *v)
{
    int most = v->level;
    for (size_t i = 0; i < v->n_targets; i++)
        most = v->targets[i].level > most ? v->targets[i].level : most;
    return most;
}

static const char *level_name(int level)
{
    return level <= LOG_ERROR ? "ERROR" : level == LOG_WARN ? "WARN" : level <= LOG_INFO ? "INFO" : "DEBUG";
}

static const char *level_code(int level)
{
    return level <= LOG_ERROR ? "1;31" : level == LOG_WARN ? "1;33" : level <= LOG_INFO ? "1;32" : "1;34";
}

void log_line(struct str *out, const struct log_view *v, int64_t now, int level, const char *where, const char *text)
{
    if (v->in_full) {
        str_add(out, "[");
        format_rfc3339(out, now - now % NS_PER_MS);
        str_addf(out, " %-5s %s] %s\n", level_name(level), where, text);
    } else if (v->color) {
        str_add(out, "\x1b[30m");
        format_rfc3339(out, now - now % NS_PER_S);
        str_addf(out, "\x1b[0m \x1b[%sm%s\x1b[0m %s\n", level_code(level), level_name(level), text);
    } else {
        format_rfc3339(out, now - now % NS_PER_S);
        str_addf(out, " %s %s\n", level_name(level), text);
    }
}
