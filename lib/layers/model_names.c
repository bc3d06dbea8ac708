/* SPDX-License-Identifier: MIT
 * The class names of a model, in memory and in its file. */
#include "layers/model.h"

#include <string.h>

#include "base/memory.h"
#include "layers/model_state.h"

/* Replace the names, with claim and turn. */
static void replace_names(an_model *model, ani_class_names *names) {
    ani_net_lock(model->net);
    ani_class_names *before = model->names;
    model->names = names;
    ani_net_unlock(model->net);
    ani_class_names_destroy(before);
}

ani_class_names *ani_model_hold_class_names(const an_model *model) {
    ani_net_lock(model->net);
    ani_class_names *names = model->names;
    ani_class_names_hold(names);
    ani_net_unlock(model->net);
    return names;
}

static an_status check_name_count(const an_model *model, int32_t count, an_status wrong,
                                  an_error *err) {
    const int32_t outputs = ani_net_spec_of(model->net)->outputs;
    const int32_t wanted = outputs == 1 ? 2 : outputs;
    if (model->facts.task != AN_TASK_CLASSIFICATION)
        return ani_fail(
            err, wrong,
            "model: %d class names, but its task is regression; only classification has "
            "classes",
            (int)count);
    if (count != wanted)
        return ani_fail(err, wrong, "model: %d class names; it must have %d, as it has %d output%s",
                        (int)count, (int)wanted, (int)outputs, outputs == 1 ? "" : "s");
    return AN_OK;
}

an_status ani_model_set_class_names(an_model *model, const char *const *names, int32_t count,
                                    an_error *err) {
    ani_class_names *copy = NULL;
    an_status st = AN_OK;
    if (names) st = check_name_count(model, count, AN_ERR_ARG, err);
    if (!st && names) st = ani_class_names_create(&copy, names, count, AN_ERR_ARG, err);
    if (!st) st = ani_net_begin_read(model->net, err);
    if (st) {
        ani_class_names_destroy(copy);
        return st;
    }
    replace_names(model, copy);
    ani_net_end_change(model->net);
    return AN_OK;
}

an_status an_model_set_class_names(an_model *model, const char *const *names, int32_t count,
                                   an_error *err) {
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!names && count)
        return ani_fail(err, AN_ERR_ARG, "model: names is NULL, and count is %d", (int)count);
    an_status st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_model_set_class_names(model, names, count, err);
    ani_model_release(model);
    return st;
}

int32_t an_model_class_count(const an_model *model) {
    ani_class_names *names = model ? ani_model_hold_class_names(model) : NULL;
    const int32_t count = names ? names->count : 0;
    ani_class_names_destroy(names);
    return count;
}

const char *an_model_class_name(const an_model *model, int32_t class_index) {
    ani_class_names *names = model ? ani_model_hold_class_names(model) : NULL;
    const char *name =
        names && class_index >= 0 && class_index < names->count ? names->names[class_index] : NULL;
    ani_class_names_destroy(names);
    return name;
}

/* In files of this library's own format. */
static const char *const names_key = "classes";

an_status ani_model_save_class_names(const an_model *model, an_arrays *arrays, an_error *err) {
    const ani_class_names *names = model->names;
    char *text = NULL;
    if (!names) return AN_OK;
    an_status st = ani_class_names_print(&text, names, err);
    if (!st) st = an_arrays_set_metadata(arrays, names_key, text, err);
    ani_free(text);
    return st;
}

an_status ani_model_take_class_names(an_model *model, const an_arrays *arrays, an_error *err) {
    const char *format = an_arrays_metadata(arrays, "format");
    const char *text = an_arrays_metadata(arrays, names_key);
    ani_class_names *names = NULL;
    if (!text || !format || strcmp(format, ANI_MODEL_FORMAT) != 0) return AN_OK;
    an_status st = ani_class_names_parse(&names, text, err);
    if (!st) st = check_name_count(model, names->count, AN_ERR_FORMAT, err);
    if (st) {
        ani_class_names_destroy(names);
        return st;
    }
    replace_names(model, names);
    return AN_OK;
}
