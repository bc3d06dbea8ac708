/* SPDX-License-Identifier: MIT
 * Arguments that no caller may give: each call is refused with AN_ERR_ARG and a message that names
 * what is wrong; questions to nothing have empty answers; destructors accept NULL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <attractivenet/attractivenet.h>

enum { SIZE = 32, LARGE = 1 << 20 };

/* What the calls are made on; each is in order. */
static an_backend *backend;
static an_model *model;
static an_dataset *dataset;
static an_batches *batches;
static an_history *history;
static an_arrays *arrays;
static an_tensor *tensor;
static an_image *image;

/* Where results would go. */
static an_backend *backend_out;
static an_model *model_out;
static an_dataset *dataset_out;
static an_batches *batches_out;
static an_arrays *arrays_out;
static an_tensor *tensor_out;
static an_image *image_out;
static float x[SIZE * SIZE * 3], y[8], table[256];
static double truth[4] = {1, 2, 3, 4}, loss;
static uint8_t rgb[SIZE * SIZE * 3];
static int64_t train[4], test[4], n_train, n_val, n_test;
static an_metrics metrics;
static an_epoch_report report;
static an_model_info info;

static const int64_t shape[2] = {2, 2}, negative[2] = {2, -1};
static const int64_t endless[3] = {INT64_C(1) << 40, INT64_C(1) << 40, 4};
static const int64_t outside[1] = {99};
static const float not_a_number[4] = {1, NAN, 2, 3};
static const float some[4] = {1, 2, 3, 4};

/* Options with one field wrong. */
#define WRONG(type, field, value)                                                                  \
    static const type *wrong_##type##_##field(void) {                                              \
        static type options;                                                                       \
        type##_init(&options, sizeof options);                                                     \
        options.field = value;                                                                     \
        return &options;                                                                           \
    }
WRONG(an_backend_options, struct_size, 0)
WRONG(an_backend_options, kind, 9)
WRONG(an_backend_options, threads, -1)
WRONG(an_backend_options, device, -1)
WRONG(an_extract_options, policy, 7)
WRONG(an_extract_options, label_file, NULL)
WRONG(an_image_limits, max_scans, 0)
WRONG(an_image_limits, max_pixels, -1)
WRONG(an_image_limits, max_memory, 0)
WRONG(an_dataset_options, policy, -1)
WRONG(an_dataset_options, height, 0)
WRONG(an_dataset_options, width, 8193)
WRONG(an_dataset_options, cache, 3)
WRONG(an_dataset_options, outputs, 0)
WRONG(an_split_options, shuffle, 2)
WRONG(an_split_options, test_kind, 5)
WRONG(an_split_options, reserved, 1)
WRONG(an_batches_options, batch, 0)
WRONG(an_batches_options, shuffle, 2)
WRONG(an_batches_options, last_batch, -1)
WRONG(an_batches_options, scale, AN_SCALE_AUTO)
WRONG(an_batches_options, threads, -1)
WRONG(an_batches_options, ahead, 0)
WRONG(an_mobilenetv2_options, height, 31)
WRONG(an_mobilenetv2_options, width, -5)
WRONG(an_mobilenetv2_options, outputs, 0)
WRONG(an_mobilenetv2_options, task, 2)
WRONG(an_mobilenetv2_options, padding, 3)
WRONG(an_mobilenetv2_options, scale, 9)
WRONG(an_mobilenetv2_options, alpha, -1)
WRONG(an_download_options, max_redirects, -1)
WRONG(an_download_options, max_bytes, 0)
WRONG(an_download_options, sha256, "abc")
WRONG(an_download_options, expected_type, "exe")

/* --- calls that are refused: name of the case, the call, a word of the message ------------------
 */
