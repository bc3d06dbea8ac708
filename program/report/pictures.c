/* SPDX-License-Identifier: MIT
 * Shrinking, colouring, embedding. */
#include "report/pictures.h"

#include <math.h>

enum { QUALITY = 82 };

/* --- shrinking -------------------------------------------------------------------------------- */

/* The mean of the pixels of rows [y0, y1) and columns [x0, x1), which may begin and end within a
 * pixel. */
static void cover(const an_image *image, double y0, double y1, double x0, double x1,
                  uint8_t rgb[3]) {
    const uint8_t *data = an_image_const_data(image);
    const int64_t height = an_image_height(image), width = an_image_width(image);
    double sums[3] = {0}, all = 0;
    for (int64_t y = (int64_t)y0; y < height && (double)y < y1 - 1e-9; y++) {
        const double rows = fmin((double)y + 1, y1) - fmax((double)y, y0);
        for (int64_t x = (int64_t)x0; x < width && (double)x < x1 - 1e-9; x++) {
            const double share = rows * (fmin((double)x + 1, x1) - fmax((double)x, x0));
            for (int c = 0; c < 3; c++)
                sums[c] += share * data[(y * width + x) * 3 + c];
            all += share;
        }
    }
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lround(sums[c] / all);
}

an_status picture_shrink(an_image **out, const an_image *image, int32_t side, an_error *err) {
    const int64_t height = an_image_height(image), width = an_image_width(image);
    const double longer = (double)(height > width ? height : width);
    const double scale = fmin(1, side / longer);
    const int64_t rows = (int64_t)fmax(1, rint((double)height * scale));
    const int64_t columns = (int64_t)fmax(1, rint((double)width * scale));
    const an_status st = an_image_create(out, NULL, rows, columns, err);
    if (st) return st;
    const double tall = (double)height / (double)rows, wide = (double)width / (double)columns;
    uint8_t *rgb = an_image_data(*out);
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++)
            cover(image, (double)y * tall, (double)(y + 1) * tall, (double)x * wide,
                  (double)(x + 1) * wide, rgb + (y * columns + x) * 3);
    return AN_OK;
}

/* --- heat maps -------------------------------------------------------------------------------- */

void picture_colour(double value, uint8_t rgb[3]) {
    /* The colour map "inferno" of Matplotlib (CC0), at nine places. */
    static const uint8_t colours[9][3] = {{0, 0, 4},      {31, 12, 72},   {85, 15, 109},
                                          {136, 34, 106}, {186, 54, 85},  {227, 89, 51},
                                          {249, 140, 10}, {249, 201, 50}, {252, 255, 164}};
    const double place = fmin(fmax(value, 0), 1) * 8;
    const int below = place < 8 ? (int)place : 7;
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lround(colours[below][c] +
                                 (place - below) * (colours[below + 1][c] - colours[below][c]));
}

static int64_t within(int64_t i, int64_t count) {
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

/* A cubic curve (Catmull-Rom) through four values in a row, between the second and the third. */
static double curve(const double v[4], double at) {
    return v[1] + 0.5 * at *
                      (v[2] - v[0] +
                       at * (2 * v[0] - 5 * v[1] + 4 * v[2] - v[3] +
                             at * (3 * (v[1] - v[2]) + v[3] - v[0])));
}

/* A value between the map's pixels, whose centres are at (0.5, 0.5), ...; beyond the outer ones as
 * if they went on. Straight lines between so few pixels would look like crosses. */
static double between(const float *map, int64_t height, int64_t width, double y, double x) {
    double rows[4];
    const int64_t top = (int64_t)floor(y - 0.5), left = (int64_t)floor(x - 0.5);
    for (int64_t i = 0; i < 4; i++) {
        double row[4];
        for (int64_t k = 0; k < 4; k++)
            row[k] = (double)map[within(top - 1 + i, height) * width + within(left - 1 + k, width)];
        rows[i] = curve(row, x - 0.5 - (double)left);
    }
    return fmin(fmax(curve(rows, y - 0.5 - (double)top), 0), 1);
}

void picture_heat(an_image *image, const float *map, int64_t height, int64_t width,
                  double opacity) {
    const int64_t rows = an_image_height(image), columns = an_image_width(image);
    uint8_t *rgb = an_image_data(image);
    for (int64_t y = 0; y < rows; y++) {
        for (int64_t x = 0; x < columns; x++, rgb += 3) {
            uint8_t colour[3];
            const double value =
                between(map, height, width, ((double)y + 0.5) * (double)height / (double)rows,
                        ((double)x + 0.5) * (double)width / (double)columns);
            picture_colour(value, colour);
            for (int c = 0; c < 3; c++)
                rgb[c] = (uint8_t)lround(rgb[c] + opacity * value * (colour[c] - rgb[c]));
        }
    }
}

/* --- embedding -------------------------------------------------------------------------------- */

an_status picture_add(page *to, const an_image *image, const char *alt, an_error *err) {
    an_bytes *bytes = NULL;
    const an_status st = an_image_encode_jpeg(&bytes, image, QUALITY, err);
    if (st) return st;
    page_add(to, "<img width=\"%d\" height=\"%d\" alt=\"", (int)an_image_width(image),
             (int)an_image_height(image));
    page_text(to, alt);
    page_add(to, "\" src=\"data:image/jpeg;base64,");
    page_base64(to, an_bytes_data(bytes), an_bytes_size(bytes));
    page_add(to, "\">");
    an_bytes_destroy(bytes);
    return AN_OK;
}
