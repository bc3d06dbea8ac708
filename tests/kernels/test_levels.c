/* SPDX-License-Identifier: MIT
 * Every table entry of the best level of this processor against plain C: sizes 0, 1 and around the
 * widths of vectors, panels and blocks, odd strides, unaligned, with canaries around every output.
 * A sum of terms with absolute sum S may differ by (8 + 2 sqrt(terms)) * 2^-24 * S. */
#include "kernels/check.h"

#include "base/cpu.h"
#include "support/level.h"

static ani_kernels plain, best;

static void expect_near_doubles(const char *what, const double *got, const double *want,
                                int64_t count, double terms, double absolute) {
    const double limit = (8 + 2 * sqrt(terms)) * ldexp(absolute, -24);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(got[i] - want[i]) <= limit))
            fail_msg("%s[%d] of %d is %.12g, plain C %.12g, limit %.3g", what, (int)i, (int)count,
                     got[i], want[i], limit);
}

/** A tensor of either kind of element between sentinels, which are bytes. */
typedef struct tensor {
    unsigned char *memory;
    void *values;
    int64_t count;
    int32_t element;
} tensor;

enum { SENTINEL = 0xa5 };

static float value_at(const tensor *t, int64_t i) {
    if (t->element == ANI_BFLOAT16) return ani_from_bfloat16(((const uint16_t *)t->values)[i]);
    return ((const float *)t->values)[i];
}

static void set_value(const tensor *t, int64_t i, float value) {
    if (t->element == ANI_BFLOAT16)
        ((uint16_t *)t->values)[i] = ani_to_bfloat16(value);
    else
        ((float *)t->values)[i] = value;
}

/* shift: elements off the alignment. from NULL: zeros. */
static tensor make_tensor(int32_t element, int64_t count, int64_t shift, const float *from) {
    tensor t = {.count = count, .element = element};
    const size_t size = (size_t)((count + 2 * GUARD + 80) / 16 * 16) * sizeof(float);
    t.memory = aligned_alloc(64, size);
    assert_non_null(t.memory);
    memset(t.memory, SENTINEL, size);
    t.values = t.memory + GUARD * ani_element_size(element) + shift * ani_element_size(element);
    for (int64_t i = 0; i < count; i++)
        set_value(&t, i, from ? from[i] : 0);
    return t;
}

static void check_and_free_tensor(tensor *t, const char *what) {
    const unsigned char *end = ani_element_at(t->values, t->element, t->count);
    for (const unsigned char *at = t->memory; at < (const unsigned char *)t->values; at++)
        if (*at != SENTINEL) fail_msg("%s writes before its tensor", what);
    for (int i = 0; i < GUARD; i++)
        if (end[i] != SENTINEL) fail_msg("%s writes %d bytes past its tensor", what, i);
    free(t->memory);
}

/* Rounded to bfloat16 one may land on the other side of the middle: then a step of 2^-7 apart. */
static void expect_near_tensor(const char *what, const tensor *got, const tensor *want,
                               int64_t first, int64_t count, double terms, double absolute) {
    const double step = got->element == ANI_BFLOAT16 && absolute > 0 ? ldexp(1, -7) : 0;
    const double limit = (8 + 2 * sqrt(terms)) * ldexp(absolute, -24);
    for (int64_t i = first; i < first + count; i++) {
        const double g = value_at(got, i), w = value_at(want, i);
        if (!(fabs(g - w) <= limit + step * fabs(w)))
            fail_msg("%s[%d] is %.9g, plain C %.9g, limit %.3g", what, (int)i, g, w, limit);
    }
}

static const int64_t widths[] = {0,  1,  3,  7,  8,  9,  15, 16, 17, 23, 24,
                                 25, 31, 32, 33, 40, 47, 48, 64, 95, 96};
enum { WIDTHS = sizeof widths / sizeof *widths };