#define REFUSED(CASE)                                                                              \
    CASE(backend_out_null, an_backend_create(NULL, NULL, err), "out")                              \
    CASE(backend_no_size,                                                                          \
         an_backend_create(&backend_out, wrong_an_backend_options_struct_size(), err),             \
         "struct_size")                                                                            \
    CASE(backend_kind, an_backend_create(&backend_out, wrong_an_backend_options_kind(), err),      \
         "kind")                                                                                   \
    CASE(backend_threads,                                                                          \
         an_backend_create(&backend_out, wrong_an_backend_options_threads(), err), "threads")      \
    CASE(backend_device, an_backend_create(&backend_out, wrong_an_backend_options_device(), err),  \
         "device")                                                                                 \
    CASE(tensor_out_null, an_tensor_create(NULL, shape, 2, err), "out")                            \
    CASE(tensor_shape_null, an_tensor_create(&tensor_out, NULL, 2, err), "shape")                  \
    CASE(tensor_rank_0, an_tensor_create(&tensor_out, shape, 0, err), "rank")                      \
    CASE(tensor_rank_9, an_tensor_create(&tensor_out, shape, 9, err), "rank")                      \
    CASE(tensor_negative, an_tensor_create(&tensor_out, negative, 2, err), "below 0")              \
    CASE(tensor_endless, an_tensor_create(&tensor_out, endless, 3, err), "too large")              \
    CASE(tensor_data_null, an_tensor_borrow(&tensor_out, NULL, shape, 2, err), "data")             \
    CASE(tensor_borrow_out, an_tensor_borrow(NULL, x, shape, 2, err), "out")                       \
    CASE(download_url, an_download(NULL, "x", NULL, err), "url")                                   \
    CASE(download_path, an_download("file:///x", NULL, NULL, err), "path")                         \
    CASE(download_redirects,                                                                       \
         an_download("file:///x", "x", wrong_an_download_options_max_redirects(), err),            \
         "max_redirects")                                                                          \
    CASE(download_bytes,                                                                           \
         an_download("file:///x", "x", wrong_an_download_options_max_bytes(), err), "max_bytes")   \
    CASE(download_sha, an_download("file:///x", "x", wrong_an_download_options_sha256(), err),     \
         "sha256")                                                                                 \
    CASE(download_type,                                                                            \
         an_download("file:///x", "x", wrong_an_download_options_expected_type(), err),            \
         "expected_type")                                                                          \
    CASE(extract_archive, an_archive_extract(NULL, "x", NULL, NULL, err), "archive")               \
    CASE(extract_folder, an_archive_extract("x", NULL, NULL, NULL, err), "folder")                 \
    CASE(decode_out, an_image_decode(NULL, rgb, 9, "n", NULL, err), "out")                         \
    CASE(decode_bytes, an_image_decode(&image_out, NULL, 9, "n", NULL, err), "bytes")              \
    CASE(decode_size, an_image_decode(&image_out, rgb, -1, "n", NULL, err), "size")                \
    CASE(decode_scans,                                                                             \
         an_image_decode(&image_out, rgb, 9, "n", wrong_an_image_limits_max_scans(), err),         \
         "max_scans")                                                                              \
    CASE(decode_pixels,                                                                            \
         an_image_decode(&image_out, rgb, 9, "n", wrong_an_image_limits_max_pixels(), err),        \
         "max_pixels")                                                                             \
    CASE(decode_memory,                                                                            \
         an_image_decode(&image_out, rgb, 9, "n", wrong_an_image_limits_max_memory(), err),        \
         "max_memory")                                                                             \
    CASE(image_read_path, an_image_read(&image_out, NULL, NULL, err), "path")                      \
    CASE(image_read_out, an_image_read(NULL, "x", NULL, err), "out")                               \
    CASE(image_create_out, an_image_create(NULL, rgb, 2, 2, err), "out")                           \
    CASE(image_create_0, an_image_create(&image_out, rgb, 0, 2, err), "x 0 pixels")                \
    CASE(image_create_large, an_image_create(&image_out, NULL, 2, LARGE, err), "65535")            \
    CASE(resize_dst, an_resize_u8(NULL, 2, 2, rgb, 2, 2, 3, err), "dst")                           \
    CASE(resize_src, an_resize_u8(rgb, 2, 2, NULL, 2, 2, 3, err), "src")                           \
    CASE(resize_height, an_resize_u8(rgb, 0, 2, rgb + 99, 2, 2, 3, err), "dst_height")             \
    CASE(resize_width, an_resize_u8(rgb, 2, 2, rgb + 99, 2, LARGE, 3, err), "src_width")           \
    CASE(resize_channels, an_resize_u8(rgb, 2, 2, rgb + 99, 2, 2, 5, err), "channels")             \
    CASE(png_image, an_image_write_png(NULL, "x", err), "image")                                   \
    CASE(png_path, an_image_write_png(image, NULL, err), "path")                                   \
    CASE(jpeg_image, an_image_write_jpeg(NULL, "x", 90, err), "image")                             \
    CASE(jpeg_path, an_image_write_jpeg(image, NULL, 90, err), "path")                             \
    CASE(jpeg_quality, an_image_write_jpeg(image, "x", 101, err), "quality")                       \
    CASE(arrays_out, an_arrays_create(NULL, err), "out")                                           \
    CASE(arrays_read_out, an_arrays_read(NULL, "x", err), "out")                                   \
    CASE(arrays_read_path, an_arrays_read(&arrays_out, NULL, err), "path")                         \
    CASE(arrays_write_null, an_arrays_write(NULL, "x", err), "arrays")                             \
    CASE(arrays_write_path, an_arrays_write(arrays, NULL, err), "path")                            \
    CASE(arrays_add_null, an_arrays_add(NULL, "n", some, shape, 2, err), "arrays")                 \
    CASE(arrays_add_name, an_arrays_add(arrays, NULL, some, shape, 2, err), "name")                \
    CASE(arrays_add_empty, an_arrays_add(arrays, "", some, shape, 2, err), "name")                 \
    CASE(arrays_add_data, an_arrays_add(arrays, "n", NULL, shape, 2, err), "data")                 \
    CASE(arrays_add_shape, an_arrays_add(arrays, "n", some, NULL, 2, err), "shape")                \
    CASE(arrays_add_rank, an_arrays_add(arrays, "n", some, shape, 9, err), "axes")                 \
    CASE(arrays_add_negative, an_arrays_add(arrays, "n", some, negative, 2, err), "shape")         \
    CASE(arrays_add_endless, an_arrays_add(arrays, "n", some, endless, 3, err), "shape")           \
    CASE(arrays_add_twice, an_arrays_add(arrays, "there", some, shape, 2, err), "there")           \
    CASE(metadata_null, an_arrays_set_metadata(NULL, "k", "v", err), "arrays")                     \
    CASE(metadata_key, an_arrays_set_metadata(arrays, NULL, "v", err), "key")                      \
    CASE(metadata_value, an_arrays_set_metadata(arrays, "k", NULL, err), "value")                  \
    CASE(metadata_utf8, an_arrays_set_metadata(arrays, "k", "\xE4", err), "UTF-8")                 \
    CASE(scale_table, an_scale_table(NULL, AN_SCALE_TF, err), "table")                             \
    CASE(scale_auto, an_scale_table(table, AN_SCALE_AUTO, err), "scale")                           \
    CASE(scale_9, an_scale_table(table, 9, err), "scale")                                          \
    CASE(dataset_out_null, an_dataset_open(NULL, "x", NULL, err), "out")                           \
    CASE(dataset_path, an_dataset_open(&dataset_out, NULL, NULL, err), "path")                     \
    CASE(dataset_policy,                                                                           \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_policy(), err), "policy")     \
    CASE(dataset_height,                                                                           \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_height(), err), "height")     \
    CASE(dataset_width, an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_width(), err), \
         "width")                                                                                  \
    CASE(dataset_cache, an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_cache(), err), \
         "cache")                                                                                  \
    CASE(dataset_outputs,                                                                          \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_outputs(), err), "outputs")   \
    CASE(pixels_out, an_dataset_from_pixels(NULL, rgb, some, 1, NULL, err), "out")                 \
    CASE(pixels_rgb, an_dataset_from_pixels(&dataset_out, NULL, some, 1, NULL, err), "rgb")        \
    CASE(pixels_scores, an_dataset_from_pixels(&dataset_out, rgb, NULL, 1, NULL, err), "scores")   \
    CASE(pixels_count, an_dataset_from_pixels(&dataset_out, rgb, some, 0, NULL, err), "count")     \
    CASE(sample_null, an_dataset_pixels(NULL, 0, rgb, err), "dataset")                             \
    CASE(sample_rgb, an_dataset_pixels(dataset, 0, NULL, err), "rgb")                              \
    CASE(sample_below, an_dataset_pixels(dataset, -1, rgb, err), "index")                          \
    CASE(sample_above, an_dataset_pixels(dataset, 99, rgb, err), "index")                          \
    CASE(split_train_null, an_split_sizes(9, NULL, NULL, &n_test, err), "n_train")                 \
    CASE(split_test_null, an_split_sizes(9, NULL, &n_train, NULL, err), "n_test")                  \
    CASE(split_count, an_split_sizes(-1, NULL, &n_train, &n_test, err), "count")                   \
    CASE(split_shuffle,                                                                            \
         an_split_sizes(9, wrong_an_split_options_shuffle(), &n_train, &n_test, err), "shuffle")   \
    CASE(split_kind,                                                                               \
         an_split_sizes(9, wrong_an_split_options_test_kind(), &n_train, &n_test, err),            \
         "test_kind")                                                                              \
    CASE(split_reserved,                                                                           \
         an_split_sizes(9, wrong_an_split_options_reserved(), &n_train, &n_test, err), "reserved") \
    CASE(split_indices, an_train_test_split(4, NULL, NULL, test, err), "train")                    \
    CASE(split_rest, an_train_test_split(4, NULL, train, NULL, err), "test")                       \
    CASE(tutorial_indices, an_tutorial_split(4, 1, NULL, &n_train, &n_val, &n_test, err),          \
         "indices")                                                                                \
    CASE(tutorial_val, an_tutorial_split(4, 1, train, &n_train, NULL, &n_test, err), "n_val")      \
    CASE(tutorial_none, an_tutorial_split(0, 1, train, &n_train, &n_val, &n_test, err),            \
         "0 samples")                                                                              \
    CASE(batches_out_null, an_batches_create(NULL, dataset, NULL, 0, NULL, err), "out")            \
    CASE(batches_dataset, an_batches_create(&batches_out, NULL, NULL, 0, NULL, err), "dataset")    \
    CASE(batches_index, an_batches_create(&batches_out, dataset, outside, 1, NULL, err), "99")     \
    CASE(batches_batch,                                                                            \
         an_batches_create(&batches_out, dataset, NULL, 0, wrong_an_batches_options_batch(), err), \
         "batch")                                                                                  \
    CASE(batches_shuffle,                                                                          \
         an_batches_create(&batches_out, dataset, NULL, 0, wrong_an_batches_options_shuffle(),     \
                           err),                                                                   \
         "shuffle")                                                                                \
    CASE(batches_last,                                                                             \
         an_batches_create(&batches_out, dataset, NULL, 0, wrong_an_batches_options_last_batch(),  \
                           err),                                                                   \
         "last_batch")                                                                             \
    CASE(batches_scale,                                                                            \
         an_batches_create(&batches_out, dataset, NULL, 0, wrong_an_batches_options_scale(), err), \
         "scale")                                                                                  \
    CASE(batches_threads,                                                                          \
         an_batches_create(&batches_out, dataset, NULL, 0, wrong_an_batches_options_threads(),     \
                           err),                                                                   \
         "threads")                                                                                \
    CASE(batches_ahead,                                                                            \
         an_batches_create(&batches_out, dataset, NULL, 0, wrong_an_batches_options_ahead(), err), \
         "ahead")                                                                                  \
    CASE(begin_null, an_batches_begin(NULL, 0, 0, err), "batches")                                 \
    CASE(begin_epoch, an_batches_begin(batches, -1, 0, err), "epoch")                              \
    CASE(begin_first, an_batches_begin(batches, 0, 99, err), "first")                              \
    CASE(next_null, an_batches_next(NULL, NULL, NULL, NULL, NULL, err), "batches")                 \
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
    CASE(net_alpha,                                                                                \
         an_mobilenetv2_create(&model_out, backend, wrong_an_mobilenetv2_options_alpha(), err),    \
         "alpha")                                                                                  \
    CASE(load_path, an_model_load(&model_out, backend, NULL, NULL, err), "path")                   \
    CASE(parameters_alpha, an_mobilenetv2_parameters(NAN, 1, NULL, NULL, err), "alpha")            \
    CASE(parameters_outputs, an_mobilenetv2_parameters(1, -1, NULL, NULL, err), "outputs")         \
    CASE(describe_null, an_model_describe(NULL, &info, err), "model")                              \
    CASE(describe_info, an_model_describe(model, NULL, err), "info")                               \
    CASE(base_null, an_model_set_base(NULL, 0, err), "model")                                      \
    CASE(base_9, an_model_set_base(model, 9, err), "base")                                         \
    CASE(momentum_null, an_model_set_momentum(NULL, 0.5, err), "model")                            \
    CASE(momentum_nan, an_model_set_momentum(model, NAN, err), "momentum")                         \
    CASE(momentum_2, an_model_set_momentum(model, 2, err), "momentum")                             \
    CASE(predict_null, an_model_predict(NULL, x, 1, y, err), "model")                              \
    CASE(predict_x, an_model_predict(model, NULL, 1, y, err), "NULL")                              \
    CASE(predict_y, an_model_predict(model, x, 1, NULL, err), "NULL")                              \
    CASE(predict_n, an_model_predict(model, x, 0, y, err), "batch")                                \
    CASE(features_null, an_model_features(NULL, x, 1, y, err), "model")                            \
    CASE(features_y, an_model_features(model, x, 1, NULL, err), "NULL")                            \
    CASE(head_null, an_model_predict_features(NULL, x, 1, y, err), "model")                        \
    CASE(head_x, an_model_predict_features(model, NULL, 1, y, err), "NULL")                        \
    CASE(gradients_null, an_model_gradients(NULL, x, y, 1, AN_LOSS_MSE, &loss, err), "model")      \
    CASE(gradients_y, an_model_gradients(model, x, NULL, 1, AN_LOSS_MSE, &loss, err), "NULL")      \
    CASE(gradients_loss, an_model_gradients(model, x, y, 1, 77, &loss, err), "loss")               \
    CASE(head_gradients_null, an_model_head_gradients(NULL, x, y, 1, 0, &loss, err), "model")      \
    CASE(head_gradients_n, an_model_head_gradients(model, x, y, -3, 0, &loss, err), "batch")       \
    CASE(recalibrate_null, an_model_recalibrate_begin(NULL, err), "model")                         \
    CASE(recalibrate_add_null, an_model_recalibrate_add(NULL, x, 1, err), "model")                 \
    CASE(recalibrate_not_begun, an_model_recalibrate_add(model, x, 1, err), "begun")               \
    CASE(recalibrate_end_null, an_model_recalibrate_end(NULL, err), "model")                       \
    CASE(recalibrate_empty, an_model_recalibrate_end(model, err), "recalibration")                 \
    CASE(calibrate_null, an_model_calibrate_begin(NULL, err), "model")                             \
    CASE(calibrate_add_null, an_model_calibrate_add(NULL, x, 1, err), "model")                     \
    CASE(calibrate_add_x, an_model_calibrate_add(model, NULL, 1, err), "NULL")                     \
    CASE(calibrate_not_begun, an_model_calibrate_add(model, x, 1, err), "begun")                   \
    CASE(calibrate_end_null, an_model_calibrate_end(NULL, err), "model")                           \
    CASE(calibrate_empty, an_model_calibrate_end(model, err), "no picture")                        \
    CASE(inference_null, an_model_set_inference(NULL, 0, err), "model")                            \
    CASE(inference_word, an_model_set_inference(model, -1, err), "inference")                      \
    CASE(inference_early, an_model_set_inference(model, AN_INFERENCE_INT8, err), "calibration")    \
    CASE(weights_null, an_model_weights(NULL, &arrays_out, err), "model")                          \
    CASE(weights_out, an_model_weights(model, NULL, err), "out")                                   \
    CASE(last_null, an_model_last_gradients(NULL, &arrays_out, err), "model")                      \
    CASE(last_none, an_model_last_gradients(model, &arrays_out, err), "no gradients")              \
    CASE(set_weights_null, an_model_set_weights(NULL, arrays, err), "model")                       \
    CASE(set_weights_arrays, an_model_set_weights(model, NULL, err), "weights")                    \
    CASE(reset_null, an_model_reset_head(NULL, 1, err), "model")                                   \
    CASE(save_null, an_model_save(NULL, "x", err), "model")                                        \
    CASE(save_path, an_model_save(model, NULL, err), "path")                                       \
    CASE(metrics_truth, an_metrics_compute(NULL, some, 4, &metrics, err), "truth")                 \
    CASE(metrics_prediction, an_metrics_compute(truth, NULL, 4, &metrics, err), "prediction")      \
    CASE(metrics_out, an_metrics_compute(truth, some, 4, NULL, err), "metrics")                    \
    CASE(metrics_count, an_metrics_compute(truth, some, 0, &metrics, err), "0")                    \
    CASE(metrics_nan, an_metrics_compute(truth, not_a_number, 4, &metrics, err), "1")              \
    CASE(history_out, an_history_create(NULL, err), "out")                                         \
    CASE(history_epoch_null, an_history_epoch(NULL, 0, &report, err), "history")                   \
    CASE(history_epoch_0, an_history_epoch(history, 0, &report, err), "epoch 0")                   \
    CASE(history_append_null, an_history_append(NULL, &report, err), "history")                    \
    CASE(history_append_report, an_history_append(history, NULL, err), "report")                   \
    CASE(history_csv_null, an_history_write_csv(NULL, "x", err), "history")                        \
    CASE(history_csv_path, an_history_write_csv(history, NULL, err), "path")

