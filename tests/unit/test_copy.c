/* SPDX-License-Identifier: MIT
 * Copies of models, with weights of their own and with shared ones; names of classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/optim.h>

#include "base/fault.h"
#include "support/backends.h"
#include "support/folder.h"
#include "support/sanitizers.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { N = 2, CLASSES = 3 };

static an_error err;
static an_backend *two, *three; /* threads */
static float x[N * PIXELS];

static int make_backends(void **state) {
    (void)state;
    two = test_backend_make("cpu", NULL, 2);
    three = test_backend_make("cpu", NULL, 3);
    for (int i = 0; i < N * PIXELS; i++)
        x[i] = (float)(i * 37 % 256) / 255;
    return 0;
}

static int destroy_backends(void **state) {
    (void)state;
    an_backend_destroy(two);
    an_backend_destroy(three);
    return 0;
}

static void expect_ok(an_status st) {
    if (st) fail_msg("%s", err.message);
}

static void choose(an_model *model, int32_t inference) {
    if (inference != AN_INFERENCE_INT8) {
        expect_ok(an_model_set_inference(model, inference, &err));
        return;
    }
    expect_ok(an_model_calibrate_begin(model, &err));
    expect_ok(an_model_calibrate_add(model, x, N, &err));
    expect_ok(an_model_calibrate_end(model, &err));
}

static an_model *make_model(an_backend *backend, int32_t inference) {
    an_model *model = small_model(backend, CLASSES, AN_TASK_CLASSIFICATION);
    small_model_settle(model, x, N);
    choose(model, inference);
    return model;
}

typedef struct scores {
    float values[N * CLASSES];
} scores;

static scores score(an_model *model) {
    scores found;
    expect_ok(an_model_predict(model, x, N, found.values, &err));
    return found;
}

static void expect_scores(an_model *model, const scores *want) {
    const scores found = score(model);
    assert_memory_equal(&found, want, sizeof found);
}

static an_model *copy_of(const an_model *model, an_backend *backend, int32_t weights) {
    an_model *copy = NULL;
    expect_ok(an_model_copy(&copy, model, backend, weights, &err));
    return copy;
}

/* One step of a training that changes all weights and statistics. */
static void train(an_model *model) {
    static const float y[N * CLASSES] = {1, 0, 0, 0, 0, 1};
    an_optimizer *optimizer = NULL;
    expect_ok(an_model_set_base(model, AN_BASE_TRAIN, &err));
    expect_ok(an_optimizer_create(&optimizer, model, NULL, &err));
    expect_ok(an_model_compute_gradients(model, x, y, N, NULL, NULL, &err));
    expect_ok(an_optimizer_step(optimizer, 0.1, &err));
    an_optimizer_destroy(optimizer);
}

static const void *weights_of(const an_model *model) {
    return ani_net_array_at(ani_model_net(model), 0)->data;
}

/* --- the same model --------------------------------------------------------------------------- */

static void a_copy_is_the_same_model(void **state) {
    (void)state;
    static const char *const names[CLASSES] = {"cat", "dog", "horse"};
    for (int32_t inference = AN_INFERENCE_FP32; inference <= AN_INFERENCE_BF16; inference++) {
        an_model *model = make_model(two, inference);
        an_bytes *bytes = NULL;
        an_model_info want = {.struct_size = sizeof want}, got = {.struct_size = sizeof got};
        expect_ok(an_model_set_base(model, AN_BASE_FINETUNE, &err));
        expect_ok(an_model_set_training(model, AN_PRECISION_MIXED, 1, &err));
        expect_ok(an_model_set_class_names(model, names, CLASSES, &err));
        expect_ok(an_model_describe(model, &want, &err));
        expect_ok(an_model_save_bytes(&bytes, model, &err));
        const scores right = score(model);
        an_backend *const backends[] = {NULL, two, three};
        for (int i = 0; i < 6; i++) {
            an_bytes *again = NULL;
            an_model *copy = copy_of(model, backends[i % 3], i / 3);
            assert_ptr_equal(an_model_backend(copy), backends[i % 3] ? backends[i % 3] : two);
            expect_ok(an_model_describe(copy, &got, &err));
            assert_memory_equal(&got, &want, sizeof want);
            expect_scores(copy, &right);
            expect_ok(an_model_save_bytes(&again, copy, &err));
            assert_int_equal(an_bytes_size(again), an_bytes_size(bytes));
            assert_memory_equal(an_bytes_data(again), an_bytes_data(bytes),
                                (size_t)an_bytes_size(bytes));
            an_bytes_destroy(again);
            an_model_destroy(copy);
        }
        expect_scores(model, &right);
        an_bytes_destroy(bytes);
        an_model_destroy(model);
    }
}

