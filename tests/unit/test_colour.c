/* SPDX-License-Identifier: MIT
 * Contrast, saturation and erased rectangles, against a few lines in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "augment/transform.h"
#include "dataset/scale.h"

enum { HEIGHT = 7, WIDTH = 9, PIXELS = HEIGHT * WIDTH };

/** An image of 8-bit values, as doubles from 0 to 1. */
static void draw(double *image) {
    for (int i = 0; i < 3 * PIXELS; i++)
        image[i] = (double)(i * 37 % 256) / 255;
}

static double grey_of(const double *pixel) {
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

static void by_hand(double *image, double contrast, double saturation) {
    double mean = 0;
    for (int i = 0; i < PIXELS; i++)
        mean += grey_of(image + 3 * i) / PIXELS;
    for (int i = 0; i < 3 * PIXELS; i++)
        image[i] = fmin(1, fmax(0, mean + contrast * (image[i] - mean)));
    for (int i = 0; i < PIXELS; i++) {
        const double grey = grey_of(image + 3 * i);
        for (int k = 0; k < 3; k++)
            image[3 * i + k] = fmin(1, fmax(0, grey + saturation * (image[3 * i + k] - grey)));
    }
}

static void apply(float *x, const ani_colour *colour, const ani_scaling *scaling) {
    const float *table = scaling->tables;
    ani_colour_apply(x, HEIGHT, WIDTH, colour, (const float[3]){table[0], table[256], table[512]},
                     (const float[3]){table[255], table[511], table[767]});
}

static void jitter_by_hand(void **state) {
    (void)state;
    static const double factors[][2] = {{0.5, 1}, {1, 0.2}, {1.7, 1.4}, {0, 1}, {1, 0}, {1, 1}};
    for (int32_t scale = AN_SCALE_UNIT; scale <= AN_SCALE_TORCH; scale++) {
        ani_scaling scaling;
        assert_int_equal(ani_scaling_fill(&scaling, scale, NULL), AN_OK);
        double black[3], range[3];
        for (int k = 0; k < 3; k++) {
            black[k] = (double)scaling.tables[256 * k];
            range[k] = (double)scaling.tables[256 * k + 255] - black[k];
        }
        for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
            double want[3 * PIXELS];
            float x[3 * PIXELS], before[3 * PIXELS];
            ani_transform t;
            draw(want);
            for (int i = 0; i < 3 * PIXELS; i++)
                before[i] = x[i] = (float)(black[i % 3] + want[i] * range[i % 3]);
            ani_transform_init(&t);
            t.colour.contrast = factors[f][0];
            t.colour.saturation = factors[f][1];
            by_hand(want, t.colour.contrast, t.colour.saturation);
            apply(x, &t.colour, &scaling);
            for (int i = 0; i < 3 * PIXELS; i++)
                assert_true(fabs((double)x[i] - (black[i % 3] + want[i] * range[i % 3])) <
                            2e-6 * range[i % 3]);
            if (f == 5) assert_memory_equal(x, before, sizeof x); /* nothing is to be done */
        }
    }
}

static void erased_by_hand(void **state) {
    (void)state;
    ani_scaling scaling;
    ani_transform t;
    double image[3 * PIXELS], means[3] = {0};
    float x[3 * PIXELS];
    assert_int_equal(ani_scaling_fill(&scaling, AN_SCALE_TF, NULL), AN_OK);
    draw(image);
    for (int i = 0; i < 3 * PIXELS; i++) {
        x[i] = (float)(2 * image[i] - 1);
        means[i % 3] += (2 * image[i] - 1) / PIXELS;
    }
    ani_transform_init(&t);
    t.colour.erase_row = 4;
    t.colour.erase_height = 3;
    t.colour.erase_column = 2;
    t.colour.erase_width = 5;
    apply(x, &t.colour, &scaling);
    for (int i = 0; i < HEIGHT; i++)
        for (int j = 0; j < WIDTH; j++)
            for (int k = 0; k < 3; k++) {
                const bool erased = i >= 4 && j >= 2 && j < 7;
                const int at = 3 * (i * WIDTH + j) + k;
                const double want = erased ? means[k] : 2 * image[at] - 1;
                assert_true(fabs((double)x[at] - want) < 1e-6);
            }
}

/* The new draws come last, so that all others stay what they were. */
static void draws_are_added_at_the_end(void **state) {
    (void)state;
    enum { H = 60, W = 80, DRAWS = 4000 };
    an_augment_options options, more;
    an_augment_options_tutorial(&options, sizeof options);
    more = options;
    more.contrast = 0.2;
    more.saturation = 0.4;
    more.erase = 0.3;
    int erased = 0;
    double lowest = 1, highest = 0;
    for (int64_t sample = 0; sample < DRAWS; sample++) {
        ani_transform a, b;
        ani_transform_draw_plain(&a, &options, H, W, 3, 1, sample);
        ani_transform_draw_plain(&b, &more, H, W, 3, 1, sample);
        assert_true(a.theta == b.theta && a.tx == b.tx && a.ty == b.ty && a.shear == b.shear);
        assert_true(a.zx == b.zx && a.zy == b.zy && a.flip_horizontal == b.flip_horizontal);
        assert_true(a.colour.contrast == 1 && a.colour.saturation == 1 &&
                    a.colour.erase_height == 0);
        assert_true(b.colour.contrast >= 0.8 && b.colour.contrast <= 1.2);
        assert_true(b.colour.saturation >= 0.6 && b.colour.saturation <= 1.4);
        if (!b.colour.erase_height) continue;
        erased++;
        assert_true(b.colour.erase_row >= 0 && b.colour.erase_row + b.colour.erase_height <= H);
        assert_true(b.colour.erase_column >= 0 &&
                    b.colour.erase_column + b.colour.erase_width <= W);
        const double share = (double)(b.colour.erase_height * b.colour.erase_width) / (H * W);
        lowest = fmin(lowest, share);
        highest = fmax(highest, share);
    }
    assert_true(fabs(erased - 0.3 * DRAWS) < 4.5 * sqrt(0.3 * 0.7 * DRAWS));
    assert_true(lowest > 0.018 && lowest < 0.03);
    assert_true(highest > 0.19 && highest < 0.22); /* sides are rounded to whole pixels */
}

static void only_the_fast_mode_has_them(void **state) {
    (void)state;
    an_error err = {0};
    an_augment_options options;
    an_augment_options_tutorial(&options, sizeof options);
    options.erase = 0.5;
    assert_int_equal(ani_augment_check(&options, &err), AN_OK);
    options.mode = AN_AUGMENT_KERAS;
    assert_int_equal(ani_augment_check(&options, &err), AN_ERR_ARG);
    assert_string_equal(err.message,
                        "an_augment_options: erase in mode 2; it needs AN_AUGMENT_FAST, 1");
    an_augment_options_init(&options, sizeof options);
    options.mode = AN_AUGMENT_FAST;
    assert_false(ani_augment_is_active(&options));
    options.saturation = 0.5;
    assert_true(ani_augment_is_active(&options));
    options.contrast = 1.5;
    assert_int_equal(ani_augment_check(&options, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_augment_options: contrast is 1.5; it must be 0 to 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jitter_by_hand),
        cmocka_unit_test(erased_by_hand),
        cmocka_unit_test(draws_are_added_at_the_end),
        cmocka_unit_test(only_the_fast_mode_has_them),
    };
    return cmocka_run_group_tests_name("colour", tests, NULL, NULL);
}
