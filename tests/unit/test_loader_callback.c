/* SPDX-License-Identifier: MIT
 * Loaders whose samples a callback fills in: the bits of a data set that has the same pixels, who
 * calls it and when, what it may not give, and everything that reads loaders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/attractivenet.h>

#include "augment/loader.h"
#include "augment/transform.h"
#include "base/fault.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/test_folder.h"

enum { COUNT = 23, SIDE = 20, BATCH = 5, IMAGE = SIDE * SIDE * 3, LOG = 64 };

/* --- a callback ------------------------------------------------------------------------------- */

/** What fill() gives: the samples of a data set from number first on, or something wrong. */
typedef struct server {
    an_dataset *dataset;
    int64_t first;
    float tables[768];
    pthread_t caller;
    int64_t calls;
    int64_t batches[LOG]; /* of the calls */
    int64_t fails_at;     /* number of the call that asks to stop; 0: none */
    int64_t wrong;        /* sample to which spoil is applied; -1: none */
    void (*spoil)(const an_fill_batch *fill, int64_t k);
    an_status (*meanwhile)(struct server *s, const an_fill_batch *fill, an_error *err);
    an_loader *loader; /* for meanwhile */
    an_trainer *trainer;
    an_error err;     /* of meanwhile */
    an_status answer; /* what it said last */
} server;

static int32_t fill(void *user, const an_fill_batch *f) {
    server *s = user;
    const int64_t size = (int64_t)an_dataset_height(s->dataset) * an_dataset_width(s->dataset) * 3;
    uint8_t *rgb = malloc((size_t)size);
    assert_non_null(rgb);
    assert_true(pthread_equal(s->caller, pthread_self()));
    assert_int_equal(f->struct_size, sizeof *f);
    s->batches[s->calls++ % LOG] = f->step;
    for (int64_t k = 0; k < f->n; k++) {
        const int64_t sample = s->first + f->samples[k];
        assert_true(isnan(f->x[k * size]) && isnan(f->x[(k + 1) * size - 1]) && isnan(f->y[k]));
        assert_int_equal(an_dataset_read_pixels(s->dataset, sample, rgb, NULL), AN_OK);
        for (int64_t i = 0; i < size; i++)
            f->x[k * size + i] = s->tables[256 * (i % 3) + rgb[i]];
        f->y[k] = (float)an_dataset_score(s->dataset, sample, 0);
        if (f->weights) f->weights[k] = (float)an_dataset_weight(s->dataset, sample);
        if (sample == s->wrong) s->spoil(f, k);
    }
    free(rgb);
    if (s->meanwhile) s->answer = s->meanwhile(s, f, &s->err);
    return s->calls == s->fails_at;
}

static server serve(an_dataset *dataset, int32_t scale) {
    server s = {.dataset = dataset, .caller = pthread_self(), .wrong = -1};
    assert_int_equal(an_scale_fill_tables(scale, s.tables, NULL), AN_OK);
    return s;
}

static an_loader_source source_of(server *s, int64_t count) {
    an_loader_source source;
    an_loader_source_init(&source, sizeof source);
    source.height = an_dataset_height(s->dataset);
    source.width = an_dataset_width(s->dataset);
    source.count = count;
    source.weighted = an_dataset_has_weights(s->dataset);
    source.fill = fill;
    source.user = s;
    return source;
}

static an_loader *make(server *s, const an_loader_options *options) {
    an_loader *loader;
    an_error err;
    const an_loader_source source = source_of(s, an_dataset_count(s->dataset) - s->first);
    if (an_loader_create_from_callback(&loader, &source, options, &err))
        fail_msg("%s", err.message);
    return loader;
}

/* --- batches ---------------------------------------------------------------------------------- */

static an_loader_options options_of(int32_t mode, int32_t threads) {
    static an_augment_options augment; /* copied by an_loader_create() */
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    an_augment_options_tutorial(&augment, sizeof augment);
    augment.mode = mode;
    options.augment = &augment;
    options.batch_size = BATCH;
    options.shuffle = 1;
    options.threads = threads;
    options.prefetch = 1 + threads;
    options.seed = 7;
    return options;
}

/* Mix what a batch holds into a number. */
static uint64_t mix(uint64_t sum, const void *bytes, size_t size) {
    const uint8_t *b = bytes;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ b[i]) * 1099511628211u;
    return sum;
}

static uint64_t mix_batch(uint64_t sum, an_loader *loader, const float *x, const float *y,
                          const int64_t *samples, int64_t n) {
    const float *weights = an_loader_batch_weights(loader);
    sum = mix(sum, &n, sizeof n);
    sum = mix(sum, x, (size_t)(n * IMAGE) * sizeof *x);
    sum = mix(sum, y, (size_t)n * sizeof *y);
    if (weights) sum = mix(sum, weights, (size_t)n * sizeof *weights);
    return mix(sum, samples, (size_t)n * sizeof *samples);
}

/* Read what is left of an epoch, with one attempt more wherever the callback stops. */
static uint64_t read_rest(an_loader *loader) {
    const float *x, *y;
    const int64_t *samples;
    int64_t n;
    uint64_t sum = 14695981039346656037u;
    an_status st;
    while ((st = an_loader_next(loader, &x, &y, &samples, &n, NULL)) != AN_DONE) {
        if (st == AN_ERR_CANCELLED) continue;
        assert_int_equal(st, AN_OK);
        sum = mix_batch(sum, loader, x, y, samples, n);
    }
    return sum;
}

static uint64_t read_epoch(an_loader *loader, int64_t epoch, int64_t first) {
    assert_int_equal(an_loader_begin(loader, epoch, first, NULL), AN_OK);
    return read_rest(loader);
}