#define DEFINE_CALL(name, call, word)                                                              \
    static an_status call_##name(an_error *err) {                                                  \
        return call;                                                                               \
    }
REFUSED(DEFINE_CALL)

static const struct {
    const char *name;
    an_status (*call)(an_error *err);
    const char *word;
} refused[] = {
#define LIST_CALL(name, call, word) {#name, call_##name, word},
    REFUSED(LIST_CALL)};

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        an_error err = {.status = 99};
        const an_status st = refused[i].call(&err);
        if (st != AN_ERR_ARG) {
            print_error("%s: returns %s, '%s'\n", refused[i].name, an_status_name(st), err.message);
        } else if (err.status != st || !strstr(err.message, refused[i].word)) {
            print_error("%s: the message '%s' lacks '%s'\n", refused[i].name, err.message,
                        refused[i].word);
        } else if (refused[i].call(NULL) != AN_ERR_ARG) {
            print_error("%s: other without an error object\n", refused[i].name);
        } else {
            continue;
        }
        wrong++;
    }
    assert_int_equal(wrong, 0);
    /* nothing was made, and what was there still works */
    assert_null(backend_out);
    assert_null(model_out);
    assert_null(dataset_out);
    assert_null(batches_out);
    assert_null(arrays_out);
    assert_null(tensor_out);
    assert_null(image_out);
    an_error err;
    assert_int_equal(an_model_predict(model, x, 1, y, &err), AN_OK);
    assert_true(isfinite(y[0]));
}

