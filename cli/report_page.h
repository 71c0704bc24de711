/* SPDX-License-Identifier: MIT */
/* report_page.h - the page that shows what was gathered: one HTML file, with its numbers in it as JSON. */
#ifndef CLI_REPORT_PAGE_H
#define CLI_REPORT_PAGE_H

#include <stdio.h>

#include "report_data.h"

struct report_page {
    const struct report *data;
    int64_t base_ms;               /* when the server started; x is counted from there */
    int64_t from_ms, to_ms;        /* what is shown, */
    bool filtered_from, filtered_to; /* as far as that was asked for */
};

void report_page_write(FILE *f, const struct report_page *page); /* errors are those of the file */

#endif
