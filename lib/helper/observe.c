/* SPDX-License-Identifier: MIT */
/* observe.c - see observe.h. */
#include "helper/observe.h"

#include <stdlib.h>

#include "base/clock.h"
#include "helper/fd.h"
#include "helper/line.h"

#define LEAST_NS (100 * HQI_MS) /* the kernel counts in ticks of 10 ms: more often there is nothing to see */
#define TOOL_MS 10000u          /* those that wake a driver take some seconds */
#define GIVE_UP_NS ((TOOL_MS + 1000) * HQI_MS) /* one that was killed, and is still there */
#define FILE_BYTES (1u << 20)   /* a line for each cpu, and some 100 bytes in it */
#define MAX_REASON 200          /* bytes of what a tool complains about */

/* ---- files ---- */

/* Valid until the next one is read. */
static struct bytes read_file(struct observer *o, const char *path)
{
    ssize_t n = hqi_helper_fd_read_file(path, o->text, FILE_BYTES);
    return n > 0 ? (struct bytes){o->text, (size_t)n} : (struct bytes){0};
}

/* Since the look before. */
static void look_at_cpus(struct observer *o, struct node_load *load)
{
    struct cpu_ticks *now = malloc(HQI_MAX_LOAD_CPUS * sizeof *now); /* memory that is not touched is none */
    uint32_t n = now ? hqi_helper_load_cpus(now, read_file(o, "/proc/stat")) : 0;
    uint32_t *shares = hqi_base_arena_get(&o->mem, (n + 1u) * sizeof *shares);
    if (!now || !shares) {
        free(now);
        return;
    }
    hqi_helper_load_shares(shares, now, n, o->ticks, o->n_ticks);
    load->cpus = shares;
    load->n_cpus = n;
    free(o->ticks);
    o->ticks = now;
    o->n_ticks = n;
}

static void look_at_node(struct observer *o)
{
    o->load->utc_s = hqi_base_clock_now().utc_ms / 1000;
    look_at_cpus(o, o->load);
    hqi_helper_load_memory(o->load, read_file(o, "/proc/meminfo"));
    hqi_helper_load_network(&o->load->network, read_file(o, "/proc/net/dev"));
}

/* ---- the end of a look ---- */

static void send(struct observer *o)
{
    struct from_helper item = {.kind = FROM_HELPER_LOAD, .u.load = {o->load, hqi_base_buf_bytes(&o->notes)}};
    struct buf packet;
    hqi_base_buf_init(&packet, &hqi_base_alloc_libc);
    hqi_wire_helper_encode_from(&item, 1, &packet);
    if (!packet.failed)
        hqi_helper_outbox_add_packet(o->outbox, hqi_base_buf_bytes(&packet), NULL);
    hqi_base_buf_fini(&packet);
}

/* One that took longer than the interval is followed by a whole one: looks are put off, not made up for. */
static void finish(struct observer *o)
{
    uint64_t now_ns = hqi_base_clock_now().mono_ns, next_ns = o->began_ns + o->interval_ns;
    if (!hqi_helper_outbox_holds(o->outbox, FROM_HELPER_LOAD))
        send(o);
    o->load = NULL;
    hqi_base_arena_clear(&o->mem);
    hqi_base_buf_clear(&o->notes);
    hqi_loop_timer_set(o->loop, &o->timer, next_ns > now_ns ? next_ns : now_ns + o->interval_ns);
}

static void finish_if_whole(struct observer *o)
{
    for (size_t i = 0; i < GPU_FAMILIES; i++)
        if (o->tools[i].awaited)
            return;
    finish(o);
}

/* ---- tools ---- */

/* Said once, not at every look; printable, since the tool may print anything. */
static void note_failure(struct observer_tool *t, struct bytes reason)
{
    struct buf *notes = &t->all->notes;
    if (t->failed)
        return;
    t->failed = true;
    hqi_base_buf_addf(notes, "WARN Overviews are without %s GPUs as long as `%s` fails: ", t->tool->vendor, t->tool->argv[0]);
    for (size_t i = 0; i < reason.n && i < MAX_REASON; i++)
        hqi_base_buf_addc(notes, (unsigned char)reason.p[i] < ' ' || reason.p[i] == 0x7f ? '?' : reason.p[i]);
    hqi_base_buf_addc(notes, '\n');
}

