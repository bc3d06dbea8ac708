/* SPDX-License-Identifier: MIT
 * Writes frames of moving, made-up faces to standard output, uncompressed RGB: what a camera sees,
 * without a person.
 *
 * usage: moving COUNT WIDTH HEIGHT >FILE */
#include "face.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FACE = 320, HOLD = 60 /* frames for which a face stays */ };

static uint8_t face[FACE * FACE * 3];

/* The pixel of the face at a place of the frame, nearest, over a background that drifts. */
static void draw(uint8_t *rgb, int width, int height, int number) {
    const double t = number / 30.0, size = height * (0.7 + 0.1 * sin(1.3 * t));
    const double left = (width - size) / 2 + 0.15 * width * sin(0.9 * t);
    const double top = (height - size) / 2 + 0.05 * height * cos(1.7 * t);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, rgb += 3) {
            const int fx = (int)floor((x - left) / size * FACE);
            const int fy = (int)floor((y - top) / size * FACE);
            if (fx >= 0 && fx < FACE && fy >= 0 && fy < FACE) {
                for (int c = 0; c < 3; c++)
                    rgb[c] = face[3 * (fy * FACE + fx) + c];
            } else {
                rgb[0] = (uint8_t)(90 + 60 * sin(0.004 * x + 0.3 * t));
                rgb[1] = (uint8_t)(100 + 40 * cos(0.006 * y - 0.2 * t));
                rgb[2] = (uint8_t)(120 + 50 * sin(0.003 * (x + y)));
            }
        }
}

int main(int argc, char **argv) {
    const int count = argc > 3 ? atoi(argv[1]) : 0, width = argc > 3 ? atoi(argv[2]) : 0;
    const int height = argc > 3 ? atoi(argv[3]) : 0;
    if (count < 1 || width < 1 || height < 1) return 2;
    const size_t size = (size_t)width * (size_t)height * 3;
    uint8_t *frame = malloc(size);
    double *scratch = malloc(sizeof *scratch * FACE * FACE * 3);
    int status = !frame || !scratch;
    for (int i = 0; i < count && !status; i++) {
        if (i % HOLD == 0) draw_face(7, 1 + i / HOLD, FACE, scratch, face);
        draw(frame, width, height, i);
        status = fwrite(frame, size, 1, stdout) != 1;
    }
    free(frame);
    free(scratch);
    return status || fflush(stdout);
}
