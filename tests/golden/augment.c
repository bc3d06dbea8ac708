/* SPDX-License-Identifier: MIT
 * Topic augment: Keras' ImageDataGenerator. Drawn parameters, transformed images, orders of
 * samples and whole batches, of today's code and of 2020's. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/augment.h>

#include "augment/transform.h"
#include "base/cpu.h"

/* --- generators by name ---------------------------------------------------------------------- */

enum { MAX_CHOICES = 64 };

/* The arguments of an ImageDataGenerator as our options. */
typedef struct generator {
    an_augment_options options;
    double width_shifts[MAX_CHOICES];
    double height_shifts[MAX_CHOICES];
} generator;

/* A shift range: a float is a range, an integer k the choices 0..k-1, a list its entries. */
static void read_shift(const json_t *value, double *range, double *choices, int64_t *count) {
    *count = 0;
    if (json_is_real(value)) {
        *range = json_real_value(value);
    } else if (json_is_integer(value)) {
        *count = json_integer_value(value);
        assert_true(*count <= MAX_CHOICES);
        for (int64_t i = 0; i < *count; i++)
            choices[i] = (double)i;
    } else {
        *count = (int64_t)json_array_size(value);
        assert_true(*count <= MAX_CHOICES);
        for (int64_t i = 0; i < *count; i++)
            choices[i] = json_number_value(json_array_get(value, (size_t)i));
    }
}

static void read_generator(generator *g, json_t *args) {
    an_augment_options *o = &g->options;
    an_augment_options_init(o, sizeof *o);
    o->mode = AN_AUGMENT_KERAS;
    const char *key;
    json_t *value;
    json_object_foreach(args, key, value) {
        const double number = json_number_value(value);
        if (!strcmp(key, "horizontal_flip")) {
            o->horizontal_flip = json_is_true(value);
        } else if (!strcmp(key, "vertical_flip")) {
            o->vertical_flip = json_is_true(value);
        } else if (!strcmp(key, "rotation_range")) {
            o->rotation = number;
        } else if (!strcmp(key, "shear_range")) {
            o->shear = number;
        } else if (!strcmp(key, "channel_shift_range")) {
            o->channel_shift = number;
        } else if (!strcmp(key, "brightness_range")) {
            o->brightness_low = json_number_value(json_array_get(value, 0));
            o->brightness_high = json_number_value(json_array_get(value, 1));
        } else if (!strcmp(key, "zoom_range")) {
            const bool is_list = json_is_array(value);
            o->zoom_low = is_list ? json_number_value(json_array_get(value, 0)) : 1.0 - number;
            o->zoom_high = is_list ? json_number_value(json_array_get(value, 1)) : 1.0 + number;
        } else if (!strcmp(key, "width_shift_range")) {
            read_shift(value, &o->width_shift, g->width_shifts, &o->width_shift_count);
            o->width_shifts = g->width_shifts;
        } else if (!strcmp(key, "height_shift_range")) {
            read_shift(value, &o->height_shift, g->height_shifts, &o->height_shift_count);
            o->height_shifts = g->height_shifts;
        } else {
            fail_msg("argument '%s' is not known to this test", key);
        }
    }
    an_error err;
    if (ani_augment_check(o, &err)) fail_msg("%s", err.message);
}

/* The generator that random_params.json calls name; size is that of the name. */
static bool find_generator(generator *g, const char *name, int size) {
    const char *path = golden_path("augment/random_params.json");
    if (!path) return false;
    json_t *list = golden_json(path);
    bool found = false;
    for (size_t i = 0; i < json_array_size(list) && !found; i++) {
        json_t *item = json_array_get(list, i);
        const char *there = json_string_value(json_object_get(item, "generator"));
        found = (int)strlen(there) == size && !strncmp(there, name, (size_t)size);
        if (found) read_generator(g, json_object_get(item, "args"));
    }
    json_decref(list);
    return found;
}

/* --- parameters ------------------------------------------------------------------------------ */

static void expect_number(const char *name, const char *field, double got, const json_t *want) {
    if (json_is_null(want)) return;
    const double number = golden_number(want);
    if (!(fabs(got - number) <= 1e-12 * fmax(1.0, fabs(number))))
        fail_msg("%s: %s is %.17g, expected %.17g", name, field, got, number);
}

