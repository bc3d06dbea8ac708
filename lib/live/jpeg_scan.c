/* SPDX-License-Identifier: MIT
 * Follows the markers of a JPEG image: a segment is skipped by its length, so that a thumbnail in
 * it is not taken for the next image. */
#include "live/jpeg_scan.h"

enum {
    TEM = 0x01,
    RST0 = 0xd0,
    RST7 = 0xd7,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    FILL = 0xff,
    LENGTH = 2 /* bytes of a segment's length, which counts them */
};

static void begin(ani_jpeg_scan *scan, int64_t at) {
    scan->begin = at;
    scan->has_begun = true;
    scan->in_pixels = false;
}

/* Between images: the next one begins with SOI and another marker. */
static bool find_begin(ani_jpeg_scan *scan, const uint8_t *bytes, int64_t size) {
    for (; scan->at + 2 < size; scan->at++)
        if (bytes[scan->at] == FILL && bytes[scan->at + 1] == SOI && bytes[scan->at + 2] == FILL) {
            begin(scan, scan->at);
            scan->at += 2;
            return true;
        }
    return false;
}

/* Within entropy-coded data: up to a marker other than those of restarts and stuffed zeros. */
static bool find_marker(ani_jpeg_scan *scan, const uint8_t *bytes, int64_t size) {
    for (; scan->at + 1 < size; scan->at++) {
        const uint8_t next = bytes[scan->at + 1];
        if (bytes[scan->at] != FILL || next == 0 || next == FILL || (next >= RST0 && next <= RST7))
            continue;
        scan->in_pixels = false;
        return true;
    }
    return false;
}

bool ani_jpeg_scan_next(ani_jpeg_scan *scan, const uint8_t *bytes, int64_t size) {
    for (;;) {
        if (!scan->has_begun && !find_begin(scan, bytes, size)) return false;
        if (scan->in_pixels && !find_marker(scan, bytes, size)) return false;
        if (scan->at + 1 >= size) return false;
        const uint8_t marker = bytes[scan->at + 1];
        if (bytes[scan->at] != FILL || marker == 0) { /* not a marker: the image is damaged */
            scan->has_begun = false;
            scan->cut++;
        } else if (marker == FILL) {
            scan->at++;
        } else if (marker == EOI) {
            scan->at += 2;
            scan->has_begun = false;
            return true;
        } else if (marker == SOI) {
            scan->cut++;
            begin(scan, scan->at);
            scan->at += 2;
        } else if (marker == TEM || (marker >= RST0 && marker <= RST7)) {
            scan->at += 2; /* these have no length */
        } else {
            if (scan->at + 2 + LENGTH > size) return false;
            const int64_t length = bytes[scan->at + 2] << 8 | bytes[scan->at + 3];
            if (length < LENGTH) {
                scan->has_begun = false;
                scan->cut++;
                continue;
            }
            if (scan->at + 2 + length > size) return false;
            scan->in_pixels = marker == SOS;
            scan->at += 2 + length;
        }
    }
}

void ani_jpeg_scan_removed(ani_jpeg_scan *scan, int64_t count) {
    scan->at -= count;
    scan->begin -= count;
}
