/* SPDX-License-Identifier: MIT
 * Draws the overlay with cairo: white on dark, half-transparent panels, which can be read on light
 * and dark frames. */
#include "live/overlay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "metrics/canvas.h"

enum { WHITE = 0xFFFFFF, PALE = 0xD8D8D8, CURVE = 0xFFB000 };

enum { LINES = 4, LINE_SIZE = 300 };

enum { DESIGN_WIDTH = 640, DESIGN_HEIGHT = 480 };

struct ani_painter {
    ani_canvas canvas;
};

an_status ani_painter_create(ani_painter **out, uint8_t *pixels, int32_t width, int32_t height,
                             an_error *err) {
    *out = NULL;
    ani_painter *painter = ani_alloc_zero(1, sizeof *painter);
    if (!painter) return ani_fail_memory(err, sizeof *painter, "an image to draw on");
    an_status st = ani_canvas_create_on(&painter->canvas, pixels, width, height, DESIGN_WIDTH,
                                        DESIGN_HEIGHT, err);
    if (!st && !painter->canvas.has_font)
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "cannot draw on a frame: there is no font (install one, such as DejaVu)");
    if (st) {
        ani_painter_destroy(painter);
        return st;
    }
    *out = painter;
    return AN_OK;
}

void ani_painter_destroy(ani_painter *painter) {
    if (!painter) return;
    ani_canvas_clear(&painter->canvas);
    ani_free(painter);
}

/* --- panels ----------------------------------------------------------------------------------- */

static void draw_panel(ani_canvas *canvas, double x, double y, double width, double height) {
    const double radius = 8 * canvas->scale;
    cairo_t *cairo = canvas->cairo;
    ani_canvas_color(canvas, 0, 0.65);
    ani_cairo.cairo_new_path(cairo);
    ani_cairo.cairo_arc(cairo, x + radius, y + radius, radius, M_PI, 1.5 * M_PI);
    ani_cairo.cairo_arc(cairo, x + width - radius, y + radius, radius, 1.5 * M_PI, 2 * M_PI);
    ani_cairo.cairo_arc(cairo, x + width - radius, y + height - radius, radius, 0, 0.5 * M_PI);
    ani_cairo.cairo_arc(cairo, x + radius, y + height - radius, radius, 0.5 * M_PI, M_PI);
    ani_cairo.cairo_close_path(cairo);
    ani_cairo.cairo_fill(cairo);
}

/* The lines of the text; returns their number. */
static int write_lines(char lines[LINES][LINE_SIZE], const ani_look *look) {
    char score[32] = "-", rate[32], milliseconds[32];
    int count = 0;
    if (!isnan(look->score)) ani_format_fixed(score, sizeof score, look->score, 1);
    snprintf(lines[count++], LINE_SIZE, "AttractiveNet score: %s", score);
    if (look->is_window) {
        int used = snprintf(lines[count], LINE_SIZE, "press Q to exit");
        if (look->is_paused) {
            snprintf(lines[count] + used, (size_t)(LINE_SIZE - used), "   paused: space resumes");
        } else if (!isnan(look->rate) && !isnan(look->milliseconds)) {
            ani_format_fixed(rate, sizeof rate, look->rate, 0);
            ani_format_fixed(milliseconds, sizeof milliseconds, look->milliseconds, 0);
            snprintf(lines[count] + used, (size_t)(LINE_SIZE - used), "   %s frames/s   %s ms",
                     rate, milliseconds);
        }
        count++;
    }
    if (look->smoothing > 0) {
        char seconds[32];
        ani_format_shortest(seconds, sizeof seconds, look->smoothing);
        snprintf(lines[count++], LINE_SIZE, "smoothed over %s s", seconds);
    }
    if (*look->note) snprintf(lines[count++], LINE_SIZE, "%s", look->note);
    return count;
}

static void draw_text(ani_canvas *canvas, const ani_look *look) {
    char lines[LINES][LINE_SIZE];
    const int count = write_lines(lines, look);
    const double s = canvas->scale, margin = 10 * s, padding = 12 * s;
    double widest = 0, height = 2 * padding - 6 * s;
    ani_text_style styles[LINES];
    for (int i = 0; i < count; i++) {
        styles[i] = (ani_text_style){.size = i ? 16 : 28,
                                     .along = 1,
                                     .width = canvas->width - 2 * (margin + padding),
                                     .color = i ? PALE : WHITE,
                                     .bold = i == 0};
        const double width = ani_canvas_text_width(canvas, lines[i], &styles[i]);
        if (width > styles[i].width) { /* a narrow image: smaller letters instead of fewer */
            styles[i].size *= styles[i].width / width;
            styles[i].width *= 1.02; /* widths do not scale exactly */
        }
        widest = fmax(widest, fmin(width, styles[i].width));
        height += (0.72 * styles[i].size + 8) * s;
    }
    draw_panel(canvas, margin, margin, widest + 2 * padding, height);
    double y = margin + padding;
    for (int i = 0; i < count; i++) {
        ani_canvas_text(canvas, margin + padding, y, lines[i], &styles[i]);
        y += (0.72 * styles[i].size + 8) * s;
    }
}

