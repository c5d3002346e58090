/* The queue's numbered invariants (src/base/thread.h), one thread and many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"

#define MS INT64_C(1000000)

enum { ITEMS = 64 };

/* Items are addresses within this array; drop() counts per item, so twice or never shows. */
struct ledger {
    char item[ITEMS];
    atomic_int dropped[ITEMS];
};

static void *item(struct ledger *l, int i)
{
    return &l->item[i];
}

static int number(const struct ledger *l, const void *p)
{
    return (int)((const char *)p - l->item);
}

static void count_drop(void *p, void *opaque)
{
    struct ledger *l = opaque;
    atomic_fetch_add(&l->dropped[number(l, p)], 1);
}

static struct vd_queue *new_queue(struct ledger *l, size_t cap, enum vd_queue_policy policy)
{
    struct vd_queue *q = NULL;
    assert_int_equal(vd_queue_new(&q, cap, policy, count_drop, l), VD_OK);
    return q;
}

static void push(struct vd_queue *q, struct ledger *l, int i)
{
    void *p = item(l, i);
    assert_int_equal(vd_queue_push(q, &p), VD_OK);
    assert_null(p); /* (2) ownership moved */
}

static int pop(struct vd_queue *q, const struct ledger *l)
{
    void *p = NULL;
    assert_int_equal(vd_queue_pop(q, &p, 0), VD_OK);
    return number(l, p);
}

static int drops(struct ledger *l)
{
    int sum = 0;
    for (int i = 0; i < ITEMS; i++) {
        assert_in_range(l->dropped[i], 0, 1); /* (5) once */
        sum += l->dropped[i];
    }
    return sum;
}

static void test_order_and_depth(void **state)
{
    (void)state;
    struct ledger l = {0};
    struct vd_queue *q = new_queue(&l, 3, VD_QUEUE_BLOCK);
    for (int round = 0; round < 5; round++) { /* round the ring more than once */
        for (int i = 0; i < 3; i++)
            push(q, &l, round * 3 + i);
        assert_int_equal(vd_queue_depth(q), 3); /* (1) */
        for (int i = 0; i < 3; i++)
            assert_int_equal(pop(q, &l), round * 3 + i);
        assert_int_equal(vd_queue_depth(q), 0);
    }
    vd_queue_free(&q);
    assert_null(q);
    vd_queue_free(&q); /* NULL-safe */
    assert_int_equal(drops(&l), 0);
}

static void test_no_room_for_nothing(void **state)
{
    (void)state;
    struct vd_queue *q = (void *)state;
    assert_int_equal(vd_queue_new(&q, 0, VD_QUEUE_BLOCK, NULL, NULL), VD_E_INVAL);
    assert_null(q);
    assert_int_equal(vd_queue_new(&q, SIZE_MAX / 2, VD_QUEUE_BLOCK, NULL, NULL), VD_E_NOMEM);
    assert_null(q);
}

