/* SPDX-License-Identifier: MIT
 * Keras' ImageDataGenerator for one image, and the fused form, which is the default
 * (docs/numerics.md, section augmentation). */
#include "augment/transform.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "dataset/scale.h"
#include "kernels/warp.h"

/* --- options --------------------------------------------------------------------------------- */

static const an_augment_options defaults = {.struct_size = sizeof defaults,
                                            .mode = AN_AUGMENT_NONE,
                                            .fill = AN_FILL_NEAREST,
                                            .zoom_low = 1.0,
                                            .zoom_high = 1.0};

void an_augment_options_init(an_augment_options *options, uint32_t struct_size) {
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

void an_augment_options_tutorial(an_augment_options *options, uint32_t struct_size) {
    an_augment_options tutorial = defaults;
    tutorial.mode = AN_AUGMENT_FAST;
    tutorial.horizontal_flip = 1;
    tutorial.rotation = 40.0;
    tutorial.width_shift = 0.2;
    tutorial.height_shift = 0.2;
    tutorial.shear = 0.2;
    tutorial.zoom_low = 1.0 - 0.2; /* as Keras computes them from zoom_range 0.2 */
    tutorial.zoom_high = 1.0 + 0.2;
    ani_options_init(options, struct_size, &tutorial, sizeof tutorial);
}

static an_status check_whole(const char *field, int32_t value, int32_t high, an_error *err) {
    if (value >= 0 && value <= high) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_augment_options: %s is %d; it must be 0 to %d", field,
                    (int)value, (int)high);
}

static an_status check_range(const char *field, double value, double low, double high,
                             an_error *err) {
    if (value >= low && value <= high) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_augment_options: %s is %g; it must be %g to %g", field,
                    value, low, high);
}

static an_status check_choices(const char *field, const double *choices, int64_t count,
                               an_error *err) {
    if (count < 0 || count > 65536 || (count && !choices))
        return ani_fail(err, AN_ERR_ARG,
                        "an_augment_options: %s has %lld numbers%s; 0 to 65536 are allowed", field,
                        (long long)count, choices ? "" : " at NULL");
    an_status st = AN_OK;
    for (int64_t i = 0; i < count && !st; i++)
        st = check_range(field, choices[i], -1e6, 1e6, err);
    return st;
}

/** Keras has no such thing, and its draws are those of a stream. */
static an_status check_mode(const an_augment_options *o, an_error *err) {
    const char *field = o->contrast > 0     ? "contrast"
                        : o->saturation > 0 ? "saturation"
                        : o->erase > 0      ? "erase"
                                            : NULL;
    if (!field || o->mode == AN_AUGMENT_FAST || o->mode == AN_AUGMENT_NONE) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "an_augment_options: %s in mode %d; it needs AN_AUGMENT_FAST, %d", field,
                    (int)o->mode, (int)AN_AUGMENT_FAST);
}

an_status ani_augment_check(const an_augment_options *o, an_error *err) {
    an_status st = check_whole("mode", o->mode, AN_AUGMENT_LEGACY, err);
    if (!st) st = check_whole("horizontal_flip", o->horizontal_flip, 1, err);
    if (!st) st = check_whole("vertical_flip", o->vertical_flip, 1, err);
    if (!st) st = check_whole("fill", o->fill, AN_FILL_WRAP, err);
    if (!st) st = check_whole("reserved", o->reserved, 0, err);
    if (!st) st = check_range("rotation", o->rotation, 0.0, 1e6, err);
    if (!st) st = check_range("width_shift", o->width_shift, 0.0, 1e6, err);
    if (!st) st = check_range("height_shift", o->height_shift, 0.0, 1e6, err);
    if (!st) st = check_range("shear", o->shear, 0.0, 1e6, err);
    if (!st) st = check_range("zoom_low", o->zoom_low, 1e-3, 1e3, err);
    if (!st) st = check_range("zoom_high", o->zoom_high, o->zoom_low, 1e3, err);
    if (!st) st = check_range("channel_shift", o->channel_shift, 0.0, 1e6, err);
    if (!st) st = check_range("brightness_low", o->brightness_low, 0.0, 1e3, err);
    if (!st) st = check_range("brightness_high", o->brightness_high, o->brightness_low, 1e3, err);
    if (!st) st = check_range("contrast", o->contrast, 0.0, 1.0, err);
    if (!st) st = check_range("saturation", o->saturation, 0.0, 1.0, err);
    if (!st) st = check_range("erase", o->erase, 0.0, 1.0, err);
    if (!st) st = check_mode(o, err);
    if (!st) st = check_range("fill_value", o->fill_value, -1e6, 1e6, err);
    if (!st) st = check_choices("width_shifts", o->width_shifts, o->width_shift_count, err);
    if (!st) st = check_choices("height_shifts", o->height_shifts, o->height_shift_count, err);
    return st;
}

