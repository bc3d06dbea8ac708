/* SPDX-License-Identifier: MIT
 * An image to draw on with cairo, its texts, and its PNG output. */
#ifndef METRICS_CANVAS_H
#define METRICS_CANVAS_H

#include <cairo.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/library.h"

/** The cairo functions that are used; available once a canvas has been made. */
/* clang-format off */
#define ANI_CAIRO_FUNCTIONS(F) \
    F(cairo_arc) F(cairo_clip) F(cairo_close_path) F(cairo_create) F(cairo_destroy) F(cairo_fill) \
    F(cairo_fill_preserve) F(cairo_font_options_create) F(cairo_font_options_destroy) \
    F(cairo_font_options_set_antialias) F(cairo_font_options_set_hint_metrics) \
    F(cairo_font_options_set_hint_style) \
    F(cairo_image_surface_create_for_data) F(cairo_line_to) F(cairo_move_to) F(cairo_new_path) \
    F(cairo_rectangle) F(cairo_restore) F(cairo_rotate) F(cairo_save) F(cairo_select_font_face) \
    F(cairo_set_dash) F(cairo_set_font_options) F(cairo_set_font_size) F(cairo_set_line_cap) \
    F(cairo_set_line_join) F(cairo_set_line_width) F(cairo_set_source_rgba) F(cairo_show_text) \
    F(cairo_status) F(cairo_status_to_string) F(cairo_stroke) F(cairo_surface_destroy) \
    F(cairo_surface_flush) F(cairo_surface_mark_dirty) F(cairo_text_extents) F(cairo_translate)
/* clang-format on */

typedef struct ani_cairo_functions {
    ANI_CAIRO_FUNCTIONS(ANI_FUNCTION)
} ani_cairo_functions;

extern ani_cairo_functions ani_cairo;

enum { ANI_CANVAS_TEXT = 512 }; /* maximum bytes of a text that is drawn */

/** A white image. One unit is one pixel; scale is the number of pixels per design unit. */
typedef struct ani_canvas {
    cairo_t *cairo;
    cairo_surface_t *surface;
    uint8_t *pixels; /* [height][stride], 4 bytes per pixel: blue, green, red, unused */
    int32_t width, height, stride;
    double scale;
    bool has_font;
    bool is_borrowed; /* pixels are the caller's */
} ani_canvas;

/** How a text is set. x, y is the position of the point of its box given by the fractions across
 * and along (0, 0: the left end of the base line; 0.5, 0.5: the middle; 1, 1: the right end, at the
 * top of capital letters). */
typedef struct ani_text_style {
    double size; /* design units */
    double across, along;
    double angle;   /* radians, clockwise */
    double width;   /* maximum width in pixels; longer texts are cut with "..."; 0 = any */
    uint32_t color; /* 0xRRGGBB */
    bool bold;
} ani_text_style;

/** Make a canvas for a design of design_width by design_height. AN_ERR_UNSUPPORTED: cairo is not
 * available on this system. */
an_status ani_canvas_create(ani_canvas *canvas, int32_t width, int32_t height, int32_t design_width,
                            int32_t design_height, an_error *err);
/** The same on the caller's pixels [height][4 * width], which stay as they are and must outlive the
 * canvas. */
an_status ani_canvas_create_on(ani_canvas *canvas, uint8_t *pixels, int32_t width, int32_t height,
                               int32_t design_width, int32_t design_height, an_error *err);
void ani_canvas_clear(ani_canvas *canvas); /* {0} is allowed */

/** AN_ERR_NOMEM or AN_ERR_INTERNAL if anything could not be drawn since the canvas was made; what:
 * for the message. */
an_status ani_canvas_check(ani_canvas *canvas, const char *what, an_error *err);

/** Set the color and opacity (0 to 1) for what is drawn next. */
void ani_canvas_color(ani_canvas *canvas, uint32_t color, double opacity);
/** Draw a line. dash: lengths in design units, dash_count of them; 0 = solid. */
void ani_canvas_line(ani_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                     const double *dash, int dash_count);
/** Draw a text of valid UTF-8; control characters become blanks. */
void ani_canvas_text(ani_canvas *canvas, double x, double y, const char *text,
                     const ani_text_style *style);
/** Return the width of a text in pixels, untruncated. */
double ani_canvas_text_width(ani_canvas *canvas, const char *text, const ani_text_style *style);

/** Write as an 8-bit RGB PNG, completely or not at all. Cairo's errors surface here. */
an_status ani_canvas_write(ani_canvas *canvas, const char *path, an_error *err);

#endif
