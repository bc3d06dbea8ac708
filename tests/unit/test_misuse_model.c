/* SPDX-License-Identifier: MIT
 * Arguments that no caller may give, as in test_misuse.c: models, single layers, optimizers. A loss
 * of another task, or a value that is not finite, would have a number. */
#include "support/losses.h"
#include "support/misuse.h"

#include <math.h>

#include <attractivenet/attractivenet.h>

#include "support/backends.h"
#include "support/small_model.h"

/* What the calls are made on; each is in order. */
static an_backend *backend;
static an_model *model, *classes, *yes_no; /* 1 score; 3 classes; 1 class */
static an_arrays *arrays;
static an_optimizer *optimizer;
static an_tensor *image, *kernel, *channel, *matrix, *column;

/* Where results would go. */
static an_model *model_out;
static an_arrays *arrays_out;
static an_bytes *bytes_out;
static an_optimizer *optimizer_out;
static float x[2 * PIXELS], infinite[PIXELS], y[8], features[2048];
static double loss;
static int32_t side;
static an_model_info info = {.struct_size = sizeof info}, unset_info;
static const an_loss_options unset_loss;

static const float some[4] = {0, 1, 1, 0}, one_hot[6] = {0, 1, 0, 1, 0, 0};
static const float not_hot[6] = {2, 0, 0, 3, 0, 0}, half_negative[2] = {0.5f, -0.5f};
static const float no_number[2] = {NAN, 1};
static const double one = 1, below = -1;
enum { MANY = (1 << 24) + 1 };

WRONG(an_mobilenetv2_options, struct_size, 0)
WRONG(an_mobilenetv2_options, height, 31)
WRONG(an_mobilenetv2_options, width, -5)
WRONG(an_mobilenetv2_options, outputs, 0)
WRONG(an_mobilenetv2_options, task, 2)
WRONG(an_mobilenetv2_options, padding, 4)
WRONG(an_mobilenetv2_options, scale, 9)
WRONG(an_mobilenetv2_options, epsilon, -1e-3)
WRONG(an_mobilenetv2_options, alpha, -1)
WRONG(an_mobilenetv2_options, weights_kind, 2)
WRONG_AS(weights_other, an_mobilenetv2_options, weights_kind, 3)
WRONG(an_mobilenetv2_options, weights_path, "x")
WRONG_AS(kind_1, an_mobilenetv2_options, weights_kind, 1)
WRONG_AS(alpha_nan, an_mobilenetv2_options, alpha, NAN)
WRONG(an_export_options, struct_size, 0)
WRONG(an_export_options, format, 99)
WRONG(an_export_options, layout, -1)
WRONG(an_export_options, include_scale, 2)
WRONG(an_export_options, inference, 2)
WRONG(an_export_options, reserved, 1)
WRONG(an_conv_options, struct_size, 0)
WRONG(an_conv_options, kind, 2)
WRONG(an_conv_options, stride, 0)
WRONG(an_conv_options, pad_left, 3)
WRONG(an_conv_options, pad_bottom, -1)
WRONG(an_optimizer_options, struct_size, 0)
WRONG(an_optimizer_options, kind, 3)
WRONG(an_optimizer_options, nesterov, 2)
WRONG(an_optimizer_options, decay_kernels_only, 2)
WRONG(an_optimizer_options, layer_decay, -0.1)
WRONG(an_optimizer_options, beta1, 1)
WRONG(an_optimizer_options, beta2, -0.1)
WRONG(an_optimizer_options, epsilon, 0)
WRONG(an_optimizer_options, momentum, NAN)
WRONG(an_optimizer_options, weight_decay, INFINITY)
WRONG(an_optimizer_options, clip_norm, -1)
WRONG(an_explain_options, struct_size, 0)
WRONG(an_explain_options, sign, 3)
WRONG(an_explain_options, reserved, 1)
WRONG(an_explain_options, layer, "dense")
WRONG_AS(output_past_the_end, an_explain_options, output, 1)
WRONG_AS(output_below, an_explain_options, output, -2)
WRONG(an_schedule_options, struct_size, 0)
WRONG(an_schedule_options, kind, 2)
WRONG(an_schedule_options, warmup_steps, -1)
WRONG(an_schedule_options, decay_steps, -1)
WRONG(an_schedule_options, warmup_start, 1.5)
WRONG(an_schedule_options, final_fraction, NAN)

/* --- calls that are refused ------------------------------------------------------------------- */

