/* SPDX-License-Identifier: MIT
 * A video file that is written. */
#ifndef LIVE_VIDEO_H
#define LIVE_VIDEO_H

#include <stdint.h>

#include "base/error.h"

typedef struct ani_video ani_video;

/** Check that a video can be written to path. rate: frames per second in a format whose frames have
 * no times. AN_ERR_UNSUPPORTED: an ending that means no format,
 * no encoder, no FFmpeg. */
an_status ani_video_open(ani_video **out, const char *path, double rate, an_error *err);
/** Append a frame [height][4 * width] (blue, green, red, unused), shown from time on, in seconds.
 * The first frame decides the size. */
an_status ani_video_write(ani_video *video, const uint8_t *pixels, int32_t width, int32_t height,
                          double time, an_error *err);
/** Complete the file; it gets its name. */
an_status ani_video_finish(ani_video *video, an_error *err);
/** Free; an incomplete file is removed. NULL is allowed. */
void ani_video_close(ani_video *video);

#endif
