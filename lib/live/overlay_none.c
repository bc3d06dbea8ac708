/* SPDX-License-Identifier: MIT
 * Drawing in a build without cairo: the functions exist and report what is missing. */
#include "live/overlay.h"

#include <stddef.h>

an_status ani_painter_create(ani_painter **out, uint8_t *pixels, int32_t width, int32_t height,
                             an_error *err) {
    (void)pixels, (void)width, (void)height;
    *out = NULL;
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "cannot draw on a frame: this build has no text (feature 'plot' needs cairo)");
}

void ani_painter_destroy(ani_painter *painter) {
    (void)painter;
}

an_status ani_painter_draw(ani_painter *painter, const ani_look *look, an_error *err) {
    (void)painter, (void)look, (void)err;
    return AN_OK;
}