/* ref computes in double: its scores are near, and those of int8 the same. */
static void a_copy_on_another_kind_of_backend(void **state) {
    (void)state;
    an_backend *ref = test_backend_make("ref", NULL, 1);
    an_model *model = make_model(two, AN_INFERENCE_INT8);
    const scores right = score(model);
    an_model *copy = copy_of(model, ref, AN_COPY_WEIGHTS), *back, *none = NULL;
    expect_scores(copy, &right);
    back = copy_of(copy, three, AN_COPY_WEIGHTS);
    expect_scores(back, &right);
    assert_int_equal(an_model_copy(&none, model, ref, AN_SHARE_WEIGHTS, &err), AN_ERR_UNSUPPORTED);
    assert_null(none);
    assert_non_null(strstr(err.message, "'cpu'"));
    assert_non_null(strstr(err.message, "'ref'"));
    an_model_destroy(back);
    an_model_destroy(copy);
    back = make_model(ref, AN_INFERENCE_FP32);
    copy = copy_of(back, ref, AN_SHARE_WEIGHTS);
    an_model_destroy(back);
    train(copy);
    an_model_destroy(copy);
    an_model_destroy(model);
    an_backend_destroy(ref);
}

/* --- apart ------------------------------------------------------------------------------------ */

static void set_weights(an_model *model) {
    an_model *other = small_model(two, CLASSES, AN_TASK_CLASSIFICATION);
    an_arrays *arrays = NULL;
    expect_ok(an_model_reset_head(other, 7, &err));
    expect_ok(an_model_copy_weights(&arrays, other, &err));
    expect_ok(an_model_set_weights(model, arrays, &err));
    an_arrays_destroy(arrays);
    an_model_destroy(other);
}

static void reset_head(an_model *model) {
    expect_ok(an_model_reset_head(model, 99, &err));
}

static void update_statistics(an_model *model) {
    small_model_settle(model, x + PIXELS, 1);
}

static void change_of_one_is_not_seen_in_the_other(void **state) {
    (void)state;
    static void (*const changes[])(an_model *) = {train, set_weights, reset_head,
                                                  update_statistics};
    for (int i = 0; i < 16; i++) {
        const int32_t weights = i % 2 ? AN_SHARE_WEIGHTS : AN_COPY_WEIGHTS;
        an_model *model = make_model(two, AN_INFERENCE_FP32);
        const scores before = score(model);
        an_model *copy = copy_of(model, three, weights);
        an_model *changed = i / 2 % 2 ? copy : model, *other = i / 2 % 2 ? model : copy;
        assert_int_equal(weights_of(model) == weights_of(copy), weights == AN_SHARE_WEIGHTS);
        changes[i / 4](changed);
        assert_ptr_not_equal(weights_of(model), weights_of(copy));
        const scores after = score(changed);
        assert_memory_not_equal(&after, &before, sizeof after);
        expect_scores(other, &before);
        train(other); /* it alone has the memory now */
        expect_scores(changed, &after);
        an_model_destroy(i / 8 % 2 ? model : copy);
        an_model_destroy(i / 8 % 2 ? copy : model);
    }
}

/* What was packed while the weights were shared is not packed again from where they were: the other
 * model has gone, and its memory with it. */
static void the_memory_that_was_shared_has_gone(void **state) {
    (void)state;
    an_model *model = make_model(two, AN_INFERENCE_FP32), *like;
    like = copy_of(model, NULL, AN_COPY_WEIGHTS);
    an_model *copy = copy_of(model, three, AN_SHARE_WEIGHTS);
    reset_head(model);
    reset_head(like);
    an_model_destroy(copy);
    const scores right = score(like);
    expect_scores(model, &right);
    an_model_destroy(model);
    an_model_destroy(like);
}

