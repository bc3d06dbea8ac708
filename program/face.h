/* SPDX-License-Identifier: MIT
 * Made-up faces with scores.
 *
 * The score is a smooth function of the drawn geometry alone, and an arbitrary one: it says nothing
 * about real faces. Colours of skin, hair, eyes and background are drawn independently of it. A
 * network whose scores depend on them has learned a correlation that does not exist; real ratings
 * offer no such check (docs/model_card.md). */
#ifndef PROGRAM_FACE_H
#define PROGRAM_FACE_H

#include <stdint.h>

/**
 * Draw a face.
 *
 * Takes:   seed, number: the same values give the same face.
 * Writes:  rgb [size,size,3]; scratch [size,size,3] is overwritten.
 * Returns: the score, 1 to 5.
 */
double draw_face(int32_t seed, int32_t number, int32_t size, double *scratch, uint8_t *rgb);

#endif
