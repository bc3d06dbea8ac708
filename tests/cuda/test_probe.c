/* SPDX-License-Identifier: MIT
 * The instructions of mma.h against their tables, one element at a time: on the host through the
 * shim, and on a device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cuda_runtime_api.h>
#include <string.h>

#include "base/element.h"
#include "cuda/probe.h"

enum { WARP = 32 };

static void *to_device(const void *from, size_t size) {
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, size), cudaSuccess);
    assert_int_equal(cudaMemcpy(memory, from, size, cudaMemcpyHostToDevice), cudaSuccess);
    return memory;
}

/* Copy back and free. */
static void from_device(void *to, void *memory, size_t size) {
    assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    assert_int_equal(cudaMemcpy(to, memory, size, cudaMemcpyDeviceToHost), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaSuccess);
}

static uint32_t pair(float low, float high) {
    return ani_to_bfloat16(low) | (uint32_t)ani_to_bfloat16(high) << 16;
}

typedef struct product {
    float a[16][16], b[16][8], d[16][8];
} product;

typedef struct fragments {
    uint32_t a[WARP][4], b[WARP][2];
    float d[WARP][4];
} fragments;

/* By the tables of the PTX manual for mma.m16n8k16 with .bf16: element i of a lane's a is in row
 * lane / 4, plus 8 for i of 2, 3, 6, 7, and in column lane % 4 * 2 + i % 2, plus 8 from i of 4 on;
 * of b in row lane % 4 * 2 + i % 2, plus 8 from i of 2 on, and column lane / 4. */
static void pack(const product *p, fragments *f) {
    for (int lane = 0; lane < WARP; lane++) {
        float a[8], b[4];
        for (int i = 0; i < 8; i++)
            a[i] = p->a[lane / 4 + (i % 4 >= 2 ? 8 : 0)][lane % 4 * 2 + i % 2 + (i >= 4 ? 8 : 0)];
        for (int i = 0; i < 4; i++)
            b[i] = p->b[lane % 4 * 2 + i % 2 + (i >= 2 ? 8 : 0)][lane / 4];
        for (int i = 0; i < 4; i++)
            f->d[lane][i] = p->d[lane / 4 + (i >= 2 ? 8 : 0)][lane % 4 * 2 + i % 2];
        for (int i = 0; i < 4; i++)
            f->a[lane][i] = pair(a[2 * i], a[2 * i + 1]);
        for (int i = 0; i < 2; i++)
            f->b[lane][i] = pair(b[2 * i], b[2 * i + 1]);
    }
}

/* All numbers are integers up to 256, and so are exact in bfloat16; so are their sums in float. */
static void check_products(const product *products, int count) {
    static uint32_t a[256][WARP][4], b[256][WARP][2];
    static float d[256][WARP][4];
    for (int n = 0; n < count; n++) {
        fragments f;
        pack(&products[n], &f);
        memcpy(a[n], f.a, sizeof f.a);
        memcpy(b[n], f.b, sizeof f.b);
        memcpy(d[n], f.d, sizeof f.d);
    }
    void *on_a = to_device(a, sizeof a), *on_b = to_device(b, sizeof b);
    void *on_d = to_device(d, sizeof d);
    assert_int_equal(probe_mma(count, on_a, on_b, on_d), cudaSuccess);
    from_device(d, on_d, sizeof d);
    cudaFree(on_a);
    cudaFree(on_b);
    for (int n = 0; n < count; n++)
        for (int lane = 0; lane < WARP; lane++)
            for (int i = 0; i < 4; i++) {
                const int row = lane / 4 + (i >= 2 ? 8 : 0), column = lane % 4 * 2 + i % 2;
                float want = products[n].d[row][column];
                for (int k = 0; k < 16; k++)
                    want += products[n].a[row][k] * products[n].b[k][column];
                if (d[n][lane][i] != want)
                    fail_msg("product %d: d[%d][%d] is %g; expected %g", n, row, column,
                             (double)d[n][lane][i], (double)want);
            }
}

static product products[256];

