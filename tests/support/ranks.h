/* SPDX-License-Identifier: MIT
 * One step of several replicas, for tests that compare it with that of one. It does not use cmocka:
 * it may run on any thread. */
#ifndef SUPPORT_RANKS_H
#define SUPPORT_RANKS_H

#include <attractivenet/layers.h>

/** Compute the gradients of a batch x [n,h,w,3], y [n,outputs] on `ranks` replicas of a model: the
 * model itself, and copies on backends of their own with one thread. The model gets the gradients
 * and the moving statistics, as by an_model_compute_gradients(). */
an_status ranks_gradients(an_model *model, int32_t ranks, int32_t synchronise, const float *x,
                          const float *y, int64_t n, double *loss, an_error *err);

#endif
