/* SPDX-License-Identifier: MIT
 * A model's weights and gradients as named arrays, and its file. */
#include "layers/model.h"

#include <attractivenet/version.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/shape.h"
#include "base/text.h"
#include "layers/model_state.h"

/* --- weights ---------------------------------------------------------------------------------- */

void ani_array_name(char out[ANI_ARRAY_NAME_SIZE], const ani_net_array *array) {
    snprintf(out, ANI_ARRAY_NAME_SIZE, "%s/%s", array->layer, array->variable);
}

/* Copy weights or gradients of the arrays from `first` on, with the turn. */
static an_status copy_out(const an_model *model, an_arrays *arrays, int64_t first,
                          int32_t gradients, an_error *err) {
    for (int64_t i = first; i < ani_net_array_count(model->net); i++) {
        const ani_net_array *array = ani_net_array_at(model->net, i);
        char name[ANI_ARRAY_NAME_SIZE];
        if (gradients && array->moving) continue;
        float *values = ani_alloc_zero(array->count, sizeof *values);
        if (!values)
            return ani_fail_memory(err, array->count * (int64_t)sizeof *values,
                                   "a copy of weights");
        if (gradients)
            ani_net_read_gradient(model->net, array, values);
        else
            ani_net_read_array(model->net, array, values);
        ani_array_name(name, array);
        an_status st = an_arrays_add(arrays, name, values, array->shape, array->rank, err);
        ani_free(values);
        if (st) return st;
    }
    return AN_OK;
}

/* *out must be NULL on entry. */
static an_status copy_arrays(const an_model *model, an_arrays **out, int64_t first,
                             int32_t gradients, an_error *err) {
    an_arrays *arrays = NULL;
    an_status st = an_arrays_create(&arrays, err);
    if (!st) st = copy_out(model, arrays, first, gradients, err);
    if (st) {
        an_arrays_destroy(arrays);
        return st;
    }
    *out = arrays;
    return AN_OK;
}

an_status an_model_copy_weights(an_arrays **out, const an_model *model, an_error *err) {
    if (out) *out = NULL;
    if (!model || !out) return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "out" : "model");
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    st = copy_arrays(model, out, 0, 0, err);
    ani_net_end_change(model->net);
    return st;
}

an_status an_model_copy_gradients(an_arrays **out, const an_model *model, an_error *err) {
    if (out) *out = NULL;
    if (!model || !out) return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "out" : "model");
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    const int32_t base = model->gradient_base;
    const int32_t all = base == AN_BASE_TRAIN || base == AN_BASE_FINETUNE;
    st = base < 0 ? ani_fail(err, AN_ERR_ARG, "model: no gradients have been computed yet")
                  : copy_arrays(model, out, all ? 0 : ani_net_array_count(model->net) - 2, 1, err);
    ani_net_end_change(model->net);
    return st;
}

an_status ani_array_check(const ani_net_array *array, const an_arrays *arrays, int64_t index,
                          an_error *err) {
    char name[ANI_ARRAY_NAME_SIZE], found[ANI_SHOWN_SHAPE_SIZE], wanted[ANI_SHOWN_SHAPE_SIZE];
    int64_t shape[ANI_SHAPE_MAX_RANK] = {0};
    const int32_t rank = an_arrays_rank(arrays, index);
    int32_t same = rank == array->rank;
    for (int32_t axis = 0; axis < rank && axis < ANI_SHAPE_MAX_RANK; axis++) {
        shape[axis] = an_arrays_length(arrays, index, axis);
        same = same && shape[axis] == array->shape[axis];
    }
    if (same) return AN_OK;
    ani_array_name(name, array);
    return ani_fail(err, AN_ERR_FORMAT, "weights: '%s' has shape %s; '%s' of the network has %s",
                    an_arrays_name(arrays, index), ani_shape_show(found, shape, rank), name,
                    ani_shape_show(wanted, array->shape, array->rank));
}

an_status ani_model_check_weights(const an_model *model, const an_arrays *arrays, an_error *err) {
    char name[ANI_ARRAY_NAME_SIZE];
    for (int64_t i = 0; i < ani_net_array_count(model->net); i++) {
        const ani_net_array *array = ani_net_array_at(model->net, i);
        ani_array_name(name, array);
        const int64_t index = an_arrays_find(arrays, name);
        if (index < 0) return ani_fail(err, AN_ERR_FORMAT, "weights: there is no '%s'", name);
        an_status st = ani_array_check(array, arrays, index, err);
        if (st) return st;
    }
    return AN_OK;
}

