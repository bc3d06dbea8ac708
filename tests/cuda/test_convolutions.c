/* SPDX-License-Identifier: MIT
 * The first convolution and depthwise convolutions on the shim, for what the cases of tests/backend
 * do not show: float images in bfloat16 units, every width of the first convolution, blocks of
 * several images. Against sums in double of the same rounded operands, so that the limits hold the
 * order of additions alone, (8 + 2 sqrt(terms)) * 2^-24 of the sum of absolute values, and where a
 * tensor is stored, one rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/cuda/kernel/launch.h"
#include "support/orders.h"

static uint32_t seed = 1;
static float next_number(double low, double high) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(low + (high - low) * (seed >> 8) / 16777216.0);
}
static float rounded(float value) {
    return ani_from_bfloat16(ani_to_bfloat16(value));
}

static void *zeroed(int64_t size) {
    void *memory = NULL;
    if (posix_memalign(&memory, 256, (size_t)size + 256)) abort();
    memset(memory, 0, (size_t)size + 256);
    return memory;
}

/** Floats, and the same as elements. */
typedef struct array {
    int64_t count;
    int32_t element;
    float *values;
    void *stored;
} array;
static array make_array(int64_t count, int32_t element, double low, double high) {
    array a = {count, element, zeroed(count * 4), zeroed(count * 4)};
    for (int64_t i = 0; i < count; i++) {
        a.values[i] = next_number(low, high);
        if (element == ANI_BFLOAT16) a.values[i] = rounded(a.values[i]);
        if (element == ANI_BFLOAT16)
            ((uint16_t *)a.stored)[i] = ani_to_bfloat16(a.values[i]);
        else
            ((float *)a.stored)[i] = a.values[i];
    }
    return a;
}
static void free_array(array *a) {
    free(a->values);
    free(a->stored);
}
static float stored_at(const array *a, int64_t i) {
    return a->element == ANI_BFLOAT16 ? ani_from_bfloat16(((uint16_t *)a->stored)[i])
                                      : ((float *)a->stored)[i];
}

static unsigned counters[ANI_COUNTERS];

static void expect_counters(void) {
    for (int i = 0; i < ANI_COUNTERS; i++)
        assert_int_equal(counters[i], 0);
}

static ani_unit_shape shape;
static void expect(const char *what, int64_t i, double got, double want, double limit) {
    if (!(fabs(got - want) <= limit))
        fail_msg("%dx%dx%dx%d to %d channels: %s[%d] is %.9g, it must be %.9g, limit %.3g",
                 (int)shape.n, (int)shape.h, (int)shape.w, (int)shape.cin, (int)shape.cout, what,
                 (int)i, got, want, limit);
}
static double limit_of(double terms, double size) {
    return (8 + 2 * sqrt(terms)) * 0x1p-24 * size + 1e-30;
}

/* Element of x that tap t of output pixel `row` reads in channel c; -1: it is in the padding. */
static int64_t input_of(int64_t row, int t, int64_t c) {
    const ani_unit_shape *s = &shape;
    const int64_t n = row / (s->oh * s->ow), y = row / s->ow % s->oh, x = row % s->ow;
    const int64_t iy = y * s->stride + t / 3 - s->pad_top;
    const int64_t ix = x * s->stride + t % 3 - s->pad_left;
    if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) return -1;
    return ((n * s->h + iy) * s->w + ix) * s->cin + c;
}

/* Moments of what was stored. Squares are those of distances from a pivot, one of the values. */
static void expect_moments(const array *y, const double *moments) {
    const int64_t c = shape.cout, rows = y->count / c;
    for (int64_t i = 0; i < c; i++) {
        double mean = 0, m2 = 0, size = 0, far = 0;
        for (int64_t r = 0; r < rows; r++) {
            mean += stored_at(y, r * c + i) / (double)rows;
            size += fabs(stored_at(y, r * c + i)) / (double)rows;
        }
        for (int64_t r = 0; r < rows; r++) {
            const double distance = stored_at(y, r * c + i) - mean;
            m2 += distance * distance;
            far = fmax(far, distance * distance);
        }
        expect("mean", i, moments[i], mean, limit_of((double)rows, size));
        expect("m2", i, moments[c + i], m2, limit_of((double)rows, m2 + far * (double)rows));
    }
}