#define REFUSED(CASE)                                                                              \
    CASE(net_out, an_mobilenetv2_create(NULL, backend, NULL, err), "out")                          \
    CASE(net_backend, an_mobilenetv2_create(&model_out, NULL, NULL, err), "backend")               \
    CASE(net_height,                                                                               \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_height(), err),   \
         "height")                                                                                 \
    CASE(net_width,                                                                                \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_width(), err),    \
         "width")                                                                                  \
    CASE(net_outputs,                                                                              \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_outputs(), err),  \
         "outputs")                                                                                \
    CASE(net_task,                                                                                 \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_task(), err),     \
         "task")                                                                                   \
    CASE(net_padding,                                                                              \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_padding(), err),  \
         "padding")                                                                                \
    CASE(net_scale,                                                                                \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_scale(), err),    \
         "scale")                                                                                  \
    CASE(net_epsilon,                                                                              \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_epsilon(), err),  \
         "epsilon")                                                                                \
    CASE(net_alpha,                                                                                \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_alpha(), err),    \
         "alpha")                                                                                  \
    CASE(load_path, an_model_load(&model_out, backend, NULL, NULL, err), "path")                   \
    CASE(bytes_out, an_model_load_bytes(NULL, backend, "x", 1, NULL, NULL, err), "out")            \
    CASE(bytes_backend, an_model_load_bytes(&model_out, NULL, "x", 1, NULL, NULL, err), "backend") \
    CASE(bytes_null, an_model_load_bytes(&model_out, backend, NULL, 0, NULL, NULL, err), "bytes")  \
    CASE(bytes_size, an_model_load_bytes(&model_out, backend, "x", -2, NULL, NULL, err),           \
         "'in memory' has -2 bytes")                                                               \
    CASE(bytes_weights,                                                                            \
         an_model_load_bytes(&model_out, backend, "x", 1, NULL, wrong_kind_1(), err),              \
         "weights_kind")                                                                           \
    CASE(parameters_alpha, an_mobilenetv2_count_parameters(NAN, 1, NULL, NULL, err), "alpha")      \
    CASE(parameters_outputs, an_mobilenetv2_count_parameters(1, -1, NULL, NULL, err), "outputs")   \
    CASE(describe_null, an_model_describe(NULL, &info, err), "model")                              \
    CASE(describe_info, an_model_describe(model, NULL, err), "info")                               \
    CASE(set_cancel_null, an_model_set_cancel(NULL, NULL, err), "model")                           \
    CASE(base_null, an_model_set_base(NULL, 0, err), "model")                                      \
    CASE(base_9, an_model_set_base(model, 9, err), "base")                                         \
    CASE(momentum_null, an_model_set_momentum(NULL, 0.5, err), "model")                            \
    CASE(momentum_nan, an_model_set_momentum(model, NAN, err), "momentum")                         \
    CASE(momentum_2, an_model_set_momentum(model, 2, err), "momentum")                             \
    CASE(predict_null, an_model_predict(NULL, x, 1, y, err), "model")                              \
    CASE(predict_x, an_model_predict(model, NULL, 1, y, err), "NULL")                              \
    CASE(predict_y, an_model_predict(model, x, 1, NULL, err), "NULL")                              \
    CASE(predict_n, an_model_predict(model, x, 0, y, err), "batch")                                \
    CASE(features_null, an_model_compute_features(NULL, x, 1, y, err), "model")                    \
    CASE(features_y, an_model_compute_features(model, x, 1, NULL, err), "NULL")                    \
    CASE(head_null, an_model_predict_from_features(NULL, x, 1, y, err), "model")                   \
    CASE(head_x, an_model_predict_from_features(model, NULL, 1, y, err), "NULL")                   \
    CASE(gradients_null,                                                                           \
         an_model_compute_gradients(NULL, x, y, 1, loss_of(AN_LOSS_MSE), &loss, err), "model")     \
    CASE(gradients_y,                                                                              \
         an_model_compute_gradients(model, x, NULL, 1, loss_of(AN_LOSS_MSE), &loss, err), "NULL")  \
    CASE(gradients_loss, an_model_compute_gradients(model, x, y, 1, loss_of(77), &loss, err),      \
         "loss")                                                                                   \
    CASE(gradients_unset, an_model_compute_gradients(model, x, y, 1, &unset_loss, &loss, err),     \
         "an_loss_options: struct_size is 0")                                                      \
    CASE(head_gradients_null,                                                                      \
         an_model_compute_head_gradients(NULL, x, y, 1, loss_of(0), &loss, err), "model")          \
    CASE(head_gradients_n,                                                                         \
         an_model_compute_head_gradients(model, x, y, -3, loss_of(0), &loss, err), "batch")        \
    CASE(update_null, an_model_update_batch_norm_begin(NULL, err), "model")                        \
    CASE(update_add_null, an_model_update_batch_norm_add(NULL, x, 1, err), "model")                \
    CASE(update_not_begun, an_model_update_batch_norm_add(model, x, 1, err), "begun")              \
    CASE(update_end_null, an_model_update_batch_norm_end(NULL, err), "model")                      \
    CASE(update_empty, an_model_update_batch_norm_end(model, err), "update of batch norm")         \
    CASE(calibrate_null, an_model_calibrate_begin(NULL, err), "model")                             \
    CASE(calibrate_add_null, an_model_calibrate_add(NULL, x, 1, err), "model")                     \
    CASE(calibrate_add_x, an_model_calibrate_add(model, NULL, 1, err), "NULL")                     \
    CASE(calibrate_not_begun, an_model_calibrate_add(model, x, 1, err), "begun")                   \
    CASE(calibrate_end_null, an_model_calibrate_end(NULL, err), "model")                           \
    CASE(calibrate_empty, an_model_calibrate_end(model, err), "no image")                          \
    CASE(explain_null, an_model_explain(NULL, x, 1, NULL, y, err), "model is NULL")                \
    CASE(explain_x, an_model_explain(model, NULL, 1, NULL, y, err), "NULL")                        \
    CASE(explain_maps, an_model_explain(model, x, 1, NULL, NULL, err), "NULL")                     \
    CASE(explain_size_null, an_model_explain_size(NULL, NULL, &side, &side, err), "model is NULL") \
    CASE(explain_size_h, an_model_explain_size(model, NULL, NULL, &side, err), "height is NULL")   \
    CASE(explain_size_w, an_model_explain_size(model, NULL, &side, NULL, err), "width is NULL")    \
    CASE(explain_size_layer, an_model_explain_size(model, "", &side, &side, err), "no layer ''")   \
    CASE(inference_null, an_model_set_inference(NULL, 0, err), "model")                            \
    CASE(inference_word, an_model_set_inference(model, -1, err), "inference")                      \
    CASE(inference_early, an_model_set_inference(model, AN_INFERENCE_INT8, err), "calibration")    \
    CASE(weights_null, an_model_copy_weights(&arrays_out, NULL, err), "model")                     \
    CASE(weights_out, an_model_copy_weights(NULL, model, err), "out")                              \
    CASE(last_null, an_model_copy_gradients(&arrays_out, NULL, err), "model")                      \
    CASE(last_none, an_model_copy_gradients(&arrays_out, model, err), "no gradients")              \
    CASE(set_weights_null, an_model_set_weights(NULL, arrays, err), "model")                       \
    CASE(set_weights_arrays, an_model_set_weights(model, NULL, err), "weights")                    \
    CASE(reset_null, an_model_reset_head(NULL, 1, err), "model")                                   \
    CASE(save_null, an_model_save(NULL, "x", err), "model")                                        \
    CASE(save_path, an_model_save(model, NULL, err), "path")                                       \
    CASE(copy_out, an_model_copy(NULL, model, NULL, AN_COPY_WEIGHTS, err), "out")                  \
    CASE(copy_null, an_model_copy(&model_out, NULL, backend, AN_COPY_WEIGHTS, err), "model")       \
    CASE(copy_weights, an_model_copy(&model_out, model, backend, 2, err), "weights is 2")          \
    CASE(copy_below, an_model_copy(&model_out, model, backend, -1, err), "weights is -1")          \
    CASE(intervals_null, an_model_set_intervals(NULL, 0.9, &one, 1, err), "model")                 \
    CASE(intervals_none, an_model_set_intervals(model, 0.9, NULL, 1, err), "half_widths is NULL")  \
    CASE(intervals_count, an_model_set_intervals(model, 0.9, &one, 2, err), "2 outputs")           \
    CASE(intervals_level, an_model_set_intervals(model, 0, &one, 1, err), "level 0")               \
    CASE(intervals_width, an_model_set_intervals(model, 0.9, &below, 1, err), "half width -1")     \
    CASE(intervals_classes, an_model_set_intervals(classes, 0.9, &one, 1, err), "regression")      \
    CASE(names_null, an_model_set_class_names(NULL, NULL, 0, err), "model")                        \
    CASE(names_count, an_model_set_class_names(classes, NULL, 3, err), "count is 3")               \
    CASE(export_null, an_model_export(NULL, "x.onnx", NULL, err), "model")                         \
    CASE(export_path, an_model_export(model, NULL, NULL, err), "path")                             \
    CASE(export_ending, an_model_export(model, "x.tflite", NULL, err), "'x.tflite' does not end")  \
    CASE(export_struct_size,                                                                       \
         an_model_export(model, "x.onnx", wrong_an_export_options_struct_size(), err),             \
         "struct_size is 0")                                                                       \
    CASE(export_format, an_model_export(model, "x.onnx", wrong_an_export_options_format(), err),   \
         "format is 99")                                                                           \
    CASE(export_layout, an_model_export(model, "x.onnx", wrong_an_export_options_layout(), err),   \
         "layout is -1")                                                                           \
    CASE(export_include_scale,                                                                     \
         an_model_export(model, "x.onnx", wrong_an_export_options_include_scale(), err),           \
         "include_scale is 2")                                                                     \
    CASE(export_inference,                                                                         \
         an_model_export(model, "x.onnx", wrong_an_export_options_inference(), err),               \
         "inference is 2")                                                                         \
    CASE(export_reserved,                                                                          \
         an_model_export(model, "x.onnx", wrong_an_export_options_reserved(), err),                \
         "reserved is 1")                                                                          \
    CASE(save_bytes_null, an_model_save_bytes(&bytes_out, NULL, err), "model")                     \
    CASE(save_bytes_out, an_model_save_bytes(NULL, model, err), "out")                             \
    CASE(net_size,                                                                                 \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_struct_size(),    \
                               err),                                                               \
         "struct_size is 0")                                                                       \
    CASE(net_alpha_nan, an_mobilenetv2_create(&model_out, backend, wrong_alpha_nan(), err),        \
         "alpha is nan")                                                                           \
    CASE(load_out, an_model_load(NULL, backend, "x", NULL, err), "out")                            \
    CASE(load_backend, an_model_load(&model_out, NULL, "x", NULL, err), "backend")                 \
    CASE(load_size,                                                                                \
         an_model_load(&model_out, backend, "x", wrong_an_mobilenetv2_options_struct_size(), err), \
         "struct_size is 0")                                                                       \
    CASE(load_alpha, an_model_load(&model_out, backend, "x", wrong_alpha_nan(), err),              \
         "alpha is nan")                                                                           \
    CASE(load_task,                                                                                \
         an_model_load(&model_out, backend, "x", wrong_an_mobilenetv2_options_task(), err),        \
         "task")                                                                                   \
    CASE(load_weights, an_model_load(&model_out, backend, "x", wrong_kind_1(), err),               \
         "weights_kind")                                                                           \
    CASE(weights_file,                                                                             \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_weights_kind(),   \
                               err),                                                               \
         "weights_path is NULL")                                                                   \
    CASE(weights_kind_3, an_mobilenetv2_create(&model_out, backend, wrong_weights_other(), err),   \
         "weights_kind is 3")                                                                      \
    CASE(weights_path_alone,                                                                       \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_weights_path(),   \
                               err),                                                               \
         "weights_path is 'x'")                                                                    \
    CASE(training_model, an_model_set_training(NULL, 0, 0, err), "model")                          \
    CASE(training_precision, an_model_set_training(model, 2, 0, err), "precision is 2")            \
    CASE(training_recompute, an_model_set_training(model, 0, -1, err), "recompute is -1")          \
    CASE(parameters_endless, an_mobilenetv2_count_parameters(INFINITY, 1, NULL, NULL, err),        \
         "alpha is inf")                                                                           \
    CASE(describe_unset, an_model_describe(model, &unset_info, err),                               \
         "an_model_info: struct_size is 0")                                                        \
    CASE(momentum_below, an_model_set_momentum(model, -0.1, err), "momentum")                      \
    CASE(predict_many, an_model_predict(model, x, MANY, y, err), "16777217")                       \
    CASE(predict_infinite, an_model_predict(model, infinite, 1, y, err),                           \
         "value 5 of image 0 is inf")                                                              \
    CASE(features_x, an_model_compute_features(model, NULL, 1, features, err), "NULL")             \
    CASE(features_n, an_model_compute_features(model, x, INT64_MAX, features, err), "batch")       \
    CASE(features_infinite, an_model_compute_features(model, infinite, 1, features, err),          \
         "is inf")                                                                                 \
    CASE(head_n, an_model_predict_from_features(model, features, 0, y, err), "batch")              \
    CASE(head_many, an_model_predict_from_features(model, features, INT64_MAX, y, err), "batch")   \
    CASE(head_y, an_model_predict_from_features(model, features, 1, NULL, err), "NULL")            \
    CASE(gradients_x,                                                                              \
         an_model_compute_gradients(model, NULL, some, 1, loss_of(AN_LOSS_MSE), &loss, err),       \
         "NULL")                                                                                   \
    CASE(gradients_n,                                                                              \
         an_model_compute_gradients(model, x, some, MANY, loss_of(AN_LOSS_MSE), &loss, err),       \
         "batch")                                                                                  \
    CASE(gradients_infinite,                                                                       \
         an_model_compute_gradients(model, infinite, some, 1, loss_of(AN_LOSS_MSE), &loss, err),   \
         "is inf")                                                                                 \
    CASE(gradients_score_categorical,                                                              \
         an_model_compute_gradients(model, x, one_hot, 1, loss_of(AN_LOSS_CATEGORICAL), &loss,     \
                                    err),                                                          \
         "AN_LOSS_CATEGORICAL with 1 output")                                                      \
    CASE(head_gradients_score_categorical,                                                         \
         an_model_compute_head_gradients(model, features, one_hot, 1,                              \
                                         loss_of(AN_LOSS_CATEGORICAL), &loss, err),                \
         "AN_LOSS_CATEGORICAL with 1 output")                                                      \
    CASE(gradients_score_binary,                                                                   \
         an_model_compute_gradients(model, x, one_hot, 1, loss_of(AN_LOSS_BINARY), &loss, err),    \
         "AN_LOSS_BINARY and the model's task is AN_TASK_REGRESSION")                              \
    CASE(head_gradients_score_binary,                                                              \
         an_model_compute_head_gradients(model, features, one_hot, 1, loss_of(AN_LOSS_BINARY),     \
                                         &loss, err),                                              \
         "AN_LOSS_BINARY and the model's task is AN_TASK_REGRESSION")                              \
    CASE(gradients_classes_mse,                                                                    \
         an_model_compute_gradients(classes, x, one_hot, 1, loss_of(AN_LOSS_MSE), &loss, err),     \
         "AN_LOSS_MSE and the model's task is AN_TASK_CLASSIFICATION")                             \
    CASE(head_gradients_classes_mse,                                                               \
         an_model_compute_head_gradients(classes, features, one_hot, 1, loss_of(AN_LOSS_MSE),      \
                                         &loss, err),                                              \
         "AN_LOSS_MSE and the model's task is AN_TASK_CLASSIFICATION")                             \
    CASE(gradients_classes_huber,                                                                  \
         an_model_compute_gradients(classes, x, one_hot, 1, loss_of(AN_LOSS_HUBER), &loss, err),   \
         "it must be AN_LOSS_CATEGORICAL")                                                         \
    CASE(head_gradients_classes_huber,                                                             \
         an_model_compute_head_gradients(classes, features, one_hot, 1, loss_of(AN_LOSS_HUBER),    \
                                         &loss, err),                                              \
         "it must be AN_LOSS_CATEGORICAL")                                                         \
    CASE(gradients_classes_binary,                                                                 \
         an_model_compute_gradients(classes, x, one_hot, 1, loss_of(AN_LOSS_BINARY), &loss, err),  \
         "with 3 outputs; it must be AN_LOSS_CATEGORICAL")                                         \
    CASE(head_gradients_classes_binary,                                                            \
         an_model_compute_head_gradients(classes, features, one_hot, 1, loss_of(AN_LOSS_BINARY),   \
                                         &loss, err),                                              \
         "with 3 outputs; it must be AN_LOSS_CATEGORICAL")                                         \
    CASE(gradients_yes_no_mae,                                                                     \
         an_model_compute_gradients(yes_no, x, one_hot, 1, loss_of(AN_LOSS_MAE), &loss, err),      \
         "it must be AN_LOSS_BINARY")                                                              \
    CASE(head_gradients_yes_no_mae,                                                                \
         an_model_compute_head_gradients(yes_no, features, one_hot, 1, loss_of(AN_LOSS_MAE),       \
                                         &loss, err),                                              \
         "it must be AN_LOSS_BINARY")                                                              \
    CASE(gradients_yes_no_categorical,                                                             \
         an_model_compute_gradients(yes_no, x, one_hot, 1, loss_of(AN_LOSS_CATEGORICAL), &loss,    \
                                    err),                                                          \
         "AN_LOSS_BINARY")                                                                         \
    CASE(head_gradients_yes_no_categorical,                                                        \
         an_model_compute_head_gradients(yes_no, features, one_hot, 1,                             \
                                         loss_of(AN_LOSS_CATEGORICAL), &loss, err),                \
         "AN_LOSS_BINARY")                                                                         \
    CASE(gradients_not_hot,                                                                        \
         an_model_compute_gradients(classes, x, not_hot, 2, loss_of(AN_LOSS_CATEGORICAL), &loss,   \
                                    err),                                                          \
         "target 0 of sample 0 is 2")                                                              \
    CASE(gradients_negative,                                                                       \
         an_model_compute_gradients(yes_no, x, half_negative, 2, loss_of(AN_LOSS_BINARY), &loss,   \
                                    err),                                                          \
         "target 0 of sample 1 is -0.5")                                                           \
    CASE(gradients_nan,                                                                            \
         an_model_compute_gradients(yes_no, x, no_number, 2, loss_of(AN_LOSS_BINARY), &loss, err), \
         "is nan")                                                                                 \
    CASE(head_gradients_not_hot,                                                                   \
         an_model_compute_head_gradients(classes, features, not_hot, 1,                            \
                                         loss_of(AN_LOSS_CATEGORICAL), &loss, err),                \
         "probability")                                                                            \
    CASE(head_gradients_features,                                                                  \
         an_model_compute_head_gradients(model, NULL, some, 1, loss_of(AN_LOSS_MSE), &loss, err),  \
         "NULL")                                                                                   \
    CASE(head_gradients_y,                                                                         \
         an_model_compute_head_gradients(model, features, NULL, 1, loss_of(AN_LOSS_MSE), &loss,    \
                                         err),                                                     \
         "NULL")                                                                                   \
    CASE(update_infinite, an_model_update_batch_norm_add(model, infinite, 1, err), "is inf")       \
    CASE(update_n, an_model_update_batch_norm_add(model, x, 0, err), "batch")                      \
    CASE(calibrate_infinite, an_model_calibrate_add(model, infinite, 1, err), "is inf")            \
    CASE(calibrate_n, an_model_calibrate_add(model, x, -1, err), "batch")                          \
    CASE(explain_infinite, an_model_explain(model, infinite, 1, NULL, y, err), "is inf")           \
    CASE(explain_n, an_model_explain(model, x, 0, NULL, y, err), "a batch of 0")                   \
    CASE(explain_size,                                                                             \
         an_model_explain(model, x, 1, wrong_an_explain_options_struct_size(), y, err),            \
         "struct_size is 0")                                                                       \
    CASE(explain_output, an_model_explain(model, x, 1, wrong_output_past_the_end(), y, err),       \
         "output is 1; it must be -1 to 0")                                                        \
    CASE(explain_output_low, an_model_explain(model, x, 1, wrong_output_below(), y, err),          \
         "output is -2")                                                                           \
    CASE(explain_sign, an_model_explain(model, x, 1, wrong_an_explain_options_sign(), y, err),     \
         "sign is 3")                                                                              \
    CASE(explain_reserved,                                                                         \
         an_model_explain(model, x, 1, wrong_an_explain_options_reserved(), y, err),               \
         "reserved is 1")                                                                          \
    CASE(explain_layer, an_model_explain(model, x, 1, wrong_an_explain_options_layer(), y, err),   \
         "no layer 'dense' with maps; it must be one from 'Conv1' to 'out_relu'")                  \
    CASE(inference_3, an_model_set_inference(model, 3, err), "inference is 3")                     \
    CASE(conv_backend, an_conv_forward(NULL, NULL, image, kernel, image, err), "backend")          \
    CASE(conv_size,                                                                                \
         an_conv_forward(backend, wrong_an_conv_options_struct_size(), image, kernel, image, err), \
         "struct_size is 0")                                                                       \
    CASE(conv_kind,                                                                                \
         an_conv_forward(backend, wrong_an_conv_options_kind(), image, kernel, image, err),        \
         "kind is 2")                                                                              \
    CASE(conv_stride,                                                                              \
         an_conv_forward(backend, wrong_an_conv_options_stride(), image, kernel, image, err),      \
         "stride is 0")                                                                            \
    CASE(conv_pad,                                                                                 \
         an_conv_forward(backend, wrong_an_conv_options_pad_left(), image, kernel, image, err),    \
         "3")                                                                                      \
    CASE(conv_back_pad,                                                                            \
         an_conv_backward(backend, wrong_an_conv_options_pad_bottom(), image, kernel, image, NULL, \
                          NULL, err),                                                              \
         "-1")                                                                                     \
    CASE(conv_x, an_conv_forward(backend, NULL, NULL, kernel, image, err), "'x' is NULL")          \
    CASE(conv_w, an_conv_forward(backend, NULL, image, NULL, image, err), "'w' is NULL")           \
    CASE(conv_w_rank, an_conv_forward(backend, NULL, image, matrix, image, err),                   \
         "'w' has shape [2,2]")                                                                    \
    CASE(conv_y, an_conv_forward(backend, NULL, image, kernel, NULL, err), "'y' is NULL")          \
    CASE(conv_back_backend, an_conv_backward(NULL, NULL, image, kernel, image, NULL, NULL, err),   \
         "backend")                                                                                \
    CASE(conv_back_dy, an_conv_backward(backend, NULL, image, kernel, NULL, NULL, NULL, err),      \
         "'dy' is NULL")                                                                           \
    CASE(conv_back_dx, an_conv_backward(backend, NULL, image, kernel, image, kernel, NULL, err),   \
         "'dx'")                                                                                   \
    CASE(norm_backend,                                                                             \
         an_batch_norm_forward(NULL, image, channel, channel, channel, channel, 0.9, 1, image,     \
                               err),                                                               \
         "backend")                                                                                \
    CASE(norm_momentum,                                                                            \
         an_batch_norm_forward(backend, image, channel, channel, channel, channel, NAN, 1, image,  \
                               err),                                                               \
         "momentum is nan")                                                                        \
    CASE(norm_training,                                                                            \
         an_batch_norm_forward(backend, image, channel, channel, channel, channel, 0.9, 2, image,  \
                               err),                                                               \
         "training is 2")                                                                          \
    CASE(norm_beta,                                                                                \
         an_batch_norm_forward(backend, image, channel, NULL, channel, channel, 0.9, 1, image,     \
                               err),                                                               \
         "'beta' is NULL")                                                                         \
    CASE(norm_gamma,                                                                               \
         an_batch_norm_forward(backend, image, matrix, channel, channel, channel, 0.9, 1, image,   \
                               err),                                                               \
         "'gamma' has shape [2,2]")                                                                \
    CASE(norm_back_backend,                                                                        \
         an_batch_norm_backward(NULL, image, channel, channel, channel, 1, image, image, NULL,     \
                                NULL, err),                                                        \
         "backend")                                                                                \
    CASE(norm_back_training,                                                                       \
         an_batch_norm_backward(backend, image, channel, channel, channel, -1, image, image, NULL, \
                                NULL, err),                                                        \
         "training is -1")                                                                         \
    CASE(norm_back_dy,                                                                             \
         an_batch_norm_backward(backend, image, channel, channel, channel, 1, matrix, image, NULL, \
                                NULL, err),                                                        \
         "'dy'")                                                                                   \
    CASE(relu_backend, an_relu6_forward(NULL, image, image, err), "backend")                       \
    CASE(relu_y, an_relu6_forward(backend, image, matrix, err), "'y' has shape")                   \
    CASE(relu_back_dy, an_relu6_backward(backend, image, NULL, image, err), "'dy' is NULL")        \
    CASE(relu_back_dx, an_relu6_backward(backend, image, image, NULL, err), "'dx' is NULL")        \
    CASE(add_b, an_add_forward(backend, image, matrix, image, err), "'b' has shape")               \
    CASE(pool_y, an_pool_forward(backend, image, image, err), "'y' has shape")                     \
    CASE(pool_back_dy, an_pool_backward(backend, image, image, err), "'dy' has shape")             \
    CASE(dense_w, an_dense_forward(backend, matrix, image, channel, matrix, err), "'w' has shape") \
    CASE(dense_b, an_dense_forward(backend, matrix, matrix, NULL, matrix, err), "'b' is NULL")     \
    CASE(dense_back_x, an_dense_backward(backend, image, matrix, matrix, NULL, NULL, NULL, err),   \
         "'x' has shape")                                                                          \
    CASE(dense_back_db,                                                                            \
         an_dense_backward(backend, matrix, matrix, matrix, NULL, NULL, matrix, err),              \
         "'db' has shape")                                                                         \
    CASE(loss_backend, an_loss_compute(NULL, AN_LOSS_MSE, matrix, matrix, NULL, &loss, NULL, err), \
         "backend")                                                                                \
    CASE(loss_kind, an_loss_compute(backend, 6, matrix, matrix, NULL, &loss, NULL, err),           \
         "loss is 6")                                                                              \
    CASE(loss_auto,                                                                                \
         an_loss_compute(backend, AN_LOSS_AUTO, matrix, matrix, NULL, &loss, NULL, err),           \
         "loss is AN_LOSS_AUTO")                                                                   \
    CASE(loss_place, an_loss_compute(backend, AN_LOSS_MSE, matrix, matrix, NULL, NULL, NULL, err), \
         "NULL")                                                                                   \
    CASE(loss_target,                                                                              \
         an_loss_compute(backend, AN_LOSS_MSE, matrix, image, NULL, &loss, NULL, err),             \
         "'target' has shape")                                                                     \
    CASE(loss_one_output,                                                                          \
         an_loss_compute(backend, AN_LOSS_CATEGORICAL, column, column, NULL, &loss, NULL, err),    \
         "AN_LOSS_CATEGORICAL with 1 output")                                                      \
    CASE(loss_target_range,                                                                        \
         an_loss_compute(backend, AN_LOSS_CATEGORICAL, matrix, matrix, NULL, &loss, NULL, err),    \
         "target 0 of sample 1 is 7")                                                              \
    CASE(loss_binary_range,                                                                        \
         an_loss_compute(backend, AN_LOSS_BINARY, column, column, NULL, &loss, NULL, err),         \
         "target 0 of sample 0 is -1")                                                             \
    CASE(optimizer_out, an_optimizer_create(NULL, model, NULL, err), "out")                        \
    CASE(optimizer_model, an_optimizer_create(&optimizer_out, NULL, NULL, err), "model")           \
    CASE(                                                                                          \
        optimizer_struct_size,                                                                     \
        an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_struct_size(), err), \
        "struct_size")                                                                             \
    CASE(optimizer_kind,                                                                           \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_kind(), err),       \
         "kind")                                                                                   \
    CASE(optimizer_nesterov,                                                                       \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_nesterov(), err),   \
         "nesterov")                                                                               \
    CASE(optimizer_decay_kernels_only,                                                             \
         an_optimizer_create(&optimizer_out, model,                                                \
                             wrong_an_optimizer_options_decay_kernels_only(), err),                \
         "decay_kernels_only")                                                                     \
    CASE(                                                                                          \
        optimizer_layer_decay,                                                                     \
        an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_layer_decay(), err), \
        "layer_decay")                                                                             \
    CASE(optimizer_beta1,                                                                          \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_beta1(), err),      \
         "beta1")                                                                                  \
    CASE(optimizer_beta2,                                                                          \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_beta2(), err),      \
         "beta2")                                                                                  \
    CASE(optimizer_epsilon,                                                                        \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_epsilon(), err),    \
         "epsilon")                                                                                \
    CASE(optimizer_momentum,                                                                       \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_momentum(), err),   \
         "momentum")                                                                               \
    CASE(optimizer_weight_decay,                                                                   \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_weight_decay(),     \
                             err),                                                                 \
         "weight_decay")                                                                           \
    CASE(optimizer_clip_norm,                                                                      \
         an_optimizer_create(&optimizer_out, model, wrong_an_optimizer_options_clip_norm(), err),  \
         "clip_norm")                                                                              \
    CASE(step_null, an_optimizer_step(NULL, 0.1, err), "optimizer")                                \
    CASE(step_rate, an_optimizer_step(optimizer, -1, err), "learning rate is -1")                  \
    CASE(step_nan, an_optimizer_step(optimizer, NAN, err), "learning rate is nan")                 \
    CASE(step_early, an_optimizer_step(optimizer, 0.1, err), "no gradients")                       \
    CASE(apply_options,                                                                            \
         an_optimizer_apply(wrong_an_optimizer_options_kind(), 1, 0.1, 1, y, some, y, y, err),     \
         "kind")                                                                                   \
    CASE(apply_step, an_optimizer_apply(NULL, 0, 0.1, 1, y, some, y, y, err), "step is 0")         \
    CASE(apply_rate, an_optimizer_apply(NULL, 1, INFINITY, 1, y, some, y, y, err),                 \
         "learning rate is inf")                                                                   \
    CASE(apply_count, an_optimizer_apply(NULL, 1, 0.1, -1, y, some, y, y, err), "count is -1")     \
    CASE(apply_null, an_optimizer_apply(NULL, 1, 0.1, 1, y, some, y, NULL, err), "NULL")
