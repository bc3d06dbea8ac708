/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 on one row and one block of channels. A block is done vector by vector, with the
 * nine taps (or their nine sums) in registers; two columns at a time share the loads of x. */

ANI_INLINE void depthwise_vector(float *out, const float *x0, const float *x1, const float *x2,
                                 const float *w, int64_t count, const int stride) {
    const float *const x[3] = {x0, x1, x2};
    vec taps[9];
    ANI_UNROLL
    for (int t = 0; t < 9; t++)
        taps[t] = v_load(w + t * BLOCK);
    int64_t i = 0;
    for (; i + 2 <= count; i += 2) {
        vec first = v_zero(), second = v_zero();
        ANI_UNROLL
        for (int r = 0; r < 3; r++) {
            const float *row = x[r] + i * stride * BLOCK;
            vec value[5];
            ANI_UNROLL
            for (int k = 0; k < 3 + stride; k++)
                value[k] = v_load(row + k * BLOCK);
            ANI_UNROLL
            for (int k = 0; k < 3; k++) {
                first = v_fma(value[k], taps[r * 3 + k], first);
                second = v_fma(value[k + stride], taps[r * 3 + k], second);
            }
        }
        v_store(out + i * BLOCK, first);
        v_store(out + (i + 1) * BLOCK, second);
    }
    for (; i < count; i++) {
        vec sum = v_zero();
        ANI_UNROLL
        for (int r = 0; r < 3; r++)
            ANI_UNROLL
        for (int k = 0; k < 3; k++)
            sum = v_fma(v_load(x[r] + (i * stride + k) * BLOCK), taps[r * 3 + k], sum);
        v_store(out + i * BLOCK, sum);
    }
}

static void depthwise(float *out, const float *const x[3], const float *w, int64_t count,
                      int64_t stride) {
    for (int64_t j = 0; j < BLOCK; j += LANES) {
        if (stride == 1)
            depthwise_vector(out + j, x[0] + j, x[1] + j, x[2] + j, w + j, count, 1);
        else
            depthwise_vector(out + j, x[0] + j, x[1] + j, x[2] + j, w + j, count, 2);
    }
}

/* --- stored as it leaves the registers -----------------------------------------------------------
 * Both halves of a cache line are stored in one step, so that a streamed line leaves whole; the
 * taps are read again for each step of four columns, which then share them. */

enum { STEP_COLUMNS = 4 };

ANI_INLINE void depthwise_ask(const ani_depthwise *d, int64_t i, const int columns,
                              const int stride) {
    for (int t = 0; t < 2; t++) {
        if (!d->next[t]) continue;
        const float *at = d->next[t] + i * stride * d->next_stride;
        ANI_UNROLL
        for (int c = 0; c < columns * stride; c++)
            __builtin_prefetch(at + c * d->next_stride, 0, 2);
    }
}

ANI_INLINE void depthwise_columns(const ani_depthwise *d, int64_t i, float *y, int64_t ldy,
                                  const float *pivot, panel_sums *sums, const int columns,
                                  const int stride, const int stream) {
    depthwise_ask(d, i, columns, stride);
    ANI_UNROLL
    for (int j = 0; j < BLOCK; j += LANES) {
        vec out[STEP_COLUMNS];
        ANI_UNROLL
        for (int c = 0; c < columns; c++)
            out[c] = v_zero();
        ANI_UNROLL
        for (int r = 0; r < 3; r++) {
            const float *row = d->x[r] + i * stride * BLOCK + j;
            vec value[3 * STEP_COLUMNS];
            ANI_UNROLL
            for (int k = 0; k < (columns - 1) * stride + 3; k++)
                value[k] = v_load(row + k * BLOCK);
            ANI_UNROLL
            for (int k = 0; k < 3; k++) {
                const vec tap = v_load(d->w + (r * 3 + k) * BLOCK + j);
                ANI_UNROLL
                for (int c = 0; c < columns; c++)
                    out[c] = v_fma(value[c * stride + k], tap, out[c]);
            }
        }
        const vec p = v_load(pivot + j);
        vec sum = v_load(sums->first + j), square = v_load(sums->second + j);
        ANI_UNROLL
        for (int c = 0; c < columns; c++) {
            const vec off = v_sub(out[c], p);
            sum = v_add(sum, off);
            square = v_fma(off, off, square);
            put(y + (i + c) * ldy + j, out[c], stream);
        }
        v_store(sums->first + j, sum);
        v_store(sums->second + j, square);
    }
}

