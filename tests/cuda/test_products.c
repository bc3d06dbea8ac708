/* SPDX-License-Identifier: MIT
 * Pointwise units on the shim: each entry of pointwise.cu, pointwise_backward.cu and product32.cu
 * against sums in double of the same rounded operands, in every order of threads. So the limits
 * hold the order of additions alone, (8 + 2 sqrt(terms)) * 2^-24 of the sum of absolute values, and
 * where a tensor is stored, one rounding. */
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
#include "base/random.h"

/** Launchers of one implementation. */
typedef struct entries {
    const char *name;
    int32_t element; /* of all tensors */
    int32_t rounds;  /* 1: operands of products are rounded to bfloat16 */
    int64_t (*forward_scratch)(const ani_unit_shape *, int32_t);
    int (*forward)(const ani_unit_shape *, const ani_unit_forward *, unsigned *, cudaStream_t);
    int64_t (*backward_scratch)(const ani_unit_shape *, int32_t);
    int (*backward)(const ani_unit_shape *, const ani_unit_backward *, unsigned *, cudaStream_t);
} entries;

static const entries each[] = {
    {"pointwise", ANI_BFLOAT16, 1, ani_cuda_pointwise_forward_scratch, ani_cuda_pointwise_forward,
     ani_cuda_pointwise_backward_scratch, ani_cuda_pointwise_backward},
    {"product32", ANI_FLOAT32, 0, ani_cuda_product_forward_scratch, ani_cuda_product_forward,
     ani_cuda_product_backward_scratch, ani_cuda_product_backward},
    {"product32 of bfloat16", ANI_BFLOAT16, 0, ani_cuda_product_forward_scratch,
     ani_cuda_product_forward, ani_cuda_product_backward_scratch, ani_cuda_product_backward},
};
enum { EACH = sizeof each / sizeof *each };

/** Rows and channels: one tile and several, columns of every width of a block, weights that stay in
 * shared memory and that do not, several slices. */
static const int64_t shapes[][3] = {{1, 8, 8},      {35, 16, 96},    {162, 96, 24},  {143, 24, 144},
                                    {144, 144, 32}, {121, 160, 320}, {49, 320, 200}, {40, 960, 160},
                                    {700, 40, 56},  {129, 576, 96},  {300, 72, 112}, {257, 56, 16}};
static const int64_t odd_shapes[][3] = {{1, 1, 1}, {70, 3, 67}, {131, 65, 5}, {300, 17, 33}};

static uint32_t seed = 1;
static float next_number(double low, double high) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(low + (high - low) * (seed >> 8) / 16777216.0);
}
static float rounded(float value) {
    return ani_from_bfloat16(ani_to_bfloat16(value));
}
static float operand(const entries *e, float value) {
    return e->rounds ? rounded(value) : value;
}

/** A tensor or an array of channels; floats and, for the kernels, what they are stored as. */
typedef struct array {
    int64_t count;
    float *values;
    void *stored;
} array;
static array make_array(int64_t count, int32_t element, double low, double high) {
    array a = {.count = count, .values = calloc((size_t)count, sizeof(float))};
    if (posix_memalign(&a.stored, 64, (size_t)(count * 4 + 64))) abort();
    for (int64_t i = 0; i < count; i++) {
        a.values[i] = next_number(low, high);
        if (element == ANI_BFLOAT16) {
            ((uint16_t *)a.stored)[i] = ani_to_bfloat16(a.values[i]);
            a.values[i] = rounded(a.values[i]);
        } else {
            ((float *)a.stored)[i] = a.values[i];
        }
    }
    return a;
}
static void read_array(array *a, int32_t element) {
    for (int64_t i = 0; i < a->count; i++)
        a->values[i] = element == ANI_BFLOAT16 ? ani_from_bfloat16(((uint16_t *)a->stored)[i])
                                               : ((float *)a->stored)[i];
}
static void free_array(array *a) {
    free(a->values);
    free(a->stored);
}