an_status ani_model_set_weights(an_model *model, const an_arrays *arrays, an_error *err) {
    char name[ANI_ARRAY_NAME_SIZE];
    an_status st = ani_model_check_weights(model, arrays, err);
    if (!st) st = ani_net_begin_change(model->net, err);
    if (st) return st;
    for (int64_t i = 0; i < ani_net_array_count(model->net); i++) {
        const ani_net_array *array = ani_net_array_at(model->net, i);
        ani_array_name(name, array);
        ani_net_write_array(model->net, array,
                            an_arrays_data(arrays, an_arrays_find(arrays, name)));
    }
    ani_net_end_change(model->net);
    return AN_OK;
}

an_status an_model_set_weights(an_model *model, const an_arrays *arrays, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!arrays) return ani_fail(err, AN_ERR_ARG, "model: the list of weights is NULL");
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_set_weights(model, arrays, err);
    ani_model_release(model);
    return st;
}

an_status an_model_reset_head(an_model *model, uint32_t seed, an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    an_status st = ani_model_begin_change(model, err);
    if (st) return st;
    return ani_model_end_change(
        model, ani_net_draw(model->net, seed, ani_net_array_count(model->net) - 2, err));
}

/* --- how predictions are made ----------------------------------------------------------------- */

/* Names in files, by AN_INFERENCE_*. */
static const char *const inference_names[ANI_INFERENCES] = {"fp32", "int8", "bf16"};

/* Add to a file's contents how predictions are made, and the int8 calibration. */
static an_status save_inference(const an_model *model, an_arrays *arrays, an_error *err) {
    const ani_calibrated *calibrated = ani_net_calibrated(model->net);
    const int64_t units = ani_net_spec_of(model->net)->unit_count;
    const int64_t ranges[2] = {units, 2}, means = ani_net_mean_count(model->net);
    const int32_t inference = ani_net_inference(model->net);
    an_status st = AN_OK;
    if (calibrated || inference != AN_INFERENCE_FP32)
        st = an_arrays_set_metadata(arrays, "inference", inference_names[inference], err);
    if (st || !calibrated) return st;
    st = an_arrays_add(arrays, ANI_RANGES_NAME, &calibrated->ranges[1].low, ranges, 2, err);
    if (!st) st = an_arrays_add(arrays, ANI_MEANS_NAME, calibrated->means, &means, 1, err);
    return st;
}

/* Find an array of the calibration; NULL: it is missing or has a different shape. */
static const float *find_array(const an_arrays *arrays, const char *name, int64_t rows,
                               int64_t columns) {
    const int64_t index = an_arrays_find(arrays, name);
    const int32_t rank = columns ? 2 : 1;
    if (index < 0 || an_arrays_rank(arrays, index) != rank ||
        an_arrays_length(arrays, index, 0) != rows ||
        (columns && an_arrays_length(arrays, index, 1) != columns))
        return NULL;
    return an_arrays_data(arrays, index);
}

/* Read the ranges, if a list has them. */
static an_status take_calibrated(an_model *model, const an_arrays *arrays, an_error *err) {
    const int64_t units = ani_net_spec_of(model->net)->unit_count;
    const int64_t count = ani_net_mean_count(model->net);
    if (an_arrays_find(arrays, ANI_RANGES_NAME) < 0 && an_arrays_find(arrays, ANI_MEANS_NAME) < 0)
        return AN_OK;
    const float *ends = find_array(arrays, ANI_RANGES_NAME, units, 2);
    const float *means = find_array(arrays, ANI_MEANS_NAME, count, 0);
    if (!ends || !means)
        return ani_fail(err, AN_ERR_FORMAT, "model: there must be '%s' [%lld,2] and '%s' [%lld]",
                        ANI_RANGES_NAME, (long long)units, ANI_MEANS_NAME, (long long)count);
    ani_range *ranges = ani_alloc_zero(units + 1, sizeof *ranges);
    if (!ranges) return ani_fail_memory(err, -1, "a calibration");
    ranges[0] = model->facts.image;
    memcpy(ranges + 1, ends, (size_t)units * sizeof *ranges);
    const ani_calibrated calibrated = {ranges, means};
    an_status st = ani_net_calibrate(model->net, &calibrated, err);
    ani_free(ranges);
    return st;
}

