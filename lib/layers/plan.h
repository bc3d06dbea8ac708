/* SPDX-License-Identifier: MIT
 * Memory planning: buffers with a first and a last step share one arena; two that live at the same
 * time never overlap. */
#ifndef LAYERS_PLAN_H
#define LAYERS_PLAN_H

#include <stdint.h>

#include "base/error.h"

typedef struct ani_buffer {
    int64_t size;        /* bytes */
    int32_t first, last; /* steps in which it is in use, inclusive */
    int64_t offset;      /* written: from the start of the arena, a multiple of 64 */
} ani_buffer;

/** Place count buffers, largest first, each as low as it fits; *size becomes the arena's size.
 *  AN_ERR_NOMEM also for a size that overflows. */
an_status ani_plan_buffers(ani_buffer *buffers, int64_t count, int64_t *size, an_error *err);

#endif
