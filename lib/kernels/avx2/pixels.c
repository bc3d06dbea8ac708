/* SPDX-License-Identifier: MIT
 * The data path with AVX2. A pixel of three bytes and its right neighbour are read as eight bytes
 * at once. */
#include "kernels/c/pixels.h"

#include <immintrin.h>
#include <string.h>

/* --- resize ---------------------------------------------------------------------------------- */

/* The eight bytes at two addresses. */
static inline __m128i load_two(const uint8_t *first, const uint8_t *second) {
    const __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)first);
    return _mm_castps_si128(
        _mm_loadh_pi(_mm_castsi128_ps(low), (const __m64 *)(const void *)second));
}

/* Four pixels of three or four channels: bytes become pairs of words, left and right, which one
 * instruction multiplies by their weights and adds. Returns four words per pixel. */
static inline __m256i blend_four(const uint8_t *src, const int32_t *index, const int16_t *weight,
                                 __m256i first, __m256i second) {
    const __m256i bytes = _mm256_set_m128i(load_two(src + index[2], src + index[3]),
                                           load_two(src + index[0], src + index[1]));
    const __m256i weights =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)weight));
    const __m256i weights_0 = _mm256_shuffle_epi8(
        weights, _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8,
                                  9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11));
    const __m256i weights_1 = _mm256_shuffle_epi8(
        weights, _mm256_setr_epi8(4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15,
                                  12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15));
    const __m256i sum_0 = _mm256_madd_epi16(_mm256_shuffle_epi8(bytes, first), weights_0);
    const __m256i sum_1 = _mm256_madd_epi16(_mm256_shuffle_epi8(bytes, second), weights_1);
    return _mm256_packs_epi32(_mm256_srai_epi32(sum_0, 4), _mm256_srai_epi32(sum_1, 4));
}

/* How many pixels, from the first on, can be read as eight bytes. */
static inline int64_t count_safe(const int32_t *index, int64_t count, int64_t size) {
    while (count > 0 && index[count - 1] > size - 8)
        count--;
    return count;
}

static int64_t blend_three(int16_t *out, const uint8_t *src, const ani_columns *columns,
                           int64_t count) {
    const __m256i first =
        _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 0, -1, 3, -1, 1,
                         -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    const __m256i second =
        _mm256_setr_epi8(8, -1, 11, -1, 9, -1, 12, -1, 10, -1, 13, -1, -1, -1, -1, -1, 8, -1, 11,
                         -1, 9, -1, 12, -1, 10, -1, 13, -1, -1, -1, -1, -1);
    const __m256i dense = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1,
                                           0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1);
    int64_t x = 0;
    /* Sixteen bytes are stored for twelve: the next pixels overwrite the rest. */
    for (; x + 6 <= count; x += 4) {
        const __m256i four = _mm256_shuffle_epi8(
            blend_four(src, columns->index + x, columns->weight + 2 * x, first, second), dense);
        _mm_storeu_si128((__m128i *)(void *)(out + 3 * x), _mm256_castsi256_si128(four));
        _mm_storeu_si128((__m128i *)(void *)(out + 3 * x + 6), _mm256_extracti128_si256(four, 1));
    }
    return x;
}

static int64_t blend_quads(int16_t *out, const uint8_t *src, const ani_columns *columns,
                           int64_t count) {
    const __m256i first = _mm256_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1,
                                           0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1);
    const __m256i second =
        _mm256_setr_epi8(8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1, 8, -1, 12,
                         -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
    int64_t x = 0;
    for (; x + 4 <= count; x += 4)
        _mm256_storeu_si256(
            (__m256i *)(void *)(out + 4 * x),
            blend_four(src, columns->index + x, columns->weight + 2 * x, first, second));
    return x;
}

static void blend_columns(int16_t *out, const uint8_t *src, int64_t size,
                          const ani_columns *columns, int64_t count, int32_t channels,
                          int32_t step) {
    int64_t done = 0;
    if (step == 3)
        done = blend_three(out, src, columns, count_safe(columns->index, count, size));
    else if (step == 4)
        done = blend_quads(out, src, columns, count);
    const ani_columns rest = {columns->index + done, columns->weight + 2 * done};
    ani_c_blend_columns(out + done * channels, src, size, &rest, count - done, channels, step);
}

static inline __m256i blend_words(const int16_t *upper, const int16_t *lower, __m256i w0,
                                  __m256i w1) {
    const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)upper);
    const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)lower);
    const __m256i sum = _mm256_add_epi16(_mm256_mulhi_epi16(a, w0), _mm256_mulhi_epi16(b, w1));
    return _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
}

