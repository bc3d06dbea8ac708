/* SPDX-License-Identifier: MIT
 * Composes what a sink shows. */
#include "live/screen.h"

#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "io/image.h"
#include "kernels/resize.h"

enum { BYTES = 4 }; /* of a pixel */

an_status ani_screen_fit(ani_screen *screen, int64_t width, int64_t height, an_error *err) {
    int64_t size = -1;
    if (screen->pixels && screen->width == width && screen->height == height) return AN_OK;
    ani_screen_clear(screen);
    if (!ani_mul_size(width, height, &size) || !ani_mul_size(size, BYTES, &size)) size = -1;
    screen->pixels = ani_alloc(size);
    if (!screen->pixels) return ani_fail_memory(err, size, "the image that is shown");
    screen->width = (int32_t)width;
    screen->height = (int32_t)height;
    ani_pixels_init(&screen->kernels, ani_cpu_mask(NULL));
    return AN_OK;
}

void ani_screen_clear(ani_screen *screen) {
    ani_painter_destroy(screen->painter);
    an_image_destroy(screen->resized);
    ani_free(screen->scratch);
    ani_free(screen->pixels);
    *screen = (ani_screen){0};
}

/* The largest size with the frame's shape. */
static void place(ani_screen *screen, int64_t width, int64_t height) {
    screen->fit_width = screen->width;
    screen->fit_height = (height * screen->width + width / 2) / width;
    if (screen->fit_height > screen->height) {
        screen->fit_height = screen->height;
        screen->fit_width = (width * screen->height + height / 2) / height;
    }
    if (screen->fit_width < 1) screen->fit_width = 1;
    if (screen->fit_height < 1) screen->fit_height = 1;
    screen->left = (screen->width - screen->fit_width) / 2;
    screen->top = (screen->height - screen->fit_height) / 2;
}

static void write_row(uint8_t *restrict to, const uint8_t *restrict rgb, int64_t count) {
    for (int64_t x = 0; x < count; x++) {
        to[BYTES * x] = rgb[3 * x + 2];
        to[BYTES * x + 1] = rgb[3 * x + 1];
        to[BYTES * x + 2] = rgb[3 * x];
        to[BYTES * x + 3] = 0xFF;
    }
}

/* Resize the frame to fit. */
static an_status resize(ani_screen *screen, const an_frame *frame, an_error *err) {
    an_status st =
        ani_image_fit(&screen->resized, screen->fit_height, screen->fit_width, "a frame", err);
    if (st) return st;
    if (screen->scratch_width != screen->fit_width) {
        const int64_t size = ani_resize_scratch(screen->fit_width, 3);
        ani_free(screen->scratch);
        screen->scratch = ani_alloc(size);
        screen->scratch_width = screen->scratch ? screen->fit_width : 0;
        if (!screen->scratch) return ani_fail_memory(err, size, "resizing");
    }
    ani_resize_u8(&screen->kernels, screen->resized->rgb, screen->fit_height, screen->fit_width,
                  frame->rgb, frame->height, frame->width, 3, screen->scratch);
    return AN_OK;
}

an_status ani_screen_put(ani_screen *screen, const an_frame *frame, an_error *err) {
    const uint8_t *rgb = frame->rgb;
    place(screen, frame->width, frame->height);
    const int64_t stride = BYTES * (int64_t)screen->width;
    if (screen->fit_width != frame->width || screen->fit_height != frame->height) {
        an_status st = resize(screen, frame, err);
        if (st) return st;
        rgb = screen->resized->rgb;
    }
    if (screen->fit_width != screen->width || screen->fit_height != screen->height)
        memset(screen->pixels, 0, (size_t)(stride * screen->height));
    uint8_t *to = screen->pixels + screen->top * stride + BYTES * screen->left;
    for (int64_t y = 0; y < screen->fit_height; y++)
        write_row(to + y * stride, rgb + 3 * y * screen->fit_width, screen->fit_width);
    return AN_OK;
}

an_status ani_screen_draw(ani_screen *screen, const an_frame *frame, ani_look *look,
                          an_error *err) {
    if (!screen->painter) {
        an_status st = ani_painter_create(&screen->painter, screen->pixels, screen->width,
                                          screen->height, err);
        if (st) return st;
    }
    const double x = (double)screen->fit_width / (double)frame->width;
    const double y = (double)screen->fit_height / (double)frame->height;
    look->x = (double)screen->left + look->x * x;
    look->y = (double)screen->top + look->y * y;
    look->width *= x;
    look->height *= y;
    return ani_painter_draw(screen->painter, look, err);
}

void ani_screen_copy(const ani_screen *screen, uint8_t *rgb) {
    const int64_t count = (int64_t)screen->width * screen->height;
    const uint8_t *from = screen->pixels;
    for (int64_t i = 0; i < count; i++) {
        rgb[3 * i] = from[BYTES * i + 2];
        rgb[3 * i + 1] = from[BYTES * i + 1];
        rgb[3 * i + 2] = from[BYTES * i];
    }
}
