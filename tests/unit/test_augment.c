/* SPDX-License-Identifier: MIT
 * Transforms: the fused form against the reference form, flips, fills, channel shift and
 * brightness. Keras' own numbers are golden topic augment. */
#include "augment/transform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "dataset/scale.h"
#include "kernels/warp.h"
#include "support/data.h"
#include "support/golden.h"

static void read_scaling(ani_scaling *s, int32_t scale) {
    assert_int_equal(ani_scaling_fill(s, scale, NULL), AN_OK);
    assert_int_equal(s->same, scale != AN_SCALE_TORCH);
}

/* The size of the terms of a scaled pixel: of the channel where it is smallest. */
static double size_of(const ani_scaling *s) {
    double size = 255.0 * s->gain[0] + fabs(s->bias[0]);
    for (int c = 1; c < 3; c++)
        size = fmin(size, 255.0 * s->gain[c] + fabs(s->bias[c]));
    return size;
}

/* An image in both forms, and room for results. */
typedef struct image {
    int64_t height, width, count;
    uint8_t *rgb;
    float *scaled, *reference, *fast;
} image;

static image draw(int64_t height, int64_t width, const ani_scaling *scaling) {
    image p = {.height = height, .width = width, .count = height * width * 3};
    p.rgb = malloc((size_t)p.count);
    p.scaled = malloc((size_t)p.count * sizeof *p.scaled);
    p.reference = malloc((size_t)p.count * sizeof *p.reference);
    p.fast = malloc((size_t)p.count * sizeof *p.fast);
    data_draw(p.rgb, height, width, height + width);
    for (int64_t i = 0; i < p.count; i++)
        p.scaled[i] = scaling->tables[256 * (i % 3) + p.rgb[i]];
    return p;
}

static void discard(image *p) {
    free(p->rgb);
    free(p->scaled);
    free(p->reference);
    free(p->fast);
}

static void reference_of(image *p, const ani_transform *t, int geometry, int32_t fill,
                         float value) {
    ani_transform_apply(p->reference, p->scaled, p->height, p->width, 3, t, geometry, fill, value);
}

static void fast_of(image *p, const ani_transform *t, int geometry, int32_t fill, float value,
                    const ani_scaling *scaling) {
    ani_pixels pixels;
    ani_pixels_init(&pixels, ani_cpu_mask(NULL));
    ani_transform_fast(p->fast, p->rgb, p->height, p->width, t, geometry, fill, value, scaling,
                       &pixels);
}

static an_augment_options everything(void) {
    an_augment_options options;
    an_augment_options_tutorial(&options, sizeof options);
    options.vertical_flip = 1;
    options.shear = 15.0;
    options.zoom_low = 0.5;
    options.zoom_high = 1.7;
    return options;
}

/* The limit is derived in transform.h. */
static void fast_is_the_reference_in_float(void **state) {
    (void)state;
    static const int64_t sides[][2] = {{1, 1},   {1, 9},   {7, 1},  {8, 8},
                                       {33, 65}, {64, 63}, {130, 7}};
    an_augment_options options = everything();
    options.channel_shift = 0.1;
    for (int32_t scale = AN_SCALE_UNIT; scale <= AN_SCALE_TORCH; scale++) {
        ani_scaling scaling;
        read_scaling(&scaling, scale);
        const double limit = 16.0 * ldexp(1.0, -24) * size_of(&scaling);
        for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
            image p = draw(sides[s][0], sides[s][1], &scaling);
            for (int sample = 0; sample < 24; sample++) {
                const int32_t fill = sample % 4;
                const int geometry = sample / 4 % 3;
                ani_transform t;
                ani_transform_draw_plain(&t, &options, p.height, p.width, 5, scale, sample);
                reference_of(&p, &t, geometry, fill, 0.25f);
                fast_of(&p, &t, geometry, fill, 0.25f, &scaling);
                double *want = malloc((size_t)p.count * sizeof *want);
                for (int64_t i = 0; i < p.count; i++)
                    want[i] = (double)p.reference[i];
                expect_close("fast", p.fast, want, p.count, limit, 0.0);
                free(want);
            }
            discard(&p);
        }
    }
}

/* Floats that are pixels' become what these become, bit for bit, with brightness, too; others what
 * the reference makes of them, up to the same limit. */
