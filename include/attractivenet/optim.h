/* SPDX-License-Identifier: MIT
 * Optimizers for a model's trained parameters, and learning-rate schedules. */
#ifndef ATTRACTIVENET_OPTIM_H
#define ATTRACTIVENET_OPTIM_H

#include <attractivenet/kinds.h>
#include <attractivenet/layers.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which optimizer. Initialise with an_optimizer_options_init(), then change what you need. */
typedef struct an_optimizer_options {
    uint32_t struct_size;       /* set by init; new fields are only appended */
    int32_t kind;               /* AN_OPTIM_*; default ADAM */
    int32_t nesterov;           /* SGD: 0 or 1; default 0 */
    int32_t decay_kernels_only; /* ADAMW: 0 or 1: only kernels decay; gamma, beta and bias do not;
                                   default 0 */
    double beta1;               /* 0 <= beta1 < 1; default 0.9 */
    double beta2;               /* 0 <= beta2 < 1; default 0.999 */
    double epsilon;             /* > 0, added outside the square root; default 1e-7 */
    double momentum;            /* SGD: 0 to 1; default 0 */
    double weight_decay;        /* ADAMW: >= 0; default 0.004 */
    double clip_norm;           /* global norm of all gradients; 0 = no clipping; default 0 */
    double layer_decay; /* 0 < factor <= 1: the rate of each layer (a convolution with its batch
                           norm) is that of the layer after it times the factor; the head has the
                           full rate; 0 = the same rate for all; default 0 */
} an_optimizer_options;

AN_API void an_optimizer_options_init(an_optimizer_options *options, uint32_t struct_size);

/** An optimizer for one model, with its moments. */
typedef struct an_optimizer an_optimizer;

/** Make an optimizer with zero moments. Owns: *out is the caller's; it holds a reference to the
 *  model. Returns AN_OK; AN_ERR_ARG (an option out of range); AN_ERR_NOMEM. */
AN_API an_status an_optimizer_create(an_optimizer **out, an_model *model,
                                     const an_optimizer_options *options, an_error *err);
AN_API void an_optimizer_destroy(an_optimizer *optimizer); /**< Free; NULL is allowed. */

/**
 * Update the trained parameters with the gradients of the last an_model_compute_gradients().
 *
 * Takes:   learning_rate: finite, >= 0. Each call is one step, even with the same gradients.
 * Returns: AN_OK; AN_ERR_ARG (also if no gradients have been computed yet); AN_ERR_DEVICE, also of
 *          work before it. A device may still compute when it returns; whatever reads the weights
 *          waits for that.
 * Source:  Keras 2 Adam, SGD, AdamW (docs/numerics.md, section optimizers). decay_kernels_only as
 *          Keras' exclude_from_weight_decay; layer_decay as in BEiT (Bao et al., 2021), per layer.
 */
AN_API an_status an_optimizer_step(an_optimizer *optimizer, double learning_rate, an_error *err);
AN_API int64_t an_optimizer_steps(const an_optimizer *optimizer); /**< Return the number of steps
                                                                       taken. */

/**
 * Apply one step of an optimizer to plain arrays of count numbers.
 *
 * Takes:   step: from 1; count: 0 or more; m, v: moments, zero before step 1 (SGD: m is the
 *          velocity; v is unused and may be NULL). The numbers are treated as a kernel of the head:
 *          they decay, and have the full rate.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_NOMEM.
 */
AN_API an_status an_optimizer_apply(const an_optimizer_options *options, int64_t step,
                                    double learning_rate, int64_t count, float *parameters,
                                    const float *gradients, float *m, float *v, an_error *err);

enum { AN_SCHEDULE_CONSTANT = 0, AN_SCHEDULE_COSINE = 1 };

/** How the learning rate changes over the steps of a stage. (For reduction on a plateau, see
 *  train.h.) */
typedef struct an_schedule_options {
    uint32_t struct_size;  /* set by init; new fields are only appended */
    int32_t kind;          /* AN_SCHEDULE_*; default CONSTANT */
    int64_t warmup_steps;  /* steps with a linear increase from warmup_start; default 0 */
    int64_t decay_steps;   /* COSINE: steps after the warm-up; > 0; default 0 = the rest of the
                              stage */
    double warmup_start;   /* initial fraction of the rate, before the first step, 0 to 1; default
                              0 */
    double final_fraction; /* COSINE: final fraction of the rate, 0 to 1; default 0 */
} an_schedule_options;

AN_API void an_schedule_options_init(an_schedule_options *options, uint32_t struct_size);

/** Return the learning rate of a step (from 0) for a base rate >= 0; NaN if an argument or option
 *  is out of range, and for COSINE with decay_steps 0, which only a trainer can fill in. options:
 *  NULL = defaults. Source: Keras CosineDecay. Threads: any. */
AN_API double an_schedule_rate(const an_schedule_options *options, double rate, int64_t step);

#ifdef __cplusplus
}
#endif
#endif
