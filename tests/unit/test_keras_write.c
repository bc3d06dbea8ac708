/* SPDX-License-Identifier: MIT
 * Keras files that the library writes, read by the library. What Keras itself makes of them is
 * checked by tests/interchange/keras_write.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "base/fault.h"
#include "base/file.h"
#include "io/hdf5_write.h"
#include "io/sha256.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/small_model.h"
#include "support/test_folder.h"

static an_backend *backend;
static an_error err;

static const char *const endings[] = {"m.h5", "m.weights.h5", "m.keras"};
enum { ENDINGS = 3 };

static const char *file(const char *name) {
    return folder_path(test_folder, name);
}

static an_status export_with(const an_model *model, const char *name, int32_t include_scale) {
    an_export_options how;
    an_export_options_init(&how, sizeof how);
    how.include_scale = include_scale;
    return an_model_export(model, file(name), &how, &err);
}

static void must_export(const an_model *model, const char *name) {
    if (export_with(model, name, 0)) fail_msg("%s: %s", name, err.message);
}

/* What a file has: its arrays, and what the readers find out about it. */
static an_arrays *arrays_of(const char *name) {
    an_arrays *arrays = NULL;
    if (an_arrays_read(&arrays, file(name), &err)) fail_msg("%s: %s", name, err.message);
    return arrays;
}

static an_model *load(const char *name, int32_t scale) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE; /* a .weights.h5 does not say */
    options.scale = scale;
    if (an_model_load(&model, backend, file(name), &options, &err))
        fail_msg("%s: %s", name, err.message);
    return model;
}

/* A model whose weights all differ from those of a new one, also where Keras' initialisers agree.
 */
static an_model *varied_model(int32_t outputs, int32_t task) {
    an_model *model = small_model(backend, outputs, task);
    an_arrays *weights = NULL, *other = NULL;
    assert_int_equal(an_model_copy_weights(&weights, model, &err), AN_OK);
    assert_int_equal(an_arrays_create(&other, &err), AN_OK);
    uint32_t state = 1;
    for (int64_t i = 0; i < an_arrays_count(weights); i++) {
        int64_t shape[4], count = 1;
        const int32_t rank = an_arrays_rank(weights, i);
        for (int32_t axis = 0; axis < rank; axis++)
            count *= shape[axis] = an_arrays_length(weights, i, axis);
        float *values = malloc((size_t)count * sizeof *values);
        for (int64_t k = 0; k < count; k++) {
            state = state * 1664525u + 1013904223u;
            values[k] = (float)(state >> 8) / (1 << 24) + 0.25F;
        }
        assert_int_equal(
            an_arrays_add(other, an_arrays_name(weights, i), values, shape, rank, &err), AN_OK);
        free(values);
    }
    assert_int_equal(an_model_set_weights(model, other, &err), AN_OK);
    an_arrays_destroy(weights);
    an_arrays_destroy(other);
    return model;
}

static void assert_same_weights(const an_model *a, const an_model *b) {
    an_arrays *x = NULL, *y = NULL;
    assert_int_equal(an_model_copy_weights(&x, a, &err), AN_OK);
    assert_int_equal(an_model_copy_weights(&y, b, &err), AN_OK);
    assert_int_equal(an_arrays_count(x), an_arrays_count(y));
    for (int64_t i = 0; i < an_arrays_count(x); i++) {
        int64_t count = 1;
        assert_string_equal(an_arrays_name(x, i), an_arrays_name(y, i));
        for (int32_t axis = 0; axis < an_arrays_rank(x, i); axis++)
            count *= an_arrays_length(x, i, axis);
        assert_memory_equal(an_arrays_data(x, i), an_arrays_data(y, i),
                            (size_t)count * sizeof(float));
    }
    an_arrays_destroy(x);
    an_arrays_destroy(y);
}

static void assert_same_file(const char *a, const char *b) {
    int64_t size, other_size;
    uint8_t *bytes = folder_read(file(a), &size), *other = folder_read(file(b), &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, (size_t)size);
    free(bytes);
    free(other);
}

