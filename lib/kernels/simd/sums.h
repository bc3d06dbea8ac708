/* SPDX-License-Identifier: MIT
 * Sums of tiles; streaming stores and the fence after them. */

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

static void stream_copy(void *to, const void *from, int64_t bytes) {
    enum { STEP = LANES * sizeof(float) };
    char *at = to;
    const char *source = from;
    const int64_t head = (int64_t)(-(uintptr_t)at % LINE);
    if (head >= bytes) {
        memcpy(at, source, (size_t)bytes);
        return;
    }
    memcpy(at, source, (size_t)head);
    int64_t i = head;
    for (; i + LINE <= bytes; i += LINE) {
        ANI_UNROLL
        for (int64_t j = 0; j < LINE; j += STEP)
            v_stream((float *)(void *)(at + i + j),
                     v_load((const float *)(const void *)(source + i + j)));
    }
    memcpy(at + i, source + i, (size_t)(bytes - i));
}

static void fence(void) {
    v_fence();
}