static void blend_rows(uint8_t *out, const int16_t *upper, const int16_t *lower, int16_t w0,
                       int16_t w1, int64_t count) {
    const __m256i w0s = _mm256_set1_epi16(w0), w1s = _mm256_set1_epi16(w1);
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i low = blend_words(upper + i, lower + i, w0s, w1s);
        const __m256i high = blend_words(upper + i + 16, lower + i + 16, w0s, w1s);
        const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), bytes);
    }
    ani_c_blend_rows(out + i, upper + i, lower + i, w0, w1, count - i);
}

/* --- halves ---------------------------------------------------------------------------------- */

/* Sums of left and right in both rows; `order` makes them adjacent in each half. */
static inline __m256i add_neighbours(const uint8_t *first, const uint8_t *second, __m256i order) {
    const __m256i bytes = _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(const void *)second),
                                           _mm_loadu_si128((const __m128i *)(const void *)first));
    return _mm256_maddubs_epi16(_mm256_shuffle_epi8(bytes, order), _mm256_set1_epi8(1));
}

/* Means of two pieces of both rows, `apart` bytes from each other, as words. */
static inline __m256i halve_words(const uint8_t *upper, const uint8_t *lower, int64_t apart,
                                  __m256i order) {
    const __m256i sum = _mm256_add_epi16(add_neighbours(upper, upper + apart, order),
                                         add_neighbours(lower, lower + apart, order));
    return _mm256_srli_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
}

/* Three channels: twelve of sixteen bytes read are two pairs of pixels, so eight pairs are four
 * pieces. */
static int64_t halve_three(uint8_t *out, const uint8_t *upper, const uint8_t *lower,
                           int64_t count) {
    const __m256i order = _mm256_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1, 0,
                                           3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
    const __m256i dense = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,
                                           0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    int64_t x = 0;
    for (; x + 10 <= count; x += 8) { /* one more pixel is read, and overwritten */
        const uint8_t *a = upper + 6 * x, *b = lower + 6 * x;
        const __m256i low = halve_words(a, b, 24, order);
        const __m256i high = halve_words(a + 12, b + 12, 24, order);
        const __m256i bytes = _mm256_shuffle_epi8(_mm256_packus_epi16(low, high), dense);
        _mm_storeu_si128((__m128i *)(void *)(out + 3 * x), _mm256_castsi256_si128(bytes));
        _mm_storeu_si128((__m128i *)(void *)(out + 3 * x + 12), _mm256_extracti128_si256(bytes, 1));
    }
    return x;
}

/* One or four channels: all bytes of a piece are pairs of pixels. */
static int64_t halve_even(uint8_t *out, const uint8_t *upper, const uint8_t *lower, int64_t count,
                          int32_t channels, __m256i order) {
    const int64_t step = 32 / channels; /* pixels made at a time */
    int64_t x = 0;
    for (; x + step <= count; x += step) {
        const uint8_t *a = upper + 2 * x * channels, *b = lower + 2 * x * channels;
        const __m256i low = halve_words(a, b, 32, order);
        const __m256i high = halve_words(a + 16, b + 16, 32, order);
        _mm256_storeu_si256((__m256i *)(void *)(out + x * channels),
                            _mm256_packus_epi16(low, high));
    }
    return x;
}

static void halve_row(uint8_t *out, const uint8_t *upper, const uint8_t *lower, int64_t count,
                      int32_t channels) {
    int64_t done = 0;
    if (channels == 3) {
        done = halve_three(out, upper, lower, count);
    } else if (channels == 4) {
        const __m256i order =
            _mm256_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15, 0, 4, 1, 5, 2, 6,
                             3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
        done = halve_even(out, upper, lower, count, 4, order);
    } else if (channels == 1) {
        const __m256i order =
            _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5,
                             6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        done = halve_even(out, upper, lower, count, 1, order);
    }
    ani_c_halve_row(out + done * channels, upper + 2 * done * channels, lower + 2 * done * channels,
                    count - done, channels);
}

/* --- formats --------------------------------------------------------------------------------- */

/* What the chroma of eight pixels adds to their luma. */
struct chroma {
    __m256i r, g, b;
};