static void assert_config(const char *name, const char *part, bool is_there) {
    an_arrays *arrays = arrays_of(name);
    const char *config = an_arrays_metadata(arrays, "model_config");
    assert_non_null(config);
    if (!strstr(config, part) == is_there)
        fail_msg("%s: '%s' is %s", name, part, is_there ? "missing" : "there");
    an_arrays_destroy(arrays);
}

/* --- the same model --------------------------------------------------------------------------- */

static an_status load_plain(an_model **out, const char *name) {
    return an_model_load(out, backend, file(name), NULL, &err);
}

/* Without options: the file says what the model file says. */
static void written_read_written(void **state) {
    (void)state;
    static const char *const names[] = {"cat", "dog", "na\xc3\xafve \"fox\""};
    an_model *model = varied_model(3, AN_TASK_CLASSIFICATION);
    assert_int_equal(an_model_set_class_names(model, names, 3, &err), AN_OK);
    for (int i = 0; i < ENDINGS; i++) {
        an_model *again = NULL;
        char name[32];
        snprintf(name, sizeof name, "again-%s", endings[i]);
        must_export(model, endings[i]);
        if (load_plain(&again, endings[i])) fail_msg("%s: %s", endings[i], err.message);
        assert_same_weights(model, again);
        assert_int_equal(an_model_class_count(again), 3);
        assert_string_equal(an_model_class_name(again, 2), names[2]);
        must_export(again, name);
        assert_same_file(endings[i], name);
        an_model_destroy(again);
    }
    an_model_destroy(model);
}

/* As PyTorch has them: paddings, epsilon and scale that Keras' MobileNetV2 does not have. */
static void settings_of_pytorch_are_kept(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *model = NULL, *again = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.alpha = 0.1;
    options.padding = AN_PADDING_SYMMETRIC;
    options.epsilon = 1e-5;
    options.scale = AN_SCALE_TORCH;
    assert_int_equal(an_mobilenetv2_create(&model, backend, &options, &err), AN_OK);
    for (int i = 0; i < ENDINGS; i++) {
        must_export(model, endings[i]);
        if (i != 1) assert_config(endings[i], "Conv1_pad", true);
        if (i != 1) assert_config(endings[i], "\"epsilon\": 1e-05", true);
        if (load_plain(&again, endings[i])) fail_msg("%s: %s", endings[i], err.message);
        const double epsilon = ani_net_spec_of(ani_model_net(again))->epsilon;
        assert_memory_equal(&epsilon, &options.epsilon, sizeof epsilon);
        assert_int_equal(ani_model_facts_of(again)->padding, AN_PADDING_SYMMETRIC);
        assert_int_equal(ani_model_facts_of(again)->scale, AN_SCALE_TORCH);
        an_model_destroy(again);
    }
    an_model_destroy(model);
}

static void the_same_model_gives_the_same_bytes(void **state) {
    (void)state;
    an_model *model = varied_model(1, AN_TASK_REGRESSION);
    for (int i = 0; i < ENDINGS; i++) {
        char name[32];
        snprintf(name, sizeof name, "other-%s", endings[i]);
        must_export(model, endings[i]);
        must_export(model, name);
        assert_same_file(endings[i], name);
    }
    an_model_destroy(model);
}

static void an_ending_in_capitals_is_the_same_format(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"m.weights.h5", "M.Weights.H5"}, {"m.h5", "WEIGHTS.H5"}, {"m.keras", "m.KERAS"}};
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    for (int i = 0; i < 3; i++) {
        must_export(model, names[i][0]);
        must_export(model, names[i][1]);
        assert_same_file(names[i][0], names[i][1]);
    }
    an_model_destroy(model);
}

/* --- configs ---------------------------------------------------------------------------------- */

/* The texts that tf_keras 2.21 and Keras 3.15 loaded, see keras_write.py; a change of either needs
 * a run of that. */
