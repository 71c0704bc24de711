/* SPDX-License-Identifier: MIT */
/* journal.h - what a journal that a server sends asks for next: the files of lib/journal/ are seen by journal.c only. */
#ifndef HQI_CLIENT_JOURNAL_H
#define HQI_CLIENT_JOURNAL_H

#include "hqcore/tools.h"
#include "model/command.h"

/* HQ_EINVAL: `j` is NULL, or a file. */
int hqi_client_journal_ask(const hq_journal *j, struct command *ret, hq_error *err);

#endif
