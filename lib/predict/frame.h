/* SPDX-License-Identifier: MIT
 * Frames of any format, stride and size, and their conversion to RGB pixels of a model's size. */
#ifndef PREDICT_FRAME_H
#define PREDICT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/pixels.h"

/** A part of a frame, in pixels; width 0: the whole frame. */
typedef struct ani_region {
    int64_t x, y, width, height;
} ani_region;

/** A caller's frames, all of one size. ani_frame_reader_begin() fills in a stride or region of
 * 0. */
typedef struct ani_frames {
    const uint8_t *first;
    int64_t count, frame_stride; /* bytes */
    int64_t height, width;
    int64_t row_stride; /* bytes */
    int32_t format;     /* AN_FORMAT_* */
    ani_region region;
} ani_frames;

/** The state for reading frames. */
typedef struct ani_frame_reader {
    int64_t height, width; /* of the output */
    ani_pixels pixels;     /* kernels */
    void *scratch;         /* of resizing */
    uint8_t *reordered;    /* [height,width] pixels of the format, resized */
    uint8_t *row;          /* a YUV row as RGB */
    int64_t reordered_size, row_size;
} ani_frame_reader;

an_status ani_frame_reader_init(ani_frame_reader *reader, int64_t height, int64_t width,
                                an_error *err);
void ani_frame_reader_clear(ani_frame_reader *reader);

/** AN_ERR_ARG unless a format, or a region, is valid for frames. */
an_status ani_format_check(int32_t format, an_error *err);
an_status ani_region_check(const ani_region *region, an_error *err);

/** Check the description of frames, fill in what is 0, and allocate the buffers for reading them.
 * AN_ERR_ARG, AN_ERR_NOMEM. */
an_status ani_frame_reader_begin(ani_frame_reader *reader, ani_frames *frames, an_error *err);
/** Return the pixels of all frames [count,height,width,3] if they already have that layout, else
 * NULL. */
const uint8_t *ani_frame_reader_find(const ani_frame_reader *reader, const ani_frames *frames);
/** Write one frame as rgb [height,width,3]. */
void ani_frame_reader_read(const ani_frame_reader *reader, const ani_frames *frames, int64_t index,
                           uint8_t *rgb);

/** Enlarge a buffer if size is more than it has; its contents are lost. what: for the message
 * of AN_ERR_NOMEM, after which the buffer is unchanged. */
an_status ani_frame_buffer_grow(uint8_t **buffer, int64_t *has, int64_t size, const char *what,
                                an_error *err);

#endif