static void one_element_of_a_meets_its_row_of_b(void **state) {
    (void)state;
    memset(products, 0, sizeof products);
    for (int n = 0; n < 256; n++) {
        products[n].a[n / 16][n % 16] = 1;
        for (int i = 0; i < 128; i++)
            products[n].b[i / 8][i % 8] = (float)(1 + i);
    }
    check_products(products, 256);
}

static void one_element_of_b_meets_its_column_of_a(void **state) {
    (void)state;
    memset(products, 0, sizeof products);
    for (int n = 0; n < 128; n++) {
        products[n].b[n / 8][n % 8] = 1;
        for (int i = 0; i < 256; i++)
            products[n].a[i / 16][i % 16] = (float)(1 + i);
    }
    check_products(products, 128);
}

static void products_are_added(void **state) {
    (void)state;
    memset(products, 0, sizeof products);
    for (int i = 0; i < 256; i++)
        products[0].a[i / 16][i % 16] = (float)(i * 7 % 23 - 11);
    for (int i = 0; i < 128; i++) {
        products[0].b[i / 8][i % 8] = (float)(i * 5 % 19 - 9);
        products[0].d[i / 8][i % 8] = (float)(1000 + i);
    }
    check_products(products, 1);
}

static void matrices_are_loaded(void **state) {
    (void)state;
    for (int count = 1; count <= 4; count *= 2)
        for (int transposed = 0; transposed < 2; transposed++) {
            uint16_t rows[4][8][8];
            uint32_t got[WARP * 4];
            for (int i = 0; i < 256; i++)
                rows[i / 64][i / 8 % 8][i % 8] = (uint16_t)(1000 + i);
            void *from = to_device(rows, sizeof rows), *to = to_device(got, sizeof got);
            assert_int_equal(probe_load(count, transposed, from, to), cudaSuccess);
            from_device(got, to, sizeof got);
            cudaFree(from);
            for (int lane = 0; lane < WARP; lane++)
                for (int i = 0; i < count; i++)
                    for (int k = 0; k < 2; k++) {
                        const int r = lane / 4, c = lane % 4 * 2 + k;
                        const uint32_t bits = got[lane * count + i] >> 16 * k & 0xffff;
                        assert_int_equal(bits, transposed ? rows[i][c][r] : rows[i][r][c]);
                    }
        }
}

static void lanes_exchange_values(void **state) {
    (void)state;
    for (int mask = 1; mask < WARP; mask *= 2) {
        float values[WARP], got[3 * WARP] = {0};
        for (int i = 0; i < WARP; i++)
            values[i] = (float)(i * i);
        void *from = to_device(values, sizeof values), *to = to_device(got, sizeof got);
        assert_int_equal(probe_shuffle(mask, from, to), cudaSuccess);
        from_device(got, to, sizeof got);
        cudaFree(from);
        for (int i = 0; i < WARP; i++) {
            assert_true(got[i] == values[(i * 5 + 3) % WARP]);
            assert_true(got[WARP + i] == values[i ^ mask]);
            assert_true(got[2 * WARP + i] == 31 * 32 * 63 / 6);
        }
    }
}

static void copies_land_and_are_zero_outside(void **state) {
    (void)state;
    for (int size = 4; size <= 16; size *= 2) {
        unsigned char bytes[WARP * 16], got[WARP * 16];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)(i * 37 + 1);
        void *from = to_device(bytes, sizeof bytes), *to = to_device(got, sizeof got);
        assert_int_equal(probe_copy(size, from, to), cudaSuccess);
        from_device(got, to, sizeof got);
        cudaFree(from);
        for (int i = 0; i < WARP * size; i++)
            assert_int_equal(got[i], i / size % 2 ? 0 : bytes[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_element_of_a_meets_its_row_of_b),
        cmocka_unit_test(one_element_of_b_meets_its_column_of_a),
        cmocka_unit_test(products_are_added),
        cmocka_unit_test(matrices_are_loaded),
        cmocka_unit_test(lanes_exchange_values),
        cmocka_unit_test(copies_land_and_are_zero_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