/* In every mode, with each option of augmentation, on every scale, for any number of threads. */
static void the_bits_of_a_data_set(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    double weights[COUNT];
    for (int i = 0; i < COUNT; i++)
        weights[i] = 0.1 * i;
    assert_int_equal(an_dataset_set_weights(dataset, weights, COUNT, NULL), AN_OK);
    for (int32_t scale = AN_SCALE_UNIT; scale <= AN_SCALE_TORCH; scale++)
        for (int variant = 0; variant < 12; variant++) {
            server s = serve(dataset, scale);
            an_loader_options options = options_of(variant % 4, variant % 3);
            an_augment_options augment = *options.augment;
            an_loader *loader, *other = NULL;
            options.augment = &augment;
            options.scale = scale;
            options.drop_last = variant % 2;
            augment.fill = variant % 4;
            augment.vertical_flip = 1;
            if (variant >= 4) augment.channel_shift = scale == AN_SCALE_ARTICLE ? 40 : 0.2;
            if (variant >= 8) augment.brightness_low = 0.7;
            if (variant >= 8) augment.brightness_high = 1.4;
            loader = make(&s, &options);
            assert_int_equal(an_loader_create(&other, dataset, NULL, 0, &options, NULL), AN_OK);
            assert_int_equal(an_loader_steps(loader), an_loader_steps(other));
            assert_int_equal(an_loader_is_plain(loader), variant % 4 == 0);
            assert_int_equal(an_loader_has_weights(loader), 1);
            for (int epoch = 0; epoch < 2; epoch++)
                assert_true(read_epoch(loader, epoch, 2 * epoch) ==
                            read_epoch(other, epoch, 2 * epoch));
            an_loader_destroy(other);
            an_loader_destroy(loader);
        }
    an_dataset_destroy(dataset);
}

/* Floats that no 8-bit pixel has are interpolated as they are. */
static void spoil_all(const an_fill_batch *f, int64_t k) {
    for (int64_t i = 0; i < IMAGE; i++)
        f->x[k * IMAGE + i] = 0.9f * f->x[k * IMAGE + i] + 0.01f;
}

static void floats_between_pixels_are_augmented(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(1, SIDE, SIDE);
    server s = serve(dataset, AN_SCALE_UNIT);
    an_loader_options options = options_of(AN_AUGMENT_FAST, 1);
    an_loader *loader;
    const float *x;
    s.wrong = 0;
    s.spoil = spoil_all;
    loader = make(&s, &options);
    for (int64_t epoch = 0; epoch < 8; epoch++) {
        float in[IMAGE], want[IMAGE];
        uint8_t rgb[IMAGE];
        ani_transform t;
        assert_int_equal(an_dataset_read_pixels(dataset, 0, rgb, NULL), AN_OK);
        for (int64_t i = 0; i < IMAGE; i++)
            in[i] = 0.9f * s.tables[rgb[i]] + 0.01f;
        ani_transform_draw_plain(&t, options.augment, SIDE, SIDE, options.seed, epoch, 0);
        ani_transform_apply(want, in, SIDE, SIDE, 3, &t, ANI_GEOMETRY_PLAIN, AN_FILL_NEAREST, 0);
        assert_int_equal(an_loader_begin(loader, epoch, 0, NULL), AN_OK);
        assert_int_equal(an_loader_next(loader, &x, NULL, NULL, NULL, NULL), AN_OK);
        for (int64_t i = 0; i < IMAGE; i++) /* the limit is that of ani_transform_values() */
            assert_true(fabsf(x[i] - want[i]) <= 16 * 0x1p-24f);
    }
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

/* --- when it is called ------------------------------------------------------------------------ */

static void it_is_called_once_a_batch_in_their_order(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int32_t threads = 0; threads < 3; threads++) {
        server s = serve(dataset, AN_SCALE_UNIT);
        an_loader_options options = options_of(AN_AUGMENT_FAST, threads);
        options.prefetch = 2;
        an_loader *loader = make(&s, &options);
        const int64_t steps = an_loader_steps(loader), ahead = threads ? 2 : 0;
        assert_int_equal(steps, 5);
        assert_int_equal(s.calls, 0);
        for (int64_t step = 0; step < steps; step++) {
            const int64_t want = step + 1 + ahead < steps ? step + 1 + ahead : steps;
            assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_OK);
            assert_int_equal(s.calls, want);
        }
        for (int64_t i = 0; i < steps; i++)
            assert_int_equal(s.batches[i], i);
        assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_DONE);
        assert_int_equal(s.calls, steps);
        assert_int_equal(an_loader_begin(loader, 3, 4, NULL), AN_OK);
        assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_OK);
        assert_int_equal(s.calls, steps + 1);
        assert_int_equal(s.batches[steps], 4);
        an_loader_destroy(loader);
    }
    an_dataset_destroy(dataset);
}

/* Whichever call asks to stop, the epoch is the same. */
static void a_callback_that_stops_loses_nothing(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int32_t mode = AN_AUGMENT_NONE; mode <= AN_AUGMENT_LEGACY; mode++) {
        uint64_t want = 0;
        for (int64_t at = 0; at < 6; at++) {
            server s = serve(dataset, AN_SCALE_UNIT);
            const an_loader_options options = options_of(mode, (int32_t)at % 3);
            an_loader *loader = make(&s, &options);
            s.fails_at = at;
            const uint64_t got = read_epoch(loader, 1, 0);
            if (!at) want = got;
            assert_true(got == want);
            assert_int_equal(s.calls, an_loader_steps(loader) + !!at);
            an_loader_destroy(loader);
        }
    }
    server s = serve(dataset, AN_SCALE_UNIT);
    an_loader *loader = make(&s, NULL);
    const float *x = s.tables;
    an_error err;
    s.fails_at = 1;
    assert_int_equal(an_loader_next(loader, &x, NULL, NULL, NULL, &err), AN_ERR_CANCELLED);
    assert_string_equal(err.message, "the fill callback asked to stop");
    assert_ptr_equal(x, s.tables);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

