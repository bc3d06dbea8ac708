/* SPDX-License-Identifier: MIT
 * Arguments that no caller may give: each call is refused with AN_ERR_ARG and a message that names
 * what is wrong; questions to nothing have empty answers; destructors accept NULL. Here: from files
 * to batches, metrics and plots; test_misuse_model.c has models and what is done with them. */
#include "support/misuse.h"

#include <math.h>
#include <stdint.h>

#include <attractivenet/attractivenet.h>

#include "support/backends.h"

enum { SIZE = 32, LARGE = 1 << 20 };

/* What the calls are made on; each is in order. */
static an_backend *backend;
static an_comm *comm;
static an_dataset *dataset;
static an_loader *loader;
static an_arrays *arrays;
static an_tensor *tensor;
static an_image *image;

static an_device_list *devices;
static an_device_info device_info = {.struct_size = sizeof device_info}, unset_device_info;

/* Where results would go. */
static an_backend *backend_out;
static an_comm *comm_out;
static an_dataset *dataset_out;
static an_loader *batches_out;
static an_arrays *arrays_out;
static an_bytes *bytes_out;
static an_tensor *tensor_out;
static an_image *image_out;
static float table[768];
static double truth[4] = {1, 2, 3, 4};
static double half_width;
static const double truth_nan[1] = {NAN}, truth_huge[1] = {1e39}, halves[2] = {0.5, -1};
static const double equal_scores[2] = {3, 3};
static const char *const no_files[3] = {"x.jpg", NULL, ""};
static const char *const one_file[2] = {"x.jpg", "x.jpg"};
static const void *const some_bytes[3] = {"abc", "ab", NULL};
static const int64_t byte_sizes[3] = {3, 2, 0};
static const char *const cats[3] = {"cat", "dog", NULL};
static const char *const twice[2] = {"cat", "cat"}, *const cases[2] = {"cat", "Cat"};
static const char *const empty_name[2] = {"cat", ""}, *const control[2] = {"cat", "a\nb"};
static const char *const latin1[2] = {"cat", "\xe9"};
static uint8_t rgb[SIZE * SIZE * 3];
static int64_t train[4], test[4], n_train, n_val, n_test;
static an_metrics metrics, unset_metrics;
static an_extract_report unset_report;

static const int64_t shape[2] = {2, 2}, negative[2] = {2, -1};
static const int64_t endless[3] = {INT64_C(1) << 40, INT64_C(1) << 40, 4};
static const int64_t outside[1] = {99};
static const float not_a_number[4] = {1, NAN, 2, 3};
static const float some[4] = {1, 2, 3, 4};

WRONG(an_backend_options, struct_size, 0)
WRONG_AS(unset_options, an_backend_options, struct_size, 0xccccccccu)
WRONG(an_backend_options, threads, -1)
WRONG(an_comm_options, struct_size, 0)
WRONG(an_comm_options, deadline, 0)
WRONG_AS(deadline_nan, an_comm_options, deadline, NAN)
WRONG_AS(deadline_long, an_comm_options, deadline, 1e7)
WRONG(an_backend_options, device, "gpu")
WRONG(an_extract_options, policy, 7)
WRONG(an_extract_options, label_file, NULL)
WRONG(an_extract_options, struct_size, 0)
WRONG(an_extract_options, reserved, 1)
WRONG(an_extract_options, max_members, 0)
WRONG(an_extract_options, max_ratio, -1)
WRONG(an_extract_options, exact, 7)
WRONG(an_extract_options, reserved2, 1)
WRONG(an_image_limits, struct_size, 0)
WRONG(an_image_limits, max_scans, 0)
WRONG(an_image_limits, max_pixels, -1)
WRONG(an_image_limits, max_memory, 0)
WRONG(an_dataset_options, policy, -1)
WRONG(an_dataset_options, height, 0)
WRONG(an_dataset_options, width, 8193)
WRONG(an_dataset_options, cache, 3)
WRONG(an_dataset_options, outputs, 0)
WRONG(an_dataset_options, struct_size, 1)
WRONG(an_dataset_options, suffix, "")
WRONG(an_dataset_options, label_file, "")
WRONG(an_dataset_options, labels, 9)
WRONG_AS(an_dataset_options_labels_1, an_dataset_options, labels, AN_LABELS_CLASSES)
WRONG(an_dataset_options, class_count, 2)
WRONG(an_dataset_options, limits, wrong_an_image_limits_struct_size())
WRONG(an_dataset_options, archive, wrong_an_extract_options_struct_size())
WRONG(an_split_options, struct_size, 0)
WRONG(an_split_options, shuffle, 2)
WRONG(an_split_options, test_kind, 5)
WRONG(an_split_options, train_kind, -1)
WRONG(an_split_options, reserved, 1)
WRONG(an_loader_options, batch_size, 0)
WRONG(an_loader_options, shuffle, 2)
WRONG(an_loader_options, drop_last, -1)
WRONG(an_loader_options, scale, AN_SCALE_AUTO)
WRONG(an_loader_options, threads, -1)
WRONG(an_loader_options, prefetch, 0)
WRONG(an_loader_options, struct_size, 0)
WRONG(an_loader_options, iterator, 2)
WRONG(an_loader_options, reserved, 1)
WRONG_AS(large_batch, an_loader_options, batch_size, 65537)

static int32_t fill_nothing(void *user, const an_fill_batch *fill) {
    (void)user;
    (void)fill;
    return 0;
}

static an_loader_source *good_source(void) {
    static an_loader_source source;
    an_loader_source_init(&source, sizeof source);
    source.height = source.width = 8;
    source.count = 3;
    source.fill = fill_nothing;
    return &source;
}

/* That with one field wrong. */
#define WRONG_SOURCE(name, value)                                                                  \
    static const an_loader_source *source_##name(void) {                                           \
        an_loader_source *source = good_source();                                                  \
        source->name = value;                                                                      \
        return source;                                                                             \
    }
WRONG_SOURCE(struct_size, 0)
WRONG_SOURCE(height, 8193)
WRONG_SOURCE(width, 0)
WRONG_SOURCE(outputs, 1001)
WRONG_SOURCE(count, 0)
WRONG_SOURCE(varies, 2)
WRONG_SOURCE(weighted, -1)
WRONG_SOURCE(any_range, 2)
WRONG_SOURCE(reserved, 1)
WRONG_SOURCE(fill, NULL)
WRONG_SOURCE(identity, "")

static const an_loader_source *source_in_latin_1(void) {
    an_loader_source *source = good_source();
    source->identity = "caf\xe9";
    return source;
}