/* For four pairs: the words U V U V ... become sums, each for two pixels. */
static inline struct chroma add_chroma(__m128i words) {
    const __m256i half = _mm256_set1_epi32(1 << 19);
    const __m256i uv = _mm256_cvtepi16_epi32(_mm_sub_epi16(words, _mm_set1_epi16(128)));
    const __m256i u = _mm256_shuffle_epi32(uv, 0xa0), v = _mm256_shuffle_epi32(uv, 0xf5);
    const __m256i r = _mm256_mullo_epi32(v, _mm256_set1_epi32(1673527));
    const __m256i g = _mm256_add_epi32(_mm256_mullo_epi32(v, _mm256_set1_epi32(-852492)),
                                       _mm256_mullo_epi32(u, _mm256_set1_epi32(-409993)));
    const __m256i b = _mm256_mullo_epi32(u, _mm256_set1_epi32(2116026));
    return (struct chroma){_mm256_add_epi32(r, half), _mm256_add_epi32(g, half),
                           _mm256_add_epi32(b, half)};
}

static inline __m256i add_luma(__m128i words) {
    const __m128i above = _mm_subs_epu16(words, _mm_set1_epi16(16));
    return _mm256_mullo_epi32(_mm256_cvtepi16_epi32(above), _mm256_set1_epi32(1220542));
}

/* Sums of sixteen pixels to bytes, clamped. */
static inline __m128i to_bytes(__m256i y0, __m256i c0, __m256i y1, __m256i c1) {
    const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(y0, c0), 20),
                                             _mm256_srai_epi32(_mm256_add_epi32(y1, c1), 20));
    const __m256i order = _mm256_permute4x64_epi64(words, 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(order), _mm256_extracti128_si256(order, 1));
}

/* r0..15, g0..15, b0..15 as r0 g0 b0 r1 ... */
static inline void store_pixels(uint8_t *out, __m128i r, __m128i g, __m128i b) {
    /* the destination of each byte in three vectors: positions 0 3 .., 1 4 .., 2 5 .. */
    const __m128i r3 =
        _mm_shuffle_epi8(r, _mm_setr_epi8(0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10, 5));
    const __m128i g3 =
        _mm_shuffle_epi8(g, _mm_setr_epi8(5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10));
    const __m128i b3 =
        _mm_shuffle_epi8(b, _mm_setr_epi8(10, 5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15));
    const __m128i second = _mm_setr_epi8(0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0);
    const __m128i third = _mm_setr_epi8(0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0);
    const __m128i first = _mm_setr_epi8(-1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1);
    const __m128i low = _mm_blendv_epi8(_mm_blendv_epi8(r3, g3, second), b3, third);
    const __m128i middle = _mm_blendv_epi8(_mm_blendv_epi8(r3, g3, first), b3, second);
    const __m128i high = _mm_blendv_epi8(_mm_blendv_epi8(r3, g3, third), b3, first);
    _mm_storeu_si128((__m128i *)(void *)out, low);
    _mm_storeu_si128((__m128i *)(void *)(out + 16), middle);
    _mm_storeu_si128((__m128i *)(void *)(out + 32), high);
}

/* Sixteen pixels: luma as words of eight each, chroma as words U V of four pairs each. */
static inline void store_sixteen(uint8_t *out, __m128i luma0, __m128i luma1, __m128i uv0,
                                 __m128i uv1) {
    const __m256i y0 = add_luma(luma0), y1 = add_luma(luma1);
    const struct chroma c0 = add_chroma(uv0), c1 = add_chroma(uv1);
    store_pixels(out, to_bytes(y0, c0.r, y1, c1.r), to_bytes(y0, c0.g, y1, c1.g),
                 to_bytes(y0, c0.b, y1, c1.b));
}

static void nv12_row(uint8_t *out, const uint8_t *luma, const uint8_t *chroma, int64_t count) {
    const __m128i zero = _mm_setzero_si128();
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(luma + i));
        const __m128i uv = _mm_loadu_si128((const __m128i *)(const void *)(chroma + i));
        store_sixteen(out + 3 * i, _mm_unpacklo_epi8(y, zero), _mm_unpackhi_epi8(y, zero),
                      _mm_unpacklo_epi8(uv, zero), _mm_unpackhi_epi8(uv, zero));
    }
    ani_c_nv12_row(out + 3 * i, luma + i, chroma + i, count - i);
}

static void yuyv_row(uint8_t *out, const uint8_t *src, int64_t count) {
    const __m128i low = _mm_set1_epi16(255);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(src + 2 * i));
        const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(src + 2 * i + 16));
        store_sixteen(out + 3 * i, _mm_and_si128(a, low), _mm_and_si128(b, low),
                      _mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
    }
    ani_c_yuyv_row(out + 3 * i, src + 2 * i, count - i);
}

/* --- warp ------------------------------------------------------------------------------------ */

/* One coordinate of eight points, as ani_c_place() computes it for one. Each vector has four
 * positions: numbers 0, 1, 4, 5 and 2, 3, 6, 7. */