ANI_INLINE void depthwise_moments_all(const ani_depthwise *d, float *y, int64_t ldy,
                                      const float *pivot, double *sum, double *square,
                                      const int stride, const int stream) {
    panel_sums sums = {{0}, {0}};
    int64_t i = 0;
    for (; i + STEP_COLUMNS <= d->count; i += STEP_COLUMNS)
        depthwise_columns(d, i, y, ldy, pivot, &sums, STEP_COLUMNS, stride, stream);
    for (; i < d->count; i++)
        depthwise_columns(d, i, y, ldy, pivot, &sums, 1, stride, stream);
    panel_sums_add(&sums, sum, square, BLOCK / LANES);
}

static void depthwise_moments(const ani_depthwise *d, float *y, int64_t ldy, const float *pivot,
                              double *sum, double *square) {
    const int streamed = d->streamed && is_aligned(y, ldy);
    if (d->stride == 1) {
        if (streamed)
            depthwise_moments_all(d, y, ldy, pivot, sum, square, 1, 1);
        else
            depthwise_moments_all(d, y, ldy, pivot, sum, square, 1, 0);
    } else if (streamed) {
        depthwise_moments_all(d, y, ldy, pivot, sum, square, 2, 1);
    } else {
        depthwise_moments_all(d, y, ldy, pivot, sum, square, 2, 0);
    }
}

ANI_INLINE void depthwise_spread_vector(float *out, const float *d0, const float *d1,
                                        const float *w, int64_t count, const int rows) {
    const float *const d[2] = {d0, d1};
    vec taps[6];
    ANI_UNROLL
    for (int t = 0; t < 3 * rows; t++)
        taps[t] = v_load(w + t * BLOCK);
    for (int64_t i = 0; i < count; i++) {
        vec even = v_zero(), odd = v_zero();
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec before = v_load(d[r] + i * BLOCK), here = v_load(d[r] + (i + 1) * BLOCK);
            even = v_fma(here, taps[r * 3], even);
            even = v_fma(before, taps[r * 3 + 2], even);
            odd = v_fma(here, taps[r * 3 + 1], odd);
        }
        v_store(out + 2 * i * BLOCK, even);
        v_store(out + (2 * i + 1) * BLOCK, odd);
    }
}

static void depthwise_spread(float *out, const float *const d[2], const float *w, int64_t rows,
                             int64_t count) {
    for (int64_t j = 0; j < BLOCK; j += LANES) {
        if (rows == 1)
            depthwise_spread_vector(out + j, d[0] + j, NULL, w + j, count, 1);
        else
            depthwise_spread_vector(out + j, d[0] + j, d[1] + j, w + j, count, 2);
    }
}

ANI_INLINE void depthwise_weights_vector(float *dw, const float *x0, const float *x1,
                                         const float *x2, const float *d, int64_t count,
                                         const int stride) {
    const float *const x[3] = {x0, x1, x2};
    vec sums[9];
    ANI_UNROLL
    for (int t = 0; t < 9; t++)
        sums[t] = v_load(dw + t * BLOCK);
    int64_t i = 0;
    for (; i + 2 <= count; i += 2) {
        const vec first = v_load(d + i * BLOCK), second = v_load(d + (i + 1) * BLOCK);
        ANI_UNROLL
        for (int r = 0; r < 3; r++) {
            const float *row = x[r] + i * stride * BLOCK;
            vec value[5];
            ANI_UNROLL
            for (int k = 0; k < 3 + stride; k++)
                value[k] = v_load(row + k * BLOCK);
            ANI_UNROLL
            for (int k = 0; k < 3; k++) {
                sums[r * 3 + k] = v_fma(value[k], first, sums[r * 3 + k]);
                sums[r * 3 + k] = v_fma(value[k + stride], second, sums[r * 3 + k]);
            }
        }
    }
    for (; i < count; i++) {
        const vec value = v_load(d + i * BLOCK);
        ANI_UNROLL
        for (int r = 0; r < 3; r++)
            ANI_UNROLL
        for (int k = 0; k < 3; k++)
            sums[r * 3 + k] =
                v_fma(v_load(x[r] + (i * stride + k) * BLOCK), value, sums[r * 3 + k]);
    }
    ANI_UNROLL
    for (int t = 0; t < 9; t++)
        v_store(dw + t * BLOCK, sums[t]);
}

static void depthwise_weights(float *dw, const float *const x[3], const float *d, int64_t count,
                              int64_t stride) {
    for (int64_t j = 0; j < BLOCK; j += LANES) {
        if (stride == 1)
            depthwise_weights_vector(dw + j, x[0] + j, x[1] + j, x[2] + j, d + j, count, 1);
        else
            depthwise_weights_vector(dw + j, x[0] + j, x[1] + j, x[2] + j, d + j, count, 2);
    }
}
