/* SPDX-License-Identifier: MIT
 * Seeds: the smallest model there is as ONNX, with a byte for most of its numbers. */
#include "corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "base/file.h"
#include "base/memory.h"
#include "io/onnx_file.h"
#include "support/scratch.h"

enum { GRAPH = 7, DIMENSION = 1, TYPE = 2, INTEGERS = 5, NAME = 8, BYTES = 9 };

static uint8_t *export_model(bool is_nchw, bool is_classes, bool has_scale, int64_t *size) {
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_export_options how;
    uint8_t *bytes = NULL;
    char *folder = scratch_make(true), path[4096];
    corpus_need(folder, "a folder");
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = 32;
    net.alpha = 0.05;
    net.outputs = is_classes ? 3 : 1;
    net.task = is_classes ? AN_TASK_CLASSIFICATION : AN_TASK_REGRESSION;
    an_export_options_init(&how, sizeof how);
    how.layout = is_nchw ? AN_LAYOUT_NCHW : AN_LAYOUT_NHWC;
    how.include_scale = has_scale;
    corpus_need(!an_backend_create(&backend, &device, &err), err.message);
    corpus_need(!an_mobilenetv2_create(&model, backend, &net, &err), err.message);
    corpus_need(!an_model_export(model, path, &how, &err), err.message);
    corpus_need(!ani_file_read_all(path, INT64_MAX, &bytes, size, &err), err.message);
    an_model_destroy(model);
    an_backend_destroy(backend);
    scratch_remove(folder);
    return bytes;
}

/* Copy a field. */
static void copy(ani_text *to, const ani_proto_field *field) {
    if (field->wire == ANI_PROTO_BYTES)
        ani_proto_bytes(to, field->number, field->bytes.at, ani_proto_size(&field->bytes));
    else
        ani_proto_number(to, field->number, (int64_t)field->value);
}

/* A constant of many floats becomes one of small numbers in half precision, packed: a byte each. */
static void shrink(ani_text *to, ani_proto_cursor message) {
    ani_text tensor = {0}, numbers = {0};
    ani_proto_field field;
    const ani_proto_cursor whole = message;
    bool is_long = false;
    while (ani_proto_next(&message, &field) > 0) {
        if (field.number == DIMENSION) ani_proto_number(&tensor, DIMENSION, (int64_t)field.value);
        if (field.number == NAME) copy(&tensor, &field);
        if (field.number != BYTES) continue;
        is_long = ani_proto_size(&field.bytes) > 16;
        for (const uint8_t *at = field.bytes.at; at + 4 <= field.bytes.end; at += 4)
            ani_text_add(&numbers, (const char[]){(char)(at[1] & 0x3f)}, 1);
    }
    if (is_long) {
        ani_proto_number(&tensor, TYPE, ANI_ONNX_HALF);
        ani_proto_message(&tensor, INTEGERS, &numbers);
        ani_proto_message(to, ANI_ONNX_CONSTANT, &tensor);
    } else {
        ani_proto_bytes(to, ANI_ONNX_CONSTANT, whole.at, ani_proto_size(&whole));
    }
    ani_text_clear(&numbers);
    ani_text_clear(&tensor);
}

static void add(corpus *all, const char *name, bool is_nchw, bool is_classes, bool has_scale) {
    int64_t size;
    uint8_t *bytes = export_model(is_nchw, is_classes, has_scale, &size);
    ani_proto_cursor model = {bytes, bytes + size};
    ani_proto_field field;
    ani_text out = {0}, graph = {0};
    while (ani_proto_next(&model, &field) > 0) {
        ani_proto_cursor at = field.bytes;
        if (field.number != GRAPH) {
            copy(&out, &field);
            continue;
        }
        while (ani_proto_next(&at, &field) > 0)
            if (field.number == ANI_ONNX_CONSTANT)
                shrink(&graph, field.bytes);
            else
                copy(&graph, &field);
        ani_proto_message(&out, GRAPH, &graph);
    }
    corpus_need(!out.failed, "no memory");
    corpus_add(all, name, out.bytes, out.size, true);
    ani_text_clear(&out);
    ani_free(bytes);
}

void corpus_onnx(corpus *all) {
    add(all, "last.onnx", false, false, false);
    add(all, "first.onnx", true, true, false);
    add(all, "bytes.onnx", false, false, true);
    corpus_add(all, "head.onnx", "\x08\x08\x3a\x00\x42\x02\x10\x11", 8, false);
}
