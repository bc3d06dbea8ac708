/* SPDX-License-Identifier: MIT
 * Products of inference: the parts common to all number types. The sums of a register tile are
 * started, stay in registers over all steps of k, and are finished into results. The rows of a call
 * are distributed evenly over its tiles, so that the last tile does not have only a few chains,
 * which would wait for the latency of the multiply-add.
 *
 * Included once for each number type, which has defined
 *   KIND(name)         its own version of name
 *   KIND(input), KIND(weight), KIND(sums)  types: elements of a and b, the sums of a tile
 *   KIND(start)        starts the sums of a tile
 *   KIND(step)         adds KIND_GROUP inputs of each row to them
 *   KIND(finish)       turns them into results and stores these; `last` columns of the last vector
 *   KIND_GROUP         inputs of a step
 *   KIND_UNROLL        how far the compiler unrolls the steps; may be empty
 *   KIND_TILES(tile)   tile(vectors, most) for each number of vectors of a panel, most rows up to
 *                      MAX_ROWS
 * and gets KIND(product). Rows and vectors are constants after inlining; compilers do not inline
 * functions that are passed as pointers. */

ANI_INLINE void KIND(tile)(const ani_infer_product *p, int64_t row, const int rows,
                           const int vectors) {
    const int64_t a_row = p->a_row, run = p->run;
    const int64_t last = p->columns - (vectors - 1) * LANES;
    const KIND(input) *a = (const KIND(input) *)p->a + row * a_row;
    const KIND(weight) *b = p->b;
    KIND(sums) sums;
    KIND(start)(p, row, sums, rows, vectors, last);
    for (int64_t left = p->k; left > 0; left -= run, a += p->segment) {
        const int64_t count = left < run ? left : run;
        KIND_UNROLL
        for (int64_t i = 0; i < count; i += KIND_GROUP, b += vectors * LANES * KIND_GROUP)
            KIND(step)(sums, a + i, a_row, b, rows, vectors);
    }
    KIND(finish)(p, row, sums, rows, vectors, last);
}

ANI_INLINE void KIND(rows)(const ani_infer_product *p, const int most, const int vectors) {
    const int64_t tiles = (p->rows + most - 1) / most;
    if (!tiles) return;
    const int64_t each = p->rows / tiles, more = p->rows % tiles;
    for (int64_t i = 0, row = 0; i < tiles; i++) {
        const int64_t rows = each + (i < more);
        switch (rows) {
#define ANI_TILE(n)                                                                                \
    case n:                                                                                        \
        if (n <= most) KIND(tile)(p, row, n, vectors);                                             \
        break;
            ANI_TILE(1)
            ANI_TILE(2)
            ANI_TILE(3)
            ANI_TILE(4)
            ANI_TILE(5)
            ANI_TILE(6)
            ANI_TILE(7)
            ANI_TILE(8)
            ANI_TILE(9)
            ANI_TILE(10)
            ANI_TILE(11)
            ANI_TILE(12)
            ANI_TILE(13)
            ANI_TILE(14)
#undef ANI_TILE
        default:
            break;
        }
        row += rows;
    }
}

static void KIND(product)(const ani_infer_product *p) {
    switch (p->vectors) {
#define ANI_PANEL(vectors, most)                                                                   \
    case vectors:                                                                                  \
        KIND(rows)(p, most, vectors);                                                              \
        break;
        KIND_TILES(ANI_PANEL)
#undef ANI_PANEL
    default:
        break;
    }
}

#undef KIND
#undef KIND_GROUP
#undef KIND_UNROLL
#undef KIND_TILES
