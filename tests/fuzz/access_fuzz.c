/* SPDX-License-Identifier: MIT */
/* access_fuzz.c - access files. What is accepted must be written and read again as the same, unless it names no plane. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "serverdir/access.h"

static void must(int holds)
{
    if (!holds)
        abort();
}

static void again(const struct access *a)
{
    struct access b;
    struct buf out;
    bool both = a->plane[ACCESS_CLIENT].given && a->plane[ACCESS_WORKER].given;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    must(hqi_serverdir_access_format(a, &out, NULL) == HQ_OK);
    must(hqi_serverdir_access_parse(&b, hqi_base_buf_bytes(&out), NULL) == HQ_OK);
    must(strcmp(b.server_uid, both ? a->server_uid : "") == 0);
    for (int i = 0; i < ACCESS_PLANES; i++)
        if (a->plane[i].given)
            must(b.plane[i].port == a->plane[i].port && strcmp(b.plane[i].host, a->plane[i].host) == 0 &&
                 memcmp(b.plane[i].secret, a->plane[i].secret, sizeof a->plane[i].secret) == 0);
        else
            must(!b.plane[i].given);
    hqi_base_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct access a;
    hq_error err = {0};
    int rc = hqi_serverdir_access_parse(&a, (struct bytes){(const char *)data, size}, &err);
    if (rc < 0)
        must((rc == HQ_EPROTO || rc == HQ_EVERSION) && err.code == rc && err.text[0]);
    else if (a.plane[ACCESS_CLIENT].given || a.plane[ACCESS_WORKER].given)
        again(&a);
    return 0;
}

size_t fuzz_sample(uint64_t seed, uint8_t *out, size_t room)
{
    struct access a = {.server_uid = "aB3dE9"};
    struct buf text;
    for (int i = 0; i < ACCESS_PLANES; i++) {
        struct access_end *e = &a.plane[i];
        e->given = seed % 3 == 0 || seed % 3 == (uint64_t)i + 1;
        e->port = (uint16_t)(seed * 7919 + 1) | 1;
        snprintf(e->host, sizeof e->host, "node%u.cluster", (unsigned)seed % 1000);
        memset(e->secret, (int)(seed + (uint64_t)i), sizeof e->secret);
    }
    hqi_base_buf_init(&text, &hqi_base_alloc_libc);
    size_t n = hqi_serverdir_access_format(&a, &text, NULL) == HQ_OK && text.n <= room ? text.n : 0;
    if (n)
        memcpy(out, text.p, n);
    hqi_base_buf_fini(&text);
    return n;
}
