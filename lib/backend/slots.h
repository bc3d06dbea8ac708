/* SPDX-License-Identifier: MIT
 * Which values of a chain of steps may lie in the same place. */
#ifndef BACKEND_SLOTS_H
#define BACKEND_SLOTS_H

#include <stdint.h>

/** Give each value a slot: value i is written in step i and read for the last time in step last[i].
 * A step's result never lies where one lies that is read in it or later.
 * Writes: slots [count]. Returns: how many slots there are. */
int32_t ani_slots(int32_t count, const int32_t *last, int32_t *slots);

#endif
