/* SPDX-License-Identifier: MIT
 * Memory plans: buffers that live at the same time never overlap, whatever their sizes; the arena
 * is neither smaller than what lives at once nor larger than all together. For lists of buffers and
 * for the runs of whole networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/layers.h>

#include "base/fault.h"
#include "base/memory.h"
#include "layers/net_state.h"
#include "layers/plan.h"
#include "mobilenetv2/build.h"
#include "support/backends.h"

enum { MOST = 80, STEPS = 40 };

static an_error err;

static int64_t rounded(int64_t size) {
    return (size + ANI_ALIGNMENT - 1) / ANI_ALIGNMENT * ANI_ALIGNMENT;
}

/* Returns how much lives in the fullest step; sizes as they were asked for. */
static int64_t expect_plan(const ani_buffer *asked, const ani_buffer *placed, int64_t count,
                           int64_t size) {
    int64_t fullest = 0, all = 0;
    for (int64_t i = 0; i < count; i++) {
        const ani_buffer *a = &placed[i];
        assert_true(a->size >= asked[i].size && a->size < asked[i].size + ANI_ALIGNMENT);
        assert_true(a->offset >= 0 && a->offset % ANI_ALIGNMENT == 0);
        assert_true(a->offset + a->size <= size);
        all += rounded(asked[i].size);
        for (int64_t j = 0; j < i; j++) {
            const ani_buffer *b = &placed[j];
            if (a->last < b->first || b->last < a->first) continue;
            if (a->offset < b->offset + b->size && b->offset < a->offset + a->size)
                fail_msg("buffers %lld and %lld overlap", (long long)i, (long long)j);
        }
    }
    for (int32_t step = 0; step < STEPS; step++) {
        int64_t now = 0;
        for (int64_t i = 0; i < count; i++)
            if (placed[i].first <= step && step <= placed[i].last) now += rounded(asked[i].size);
        if (now > fullest) fullest = now;
    }
    assert_true(size >= fullest && size <= all);
    return fullest;
}

static uint32_t draw(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)*seed * below >> 32);
}

static void drawn_lists(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (int32_t round = 0; round < 400; round++) {
        ani_buffer asked[MOST] = {0}, placed[MOST];
        const int64_t count = draw(&seed, MOST);
        int64_t size = -1;
        for (int64_t i = 0; i < count; i++) {
            asked[i].size = draw(&seed, round % 2 ? 70 : 100000);
            asked[i].first = (int32_t)draw(&seed, STEPS);
            asked[i].last =
                asked[i].first + (int32_t)draw(&seed, (uint32_t)(STEPS - asked[i].first));
        }
        memcpy(placed, asked, sizeof placed);
        assert_int_equal(ani_plan_buffers(placed, count, &size, &err), AN_OK);
        expect_plan(asked, placed, count, size);
        /* the same list gives the same plan */
        ani_buffer again[MOST];
        int64_t size_again;
        memcpy(again, asked, sizeof again);
        assert_int_equal(ani_plan_buffers(again, count, &size_again, &err), AN_OK);
        assert_int_equal(size_again, size);
        assert_memory_equal(again, placed, sizeof placed);
    }
}

static void edges(void **state) {
    (void)state;
    int64_t size = -1;
    assert_int_equal(ani_plan_buffers(NULL, 0, &size, &err), AN_OK);
    assert_int_equal(size, 0);
    /* one after the other share one place; odd sizes are rounded up */
    ani_buffer chain[4] = {{1, 0, 0, -1}, {65, 1, 1, -1}, {64, 2, 2, -1}, {63, 3, 3, -1}};
    assert_int_equal(ani_plan_buffers(chain, 4, &size, &err), AN_OK);
    assert_int_equal(size, 128);
    for (int32_t i = 0; i < 4; i++)
        assert_int_equal(chain[i].offset, 0);
    /* touching in one step is together: first and last are included */
    ani_buffer touching[2] = {{64, 0, 1, -1}, {64, 1, 2, -1}};
    assert_int_equal(ani_plan_buffers(touching, 2, &size, &err), AN_OK);
    assert_int_equal(size, 128);
    /* nothing needs no room, wherever it lies */
    ani_buffer nothing[2] = {{0, 0, 9, -1}, {64, 3, 4, -1}};
    assert_int_equal(ani_plan_buffers(nothing, 2, &size, &err), AN_OK);
    assert_int_equal(size, 64);
    /* a gap between two that live longer is used */
    ani_buffer gap[4] = {{256, 0, 9, -1}, {128, 0, 3, -1}, {192, 0, 9, -1}, {100, 5, 6, -1}};
    assert_int_equal(ani_plan_buffers(gap, 4, &size, &err), AN_OK);
    assert_int_equal(size, 256 + 192 + 128);
    assert_int_equal(gap[3].offset, gap[1].offset);
}

