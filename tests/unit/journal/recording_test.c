/* SPDX-License-Identifier: MIT */
/* recording_test.c - what goes in comes out framed, in pieces of any size; what it may hold, and what happens then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "hqcore/error.h"
#include "journal/frame.h"
#include "journal/recording.h"

#define SALT 7u
#define PLENTY (1u << 20)

static const char *const records[] = {"one", "", "three and more"};

static void add_all(struct recording *r)
{
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(hqi_journal_recording_add(r, bytes_of(records[i]), i + 1), HQ_OK);
}

static void expect_frames(const char *p, size_t n)
{
    struct frame f;
    uint64_t position = 0;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(n >= FRAME_HEADER && hqi_journal_frame_get(&f, SALT, p));
        assert_int_equal(f.position, position += i + 1);
        assert_int_equal(f.length, strlen(records[i]));
        assert_true(hqi_journal_frame_holds(&f, SALT, (struct bytes){p + FRAME_HEADER, f.length}));
        p += FRAME_HEADER + f.length;
        n -= FRAME_HEADER + f.length;
    }
    assert_int_equal(n, 0);
}

static void pieces_of_any_size(void **state)
{
    for (size_t size = 1; size < 100; size++) {
        struct failing mem;
        struct recording r;
        char out[200];
        size_t n = 0, part;
        failing_init(&mem, 0);
        hqi_journal_recording_init(&r, &mem.alloc);
        hqi_journal_recording_begin(&r, SALT, PLENTY);
        add_all(&r);
        uint64_t all = r.bytes;
        while ((part = hqi_journal_recording_take(&r, out + n, size)) > 0) {
            n += part;
            assert_int_equal(r.bytes, all - n);
            assert_int_equal(r.next.offset, FILE_HEADER + n);
        }
        expect_frames(out, n);
        assert_int_equal(mem.live, 0);
        hqi_journal_recording_drop(&r);
    }
}

static void more_than_it_may_hold(void **state)
{
    struct list all;
    struct failing mem;
    struct recording r;
    failing_init(&mem, 0);
    list_init(&all);
    hqi_journal_recording_init(&r, &mem.alloc);
    hqi_journal_recording_begin(&r, SALT, 2 * FRAME_HEADER + 5);
    list_push_back(&all, &r.link);
    assert_int_equal(hqi_journal_recording_add(&r, bytes_of("one"), 1), HQ_OK);
    assert_int_equal(hqi_journal_recording_add(&r, bytes_of("two"), 1), HQ_ELIMIT);
    assert_int_equal(r.failed, HQ_ELIMIT);
    assert_true(list_empty(&all));
    assert_int_equal(mem.live, 0);
    hqi_journal_recording_begin(&r, SALT, PLENTY);
    assert_int_equal(r.failed, HQ_OK);
    add_all(&r);
    mem.fail_at = mem.calls + 1;
    assert_int_equal(hqi_journal_recording_add(&r, bytes_of("four"), 1), HQ_ENOMEM);
    assert_int_equal(mem.live, 0);
    hqi_journal_recording_drop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size),
        cmocka_unit_test(more_than_it_may_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