static void check_loading(int32_t element) {
    const int64_t rows = 5;
    for (int w = 0; w < WIDTHS; w++)
        for (int mode = 0; mode < 4; mode++) {
            const int64_t c = widths[w], ld = c + 3;
            float *zs = random_floats(rows * ld, 1, -9, 9);
            float *gs = random_floats(rows * ld, 2, -1, 1);
            tensor z = make_tensor(element, rows * ld, mode & 1, zs);
            tensor g = make_tensor(element, rows * ld, mode & 1, gs);
            float *a = random_floats(c, 3, -1, 1), *b = random_floats(c, 4, -1, 1);
            float *d = random_floats(c, 5, -1, 1);
            const ani_kernels *tables[] = {&plain, &best};
            output out[2], grad[2];
            for (int t = 0; t < 2; t++) {
                const int64_t size = c ? (rows - 1) * ld + c : 0;
                const ani_tensor_kernels *k = &tables[t]->tensor[element];
                out[t] = make_output(size, mode & 1, 0);
                grad[t] = make_output(size, mode & 1, 0);
                k->normalise(out[t].values, ld, z.values, ld, rows, c, mode & 2 ? a : NULL,
                             mode & 2 ? b : NULL, mode & 1);
                k->gradient(grad[t].values, ld, g.values, mode == 3 ? z.values : NULL, ld, rows, c,
                            mode ? a : NULL, mode == 3 ? b : NULL, mode == 3 ? d : NULL);
            }
            expect_near("normalise", out[1].values, out[0].values, out[0].count, 2, 10);
            expect_near("gradient", grad[1].values, grad[0].values, grad[0].count, 3, 11);
            for (int t = 0; t < 2; t++) {
                check_and_free(&out[t], "normalise");
                check_and_free(&grad[t], "gradient");
            }
            check_and_free_tensor(&z, "normalise");
            check_and_free_tensor(&g, "gradient");
            float *all[] = {zs, gs, a, b, d};
            for (int i = 0; i < 5; i++)
                free(all[i]);
        }
}

static void loading(void **state) {
    (void)state;
    for (int32_t element = 0; element < ANI_ELEMENTS; element++)
        check_loading(element);
}

static void check_storing(int32_t element) {
    const int64_t rows = 7;
    for (int w = 0; w < WIDTHS; w++)
        for (int mode = 0; mode < 16; mode++) {
            /* mode: 1 unaligned, 2 stream and dense rows, 4 masked, 8 z differs from x */
            const int64_t c = widths[w], ldt = c + 5, ldy = mode & 2 ? c : c + 3;
            const int64_t size = c ? (rows - 1) * ldy + c : 0;
            float *t = random_floats(rows * ldt, 1, -9, 9), *xs = random_floats(size, 2, -2, 8);
            float *zs = random_floats(size, 3, -1, 1), *scale = random_floats(c, 4, 0.5, 1);
            float *shift = random_floats(c, 5, -1, 1), *adds = random_floats(size, 6, -1, 1);
            tensor x = make_tensor(element, size, 0, xs), z = make_tensor(element, size, 0, zs);
            tensor add = make_tensor(element, size, 0, adds);
            const ani_kernels *tables[] = {&plain, &best};
            tensor y[2], sum[2], dx[2], value[2];
            double sums[2][5][96] = {0};
            for (int k = 0; k < 2; k++) {
                const ani_tensor_kernels *table = &tables[k]->tensor[element];
                y[k] = make_tensor(element, size, mode & 1, NULL);
                sum[k] = make_tensor(element, size, mode & 1, NULL);
                dx[k] = make_tensor(element, size, mode & 1, NULL);
                const int32_t stream = (mode & 2) != 0;
                table->store_moments(y[k].values, ldy, t, ldt, rows, c, shift, sums[k][0],
                                     sums[k][1], stream);
                table->store_sum(sum[k].values, ldy, t, ldt, rows, c, mode & 8 ? add.values : NULL);
                const ani_gradient_store to = {.dx = dx[k].values,
                                               .ldx = ldy,
                                               .x = mode & 4 ? x.values : NULL,
                                               .scale = mode & 4 ? scale : NULL,
                                               .shift = mode & 4 ? shift : NULL,
                                               .add = mode & 8 ? add.values : NULL,
                                               .z = mode & 8 ? z.values : x.values,
                                               .mean = shift,
                                               .sum = sums[k][2],
                                               .dot = sums[k][3]};
                table->store_gradient(&to, t, ldt, rows, c, stream);
                value[k] = make_tensor(element, size, mode & 1, NULL);
                const ani_value_store values = {.y = value[k].values,
                                                .ldy = ldy,
                                                .shift = shift,
                                                .residual = mode & 8 ? add.values : NULL,
                                                .relu6 = !(mode & 8) && mode & 4};
                table->store_value(&values, t, ldt, rows, c, stream);
                tables[k]->column_sums(sums[k][4], t, ldt, rows, c);
                tables[k]->fence();
            }
            for (int64_t r = 0; c && r < rows; r++) {
                expect_near_tensor("y", &y[1], &y[0], r * ldy, c, 0, 0);
                expect_near_tensor("sum", &sum[1], &sum[0], r * ldy, c, 0, 0);
                expect_near_tensor("value", &value[1], &value[0], r * ldy, c, 0, 0);
                expect_near_tensor("dx", &dx[1], &dx[0], r * ldy, c, 0, 0);
            }
            static const double absolute[5] = {70, 700, 70, 600, 63};
            for (int i = 0; i < 5; i++)
                expect_near_doubles("sums", sums[1][i], sums[0][i], c, (double)rows, absolute[i]);
            for (int k = 0; k < 2; k++) {
                check_and_free_tensor(&y[k], "store_moments");
                check_and_free_tensor(&sum[k], "store_sum");
                check_and_free_tensor(&value[k], "store_value");
                check_and_free_tensor(&dx[k], "store_gradient");
            }
            tensor *tensors[] = {&x, &z, &add};
            for (int i = 0; i < 3; i++)
                check_and_free_tensor(tensors[i], "an input");
            float *all[] = {t, xs, zs, scale, shift, adds};
            for (int i = 0; i < 6; i++)
                free(all[i]);
        }
}