static void sizes_that_overflow(void **state) {
    (void)state;
    int64_t size;
    ani_buffer one[1] = {{INT64_MAX - 3, 0, 0, 0}};
    assert_int_equal(ani_plan_buffers(one, 1, &size, &err), AN_ERR_NOMEM);
    assert_string_equal(err.message, "no memory for a memory plan: its size overflows");
    ani_buffer two[2] = {{INT64_MAX - 127, 0, 0, 0}, {INT64_MAX - 127, 0, 0, 0}};
    assert_int_equal(ani_plan_buffers(two, 2, &size, &err), AN_ERR_NOMEM);
    assert_string_equal(err.message, "no memory for a memory plan: its size overflows");
    ani_fault_arm(ANI_FAULT_ALLOC, 0, ENOMEM, false);
    assert_int_equal(ani_plan_buffers(two, 2, &size, &err), AN_ERR_NOMEM);
    ani_fault_disarm();
}

/* --- networks --------------------------------------------------------------------------------- */

/** What lives when in a run, worked out from the wiring anew. A value and the sum that it is a
 * residual of share their gradient: those have the number of the last such sum, others -1. */
typedef struct lives {
    ani_buffer buffers[8 * 64];
    int32_t shared[8 * 64];
    int64_t count;
} lives;

static void add(lives *l, int64_t offset, int64_t size, int32_t first, int32_t last) {
    if (offset < 0 || size <= 0) return;
    l->shared[l->count] = -1;
    l->buffers[l->count++] = (ani_buffer){size, first, last, offset};
}

static int32_t back_of(const ani_net_plan *plan, int32_t unit) {
    const int32_t units = plan->unit_count;
    return unit == units ? units + 1 : units + 2 + (units - 1 - unit);
}

static void list_unit(lives *l, const ani_net *net, const ani_net_plan *plan, int32_t u) {
    const ani_net_unit *unit = &net->units[u];
    const ani_unit_run *run = &plan->units[u];
    const int64_t size = plan->n * unit->oh * unit->ow * unit->spec.cout * (int64_t)sizeof(float);
    const int32_t back = back_of(plan, u);
    const int32_t reader = unit->adder > unit->consumer ? unit->adder : unit->consumer;
    add(l, run->scratch_forward, run->plan.scratch_forward, u, u);
    if (plan->kind != ANI_RUN_TRAINING) {
        add(l, run->y, size, u, run->sum >= 0 ? u : reader);
        add(l, run->sum, size, u, reader);
        return;
    }
    int32_t sum = u;
    while (net->units[sum].adder >= 0)
        sum = net->units[sum].adder;
    add(l, run->y, size, u, back);
    add(l, run->sum, size, u, back_of(plan, unit->consumer));
    add(l, run->scratch_backward, run->plan.scratch_backward, back, back);
    add(l, run->g, size, back_of(plan, net->units[sum].consumer), back);
    l->shared[l->count - 1] = sum;
    assert_int_equal(run->g, plan->units[sum].g);
}

