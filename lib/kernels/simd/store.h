/* SPDX-License-Identifier: MIT
 * Storing of tiles, with the sums computed on the way. The tile is in cache, so columns of a few
 * vectors are traversed over all rows, with the channel sums in registers. */

enum { STORE_VECTORS = 4, GRADIENT_VECTORS = ROUNDS_BY_HAND ? 1 : 2 };

ANI_INLINE void moments_columns(element *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows,
                                const float *pivot, double *sum, double *square, const int vectors,
                                const int stream) {
    vec p[STORE_VECTORS], s[STORE_VECTORS], q[STORE_VECTORS];
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        p[j] = v_load(pivot + j * LANES);
        s[j] = q[j] = v_zero();
    }
    for (int64_t r = 0; r < rows; r++, y += ldy, t += ldt) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++) {
            const vec value = e_round(v_load(t + j * LANES)), distance = v_sub(value, p[j]);
            put(y + j * LANES, value, stream);
            s[j] = v_add(s[j], distance);
            q[j] = v_fma(distance, distance, q[j]);
        }
    }
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        v_add_double(sum + j * LANES, s[j]);
        v_add_double(square + j * LANES, q[j]);
    }
}

ANI_INLINE void moments_all(element *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows,
                            int64_t c, const float *pivot, double *sum, double *square,
                            const int stream) {
    int64_t i = 0;
    for (; i + STORE_VECTORS * LANES <= c; i += STORE_VECTORS * LANES)
        moments_columns(y + i, ldy, t + i, ldt, rows, pivot + i, sum + i, square + i, STORE_VECTORS,
                        stream);
    const int64_t whole = (c - i) / LANES;
    if (whole == 3)
        moments_columns(y + i, ldy, t + i, ldt, rows, pivot + i, sum + i, square + i, 3, stream);
    else if (whole == 2)
        moments_columns(y + i, ldy, t + i, ldt, rows, pivot + i, sum + i, square + i, 2, stream);
    else if (whole == 1)
        moments_columns(y + i, ldy, t + i, ldt, rows, pivot + i, sum + i, square + i, 1, stream);
    i += whole * LANES;
    const int64_t rest = c - i;
    if (!rest) return;
    const vec p = v_load_part(pivot + i, rest);
    vec s = v_zero(), q = v_zero();
    for (int64_t r = 0; r < rows; r++) {
        const vec value = e_round(v_load_part(t + r * ldt + i, rest)), distance = v_sub(value, p);
        e_store_part(y + r * ldy + i, value, rest);
        s = v_add(s, distance);
        q = v_fma(distance, distance, q);
    }
    add_part_double(sum + i, s, rest);
    add_part_double(square + i, q, rest);
}

ANI_SHARED void store_moments(void *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows,
                              int64_t c, const float *pivot, double *sum, double *square,
                              int32_t stream) {
    if (stream && can_stream(y, ldy))
        moments_all(y, ldy, t, ldt, rows, c, pivot, sum, square, 1);
    else
        moments_all(y, ldy, t, ldt, rows, c, pivot, sum, square, 0);
}

ANI_INLINE void sum_all(element *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows,
                        int64_t c, const element *residual, const int add) {
    const int64_t whole = c / LANES * LANES, rest = c - whole;
    for (int64_t r = 0; r < rows; r++, y += ldy, t += ldt) {
        const element *of = add ? residual + r * ldy : NULL;
        for (int64_t i = 0; i < whole; i += LANES)
            e_store(y + i, e_round(add ? v_add(v_load(t + i), e_load(of + i)) : v_load(t + i)));
        if (!rest) continue;
        const vec last = v_load_part(t + whole, rest);
        e_store_part(y + whole, e_round(add ? v_add(last, e_load_part(of + whole, rest)) : last),
                     rest);
    }
}

static void store_sum(void *y, int64_t ldy, const float *t, int64_t ldt, int64_t rows, int64_t c,
                      const void *residual) {
    if (residual)
        sum_all(y, ldy, t, ldt, rows, c, residual, 1);
    else
        sum_all(y, ldy, t, ldt, rows, c, NULL, 0);
}

