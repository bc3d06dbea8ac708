/* SPDX-License-Identifier: MIT
 * The one thing that matters in an EXIF block: how the camera was held. Only the first directory is
 * read and no links are followed, so a block that points to itself does no harm. */
#include "io/image.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { TIFF_HEADER = 8, ENTRY_SIZE = 12, TAG_ORIENTATION = 0x0112 };

static uint32_t get16(const uint8_t *p, bool big) {
    return big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static uint32_t get32(const uint8_t *p, bool big) {
    return big ? get16(p, big) << 16 | get16(p + 2, big) : get16(p + 2, big) << 16 | get16(p, big);
}

int32_t ani_exif_orientation(const uint8_t *tiff, int64_t size) {
    if (size < TIFF_HEADER) return 1;
    const bool big = tiff[0] == 'M';
    if (tiff[0] != tiff[1] || (tiff[0] != 'M' && tiff[0] != 'I') || get16(tiff + 2, big) != 42)
        return 1;
    const int64_t start = get32(tiff + 4, big);
    if (start > size - 2) return 1;
    const int64_t count = get16(tiff + start, big);
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = start + 2 + i * ENTRY_SIZE;
        if (at > size - ENTRY_SIZE) return 1;
        if (get16(tiff + at, big) != TAG_ORIENTATION) continue;
        const uint32_t value = get16(tiff + at + 8, big);
        return value >= 1 && value <= 8 ? (int32_t)value : 1;
    }
    return 1;
}

void ani_image_turn_to(uint8_t *out, const uint8_t *rgb, int64_t row_stride, int64_t height,
                       int64_t width, int32_t orientation) {
    /* Where the target's first pixel comes from, and whether a target row is a source column. */
    static const struct {
        bool from_right, from_bottom, transposed;
    } turns[9] = {
        [2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false},
        [5] = {false, false, true}, [6] = {false, true, true}, [7] = {true, true, true},
        [8] = {true, false, true},
    };
    const bool transposed = turns[orientation].transposed;
    const int64_t right = turns[orientation].from_right ? -3 : 3;
    const int64_t down = turns[orientation].from_bottom ? -row_stride : row_stride;
    const uint8_t *first =
        rgb + (right < 0 ? (width - 1) * 3 : 0) + (down < 0 ? (height - 1) * row_stride : 0);
    const int64_t step_x = transposed ? down : right, step_y = transposed ? right : down;
    const int64_t rows = transposed ? width : height, columns = transposed ? height : width;
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++, out += 3) {
            const uint8_t *from = first + y * step_y + x * step_x;
            out[0] = from[0];
            out[1] = from[1];
            out[2] = from[2];
        }
}

an_status ani_image_turn(an_image *image, int32_t orientation, const char *name, an_error *err) {
    if (orientation == 1) return AN_OK;
    an_image *turned = NULL;
    const bool transposed = orientation >= 5;
    an_status st = ani_image_alloc(&turned, transposed ? image->width : image->height,
                                   transposed ? image->height : image->width, name, err);
    if (st) return st;
    ani_image_turn_to(turned->rgb, image->rgb, 3 * image->width, image->height, image->width,
                      orientation);
    const an_image old = *image;
    *image = *turned;
    *turned = old;
    an_image_destroy(turned);
    return AN_OK;
}