static void values_are_transformed_as_pixels(void **state) {
    (void)state;
    static const int64_t sides[][2] = {{1, 1}, {1, 9}, {7, 1}, {33, 65}, {130, 7}};
    ani_pixels pixels;
    ani_pixels_init(&pixels, ani_cpu_mask(NULL));
    for (int32_t scale = AN_SCALE_UNIT; scale <= AN_SCALE_TORCH; scale++) {
        an_augment_options options = everything();
        ani_scaling scaling;
        read_scaling(&scaling, scale);
        const double size = size_of(&scaling);
        options.channel_shift = 0.1 * size;
        for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
            image p = draw(sides[s][0], sides[s][1], &scaling);
            uint8_t *scratch = malloc((size_t)p.count);
            float *values = malloc((size_t)p.count * sizeof *values);
            double *want = malloc((size_t)p.count * sizeof *want);
            for (int sample = 0; sample < 24; sample++) {
                const int32_t fill = sample % 4;
                const int geometry = sample / 4 % 3;
                const bool brightens = sample >= 12;
                ani_transform t;
                options.brightness_low = brightens ? 0.7 : 0.0;
                options.brightness_high = brightens ? 1.4 : 0.0;
                ani_transform_draw_plain(&t, &options, p.height, p.width, 5, scale, sample);
                fast_of(&p, &t, geometry, fill, 0.25f, &scaling);
                ani_transform_values(values, p.scaled, scratch, p.height, p.width, &t, geometry,
                                     fill, 0.25f, &scaling, &pixels);
                assert_memory_equal(values, p.fast, (size_t)p.count * sizeof *values);
                if (brightens) continue;
                /* One value between two pixels' is enough: then none is taken for a pixel's. */
                const float before = p.scaled[p.count - 1];
                p.scaled[p.count - 1] += 0.3f * (float)scaling.gain[2];
                reference_of(&p, &t, geometry, fill, 0.25f);
                ani_transform_values(values, p.scaled, scratch, p.height, p.width, &t, geometry,
                                     fill, 0.25f, &scaling, &pixels);
                p.scaled[p.count - 1] = before;
                for (int64_t i = 0; i < p.count; i++)
                    want[i] = (double)p.reference[i];
                expect_close("values", values, want, p.count, 16.0 * ldexp(1.0, -24) * size, 0.0);
            }
            free(want);
            free(values);
            free(scratch);
            discard(&p);
        }
    }
}

/* Every 8-bit value of a scale is known by its float; its neighbours are not. */
static void pixels_are_known_by_their_values(void **state) {
    (void)state;
    ani_transform t;
    ani_pixels pixels;
    ani_pixels_init(&pixels, ani_cpu_mask(NULL));
    ani_transform_init(&t);
    for (int32_t scale = AN_SCALE_UNIT; scale <= AN_SCALE_TORCH; scale++) {
        ani_scaling scaling;
        read_scaling(&scaling, scale);
        for (int pixel = 0; pixel < 256; pixel++)
            for (int beside = 0; beside < 3; beside++) {
                const float *at = scaling.tables + pixel, value = at[256];
                float in[3] = {at[0], value, at[512]}, out[3];
                uint8_t scratch[3] = {7, 7, 7};
                if (beside) in[1] = nextafterf(value, beside == 1 ? -2e3f : 2e3f);
                ani_transform_values(out, in, scratch, 1, 1, &t, ANI_GEOMETRY_PLAIN,
                                     AN_FILL_NEAREST, 0.0f, &scaling, &pixels);
                assert_memory_equal(out, in, sizeof out);
                assert_int_equal(scratch[0], pixel);
                assert_int_equal(scratch[2], beside ? 7 : pixel);
            }
    }
}

static void nothing_to_do_is_the_scale(void **state) {
    (void)state;
    ani_scaling scaling;
    ani_transform t;
    read_scaling(&scaling, AN_SCALE_TF);
    image p = draw(9, 14, &scaling);
    ani_transform_init(&t);
    fast_of(&p, &t, ANI_GEOMETRY_PLAIN, AN_FILL_NEAREST, 0.0f, &scaling);
    assert_memory_equal(p.fast, p.scaled, (size_t)p.count * sizeof *p.fast);
    reference_of(&p, &t, ANI_GEOMETRY_PLAIN, AN_FILL_NEAREST, 0.0f);
    assert_memory_equal(p.reference, p.scaled, (size_t)p.count * sizeof *p.reference);
    discard(&p);
}

