/* SPDX-License-Identifier: MIT
 * Depthwise 3x3 on one row and one block of channels, stored directly from registers to a tensor.
 * Both halves of a cache line are stored in one step, so that a streamed line is written whole; the
 * taps are reloaded for each step of four columns, which share them. */

enum { STEP_COLUMNS = 4 };

ANI_INLINE void depthwise_ask(const ani_depthwise *d, int64_t i, const int columns,
                              const int stride) {
    for (int t = 0; t < 2; t++) {
        if (!d->next[t]) continue;
        const char *at = (const char *)d->next[t] + i * stride * d->next_stride;
        ANI_UNROLL
        for (int c = 0; c < columns * stride; c++)
            __builtin_prefetch(at + c * d->next_stride, 0, 2);
    }
}

/* Channels j.. of columns i.. */
ANI_INLINE void depthwise_sums(vec out[STEP_COLUMNS], const ani_depthwise *d, int64_t i, int64_t j,
                               const int columns, const int stride) {
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
}

ANI_INLINE void depthwise_columns(const ani_depthwise *d, int64_t i, element *y, int64_t ldy,
                                  const float *pivot, panel_sums *sums, const int columns,
                                  const int stride, const int stream) {
    depthwise_ask(d, i, columns, stride);
    ANI_UNROLL
    for (int j = 0; j < BLOCK; j += LANES) {
        vec out[STEP_COLUMNS];
        depthwise_sums(out, d, i, j, columns, stride);
        const vec p = v_load(pivot + j);
        vec sum = v_load(sums->first + j), square = v_load(sums->second + j);
        ANI_UNROLL
        for (int c = 0; c < columns; c++) {
            const vec value = e_round(out[c]), off = v_sub(value, p);
            sum = v_add(sum, off);
            square = v_fma(off, off, square);
            put(y + (i + c) * ldy + j, value, stream);
        }
        v_store(sums->first + j, sum);
        v_store(sums->second + j, square);
    }
}

ANI_INLINE void depthwise_moments_all(const ani_depthwise *d, element *y, int64_t ldy,
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

static void depthwise_moments(const ani_depthwise *d, void *y, int64_t ldy, const float *pivot,
                              double *sum, double *square) {
    const int streamed = d->streamed && can_stream(y, ldy);
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

ANI_INLINE void depthwise_value_columns(const ani_depthwise *d, int64_t i,
                                        const ani_value_store *to, const int columns,
                                        const int stride, const int stream) {
    element *y = (element *)to->y + i * to->ldy;
    depthwise_ask(d, i, columns, stride);
    ANI_UNROLL
    for (int j = 0; j < BLOCK; j += LANES) {
        vec out[STEP_COLUMNS];
        depthwise_sums(out, d, i, j, columns, stride);
        const vec shift = v_load(to->shift + j);
        ANI_UNROLL
        for (int c = 0; c < columns; c++)
            put(y + c * to->ldy + j, e_round(value_vector(out[c], shift, 1)), stream);
    }
}

ANI_INLINE void depthwise_value_all(const ani_depthwise *d, const ani_value_store *to,
                                    const int stride, const int stream) {
    int64_t i = 0;
    for (; i + STEP_COLUMNS <= d->count; i += STEP_COLUMNS)
        depthwise_value_columns(d, i, to, STEP_COLUMNS, stride, stream);
    for (; i < d->count; i++)
        depthwise_value_columns(d, i, to, 1, stride, stream);
}

static void depthwise_value(const ani_depthwise *d, const ani_value_store *to) {
    const int streamed = d->streamed && can_stream(to->y, to->ldy);
    if (d->stride == 1) {
        if (streamed)
            depthwise_value_all(d, to, 1, 1);
        else
            depthwise_value_all(d, to, 1, 0);
    } else if (streamed) {
        depthwise_value_all(d, to, 2, 1);
    } else {
        depthwise_value_all(d, to, 2, 0);
    }
}

ANI_INLINE void depthwise_gradient_columns(const ani_depthwise *d, int64_t i,
                                           const ani_gradient_store *to, panel_sums *sums,
                                           const int columns, const int masked, const int stream) {
    const element *x = (const element *)to->x + i * to->ldx;
    element *dx = (element *)to->dx + i * to->ldx;
    depthwise_ask(d, i, columns, 1);
    ANI_UNROLL
    for (int j = 0; j < BLOCK; j += LANES) {
        vec out[STEP_COLUMNS];
        depthwise_sums(out, d, i, j, columns, 1);
        const int affine = masked == AFFINE;
        const vec scale = affine ? v_load(to->scale + j) : v_zero();
        const vec shift = affine ? v_load(to->shift + j) : v_zero();
        const vec mean = affine ? v_load(to->mean + j) : v_zero();
        vec sum = v_load(sums->first + j), dot = affine ? v_load(sums->second + j) : v_zero();
        ANI_UNROLL
        for (int c = 0; c < columns; c++) {
            const vec z = e_load(x + c * to->ldx + j);
            const vec y = affine ? v_fma(z, scale, shift) : z;
            const vec value = e_round(v_pass(out[c], y, v_zero(), v_set(6)));
            sum = v_add(sum, value);
            if (affine) dot = v_fma(value, v_sub(z, mean), dot);
            put(dx + c * to->ldx + j, value, stream);
        }
        v_store(sums->first + j, sum);
        if (affine) v_store(sums->second + j, dot);
    }
}

ANI_INLINE void depthwise_gradient_all(const ani_depthwise *d, const ani_gradient_store *to,
                                       const int masked, const int stream) {
    panel_sums sums = {{0}, {0}};
    int64_t i = 0;
    for (; i + STEP_COLUMNS <= d->count; i += STEP_COLUMNS)
        depthwise_gradient_columns(d, i, to, &sums, STEP_COLUMNS, masked, stream);
    for (; i < d->count; i++)
        depthwise_gradient_columns(d, i, to, &sums, 1, masked, stream);
    if (masked == AFFINE)
        panel_sums_add(&sums, to->sum, to->dot, BLOCK / LANES);
    else
        panel_sum_add(&sums, to->sum, BLOCK / LANES);
}

static void depthwise_gradient(const ani_depthwise *d, const ani_gradient_store *to) {
    const int streamed = d->streamed && can_stream(to->dx, to->ldx);
    if (to->scale) {
        if (streamed)
            depthwise_gradient_all(d, to, AFFINE, 1);
        else
            depthwise_gradient_all(d, to, AFFINE, 0);
    } else if (streamed) {
        depthwise_gradient_all(d, to, CLAMPED, 1);
    } else {
        depthwise_gradient_all(d, to, CLAMPED, 0);
    }
}