/* What only sets how predictions are made leaves the weights shared. */
static void settings_leave_weights_shared(void **state) {
    (void)state;
    an_model *model = make_model(two, AN_INFERENCE_FP32);
    const scores fp32 = score(model);
    an_model *copy = copy_of(model, three, AN_SHARE_WEIGHTS);
    an_arrays *arrays = NULL;
    choose(copy, AN_INFERENCE_INT8);
    expect_ok(an_model_set_base(copy, AN_BASE_TRAIN, &err));
    expect_ok(an_model_set_momentum(copy, 0.5, &err));
    expect_ok(an_model_copy_weights(&arrays, copy, &err));
    an_arrays_destroy(arrays);
    const scores int8 = score(copy);
    assert_memory_not_equal(&int8, &fp32, sizeof fp32);
    expect_scores(model, &fp32);
    choose(model, AN_INFERENCE_INT8);
    expect_scores(model, &int8);
    choose(model, AN_INFERENCE_FP32);
    expect_scores(copy, &int8);
    assert_ptr_equal(weights_of(model), weights_of(copy));
    an_model_destroy(model);
    expect_scores(copy, &int8);
    train(copy);
    an_model_destroy(copy);
}

/* Four models share; they leave one by one, in each order, changed or not. */
static void copies_of_copies(void **state) {
    (void)state;
    for (int order = 0; order < 24; order++) {
        an_model *all[4] = {make_model(two, AN_INFERENCE_FP32)};
        const scores right = score(all[0]);
        for (int i = 1; i < 4; i++)
            all[i] = copy_of(all[i - 1], i % 2 ? three : two, AN_SHARE_WEIGHTS);
        for (int left = 4, code = order; left > 0; code /= left--) {
            const int which = code % left;
            for (int i = 0; i < left; i++)
                expect_scores(all[i], &right);
            if (order % 2) train(all[which]);
            an_model_destroy(all[which]);
            all[which] = all[left - 1];
        }
    }
}

/* --- memory ----------------------------------------------------------------------------------- */