/* --- curve and region ------------------------------------------------------------------------- */

/** Where the curve is drawn. */
typedef struct plot {
    double left, right, top, bottom; /* pixels */
    double low, high;                /* scores */
    double end, seconds;             /* time */
} plot;

static double plot_x(const plot *p, double time) {
    return fmax(p->left, p->right - (p->end - time) / p->seconds * (p->right - p->left));
}

static double plot_y(const plot *p, double score) {
    const double part = (score - p->low) / (p->high - p->low);
    return p->bottom - fmin(1, fmax(0, part)) * (p->bottom - p->top);
}

static void draw_line(ani_canvas *canvas, const plot *p, const ani_trail *trail) {
    cairo_t *cairo = canvas->cairo;
    bool is_begun = false;
    ani_canvas_color(canvas, CURVE, 1);
    ani_cairo.cairo_set_line_width(cairo, 2.2 * canvas->scale);
    ani_cairo.cairo_new_path(cairo);
    for (int32_t i = 0; i < trail->count; i++) {
        const ani_point point = ani_trail_point(trail, i);
        if (isnan(point.score)) {
            is_begun = false;
            continue;
        }
        const double x = plot_x(p, point.time), y = plot_y(p, point.score);
        if (is_begun)
            ani_cairo.cairo_line_to(cairo, x, y);
        else
            ani_cairo.cairo_move_to(cairo, x, y);
        is_begun = true;
    }
    ani_cairo.cairo_stroke(cairo);
    if (!is_begun) return;
    const ani_point last = ani_trail_point(trail, trail->count - 1);
    ani_cairo.cairo_new_path(cairo);
    ani_cairo.cairo_arc(cairo, plot_x(p, last.time), plot_y(p, last.score), 3.5 * canvas->scale, 0,
                        2 * M_PI);
    ani_cairo.cairo_fill(cairo);
}

/* A number as people write it: without the ".0" of whole ones. */
static void write_number(char *out, int64_t capacity, double value) {
    ani_format_shortest(out, capacity, value);
    if (ani_ends_with(out, ".0")) out[strlen(out) - 2] = 0;
}

static void draw_curve(ani_canvas *canvas, const ani_look *look) {
    const ani_trail *trail = look->trail;
    const double s = canvas->scale, margin = 10 * s, height = 72 * s;
    if (trail->seconds <= 0 || !trail->count || canvas->height < 4 * height) return;
    const plot p = {.left = margin + 34 * s,
                    .right = canvas->width - margin - 12 * s,
                    .top = canvas->height - margin - height + 12 * s,
                    .bottom = canvas->height - margin - 24 * s,
                    .low = look->low,
                    .high = look->high,
                    .end = ani_trail_point(trail, trail->count - 1).time,
                    .seconds = trail->seconds};
    char seconds[32], label[64];
    draw_panel(canvas, margin, canvas->height - margin - height, canvas->width - 2 * margin,
               height);
    for (int i = 0; i < 3; i++) { /* bottom, middle, top */
        const double y = p.bottom + (p.top - p.bottom) * i / 2;
        ani_canvas_color(canvas, WHITE, 0.25);
        ani_canvas_line(canvas, p.left, y, p.right, y, 1, NULL, 0);
        if (i == 1) continue;
        write_number(label, sizeof label, i ? p.high : p.low);
        ani_canvas_text(canvas, p.left - 8 * s, y, label,
                        &(ani_text_style){.size = 12, .across = 1, .along = 0.5, .color = PALE});
    }
    write_number(seconds, sizeof seconds, p.seconds);
    snprintf(label, sizeof label, "the last %s seconds", seconds);
    ani_canvas_text(canvas, p.right, canvas->height - margin - 7 * s, label,
                    &(ani_text_style){.size = 12, .across = 1, .color = PALE});
    draw_line(canvas, &p, trail);
}

/* A dark line within a light one: it can be seen on anything. */
static void draw_region(ani_canvas *canvas, const ani_look *look) {
    cairo_t *cairo = canvas->cairo;
    if (look->width <= 0) return;
    for (int i = 0; i < 2; i++) {
        ani_canvas_color(canvas, i ? WHITE : 0, i ? 1 : 0.6);
        ani_cairo.cairo_set_line_width(cairo, (i ? 2 : 5) * canvas->scale);
        ani_cairo.cairo_rectangle(cairo, look->x, look->y, look->width, look->height);
        ani_cairo.cairo_stroke(cairo);
    }
}

an_status ani_painter_draw(ani_painter *painter, const ani_look *look, an_error *err) {
    ani_canvas *canvas = &painter->canvas;
    ani_cairo.cairo_surface_mark_dirty(canvas->surface);
    draw_region(canvas, look);
    draw_curve(canvas, look);
    draw_text(canvas, look);
    ani_cairo.cairo_surface_flush(canvas->surface);
    return ani_canvas_check(canvas, "the overlay", err);
}
