/* SPDX-License-Identifier: MIT
 * Samples that a callback of the caller fills in: what it was made with, the call, and the look at
 * what it gave. */
#ifndef AUGMENT_CALLBACK_H
#define AUGMENT_CALLBACK_H

#include <attractivenet/augment.h>

#include "augment/transform.h"

/** A source whose fields are checked. identity is a copy of the caller's, owned. */
typedef struct ani_callback {
    an_loader_source source; /* its identity is the next field */
    char *identity;          /* NULL = unknown */
    float low, high;         /* where values of x must lie, */
    float beyond;            /* or so far outside */
} ani_callback;

/** Check and copy a source; scaling is what its floats are scaled as. AN_ERR_ARG or AN_ERR_NOMEM;
 *  nothing is owned then. */
an_status ani_callback_take(ani_callback *out, const an_loader_source *source,
                            const ani_scaling *scaling, an_error *err);
void ani_callback_clear(ani_callback *callback);

/** Have samples filled in; on the thread of the caller only. x, y and weights
 *  are made NaN before. AN_ERR_CANCELLED if the callback says so. */
an_status ani_callback_fill(const ani_callback *callback, const an_fill_batch *batch,
                            an_error *err);

/** AN_ERR_ARG unless the sample at place k of batch has finite numbers in their ranges. */
an_status ani_callback_check(const ani_callback *callback, const an_fill_batch *batch, int64_t k,
                             an_error *err);

#endif