static void storing(void **state) {
    (void)state;
    for (int32_t element = 0; element < ANI_ELEMENTS; element++)
        check_storing(element);
}

/* Of two neighbours of bfloat16 the nearer, found by distance; of two as near the even one. flush:
 * numbers below the normal ones are zero. */
static uint16_t nearest_by_distance(uint32_t bits, int flush) {
    const uint32_t lower = bits >> 16, rest = bits & 0xffff;
    if (flush && !(bits & 0x7f800000u)) return (uint16_t)(lower & 0x8000);
    if ((bits & 0x7f800000u) == 0x7f800000u && (bits & 0x7fffffu)) return (uint16_t)(lower | 0x40);
    if (rest != 0x8000) return (uint16_t)(rest < 0x8000 ? lower : lower + 1);
    return (uint16_t)(lower % 2 ? lower + 1 : lower);
}

/* All upper halves of a float with lower halves on both sides of each edge: what is stored. All
 * bfloat16: what is loaded. */
static void rounding(void **state) {
    (void)state;
    enum { HALVES = 65536 };
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x3c5a, 0xa3f1};
    float *values = malloc(HALVES * sizeof *values), *loaded = malloc(HALVES * sizeof *loaded);
    uint16_t *halves = malloc(HALVES * sizeof *halves);
    assert_true(values && loaded && halves);
    const ani_kernels *tables[] = {&plain, &best};
    for (int t = 0; t < 2; t++) {
        const ani_tensor_kernels *k = &tables[t]->tensor[ANI_BFLOAT16];
        const int flush = tables[t]->pairs.product != NULL;
        for (size_t i = 0; i < sizeof lower / sizeof *lower; i++) {
            for (uint32_t h = 0; h < HALVES; h++)
                values[h] = float_of(h << 16 | lower[i]);
            k->store_sum(halves, HALVES, values, HALVES, 1, HALVES, NULL);
            for (uint32_t h = 0; h < HALVES; h++)
                if (halves[h] != nearest_by_distance(h << 16 | lower[i], flush))
                    fail_msg("%s rounds %08x to %04x", tables[t]->level, (h << 16 | lower[i]),
                             halves[h]);
        }
        for (uint32_t h = 0; h < HALVES; h++)
            halves[h] = (uint16_t)h;
        k->normalise(loaded, HALVES, halves, HALVES, 1, HALVES, NULL, NULL, 0);
        for (uint32_t h = 0; h < HALVES; h++) {
            const float want = float_of(h << 16);
            if (memcmp(&loaded[h], &want, sizeof want))
                fail_msg("%s loads %04x as %a", tables[t]->level, h, (double)loaded[h]);
        }
    }
    free(values);
    free(loaded);
    free(halves);
}

