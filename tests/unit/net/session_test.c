/* SPDX-License-Identifier: MIT */
/* session_test.c - the promise of session.h: once, in order, kept until acknowledged, over any number of cuts.
 * Two sessions talk over a model of a FIFO transport that is cut at random places under a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/limits.h"
#include "net/session.h"

#define ID 77u

static int push_text(struct session *s, const char *text)
{
    return hqi_net_session_push(s, bytes_of(text), NULL);
}

static struct frame parsed(struct bytes frame)
{
    struct frame f;
    assert_int_equal(hqi_wire_session_frame_parse(&f, frame, NULL), HQ_OK);
    return f;
}

static void hand_all(struct session *s)
{
    struct bytes frame;
    while (hqi_net_session_next(s, &frame))
        hqi_net_session_moved(s);
}

static void test_numbers_and_header(void **state)
{
    struct session s;
    struct bytes frame, again;
    hqi_net_session_init(&s, &hqi_base_alloc_libc, 0);
    assert_false(hqi_net_session_next(&s, &frame));
    assert_int_equal(push_text(&s, "one"), HQ_OK);
    assert_int_equal(push_text(&s, ""), HQ_OK);
    assert_int_equal(s.bytes, 2 * HQI_FRAME_HEADER + 3);
    s.id = ID; /* learnt after the push, as a link does */
    s.received = s.safe = 5;

    assert_true(hqi_net_session_next(&s, &frame));
    assert_true(hqi_net_session_next(&s, &again)); /* until moved, the same one */
    assert_ptr_equal(frame.p, again.p);
    struct frame f = parsed(frame);
    assert_int_equal(f.kind, FRAME_DATA);
    assert_int_equal(f.session, ID);
    assert_int_equal(f.number, 1);
    assert_int_equal(f.ack, 5);
    assert_true(bytes_is(f.payload, "one"));
    assert_int_equal(s.told, 0);
    hqi_net_session_moved(&s);
    assert_int_equal(s.told, 5);
    assert_int_equal(s.handed, 1);

    assert_true(hqi_net_session_next(&s, &frame));
    assert_int_equal(parsed(frame).number, 2);
    assert_int_equal(parsed(frame).payload.n, 0);
    hqi_net_session_moved(&s);
    assert_false(hqi_net_session_next(&s, &frame));
    hqi_net_session_fini(&s);
    assert_int_equal(s.bytes, 0);
}

static void test_safe_never_sinks(void **state)
{
    struct session s;
    hqi_net_session_init(&s, &hqi_base_alloc_libc, ID);
    hqi_net_session_set_safe(&s, 4);
    hqi_net_session_set_safe(&s, 2);
    assert_int_equal(s.safe, 4);
    hqi_net_session_fini(&s);
}

/* A session that has sent 6, handed over 4, was acknowledged 2, and received 3. */
static void set_up(struct session *s)
{
    struct bytes frame;
    hqi_net_session_init(s, &hqi_base_alloc_libc, ID);
    for (int i = 0; i < 6; i++)
        assert_int_equal(push_text(s, "x"), HQ_OK);
    for (int i = 0; i < 4; i++) {
        assert_true(hqi_net_session_next(s, &frame));
        hqi_net_session_moved(s);
    }
    bool fresh;
    const struct frame ack = {.kind = FRAME_ALIVE, .session = ID, .ack = 2};
    assert_int_equal(hqi_net_session_take(s, &ack, &fresh, NULL), HQ_OK);
    assert_false(fresh);
    s->received = 3;
}