WRONG(an_augment_options, struct_size, 0)
WRONG(an_augment_options, mode, 4)
WRONG(an_augment_options, horizontal_flip, 2)
WRONG(an_augment_options, vertical_flip, -1)
WRONG(an_augment_options, fill, 4)
WRONG(an_augment_options, reserved, 1)
WRONG(an_augment_options, rotation, NAN)
WRONG(an_augment_options, width_shift, -1)
WRONG(an_augment_options, height_shift, INFINITY)
WRONG(an_augment_options, shear, -0.1)
WRONG(an_augment_options, zoom_low, 0)
WRONG(an_augment_options, zoom_high, 0.5)
WRONG(an_augment_options, channel_shift, NAN)
WRONG(an_augment_options, brightness_low, -1)
WRONG(an_augment_options, brightness_high, 1e9)
WRONG(an_augment_options, fill_value, NAN)
WRONG(an_augment_options, width_shift_count, 3)
WRONG(an_augment_options, height_shift_count, -1)
WRONG(an_plot_options, struct_size, 0)
WRONG(an_plot_options, width, 199)
WRONG(an_plot_options, height, 10001)
WRONG(an_plot_options, log_y, 2)
WRONG(an_plot_options, title, "\xff")
WRONG(an_plot_options, x_label, "\xff")
WRONG(an_plot_options, y_label, "\xff")
WRONG(an_download_options, struct_size, 0)
WRONG(an_download_options, low_speed_bytes, -1)
WRONG(an_download_options, low_speed_seconds, -1)
WRONG(an_download_options, max_redirects, -1)
WRONG(an_download_options, max_bytes, 0)
WRONG(an_download_options, sha256, "abc")
WRONG(an_download_options, expected_type, "exe")

static const an_curve line = {sizeof(an_curve), 0, "loss", truth, 4},
                      no_values = {sizeof(an_curve), 0, "loss", NULL, 4};
static const an_curve below = {sizeof(an_curve), 0, "loss", truth, -1},
                      no_text = {sizeof(an_curve), 0, "\xff", truth, 4};

/* Split options whose sizes cannot be. */
static const an_split_options *sizes(int32_t kind, double fraction, int64_t count) {
    static an_split_options options;
    an_split_options_init(&options, sizeof options);
    options.test_kind = kind;
    options.test_fraction = fraction;
    options.test_count = count;
    return &options;
}

static const an_loader_options *augmented(const an_augment_options *augment) {
    static an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.augment = augment;
    return &options;
}

static const an_dataset_options *with_classes(const char *const *names, int32_t count) {
    static an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.labels = AN_LABELS_CLASSES;
    options.classes = names;
    options.class_count = count;
    return &options;
}

/* --- calls that are refused ------------------------------------------------------------------- */