static void configs_are_those_that_keras_has_loaded(void **state) {
    (void)state;
    static const char *const wanted[][2] = {
        {"m.h5", "b75def5f325fdb9eab787ccaa7421acdea66aae60e673534873b72eaf69c510a"},
        {"m.keras", "d4df50b0c3824d5590cd77e4cbb40716eec5ce18b9f1dc0e83def538d3e5d0a2"},
    };
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    for (int i = 0; i < 2; i++) {
        ani_sha256 sha;
        char text[65];
        must_export(model, wanted[i][0]);
        an_arrays *arrays = arrays_of(wanted[i][0]);
        const char *config = an_arrays_metadata(arrays, "model_config");
        ani_sha256_begin(&sha);
        ani_sha256_add(&sha, config, (int64_t)strlen(config));
        ani_sha256_end(&sha, text);
        assert_string_equal(text, wanted[i][1]);
        an_arrays_destroy(arrays);
    }
    an_model_destroy(model);
}

static void the_task_decides_activation_and_loss(void **state) {
    (void)state;
    static const struct {
        int32_t outputs, task;
        const char *activation, *loss;
    } cases[] = {{2, AN_TASK_REGRESSION, "linear", "mean_squared_error"},
                 {1, AN_TASK_CLASSIFICATION, "sigmoid", "binary_crossentropy"},
                 {3, AN_TASK_CLASSIFICATION, "softmax", "categorical_crossentropy"}};
    for (int i = 0; i < 3; i++) {
        char dense[80], loss[80];
        an_model *model = small_model(backend, cases[i].outputs, cases[i].task);
        snprintf(dense, sizeof dense, "\"units\": %d, \"activation\": \"%s\"",
                 (int)cases[i].outputs, cases[i].activation);
        snprintf(loss, sizeof loss, "\"loss\": \"%s\"", cases[i].loss);
        must_export(model, "m.h5");
        assert_config("m.h5", dense, true);
        must_export(model, "m.keras");
        assert_config("m.keras", dense, true);
        assert_config("m.keras", loss, true);
        for (int k = 0; k < ENDINGS; k += 2) { /* not .weights.h5, which says nothing of it */
            an_model *again = load(endings[k], AN_SCALE_UNIT);
            assert_int_equal(ani_model_facts_of(again)->task, cases[i].task);
            an_model_destroy(again);
        }
        an_model_destroy(model);
    }
}

static void paddings_are_layers_unless_they_are_keras_same(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = 33; /* so that padding depends on the axis */
    options.width = 48;
    options.alpha = 0.1;
    for (int32_t padding = AN_PADDING_FIXED; padding <= AN_PADDING_TUTORIAL; padding++) {
        an_model *model = NULL, *again = NULL;
        options.padding = padding;
        assert_int_equal(an_mobilenetv2_create(&model, backend, &options, &err), AN_OK);
        must_export(model, "m.keras");
        assert_config("m.keras", "Conv1_pad", false);
        assert_config("m.keras", "\"block_1_pad\"", true);
        assert_config("m.keras",
                      padding == AN_PADDING_FIXED ? "[[1, 1], [0, 1]]" : "[[0, 1], [0, 1]]", true);
        options.padding = AN_PADDING_AUTO;
        options.scale = AN_SCALE_UNIT;
        if (an_model_load(&again, backend, file("m.keras"), &options, &err))
            fail_msg("%s", err.message);
        const ani_net_spec *a = ani_net_spec_of(ani_model_net(model));
        const ani_net_spec *b = ani_net_spec_of(ani_model_net(again));
        for (int32_t u = 0; u < a->unit_count; u++) {
            assert_int_equal(a->units[u].pad_top, b->units[u].pad_top);
            assert_int_equal(a->units[u].pad_bottom, b->units[u].pad_bottom);
            assert_int_equal(a->units[u].pad_left, b->units[u].pad_left);
            assert_int_equal(a->units[u].pad_right, b->units[u].pad_right);
        }
        an_model_destroy(model);
        an_model_destroy(again);
    }
}

