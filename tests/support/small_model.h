/* SPDX-License-Identifier: MIT
 * A MobileNetV2 that is small enough to be created often but has everything that a large one
 * has. */
#ifndef SUPPORT_SMALL_MODEL_H
#define SUPPORT_SMALL_MODEL_H

#include <attractivenet/mobilenetv2.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "layers/model.h"
#include "mobilenetv2/build.h"

enum { SIDE = 32, PIXELS = SIDE * SIDE * 3 };

/** Make one for images of SIDE x SIDE. alpha 0.1: the first block has a shortcut from an
 * activated value. Fails the test. */
static inline an_model *small_model(an_backend *backend, int32_t outputs, int32_t task) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_error error;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.alpha = 0.1;
    options.outputs = outputs;
    options.task = task;
    if (an_mobilenetv2_create(&model, backend, &options, &error)) fail_msg("%s", error.message);
    return model;
}

/** Return the weights of such a model with one score, by name. */
static inline an_arrays *small_model_weights(an_backend *backend) {
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    an_arrays *weights = NULL;
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    an_model_destroy(model);
    return weights;
}

/** The first nine units at a usual width, Conv1 to block_2_add, and one output: with 52 units of
 * random weights, every error grows from unit to unit, unlike in a trained network. */
static inline an_model *short_model(an_backend *backend) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_mnv2_pads pads;
    an_model *model = NULL;
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, SIDE, SIDE);
    ani_mnv2_units(units, 1, &pads);
    const ani_net_spec spec = {units, 9, 1, SIDE, SIDE, ANI_KERAS_EPSILON};
    const ani_model_facts facts = {.alpha = 1, .scale = AN_SCALE_UNIT, .image = {0, 1}};
    assert_int_equal(ani_model_create(&model, backend, &spec, &facts, NULL), AN_OK);
    assert_int_equal(ani_net_draw(ani_model_net(model), 7, 0, NULL), AN_OK);
    return model;
}

/** Moving statistics close to the data's, so that the values have realistic magnitudes. */
static inline void small_model_settle(an_model *model, const float *x, int64_t n) {
    assert_int_equal(an_model_update_batch_norm_begin(model, NULL), AN_OK);
    assert_int_equal(an_model_update_batch_norm_add(model, x, n, NULL), AN_OK);
    assert_int_equal(an_model_update_batch_norm_end(model, NULL), AN_OK);
}

#endif
