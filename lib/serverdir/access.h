/* SPDX-License-Identifier: MIT */
/* serverdir/access.h - access files: where a server listens, and the secret of each plane.
 *
 * Promise: a file of another version, without a secret, or with anything out of bounds is refused with a text that names
 * it; a file is never written over, and nobody else can read it (0400). JSON is parsed by jansson, which
 * uses malloc(3). Blocks on the file system. */
#ifndef HQI_SERVERDIR_ACCESS_H
#define HQI_SERVERDIR_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "hqcore/error.h"

#define HQI_ACCESS_FILE "access.json"
#define HQI_ACCESS_SECRET_BYTES 32u
#define HQI_ACCESS_HOST_BYTES 256u /* with its NUL; a domain name has at most 253 */
#define HQI_ACCESS_UID_BYTES 16u   /* with its NUL; ours have 6 characters */

enum access_plane { ACCESS_CLIENT = 0, ACCESS_WORKER = 1, ACCESS_PLANES = 2 };

struct access {
    char server_uid[HQI_ACCESS_UID_BYTES]; /* "": the file has none */
    struct access_end {
        bool given;
        char host[HQI_ACCESS_HOST_BYTES];
        uint16_t port; /* not 0 */
        uint8_t secret[HQI_ACCESS_SECRET_BYTES];
    } plane[ACCESS_PLANES];
};

/* HQ_EPROTO: no access file, with the place or the key that is wrong; HQ_EVERSION. *ret is written on success only. */
int hqi_serverdir_access_parse(struct access *ret, struct bytes text, hq_error *err);
/* Appends; fails when something is out of bounds, so that what was written can be read: HQ_EINVAL, HQ_ENOMEM. The uid is
 * written where both planes are given. */
int hqi_serverdir_access_format(const struct access *a, struct buf *out, hq_error *err);

/* As parse; HQ_ESYS: it cannot be read. */
int hqi_serverdir_access_load(struct access *ret, const char *path, hq_error *err);
/* HQ_ESYS ("File exists (os error 17)"), and as format. Nothing is left of a file that could not be completed. */
int hqi_serverdir_access_store(const struct access *a, const char *path, const struct alloc *alloc, hq_error *err);
/* HQ_EPROTO, naming it, where a plane that is needed is not given. */
int hqi_serverdir_access_need(const struct access *a, enum access_plane plane, hq_error *err);

#endif