REFUSED(MISUSE_DEFINE)
static const misuse_call refused[] = {REFUSED(MISUSE_LIST)};

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    const misuse_out outs[] = {{"&model_out", &model_out},
                               {"&arrays_out", &arrays_out},
                               {"&bytes_out", &bytes_out},
                               {"&optimizer_out", &optimizer_out}};
    misuse_refused(refused, sizeof refused / sizeof *refused, outs, sizeof outs / sizeof *outs);
    /* what was there still works */
    an_error err;
    if (an_model_predict(model, x, 1, y, &err)) fail_msg("%s", err.message);
    assert_true(isfinite(y[0]));
}

/* What is right beside the calls above. */
static void losses_of_the_task_are_taken(void **state) {
    (void)state;
    an_error err;
    for (int32_t kind = AN_LOSS_MSE; kind <= AN_LOSS_HUBER; kind++)
        if (an_model_compute_gradients(model, x, some, 2, loss_of(kind), &loss, &err))
            fail_msg("%s", err.message);
    if (an_model_compute_gradients(classes, x, one_hot, 2, loss_of(AN_LOSS_CATEGORICAL), NULL,
                                   &err) ||
        an_model_compute_gradients(yes_no, x, some, 2, loss_of(AN_LOSS_BINARY), &loss, &err))
        fail_msg("%s", err.message);
}

