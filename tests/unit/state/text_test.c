/* SPDX-License-Identifier: MIT */
/* What tasks leave behind as text: why they failed, and their results. */
#include "world.h"

#define ONE                          \
    (struct spec_options)            \
    {                                \
        .crash_limit = CRASH_DEFAULT \
    }

static void error_texts_are_bounded(void **unused)
{
    enum { TEXTS = 40000 };
    char text[HQI_MAX_ERROR_TEXT + 101];
    struct world w;
    world_open(&w);
    w.quick = true;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, TEXTS, ONE);
    world_hand(&w, 1, 1, 0, 0, TEXTS, false);
    struct end_row row = {.start_ms = w.now, .code = HQ_CODE_TEXT, .text = text};
    for (row.ordinal = 0; row.ordinal < TEXTS; row.ordinal++)
        world_end(&w, 1, 1, 0, row);
    assert_int_equal(world_view(s, 0).text_len, HQI_MAX_ERROR_TEXT);
    assert_int_equal(strlen(world_view(s, 0).text), HQI_MAX_ERROR_TEXT);
    assert_null(world_view(s, TEXTS - 1).text);
    assert_int_equal(s->job->text_bytes, HQI_MAX_ERROR_BYTES);
    world_verify(w.st);
    world_close(&w);
}

/* With an exit code the text is the task's result: whole, or known to be dropped. */
static void results_are_kept_whole(void **unused)
{
    static char large[HQI_MAX_RESULT + 2];
    struct world w;
    world_open(&w);
    w.quick = true;
    memset(large, 'r', HQI_MAX_RESULT);
    world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 6, ONE);
    world_hand(&w, 1, 1, 0, 0, 6, false);
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 0, .start_ms = w.now, .text = "small"});
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 1, .start_ms = w.now, .code = 7, .text = large});
    large[HQI_MAX_RESULT] = 'r';
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 2, .start_ms = w.now, .text = large});
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 3, .start_ms = w.now});
    s->job->result_bytes = HQI_MAX_RESULT_BYTES - 4;
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 4, .start_ms = w.now, .text = "12345"});
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 5, .start_ms = w.now, .text = "1234"});
    assert_string_equal(world_view(s, 0).text, "small");
    assert_int_equal(world_view(s, 1).text_len, HQI_MAX_RESULT);
    assert_true(!world_view(s, 2).text && world_view(s, 2).dropped);
    assert_true(!world_view(s, 3).text && !world_view(s, 3).dropped);
    assert_true(!world_view(s, 4).text && world_view(s, 4).dropped);
    assert_string_equal(world_view(s, 5).text, "1234");
    assert_int_equal(s->job->text_bytes, 0); /* that is for failures */
    world_verify(w.st);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts_are_bounded),
        cmocka_unit_test(results_are_kept_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
