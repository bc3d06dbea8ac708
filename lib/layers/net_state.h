/* SPDX-License-Identifier: MIT
 * The contents of a network, known only to net.c (weights), net_plan.c (memory of a run),
 * net_share.c (what predictions share) and run.c (runs). */
#ifndef LAYERS_NET_STATE_H
#define LAYERS_NET_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/cancel.h"
#include "base/turns.h"
#include "layers/net.h"

/** A unit and the location of its weights. */
typedef struct ani_net_unit {
    ani_unit_spec spec;
    int64_t h, w, oh, ow;
    int32_t consumer; /* unit that convolves this value; unit_count: the pooling */
    int32_t adder;    /* unit whose residual is this value; -1: none */
    const ani_net_array *kernel, *gamma, *beta, *moving_mean, *moving_variance;
    ani_bn running; /* normalises by the moving statistics */
    ani_bn batch;   /* normalises by the batch's */
    double *sums;   /* [2][cout]: moments in the forward pass, gradient sums in the backward pass */
    float *a, *b, *c; /* [cout]: of ani_gradient */
} ani_net_unit;

/** Kinds of runs, by what they keep. */
enum {
    ANI_RUN_HEAD,       /* only the head; also inference, whose units are run by the backend */
    ANI_RUN_STATISTICS, /* z is written; each lives until its last reader */
    ANI_RUN_TRAINING,   /* z is written and lives until its unit's backward */
    ANI_RUN_FIXED,  /* as TRAINING, but values are written, normalised by the moving statistics */
    ANI_RUN_EXPLAIN /* + u: as TRAINING from unit u on, and as STATISTICS before it; always in
                       float32, and nothing is recomputed */
};

/** How a unit is run; offsets into the arena, -1 = none. */
typedef struct ani_unit_run {
    ani_unit_plan plan;
    int64_t y;          /* z; the value in FIXED */
    int64_t y_backward; /* z in the backward pass: y, or where it is recomputed */
    int64_t sum;        /* the value after the residual was added */
    int64_t g; /* gradient by the batch norm's output; shared with the unit that adds it, and
                  in FIXED with y where it can be written in place */
    int64_t scratch_forward, scratch_backward;
    int64_t scratch_again; /* for forward, when z is recomputed */
} ani_unit_run;

/** The memory of one kind of run for n images. */
typedef struct ani_net_plan {
    int32_t kind;
    int32_t unit_count;
    int32_t element; /* of z, sums and gradients: ANI_BFLOAT16 in mixed training */
    int32_t reserved;
    int64_t n;    /* 0: the slot is free */
    int64_t used; /* when, to drop the least recently used one */
    int64_t size; /* of the arena */
    int64_t image, features, dfeatures, y, target, weights, dy; /* offsets */
    ani_unit_run map; /* EXPLAIN: a convolution to one channel, of the value of unit u */
    ani_unit_run *units;
    ani_recording *step; /* of a training step, NULL: none */
} ani_net_plan;

enum { ANI_NET_PLANS = 6, ANI_NET_MAX_SIDE = 1 << 16 };

/** Losses on their way to the host: first in, first out. */
typedef struct ani_net_losses {
    double *values; /* [ANI_NET_LOSSES], host_alloc */
    int64_t tickets[ANI_NET_LOSSES];
    int32_t first, count;
} ani_net_losses;

/** The memory of runs, one at a time: the most recent plans, and the arena that they share. */
typedef struct ani_net_memory {
    ani_net_plan plans[ANI_NET_PLANS];
    int64_t clock; /* counts uses of plans */
    uint8_t *arena;
    int64_t arena_size;
} ani_net_memory;

/** Weights as predictions of one kind read them: never changed while anything but the net holds
 * them, so that a prediction finishes with the weights it began with. */
typedef struct ani_net_packed {
    atomic_int holders; /* the net is one of them */
    int32_t kind;       /* AN_INFERENCE_* */
    int64_t version;    /* of the base's weights */
    ani_infer *infer;
} ani_net_packed;

/** The head's weights, in the same way. */
typedef struct ani_net_head {
    atomic_int holders;
    int64_t version; /* of the head's weights */
    float *kernel, *bias;
} ani_net_head;