static void flip_twice_is_the_image(void **state) {
    (void)state;
    ani_scaling scaling;
    read_scaling(&scaling, AN_SCALE_UNIT);
    image p = draw(6, 11, &scaling);
    for (int flips = 1; flips < 4; flips++) {
        ani_transform t;
        ani_transform_init(&t);
        t.flip_horizontal = flips & 1;
        t.flip_vertical = flips >> 1;
        reference_of(&p, &t, ANI_GEOMETRY_PLAIN, AN_FILL_NEAREST, 0.0f);
        fast_of(&p, &t, ANI_GEOMETRY_PLAIN, AN_FILL_NEAREST, 0.0f, &scaling);
        assert_memory_equal(p.fast, p.reference, (size_t)p.count * sizeof *p.fast);
        assert_memory_not_equal(p.fast, p.scaled, (size_t)p.count * sizeof *p.fast);
        ani_transform_apply(p.fast, p.reference, p.height, p.width, 3, &t, ANI_GEOMETRY_PLAIN,
                            AN_FILL_NEAREST, 0.0f);
        assert_memory_equal(p.fast, p.scaled, (size_t)p.count * sizeof *p.fast);
    }
    discard(&p);
}

/* In mode FAST a width shift goes along columns, whatever the shape. */
static void shifts_go_along_their_axis(void **state) {
    (void)state;
    const double one = 1.0;
    ani_scaling scaling;
    ani_transform t;
    an_augment_options options;
    read_scaling(&scaling, AN_SCALE_UNIT);
    image p = draw(4, 9, &scaling);
    an_augment_options_init(&options, sizeof options);
    options.width_shifts = &one;
    options.width_shift_count = 1;
    ani_transform_draw_plain(&t, &options, 4, 9, 1, 2, 3);
    assert_true(fabs(t.tx) == 1.0 && t.ty == 0.0);
    t.tx = 1.0;
    fast_of(&p, &t, ANI_GEOMETRY_PLAIN, AN_FILL_CONSTANT, -2.0f, &scaling);
    for (int64_t i = 0; i < 4; i++)
        for (int64_t j = 0; j < 9; j++) {
            const float want = j == 8 ? -2.0f : p.scaled[(i * 9 + j + 1) * 3];
            assert_true(fabsf(p.fast[(i * 9 + j) * 3] - want) < 1e-6f);
        }
    discard(&p);
}

static void folds_of_the_border(void **state) {
    (void)state;
    assert_true(ani_warp_fold(-2.5, 4, AN_FILL_NEAREST) == 0.0);
    assert_true(ani_warp_fold(9.0, 4, AN_FILL_NEAREST) == 3.0);
    assert_true(ani_warp_fold(3.0, 4, AN_FILL_CONSTANT) == 3.0);
    assert_true(ani_warp_fold(3.01, 4, AN_FILL_CONSTANT) == -1.0);
    assert_true(ani_warp_fold(-1.5, 4, AN_FILL_REFLECT) == 0.5);
    assert_true(ani_warp_fold(4.5, 4, AN_FILL_REFLECT) == 2.5);
    assert_true(ani_warp_fold(-9.5, 4, AN_FILL_REFLECT) == 0.5);
    assert_true(ani_warp_fold(-0.5, 4, AN_FILL_WRAP) == 2.5);
    assert_true(ani_warp_fold(3.5, 4, AN_FILL_WRAP) == 0.5);
    for (int32_t fill = AN_FILL_NEAREST; fill <= AN_FILL_WRAP; fill++)
        for (int64_t n = 1; n < 5; n++)
            for (double c = -40.0; c < 40.0; c += 0.37) {
                const double at = ani_warp_fold(c, n, fill);
                assert_true((at >= 0.0 && at <= (double)(n - 1)) ||
                            (fill == AN_FILL_CONSTANT && at == -1.0));
            }
}

