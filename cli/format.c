/* SPDX-License-Identifier: MIT */
/* format.c - values as text. */
#include "format.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAME_MAX_SHOWN 50 /* bytes of a job's name; a longer one loses its middle */
#define NAME_HEAD 24
#define NAME_TAIL 23

const char *format_errno(int sys, char out[ERRNO_MAX])
{
    char room[ERRNO_MAX / 2];
    snprintf(out, ERRNO_MAX, "%s (os error %d)", strerror_r(sys, room, sizeof room), sys);
    return out;
}

int64_t format_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- durations ---- */

void format_exact(struct str *out, uint64_t ns)
{
    static const struct {
        uint64_t ns;
        const char *name;
        bool plural;
    } units[] = {
        {UINT64_C(31557600000000000), "year", true}, {UINT64_C(2630016000000000), "month", true},
        {UINT64_C(86400000000000), "day", true},     {UINT64_C(3600000000000), "h", false},
        {UINT64_C(60000000000), "m", false},         {UINT64_C(1000000000), "s", false},
        {1000000, "ms", false},                      {1000, "µs", false},
        {1, "ns", false},
    };
    if (ns == 0)
        str_add(out, "0s");
    const char *space = "";
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t n = ns / units[i].ns;
        ns %= units[i].ns;
        if (n == 0)
            continue;
        str_addf(out, "%s%llu%s%s", space, (unsigned long long)n, units[i].name, units[i].plural && n > 1 ? "s" : "");
        space = " ";
    }
}

void format_exact_ms(struct str *out, uint64_t ms, const char *zero)
{
    if (ms == 0)
        str_add(out, zero);
    else
        format_exact(out, ms > UINT64_MAX / 1000000 ? UINT64_MAX : ms * 1000000);
}

void format_rough(struct str *out, int64_t ns)
{
    if (ns < 0) {
        str_add(out, "Invalid duration");
        return;
    }
    int64_t unit = ns >= 3600 * NS_PER_S ? 60 * NS_PER_S : ns >= 60 * NS_PER_S ? NS_PER_S : NS_PER_MS;
    format_exact(out, (uint64_t)(ns - ns % unit));
}

/* ---- amounts ---- */

void format_amount(struct str *out, uint64_t units)
{
    unsigned fraction = (unsigned)(units % HQ_UNITS);
    str_addf(out, "%llu", (unsigned long long)(units / HQ_UNITS));
    if (fraction == 0)
        return;
    char digits[8];
    snprintf(digits, sizeof digits, "%04u", fraction);
    size_t len = 4;
    while (digits[len - 1] == '0')
        len--;
    str_add(out, ".");
    str_addn(out, digits, len);
}

void format_mem(struct str *out, uint64_t units)
{
    double mib = (double)units / HQ_UNITS;
    if (mib < 512)
        str_addf(out, "%.2f MiB", mib);
    else
        str_addf(out, "%.2f GiB", mib / 1024);
}

/* ---- times ---- */

void format_utc(struct str *out, uint64_t ms)
{
    time_t seconds = (time_t)((ms + 500) / 1000);
    struct tm tm;
    char text[64];
    if (gmtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm))
        str_add(out, text);
}

void format_local(struct str *out, int64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm tm;
    char text[64];
    if (localtime_r(&seconds, &tm) && strftime(text, sizeof text, "%d.%m.%Y %H:%M:%S", &tm))
        str_add(out, text);
}

void format_rfc3339(struct str *out, int64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    long fraction = (long)(ns % NS_PER_S);
    struct tm tm;
    char text[64];
    if (!gmtime_r(&seconds, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm))
        return;
    str_add(out, text);
    if (fraction % 1000)
        str_addf(out, ".%09ld", fraction);
    else if (fraction % 1000000)
        str_addf(out, ".%06ld", fraction / 1000);
    else if (fraction)
        str_addf(out, ".%03ld", fraction / 1000000);
    str_add(out, "Z");
}

/* ---- words ---- */

void format_count(struct str *out, uint64_t n, const char *noun)
{
    str_addf(out, "%llu %s%s", (unsigned long long)n, noun, n == 1 ? "" : "s");
}

void format_name(struct str *out, const char *name)
{
    size_t len = strlen(name);
    if (len <= NAME_MAX_SHOWN) {
        str_add(out, name);
        return;
    }
    str_addn(out, name, NAME_HEAD);
    str_add(out, "...");
    str_add(out, name + len - NAME_TAIL);
}

/* Where a line of `width` columns of text ends: behind the last word that fits, or within a word that never would. */
static size_t line_end(const char *text, size_t len, size_t width)
{
    size_t fits = 0, word = 0;
    for (size_t i = 0; i < len && text[i] != '\n'; i++) {
        if (text[i] == ' ')
            word = i;
        if (((unsigned char)text[i] & 0xc0) == 0x80)
            continue;
        if (fits++ == width)
            return word ? word : i;
    }
    return strcspn(text, "\n");
}

