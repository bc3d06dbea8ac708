/* SPDX-License-Identifier: MIT
 * Loading of tiles. Rows of many channels are traversed in memory order, as the processor's
 * prefetcher expects; narrow ones (depthwise blocks) column by column, with the per-channel numbers
 * in registers. */

enum { NARROW_VECTORS = 4 };

ANI_INLINE vec normalise_vector(vec z, vec scale, vec shift, const int affine, const int clip) {
    if (affine) z = v_fma(z, scale, shift);
    return clip ? v_clip(z) : z;
}

/* count < LANES columns of all rows. */
ANI_INLINE void normalise_rest(float *out, int64_t ldo, const element *z, int64_t ldz, int64_t rows,
                               int64_t count, const float *scale, const float *shift,
                               const int affine, const int clip) {
    const vec s = affine ? v_load_part(scale, count) : v_zero();
    const vec t = affine ? v_load_part(shift, count) : v_zero();
    for (int64_t r = 0; r < rows; r++, out += ldo, z += ldz)
        v_store_part(out, normalise_vector(e_load_part(z, count), s, t, affine, clip), count);
}

ANI_INLINE void normalise_columns(float *out, int64_t ldo, const element *z, int64_t ldz,
                                  int64_t rows, const float *scale, const float *shift,
                                  const int vectors, const int affine, const int clip) {
    vec s[NARROW_VECTORS], t[NARROW_VECTORS];
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        s[j] = affine ? v_load(scale + j * LANES) : v_zero();
        t[j] = affine ? v_load(shift + j * LANES) : v_zero();
    }
    for (int64_t r = 0; r < rows; r++, out += ldo, z += ldz) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            v_store(out + j * LANES,
                    normalise_vector(e_load(z + j * LANES), s[j], t[j], affine, clip));
    }
}

ANI_INLINE void normalise_all(float *out, int64_t ldo, const element *z, int64_t ldz, int64_t rows,
                              int64_t c, const float *scale, const float *shift, const int affine,
                              const int clip) {
    const int64_t whole = c / LANES;
    if (whole == 1)
        normalise_columns(out, ldo, z, ldz, rows, scale, shift, 1, affine, clip);
    else if (whole == 2)
        normalise_columns(out, ldo, z, ldz, rows, scale, shift, 2, affine, clip);
    else if (whole == 3)
        normalise_columns(out, ldo, z, ldz, rows, scale, shift, 3, affine, clip);
    else if (whole == 4)
        normalise_columns(out, ldo, z, ldz, rows, scale, shift, 4, affine, clip);
    else
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < whole * LANES; i += LANES)
                v_store(out + r * ldo + i,
                        normalise_vector(e_load(z + r * ldz + i),
                                         affine ? v_load(scale + i) : v_zero(),
                                         affine ? v_load(shift + i) : v_zero(), affine, clip));
    if (c % LANES == 0) return;
    const int64_t done = whole * LANES;
    normalise_rest(out + done, ldo, z + done, ldz, rows, c - done, affine ? scale + done : NULL,
                   affine ? shift + done : NULL, affine, clip);
}

static void normalise(float *out, int64_t ldo, const void *z, int64_t ldz, int64_t rows, int64_t c,
                      const float *scale, const float *shift, int32_t relu6) {
    if (scale && relu6)
        normalise_all(out, ldo, z, ldz, rows, c, scale, shift, 1, 1);
    else if (scale)
        normalise_all(out, ldo, z, ldz, rows, c, scale, shift, 1, 0);
    else if (relu6)
        normalise_all(out, ldo, z, ldz, rows, c, scale, shift, 0, 1);
    else
        normalise_all(out, ldo, z, ldz, rows, c, scale, shift, 0, 0);
}

/* terms: 0 g; 1 a*g; 2 a*g + b*z + c */
ANI_INLINE vec gradient_vector(vec g, vec z, vec a, vec b, vec c, const int terms) {
    if (terms == 2) return v_fma(a, g, v_fma(b, z, c));
    return terms == 1 ? v_mul(a, g) : g;
}

ANI_INLINE void gradient_columns(float *out, int64_t ldo, const element *g, const element *z,
                                 int64_t ldg, int64_t rows, const float *a, const float *b,
                                 const float *c, const int vectors, const int terms) {
    vec u[NARROW_VECTORS], v[NARROW_VECTORS], w[NARROW_VECTORS];
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        u[j] = terms >= 1 ? v_load(a + j * LANES) : v_zero();
        v[j] = terms == 2 ? v_load(b + j * LANES) : v_zero();
        w[j] = terms == 2 ? v_load(c + j * LANES) : v_zero();
    }
    for (int64_t r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            v_store(out + r * ldo + j * LANES,
                    gradient_vector(e_load(g + r * ldg + j * LANES),
                                    terms == 2 ? e_load(z + r * ldg + j * LANES) : v_zero(), u[j],
                                    v[j], w[j], terms));
    }
}

ANI_INLINE void gradient_all(float *out, int64_t ldo, const element *g, const element *z,
                             int64_t ldg, int64_t rows, int64_t channels, const float *a,
                             const float *b, const float *c, const int terms) {
    const int64_t whole = channels / LANES;
    if (whole == 1)
        gradient_columns(out, ldo, g, z, ldg, rows, a, b, c, 1, terms);
    else if (whole == 2)
        gradient_columns(out, ldo, g, z, ldg, rows, a, b, c, 2, terms);
    else if (whole == 3)
        gradient_columns(out, ldo, g, z, ldg, rows, a, b, c, 3, terms);
    else if (whole == 4)
        gradient_columns(out, ldo, g, z, ldg, rows, a, b, c, 4, terms);
    else
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < whole * LANES; i += LANES)
                v_store(out + r * ldo + i,
                        gradient_vector(e_load(g + r * ldg + i),
                                        terms == 2 ? e_load(z + r * ldg + i) : v_zero(),
                                        terms >= 1 ? v_load(a + i) : v_zero(),
                                        terms == 2 ? v_load(b + i) : v_zero(),
                                        terms == 2 ? v_load(c + i) : v_zero(), terms));
    const int64_t rest = channels % LANES, done = whole * LANES;
    if (!rest) return;
    const vec u = terms >= 1 ? v_load_part(a + done, rest) : v_zero();
    const vec v = terms == 2 ? v_load_part(b + done, rest) : v_zero();
    const vec w = terms == 2 ? v_load_part(c + done, rest) : v_zero();
    for (int64_t r = 0; r < rows; r++)
        v_store_part(out + r * ldo + done,
                     gradient_vector(e_load_part(g + r * ldg + done, rest),
                                     terms == 2 ? e_load_part(z + r * ldg + done, rest) : v_zero(),
                                     u, v, w, terms),
                     rest);
}

static void gradient(float *out, int64_t ldo, const void *g, const void *z, int64_t ldg,
                     int64_t rows, int64_t channels, const float *a, const float *b,
                     const float *c) {
    if (z)
        gradient_all(out, ldo, g, z, ldg, rows, channels, a, b, c, 2);
    else if (a)
        gradient_all(out, ldo, g, z, ldg, rows, channels, a, b, c, 1);
    else
        gradient_all(out, ldo, g, z, ldg, rows, channels, a, b, c, 0);
}
