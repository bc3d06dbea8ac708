/* SPDX-License-Identifier: MIT
 * Scenarios: models, on the smallest network there is. */
#include "oom.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/zip.h"
#include "support/golden.h"

enum { SIZE = 32, BATCH = 2 };

static float pixels[BATCH * SIZE * SIZE * 3];
static const float targets[BATCH] = {1, 3};

static an_status make_model(an_model **model, an_error *err) {
    an_backend *backend = NULL;
    an_backend_options device;
    an_mobilenetv2_options options;
    *model = NULL;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    options.scale = AN_SCALE_UNIT;
    an_status st = an_backend_create(&backend, &device, err);
    if (!st) st = an_mobilenetv2_create(model, backend, &options, err);
    an_backend_destroy(backend);
    return st;
}

static void prepare_model(bench *b) {
    an_error err;
    an_model *model;
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++)
        pixels[i] = (float)(i * 31 % 255) / 255;
    OOM_NEED(!make_model(&model, &err));
    b->object = model;
}

/* What the inference of a model needs: a calibration, or a word. */
static an_status choose(an_model *model, int32_t inference, an_error *err) {
    if (inference != AN_INFERENCE_INT8) return an_model_set_inference(model, inference, err);
    an_status st = an_model_calibrate_begin(model, err);
    if (!st) st = an_model_calibrate_add(model, pixels, BATCH, err);
    if (!st) st = an_model_calibrate_end(model, err);
    return st;
}

static void prepare_int8(bench *b) {
    prepare_model(b);
    OOM_NEED(!choose(b->object, AN_INFERENCE_INT8, NULL));
}

static void prepare_bf16(bench *b) {
    prepare_model(b);
    OOM_NEED(!choose(b->object, AN_INFERENCE_BF16, NULL));
}

static void finish_model(bench *b) {
    an_model_destroy(b->object);
}

static an_status create(bench *b, an_error *err) {
    an_model *model = NULL;
    (void)b;
    const an_status st = make_model(&model, err);
    an_model_destroy(model);
    return st;
}

static an_status save(bench *b, an_error *err) {
    return an_model_save(b->object, oom_path(b->out, "m.safetensors"), err);
}

static an_status save_bytes(bench *b, an_error *err) {
    an_bytes *bytes = NULL;
    const an_status st = an_model_save_bytes(&bytes, b->object, err);
    if (!st) b->result = oom_mix(0, an_bytes_data(bytes), an_bytes_size(bytes));
    an_bytes_destroy(bytes);
    return st;
}

static an_status export_as(bench *b, const char *name, int32_t inference, an_error *err) {
    an_export_options how;
    an_export_options_init(&how, sizeof how);
    how.include_scale = 1;
    how.inference = inference;
    return an_model_export(b->object, oom_path(b->out, name), &how, err);
}

static an_status export_fp32(bench *b, an_error *err) {
    return export_as(b, "m.onnx", AN_INFERENCE_FP32, err);
}

static an_status export_int8(bench *b, an_error *err) {
    return export_as(b, "m.onnx", AN_INFERENCE_INT8, err);
}

static an_status export_h5(bench *b, an_error *err) {
    return export_as(b, "m.h5", AN_INFERENCE_FP32, err);
}

static an_status export_keras(bench *b, an_error *err) {
    return export_as(b, "m.keras", AN_INFERENCE_FP32, err);
}

/* A model as PyTorch has them, and its state dict. */
static void prepare_torch(bench *b) {
    an_mobilenetv2_options options;
    an_export_options how;
    an_model *model = NULL;
    prepare_model(b);
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    options.padding = AN_PADDING_SYMMETRIC;
    options.epsilon = 1e-5;
    OOM_NEED(!an_mobilenetv2_create(&model, an_model_backend(b->object), &options, NULL));
    an_model_destroy(b->object);
    b->object = model;
    an_export_options_init(&how, sizeof how);
    how.format = AN_EXPORT_TIMM;
    OOM_NEED(!an_model_export(model, oom_path(b->in, "m.safetensors"), &how, NULL));
}

static an_status export_torch(bench *b, an_error *err) {
    an_export_options how;
    an_export_options_init(&how, sizeof how);
    how.format = AN_EXPORT_TORCHVISION;
    return an_model_export(b->object, oom_path(b->out, "m.safetensors"), &how, err);
}

static void save_prepared(bench *b) {
    OOM_NEED(!an_model_save(b->object, oom_path(b->in, "m.safetensors"), NULL));
}

