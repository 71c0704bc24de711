/* SPDX-License-Identifier: MIT */
/* net/keys.h - what is derived from a plane's secret (32 random bytes, in the access file).
 *
 * The server's CURVE secret key is BLAKE2b-256(key = secret, "hq-curve-<plane>"); its public half follows by X25519. The
 * proof in HELLO is BLAKE2b-256(key = secret, "hq-proof"). All from libsodium; no global state of ours. */
#ifndef HQI_NET_KEYS_H
#define HQI_NET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#define HQI_SECRET_BYTES 32u

void hqi_net_keys_server(const uint8_t secret[32], const char *plane, uint8_t curve_secret[32], uint8_t curve_public[32]);
void hqi_net_keys_proof(const uint8_t secret[32], uint8_t proof[32]);
bool hqi_net_keys_proof_ok(const uint8_t secret[32], const void *proof, uint64_t n); /* constant time */
int hqi_net_keys_pair(uint8_t curve_secret[32], uint8_t curve_public[32]); /* a peer's own, random; HQ_ESYS */
int hqi_net_keys_random(void *out, uint64_t n); /* getrandom(2); HQ_ESYS, errno set */

#endif