ANI_INLINE vec value_vector(vec t, vec shift, const int relu6) {
    const vec value = v_add(t, shift);
    return relu6 ? e_clip(value) : value;
}

/* rest 0: one whole vector; else the first `rest` lanes of one. */
ANI_INLINE void value_column(const ani_value_store *at, const float *t, int64_t ldt, int64_t rows,
                             int64_t rest, const int relu6, const int add, const int stream) {
    const element *residual = at->residual;
    element *y = at->y;
    const vec shift = rest ? v_load_part(at->shift, rest) : v_load(at->shift);
    for (int64_t r = 0; r < rows; r++, t += ldt, y += at->ldy) {
        vec value = value_vector(rest ? v_load_part(t, rest) : v_load(t), shift, relu6);
        if (add) {
            const element *of = residual + r * at->ldy;
            value = v_add(value, rest ? e_load_part(of, rest) : e_load(of));
        }
        if (rest)
            e_store_part(y, e_round(value), rest);
        else
            put(y, e_round(value), stream);
    }
}

ANI_INLINE void value_all(const ani_value_store *to, const float *t, int64_t ldt, int64_t rows,
                          int64_t c, const int relu6, const int add, const int stream) {
    int64_t i = 0;
    for (; i + LANES <= c; i += LANES) {
        const ani_value_store at = ani_value_at(to, ELEMENT, 0, i);
        value_column(&at, t + i, ldt, rows, 0, relu6, add, stream);
    }
    if (i == c) return;
    const ani_value_store at = ani_value_at(to, ELEMENT, 0, i);
    value_column(&at, t + i, ldt, rows, c - i, relu6, add, stream);
}

ANI_SHARED void store_value(const ani_value_store *to, const float *t, int64_t ldt, int64_t rows,
                            int64_t c, int32_t stream) {
    if (to->residual)
        value_all(to, t, ldt, rows, c, 0, 1, 0);
    else if (!to->relu6)
        value_all(to, t, ldt, rows, c, 0, 0, 0);
    else if (stream && can_stream(to->y, to->ldy))
        value_all(to, t, ldt, rows, c, 1, 0, 1);
    else
        value_all(to, t, ldt, rows, c, 1, 0, 0);
}

/* What is summed besides the store. */
enum { NO_SUMS, SUM, SUM_AND_DOT };

/* rest 0: `vectors` whole vectors; else one vector of the first `rest` lanes. same: z is x. */
ANI_INLINE void gradient_store_columns(const ani_gradient_store *at, const float *t, int64_t ldt,
                                       int64_t rows, int64_t rest, const int vectors,
                                       const int masked, const int affine, const int summed,
                                       const int same, const int stream) {
    const element *from = at->x, *add = at->add, *z = at->z;
    element *dx = at->dx;
    vec scale[GRADIENT_VECTORS], shift[GRADIENT_VECTORS], mean[GRADIENT_VECTORS];
    vec sum[GRADIENT_VECTORS], dot[GRADIENT_VECTORS];
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const int64_t i = j * LANES;
        scale[j] = !affine ? v_zero() : rest ? v_load_part(at->scale, rest) : v_load(at->scale + i);
        shift[j] = !affine ? v_zero() : rest ? v_load_part(at->shift, rest) : v_load(at->shift + i);
        mean[j] = summed != SUM_AND_DOT ? v_zero()
                  : rest                ? v_load_part(at->mean, rest)
                                        : v_load(at->mean + i);
        sum[j] = dot[j] = v_zero();
    }
    for (int64_t r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++) {
            const int64_t i = r * at->ldx + j * LANES;
            vec value = rest ? v_load_part(t + r * ldt, rest) : v_load(t + r * ldt + j * LANES);
            vec x = v_zero();
            if (add) value = v_add(value, rest ? e_load_part(add + i, rest) : e_load(add + i));
            if (masked) {
                x = rest ? e_load_part(from + i, rest) : e_load(from + i);
                value =
                    v_pass(value, affine ? v_fma(x, scale[j], shift[j]) : x, v_zero(), v_set(6));
            }
            value = e_round(value);
            if (rest)
                e_store_part(dx + i, value, rest);
            else
                put(dx + i, value, stream);
            if (!summed) continue;
            sum[j] = v_add(sum[j], value);
            if (summed == SUM) continue;
            if (!same) x = rest ? e_load_part(z + i, rest) : e_load(z + i);
            dot[j] = v_fma(value, v_sub(x, mean[j]), dot[j]);
        }
    }
    if (!summed) return;
    if (rest) {
        add_part_double(at->sum, sum[0], rest);
        if (summed == SUM_AND_DOT) add_part_double(at->dot, dot[0], rest);
        return;
    }
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        v_add_double(at->sum + j * LANES, sum[j]);
        if (summed == SUM_AND_DOT) v_add_double(at->dot + j * LANES, dot[j]);
    }
}

