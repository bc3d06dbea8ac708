/* SPDX-License-Identifier: MIT
 * Shared by all plots: option checks, titles, axes and grid. */
#ifndef METRICS_FRAME_H
#define METRICS_FRAME_H

#include <attractivenet/metrics.h>

#include "metrics/axis.h"
#include "metrics/canvas.h"

/** Colours of the design. Lines use Okabe and Ito's palette, which colour-blind readers can tell
 * apart. */
enum { ANI_INK = 0x1A1A1A, ANI_GREY = 0x6B6B6B, ANI_PALE = 0xE4E4E4, ANI_BLUE = 0x0072B2 };

/** The texts of a plot, never NULL; "" = none. */
typedef struct ani_frame_texts {
    const char *title, *subtitle, *x_label, *y_label;
} ani_frame_texts;

/** The area between the axes, in pixels; bottom > top. */
typedef struct ani_frame {
    double left, top, right, bottom;
    ani_axis x, y;
} ani_frame;

/** Merge the caller's options into the defaults of a plot, and check everything. */
an_status ani_plot_options_check(an_plot_options *ours, const char *path,
                                 const an_plot_options *options, int32_t width, int32_t height,
                                 an_error *err);
/** Fail unless text is valid UTF-8. what: names it in the message. */
an_status ani_plot_text_check(const char *text, const char *what, an_error *err);

/** Compute the area: what titles, labels and ticks leave. */
void ani_frame_layout(ani_frame *frame, ani_canvas *canvas, const ani_frame_texts *texts);
/** Shrink the area to a square. */
void ani_frame_square(ani_frame *frame);
/** Draw grid, axes, ticks, labels and titles. */
void ani_frame_draw(const ani_frame *frame, ani_canvas *canvas, const ani_frame_texts *texts);

/** Return the pixel coordinate of a value. */
double ani_frame_x(const ani_frame *frame, double value);
double ani_frame_y(const ani_frame *frame, double value);

#endif