static bool has_brightness(const an_augment_options *o) {
    return o->brightness_low != 0.0 || o->brightness_high != 0.0;
}

static bool has_zoom(const an_augment_options *o) {
    return o->zoom_low != 1.0 || o->zoom_high != 1.0;
}

bool ani_augment_is_active(const an_augment_options *o) {
    return o->mode != AN_AUGMENT_NONE &&
           (o->horizontal_flip || o->vertical_flip || o->rotation != 0.0 || o->width_shift != 0.0 ||
            o->height_shift != 0.0 || o->width_shift_count || o->height_shift_count ||
            o->shear != 0.0 || has_zoom(o) || o->channel_shift != 0.0 || has_brightness(o) ||
            o->contrast > 0.0 || o->saturation > 0.0 || o->erase > 0.0);
}

int ani_geometry(int32_t mode) {
    return mode == AN_AUGMENT_KERAS    ? ANI_GEOMETRY_KERAS
           : mode == AN_AUGMENT_LEGACY ? ANI_GEOMETRY_2020
                                       : ANI_GEOMETRY_PLAIN;
}

/* --- drawing --------------------------------------------------------------------------------- */

void ani_transform_init(ani_transform *transform) {
    *transform = (ani_transform){
        .zx = 1.0, .zy = 1.0, .brightness = 1.0, .colour = {.contrast = 1.0, .saturation = 1.0}};
}

/* The source of random numbers: one of the two. */
typedef struct numbers {
    ani_mt19937 *mt;
    ani_stream stream;
} numbers;

static double draw(numbers *n, double low, double high) {
    return n->mt ? ani_mt19937_uniform(n->mt, low, high)
                 : ani_stream_uniform(&n->stream, low, high);
}

static uint32_t draw_bounded(numbers *n, uint32_t max) {
    if (n->mt) return ani_mt19937_bounded(n->mt, max);
    return (uint32_t)(ani_stream_double(&n->stream) * ((double)max + 1.0));
}

/* A shift in pixels along a side of the given length. */
static double draw_shift(numbers *n, double range, const double *choices, int64_t count,
                         int64_t length) {
    double shift, largest = range;
    if (count) {
        shift = choices[draw_bounded(n, (uint32_t)(count - 1))];
        largest = choices[0];
        for (int64_t i = 1; i < count; i++)
            largest = fmax(largest, choices[i]);
        shift *= draw_bounded(n, 1) ? 1.0 : -1.0;
    } else if (range != 0.0) {
        shift = draw(n, -range, range);
    } else {
        return 0.0;
    }
    return largest < 1.0 ? shift * (double)length : shift;
}

static int64_t erase_side(double side, int64_t length) {
    const int64_t whole = (int64_t)(side + 0.5);
    return whole < 1 ? 1 : whole > length ? length : whole;
}

/* A rectangle of 2 to 20 % of the image, with sides of a ratio of 0.3 to 1/0.3. All its numbers are
 * drawn, whether there is one or not. */
