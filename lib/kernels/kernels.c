/* SPDX-License-Identifier: MIT
 * The table of kernels: which ISA level has which, and the parts common to all levels. */
#include "kernels/kernels.h"

#include <string.h>

#include "base/cpu.h"
#include "config.h"
#include "kernels/c/c.h"

void ani_kernels_c(ani_kernels *table) {
    *table = (ani_kernels){
        .level = "c",
        .panels =
            {[ANI_NARROW] = {ANI_C_NARROW, ANI_C_ROWS}, [ANI_WIDE] = {ANI_C_WIDE, ANI_C_ROWS}},
        .column_sums = ani_c_column_sums,
        .fence = ani_c_fence,
        .product = ani_c_product,
        .product_transposed = ani_c_product_transposed,
        .depthwise = ani_c_depthwise,
        .depthwise_spread = ani_c_depthwise_spread,
        .depthwise_weights = ani_c_depthwise_weights,
        .adam = ani_c_adam,
        .sgd = ani_c_sgd,
        .sum_squares = ani_c_sum_squares,
    };
    ani_c_float32(&table->tensor[ANI_FLOAT32]);
    ani_c_bfloat16(&table->tensor[ANI_BFLOAT16]);
}

void ani_kernels_init(ani_kernels *table, uint32_t mask) {
    ani_kernels_c(table);
#ifdef ANI_HAVE_AVX2
    if (mask & ANI_CPU_AVX2) ani_kernels_avx2(table);
#endif
#ifdef ANI_HAVE_AVX512
    if (mask & ANI_CPU_AVX512) ani_kernels_avx512(table);
#endif
#ifdef ANI_HAVE_AVX512BF16
    if (mask & ANI_CPU_AVX512BF16) ani_kernels_avx512bf16(table);
#endif
#ifdef ANI_HAVE_NEON
    if (mask & ANI_CPU_NEON) ani_kernels_neon(table);
#endif
    (void)mask;
}

int32_t ani_panel_width(const ani_kernels *table, int64_t rows, int64_t n) {
    int64_t least = INT64_MAX;
    int32_t best = 0;
    for (int i = 0; i < ANI_PANELS && table->panels[i].width; i++) {
        const ani_panel *panel = &table->panels[i];
        const int64_t size = (rows + panel->rows - 1) / panel->rows * panel->rows *
                             ((n + panel->width - 1) / panel->width * panel->width);
        if (size >= least) continue;
        least = size;
        best = panel->width;
    }
    return best;
}

void ani_pack(float *out, const float *b, int64_t row_stride, int64_t column_stride, int64_t k,
              int64_t n, int32_t width, int64_t panel) {
    const int64_t first = panel * width;
    const int64_t columns = n - first < width ? n - first : width;
    b += first * column_stride;
    for (int64_t i = 0; i < k; i++, out += width, b += row_stride) {
        for (int64_t j = 0; j < columns; j++)
            out[j] = b[j * column_stride];
        for (int64_t j = columns; j < width; j++)
            out[j] = 0;
    }
}

void ani_pack_pairs(float *out, const float *b, int64_t row_stride, int64_t column_stride,
                    int64_t k, int64_t n, int32_t width, int64_t panel) {
    const int64_t first = panel * width;
    const int64_t columns = n - first < width ? n - first : width;
    b += first * column_stride;
    for (int64_t i = 0; i < k; i += 2, out += width, b += 2 * row_stride)
        for (int64_t j = 0; j < width; j++) {
            const float *at = b + j * column_stride;
            const uint32_t low = j < columns ? ani_to_bfloat16(at[0]) : 0;
            const uint32_t high = j < columns && i + 1 < k ? ani_to_bfloat16(at[row_stride]) : 0;
            const uint32_t pair = high << 16 | low;
            memcpy(out + j, &pair, sizeof pair);
        }
}
