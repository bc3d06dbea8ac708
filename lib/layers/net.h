/* SPDX-License-Identifier: MIT
 * A network as data: a list of named units, connected by tensor numbers, then pooling and a dense
 * head. mobilenetv2 writes such a list; net.c holds its weights, plan.c plans the memory of a run
 * and run.c runs it. There is no arithmetic here: all of it is in the backend.
 *
 * Each value is convolved by exactly one later unit (the last one is pooled) and may be the
 * residual of one unit after that. So the backward pass of that convolution comes last and has the
 * complete gradient. */
#ifndef LAYERS_NET_H
#define LAYERS_NET_H

#include <attractivenet/layers.h>

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"
#include "base/cancel.h"

enum { ANI_NAME_SIZE = 48, ANI_INPUT = -1 };
enum { ANI_NET_MAX_BATCH = 1 << 24 }; /* keeps n*h*w far from overflow, as ANI_NET_MAX_SIDE does */

/** One convolution with batch norm, activation and optional shortcut. Its value is tensor number i,
 * where i is its index in the list. */
typedef struct ani_unit_spec {
    char conv_name[ANI_NAME_SIZE];  /* Keras layer, such as "block_1_expand" */
    char bn_name[ANI_NAME_SIZE];    /* Keras layer, as "block_1_expand_BN" */
    char value_name[ANI_NAME_SIZE]; /* Keras layer whose output is the unit's value: the activation,
                                       the sum or, without either, the batch norm */
    int32_t kind;                   /* ANI_UNIT_* */
    int32_t stride;
    int32_t relu6;    /* 0 or 1; 0 with a residual */
    int32_t input;    /* unit whose value is the input; ANI_INPUT: the image */
    int32_t residual; /* unit whose value is added to this one's; ANI_INPUT: none */
    int32_t pad_top, pad_bottom, pad_left, pad_right;
    int32_t reserved;
    int64_t cin, cout;
} ani_unit_spec;

/** A whole network: units in order, then global average pooling of the last unit's value, then
 * dense. */
typedef struct ani_net_spec {
    const ani_unit_spec *units;
    int32_t unit_count;
    int32_t outputs;
    int64_t height, width; /* of the image, 3 channels */
    double epsilon;        /* of batch norm, finite and above 0 */
} ani_net_spec;

/** A named array of weights. There are two arenas: one for trained weights in layer order, the head
 * last, and one for moving statistics. Gradients are laid out like the trained weights. */
typedef struct ani_net_array {
    const char *layer;    /* "block_1_expand_BN", "dense" */
    const char *variable; /* "kernel", "depthwise_kernel", "gamma", "beta", "moving_mean", ... */
    int32_t rank;
    int32_t moving;   /* 1: a moving statistic */
    int64_t shape[4]; /* as Keras: [3,3,cin,cout], [1,1,cin,cout], [3,3,c,1], [c], [in,out] */
    int64_t count;
    float *data;     /* backend memory */
    float *gradient; /* backend memory; NULL for a moving statistic */
} ani_net_array;

typedef struct ani_net ani_net;

/** Make a network with all weights zero. The spec is copied. AN_ERR_ARG: an invalid spec. */
an_status ani_net_create(ani_net **out, an_backend *backend, const ani_net_spec *spec,
                         an_error *err);
/** Make a copy of the net's current state on a backend: weights, statistics, calibration, and how
 * predictions are made. shared: the backends are compatible, and the weights, including packed
 * ones, are shared until one of the nets is about to change them. */
an_status ani_net_copy(ani_net **out, ani_net *net, an_backend *backend, bool shared,
                       an_error *err);
void ani_net_destroy(ani_net *net); /* NULL is allowed */
an_backend *ani_net_backend(const ani_net *net);
const ani_net_spec *ani_net_spec_of(const ani_net *net);
int64_t ani_net_features(const ani_net *net); /* channels of the last unit */
/** Height and width of a unit's output. */
void ani_net_unit_size(const ani_net *net, int32_t unit, int64_t *height, int64_t *width);

/** All weight arrays in Keras' order: kernel; gamma, beta, moving_mean, moving_variance; and so on;
 * dense kernel, bias. */
