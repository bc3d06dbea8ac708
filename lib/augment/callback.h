/* SPDX-License-Identifier: MIT
 * Samples that a caller's callback fills in: the source, the call, and the check of what the
 * callback wrote. */
#ifndef AUGMENT_CALLBACK_H
#define AUGMENT_CALLBACK_H

#include <attractivenet/augment.h>

#include "augment/transform.h"

/** A source with checked fields. identity is an owned copy of the caller's. */
typedef struct ani_callback {
    an_loader_source source; /* its identity is the next field */
    char *identity;          /* NULL = unknown */
    float low, high;         /* the range of values of x, */
    float beyond;            /* with this tolerance */
} ani_callback;

/** Check and copy a source; scaling is the scale of its floats. AN_ERR_ARG or AN_ERR_NOMEM; then
 * nothing is owned. */
an_status ani_callback_take(ani_callback *out, const an_loader_source *source,
                            const ani_scaling *scaling, an_error *err);
void ani_callback_clear(ani_callback *callback);

/** Have the callback fill in samples; on the caller's thread only. x, y and weights are set to NaN
 * first. AN_ERR_CANCELLED if the callback says so. */
an_status ani_callback_fill(const ani_callback *callback, const an_fill_batch *batch,
                            an_error *err);

/** AN_ERR_ARG unless the numbers of the sample at index k of batch are finite and in their
 * ranges. */
an_status ani_callback_check(const ani_callback *callback, const an_fill_batch *batch, int64_t k,
                             an_error *err);

#endif