/* The kind of panel, or the first one if the table lacks it. */
static const ani_panel *panel_of(const ani_kernels *table, int kind) {
    return &table->panels[table->panels[kind].width ? kind : 0];
}

static void products(void **state) {
    (void)state;
    for (int i = 1; i < WIDTHS; i++)
        for (int j = 1; j < WIDTHS; j += 2)
            for (int kind = 0; kind < ANI_PANELS && best.panels[kind].width; kind++) {
                const int64_t k = widths[i], n = widths[j], rows = 1 + (i * 7 + j) % 24;
                const int64_t lda = round_up(k, ANI_TILE_ROWS) + 1;
                float *a = random_floats(ANI_TILE_ROWS * lda, 1, -1, 1);
                float *b = random_floats(k * n, 2, -1, 1);
                float *d = random_floats(rows * 160, 3, -1, 1);
                const ani_kernels *tables[] = {&plain, &best};
                output c[2], dw[2];
                int64_t ld[2];
                for (int t = 0; t < 2; t++) {
                    const ani_kernels *table = tables[t];
                    const ani_panel *panel = panel_of(table, kind);
                    const int32_t width = panel->width, step = panel->rows;
                    ld[t] = round_up(n, width);
                    float *packed = malloc((size_t)(k * ld[t]) * sizeof *packed);
                    for (int64_t p = 0; p < ld[t] / width; p++)
                        ani_pack(packed + p * k * width, b, n, 1, k, n, width, p);
                    c[t] = make_output(round_up(rows, step) * ld[t], kind == ANI_NARROW, 0);
                    dw[t] = make_output(round_up(k, step) * ld[t], kind == ANI_NARROW, 0.5f);
                    table->product(c[t].values, ld[t], a, lda, packed, rows, k, n, width);
                    const ani_ahead ahead = {{a, NULL}, {rows * lda * (int64_t)sizeof *a, 0}};
                    table->product_transposed(dw[t].values, ld[t], a, lda, d, 160, rows, k, n,
                                              width, kind == ANI_WIDE ? NULL : &ahead);
                    free(packed);
                }
                for (int64_t r = 0; r < rows; r++)
                    expect_near("product", c[1].values + r * ld[1], c[0].values + r * ld[0], n,
                                (double)k, (double)k);
                for (int64_t r = 0; r < k; r++)
                    expect_near("product_transposed", dw[1].values + r * ld[1],
                                dw[0].values + r * ld[0], n, (double)rows, (double)rows + 0.5);
                for (int t = 0; t < 2; t++) {
                    check_and_free(&c[t], "product");
                    check_and_free(&dw[t], "product_transposed");
                }
                free(a);
                free(b);
                free(d);
            }
}

/* Integers below 256 are exact in bfloat16, and keep every order of summing exact: then the mask
 * and all sums are the same bits. */
static float *random_integers(int64_t count, uint32_t seed, double low, double high) {
    float *values = random_floats(count, seed, low, high);
    for (int64_t i = 0; i < count; i++)
        values[i] = rintf(values[i]);
    return values;
}

