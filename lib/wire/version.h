/* SPDX-License-Identifier: MIT */
/* version.h - the three version numbers. A peer, journal or access file of another major version is refused
 * with a text that names both; unknown fields within a version are ignored. */
#ifndef HQI_WIRE_VERSION_H
#define HQI_WIRE_VERSION_H

#define HQI_WIRE_VERSION 1          /* session, client, worker and helper messages */
#define HQI_JOURNAL_VERSION 1       /* journal records */
#define HQI_ACCESS_VERSION "hqcore-1" /* access files */

#endif