static void scaling_is_a_layer_only_if_wanted(void **state) {
    (void)state;
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.alpha = 0.1;
    for (int32_t scale = AN_SCALE_UNIT; scale <= AN_SCALE_TORCH; scale++) {
        options.scale = scale;
        assert_int_equal(an_mobilenetv2_create(&model, backend, &options, &err), AN_OK);
        for (int i = 0; i < ENDINGS; i += 2) {
            must_export(model, endings[i]);
            assert_config(endings[i], "Rescaling", false);
            assert_int_equal(export_with(model, endings[i], 1), AN_OK);
            assert_config(endings[i], "Rescaling", true);
            an_model *again = load(endings[i], AN_SCALE_AUTO);
            assert_int_equal(ani_model_facts_of(again)->scale, scale);
            assert_same_weights(model, again);
            an_model_destroy(again);
        }
        an_model_destroy(model);
    }
}

/* A model that was called something else: TensorFlow and Keras refuse some characters. */
static void a_name_that_keras_refuses_is_changed(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"a/b c", "\"a_b_c\""}, {"_x", "\"model_x\""}, {"", "\"model\""}};
    for (int i = 0; i < 3; i++) {
        an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
        ani_model_facts *facts = (ani_model_facts *)(uintptr_t)ani_model_facts_of(model);
        snprintf(facts->base_name, sizeof facts->base_name, "%s", names[i][0]);
        must_export(model, "m.h5");
        assert_config("m.h5", names[i][1], true);
        an_model_destroy(model);
    }
}

/* --- what the file says besides --------------------------------------------------------------- */

/* A .h5 of one array whose attribute for our metadata has this text. */
static an_status read_facts(an_arrays **out, const char *text) {
    static const float values[] = {1, 2};
    static const int64_t shape[] = {2};
    static const char *const layers[] = {"dense"}, *const weights[] = {"dense/bias:0"};
    ani_hdf5_draft draft = {0};
    ani_writer *writer = NULL;
    ani_hdf5_add_text(&draft, ANI_HDF5_ROOT, "attractivenet", text);
    const int64_t base = ani_hdf5_add_group(&draft, ANI_HDF5_ROOT, "model_weights");
    const int64_t dense = ani_hdf5_add_group(&draft, base, "dense");
    const int64_t inner = ani_hdf5_add_group(&draft, dense, "dense");
    ani_hdf5_add_list(&draft, base, "layer_names", layers, 1);
    ani_hdf5_add_list(&draft, dense, "weight_names", weights, 1);
    ani_hdf5_add_array(&draft, inner, "bias:0", shape, 1, values);
    assert_int_equal(ani_hdf5_end(&draft, &err), AN_OK);
    assert_int_equal(ani_writer_begin(&writer, file("m.h5"), &err), AN_OK);
    assert_int_equal(ani_hdf5_write(&draft, ani_writer_put, writer, &err), AN_OK);
    assert_int_equal(ani_writer_commit(writer, &err), AN_OK);
    ani_hdf5_clear(&draft);
    return an_arrays_read(out, file("m.h5"), &err);
}

static void facts_are_a_json_object_of_texts(void **state) {
    (void)state;
    static const char *const wrong[] = {"{", "[]", "\"scale\"", "{\"a\": \"1\", \"a\": \"2\"}"};
    an_arrays *arrays = NULL;
    char many[65 * 16] = "{";
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_facts(&arrays, wrong[i]), AN_ERR_FORMAT);
        assert_non_null(strstr(err.message, "attribute 'attractivenet' is not a JSON object"));
        assert_null(arrays);
    }
    for (int i = 0; i < 65; i++)
        sprintf(many + strlen(many), "%s\"k%d\": \"\"", i ? ", " : "", i);
    strcat(many, "}");
    assert_int_equal(read_facts(&arrays, many), AN_ERR_FORMAT);
    /* what the reader says itself, and what is no text, is not taken */
    assert_int_equal(read_facts(&arrays, "{\"scale\": \"tf\", \"seed\": 5, \"layout\": \"x\", "
                                         "\"model_config\": \"{}\", \"layer_classes\": \"y\"}"),
                     AN_OK);
    assert_string_equal(an_arrays_metadata(arrays, "scale"), "tf");
    assert_string_equal(an_arrays_metadata(arrays, "layout"), "keras-model");
    assert_null(an_arrays_metadata(arrays, "seed"));
    assert_null(an_arrays_metadata(arrays, "model_config"));
    assert_null(an_arrays_metadata(arrays, "layer_classes"));
    an_arrays_destroy(arrays);
}