static void check_stored_products(int32_t element, int kind) {
    for (int j = 1; j < WIDTHS; j++)
        for (int mode = 0; mode < 32; mode++) {
            /* mode: 1 ask for a, too, 2 stream and dense rows, 4 masked, 8 add, 16 z differs from x
             */
            const int64_t k = 7, n = widths[j], rows = 1 + (j * 5 + mode) % OPERAND_ROWS;
            const int64_t ldy = mode & 2 ? n : n + 3, size = (rows - 1) * ldy + n;
            float *a = random_integers(OPERAND_ROWS * k, 1, -3, 3);
            float *b = random_integers(k * n, 2, -3, 3), *xs = random_integers(size, 3, -2, 8);
            float *zs = random_integers(size, 4, -9, 9), *scale = random_integers(n, 5, 1, 2);
            float *shift = random_integers(n, 6, -2, 2), *adds = random_integers(size, 7, -9, 9);
            tensor x = make_tensor(element, size, 0, xs), z = make_tensor(element, size, 0, zs);
            tensor add = make_tensor(element, size, 0, adds);
            const ani_kernels *tables[] = {&plain, &best};
            tensor y[2], dx[2], value[2], clamped[2];
            double sums[2][5][96] = {0};
            for (int t = 0; t < 2; t++) {
                const ani_kernels *table = tables[t];
                const int32_t width = panel_of(table, kind)->width;
                const int pairs = element == ANI_BFLOAT16 && table->pairs.product;
                operands o = make_operands(table, pairs, a, k, b, k, n, width);
                y[t] = make_tensor(element, size, 0, NULL);
                dx[t] = make_tensor(element, size, 0, NULL);
                const ani_product p = {
                    .a = o.a,
                    .lda = k,
                    .packed = o.packed,
                    .rows = rows,
                    .k = o.steps,
                    .n = n,
                    .width = width,
                    .stream = (mode & 2) != 0,
                    .ahead = {{mode & 1 ? a : NULL, z.values}, {rows * k * 4, size * 2}}};
                const ani_gradient_store to = {.dx = dx[t].values,
                                               .ldx = ldy,
                                               .x = mode & 4 ? x.values : NULL,
                                               .scale = mode & 4 ? scale : NULL,
                                               .shift = mode & 4 ? shift : NULL,
                                               .add = mode & 8 ? add.values : NULL,
                                               .z = mode & 16 ? z.values : x.values,
                                               .mean = shift,
                                               .sum = sums[t][2],
                                               .dot = sums[t][3]};
                table->tensor[element].product_moments(&p, y[t].values, ldy, shift, sums[t][0],
                                                       sums[t][1]);
                table->tensor[element].product_gradient(&p, &to);
                /* With known batch norm: values; a gradient with one sum. */
                value[t] = make_tensor(element, size, 0, NULL);
                clamped[t] = make_tensor(element, size, 0, xs); /* in place */
                const ani_value_store values = {.y = value[t].values,
                                                .ldy = ldy,
                                                .shift = shift,
                                                .residual = mode & 8 ? add.values : NULL,
                                                .relu6 = !(mode & 8) && mode & 4};
                ani_gradient_store one = {.dx = clamped[t].values, .ldx = ldy, .sum = sums[t][4]};
                if (mode & 4) one.x = clamped[t].values;
                if (mode & 8) one.add = add.values;
                table->tensor[element].product_value(&p, &values);
                table->tensor[element].product_gradient(&p, &one);
                table->fence();
                free_operands(&o);
            }
            for (int64_t r = 0; r < rows; r++) {
                expect_near_tensor("y", &y[1], &y[0], r * ldy, n, 0, 0);
                expect_near_tensor("dx", &dx[1], &dx[0], r * ldy, n, 0, 0);
                expect_near_tensor("value", &value[1], &value[0], r * ldy, n, 0, 0);
                expect_near_tensor("clamped", &clamped[1], &clamped[0], r * ldy, n, 0, 0);
            }
            for (int i = 0; i < 5; i++)
                expect_near_doubles("sums", sums[1][i], sums[0][i], n, 0, 0);
            for (int t = 0; t < 2; t++) {
                check_and_free_tensor(&y[t], "product_moments");
                check_and_free_tensor(&dx[t], "product_gradient");
                check_and_free_tensor(&value[t], "product_value");
                check_and_free_tensor(&clamped[t], "product_gradient in place");
            }
            tensor *tensors[] = {&x, &z, &add};
            for (int i = 0; i < 3; i++)
                check_and_free_tensor(tensors[i], "an input");
            float *all[] = {a, b, xs, zs, scale, shift, adds};
            for (int i = 0; i < 7; i++)
                free(all[i]);
        }
}

static void stored_products(void **state) {
    (void)state;
    for (int32_t element = 0; element < ANI_ELEMENTS; element++)
        for (int kind = 0; kind < ANI_PANELS && best.panels[kind].width; kind++)
            check_stored_products(element, kind);
}