static void giving_up_at_any_moment(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    for (int round = 0; round < 40; round++) {
        server s = serve(dataset, AN_SCALE_UNIT);
        an_loader_options options = options_of(round % 4, 1 + round % 3);
        an_loader *loader = make(&s, &options);
        s.fails_at = round % 5;
        for (int i = 0; i < round % 7; i++) {
            if (i % 3 == 1) assert_int_equal(an_loader_begin(loader, i, i % 4, NULL), AN_OK);
            an_loader_next(loader, NULL, NULL, NULL, NULL, NULL);
        }
        an_loader_destroy(loader);
    }
    an_dataset_destroy(dataset);
}

/* --- what it may not give --------------------------------------------------------------------- */

static void forget(const an_fill_batch *f, int64_t k) {
    f->x[k * IMAGE + (3 * SIDE + 4) * 3 + 1] = NAN;
}

static void overflow(const an_fill_batch *f, int64_t k) {
    f->x[(k + 1) * IMAGE - 1] = -INFINITY;
}

static void scale_wrong(const an_fill_batch *f, int64_t k) {
    f->x[k * IMAGE] = 200;
}

static void forget_label(const an_fill_batch *f, int64_t k) {
    f->y[k] = NAN;
}

static void weigh_below(const an_fill_batch *f, int64_t k) {
    f->weights[k] = -0.5f;
}

static void weigh_nothing(const an_fill_batch *f, int64_t k) {
    f->weights[k] = INFINITY;
}

static void values_that_cannot_be_are_refused(void **state) {
    (void)state;
    static const struct {
        void (*spoil)(const an_fill_batch *f, int64_t k);
        const char *message;
    } cases[] = {
        {forget, "sample 7: x[3,4,1] is nan; it must be 0 to 1"},
        {overflow, "sample 7: x[19,19,2] is -inf; it must be 0 to 1"},
        {scale_wrong, "sample 7: x[0,0,0] is 200; it must be 0 to 1, the range of the loader's "
                      "scale, unless any_range is 1"},
        {forget_label, "sample 7: y[0] is nan; it must be finite"},
        {weigh_below, "sample 7: its weight is -0.5; it must be finite and at least 0"},
        {weigh_nothing, "sample 7: its weight is inf; it must be finite and at least 0"},
    };
    const double ones[COUNT] = {[0] = 1};
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    assert_int_equal(an_dataset_set_weights(dataset, ones, COUNT, NULL), AN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int32_t threads = 0; threads < 2; threads++) {
            server s = serve(dataset, AN_SCALE_UNIT);
            an_loader_options options = options_of(AN_AUGMENT_FAST, threads);
            an_error err;
            const int64_t *samples;
            options.shuffle = 0;
            an_loader *loader = make(&s, &options);
            s.wrong = 7;
            s.spoil = cases[i].spoil;
            assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_OK);
            assert_non_null(an_loader_batch_weights(loader));
            assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, &err), AN_ERR_ARG);
            assert_string_equal(err.message, cases[i].message);
            assert_null(an_loader_batch_weights(loader));
            assert_int_equal(an_loader_next(loader, NULL, NULL, &samples, NULL, &err), AN_OK);
            assert_int_equal(samples[0], 10);
            an_loader_destroy(loader);
        }
    an_dataset_destroy(dataset);
}

static void wide_range(const an_fill_batch *f, int64_t k) {
    f->x[k * IMAGE] = 200;
    f->x[k * IMAGE + 1] = -1e30f;
}

static void too_wide(const an_fill_batch *f, int64_t k) {
    f->x[k * IMAGE] = 1.1e30f;
}

static void any_range_has_an_end(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(1, SIDE, SIDE);
    for (int32_t mode = AN_AUGMENT_NONE; mode <= AN_AUGMENT_LEGACY; mode++) {
        server s = serve(dataset, AN_SCALE_TF);
        an_loader_source source = source_of(&s, 1);
        an_loader_options options = options_of(mode, 0);
        an_augment_options augment = *options.augment;
        an_loader *loader;
        an_error err;
        const float *x;
        augment.brightness_low = augment.brightness_high = 1e3;
        augment.channel_shift = 1e6;
        options.augment = &augment;
        options.scale = AN_SCALE_TF;
        source.any_range = 1;
        s.wrong = 0;
        s.spoil = wide_range;
        assert_int_equal(an_loader_create_from_callback(&loader, &source, &options, NULL), AN_OK);
        assert_int_equal(an_loader_next(loader, &x, NULL, NULL, NULL, &err), AN_OK);
        for (int i = 0; i < IMAGE; i++)
            assert_true(isfinite(x[i]));
        if (mode == AN_AUGMENT_NONE) assert_true(x[0] == 200.0f && x[1] == -1e30f);
        s.spoil = too_wide;
        assert_int_equal(an_loader_begin(loader, 0, 0, &err), AN_OK);
        assert_int_equal(an_loader_next(loader, &x, NULL, NULL, NULL, &err), AN_ERR_ARG);
        assert_string_equal(err.message,
                            "sample 0: x[0,0,0] is 1.1e+30; it must be -1e+30 to 1e+30");
        an_loader_destroy(loader);
    }
    an_dataset_destroy(dataset);
}

