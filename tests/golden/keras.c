/* SPDX-License-Identifier: MIT
 * Topic keras: model files of Keras 3, Keras 2.15, tf_keras and older versions, whole and as
 * weights alone, give the scores that Keras computes from them, or are refused by what the message
 * names. keras/files.zip holds the files, keras/scores.safetensors scores, images and facts. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/predict.h>

#include "base/memory.h"
#include "io/zip.h"
#include "support/backends.h"

enum { SIDE = 48, IMAGES = 3 };

typedef struct keras_files {
    ani_zip *zip;
    st_file *scores;
    json_t *facts;
    an_backend *backend;
} keras_files;

static const char *text_of(const json_t *fact, const char *key) {
    return json_string_value(json_object_get(fact, key));
}

/* What a user must state: the size of a weight file, and a scale that is not in the file. */
static an_mobilenetv2_options options_of(const json_t *fact) {
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    const char *padding = text_of(fact, "padding");
    if (padding)
        options.padding = strcmp(padding, "fixed") ? AN_PADDING_TUTORIAL : AN_PADDING_FIXED;
    if (!strcmp(text_of(fact, "scale"), "tf")) options.scale = AN_SCALE_TF;
    return options;
}

static void expect_scores(const keras_files *files, const char *name, an_model *model) {
    const st_array *images = st_find(files->scores, "images");
    const st_array *want = st_find(files->scores, "%s", name);
    an_predictor *predictor = NULL;
    an_error err;
    float scores[IMAGES * 3];
    if (!images || !want) fail_msg("no images or no scores for '%s'", name);
    assert_int_equal(images->count, IMAGES * SIDE * SIDE * 3);
    assert_true(want->rank == 2 && want->shape[0] == IMAGES && want->shape[1] <= 3);
    if (an_predictor_create(&predictor, model, &err) ||
        an_predictor_score_frames(predictor, images->data, IMAGES, 0, SIDE, SIDE, 0, scores, &err))
        fail_msg("'%s': %s", name, err.message);
    double *numbers = st_doubles(want);
    expect_close(name, scores, numbers, want->count, 1e-4, 1e-4);
    free(numbers);
    an_predictor_destroy(predictor);
}

/* One file of the table. */
typedef struct file_case {
    const keras_files *files;
    const char *name;
    const json_t *fact;
} file_case;

static void check_file(void **state) {
    const file_case *now = *state;
    const keras_files *files = now->files;
    const char *name = now->name, *error = text_of(now->fact, "error");
    const int64_t index = ani_zip_find(files->zip, name);
    uint8_t *bytes = NULL;
    int64_t size;
    an_model *model = NULL;
    an_error err = {0};
    if (index < 0) fail_msg("there is no file '%s'", name);
    if (ani_zip_read(files->zip, index, &bytes, &size, &err)) fail_msg("%s", err.message);
    const an_mobilenetv2_options options = options_of(now->fact);
    an_status st = an_model_load_bytes(&model, files->backend, bytes, size, name, &options, &err);
    ani_free(bytes);
    if (!error) {
        if (st) fail_msg("'%s': %s", name, err.message);
        expect_scores(files, name, model);
    } else if (!st || !strstr(err.message, error)) {
        fail_msg("'%s' must be refused with '%s': %s", name, error, st ? err.message : "read");
    }
    an_model_destroy(model);
}

static int run_files(keras_files *files) {
    static file_case cases[64];
    static struct CMUnitTest tests[64];
    const char *name;
    const json_t *fact;
    int count = 0;
    json_object_foreach(files->facts, name, fact) {
        cases[count] = (file_case){files, name, fact};
        tests[count] = (struct CMUnitTest){
            .name = name, .test_func = check_file, .initial_state = &cases[count]};
        if (++count == 64) break;
    }
    if (count != ani_zip_count(files->zip)) return 1;
    return _cmocka_run_group_tests("keras", tests, (size_t)count, NULL, NULL);
}

int golden_keras(void) {
    const char *zip = golden_path("keras/files.zip");
    const char *scores = golden_path("keras/scores.safetensors");
    keras_files files = {0};
    an_error err;
    int failed = 1;
    if (!zip || !scores || ani_zip_open(&files.zip, zip, NULL, &err)) {
        fprintf(stderr, "keras/files.zip or keras/scores.safetensors is missing or damaged\n");
        return 1;
    }
    files.scores = st_open(scores);
    files.facts = json_loads(text_of(files.scores->metadata, "facts"), 0, NULL);
    files.backend = test_backend_make("cpu", NULL, 1);
    failed = run_files(&files);
    an_backend_destroy(files.backend);
    json_decref(files.facts);
    st_close(files.scores);
    ani_zip_close(files.zip);
    return failed;
}