static void options_of_one_field_are_refused(void **state) {
    (void)state;
    an_error err;
    assert_int_equal(
        an_archive_extract("x", "x", wrong_an_extract_options_policy(), NULL, &err) < 0, 1);
    assert_int_equal(
        an_archive_extract("x", "x", wrong_an_extract_options_label_file(), NULL, &err) < 0, 1);
}

static void nothing_has_empty_answers(void **state) {
    (void)state;
    assert_int_equal(an_tensor_count(NULL) + an_tensor_rank(NULL) + an_tensor_length(NULL, 0), 0);
    assert_null(an_tensor_data(NULL));
    assert_null(an_tensor_const_data(NULL));
    assert_int_equal(an_tensor_length(tensor, -1) + an_tensor_length(tensor, 8), 0);
    assert_int_equal(an_image_height(NULL) + an_image_width(NULL), 0);
    assert_null(an_image_data(NULL));
    assert_null(an_image_const_data(NULL));
    assert_int_equal(an_arrays_count(NULL) + an_arrays_metadata_count(NULL), 0);
    assert_int_equal(an_arrays_find(NULL, "n"), -1);
    assert_int_equal(an_arrays_find(arrays, NULL), -1);
    assert_null(an_arrays_name(arrays, -1));
    assert_null(an_arrays_name(arrays, 99));
    assert_null(an_arrays_data(arrays, INT64_MAX));
    assert_int_equal(an_arrays_rank(arrays, INT64_MIN), -1);
    assert_int_equal(an_arrays_length(arrays, 0, 9), 0);
    assert_null(an_arrays_metadata(arrays, NULL));
    assert_null(an_arrays_metadata_key(arrays, 99));
    assert_int_equal(an_dataset_count(NULL) + an_dataset_height(NULL) + an_dataset_width(NULL) +
                         an_dataset_outputs(NULL) + an_dataset_labels_without_image(NULL) +
                         an_dataset_skipped(NULL),
                     0);
    assert_null(an_dataset_name(NULL, 0));
    assert_null(an_dataset_name(dataset, -1));
    assert_true(isnan(an_dataset_score(NULL, 0, 0)));
    assert_true(isnan(an_dataset_score(dataset, 0, 7)));
    assert_int_equal(an_batches_steps(NULL) + an_batches_samples(NULL) + an_batches_batch(NULL) +
                         an_batches_height(NULL) + an_batches_width(NULL) +
                         an_batches_outputs(NULL) + an_batches_scale(NULL) +
                         an_batches_is_plain(NULL),
                     0);
    assert_int_equal(an_history_count(NULL), 0);
    assert_null(an_model_backend(NULL));
    assert_int_equal(an_model_summary(NULL, 0, NULL, 0), 0);
    assert_int_equal(an_backend_threads(NULL), 0);
    assert_string_equal(an_backend_name(NULL), "");
    assert_string_equal(an_backend_level(NULL), "");
    assert_int_equal(an_has_feature(NULL), 0);
    assert_string_equal(an_status_name(12345), "unknown status");
}