static void depthwise(void **state) {
    (void)state;
    for (int64_t count = 0; count < 12; count++)
        for (int64_t stride = 1; stride <= 2; stride++) {
            const int64_t columns = (count + 1) * stride + 3;
            float *x = random_floats(3 * columns * ANI_BLOCK, 1, -1, 1);
            float *w = random_floats(9 * ANI_BLOCK, 2, -1, 1);
            float *d = random_floats(2 * (count + 1) * ANI_BLOCK, 3, -1, 1);
            const ani_depthwise rows = {
                .x = {x, x + columns * ANI_BLOCK, x + 2 * columns * ANI_BLOCK},
                .count = count,
                .stride = stride,
                .next = {x, stride == 1 ? NULL : x},
                .next_stride = ANI_BLOCK};
            const ani_depthwise both = {.x = {d, d + (count + 1) * ANI_BLOCK},
                                        .w = w,
                                        .count = count,
                                        .stride = 1,
                                        .next = {d, NULL},
                                        .next_stride = ANI_BLOCK};
            const ani_kernels *tables[] = {&plain, &best};
            output y[2], dx[2], dw[2];
            for (int t = 0; t < 2; t++) {
                y[t] = make_output(count * ANI_BLOCK, 1, 0);
                dx[t] = make_output(2 * count * ANI_BLOCK, 1, 0);
                dw[t] = make_output(9 * ANI_BLOCK, 1, 0.25f);
                tables[t]->depthwise(y[t].values, rows.x, w, count, stride);
                tables[t]->depthwise_spread(dx[t].values, &both, stride);
                tables[t]->depthwise_weights(dw[t].values, &rows, d);
            }
            expect_near("depthwise", y[1].values, y[0].values, y[0].count, 9, 9);
            expect_near("depthwise_spread", dx[1].values, dx[0].values, dx[0].count, 4, 4);
            expect_near("depthwise_weights", dw[1].values, dw[0].values, dw[0].count, (double)count,
                        (double)count + 0.25);
            for (int t = 0; t < 2; t++) {
                check_and_free(&y[t], "depthwise");
                check_and_free(&dx[t], "depthwise_spread");
                check_and_free(&dw[t], "depthwise_weights");
            }
            free(x);
            free(w);
            free(d);
        }
}

static void stored_depthwise(void **state) {
    (void)state;
    for (int64_t count = 1; count < 12; count++)
        for (int64_t mode = 0; mode < 16; mode++) {
            /* mode: 1 stride 2, 2 stream, 4 unaligned, 8 bfloat16 */
            const int32_t element = mode & 8 ? ANI_BFLOAT16 : ANI_FLOAT32;
            const int64_t stride = 1 + (mode & 1), ldy = mode & 4 ? 19 : 32;
            const int64_t columns = (count - 1) * stride + 3;
            const int64_t size = (count - 1) * ldy + ANI_BLOCK;
            float *x = random_integers(3 * columns * ANI_BLOCK, 1, -3, 3);
            float *w = random_integers(9 * ANI_BLOCK, 2, -3, 3);
            float *pivot = random_integers(ANI_BLOCK, 3, -3, 3);
            const ani_depthwise d = {.x = {x, x + columns * ANI_BLOCK, x + 2 * columns * ANI_BLOCK},
                                     .w = w,
                                     .count = count,
                                     .stride = stride,
                                     .streamed = (mode & 2) != 0,
                                     .next = {x, mode & 1 ? w : NULL},
                                     .next_stride = ANI_BLOCK * 2};
            const ani_kernels *tables[] = {&plain, &best};
            tensor y[2], value[2];
            double sums[2][2][ANI_BLOCK] = {{{0}}};
            for (int t = 0; t < 2; t++) {
                y[t] = make_tensor(element, size, 0, NULL);
                tables[t]->tensor[element].depthwise_moments(&d, y[t].values, ldy, pivot,
                                                             sums[t][0], sums[t][1]);
                value[t] = make_tensor(element, size, 0, NULL);
                const ani_value_store values = {
                    .y = value[t].values, .ldy = ldy, .shift = pivot, .relu6 = 1};
                tables[t]->tensor[element].depthwise_value(&d, &values);
                tables[t]->fence();
            }
            expect_near_tensor("y", &y[1], &y[0], 0, size, 0, 0);
            expect_near_tensor("value", &value[1], &value[0], 0, size, 0, 0);
            for (int i = 0; i < 2; i++)
                expect_near_doubles("sums", sums[1][i], sums[0][i], ANI_BLOCK, 0, 0);
            for (int t = 0; t < 2; t++) {
                check_and_free_tensor(&y[t], "depthwise_moments");
                check_and_free_tensor(&value[t], "depthwise_value");
            }
            free(x);
            free(w);
            free(pivot);
        }
}