static const entries *current;
static int64_t rows, cin, cout;
static void expect(const char *what, int64_t i, double got, double want, double limit) {
    if (!(fabs(got - want) <= limit))
        fail_msg("%s, %dx%d to %d: %s[%d] is %.9g, it must be %.9g, limit %.3g", current->name,
                 (int)rows, (int)cin, (int)cout, what, (int)i, got, want, limit);
}
static double limit_of(double terms, double size) {
    return (8 + 2 * sqrt(terms)) * 0x1p-24 * size + 1e-30;
}
/* What storing may do besides. */
static double step_of(double value) {
    return current->element == ANI_BFLOAT16 ? 0x1p-8 * fabs(value) : 0;
}

static float lazy(float z, const float *scale, const float *shift, int64_t channel, int relu6) {
    const float value = scale ? fmaf(z, scale[channel], shift[channel]) : z;
    return !relu6 ? value : value < 0 ? 0 : value > 6 ? 6 : value;
}

static unsigned counters[ANI_COUNTERS];

static void expect_counters(void) {
    for (int i = 0; i < ANI_COUNTERS; i++)
        assert_int_equal(counters[i], 0);
}

static void check_forward(const entries *e, int scaled, int stores) {
    const ani_unit_shape s = {ANI_UNIT_POINTWISE, 1, 0, 0, 1, 1, rows, cin, 1, rows, cout};
    array x = make_array(rows * cin, e->element, -3, 7), w = make_array(cin * cout, 0, -1, 1);
    array scale = make_array(cin, 0, -1.5, 1.5), shift = make_array(cin, 0, -1, 4);
    array y = make_array(rows * cout, e->element, 9, 9);
    array norm[8];
    for (int i = 0; i < 8; i++)
        norm[i] = make_array(cout, 0, 0.5, 1.5);
    const ani_bn bn = {norm[0].stored, norm[1].stored, norm[2].stored,
                       norm[3].stored, norm[4].stored, norm[5].stored,
                       norm[6].stored, norm[7].stored, 0.02};
    const ani_bn_forward forward = {&bn, 0.9, 1, 0};
    double *moments = calloc((size_t)(2 * cout), sizeof *moments);
    void *scratch = NULL;
    if (posix_memalign(&scratch, 256, (size_t)e->forward_scratch(&s, e->element) + 256)) abort();
    const ani_unit_forward args = {.x = {x.stored, scaled ? scale.stored : NULL,
                                         scaled ? shift.stored : NULL, scaled, e->element},
                                   .w = w.stored,
                                   .y = stores ? y.stored : NULL,
                                   .moments = moments,
                                   .bn = &forward,
                                   .element = e->element,
                                   .scratch = scratch};
    assert_int_equal(e->forward(&s, &args, counters, NULL), cudaSuccess);
    expect_counters();
    if (stores) read_array(&y, e->element);
    double *sum = calloc((size_t)cout, sizeof *sum), *squares = calloc((size_t)cout, sizeof *sum);
    double *size = calloc((size_t)cout, sizeof *size);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < cout; o++) {
            double want = 0, absolute = 0;
            for (int64_t k = 0; k < cin; k++) {
                const float value =
                    operand(e, lazy(x.values[r * cin + k], scaled ? scale.values : NULL,
                                    shift.values, k, scaled));
                const double term = (double)value * operand(e, w.values[k * cout + o]);
                want += term;
                absolute += fabs(term);
            }
            double z = e->element == ANI_BFLOAT16 ? rounded((float)want) : want;
            if (stores) {
                expect("y", r * cout + o, y.values[r * cout + o], want,
                       limit_of((double)cin, absolute) + step_of(want));
                z = y.values[r * cout + o];
            }
            sum[o] += z;
            squares[o] += z * z;
            size[o] += absolute;
        }
    /* Without y its rounding is not known: each may have been rounded to the other side. */
    const double loose = stores ? 0 : e->element == ANI_BFLOAT16 ? 0x1p-8 : 0x1p-18;
    for (int64_t o = 0; o < cout; o++) {
        const double mean = sum[o] / (double)rows;
        double m2 = squares[o] - sum[o] * mean;
        if (m2 < 0) m2 = 0;
        const double all = squares[o] + mean * mean;
        expect("mean", o, moments[o], mean,
               limit_of((double)rows, size[o] / (double)rows) + loose * size[o] / (double)rows);
        expect("m2", o, moments[cout + o], m2,
               limit_of((double)rows, all) + 4 * loose * all + 4 * loose * size[o]);
        const double inv = 1 / sqrt(moments[cout + o] / (double)rows + 0.02);
        const double slope = norm[0].values[o] * inv;
        expect("scale", o, ((float *)norm[4].stored)[o], slope, 1e-6 * fabs(slope));
        expect("shift", o, ((float *)norm[5].stored)[o], norm[1].values[o] - moments[o] * slope,
               1e-6 * (2 + fabs(moments[o] * slope)));
        const double moved = 0.9 * norm[2].values[o] + 0.1 * moments[o];
        expect("moving mean", o, ((float *)norm[2].stored)[o], moved, 1e-6 * (1 + fabs(moved)));
    }
    free(size);
    free(squares);
    free(sum);
    free(moments);
    free(scratch);
    for (int i = 0; i < 8; i++)
        free_array(&norm[i]);
    array *all[] = {&x, &w, &scale, &shift, &y};
    for (int i = 0; i < 5; i++)
        free_array(all[i]);
}

