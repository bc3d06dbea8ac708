/* SPDX-License-Identifier: MIT
 * Class activation maps: which layer and output are meant, and the checks; run.c computes. */
#include <attractivenet/layers.h>

#include <string.h>

#include "base/options.h"
#include "layers/model_state.h"

static const an_explain_options defaults = {
    .struct_size = sizeof defaults, .output = -1, .sign = AN_EXPLAIN_RAISES};

void an_explain_options_init(an_explain_options *options, uint32_t struct_size) {
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* Find a layer with maps by its name; NULL: the value of the last unit. */
static an_status find_layer(const an_model *model, const char *layer, ani_net_map *map,
                            an_error *err) {
    const ani_net_spec *spec = ani_net_spec_of(model->net);
    map->unit = spec->unit_count - 1;
    map->part = ANI_PART_VALUE;
    if (!layer) return AN_OK;
    for (int32_t u = 0; u < spec->unit_count; u++) {
        const ani_unit_spec *unit = &spec->units[u];
        const char *const names[] = {[ANI_PART_CONVOLUTION] = unit->conv_name,
                                     [ANI_PART_NORM] = unit->bn_name,
                                     [ANI_PART_VALUE] = unit->value_name};
        for (int32_t part = ANI_PART_VALUE; part >= ANI_PART_CONVOLUTION; part--) {
            if (strcmp(names[part], layer) != 0) continue;
            map->unit = u;
            map->part = part;
            return AN_OK;
        }
    }
    const ani_unit_spec *last = &spec->units[spec->unit_count - 1];
    return ani_fail(err, AN_ERR_ARG,
                    "model: no layer '%s' with maps; it must be one from '%s' to '%s', as listed "
                    "by an_model_summary() with AN_SUMMARY_LAYERS",
                    layer, spec->units[0].conv_name, last->value_name);
}

an_status an_model_explain_size(const an_model *model, const char *layer, int32_t *height,
                                int32_t *width, an_error *err) {
    ani_net_map map;
    int64_t rows, columns;
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!height || !width)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", height ? "width" : "height");
    an_status st = find_layer(model, layer, &map, err);
    if (st) return st;
    ani_net_unit_size(model->net, map.unit, &rows, &columns);
    *height = (int32_t)rows;
    *width = (int32_t)columns;
    return AN_OK;
}

static an_status check(const an_explain_options *options, int32_t outputs, an_error *err) {
    if (options->output < -1 || options->output >= outputs)
        return ani_fail(err, AN_ERR_ARG, "an_explain_options: output is %d; it must be -1 to %d",
                        options->output, outputs - 1);
    if (options->sign < AN_EXPLAIN_RAISES || options->sign > AN_EXPLAIN_SIGNED)
        return ani_fail(err, AN_ERR_ARG,
                        "an_explain_options: sign is %d; it must be one of AN_EXPLAIN_*",
                        options->sign);
    if (options->reserved)
        return ani_fail(err, AN_ERR_ARG, "an_explain_options: reserved is %d; it must be 0",
                        options->reserved);
    return AN_OK;
}

an_status an_model_explain(an_model *model, const float *x, int64_t n,
                           const an_explain_options *options, float *maps, an_error *err) {
    an_explain_options ours = defaults;
    ani_net_map map = {0};
    an_status st = ani_model_check_images(model, x, maps, n, err);
    if (!st) st = ani_options_copy(&ours, sizeof ours, options, "an_explain_options", err);
    if (!st) st = check(&ours, ani_net_spec_of(model->net)->outputs, err);
    if (!st) st = find_layer(model, ours.layer, &map, err);
    if (!st) st = ani_model_claim(model, err);
    if (st) return st;
    map.output = ours.output;
    map.sign = ours.sign;
    st = ani_net_explain(model->net, &map, x, n, maps, err);
    ani_model_release(model);
    return st;
}
