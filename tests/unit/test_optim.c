/* SPDX-License-Identifier: MIT
 * optim: the formulas by hand on plain arrays, schedules, what a step of a model moves, what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/optim.h>

#include "base/fault.h"

enum { SIZE = 32 };

static void adam_by_hand(void **state) {
    (void)state;
    float w[] = {1, 2}, m[2] = {0}, v[2] = {0};
    const float g[] = {0.5f, 0};
    double em = 0, ev = 0, ew = 1;
    for (int64_t step = 1; step <= 5; step++) {
        assert_int_equal(an_optimizer_apply(NULL, step, 0.1, 2, w, g, m, v, NULL), AN_OK);
        em += (0.5 - em) * 0.1;
        ev += (0.25 - ev) * 0.001;
        ew -= 0.1 * sqrt(1 - pow(0.999, (double)step)) / (1 - pow(0.9, (double)step)) * em /
              (sqrt(ev) + 1e-7);
        assert_true(fabs((double)w[0] - ew) < 1e-6);
    }
    assert_true(w[1] == 2); /* no gradient since the start: it does not move */
}

static void sgd_and_decay_by_hand(void **state) {
    (void)state;
    an_optimizer_options options;
    an_optimizer_options_init(&options, sizeof options);
    options.kind = AN_OPTIM_SGD;
    options.momentum = 0.5;
    float w = 1, m = 0;
    const float g = 1;
    assert_int_equal(an_optimizer_apply(&options, 1, 0.25, 1, &w, &g, &m, NULL, NULL), AN_OK);
    assert_true(w == 0.75f);
    assert_int_equal(an_optimizer_apply(&options, 2, 0.25, 1, &w, &g, &m, NULL, NULL), AN_OK);
    assert_true(w == 0.375f);
    options.clip_norm = 0.5;
    w = 1;
    m = 0;
    assert_int_equal(an_optimizer_apply(&options, 1, 0.25, 1, &w, &g, &m, NULL, NULL), AN_OK);
    assert_true(w == 0.875f);
    options.kind = AN_OPTIM_ADAMW;
    options.weight_decay = 0.5;
    float v = 0;
    const float none = 0;
    w = 1;
    m = 0;
    assert_int_equal(an_optimizer_apply(&options, 1, 0.25, 1, &w, &none, &m, &v, NULL), AN_OK);
    assert_true(w == 0.875f);
}

static void schedules(void **state) {
    (void)state;
    an_schedule_options s;
    an_schedule_options_init(&s, sizeof s);
    assert_true(an_schedule_rate(&s, 0.1, 12345) == 0.1);
    assert_true(an_schedule_rate(NULL, 0.1, 0) == 0.1);
    s.kind = AN_SCHEDULE_COSINE;
    s.warmup_steps = 10;
    s.warmup_start = 0.5;
    s.decay_steps = 100;
    s.final_fraction = 0.2;
    assert_true(an_schedule_rate(&s, 1, 0) == 0.5);
    assert_true(an_schedule_rate(&s, 1, 5) == 0.75);
    assert_true(an_schedule_rate(&s, 1, 10) == 1);
    assert_true(fabs(an_schedule_rate(&s, 1, 60) - 0.6) < 1e-15);
    assert_true(fabs(an_schedule_rate(&s, 1, 110) - 0.2) < 1e-15);
    assert_true(fabs(an_schedule_rate(&s, 1, 1000000) - 0.2) < 1e-15);
}

static an_model *make_model(an_backend *backend) {
    an_model *model = NULL;
    an_mobilenetv2_options options;
    an_error err = {0};
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
    return model;
}

/** A factor of the rate for each array, the head's first. */
static double share_of(const an_arrays *arrays, int64_t index, double factor) {
    const int64_t head = an_arrays_count(arrays) - 2; /* kernel and bias; five arrays a layer */
    return index >= head ? 1 : pow(factor, (double)(head / 5 - index / 5));
}