static void expect_transform(const char *name, const ani_transform *t, const json_t *want) {
    expect_number(name, "theta", t->theta, json_object_get(want, "theta"));
    expect_number(name, "tx", t->tx, json_object_get(want, "tx"));
    expect_number(name, "ty", t->ty, json_object_get(want, "ty"));
    expect_number(name, "shear", t->shear, json_object_get(want, "shear"));
    expect_number(name, "zx", t->zx, json_object_get(want, "zx"));
    expect_number(name, "zy", t->zy, json_object_get(want, "zy"));
    assert_int_equal(t->flip_horizontal, json_is_true(json_object_get(want, "flip_horizontal")));
    assert_int_equal(t->flip_vertical, json_is_true(json_object_get(want, "flip_vertical")));
    const json_t *shift = json_object_get(want, "channel_shift_intensity");
    const json_t *brightness = json_object_get(want, "brightness");
    assert_int_equal(t->has_channel_shift, !json_is_null(shift));
    assert_int_equal(t->has_brightness, !json_is_null(brightness));
    expect_number(name, "channel shift", t->channel_shift, shift);
    expect_number(name, "brightness", t->brightness, brightness);
}

static void parameters(void **state) {
    (void)state;
    const char *path = golden_path("augment/random_params.json");
    if (!path) skip();
    json_t *list = golden_json(path);
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *shape = json_object_get(item, "shape");
        const json_t *transforms = json_object_get(item, "transforms");
        generator g;
        ani_mt19937 mt;
        read_generator(&g, json_object_get(item, "args"));
        ani_mt19937_seed(&mt, (uint32_t)json_integer_value(json_object_get(item, "seed")));
        assert_true(json_array_size(transforms) > 0);
        for (size_t k = 0; k < json_array_size(transforms); k++) {
            ani_transform t;
            char name[128];
            snprintf(name, sizeof name, "%s, case %zu, image %zu",
                     json_string_value(json_object_get(item, "generator")), i, k);
            ani_transform_draw(&t, &g.options, json_integer_value(json_array_get(shape, 0)),
                               json_integer_value(json_array_get(shape, 1)), &mt);
            expect_transform(name, &t, json_array_get(transforms, k));
        }
    }
    json_decref(list);
}

/* --- one image ----------------------------------------------------------------------------- */

static void read_transform(ani_transform *t, json_t *params) {
    const char *key;
    json_t *value;
    ani_transform_init(t);
    json_object_foreach(params, key, value) {
        const double number = json_number_value(value);
        if (!strcmp(key, "theta"))
            t->theta = number;
        else if (!strcmp(key, "tx"))
            t->tx = number;
        else if (!strcmp(key, "ty"))
            t->ty = number;
        else if (!strcmp(key, "shear"))
            t->shear = number;
        else if (!strcmp(key, "zx"))
            t->zx = number;
        else if (!strcmp(key, "zy"))
            t->zy = number;
        else if (!strcmp(key, "flip_horizontal"))
            t->flip_horizontal = json_is_true(value);
        else if (!strcmp(key, "flip_vertical"))
            t->flip_vertical = json_is_true(value);
        else
            fail_msg("parameter '%s' is not known to this test", key);
    }
}

static void check_matrix(const char *name, const json_t *item, const ani_transform *t,
                         int64_t height, int64_t width) {
    const json_t *matrix = json_object_get(item, "matrix_row_col");
    const json_t *offset = json_object_get(item, "offset");
    double m[6];
    const bool moves = ani_transform_matrix(t, ANI_GEOMETRY_KERAS, height, width, m);
    assert_int_equal(moves, !json_is_null(matrix));
    for (size_t row = 0; moves && row < 2; row++) {
        const json_t *entries = json_array_get(matrix, row);
        expect_number(name, "matrix", m[3 * row], json_array_get(entries, 0));
        expect_number(name, "matrix", m[3 * row + 1], json_array_get(entries, 1));
        expect_number(name, "offset", m[3 * row + 2], json_array_get(offset, row));
    }
}

/* Where a coordinate lies on the border but for rounding, constant and wrap may fall to either
 * side. */
static bool is_on_edge(double c, int64_t n) {
    return fabs(c) < 1e-9 || fabs(c - (double)(n - 1)) < 1e-9;
}

static void forget_edges(float *got, const double *want, const ani_transform *t, int64_t height,
                         int64_t width, int64_t channels) {
    double m[6];
    if (!ani_transform_matrix(t, ANI_GEOMETRY_KERAS, height, width, m)) return;
    for (int64_t i = 0; i < height; i++)
        for (int64_t j = 0; j < width; j++) {
            const double r = m[2] + m[0] * (double)i + m[1] * (double)j;
            const double c = m[5] + m[3] * (double)i + m[4] * (double)j;
            if (!is_on_edge(r, height) && !is_on_edge(c, width)) continue;
            const int64_t y = t->flip_vertical ? height - 1 - i : i;
            const int64_t x = t->flip_horizontal ? width - 1 - j : j;
            for (int64_t k = (y * width + x) * channels; k < (y * width + x + 1) * channels; k++)
                got[k] = (float)want[k];
        }
}