int64_t ani_net_array_count(const ani_net *net);
const ani_net_array *ani_net_array_at(const ani_net *net, int64_t index);
/** Return the unit to which an array belongs, or the number of units for the head. */
int32_t ani_net_array_unit(const ani_net *net, int64_t index);
/** Return whether an array is a kernel: weights of products, unlike gamma, beta and bias. */
bool ani_net_array_is_kernel(const ani_net_array *array);
/** Copy an array's values or gradient to the host, or its values from the host. */
void ani_net_read_array(const ani_net *net, const ani_net_array *array, float *host);
void ani_net_read_gradient(const ani_net *net, const ani_net_array *array, float *host);
void ani_net_write_array(ani_net *net, const ani_net_array *array, const float *host);
/** Set the head alone: kernel [features,outputs], bias [outputs]; what depends on the units'
 * weights stays valid. */
void ani_net_write_head(ani_net *net, const float *kernel, const float *bias);

/** What a base mode (AN_BASE_*) trains, as one range of backend memory; gaps between arrays are
 * zero. */
typedef struct ani_net_range {
    float *weights, *gradients;
    int64_t count;
} ani_net_range;
ani_net_range ani_net_trained(const ani_net *net, int32_t base);
/** Return the number of parameters that AN_BASE_TRAIN trains. Any thread: the location of the
 * weights does not matter. */
int64_t ani_net_parameter_count(const ani_net *net);
/** Notify the net that what a base mode trains was changed externally (by an optimizer). */
void ani_net_weights_changed(ani_net *net, int32_t base);
/** Return how often the weights or statistics of the units have changed. */
int64_t ani_net_changes(const ani_net *net);
/** Return a number that increases with each change of any weight, the head's included. Any thread.
 */
int64_t ani_net_version(ani_net *net);

/* Threads. Predictions may run at any time, on any number of threads. One caller at a time trains,
 * measures or changes the net; an_model decides which. It makes each change in a turn, so that
 * others see the weights as before or after it: ani_net_write_array() and _write_head(),
 * ani_net_set_statistics(),
 * ani_net_calibrate() and whatever calls ani_net_weights_changed(); and ani_net_gradients(), which
 * updates the moving statistics in some modes. Weights are copied out in a turn, too. */

/** Wait for a turn to change weights or statistics, which are then no longer shared: AN_ERR_NOMEM
 * if they were shared and there is no memory for a copy. AN_ERR_ARG, without a turn, in a child of
 * the backend's process. */
an_status ani_net_begin_change(ani_net *net, an_error *err);
/** Likewise, to read weights or statistics, or to change anything else. */
an_status ani_net_begin_read(ani_net *net, an_error *err);
void ani_net_end_change(ani_net *net); /* of both */

/** Briefly lock what the model of a net keeps besides the net. In a child of the backend's process,
 * which has no other thread, there is nothing to lock. */
void ani_net_lock(ani_net *net);
void ani_net_unlock(ani_net *net);

/* Cancellation. Each caller watches the flag that the net has when the call begins (base/cancel.h):
 * a caller that trains or changes the net does so from ani_net_begin_watch() to
 * ani_net_end_watch(), a prediction as long as it has its context. All runs return AN_ERR_CANCELLED
 * when cancelled: their output is then undefined, except for the weights and statistics, which are
 * unchanged. */

/** Set the flag for calls that begin from now on; a reference is held; NULL: none. Any thread. */
an_status ani_net_set_cancel(ani_net *net, an_cancel *cancel, an_error *err);
void ani_net_begin_watch(ani_net *net);
void ani_net_end_watch(ani_net *net);
ani_watch *ani_net_watch(ani_net *net); /* between the two */
/** Move what is watched there, for the caller to check and to end: the net's runs that have peers
 * must not stop in the middle. */
void ani_net_move_watch(ani_net *net, ani_watch *to);

/* Runs. x [n,h,w,3], y [n,outputs] and features are host memory. Calls are synchronous. The memory
 * of a run is planned once for each kind of run and n, and kept, so that steps of the same size
 * allocate nothing. */

/** The buffers of one prediction at a time; a net may have any number of contexts. */
typedef struct ani_net_context ani_net_context;

an_status ani_net_context_create(ani_net_context **out, ani_net *net, an_error *err);
void ani_net_context_destroy(ani_net *net, ani_net_context *context); /* NULL is allowed */
/** Watch a flag until the held weights are released: for a context that was created. */
void ani_net_context_begin_watch(ani_net_context *context, an_cancel *cancel);
/** Use the watch of the enclosing call instead of a separate flag; NULL: none. */
void ani_net_context_use_watch(ani_net_context *context, ani_watch *watch);
ani_watch *ani_net_context_watch(ani_net_context *context);
/** Get an idle context, or make one; and return it (NULL is allowed). */
an_status ani_net_context_take(ani_net_context **out, ani_net *net, an_error *err);
void ani_net_context_give(ani_net *net, ani_net_context *context);

