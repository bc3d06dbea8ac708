/* SPDX-License-Identifier: MIT
 * The intervals of a model's predictions, in memory and in its file. They belong to the weights
 * with which they were measured: any change of these makes them void. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "layers/model.h"
#include "layers/model_state.h"

/* Replace the intervals, with claim and turn. NULL: none. */
static void replace(an_model *model, ani_intervals *intervals) {
    ani_net_lock(model->net);
    ani_intervals *before = model->intervals;
    model->intervals = intervals;
    ani_net_unlock(model->net);
    ani_free(before);
}

/** Make intervals for the current weights, with the turn; wrong: the status of a wrong value. */
static an_status make(ani_intervals **out, const an_model *model, double level,
                      const double *half_widths, int32_t count, an_status wrong, an_error *err) {
    const int32_t outputs = ani_net_spec_of(model->net)->outputs;
    *out = NULL;
    if (model->facts.task == AN_TASK_CLASSIFICATION)
        return ani_fail(err, wrong,
                        "model: intervals are for regression; its task is "
                        "classification");
    if (count != outputs)
        return ani_fail(err, wrong, "model: intervals of %d outputs; it has %d", (int)count,
                        (int)outputs);
    if (!(level > 0 && level < 1))
        return ani_fail(err, wrong, "model: intervals of level %g; it must be between 0 and 1",
                        level);
    for (int32_t k = 0; k < count; k++)
        if (!(isfinite(half_widths[k]) && half_widths[k] >= 0))
            return ani_fail(err, wrong,
                            "model: the half width %g of output %d; it must be finite and at "
                            "least 0",
                            half_widths[k], (int)k);
    const int64_t size = (int64_t)sizeof(ani_intervals) + count * (int64_t)sizeof(double);
    ani_intervals *made = ani_alloc_zero(1, size);
    if (!made) return ani_fail_memory(err, size, "intervals");
    made->level = level;
    made->version = ani_net_version(model->net);
    memcpy(made->half_widths, half_widths, (size_t)count * sizeof(double));
    *out = made;
    return AN_OK;
}

an_status an_model_set_intervals(an_model *model, double level, const double *half_widths,
                                 int32_t count, an_error *err) {
    ani_intervals *made = NULL;
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!half_widths && count)
        return ani_fail(err, AN_ERR_ARG, "model: half_widths is NULL, and count is %d", (int)count);
    an_status st = ani_model_begin_setting(model, err);
    if (st) return st;
    if (half_widths) st = make(&made, model, level, half_widths, count, AN_ERR_ARG, err);
    if (!st) replace(model, made);
    return ani_model_end_change(model, st);
}

double an_model_interval(const an_model *model, int32_t output, double *level) {
    double half_width = NAN, of = NAN;
    if (model && output >= 0 && output < ani_net_spec_of(model->net)->outputs) {
        const int64_t version = ani_net_version(model->net);
        ani_net_lock(model->net);
        const ani_intervals *intervals = model->intervals;
        if (intervals && intervals->version == version) {
            half_width = intervals->half_widths[output];
            of = intervals->level;
        }
        ani_net_unlock(model->net);
    }
    if (level) *level = of;
    return half_width;
}

an_status ani_model_copy_intervals(an_model *copy, const an_model *model, int64_t version,
                                   an_error *err) {
    const ani_intervals *from = model->intervals;
    if (!from || from->version != version || version != ani_net_version(model->net)) return AN_OK;
    return make(&copy->intervals, copy, from->level, from->half_widths,
                ani_net_spec_of(copy->net)->outputs, AN_ERR_ARG, err);
}

/* In files of this library's own format. */
static const char *const key = "intervals";

an_status ani_model_save_intervals(const an_model *model, an_arrays *arrays, an_error *err) {
    const ani_intervals *intervals = model->intervals;
    ani_text text = {0};
    if (!intervals || intervals->version != ani_net_version(model->net)) return AN_OK;
    ani_text_print(&text, "{\"level\":%.17g,\"half_widths\":[", intervals->level);
    for (int32_t k = 0; k < ani_net_spec_of(model->net)->outputs; k++)
        ani_text_print(&text, "%s%.17g", k ? "," : "", intervals->half_widths[k]);
    ani_text_print(&text, "]}");
    an_status st = text.failed ? ani_fail_memory(err, text.size, "intervals")
                               : an_arrays_set_metadata(arrays, key, text.bytes, err);
    ani_text_clear(&text);
    return st;
}

an_status ani_model_take_intervals(an_model *model, const an_arrays *arrays, an_error *err) {
    const char *format = an_arrays_metadata(arrays, "format");
    const char *text = an_arrays_metadata(arrays, key);
    const int32_t outputs = ani_net_spec_of(model->net)->outputs;
    ani_intervals *made = NULL;
    an_status st = AN_OK;
    if (!text || !format || strcmp(format, ANI_MODEL_FORMAT) != 0) return AN_OK;
    json_t *json = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
    const json_t *list = json_object_get(json, "half_widths");
    double *half_widths = ani_alloc_zero(outputs, sizeof *half_widths);
    if (!half_widths) st = ani_fail_memory(err, outputs * (int64_t)sizeof(double), "intervals");
    for (int32_t k = 0; !st && k < outputs; k++) {
        const json_t *value = json_array_get(list, (size_t)k);
        half_widths[k] = json_is_real(value) ? json_real_value(value) : NAN;
    }
    const json_t *level = json_object_get(json, "level");
    if (!st)
        st = make(&made, model, json_is_real(level) ? json_real_value(level) : NAN, half_widths,
                  (int32_t)json_array_size(list), AN_ERR_FORMAT, err);
    if (!st) replace(model, made);
    json_decref(json);
    ani_free(half_widths);
    return st;
}