static void brightness_in_each_mode(void **state) {
    (void)state;
    ani_scaling scaling;
    ani_transform t;
    ani_transform_init(&t);
    t.has_brightness = true;
    t.brightness = 1.5;
    /* Mode FAST: 8-bit values times the factor, cut. */
    read_scaling(&scaling, AN_SCALE_TF);
    const uint8_t rgb[6] = {0, 10, 100, 170, 200, 255};
    const double bright[6] = {0, 15, 150, 255, 255, 255};
    float out[6];
    ani_pixels pixels;
    ani_pixels_init(&pixels, ani_cpu_mask(NULL));
    ani_transform_fast(out, rgb, 1, 2, &t, ANI_GEOMETRY_PLAIN, AN_FILL_NEAREST, 0.0f, &scaling,
                       &pixels);
    for (int i = 0; i < 6; i++)
        assert_true(fabs((double)out[i] - (bright[i] / 127.5 - 1.0)) < 1e-6);
    /* Keras on 0..255: fractions are dropped. */
    const float in[6] = {0.0f, 10.9f, 100.0f, 170.0f, 171.0f, 255.0f};
    const float want[6] = {0.0f, 15.0f, 150.0f, 255.0f, 255.0f, 255.0f};
    ani_transform_apply(out, in, 1, 2, 3, &t, ANI_GEOMETRY_KERAS, AN_FILL_NEAREST, 0.0f);
    assert_memory_equal(out, want, sizeof out);
    /* Keras beyond 0..255: stretched to 0..255, then put back; 2020: left there. */
    const float wide[6] = {-1.0f, -0.5f, 0.0f, 0.5f, 0.75f, 1.0f};
    t.brightness = 1.0;
    ani_transform_apply(out, wide, 1, 2, 3, &t, ANI_GEOMETRY_KERAS, AN_FILL_NEAREST, 0.0f);
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(out[i] - wide[i]) <= 2.0f / 255.0f);
    ani_transform_apply(out, wide, 1, 2, 3, &t, ANI_GEOMETRY_2020, AN_FILL_NEAREST, 0.0f);
    const float stretched[6] = {0.0f, 63.0f, 127.0f, 191.0f, 223.0f, 255.0f};
    assert_memory_equal(out, stretched, sizeof out);
}

static void channel_shift_is_cut(void **state) {
    (void)state;
    const float in[6] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f};
    const float want[6] = {0.4f, 0.5f, 0.6f, 0.6f, 0.6f, 0.6f};
    float out[6];
    ani_transform t;
    ani_transform_init(&t);
    t.has_channel_shift = true;
    t.channel_shift = 0.3;
    ani_transform_apply(out, in, 1, 2, 3, &t, ANI_GEOMETRY_KERAS, AN_FILL_NEAREST, 0.0f);
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(out[i] - want[i]) < 1e-6f);
}

/* The order in which Keras' ImageDataGenerator draws; both flips take a number, whether asked for
 * or not. */
static void draws_come_in_keras_order(void **state) {
    (void)state;
    for (int32_t flips = 0; flips < 4; flips++) {
        an_augment_options o = everything();
        ani_transform t;
        ani_mt19937 mt, by_hand;
        o.channel_shift = 0.5;
        o.brightness_low = 0.7;
        o.brightness_high = 1.1;
        o.horizontal_flip = flips & 1;
        o.vertical_flip = flips >> 1;
        ani_mt19937_seed(&mt, 1234);
        ani_mt19937_seed(&by_hand, 1234);
        for (int sample = 0; sample < 20; sample++) {
            ani_transform_draw(&t, &o, 100, 200, &mt);
            assert_true(t.theta == ani_mt19937_uniform(&by_hand, -40, 40));
            assert_true(t.tx == ani_mt19937_uniform(&by_hand, -0.2, 0.2) * 100);
            assert_true(t.ty == ani_mt19937_uniform(&by_hand, -0.2, 0.2) * 200);
            assert_true(t.shear == ani_mt19937_uniform(&by_hand, -15, 15));
            assert_true(t.zx == ani_mt19937_uniform(&by_hand, 0.5, 1.7));
            assert_true(t.zy == ani_mt19937_uniform(&by_hand, 0.5, 1.7));
            assert_int_equal(t.flip_horizontal,
                             (ani_mt19937_double(&by_hand) < 0.5) && (flips & 1));
            assert_int_equal(t.flip_vertical, (ani_mt19937_double(&by_hand) < 0.5) && (flips >> 1));
            assert_true(t.channel_shift == ani_mt19937_uniform(&by_hand, -0.5, 0.5));
            assert_true(t.brightness == ani_mt19937_uniform(&by_hand, 0.7, 1.1));
        }
    }
}

/* Quarter turns about the centre of a square move whole pixels: with theta 90 the first row comes
 * from the last column, as in NumPy's rot90. Half pixels off, they would not meet. The centre of
 * 2020 is a pixel off. */
static void quarter_turns_move_whole_pixels(void **state) {
    (void)state;
    enum { N = 8 };
    ani_scaling scaling;
    read_scaling(&scaling, AN_SCALE_UNIT);
    image p = draw(N, N, &scaling);
    static const int geometries[] = {ANI_GEOMETRY_PLAIN, ANI_GEOMETRY_KERAS};
    for (int turns = 1; turns < 4; turns++)
        for (int g = 0; g < 2; g++) {
            ani_transform t;
            ani_transform_init(&t);
            t.theta = 90.0 * turns;
            reference_of(&p, &t, geometries[g], AN_FILL_NEAREST, 0.0f);
            fast_of(&p, &t, geometries[g], AN_FILL_NEAREST, 0.0f, &scaling);
            for (int64_t i = 0; i < N; i++)
                for (int64_t j = 0; j < N; j++) {
                    int64_t r = i, c = j;
                    for (int k = 0; k < turns; k++) {
                        const int64_t row = r;
                        r = c;
                        c = N - 1 - row;
                    }
                    const float want = p.scaled[(r * N + c) * 3 + 1];
                    assert_true(fabsf(p.reference[(i * N + j) * 3 + 1] - want) < 1e-5f);
                    assert_true(fabsf(p.fast[(i * N + j) * 3 + 1] - want) < 1e-5f);
                }
        }
    discard(&p);
}

