/* SPDX-License-Identifier: MIT
 * The machine: its processor's name, its memory. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <stdint.h>

/** Write the processor's own name, otherwise that of its architecture, to out of at least 64 bytes.
 */
void ani_machine_name(char *out, int64_t capacity);
/** The memory in bytes, and how much of it new work could use; 0 where unknown. */
void ani_machine_memory(int64_t *total, int64_t *free);

#endif
