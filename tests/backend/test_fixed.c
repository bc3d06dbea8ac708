/* SPDX-License-Identifier: MIT
 * Units whose batch norm is known before: the backend's against ref, which computes them unfolded.
 *
 * Limits are those of test_units.c, with S from ref on the absolute values of all operands. Folded
 * weights are rounded once, 2^-24 of them, which the term of a sum's rounding covers. Products of
 * bfloat16 (level avx512bf16) round both operands: 2^-7 + 2^-16 of S; this holds for dgamma, too,
 * whose z is that of the rounded weights. A stored bfloat16 is within a step, 2^-7 of it, which
 * also covers a number below 6 that is stored as the largest below 6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cases.h"
#include "backend/cpu/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "support/backends.h"
#include "support/level.h"

/** What a unit is to do besides its shape. */
typedef struct variant {
    int relu6;    /* its own activation */
    int clamped;  /* that of its input */
    int residual; /* forward */
    int add;      /* backward */
    int in_place; /* dx over x: pointwise units only */
    int far;      /* mean / standard deviation; 0: near */
} variant;

static const variant variants[] = {
    {1, 0, 0, 0, 0, 0},   /* expand */
    {1, 1, 0, 0, 0, 0},   /* depthwise */
    {0, 1, 1, 0, 1, 0},   /* project with a shortcut */
    {0, 0, 0, 1, 0, 0},   /* with a gradient that arrives through one */
    {1, 1, 0, 0, 0, 259}, /* the channel of the published weights that is farthest from 0 */
};

enum { GAMMA, SCALE, SHIFT, MEAN, INV_STD, DGAMMA, DBETA, NORMS };
enum { GUARD = 64 };

typedef struct buffers {
    int32_t element;
    int64_t in, out, weights, cin, cout;
    void *x, *y, *g, *add, *residual, *dx; /* tensors, between canaries */
    float *w, *dw, *norms;
    double *sums, *g_sums;
} buffers;

static void *make_tensor(int32_t element, int64_t count, ani_stream *random, double low,
                         double high, double least, double most) {
    const int64_t size = ani_element_size(element);
    char *memory = ani_alloc(count * size + 2 * GUARD);
    assert_non_null(memory);
    memset(memory, 0x5a, (size_t)(count * size + 2 * GUARD));
    char *values = memory + GUARD;
    for (int64_t i = 0; i < count; i++) {
        double value = ani_stream_uniform(random, low, high);
        value = value < least ? least : value > most ? most : value;
        if (element == ANI_BFLOAT16)
            ((uint16_t *)(void *)values)[i] = ani_to_bfloat16((float)value);
        else
            ((float *)(void *)values)[i] = (float)value;
    }
    return values;
}

static float at(const void *tensor, int32_t element, int64_t i) {
    return element == ANI_BFLOAT16 ? ani_from_bfloat16(((const uint16_t *)tensor)[i])
                                   : ((const float *)tensor)[i];
}

static void end_tensor(void *tensor, int32_t element, int64_t count) {
    const unsigned char *begin = tensor, *end = begin + count * ani_element_size(element);
    for (int i = 1; i <= GUARD; i++)
        assert_true(begin[-i] == 0x5a && end[i - 1] == 0x5a);
    ani_free((char *)tensor - GUARD);
}

static void *zeros(int64_t count, int64_t size) {
    void *values = ani_alloc_zero(count ? count : 1, size);
    assert_non_null(values);
    return values;
}

