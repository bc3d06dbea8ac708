/* SPDX-License-Identifier: MIT
 * Sums of tiles, and the end of streaming. */

static void column_sums(double *sum, const float *t, int64_t ldt, int64_t rows, int64_t c) {
    int64_t i = 0;
    for (; i + LANES <= c; i += LANES) {
        vec s = v_zero();
        for (int64_t r = 0; r < rows; r++)
            s = v_add(s, v_load(t + r * ldt + i));
        v_add_double(sum + i, s);
    }
    if (i == c) return;
    vec s = v_zero();
    for (int64_t r = 0; r < rows; r++)
        s = v_add(s, v_load_part(t + r * ldt + i, c - i));
    add_part_double(sum + i, s, c - i);
}

static void fence(void) {
    v_fence();
}
