/* SPDX-License-Identifier: MIT
 * How the rows of a product are dealt out to register tiles: evenly, so that there is no thin last
 * tile that waits for the latency of its few chains. Taken in once for each kind of tile, with
 * INFER_TILE, a function of a number of rows that is constant, and INFER_ROWS, what to call this;
 * compilers do not inline a tile that they get by a pointer. */

ANI_INLINE void INFER_ROWS(const ani_infer_product *p, const int most, const int vectors) {
    const int64_t tiles = (p->rows + most - 1) / most;
    if (!tiles) return;
    const int64_t each = p->rows / tiles, more = p->rows % tiles;
    for (int64_t i = 0, row = 0; i < tiles; i++) {
        const int64_t rows = each + (i < more);
        switch (rows) {
#define ANI_TILE(n)                                                                                \
    case n:                                                                                        \
        if (n <= most) INFER_TILE(p, row, n, vectors);                                             \
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

#undef INFER_TILE
#undef INFER_ROWS
