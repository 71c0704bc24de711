/* SPDX-License-Identifier: MIT */
/* keys_test.c - the derivations of keys.h, against BLAKE2b and X25519 computed elsewhere: they are a wire format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>
#include <cmocka.h>

#include "hqcore/error.h"
#include "net/keys.h"

static void secret_of(uint8_t secret[32]) /* 00 01 02 ... 1f */
{
    for (int i = 0; i < 32; i++)
        secret[i] = (uint8_t)i;
}

static void assert_hex(const uint8_t *p, const char *hex)
{
    char text[65];
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", p[i]);
    assert_string_equal(text, hex);
}

static void test_vectors(void **state)
{
    uint8_t secret[32], curve_secret[32], curve_public[32], proof[32];
    secret_of(secret);
    hqi_net_keys_server(secret, "client", curve_secret, curve_public);
    assert_hex(curve_secret, "aefdd5c8c20bb0d817f33933d0b29fa07d9778eae4821380bdb5bcdb7f523621");
    assert_hex(curve_public, "46dad86cc9e97d0d570d8e804edebeb2f4082ca3211ddaaf277bdc126be6706d");
    hqi_net_keys_server(secret, "worker", curve_secret, curve_public);
    assert_hex(curve_secret, "32413b537d6399e6b7cde5546c697745f1f384accc66c4a3886bebfa5b27d549");
    hqi_net_keys_proof(secret, proof);
    assert_hex(proof, "3b92fe06717d33a40db82943ddacb7bfa54e870c4278b2d898d2a8a81029da69");
}

static void test_libzmq_agrees_on_the_public_half(void **state)
{
    uint8_t secret[32], public[32], again[32];
    char z85_secret[41], z85_public[41];
    assert_int_equal(hqi_net_keys_pair(secret, public), HQ_OK);
    assert_non_null(zmq_z85_encode(z85_secret, secret, 32));
    assert_int_equal(zmq_curve_public(z85_public, z85_secret), 0);
    assert_non_null(zmq_z85_decode(again, z85_public));
    assert_memory_equal(public, again, 32);
}

static void test_proof(void **state)
{
    uint8_t secret[32], proof[33] = {0};
    secret_of(secret);
    hqi_net_keys_proof(secret, proof);
    assert_true(hqi_net_keys_proof_ok(secret, proof, 32));
    assert_false(hqi_net_keys_proof_ok(secret, proof, 31));
    assert_false(hqi_net_keys_proof_ok(secret, proof, 33));
    assert_false(hqi_net_keys_proof_ok(secret, NULL, 0));
    for (int i = 0; i < 32; i++) {
        proof[i] ^= 0x10;
        assert_false(hqi_net_keys_proof_ok(secret, proof, 32));
        proof[i] ^= 0x10;
    }
    secret[31] ^= 1;
    assert_false(hqi_net_keys_proof_ok(secret, proof, 32));
}

static void test_random(void **state)
{
    uint8_t a[600] = {0}, b[600] = {0};
    assert_int_equal(hqi_net_keys_random(a, sizeof a), HQ_OK);
    assert_int_equal(hqi_net_keys_random(b, sizeof b), HQ_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 568, b + 568, 32); /* to the end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_libzmq_agrees_on_the_public_half),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