/** What ani_net_context_hold() prepares, besides AN_INFERENCE_*. */
enum { ANI_PREDICT_AS_SET = -1, ANI_PREDICT_HEAD = -2 };
/** Hold the current weights, to predict with them any number of times until they are released: all
 * these predictions use the weights of this moment, whatever changes meanwhile. If they are already
 * packed, this does not wait, whoever has the turn; otherwise it waits for a turn and packs them.
 * kind: AN_INFERENCE_*; AS_SET: ani_net_inference(); HEAD: only the head. with_turn: the caller has
 * it. */
an_status ani_net_context_hold(ani_net *net, ani_net_context *context, int32_t kind, bool with_turn,
                               an_error *err);
void ani_net_context_let_go(ani_net *net, ani_net_context *context); /* may hold nothing */

/** Forward pass with the moving statistics and the weights that the context holds; features
 * [n,features] and y (logits; probabilities 1: see ani_backend_ops) may be NULL. */
an_status ani_net_predict(ani_net *net, ani_net_context *context, const float *x, int64_t n,
                          int32_t probabilities, float *features, float *y, an_error *err);
/** The same from bytes [n,h,w,3], whose values are in tables [3,256]. */
an_status ani_net_predict_bytes(ani_net *net, ani_net_context *context, const uint8_t *bytes,
                                const float *tables, int64_t n, int32_t probabilities,
                                float *features, float *y, an_error *err);
/** Only the head, from features. */
an_status ani_net_predict_head(ani_net *net, ani_net_context *context, const float *features,
                               int64_t n, int32_t probabilities, float *y, an_error *err);

/** Choose what training stores: AN_PRECISION_*; recompute 1: the widest activations are recomputed.
 * The memory for the previous choice is released. */
void ani_net_set_training(ani_net *net, int32_t precision, int32_t recompute);

/** What the ranks of a data-parallel run do together, each with a net of its own and a share of the
 * images; a share may be empty. All ranks call the same functions in the same order, on backend
 * memory, and all get the same bits. A failure ends the step of every rank. */
typedef struct ani_net_peers {
    void *user;
    int64_t images; /* of all ranks */
    /** Join moments [2][c], of `pixels` values an image and channel, with those of the other ranks;
     * those of a rank without images are undefined. NULL: each rank normalises by the statistics
     * of its own images. */
    an_status (*moments)(void *user, double *moments, int64_t c, int64_t pixels, an_error *err);
    /** Add up sums over all ranks; NULL together with moments. */
    an_status (*sums)(void *user, double *sums, int64_t count, an_error *err);
    /** Average the moving statistics, each rank's by its share of the images; not called with
     * moments. */
    an_status (*moving)(void *user, float *moving, int64_t count, an_error *err);
    /** Add up the losses, and set the guard (NULL: there is none) if it is set on any rank. */
    an_status (*loss)(void *user, double *loss, int32_t *guard, an_error *err);
} ani_net_peers;

/** What a training step does. */
typedef struct ani_net_step {
    int32_t base;                /* AN_BASE_* */
    int32_t guarded;             /* 1: a loss that is not finite sets the guard */
    const an_loss_options *loss; /* resolved for a model: see loss.h; no function with peers */
    double momentum;             /* of the moving statistics */
    const ani_net_peers *peers;  /* NULL: none */
} ani_net_step;
/** Compute the loss and the gradients of what the base mode trains. On error the moving statistics
 * are unchanged. loss_value NULL: what is queued is not waited for, only until x and y have been
 * read; a device error may then be returned by a later call. With peers the loss is that of all
 * images, the gradients are this rank's part of theirs, and n may be 0. */
an_status ani_net_gradients(ani_net *net, const ani_net_step *step, const float *x, const float *y,
                            int64_t n, double *loss_value, an_error *err);
/** Allocate what a step of n images needs, so that it does not fail for want of memory while its
 * peers wait. */
an_status ani_net_reserve(ani_net *net, const ani_net_step *step, int64_t n, an_error *err);
/** The same for the head only, from features; base, momentum and peers do not matter. */
an_status ani_net_head_gradients(ani_net *net, const ani_net_step *step, const float *features,
                                 const float *y, int64_t n, double *loss_value, an_error *err);

/* The loss of a step can be read while the next one is computed. Since it is not known yet whether
 * it is finite, a guard in backend memory takes care of that: from the first loss on that is not,
 * guarded steps change neither the moving statistics nor, by the optimizer, the weights. */