enum { DW = 1, DX = 2 };

/* mode 1: in the middle of a network; 0: a single layer, dz = g, nothing else. wanted: DW, DX. */
static void check_backward(const entries *e, int mode, int wanted) {
    const ani_unit_shape s = {ANI_UNIT_POINTWISE, 1, 0, 0, 1, 1, rows, cin, 1, rows, cout};
    array x = make_array(rows * cin, e->element, -3, 7), w = make_array(cin * cout, 0, -1, 1);
    array g = make_array(rows * cout, e->element, -1, 1),
          z = make_array(rows * cout, e->element, -3, 3);
    array add = make_array(rows * cin, e->element, -1, 1),
          dx = make_array(rows * cin, e->element, 9, 9);
    array scale = make_array(cin, 0, 0.5, 1.5), shift = make_array(cin, 0, -1, 2);
    array mean = make_array(cin, 0, -1, 1), dw = make_array(cin * cout, 0, 9, 9);
    array slope[3], norm[8], back[5];
    for (int i = 0; i < 3; i++)
        slope[i] = make_array(cout, 0, 0.1, 0.9);
    for (int i = 0; i < 8; i++)
        norm[i] = make_array(cin, 0, 0.5, 1.5);
    for (int i = 0; i < 5; i++)
        back[i] = make_array(cin, 0, 9, 9);
    const ani_bn bn = {norm[0].stored, norm[1].stored, norm[2].stored,
                       norm[3].stored, norm[4].stored, norm[5].stored,
                       mean.stored,    norm[7].stored, 0.02};
    array z_of_x = make_array(rows * cin, e->element, -2, 2);
    const int other = rows % 2; /* the sums are not of what is loaded, as after a shortcut */
    const ani_bn_backward finish = {
        &bn, 1, 0, back[0].stored, back[1].stored, back[2].stored, back[3].stored, back[4].stored};
    double *sums = calloc((size_t)(2 * cin), sizeof *sums);
    void *scratch = NULL;
    if (posix_memalign(&scratch, 256, (size_t)e->backward_scratch(&s, e->element) + 256)) abort();
    ani_unit_backward args = {.dz = {.g = g.stored, .element = e->element},
                              .x = {.z = x.stored, .element = e->element},
                              .w = w.stored,
                              .dw = wanted & DW ? dw.stored : NULL,
                              .store = {.dx = wanted & DX ? dx.stored : NULL},
                              .scratch = scratch};
    if (mode) {
        args.dz.z = z.stored;
        args.dz.a = slope[0].stored;
        args.dz.b = slope[1].stored;
        args.dz.c = slope[2].stored;
        args.x.scale = scale.stored;
        args.x.shift = shift.stored;
        args.x.relu6 = 1;
        args.store.add = add.stored;
    }
    if (mode && wanted & DX) {
        args.store.sums = sums;
        args.store.z = other ? z_of_x.stored : x.stored;
        args.store.mean = mean.stored;
        args.store.bn = &finish;
    }
    assert_int_equal(e->backward(&s, &args, counters, NULL), cudaSuccess);
    expect_counters();
    read_array(&dx, e->element);
    read_array(&dw, 0);
    float *dz = calloc((size_t)(rows * cout), sizeof *dz);
    for (int64_t i = 0; i < rows * cout; i++) {
        const int64_t o = i % cout;
        dz[i] = operand(e, mode ? fmaf(slope[0].values[o], g.values[i],
                                       fmaf(slope[1].values[o], z.values[i], slope[2].values[o]))
                                : g.values[i]);
    }
    double *sum = calloc((size_t)cin, sizeof *sum), *product = calloc((size_t)cin, sizeof *sum);
    double *size = calloc((size_t)(2 * cin), sizeof *size);
    for (int64_t i = 0; wanted & DX && i < rows * cin; i++) {
        const int64_t r = i / cin, k = i % cin;
        double want = 0, absolute = 0;
        for (int64_t o = 0; o < cout; o++) {
            const double term = (double)dz[r * cout + o] * operand(e, w.values[k * cout + o]);
            want += term;
            absolute += fabs(term);
        }
        if (mode) {
            const float y = fmaf(x.values[i], scale.values[k], shift.values[k]);
            want = y > 0 && y < 6 ? want + add.values[i] : 0;
            absolute += 1;
        }
        expect("dx", i, dx.values[i], want,
               limit_of((double)cout, absolute) + step_of(want) + 0x1p-20 * step_of(1));
        const double distance = (other ? (double)z_of_x.values[i] : x.values[i]) - mean.values[k];
        sum[k] += dx.values[i];
        product[k] += dx.values[i] * distance;
        size[k] += fabs(dx.values[i]);
        size[cin + k] += fabs(dx.values[i] * distance);
    }
    for (int64_t k = 0; mode && wanted & DX && k < cin; k++) {
        expect("sum", k, sums[k], sum[k], limit_of((double)rows, size[k]));
        expect("product", k, sums[cin + k], product[k], limit_of((double)rows, size[cin + k]));
        const double inv = norm[7].values[k], factor = norm[0].values[k] * inv;
        const double b = -factor * inv * sums[cin + k] * inv / (double)rows;
        expect("a", k, ((float *)back[2].stored)[k], factor, 1e-6 * fabs(factor));
        expect("b", k, ((float *)back[3].stored)[k], b, 1e-6 * fabs(b) + 1e-12);
        expect("dgamma", k, ((float *)back[0].stored)[k], sums[cin + k] * inv,
               1e-6 * fabs(sums[cin + k] * inv) + 1e-12);
        expect("dbeta", k, ((float *)back[1].stored)[k], sums[k], 1e-6 * fabs(sums[k]) + 1e-12);
    }
    for (int64_t i = 0; wanted & DW && i < cin * cout; i++) {
        const int64_t k = i / cout, o = i % cout;
        double want = 0, absolute = 0;
        for (int64_t r = 0; r < rows; r++) {
            const float value = operand(
                e, lazy(x.values[r * cin + k], mode ? scale.values : NULL, shift.values, k, mode));
            const double term = (double)value * dz[r * cout + o];
            want += term;
            absolute += fabs(term);
        }
        expect("dw", i, dw.values[i], want, limit_of((double)rows, absolute));
    }
    free(size);
    free(product);
    free(sum);
    free(dz);
    free(sums);
    free(scratch);
    for (int i = 0; i < 3; i++)
        free_array(&slope[i]);
    for (int i = 0; i < 8; i++)
        free_array(&norm[i]);
    for (int i = 0; i < 5; i++)
        free_array(&back[i]);
    array *all[] = {&x, &w, &g, &z, &add, &dx, &scale, &shift, &mean, &dw, &z_of_x};
    for (int i = 0; i < 11; i++)
        free_array(all[i]);
}

