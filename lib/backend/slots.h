/* SPDX-License-Identifier: MIT
 * Which values of a chain of steps may share memory. */
#ifndef BACKEND_SLOTS_H
#define BACKEND_SLOTS_H

#include <stdint.h>

/** Assign a slot to each value: value i is written in step i and read for the last time in step
 * last[i]. A step's result never shares a slot with a value that is read in that step or later.
 * Writes: slots [count]. Returns: the number of slots. */
int32_t ani_slots(int32_t count, const int32_t *last, int32_t *slots);

#endif