an_status ani_model_take_inference(an_model *model, const an_arrays *arrays, an_error *err) {
    const char *name = an_arrays_metadata(arrays, "inference");
    an_status st = take_calibrated(model, arrays, err);
    if (st || !name) return st;
    if (!strcmp(name, inference_names[AN_INFERENCE_INT8]) && !ani_net_calibrated(model->net))
        return ani_fail(err, AN_ERR_FORMAT,
                        "model: 'inference' in its metadata is int8, and there is no '%s'",
                        ANI_RANGES_NAME);
    for (int32_t i = 0; i < ANI_INFERENCES; i++)
        if (!strcmp(name, inference_names[i])) return an_model_set_inference(model, i, err);
    return ani_fail(err, AN_ERR_FORMAT,
                    "model: 'inference' in its metadata is '%s'; it must be fp32, int8 or bf16",
                    name);
}

/* --- file ------------------------------------------------------------------------------------- */

/* Write value as the shortest text that reads back as the same double. */
static void double_text(char *out, int64_t size, double value) {
    const char *end;
    double back;
    ani_format_double(out, size, value, 15);
    if (!ani_parse_double(out, &end, &back, NULL) || back < value || back > value)
        ani_format_double(out, size, value, 17);
}

static an_status set_number(an_arrays *arrays, const char *key, int64_t value, an_error *err) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return an_arrays_set_metadata(arrays, key, text, err);
}

static an_status set_size(an_arrays *arrays, const ani_net_spec *spec, an_error *err) {
    if (spec->height == spec->width) return set_number(arrays, "size", spec->height, err);
    an_status st = set_number(arrays, "height", spec->height, err);
    return st ? st : set_number(arrays, "width", spec->width, err);
}

static an_status set_metadata(an_arrays *arrays, const an_model *model, an_error *err) {
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    const ani_model_facts *facts = &model->facts;
    static const char *const paddings[] = {"", "fixed", "tutorial", "symmetric"};
    char alpha[40], epsilon[40];
    double_text(alpha, sizeof alpha, facts->alpha);
    double_text(epsilon, sizeof epsilon, spec->epsilon);
    const char *const texts[][2] = {
        {"format", ANI_MODEL_FORMAT},
        {"alpha", alpha},
        {"padding", paddings[facts->padding]},
        {"epsilon", epsilon},
        {"scale", facts->scale_name},
        {"task", facts->task == AN_TASK_CLASSIFICATION ? "classification" : "regression"},
        {"library_version", an_version()},
        {"base_name", facts->base_name},
        {"pads", facts->pads},
    };
    an_status st = set_size(arrays, spec, err);
    if (!st) st = set_number(arrays, "outputs", spec->outputs, err);
    if (!st) st = set_number(arrays, "seed", facts->seed, err);
    for (size_t i = 0; !st && i < sizeof texts / sizeof *texts; i++)
        if (texts[i][1][0]) st = an_arrays_set_metadata(arrays, texts[i][0], texts[i][1], err);
    return st;
}

an_status ani_model_copy_file(an_arrays **out, const an_model *model, an_error *err) {
    an_arrays *arrays = NULL;
    *out = NULL;
    an_status st = ani_net_begin_read(model->net, err);
    if (st) return st;
    st = copy_arrays(model, &arrays, 0, 0, err);
    if (!st) st = set_metadata(arrays, model, err);
    if (!st) st = ani_model_save_class_names(model, arrays, err);
    if (!st) st = ani_model_save_intervals(model, arrays, err);
    if (!st) st = save_inference(model, arrays, err);
    ani_net_end_change(model->net);
    if (st) {
        an_arrays_destroy(arrays);
        return st;
    }
    *out = arrays;
    return AN_OK;
}

an_status an_model_save(const an_model *model, const char *path, an_error *err) {
    an_arrays *arrays = NULL;
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!path) return ani_fail(err, AN_ERR_ARG, "model: the path to save to is NULL");
    an_status st = ani_model_copy_file(&arrays, model, err);
    if (!st) st = an_arrays_write(arrays, path, err);
    an_arrays_destroy(arrays);
    return st;
}

an_status an_model_save_bytes(an_bytes **out, const an_model *model, an_error *err) {
    an_arrays *arrays = NULL;
    if (out) *out = NULL;
    if (!out || !model) return ani_fail(err, AN_ERR_ARG, "%s is NULL", out ? "model" : "out");
    an_status st = ani_model_copy_file(&arrays, model, err);
    if (!st) st = an_arrays_write_bytes(out, arrays, err);
    an_arrays_destroy(arrays);
    return st;
}
