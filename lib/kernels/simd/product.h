/* SPDX-License-Identifier: MIT
 * Products of tiles. The register tile has `rows` rows and `vectors` vectors of sums; one step
 * loads the vectors of one row of b and broadcasts one element of each row of a. With 12 sums
 * (AVX2) or 24 there are enough independent chains to hide the latency of the multiply-add, and
 * fewer loads than multiply-adds. a needs no packing: its elements are broadcast from where they
 * lie. */

enum { WIDE = 3 * LANES, NARROW = 2 * LANES };

/** The lines that a product asks for, and how many of each range at each register tile. */
typedef struct ahead_lines {
    const char *at[2], *end[2];
    int64_t step[2];
} ahead_lines;

ANI_INLINE ahead_lines ahead_begin(const ani_ahead *ahead, int64_t tiles) {
    enum { LINE = 64 };
    ahead_lines lines = {{NULL, NULL}, {NULL, NULL}, {0, 0}};
    for (int i = 0; ahead && i < 2; i++) {
        if (!ahead->from[i]) continue;
        lines.at[i] = (const char *)ahead->from[i];
        lines.end[i] = (const char *)(ahead->from[i] + ahead->count[i]);
        lines.step[i] = (lines.end[i] - lines.at[i]) / LINE / tiles + 1;
    }
    return lines;
}

ANI_INLINE void ahead_step(ahead_lines *lines) {
    enum { LINE = 64 };
    for (int i = 0; i < 2; i++)
        for (int64_t j = 0; j < lines->step[i] && lines->at[i] < lines->end[i]; j++) {
            __builtin_prefetch(lines->at[i], 0, 2);
            lines->at[i] += LINE;
        }
}

ANI_INLINE void product_sums(vec sums[12][3], const float *a, int64_t lda, const float *b,
                             int64_t k, const int rows, const int vectors) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        sums[r][j] = v_zero();
    for (int64_t i = 0; i < k; i++, b += vectors * LANES) {
        vec row[3];
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            row[j] = v_load(b + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec value = v_broadcast(a + r * lda + i);
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[r][j] = v_fma(value, row[j], sums[r][j]);
        }
    }
}

ANI_INLINE void product_tile(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                             int64_t k, const int rows, const int vectors) {
    vec sums[12][3];
    product_sums(sums, a, lda, b, k, rows, vectors);
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        v_store(c + r * ldc + j * LANES, sums[r][j]);
}

static void product(float *c, int64_t ldc, const float *a, int64_t lda, const float *packed,
                    int64_t rows, int64_t k, int64_t n, int32_t width) {
    for (int64_t column = 0; column < n; column += width, packed += k * width) {
        if (width == WIDE)
            for (int64_t r = 0; r < rows; r += WIDE_ROWS)
                product_tile(c + r * ldc + column, ldc, a + r * lda, lda, packed, k, WIDE_ROWS, 3);
        else
            for (int64_t r = 0; r < rows; r += NARROW_ROWS)
                product_tile(c + r * ldc + column, ldc, a + r * lda, lda, packed, k, NARROW_ROWS,
                             2);
    }
}

/* --- stored as they leave the registers ----------------------------------------------------------
 * A register tile that is whole goes straight to where it is wanted; a ragged one, at the last rows
 * or columns, takes the way over a tile in memory. The channels' sums of a panel are kept in float
 * over the rows of the call. */

enum { PANEL_SUMS = 48 }; /* the widest panel of any level; a block of depthwise too */
_Static_assert((int)WIDE <= (int)PANEL_SUMS && (int)BLOCK <= (int)PANEL_SUMS, "room for the sums");

typedef struct panel_sums {
    float first[PANEL_SUMS], second[PANEL_SUMS];
} panel_sums;

ANI_INLINE void panel_sums_add(const panel_sums *sums, double *first, double *second,
                               const int vectors) {
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        v_add_double(first + j * LANES, v_load(sums->first + j * LANES));
        v_add_double(second + j * LANES, v_load(sums->second + j * LANES));
    }
}

ANI_INLINE void moments_tile(float *y, int64_t ldy, vec sums[12][3], const float *pivot,
                             panel_sums *panel, const int rows, const int vectors,
                             const int stream) {
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const vec p = v_load(pivot + j * LANES);
        vec sum = v_load(panel->first + j * LANES), square = v_load(panel->second + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec off = v_sub(sums[r][j], p);
            sum = v_add(sum, off);
            square = v_fma(off, off, square);
        }
        v_store(panel->first + j * LANES, sum);
        v_store(panel->second + j * LANES, square);
    }
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        put(y + r * ldy + j * LANES, sums[r][j], stream);
}

