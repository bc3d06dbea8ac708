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
#include "mobilenetv2/keras_write.h"
#include "mobilenetv2/onnx.h"
#include "mobilenetv2/torch_names.h"

void an_export_options_init(an_export_options *options, uint32_t struct_size) {
    const an_export_options defaults = {.struct_size = sizeof defaults};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status check_options(const an_export_options *o, an_error *err) {
    if (o->format < AN_EXPORT_AUTO || o->format > AN_EXPORT_TIMM)
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

/* Endings of paths; one that ends like another comes before it. */
static const struct {
    const char *ending;
    int32_t format;
} endings[] = {{".weights.h5", AN_EXPORT_KERAS_WEIGHTS},
               {".h5", AN_EXPORT_KERAS_H5},
               {".keras", AN_EXPORT_KERAS_ARCHIVE},
               {".onnx", AN_EXPORT_ONNX}};

/* The format that a path's ending stands for, in upper or lower case; AUTO: none. */
static int32_t format_of(const char *path) {
    const char *name = ani_base_name(path);
    const size_t size = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t end = strlen(endings[i].ending);
        if (size > end && !strcasecmp(name + size - end, endings[i].ending))
            return endings[i].format;
    }
    return AN_EXPORT_AUTO;
}

static bool is_state_dict(int32_t format) {
    return format == AN_EXPORT_TORCHVISION || format == AN_EXPORT_TIMM;
}

/* Only ONNX has a choice of layouts and of arithmetic. */
static an_status check_fit(const an_export_options *o, an_error *err) {
    if (o->format == AN_EXPORT_ONNX) return AN_OK;
    const bool is_torch = is_state_dict(o->format);
    const char *file = is_torch ? "PyTorch" : "Keras";
    if (o->layout != AN_LAYOUT_NHWC)
        return ani_fail(err, AN_ERR_ARG,
                        "export: layout is %d; a %s file must have AN_LAYOUT_NHWC (%d)",
                        (int)o->layout, file, AN_LAYOUT_NHWC);
    if (o->inference != AN_INFERENCE_FP32)
        return ani_fail(err, AN_ERR_ARG,
                        "export: inference is %d; a %s file must have AN_INFERENCE_FP32 (%d)",
                        (int)o->inference, file, AN_INFERENCE_FP32);
    if (is_torch && o->include_scale)
        return ani_fail(err, AN_ERR_ARG,
                        "export: include_scale is %d; a PyTorch file has no layers, it must be 0",
                        (int)o->include_scale);
    return AN_OK;
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
    if (o.format == AN_EXPORT_AUTO) o.format = format_of(path);
    if (o.format == AN_EXPORT_AUTO)
        return ani_fail(err, AN_ERR_ARG,
                        "export: '%s' does not end in a known format; .onnx, .h5, .weights.h5 and "
                        ".keras are possible, or set format",
                        path);
    st = check_fit(&o, err);
    if (!st) st = ani_model_copy_file(&arrays, model, err);
    if (!st)
        st = o.format == AN_EXPORT_ONNX ? ani_onnx_write(arrays, model, path, &o, err)
             : is_state_dict(o.format)  ? ani_torch_write(arrays, model, path, o.format, err)
                                        : ani_keras_write(arrays, model, path, &o, err);
    an_arrays_destroy(arrays);
    return st;
}
