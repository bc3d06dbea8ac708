/* SPDX-License-Identifier: MIT
 * Names of classes between data set and model: a model that is trained has those of its data, and a
 * data set with others, or with the same in another order, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <attractivenet/attractivenet.h>

#include "support/backends.h"
#include "support/folder.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { COUNT = 4, CLASSES = 3 };

static const char *const animals[CLASSES] = {"cat", "dog", "horse"};
static const char *const turned[CLASSES] = {"cat", "horse", "dog"};
static an_error err;
static an_backend *backend;

static int make_backend(void **state) {
    (void)state;
    backend = test_backend_make("cpu", NULL, 1);
    return 0;
}

static int destroy_backend(void **state) {
    (void)state;
    an_backend_destroy(backend);
    return 0;
}

static void expect_ok(an_status st) {
    if (st) fail_msg("%s", err.message);
}

/* Four images of three classes; names NULL: one-hot labels of no class. */
static an_loader *make_loader(const char *const *names) {
    static uint8_t rgb[COUNT * PIXELS];
    static const double classes[COUNT] = {0, 1, 2, 1};
    double one_hot[COUNT * CLASSES] = {0};
    an_dataset_options options;
    an_loader_options how;
    an_dataset *dataset = NULL;
    an_loader *loader = NULL;
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 31 + i / 3072 * 40);
    for (int i = 0; i < COUNT; i++)
        one_hot[i * CLASSES + (int)classes[i]] = 1;
    an_dataset_options_init(&options, sizeof options);
    if (names) {
        options.labels = AN_LABELS_CLASSES;
        options.classes = names;
        options.class_count = CLASSES;
    }
    expect_ok(an_dataset_from_pixels(&dataset, rgb, COUNT, SIDE, SIDE, names ? classes : one_hot,
                                     CLASSES, &options, &err));
    an_loader_options_init(&how, sizeof how);
    how.batch_size = 2;
    expect_ok(an_loader_create(&loader, dataset, NULL, 0, &how, &err));
    an_dataset_destroy(dataset);
    return loader;
}

static an_model *make_model(const char *const *names) {
    an_model *model = small_model(backend, CLASSES, AN_TASK_CLASSIFICATION);
    if (names) expect_ok(an_model_set_class_names(model, names, CLASSES, &err));
    return model;
}

static void expect_names(const an_model *model, const char *const *names) {
    assert_int_equal(an_model_class_count(model), names ? CLASSES : 0);
    for (int32_t i = 0; names && i < CLASSES; i++)
        assert_string_equal(an_model_class_name(model, i), names[i]);
}

static void a_model_takes_the_names_of_its_data(void **state) {
    (void)state;
    static const char *const *const given[] = {NULL, animals};
    for (int i = 0; i < 4; i++) {
        an_model *model = make_model(given[i % 2]);
        an_loader *loader = make_loader(given[i / 2]);
        an_trainer *trainer = NULL;
        expect_ok(an_trainer_create(&trainer, model, loader, NULL, NULL, NULL, &err));
        expect_names(model, i ? animals : NULL);
        an_trainer_destroy(trainer);
        an_loader_destroy(loader);
        an_model_destroy(model);
    }
}

/* Scores that are one-hot may be learned as numbers, too: such a model has no classes. */
static void a_regression_takes_no_names(void **state) {
    (void)state;
    an_model *model = small_model(backend, CLASSES, AN_TASK_REGRESSION);
    an_loader *loader = make_loader(animals);
    an_trainer *trainer = NULL;
    expect_ok(an_trainer_create(&trainer, model, loader, NULL, NULL, NULL, &err));
    expect_names(model, NULL);
    an_trainer_destroy(trainer);
    an_loader_destroy(loader);
    an_model_destroy(model);
}

static void expect_refusal(an_status st, const char *whose) {
    assert_int_equal(st, AN_ERR_ARG);
    const char *const parts[] = {"'horse' as class 1", "'dog'", whose};
    for (int i = 0; i < 3; i++)
        if (!strstr(err.message, parts[i])) fail_msg("'%s' is not in '%s'", parts[i], err.message);
}

