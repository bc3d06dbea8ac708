/* SPDX-License-Identifier: MIT
 * A build without OpenBLAS. */
#include "base/openblas.h"

const ani_openblas *ani_openblas_enter(void) {
    return NULL;
}

void ani_openblas_leave(void) {}
