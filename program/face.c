/* SPDX-License-Identifier: MIT
 * Made-up faces: training data that needs no external files and shows no real person.
 *
 * Every shape is a signed distance in pixels; the coverage of a pixel is 0.5 - distance, clamped to
 * [0, 1]. So edges are smooth at any size, without a drawing library. */
#include "face.h"

#include <math.h>

/* --- random numbers: splitmix64, the same everywhere ------------------------------------------ */

static uint64_t random_bits(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double random_in(uint64_t *state, double low, double high) {
    return low + (high - low) * (double)(random_bits(state) >> 11) * 0x1p-53;
}

/* Approximately normal, mean 0, standard deviation 1: the sum of twelve uniform numbers. */
static double random_normal(uint64_t *state) {
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += random_in(state, 0, 1);
    return sum;
}

/* --- a face ----------------------------------------------------------------------------------- */

typedef struct color {
    double r, g, b; /* 0 to 1 */
} color;

/** Lengths are in face heights, angles in radians. */
typedef struct face {
    double smile;                      /* -1 corners down to 1 corners up;       enters the score */
    double eye_width;                  /* relative to the face's width; enters the score */
    double eye_open;                   /* height of an eye over its width; enters the score */
    double ratio;                      /* width of the face over its height; enters the score */
    double center_x, center_y, height; /* of the frame */
    double tilt, eye_gap, eye_y, mouth_width, lip, nose, brow, hair, light, noise;
    color skin, dark, hair_color, iris, lips, background[2];
} face;

static color hsv(double hue, double saturation, double value) {
    double channel[3];
    for (int i = 0; i < 3; i++) { /* red is n = 5, green n = 3, blue n = 1 */
        const double k = fmod(5 - 2 * i + hue * 6, 6);
        const double dip = fmax(0, fmin(fmin(k, 4 - k), 1));
        channel[i] = value - value * saturation * dip;
    }
    return (color){channel[0], channel[1], channel[2]};
}

static color scaled(color c, double factor) {
    return (color){fmin(c.r * factor, 1), fmin(c.g * factor, 1), fmin(c.b * factor, 1)};
}

static void draw_parameters(face *f, uint64_t *random) {
    f->smile = random_in(random, -1, 1);
    f->eye_width = random_in(random, 0.16, 0.32);
    f->eye_open = random_in(random, 0.35, 0.95);
    f->ratio = random_in(random, 0.60, 0.95);
    f->center_x = random_in(random, 0.48, 0.52);
    f->center_y = random_in(random, 0.49, 0.52);
    f->height = random_in(random, 0.68, 0.74);
    f->tilt = random_in(random, -0.06, 0.06);
    f->eye_gap = random_in(random, 0.42, 0.50);
    f->eye_y = random_in(random, -0.13, -0.07);
    f->mouth_width = random_in(random, 0.40, 0.50);
    f->lip = random_in(random, 0.022, 0.034);
    f->nose = random_in(random, 0.05, 0.08);
    f->brow = random_in(random, -0.02, 0.02);
    f->hair = random_in(random, 0.2, 0.45);
    f->light = random_in(random, -0.1, 0.1);
    f->noise = random_in(random, 0.002, 0.012);
    f->skin = hsv(random_in(random, 0.03, 0.10), random_in(random, 0.2, 0.6),
                  random_in(random, 0.35, 0.98));
    f->dark = scaled(f->skin, 0.62);
    f->hair_color =
        hsv(random_in(random, 0, 0.12), random_in(random, 0.2, 0.8), random_in(random, 0.05, 0.65));
    f->iris = hsv(random_in(random, 0.05, 0.65), 0.6, 0.5);
    f->lips = hsv(0.97, 0.65, random_in(random, 0.45, 0.85));
    for (int i = 0; i < 2; i++)
        f->background[i] =
            hsv(random_in(random, 0, 1), random_in(random, 0, 0.3), random_in(random, 0.3, 1));
}

/* From 1 to 5. Each cue runs from -1 to 1 over its range. */
static double face_score(const face *f) {
    const double eyes = (f->eye_width - 0.24) / 0.08, open = (f->eye_open - 0.65) / 0.30;
    const double narrow = (0.775 - f->ratio) / 0.175;
    return 3 + 2 * tanh(0.4 * f->smile + 0.5 * eyes + 0.3 * open + 1.1 * narrow);
}

/* --- drawing ---------------------------------------------------------------------------------- */

/** The image, and the coordinate frame of the face in it. */
typedef struct canvas {
    double *rgb; /* [size,size,3], 0 to 1 */
    int32_t size;
    double origin_x, origin_y, scale; /* pixels; pixels in a face height */
    double cosine, sine;
} canvas;

/** A shape in the coordinates of the face: x to the right, y down, origin at the centre. */
typedef struct shape {
    double (*distance)(const struct shape *s, double x, double y); /* negative inside */
    double x, y;                                                   /* centre */
    double a, b, c, d;                                             /* depends on the kind of
                                                                      shape */
    double top, bottom; /* y outside which nothing is drawn */
    double radius;      /* radius around the centre outside which nothing is drawn */
} shape;

/* Half axes a and b. The first-order distance to an ellipse: exact enough within a pixel of its
 * edge. */
static double ellipse_distance(const shape *s, double x, double y) {
    const double u = (x - s->x) / s->a, v = (y - s->y) / s->b;
    const double slope = hypot(u / s->a, v / s->b);
    const double value = u * u + v * v - 1;
    return slope > 0 ? value / (2 * slope) : -fmin(s->a, s->b);
}

/* A bar from -a to a, turned by c (slope), half as thick as b. */
static double bar_distance(const shape *s, double x, double y) {
    const double along = fmax(-s->a, fmin(s->a, x - s->x));
    return hypot(x - s->x - along, y - s->y - s->c * along) - s->b;
}

/* A mouth: half width a, lips up to b thick in the middle, corners raised by c. */
static double mouth_distance(const shape *s, double x, double y) {
    const double t = (x - s->x) / s->a, inside = 1 - t * t;
    const double middle = s->y - s->c * (t * t - 0.5);
    const double thickness = s->b * (0.35 + 0.65 * fmax(inside, 0));
    return fmax(fabs(y - middle) - thickness, (fabs(t) - 1) * s->a);
}

static double triangle_distance(const shape *s, double x, double y) {
    const double down = (y - s->y) / s->b; /* 0 at the tip, 1 at the foot */
    return fmax(fmax(fabs(x - s->x) - s->a * down, y - s->y - s->b), s->y - y);
}

static void paint(canvas *into, const shape *s, color c) {
    const double px = into->origin_x + into->scale * (s->x * into->cosine - s->y * into->sine);
    const double py = into->origin_y + into->scale * (s->x * into->sine + s->y * into->cosine);
    const double reach = s->radius * into->scale + 2;
    const int32_t left = (int32_t)fmax(0, px - reach), above = (int32_t)fmax(0, py - reach);
    const int32_t right = (int32_t)fmin(into->size, px + reach);
    const int32_t below = (int32_t)fmin(into->size, py + reach);
    for (int32_t row = above; row < below; row++) {
        for (int32_t column = left; column < right; column++) {
            const double dx = (column + 0.5 - into->origin_x) / into->scale;
            const double dy = (row + 0.5 - into->origin_y) / into->scale;
            const double x = dx * into->cosine + dy * into->sine;
            const double y = dy * into->cosine - dx * into->sine;
            double distance = s->distance(s, x, y);
            distance = fmax(distance, fmax(s->top - y, y - s->bottom)) * into->scale;
            const double cover = fmax(0, fmin(1, 0.5 - distance));
            double *pixel = into->rgb + ((int64_t)row * into->size + column) * 3;
            pixel[0] += cover * (c.r - pixel[0]);
            pixel[1] += cover * (c.g - pixel[1]);
            pixel[2] += cover * (c.b - pixel[2]);
        }
    }
}

static shape ellipse(double x, double y, double a, double b) {
    return (shape){.distance = ellipse_distance,
                   .x = x,
                   .y = y,
                   .a = a,
                   .b = b,
                   .top = -9,
                   .bottom = 9,
                   .radius = fmax(a, b)};
}

static void paint_ellipse(canvas *into, double x, double y, double a, double b, color c) {
    const shape s = ellipse(x, y, a, b);
    paint(into, &s, c);
}

static void paint_eye(canvas *into, const face *f, double side) {
    const double x = side * f->eye_gap * f->ratio / 2, a = f->eye_width * f->ratio / 2;
    const double b = a * f->eye_open, iris = 0.9 * b;
    paint_ellipse(into, x, f->eye_y, a, b, (color){0.98, 0.98, 0.97});
    paint_ellipse(into, x, f->eye_y, iris, iris, f->iris);
    paint_ellipse(into, x, f->eye_y, iris / 2, iris / 2, (color){0.04, 0.04, 0.05});
    const shape brow = {.distance = bar_distance,
                        .x = x,
                        .y = f->eye_y - b - 0.06 - f->brow,
                        .a = 1.1 * a,
                        .b = 0.012,
                        .c = 2 * side * f->brow,
                        .top = -9,
                        .bottom = 9,
                        .radius = 0.3};
    paint(into, &brow, f->hair_color);
}

static void paint_face(canvas *into, const face *f) {
    const double half = f->ratio / 2;
    paint_ellipse(into, 0, 0.98, 1.15 * f->ratio, 0.42,
                  scaled(f->background[0], 0.6)); /* shoulders */
    shape hair = ellipse(0, (f->hair - 0.62) / 2, 1.22 * half, (f->hair + 0.62) / 2);
    paint(into, &hair, f->hair_color);
    paint_ellipse(into, 0, 0.48, 0.4 * half, 0.24, f->dark); /* neck */
    paint_ellipse(into, 0, 0, half, 0.5, f->skin);
    shape fringe = ellipse(0, 0, half, 0.5);
    fringe.bottom = -0.34;
    paint(into, &fringe, f->hair_color);
    paint_eye(into, f, -1);
    paint_eye(into, f, 1);
    const shape nose = {.distance = triangle_distance,
                        .x = 0,
                        .y = -0.02,
                        .a = f->nose,
                        .b = 0.15,
                        .top = -9,
                        .bottom = 9,
                        .radius = 0.2};
    paint(into, &nose, f->dark);
    const shape mouth = {.distance = mouth_distance,
                         .x = 0,
                         .y = 0.27,
                         .a = f->mouth_width * f->ratio / 2,
                         .b = f->lip,
                         .c = 0.08 * f->smile,
                         .top = -9,
                         .bottom = 9,
                         .radius = 0.35};
    paint(into, &mouth, f->lips);
}

static void draw_pixels(const face *f, uint64_t *random, double *rgb, int32_t size, uint8_t *out) {
    canvas into = {.rgb = rgb,
                   .size = size,
                   .origin_x = f->center_x * size,
                   .origin_y = f->center_y * size,
                   .scale = f->height * size,
                   .cosine = cos(f->tilt),
                   .sine = sin(f->tilt)};
    for (int32_t row = 0; row < size; row++) {
        const double t = (row + 0.5) / size;
        const color *top = &f->background[0], *bottom = &f->background[1];
        for (int32_t column = 0; column < size; column++) {
            double *pixel = rgb + ((int64_t)row * size + column) * 3;
            pixel[0] = top->r + t * (bottom->r - top->r);
            pixel[1] = top->g + t * (bottom->g - top->g);
            pixel[2] = top->b + t * (bottom->b - top->b);
        }
    }
    paint_face(&into, f);
    for (int64_t i = 0; i < (int64_t)size * size; i++) {
        const double across = 2 * (double)(i % size) / size - 1;
        const double grain = f->noise * random_normal(random);
        for (int channel = 0; channel < 3; channel++) {
            const double value = rgb[3 * i + channel] * (1 + f->light * across) + grain;
            out[3 * i + channel] = (uint8_t)lrint(255 * fmax(0, fmin(1, value)));
        }
    }
}

double draw_face(int32_t seed, int32_t number, int32_t size, double *scratch, uint8_t *rgb) {
    uint64_t random = ((uint64_t)(uint32_t)seed << 32) + (uint64_t)number; /* a stream a face */
    face f;
    draw_parameters(&f, &random);
    draw_pixels(&f, &random, scratch, size, rgb);
    return face_score(&f);
}