/** What a stem computes from. */
typedef struct stem {
    array x, w, y, g, z, slope[3], dw;
    double *moments;
    void *scratch;
} stem;
static stem make_stem(int32_t image) {
    const int64_t in = shape.n * shape.h * shape.w * 3,
                  out = shape.n * shape.oh * shape.ow * shape.cout;
    stem s = {make_array(in, image, -1, 1),
              make_array(27 * shape.cout, ANI_FLOAT32, -1, 1),
              make_array(out, ANI_BFLOAT16, 9, 9),
              make_array(out, ANI_BFLOAT16, -1, 1),
              make_array(out, ANI_BFLOAT16, -3, 3),
              {make_array(shape.cout, 0, 0.5, 2), make_array(shape.cout, 0, -0.1, 0.1),
               make_array(shape.cout, 0, -0.1, 0.1)},
              make_array(27 * shape.cout, 0, 9, 9),
              zeroed(2 * shape.cout * 8),
              NULL};
    const int64_t forward = ani_cuda_stem_forward_scratch(&shape, ANI_BFLOAT16);
    const int64_t backward = ani_cuda_stem_backward_scratch(&shape, ANI_BFLOAT16);
    s.scratch = zeroed(forward > backward ? forward : backward);
    return s;
}
static void free_stem(stem *s) {
    array *all[] = {&s->x,    &s->w,        &s->y,        &s->g, &s->z,
                    s->slope, s->slope + 1, s->slope + 2, &s->dw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free_array(all[i]);
    free(s->moments);
    free(s->scratch);
}
static void run_stem_forward(stem *s) {
    const ani_unit_forward args = {.x = {.z = s->x.stored, .element = s->x.element},
                                   .w = s->w.stored,
                                   .y = s->y.stored,
                                   .moments = s->moments,
                                   .element = ANI_BFLOAT16,
                                   .scratch = s->scratch};
    assert_int_equal(ani_cuda_stem_forward(&shape, &args, counters, NULL), cudaSuccess);
    expect_counters();
}

static void check_stem_forward(stem *s) {
    const int64_t c = shape.cout;
    run_stem_forward(s);
    for (int64_t i = 0; i < s->y.count; i++) {
        double want = 0, size = 0;
        for (int k = 0; k < 27; k++) {
            const int64_t at = input_of(i / c, k / 3, k % 3);
            if (at < 0) continue;
            const double term =
                (double)rounded(s->x.values[at]) * rounded(s->w.values[k * c + i % c]);
            want += term;
            size += fabs(term);
        }
        expect("y", i, stored_at(&s->y, i), want, limit_of(27, size) + 0x1p-8 * fabs(want));
    }
    expect_moments(&s->y, s->moments);
}

static void check_stem_backward(stem *s) {
    const int64_t c = shape.cout, rows = s->g.count / c;
    double *want = zeroed(27 * c * 8), *size = zeroed(27 * c * 8);
    const ani_unit_backward args = {.dz = {.g = s->g.stored,
                                           .z = s->z.stored,
                                           .a = s->slope[0].stored,
                                           .b = s->slope[1].stored,
                                           .c = s->slope[2].stored,
                                           .element = ANI_BFLOAT16},
                                    .x = {.z = s->x.stored, .element = s->x.element},
                                    .w = s->w.stored,
                                    .dw = s->dw.stored,
                                    .scratch = s->scratch};
    assert_int_equal(ani_cuda_stem_backward(&shape, &args, counters, NULL), cudaSuccess);
    expect_counters();
    for (int64_t i = 0; i < rows * c; i++) {
        const float b = fmaf(s->slope[1].values[i % c], s->z.values[i], s->slope[2].values[i % c]);
        const double dz = rounded(fmaf(s->slope[0].values[i % c], s->g.values[i], b));
        for (int k = 0; k < 27; k++) {
            const int64_t at = input_of(i / c, k / 3, k % 3);
            if (at < 0) continue;
            want[k * c + i % c] += rounded(s->x.values[at]) * dz;
            size[k * c + i % c] += fabs(rounded(s->x.values[at]) * dz);
        }
    }
    for (int64_t i = 0; i < 27 * c; i++)
        expect("dw", i, stored_at(&s->dw, i), want[i], limit_of((double)rows, size[i]));
    free(want);
    free(size);
}

static ani_unit_shape stem_shape(int32_t pad, int64_t n, int64_t h, int64_t w, int64_t cout) {
    return (ani_unit_shape){ANI_UNIT_FULL,
                            2,
                            pad,
                            pad,
                            n,
                            h,
                            w,
                            3,
                            (h + 1 + pad - 3) / 2 + 1,
                            (w + 1 + pad - 3) / 2 + 1,
                            cout};
}

static void first_convolutions_of_each_width_agree(void **state) {
    (void)state;
    for (int order = 0; order < TEST_ORDERS; order++)
        for (int64_t cout = 16; cout <= 48; cout += 8) {
            shape = stem_shape((int32_t)(cout / 8 + order) % 3, 2, 13 + order, 101, cout);
            assert_true(ani_cuda_stem_takes(&shape, ANI_BFLOAT16));
            test_set_order(order);
            stem s = make_stem(order % 2 ? ANI_BFLOAT16 : ANI_FLOAT32);
            check_stem_forward(&s);
            check_stem_backward(&s);
            free_stem(&s);
        }
}

/* More tiles than blocks: each has several. */
static void first_convolutions_of_many_tiles_agree(void **state) {
    (void)state;
    test_set_order(2);
    shape = stem_shape(1, 1100, 9, 3, 16);
    stem s = make_stem(ANI_FLOAT32);
    check_stem_forward(&s);
    check_stem_backward(&s);
    free_stem(&s);
}

/* The tenth of a row's taps is the next pixel with weight zero: its NaN must not count. */
static void nan_in_an_image_does_not_spread(void **state) {
    (void)state;
    test_set_order(0);
    shape = stem_shape(0, 1, 7, 21, 32);
    stem s = make_stem(ANI_FLOAT32);
    const int64_t row = 2, column = 8;
    ((float *)s.x.stored)[(row * shape.w + column) * 3] = NAN;
    run_stem_forward(&s);
    for (int64_t i = 0; i < s.y.count; i++) {
        int reads = 0;
        for (int k = 0; k < 9; k++)
            reads |= input_of(i / shape.cout, k, 0) == (row * shape.w + column) * 3;
        assert_int_equal(!!isnan(stored_at(&s.y, i)), reads);
    }
    free_stem(&s);
}

/* Depthwise: y and moments, dx of g alone, dw. image: element of x. */
static void check_depthwise(int32_t element, int32_t image) {
    const int64_t c = shape.cin, rows = shape.n * shape.oh * shape.ow;
    const int64_t in = shape.n * shape.h * shape.w * c;
    array x = make_array(in, image, -2, 7), w = make_array(9 * c, 0, -1, 1);
    array y = make_array(rows * c, element, 9, 9), g = make_array(rows * c, element, -1, 1);
    array dw = make_array(9 * c, 0, 9, 9), dx = make_array(in, image, 9, 9);
    double *moments = zeroed(16 * c), *want = zeroed(9 * c * 8), *size = zeroed(9 * c * 8);
    double *want_dx = zeroed(in * 8), *size_dx = zeroed(in * 8);
    const int64_t one = ani_cuda_depthwise_forward_scratch(&shape, element);
    const int64_t two = ani_cuda_depthwise_backward_scratch(&shape, element);
    void *scratch = zeroed(one > two ? one : two);
    assert_true(ani_cuda_depthwise_takes(&shape, element));
    const ani_unit_forward forward = {.x = {.z = x.stored, .element = image},
                                      .w = w.stored,
                                      .y = y.stored,
                                      .moments = moments,
                                      .element = element,
                                      .scratch = scratch};
    const ani_unit_backward backward = {.dz = {.g = g.stored, .element = element},
                                        .x = {.z = x.stored, .element = image},
                                        .w = w.stored,
                                        .dw = dw.stored,
                                        .store = {.dx = dx.stored},
                                        .scratch = scratch};
    assert_int_equal(ani_cuda_depthwise_forward(&shape, &forward, counters, NULL), cudaSuccess);
    assert_int_equal(ani_cuda_depthwise_backward(&shape, &backward, counters, NULL), cudaSuccess);
    expect_counters();
    for (int64_t i = 0; i < rows * c; i++) {
        double sum = 0, absolute = 0;
        for (int k = 0; k < 9; k++) {
            const int64_t at = input_of(i / c, k, i % c), weight = k * c + i % c;
            if (at < 0) continue;
            const double product = (double)x.values[at] * w.values[weight];
            const double of_dw = (double)x.values[at] * g.values[i];
            const double of_dx = (double)w.values[weight] * g.values[i];
            sum += product;
            absolute += fabs(product);
            want[weight] += of_dw;
            size[weight] += fabs(of_dw);
            want_dx[at] += of_dx;
            size_dx[at] += fabs(of_dx);
        }
        const double step = element == ANI_BFLOAT16 ? 0x1p-8 * fabs(sum) : 0;
        expect("y", i, stored_at(&y, i), sum, limit_of(9, absolute) + step);
    }
    expect_moments(&y, moments);
    for (int64_t i = 0; i < 9 * c; i++)
        expect("dw", i, stored_at(&dw, i), want[i], limit_of((double)rows, size[i]));
    for (int64_t i = 0; i < in; i++) {
        const double step = image == ANI_BFLOAT16 ? 0x1p-8 * fabs(want_dx[i]) : 0;
        expect("dx", i, stored_at(&dx, i), want_dx[i], limit_of(9, size_dx[i]) + step);
    }
    array *all[] = {&x, &w, &y, &g, &dw, &dx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free_array(all[i]);
    void *others[] = {moments, want, size, want_dx, size_dx, scratch};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        free(others[i]);
}

static void depthwise_of_several_images_a_block_agrees(void **state) {
    (void)state;
    for (int32_t stride = 1; stride <= 2; stride++) {
        test_set_order(stride);
        shape = (ani_unit_shape){ANI_UNIT_DEPTHWISE, stride, 1, 1, 14000, 1, 2, 8, 1, 1, 8};
        check_depthwise(ANI_BFLOAT16, ANI_BFLOAT16);
    }
}

static void depthwise_of_a_float_image_agrees(void **state) {
    (void)state;
    test_set_order(0);
    shape = (ani_unit_shape){ANI_UNIT_DEPTHWISE, 2, 0, 0, 2, 9, 12, 24, 4, 6, 24};
    check_depthwise(ANI_BFLOAT16, ANI_FLOAT32);
}

/* Outputs past the input, outputs that leave rows and columns of it unread, many bands. */
static void depthwise_of_uneven_extents_agrees(void **state) {
    (void)state;
    static const int64_t extents[][6] = {{1, 1, 7, 9, 9, 12},  {2, 1, 7, 9, 8, 9},
                                         {2, 0, 12, 12, 2, 3}, {1, 0, 12, 12, 2, 3},
                                         {1, 1, 70, 5, 70, 5}, {2, 1, 71, 5, 36, 3}};
    for (int i = 0; i < (int)(sizeof extents / sizeof *extents); i++)
        for (int32_t element = 0; element < ANI_ELEMENTS; element++) {
            const int64_t *e = extents[i];
            test_set_order(i % TEST_ORDERS);
            shape = (ani_unit_shape){ANI_UNIT_DEPTHWISE,
                                     (int32_t)e[0],
                                     (int32_t)e[1],
                                     (int32_t)e[1],
                                     2,
                                     e[2],
                                     e[3],
                                     16,
                                     e[4],
                                     e[5],
                                     16};
            check_depthwise(element, element);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_convolutions_of_each_width_agree),
        cmocka_unit_test(first_convolutions_of_many_tiles_agree),
        cmocka_unit_test(nan_in_an_image_does_not_spread),
        cmocka_unit_test(depthwise_of_several_images_a_block_agrees),
        cmocka_unit_test(depthwise_of_a_float_image_agrees),
        cmocka_unit_test(depthwise_of_uneven_extents_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