/** How many losses may be on their way. */
enum { ANI_NET_LOSSES = 2 };
/** Begin to read the loss of the gradients just computed. */
void ani_net_send_loss(ani_net *net);
/** Wait for the oldest loss that was sent. */
an_status ani_net_take_loss(ani_net *net, double *loss, an_error *err);
/** Return the guard, for the optimizer. */
const int32_t *ani_net_guard(const ani_net *net);
void ani_net_clear_guard(ani_net *net);

/* Gradients of several batches. ani_net_keep_gradients() sets aside those of what a base mode
 * trains before others are computed. */

an_status ani_net_keep_gradients(ani_net *net, int32_t base, an_error *err);
/** Add: the gradients become kept_share times those set aside, plus share times the current
 * ones. */
void ani_net_join_gradients(ani_net *net, int32_t base, double kept_share, double share);

/** Return all moving statistics, which follow one another; whoever changes them notifies the net as
 * after a change of weights. */
float *ani_net_moving(const ani_net *net);
/** Backend memory for a copy of the moving statistics; NULL is freed as nothing. */
an_status ani_net_moving_create(float **out, const ani_net *net, an_error *err);
void ani_net_moving_destroy(const ani_net *net, float *moving);
int64_t ani_net_moving_count(const ani_net *net); /* how many numbers it has */
/** Copy the moving statistics there, or back, with the turn. */
void ani_net_keep_moving(const ani_net *net, float *moving);
void ani_net_restore_moving(ani_net *net, const float *moving);

/** Return the number of doubles that ani_net_add_statistics() reads. */
int64_t ani_net_sum_count(const ani_net *net);
/** Run forward with batch statistics, without an update, and add each channel's mean and variance
 * (with N/(N-1), as in a moving update), times n, to sums, [2][channels of all units], in unit
 * order. scratch: [ani_net_sum_count()]. With peers (NULL: none) that join moments, the statistics
 * are those of all images, and n may be 0; else only this rank's images count. */
an_status ani_net_add_statistics(ani_net *net, const float *x, int64_t n,
                                 const ani_net_peers *peers, double *scratch, double *sums,
                                 an_error *err);
int64_t ani_net_channels(const ani_net *net); /* of all units' outputs together */
/** Set all moving statistics: mean and variance [2][channels], as above. */
void ani_net_set_statistics(ani_net *net, const float *statistics);

/** Run forward with the moving statistics as training does, and pass each unit's z and value (as
 * its readers load it), [n,oh,ow,cout] in backend memory, to observe before they are
 * overwritten. */
typedef void (*ani_net_observer)(void *user, int32_t unit, const float *z, const ani_lazy *value);
an_status ani_net_inspect(ani_net *net, const float *x, int64_t n, ani_net_observer observe,
                          void *user, an_error *err);

/** Which output of a unit, each the output of a Keras layer. */
enum { ANI_PART_CONVOLUTION, ANI_PART_NORM, ANI_PART_VALUE };
/** What a class activation map is computed from. */
typedef struct ani_net_map {
    int32_t unit, part; /* the maps: ANI_PART_* of a unit */
    int32_t output;     /* number of the output; -1: the largest one of each image */
    int32_t sign;       /* AN_EXPLAIN_* */
} ani_net_map;
/** Run forward with the moving statistics as training does, and backward from one output to the
 * maps: to maps [n,oh,ow], host memory, goes the sum of the channels, each times the mean of its
 * gradient (Grad-CAM). Nothing of the net changes, gradients included. */
an_status ani_net_explain(ani_net *net, const ani_net_map *what, const float *x, int64_t n,
                          float *maps, an_error *err);

/** Choose how predictions are made, AN_INFERENCE_*; INT8 only after calibration. What is packed for
 * the other kinds is released, since each is a copy of the weights. */
void ani_net_set_inference(ani_net *net, int32_t inference);
int32_t ani_net_inference(ani_net *net);

/* int8 inference (calibrate.c). The calibration is lost when a weight changes. */

/** How many means ani_calibrated has. */
int64_t ani_net_mean_count(const ani_net *net);
/** Store a copy, checked as in quant.h; predictions use it from now on. On error nothing
 * changes. */
an_status ani_net_calibrate(ani_net *net, const ani_calibrated *calibrated, an_error *err);
bool ani_net_is_calibrated(ani_net *net);
/** With the turn; NULL: not calibrated. */
const ani_calibrated *ani_net_calibrated(const ani_net *net);

/** Bytes of activation memory that training and measuring hold at present. */
int64_t ani_net_arena_size(const ani_net *net);

#endif
