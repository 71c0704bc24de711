/* SPDX-License-Identifier: MIT */
/* version.c - which library runs. */
#include "host/version.h"

#include "hqcore/tools.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

unsigned hq_version(void)
{
    return (unsigned)HQ_VERSION_MAJOR << 16 | (unsigned)HQ_VERSION_MINOR << 8 | (unsigned)HQ_VERSION_PATCH;
}

const char *hqi_host_version_text(void)
{
    return TEXT(HQ_VERSION_MAJOR) "." TEXT(HQ_VERSION_MINOR) "." TEXT(HQ_VERSION_PATCH);
}

const char *hq_tools_version(void)
{
    return hqi_host_version_text();
}
