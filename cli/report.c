/* SPDX-License-Identifier: MIT */
/* report.c - `hq journal report`: a journal's events, gathered and written as a page. */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "format.h"
#include "hqcore/tools.h"
#include "report_data.h"
#include "report_page.h"

/* The first event, which must be a server's start. */
static bool read_start(struct cli *cli, hq_journal *j, int64_t *base_ms)
{
    const hq_doc *event;
    hq_error err;
    int r = hq_tools_journal_next(j, &event, &err);
    if (r < 0)
        out_fail(cli, NULL, "Encountered an error while reading event log file: %s", err.text);
    else if (r == 0)
        out_fail(cli, NULL, "Empty journal");
    else if (strcmp(field_text(hq_doc_get(event, "event"), "type"), "server-start") != 0)
        out_fail(cli, NULL, "Journal does not start with server start event");
    else {
        *base_ms = hq_doc_int(hq_doc_get(event, "time"));
        return true;
    }
    return false;
}

static int gather(struct cli *cli, hq_journal *j, struct report *data)
{
    const hq_doc *event;
    hq_error err;
    int r;
    while ((r = hq_tools_journal_next(j, &event, &err)) > 0)
        report_add(data, event);
    report_sort(data);
    return r < 0 ? out_fail(cli, NULL, "Encountered an error while reading event log file: %s", err.text) : 0;
}

/* All of the page, or an error. */
static int write_page(struct cli *cli, const char *path, const struct report_page *page)
{
    char why[ERRNO_MAX];
    FILE *f = fopen(path, "we");
    if (!f)
        return out_fail(cli, NULL, "Cannot create report file at `%s`: %s", path, format_errno(errno, why));
    report_page_write(f, page);
    bool bad = ferror(f);
    int sys = errno;
    if (fclose(f) != 0) {
        bad = true;
        sys = errno;
    }
    return bad ? out_fail(cli, NULL, "Cannot write report file at `%s`: %s", path, format_errno(sys, why)) : 0;
}

static int report(struct cli *cli, const struct matches *m, hq_journal *j)
{
    struct report_page page = {.filtered_from = args_has(m, "start-time"), .filtered_to = args_has(m, "end-time")};
    if (!read_start(cli, j, &page.base_ms))
        return 1;
    page.from_ms = page.base_ms + (int64_t)args_number(m, "start-time", 0);
    page.to_ms = page.filtered_to ? page.base_ms + (int64_t)args_number(m, "end-time", 0) : INT64_MAX;
    struct report *data = report_new(page.from_ms, page.to_ms);
    page.data = data;
    int rc = gather(cli, j, data);
    if (rc == 0)
        rc = write_page(cli, args_text(m, "output"), &page);
    report_free(data);
    return rc;
}

int report_run(struct cli *cli, const struct matches *m)
{
    hq_journal *j;
    hq_error err;
    if (hq_tools_journal_open(&j, args_text(m, "journal"), &err) < 0)
        return out_fail(cli, NULL, "%s", err.text);
    int rc = report(cli, m, j);
    hq_tools_journal_free(j);
    return rc;
}
