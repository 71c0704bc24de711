/* SPDX-License-Identifier: MIT */
/* select.h - naming jobs and workers in commands. Private to this directory. */
#ifndef HQI_CLIENT_SELECT_H
#define HQI_CLIENT_SELECT_H

#include "base/arena.h"
#include "model/command.h"

/* One id, without memory. */
struct one_id {
    hq_range range;
    uint32_t before;
};
void hqi_client_select_one(struct selector *ret, struct one_id *place, uint32_t id);
/* "all", "last", "1,3-5"; lives in `mem`. HQ_EINVAL with the grammar's text. */
int hqi_client_select_parse(struct selector *ret, struct arena *mem, const char *text, hq_error *err);
/* An array of ids; NULL text: none, which means all. */
int hqi_client_select_array(struct intset *ret, struct arena *mem, const char *text, hq_error *err);

#endif
