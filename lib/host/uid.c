/* SPDX-License-Identifier: MIT */
/* uid.c - see uid.h. */
#include "host/uid.h"

#include <errno.h>

#include "base/error.h"
#include "net/keys.h"

int hqi_host_uid_make(char out[HQI_UID_CHARACTERS + 1], hq_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    unsigned char random[HQI_UID_CHARACTERS];
    if (hqi_net_keys_random(random, sizeof random) < 0)
        return hqi_base_error_sys(err, errno, "uid", "no random numbers can be had");
    for (unsigned i = 0; i < HQI_UID_CHARACTERS; i++)
        out[i] = letters[random[i] % (sizeof letters - 1)];
    out[HQI_UID_CHARACTERS] = '\0';
    return HQ_OK;
}