static void list_run(lives *l, const ani_net *net, const ani_net_plan *plan) {
    const int32_t units = plan->unit_count;
    const int64_t f = sizeof(float), outputs = plan->n * net->spec.outputs * f;
    const int64_t features = plan->n * ani_net_features(net) * f;
    l->count = 0;
    for (int32_t u = 0; u < units; u++)
        list_unit(l, net, plan, u);
    if (units)
        add(l, plan->image, plan->n * net->spec.height * net->spec.width * 3 * f, 0,
            plan->kind == ANI_RUN_TRAINING ? back_of(plan, 0) : 0);
    add(l, plan->features, features, units, units);
    add(l, plan->dfeatures, features, units, units + 1);
    add(l, plan->y, outputs, units, units);
    add(l, plan->target, outputs, 0, units);
    add(l, plan->weights, plan->n * f, 0, units);
    add(l, plan->dy, outputs, units, units);
}

static void expect_run(const ani_net *net, const ani_net_plan *plan) {
    static lives l;
    int64_t all = 0;
    list_run(&l, net, plan);
    for (int64_t i = 0; i < l.count; i++) {
        const ani_buffer *a = &l.buffers[i];
        assert_int_equal(a->offset % ANI_ALIGNMENT, 0);
        assert_true(a->offset + a->size <= plan->size);
        all += rounded(a->size);
        for (int64_t j = 0; j < i; j++) {
            const ani_buffer *b = &l.buffers[j];
            if (a->last < b->first || b->last < a->first) continue;
            if (l.shared[i] >= 0 && l.shared[i] == l.shared[j]) continue;
            if (a->offset < b->offset + b->size && b->offset < a->offset + a->size)
                fail_msg("kind %d, batch of %lld: %lld bytes at %lld (steps %d to %d) and %lld at "
                         "%lld (steps %d to %d)",
                         plan->kind, (long long)plan->n, (long long)a->size, (long long)a->offset,
                         a->first, a->last, (long long)b->size, (long long)b->offset, b->first,
                         b->last);
        }
    }
    assert_true(plan->size <= all);
}

static ani_net *make_net(an_backend *backend, int32_t count, int64_t height, int64_t width) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_mnv2_pads pads;
    ani_net *net = NULL;
    ani_mnv2_pads_for(&pads, AN_PADDING_TUTORIAL, (int32_t)height, (int32_t)width);
    ani_mnv2_units(units, 0.35, &pads);
    const ani_net_spec spec = {units, count, 3, height, width, ANI_KERAS_EPSILON};
    if (ani_net_create(&net, backend, &spec, &err)) fail_msg("%s", err.message);
    return net;
}

static void runs_of_networks(void **state) {
    (void)state;
    /* Conv1 alone; up to the first sum; all; images of odd sizes, batches of one and odd ones */
    static const int64_t nets[][3] = {{1, 3, 5}, {9, 33, 47}, {ANI_MNV2_UNITS, 67, 40}};
    static const int32_t kinds[] = {ANI_RUN_HEAD, ANI_RUN_STATISTICS, ANI_RUN_TRAINING};
    static const int64_t batches[] = {1, 7};
    for (int32_t b = 0; b < 2; b++) {
        an_backend *backend = test_backend_make(b ? "cpu" : "ref", NULL, 2);
        for (size_t i = 0; i < 3; i++) {
            ani_net *net = make_net(backend, (int32_t)nets[i][0], nets[i][1], nets[i][2]);
            int64_t largest = 0;
            for (size_t k = 0; k < 6; k++) {
                ani_net_plan *plan;
                const an_status st =
                    ani_net_prepare(net, &net->memory, kinds[k % 3], batches[k / 3], &plan, &err);
                if (st) fail_msg("%s", err.message);
                expect_run(net, plan);
                if (plan->size > largest) largest = plan->size;
                assert_int_equal(ani_net_arena_size(net), largest);
            }
            ani_net_destroy(net);
        }
        an_backend_destroy(backend);
    }
}

