/* SPDX-License-Identifier: MIT
 * A window, its keys, and the image in it. The only file that knows SDL is window.c. */
#ifndef LIVE_WINDOW_H
#define LIVE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct ani_window ani_window;

/** What has happened to a window since the last call, several at once. */
enum {
    ANI_WINDOW_END = 1,   /* Q, Esc, or it was closed */
    ANI_WINDOW_PAUSE = 2, /* space, an odd number of times */
    ANI_WINDOW_SAVE = 4,  /* S */
    ANI_WINDOW_REDRAW = 8 /* its size has changed, or it was covered */
};

/** Make a window. AN_ERR_DEVICE: no display, or there is one already. AN_ERR_UNSUPPORTED: no
 * SDL2. */
an_status ani_window_open(ani_window **out, const char *title, bool is_full_screen, an_error *err);
void ani_window_close(ani_window *window); /* NULL is allowed */

/** Show the window, the first time with room for an image of a size, as far as the display has it;
 * and return the size that it has. */
an_status ani_window_fit(ani_window *window, int64_t width, int64_t height, int32_t *has_width,
                         int32_t *has_height, an_error *err);
/** Show pixels [height][4 * width] (blue, green, red, unused). */
an_status ani_window_put(ani_window *window, const uint8_t *pixels, int32_t width, int32_t height,
                         an_error *err);
/** Return ANI_WINDOW_* bits, after waiting up to milliseconds for the first event. F has been
 * answered already. */
int32_t ani_window_poll(ani_window *window, int32_t milliseconds);

#endif
