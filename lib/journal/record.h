/* SPDX-License-Identifier: MIT */
/* journal/record.h - one record of a journal: a batch of facts, as wire/record.h encodes it. */
#ifndef HQI_JOURNAL_RECORD_H
#define HQI_JOURNAL_RECORD_H

#include <stdint.h>

#include "base/bytes.h"

struct journal_record {
    uint64_t position;  /* of its last fact */
    struct bytes bytes; /* borrowed until the next one is read */
    uint64_t offset;    /* of its frame in the file, for messages */
};

#endif
