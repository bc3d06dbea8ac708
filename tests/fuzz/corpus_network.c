/* SPDX-License-Identifier: MIT
 * Seeds: the smallest model there is as the library writes it for Keras and PyTorch. */
#include "corpus.h"

#include <stdio.h>

#include <attractivenet/mobilenetv2.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/scratch.h"

static an_model *make_model(int32_t padding, double epsilon) {
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = 32;
    net.alpha = 0.05;
    net.padding = padding;
    net.epsilon = epsilon;
    corpus_need(!an_backend_create(&backend, &device, &err), err.message);
    corpus_need(!an_mobilenetv2_create(&model, backend, &net, &err), err.message);
    an_backend_destroy(backend);
    return model;
}

static void add(corpus *all, const char *folder, const an_model *model, const char *name,
                int32_t format) {
    an_export_options how;
    an_error err;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    an_export_options_init(&how, sizeof how);
    how.format = format;
    corpus_need(!an_model_export(model, path, &how, &err), err.message);
    if (format == AN_EXPORT_TORCHVISION || format == AN_EXPORT_TIMM) {
        an_arrays *arrays = NULL;
        corpus_need(!an_arrays_read(&arrays, path, &err), err.message);
        corpus_add_arrays(all, name, arrays, "\"format\":\"pt\"", true);
        an_arrays_destroy(arrays);
        return;
    }
    uint8_t *bytes = NULL;
    int64_t size;
    corpus_need(!ani_file_read_all(path, INT64_MAX, &bytes, &size, &err), err.message);
    corpus_add(all, name, bytes, size, true);
    ani_free(bytes);
}

void corpus_network(corpus *all) {
    char *folder = scratch_make(true);
    corpus_need(folder, "a folder");
    an_model *model = make_model(AN_PADDING_TUTORIAL, 0);
    add(all, folder, model, "whole.h5", AN_EXPORT_KERAS_H5);
    add(all, folder, model, "only.weights.h5", AN_EXPORT_KERAS_WEIGHTS);
    add(all, folder, model, "archive.keras", AN_EXPORT_KERAS_ARCHIVE);
    an_model_destroy(model);
    model = make_model(AN_PADDING_SYMMETRIC, 1e-5);
    add(all, folder, model, "torchvision.safetensors", AN_EXPORT_TORCHVISION);
    add(all, folder, model, "timm.safetensors", AN_EXPORT_TIMM);
    an_model_destroy(model);
    scratch_remove(folder);
}
