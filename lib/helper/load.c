/* SPDX-License-Identifier: MIT */
/* load.c - see load.h. Each reader goes over its text once, line by line.
 *
 * Must never happen: a byte read behind the text, which may end anywhere and hold anything. */
#include "helper/load.h"

#include "helper/line.h"

/* ---- cpus ---- */

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, TICKS }; /* columns; guests are in USER and NICE */

static bool read_cpu(struct bytes line, struct cpu_ticks *ret)
{
    uint64_t number, ticks[TICKS] = {0};
    if (!hqi_helper_line_skip(&line, "cpu") || line.n == 0 || line.p[0] == ' ')
        return false; /* all of them together, or something else */
    if (!hqi_helper_line_number(&line, &number) || number > UINT32_MAX)
        return false;
    int n = 0;
    while (n < TICKS && hqi_helper_line_number(&line, &ticks[n]))
        n++;
    if (n <= IDLE)
        return false;
    *ret = (struct cpu_ticks){.number = (uint32_t)number};
    for (int i = 0; i < TICKS; i++) {
        ret->all += ticks[i];
        ret->busy += i == IDLE || i == IOWAIT ? 0 : ticks[i];
    }
    return true;
}

uint32_t hqi_helper_load_cpus(struct cpu_ticks *v, struct bytes text)
{
    struct bytes line;
    uint32_t n = 0;
    while (n < HQI_MAX_LOAD_CPUS && hqi_helper_line_next(&text, &line))
        n += read_cpu(line, &v[n]);
    return n;
}

/* Counters of a cpu that was away may begin anew, and time that it waited for I/O is known to shrink. */
static uint64_t growth(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

void hqi_helper_load_shares(uint32_t *shares, const struct cpu_ticks *now, uint32_t n, const struct cpu_ticks *before,
                            uint32_t n_before)
{
    for (uint32_t i = 0, k = 0; i < n; i++) {
        struct cpu_ticks then = {0};
        while (k < n_before && before[k].number < now[i].number)
            k++;
        if (k < n_before && before[k].number == now[i].number)
            then = before[k];
        double busy = (double)growth(now[i].busy, then.busy), all = (double)growth(now[i].all, then.all);
        shares[i] = all <= 0 ? 0 : busy >= all ? HQI_LOAD_WHOLE : (uint32_t)(busy / all * HQI_LOAD_WHOLE);
    }
}

/* ---- memory ---- */

bool hqi_helper_load_memory(struct node_load *l, struct bytes text)
{
    uint64_t total = 0, available = 0, unused = 0;
    struct {
        const char *name;
        uint64_t *kib;
        bool found;
    } fields[] = {{"MemTotal:", &total, false}, {"MemAvailable:", &available, false}, {"MemFree:", &unused, false}};
    for (struct bytes line; hqi_helper_line_next(&text, &line);)
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            struct bytes rest = line;
            if (hqi_helper_line_skip(&rest, fields[i].name))
                fields[i].found = hqi_helper_line_number(&rest, fields[i].kib) && *fields[i].kib <= UINT64_MAX / 1024;
        }
    if (!fields[0].found || !(fields[1].found || fields[2].found))
        return false;
    l->memory_total = total * 1024;
    l->memory_free = (fields[1].found ? available : unused) * 1024; /* kernels before 3.14 say only the latter */
    return true;
}

/* ---- network ---- */

enum { RX_BYTES = 0, RX_PACKETS = 1, RX_ERRORS = 2, TX_BYTES = 8, TX_PACKETS = 9, TX_ERRORS = 10, COUNTERS = 11 };

/* "  name: rx columns, tx columns" */
static bool read_interface(struct bytes line, uint64_t *counters)
{
    const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    if (!colon)
        return false;
    struct bytes rest = {colon + 1, line.n - (size_t)(colon + 1 - line.p)};
    for (int i = 0; i < COUNTERS; i++)
        if (!hqi_helper_line_number(&rest, &counters[i]))
            return false;
    return true;
}

bool hqi_helper_load_network(struct network_load *l, struct bytes text)
{
    uint64_t c[COUNTERS];
    bool any = false;
    *l = (struct network_load){0};
    for (struct bytes line; hqi_helper_line_next(&text, &line);) {
        if (!read_interface(line, c))
            continue; /* the two lines of headings */
        l->rx_bytes += c[RX_BYTES];
        l->tx_bytes += c[TX_BYTES];
        l->rx_packets += c[RX_PACKETS];
        l->tx_packets += c[TX_PACKETS];
        l->rx_errors += c[RX_ERRORS];
        l->tx_errors += c[TX_ERRORS];
        any = true;
    }
    return any;
}
