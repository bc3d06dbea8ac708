/* SPDX-License-Identifier: MIT
 * attractivenet convert: reads a model of one tool and writes it for another. */
#include "command.h"
#include "console.h"

#include <attractivenet/attractivenet.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static struct { int32_t scale, padding, size, layout, bytes, int8, names, quiet; } ask;

static void options(option_row rows[OPTION_ROWS]) {
    memset(&ask, 0, sizeof ask);
    int n = 0;
    rows[n++] = option_choice("scale", &ask.scale, "auto|unit|tf|article|torch",
                              "how pixels were scaled in training; auto: as stored in the file\n"
                              "(required for a Keras file, which does not store it)");
    rows[n++] = option_choice("padding", &ask.padding, "auto|fixed|tutorial|symmetric",
                              "auto: as stored in the file, otherwise as in the tutorial");
    rows[n++] = option_count("size", &ask.size, 0, 8192,
                             "width and height of the network's input; 0: as stored in the file");
    rows[n++] =
        option_choice("layout", &ask.layout, "nhwc|nchw", "ONNX: order of the input's axes");
    rows[n++] = option_flag("bytes", &ask.bytes,
                            "ONNX, Keras: the input is bytes, which the file scales; otherwise\n"
                            "it is floats, scaled by the caller");
    rows[n++] = option_flag("int8", &ask.int8,
                            "ONNX: quantised, with the calibration that the model has (see\n"
                            "attractivenet test --int8)");
    rows[n++] =
        option_choice("names", &ask.names, "own|torchvision|timm",
                      ".safetensors: own: this library's file; otherwise the state dict of\n"
                      "a network of PyTorch, under that tool's names");
    rows[n++] = option_flag("quiet", &ask.quiet, "print only errors");
    rows[n] = option_end();
}

static bool ends_in(const char *path, const char *ending) {
    const size_t size = strlen(path), end = strlen(ending);
    return size > end && !strcasecmp(path + size - end, ending);
}

static an_status write_model(const an_model *model, const char *path, an_error *err) {
    an_export_options how;
    an_export_options_init(&how, sizeof how);
    how.layout = ask.layout;
    how.include_scale = ask.bytes;
    how.inference = ask.int8 ? AN_INFERENCE_INT8 : AN_INFERENCE_FP32;
    if (ask.names) how.format = ask.names == 1 ? AN_EXPORT_TORCHVISION : AN_EXPORT_TIMM;
    return ends_in(path, ".safetensors") && !ask.names ? an_model_save(model, path, err)
                                                       : an_model_export(model, path, &how, err);
}

static int run(const option_row *rows, int count, char **operands) {
    (void)rows;
    int status = 1;
    an_error err;
    an_backend *backend = NULL;
    an_model *model = NULL;
    if (count != 2) return complain_of("convert needs two files: FROM TO");
    const char *from = operands[0], *to = operands[1];
    if (ends_in(to, ".safetensors") && !ask.names && (ask.layout || ask.bytes || ask.int8))
        return complain_of("--layout, --bytes and --int8 are for files of other tools; '%s' is "
                           "this library's own",
                           to);
    if (ask.names && !ends_in(to, ".safetensors"))
        return complain_of("--names is for files that end in .safetensors; '%s' does not", to);
    an_mobilenetv2_options how;
    an_mobilenetv2_options_init(&how, sizeof how);
    how.height = how.width = ask.size; /* 0: as stored in the file */
    how.scale = ask.scale;
    how.padding = ask.padding;
    if (an_backend_create(&backend, NULL, &err) ||
        an_model_load(&model, backend, from, &how, &err) || write_model(model, to, &err)) {
        complain(&err);
        goto done;
    }
    say(ask.quiet, "wrote %s to %s\n", from, to);
    status = 0;
done:
    an_model_destroy(model);
    an_backend_destroy(backend);
    return status;
}

const command convert_command = {
    .name = "convert",
    .what = "write a model for another tool",
    .text = {.name = "attractivenet convert",
             .usage = "[options] FROM TO",
             .about =
                 "Reads a model, and writes it in the format that the ending of TO names:\n"
                 "  .onnx         ONNX, opset 17: ONNX Runtime, OpenCV, OpenVINO, ...\n"
                 "  .h5           Keras, the whole model: tf_keras and Keras 3\n"
                 "  .keras        Keras 3, the whole model\n"
                 "  .weights.h5   Keras 3, for load_weights()\n"
                 "  .safetensors  this library's own, or with --names for PyTorch\n"
                 "FROM is this library's own file, one of Keras (.h5, .weights.h5, .keras) or of\n"
                 "PyTorch (torchvision, timm) as .safetensors, or an ONNX file that computes a\n"
                 "MobileNetV2, from PyTorch, tf2onnx or here.",
             .operands = "FROM TO",
             .examples = "  attractivenet convert run/model.safetensors model.onnx\n"
                         "  attractivenet convert run/model.safetensors model.h5\n"
                         "  attractivenet convert --names timm run/model.safetensors "
                         "timm.safetensors\n"
                         "  attractivenet convert --scale article tutorial.h5 model.safetensors\n"
                         "  attractivenet convert --scale torch exported.onnx model.safetensors\n"
                         "  attractivenet convert --int8 run/model_int8.safetensors model.onnx"},
    .options = options,
    .run = run,
};