static void draw_erase(ani_transform *t, double chance, int64_t height, int64_t width, numbers *n) {
    const bool erases = draw(n, 0.0, 1.0) < chance;
    const double area = draw(n, 0.02, 0.2) * (double)height * (double)width;
    const double ratio = exp(draw(n, log(0.3), -log(0.3)));
    const int64_t rows = erase_side(sqrt(area * ratio), height);
    const int64_t columns = erase_side(sqrt(area / ratio), width);
    const double down = draw(n, 0.0, 1.0), right = draw(n, 0.0, 1.0);
    if (!erases) return;
    t->colour.erase_height = rows;
    t->colour.erase_width = columns;
    t->colour.erase_row = (int64_t)(down * (double)(height - rows + 1));
    t->colour.erase_column = (int64_t)(right * (double)(width - columns + 1));
}

static void draw_all(ani_transform *t, const an_augment_options *o, int64_t height, int64_t width,
                     numbers *n) {
    ani_transform_init(t);
    if (o->rotation != 0.0) t->theta = draw(n, -o->rotation, o->rotation);
    t->tx = draw_shift(n, o->height_shift, o->height_shifts, o->height_shift_count, height);
    t->ty = draw_shift(n, o->width_shift, o->width_shifts, o->width_shift_count, width);
    if (o->shear != 0.0) t->shear = draw(n, -o->shear, o->shear);
    if (has_zoom(o)) {
        t->zx = draw(n, o->zoom_low, o->zoom_high);
        t->zy = draw(n, o->zoom_low, o->zoom_high);
    }
    /* Both are always drawn, as in Keras. */
    t->flip_horizontal = (draw(n, 0.0, 1.0) < 0.5) && o->horizontal_flip;
    t->flip_vertical = (draw(n, 0.0, 1.0) < 0.5) && o->vertical_flip;
    if (o->channel_shift != 0.0) {
        t->has_channel_shift = true;
        t->channel_shift = draw(n, -o->channel_shift, o->channel_shift);
    }
    if (has_brightness(o)) {
        t->has_brightness = true;
        t->brightness = draw(n, o->brightness_low, o->brightness_high);
    }
    if (o->contrast > 0.0) t->colour.contrast = draw(n, 1.0 - o->contrast, 1.0 + o->contrast);
    if (o->saturation > 0.0)
        t->colour.saturation = draw(n, 1.0 - o->saturation, 1.0 + o->saturation);
    if (o->erase > 0.0) draw_erase(t, o->erase, height, width, n);
}

void ani_transform_draw(ani_transform *out, const an_augment_options *options, int64_t height,
                        int64_t width, ani_mt19937 *mt) {
    numbers n = {.mt = mt};
    draw_all(out, options, height, width, &n);
}

void ani_transform_draw_plain(ani_transform *out, const an_augment_options *options, int64_t height,
                              int64_t width, uint32_t seed, int64_t epoch, int64_t sample) {
    numbers n = {.stream = ani_stream_begin(seed, epoch, sample)};
    draw_all(out, options, height, width, &n);
    const double height_shift = out->tx;
    out->tx = out->ty;
    out->ty = height_shift;
}

/* --- matrix ---------------------------------------------------------------------------------- */

