/* SPDX-License-Identifier: MIT */
/* groups.h - groups of tasks (model.proto's TaskGroup, StartGroup, EndGroup), as records hold them and as reports
 * do: the same columns, where reports have ages for times. Seen by lib/wire/ only.
 *
 * The make functions return NULL when failed or when n is 0; the read functions false when failed. */
#ifndef HQI_WIRE_GROUPS_H
#define HQI_WIRE_GROUPS_H

#include "model/fact.h"
#include "model/report.h"
#include "wire/model.pb-c.h"
#include "wire/pb.h"

Hqcore__TaskGroup **hqi_wire_groups_make_tasks(struct encode *e, const struct task_group *v, uint32_t n);
Hqcore__StartGroup **hqi_wire_groups_make_starts(struct encode *e, const struct start_group *v, uint32_t n);
Hqcore__EndGroup **hqi_wire_groups_make_ends(struct encode *e, const struct end_group *v, uint32_t n);
void hqi_wire_groups_fill_tasks(struct encode *e, Hqcore__TaskGroup *m, const struct task_group *g);

bool hqi_wire_groups_read_tasks(struct decode *d, Hqcore__TaskGroup **in, size_t n,
                                const struct task_group **ret, uint32_t *n_ret);
bool hqi_wire_groups_read_starts(struct decode *d, Hqcore__StartGroup **in, size_t n,
                                 const struct start_group **ret, uint32_t *n_ret);
bool hqi_wire_groups_read_ends(struct decode *d, Hqcore__EndGroup **in, size_t n,
                               const struct end_group **ret, uint32_t *n_ret);
/* One group; *count is the number of its tasks. */
bool hqi_wire_groups_read_one(struct decode *d, const Hqcore__TaskGroup *in, struct task_group *ret,
                              uint32_t *count);

/* Texts of rows, as EndGroup and TaskPage have them. */
void hqi_wire_groups_make_texts(struct encode *e, const struct end_text *v, uint32_t n, uint32_t **rows,
                                ProtobufCBinaryData **texts);
bool hqi_wire_groups_read_texts(struct decode *d, const uint32_t *rows, size_t n_rows,
                                const ProtobufCBinaryData *texts, size_t n_texts, uint32_t n,
                                const struct end_text **ret, uint32_t *n_ret);

#endif