static void test_drop_oldest(void **state)
{
    (void)state;
    struct ledger l = {0};
    struct vd_queue *q = new_queue(&l, 4, VD_QUEUE_DROP_OLDEST);
    for (int i = 0; i < 10; i++) {
        push(q, &l, i);
        assert_true(vd_queue_depth(q) <= 4); /* (1) */
    }
    assert_int_equal(vd_queue_dropped(q), 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(l.dropped[i], 1); /* the oldest six, each once */
    for (int i = 6; i < 10; i++)
        assert_int_equal(pop(q, &l), i); /* the newest four, in order */
    vd_queue_free(&q);
    assert_int_equal(drops(&l), 6);
}

static void test_close_send_drains(void **state)
{
    (void)state;
    struct ledger l = {0};
    struct vd_queue *q = new_queue(&l, 8, VD_QUEUE_BLOCK);
    push(q, &l, 0);
    push(q, &l, 1);
    vd_queue_close_send(q);
    void *p = item(&l, 2);
    assert_int_equal(vd_queue_push(q, &p), VD_E_CLOSED);
    assert_ptr_equal(p, item(&l, 2)); /* (2) not OK: still the caller's */
    assert_int_equal(pop(q, &l), 0);  /* (3) drained first */
    assert_int_equal(pop(q, &l), 1);
    assert_int_equal(vd_queue_pop(q, &p, -1), VD_E_EOF); /* (3) then the end, without waiting */
    assert_null(p);
    assert_int_equal(vd_queue_pop(q, &p, 0), VD_E_EOF); /* and it stays the end */
    vd_queue_free(&q);
    assert_int_equal(drops(&l), 0);
}

static void test_close_recv_hands_back(void **state)
{
    (void)state;
    struct ledger l = {0};
    for (int policy = VD_QUEUE_BLOCK; policy <= VD_QUEUE_DROP_OLDEST; policy++) {
        struct vd_queue *q = new_queue(&l, 8, (enum vd_queue_policy)policy);
        int base = policy * 10;
        for (int i = 0; i < 5; i++)
            push(q, &l, base + i);
        assert_int_equal(pop(q, &l), base);
        vd_queue_close_recv(q);
        for (int i = 1; i < 5; i++)
            assert_int_equal(l.dropped[base + i], 1); /* (4) */
        void *p = item(&l, base + 7);
        assert_int_equal(vd_queue_push(q, &p), VD_E_CLOSED); /* (4) */
        assert_ptr_equal(p, item(&l, base + 7));
        assert_int_equal(vd_queue_depth(q), 0);
        vd_queue_close_recv(q); /* twice is once */
        vd_queue_free(&q);
    }
    assert_int_equal(drops(&l), 8);
}

static void test_free_drops_the_rest(void **state)
{
    (void)state;
    struct ledger l = {0};
    struct vd_queue *q = new_queue(&l, 8, VD_QUEUE_BLOCK);
    for (int i = 0; i < 5; i++)
        push(q, &l, i);
    vd_queue_free(&q);
    assert_int_equal(drops(&l), 5); /* (5) */
}

static void test_timeout(void **state)
{
    (void)state;
    struct ledger l = {0};
    const struct vd_clock *c = vd_clock_system();
    struct vd_queue *q = new_queue(&l, 2, VD_QUEUE_BLOCK);
    void *p = item(&l, 0);
    int64_t t0 = c->mono_ns(c->opaque);
    assert_int_equal(vd_queue_pop(q, &p, 0), VD_E_AGAIN);
    assert_null(p);
    assert_int_equal(vd_queue_pop(q, &p, 30 * MS), VD_E_AGAIN);
    assert_true(c->mono_ns(c->opaque) - t0 >= 30 * MS); /* not early */
    push(q, &l, 0);
    assert_int_equal(vd_queue_pop(q, &p, 3600000 * MS), VD_OK); /* there: no wait */
    assert_true(c->mono_ns(c->opaque) - t0 < 60000 * MS);
    vd_queue_free(&q);
}

/* --- threads ------------------------------------------------------------------------------- */

enum { SENDERS = 3, RECEIVERS = 2, EACH = 4000 };

struct traffic {
    struct vd_queue *q;
    atomic_int received[SENDERS * EACH], dropped[SENDERS * EACH], refused[SENDERS * EACH];
    atomic_int next_sender, out_of_order;
    int stop_after; /* a receiver closes its side after so many; 0 = never */
    atomic_int received_n;
};

static char traffic_item[SENDERS * EACH];

static void traffic_drop(void *p, void *opaque)
{
    struct traffic *t = opaque;
    atomic_fetch_add(&t->dropped[(char *)p - traffic_item], 1);
}

static void *send_all(void *arg)
{
    struct traffic *t = arg;
    int me = atomic_fetch_add(&t->next_sender, 1);
    for (int i = me * EACH; i < (me + 1) * EACH; i++) {
        void *p = &traffic_item[i];
        if (vd_queue_push(t->q, &p)) {
            if (p != &traffic_item[i])
                abort();
            atomic_fetch_add(&t->refused[i], 1);
        }
    }
    return NULL;
}

static void *receive_all(void *arg)
{
    struct traffic *t = arg;
    int last[SENDERS];
    void *p;
    for (int i = 0; i < SENDERS; i++)
        last[i] = -1;
    while (!vd_queue_pop(t->q, &p, -1)) {
        int i = (int)((char *)p - traffic_item);
        atomic_fetch_add(&t->received[i], 1);
        if (i <= last[i / EACH])
            atomic_fetch_add(&t->out_of_order, 1);
        last[i / EACH] = i;
        if (atomic_fetch_add(&t->received_n, 1) + 1 == t->stop_after)
            vd_queue_close_recv(t->q);
    }
    return NULL;
}

static void run_traffic(enum vd_queue_policy policy, size_t cap, int stop_after)
{
    static struct traffic t;
    struct vd_thread s[SENDERS] = {0}, r[RECEIVERS] = {0};
    t = (struct traffic){.stop_after = stop_after};
    assert_int_equal(vd_queue_new(&t.q, cap, policy, traffic_drop, &t), VD_OK);
    for (int i = 0; i < RECEIVERS; i++)
        assert_int_equal(vd_thread_start(&r[i], "receiver", receive_all, &t), VD_OK);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(vd_thread_start(&s[i], "sender", send_all, &t), VD_OK);
    for (int i = 0; i < SENDERS; i++)
        vd_thread_join(&s[i]);
    vd_queue_close_send(t.q);
    for (int i = 0; i < RECEIVERS; i++)
        vd_thread_join(&r[i]);
    uint64_t counted = vd_queue_dropped(t.q);
    vd_queue_free(&t.q);

    uint64_t dropped = 0, received = 0;
    for (int i = 0; i < SENDERS * EACH; i++) {
        /* (5) every item had exactly one fate */
        assert_int_equal(t.received[i] + t.dropped[i] + t.refused[i], 1);
        dropped += (uint64_t)t.dropped[i];
        received += (uint64_t)t.received[i];
    }
    assert_int_equal(t.out_of_order, 0); /* one sender's items keep their order */
    if (!stop_after) {
        assert_int_equal(counted, dropped);
        if (policy == VD_QUEUE_BLOCK)
            assert_int_equal(received, SENDERS * EACH); /* blocking loses nothing */
    } else if (policy == VD_QUEUE_BLOCK) {
        assert_true(received >= (uint64_t)stop_after);
    }
}

static void test_threads_block(void **state)
{
    (void)state;
    run_traffic(VD_QUEUE_BLOCK, 1, 0);
    run_traffic(VD_QUEUE_BLOCK, 7, 0);
}

static void test_threads_drop(void **state)
{
    (void)state;
    run_traffic(VD_QUEUE_DROP_OLDEST, 1, 0);
    run_traffic(VD_QUEUE_DROP_OLDEST, 5, 0);
}

static void test_threads_receiver_leaves(void **state)
{
    (void)state;
    for (int stop = 1; stop < 400; stop += 57) {
        run_traffic(VD_QUEUE_BLOCK, 4, stop); /* (4) blocked senders wake up */
        run_traffic(VD_QUEUE_DROP_OLDEST, 4, stop);
    }
}

static void *wait_for_item(void *arg)
{
    void *p;
    return vd_queue_pop(arg, &p, -1) == VD_E_EOF ? arg : NULL;
}

static void test_close_wakes_waiting(void **state)
{
    (void)state;
    const struct vd_clock *c = vd_clock_system();
    for (int side = 0; side < 2; side++) {
        struct ledger l = {0};
        struct vd_queue *q = new_queue(&l, 2, VD_QUEUE_BLOCK);
        struct vd_thread t = {0};
        assert_int_equal(vd_thread_start(&t, "a name that is much too long", wait_for_item, q),
                         VD_OK);
        c->sleep_ns(c->opaque, 20 * MS);
        if (side)
            vd_queue_close_recv(q);
        else
            vd_queue_close_send(q);
        vd_thread_join(&t); /* hangs, and the test times out, if nobody woke it */
        assert_int_equal(t.running, 0);
        vd_thread_join(&t); /* twice is once */
        vd_queue_free(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_depth),
        cmocka_unit_test(test_no_room_for_nothing),
        cmocka_unit_test(test_drop_oldest),
        cmocka_unit_test(test_close_send_drains),
        cmocka_unit_test(test_close_recv_hands_back),
        cmocka_unit_test(test_free_drops_the_rest),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_threads_block),
        cmocka_unit_test(test_threads_drop),
        cmocka_unit_test(test_threads_receiver_leaves),
        cmocka_unit_test(test_close_wakes_waiting),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