void format_wrapped(struct str *out, const char *text, size_t width)
{
    while (*text) {
        size_t end = line_end(text, strlen(text), width);
        str_addn(out, text, end);
        text += end;
        if (*text == '\0')
            return;
        str_add(out, "\n");
        text += *text == ' ' || *text == '\n';
    }
}

/* ---- states ---- */

static const struct {
    const char *upper, *lower, *title;
    enum style style;
} states[] = {
    [HQ_TASK_WAITING] = {"WAITING", "waiting", "Waiting", STYLE_CYAN},
    [HQ_TASK_RUNNING] = {"RUNNING", "running", "Running", STYLE_YELLOW},
    [HQ_TASK_FINISHED] = {"FINISHED", "finished", "Finished", STYLE_GREEN},
    [HQ_TASK_FAILED] = {"FAILED", "failed", "Failed", STYLE_RED},
    [HQ_TASK_CANCELED] = {"CANCELED", "canceled", "Canceled", STYLE_MAGENTA},
    [HQ_TASK_ABORTED] = {"ABORTED", "aborted", "Aborted", STYLE_BLUE},
    [HQ_JOB_OPENED] = {"OPENED", "opened", "Opened", STYLE_CYAN},
};

static const struct {
    const char *name;
    enum style style;
} worker_states[] = {
    [HQ_WORKER_RUNNING] = {"RUNNING", STYLE_GREEN},
    [HQ_WORKER_STOPPED] = {"STOPPED", STYLE_MAGENTA},
    [HQ_WORKER_CONNECTION_LOST] = {"CONNECTION LOST", STYLE_RED},
    [HQ_WORKER_HEARTBEAT_LOST] = {"HEARTBEAT LOST", STYLE_RED},
    [HQ_WORKER_IDLE_TIMEOUT] = {"IDLE TIMEOUT", STYLE_CYAN},
    [HQ_WORKER_TIME_LIMIT] = {"TIME LIMIT REACHED", STYLE_CYAN},
};

static bool known(int state)
{
    return state >= 0 && state <= HQ_JOB_OPENED;
}

const char *format_state(int state)
{
    return known(state) ? states[state].upper : "UNKNOWN";
}

const char *format_state_lower(int state)
{
    return known(state) ? states[state].lower : "unknown";
}

const char *format_state_title(int state)
{
    return known(state) ? states[state].title : "Unknown";
}

enum style format_state_style(int state)
{
    return known(state) ? states[state].style : STYLE_NONE;
}

const char *format_worker_state(int end)
{
    return end >= 0 && end <= HQ_WORKER_TIME_LIMIT ? worker_states[end].name : "UNKNOWN";
}

enum style format_worker_style(int end)
{
    return end >= 0 && end <= HQ_WORKER_TIME_LIMIT ? worker_states[end].style : STYLE_NONE;
}

void format_bar(struct str *out, const struct cli *cli, const uint64_t count[HQ_TASK_STATES], uint64_t total, size_t width)
{
    static const struct {
        int state;
        enum style style;
    } order[] = {
        {HQ_TASK_CANCELED, STYLE_MAGENTA}, {HQ_TASK_FAILED, STYLE_RED},         {HQ_TASK_FINISHED, STYLE_GREEN},
        {HQ_TASK_RUNNING, STYLE_YELLOW},   {HQ_TASK_ABORTED, STYLE_BRIGHT_RED},
    };
    static const char full[] = "########################################";
    uint64_t room = width;
    str_add(out, "[");
    for (size_t i = 0; total > 0 && i < sizeof order / sizeof *order; i++) {
        double share = (double)width * (double)count[order[i].state] / (double)total;
        uint64_t n = (uint64_t)share;
        n += (double)n < share;
        n = n < room ? n : room;
        if (n > 0)
            out_style(out, cli, order[i].style, full + BAR_WIDTH - n);
        room -= n;
    }
    str_fill(out, '.', (size_t)room);
    str_add(out, "]");
}

/* ---- ids ---- */

void format_range(struct str *out, uint32_t first, uint32_t count, uint32_t step)
{
    if (out->len > 0)
        str_add(out, ",");
    str_addf(out, "%u", first);
    if (count > 1)
        str_addf(out, "-%u", first + (count - 1) * step);
    if (count > 1 && step > 1)
        str_addf(out, ":%u", step);
}

static void flush_ids(struct ids_text *t)
{
    if (!t->open)
        return;
    str_addf(t->out, "%s%u", t->any ? "," : "", t->first);
    if (t->last > t->first)
        str_addf(t->out, "-%u", t->last);
    t->any = true;
}

void format_ids_add(struct ids_text *t, uint32_t id)
{
    if (t->open && t->last != UINT32_MAX && id == t->last + 1) {
        t->last = id;
        return;
    }
    flush_ids(t);
    t->first = t->last = id;
    t->open = true;
}

void format_ids_end(struct ids_text *t)
{
    flush_ids(t);
    t->open = false;
}
