/* SPDX-License-Identifier: MIT
 * Products of pairs of bfloat16, at levels that have them: how floats become pairs, bit for bit,
 * and the products against sums in double of the operands as they were rounded. Those sums may
 * differ by (8 + 2 sqrt(terms)) * 2^-24 * S, S being the sum of absolute values: a product of two
 * bfloat16 is exact in float, so adding up is all that rounds. */
#include "kernels/check.h"

#include "base/cpu.h"
#include "support/level.h"

static const int64_t widths[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 96};
enum { WIDTHS = sizeof widths / sizeof *widths };

static ani_kernels table;

/* A number as the products see it: below the normal ones it is zero. */
static uint16_t operand_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7f800000u ? ani_to_bfloat16(value) : (uint16_t)(bits >> 16 & 0x8000u);
}

static float rounded(float value) {
    return ani_from_bfloat16(operand_of(value));
}

/* --- pairs ------------------------------------------------------------------------------------ */

static uint32_t column_pair(const float *t, int64_t ldt, int64_t r, int64_t c, int64_t i) {
    const uint32_t low = operand_of(t[r * ldt + 2 * i]);
    return low | (2 * i + 1 < c ? (uint32_t)operand_of(t[r * ldt + 2 * i + 1]) << 16 : 0);
}

static uint32_t row_pair(const float *t, int64_t ldt, int64_t rows, int64_t r, int64_t i) {
    const uint32_t low = operand_of(t[2 * r * ldt + i]);
    return low | (2 * r + 1 < rows ? (uint32_t)operand_of(t[(2 * r + 1) * ldt + i]) << 16 : 0);
}

static void expect_pair(const char *what, const float *at, uint32_t want) {
    uint32_t got;
    memcpy(&got, at, sizeof got);
    if (got != want) fail_msg("%s gives %08x, not %08x", what, got, want);
}

/* In place what lies behind the pairs is left over; elsewhere it must not be touched. */
static void check_pairing(const float *t, int64_t ldt, int64_t rows, int64_t c, int in_place) {
    const int64_t pairs = (c + 1) / 2, half = (rows + 1) / 2, ldo = in_place ? ldt : c + 5;
    output columns = make_output(rows * ldo, in_place, 0), lines = make_output(rows * ldo, 0, 0);
    if (in_place) {
        memcpy(columns.values, t, (size_t)(rows * ldt) * sizeof *t);
        memcpy(lines.values, t, (size_t)(rows * ldt) * sizeof *t);
    }
    table.pairs.pair_columns(columns.values, ldo, in_place ? columns.values : t, ldt, rows, c);
    table.pairs.pair_rows(lines.values, ldo, in_place ? lines.values : t, ldt, rows, c);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < (in_place ? pairs : ldo); i++)
            expect_pair("pair_columns", columns.values + r * ldo + i,
                        i < pairs ? column_pair(t, ldt, r, c, i) : 0);
    for (int64_t r = 0; r < half; r++)
        for (int64_t i = 0; i < (in_place ? c : ldo); i++)
            expect_pair("pair_rows", lines.values + r * ldo + i,
                        i < c ? row_pair(t, ldt, rows, r, i) : 0);
    check_and_free(&columns, "pair_columns");
    check_and_free(&lines, "pair_rows");
}

static void pairs_of_all_sizes(void **state) {
    (void)state;
    if (!table.pairs.product) skip();
    for (int w = 0; w < WIDTHS; w++)
        for (int64_t rows = 1; rows < 6; rows++)
            for (int in_place = 0; in_place < 2; in_place++) {
                const int64_t c = widths[w], ldt = c + 3;
                float *t = random_floats(rows * ldt, (uint32_t)(w * 6 + rows), -9, 9);
                check_pairing(t, ldt, rows, c, in_place);
                free(t);
            }
}

