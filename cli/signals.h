/* SPDX-License-Identifier: MIT */
/* signals.h - signals as something that a loop finds out, for the commands that must clean up. All others die of them. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "hqcore.h"

/* From now on these signals (a list that ends with 0) are noted and wake `ctx`. Until signals_stop. */
void signals_catch(hq_ctx *ctx, const int *list);
void signals_stop(void);
int signals_take(void); /* the last one noted since the last call, or 0 */

#endif
