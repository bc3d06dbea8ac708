/* SPDX-License-Identifier: MIT
 * Golden topic endtoend: files in, scores out (predict_*.csv); and short trainings of both stages
 * with the same order of samples as Keras had (train_*.json). What a case is of stands in its
 * .json, else in its name, else it follows from the folder: see open_case(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/metrics.h>
#include <attractivenet/mobilenetv2.h>
#include <attractivenet/predict.h>
#include <attractivenet/train.h>

#include "support/golden.h"
#include "support/sanitizers.h"

/* The training of both stages takes minutes under a sanitizer: there stage 1 alone. */
enum { BOTH_STAGES = !HAS_ASAN && !HAS_TSAN };

/** What the numbers of a case were made with. */
typedef struct setting {
    json_t *facts;       /* NULL: there are none */
    golden_tag net;      /* alpha, and the images' size */
    uint32_t split_seed; /* of the tutorial's split */
    int32_t batch;
    char weights[4096], archive[4096];
} setting;

static an_backend *make_backend(void) {
    an_backend *backend = NULL;
    an_error err = {0};
    if (an_backend_create(&backend, NULL, &err)) fail_msg("%s", err.message);
    return backend;
}

static an_model *load_model(an_backend *backend, const setting *c) {
    an_model *model = NULL;
    an_mobilenetv2_options options;
    an_error err = {0};
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = c->net.size;
    options.alpha = c->net.alpha;
    options.padding = AN_PADDING_FIXED;
    options.scale = AN_SCALE_TF;
    options.weights_kind = AN_WEIGHTS_FILE;
    options.weights_path = c->weights;
    if (an_mobilenetv2_create(&model, backend, &options, &err)) fail_msg("%s", err.message);
    return model;
}

static an_dataset *open_dataset(const char *path, int32_t size) {
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_error err = {0};
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = size;
    options.cache = AN_CACHE_PIXELS;
    if (an_dataset_open(&dataset, path, &options, &err)) fail_msg("%s", err.message);
    return dataset;
}

static an_loader *make_batches(an_dataset *dataset, const int64_t *indices, int64_t count,
                               int32_t batch, int32_t shuffle, uint32_t seed) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_error err = {0};
    an_loader_options_init(&options, sizeof options);
    options.batch_size = batch;
    options.scale = AN_SCALE_TF;
    options.shuffle = shuffle;
    options.drop_last = shuffle;
    options.seed = seed;
    if (an_loader_create(&loader, dataset, indices, count, &options, &err))
        fail_msg("%s", err.message);
    return loader;
}

/* --- what a case was made with ---------------------------------------------------------------- */

