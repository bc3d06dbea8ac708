/* SPDX-License-Identifier: MIT
 * What the targets for weight files share. */
#ifndef FUZZ_WEIGHTS_H
#define FUZZ_WEIGHTS_H

#include <stddef.h>

#include <attractivenet/io.h>

/** Check what any list of arrays read from size bytes must fulfil. */
void fuzz_check_arrays(const an_arrays *arrays, size_t size);

#endif