static inline __m256i split(__m256i first, __m256i second, int32_t length, __m256 *weight) {
    const __m256 a = _mm256_castsi256_ps(first), b = _mm256_castsi256_ps(second);
    const __m256i whole = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
    const __m256i rest = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    const int32_t most = length > 1 ? length - 2 : 0;
    const __m256i zero = _mm256_setzero_si256(), last = _mm256_set1_epi32(most);
    const __m256i before = _mm256_cmpgt_epi32(zero, whole);
    const __m256i behind = _mm256_cmpgt_epi32(whole, _mm256_set1_epi32(length - 2));
    const __m256 one = _mm256_set1_ps(length > 1 ? 16777216.0f : 0.0f);
    const __m256 inside =
        _mm256_cvtepi32_ps(_mm256_andnot_si256(before, _mm256_srli_epi32(rest, 8)));
    *weight = _mm256_blendv_ps(inside, one, _mm256_castsi256_ps(behind));
    return _mm256_min_epi32(_mm256_max_epi32(whole, zero), last);
}

static void place(ani_points *out, int64_t row, int64_t column, int64_t row_step,
                  int64_t column_step, int64_t count, const ani_view *view) {
    const int64_t r = row_step, c = column_step;
    __m256i rows_0 = _mm256_setr_epi64x(row, row + r, row + 4 * r, row + 5 * r);
    __m256i columns_0 = _mm256_setr_epi64x(column, column + c, column + 4 * c, column + 5 * c);
    __m256i rows_1 = _mm256_add_epi64(rows_0, _mm256_set1_epi64x(2 * r));
    __m256i columns_1 = _mm256_add_epi64(columns_0, _mm256_set1_epi64x(2 * c));
    const __m256i next_rows = _mm256_set1_epi64x(8 * r);
    const __m256i next_columns = _mm256_set1_epi64x(8 * c);
    const __m256i strides = _mm256_set1_epi32(view->down | 3 << 16);
    const int64_t whole = (count + ANI_POINT_STEP - 1) / ANI_POINT_STEP * ANI_POINT_STEP;
    for (int64_t i = 0; i < whole; i += 8) {
        __m256 down, right;
        const __m256i y = split(rows_0, rows_1, view->height, &down);
        const __m256i x = split(columns_0, columns_1, view->width, &right);
        /* All four factors fit 15 bits. */
        const __m256i both = _mm256_or_si256(y, _mm256_slli_epi32(x, 16));
        _mm256_storeu_si256((__m256i *)(void *)(out->offset + i), _mm256_madd_epi16(both, strides));
        _mm256_storeu_ps(out->down + i, down);
        _mm256_storeu_ps(out->right + i, right);
        rows_0 = _mm256_add_epi64(rows_0, next_rows);
        rows_1 = _mm256_add_epi64(rows_1, next_rows);
        columns_0 = _mm256_add_epi64(columns_0, next_columns);
        columns_1 = _mm256_add_epi64(columns_1, next_columns);
    }
}

/* Pixels and their right neighbours, channel by channel. */
struct pairs {
    __m256 left[3], right[3];
};

/* Byte number `byte` of each group of four, as float. */
static inline __m256 byte_of(__m256i v, int byte) {
    const __m256i words =
        byte == 0 ? _mm256_and_si256(v, _mm256_set1_epi32(255))
        : byte == 3
            ? _mm256_srli_epi32(v, 24)
            : _mm256_shuffle_epi8(v, _mm256_add_epi8(_mm256_set1_epi32((int32_t)0x80808000u + byte),
                                                     _mm256_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12)));
    return _mm256_cvtepi32_ps(words);
}

/* The eight bytes at eight addresses, as their first and last four. */
static inline void load_bytes(const uint8_t *src, const int32_t *offset, __m256i *low,
                              __m256i *high) {
    const __m256i a = _mm256_set_m128i(load_two(src + offset[4], src + offset[5]),
                                       load_two(src + offset[0], src + offset[1]));
    const __m256i b = _mm256_set_m128i(load_two(src + offset[6], src + offset[7]),
                                       load_two(src + offset[2], src + offset[3]));
    const __m256 first = _mm256_castsi256_ps(a), second = _mm256_castsi256_ps(b);
    *low = _mm256_castps_si256(_mm256_shuffle_ps(first, second, 0x88));
    *high = _mm256_castps_si256(_mm256_shuffle_ps(first, second, 0xdd));
}

/* Eight bytes are read where six are needed: the two after them belong to the next row, since this
 * is not the last. */