static void rates_without_an_answer_are_nan(void **state) {
    (void)state;
    an_schedule_options cosine;
    an_schedule_options_init(&cosine, sizeof cosine);
    assert_true(an_schedule_rate(NULL, 0.5, 3) == 0.5);
    assert_true(isnan(an_schedule_rate(NULL, 0.5, -1)));
    assert_true(isnan(an_schedule_rate(NULL, NAN, 3)));
    assert_true(isnan(an_schedule_rate(NULL, -1, 3)));
    assert_true(isnan(an_schedule_rate(wrong_an_schedule_options_struct_size(), 0.5, 3)));
    assert_true(isnan(an_schedule_rate(wrong_an_schedule_options_kind(), 0.5, 3)));
    assert_true(isnan(an_schedule_rate(wrong_an_schedule_options_warmup_steps(), 0.5, 3)));
    assert_true(isnan(an_schedule_rate(wrong_an_schedule_options_decay_steps(), 0.5, 3)));
    assert_true(isnan(an_schedule_rate(wrong_an_schedule_options_warmup_start(), 0.5, 3)));
    assert_true(isnan(an_schedule_rate(wrong_an_schedule_options_final_fraction(), 0.5, 3)));
    cosine.kind = AN_SCHEDULE_COSINE; /* over the rest of a stage that nobody knows */
    assert_true(isnan(an_schedule_rate(&cosine, 0.5, 3)));
}

