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

/* count values, at most LANES, from column i on; zeros after them. */
ANI_INLINE vec normalised_part(const uint16_t *z, const float *scale, const float *shift, int64_t i,
                               int64_t count, const int affine, const int clip) {
    if (count >= LANES)
        return normalise_vector(e_load(z + i), affine ? v_load(scale + i) : v_zero(),
                                affine ? v_load(shift + i) : v_zero(), affine, clip);
    if (count <= 0) return v_zero();
    return normalise_vector(e_load_part(z + i, count),
                            affine ? v_load_part(scale + i, count) : v_zero(),
                            affine ? v_load_part(shift + i, count) : v_zero(), affine, clip);
}

ANI_INLINE void normalise_pairs_all(float *out, int64_t ldo, const uint16_t *z, int64_t ldz,
                                    int64_t rows, int64_t c, const float *scale, const float *shift,
                                    const int affine, const int clip) {
    for (int64_t r = 0; r < rows; r++, out += ldo, z += ldz) {
        int64_t i = 0;
        for (; i + 2 * LANES <= c; i += 2 * LANES)
            v_store(
                out + i / 2,
                v_pair_columns(normalised_part(z, scale, shift, i, LANES, affine, clip),
                               normalised_part(z, scale, shift, i + LANES, LANES, affine, clip)));
        if (i == c) continue;
        const int64_t pairs = (c - i + 1) / 2;
        const vec last = v_pair_columns(
            normalised_part(z, scale, shift, i, c - i, affine, clip),
            normalised_part(z, scale, shift, i + LANES, c - i - LANES, affine, clip));
        if (pairs == LANES)
            v_store(out + i / 2, last);
        else
            v_store_part(out + i / 2, last, pairs);
    }
}

static void normalise_pairs(float *out, int64_t ldo, const uint16_t *z, int64_t ldz, int64_t rows,
                            int64_t c, const float *scale, const float *shift, int32_t relu6) {
    if (scale && relu6)
        normalise_pairs_all(out, ldo, z, ldz, rows, c, scale, shift, 1, 1);
    else if (scale)
        normalise_pairs_all(out, ldo, z, ldz, rows, c, scale, shift, 1, 0);
    else if (relu6)
        normalise_pairs_all(out, ldo, z, ldz, rows, c, scale, shift, 0, 1);
    else
        normalise_pairs_all(out, ldo, z, ldz, rows, c, scale, shift, 0, 0);
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
    table->normalise_columns = normalise_pairs;
    table->pair_rows = pair_rows;
    table->pair_tensor_rows = pair_tensor_rows;
    table->product = product;
    table->product_transposed = product_transposed;
}