static inline struct pairs load_upper(const uint8_t *src, const int32_t *offset) {
    __m256i low, high;
    load_bytes(src, offset, &low, &high);
    return (struct pairs){{byte_of(low, 0), byte_of(low, 1), byte_of(low, 2)},
                          {byte_of(low, 3), byte_of(high, 0), byte_of(high, 1)}};
}

/* The two before them belong to the previous row. */
static inline struct pairs load_lower(const uint8_t *src, const int32_t *offset) {
    __m256i low, high;
    load_bytes(src - 2, offset, &low, &high);
    return (struct pairs){{byte_of(low, 2), byte_of(low, 3), byte_of(high, 0)},
                          {byte_of(high, 1), byte_of(high, 2), byte_of(high, 3)}};
}

/* r0..7, g0..7, b0..7 as r0 g0 b0 r1 ... */
static inline void store_interleaved(float *out, __m256 r, __m256 g, __m256 b) {
    const __m256 rg = _mm256_shuffle_ps(r, g, 0x88); /* r0 r2 g0 g2 in each half */
    const __m256 gb = _mm256_shuffle_ps(g, b, 0xdd); /* g1 g3 b1 b3 */
    const __m256 br = _mm256_shuffle_ps(b, r, 0xd8); /* b0 b2 r1 r3 */
    const __m256 x = _mm256_shuffle_ps(rg, br, 0x88);
    const __m256 y = _mm256_shuffle_ps(gb, rg, 0xd8);
    const __m256 z = _mm256_shuffle_ps(br, gb, 0xdd);
    _mm256_storeu_ps(out, _mm256_permute2f128_ps(x, y, 0x20));
    _mm256_storeu_ps(out + 8, _mm256_permute2f128_ps(z, x, 0x30));
    _mm256_storeu_ps(out + 16, _mm256_permute2f128_ps(y, z, 0x31));
}

static inline void sample_eight(float *out, const ani_points *points, int64_t i,
                                const struct pairs *upper, const struct pairs *lower,
                                const ani_view *view) {
    const float unit = 1.0f / 16777216.0f;
    const __m256 gain = _mm256_set1_ps(view->gain), bias = _mm256_set1_ps(view->bias);
    const __m256 gain_unit = _mm256_set1_ps(view->gain * unit);
    const __m256 y = _mm256_loadu_ps(points->down + i);
    const __m256 right = _mm256_mul_ps(_mm256_loadu_ps(points->right + i), gain_unit);
    const __m256 down = _mm256_mul_ps(y, gain_unit);
    const __m256 both = _mm256_mul_ps(right, _mm256_mul_ps(y, _mm256_set1_ps(unit)));
    const __m256 only_right = _mm256_sub_ps(right, both), only_down = _mm256_sub_ps(down, both);
    const __m256 neither = _mm256_sub_ps(_mm256_sub_ps(gain, right), only_down);
    __m256 v[3];
    for (int c = 0; c < 3; c++) {
        const __m256 above = _mm256_add_ps(_mm256_mul_ps(upper->left[c], neither),
                                           _mm256_mul_ps(upper->right[c], only_right));
        const __m256 below = _mm256_add_ps(_mm256_mul_ps(lower->left[c], only_down),
                                           _mm256_mul_ps(lower->right[c], both));
        v[c] = _mm256_add_ps(_mm256_add_ps(above, below), bias);
    }
    store_interleaved(out, v[0], v[1], v[2]);
}

static void sample(float *out, const ani_points *points, int64_t count, const ani_view *view) {
    if (!view->right || !view->down) {
        ani_c_sample(out, points, count, view);
        return;
    }
    const uint8_t *src = view->src;
    int64_t i = 0;
    for (; i < count; i += 8) {
        const struct pairs upper = load_upper(src, points->offset + i);
        const struct pairs lower = load_lower(src + view->down, points->offset + i);
        if (i + 8 > count) {
            float rest[24];
            sample_eight(rest, points, i, &upper, &lower, view);
            memcpy(out + 3 * i, rest, (size_t)(count - i) * 3 * sizeof *out);
            return;
        }
        sample_eight(out + 3 * i, points, i, &upper, &lower, view);
    }
}

void ani_pixels_avx2(ani_pixels *table) {
    *table = (ani_pixels){.level = "avx2",
                          .blend_columns = blend_columns,
                          .blend_rows = blend_rows,
                          .halve_row = halve_row,
                          .nv12_row = nv12_row,
                          .yuyv_row = yuyv_row,
                          .place = place,
                          .sample = sample,
                          .sample_values = ani_c_sample_values};
}