/* Statistics keep little, training keeps everything: the point of planning. */
static void sizes_of_runs(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    ani_net *net = make_net(backend, ANI_MNV2_UNITS, 64, 64);
    ani_net_plan *head, *statistics, *training, *twice;
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_HEAD, 4, &head, &err), AN_OK);
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, 4, &statistics, &err),
                     AN_OK);
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_TRAINING, 4, &training, &err),
                     AN_OK);
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, 8, &twice, &err),
                     AN_OK);
    int64_t all = 0, largest = 0;
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++) {
        const ani_net_unit *unit = &net->units[u];
        const int64_t size = 4 * unit->oh * unit->ow * unit->spec.cout * (int64_t)sizeof(float);
        all += size;
        if (size > largest) largest = size;
    }
    assert_true(statistics->size >= largest && statistics->size < 3 * largest);
    assert_true(training->size > all);
    assert_true(head->size < statistics->size);
    assert_true(twice->size > statistics->size && twice->size <= 2 * statistics->size);
    ani_net_destroy(net);
    an_backend_destroy(backend);
}

/* Plans are kept; of too many the one that was not used for longest goes. */
static void plans_are_kept(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    ani_net *net = make_net(backend, 3, 32, 32);
    ani_net_plan *plan;
    for (int64_t n = 1; n <= ANI_NET_PLANS; n++)
        assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, n, &plan, &err),
                         AN_OK);
    ani_fault_arm(ANI_FAULT_ALLOC, INT64_MAX, ENOMEM, false);
    for (int64_t n = 1; n <= ANI_NET_PLANS; n++)
        assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, n, &plan, &err),
                         AN_OK);
    assert_int_equal(ani_fault_calls(ANI_FAULT_ALLOC), 0);
    /* another takes the place of the batch of 1 */
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_HEAD, 1, &plan, &err), AN_OK);
    const int64_t calls = ani_fault_calls(ANI_FAULT_ALLOC);
    assert_true(calls > 0);
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, 2, &plan, &err), AN_OK);
    assert_int_equal(ani_fault_calls(ANI_FAULT_ALLOC), calls);
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, 1, &plan, &err), AN_OK);
    assert_true(ani_fault_calls(ANI_FAULT_ALLOC) > calls);
    ani_fault_disarm();
    ani_net_destroy(net);
    an_backend_destroy(backend);
}

static void batches_out_of_range(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    ani_net *net = make_net(backend, ANI_MNV2_UNITS, 32, 32);
    ani_net_plan *plan;
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, 0, &plan, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "network: a batch of 0; it must be 1 to 16777216");
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_STATISTICS, INT64_MAX, &plan, &err),
                     AN_ERR_ARG);
    assert_null(plan);
    /* each allocation on the way fails; older plans stay */
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_HEAD, 1, &plan, &err), AN_OK);
    for (int64_t i = 0;; i++) {
        ani_fault_arm(ANI_FAULT_ALLOC, i, ENOMEM, false);
        const an_status st = ani_net_prepare(net, &net->memory, ANI_RUN_TRAINING, 2, &plan, &err);
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > i;
        ani_fault_disarm();
        assert_int_equal(st, reached ? AN_ERR_NOMEM : AN_OK);
        if (!reached) break;
        assert_null(plan);
        assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_HEAD, 1, &plan, &err), AN_OK);
    }
    assert_int_equal(ani_net_prepare(net, &net->memory, ANI_RUN_TRAINING, 2, &plan, &err), AN_OK);
    expect_run(net, plan);
    ani_net_destroy(net);
    an_backend_destroy(backend);
}

/* A network at the limit of sizes: its plan's arithmetic overflows, which is no memory. */
static void networks_too_large(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("ref", NULL, 1);
    ani_net *net = make_net(backend, ANI_MNV2_UNITS, ANI_NET_MAX_SIDE, ANI_NET_MAX_SIDE);
    ani_net_plan *plan;
    assert_int_equal(
        ani_net_prepare(net, &net->memory, ANI_RUN_TRAINING, ANI_NET_MAX_BATCH, &plan, &err),
        AN_ERR_NOMEM);
    assert_string_equal(err.message, "no memory for a memory plan: its size overflows");
    ani_net_destroy(net);
    an_backend_destroy(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_lists),          cmocka_unit_test(edges),
        cmocka_unit_test(sizes_that_overflow),  cmocka_unit_test(runs_of_networks),
        cmocka_unit_test(sizes_of_runs),        cmocka_unit_test(plans_are_kept),
        cmocka_unit_test(batches_out_of_range), cmocka_unit_test(networks_too_large),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
