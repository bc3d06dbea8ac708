/* SPDX-License-Identifier: MIT
 * The data path's kernels of the best level of this processor against plain C: the same bits, for
 * sizes around the widths of vectors and thousands of random ones. Sources and outputs end, or
 * begin, at a page that may not be touched; outputs have canaries on their other side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <attractivenet/kinds.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/random.h"
#include "kernels/pixels.h"
#include "kernels/reorder.h"
#include "kernels/resize.h"
#include "kernels/warp.h"
#include "support/level.h"

static ani_pixels plain, best;

enum { CANARY = 0xa5 };

/** Bytes between pages that may not be touched; they end there, or begin there. */
typedef struct fenced {
    uint8_t *map, *bytes;
    size_t map_size, size, page;
} fenced;

static fenced make_fenced(size_t size, int at_end) {
    fenced f = {.size = size, .page = (size_t)sysconf(_SC_PAGESIZE)};
    const size_t inside = (size + f.page - 1) / f.page * f.page + f.page;
    f.map_size = inside + 2 * f.page;
    f.map = mmap(NULL, f.map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.map != MAP_FAILED);
    assert_int_equal(mprotect(f.map + f.page, inside, PROT_READ | PROT_WRITE), 0);
    memset(f.map + f.page, CANARY, inside);
    f.bytes = f.map + f.page + (at_end ? inside - size : 0);
    return f;
}

static void free_fenced(const char *what, fenced *f) {
    const uint8_t *begin = f->map + f->page, *end = f->map + f->map_size - f->page;
    for (const uint8_t *p = begin; p < end; p++)
        if ((p < f->bytes || p >= f->bytes + f->size) && *p != CANARY)
            fail_msg("%s writes at %td of %zu bytes", what, p - f->bytes, f->size);
    munmap(f->map, f->map_size);
}

static uint32_t below(ani_stream *stream, uint32_t limit) {
    return (uint32_t)(ani_stream_double(stream) * limit);
}

static void fill_bytes(uint8_t *bytes, size_t size, ani_stream *stream) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)below(stream, 256);
}

static void expect_same(const char *what, const void *got, const void *want, size_t size) {
    const uint8_t *a = got, *b = want;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            fail_msg("%s: byte %zu of %zu is %d, plain C has %d", what, i, size, a[i], b[i]);
}

/* --- resize ---------------------------------------------------------------------------------- */

/* The definition, pixel by pixel (docs/numerics.md, section resize). */
static void tap(int64_t at, int64_t dst, int64_t src, int64_t *index, int32_t weight[2]) {
    const double scale = 1.0 / ((double)dst / (double)src);
    const float place = (float)(((double)at + 0.5) * scale - 0.5);
    const float whole = floorf(place);
    *index = (int64_t)whole;
    weight[0] = (int32_t)lrintf((1.0f - (place - whole)) * 2048);
    weight[1] = (int32_t)lrintf((place - whole) * 2048);
}

static int64_t clip(int64_t i, int64_t length) {
    return i < 0 ? 0 : i >= length ? length - 1 : i;
}

static uint8_t defined(const uint8_t *src, int64_t y, int64_t x, int32_t c, const int64_t size[4],
                       int32_t channels) {
    const int64_t dh = size[0], dw = size[1], sh = size[2], sw = size[3];
    if (sh == dh && sw == dw) return src[(y * sw + x) * channels + c];
    if (sh == 2 * dh && sw == 2 * dw) {
        const uint8_t *a = src + (2 * y * sw + 2 * x) * channels + c, *b = a + sw * channels;
        const int32_t sum = a[0] + a[channels] + b[0] + b[channels];
        return (uint8_t)((sum + (channels == 2 ? 1 + (sum >> 2 & 1) : 2)) >> 2);
    }
    int64_t row, column;
    int32_t wy[2], wx[2], sum = 2;
    tap(y, dh, sh, &row, wy);
    tap(x, dw, sw, &column, wx);
    if (column < 0) wx[0] = 2048, wx[1] = 0;
    if (column >= sw - 1) wx[0] = 2048, wx[1] = 0;
    for (int i = 0; i < 2; i++) {
        const uint8_t *line = src + clip(row + i, sh) * sw * channels + c;
        const int32_t blended = (line[clip(column, sw) * channels] * wx[0] +
                                 line[clip(column + 1, sw) * channels] * wx[1]) >>
                                4;
        sum += (blended * wy[i]) >> 16;
    }
    return (uint8_t)(sum >> 2);
}

