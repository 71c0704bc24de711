/* SPDX-License-Identifier: MIT */
/* keys.c - key derivation and random bytes; see keys.h for what is derived from what.
 *
 * Promise: no libsodium call in here needs sodium_init() or can abort (its own random source can, so bytes come from
 * getrandom). Must never happen: a comparison whose duration tells how much of a proof was right. */
#include "net/keys.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/random.h>

#include "hqcore/error.h"

#define LABEL "hq-curve-"
#define PLANE_BYTES 16u /* "client", "worker" */

static void derive(const uint8_t secret[32], const char *label, uint8_t out[32])
{
    crypto_generichash(out, 32, (const uint8_t *)label, strlen(label), secret, HQI_SECRET_BYTES);
}

void hqi_net_keys_server(const uint8_t secret[32], const char *plane, uint8_t curve_secret[32],
                         uint8_t curve_public[32])
{
    char label[sizeof LABEL + PLANE_BYTES] = LABEL;
    strncat(label, plane, PLANE_BYTES);
    derive(secret, label, curve_secret);
    crypto_scalarmult_base(curve_public, curve_secret);
}

void hqi_net_keys_proof(const uint8_t secret[32], uint8_t proof[32])
{
    derive(secret, "hq-proof", proof);
}

bool hqi_net_keys_proof_ok(const uint8_t secret[32], const void *proof, uint64_t n)
{
    uint8_t expected[32];
    hqi_net_keys_proof(secret, expected);
    return n == sizeof expected && sodium_memcmp(expected, proof, sizeof expected) == 0;
}

int hqi_net_keys_pair(uint8_t curve_secret[32], uint8_t curve_public[32])
{
    int rc = hqi_net_keys_random(curve_secret, 32);
    if (rc == HQ_OK)
        crypto_scalarmult_base(curve_public, curve_secret);
    return rc;
}

int hqi_net_keys_random(void *out, uint64_t n)
{
    char *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return HQ_ESYS;
        p += got;
        n -= (uint64_t)got;
    }
    return HQ_OK;
}
