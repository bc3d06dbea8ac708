/* SPDX-License-Identifier: MIT
 * An image of fixed size onto which frames of any size are put, with the overlay. */
#ifndef LIVE_SCREEN_H
#define LIVE_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/io.h>
#include <attractivenet/live.h>

#include "base/error.h"
#include "kernels/pixels.h"
#include "live/overlay.h"

/** {0} is valid and empty. */
typedef struct ani_screen {
    int32_t width, height;
    uint8_t *pixels;      /* [height][4 * width]: blue, green, red, unused */
    ani_painter *painter; /* on them; NULL: nothing was drawn yet */
    ani_pixels kernels;
    an_image *resized; /* the frame in the size that fits; NULL: frames had that size */
    void *scratch;     /* of resizing to rows of scratch_width */
    int64_t scratch_width;
    int64_t left, top, fit_width, fit_height; /* where the last frame is */
} ani_screen;

/** Give a screen its size; nothing happens if it has it already. */
an_status ani_screen_fit(ani_screen *screen, int64_t width, int64_t height, an_error *err);
void ani_screen_clear(ani_screen *screen);

/** Put a frame onto the screen: as large as fits in its middle, black beside it. */
an_status ani_screen_put(ani_screen *screen, const an_frame *frame, an_error *err);
/** Draw on the screen. look's region is in pixels of the frame that was put last, whose size is
 * that of frame. */
an_status ani_screen_draw(ani_screen *screen, const an_frame *frame, ani_look *look, an_error *err);
/** Copy the screen as RGB [height,width,3]. */
void ani_screen_copy(const ani_screen *screen, uint8_t *rgb);

#endif