#define AUGMENT(CASE, field)                                                                       \
    CASE(augment_##field,                                                                          \
         an_loader_create(&batches_out, dataset, NULL, 0,                                          \
                          augmented(wrong_an_augment_options_##field()), err),                     \
         #field)
#define SOURCE(CASE, field, part)                                                                  \
    CASE(source_##field,                                                                           \
         an_loader_create_from_callback(&batches_out, source_##field(), NULL, err), part)
#define REFUSED(CASE)                                                                              \
    CASE(cancel_out_null, an_cancel_create(NULL, err), "out")                                      \
    CASE(backend_out_null, an_backend_create(NULL, NULL, err), "out")                              \
    CASE(backend_no_size,                                                                          \
         an_backend_create(&backend_out, wrong_an_backend_options_struct_size(), err),             \
         "struct_size")                                                                            \
    CASE(backend_threads,                                                                          \
         an_backend_create(&backend_out, wrong_an_backend_options_threads(), err), "threads")      \
    CASE(backend_device, an_backend_create(&backend_out, wrong_an_backend_options_device(), err),  \
         "device")                                                                                 \
    CASE(device_list_out, an_device_list_create(NULL, err), "out")                                 \
    CASE(device_list_null, an_device_list_describe(NULL, 0, &device_info, err), "list")            \
    CASE(device_info_null, an_device_list_describe(devices, 0, NULL, err), "info")                 \
    CASE(device_info_unset, an_device_list_describe(devices, 0, &unset_device_info, err),          \
         "struct_size")                                                                            \
    CASE(device_below, an_device_list_describe(devices, -1, &device_info, err), "-1")              \
    CASE(device_beyond, an_device_list_describe(devices, 99, &device_info, err), "99")             \
    CASE(backend_describe_null, an_backend_describe(NULL, &device_info, err), "backend")           \
    CASE(backend_describe_info, an_backend_describe(backend, NULL, err), "info")                   \
    CASE(backend_describe_unset, an_backend_describe(backend, &unset_device_info, err),            \
         "struct_size")                                                                            \
    CASE(backend_unset, an_backend_create(&backend_out, wrong_unset_options(), err),               \
         "struct_size is 3435973836")                                                              \
    CASE(comm_out_null, an_comm_join(NULL, NULL, err), "out")                                      \
    CASE(comm_no_size, an_comm_join(&comm_out, wrong_an_comm_options_struct_size(), err),          \
         "struct_size")                                                                            \
    CASE(comm_deadline, an_comm_join(&comm_out, wrong_an_comm_options_deadline(), err),            \
         "deadline is 0; it must be 0.001 to 1e+06 seconds")                                       \
    CASE(comm_deadline_nan, an_comm_join(&comm_out, wrong_deadline_nan(), err), "deadline is nan") \
    CASE(comm_mpi_out, an_comm_create_mpi(NULL, some, NULL, err), "out")                           \
    CASE(comm_mpi_null, an_comm_create_mpi(&comm_out, NULL, NULL, err), "mpi_comm is NULL")        \
    CASE(comm_mpi_deadline, an_comm_create_mpi(&comm_out, some, wrong_deadline_long(), err),       \
         "deadline is 1e+07")                                                                      \
    CASE(comm_mpi_none, an_comm_create_mpi(&comm_out, some, NULL, err), "no MPI is loaded")        \
    CASE(comm_barrier, an_comm_barrier(NULL, err), "comm")                                         \
    CASE(comm_broadcast, an_comm_broadcast(NULL, table, 4, 0, err), "comm")                        \
    CASE(comm_data, an_comm_broadcast(comm, NULL, 4, 0, err), "data")                              \
    CASE(comm_size, an_comm_broadcast(comm, table, -4, 0, err), "size is -4")                      \
    CASE(comm_root, an_comm_broadcast(comm, table, 4, 1, err),                                     \
         "root is 1; there are ranks 0 to 0")                                                      \
    CASE(comm_root_below, an_comm_broadcast(comm, table, 4, -1, err), "root is -1")                \
    CASE(tensor_out_null, an_tensor_create(NULL, shape, 2, err), "out")                            \
    CASE(tensor_shape_null, an_tensor_create(&tensor_out, NULL, 2, err), "shape")                  \
    CASE(tensor_rank_0, an_tensor_create(&tensor_out, shape, 0, err), "rank")                      \
    CASE(tensor_rank_9, an_tensor_create(&tensor_out, shape, 9, err), "rank")                      \
    CASE(tensor_negative, an_tensor_create(&tensor_out, negative, 2, err), "below 0")              \
    CASE(tensor_endless, an_tensor_create(&tensor_out, endless, 3, err), "too large")              \
    CASE(tensor_data_null, an_tensor_borrow(&tensor_out, NULL, shape, 2, err), "data")             \
    CASE(tensor_borrow_out, an_tensor_borrow(NULL, table, shape, 2, err), "out")                   \
    CASE(download_url, an_download(NULL, "x", NULL, err), "url")                                   \
    CASE(download_path, an_download("file:///x", NULL, NULL, err), "path")                         \
    CASE(download_url_empty, an_download("", "x", NULL, err), "url is empty")                      \
    CASE(download_path_empty, an_download("file:///x", "", NULL, err), "path is empty")            \
    CASE(download_url_lines, an_download("file:///x\r\nHost: y", "x", NULL, err), "line break")    \
    CASE(download_size,                                                                            \
         an_download("file:///x", "x", wrong_an_download_options_struct_size(), err),              \
         "struct_size is 0")                                                                       \
    CASE(download_slow,                                                                            \
         an_download("file:///x", "x", wrong_an_download_options_low_speed_bytes(), err),          \
         "low_speed_bytes")                                                                        \
    CASE(download_slow_seconds,                                                                    \
         an_download("file:///x", "x", wrong_an_download_options_low_speed_seconds(), err),        \
         "low_speed_seconds")                                                                      \
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
    CASE(verify_path, an_file_verify(NULL, "0", NULL, NULL, err), "path is NULL")                  \
    CASE(verify_sha, an_file_verify("x", NULL, NULL, NULL, err), "sha256 is NULL")                 \
    CASE(verify_digits, an_file_verify("x", "abc", NULL, NULL, err), "64 hexadecimal digits")      \
    CASE(extract_archive, an_archive_extract(NULL, "x", NULL, NULL, err), "archive")               \
    CASE(extract_folder, an_archive_extract("x", NULL, NULL, NULL, err), "folder")                 \
    CASE(extract_report, an_archive_extract("x", "x", NULL, &unset_report, err),                   \
         "an_extract_report: struct_size is 0")                                                    \
    CASE(extract_size,                                                                             \
         an_archive_extract("x", "x", wrong_an_extract_options_struct_size(), NULL, err),          \
         "struct_size is 0")                                                                       \
    CASE(extract_exact, an_archive_extract("x", "x", wrong_an_extract_options_exact(), NULL, err), \
         "exact is 7")                                                                             \
    CASE(extract_reserved2,                                                                        \
         an_archive_extract("x", "x", wrong_an_extract_options_reserved2(), NULL, err),            \
         "reserved2 is 1")                                                                         \
    CASE(extract_reserved,                                                                         \
         an_archive_extract("x", "x", wrong_an_extract_options_reserved(), NULL, err),             \
         "reserved is 1")                                                                          \
    CASE(extract_members,                                                                          \
         an_archive_extract("x", "x", wrong_an_extract_options_max_members(), NULL, err),          \
         "max_members is 0")                                                                       \
    CASE(extract_ratio,                                                                            \
         an_archive_extract("x", "x", wrong_an_extract_options_max_ratio(), NULL, err),            \
         "max_ratio is -1")                                                                        \
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
    CASE(decode_limits,                                                                            \
         an_image_decode(&image_out, rgb, 9, "n", wrong_an_image_limits_struct_size(), err),       \
         "struct_size is 0")                                                                       \
    CASE(image_read_limits,                                                                        \
         an_image_read(&image_out, "x", wrong_an_image_limits_struct_size(), err),                 \
         "struct_size is 0")                                                                       \
    CASE(image_read_path, an_image_read(&image_out, NULL, NULL, err), "path")                      \
    CASE(image_read_out, an_image_read(NULL, "x", NULL, err), "out")                               \
    CASE(image_create_out, an_image_create(NULL, rgb, 2, 2, err), "out")                           \
    CASE(image_create_0, an_image_create(&image_out, rgb, 0, 2, err), "x 0 pixels")                \
    CASE(image_create_large, an_image_create(&image_out, NULL, 2, LARGE, err), "65535")            \
    CASE(resize_dst, an_resize_u8(rgb, 2, 2, 3, NULL, 2, 2, err), "dst")                           \
    CASE(resize_src, an_resize_u8(NULL, 2, 2, 3, rgb, 2, 2, err), "src")                           \
    CASE(resize_height, an_resize_u8(rgb + 99, 2, 2, 3, rgb, 0, 2, err), "dst_height")             \
    CASE(resize_width, an_resize_u8(rgb + 99, 2, LARGE, 3, rgb, 2, 2, err), "src_width")           \
    CASE(resize_channels, an_resize_u8(rgb + 99, 2, 2, 5, rgb, 2, 2, err), "channels")             \
    CASE(png_image, an_image_write_png(NULL, "x", err), "image")                                   \
    CASE(png_path, an_image_write_png(image, NULL, err), "path")                                   \
    CASE(jpeg_image, an_image_write_jpeg(NULL, "x", 90, err), "image")                             \
    CASE(jpeg_path, an_image_write_jpeg(image, NULL, 90, err), "path")                             \
    CASE(jpeg_quality, an_image_write_jpeg(image, "x", 101, err), "quality")                       \
    CASE(jpeg_bytes_out, an_image_encode_jpeg(NULL, image, 90, err), "out")                        \
    CASE(jpeg_bytes_image, an_image_encode_jpeg(&bytes_out, NULL, 90, err), "image")               \
    CASE(jpeg_bytes_quality, an_image_encode_jpeg(&bytes_out, image, 0, err), "quality is 0")      \
    CASE(measure_bytes, an_image_measure(NULL, 4, "x", &n_train, &n_val, err), "bytes is NULL")    \
    CASE(measure_size, an_image_measure(rgb, -1, "x", &n_train, &n_val, err), "size below 0")      \
    CASE(measure_height, an_image_measure(rgb, 4, "x", NULL, &n_val, err), "height is NULL")       \
    CASE(measure_width, an_image_measure(rgb, 4, "x", &n_train, NULL, err), "width is NULL")       \
    CASE(arrays_out, an_arrays_create(NULL, err), "out")                                           \
    CASE(arrays_read_out, an_arrays_read(NULL, "x", err), "out")                                   \
    CASE(arrays_read_path, an_arrays_read(&arrays_out, NULL, err), "path")                         \
    CASE(arrays_bytes_out, an_arrays_read_bytes(NULL, "x", 1, NULL, err), "out")                   \
    CASE(arrays_bytes_null, an_arrays_read_bytes(&arrays_out, NULL, 0, NULL, err), "bytes")        \
    CASE(arrays_bytes_size, an_arrays_read_bytes(&arrays_out, "x", -1, "it", err), "'it' has -1")  \
    CASE(arrays_to_bytes_out, an_arrays_write_bytes(NULL, arrays, err), "out")                     \
    CASE(arrays_to_bytes, an_arrays_write_bytes(&bytes_out, NULL, err), "arrays")                  \
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
    CASE(scale_table, an_scale_fill_tables(AN_SCALE_TF, NULL, err), "tables")                      \
    CASE(scale_auto, an_scale_fill_tables(AN_SCALE_AUTO, table, err), "scale")                     \
    CASE(scale_9, an_scale_fill_tables(9, table, err), "scale")                                    \
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
    CASE(dataset_size,                                                                             \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_struct_size(), err),          \
         "struct_size is 1")                                                                       \
    CASE(dataset_suffix,                                                                           \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_suffix(), err), "suffix")     \
    CASE(dataset_label_file,                                                                       \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_label_file(), err),           \
         "label_file")                                                                             \
    CASE(dataset_limits,                                                                           \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_limits(), err),               \
         "an_image_limits: struct_size is 0")                                                      \
    CASE(dataset_archive,                                                                          \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_archive(), err),              \
         "an_extract_options: struct_size is 0")                                                   \
    CASE(pixels_nan,                                                                               \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth_nan, 1, NULL, err),        \
         "label 0 of sample 0")                                                                    \
    CASE(pixels_huge,                                                                              \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth_huge, 1, NULL, err),       \
         "1e+39")                                                                                  \
    CASE(pixels_below,                                                                             \
         an_dataset_from_pixels(&dataset_out, rgb, -1, SIZE, SIZE, truth, 1, NULL, err), "-1")     \
    CASE(pixels_out, an_dataset_from_pixels(NULL, rgb, 1, SIZE, SIZE, truth, 1, NULL, err), "out") \
    CASE(pixels_rgb,                                                                               \
         an_dataset_from_pixels(&dataset_out, NULL, 1, SIZE, SIZE, truth, 1, NULL, err), "rgb")    \
    CASE(pixels_scores,                                                                            \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, NULL, 1, NULL, err), "scores")   \
    CASE(pixels_count,                                                                             \
         an_dataset_from_pixels(&dataset_out, rgb, 0, SIZE, SIZE, truth, 1, NULL, err), "count")   \
    CASE(pixels_height,                                                                            \
         an_dataset_from_pixels(&dataset_out, rgb, 1, 0, SIZE, truth, 1, NULL, err),               \
         "height is 0")                                                                            \
    CASE(pixels_width,                                                                             \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, 8193, truth, 1, NULL, err),            \
         "width is 8193")                                                                          \
    CASE(pixels_outputs,                                                                           \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth, 1001, NULL, err),         \
         "outputs is 1001")                                                                        \
    CASE(pixels_struct,                                                                            \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth, 1,                        \
                                wrong_an_dataset_options_struct_size(), err),                      \
         "an_dataset_options: struct_size")                                                        \
    CASE(pixels_no_classes,                                                                        \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth, 1,                        \
                                wrong_an_dataset_options_labels_1(), err),                         \
         "classes is NULL")                                                                        \
    CASE(                                                                                          \
        borrow_out,                                                                                \
        an_dataset_borrow_pixels(NULL, rgb, 1, SIZE, SIZE, 0, 0, truth, 1, NULL, NULL, NULL, err), \
        "out")                                                                                     \
    CASE(borrow_rgb,                                                                               \
         an_dataset_borrow_pixels(&dataset_out, NULL, 1, SIZE, SIZE, 0, 0, truth, 1, NULL, NULL,   \
                                  NULL, err),                                                      \
         "rgb")                                                                                    \
    CASE(borrow_scores,                                                                            \
         an_dataset_borrow_pixels(&dataset_out, rgb, 1, SIZE, SIZE, 0, 0, NULL, 1, NULL, NULL,     \
                                  NULL, err),                                                      \
         "scores")                                                                                 \
    CASE(borrow_count,                                                                             \
         an_dataset_borrow_pixels(&dataset_out, rgb, 0, SIZE, SIZE, 0, 0, truth, 1, NULL, NULL,    \
                                  NULL, err),                                                      \
         "count")                                                                                  \
    CASE(borrow_height,                                                                            \
         an_dataset_borrow_pixels(&dataset_out, rgb, 1, -2, SIZE, 0, 0, truth, 1, NULL, NULL,      \
                                  NULL, err),                                                      \
         "height is -2")                                                                           \
    CASE(borrow_row,                                                                               \
         an_dataset_borrow_pixels(&dataset_out, rgb, 1, SIZE, SIZE, 0, 95, truth, 1, NULL, NULL,   \
                                  NULL, err),                                                      \
         "row_stride is 95; it must be 0 or 96")                                                   \
    CASE(borrow_row_endless,                                                                       \
         an_dataset_borrow_pixels(&dataset_out, rgb, 1, SIZE, SIZE, 0, INT64_MAX, truth, 1, NULL,  \
                                  NULL, NULL, err),                                                \
         "row_stride is 9223372036854775807")                                                      \
    CASE(borrow_row_large,                                                                         \
         an_dataset_borrow_pixels(&dataset_out, rgb, 1, SIZE, SIZE, 0, INT64_C(1) << 48, truth, 1, \
                                  NULL, NULL, NULL, err),                                          \
         "row_stride is 281474976710656; it must be 0 or 96 to 8796093022208")                     \
    CASE(borrow_image,                                                                             \
         an_dataset_borrow_pixels(&dataset_out, rgb, 1, SIZE, SIZE, 3095, 97, truth, 1, NULL,      \
                                  NULL, NULL, err),                                                \
         "image_stride is 3095; it must be 0 or 3103")                                             \
    CASE(borrow_image_below,                                                                       \
         an_dataset_borrow_pixels(&dataset_out, rgb, 1, SIZE, SIZE, -3072, 0, truth, 1, NULL,      \
                                  NULL, NULL, err),                                                \
         "image_stride is -3072")                                                                  \
    CASE(borrow_endless,                                                                           \
         an_dataset_borrow_pixels(&dataset_out, rgb, 4, SIZE, SIZE, INT64_C(1) << 62, 0, truth, 1, \
                                  NULL, NULL, NULL, err),                                          \
         "image_stride is 4611686018427387904")                                                    \
    CASE(from_files_out, an_dataset_from_files(NULL, no_files, truth, 1, NULL, err), "out")        \
    CASE(from_files_paths, an_dataset_from_files(&dataset_out, NULL, truth, 1, NULL, err),         \
         "paths is NULL")                                                                          \
    CASE(from_files_null, an_dataset_from_files(&dataset_out, no_files, truth, 2, NULL, err),      \
         "paths[1] is NULL")                                                                       \
    CASE(from_files_empty, an_dataset_from_files(&dataset_out, no_files + 2, truth, 1, NULL, err), \
         "paths[0] is empty")                                                                      \
    CASE(from_files_scores, an_dataset_from_files(&dataset_out, no_files, NULL, 1, NULL, err),     \
         "scores is NULL")                                                                         \
    CASE(from_files_count, an_dataset_from_files(&dataset_out, no_files, truth, 0, NULL, err),     \
         "count is 0")                                                                             \
    CASE(from_files_cache,                                                                         \
         an_dataset_from_files(&dataset_out, no_files, truth, 1, wrong_an_dataset_options_cache(), \
                               err),                                                               \
         "cache")                                                                                  \
    CASE(from_files_conflict, an_dataset_from_files(&dataset_out, one_file, truth, 2, NULL, err),  \
         "samples 0 and 1 are both 'x.jpg' and have different labels")                             \
    CASE(from_bytes_out,                                                                           \
         an_dataset_from_bytes(NULL, some_bytes, byte_sizes, NULL, truth, 1, NULL, err), "out")    \
    CASE(from_bytes_images,                                                                        \
         an_dataset_from_bytes(&dataset_out, NULL, byte_sizes, NULL, truth, 1, NULL, err),         \
         "images is NULL")                                                                         \
    CASE(from_bytes_sizes,                                                                         \
         an_dataset_from_bytes(&dataset_out, some_bytes, NULL, NULL, truth, 1, NULL, err),         \
         "sizes is NULL")                                                                          \
    CASE(from_bytes_scores,                                                                        \
         an_dataset_from_bytes(&dataset_out, some_bytes, byte_sizes, NULL, NULL, 1, NULL, err),    \
         "scores is NULL")                                                                         \
    CASE(from_bytes_count,                                                                         \
         an_dataset_from_bytes(&dataset_out, some_bytes, byte_sizes, NULL, truth, -9, NULL, err),  \
         "count is -9")                                                                            \
    CASE(from_bytes_null,                                                                          \
         an_dataset_from_bytes(&dataset_out, some_bytes, byte_sizes, NULL, truth, 3, NULL, err),   \
         "images[2] is NULL")                                                                      \
    CASE(from_bytes_size,                                                                          \
         an_dataset_from_bytes(&dataset_out, some_bytes, byte_sizes + 2, NULL, truth, 1, NULL,     \
                               err),                                                               \
         "sizes[0] is 0")                                                                          \
    CASE(from_bytes_name,                                                                          \
         an_dataset_from_bytes(&dataset_out, some_bytes, byte_sizes, no_files, truth, 2, NULL,     \
                               err),                                                               \
         "names[1] is NULL")                                                                       \
    CASE(from_bytes_conflict,                                                                      \
         an_dataset_from_bytes(&dataset_out, some_bytes, byte_sizes, one_file, equal_scores, 2,    \
                               NULL, err),                                                         \
         "are both 'x.jpg' and have different bytes")                                              \
    CASE(from_bytes_labels,                                                                        \
         an_dataset_from_bytes(&dataset_out, some_bytes, byte_sizes, one_file, truth, 2, NULL,     \
                               err),                                                               \
         "have different labels")                                                                  \
    CASE(labels_range, an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_labels(), err), \
         "labels is 9")                                                                            \
    CASE(classes_without,                                                                          \
         an_dataset_open(&dataset_out, "x", wrong_an_dataset_options_class_count(), err),          \
         "class_count is set, and labels is AN_LABELS_NUMBERS")                                    \
    CASE(classes_null, an_dataset_open(&dataset_out, "x", with_classes(NULL, 2), err),             \
         "classes is NULL and class_count is 2")                                                   \
    CASE(classes_one, an_dataset_open(&dataset_out, "x", with_classes(cats, 1), err),              \
         "class_count is 1")                                                                       \
    CASE(classes_many, an_dataset_open(&dataset_out, "x", with_classes(cats, 1001), err),          \
         "class_count is 1001")                                                                    \
    CASE(classes_null_name, an_dataset_open(&dataset_out, "x", with_classes(cats, 3), err),        \
         "classes[2] is NULL")                                                                     \
    CASE(classes_twice, an_dataset_open(&dataset_out, "x", with_classes(twice, 2), err),           \
         "classes[0] and classes[1] are both 'cat'")                                               \
    CASE(classes_case, an_dataset_open(&dataset_out, "x", with_classes(cases, 2), err),            \
         "'cat' and 'Cat' differ only in case")                                                    \
    CASE(classes_empty, an_dataset_open(&dataset_out, "x", with_classes(empty_name, 2), err),      \
         "classes[1], '', is empty")                                                               \
    CASE(classes_control, an_dataset_open(&dataset_out, "x", with_classes(control, 2), err),       \
         "has a control character")                                                                \
    CASE(classes_utf8, an_dataset_open(&dataset_out, "x", with_classes(latin1, 2), err),           \
         "is not valid UTF-8")                                                                     \
    CASE(classes_index,                                                                            \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth + 1, 1,                    \
                                with_classes(cats, 2), err),                                       \
         "the class of sample 0 is 2; it must be a whole number, 0 to 1")                          \
    CASE(classes_fraction,                                                                         \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, halves, 1,                       \
                                with_classes(cats, 2), err),                                       \
         "is 0.5")                                                                                 \
    CASE(classes_below,                                                                            \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, halves + 1, 1,                   \
                                with_classes(cats, 2), err),                                       \
         "is -1")                                                                                  \
    CASE(classes_nan,                                                                              \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth_nan, 1,                    \
                                with_classes(cats, 2), err),                                       \
         "is nan")                                                                                 \
    CASE(classes_outputs,                                                                          \
         an_dataset_from_pixels(&dataset_out, rgb, 1, SIZE, SIZE, truth, 3, with_classes(cats, 2), \
                                err),                                                              \
         "outputs is 3; there are 2 classes")                                                      \
    CASE(scores_null, an_dataset_copy_scores(NULL, truth, err), "dataset")                         \
    CASE(scores_out, an_dataset_copy_scores(dataset, NULL, err), "scores")                         \
    CASE(check_null, an_dataset_check(NULL, 1, NULL, NULL, err), "dataset")                        \
    CASE(check_below, an_dataset_check(dataset, -1, NULL, NULL, err), "threads")                   \
    CASE(check_above, an_dataset_check(dataset, 1025, NULL, NULL, err), "threads")                 \
    CASE(check_held, an_dataset_check(dataset, 1, NULL, NULL, err), "a loader holds")              \
    CASE(weights_null, an_dataset_set_weights(NULL, NULL, 0, err), "dataset")                      \
    CASE(weights_count, an_dataset_set_weights(dataset, NULL, 1, err), "count is 1")               \
    CASE(weights_held, an_dataset_set_weights(dataset, NULL, 0, err), "a loader holds")            \
    CASE(sample_null, an_dataset_read_pixels(NULL, 0, rgb, err), "dataset")                        \
    CASE(sample_rgb, an_dataset_read_pixels(dataset, 0, NULL, err), "rgb")                         \
    CASE(sample_below, an_dataset_read_pixels(dataset, -1, rgb, err), "index")                     \
    CASE(sample_above, an_dataset_read_pixels(dataset, 99, rgb, err), "index")                     \
    CASE(split_train_null, an_split_compute_sizes(9, NULL, NULL, &n_test, err), "n_train")         \
    CASE(split_test_null, an_split_compute_sizes(9, NULL, &n_train, NULL, err), "n_test")          \
    CASE(split_count, an_split_compute_sizes(-1, NULL, &n_train, &n_test, err), "count")           \
    CASE(split_shuffle,                                                                            \
         an_split_compute_sizes(9, wrong_an_split_options_shuffle(), &n_train, &n_test, err),      \
         "shuffle")                                                                                \
    CASE(split_kind,                                                                               \
         an_split_compute_sizes(9, wrong_an_split_options_test_kind(), &n_train, &n_test, err),    \
         "test_kind")                                                                              \
    CASE(split_reserved,                                                                           \
         an_split_compute_sizes(9, wrong_an_split_options_reserved(), &n_train, &n_test, err),     \
         "reserved")                                                                               \
    CASE(split_size,                                                                               \
         an_split_compute_sizes(9, wrong_an_split_options_struct_size(), &n_train, &n_test, err),  \
         "struct_size is 0")                                                                       \
    CASE(split_train_kind,                                                                         \
         an_split_compute_sizes(9, wrong_an_split_options_train_kind(), &n_train, &n_test, err),   \
         "train_kind")                                                                             \
    CASE(split_fraction_0,                                                                         \
         an_split_compute_sizes(9, sizes(AN_SIZE_FRACTION, 0, 0), &n_train, &n_test, err),         \
         "test_fraction is 0")                                                                     \
    CASE(split_fraction_1,                                                                         \
         an_train_test_split(9, sizes(AN_SIZE_FRACTION, 1, 0), train, test, err),                  \
         "test_fraction is 1")                                                                     \
    CASE(split_fraction_nan,                                                                       \
         an_split_compute_sizes(9, sizes(AN_SIZE_FRACTION, NAN, 0), &n_train, &n_test, err),       \
         "test_fraction is nan")                                                                   \
    CASE(split_count_0,                                                                            \
         an_split_compute_sizes(9, sizes(AN_SIZE_COUNT, 0, 0), &n_train, &n_test, err),            \
         "test_count is 0")                                                                        \
    CASE(split_count_all, an_train_test_split(9, sizes(AN_SIZE_COUNT, 0, 9), train, test, err),    \
         "test_count is 9")                                                                        \
    CASE(split_endless, an_train_test_split(INT64_MAX, NULL, train, test, err), "count")           \
    CASE(fold_none, an_fold_split(9, 1, 1, 1, train, &n_train, &n_val, &n_test, err), "1 folds")   \
    CASE(fold_beyond, an_fold_split(9, 3, 4, 1, train, &n_train, &n_val, &n_test, err),            \
         "fold is 4")                                                                              \
    CASE(fold_indices, an_fold_split(9, 3, 1, 1, NULL, &n_train, &n_val, &n_test, err), "indices") \
    CASE(fold_test, an_fold_split(9, 3, 1, 1, train, &n_train, &n_val, NULL, err), "n_test")       \
    CASE(fold_few, an_fold_split(4, 2, 1, 1, train, &n_train, &n_val, &n_test, err),               \
         "4 must remain")                                                                          \
    CASE(held_null, an_held_out_split(9, NULL, 1, 1, train, &n_train, &n_val, err), "test")        \
    CASE(held_none, an_held_out_split(9, test, 0, 1, train, &n_train, &n_val, err), "0 of 9")      \
    CASE(held_val, an_held_out_split(9, test, 1, 1, train, &n_train, NULL, err), "n_val")          \
    CASE(tutorial_endless, an_tutorial_split(INT64_MAX, 1, train, &n_train, &n_val, &n_test, err), \
         "count")                                                                                  \
    CASE(split_indices, an_train_test_split(4, NULL, NULL, test, err), "train")                    \
    CASE(split_rest, an_train_test_split(4, NULL, train, NULL, err), "test")                       \
    CASE(tutorial_indices, an_tutorial_split(4, 1, NULL, &n_train, &n_val, &n_test, err),          \
         "indices")                                                                                \
    CASE(read_bytes_out, an_dataset_read_bytes(NULL, dataset, 0, err), "out")                      \
    CASE(read_bytes_null, an_dataset_read_bytes(&bytes_out, NULL, 0, err), "dataset")              \
    CASE(read_bytes_index, an_dataset_read_bytes(&bytes_out, dataset, -1, err), "index is -1")     \
    CASE(read_bytes_pixels, an_dataset_read_bytes(&bytes_out, dataset, 0, err), "has pixels")      \
    CASE(tutorial_val, an_tutorial_split(4, 1, train, &n_train, NULL, &n_test, err), "n_val")      \
    CASE(tutorial_none, an_tutorial_split(0, 1, train, &n_train, &n_val, &n_test, err),            \
         "0 samples")                                                                              \
    CASE(batches_out_null, an_loader_create(NULL, dataset, NULL, 0, NULL, err), "out")             \
    CASE(batches_dataset, an_loader_create(&batches_out, NULL, NULL, 0, NULL, err), "dataset")     \
    CASE(batches_null_with_count, an_loader_create(&batches_out, dataset, NULL, 1, NULL, err),     \
         "indices is NULL and count is 1")                                                         \
    CASE(batches_null_below, an_loader_create(&batches_out, dataset, NULL, -1, NULL, err),         \
         "count is -1")                                                                            \
    CASE(batches_no_index, an_loader_create(&batches_out, dataset, outside, 0, NULL, err),         \
         "count is 0")                                                                             \
    CASE(batches_count_below, an_loader_create(&batches_out, dataset, outside, -1, NULL, err),     \
         "count is -1")                                                                            \
    CASE(batches_size,                                                                             \
         an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_struct_size(),   \
                          err),                                                                    \
         "struct_size is 0")                                                                       \
    CASE(                                                                                          \
        batches_iterator,                                                                          \
        an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_iterator(), err), \
        "iterator is 2")                                                                           \
    CASE(                                                                                          \
        batches_reserved,                                                                          \
        an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_reserved(), err), \
        "reserved is 1")                                                                           \
    CASE(batches_large,                                                                            \
         an_loader_create(&batches_out, dataset, NULL, 0, wrong_large_batch(), err), "65537")      \
    AUGMENT(CASE, struct_size)                                                                     \
    AUGMENT(CASE, mode)                                                                            \
    AUGMENT(CASE, horizontal_flip)                                                                 \
    AUGMENT(CASE, vertical_flip)                                                                   \
    AUGMENT(CASE, fill)                                                                            \
    AUGMENT(CASE, reserved)                                                                        \
    AUGMENT(CASE, rotation)                                                                        \
    AUGMENT(CASE, width_shift)                                                                     \
    AUGMENT(CASE, height_shift)                                                                    \
    AUGMENT(CASE, shear)                                                                           \
    AUGMENT(CASE, zoom_low)                                                                        \
    AUGMENT(CASE, zoom_high)                                                                       \
    AUGMENT(CASE, channel_shift)                                                                   \
    AUGMENT(CASE, brightness_low)                                                                  \
    AUGMENT(CASE, brightness_high)                                                                 \
    AUGMENT(CASE, fill_value)                                                                      \
    CASE(augment_widths,                                                                           \
         an_loader_create(&batches_out, dataset, NULL, 0,                                          \
                          augmented(wrong_an_augment_options_width_shift_count()), err),           \
         "width_shifts has 3 numbers at NULL")                                                     \
    CASE(augment_heights,                                                                          \
         an_loader_create(&batches_out, dataset, NULL, 0,                                          \
                          augmented(wrong_an_augment_options_height_shift_count()), err),          \
         "height_shifts has -1")                                                                   \
    CASE(batches_index, an_loader_create(&batches_out, dataset, outside, 1, NULL, err), "99")      \
    CASE(batches_batch,                                                                            \
         an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_batch_size(),    \
                          err),                                                                    \
         "batch")                                                                                  \
    CASE(batches_shuffle,                                                                          \
         an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_shuffle(), err), \
         "shuffle")                                                                                \
    CASE(batches_last,                                                                             \
         an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_drop_last(),     \
                          err),                                                                    \
         "drop_last")                                                                              \
    CASE(batches_scale,                                                                            \
         an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_scale(), err),   \
         "scale")                                                                                  \
    CASE(batches_threads,                                                                          \
         an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_threads(), err), \
         "threads")                                                                                \
    CASE(                                                                                          \
        batches_ahead,                                                                             \
        an_loader_create(&batches_out, dataset, NULL, 0, wrong_an_loader_options_prefetch(), err), \
        "prefetch")                                                                                \
    CASE(set_cancel_null, an_loader_set_cancel(NULL, NULL, err), "loader")                         \
    SOURCE(CASE, struct_size, "struct_size is 0")                                                  \
    SOURCE(CASE, height, "height is 8193; it must be 1 to 8192")                                   \
    SOURCE(CASE, width, "width is 0; it must be 1 to 8192")                                        \
    SOURCE(CASE, outputs, "outputs is 1001; it must be 1 to 1000")                                 \
    SOURCE(CASE, count, "count is 0; it must be 1 to")                                             \
    SOURCE(CASE, varies, "varies is 2; it must be 0 to 1")                                         \
    SOURCE(CASE, weighted, "weighted is -1; it must be 0 to 1")                                    \
    SOURCE(CASE, any_range, "any_range is 2; it must be 0 to 1")                                   \
    SOURCE(CASE, reserved, "reserved is 1; it must be 0 to 0")                                     \
    SOURCE(CASE, fill, "fill is NULL")                                                             \
    SOURCE(CASE, identity, "identity has 0 bytes; it must have 1 to 200, or be NULL")              \
    CASE(source_latin_1,                                                                           \
         an_loader_create_from_callback(&batches_out, source_in_latin_1(), NULL, err),             \
         "identity is 'caf?'; it must be UTF-8")                                                   \
    CASE(source_out, an_loader_create_from_callback(NULL, good_source(), NULL, err), "out")        \
    CASE(source_null, an_loader_create_from_callback(&batches_out, NULL, NULL, err), "source")     \
    CASE(source_scale,                                                                             \
         an_loader_create_from_callback(&batches_out, good_source(),                               \
                                        wrong_an_loader_options_scale(), err),                     \
         "scale is 0; it must be unit (1), tf (2), article (3) or torch (4)")                      \
    CASE(source_augment,                                                                           \
         an_loader_create_from_callback(&batches_out, good_source(),                               \
                                        augmented(wrong_an_augment_options_mode()), err),          \
         "mode is 4")                                                                              \
    CASE(begin_null, an_loader_begin(NULL, 0, 0, err), "loader")                                   \
    CASE(begin_epoch, an_loader_begin(loader, -1, 0, err), "epoch")                                \
    CASE(begin_first, an_loader_begin(loader, 0, 99, err), "first")                                \
    CASE(next_null, an_loader_next(NULL, NULL, NULL, NULL, NULL, err), "loader")                   \
    CASE(conformal_truth, an_conformal_half_width(NULL, some, 4, 0.5, &half_width, err), "truth")  \
    CASE(conformal_prediction, an_conformal_half_width(truth, NULL, 4, 0.5, &half_width, err),     \
         "prediction")                                                                             \
    CASE(conformal_out, an_conformal_half_width(truth, some, 4, 0.5, NULL, err), "half_width")     \
    CASE(conformal_few, an_conformal_half_width(truth, some, 4, 0.9, &half_width, err),            \
         "4 samples for intervals of level 0.9; it needs at least 9")                              \
    CASE(conformal_none, an_conformal_half_width(truth, some, 0, 0.5, &half_width, err),           \
         "0 samples")                                                                              \
    CASE(conformal_level, an_conformal_half_width(truth, some, 4, 1, &half_width, err),            \
         "the level is 1")                                                                         \
    CASE(metrics_truth, an_metrics_compute(NULL, some, NULL, 4, &metrics, err), "truth")           \
    CASE(metrics_prediction, an_metrics_compute(truth, NULL, NULL, 4, &metrics, err),              \
         "prediction")                                                                             \
    CASE(metrics_out, an_metrics_compute(truth, some, NULL, 4, NULL, err), "metrics")              \
    CASE(metrics_count, an_metrics_compute(truth, some, NULL, 0, &metrics, err), "0")              \
    CASE(metrics_nan, an_metrics_compute(truth, not_a_number, NULL, 4, &metrics, err), "1")        \
    CASE(metrics_unset, an_metrics_compute(truth, some, NULL, 4, &unset_metrics, err),             \
         "an_metrics: struct_size is 0")                                                           \
    CASE(doubles_truth, an_metrics_compute_double(NULL, truth, NULL, 4, &metrics, err), "truth")   \
    CASE(doubles_prediction, an_metrics_compute_double(truth, NULL, NULL, 4, &metrics, err),       \
         "prediction")                                                                             \
    CASE(doubles_out, an_metrics_compute_double(truth, truth, NULL, 4, NULL, err), "metrics")      \
    CASE(doubles_count, an_metrics_compute_double(truth, truth, NULL, -4, &metrics, err), "-4")    \
    CASE(doubles_unset, an_metrics_compute_double(truth, truth, NULL, 4, &unset_metrics, err),     \
         "struct_size is 0")