static void prepare_load(bench *b) {
    prepare_model(b);
    save_prepared(b);
}

static void prepare_load_int8(bench *b) {
    prepare_int8(b);
    save_prepared(b);
}

static void prepare_load_bf16(bench *b) {
    prepare_bf16(b);
    save_prepared(b);
}

/* A score tells whether it came back whole, with the inference that it was saved with. */
static an_status load(bench *b, an_error *err) {
    an_model *model = NULL;
    float scores[BATCH] = {0};
    an_status st = an_model_load(&model, an_model_backend(b->object),
                                 oom_path(b->in, "m.safetensors"), NULL, err);
    if (!st) st = an_model_predict(model, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    an_model_destroy(model);
    return st;
}

/* The same from memory; the model that is held stands for the bytes. */
static an_status load_bytes(bench *b, an_error *err) {
    an_bytes *bytes = NULL;
    an_model *model = NULL;
    float scores[BATCH] = {0};
    an_status st = an_model_save_bytes(&bytes, b->object, err);
    if (!st)
        st = an_model_load_bytes(&model, an_model_backend(b->object), an_bytes_data(bytes),
                                 an_bytes_size(bytes), "a model", NULL, err);
    if (!st) st = an_model_predict(model, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    an_model_destroy(model);
    an_bytes_destroy(bytes);
    return st;
}

/* A Keras file of the golden data: "tf2.1_second_frozen.h5" is matched by order, the other's
 * factors are folded. */
static void put_keras(bench *b, const char *name) {
    const char *zip_path = golden_path("keras/files.zip");
    ani_zip *zip = NULL;
    uint8_t *bytes = NULL;
    int64_t size;
    an_error err;
    prepare_model(b);
    OOM_NEED(zip_path && !ani_zip_open(&zip, zip_path, NULL, &err));
    OOM_NEED(!ani_zip_read(zip, ani_zip_find(zip, name), &bytes, &size, &err));
    FILE *out = fopen(oom_path(b->in, "m.h5"), "wb");
    OOM_NEED(out && fwrite(bytes, 1, (size_t)size, out) == (size_t)size && !fclose(out));
    ani_free(bytes);
    ani_zip_close(zip);
}

static void prepare_load_ordered(bench *b) {
    put_keras(b, "tf2.1_second_frozen.h5");
}

static void prepare_load_folded(bench *b) {
    put_keras(b, "k3_normalization_fold.h5");
}

static an_status load_keras(bench *b, an_error *err) {
    an_model *model = NULL;
    an_mobilenetv2_options options;
    float scores[BATCH] = {0};
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.scale = AN_SCALE_TF;
    an_status st =
        an_model_load(&model, an_model_backend(b->object), oom_path(b->in, "m.h5"), &options, err);
    if (!st) st = an_model_predict(model, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    an_model_destroy(model);
    return st;
}

static void prepare_load_onnx(bench *b) {
    an_export_options how;
    prepare_model(b);
    an_export_options_init(&how, sizeof how);
    how.include_scale = 1;
    OOM_NEED(!an_model_export(b->object, oom_path(b->in, "m.onnx"), &how, NULL));
}

static an_status load_onnx(bench *b, an_error *err) {
    an_model *model = NULL;
    float scores[BATCH] = {0};
    an_status st =
        an_model_load(&model, an_model_backend(b->object), oom_path(b->in, "m.onnx"), NULL, err);
    if (!st) st = an_model_predict(model, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    an_model_destroy(model);
    return st;
}

/* A copy that shares, and takes weights of its own as its head changes. */
static an_status copy(bench *b, an_error *err) {
    an_model *model = NULL, *second = NULL;
    float scores[BATCH] = {0};
    an_status st = an_model_copy(&model, b->object, NULL, AN_SHARE_WEIGHTS, err);
    if (!st) st = an_model_reset_head(model, 5, err);
    if (!st) st = an_model_predict(model, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    if (!st) st = an_model_copy(&second, model, NULL, AN_COPY_WEIGHTS, err);
    if (!st) st = an_model_predict(second, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(b->result, scores, sizeof scores);
    an_model_destroy(model);
    an_model_destroy(second);
    return st;
}

/* Names of classes, into a file in memory and back. */
static an_status name_classes(bench *b, an_error *err) {
    static const char *const names[2] = {"no", "yes"};
    an_model *model = b->object, *loaded = NULL;
    an_bytes *bytes = NULL;
    an_status st = an_model_set_class_names(model, names, 2, err);
    if (!st) st = an_model_save_bytes(&bytes, model, err);
    if (!st)
        st = an_model_load_bytes(&loaded, an_model_backend(model), an_bytes_data(bytes),
                                 an_bytes_size(bytes), NULL, NULL, err);
    if (!st) b->result = oom_mix(0, an_model_class_name(loaded, 1), 3);
    an_model_destroy(loaded);
    an_bytes_destroy(bytes);
    return st;
}

static void prepare_yes_no(bench *b) {
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIZE;
    options.alpha = 0.1;
    options.task = AN_TASK_CLASSIFICATION;
    OOM_NEED(!an_backend_create(&backend, NULL, NULL));
    OOM_NEED(!an_mobilenetv2_create(&model, backend, &options, NULL));
    an_backend_destroy(backend);
    b->object = model;
}

/* A new model each time, so that the buffers of the first prediction are among the points. */
static an_status predict_by(bench *b, int32_t inference, an_error *err) {
    an_model *model = NULL;
    float scores[BATCH] = {0};
    an_status st = make_model(&model, err);
    if (!st) st = choose(model, inference, err);
    if (!st) st = an_model_predict(model, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    an_model_destroy(model);
    return st;
}

static an_status predict(bench *b, an_error *err) {
    return predict_by(b, AN_INFERENCE_FP32, err);
}

static an_status int8(bench *b, an_error *err) {
    return predict_by(b, AN_INFERENCE_INT8, err);
}

static an_status bf16(bench *b, an_error *err) {
    return predict_by(b, AN_INFERENCE_BF16, err);
}

static an_status predict_again(bench *b, an_error *err) {
    float scores[BATCH] = {0};
    an_status st = an_model_predict(b->object, pixels, BATCH, scores, err);
    if (!st) st = an_model_predict(b->object, pixels, 1, scores + 1, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    return st;
}

/* A flag, attached; what it needs, and what it leaves when it cannot be had. */
static an_status cancel(bench *b, an_error *err) {
    an_model *model = NULL;
    an_cancel *flag = NULL;
    float scores[BATCH] = {0};
    an_status st = make_model(&model, err);
    if (!st) st = an_cancel_create(&flag, err);
    if (!st) st = an_model_set_cancel(model, flag, err);
    if (!st) an_cancel_request(flag);
    if (!st) st = an_model_predict(model, pixels, BATCH, scores, err);
    an_cancel_reset(flag);
    if (st == AN_ERR_CANCELLED) st = an_model_predict(model, pixels, BATCH, scores, err);
    if (!st) b->result = oom_mix(0, scores, sizeof scores);
    an_cancel_destroy(flag);
    an_model_destroy(model);
    return st;
}

/* Formats with buffers of their own, each larger than the one before; then features. */
static an_status frames(bench *b, an_error *err) {
    enum { HEIGHT = 40, WIDTH = 50 };
    static const int32_t formats[] = {AN_FORMAT_RGB, AN_FORMAT_GREY, AN_FORMAT_BGRA, AN_FORMAT_NV12,
                                      AN_FORMAT_YUYV};
    static uint8_t bytes[BATCH * HEIGHT * WIDTH * 4];
    static float features[BATCH * 1280];
    an_predictor *predictor = NULL;
    float scores[BATCH] = {0};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 % 255);
    an_status st = an_predictor_create(&predictor, b->object, err);
    for (size_t i = 0; !st && i < sizeof formats / sizeof *formats; i++) {
        st = an_predictor_set_format(predictor, formats[i], err);
        if (!st)
            st = an_predictor_score_frames(predictor, bytes, 1 + (int64_t)i / 2 % BATCH, 0, HEIGHT,
                                           WIDTH, 0, scores, err);
        if (!st) b->result = oom_mix(b->result, scores, sizeof scores);
    }
    if (!st)
        st = an_predictor_compute_features(predictor, bytes, BATCH, 0, HEIGHT, WIDTH, 0, features,
                                           err);
    if (!st) b->result = oom_mix(b->result, features, sizeof features);
    an_predictor_destroy(predictor);
    return st;
}

static int32_t own_loss(void *user, const an_loss_batch *batch) {
    (void)user;
    *batch->loss = 1;
    for (int64_t i = 0; i < batch->n * batch->outputs; i++)
        batch->gradient[i] = batch->prediction[i] - batch->target[i];
    return 0;
}

/* One step's gradients, in each mode of the base; and those of a loss function added to them. */
static an_status gradients(bench *b, an_error *err) {
    an_model *model = NULL;
    an_status st = make_model(&model, err);
    for (int32_t base = AN_BASE_FROZEN; base <= AN_BASE_FINETUNE && !st; base++) {
        double loss = 0;
        st = an_model_set_base(model, base, err);
        if (!st) st = an_model_compute_gradients(model, pixels, targets, BATCH, NULL, &loss, err);
        b->result = oom_mix(b->result, &loss, sizeof loss);
    }
    an_loss_options own;
    an_loss_options_init(&own, sizeof own);
    own.fn = own_loss;
    own.accumulate = 1;
    if (!st) st = an_model_compute_gradients(model, pixels, targets, BATCH, &own, NULL, err);
    an_model_destroy(model);
    return st;
}

/* The first and the last layer, in memory that did not serve anything before. */
static an_status explain(bench *b, an_error *err) {
    an_model *model = NULL;
    float map[BATCH * SIZE * SIZE / 4] = {0};
    an_explain_options options;
    an_explain_options_init(&options, sizeof options);
    an_status st = make_model(&model, err);
    if (!st) st = an_model_explain(model, pixels, BATCH, &options, map, err);
    if (!st) b->result = oom_mix(0, map, sizeof map);
    options.layer = "Conv1";
    if (!st) st = an_model_explain(model, pixels, BATCH, &options, map, err);
    if (!st) b->result = oom_mix(b->result, map, sizeof map);
    an_model_destroy(model);
    return st;
}

static an_status devices(bench *b, an_error *err) {
    an_device_list *list = NULL;
    const an_status st = an_device_list_create(&list, err);
    b->result = (uint64_t)an_device_list_count(list);
    an_device_list_destroy(list);
    return st;
}

static an_status any_device(bench *b, an_error *err) {
    (void)b;
    an_backend *backend = NULL;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = "auto";
    options.threads = 1;
    const an_status st = an_backend_create(&backend, &options, err);
    an_backend_destroy(backend);
    return st;
}

const scenario oom_model_scenarios[] = {
    {"list the devices", NULL, devices, NULL, false, false},
    {"take any device", NULL, any_device, NULL, false, false},
    {"create a model", NULL, create, NULL, false, false},
    {"save a model", prepare_model, save, finish_model, true, false},
    {"save an int8 model", prepare_int8, save, finish_model, true, false},
    {"save a bf16 model", prepare_bf16, save, finish_model, true, false},
    {"load a model", prepare_load, load, finish_model, false, false},
    {"load an int8 model", prepare_load_int8, load, finish_model, false, false},
    {"load an ONNX model", prepare_load_onnx, load_onnx, finish_model, false, true},
    {"load a Keras model by order", prepare_load_ordered, load_keras, finish_model, false, true},
    {"load a Keras model with factors", prepare_load_folded, load_keras, finish_model, false, true},
    {"load a bf16 model", prepare_load_bf16, load, finish_model, false, false},
    {"save a model in memory", prepare_model, save_bytes, finish_model, false, true},
    {"export to ONNX", prepare_model, export_fp32, finish_model, true, true},
    {"export to ONNX in int8", prepare_int8, export_int8, finish_model, true, true},
    {"export to .h5", prepare_yes_no, export_h5, finish_model, true, true},
    {"export to a state dict", prepare_torch, export_torch, finish_model, true, true},
    {"load a state dict", prepare_torch, load, finish_model, false, true},
    {"export to .keras", prepare_model, export_keras, finish_model, true, true},
    {"load a model from memory", prepare_int8, load_bytes, finish_model, false, true},
    {"copy a model", prepare_model, copy, finish_model, false, false},
    {"name classes", prepare_yes_no, name_classes, finish_model, false, true},
    {"copy an int8 model", prepare_int8, copy, finish_model, false, true},
    {"first prediction", prepare_model, predict, finish_model, false, false},
    {"prediction", prepare_model, predict_again, finish_model, false, false},
    {"cancel", prepare_model, cancel, finish_model, false, false},
    {"frames", prepare_model, frames, finish_model, false, false},
    {"gradients", prepare_model, gradients, finish_model, false, false},
    {"explain", prepare_model, explain, finish_model, false, false},
    {"int8", prepare_model, int8, finish_model, false, false},
    {"bf16", prepare_model, bf16, finish_model, false, false},
};
const int oom_model_scenario_count = sizeof oom_model_scenarios / sizeof *oom_model_scenarios;
