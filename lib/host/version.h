/* SPDX-License-Identifier: MIT */
/* version.h - the version of the software, as people see it. */
#ifndef HQI_HOST_VERSION_H
#define HQI_HOST_VERSION_H

const char *hqi_host_version_text(void); /* "0.1.0"; static */

#endif
