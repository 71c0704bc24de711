/* SPDX-License-Identifier: MIT */
/* uid.h - random names for people to tell things apart by. */
#ifndef HQI_HOST_UID_H
#define HQI_HOST_UID_H

#include "hqcore/error.h"

#define HQI_UID_CHARACTERS 6u

/* Letters and digits, and a NUL. HQ_ESYS. */
int hqi_host_uid_make(char out[HQI_UID_CHARACTERS + 1], hq_error *err);

#endif
