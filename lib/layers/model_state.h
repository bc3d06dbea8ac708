/* SPDX-License-Identifier: MIT
 * What an an_model holds, for the files that implement it. */
#ifndef LAYERS_MODEL_STATE_H
#define LAYERS_MODEL_STATE_H

#include <stdatomic.h>

#include "layers/calibrate.h"
#include "layers/model.h"

/** Intervals of predictions, for the weights of one version; they never change. */
typedef struct ani_intervals {
    double level;
    int64_t version;      /* ani_net_version() of the weights that they belong to */
    double half_widths[]; /* [outputs] */
} ani_intervals;

struct an_model {
    atomic_int references;
    atomic_bool claimed;      /* a caller trains, measures or changes it */
    atomic_int base;          /* AN_BASE_* */
    atomic_int precision;     /* of training, AN_PRECISION_* */
    atomic_int recompute;     /* 0 or 1 */
    int32_t gradient_base;    /* of the current gradients; -1: none. With the turn */
    int64_t gradient_samples; /* of the batches that they are the mean over */
    double momentum;          /* with claim and turn */
    ani_net *net;
    ani_model_facts facts;
    ani_class_names *names;   /* NULL: none; set with claim, turn and ani_net_lock() */
    ani_intervals *intervals; /* NULL: none; as names */
    /* batch norm update in progress: sums [2][channels] and room for those of a batch; NULL: none
     */
    double *statistics;
    int64_t samples;
    ani_calibration *calibration;          /* in progress; NULL: none */
    int64_t statistics_of, calibration_of; /* ani_net_changes() as each began */
};

/** Claim the model for one change of its weights, and take the turn. */
an_status ani_model_begin_change(an_model *model, an_error *err);
/** Likewise, for any other change. */
an_status ani_model_begin_setting(an_model *model, an_error *err);
/** End either one; returns st. */
an_status ani_model_end_change(an_model *model, an_status st);

/** AN_ERR_ARG unless x [n,h,w,3] and y, which need not be of floats, are a batch for the model, and
 * all values of x are finite. */
an_status ani_model_check_images(const an_model *model, const float *x, const void *y, int64_t n,
                                 an_error *err);

/** Give a copy of a model the intervals of its weights, unless these have changed since they were
 * copied. version: ani_net_version() before that. With the turn. */
an_status ani_model_copy_intervals(an_model *copy, const an_model *model, int64_t version,
                                   an_error *err);
/** Add the intervals to a file's contents, if they are valid. With the turn. */
an_status ani_model_save_intervals(const an_model *model, an_arrays *arrays, an_error *err);

/** Add the class names to a file's contents, if the model has any. With the turn. */
an_status ani_model_save_class_names(const an_model *model, an_arrays *arrays, an_error *err);

#endif