static void run_shape(const entries *e, const int64_t *shape) {
    current = e;
    rows = shape[0];
    cin = shape[1];
    cout = shape[2];
    check_forward(e, 1, 1);
    check_backward(e, 1, DW | DX);
}

static void products_forward_and_backward(void **state) {
    (void)state;
    for (int i = 0; i < EACH; i++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
            run_shape(&each[i], shapes[k]);
    for (size_t k = 0; k < sizeof odd_shapes / sizeof *odd_shapes; k++)
        for (int i = 1; i < EACH; i++)
            run_shape(&each[i], odd_shapes[k]);
}

static void single_layers_and_moments_alone(void **state) {
    (void)state;
    for (int i = 0; i < EACH; i++) {
        current = &each[i];
        rows = 150;
        cin = 24;
        cout = 40;
        check_forward(current, 0, 1);
        check_forward(current, 1, 0);
        check_backward(current, 0, DW | DX);
    }
}

/* Small shapes have a kernel for both gradients; here the others compute them, too. */
static void one_gradient_at_a_time(void **state) {
    (void)state;
    for (int i = 0; i < EACH; i++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            current = &each[i];
            rows = shapes[k][0];
            cin = shapes[k][1];
            cout = shapes[k][2];
            if (cin * cout > 20000) continue;
            check_backward(current, 1, DW);
            check_backward(current, 1, DX);
        }
}

/* Blocks of several tiles. */
static void many_rows(void **state) {
    (void)state;
    const int64_t shape[3] = {70000, 8, 8};
    run_shape(&each[0], shape);
    run_shape(&each[1], shape);
}

/* A missing barrier shows as another result. */
static void orders_of_threads_do_not_matter(void **state) {
    (void)state;
    static const char *const orders[] = {"reverse", "7", "11"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        setenv("AN_SHIM_ORDER", orders[i], 1);
        for (int k = 0; k < EACH; k++)
            for (int j = 1; j < 9; j += 3)
                run_shape(&each[k], shapes[j]);
    }
    unsetenv("AN_SHIM_ORDER");
}

static void shapes_that_are_not_taken(void **state) {
    (void)state;
    ani_unit_shape s = {ANI_UNIT_POINTWISE, 1, 0, 0, 1, 1, 10, 16, 1, 10, 24};
    assert_true(ani_cuda_pointwise_forward_takes(&s, ANI_BFLOAT16));
    assert_true(ani_cuda_pointwise_backward_takes(&s, ANI_BFLOAT16));
    assert_false(ani_cuda_pointwise_forward_takes(&s, ANI_FLOAT32));
    assert_true(ani_cuda_product_takes(&s, ANI_FLOAT32));
    s.cout = 25;
    assert_false(ani_cuda_pointwise_forward_takes(&s, ANI_BFLOAT16));
    assert_false(ani_cuda_pointwise_backward_takes(&s, ANI_BFLOAT16));
    assert_true(ani_cuda_product_takes(&s, ANI_BFLOAT16));
    s.kind = ANI_UNIT_FULL;
    assert_false(ani_cuda_product_takes(&s, ANI_FLOAT32));
}

/* One slice more than there are counters for; what a launch would read is not there. */
static void more_channels_than_counters_are_refused(void **state) {
    (void)state;
    static double sums[2 * 65537];
    ani_unit_shape s = {ANI_UNIT_POINTWISE, 1, 0, 0, 1, 1, 1, 1, 1, 1, 65537};
    const ani_unit_forward forward = {.moments = sums};
    assert_true(ani_cuda_product_takes(&s, ANI_FLOAT32));
    assert_true(ani_cuda_any_forward_scratch(&s, ANI_FLOAT32) > 0);
    assert_int_equal(ani_cuda_any_forward(&s, &forward, counters, NULL), cudaErrorInvalidValue);
    s.cin = 65537;
    const ani_unit_backward backward = {.store = {.dx = sums, .sums = sums}};
    assert_int_equal(ani_cuda_any_input(&s, &backward, counters, NULL), cudaErrorInvalidValue);
    s.cout = 64 * ANI_COUNTERS / 2 + 1;
    assert_false(ani_cuda_product_takes(&s, ANI_FLOAT32));
    s.cout -= 1;
    assert_true(ani_cuda_product_takes(&s, ANI_FLOAT32));
    const ani_lazy x = {.z = sums};
    assert_int_equal(
        ani_cuda_pool_backward(1, 1, 65537, NULL, &x, &backward.store, NULL, counters, NULL),
        cudaErrorInvalidValue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_forward_and_backward),
        cmocka_unit_test(single_layers_and_moments_alone),
        cmocka_unit_test(one_gradient_at_a_time),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(orders_of_threads_do_not_matter),
        cmocka_unit_test(shapes_that_are_not_taken),
        cmocka_unit_test(more_channels_than_counters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