/* --- calls from within ------------------------------------------------------------------------ */

static an_status read_again(server *s, const an_fill_batch *f, an_error *err) {
    (void)f;
    an_error other;
    assert_int_equal(an_loader_begin(s->loader, 0, 0, &other), AN_ERR_ARG);
    return an_loader_next(s->loader, NULL, NULL, NULL, NULL, err);
}

static an_status destroy(server *s, const an_fill_batch *f, an_error *err) {
    (void)f;
    (void)err;
    an_loader_destroy(s->loader);
    s->loader = NULL;
    return AN_OK;
}

static void a_callback_cannot_read_its_own_loader(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    server s = serve(dataset, AN_SCALE_UNIT);
    const an_loader_options options = options_of(AN_AUGMENT_FAST, 1);
    s.loader = make(&s, &options);
    const uint64_t want = read_epoch(s.loader, 1, 0);
    s.meanwhile = read_again;
    assert_true(read_epoch(s.loader, 1, 0) == want);
    assert_int_equal(s.answer, AN_ERR_ARG);
    assert_non_null(strstr(s.err.message, "the loader is being read by another call"));
    /* It may let its own loader go: that lives until the call ends. */
    s.meanwhile = destroy;
    s.calls = 0;
    an_loader *loader = s.loader;
    assert_int_equal(an_loader_begin(loader, 0, 4, NULL), AN_OK);
    assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_OK);
    assert_int_equal(s.calls, 1);
    assert_null(s.loader);
    an_dataset_destroy(dataset);
}

/* --- a model's data --------------------------------------------------------------------------- */

enum { SIZE = 32, TRAIN = 14, VAL = 6 };

/** The same samples twice, as loaders of a data set and of callbacks. */
typedef struct bench {
    an_dataset *dataset;
    an_model *model;
    server train_server, val_server;
    an_loader *of_data[2], *of_callback[2]; /* training, validation */
} bench;

static an_model *make_model(uint32_t seed, int32_t task) {
    an_backend *backend;
    an_model *model = NULL;
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    net.seed = seed;
    net.task = task;
    net.scale = AN_SCALE_UNIT;
    if (an_backend_create(&backend, &device, &err) ||
        an_mobilenetv2_create(&model, backend, &net, &err))
        fail_msg("%s", err.message);
    an_backend_destroy(backend);
    return model;
}

/* With the mode of augmentation of the training. */
static void make_bench(bench *b, int32_t mode) {
    int64_t indices[TRAIN + VAL];
    an_loader_options train = options_of(mode, 1), val;
    an_loader_options_init(&val, sizeof val);
    val.batch_size = 4;
    for (int64_t i = 0; i < TRAIN + VAL; i++)
        indices[i] = i;
    *b = (bench){.dataset = data_pixels(TRAIN + VAL, SIZE, SIZE),
                 .model = make_model(42, AN_TASK_REGRESSION)};
    b->train_server = serve(b->dataset, AN_SCALE_UNIT);
    b->val_server = b->train_server;
    b->val_server.first = TRAIN;
    an_loader_source source = source_of(&b->train_server, TRAIN);
    source.identity = "faces, version 1";
    assert_int_equal(an_loader_create_from_callback(&b->of_callback[0], &source, &train, NULL),
                     AN_OK);
    b->of_callback[1] = make(&b->val_server, &val);
    assert_int_equal(an_loader_create(&b->of_data[0], b->dataset, indices, TRAIN, &train, NULL),
                     AN_OK);
    assert_int_equal(an_loader_create(&b->of_data[1], b->dataset, indices + TRAIN, VAL, &val, NULL),
                     AN_OK);
}

static void drop_bench(bench *b) {
    for (int i = 0; i < 2; i++) {
        an_loader_destroy(b->of_data[i]);
        an_loader_destroy(b->of_callback[i]);
    }
    an_model_destroy(b->model);
    an_dataset_destroy(b->dataset);
}

static an_train_options train_options(int32_t base) {
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.base = base;
    options.max_epochs = 2;
    options.learning_rate = 0.002;
    options.update_batch_norm = base == AN_BASE_TRAIN;
    return options;
}

static uint64_t mix_weights(const an_model *model) {
    an_arrays *weights;
    uint64_t sum = 14695981039346656037u;
    assert_int_equal(an_model_copy_weights(&weights, model, NULL), AN_OK);
    for (int64_t i = 0; i < an_arrays_count(weights); i++) {
        size_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(weights, i); axis++)
            count *= (size_t)an_arrays_length(weights, i, axis);
        sum = mix(sum, an_arrays_data(weights, i), count * sizeof(float));
    }
    an_arrays_destroy(weights);
    return sum;
}

/* Train from the same begin; returns what came of the weights and the validation. */
static uint64_t train_on(bench *b, an_loader **loaders, const an_train_options *options) {
    an_model *fresh = make_model(42, AN_TASK_REGRESSION);
    an_arrays *weights;
    an_trainer *trainer;
    an_error err;
    an_epoch_report report = {.struct_size = sizeof report};
    uint64_t sum;
    assert_int_equal(an_model_copy_weights(&weights, fresh, NULL), AN_OK);
    assert_int_equal(an_model_set_weights(b->model, weights, NULL), AN_OK);
    an_arrays_destroy(weights);
    an_model_destroy(fresh);
    if (an_trainer_create(&trainer, b->model, loaders[0], loaders[1], NULL, options, &err))
        fail_msg("%s", err.message);
    for (int epoch = 0; epoch < 2; epoch++)
        if (an_trainer_run_epoch(trainer, &report, &err)) fail_msg("%s", err.message);
    sum = mix(mix_weights(b->model), &report.val_loss, sizeof report.val_loss);
    an_trainer_destroy(trainer);
    return mix(sum, &report.loss, sizeof report.loss);
}

