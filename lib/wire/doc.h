/* SPDX-License-Identifier: MIT */
/* doc.h - an unpacked message as a tree of named values, by its descriptor. Seen by lib/wire/ only.
 *
 * Each field of the .proto becomes a member of its name: repeated fields lists, messages maps, enums and unsigned
 * numbers UINT, signed ones INT, string and bytes BYTES. What is missing (a message, a member of a oneof) is there as
 * NULL. So a program that reads the tree needs no list of fields beside the .proto. */
#ifndef HQI_WIRE_DOC_H
#define HQI_WIRE_DOC_H

#include "model/doc.h"
#include "wire/pb.h"

/* In d->mem, with texts borrowed from the message, which must come from hqi_wire_pb_unpack (a NUL behind each). */
const struct hq_doc *hqi_wire_doc_make(struct decode *d, const ProtobufCMessage *m,
                                       size_t budget); /* NULL: failed */

#endif