REFUSED(MISUSE_DEFINE)
static const misuse_call refused[] = {REFUSED(MISUSE_LIST)};

#define PLOT_OPTION(CASE, field, part)                                                             \
    CASE(plot_##field,                                                                             \
         an_plot_scatter("x.png", truth, some, 4, wrong_an_plot_options_##field(), err), part)
#define PLOTS(CASE)                                                                                \
    CASE(curves_path, an_plot_curves(NULL, &line, 1, NULL, 0, NULL, err), "path")                  \
    CASE(curves_null, an_plot_curves("x.png", NULL, 1, NULL, 0, NULL, err), "curves is NULL")      \
    CASE(curves_none, an_plot_curves("x.png", &line, 0, NULL, 0, NULL, err), "curve_count is 0")   \
    CASE(curves_many, an_plot_curves("x.png", &line, 9, NULL, 0, NULL, err), "curve_count is 9")   \
    CASE(curve_values, an_plot_curves("x.png", &no_values, 1, NULL, 0, NULL, err), "values")       \
    CASE(curve_count, an_plot_curves("x.png", &below, 1, NULL, 0, NULL, err), "count -1")          \
    CASE(curve_name, an_plot_curves("x.png", &no_text, 1, NULL, 0, NULL, err), "UTF-8")            \
    CASE(curve_marks, an_plot_curves("x.png", &line, 1, NULL, 2, NULL, err), "marks is NULL")      \
    CASE(curve_marks_below, an_plot_curves("x.png", &line, 1, outside, -1, NULL, err),             \
         "mark_count is -1")                                                                       \
    CASE(curve_mark_0, an_plot_curves("x.png", &line, 1, negative + 1, 1, NULL, err),              \
         "mark 0 is epoch -1")                                                                     \
    CASE(scatter_path, an_plot_scatter(NULL, truth, some, 4, NULL, err), "path")                   \
    CASE(scatter_truth, an_plot_scatter("x.png", NULL, some, 4, NULL, err), "truth")               \
    CASE(scatter_prediction, an_plot_scatter("x.png", truth, NULL, 4, NULL, err), "prediction")    \
    CASE(scatter_count, an_plot_scatter("x.png", truth, some, 0, NULL, err), "count is 0")         \
    CASE(scatter_nan, an_plot_scatter("x.png", truth, not_a_number, 4, NULL, err), "not finite")   \
    PLOT_OPTION(CASE, struct_size, "struct_size is 0")                                             \
    PLOT_OPTION(CASE, width, "width")                                                              \
    PLOT_OPTION(CASE, height, "height")                                                            \
    PLOT_OPTION(CASE, log_y, "log_y is 2")                                                         \
    PLOT_OPTION(CASE, title, "title")                                                              \
    PLOT_OPTION(CASE, x_label, "x label") PLOT_OPTION(CASE, y_label, "y label")
PLOTS(MISUSE_DEFINE)
static const misuse_call refused_plots[] = {PLOTS(MISUSE_LIST)};

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    const misuse_out outs[] = {{"&backend_out", &backend_out}, {"&dataset_out", &dataset_out},
                               {"&batches_out", &batches_out}, {"&arrays_out", &arrays_out},
                               {"&tensor_out", &tensor_out},   {"&image_out", &image_out},
                               {"&bytes_out", &bytes_out},     {"&comm_out", &comm_out}};
    misuse_refused(refused, sizeof refused / sizeof *refused, outs, sizeof outs / sizeof *outs);
}

static void wrong_plots_are_refused(void **state) {
    (void)state;
    if (!an_has_feature("plot")) skip();
    misuse_refused(refused_plots, sizeof refused_plots / sizeof *refused_plots, NULL, 0);
}

static void init_without_a_struct_does_nothing(void **state) {
    (void)state;
    MISUSE_INIT(an_backend_options, an_backend_options_init);
    MISUSE_INIT(an_device_info, an_device_info_init);
    MISUSE_INIT(an_download_options, an_download_options_init);
    MISUSE_INIT(an_extract_options, an_extract_options_init);
    MISUSE_INIT(an_image_limits, an_image_limits_init);
    MISUSE_INIT(an_dataset_options, an_dataset_options_init);
    MISUSE_INIT(an_split_options, an_split_options_init);
    MISUSE_INIT(an_augment_options, an_augment_options_init);
    MISUSE_INIT(an_augment_options, an_augment_options_tutorial);
    MISUSE_INIT(an_loader_options, an_loader_options_init);
    MISUSE_INIT(an_loader_source, an_loader_source_init);
    MISUSE_INIT(an_plot_options, an_plot_options_init);
}

static void options_of_one_field_are_refused(void **state) {
    (void)state;
    an_error err;
    assert_int_equal(
        an_archive_extract("x", "x", wrong_an_extract_options_policy(), NULL, &err) < 0, 1);
    assert_int_equal(
        an_archive_extract("x", "x", wrong_an_extract_options_label_file(), NULL, &err) < 0, 1);
}

#define EXPECT_INIT(type, init)                                                                    \
    do {                                                                                           \
        type value;                                                                                \
        memset(&value, 0xff, sizeof value);                                                        \
        init(NULL, sizeof value);                                                                  \
        init(&value, 0);                                                                           \
        assert_int_equal(value.struct_size, 0xffffffff);                                           \
        init(&value, sizeof value);                                                                \
        assert_int_equal(value.struct_size, sizeof value);                                         \
    } while (0)

/* Inits do nothing without a struct or with a size of none. */
static void inits(void **state) {
    (void)state;
    EXPECT_INIT(an_extract_report, an_extract_report_init);
    EXPECT_INIT(an_model_info, an_model_info_init);
    EXPECT_INIT(an_metrics, an_metrics_init);
    EXPECT_INIT(an_curve, an_curve_init);
    EXPECT_INIT(an_epoch_report, an_epoch_report_init);
    EXPECT_INIT(an_checkpoint_info, an_checkpoint_info_init);
    EXPECT_INIT(an_warning, an_warning_init);
    EXPECT_INIT(an_progress, an_progress_init);
    EXPECT_INIT(an_fill_batch, an_fill_batch_init);
    EXPECT_INIT(an_train_event, an_train_event_init);
    EXPECT_INIT(an_loss_batch, an_loss_batch_init);
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
    assert_null(an_bytes_data(NULL));
    assert_int_equal(an_bytes_size(NULL), 0);
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
                         an_dataset_skipped(NULL) + an_dataset_class_count(NULL),
                     0);
    assert_null(an_dataset_name(NULL, 0));
    assert_null(an_dataset_name(dataset, -1));
    assert_null(an_dataset_class_name(NULL, 0));
    assert_null(an_dataset_class_name(dataset, 0));
    assert_int_equal(an_dataset_class(NULL, 0), -1);
    assert_int_equal(an_dataset_class(dataset, 0), -1);
    assert_true(isnan(an_dataset_score(NULL, 0, 0)));
    assert_true(isnan(an_dataset_weight(NULL, 0)));
    assert_int_equal(an_dataset_has_weights(NULL), 0);
    assert_true(isnan(an_dataset_score(dataset, 0, 7)));
    assert_int_equal(an_loader_steps(NULL) + an_loader_samples(NULL) + an_loader_batch_size(NULL) +
                         an_loader_height(NULL) + an_loader_width(NULL) + an_loader_outputs(NULL) +
                         an_loader_scale(NULL) + an_loader_is_plain(NULL) +
                         an_loader_has_weights(NULL),
                     0);
    assert_null(an_loader_batch_weights(NULL));
    assert_int_equal(an_backend_threads(NULL), 0);
    assert_string_equal(an_backend_name(NULL), "");
    assert_string_equal(an_backend_level(NULL), "");
    assert_int_equal(an_device_list_count(NULL), 0);
    assert_int_equal(an_comm_rank(NULL) + an_comm_size(NULL), 0);
    assert_string_equal(an_comm_host(NULL, 0), "");
    assert_string_equal(an_comm_name(NULL), "");
    assert_int_equal(an_has_feature(NULL), 0);
    assert_string_equal(an_status_name(12345), "unknown status");
    assert_true(an_abi() >= 0);
    assert_non_null(an_version());
}