/* Integers, so that the levels agree to the bit. */
static void stored_depthwise_gradient(void **state) {
    (void)state;
    for (int64_t count = 1; count < 12; count++)
        for (int64_t mode = 0; mode < 8; mode++) {
            /* mode: 1 stream, 2 unaligned, 4 bfloat16 */
            const int32_t element = mode & 4 ? ANI_BFLOAT16 : ANI_FLOAT32;
            const int64_t ld = mode & 2 ? 19 : 32, columns = count + 2;
            const int64_t size = (count - 1) * ld + ANI_BLOCK;
            float *g = random_integers(3 * columns * ANI_BLOCK, 1, -3, 3);
            float *w = random_integers(9 * ANI_BLOCK, 2, -3, 3);
            float *values = random_integers(size, 3, -3, 9);
            float *scale = random_integers(ANI_BLOCK, 4, -2, 2);
            float *shift = random_integers(ANI_BLOCK, 5, -2, 8);
            float *mean = random_integers(ANI_BLOCK, 6, -3, 3);
            tensor x = make_tensor(element, size, 0, values);
            const ani_depthwise d = {.x = {g, g + columns * ANI_BLOCK, g + 2 * columns * ANI_BLOCK},
                                     .w = w,
                                     .count = count,
                                     .stride = 1,
                                     .streamed = (mode & 1) != 0,
                                     .next = {g, mode & 2 ? NULL : w},
                                     .next_stride = ANI_BLOCK};
            const ani_kernels *tables[] = {&plain, &best};
            tensor dx[2], clamped[2];
            double sums[2][3][ANI_BLOCK] = {{{0}}};
            for (int t = 0; t < 2; t++) {
                dx[t] = make_tensor(element, size, 0, NULL);
                const ani_gradient_store to = {.dx = dx[t].values,
                                               .ldx = ld,
                                               .x = x.values,
                                               .scale = scale,
                                               .shift = shift,
                                               .z = x.values,
                                               .mean = mean,
                                               .sum = sums[t][0],
                                               .dot = sums[t][1]};
                tables[t]->tensor[element].depthwise_gradient(&d, &to);
                clamped[t] = make_tensor(element, size, 0, NULL);
                const ani_gradient_store one = {
                    .dx = clamped[t].values, .ldx = ld, .x = x.values, .sum = sums[t][2]};
                tables[t]->tensor[element].depthwise_gradient(&d, &one);
                tables[t]->fence();
            }
            expect_near_tensor("dx", &dx[1], &dx[0], 0, size, 0, 0);
            expect_near_tensor("clamped", &clamped[1], &clamped[0], 0, size, 0, 0);
            for (int i = 0; i < 3; i++)
                expect_near_doubles("sums", sums[1][i], sums[0][i], ANI_BLOCK, 0, 0);
            for (int t = 0; t < 2; t++) {
                check_and_free_tensor(&dx[t], "depthwise_gradient");
                check_and_free_tensor(&clamped[t], "depthwise_gradient with one sum");
            }
            check_and_free_tensor(&x, "x of depthwise_gradient");
            free(g);
            free(w);
            free(values);
            free(scale);
            free(shift);
            free(mean);
        }
}

