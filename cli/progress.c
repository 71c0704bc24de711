/* SPDX-License-Identifier: MIT */
/* progress.c - the progress bar: redrawn whenever something of the jobs changes. */
#include "progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fields.h"
#include "format.h"
#include "job_info.h"

#define CLEAR_LINE "\r\x1b[2K"
#define DRAW_MS 50 /* between two pictures: a person sees no more, and a fast job would keep the server busy */

struct sums {
    uint64_t jobs, done, tasks, ended;
    uint64_t count[HQ_TASK_STATES];
};

static struct sums sum_up(const hq_doc *doc)
{
    struct sums sums = {.jobs = field_len(doc, "jobs")};
    for (size_t i = 0; i < sums.jobs; i++) {
        const hq_doc *job = field_at(doc, "jobs", i);
        uint64_t count[HQ_TASK_STATES];
        job_counts(job, count);
        bool busy = count[HQ_TASK_WAITING] + count[HQ_TASK_RUNNING] > 0;
        sums.done += !busy && !field_uint(job, "open");
        sums.tasks += field_uint(job, "stats.total");
        for (int state = 0; state < HQ_TASK_STATES; state++)
            sums.count[state] += count[state];
    }
    sums.ended = sums.tasks - sums.count[HQ_TASK_WAITING] - sums.count[HQ_TASK_RUNNING];
    return sums;
}

static void add_sums(struct str *out, const struct cli *cli, const struct sums *sums)
{
    static const int order[] = {HQ_TASK_RUNNING, HQ_TASK_FINISHED, HQ_TASK_FAILED, HQ_TASK_CANCELED, HQ_TASK_ABORTED};
    const char *space = "";
    str_addf(out, "%llu/%llu jobs, %llu/%llu tasks ", (unsigned long long)sums->done, (unsigned long long)sums->jobs,
             (unsigned long long)sums->ended, (unsigned long long)sums->tasks);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct str part = {0};
        if (sums->count[order[i]] == 0)
            continue;
        str_addf(&part, "%llu %s", (unsigned long long)sums->count[order[i]], format_state(order[i]));
        str_add(out, space);
        out_style(out, cli, format_state_style(order[i]), part.p);
        str_free(&part);
        space = " ";
    }
}

void progress_line(struct str *out, const struct cli *cli, const hq_doc *jobs, size_t columns)
{
    struct sums sums = sum_up(jobs);
    struct str text = {0}, line = {0};
    add_sums(&text, cli, &sums);
    size_t used = format_width(text.p, text.len) + sizeof "[] " - 1;
    size_t width = columns > used + BAR_WIDTH ? BAR_WIDTH : columns > used ? columns - used : 0;
    if (width > 0) {
        format_bar(&line, cli, sums.count, sums.tasks, width);
        str_add(&line, " ");
    }
    str_add(&line, text.p);
    format_cut(out, line.p, columns);
    str_free(&text);
    str_free(&line);
}

static void announce(const struct cli *cli, const struct sums *sums)
{
    struct str text = {0};
    str_add(&text, "Waiting for ");
    format_count(&text, sums->jobs, "job");
    str_add(&text, " with ");
    format_count(&text, sums->tasks, "task");
    out_log(cli, LOG_INFO, "%s", text.p);
    str_free(&text);
}

/* Nothing is asked for meanwhile, so only the connection is served. */
static void pause_until(struct session *s, int64_t then)
{
    hq_error err;
    int64_t left;
    while ((left = (then - format_now()) / NS_PER_MS) > 0 && hq_ctx_run(s->ctx, (int)left, &err) == HQ_EINTR)
        ;
}

/* One less than there are: a terminal may wrap behind its last column. */
static size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col - 1u : SIZE_MAX;
}

void progress_draw(struct cli *cli, const hq_doc *jobs)
{
    struct str line = {0};
    progress_line(&line, cli, jobs, terminal_columns());
    printf(CLEAR_LINE "%s", str_text(&line));
    out_flush(cli);
    str_free(&line);
}

void progress_clear(struct cli *cli)
{
    fputs(CLEAR_LINE, stdout);
    out_flush(cli);
}

int progress_follow(struct session *s, const char *jobs, bool always)
{
    uint64_t since = 0;
    for (bool first = true;; first = false) {
        hq_error err;
        int sent = hq_tools_job_progress(s->client, jobs, since, session_tag(s), &err);
        const hq_event *e = session_reply(s, sent, &err);
        if (!e)
            return 1;
        struct sums sums = sum_up(e->u.reply.doc);
        if (first && !always && sums.done == sums.jobs) {
            out_log(s->cli, LOG_WARN, "There are no jobs to wait for");
            return 0;
        }
        if (first)
            announce(s->cli, &sums);
        progress_draw(s->cli, e->u.reply.doc);
        if (sums.done == sums.jobs)
            return 0;
        since = field_uint(e->u.reply.doc, "change");
        pause_until(s, format_now() + DRAW_MS * NS_PER_MS);
    }
}