ANI_INLINE void product_moments_all(const ani_product *p, float *y, int64_t ldy, const float *pivot,
                                    double *sum, double *square, const int rows, const int vectors,
                                    const int stream) {
    const int64_t width = vectors * LANES, panels = (p->n + width - 1) / width;
    ahead_lines lines = ahead_begin(&p->ahead, panels * ((p->rows + rows - 1) / rows));
    for (int64_t column = 0; column < p->n; column += width) {
        const float *b = p->packed + column * p->k;
        const int64_t columns = p->n - column < width ? p->n - column : width;
        panel_sums panel = {{0}, {0}};
        for (int64_t r = 0; r < p->rows; r += rows) {
            const float *a = p->a + r * p->lda;
            float *to = y + r * ldy + column;
            if (columns == width && r + rows <= p->rows) {
                vec sums[12][3];
                product_sums(sums, a, p->lda, b, p->k, rows, vectors);
                moments_tile(to, ldy, sums, pivot + column, &panel, rows, vectors, stream);
            } else {
                float tile[12 * WIDE];
                product_tile(tile, width, a, p->lda, b, p->k, rows, vectors);
                moments_all(to, ldy, tile, width, p->rows - r < rows ? p->rows - r : rows, columns,
                            pivot + column, sum + column, square + column, 0);
            }
            ahead_step(&lines);
        }
        if (columns == width) panel_sums_add(&panel, sum + column, square + column, vectors);
    }
}

/* Streamed lines must be whole in one panel. */
ANI_INLINE void product_moments_width(const ani_product *p, float *y, int64_t ldy,
                                      const float *pivot, double *sum, double *square,
                                      const int rows, const int vectors) {
    if (vectors * LANES % BLOCK == 0 && p->stream && is_aligned(y, ldy))
        product_moments_all(p, y, ldy, pivot, sum, square, rows, vectors, 1);
    else
        product_moments_all(p, y, ldy, pivot, sum, square, rows, vectors, 0);
}

static void product_moments(const ani_product *p, float *y, int64_t ldy, const float *pivot,
                            double *sum, double *square) {
    if (p->width == WIDE)
        product_moments_width(p, y, ldy, pivot, sum, square, WIDE_ROWS, 3);
    else
        product_moments_width(p, y, ldy, pivot, sum, square, NARROW_ROWS, 2);
}

/* The sums of a tile are by z - mean, z being x where there is a mask. */
ANI_INLINE void gradient_tile(const ani_gradient_store *to, vec sums[12][3], panel_sums *panel,
                              const int rows, const int vectors, const int masked,
                              const int stream) {
    const vec low = v_here(v_zero()), high = v_here(v_set(6));
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        sums[r][j] = v_here(sums[r][j]);
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const int64_t i = j * LANES;
        const vec mean = v_load(to->mean + i);
        const vec scale = masked ? v_load(to->scale + i) : mean;
        const vec shift = masked ? v_load(to->shift + i) : mean;
        vec sum = v_load(panel->first + i), dot = v_load(panel->second + i);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec z = v_load(to->z + r * to->ldx + i);
            vec value = sums[r][j];
            if (to->add) value = v_add(value, v_load(to->add + r * to->ldx + i));
            if (masked) value = v_pass(value, v_fma(z, scale, shift), low, high);
            sum = v_add(sum, value);
            dot = v_fma(value, v_sub(z, mean), dot);
            sums[r][j] = value;
        }
        v_store(panel->first + i, sum);
        v_store(panel->second + i, dot);
    }
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        put(to->dx + r * to->ldx + j * LANES, sums[r][j], stream);
}

