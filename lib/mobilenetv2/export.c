/* SPDX-License-Identifier: MIT
 * Writes models for other tools; the ending of the path decides which format is meant. */
#include <attractivenet/mobilenetv2.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/file.h"
#include "base/options.h"
#include "base/text.h"
#include "layers/model.h"
#include "mobilenetv2/onnx.h"

void an_export_options_init(an_export_options *options, uint32_t struct_size) {
    const an_export_options defaults = {.struct_size = sizeof defaults};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status check_options(const an_export_options *o, an_error *err) {
    if (o->format < AN_EXPORT_AUTO || o->format > AN_EXPORT_ONNX)
        return ani_fail(err, AN_ERR_ARG, "an_export_options: format is %d; it must be AN_EXPORT_*",
                        (int)o->format);
    if (o->layout < AN_LAYOUT_NHWC || o->layout > AN_LAYOUT_NCHW)
        return ani_fail(err, AN_ERR_ARG, "an_export_options: layout is %d; it must be AN_LAYOUT_*",
                        (int)o->layout);
    if (o->include_scale < 0 || o->include_scale > 1)
        return ani_fail(err, AN_ERR_ARG,
                        "an_export_options: include_scale is %d; it must be 0 or 1",
                        (int)o->include_scale);
    if (o->inference != AN_INFERENCE_FP32 && o->inference != AN_INFERENCE_INT8)
        return ani_fail(err, AN_ERR_ARG,
                        "an_export_options: inference is %d; it must be AN_INFERENCE_FP32 (%d) or "
                        "AN_INFERENCE_INT8 (%d)",
                        (int)o->inference, AN_INFERENCE_FP32, AN_INFERENCE_INT8);
    if (o->reserved)
        return ani_fail(err, AN_ERR_ARG, "an_export_options: reserved is %d; it must be 0",
                        (int)o->reserved);
    return AN_OK;
}

/* Whether a path has this ending, in upper or lower case. */
static bool ends_in(const char *path, const char *ending) {
    const char *dot = strrchr(ani_base_name(path), '.');
    return dot && !strcasecmp(dot, ending);
}

an_status an_model_export(const an_model *model, const char *path, const an_export_options *options,
                          an_error *err) {
    an_export_options o;
    an_arrays *arrays = NULL;
    if (!model) return ani_fail(err, AN_ERR_ARG, "model is NULL");
    if (!path) return ani_fail(err, AN_ERR_ARG, "model: the path to export to is NULL");
    an_export_options_init(&o, sizeof o);
    an_status st = ani_options_copy(&o, sizeof o, options, "an_export_options", err);
    if (!st) st = check_options(&o, err);
    if (st) return st;
    if (o.format == AN_EXPORT_AUTO && !ends_in(path, ".onnx"))
        return ani_fail(err, AN_ERR_ARG,
                        "export: '%s' does not end in a known format; .onnx is possible", path);
    st = ani_model_copy_file(&arrays, model, err);
    if (!st) st = ani_onnx_write(arrays, model, path, &o, err);
    an_arrays_destroy(arrays);
    return st;
}