static void nothing_has_empty_answers(void **state) {
    (void)state;
    char text[8] = "before";
    assert_null(an_model_backend(NULL));
    assert_int_equal(an_model_class_count(NULL), 0);
    assert_null(an_model_class_name(NULL, 0));
    assert_true(isnan(an_model_interval(NULL, 0, NULL)));
    assert_true(isnan(an_model_interval(model, -1, NULL)));
    assert_int_equal(an_model_summary(NULL, 0, NULL, 0), 0);
    assert_int_equal(an_model_summary(model, 3, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_true(an_model_summary(model, 0, NULL, 99) > 99);
    assert_true(an_model_summary(model, 0, text, -1) > 99);
    assert_int_equal(an_optimizer_steps(NULL), 0);
    MISUSE_INIT(an_mobilenetv2_options, an_mobilenetv2_options_init);
    MISUSE_INIT(an_conv_options, an_conv_options_init);
    MISUSE_INIT(an_loss_options, an_loss_options_init);
    MISUSE_INIT(an_explain_options, an_explain_options_init);
    MISUSE_INIT(an_export_options, an_export_options_init);
    MISUSE_INIT(an_optimizer_options, an_optimizer_options_init);
    MISUSE_INIT(an_schedule_options, an_schedule_options_init);
    an_model_destroy(NULL);
    an_optimizer_destroy(NULL);
}

/* --- what all is done on ---------------------------------------------------------------------- */

static an_tensor *make_tensor(int32_t rank, const int64_t *shape) {
    an_tensor *made = NULL;
    an_tensor_create(&made, shape, rank, NULL);
    return made;
}

static int make_objects(void **state) {
    (void)state;
    infinite[5] = INFINITY;
    backend = test_backend_make("cpu", NULL, 1);
    model = small_model(backend, 1, AN_TASK_REGRESSION);
    classes = small_model(backend, 3, AN_TASK_CLASSIFICATION);
    yes_no = small_model(backend, 1, AN_TASK_CLASSIFICATION);
    image = make_tensor(4, (const int64_t[]){1, 4, 4, 2});
    kernel = make_tensor(4, (const int64_t[]){1, 1, 2, 2});
    channel = make_tensor(1, (const int64_t[]){2});
    matrix = make_tensor(2, (const int64_t[]){2, 2});
    column = make_tensor(2, (const int64_t[]){2, 1});
    an_tensor_data(matrix)[2] = 7;
    an_tensor_data(column)[0] = -1;
    return an_arrays_create(&arrays, NULL) || an_optimizer_create(&optimizer, model, NULL, NULL);
}

/* Parents first: whoever needs them holds them. */
static int drop_objects(void **state) {
    (void)state;
    an_tensor *const tensors[] = {image, kernel, channel, matrix, column};
    an_backend_destroy(backend);
    an_model_destroy(model);
    an_model_destroy(classes);
    an_model_destroy(yes_no);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        an_tensor_destroy(tensors[i]);
    an_arrays_destroy(arrays);
    an_optimizer_destroy(optimizer);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(losses_of_the_task_are_taken),
        cmocka_unit_test(rates_without_an_answer_are_nan),
        cmocka_unit_test(nothing_has_empty_answers),
    };
    return cmocka_run_group_tests_name("misuse_model", tests, make_objects, drop_objects);
}
