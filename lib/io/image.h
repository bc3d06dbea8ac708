/* SPDX-License-Identifier: MIT
 * Shared by the decoders and encoders of the image formats. */
#ifndef IO_IMAGE_H
#define IO_IMAGE_H

#include <stdint.h>

#include <attractivenet/io.h>

#include "kernels/resize.h"

struct an_image {
    int64_t height, width;
    uint8_t *rgb; /* [height,width,3] */
};

/** Create an image with undefined contents. name is used in messages. */
an_status ani_image_alloc(an_image **out, int64_t height, int64_t width, const char *name,
                          an_error *err);

/** Check the size that a header claims against max_pixels, and the given number of copies of it
 * against max_memory, before any memory is allocated for it. */
an_status ani_image_check_size(int64_t height, int64_t width, int32_t copies,
                               const an_image_limits *limits, const char *name, an_error *err);
/** Fail if a file of size bytes cannot hold the pixels that its header claims, which take at least
 * `least` bytes in its format. */
an_status ani_image_check_bytes(int64_t height, int64_t width, int64_t least, int64_t size,
                                const char *name, an_error *err);

/** Fail for bytes that are neither JPEG nor PNG; the message says what they are if the format is
 * known, and what to do. */
an_status ani_image_refuse(const uint8_t *bytes, int64_t size, const char *name, an_error *err);

/**
 * Decode and resize in one step, with the same bits as an_image_decode() followed by
 * an_resize_u8().
 *
 * Shapes:  rgb [height,width,3], each 1 to ANI_RESIZE_MAX_LENGTH; undefined after a failure.
 * Note:    an upright JPEG goes row by row from the decoder through the resize, so the whole image
 *          is never in memory.
 */
an_status ani_image_decode_to(uint8_t *rgb, int64_t height, int64_t width, const ani_pixels *pixels,
                              const void *bytes, int64_t size, const char *name,
                              const an_image_limits *limits, an_error *err);

/** Decode into *image, whose memory is used again if the new image is a JPEG of the same size;
 * NULL: none. After a failure *image has undefined contents or is NULL. */
an_status ani_image_decode_again(an_image **image, const void *bytes, int64_t size,
                                 const char *name, const an_image_limits *limits, an_error *err);
/** Set *image to one of a size with undefined contents: itself if it has that size already. After a
 * failure it is NULL. */
an_status ani_image_fit(an_image **image, int64_t height, int64_t width, const char *name,
                        an_error *err);

/** an_image_write_jpeg() for one of many files: see ani_writer_commit_unsynced(). */
an_status ani_image_write_jpeg_unsynced(const an_image *image, const char *path, int32_t quality,
                                        an_error *err);

/** Where a decoder's rows go: into dst [height,width,3], resized; or, if dst is NULL, into an
 * image. */
typedef struct ani_image_target {
    const ani_pixels *pixels;
    uint8_t *dst;
    int64_t height, width;
    bool filled;     /* set by a decoder that has written there; if not set, it made an image */
    an_image *spare; /* dst is NULL: a decoder may take it for its image; NULL: taken, or none */
} ani_image_target;

/* Decoders: bytes begin with the format's signature; limits are complete and valid. target NULL:
 * make an image. */
an_status ani_jpeg_decode(an_image **out, ani_image_target *target, const uint8_t *bytes,
                          int64_t size, const char *name, const an_image_limits *limits,
                          an_error *err);
an_status ani_png_decode(an_image **out, const uint8_t *bytes, int64_t size, const char *name,
                         const an_image_limits *limits, an_error *err);

/** Read the size from the header. */
an_status ani_jpeg_measure(const uint8_t *bytes, int64_t size, const char *name, int64_t *height,
                           int64_t *width, an_error *err);
an_status ani_png_measure(const uint8_t *bytes, int64_t size, const char *name, int64_t *height,
                          int64_t *width, an_error *err);

/** Read the orientation, 1 to 8, from a TIFF block as EXIF has it (after "Exif\0\0"); 1 if there is
 * none or the block is damaged. */
int32_t ani_exif_orientation(const uint8_t *tiff, int64_t size);
/** Rotate or flip an image according to orientation; 1 does nothing. 5 to 8 swap height and
 * width. */
an_status ani_image_turn(an_image *image, int32_t orientation, const char *name, an_error *err);
/** Write rgb, height rows of width pixels, row_stride bytes apart, rotated or flipped according to
 * orientation, to out: dense, and with 5 to 8 [width,height,3]. */
void ani_image_turn_to(uint8_t *out, const uint8_t *rgb, int64_t row_stride, int64_t height,
                       int64_t width, int32_t orientation);

#endif
