/* SPDX-License-Identifier: MIT
 * Conversion of tiles of floats to pairs of bfloat16. It works in place because rows and columns
 * are processed in order: each float is read before a pair overwrites it. */

/* count columns, fewer than two vectors, of a row. */
ANI_INLINE void pair_columns_part(float *out, const float *t, int64_t count) {
    const int64_t pairs = (count + 1) / 2;
    const vec low = count < LANES ? v_load_part(t, count) : v_load(t);
    const vec high = count > LANES ? v_load_part(t + LANES, count - LANES) : v_zero();
    if (pairs == LANES)
        v_store(out, v_pair_columns(low, high));
    else
        v_store_part(out, v_pair_columns(low, high), pairs);
}

static void pair_columns(float *out, int64_t ldo, const float *t, int64_t ldt, int64_t rows,
                         int64_t c) {
    for (int64_t r = 0; r < rows; r++, out += ldo, t += ldt) {
        int64_t i = 0;
        for (; i + 2 * LANES <= c; i += 2 * LANES)
            v_store(out + i / 2, v_pair_columns(v_load(t + i), v_load(t + i + LANES)));
        if (i < c) pair_columns_part(out + i / 2, t + i, c - i);
    }
}

static void pair_rows(float *out, int64_t ldo, const float *t, int64_t ldt, int64_t rows,
                      int64_t c) {
    for (int64_t r = 0; r < rows; r += 2, out += ldo, t += 2 * ldt) {
        const float *next = r + 1 < rows ? t + ldt : NULL;
        int64_t i = 0;
        for (; i + LANES <= c; i += LANES)
            v_store(out + i, v_pair_rows(v_load(t + i), next ? v_load(next + i) : v_zero()));
        if (i < c)
            v_store_part(out + i,
                         v_pair_rows(v_load_part(t + i, c - i),
                                     next ? v_load_part(next + i, c - i) : v_zero()),
                         c - i);
    }
}

static void pair_tensor_rows(float *out, int64_t ldo, const uint16_t *t, int64_t ldt, int64_t rows,
                             int64_t c) {
    for (int64_t r = 0; r < rows; r += 2, out += ldo, t += 2 * ldt) {
        const uint16_t *next = r + 1 < rows ? t + ldt : NULL;
        int64_t i = 0;
        for (; next && i + 2 * LANES <= c; i += 2 * LANES)
            v_interleave(out + i, t + i, next + i);
        for (; i < c; i += LANES) {
            const int64_t count = c - i < LANES ? c - i : LANES;
            v_interleave_part(out + i, t + i, next ? next + i : NULL, count);
        }
    }
}

static void fill_pairs(ani_pair_kernels *table) {
    table->pair_columns = pair_columns;
    table->pair_rows = pair_rows;
    table->pair_tensor_rows = pair_tensor_rows;
    table->product = product;
    table->product_transposed = product_transposed;
}