/* direct 0: all tiles take the way over memory. */
ANI_INLINE void product_gradient_all(const ani_product *p, const ani_gradient_store *to,
                                     const int rows, const int vectors, const int direct,
                                     const int masked, const int stream) {
    const int64_t width = vectors * LANES, panels = (p->n + width - 1) / width;
    ahead_lines lines = ahead_begin(&p->ahead, panels * ((p->rows + rows - 1) / rows));
    for (int64_t column = 0; column < p->n; column += width) {
        const float *b = p->packed + column * p->k;
        const int64_t columns = p->n - column < width ? p->n - column : width;
        const int whole = direct && columns == width;
        panel_sums panel = {{0}, {0}};
        for (int64_t r = 0; r < p->rows; r += rows) {
            const float *a = p->a + r * p->lda;
            const ani_gradient_store at = ani_gradient_at(to, r * to->ldx, column);
            if (whole && r + rows <= p->rows) {
                vec sums[12][3];
                product_sums(sums, a, p->lda, b, p->k, rows, vectors);
                gradient_tile(&at, sums, &panel, rows, vectors, masked, stream);
            } else {
                float tile[12 * WIDE];
                product_tile(tile, width, a, p->lda, b, p->k, rows, vectors);
                store_gradient(&at, tile, width, p->rows - r < rows ? p->rows - r : rows, columns,
                               0);
            }
            ahead_step(&lines);
        }
        if (whole) panel_sums_add(&panel, to->sum + column, to->dot + column, vectors);
    }
}

/* The cases that the network meets are compiled each for itself. */
ANI_INLINE void product_gradient_width(const ani_product *p, const ani_gradient_store *to,
                                       const int rows, const int vectors) {
    const int streamed = vectors * LANES % BLOCK == 0 && p->stream && is_aligned(to->dx, to->ldx);
    if (to->x && to->scale && to->sum && to->z == to->x) {
        if (streamed)
            product_gradient_all(p, to, rows, vectors, 1, 1, 1);
        else
            product_gradient_all(p, to, rows, vectors, 1, 1, 0);
    } else if (!to->x && to->sum) {
        if (streamed)
            product_gradient_all(p, to, rows, vectors, 1, 0, 1);
        else
            product_gradient_all(p, to, rows, vectors, 1, 0, 0);
    } else {
        product_gradient_all(p, to, rows, vectors, 0, 0, 0);
    }
}

static void product_gradient(const ani_product *p, const ani_gradient_store *to) {
    if (p->width == WIDE)
        product_gradient_width(p, to, WIDE_ROWS, 3);
    else
        product_gradient_width(p, to, NARROW_ROWS, 2);
}

/* --- the weight gradient -------------------------------------------------------------------------
 */

ANI_INLINE void product_transposed_tile(float *c, int64_t ldc, const float *a, int64_t lda,
                                        const float *b, int64_t ldb, int64_t count, const int rows,
                                        const int vectors) {
    vec sums[12][3];
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        sums[r][j] = v_load(c + r * ldc + j * LANES);
    for (int64_t i = 0; i < count; i++, a += lda, b += ldb) {
        vec row[3];
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            row[j] = v_load(b + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec value = v_broadcast(a + r);
            ANI_UNROLL
            for (int j = 0; j < vectors; j++)
                sums[r][j] = v_fma(value, row[j], sums[r][j]);
        }
    }
    ANI_UNROLL
    for (int r = 0; r < rows; r++)
        ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        v_store(c + r * ldc + j * LANES, sums[r][j]);
}

ANI_INLINE void product_transposed_all(float *c, int64_t ldc, const float *a, int64_t lda,
                                       const float *b, int64_t ldb, int64_t count, int64_t k,
                                       int64_t n, const ani_ahead *ahead, const int rows,
                                       const int vectors) {
    const int64_t width = vectors * LANES;
    ahead_lines lines = ahead_begin(ahead, (n + width - 1) / width * ((k + rows - 1) / rows));
    for (int64_t column = 0; column < n; column += width)
        for (int64_t i = 0; i < k; i += rows) {
            product_transposed_tile(c + i * ldc + column, ldc, a + i, lda, b + column, ldb, count,
                                    rows, vectors);
            ahead_step(&lines);
        }
}

static void product_transposed(float *c, int64_t ldc, const float *a, int64_t lda, const float *b,
                               int64_t ldb, int64_t rows, int64_t k, int64_t n, int32_t width,
                               const ani_ahead *ahead) {
    if (width == WIDE)
        product_transposed_all(c, ldc, a, lda, b, ldb, rows, k, n, ahead, WIDE_ROWS, 3);
    else
        product_transposed_all(c, ldc, a, lda, b, ldb, rows, k, n, ahead, NARROW_ROWS, 2);
}