static void check_image(const char *name, const st_array *input, const st_array *output,
                        const ani_transform *t, int geometry, int32_t fill, float fill_value,
                        double limit) {
    const int64_t height = input->shape[0], width = input->shape[1], channels = input->shape[2];
    assert_int_equal(input->count, output->count);
    float *in = st_floats(input);
    double *want = st_doubles(output);
    float *got = malloc((size_t)input->count * sizeof *got);
    ani_transform_apply(got, in, height, width, channels, t, geometry, fill, fill_value);
    if ((fill == AN_FILL_CONSTANT || fill == AN_FILL_WRAP) && t->theta != 0.0 &&
        fmod(t->theta, 90.0) == 0.0)
        forget_edges(got, want, t, height, width, channels);
    expect_close(name, got, want, input->count, limit, 0.0);
    free(in);
    free(want);
    free(got);
}

static void images(void **state) {
    (void)state;
    static const char *const fills[] = {"nearest", "constant", "reflect", "wrap"};
    const char *path = golden_path("augment/apply_transform.json");
    const char *arrays_path = golden_path("augment/apply_transform.safetensors");
    if (!path || !arrays_path) skip();
    const char *old_path = golden_path("augment/legacy_2020.safetensors");
    json_t *list = golden_json(path);
    st_file *arrays = st_open(arrays_path);
    st_file *old = old_path ? st_open(old_path) : NULL;
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *image = json_string_value(json_object_get(item, "image"));
        const int number = (int)json_integer_value(json_object_get(item, "case"));
        const double cval = golden_number(json_object_get(item, "constant_cval"));
        const st_array *input = st_find(arrays, "%s", image);
        ani_transform t;
        char name[128];
        assert_non_null(input);
        read_transform(&t, json_object_get(item, "params"));
        snprintf(name, sizeof name, "%s.case%02d", image, number);
        check_matrix(name, item, &t, input->shape[0], input->shape[1]);
        for (int fill = AN_FILL_NEAREST; fill <= AN_FILL_WRAP; fill++) {
            const st_array *output = st_find(arrays, "%s.case%02d.%s", image, number, fills[fill]);
            assert_non_null(output);
            check_image(output->name, input, output, &t, ANI_GEOMETRY_KERAS, fill, (float)cval,
                        1e-4);
        }
        const st_array *output = old ? st_find(old, "%s.nearest", name) : NULL;
        if (output)
            check_image(output->name, input, output, &t, ANI_GEOMETRY_2020, AN_FILL_NEAREST, 0.0f,
                        1e-4);
    }
    st_close(old);
    st_close(arrays);
    json_decref(list);
}

static void read_scaling(ani_scaling *scaling) {
    assert_int_equal(ani_scaling_fill(scaling, AN_SCALE_UNIT, NULL), AN_OK);
}

static void big_image(void **state) {
    (void)state;
    const char *path = golden_path("augment/apply_big.json");
    const char *arrays_path = golden_path("augment/apply_big.safetensors");
    if (!path || !arrays_path) skip();
    json_t *json = golden_json(path);
    st_file *arrays = st_open(arrays_path);
    const st_array *input = st_find(arrays, "x_u8"), *output = st_find(arrays, "y");
    ani_transform t;
    ani_scaling scaling;
    assert_non_null(input);
    assert_non_null(output);
    read_transform(&t, json_object_get(json, "params"));
    read_scaling(&scaling);
    const uint8_t *rgb = input->data;
    float *in = malloc((size_t)input->count * sizeof *in);
    float *got = malloc((size_t)input->count * sizeof *got);
    double *want = st_doubles(output);
    for (int64_t i = 0; i < input->count; i++)
        in[i] = scaling.tables[256 * (i % 3) + rgb[i]];
    const int64_t height = input->shape[0], width = input->shape[1];
    ani_transform_apply(got, in, height, width, 3, &t, ANI_GEOMETRY_KERAS, AN_FILL_NEAREST, 0.0f);
    expect_close("apply_big", got, want, input->count, 1e-5, 0.0);
    ani_pixels pixels;
    ani_pixels_init(&pixels, ani_cpu_mask(NULL));
    ani_transform_fast(got, rgb, height, width, &t, ANI_GEOMETRY_KERAS, AN_FILL_NEAREST, 0.0f,
                       &scaling, &pixels);
    expect_close("apply_big, fast", got, want, input->count, 1e-5, 0.0);
    free(in);
    free(got);
    free(want);
    st_close(arrays);
    json_decref(json);
}