/* Each array by itself, with its own rate and decay, in double. */
static void rates_and_decay_by_layer(void **state) {
    (void)state;
    const double rate = 0.01, decay = 0.5, factor = 0.9;
    an_backend *backend = NULL;
    assert_int_equal(an_backend_create(&backend, NULL, NULL), AN_OK);
    an_model *model = make_model(backend);
    an_optimizer *optimizer = NULL;
    an_optimizer_options options;
    an_arrays *before = NULL, *after = NULL, *gradients = NULL;
    static float x[2 * SIZE * SIZE * 3];
    for (int i = 0; i < 2 * SIZE * SIZE * 3; i++)
        x[i] = (float)(i % 97) / 97;
    const float y[] = {2, 3};
    an_optimizer_options_init(&options, sizeof options);
    options.kind = AN_OPTIM_ADAMW;
    options.weight_decay = decay;
    options.decay_kernels_only = 1;
    options.layer_decay = factor;
    assert_int_equal(an_optimizer_create(&optimizer, model, &options, NULL), AN_OK);
    assert_int_equal(an_model_set_base(model, AN_BASE_FINETUNE, NULL), AN_OK);
    assert_int_equal(an_model_copy_weights(&before, model, NULL), AN_OK);
    assert_int_equal(an_model_compute_gradients(model, x, y, 2, NULL, NULL, NULL), AN_OK);
    assert_int_equal(an_model_copy_gradients(&gradients, model, NULL), AN_OK);
    assert_int_equal(an_optimizer_step(optimizer, rate, NULL), AN_OK);
    assert_int_equal(an_model_copy_weights(&after, model, NULL), AN_OK);
    int64_t kernels = 0, others = 0;
    for (int64_t i = 0; i < an_arrays_count(before); i++) {
        const int64_t g = an_arrays_find(gradients, an_arrays_name(before, i));
        if (g < 0) continue; /* a moving statistic */
        const bool is_kernel = an_arrays_rank(before, i) > 1;
        const double own = rate * share_of(before, i, factor);
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(before, i); axis++)
            count *= an_arrays_length(before, i, axis);
        for (int64_t k = 0; k < count; k++) {
            const double w = (double)an_arrays_data(before, i)[k];
            const double slope = (double)an_arrays_data(gradients, g)[k];
            const double m = 0.1 * slope, v = 0.001 * slope * slope;
            const double want = w - (is_kernel ? own * decay * w : 0) -
                                own * sqrt(0.001) / 0.1 * m / (sqrt(v) + 1e-7);
            const double found = (double)an_arrays_data(after, i)[k];
            if (!(fabs(found - want) <= 1e-6 * (fabs(w) + own)))
                fail_msg("%s[%d]: %.9g, by hand %.9g", an_arrays_name(before, i), (int)k, found,
                         want);
        }
        kernels += is_kernel;
        others += !is_kernel;
    }
    assert_int_equal(kernels, 53);
    assert_int_equal(others, 2 * 52 + 1);
    an_arrays_destroy(before);
    an_arrays_destroy(after);
    an_arrays_destroy(gradients);
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

/** Count the arrays that differ between two lists. */
static int64_t moved(const an_arrays *a, const an_arrays *b, bool *head) {
    int64_t count = 0;
    *head = false;
    for (int64_t i = 0; i < an_arrays_count(a); i++) {
        int64_t size = sizeof(float);
        for (int32_t axis = 0; axis < an_arrays_rank(a, i); axis++)
            size *= an_arrays_length(a, i, axis);
        if (!memcmp(an_arrays_data(a, i), an_arrays_data(b, i), (size_t)size)) continue;
        count++;
        if (!strcmp(an_arrays_name(a, i), "dense/kernel")) *head = true;
    }
    return count;
}

