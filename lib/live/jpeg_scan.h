/* SPDX-License-Identifier: MIT
 * Finds where JPEG images begin and end among other bytes. */
#ifndef LIVE_JPEG_SCAN_H
#define LIVE_JPEG_SCAN_H

#include <stdbool.h>
#include <stdint.h>

/** The state of a search; {0} begins one. Offsets count from the first byte of the caller's
 * buffer. */
typedef struct ani_jpeg_scan {
    int64_t at;     /* how far the bytes have been looked at */
    int64_t begin;  /* of the image that is being followed */
    bool has_begun; /* an image is being followed */
    bool in_pixels; /* within its entropy-coded data */
    int64_t cut;    /* images that ended because another one began */
} ani_jpeg_scan;

/** Look at bytes [size], of which earlier calls have seen a part. Return true once an image is
 * complete: it is bytes [begin, at). */
bool ani_jpeg_scan_next(ani_jpeg_scan *scan, const uint8_t *bytes, int64_t size);

/** The caller has removed the first count bytes of its buffer, at most begin if an image is being
 * followed, else at most at. */
void ani_jpeg_scan_removed(ani_jpeg_scan *scan, int64_t count);

#endif