/* --- order of samples ------------------------------------------------------------------------ */

static void expect_samples(const char *name, const json_t *want, const int64_t *got, int64_t n) {
    assert_int_equal(n, json_array_size(want));
    for (int64_t i = 0; i < n; i++)
        if (got[i] != json_integer_value(json_array_get(want, (size_t)i)))
            fail_msg("%s: sample %lld is %lld, expected %lld", name, (long long)i,
                     (long long)got[i],
                     (long long)json_integer_value(json_array_get(want, (size_t)i)));
}

static an_dataset *small_images(int64_t count) {
    an_dataset *dataset;
    uint8_t *rgb = calloc((size_t)count, 12);
    double *scores = calloc((size_t)count, sizeof *scores);
    assert_int_equal(an_dataset_from_pixels(&dataset, rgb, count, 2, 2, scores, 1, NULL, NULL),
                     AN_OK);
    free(rgb);
    free(scores);
    return dataset;
}

/* A seeded iterator, through batches; epochs from last to first, as each depends on its number
 * alone. */
static void check_seeded(const char *name, const json_t *item, bool is_next) {
    const json_t *epochs = json_object_get(item, "epochs");
    an_dataset *dataset = small_images(json_integer_value(json_object_get(item, "n")));
    an_loader_options options;
    an_loader *loader;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = (int32_t)json_integer_value(json_object_get(item, "batch_size"));
    options.shuffle = json_is_true(json_object_get(item, "shuffle"));
    options.seed = (uint32_t)json_integer_value(json_object_get(item, "seed"));
    options.iterator = is_next ? AN_ITERATOR_NEXT : AN_ITERATOR_ITEM;
    an_augment_options augment;
    an_augment_options_init(&augment, sizeof augment);
    augment.mode = AN_AUGMENT_KERAS;
    options.augment = &augment;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
    for (size_t epoch = json_array_size(epochs); epoch-- > 0;) {
        const json_t *list = json_array_get(epochs, epoch);
        assert_int_equal(an_loader_begin(loader, (int64_t)epoch, 0, NULL), AN_OK);
        assert_int_equal(an_loader_steps(loader), json_array_size(list));
        for (size_t k = 0; k < json_array_size(list); k++) {
            const int64_t *samples;
            int64_t n;
            assert_int_equal(an_loader_next(loader, NULL, NULL, &samples, &n, NULL), AN_OK);
            expect_samples(name, json_array_get(list, k), samples, n);
        }
        assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, NULL, NULL), AN_DONE);
    }
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
}

/* Without a seed all is drawn from one stream: permutations, and two numbers for each image. */
static void check_unseeded(const char *name, const json_t *item, bool is_next) {
    const json_t *epochs = json_object_get(item, "epochs");
    const int64_t count = json_integer_value(json_object_get(item, "n"));
    const int64_t batch = json_integer_value(json_object_get(item, "batch_size"));
    int64_t *order = malloc((size_t)count * sizeof *order);
    an_augment_options plain;
    an_augment_options_init(&plain, sizeof plain);
    ani_mt19937 mt;
    ani_mt19937_seed(&mt, (uint32_t)json_integer_value(json_object_get(item, "global_numpy_seed")));
    for (size_t epoch = 0; epoch < json_array_size(epochs); epoch++) {
        const json_t *list = json_array_get(epochs, epoch);
        if (is_next || epoch == 0) ani_mt19937_permutation(&mt, order, count);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const int64_t first = (int64_t)k * batch;
            const int64_t n = count - first < batch ? count - first : batch;
            expect_samples(name, json_array_get(list, k), order + first, n);
            for (int64_t i = 0; i < n; i++) {
                ani_transform unused;
                ani_transform_draw(&unused, &plain, 2, 2, &mt);
            }
        }
        if (!is_next) ani_mt19937_permutation(&mt, order, count);
    }
    free(order);
}

static void orders(void **state) {
    (void)state;
    const char *path = golden_path("augment/iterator_order.json");
    if (!path) skip();
    json_t *list = golden_json(path);
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *how = json_string_value(json_object_get(item, "how"));
        char name[64];
        assert_true(json_array_size(json_object_get(item, "epochs")) > 0);
        snprintf(name, sizeof name, "order %zu (%s)", i, how);
        if (json_is_null(json_object_get(item, "seed")))
            check_unseeded(name, item, !strcmp(how, "next"));
        else
            check_seeded(name, item, !strcmp(how, "next"));
    }
    json_decref(list);
}