static int64_t resident(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* How much memory copies take, a prediction of each included. */
static int64_t cost_of(an_model *model, int32_t weights) {
    enum { COPIES = 4 };
    an_model *copies[COPIES];
    float y;
    const int64_t before = resident();
    for (int i = 0; i < COPIES; i++) {
        copies[i] = copy_of(model, i % 2 ? three : two, weights);
        expect_ok(an_model_predict(copies[i], x, 1, &y, &err));
    }
    const int64_t after = resident();
    for (int i = 0; i < COPIES; i++)
        an_model_destroy(copies[i]);
    return (after - before) / COPIES;
}

static void shared_weights_are_in_memory_once(void **state) {
    (void)state;
    if (HAS_ASAN || HAS_TSAN) skip(); /* memory of theirs */
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_model_info info = {.struct_size = sizeof info};
    float y;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.alpha = 1.4;
    expect_ok(an_mobilenetv2_create(&model, two, &options, &err));
    expect_ok(an_model_describe(model, &info, &err));
    expect_ok(an_model_predict(model, x, 1, &y, &err));
    const int64_t size = info.parameters * (int64_t)sizeof(float);
    const int64_t own = cost_of(model, AN_COPY_WEIGHTS);
    const int64_t shared = cost_of(model, AN_SHARE_WEIGHTS);
    print_message("weights %.1f MB; a copy takes %.1f MB, a shared one %.1f MB\n",
                  (double)size / 1e6, (double)own / 1e6, (double)shared / 1e6);
    assert_true(own > 3 * size / 2); /* weights, and what is packed of them */
    assert_true(shared < size / 3);  /* buffers, batch norm */
    an_model_destroy(model);
}

/* The copy that a change needs cannot be made: nothing has changed, and all goes on. */
static void no_memory_for_weights_of_its_own(void **state) {
    (void)state;
    an_model *model = make_model(two, AN_INFERENCE_FP32);
    const scores before = score(model);
    an_model *copy = copy_of(model, NULL, AN_SHARE_WEIGHTS);
    for (int64_t point = 0; point < 2; point++) {
        ani_fault_arm(ANI_FAULT_ALLOC, point, ENOMEM, false);
        const an_status st = an_model_reset_head(copy, 5, &err);
        ani_fault_disarm();
        assert_int_equal(st, AN_ERR_NOMEM);
        assert_ptr_equal(weights_of(model), weights_of(copy));
        expect_scores(copy, &before);
    }
    expect_ok(an_model_reset_head(copy, 5, &err));
    expect_scores(model, &before);
    an_model_destroy(model);
    an_model_destroy(copy);
}

/* --- names of classes ------------------------------------------------------------------------- */

static void expect_names(const an_model *model, const char *const *names, int32_t count) {
    assert_int_equal(an_model_class_count(model), count);
    for (int32_t i = 0; i < count; i++)
        assert_string_equal(an_model_class_name(model, i), names[i]);
    assert_null(an_model_class_name(model, count));
    assert_null(an_model_class_name(model, -1));
}

static an_model *reload(const an_model *model) {
    an_bytes *bytes = NULL;
    an_model *loaded = NULL;
    expect_ok(an_model_save_bytes(&bytes, model, &err));
    expect_ok(an_model_load_bytes(&loaded, two, an_bytes_data(bytes), an_bytes_size(bytes), NULL,
                                  NULL, &err));
    an_bytes_destroy(bytes);
    return loaded;
}

static void names_come_back_from_the_file(void **state) {
    (void)state;
    static const char *const odd[CLASSES] = {"a \"quoted\" \\ name", "line\nbreak\x01",
                                             "\xe7\x8c\xab, \xe2\x82\xac"};
    static const char *const plain[CLASSES] = {"one", "two", "three"};
    char *folder = folder_make();
    an_model *loaded, *model = small_model(two, CLASSES, AN_TASK_CLASSIFICATION);
    expect_names(model, NULL, 0);
    loaded = reload(model);
    expect_names(loaded, NULL, 0);
    an_model_destroy(loaded);
    expect_ok(an_model_set_class_names(model, odd, CLASSES, &err));
    loaded = reload(model);
    expect_names(loaded, odd, CLASSES);
    expect_ok(an_model_set_class_names(loaded, plain, CLASSES, &err));
    expect_names(loaded, plain, CLASSES);
    expect_ok(an_model_set_class_names(loaded, NULL, 0, &err));
    expect_names(loaded, NULL, 0);
    an_model_destroy(loaded);
    const char *path = folder_path(folder, "m.safetensors");
    expect_ok(an_model_save(model, path, &err));
    expect_ok(an_model_load(&loaded, two, path, NULL, &err));
    expect_names(loaded, odd, CLASSES);
    an_model_destroy(model);
    expect_names(loaded, odd, CLASSES);
    an_model_destroy(loaded);
    folder_remove(folder);
}

static void one_output_has_two_classes(void **state) {
    (void)state;
    static const char *const names[2] = {"no", "yes"};
    an_model *model = small_model(two, 1, AN_TASK_CLASSIFICATION), *loaded;
    assert_int_equal(an_model_set_class_names(model, names, 1, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "1 class names; it must have 2"));
    expect_ok(an_model_set_class_names(model, names, 2, &err));
    loaded = reload(model);
    expect_names(loaded, names, 2);
    an_model_destroy(loaded);
    an_model_destroy(model);
}

static void wrong_names_are_refused(void **state) {
    (void)state;
    static char endless[1002];
    memset(endless, 'x', sizeof endless - 1);
    static const struct {
        const char *names[CLASSES];
        int32_t count;
        const char *part;
    } cases[] = {
        {{"a", "b", "c"}, 2, "2 class names; it must have 3"},
        {{"a", "b", "c"}, 0, "0 class names; it must have 3"},
        {{"a", "b", "c"}, -1, "-1 class names; it must have 3"},
        {{"a", "b", NULL}, 3, "the name of class 2 is NULL"},
        {{"a", "", "c"}, 3, "the name of class 1 is empty"},
        {{"\xff", "b", "c"}, 3, "the name of class 0 is not UTF-8"},
        {{endless, "b", "c"}, 3, "the name of class 0 is longer"},
        {{"b", "a", "b"}, 3, "two classes are named 'b'"},
        {{"A", "a", "\xc3\xa4"}, 3, NULL}, /* names that differ are in order */
    };
    an_model *model = small_model(two, CLASSES, AN_TASK_CLASSIFICATION), *scores_model;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const an_status st = an_model_set_class_names(model, cases[i].names, cases[i].count, &err);
        assert_int_equal(st, cases[i].part ? AN_ERR_ARG : AN_OK);
        if (st && !strstr(err.message, cases[i].part))
            fail_msg("'%s' is not in '%s'", cases[i].part, err.message);
        if (st) assert_int_equal(an_model_class_count(model), 0);
    }
    expect_names(model, cases[8].names, CLASSES);
    assert_int_equal(an_model_set_class_names(model, cases[3].names, CLASSES, &err), AN_ERR_ARG);
    expect_names(model, cases[8].names, CLASSES);
    an_model_destroy(model);
    scores_model = small_model(two, CLASSES, AN_TASK_REGRESSION);
    assert_int_equal(an_model_set_class_names(scores_model, cases[0].names, CLASSES, &err),
                     AN_ERR_ARG);
    assert_non_null(strstr(err.message, "regression"));
    an_model_destroy(scores_model);
}