/* Zoom maps an output pixel to zoom times its distance from the centre; shear moves what is zoomed,
 * not the other way round: the matrix is rotation * shift * shear * zoom. */
static void the_matrix_is_a_product_in_order(void **state) {
    (void)state;
    ani_transform t;
    double m[6];
    ani_transform_init(&t);
    t.zx = 2.0;
    t.zy = 0.5;
    t.shear = 30.0;
    t.tx = 3.0;
    assert_true(ani_transform_matrix(&t, ANI_GEOMETRY_PLAIN, 11, 21, m));
    const double s = 0.5, c = sqrt(3.0) / 2.0; /* of 30 degrees; x along columns, y along rows */
    for (int y = 0; y < 11; y += 5)
        for (int x = 0; x < 21; x += 5) {
            const double zoomed_x = 2.0 * (x - 10.0), zoomed_y = 0.5 * (y - 5.0);
            const double want_x = zoomed_x - s * zoomed_y + 3.0 + 10.0, want_y = c * zoomed_y + 5.0;
            assert_true(fabs(m[2] + m[0] * y + m[1] * x - want_y) < 1e-12);
            assert_true(fabs(m[5] + m[3] * y + m[4] * x - want_x) < 1e-12);
        }
}

static void draws_stay_in_their_ranges(void **state) {
    (void)state;
    an_augment_options o = everything();
    o.channel_shift = 0.5;
    o.brightness_low = 0.7;
    o.brightness_high = 1.1;
    int flips = 0;
    for (int64_t sample = 0; sample < 2000; sample++) {
        ani_transform t, again;
        ani_transform_draw_plain(&t, &o, 100, 200, 1, 0, sample);
        ani_transform_draw_plain(&again, &o, 100, 200, 1, 0, sample);
        assert_true(t.theta == again.theta && t.tx == again.tx && t.brightness == again.brightness);
        assert_true(fabs(t.theta) <= 40.0 && fabs(t.tx) <= 40.0 && fabs(t.ty) <= 20.0);
        assert_true(t.zx >= 0.5 && t.zx < 1.7 && t.zy >= 0.5 && t.zy < 1.7);
        assert_true(fabs(t.channel_shift) <= 0.5);
        assert_true(t.brightness >= 0.7 && t.brightness < 1.1);
        flips += t.flip_horizontal;
    }
    assert_in_range(flips, 850, 1150); /* 1000 with a deviation of 22 */
}

static void options_out_of_range_are_named(void **state) {
    (void)state;
    an_error err;
    an_augment_options o;
    an_augment_options_init(&o, sizeof o);
    o.zoom_low = 1.5;
    assert_int_equal(ani_augment_check(&o, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_augment_options: zoom_high is 1; it must be 1.5 to 1000");
    an_augment_options_init(&o, sizeof o);
    o.rotation = NAN;
    assert_int_equal(ani_augment_check(&o, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_augment_options: rotation is nan; it must be 0 to 1e+06");
    an_augment_options_init(&o, sizeof o);
    o.width_shift_count = 2;
    assert_int_equal(ani_augment_check(&o, &err), AN_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_is_the_reference_in_float),
        cmocka_unit_test(values_are_transformed_as_pixels),
        cmocka_unit_test(pixels_are_known_by_their_values),
        cmocka_unit_test(nothing_to_do_is_the_scale),
        cmocka_unit_test(flip_twice_is_the_image),
        cmocka_unit_test(shifts_go_along_their_axis),
        cmocka_unit_test(folds_of_the_border),
        cmocka_unit_test(brightness_in_each_mode),
        cmocka_unit_test(channel_shift_is_cut),
        cmocka_unit_test(draws_come_in_keras_order),
        cmocka_unit_test(quarter_turns_move_whole_pixels),
        cmocka_unit_test(the_matrix_is_a_product_in_order),
        cmocka_unit_test(draws_stay_in_their_ranges),
        cmocka_unit_test(options_out_of_range_are_named),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
