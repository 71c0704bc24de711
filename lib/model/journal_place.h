/* SPDX-License-Identifier: MIT */
/* journal_place.h - where a reader of a server's journal stands. */
#ifndef HQI_MODEL_JOURNAL_PLACE_H
#define HQI_MODEL_JOURNAL_PLACE_H

#include <stdint.h>

/* A journal that is compacted becomes another file, with another salt, and is read again from its start. */
struct journal_place {
    uint32_t file;   /* its salt */
    uint64_t offset; /* of the next byte; 0: no file was chosen yet */
};

#endif
