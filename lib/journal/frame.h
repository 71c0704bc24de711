/* SPDX-License-Identifier: MIT */
/* journal/frame.h - the bytes of a journal file: one header, then frames, each around one record.
 *
 *   header, 64 bytes     0  magic "\x89HQJ\r\n\x1a\n": text tools that change line ends break it, and show it
 *                        8  format version, u32
 *                       12  salt, u32: random, of this file
 *                       16  server uid, 16 bytes, padded with 0
 *                       32  when it was made, u64, ms since 1970 UTC
 *                       40  the salt again: `hq journal repair` needs it where the first one is damaged
 *                       44  zero
 *                       56  checksum of all before, u64
 *   frame, 24 bytes      0  checksum of the other 20, u32: so that a damaged length is never followed
 *                        4  length of the record, u32
 *                        8  position, u64
 *                       16  checksum of the record, u64
 *                       24  the record
 *
 * All little endian; checksums are XXH3, seeded with the salt. So bytes that look like a frame but are none of this file's - an
 * old file's blocks behind a torn end, a journal inside somebody's submit - do not pass for one. */
#ifndef HQI_JOURNAL_FRAME_H
#define HQI_JOURNAL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "hqcore/error.h"

#define FILE_HEADER 64u
#define FRAME_HEADER 24u
#define FORMAT_VERSION 1u
#define RECORD_MAX 0x7fffffffu /* protobuf's own limit of a message */
#define UID_BYTES 16u          /* with a NUL */

struct file_header {
    uint32_t salt;
    char uid[UID_BYTES];
    uint64_t made_ms;
};

struct frame {
    uint32_t length;
    uint64_t position, sum;
};

void hqi_journal_frame_put_header(char out[FILE_HEADER], const struct file_header *h);
/* `in` is what there is of the first FILE_HEADER bytes. HQ_OK; HQ_EAGAIN: it could become one, but ends too soon (an empty file
 * too); HQ_EJOURNAL, HQ_EVERSION: the text says what it is, not where. */
int hqi_journal_frame_get_header(struct file_header *ret, struct bytes in, hq_error *err);
/* Of a damaged header: the salt with which the file's first frame, the bytes behind it, is one. false: neither is right. */
bool hqi_journal_frame_find_salt(uint32_t *ret, struct bytes in);

void hqi_journal_frame_put(char out[FRAME_HEADER], uint32_t salt, uint64_t position, struct bytes record);
void hqi_journal_frame_sketch(char out[FRAME_HEADER], uint64_t position, uint32_t length); /* without the checksums */
void hqi_journal_frame_read(struct frame *ret, const char in[FRAME_HEADER]); /* unchecked */
/* Is this the head of a frame? Says nothing of the record. */
bool hqi_journal_frame_get(struct frame *ret, uint32_t salt, const char in[FRAME_HEADER]);
bool hqi_journal_frame_holds(const struct frame *f, uint32_t salt, struct bytes record); /* its checksum is right */

#endif