static buffers make_buffers(const ani_unit_shape *s, uint32_t seed, int32_t element,
                            const variant *v) {
    ani_stream r = ani_stream_begin(seed, 0, 0);
    const int64_t taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
    buffers b = {.element = element,
                 .in = s->n * s->h * s->w * s->cin,
                 .out = s->n * s->oh * s->ow * s->cout,
                 .weights = taps * s->cin * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : s->cout),
                 .cin = s->cin,
                 .cout = s->cout};
    const double low = v->clamped ? 0 : -9, high = v->clamped ? 6 : 9;
    b.x = make_tensor(element, b.in, &r, -2, 8, low, high);
    b.y = make_tensor(element, b.out, &r, 0, 0, 0, 0);
    b.g = make_tensor(element, b.out, &r, -1, 1, -1, 1);
    b.add = make_tensor(element, b.in, &r, -1, 1, -1, 1);
    b.residual = make_tensor(element, b.out, &r, -2, 2, -2, 2);
    b.dx = make_tensor(element, b.in, &r, 0, 0, 0, 0);
    b.w = zeros(b.weights, sizeof *b.w);
    b.dw = zeros(b.weights, sizeof *b.dw);
    b.norms = zeros(NORMS * s->cout, sizeof *b.norms);
    b.sums = zeros(2 * s->cin, sizeof *b.sums);
    b.g_sums = zeros(s->cout, sizeof *b.g_sums);
    for (int64_t i = 0; i < b.weights; i++)
        b.w[i] = (float)ani_stream_uniform(&r, -1, 1);
    for (int64_t i = 0; i < s->cout; i++) {
        const double inv_std = ani_stream_uniform(&r, 0.2, 2);
        double gamma = ani_stream_uniform(&r, -1.5, 1.5);
        if (i % 7 == 3) gamma = 0; /* nothing can be divided by its scale */
        const double mean = v->far ? v->far / inv_std : ani_stream_uniform(&r, -1, 1);
        b.norms[GAMMA * s->cout + i] = (float)gamma;
        b.norms[INV_STD * s->cout + i] = (float)inv_std;
        b.norms[MEAN * s->cout + i] = (float)mean;
        b.norms[SCALE * s->cout + i] = (float)(gamma * inv_std);
        b.norms[SHIFT * s->cout + i] = (float)ani_stream_uniform(&r, -1, 4);
    }
    return b;
}

static void free_buffers(buffers *b) {
    end_tensor(b->x, b->element, b->in);
    end_tensor(b->y, b->element, b->out);
    end_tensor(b->g, b->element, b->out);
    end_tensor(b->add, b->element, b->in);
    end_tensor(b->residual, b->element, b->out);
    end_tensor(b->dx, b->element, b->in);
    void *rest[] = {b->w, b->dw, b->norms, b->sums, b->g_sums};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        ani_free(rest[i]);
}

static void drop_sign(void *tensor, int32_t element, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (element == ANI_BFLOAT16)
            ((uint16_t *)tensor)[i] &= 0x7fff;
        else
            ((float *)tensor)[i] = fabsf(((float *)tensor)[i]);
}

/* All operands by their size; the mean is subtracted, so it is negative. */
static void make_absolute(buffers *b) {
    drop_sign(b->x, b->element, b->in);
    drop_sign(b->g, b->element, b->out);
    drop_sign(b->add, b->element, b->in);
    drop_sign(b->residual, b->element, b->out);
    drop_sign(b->w, ANI_FLOAT32, b->weights);
    drop_sign(b->norms, ANI_FLOAT32, NORMS * b->cout);
    for (int64_t i = 0; i < b->cout; i++)
        b->norms[MEAN * b->cout + i] *= -1;
}

/* S is without clips and masks, which only makes it larger. */
static void run(an_backend *backend, const ani_unit_shape *s, buffers *b, const variant *v) {
    ani_unit_plan plan;
    backend->ops->unit_plan(backend, s, b->element, &plan);
    void *forward = zeros(plan.scratch_forward, 1), *backward = zeros(plan.scratch_backward, 1);
    const ani_bn bn = {.gamma = b->norms + GAMMA * s->cout,
                       .scale = b->norms + SCALE * s->cout,
                       .shift = b->norms + SHIFT * s->cout,
                       .mean = b->norms + MEAN * s->cout,
                       .inv_std = b->norms + INV_STD * s->cout};
    const ani_lazy x = {.z = b->x, .relu6 = v->clamped ? ANI_CLAMPED : 0, .element = b->element};
    const ani_fixed_forward to = {
        .bn = &bn, .residual = v->residual ? b->residual : NULL, .relu6 = v->relu6};
    const ani_unit_forward forward_args = {
        .x = x, .w = b->w, .y = b->y, .fixed = &to, .element = b->element, .scratch = forward};
    backend->ops->unit_forward(backend, &plan, &forward_args);
    for (int64_t i = 0; i < b->out; i++)
        b->g_sums[i % s->cout] += at(b->g, b->element, i);
    const ani_fixed_backward of = {.bn = &bn,
                                   .sums = b->g_sums,
                                   .dgamma = b->norms + DGAMMA * s->cout,
                                   .dbeta = b->norms + DBETA * s->cout};
    const int in_place = v->in_place && s->kind == ANI_UNIT_POINTWISE;
    const ani_unit_backward backward_args = {
        .dz = {.g = b->g, .element = b->element},
        .x = x,
        .w = b->w,
        .dw = b->dw,
        .store = {.dx = in_place ? b->x : b->dx, .add = v->add ? b->add : NULL, .sums = b->sums},
        .fixed = &of,
        .scratch = backward};
    backend->ops->unit_backward(backend, &plan, &backward_args);
    if (in_place) memcpy(b->dx, b->x, (size_t)(b->in * ani_element_size(b->element)));
    ani_free(forward);
    ani_free(backward);
}