static void test_take(void **state)
{
    static const struct {
        const char *what;
        struct frame f;
        int rc;
        bool fresh;
        uint64_t acked, received;
    } cases[] = {
        {"the next one", {FRAME_DATA, ID, 4, 2, {"p", 1}}, HQ_OK, true, 2, 4},
        {"with an acknowledgement", {FRAME_DATA, ID, 4, 4, {"p", 1}}, HQ_OK, true, 4, 4},
        {"a repeated one", {FRAME_DATA, ID, 3, 3, {"p", 1}}, HQ_OK, false, 3, 3},
        {"the first, repeated", {FRAME_DATA, ID, 1, 0, {"p", 1}}, HQ_OK, false, 2, 3},
        {"an old acknowledgement", {FRAME_ALIVE, ID, 0, 1, {0}}, HQ_OK, false, 2, 3},
        {"all that was handed over", {FRAME_ALIVE, ID, 0, 4, {0}}, HQ_OK, false, 4, 3},
        {"pushed, not handed over", {FRAME_ALIVE, ID, 0, 5, {0}}, HQ_EPROTO, false, 2, 3},
        {"never sent", {FRAME_DATA, ID, 4, UINT64_MAX, {"p", 1}}, HQ_EPROTO, false, 2, 3},
        {"a gap", {FRAME_DATA, ID, 5, 3, {"p", 1}}, HQ_EPROTO, false, 2, 3},
        {"the last number there is", {FRAME_DATA, ID, UINT64_MAX, 3, {"p", 1}}, HQ_EPROTO, false, 2, 3},
        {"no number", {FRAME_DATA, ID, 0, 3, {"p", 1}}, HQ_EPROTO, false, 2, 3},
        {"too long", {FRAME_DATA, ID, 4, 3, {"p", HQI_MAX_MESSAGE + 1}}, HQ_EPROTO, false, 2, 3},
        {"another session", {FRAME_DATA, ID + 1, 4, 3, {"p", 1}}, HQ_EPROTO, false, 2, 3},
        {"no session", {FRAME_ALIVE, 0, 0, 3, {0}}, HQ_EPROTO, false, 2, 3},
        {"a hello", {FRAME_HELLO, ID, 4, 3, {"p", 1}}, HQ_EPROTO, false, 2, 3},
        {"a goodbye", {FRAME_BYE, ID, 4, 3, {"p", 1}}, HQ_EPROTO, false, 2, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s;
        bool fresh = true;
        hq_error err = {0};
        set_up(&s);
        int rc = hqi_net_session_take(&s, &cases[i].f, &fresh, &err);
        if (rc != cases[i].rc || fresh != cases[i].fresh || s.acked != cases[i].acked ||
            s.received != cases[i].received || s.bytes != (6 - s.acked) * (HQI_FRAME_HEADER + 1) ||
            (rc < 0) != (err.text[0] != '\0'))
            fail_msg("%s: %d, fresh %d, acked %d, received %d: %s", cases[i].what, rc, fresh, (int)s.acked,
                     (int)s.received, err.text);
        hqi_net_session_fini(&s);
    }
}

static void test_resume(void **state)
{
    static const struct {
        uint64_t their_received;
        int rc;
        uint64_t next; /* the frame that goes first; 0: none */
    } cases[] = {{2, HQ_OK, 3}, {3, HQ_OK, 4}, {4, HQ_OK, 5}, {6, HQ_OK, 0},
                 {1, HQ_EPROTO, 5}, {0, HQ_EPROTO, 5}, {7, HQ_EPROTO, 5}, {UINT64_MAX, HQ_EPROTO, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s;
        struct bytes frame = {0};
        set_up(&s);
        s.safe = s.told = 3;
        assert_int_equal(hqi_net_session_resume(&s, cases[i].their_received, NULL), cases[i].rc);
        assert_int_equal(s.told, cases[i].rc == HQ_OK ? 0 : 3); /* the acknowledgement must leave again */
        bool any = hqi_net_session_next(&s, &frame);
        assert_int_equal(any ? parsed(frame).number : 0, cases[i].next);
        assert_int_equal(s.bytes, 4 * (HQI_FRAME_HEADER + 1)); /* received is not yet acknowledged */
        hqi_net_session_fini(&s);
    }
}

static void test_push_fails_whole(void **state)
{
    struct failing f;
    struct session s;
    hq_error err;
    failing_init(&f, 2);
    hqi_net_session_init(&s, &f.alloc, ID);
    assert_int_equal(push_text(&s, "a"), HQ_OK);
    assert_int_equal(hqi_net_session_push(&s, bytes_of("b"), &err), HQ_ENOMEM);
    assert_int_equal(s.sent, 1);
    assert_int_equal(s.bytes, HQI_FRAME_HEADER + 1);
    assert_int_equal(push_text(&s, "c"), HQ_OK);
    assert_int_equal(s.sent, 2);
    hand_all(&s);
    assert_int_equal(s.handed, 2);
    const struct bytes huge = {"", HQI_MAX_MESSAGE + 1u};
    assert_int_equal(hqi_net_session_push(&s, huge, &err), HQ_ELIMIT);
    hqi_net_session_fini(&s);
    assert_int_equal(f.live, 0);
}

/* ---- the model ---- */

#define PIPE 64

struct pipe { /* one direction of one connection */
    char *frames[PIPE];
    size_t sizes[PIPE];
    int first, n;
};

struct side {
    struct session s;
    struct pipe out;
    uint32_t pushed, got; /* payload k is the number k */
};

static uint32_t rnd(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*seed >> 33) % below;
}

static void put(struct pipe *p, struct bytes frame)
{
    int i = (p->first + p->n++) % PIPE;
    p->frames[i] = malloc(frame.n);
    p->sizes[i] = frame.n;
    memcpy(p->frames[i], frame.p, frame.n);
}

static void empty(struct pipe *p)
{
    for (; p->n > 0; p->n--, p->first = (p->first + 1) % PIPE)
        free(p->frames[p->first]);
}

static void step_push(struct side *me, uint64_t *seed)
{
    char payload[40] = {0};
    uint32_t k = me->pushed + 1;
    memcpy(payload, &k, sizeof k);
    assert_int_equal(hqi_net_session_push(&me->s, (struct bytes){payload, sizeof k + rnd(seed, 36)}, NULL), HQ_OK);
    me->pushed++;
}

static void step_hand(struct side *me)
{
    struct bytes frame;
    if (me->out.n == PIPE || !hqi_net_session_next(&me->s, &frame))
        return;
    put(&me->out, frame);
    hqi_net_session_moved(&me->s);
}

static void step_alive(struct side *me)
{
    uint8_t header[HQI_FRAME_HEADER];
    const struct frame f = {.kind = FRAME_ALIVE, .session = me->s.id, .ack = me->s.safe};
    if (me->out.n == PIPE)
        return;
    hqi_wire_session_frame_header(header, &f);
    put(&me->out, (struct bytes){(char *)header, sizeof header});
    me->s.told = me->s.safe;
}

static void step_deliver(struct side *from, struct side *to)
{
    struct pipe *p = &from->out;
    bool fresh;
    if (p->n == 0)
        return;
    struct frame f = parsed((struct bytes){p->frames[p->first], p->sizes[p->first]});
    assert_int_equal(hqi_net_session_take(&to->s, &f, &fresh, NULL), HQ_OK);
    if (fresh) {
        uint32_t k;
        memcpy(&k, f.payload.p, sizeof k);
        assert_int_equal(k, ++to->got);
        assert_int_equal(k, f.number);
    }
    free(p->frames[p->first]);
    p->first = (p->first + 1) % PIPE;
    p->n--;
}

static void step_cut(struct side *a, struct side *b)
{
    empty(&a->out);
    empty(&b->out);
    assert_int_equal(hqi_net_session_resume(&a->s, b->s.received, NULL), HQ_OK);
    assert_int_equal(hqi_net_session_resume(&b->s, a->s.received, NULL), HQ_OK);
}

static void check(const struct side *me, const struct side *other)
{
    size_t bytes = 0, n = 0;
    list_for(link, (struct list *)&me->s.queue) n++;
    bytes = n * (HQI_FRAME_HEADER + sizeof(uint32_t));
    assert_int_equal(n, me->s.sent - me->s.acked);
    assert_in_range(me->s.bytes, bytes, bytes + n * 36);
    assert_true(me->s.acked <= other->s.safe && other->s.safe <= other->s.received);
    assert_true(other->s.received <= me->s.sent && me->s.handed <= me->s.sent);
    assert_int_equal(other->got, other->s.received);
}

static void step(struct side *a, struct side *b, uint64_t *seed)
{
    struct side *me = rnd(seed, 2) ? a : b, *other = me == a ? b : a;
    uint32_t kind = rnd(seed, 100);
    if (kind < 25)
        step_push(me, seed);
    else if (kind < 55)
        step_hand(me);
    else if (kind < 85)
        step_deliver(me, other);
    else if (kind < 93)
        hqi_net_session_set_safe(&me->s, me->s.safe + rnd(seed, (uint32_t)(me->s.received - me->s.safe) + 1));
    else if (kind < 99)
        step_alive(me);
    else
        step_cut(a, b);
}

static void settle(struct side *a, struct side *b)
{
    while (a->s.bytes || b->s.bytes) {
        step_hand(a);
        step_hand(b);
        step_deliver(a, b);
        step_deliver(b, a);
        hqi_net_session_set_safe(&a->s, a->s.received);
        hqi_net_session_set_safe(&b->s, b->s.received);
        step_alive(a);
        step_alive(b);
        step_deliver(a, b);
        step_deliver(b, a);
    }
}

static void test_model(void **state)
{
    for (uint64_t run = 1; run <= 40; run++) {
        uint64_t seed = run;
        struct side a = {.pushed = 0}, b = {.pushed = 0};
        hqi_net_session_init(&a.s, &hqi_base_alloc_libc, ID);
        hqi_net_session_init(&b.s, &hqi_base_alloc_libc, ID);
        for (int i = 0; i < 3000; i++) {
            step(&a, &b, &seed);
            if (i % 16 == 0) {
                check(&a, &b);
                check(&b, &a);
            }
        }
        settle(&a, &b);
        assert_true(a.pushed > 100 && b.pushed > 100);
        assert_int_equal(b.got, a.pushed);
        assert_int_equal(a.got, b.pushed);
        empty(&a.out);
        empty(&b.out);
        hqi_net_session_fini(&a.s);
        hqi_net_session_fini(&b.s);
    }
}

static void add(void *user, struct bytes payload)
{
    struct buf *all = user;
    hqi_base_buf_add(all, payload.p, payload.n);
    hqi_base_buf_addc(all, ';');
}

/* What a lost session leaves: the payloads that nobody has acknowledged, handed over or not. */
static void test_each(void **state)
{
    struct session s;
    struct bytes frame;
    struct buf all;
    bool fresh;
    hqi_base_buf_init(&all, &hqi_base_alloc_libc);
    hqi_net_session_init(&s, &hqi_base_alloc_libc, ID);
    for (const char *p = "abcd"; *p; p++)
        assert_int_equal(hqi_net_session_push(&s, (struct bytes){p, 1}, NULL), HQ_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(hqi_net_session_next(&s, &frame));
        hqi_net_session_moved(&s);
    }
    const struct frame ack = {.kind = FRAME_ALIVE, .session = ID, .ack = 1};
    assert_int_equal(hqi_net_session_take(&s, &ack, &fresh, NULL), HQ_OK);
    hqi_net_session_each(&s, add, &all);
    assert_string_equal(hqi_base_buf_bytes(&all).p, "b;c;d;");
    hqi_net_session_fini(&s);
    hqi_base_buf_fini(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_header), cmocka_unit_test(test_safe_never_sinks),
        cmocka_unit_test(test_take),               cmocka_unit_test(test_resume),
        cmocka_unit_test(test_push_fails_whole),   cmocka_unit_test(test_model),
        cmocka_unit_test(test_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
