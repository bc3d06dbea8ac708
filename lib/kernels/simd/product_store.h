/* SPDX-License-Identifier: MIT
 * Products of tiles, stored directly from registers to tensors. A complete register tile is stored
 * directly at its destination; a partial one, at the last rows or columns, goes through a tile in
 * memory. The channel sums of a panel are kept in float over the rows of the call. */

enum { PANEL_SUMS = 48 }; /* the widest panel of any ISA level; also a depthwise block */
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

ANI_INLINE void panel_sum_add(const panel_sums *sums, double *first, const int vectors) {
    ANI_UNROLL
    for (int j = 0; j < vectors; j++)
        v_add_double(first + j * LANES, v_load(sums->first + j * LANES));
}

/* The sums of a register tile on their way to a tensor. Floats stay in registers, and so do values
 * that an instruction rounds to bfloat16. Rounding in software takes registers that the sums
 * occupy, and compilers then spill sums inside the product's loop: so the sums go to memory first,
 * which the compiler cannot optimise away. */
enum { IN_REGISTERS = !ROUNDS_BY_HAND };

ANI_INLINE void put_aside(float *tile, vec sums[MOST_ROWS][3], const int rows, const int vectors) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            v_store(tile + (r * vectors + j) * LANES, sums[r][j]);
    }
    __asm__ volatile("" : : "r"(tile) : "memory");
}

ANI_INLINE void put_rows(element *y, int64_t ldy, vec sums[MOST_ROWS][3], const int rows,
                         const int vectors, const int stream) {
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            put(y + r * ldy + j * LANES, sums[r][j], stream);
    }
}

ANI_INLINE void moments_tile(element *y, int64_t ldy, vec sums[MOST_ROWS][3], const float *pivot,
                             panel_sums *panel, const int rows, const int vectors,
                             const int stream) {
    float tile[MOST_SUMS * LANES];
    if (!IN_REGISTERS) put_aside(tile, sums, rows, vectors);
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const vec p = v_load(pivot + j * LANES);
        vec sum = v_load(panel->first + j * LANES), square = v_load(panel->second + j * LANES);
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec value =
                IN_REGISTERS ? sums[r][j] : e_round(v_load(tile + (r * vectors + j) * LANES));
            const vec off = v_sub(value, p);
            if (!IN_REGISTERS) e_store(y + r * ldy + j * LANES, value);
            sum = v_add(sum, off);
            square = v_fma(off, off, square);
        }
        v_store(panel->first + j * LANES, sum);
        v_store(panel->second + j * LANES, square);
    }
    if (IN_REGISTERS) put_rows(y, ldy, sums, rows, vectors, stream);
}

ANI_INLINE void product_moments_all(const ani_product *p, element *y, int64_t ldy,
                                    const float *pivot, double *sum, double *square, const int rows,
                                    const int vectors, const int stream) {
    const int64_t width = vectors * LANES, panels = (p->n + width - 1) / width;
    ahead_lines lines = ahead_begin(&p->ahead, panels * ((p->rows + rows - 1) / rows), p->k);
    for (int64_t column = 0; column < p->n; column += width) {
        const float *b = p->packed + column * p->k;
        const int64_t columns = p->n - column < width ? p->n - column : width;
        panel_sums panel = {{0}, {0}};
        for (int64_t r = 0; r < p->rows; r += rows) {
            const float *a = p->a + r * p->lda;
            element *to = y + r * ldy + column;
            if (columns == width && r + rows <= p->rows) {
                vec sums[MOST_ROWS][3];
                product_sums(sums, a, p->lda, b, p->k, &lines, rows, vectors);
                moments_tile(to, ldy, sums, pivot + column, &panel, rows, vectors, stream);
            } else {
                float tile[MOST_SUMS * LANES];
                product_tile(tile, width, a, p->lda, b, p->k, &lines, width);
                store_moments(to, ldy, tile, width, p->rows - r < rows ? p->rows - r : rows,
                              columns, pivot + column, sum + column, square + column, 0);
            }
            ahead_end(&lines, p->k);
        }
        if (columns == width) panel_sums_add(&panel, sum + column, square + column, vectors);
    }
}

/* Streamed lines must lie completely within one panel. */
ANI_INLINE void product_moments_width(const ani_product *p, element *y, int64_t ldy,
                                      const float *pivot, double *sum, double *square,
                                      const int rows, const int vectors) {
    if (vectors * LANES % BLOCK == 0 && p->stream && can_stream(y, ldy))
        product_moments_all(p, y, ldy, pivot, sum, square, rows, vectors, 1);
    else
        product_moments_all(p, y, ldy, pivot, sum, square, rows, vectors, 0);
}