static void a_training_has_the_bits_of_that_on_the_data_set(void **state) {
    (void)state;
    for (int32_t mode = AN_AUGMENT_NONE; mode <= AN_AUGMENT_KERAS; mode++) {
        bench b;
        make_bench(&b, mode);
        const int32_t bases[] = {AN_BASE_FROZEN, AN_BASE_TRAIN};
        for (int i = 0; i < 2; i++) {
            const an_train_options options = train_options(bases[i]);
            const uint64_t want = train_on(&b, b.of_data, &options);
            assert_true(train_on(&b, b.of_callback, &options) == want);
        }
        drop_bench(&b);
    }
}

static int32_t stop_progress(void *user, const an_progress *progress) {
    return progress->done > *(int64_t *)user;
}

/* Predictions, evaluation, calibration and features, of a callback that is shuffled. */
static void everything_that_reads_loaders_reads_it(void **state) {
    (void)state;
    bench b;
    float scores[2][TRAIN];
    int64_t most = 4;
    an_error err;
    make_bench(&b, AN_AUGMENT_FAST);
    for (int i = 0; i < 2; i++) {
        an_loader *loader = i ? b.of_callback[0] : b.of_data[0];
        if (an_predict_loader(b.model, loader, scores[i], NULL, NULL, &err))
            fail_msg("%s", err.message);
    }
    assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
    assert_int_equal(
        an_predict_loader(b.model, b.of_callback[0], scores[0], stop_progress, &most, &err),
        AN_ERR_CANCELLED);
    b.train_server.fails_at = b.train_server.calls + 2;
    assert_int_equal(an_predict_loader(b.model, b.of_callback[0], scores[0], NULL, NULL, &err),
                     AN_ERR_CANCELLED);
    assert_string_equal(err.message, "the fill callback asked to stop");
    if (an_calibrate_loader(b.model, b.of_data[0], 0, NULL, NULL, &err) ||
        an_model_set_inference(b.model, AN_INFERENCE_INT8, &err) ||
        an_predict_loader(b.model, b.of_data[1], scores[0], NULL, NULL, &err) ||
        an_calibrate_loader(b.model, b.of_callback[0], 0, NULL, NULL, &err) ||
        an_predict_loader(b.model, b.of_callback[1], scores[1], NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_memory_equal(scores[0], scores[1], VAL * sizeof scores[0][0]);
    double losses[2] = {0};
    for (int i = 0; i < 2; i++)
        if (an_model_evaluate(b.model, i ? b.of_callback[0] : b.of_data[0], NULL, &losses[i], NULL,
                              NULL, &err))
            fail_msg("%s", err.message);
    assert_true(losses[0] == losses[1] && losses[0] > 0);
    an_model_info info = {.struct_size = sizeof info};
    assert_int_equal(an_model_describe(b.model, &info, NULL), AN_OK);
    float *features[2];
    for (int i = 0; i < 2; i++) {
        features[i] = calloc((size_t)(TRAIN * info.features), sizeof *features[i]);
        assert_non_null(features[i]);
        if (an_compute_features_loader(b.model, i ? b.of_callback[0] : b.of_data[0], features[i],
                                       NULL, NULL, &err))
            fail_msg("%s", err.message);
    }
    assert_memory_equal(features[0], features[1],
                        (size_t)(TRAIN * info.features) * sizeof *features[0]);
    free(features[0]);
    free(features[1]);
    /* Each left the loader as it was: free. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(an_loader_begin(b.of_callback[i], 0, 0, &err), AN_OK);
    drop_bench(&b);
}

/* While a call reads the samples in their own order, the callback must not be called for another.
 */
static void it_is_not_called_for_two_calls_at_once(void **state) {
    (void)state;
    bench b;
    float scores[TRAIN];
    an_error err;
    make_bench(&b, AN_AUGMENT_NONE);
    b.train_server.loader = b.of_callback[0];
    b.train_server.meanwhile = read_again;
    if (an_predict_loader(b.model, b.of_callback[0], scores, NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(b.train_server.answer, AN_ERR_ARG);
    assert_non_null(strstr(b.train_server.err.message, "the loader is being read"));
    b.train_server.meanwhile = destroy; /* within a call that has made a loader of it */
    b.train_server.fails_at = b.train_server.calls + 1;
    assert_int_equal(an_predict_loader(b.model, b.of_callback[0], scores, NULL, NULL, &err),
                     AN_ERR_CANCELLED);
    assert_null(b.train_server.loader);
    b.of_callback[0] = NULL;
    drop_bench(&b);
}

static an_status pause_run(server *s, const an_fill_batch *f, an_error *err) {
    (void)f;
    (void)err;
    if (s->calls % 5 == 0) an_trainer_pause(s->trainer);
    return AN_OK;
}

/* A run that its callback pauses now and then ends with the same bits; and so does one that it
 * stops before the first step, as the next call starts the epoch again. */
static void a_training_that_its_callback_stops_goes_on(void **state) {
    (void)state;
    bench b;
    make_bench(&b, AN_AUGMENT_FAST);
    const an_train_options options = train_options(AN_BASE_TRAIN);
    const uint64_t want = train_on(&b, b.of_data, &options);
    for (int stops = 0; stops < 2; stops++) {
        an_model *fresh = make_model(42, AN_TASK_REGRESSION);
        an_epoch_report report = {.struct_size = sizeof report};
        server *s = &b.train_server;
        an_error err;
        int calls = 0;
        if (an_trainer_create(&s->trainer, fresh, b.of_callback[0], b.of_callback[1], NULL,
                              &options, &err))
            fail_msg("%s", err.message);
        s->meanwhile = stops ? NULL : pause_run;
        for (int epoch = 0; epoch < 2; calls++) {
            s->fails_at = stops && calls % 2 == 0 ? s->calls + 1 : 0;
            const an_status st = an_trainer_run_epoch(s->trainer, &report, &err);
            if (s->fails_at) assert_string_equal(err.message, "the fill callback asked to stop");
            assert_int_equal(st == AN_ERR_CANCELLED || st == AN_OK, 1);
            if (!st) epoch++;
        }
        assert_true(calls >= 4);
        uint64_t sum = mix(mix_weights(fresh), &report.val_loss, sizeof report.val_loss);
        assert_true(mix(sum, &report.loss, sizeof report.loss) == want);
        an_trainer_destroy(s->trainer);
        an_model_destroy(fresh);
    }
    drop_bench(&b);
}

static an_loader *other_identity(bench *b, const char *identity, int64_t count) {
    an_loader *loader;
    an_loader_options options = options_of(AN_AUGMENT_FAST, 1);
    an_loader_source source = source_of(&b->train_server, count);
    source.identity = identity;
    assert_int_equal(an_loader_create_from_callback(&loader, &source, &options, NULL), AN_OK);
    return loader;
}

static void a_run_is_resumed_with_the_same_samples_only(void **state) {
    (void)state;
    static const struct {
        const char *identity;
        int64_t count;
        const char *message; /* NULL: is resumed */
    } cases[] = {
        {"faces, version 2", TRAIN,
         "the run cannot be resumed with other settings: training_samples was '14 of a callback "
         "(faces, version 1)', and is '14 of a callback (faces, version 2)' now"},
        {NULL, TRAIN,
         "the run cannot be resumed with other settings: training_samples was '14 of a callback "
         "(faces, version 1)', and is '14 of a callback (unknown)' now"},
        {"faces, version 1", TRAIN - 1,
         "the run cannot be resumed with other settings: training_samples was '14 of a callback "
         "(faces, version 1)', and is '13 of a callback (faces, version 1)' now"},
        {"faces, version 1", TRAIN, NULL},
    };
    bench b;
    an_error err;
    an_trainer *trainer;
    make_bench(&b, AN_AUGMENT_FAST);
    an_train_options options = train_options(AN_BASE_TRAIN);
    const uint64_t want = train_on(&b, b.of_callback, &options);
    options.resume_path = folder_path(test_folder, "run");
    options.resume_seconds = 0;
    an_model *model = make_model(42, AN_TASK_REGRESSION);
    if (an_trainer_create(&trainer, model, b.of_callback[0], b.of_callback[1], NULL, &options,
                          &err))
        fail_msg("%s", err.message);
    b.train_server.fails_at = b.train_server.calls + 4; /* in its first epoch */
    assert_int_equal(an_trainer_run(trainer, &err), AN_ERR_CANCELLED);
    an_trainer_destroy(trainer);
    an_model_destroy(model);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        an_checkpoint *checkpoint;
        an_loader *train = other_identity(&b, cases[i].identity, cases[i].count);
        model = make_model(7, AN_TASK_REGRESSION);
        if (an_checkpoint_read(&checkpoint, options.resume_path, NULL, NULL, &err) ||
            an_trainer_create(&trainer, model, train, b.of_callback[1], NULL, &options, &err))
            fail_msg("%s", err.message);
        const an_status st = an_trainer_resume(trainer, checkpoint, &err);
        assert_int_equal(st, cases[i].message ? AN_ERR_ARG : AN_OK);
        if (st) assert_string_equal(err.message, cases[i].message);
        an_epoch_report report = {.struct_size = sizeof report};
        for (int epoch = 0; !st && epoch < 2; epoch++)
            if (an_trainer_run_epoch(trainer, &report, &err)) fail_msg("%s", err.message);
        if (!st) {
            uint64_t sum = mix(mix_weights(model), &report.val_loss, sizeof report.val_loss);
            assert_true(mix(sum, &report.loss, sizeof report.loss) == want);
        }
        an_checkpoint_destroy(checkpoint);
        an_trainer_destroy(trainer);
        an_model_destroy(model);
        an_loader_destroy(train);
    }
    drop_bench(&b);
}

/* What varies gives no features to keep, and measures nothing. */
static void what_varies_is_no_validation(void **state) {
    (void)state;
    bench b;
    an_error err;
    an_trainer *trainer;
    an_loader *varies;
    make_bench(&b, AN_AUGMENT_NONE);
    const an_train_options options = train_options(AN_BASE_FROZEN);
    an_loader_source source = source_of(&b.val_server, VAL);
    source.varies = 1;
    assert_int_equal(an_loader_create_from_callback(&varies, &source, NULL, NULL), AN_OK);
    assert_int_equal(an_loader_is_plain(varies), 0);
    assert_int_equal(
        an_trainer_create(&trainer, b.model, b.of_callback[0], varies, NULL, &options, &err),
        AN_ERR_ARG);
    assert_string_equal(err.message, "validation batches vary from epoch to epoch; they must be "
                                     "plain");
    /* As training it is asked in each epoch; what does not vary, once. */
    an_loader *pair[2] = {varies, b.of_callback[1]};
    b.val_server.calls = 0;
    const uint64_t want = train_on(&b, pair, &options);
    const int64_t calls = b.val_server.calls;
    an_loader_destroy(varies);
    source.varies = 0;
    assert_int_equal(an_loader_create_from_callback(&pair[0], &source, NULL, NULL), AN_OK);
    b.val_server.calls = 0;
    assert_true(train_on(&b, pair, &options) == want);
    assert_int_equal(calls, 2 * an_loader_steps(pair[0]) + 2);
    assert_int_equal(b.val_server.calls, an_loader_steps(pair[0]) + 2);
    an_loader_destroy(pair[0]);
    drop_bench(&b);
}

/* Labels that a loss does not take are found in their batch, as there is nothing to look at before.
 */
static int32_t fill_label(void *user, const an_fill_batch *f) {
    for (int64_t i = 0; i < f->n * SIZE * SIZE * 3; i++)
        f->x[i] = 0.5f;
    for (int64_t k = 0; k < f->n; k++)
        f->y[k] = f->samples[k] == 5 ? *(const float *)user : 1.0f;
    return 0;
}

static void labels_that_a_loss_does_not_take_are_refused(void **state) {
    (void)state;
    static const char *const message =
        "sample 5 has the label 1.5; for this loss it must be a probability, 0 to 1";
    float label = 1.5f;
    an_model *model = make_model(42, AN_TASK_CLASSIFICATION);
    an_loader *loader;
    an_trainer *trainer;
    an_error err;
    an_loader_source source;
    an_loader_source_init(&source, sizeof source);
    source.height = source.width = SIZE;
    source.count = 12;
    source.fill = fill_label;
    source.user = &label;
    for (int varies = 0; varies < 2; varies++) { /* with and without features to keep */
        const an_train_options options = train_options(AN_BASE_FROZEN);
        double loss = 7;
        source.varies = varies;
        assert_int_equal(an_loader_create_from_callback(&loader, &source, NULL, NULL), AN_OK);
        assert_int_equal(an_model_evaluate(model, loader, NULL, &loss, NULL, NULL, &err),
                         AN_ERR_ARG);
        assert_string_equal(err.message, message);
        assert_true(loss == 7);
        if (an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err))
            fail_msg("%s", err.message);
        assert_int_equal(an_trainer_run_epoch(trainer, NULL, &err), AN_ERR_ARG);
        assert_string_equal(err.message, message);
        label = 0.5f;
        assert_int_equal(an_trainer_run_epoch(trainer, NULL, &err), AN_OK);
        label = 1.5f;
        an_trainer_destroy(trainer);
        an_loader_destroy(loader);
    }
    an_model_destroy(model);
}

/* Once, by whoever is the last to hold the loader; not by the loaders that calls make of it, and
 * not if none was made. */
static void count_release(void *user) {
    ++*(int *)user;
}

static int32_t fill_grey(void *user, const an_fill_batch *f) {
    (void)user;
    for (int64_t i = 0; i < f->n * SIZE * SIZE * 3; i++)
        f->x[i] = 0.5f;
    for (int64_t k = 0; k < f->n; k++)
        f->y[k] = 1;
    return 0;
}

static void what_the_callback_needs_is_released_once(void **state) {
    (void)state;
    int released = 0;
    float scores[6];
    an_model *model = make_model(42, AN_TASK_REGRESSION);
    an_loader *loader;
    an_trainer *trainer;
    an_loader_source source;
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    an_loader_source_init(&source, sizeof source);
    source.height = source.width = SIZE;
    source.count = 6;
    source.fill = fill_grey;
    source.user = &released;
    source.release = count_release;
    options.prefetch = 65;
    assert_int_equal(an_loader_create_from_callback(&loader, &source, &options, NULL), AN_ERR_ARG);
    for (int64_t n = 0;; n++) {
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = an_loader_create_from_callback(&loader, &source, NULL, NULL);
        ani_fault_disarm();
        if (!st) break;
    }
    assert_int_equal(an_predict_loader(model, loader, scores, NULL, NULL, NULL), AN_OK);
    assert_int_equal(an_trainer_create(&trainer, model, loader, NULL, NULL, NULL, NULL), AN_OK);
    an_loader_destroy(loader);
    assert_int_equal(released, 0);
    an_trainer_destroy(trainer);
    assert_int_equal(released, 1);
    an_model_destroy(model);
}

/* --- two threads ------------------------------------------------------------------------------ */

typedef struct reader {
    an_model *model;
    an_loader *loader;
    server *server;
    float scores[TRAIN];
    int done, refused, wrong;
} reader;

static int32_t fill_anywhere(void *user, const an_fill_batch *f) {
    server *s = user;
    s->calls++; /* a race, if two threads were here at a time */
    s->caller = pthread_self();
    return fill(user, f);
}

static void *predict_often(void *user) {
    reader *r = user;
    for (int i = 0; i < 10; i++) {
        float scores[TRAIN];
        an_error err;
        const an_status st = an_predict_loader(r->model, r->loader, scores, NULL, NULL, &err);
        if (!st && memcmp(scores, r->scores, sizeof scores) == 0)
            r->done++;
        else if (st == AN_ERR_ARG)
            r->refused++;
        else
            r->wrong++;
    }
    return NULL;
}

/* One of two threads gets the loader, the other is refused. */
static void two_threads_do_not_share_a_callback(void **state) {
    (void)state;
    bench b;
    reader readers[2];
    pthread_t threads[2];
    an_loader *loader;
    make_bench(&b, AN_AUGMENT_NONE);
    an_loader_source source = source_of(&b.train_server, TRAIN);
    source.fill = fill_anywhere;
    assert_int_equal(an_loader_create_from_callback(&loader, &source, NULL, NULL), AN_OK);
    for (int i = 0; i < 2; i++) {
        readers[i] = (reader){.model = b.model, .loader = loader, .server = &b.train_server};
        assert_int_equal(
            an_predict_loader(b.model, b.of_data[0], readers[i].scores, NULL, NULL, NULL), AN_OK);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, predict_often, &readers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(readers[0].wrong + readers[1].wrong, 0);
    assert_true(readers[0].done + readers[1].done > 0);
    an_loader_destroy(loader);
    drop_bench(&b);
}

/* --- weights of a data set -------------------------------------------------------------------- */

static void weights_go_with_their_samples(void **state) {
    (void)state;
    an_dataset_options how;
    an_dataset *dataset;
    an_loader *loader;
    double weights[COUNT];
    data_folder(test_folder, COUNT, SIDE, SIDE);
    folder_write_text(folder_path(test_folder, "P0006.jpg"), "no image");
    an_dataset_options_init(&how, sizeof how);
    how.height = how.width = SIDE;
    how.policy = AN_POLICY_SKIP;
    assert_int_equal(an_dataset_open(&dataset, test_folder, &how, NULL), AN_OK);
    for (int32_t mode = AN_AUGMENT_NONE; mode <= AN_AUGMENT_KERAS; mode++) {
        an_loader_options options = options_of(mode, mode);
        options.shuffle = mode == AN_AUGMENT_KERAS; /* the damaged one is not the last of a batch */
        for (int i = 0; i < COUNT; i++)
            weights[i] = 0.25 * i + mode;
        if (mode == AN_AUGMENT_NONE) {
            assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
            assert_int_equal(an_loader_has_weights(loader), 0);
            assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_OK);
            assert_null(an_loader_batch_weights(loader));
            an_loader_destroy(loader);
        }
        assert_int_equal(an_dataset_set_weights(dataset, weights, COUNT, NULL), AN_OK);
        assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
        assert_int_equal(an_loader_has_weights(loader), 1);
        assert_null(an_loader_batch_weights(loader));
        const int64_t *samples;
        int64_t n, all = 0;
        while (!an_loader_next(loader, NULL, NULL, &samples, &n, NULL)) {
            const float *got = an_loader_batch_weights(loader);
            assert_non_null(got);
            for (int64_t k = 0; k < n; k++)
                assert_true(got[k] == (float)weights[samples[k]]);
            all += n;
        }
        assert_int_equal(all, COUNT - 1);
        assert_null(an_loader_batch_weights(loader));
        an_loader_destroy(loader);
    }
    an_dataset_destroy(dataset);
}

/* --- faults ----------------------------------------------------------------------------------- */

static void each_allocation_may_fail(void **state) {
    (void)state;
    an_dataset *dataset = data_pixels(COUNT, SIDE, SIDE);
    const double weights[COUNT] = {1};
    assert_int_equal(an_dataset_set_weights(dataset, weights, COUNT, NULL), AN_OK);
    server s = serve(dataset, AN_SCALE_UNIT);
    an_loader_source source = source_of(&s, COUNT);
    const an_loader_options options = options_of(AN_AUGMENT_KERAS, 2);
    an_loader *loader;
    source.identity = "drawn";
    for (int64_t n = 0;; n++) {
        an_error err = {0};
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = an_loader_create_from_callback(&loader, &source, &options, &err);
        ani_fault_disarm();
        if (!st) {
            assert_true(n > 20);
            break;
        }
        assert_int_equal(st, AN_ERR_NOMEM);
        assert_null(loader);
        assert_true(err.message[0] != '\0');
    }
    /* A loader in order that cannot be made leaves its loader free. */
    for (int64_t n = 0;; n++) {
        an_loader *ordered;
        an_error err = {0};
        ani_fault_arm(ANI_FAULT_ALLOC, n, ENOMEM, false);
        const an_status st = ani_loader_in_order(&ordered, loader, &err);
        ani_fault_disarm();
        an_loader_destroy(ordered);
        assert_int_equal(an_loader_begin(loader, 0, 0, NULL), AN_OK);
        if (!st) break;
        assert_int_equal(st, AN_ERR_NOMEM);
    }
    read_epoch(loader, 0, 0);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_of_a_data_set),
        cmocka_unit_test(floats_between_pixels_are_augmented),
        cmocka_unit_test(it_is_called_once_a_batch_in_their_order),
        cmocka_unit_test(a_callback_that_stops_loses_nothing),
        cmocka_unit_test(giving_up_at_any_moment),
        cmocka_unit_test(values_that_cannot_be_are_refused),
        cmocka_unit_test(any_range_has_an_end),
        cmocka_unit_test(a_callback_cannot_read_its_own_loader),
        cmocka_unit_test(a_training_has_the_bits_of_that_on_the_data_set),
        cmocka_unit_test(everything_that_reads_loaders_reads_it),
        cmocka_unit_test(it_is_not_called_for_two_calls_at_once),
        cmocka_unit_test(a_training_that_its_callback_stops_goes_on),
        unit_test_in_folder(a_run_is_resumed_with_the_same_samples_only),
        cmocka_unit_test(what_varies_is_no_validation),
        cmocka_unit_test(labels_that_a_loss_does_not_take_are_refused),
        cmocka_unit_test(what_the_callback_needs_is_released_once),
        cmocka_unit_test(two_threads_do_not_share_a_callback),
        unit_test_in_folder(weights_go_with_their_samples),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("loader_callback", tests, NULL, NULL);
}