/* Of bfloat16, only what is at least 6 is stored as 6; NaN stays. */
static void values_next_to_six(void **state) {
    (void)state;
    enum { COUNT = 48 };
    const ani_kernels *tables[] = {&plain, &best};
    for (int k = 0; k < 2; k++)
        for (int32_t element = 0; element < ANI_ELEMENTS; element++) {
            float t[COUNT], shift[COUNT] = {0}, at = 6;
            for (int i = 0; i < 20; i++)
                at = nextafterf(at, 0);
            for (int i = 0; i < COUNT; i++, at = nextafterf(at, 7))
                t[i] = i == 47 ? NAN : i < 10 ? 5.9f + 0.01f * (float)i : at;
            tensor y = make_tensor(element, COUNT, 0, NULL);
            const ani_value_store to = {.y = y.values, .ldy = COUNT, .shift = shift, .relu6 = 1};
            tables[k]->tensor[element].store_value(&to, t, COUNT, 1, COUNT, 0);
            for (int i = 0; i < 47; i++)
                assert_true((value_at(&y, i) == 6) == (t[i] >= 6));
            assert_true(isnan(value_at(&y, 47)));
            check_and_free_tensor(&y, "store_value");
        }
}

/* From anywhere in a line to anywhere in another one, and nothing beside it. */
static void streaming(void **state) {
    (void)state;
    enum { ROOM = 512, LINE = 64 };
    _Alignas(64) unsigned char from[ROOM], to[ROOM], want[ROOM];
    if (!best.stream_copy) skip();
    for (int i = 0; i < ROOM; i++)
        from[i] = (unsigned char)(i * 7 + 1);
    for (int at = 0; at < LINE; at += 2)
        for (int source = 0; source < LINE; source += 6)
            for (int bytes = 0; bytes < ROOM - 2 * LINE; bytes += 2 + bytes / 8 * 2) {
                memset(to, 0xee, sizeof to);
                memset(want, 0xee, sizeof want);
                memcpy(want + at, from + source, (size_t)bytes);
                best.stream_copy(to + at, from + source, bytes);
                best.fence();
                assert_memory_equal(to, want, sizeof want);
            }
}

static void optimizers(void **state) {
    (void)state;
    for (int i = 0; i < WIDTHS; i++)
        for (int nesterov = 0; nesterov < 2; nesterov++) {
            const int64_t count = widths[i];
            float *g = random_floats(count, 1, -1, 1), *start = random_floats(count, 2, -1, 1);
            const ani_kernels *tables[] = {&plain, &best};
            output w[2], m[2], v[2], u[2];
            for (int t = 0; t < 2; t++) {
                w[t] = make_output(count, 1, 0);
                u[t] = make_output(count, 1, 0);
                m[t] = make_output(count, 1, 0.125f);
                v[t] = make_output(count, 1, 0.5f);
                memcpy(w[t].values, start, (size_t)count * sizeof *start);
                memcpy(u[t].values, start, (size_t)count * sizeof *start);
                tables[t]->adam(w[t].values, g, m[t].values, v[t].values, count, 0.5f, 0.01f, 0.1f,
                                0.001f, 0.05f, 1e-7f);
                tables[t]->sgd(u[t].values, g, m[t].values, count, 0.1f, 0.9f, nesterov);
            }
            expect_near("w", w[1].values, w[0].values, count, 4, 2);
            expect_near("w of sgd", u[1].values, u[0].values, count, 4, 3);
            expect_near("m", m[1].values, m[0].values, count, 4, 2);
            expect_near("v", v[1].values, v[0].values, count, 4, 1);
            expect_near_doubles("sum of squares", (double[]){best.sum_squares(g, count)},
                                (double[]){plain.sum_squares(g, count)}, 1, (double)count,
                                (double)count);
            for (int t = 0; t < 2; t++) {
                check_and_free(&w[t], "adam");
                check_and_free(&u[t], "sgd");
                check_and_free(&m[t], "m");
                check_and_free(&v[t], "v");
            }
            free(g);
            free(start);
        }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    ani_kernels_init(&plain, 0);
    ani_kernels_init(&best, ani_cpu_mask(NULL));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading),
        cmocka_unit_test(storing),
        cmocka_unit_test(products),
        cmocka_unit_test(depthwise),
        cmocka_unit_test(streaming),
        cmocka_unit_test(optimizers),
        cmocka_unit_test(stored_products),
        cmocka_unit_test(stored_depthwise),
        cmocka_unit_test(rounding),
        cmocka_unit_test(stored_depthwise_gradient),
        cmocka_unit_test(values_next_to_six),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