static void destructors_accept_null(void **state) {
    (void)state;
    an_backend_destroy(NULL);
    an_tensor_destroy(NULL);
    an_image_destroy(NULL);
    an_arrays_destroy(NULL);
    an_dataset_destroy(NULL);
    an_batches_destroy(NULL);
    an_history_destroy(NULL);
    an_model_destroy(NULL);
}

/* --- what all is done on ------------------------------------------------------------------------
 */

static int make_objects(void **state) {
    (void)state;
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_dataset_options data;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    an_dataset_options_init(&data, sizeof data);
    data.height = data.width = SIZE;
    if (an_backend_create(&backend, &device, &err) ||
        an_mobilenetv2_create(&model, backend, &net, &err) ||
        an_dataset_from_pixels(&dataset, rgb, some, 1, &data, &err) ||
        an_batches_create(&batches, dataset, NULL, 0, NULL, &err) ||
        an_history_create(&history, &err) || an_arrays_create(&arrays, &err) ||
        an_arrays_add(arrays, "there", some, shape, 2, &err) ||
        an_tensor_create(&tensor, shape, 2, &err) || an_image_create(&image, NULL, 2, 2, &err)) {
        print_error("%s\n", err.message);
        return -1;
    }
    info.struct_size = sizeof info;
    report.struct_size = sizeof report;
    metrics.struct_size = sizeof metrics;
    return 0;
}

/* Parents first: whoever needs them holds them. */
static int drop_objects(void **state) {
    (void)state;
    an_backend_destroy(backend);
    an_dataset_destroy(dataset);
    an_history_destroy(history);
    an_image_destroy(image);
    an_tensor_destroy(tensor);
    an_arrays_destroy(arrays);
    an_batches_destroy(batches);
    an_model_destroy(model);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(options_of_one_field_are_refused),
        cmocka_unit_test(nothing_has_empty_answers),
        cmocka_unit_test(destructors_accept_null),
    };
    return cmocka_run_group_tests_name("misuse", tests, make_objects, drop_objects);
}