/* --- whole batches --------------------------------------------------------------------------- */

/* Keys are GENERATOR.HOW.xK, with prefix before them. Each is read alone, by resuming at that
 * batch. */
static bool check_batch(an_dataset *dataset, const st_file *expected, const st_array *x,
                        const char *prefix, int32_t mode, int32_t batch, uint32_t seed) {
    char how[16] = "";
    long long k = -1;
    const char *name = x->name + strlen(prefix);
    const char *dot = strchr(name, '.');
    if (!dot || sscanf(dot + 1, "%15[a-z].x%lld", how, &k) != 2) return false;
    const int size = (int)(dot - name);
    const st_array *y = st_find(expected, "%s%.*s.%s.y%lld", prefix, size, name, how, k);
    generator g;
    an_loader_options options;
    an_loader *loader;
    assert_non_null(y);
    if (!find_generator(&g, name, size)) fail_msg("no generator '%.*s'", size, name);
    an_loader_options_init(&options, sizeof options);
    options.batch_size = batch;
    options.shuffle = 1;
    options.seed = seed;
    options.threads = 2;
    options.iterator = !strcmp(how, "next") ? AN_ITERATOR_NEXT : AN_ITERATOR_ITEM;
    g.options.mode = mode;
    options.augment = &g.options;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
    const int64_t steps = an_loader_steps(loader);
    const float *got_x, *got_y;
    int64_t n;
    assert_int_equal(an_loader_begin(loader, k / steps, k % steps, NULL), AN_OK);
    assert_int_equal(an_loader_next(loader, &got_x, &got_y, NULL, &n, NULL), AN_OK);
    assert_int_equal(n, x->shape[0]);
    double *want_x = st_doubles(x), *want_y = st_doubles(y);
    expect_close(x->name, got_x, want_x, x->count, 1e-5, 0.0);
    expect_close(y->name, got_y, want_y, y->count, 0.0, 0.0);
    free(want_x);
    free(want_y);
    an_loader_destroy(loader);
    return true;
}

static void check_flow(const char *expected_path, const char *prefix, int32_t mode) {
    const char *path = golden_path("augment/flow_batches.safetensors");
    if (!path || !expected_path || !golden_path("augment/random_params.json")) skip();
    st_file *data = st_open(path), *expected = st_open(expected_path);
    const st_array *pixels = st_find(data, "x_u8"), *scores = st_find(data, "y");
    assert_non_null(pixels);
    assert_non_null(scores);
    const int32_t batch =
        (int32_t)strtol(json_string_value(json_object_get(data->metadata, "batch")), NULL, 10);
    const uint32_t seed =
        (uint32_t)strtoul(json_string_value(json_object_get(data->metadata, "seed")), NULL, 10);
    an_dataset *dataset;
    float *floats = st_floats(scores);
    double *y = calloc((size_t)pixels->shape[0], sizeof *y);
    for (int64_t i = 0; i < pixels->shape[0]; i++)
        y[i] = (double)floats[i];
    free(floats);
    assert_int_equal(an_dataset_from_pixels(&dataset, pixels->data, pixels->shape[0],
                                            (int32_t)pixels->shape[1], (int32_t)pixels->shape[2], y,
                                            1, NULL, NULL),
                     AN_OK);
    free(y);
    int64_t checked = 0;
    for (int64_t i = 0; i < expected->count; i++)
        if (!strncmp(expected->arrays[i].name, prefix, strlen(prefix)))
            checked +=
                check_batch(dataset, expected, &expected->arrays[i], prefix, mode, batch, seed);
    assert_true(checked > 0);
    an_dataset_destroy(dataset);
    st_close(expected);
    st_close(data);
}

static void flow(void **state) {
    (void)state;
    check_flow(golden_path("augment/flow_batches.safetensors"), "", AN_AUGMENT_KERAS);
}

static void flow_2020(void **state) {
    (void)state;
    check_flow(golden_path("augment/legacy_2020.safetensors"), "flow.", AN_AUGMENT_LEGACY);
}

int golden_augment(void);
int golden_augment(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters), cmocka_unit_test(images), cmocka_unit_test(big_image),
        cmocka_unit_test(orders),     cmocka_unit_test(flow),   cmocka_unit_test(flow_2020),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