typedef struct context {
    const ani_unit_shape *s;
    int case_number, variant_number;
    int32_t element;
    double operands; /* how far rounding of the operands moves a product, of its size */
} context;

static void expect_near(const context *c, const char *what, int64_t i, double got, double want,
                        double size, double terms, double step) {
    const double apart = ((8 + 2 * sqrt(terms)) * ldexp(1, -24) + c->operands) * size + 1e-30;
    const double limit = (1 + step) * apart + step * fabs(want);
    if (fabs(got - want) <= limit) return;
    fail_msg("case %d (kind %d, %dx%dx%d to %dx%dx%d) element %d variant %d: %s[%lld] is %.9g, "
             "ref %.9g, limit %.3g",
             c->case_number, (int)c->s->kind, (int)c->s->h, (int)c->s->w, (int)c->s->cin,
             (int)c->s->oh, (int)c->s->ow, (int)c->s->cout, c->element, c->variant_number, what,
             (long long)i, got, want, limit);
}

static void check_case(an_backend *ref, an_backend *tested, const context *c, const variant *v) {
    const ani_unit_shape *s = c->s;
    const uint32_t seed = (uint32_t)(c->case_number * 100 + c->variant_number);
    buffers got = make_buffers(s, seed, c->element, v), want = make_buffers(s, seed, c->element, v);
    buffers size = make_buffers(s, seed, c->element, v);
    const variant open = {.residual = v->residual, .add = v->add};
    make_absolute(&size);
    run(tested, s, &got, v);
    run(ref, s, &want, v);
    run(ref, s, &size, &open);
    const double taps = s->kind == ANI_UNIT_POINTWISE ? 1 : 9;
    const double depth = taps * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : (double)s->cin);
    const double width = taps * (s->kind == ANI_UNIT_DEPTHWISE ? 1 : (double)s->cout);
    const double outputs = (double)(s->n * s->oh * s->ow);
    const double step = c->element == ANI_BFLOAT16 ? ldexp(1, -7) : 0;
    for (int64_t i = 0; i < got.out; i++)
        expect_near(c, "y", i, at(got.y, c->element, i), at(want.y, c->element, i),
                    at(size.y, c->element, i), depth + 2, step);
    for (int64_t i = 0; i < got.in; i++)
        expect_near(c, "dx", i, at(got.dx, c->element, i), at(want.dx, c->element, i),
                    at(size.dx, c->element, i), width + 1, step);
    for (int64_t i = 0; i < got.weights; i++)
        expect_near(c, "dw", i, got.dw[i], want.dw[i], size.dw[i], outputs, 0);
    for (int64_t i = 0; i < s->cout; i++) {
        const int64_t gamma = DGAMMA * s->cout + i, beta = DBETA * s->cout + i;
        expect_near(c, "dgamma", i, got.norms[gamma], want.norms[gamma], size.norms[gamma],
                    outputs + depth, 0);
        expect_near(c, "dbeta", i, got.norms[beta], want.norms[beta], size.norms[beta], 1, 0);
    }
    for (int64_t i = 0; i < s->cin; i++) { /* of what was stored */
        double sum = 0, absolute = 0;
        for (int64_t j = i; j < got.in; j += s->cin) {
            sum += at(got.dx, c->element, j);
            absolute += fabs((double)at(got.dx, c->element, j));
        }
        expect_near(c, "sums", i, got.sums[i], sum, absolute, (double)got.in / (double)s->cin, 0);
        assert_true(got.sums[s->cin + i] == 0); /* there is no second sum */
    }
    free_buffers(&got);
    free_buffers(&want);
    free_buffers(&size);
}

static void check_units(int64_t streams_from) {
    ani_unit_shape cases[200];
    int count = list_unit_cases(cases), kinds = sizeof variants / sizeof *variants;
    cases[count++] = pointwise_case(1, 15, 14, 130, 160); /* enough weights for wide tiles */
    cases[count++] = pointwise_case(1, 15, 14, 144, 142);
    an_backend *ref = test_backend_make("ref", NULL, 1);
    an_backend *tested = test_backend_make("cpu", NULL, 2);
    if (streams_from) ani_cpu(tested)->streams_from = streams_from;
    const int products_round = !strcmp(an_backend_level(tested), "avx512bf16");
    for (int i = 0; i < count; i++)
        for (int j = 0; j < kinds * ANI_ELEMENTS; j++) {
            const int32_t element = j % ANI_ELEMENTS;
            if (i + 2 < count && i % 3 != j % 3) continue; /* a third of all, to save time */
            if (!test_is_chosen((uint32_t)(i * kinds * ANI_ELEMENTS + j))) continue;
            const int rounds =
                products_round && element == ANI_BFLOAT16 && cases[i].kind != ANI_UNIT_DEPTHWISE;
            const context c = {&cases[i], i, j / ANI_ELEMENTS, element,
                               rounds ? ldexp(1, -7) + ldexp(1, -16) : 0};
            check_case(ref, tested, &c, &variants[j / ANI_ELEMENTS]);
        }
    an_backend_destroy(ref);
    an_backend_destroy(tested);
}