static void take(struct observer_tool *t, int32_t status, struct bytes out, struct bytes err)
{
    struct observer *o = t->all;
    struct gpu_loads *loads = t->tool == &hqi_helper_gpu_tools[GPU_NVIDIA] ? &o->load->nvidia : &o->load->amd;
    struct bytes first = {0};
    hq_error why;
    hqi_helper_line_next(&err, &first);
    first = hqi_helper_line_trim(first);
    if (status != 0)
        note_failure(t, first.n ? first : bytes_of(status < 0 ? "it takes too long, or was killed" : "it says nothing of why"));
    else if (t->tool->read(loads, &o->mem, out, &why) < 0)
        note_failure(t, bytes_of(why.text));
    else
        t->failed = false;
    if (t->failed)
        *loads = (struct gpu_loads){.known = false};
}

static void on_tool(void *user, int32_t status, struct bytes out, struct bytes err)
{
    struct observer_tool *t = user;
    bool awaited = t->awaited;
    t->runs = false;
    if (!awaited)
        return; /* of a look that is over */
    take(t, status, out, err);
    t->awaited = false;
    finish_if_whole(t->all);
}

static void start_tool(struct observer_tool *t)
{
    struct bytes argv[sizeof t->tool->argv / sizeof *t->tool->argv];
    uint32_t n = 0;
    for (; t->tool->argv[n]; n++)
        argv[n] = bytes_of(t->tool->argv[n]);
    t->runs = true;
    hqi_helper_command_start(t->all->commands, argv, n, TOOL_MS, (struct command_end){on_tool, t});
}

/* ---- looks ---- */

static void begin(struct observer *o)
{
    o->began_ns = hqi_base_clock_now().mono_ns;
    o->load = hqi_base_arena_zero(&o->mem, 1, sizeof *o->load);
    if (!o->load) {
        hqi_loop_timer_set(o->loop, &o->timer, o->began_ns + o->interval_ns);
        return;
    }
    look_at_node(o);
    hqi_loop_timer_set(o->loop, &o->timer, o->began_ns + GIVE_UP_NS);
    bool awaits = false;
    for (size_t i = 0; i < GPU_FAMILIES; i++)
        awaits |= o->tools[i].awaited = o->tools[i].wanted && !o->tools[i].runs;
    for (size_t i = 0; i < GPU_FAMILIES; i++) /* may finish the look, with the last of them */
        if (o->tools[i].awaited)
            start_tool(&o->tools[i]);
    if (!awaits)
        finish(o);
}

static void give_up(struct observer *o)
{
    for (size_t i = 0; i < GPU_FAMILIES; i++) {
        if (o->tools[i].awaited)
            note_failure(&o->tools[i], bytes_of("it cannot be killed"));
        o->tools[i].awaited = false;
    }
    finish(o);
}

static void on_timer(struct loop_timer *t)
{
    struct observer *o = hqi_container(t, struct observer, timer);
    if (o->load)
        give_up(o);
    else
        begin(o);
}

void hqi_helper_observe_init(struct observer *o, struct loop *loop, struct commands *commands, struct outbox *outbox)
{
    *o = (struct observer){.loop = loop, .commands = commands, .outbox = outbox, .timer.run = on_timer};
    hqi_base_arena_init(&o->mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&o->notes, &hqi_base_alloc_libc);
    for (size_t i = 0; i < GPU_FAMILIES; i++)
        o->tools[i] = (struct observer_tool){.all = o, .tool = &hqi_helper_gpu_tools[i]};
}

void hqi_helper_observe_set(struct observer *o, const struct helper_observe *what)
{
    uint64_t most_ms = UINT64_MAX / 2 / HQI_MS; /* longer than any worker lives */
    uint64_t interval_ns = (what->interval_ms < most_ms ? what->interval_ms : most_ms) * HQI_MS;
    o->load = NULL;
    hqi_base_arena_clear(&o->mem);
    hqi_loop_timer_clear(o->loop, &o->timer);
    for (size_t i = 0; i < GPU_FAMILIES; i++)
        o->tools[i].awaited = false;
    o->tools[GPU_NVIDIA].wanted = what->nvidia;
    o->tools[GPU_AMD].wanted = what->amd;
    if (what->interval_ms == 0)
        return;
    o->interval_ns = interval_ns > LEAST_NS ? interval_ns : LEAST_NS;
    o->began_ns = hqi_base_clock_now().mono_ns;
    if (!o->text && !(o->text = malloc(FILE_BYTES)))
        return;
    look_at_cpus(o, &(struct node_load){0}); /* what the first one is compared with */
    hqi_base_arena_clear(&o->mem);
    hqi_loop_timer_set(o->loop, &o->timer, o->began_ns + o->interval_ns);
}