static int64_t fact(const setting *c, const char *key, int64_t otherwise) {
    const json_t *value = json_object_get(c->facts, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* Copy the path of a file that the facts name under one of two keys, or that is given; false if
 * there is none. */
static bool take_path(char out[4096], const setting *c, const char *folder, const char *key,
                      const char *otherwise) {
    const char *name = json_string_value(json_object_get(c->facts, key));
    char relative[1024];
    if (name) {
        const char *slash = strrchr(name, '/');
        snprintf(relative, sizeof relative, "%s/%s", folder, slash ? slash + 1 : name);
        otherwise = golden_path(relative);
    }
    if (otherwise) snprintf(out, 4096, "%s", otherwise);
    return otherwise != NULL;
}

/* The network: by the facts, else by the case's name, else that of the only weights. */
static bool find_network(setting *c, const char *name) {
    static golden_names names;
    golden_tag only = {0, 0}, named = {0, 0};
    golden_list(&names, "pretrained", "weights_", ".safetensors");
    if (!names.count) return false;
    golden_tag_of(name, &named);
    if (names.count == 1) golden_tag_of(names.at[0], &only);
    const json_t *alpha = json_object_get(c->facts, "alpha");
    c->net = named.size ? named : only;
    if (alpha) c->net.alpha = golden_number(alpha);
    c->net.size = (int32_t)fact(c, "size", c->net.size);
    if (!(c->net.alpha > 0) || !c->net.size)
        fail_msg("nothing says the width and size of '%s'", name);
    if (!take_path(c->weights, c, "pretrained", "weights", golden_weights_of("endtoend", c->net)))
        fail_msg("there are no weights of alpha %g for '%s'", c->net.alpha, name);
    return true;
}

static int64_t images_in(const char *path) {
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = 32;
    an_dataset_open(&dataset, path, &options, NULL);
    const int64_t count = an_dataset_count(dataset);
    an_dataset_destroy(dataset);
    return count;
}

/* The archive: by the facts; else that whose name ends as the case's does ("predict_mini",
 * "..._mini.zip"); else that with as many images. */
static bool find_archive(setting *c, const char *tail, int64_t count) {
    static golden_names names;
    char found[1024] = "";
    int32_t hits = 0;
    golden_list(&names, "zip", "", ".zip");
    if (take_path(c->archive, c, "zip", "archive", NULL)) return true;
    for (int pass = 0; pass < 2 && hits != 1; pass++) {
        hits = 0;
        for (int32_t i = 0; i < names.count; i++) {
            char relative[1024], end[GOLDEN_NAME_SIZE + 8];
            const size_t length = strlen(names.at[i]);
            snprintf(relative, sizeof relative, "zip/%s", names.at[i]);
            snprintf(end, sizeof end, "%s.zip", tail);
            const bool ends =
                length >= strlen(end) && !strcmp(names.at[i] + length - strlen(end), end);
            if (pass ? images_in(golden_path(relative)) != count : !ends) continue;
            snprintf(found, sizeof found, "%s", relative);
            hits++;
        }
    }
    if (names.count && hits != 1)
        fail_msg("%d archives could be that of '%s' with %lld images", (int)hits, tail,
                 (long long)count);
    return hits == 1 && take_path(c->archive, c, "zip", "archive", golden_path(found));
}

static bool is_split(const json_t *want, const int64_t *indices, int64_t count) {
    static const char *const names[] = {"train", "val", "test"};
    int64_t at = 0;
    for (int part = 0; part < 3; part++) {
        const json_t *list = json_object_get(want, names[part]);
        for (size_t i = 0; i < json_array_size(list); i++, at++)
            if (at >= count || indices[at] != json_integer_value(json_array_get(list, i)))
                return false;
    }
    return at == count;
}

/* The seed whose split is that of the lists; fails if there is none below 2^16. */
static uint32_t find_seed(const json_t *lists) {
    const int64_t count = json_integer_value(json_object_get(lists, "n"));
    int64_t *indices = malloc((size_t)count * sizeof *indices), sizes[3];
    bool found = false;
    uint32_t seed = 0;
    assert_non_null(indices);
    for (int32_t i = -1; i < 65536 && !found; i++) { /* the tutorial's first */
        seed = i < 0 ? 42 : (uint32_t)i;
        assert_int_equal(
            an_tutorial_split(count, seed, indices, &sizes[0], &sizes[1], &sizes[2], NULL), AN_OK);
        found = is_split(lists, indices, count);
    }
    free(indices);
    if (!found) fail_msg("no seed below 65536 gives the split of %lld samples", (long long)count);
    return seed;
}

/* The seed of the split: by the facts, or by the lists there or of another case, all cases being of
 * one run. */
static uint32_t seed_of(const setting *c) {
    static golden_names names;
    int64_t seed = fact(c, "split_seed", fact(c, "seed", -1));
    if (seed >= 0) return (uint32_t)seed;
    if (json_object_get(c->facts, "train")) return find_seed(c->facts);
    golden_list(&names, "endtoend", "predict_", ".json");
    if (!names.count) return 42;
    char relative[GOLDEN_NAME_SIZE + 16];
    snprintf(relative, sizeof relative, "endtoend/%s", names.at[0]);
    json_t *lists = golden_json(golden_path(relative));
    seed = find_seed(lists);
    json_decref(lists);
    return (uint32_t)seed;
}

/* name: of a file in the topic's folder; its facts are in the .json of the same name. False if
 * there are no weights or archives at all. count: of images, where the facts have no n. */
static bool open_case(setting *c, const char *name, int64_t count) {
    char relative[GOLDEN_NAME_SIZE + 16], tail[GOLDEN_NAME_SIZE];
    const char *cut = strrchr(name, '.');
    *c = (setting){.batch = 32};
    snprintf(relative, sizeof relative, "endtoend/%.*s.json", (int)(cut - name), name);
    if (golden_path(relative)) c->facts = golden_json(golden_path(relative));
    const char *begin = strchr(name, '_');
    snprintf(tail, sizeof tail, "%.*s", (int)(begin ? cut - begin - 1 : cut - name),
             begin ? begin + 1 : name);
    c->batch = (int32_t)fact(c, "batch", c->batch);
    if (!find_network(c, name) || !find_archive(c, tail, fact(c, "n", count))) {
        json_decref(c->facts);
        return false;
    }
    c->split_seed = seed_of(c);
    return true;
}

static void expect_metrics(const char *what, const an_metrics *got, const json_t *want,
                           double limit) {
    const char *names[] = {"rmse", "mae", "r2", "pearson"};
    const double values[] = {got->rmse, got->mae, got->r2, got->pearson};
    for (int i = 0; i < 4; i++) {
        const double number = golden_number(json_object_get(want, names[i]));
        expect_within(values[i], number, limit, "%s: %s", what, names[i]);
    }
}

static an_metrics measure(const an_dataset *dataset, const float *scores, const int64_t *indices,
                          int64_t count) {
    an_metrics metrics = {.struct_size = sizeof metrics};
    an_error err = {0};
    double *truth = malloc((size_t)count * sizeof *truth);
    float *prediction = malloc((size_t)count * sizeof *prediction);
    assert_true(truth && prediction);
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = indices ? indices[i] : i;
        truth[i] = an_dataset_score(dataset, sample, 0);
        prediction[i] = scores[indices ? indices[i] : i];
    }
    if (an_metrics_compute(truth, prediction, NULL, count, &metrics, &err))
        fail_msg("%s", err.message);
    free(truth);
    free(prediction);
    return metrics;
}

/* --- scores ----------------------------------------------------------------------------------- */

typedef struct row {
    char name[256];
    double label, score;
} row;

static row *read_csv(const char *path, int64_t *count) {
    enum { MOST = 100000 };
    char line[512];
    row *rows = calloc(MOST, sizeof *rows);
    FILE *file = fopen(path, "r");
    assert_true(rows && file);
    assert_non_null(fgets(line, sizeof line, file));
    for (*count = 0; fgets(line, sizeof line, file); ++*count) {
        row *r = &rows[*count];
        assert_true(*count < MOST - 1);
        assert_int_equal(sscanf(line, "%255[^,],%lf,%lf", r->name, &r->label, &r->score), 3);
    }
    fclose(file);
    assert_true(*count > 0);
    return rows;
}

static bool check_scores(const char *csv) {
    char relative[GOLDEN_NAME_SIZE + 16];
    setting c;
    int64_t count;
    snprintf(relative, sizeof relative, "endtoend/%s", csv);
    row *rows = read_csv(golden_path(relative), &count);
    if (!open_case(&c, csv, count)) {
        free(rows);
        return false;
    }
    an_backend *backend = make_backend();
    an_model *model = load_model(backend, &c);
    an_dataset *dataset = open_dataset(c.archive, c.net.size);
    an_error err = {0};
    assert_int_equal(an_dataset_count(dataset), count);
    float *scores = malloc((size_t)count * sizeof *scores);
    int64_t *indices = malloc((size_t)count * sizeof *indices);
    assert_true(scores && indices);
    an_loader *loader = make_batches(dataset, NULL, 0, c.batch, 0, 42);
    if (an_predict_loader(model, loader, scores, NULL, NULL, &err)) fail_msg("%s", err.message);
    for (int64_t i = 0; i < count; i++) {
        assert_string_equal(an_dataset_name(dataset, i), rows[i].name);
        assert_true(fabs(an_dataset_score(dataset, i, 0) - rows[i].label) < 1e-6);
        expect_within((double)scores[i], rows[i].score, 2e-4, "%s: score of %s", csv, rows[i].name);
    }
    if (c.facts) {
        int64_t n_train, n_val, n_test;
        if (an_tutorial_split(count, c.split_seed, indices, &n_train, &n_val, &n_test, &err))
            fail_msg("%s", err.message);
        if (!is_split(c.facts, indices, count)) fail_msg("%s: the split differs", csv);
        an_metrics metrics = measure(dataset, scores, indices + n_train + n_val, n_test);
        expect_metrics("test", &metrics, json_object_get(c.facts, "test_metrics"), 1e-3);
        metrics = measure(dataset, scores, NULL, count);
        expect_metrics("all", &metrics, json_object_get(c.facts, "all_metrics"), 1e-3);
    }
    json_decref(c.facts);
    free(rows);
    free(scores);
    free(indices);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return true;
}

static void scores_of_keras(void **state) {
    (void)state;
    static golden_names names;
    int32_t checked = 0;
    golden_list(&names, "endtoend", "", ".csv");
    for (int32_t i = 0; i < names.count; i++)
        checked += check_scores(names.at[i]);
    if (!checked) skip();
}

/* --- training --------------------------------------------------------------------------------- */

static void set_head(an_model *model, const char *path) {
    an_arrays *head = NULL, *weights = NULL, *merged = NULL;
    an_error err = {0};
    an_status st = an_arrays_read(&head, path, &err);
    if (!st) st = an_model_copy_weights(&weights, model, &err);
    if (!st) st = an_arrays_create(&merged, &err);
    for (int64_t i = 0; !st && i < an_arrays_count(weights); i++) {
        const char *name = an_arrays_name(weights, i);
        const int64_t own = an_arrays_find(head, name);
        const an_arrays *from = own < 0 ? weights : head;
        const int64_t index = own < 0 ? i : own;
        int64_t shape[8];
        for (int32_t axis = 0; axis < an_arrays_rank(from, index); axis++)
            shape[axis] = an_arrays_length(from, index, axis);
        st = an_arrays_add(merged, name, an_arrays_data(from, index), shape,
                           an_arrays_rank(from, index), &err);
    }
    if (!st) st = an_model_set_weights(model, merged, &err);
    if (st) fail_msg("%s", err.message);
    an_arrays_destroy(head);
    an_arrays_destroy(weights);
    an_arrays_destroy(merged);
}

static void expect_near(const char *what, int stage, int epoch, double got, double want,
                        double relative) {
    expect_within(got, want, relative * fabs(want), "stage %d, epoch %d: %s", stage, epoch, what);
}

/** Stage 1 within 1e-3 of each loss; stage 2, where batch norm amplifies rounding, within 10% in
 * its first epoch and falling after that. */
static void train_stage(an_model *model, an_loader *train, an_loader *val, const json_t *want,
                        int32_t first_epoch) {
    const json_t *epochs = json_object_get(want, "epochs");
    const int stage = (int)json_integer_value(json_object_get(want, "stage"));
    const int32_t count = (int32_t)json_array_size(epochs);
    assert_true(count > 0 && (stage == 1 || stage == 2));
    an_train_options options;
    an_trainer *trainer = NULL;
    an_error err = {0};
    an_train_options_init(&options, sizeof options);
    options.stage = stage;
    options.base = stage == 1 ? AN_BASE_FROZEN : AN_BASE_TRAIN;
    options.max_epochs = count;
    options.first_epoch = first_epoch;
    options.learning_rate = golden_number(json_object_get(want, "lr"));
    options.early_stop_patience = -1;
    if (an_trainer_create(&trainer, model, train, val, NULL, &options, &err))
        fail_msg("%s", err.message);
    double first = 0, first_of_keras = 0;
    for (int32_t i = 0; i < count; i++) {
        const json_t *epoch = json_array_get(epochs, (size_t)i);
        an_epoch_report report = {.struct_size = sizeof report};
        if (an_trainer_run_epoch(trainer, &report, &err)) fail_msg("%s", err.message);
        const double loss = golden_number(json_object_get(epoch, "loss"));
        const double val_loss = golden_number(json_object_get(epoch, "val_loss"));
        if (stage == 1) {
            expect_near("loss", stage, i + 1, report.loss, loss, 1e-3);
            expect_near("val_loss", stage, i + 1, report.val_loss, val_loss, 1e-3);
        } else if (i == 0) {
            expect_near("loss", stage, 1, report.loss, loss, 0.1);
            first = report.loss;
            first_of_keras = loss;
        } else if (i == count - 1 && loss < 0.9 * first_of_keras) { /* it falls in Keras */
            assert_true(report.loss < first);
        }
    }
    an_trainer_destroy(trainer);
}

/* The head that a training starts from: of the case's own name, or the only one. */
static const char *head_of(const char *name) {
    static golden_names names;
    char relative[GOLDEN_NAME_SIZE + 32];
    const char *cut = strrchr(name, '.'), *tail = strchr(name, '_');
    snprintf(relative, sizeof relative, "endtoend/initial_head%.*s.safetensors",
             tail ? (int)(cut - tail) : 0, tail ? tail : "");
    if (golden_path(relative)) return golden_path(relative);
    golden_list(&names, "endtoend", "initial_head", ".safetensors");
    if (names.count != 1) fail_msg("%d heads for '%s'", (int)names.count, name);
    snprintf(relative, sizeof relative, "endtoend/%s", names.at[0]);
    return golden_path(relative);
}

static bool train_as_keras(const char *name, bool both_stages) {
    setting c;
    if (!open_case(&c, name, 0)) return false;
    an_backend *backend = make_backend();
    an_model *model = load_model(backend, &c);
    an_dataset *dataset = open_dataset(c.archive, c.net.size);
    an_error err = {0};
    const int64_t count = an_dataset_count(dataset);
    int64_t *indices = malloc((size_t)count * sizeof *indices);
    float *scores = malloc((size_t)count * sizeof *scores);
    assert_true(indices && scores);
    int64_t parts[3];
    if (an_tutorial_split(count, c.split_seed, indices, &parts[0], &parts[1], &parts[2], &err))
        fail_msg("%s", err.message);
    assert_int_equal(count, fact(&c, "n", -1));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(parts[i],
                         json_integer_value(json_array_get(json_object_get(c.facts, "sizes"), i)));
    const int64_t order_seed = fact(&c, "order_seed", -1);
    assert_true(order_seed >= 0);
    const uint32_t seed = (uint32_t)order_seed;
    an_loader *train = make_batches(dataset, indices, parts[0], c.batch, 1, seed);
    an_loader *val = make_batches(dataset, indices + parts[0], parts[1], c.batch, 0, seed);
    an_loader *all = make_batches(dataset, NULL, 0, c.batch, 0, seed);
    set_head(model, head_of(name));
    const json_t *stages = json_object_get(c.facts, "stages");
    int32_t first_epoch = 0;
    assert_int_equal(json_array_size(stages), 2);
    for (size_t i = 0; i < (both_stages ? 2 : 1); i++) {
        const json_t *stage = json_array_get(stages, i);
        const json_t *test = json_object_get(stage, "test");
        train_stage(model, train, val, stage, first_epoch);
        first_epoch += (int32_t)json_array_size(json_object_get(stage, "epochs"));
        if (an_predict_loader(model, all, scores, NULL, NULL, &err)) fail_msg("%s", err.message);
        const an_metrics metrics =
            measure(dataset, scores, indices + parts[0] + parts[1], parts[2]);
        const double rmse = golden_number(json_object_get(test, "rmse"));
        expect_near("test RMSE", (int)i + 1, first_epoch, metrics.rmse, rmse, i ? 0.2 : 1e-3);
    }
    free(indices);
    free(scores);
    json_decref(c.facts);
    an_loader_destroy(all);
    an_loader_destroy(val);
    an_loader_destroy(train);
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return true;
}

static void stages_of_keras(void **state) {
    (void)state;
    static golden_names names;
    int32_t checked = 0;
    golden_list(&names, "endtoend", "train_", ".json");
    for (int32_t i = 0; i < names.count; i++)
        checked += train_as_keras(names.at[i], BOTH_STAGES);
    if (!checked) skip();
}

int golden_endtoend(void);
int golden_endtoend(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_of_keras),
        cmocka_unit_test(stages_of_keras),
    };
    return cmocka_run_group_tests_name("golden endtoend", tests, NULL, NULL);
}