static void product_moments(const ani_product *p, void *y, int64_t ldy, const float *pivot,
                            double *sum, double *square) {
    FOR_PANEL(p->width, product_moments_width, p, y, ldy, pivot, sum, square);
}

ANI_INLINE void value_tile(const ani_value_store *to, vec sums[MOST_ROWS][3], const int rows,
                           const int vectors, const int relu6, const int add, const int stream) {
    const element *residual = to->residual;
    element *y = to->y;
    float tile[MOST_SUMS * LANES];
    if (!IN_REGISTERS) put_aside(tile, sums, rows, vectors);
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const vec shift = v_here(v_load(to->shift + j * LANES));
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const int64_t i = r * to->ldy + j * LANES;
            vec value = IN_REGISTERS ? sums[r][j] : v_load(tile + (r * vectors + j) * LANES);
            value = value_vector(value, shift, relu6);
            if (add) value = v_add(value, e_load(residual + i));
            value = e_round(value);
            if (IN_REGISTERS)
                sums[r][j] = value;
            else
                e_store(y + i, value);
        }
    }
    if (IN_REGISTERS) put_rows(y, to->ldy, sums, rows, vectors, stream);
}

ANI_INLINE void product_value_all(const ani_product *p, const ani_value_store *to, const int rows,
                                  const int vectors, const int relu6, const int add,
                                  const int stream) {
    const int64_t width = vectors * LANES, panels = (p->n + width - 1) / width;
    ahead_lines lines = ahead_begin(&p->ahead, panels * ((p->rows + rows - 1) / rows), p->k);
    for (int64_t column = 0; column < p->n; column += width) {
        const float *b = p->packed + column * p->k;
        const int64_t columns = p->n - column < width ? p->n - column : width;
        for (int64_t r = 0; r < p->rows; r += rows) {
            const float *a = p->a + r * p->lda;
            const ani_value_store at = ani_value_at(to, ELEMENT, r * to->ldy, column);
            if (columns == width && r + rows <= p->rows) {
                vec sums[MOST_ROWS][3];
                product_sums(sums, a, p->lda, b, p->k, &lines, rows, vectors);
                value_tile(&at, sums, rows, vectors, relu6, add, stream);
            } else {
                float tile[MOST_SUMS * LANES];
                product_tile(tile, width, a, p->lda, b, p->k, &lines, width);
                store_value(&at, tile, width, p->rows - r < rows ? p->rows - r : rows, columns, 0);
            }
            ahead_end(&lines, p->k);
        }
    }
}

ANI_INLINE void product_value_width(const ani_product *p, const ani_value_store *to, const int rows,
                                    const int vectors) {
    if (to->residual)
        product_value_all(p, to, rows, vectors, 0, 1, 0);
    else if (!to->relu6)
        product_value_all(p, to, rows, vectors, 0, 0, 0);
    else if (vectors * LANES % BLOCK == 0 && p->stream && can_stream(to->y, to->ldy))
        product_value_all(p, to, rows, vectors, 1, 0, 1);
    else
        product_value_all(p, to, rows, vectors, 1, 0, 0);
}

static void product_value(const ani_product *p, const ani_value_store *to) {
    FOR_PANEL(p->width, product_value_width, p, to);
}

/* Which x is masked by: none; 0 < x*scale + shift < 6, the sums then using z - mean with z being x;
 * 0 < x < 6. */
enum { UNMASKED, AFFINE, CLAMPED };

