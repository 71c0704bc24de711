/* SPDX-License-Identifier: MIT */
/* name.h - names of resources: a letter, then letters, digits and '/'. */
#ifndef HQI_TEXT_NAME_H
#define HQI_TEXT_NAME_H

#include "text/scan.h"

/* The longest name at the cursor; `ret` borrows from the input. HQ_ELIMIT, labelled `label`, for more
 * than HQI_MAX_RESOURCE_NAME bytes. */
int hqi_text_name_scan(struct scan *s, struct scan_want none, const char *label, struct bytes *ret);

#endif
