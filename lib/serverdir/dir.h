/* SPDX-License-Identifier: MIT */
/* serverdir/dir.h - the server directory: one numbered directory per start, and hq-current, which points to the one
 * that counts.
 *
 *   <dir>/001/access.json ...     an instance
 *   <dir>/hq-current -> 001       set by publish, removed by retract
 *
 * Promise: hq-current is replaced in one step and never points to a half-made instance; a server that ends removes it only
 * while it is its own. Whoever starts a server replaces what a dead one left; whether it is dead is for the
 * caller to find out. Blocks on the file system. */
#ifndef HQI_SERVERDIR_DIR_H
#define HQI_SERVERDIR_DIR_H

#include "hqcore/error.h"

#define HQI_DIR_PATH 4096u /* PATH_MAX: longer paths are HQ_ELIMIT */

struct dir_path {
    char text[HQI_DIR_PATH];
};

/* HQ_SERVER_DIR, else HOME/.hq-server: the only place that reads them. HQ_EINVAL when neither is set. */
int hqi_serverdir_dir_default(struct dir_path *ret, hq_error *err);
/* The instance that counts: <dir>/hq-current resolved, or `dir` itself. HQ_ENOENT: "... is not a directory". */
int hqi_serverdir_dir_resolve(struct dir_path *ret, const char *dir, hq_error *err);
int hqi_serverdir_dir_join(struct dir_path *ret, const char *dir, const char *name, hq_error *err);

/* Keeps others who start a server in `dir` (made with all its parents) waiting until the fd that is written to *ret is closed:
 * between the look for a living server and publish. -1 where the file system knows no such locks, or when somebody
 * has held it for 5 s. HQ_ESYS: the directory cannot be made. */
int hqi_serverdir_dir_lock(int *ret, const char *dir, hq_error *err);
/* Makes `dir` with all its parents, and in it the next instance: the highest number there is, plus one. HQ_ESYS. */
int hqi_serverdir_dir_create(struct dir_path *ret, const char *dir, hq_error *err);
/* hq-current now points to `instance`, a path made by create. HQ_ESYS. */
int hqi_serverdir_dir_publish(const char *dir, const char *instance, hq_error *err);
/* Removes hq-current if it points to `instance`. Not being there, or being another's, is no error. */
void hqi_serverdir_dir_retract(const char *dir, const char *instance);

#endif