/** What the predictions of one caller write. */
struct ani_net_context {
    ani_net_memory memory;
    ani_infer_buffers *buffers[ANI_INFERENCES]; /* NULL: not used yet */
    ani_net_packed *packed; /* what it holds, all from one moment; NULL: nothing */
    ani_net_head *head;
    ani_watch own;         /* that of the call that uses it */
    ani_watch *watch;      /* that of an enclosing call; NULL: own */
    ani_net_context *next; /* in the list of idle contexts */
};

struct ani_net {
    an_backend *backend;
    ani_net_spec spec; /* its units is NULL; they are in units below */
    ani_unit_spec *unit_specs;
    ani_net_unit *units;
    ani_net_array *arrays;
    int64_t array_count;
    const ani_net_array *head_kernel, *head_bias;
    int64_t channels, widest;

    /* backend memory, counts in elements. Copies of a model may share parameters and moving: a net
     * takes separate memory before it changes them. */
    atomic_int *holders; /* nets that share; NULL: only this one */
    float *parameters, *gradients, *moving, *norm;
    double *sums;
    int64_t parameter_count, head_offset, moving_count, norm_count, sum_count;
    double *loss;   /* one; in sums */
    int32_t *guard; /* one, also there: not 0 after a loss that was not finite */
    ani_net_losses losses;
    float *kept_gradients; /* like gradients; NULL: none have been set aside yet */
    float *own;            /* on the host: predictions and slopes of a loss function */
    int64_t own_size;      /* bytes */

    ani_net_memory memory; /* of runs that train or measure */
    int32_t precision;     /* of training, AN_PRECISION_* */
    int32_t recompute;     /* 0 or 1: see ani_net_makes_again() */
    int32_t running_old;   /* 1: units' running must be recomputed */
    ani_watch watch;       /* of the call that trains, measures or changes it */

    ani_turns turns;      /* its holder may change the weights, or read them while no other thread
                             changes them */
    pthread_mutex_t lock; /* guards all below; held briefly, never while waiting for a turn */
    int32_t inference;    /* AN_INFERENCE_*: how predictions are made */
    int64_t version, head_version;          /* count changes of the base's and the head's weights */
    ani_calibrated calibrated;              /* int8; its arrays are owned by the net; NULL: none */
    ani_net_packed *packed[ANI_INFERENCES]; /* the latest, by AN_INFERENCE_*; NULL: none */
    ani_net_head *head;
    ani_net_context *contexts; /* idle contexts */
    an_cancel *cancel;         /* for calls that begin; a reference is held; NULL: none */
    float *moving_before;      /* backend memory, as moving; NULL: no flag was set yet */
};

/** Return whether the unit's z is dropped after the forward pass and recomputed for the backward
 * pass. With recomputation, this is the z of a pointwise unit that expands its input for a
 * depthwise one: the largest tensor of its block and the cheapest to compute. */
bool ani_net_makes_again(const ani_net *net, int32_t unit);

/** The shape of a unit for n images. */
ani_unit_shape ani_net_unit_shape(const ani_net_unit *unit, int64_t n);

/** Allocate room for the moving statistics before a step. */
an_status ani_net_need_moving_before(ani_net *net, an_error *err);
/** Record that weights or statistics have changed: what was made from them is outdated. With the
 * turn. */
void ani_net_changed(ani_net *net);
/** Discard the calibration of int8; predictions in int8 go back to fp32. With the turn. */
void ani_net_forget_ranges(ani_net *net);

/** Release what is packed; predictions continue with what they hold. */
void ani_net_release_packed(ani_net *net);
/** Let a copy that shares the weights of a net use its packed weights, too; what the net's kind of
 * prediction needs is packed first. With the turn of from. */
an_status ani_net_share_packed(ani_net *net, ani_net *from, an_error *err);
/** Release all that is shared; no prediction is running. */
void ani_net_share_clear(ani_net *net);
/** The units as inference sees them; free with ani_free(). */
an_status ani_net_infer_units(const ani_net *net, ani_infer_unit **out, an_error *err);

/** Find or make the plan of a run, and make the arena large enough. On failure, older plans
 * stay. */
an_status ani_net_prepare(const ani_net *net, ani_net_memory *memory, int32_t kind, int64_t n,
                          ani_net_plan **out, an_error *err);
void ani_net_memory_clear(const ani_net *net, ani_net_memory *memory);

#endif