static void a_step_moves_what_is_trained(void **state) {
    (void)state;
    an_backend *backend = NULL;
    assert_int_equal(an_backend_create(&backend, NULL, NULL), AN_OK);
    an_model *model = make_model(backend);
    an_optimizer *optimizer = NULL;
    an_optimizer_options options;
    an_error err = {0};
    an_optimizer_options_init(&options, sizeof options);
    options.clip_norm = 1;
    assert_int_equal(an_optimizer_create(&optimizer, model, &options, NULL), AN_OK);
    assert_int_equal(an_optimizer_step(optimizer, 0.1, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "optimizer: no gradients have been computed yet");
    static float x[2 * SIZE * SIZE * 3];
    for (int i = 0; i < 2 * SIZE * SIZE * 3; i++)
        x[i] = (float)(i % 97) / 97;
    const float y[] = {2, 3};
    for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_FINETUNE; base += AN_BASE_FINETUNE) {
        an_arrays *before = NULL, *after = NULL;
        bool head;
        assert_int_equal(an_model_set_base(model, base, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(&before, model, NULL), AN_OK);
        assert_int_equal(an_model_compute_gradients(model, x, y, 2, NULL, NULL, NULL), AN_OK);
        assert_int_equal(an_optimizer_step(optimizer, 0.01, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(&after, model, NULL), AN_OK);
        const int64_t count = moved(before, after, &head);
        assert_true(head);
        if (base == AN_BASE_FROZEN)
            assert_int_equal(count, 2); /* kernel and bias */
        else
            assert_true(count > 100);
        an_arrays_destroy(before);
        an_arrays_destroy(after);
    }
    assert_int_equal(an_optimizer_steps(optimizer), 2);
    assert_int_equal(an_optimizer_step(optimizer, NAN, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "the learning rate is nan; it must be finite and at least 0");
    an_model_destroy(model);
    an_backend_destroy(backend);
    an_optimizer_destroy(optimizer);
    an_optimizer_destroy(NULL);
}

/* SGD without momentum moves by rate * gradient, and the clipped gradient has the norm asked for.
 */
static void clipping_limits_the_norm_of_all(void **state) {
    (void)state;
    an_backend *backend = NULL;
    assert_int_equal(an_backend_create(&backend, NULL, NULL), AN_OK);
    static float x[2 * SIZE * SIZE * 3];
    for (int i = 0; i < 2 * SIZE * SIZE * 3; i++)
        x[i] = (float)(i % 97) / 97;
    const float y[] = {20, 30};
    double norms[2];
    for (int32_t k = 0; k < 2; k++) { /* as it is, then clipped to a quarter of that */
        an_model *model = make_model(backend);
        an_optimizer *optimizer = NULL;
        an_optimizer_options options;
        an_arrays *before = NULL, *after = NULL;
        an_optimizer_options_init(&options, sizeof options);
        options.kind = AN_OPTIM_SGD;
        if (k) options.clip_norm = norms[0] / 4;
        assert_int_equal(an_model_set_base(model, AN_BASE_TRAIN, NULL), AN_OK);
        assert_int_equal(an_optimizer_create(&optimizer, model, &options, NULL), AN_OK);
        assert_int_equal(an_model_compute_gradients(model, x, y, 2, NULL, NULL, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(&before, model, NULL), AN_OK);
        assert_int_equal(an_optimizer_step(optimizer, 1, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(&after, model, NULL), AN_OK);
        double squares = 0;
        for (int64_t i = 0; i < an_arrays_count(before); i++) {
            int64_t count = 1;
            if (strstr(an_arrays_name(before, i), "moving_")) continue;
            for (int32_t axis = 0; axis < an_arrays_rank(before, i); axis++)
                count *= an_arrays_length(before, i, axis);
            for (int64_t j = 0; j < count; j++)
                squares +=
                    pow((double)an_arrays_data(after, i)[j] - an_arrays_data(before, i)[j], 2);
        }
        norms[k] = sqrt(squares);
        an_arrays_destroy(before);
        an_arrays_destroy(after);
        an_optimizer_destroy(optimizer);
        an_model_destroy(model);
    }
    /* so that neither the norm nor its square is near what it is clipped to */
    assert_true(norms[0] > 2);
    if (!(fabs(norms[1] / norms[0] - 0.25) < 1e-3))
        fail_msg("clipped to %g, the gradients' norm is %g", norms[0] / 4, norms[1]);
    an_backend_destroy(backend);
}

static float first_of(const an_arrays *arrays, const char *name) {
    const int64_t index = an_arrays_find(arrays, name);
    assert_true(index >= 0);
    return an_arrays_data(arrays, index)[0];
}

/* What the head has gathered while the base was frozen goes on when all is trained. */
static void moments_stay_with_their_weights(void **state) {
    (void)state;
    enum { STEPS = 3 };
    static float x[2 * SIZE * SIZE * 3];
    const float y[] = {2, 3};
    an_backend *backend = NULL;
    assert_int_equal(an_backend_create(&backend, NULL, NULL), AN_OK);
    an_model *model = make_model(backend);
    an_optimizer *optimizer = NULL;
    an_optimizer_options options;
    an_arrays *arrays = NULL;
    for (int i = 0; i < 2 * SIZE * SIZE * 3; i++)
        x[i] = (float)(i % 97) / 97;
    an_optimizer_options_init(&options, sizeof options);
    options.kind = AN_OPTIM_SGD;
    options.momentum = 0.5;
    assert_int_equal(an_optimizer_create(&optimizer, model, &options, NULL), AN_OK);
    double velocity = 0;
    for (int step = 0; step < STEPS; step++) {
        const int32_t base = step < 2 ? AN_BASE_FROZEN : AN_BASE_TRAIN;
        assert_int_equal(an_model_set_base(model, base, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(&arrays, model, NULL), AN_OK);
        const float before = first_of(arrays, "dense/bias");
        an_arrays_destroy(arrays);
        assert_int_equal(an_model_compute_gradients(model, x, y, 2, NULL, NULL, NULL), AN_OK);
        assert_int_equal(an_model_copy_gradients(&arrays, model, NULL), AN_OK);
        const float gradient = first_of(arrays, "dense/bias");
        an_arrays_destroy(arrays);
        assert_int_equal(an_optimizer_step(optimizer, 0.01, NULL), AN_OK);
        assert_int_equal(an_model_copy_weights(&arrays, model, NULL), AN_OK);
        const float after = first_of(arrays, "dense/bias");
        an_arrays_destroy(arrays);
        velocity = 0.5 * velocity - 0.01 * (double)gradient;
        if (!(fabs((double)after - before - velocity) < 1e-6) || !(fabs(velocity) > 1e-3))
            fail_msg("step %d: the bias moved by %g, expected %g", step, (double)(after - before),
                     velocity);
    }
    an_optimizer_destroy(optimizer);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void refuses_wrong_options(void **state) {
    (void)state;
    float w = 1, m = 0, v = 0;
    const float g = 1;
    an_error err = {0};
    an_optimizer_options options;
    an_optimizer_options_init(&options, sizeof options);
    options.beta2 = 1;
    assert_int_equal(an_optimizer_apply(&options, 1, 0.1, 1, &w, &g, &m, &v, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_optimizer_options: beta2 is 1; it must be at least 0 and below 1");
    an_optimizer_options_init(&options, sizeof options);
    options.kind = 3;
    assert_int_equal(an_optimizer_apply(&options, 1, 0.1, 1, &w, &g, &m, &v, &err), AN_ERR_ARG);
    an_optimizer_options_init(&options, sizeof options);
    options.layer_decay = 1.5;
    assert_int_equal(an_optimizer_apply(&options, 1, 0.1, 1, &w, &g, &m, &v, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_optimizer_options: layer_decay is 1.5; it must be 0 to 1");
    an_optimizer_options_init(&options, sizeof options);
    options.decay_kernels_only = 2;
    assert_int_equal(an_optimizer_apply(&options, 1, 0.1, 1, &w, &g, &m, &v, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_optimizer_options: decay_kernels_only is 2; it must be 0 or 1");
    assert_int_equal(an_optimizer_apply(NULL, 0, 0.1, 1, &w, &g, &m, &v, &err), AN_ERR_ARG);
    assert_int_equal(an_optimizer_apply(NULL, 1, 0.1, 1, &w, &g, &m, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_optimizer_apply(NULL, 1, -1, 1, &w, &g, &m, &v, &err), AN_ERR_ARG);
    assert_true(w == 1);
}

static void no_memory_leaves_nothing(void **state) {
    (void)state;
    an_backend *backend = NULL;
    assert_int_equal(an_backend_create(&backend, NULL, NULL), AN_OK);
    an_model *model = make_model(backend);
    for (int64_t n = 0;; n++) {
        an_optimizer *optimizer = NULL;
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = an_optimizer_create(&optimizer, model, NULL, NULL);
        const bool reached = ani_fault_calls(ANI_FAULT_ALLOC) > n;
        ani_fault_disarm();
        an_optimizer_destroy(optimizer);
        assert_int_equal(st, reached ? AN_ERR_NOMEM : AN_OK);
        if (!reached) break;
    }
    an_model_destroy(model);
    an_backend_destroy(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_by_hand),
        cmocka_unit_test(sgd_and_decay_by_hand),
        cmocka_unit_test(rates_and_decay_by_layer),
        cmocka_unit_test(schedules),
        cmocka_unit_test(a_step_moves_what_is_trained),
        cmocka_unit_test(clipping_limits_the_norm_of_all),
        cmocka_unit_test(moments_stay_with_their_weights),
        cmocka_unit_test(refuses_wrong_options),
        cmocka_unit_test(no_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("optim", tests, NULL, NULL);
}