/* The pairs of a normalised tile, to the bit. */
static void pairs_of_normalised_columns(void **state) {
    (void)state;
    if (!table.pairs.product) skip();
    for (int w = 0; w < WIDTHS; w++)
        for (int mode = 0; mode < 4; mode++) {
            const int64_t rows = 3, c = widths[w], ldz = c + 3, ldt = c + 5, ldo = (c + 1) / 2 + 1;
            uint16_t *z = malloc((size_t)(rows * ldz + 1) * sizeof *z);
            float *from = random_floats(rows * ldz, 1, -3, 9),
                  *t = random_floats(rows * ldt, 2, 0, 0);
            float *scale = random_floats(c, 3, -2, 2), *shift = random_floats(c, 4, -1, 4);
            assert_non_null(z);
            for (int64_t i = 0; i < rows * ldz; i++)
                z[i] = ani_to_bfloat16(from[i]);
            const float *by = mode & 1 ? scale : NULL, *to = mode & 1 ? shift : NULL;
            output want = make_output(rows * ldo, 0, 0), got = make_output(rows * ldo, 0, 0);
            table.tensor[ANI_BFLOAT16].normalise(t, ldt, z, ldz, rows, c, by, to, mode / 2);
            table.pairs.pair_columns(want.values, ldo, t, ldt, rows, c);
            table.pairs.normalise_columns(got.values, ldo, z, ldz, rows, c, by, to, mode / 2);
            assert_memory_equal(got.values, want.values, (size_t)(rows * ldo) * sizeof(float));
            check_and_free(&want, "pair_columns");
            check_and_free(&got, "normalise_columns");
            free(z);
            float *all[] = {from, t, scale, shift};
            for (int i = 0; i < 4; i++)
                free(all[i]);
        }
}

/* Rows of a tensor of bfloat16, which need no rounding. */
static void pairs_of_tensor_rows(void **state) {
    (void)state;
    if (!table.pairs.product) skip();
    for (int w = 0; w < WIDTHS; w++)
        for (int64_t rows = 1; rows < 6; rows++) {
            const int64_t c = widths[w], ldt = c + 3, ldo = c + 2, lines = (rows + 1) / 2;
            uint16_t *t = malloc((size_t)(rows * ldt + 1) * sizeof *t);
            assert_non_null(t);
            for (int64_t i = 0; i < rows * ldt; i++)
                t[i] = (uint16_t)(i * 40503 + 77);
            output out = make_output(lines * ldo, 0, 0);
            table.pairs.pair_tensor_rows(out.values, ldo, t, ldt, rows, c);
            for (int64_t r = 0; r < lines; r++)
                for (int64_t i = 0; i < ldo; i++) {
                    const uint16_t *low = t + 2 * r * ldt + i;
                    const uint32_t high = 2 * r + 1 < rows ? low[ldt] : 0;
                    expect_pair("pair_tensor_rows", out.values + r * ldo + i,
                                i < c ? high << 16 | *low : 0);
                }
            check_and_free(&out, "pair_tensor_rows");
            free(t);
        }
}

/* All upper halves of a float with lower halves on both sides of the middle. */
static void pairs_of_all_numbers(void **state) {
    (void)state;
    enum { HALVES = 65536, COLUMNS = 256 };
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    if (!table.pairs.product) skip();
    float *t = malloc(HALVES * sizeof *t);
    assert_non_null(t);
    for (size_t i = 0; i < sizeof lower / sizeof *lower; i++) {
        for (uint32_t h = 0; h < HALVES; h++)
            t[h] = float_of(h << 16 | lower[i]);
        check_pairing(t, COLUMNS, HALVES / COLUMNS, COLUMNS, 0);
    }
    free(t);
}

static void packing(void **state) {
    (void)state;
    enum { K = 5, N = 37, WIDTH = 16 };
    float *b = random_floats(K * N, 1, -9, 9), out[(K + 1) / 2 * WIDTH];
    for (int turned = 0; turned < 2; turned++)
        for (int64_t p = 0; p < 3; p++) {
            ani_pack_pairs(out, b, turned ? 1 : N, turned ? K : 1, K, N, WIDTH, p);
            for (int64_t i = 0; i < (K + 1) / 2; i++)
                for (int64_t j = 0; j < WIDTH; j++) {
                    uint32_t want = 0;
                    for (int64_t k = 2 * i; k < 2 * i + 2 && k < K && p * WIDTH + j < N; k++) {
                        const int64_t column = p * WIDTH + j;
                        const float value = turned ? b[column * K + k] : b[k * N + column];
                        want |= (uint32_t)ani_to_bfloat16(value) << (k % 2 ? 16 : 0);
                    }
                    expect_pair("ani_pack_pairs", out + i * WIDTH + j, want);
                }
        }
    free(b);
}

