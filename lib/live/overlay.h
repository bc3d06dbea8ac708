/* SPDX-License-Identifier: MIT
 * What is drawn on a frame: the score, hints, the scored region and the curve of the last seconds.
 */
#ifndef LIVE_OVERLAY_H
#define LIVE_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "live/trail.h"

/** What to draw. */
typedef struct ani_look {
    double score;     /* NaN: none yet */
    double smoothing; /* seconds; 0: none */
    bool is_window;   /* with the hint how to end it, and what follows */
    bool is_paused;
    double rate, milliseconds;  /* frames per second, age of a score; NaN: not known */
    const char *note;           /* another line, or "" */
    double x, y, width, height; /* the region in pixels of the image; width 0: none */
    const ani_trail *trail;     /* seconds 0: no curve */
    double low, high;           /* its range */
} ani_look;

/** Draws on an image. */
typedef struct ani_painter ani_painter;

/** Make a painter for pixels [height][4 * width] (blue, green, red, unused), which must outlive it.
 * AN_ERR_UNSUPPORTED: no cairo. */
an_status ani_painter_create(ani_painter **out, uint8_t *pixels, int32_t width, int32_t height,
                             an_error *err);
void ani_painter_destroy(ani_painter *painter); /* NULL is allowed */
/** Draw on what the image has now. */
an_status ani_painter_draw(ani_painter *painter, const ani_look *look, an_error *err);

#endif