/* Load a model whose metadata say so. */
static an_status load_with(const char *format, const char *classes, int32_t task) {
    an_model *model = small_model(two, CLASSES, task), *loaded = NULL;
    an_bytes *bytes = NULL, *changed = NULL;
    an_arrays *arrays = NULL;
    expect_ok(an_model_save_bytes(&bytes, model, &err));
    expect_ok(
        an_arrays_read_bytes(&arrays, an_bytes_data(bytes), an_bytes_size(bytes), NULL, &err));
    expect_ok(an_arrays_set_metadata(arrays, "classes", classes, &err));
    if (format) expect_ok(an_arrays_set_metadata(arrays, "format", format, &err));
    expect_ok(an_arrays_write_bytes(&changed, arrays, &err));
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    options.scale = AN_SCALE_UNIT;
    const an_status st = an_model_load_bytes(&loaded, two, an_bytes_data(changed),
                                             an_bytes_size(changed), NULL, &options, &err);
    an_model_destroy(loaded);
    an_arrays_destroy(arrays);
    an_bytes_destroy(changed);
    an_bytes_destroy(bytes);
    an_model_destroy(model);
    return st;
}

static void hostile_names_in_a_file_are_refused(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"", "JSON array"},
        {"three", "JSON array"},
        {"{\"a\":1}", "JSON array"},
        {"[]", "JSON array"},
        {"[\"a\",\"b\"", "JSON array"},
        {"[\"a\",\"b\",3]", "class 2 is not a string"},
        {"[\"a\",\"b\",[\"c\"]]", "class 2 is not a string"},
        {"[\"a\",\"b\"]", "2 class names; it must have 3"},
        {"[\"a\",\"b\",\"c\",\"d\"]", "4 class names; it must have 3"},
        {"[\"a\",\"\",\"c\"]", "class 1 is empty"},
        {"[\"a\",\"b\",\"a\"]", "two classes are named 'a'"},
        {"[\"a\",\"b\\u0000\",\"c\"]", "JSON array"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(load_with(NULL, texts[i][0], AN_TASK_CLASSIFICATION), AN_ERR_FORMAT);
        if (!strstr(err.message, texts[i][1]))
            fail_msg("'%s' is not in '%s'", texts[i][1], err.message);
    }
    assert_int_equal(load_with(NULL, "[\"a\",\"b\",\"c\"]", AN_TASK_CLASSIFICATION), AN_OK);
    assert_int_equal(load_with(NULL, "[\"a\",\"b\",\"c\"]", AN_TASK_REGRESSION), AN_ERR_FORMAT);
    assert_non_null(strstr(err.message, "regression"));
    /* of another program's file nothing is known */
    assert_int_equal(load_with("pt", "three", AN_TASK_CLASSIFICATION), AN_OK);
}

static void names_go_along_with_a_copy(void **state) {
    (void)state;
    static const char *const names[CLASSES] = {"x", "y", "z"}, *const other[] = {"1", "2", "3"};
    an_model *model = small_model(two, CLASSES, AN_TASK_CLASSIFICATION);
    expect_ok(an_model_set_class_names(model, names, CLASSES, &err));
    an_model *copy = copy_of(model, NULL, AN_SHARE_WEIGHTS);
    expect_names(copy, names, CLASSES);
    expect_ok(an_model_set_class_names(model, other, CLASSES, &err));
    expect_names(copy, names, CLASSES);
    assert_ptr_equal(weights_of(model), weights_of(copy)); /* a name is no weight */
    an_model_destroy(model);
    expect_names(copy, names, CLASSES);
    an_model_destroy(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_the_same_model),
        cmocka_unit_test(a_copy_on_another_kind_of_backend),
        cmocka_unit_test(change_of_one_is_not_seen_in_the_other),
        cmocka_unit_test(the_memory_that_was_shared_has_gone),
        cmocka_unit_test(settings_leave_weights_shared),
        cmocka_unit_test(copies_of_copies),
        cmocka_unit_test(shared_weights_are_in_memory_once),
        cmocka_unit_test(no_memory_for_weights_of_its_own),
        cmocka_unit_test(names_come_back_from_the_file),
        cmocka_unit_test(one_output_has_two_classes),
        cmocka_unit_test(wrong_names_are_refused),
        cmocka_unit_test(hostile_names_in_a_file_are_refused),
        cmocka_unit_test(names_go_along_with_a_copy),
    };
    return cmocka_run_group_tests(tests, make_backends, destroy_backends);
}