static void resize_case(const int64_t size[4], int32_t channels, ani_stream *stream) {
    const size_t src_size = (size_t)(size[2] * size[3] * channels);
    const size_t dst_size = (size_t)(size[0] * size[1] * channels);
    const int at_end = (int)below(stream, 2);
    fenced src = make_fenced(src_size, at_end);
    fill_bytes(src.bytes, src_size, stream);
    const ani_pixels *tables[] = {&plain, &best};
    for (int t = 0; t < 2; t++) {
        fenced dst = make_fenced(dst_size, at_end);
        fenced scratch = make_fenced((size_t)ani_resize_scratch(size[1], channels), 0);
        ani_resize_u8(tables[t], dst.bytes, size[0], size[1], src.bytes, size[2], size[3], channels,
                      scratch.bytes);
        for (int64_t i = 0; i < (int64_t)dst_size; i++) {
            const int64_t pixel = i / channels, y = pixel / size[1], x = pixel % size[1];
            const uint8_t want = defined(src.bytes, y, x, (int32_t)(i % channels), size, channels);
            if (dst.bytes[i] != want)
                fail_msg("%s, %dx%d to %dx%d, %d channels: byte %d is %d, it should be %d",
                         tables[t]->level, (int)size[2], (int)size[3], (int)size[0], (int)size[1],
                         (int)channels, (int)i, dst.bytes[i], want);
        }
        free_fenced("resize", &dst);
        free_fenced("resize's scratch", &scratch);
    }
    free_fenced("resize's source", &src);
}

static void resize_of_random_sizes(void **state) {
    (void)state;
    ani_stream stream = ani_stream_begin(7, 0, 0);
    for (int i = 0; i < 6000; i++) {
        const uint32_t most = i % 8 ? 24 : 90;
        int64_t size[4];
        for (int k = 0; k < 4; k++)
            size[k] = 1 + below(&stream, most);
        if (i % 5 == 0) size[2] = 2 * size[0], size[3] = 2 * size[1];
        if (i % 11 == 0) size[2] = size[0], size[3] = size[1];
        resize_case(size, 1 + (int32_t)below(&stream, 4), &stream);
    }
}

static void resize_of_known_sizes(void **state) {
    (void)state;
    static const int64_t sizes[][4] = {{224, 224, 350, 350}, {175, 175, 350, 350},
                                       {97, 131, 61, 203},   {1, 1, 300, 200},
                                       {64, 64, 1, 1},       {1, 40, 90, 2}};
    ani_stream stream = ani_stream_begin(8, 0, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int32_t channels = 1; channels <= 4; channels++)
            resize_case(sizes[i], channels, &stream);
}

/* Rows that are not needed need not be there; the others stand in the same buffer, as decoders and
 * conversions have them. */
static void rows_that_are_not_needed(void **state) {
    (void)state;
    ani_stream stream = ani_stream_begin(11, 0, 0);
    int64_t needed = 0, all = 0;
    for (int i = 0; i < 3000; i++) {
        enum { MOST = 100, WIDTH = 3 };
        const int64_t to = 1 + below(&stream, i % 4 ? 12 : MOST);
        const int64_t from = i % 5 ? 1 + below(&stream, 2 * MOST) : 2 * to;
        const int64_t columns = i % 2 ? 2 : 2 * WIDTH; /* a half, if the height is one */
        uint8_t src[2 * MOST * 2 * WIDTH], want[MOST * WIDTH], got[MOST * WIDTH], row[2 * WIDTH];
        _Alignas(8) uint8_t scratch[64];
        assert_true(ani_resize_scratch(WIDTH, 1) <= (int64_t)sizeof scratch);
        fill_bytes(src, (size_t)(from * columns), &stream);
        ani_resize_u8(&best, want, to, WIDTH, src, from, columns, 1, scratch);
        ani_resizer r;
        ani_resize_begin(&r, &best, got, to, WIDTH, from, columns, 1, scratch);
        for (int64_t y = 0; y < from; y++, all++) {
            if (!ani_resize_needs(&r)) {
                ani_resize_row(&r, NULL);
                continue;
            }
            memcpy(row, src + y * columns, (size_t)columns);
            ani_resize_row(&r, row);
            memset(row, CANARY, sizeof row);
            needed++;
        }
        expect_same("rows", got, want, (size_t)(to * WIDTH));
    }
    assert_true(needed < all / 2);
}