static void units_agree_with_ref(void **state) {
    (void)state;
    check_units(0);
}

static void units_that_stream_agree_with_ref(void **state) {
    (void)state;
    check_units(1);
}

static void units_do_not_depend_on_threads(void **state) {
    (void)state;
    ani_unit_shape cases[200];
    const int count = list_unit_cases(cases);
    an_backend *one = test_backend_make("cpu", NULL, 1), *many = test_backend_make("cpu", NULL, 7);
    for (int i = 0; i < count * ANI_ELEMENTS; i += 3) {
        const ani_unit_shape *s = &cases[i / ANI_ELEMENTS];
        const int32_t element = i % ANI_ELEMENTS;
        const variant *v = &variants[i / 3 % 3];
        buffers want = make_buffers(s, 7, element, v), got = make_buffers(s, 7, element, v);
        const size_t size = (size_t)ani_element_size(element);
        run(one, s, &want, v);
        run(many, s, &got, v);
        assert_memory_equal(got.y, want.y, (size_t)got.out * size);
        assert_memory_equal(got.dx, want.dx, (size_t)got.in * size);
        assert_memory_equal(got.dw, want.dw, (size_t)got.weights * sizeof *got.dw);
        assert_memory_equal(got.norms, want.norms, (size_t)(NORMS * s->cout) * sizeof(float));
        assert_memory_equal(got.sums, want.sums, (size_t)s->cin * sizeof(double));
        free_buffers(&want);
        free_buffers(&got);
    }
    an_backend_destroy(one);
    an_backend_destroy(many);
}

/* 5.99 is nearer to 6 than to any other number below 6 of bfloat16; stored as 6 it would lose its
 * gradient. */
static void what_rounds_to_six_keeps_its_gradient(void **state) {
    (void)state;
    const char *const devices[] = {"ref", "cpu"};
    const ani_unit_shape cases[] = {pointwise_case(1, 7, 9, 32, 40),
                                    depthwise_case(1, 1, 1, 1, 1, 1, 9, 9, 20)};
    for (int k = 0; k < 4; k++) {
        an_backend *backend = test_backend_make(devices[k / 2], NULL, 2);
        const ani_unit_shape *s = &cases[k % 2];
        const variant v = {.relu6 = 1};
        buffers b = make_buffers(s, 3, ANI_BFLOAT16, &v);
        for (int64_t i = 0; i < s->cout; i++) {
            b.norms[SCALE * s->cout + i] = 0; /* y is shift */
            b.norms[SHIFT * s->cout + i] = i % 3 == 0 ? 5.99f : i % 3 == 1 ? 6 : 7;
        }
        run(backend, s, &b, &v);
        for (int64_t i = 0; i < b.out; i++)
            assert_true(at(b.y, b.element, i) == (i % s->cout % 3 == 0 ? 5.96875f : 6));
        free_buffers(&b);
        an_backend_destroy(backend);
    }
}

static void nan_stays(void **state) {
    (void)state;
    const ani_unit_shape s = pointwise_case(1, 7, 9, 32, 40);
    for (int32_t element = 0; element < ANI_ELEMENTS; element++) {
        an_backend *backend = test_backend_make("cpu", NULL, 2);
        const variant v = {.relu6 = 1};
        buffers b = make_buffers(&s, 3, element, &v);
        b.norms[SHIFT * s.cout + 5] = NAN;
        run(backend, &s, &b, &v);
        for (int64_t i = 0; i < b.out; i++)
            assert_true(isnan(at(b.y, element, i)) == (i % s.cout == 5));
        free_buffers(&b);
        an_backend_destroy(backend);
    }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_agree_with_ref),
        cmocka_unit_test(units_that_stream_agree_with_ref),
        cmocka_unit_test(units_do_not_depend_on_threads),
        cmocka_unit_test(what_rounds_to_six_keeps_its_gradient),
        cmocka_unit_test(nan_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
