/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 on one row and one block of channels. A block is processed vector by vector, with
 * the nine taps (or their nine sums) in registers; two columns at a time share the loads of x. */

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
        for (int r = 0; r < 3; r++) {
            ANI_UNROLL
            for (int k = 0; k < 3; k++)
                sum = v_fma(v_load(x[r] + (i * stride + k) * BLOCK), taps[r * 3 + k], sum);
        }
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

/* Channels j..; the first vector asks for the lines of all. */
ANI_INLINE void depthwise_spread_vector(float *out, const ani_depthwise *d, int64_t j,
                                        const int rows) {
    vec taps[6];
    ANI_UNROLL
    for (int t = 0; t < 3 * rows; t++)
        taps[t] = v_load(d->w + t * BLOCK + j);
    for (int64_t i = 0; i < d->count; i++) {
        vec even = v_zero(), odd = v_zero();
        if (j == 0) depthwise_ask(d, i, 1, 1);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const float *row = d->x[r] + i * BLOCK + j;
            const vec before = v_load(row), here = v_load(row + BLOCK);
            even = v_fma(here, taps[r * 3], even);
            even = v_fma(before, taps[r * 3 + 2], even);
            odd = v_fma(here, taps[r * 3 + 1], odd);
        }
        v_store(out + 2 * i * BLOCK, even);
        v_store(out + (2 * i + 1) * BLOCK, odd);
    }
}

static void depthwise_spread(float *out, const ani_depthwise *d, int64_t rows) {
    for (int64_t j = 0; j < BLOCK; j += LANES) {
        if (rows == 1)
            depthwise_spread_vector(out + j, d, j, 1);
        else
            depthwise_spread_vector(out + j, d, j, 2);
    }
}

/* Channels j..; the first vector asks for the lines of all. */
ANI_INLINE void depthwise_weights_vector(float *dw, const ani_depthwise *d, const float *g,
                                         int64_t j, const int stride) {
    const float *const x[3] = {d->x[0] + j, d->x[1] + j, d->x[2] + j};
    vec sums[9];
    ANI_UNROLL
    for (int t = 0; t < 9; t++)
        sums[t] = v_load(dw + t * BLOCK);
    int64_t i = 0;
    for (; i + 2 <= d->count; i += 2) {
        const vec first = v_load(g + i * BLOCK), second = v_load(g + (i + 1) * BLOCK);
        if (j == 0) depthwise_ask(d, i, 2, stride);
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
    for (; i < d->count; i++) {
        const vec value = v_load(g + i * BLOCK);
        if (j == 0) depthwise_ask(d, i, 1, stride);
        ANI_UNROLL
        for (int r = 0; r < 3; r++) {
            ANI_UNROLL
            for (int k = 0; k < 3; k++)
                sums[r * 3 + k] =
                    v_fma(v_load(x[r] + (i * stride + k) * BLOCK), value, sums[r * 3 + k]);
        }
    }
    ANI_UNROLL
    for (int t = 0; t < 9; t++)
        v_store(dw + t * BLOCK, sums[t]);
}

static void depthwise_weights(float *dw, const ani_depthwise *d, const float *g) {
    for (int64_t j = 0; j < BLOCK; j += LANES) {
        if (d->stride == 1)
            depthwise_weights_vector(dw + j, d, g + j, j, 1);
        else
            depthwise_weights_vector(dw + j, d, g + j, j, 2);
    }
}