/* With dots, the sums of a tile use z - mean, where z is x if there is a mask. */
ANI_INLINE void gradient_tile(const ani_gradient_store *to, vec sums[MOST_ROWS][3],
                              panel_sums *panel, const int rows, const int vectors,
                              const int masked, const int dots, const int stream) {
    const element *from = dots ? to->z : to->x, *add = to->add;
    element *dx = to->dx;
    float tile[MOST_SUMS * LANES];
    const vec low = v_here(v_zero()), high = v_here(v_set(6));
    if (!IN_REGISTERS) put_aside(tile, sums, rows, vectors);
    ANI_UNROLL
    for (int r = 0; r < rows; r++) {
        ANI_UNROLL
        for (int j = 0; j < vectors; j++)
            if (IN_REGISTERS) sums[r][j] = v_here(sums[r][j]);
    }
    ANI_UNROLL
    for (int j = 0; j < vectors; j++) {
        const int64_t i = j * LANES;
        const vec mean = dots ? v_load(to->mean + i) : low;
        const vec scale = masked == AFFINE ? v_load(to->scale + i) : mean;
        const vec shift = masked == AFFINE ? v_load(to->shift + i) : mean;
        vec sum = v_load(panel->first + i), dot = dots ? v_load(panel->second + i) : low;
        ANI_UNROLL
        for (int r = 0; r < rows; r++) {
            const vec z = dots || masked ? e_load(from + r * to->ldx + i) : low;
            vec value = IN_REGISTERS ? sums[r][j] : v_load(tile + (r * vectors + j) * LANES);
            if (add) value = v_add(value, e_load(add + r * to->ldx + i));
            if (masked)
                value = v_pass(value, masked == AFFINE ? v_fma(z, scale, shift) : z, low, high);
            value = e_round(value);
            sum = v_add(sum, value);
            if (dots) dot = v_fma(value, v_sub(z, mean), dot);
            if (IN_REGISTERS)
                sums[r][j] = value;
            else
                e_store(dx + r * to->ldx + i, value);
        }
        v_store(panel->first + i, sum);
        if (dots) v_store(panel->second + i, dot);
    }
    if (IN_REGISTERS) put_rows(dx, to->ldx, sums, rows, vectors, stream);
}

/* direct 0: all tiles go through memory. */
ANI_INLINE void product_gradient_all(const ani_product *p, const ani_gradient_store *to,
                                     const int rows, const int vectors, const int direct,
                                     const int masked, const int dots, const int stream) {
    const int64_t width = vectors * LANES, panels = (p->n + width - 1) / width;
    ahead_lines lines = ahead_begin(&p->ahead, panels * ((p->rows + rows - 1) / rows), p->k);
    for (int64_t column = 0; column < p->n; column += width) {
        const float *b = p->packed + column * p->k;
        const int64_t columns = p->n - column < width ? p->n - column : width;
        const int whole = direct && columns == width;
        panel_sums panel = {{0}, {0}};
        for (int64_t r = 0; r < p->rows; r += rows) {
            const float *a = p->a + r * p->lda;
            const ani_gradient_store at = ani_gradient_at(to, ELEMENT, r * to->ldx, column);
            if (whole && r + rows <= p->rows) {
                vec sums[MOST_ROWS][3];
                product_sums(sums, a, p->lda, b, p->k, &lines, rows, vectors);
                gradient_tile(&at, sums, &panel, rows, vectors, masked, dots, stream);
            } else {
                float tile[MOST_SUMS * LANES];
                product_tile(tile, width, a, p->lda, b, p->k, &lines, width);
                store_gradient(&at, tile, width, p->rows - r < rows ? p->rows - r : rows, columns,
                               0);
            }
            ahead_end(&lines, p->k);
        }
        if (whole && dots)
            panel_sums_add(&panel, to->sum + column, to->dot + column, vectors);
        else if (whole)
            panel_sum_add(&panel, to->sum + column, vectors);
    }
}

/* Each case that occurs in the network is compiled separately. */
ANI_INLINE void product_gradient_width(const ani_product *p, const ani_gradient_store *to,
                                       const int rows, const int vectors) {
    const int streamed = vectors * LANES % BLOCK == 0 && p->stream && can_stream(to->dx, to->ldx);
    if (to->x && to->scale && to->sum && to->z == to->x) {
        if (streamed)
            product_gradient_all(p, to, rows, vectors, 1, AFFINE, 1, 1);
        else
            product_gradient_all(p, to, rows, vectors, 1, AFFINE, 1, 0);
    } else if (to->x && !to->scale && to->sum && !to->z) {
        if (streamed)
            product_gradient_all(p, to, rows, vectors, 1, CLAMPED, 0, 1);
        else
            product_gradient_all(p, to, rows, vectors, 1, CLAMPED, 0, 0);
    } else if (!to->x && to->sum && to->z) {
        if (streamed)
            product_gradient_all(p, to, rows, vectors, 1, UNMASKED, 1, 1);
        else
            product_gradient_all(p, to, rows, vectors, 1, UNMASKED, 1, 0);
    } else if (!to->x && to->sum) {
        product_gradient_all(p, to, rows, vectors, 1, UNMASKED, 0, 0);
    } else {
        product_gradient_all(p, to, rows, vectors, 0, UNMASKED, 0, 0);
    }
}

static void product_gradient(const ani_product *p, const ani_gradient_store *to) {
    FOR_PANEL(p->width, product_gradient_width, p, to);
}