/* --- refusals and faults ---------------------------------------------------------------------- */

static void what_keras_cannot_hold_is_refused(void **state) {
    (void)state;
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    for (int32_t format = AN_EXPORT_KERAS_H5; format <= AN_EXPORT_KERAS_ARCHIVE; format++) {
        an_export_options how;
        an_export_options_init(&how, sizeof how);
        how.format = format;
        how.layout = AN_LAYOUT_NCHW;
        assert_int_equal(an_model_export(model, file("m"), &how, &err), AN_ERR_ARG);
        assert_non_null(strstr(err.message, "layout is 1"));
        how.layout = AN_LAYOUT_NHWC;
        how.inference = AN_INFERENCE_INT8;
        assert_int_equal(an_model_export(model, file("m"), &how, &err), AN_ERR_ARG);
        assert_non_null(strstr(err.message, "inference is 1"));
    }
    assert_int_equal(folder_count(test_folder), 0);
    an_model_destroy(model);
}

static void a_file_appears_complete_or_not_at_all(void **state) {
    (void)state;
    static const int kinds[] = {ANI_FAULT_OPEN, ANI_FAULT_WRITE, ANI_FAULT_SYNC, ANI_FAULT_RENAME};
    an_model *model = small_model(backend, 1, AN_TASK_REGRESSION);
    for (int i = 0; i < ENDINGS; i++) {
        must_export(model, endings[i]);
        assert_int_equal(rename(file(endings[i]), file("whole")), 0);
        for (int k = 0; k < 4; k++) {
            bool failed = true;
            int64_t n = 0, without = 0;
            for (; failed; n++) {
                ani_fault_arm(kinds[k], n, ENOSPC, false);
                const an_status st = export_with(model, endings[i], 0);
                failed = ani_fault_calls(kinds[k]) > n;
                ani_fault_disarm();
                assert_int_equal(st, failed ? AN_ERR_IO : AN_OK);
                if (folder_count(test_folder) == 1) {
                    without++;
                    continue;
                }
                assert_same_file(endings[i], "whole"); /* only the folder could not be synced */
                assert_int_equal(folder_count(test_folder), 2);
                remove(file(endings[i]));
            }
            assert_true(without > 0 && without < n);
        }
    }
    an_model_destroy(model);
}

static int open_backend(void **state) {
    (void)state;
    backend = test_backend_make("cpu", NULL, 1);
    return 0;
}

static int close_backend(void **state) {
    (void)state;
    an_backend_destroy(backend);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_folder(written_read_written),
        unit_test_in_folder(settings_of_pytorch_are_kept),
        unit_test_in_folder(the_same_model_gives_the_same_bytes),
        unit_test_in_folder(an_ending_in_capitals_is_the_same_format),
        unit_test_in_folder(configs_are_those_that_keras_has_loaded),
        unit_test_in_folder(the_task_decides_activation_and_loss),
        unit_test_in_folder(paddings_are_layers_unless_they_are_keras_same),
        unit_test_in_folder(scaling_is_a_layer_only_if_wanted),
        unit_test_in_folder(a_name_that_keras_refuses_is_changed),
        unit_test_in_folder(facts_are_a_json_object_of_texts),
        unit_test_in_folder(what_keras_cannot_hold_is_refused),
        unit_test_in_folder(a_file_appears_complete_or_not_at_all),
    };
    return cmocka_run_group_tests_name("keras_write", tests, open_backend, close_backend);
}