ANI_INLINE void gradient_store_all(const ani_gradient_store *to, const float *t, int64_t ldt,
                                   int64_t rows, int64_t c, const int masked, const int affine,
                                   const int summed, const int same, const int stream) {
    enum { STEP = GRADIENT_VECTORS * LANES };
    int64_t i = 0;
    for (; i + STEP <= c; i += STEP) {
        const ani_gradient_store at = ani_gradient_at(to, ELEMENT, 0, i);
        gradient_store_columns(&at, t + i, ldt, rows, 0, GRADIENT_VECTORS, masked, affine, summed,
                               same, stream);
    }
    for (; i + LANES <= c; i += LANES) {
        const ani_gradient_store at = ani_gradient_at(to, ELEMENT, 0, i);
        gradient_store_columns(&at, t + i, ldt, rows, 0, 1, masked, affine, summed, same, stream);
    }
    if (i == c) return;
    const ani_gradient_store at = ani_gradient_at(to, ELEMENT, 0, i);
    gradient_store_columns(&at, t + i, ldt, rows, c - i, 1, masked, affine, summed, same, stream);
}

/* Each case that occurs in the network is compiled separately; the others share one. */
ANI_SHARED void store_gradient(const ani_gradient_store *to, const float *t, int64_t ldt,
                               int64_t rows, int64_t c, int32_t stream) {
    const int streamed = stream && can_stream(to->dx, to->ldx);
    const int summed = !to->sum ? NO_SUMS : to->z ? SUM_AND_DOT : SUM;
    if (to->x && to->scale && summed == SUM_AND_DOT && to->z == to->x) {
        if (streamed)
            gradient_store_all(to, t, ldt, rows, c, 1, 1, SUM_AND_DOT, 1, 1);
        else
            gradient_store_all(to, t, ldt, rows, c, 1, 1, SUM_AND_DOT, 1, 0);
    } else if (to->x && !to->scale && summed == SUM) {
        if (streamed)
            gradient_store_all(to, t, ldt, rows, c, 1, 0, SUM, 0, 1);
        else
            gradient_store_all(to, t, ldt, rows, c, 1, 0, SUM, 0, 0);
    } else if (!to->x && summed == SUM_AND_DOT) {
        if (streamed)
            gradient_store_all(to, t, ldt, rows, c, 0, 0, SUM_AND_DOT, 0, 1);
        else
            gradient_store_all(to, t, ldt, rows, c, 0, 0, SUM_AND_DOT, 0, 0);
    } else if (!to->x && summed == SUM) {
        gradient_store_all(to, t, ldt, rows, c, 0, 0, SUM, 0, 0);
    } else if (!to->x) {
        gradient_store_all(to, t, ldt, rows, c, 0, 0, NO_SUMS, 0, 0);
    } else {
        gradient_store_all(to, t, ldt, rows, c, 1, to->scale != NULL, summed, 0, 0);
    }
}