/* a = a * b, as NumPy's dot of two 3x3 matrices. */
static void multiply(double a[3][3], const double b[3][3]) {
    double product[3][3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            product[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j];
    memcpy(a, product, sizeof product);
}

bool ani_transform_matrix(const ani_transform *t, int geometry, int64_t height, int64_t width,
                          double m[6]) {
    const double degree = 3.14159265358979323846 / 180.0;
    const bool turns = t->theta != 0.0, shifts = t->tx != 0.0 || t->ty != 0.0;
    const bool shears = t->shear != 0.0, zooms = t->zx != 1.0 || t->zy != 1.0;
    if (!turns && !shifts && !shears && !zooms) return false;

    /* Keras uses half the height for x, which is wrong unless the image is square. */
    const double half = geometry == ANI_GEOMETRY_2020 ? 0.5 : -0.5;
    const double sx = (double)(geometry == ANI_GEOMETRY_PLAIN ? width : height) / 2.0 + half;
    const double sy = (double)(geometry == ANI_GEOMETRY_PLAIN ? height : width) / 2.0 + half;
    double a[3][3] = {{1, 0, sx}, {0, 1, sy}, {0, 0, 1}};
    double product[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    if (turns) {
        const double c = cos(t->theta * degree), s = sin(t->theta * degree);
        multiply(product, (const double[3][3]){{c, -s, 0}, {s, c, 0}, {0, 0, 1}});
    }
    if (shifts) multiply(product, (const double[3][3]){{1, 0, t->tx}, {0, 1, t->ty}, {0, 0, 1}});
    if (shears) {
        const double c = cos(t->shear * degree), s = sin(t->shear * degree);
        multiply(product, (const double[3][3]){{1, -s, 0}, {0, c, 0}, {0, 0, 1}});
    }
    if (zooms) multiply(product, (const double[3][3]){{t->zx, 0, 0}, {0, t->zy, 0}, {0, 0, 1}});
    multiply(a, (const double(*)[3])product);
    multiply(a, (const double[3][3]){{1, 0, -sx}, {0, 1, -sy}, {0, 0, 1}});

    if (geometry == ANI_GEOMETRY_2020) {
        memcpy(m, a[0], 3 * sizeof *m);
        memcpy(m + 3, a[1], 3 * sizeof *m);
    } else { /* the matrix is in (x, y) order, the image in (row, column) */
        memcpy(m, (const double[6]){a[1][1], a[1][0], a[1][2], a[0][1], a[0][0], a[0][2]},
               6 * sizeof *m);
    }
    return true;
}

/* --- pixels: the reference form -------------------------------------------------------------- */

static void range_of(const float *x, int64_t count, float *low, float *high) {
    *low = *high = x[0];
    for (int64_t i = 1; i < count; i++) {
        *low = x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

/* Add to all values, clamping to the original minimum and maximum. */
static void shift_channels(float *x, int64_t count, float shift) {
    float low, high;
    range_of(x, count, &low, &high);
    for (int64_t i = 0; i < count; i++) {
        const float moved = x[i] + shift;
        x[i] = moved < low ? low : moved > high ? high : moved;
    }
}

/* Pillow's brightness: 8-bit pixels blended with black in float, clamped to [0, 255] and
 * truncated. */
static float enhance(float pixel, float factor) {
    const float mixed = factor * (float)(uint8_t)pixel;
    return mixed >= 255.0f ? 255.0f : (float)(uint8_t)mixed;
}

/* Brightness as in Keras: values are converted to 8-bit pixels, after stretching to [0, 255] if
 * they are out of that range (2020: always); stretched values are restored afterwards (2020:
 * not). */
static void enhance_as_keras(float *x, int64_t count, double factor, bool is_2020) {
    float low, high;
    range_of(x, count, &low, &high);
    const bool stretches = is_2020 || low < 0.0f || high > 255.0f;
    const float largest = high - low;
    for (int64_t i = 0; i < count; i++) {
        float pixel = x[i];
        if (stretches) {
            pixel -= low;
            if (largest != 0.0f) pixel /= largest;
            pixel *= 255.0f;
        }
        pixel = enhance(pixel, (float)factor);
        x[i] = stretches && !is_2020 ? pixel / 255.0f * largest + low : pixel;
    }
}

/* One output pixel from position (r, c): four taps in double, in SciPy's order. */
static void sample(float *out, const float *in, int64_t height, int64_t width, int64_t channels,
                   double r, double c) {
    const int64_t i = (int64_t)r, j = (int64_t)c; /* both >= 0: this is floor */
    const double down = r - (double)i, right = c - (double)j;
    const int64_t i1 = i < height - 1 ? i + 1 : i, j1 = j < width - 1 ? j + 1 : j;
    const float *taps[4] = {in + (i * width + j) * channels, in + (i * width + j1) * channels,
                            in + (i1 * width + j) * channels, in + (i1 * width + j1) * channels};
    for (int64_t k = 0; k < channels; k++) {
        double sum = (double)taps[0][k] * (1.0 - down) * (1.0 - right);
        sum += (double)taps[1][k] * (1.0 - down) * right;
        sum += (double)taps[2][k] * down * (1.0 - right);
        sum += (double)taps[3][k] * down * right;
        out[k] = (float)sum;
    }
}

void ani_transform_apply(float *out, const float *in, int64_t height, int64_t width,
                         int64_t channels, const ani_transform *t, int geometry, int32_t fill,
                         float fill_value) {
    double m[6];
    const bool moves = ani_transform_matrix(t, geometry, height, width, m);
    for (int64_t i = 0; i < height; i++) {
        /* Flips come after the map: they only change where a pixel is written. */
        float *row = out + (t->flip_vertical ? height - 1 - i : i) * width * channels;
        for (int64_t j = 0; j < width; j++) {
            float *pixel = row + (t->flip_horizontal ? width - 1 - j : j) * channels;
            if (!moves) {
                memcpy(pixel, in + (i * width + j) * channels, (size_t)channels * sizeof *pixel);
                continue;
            }
            const double r = m[2] + m[0] * (double)i + m[1] * (double)j;
            const double c = m[5] + m[3] * (double)i + m[4] * (double)j;
            const double row_at = ani_warp_fold(r, height, fill);
            const double column_at = ani_warp_fold(c, width, fill);
            if (row_at < 0.0 || column_at < 0.0) {
                for (int64_t k = 0; k < channels; k++)
                    pixel[k] = fill_value;
            } else {
                sample(pixel, in, height, width, channels, row_at, column_at);
            }
        }
    }
    const int64_t count = height * width * channels;
    if (t->has_channel_shift) shift_channels(out, count, (float)t->channel_shift);
    if (t->has_brightness)
        enhance_as_keras(out, count, t->brightness, geometry == ANI_GEOMETRY_2020);
}

/* --- scales ---------------------------------------------------------------------------------- */

an_status ani_scaling_fill(ani_scaling *out, int32_t scale, an_error *err) {
    an_status st = an_scale_fill_tables(scale, out->tables, err);
    if (!st) st = ani_scale_line(scale, out->gain, out->bias, err);
    if (st) return st;
    ani_scale_range(scale, &out->low, &out->high);
    out->same = !memcmp(out->tables, out->tables + 256, 256 * sizeof *out->tables) &&
                !memcmp(out->tables, out->tables + 512, 256 * sizeof *out->tables);
    return AN_OK;
}

/* --- pixels: the fused form ------------------------------------------------------------------ */

static void copy_row(float *out, const float *in, int64_t width, bool mirror) {
    for (int64_t j = 0; j < width; j++)
        memcpy(out + 3 * j, in + 3 * (mirror ? width - 1 - j : j), 3 * sizeof *out);
}

static void scale_row(float *out, const uint8_t *in, int64_t width, bool mirror,
                      const float tables[768]) {
    for (int64_t j = 0; j < width; j++) {
        const uint8_t *pixel = in + 3 * (mirror ? width - 1 - j : j);
        for (int64_t k = 0; k < 3; k++)
            out[3 * j + k] = tables[256 * k + pixel[k]];
    }
}

/* Multiply the 8-bit value behind each value, clamping to [0, 255]. */
static void brighten(float *x, int64_t count, float factor, const ani_scaling *scaling) {
    for (int64_t c = 0; c < 3; c++) {
        const float black = scaling->tables[256 * c], white = scaling->tables[256 * c + 255];
        for (int64_t i = c; i < count; i += 3) {
            const float bright = (x[i] - black) * factor + black;
            x[i] = bright < black ? black : bright > white ? white : bright;
        }
    }
}

static void transform(float *out, const ani_view *view, const ani_transform *t, int geometry,
                      int32_t fill, float fill_value, const ani_scaling *scaling,
                      const ani_pixels *pixels) {
    const int64_t height = view->height, width = view->width;
    double m[6] = {0};
    ani_warp_line line;
    for (int32_t k = 0; k < 3; k++) {
        line.gain[k] = (float)scaling->gain[k];
        line.bias[k] = (float)scaling->bias[k];
    }
    const bool moves = ani_transform_matrix(t, geometry, height, width, m);
    const ani_warp warp = {.pixels = pixels,
                           .view = *view,
                           .step_row = m[1],
                           .step_column = m[4],
                           .outside = fill_value,
                           .fill = fill,
                           .line = view->src && !scaling->same ? &line : NULL};
    if (moves && view->src) ani_warp_prefetch(view);
    for (int64_t y = 0; y < height; y++) {
        const int64_t i = t->flip_vertical ? height - 1 - y : y;
        float *row = out + y * width * 3;
        if (moves)
            ani_warp_row(row, width, m[2] + m[0] * (double)i, m[5] + m[3] * (double)i,
                         t->flip_horizontal, &warp);
        else if (view->src)
            scale_row(row, view->src + i * width * 3, width, t->flip_horizontal, scaling->tables);
        else
            copy_row(row, view->values + i * width * 3, width, t->flip_horizontal);
    }
    if (t->has_channel_shift) shift_channels(out, height * width * 3, (float)t->channel_shift);
    if (t->has_brightness) brighten(out, height * width * 3, (float)t->brightness, scaling);
    const float *table = scaling->tables;
    ani_colour_apply(out, height, width, &t->colour,
                     (const float[3]){table[0], table[256], table[512]},
                     (const float[3]){table[255], table[511], table[767]});
}

void ani_transform_fast(float *out, const uint8_t *in, int64_t height, int64_t width,
                        const ani_transform *t, int geometry, int32_t fill, float fill_value,
                        const ani_scaling *scaling, const ani_pixels *pixels) {
    /* Scales that differ are applied after the interpolation. */
    const float gain = scaling->same ? (float)scaling->gain[0] : 1.0f;
    const float bias = scaling->same ? (float)scaling->bias[0] : 0.0f;
    const ani_view view = ani_warp_view(in, height, width, gain, bias);
    transform(out, &view, t, geometry, fill, fill_value, scaling, pixels);
}

/* Find the 8-bit pixels that a scale maps to these values; false if there is no such pixel for one
 * of them. */
static bool find_pixels(uint8_t *out, const float *in, int64_t count, const ani_scaling *scaling) {
    float gain[3], black[3];
    for (int32_t c = 0; c < 3; c++) {
        gain[c] = (float)(1.0 / scaling->gain[c]);
        black[c] = scaling->tables[256 * c];
    }
    for (int64_t i = 0; i < count; i += 3)
        for (int64_t c = 0; c < 3; c++) {
            const float pixel = (in[i + c] - black[c]) * gain[c] + 0.5f;
            out[i + c] = pixel >= 0.0f && pixel < 256.0f ? (uint8_t)pixel : 0;
            if (scaling->tables[256 * c + out[i + c]] != in[i + c]) return false;
        }
    return true;
}

void ani_transform_values(float *out, const float *in, uint8_t *scratch, int64_t height,
                          int64_t width, const ani_transform *t, int geometry, int32_t fill,
                          float fill_value, const ani_scaling *scaling, const ani_pixels *pixels) {
    if (find_pixels(scratch, in, height * width * 3, scaling)) {
        ani_transform_fast(out, scratch, height, width, t, geometry, fill, fill_value, scaling,
                           pixels);
        return;
    }
    const ani_view view = ani_warp_view_values(in, height, width);
    transform(out, &view, t, geometry, fill, fill_value, scaling, pixels);
}