static void classes_in_another_order_are_refused(void **state) {
    (void)state;
    an_loader *right = make_loader(animals), *wrong = make_loader(turned);
    an_model *model = make_model(animals), *unnamed = make_model(NULL);
    an_trainer *trainer = NULL;
    double loss = -1;
    expect_refusal(an_trainer_create(&trainer, model, wrong, NULL, NULL, NULL, &err),
                   "training batches have");
    expect_refusal(an_trainer_create(&trainer, model, right, wrong, NULL, NULL, &err),
                   "validation batches have");
    expect_refusal(an_trainer_create(&trainer, unnamed, right, wrong, NULL, NULL, &err),
                   "the training has");
    assert_null(trainer);
    expect_names(model, animals);
    expect_names(unnamed, NULL);
    expect_refusal(an_model_evaluate(model, wrong, NULL, &loss, NULL, NULL, &err), "the model has");
    expect_ok(an_model_evaluate(model, right, NULL, &loss, NULL, NULL, &err));
    expect_ok(an_model_evaluate(unnamed, wrong, NULL, &loss, NULL, NULL, &err));
    an_model_destroy(model);
    an_model_destroy(unnamed);
    an_loader_destroy(right);
    an_loader_destroy(wrong);
}

/* A trainer that cannot be made leaves the model without names. */
static void a_failed_trainer_names_nothing(void **state) {
    (void)state;
    an_model *model = make_model(NULL);
    an_loader *loader = make_loader(animals);
    an_trainer *trainer = NULL;
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.checkpoint_path = "/no/such/folder/model.safetensors";
    assert_int_equal(an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err),
                     AN_ERR_IO);
    expect_names(model, NULL);
    an_loader_destroy(loader);
    an_model_destroy(model);
}

/* The file of the best epoch has the names; a checkpoint is not resumed under others. */
static void names_are_in_what_a_training_writes(void **state) {
    (void)state;
    static const char *const others[CLASSES] = {"x", "y", "z"};
    const char *best = folder_path(test_folder, "best.safetensors");
    const char *resume = folder_path(test_folder, "run.safetensors");
    an_model *model = make_model(NULL), *loaded = NULL, *other;
    an_loader *loader = make_loader(animals), *plain = make_loader(NULL);
    an_trainer *trainer = NULL;
    an_checkpoint *checkpoint = NULL;
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 1;
    options.checkpoint_path = best;
    options.resume_path = resume;
    expect_ok(an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err));
    expect_ok(an_trainer_run(trainer, &err));
    an_trainer_destroy(trainer);
    expect_ok(an_model_load(&loaded, backend, best, NULL, &err));
    expect_names(loaded, animals);
    an_model_destroy(loaded);
    expect_ok(an_checkpoint_read(&checkpoint, resume, NULL, NULL, &err));
    assert_non_null(checkpoint);
    options.checkpoint_path = options.resume_path = NULL;
    other = make_model(others);
    expect_ok(an_trainer_create(&trainer, other, plain, NULL, NULL, &options, &err));
    assert_int_equal(an_trainer_resume(trainer, checkpoint, &err), AN_ERR_ARG);
    if (!strstr(err.message, "model.classes")) fail_msg("%s", err.message);
    an_trainer_destroy(trainer);
    an_checkpoint_destroy(checkpoint);
    an_model_destroy(other);
    an_model_destroy(model);
    an_loader_destroy(loader);
    an_loader_destroy(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_takes_the_names_of_its_data),
        cmocka_unit_test(a_regression_takes_no_names),
        cmocka_unit_test(classes_in_another_order_are_refused),
        cmocka_unit_test(a_failed_trainer_names_nothing),
        unit_test_in_folder(names_are_in_what_a_training_writes),
    };
    return cmocka_run_group_tests(tests, make_backend, destroy_backend);
}