/* --- products --------------------------------------------------------------------------------- */

static double dot(const float *a, int64_t step_a, const float *b, int64_t step_b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)rounded(a[i * step_a]) * rounded(b[i * step_b]);
    return sum;
}

static void check_product(const float *a, int64_t lda, const float *b, int64_t rows, int64_t k,
                          int64_t n, int kind) {
    const ani_panel *panel = &table.panels[kind];
    const int32_t width = panel->width;
    const int64_t ld = round_up(n, width);
    operands o = make_operands(&table, 1, a, lda, b, k, n, width);
    output c = make_output(round_up(rows, panel->rows) * ld, kind == ANI_NARROW, 0);
    table.pairs.product(c.values, ld, o.a, lda, o.packed, rows, o.steps, n, width);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++) {
            const float want = (float)dot(a + r * lda, 1, b + j, n, k);
            expect_near("product", c.values + r * ld + j, &want, 1, (double)k, (double)k);
        }
    check_and_free(&c, "product");
    free_operands(&o);
}

static void check_transposed(const float *a, int64_t lda, const float *b, int64_t ldb, int64_t rows,
                             int64_t k, int64_t n, int kind) {
    const ani_panel *panel = &table.panels[kind];
    const int32_t width = panel->width;
    const int64_t ld = round_up(n, width);
    const ani_ahead ahead = {{a, NULL}, {rows * lda * (int64_t)sizeof *a, 0}};
    float *x = malloc((size_t)(rows * lda) * sizeof *x);
    float *d = malloc((size_t)(rows * ldb) * sizeof *d);
    assert_true(x && d);
    memcpy(x, a, (size_t)(rows * lda) * sizeof *x);
    memcpy(d, b, (size_t)(rows * ldb) * sizeof *d);
    table.pairs.pair_rows(x, lda, x, lda, rows, k);
    table.pairs.pair_rows(d, ldb, d, ldb, rows, n);
    output c = make_output(round_up(k, panel->rows) * ld, kind == ANI_NARROW, 0.5f);
    table.pairs.product_transposed(c.values, ld, x, lda, d, ldb, (rows + 1) / 2, k, n, width,
                                   kind == ANI_WIDE ? NULL : &ahead);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++) {
            const float want = (float)(0.5 + dot(a + i, lda, b + j, ldb, rows));
            expect_near("product_transposed", c.values + i * ld + j, &want, 1, (double)rows,
                        (double)rows + 0.5);
        }
    check_and_free(&c, "product_transposed");
    free(x);
    free(d);
}

static void products(void **state) {
    (void)state;
    if (!table.pairs.product) skip();
    for (int i = 0; i < WIDTHS; i++)
        for (int j = 0; j < WIDTHS; j += 2)
            for (int kind = 0; kind < ANI_PANELS && table.panels[kind].width; kind++) {
                enum { LDB = 160 };
                const int64_t k = widths[i], n = widths[j], rows = 1 + (i * 7 + j) % ANI_TILE_ROWS;
                const int64_t lda = round_up(k, ANI_TILE_ROWS) + 1;
                float *a = random_floats(OPERAND_ROWS * lda, 1, -1, 1);
                float *b = random_floats(k * n, 2, -1, 1);
                float *d = random_floats(rows * LDB, 3, -1, 1);
                check_product(a, lda, b, rows, k, n, kind);
                check_transposed(a, lda, d, LDB, rows, k, n, kind);
                free(a);
                free(b);
                free(d);
            }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    ani_kernels_init(&table, ani_cpu_mask(NULL));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_all_sizes),
        cmocka_unit_test(pairs_of_tensor_rows),
        cmocka_unit_test(pairs_of_normalised_columns),
        cmocka_unit_test(pairs_of_all_numbers),
        cmocka_unit_test(packing),
        cmocka_unit_test(products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