static void destructors_accept_null(void **state) {
    (void)state;
    an_cancel_request(NULL);
    an_cancel_reset(NULL);
    an_cancel_is_requested(NULL);
    an_cancel_destroy(NULL);
    an_backend_destroy(NULL);
    an_comm_abort(NULL, NULL);
    an_comm_destroy(NULL);
    an_comm_options_init(NULL, sizeof(an_comm_options));
    an_device_list_destroy(NULL);
    an_tensor_destroy(NULL);
    an_image_destroy(NULL);
    an_bytes_destroy(NULL);
    an_arrays_destroy(NULL);
    an_dataset_destroy(NULL);
    an_loader_destroy(NULL);
}

/* --- what all is done on ---------------------------------------------------------------------- */

static int make_objects(void **state) {
    (void)state;
    an_error err;
    backend = test_backend_make("cpu", NULL, 1);
    if (an_device_list_create(&devices, &err) || an_comm_join(&comm, NULL, &err) ||
        an_dataset_from_pixels(&dataset, rgb, 1, SIZE, SIZE, truth, 1, NULL, &err) ||
        an_loader_create(&loader, dataset, NULL, 0, NULL, &err) ||
        an_arrays_create(&arrays, &err) || an_arrays_add(arrays, "there", some, shape, 2, &err) ||
        an_tensor_create(&tensor, shape, 2, &err) || an_image_create(&image, NULL, 2, 2, &err)) {
        print_error("%s\n", err.message);
        return -1;
    }
    metrics.struct_size = sizeof metrics;
    return 0;
}

/* Parents first: whoever needs them holds them. */
static int drop_objects(void **state) {
    (void)state;
    an_backend_destroy(backend);
    an_device_list_destroy(devices);
    an_comm_destroy(comm);
    an_dataset_destroy(dataset);
    an_image_destroy(image);
    an_tensor_destroy(tensor);
    an_arrays_destroy(arrays);
    an_loader_destroy(loader);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(wrong_plots_are_refused),
        cmocka_unit_test(init_without_a_struct_does_nothing),
        cmocka_unit_test(options_of_one_field_are_refused),
        cmocka_unit_test(inits),
        cmocka_unit_test(nothing_has_empty_answers),
        cmocka_unit_test(destructors_accept_null),
    };
    return cmocka_run_group_tests_name("misuse", tests, make_objects, drop_objects);
}