/* --- formats ---------------------------------------------------------------------------------- */

static uint8_t clamp(int64_t value) {
    value = (value + (1 << 19)) >> 20;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void expect_yuv(const char *level, const uint8_t *got, int32_t y, int32_t u, int32_t v) {
    const int64_t c = 1220542 * (int64_t)(y > 16 ? y - 16 : 0);
    const uint8_t want[] = {clamp(c + 1673527 * (int64_t)(v - 128)),
                            clamp(c - 852492 * (int64_t)(v - 128) - 409993 * (int64_t)(u - 128)),
                            clamp(c + 2116026 * (int64_t)(u - 128))};
    if (memcmp(got, want, 3))
        fail_msg("%s: YUV %d %d %d is %d %d %d, it should be %d %d %d", level, (int)y, (int)u,
                 (int)v, got[0], got[1], got[2], want[0], want[1], want[2]);
}

static void yuv_follows_its_formula(void **state) {
    (void)state;
    ani_stream stream = ani_stream_begin(12, 0, 0);
    const ani_pixels *tables[] = {&plain, &best};
    for (int i = 0; i < 4000; i++) {
        const int64_t count = 2 * (i < 200 ? i : (int64_t)below(&stream, 100));
        fenced luma = make_fenced((size_t)count, i % 2);
        fenced chroma = make_fenced((size_t)count, i % 2);
        fenced pairs = make_fenced((size_t)(2 * count), i % 2);
        fill_bytes(luma.bytes, luma.size, &stream);
        fill_bytes(chroma.bytes, chroma.size, &stream);
        for (int64_t k = 0; k < count; k++) {
            pairs.bytes[2 * k] = luma.bytes[k];
            pairs.bytes[2 * k + 1] = chroma.bytes[k];
        }
        for (int t = 0; t < 2; t++) {
            fenced out = make_fenced((size_t)(3 * count), i % 2);
            tables[t]->nv12_row(out.bytes, luma.bytes, chroma.bytes, count);
            for (int64_t k = 0; k < count; k++)
                expect_yuv(tables[t]->level, out.bytes + 3 * k, luma.bytes[k],
                           chroma.bytes[k / 2 * 2], chroma.bytes[k / 2 * 2 + 1]);
            memset(out.bytes, CANARY, out.size);
            tables[t]->yuyv_row(out.bytes, pairs.bytes, count);
            for (int64_t k = 0; k < count; k++)
                expect_yuv(tables[t]->level, out.bytes + 3 * k, luma.bytes[k],
                           chroma.bytes[k / 2 * 2], chroma.bytes[k / 2 * 2 + 1]);
            free_fenced("yuv", &out);
        }
        free_fenced("luma", &luma);
        free_fenced("chroma", &chroma);
        free_fenced("pairs", &pairs);
    }
}

static void channels_in_another_order(void **state) {
    (void)state;
    static const struct {
        int32_t format, step, red, green, blue;
    } cases[] = {{AN_FORMAT_BGR, 3, 2, 1, 0},
                 {AN_FORMAT_RGBA, 4, 0, 1, 2},
                 {AN_FORMAT_BGRA, 4, 2, 1, 0},
                 {AN_FORMAT_GREY, 1, 0, 0, 0}};
    ani_stream stream = ani_stream_begin(13, 0, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int64_t count = 0; count < 80; count++) {
            fenced src = make_fenced((size_t)(count * cases[i].step), (int)(count % 2));
            fenced out = make_fenced((size_t)(3 * count), (int)(count % 2));
            fill_bytes(src.bytes, src.size, &stream);
            ani_reorder(out.bytes, src.bytes, count, cases[i].format);
            for (int64_t k = 0; k < count; k++) {
                const uint8_t *from = src.bytes + k * cases[i].step;
                const uint8_t want[] = {from[cases[i].red], from[cases[i].green],
                                        from[cases[i].blue]};
                assert_memory_equal(out.bytes + 3 * k, want, 3);
            }
            if (cases[i].step == 3) { /* in place */
                ani_reorder(src.bytes, src.bytes, count, cases[i].format);
                assert_memory_equal(src.bytes, out.bytes, out.size);
            }
            free_fenced("reorder", &out);
            free_fenced("reorder's source", &src);
        }
}

/* --- warp ------------------------------------------------------------------------------------ */

static void place_and_sample(void **state) {
    (void)state;
    static const int32_t sides[][2] = {{1, 1}, {1, 9}, {9, 1}, {2, 2}, {2, 3}, {5, 4}, {40, 33}};
    ani_stream stream = ani_stream_begin(9, 0, 0);
    for (size_t s = 0; s < sizeof sides / sizeof *sides; s++)
        for (int i = 0; i < 300; i++) {
            const int32_t height = sides[s][0], width = sides[s][1];
            const int64_t count = below(&stream, ANI_POINTS + 1);
            fenced src = make_fenced((size_t)(height * width * 3), i % 2);
            fill_bytes(src.bytes, src.size, &stream);
            const ani_view view =
                ani_warp_view(src.bytes, height, width, i % 3 ? 1.0f / 255.0f : 1.0f / 0.255f,
                              i % 3 == 1 ? -1.0f : 0.0f);
            const double one = 4294967296.0;
            /* Every third begins at a whole pixel and goes in whole steps. */
            const double grain = i % 3 ? 1.0 : one;
            int64_t at[4];
            for (int k = 0; k < 4; k++) {
                const double range = k < 2 ? 2.0 * sides[s][k] : 2.0;
                const double value = ani_stream_uniform(&stream, -range, range) * one;
                at[k] = (int64_t)(floor(value / grain) * grain);
            }
            if (i % 50 == 0) at[0] = (int64_t)1 << 61;
            if (i % 50 == 1) at[1] = -((int64_t)1 << 61);
            ani_points points[2];
            memset(points, 0, sizeof points);
            plain.place(&points[0], at[0], at[1], at[2], at[3], count, &view);
            best.place(&points[1], at[0], at[1], at[2], at[3], count, &view);
            expect_same("place", &points[1], &points[0], sizeof points[0]);

            const size_t size = (size_t)count * 3 * sizeof(float);
            fenced out[2] = {make_fenced(size, i % 2), make_fenced(size, i % 2)};
            plain.sample((float *)(void *)out[0].bytes, &points[0], count, &view);
            best.sample((float *)(void *)out[1].bytes, &points[0], count, &view);
            expect_same("sample", out[1].bytes, out[0].bytes, size);
            for (int t = 0; t < 2; t++)
                free_fenced("sample", &out[t]);

            /* The same numbers as floats, with gain 1 and bias 0, are the same. */
            const size_t numbers = (size_t)(height * width * 3);
            fenced values = make_fenced(numbers * sizeof(float), i % 2);
            fenced sampled = make_fenced(size, i % 2), want = make_fenced(size, i % 2);
            float *numbers_at = (float *)(void *)values.bytes;
            for (size_t k = 0; k < numbers; k++)
                numbers_at[k] = src.bytes[k];
            const ani_view floats = ani_warp_view_values(numbers_at, height, width);
            const ani_view bytes = ani_warp_view(src.bytes, height, width, 1.0f, 0.0f);
            best.sample_values((float *)(void *)sampled.bytes, &points[0], count, &floats);
            plain.sample((float *)(void *)want.bytes, &points[0], count, &bytes);
            expect_same("sample_values", sampled.bytes, want.bytes, size);
            free_fenced("sample_values", &sampled);
            free_fenced("sample", &want);
            free_fenced("sample_values' source", &values);
            free_fenced("sample's source", &src);
        }
}

/* Which side of the border a pixel is on is what the formula in double says, for every fill. */
static void rows_follow_their_formula(void **state) {
    (void)state;
    ani_stream stream = ani_stream_begin(10, 0, 0);
    for (int i = 0; i < 4000; i++) {
        const int64_t height = 1 + below(&stream, 12), width = 1 + below(&stream, 12);
        const int64_t count = 1 + below(&stream, 150);
        const int32_t fill = i % 4, mirror = (int32_t)below(&stream, 2);
        fenced src = make_fenced((size_t)(height * width * 3), i % 2);
        fill_bytes(src.bytes, src.size, &stream);
        double row = ani_stream_uniform(&stream, -20, 20);
        double column = ani_stream_uniform(&stream, -20, 20);
        ani_warp warp = {.view = ani_warp_view(src.bytes, height, width, 1.0f, 0.0f),
                         .step_row = ani_stream_uniform(&stream, -1, 1),
                         .step_column = ani_stream_uniform(&stream, -1, 1),
                         .outside = -5.0f,
                         .fill = fill};
        if (i % 3 == 0) { /* whole steps, and the rounding of a turn by 90 degrees */
            row = floor(row);
            column = floor(column);
            warp.step_row = floor(warp.step_row * 2.5);
            warp.step_column = cos(1.57079632679489662);
        }
        if (i % 101 == 0) row = 8e9;
        const size_t size = (size_t)count * 3 * sizeof(float);
        fenced out[2] = {make_fenced(size, i % 2), make_fenced(size, i % 2)};
        const ani_pixels *tables[] = {&plain, &best};
        for (int t = 0; t < 2; t++) {
            warp.pixels = tables[t];
            ani_warp_row((float *)(void *)out[t].bytes, count, row, column, mirror, &warp);
        }
        expect_same("warp", out[1].bytes, out[0].bytes, size);
        for (int64_t k = 0; k < count; k++) {
            const double j = (double)(mirror ? count - 1 - k : k);
            const double y = ani_warp_fold(row + warp.step_row * j, height, fill);
            const double x = ani_warp_fold(column + warp.step_column * j, width, fill);
            const float *got = (const float *)(const void *)out[1].bytes + 3 * k;
            for (int c = 0; c < 3; c++) {
                double want = -5.0;
                if (y >= 0.0 && x >= 0.0) {
                    const int64_t r = (int64_t)y, q = (int64_t)x;
                    const double fy = y - (double)r, fx = x - (double)q;
                    const uint8_t *p = src.bytes + c;
                    const int64_t below_r = clip(r + 1, height), right_q = clip(q + 1, width);
                    want = (1 - fy) * ((1 - fx) * p[(r * width + q) * 3] +
                                       fx * p[(r * width + right_q) * 3]) +
                           fy * ((1 - fx) * p[(below_r * width + q) * 3] +
                                 fx * p[(below_r * width + right_q) * 3]);
                }
                if (!(fabs((double)got[c] - want) <= ldexp(13.0 * 255.0, -24)))
                    fail_msg("case %d, fill %d, pixel %d of %d: %.9g, it should be %.9g", i,
                             (int)fill, (int)k, (int)count, (double)got[c], want);
            }
        }
        for (int t = 0; t < 2; t++)
            free_fenced("warp", &out[t]);
        free_fenced("warp's source", &src);
    }
}

int main(void) {
    if (level_is_absent()) return 77; /* Meson: skipped */
    ani_pixels_init(&plain, 0);
    ani_pixels_init(&best, ani_cpu_mask(NULL));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_of_random_sizes),    cmocka_unit_test(resize_of_known_sizes),
        cmocka_unit_test(rows_that_are_not_needed),  cmocka_unit_test(yuv_follows_its_formula),
        cmocka_unit_test(channels_in_another_order), cmocka_unit_test(place_and_sample),
        cmocka_unit_test(rows_follow_their_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
