/* SPDX-License-Identifier: MIT
 * The internals of an_model: a net with the facts that go into its files and summaries. */
#ifndef LAYERS_MODEL_H
#define LAYERS_MODEL_H

#include <attractivenet/layers.h>

#include <stdbool.h>

#include "io/settings.h"
#include "layers/class_names.h"
#include "layers/net.h"

enum { ANI_FACT_SIZE = 64, ANI_PADS_SIZE = 256 };

/** Facts that the units do not contain. Texts are those of the model file's metadata. */
typedef struct ani_model_facts {
    double alpha;
    int32_t task;                      /* AN_TASK_* */
    int32_t scale;                     /* AN_SCALE_* */
    int32_t padding;                   /* AN_PADDING_*, not AUTO */
    uint32_t seed;                     /* of the random weights */
    ani_range image;                   /* range of pixel values, by the scale */
    char scale_name[ANI_FACT_SIZE];    /* "unit", "tf", "article", "torch" */
    char base_name[ANI_FACT_SIZE];     /* as Keras names the base: "mobilenetv2_1.00_224" */
    char notebook_name[ANI_FACT_SIZE]; /* as the tutorial's notebook shows it */
    char pads[ANI_PADS_SIZE]; /* paddings other than those that padding stands for; "" if none */
} ani_model_facts;

/** Make a model with all weights zero; it holds a reference to the backend. */
an_status ani_model_create(an_model **out, an_backend *backend, const ani_net_spec *spec,
                           const ani_model_facts *facts, an_error *err);
/** Take a reference; an_model_destroy() releases it. */
void ani_model_hold(an_model *model);
ani_net *ani_model_net(const an_model *model); /* borrowed */
const ani_model_facts *ani_model_facts_of(const an_model *model);
int32_t ani_model_base(const an_model *model); /* AN_BASE_* as set */
/** Add the settings of the network and its arithmetic, but not its weights. */
void ani_model_settings(const an_model *model, ani_setting_list *to);

/** Predict with the weights that a context holds, in slices, so that memory stays small whatever n
 * is. features or y may be NULL. */
an_status ani_model_predict(an_model *model, ani_net_context *context, const float *x, int64_t n,
                            float *features, float *y, an_error *err);

/* A caller that trains, measures or changes a model claims it first: one at a time, for one call or
 * for a run of many. Meanwhile, public functions that would change it return AN_ERR_ARG;
 * predictions and copies of its weights continue between its turns (layers/net.h). */

an_status ani_model_claim(an_model *model, an_error *err);
void ani_model_release(an_model *model);
/* The public functions of the same names, for the holder of the claim; arguments are checked by the
 * caller. Gradients: also with the turn, and with a resolved loss (layers/loss.h); guarded, peers,
 * and loss_value NULL: see layers/net.h. */
void ani_model_use_base(an_model *model, int32_t base);
void ani_model_use_training(an_model *model, int32_t precision, int32_t recompute);
an_status ani_model_compute_gradients(an_model *model, const float *x, const float *y, int64_t n,
                                      const an_loss_options *loss, bool guarded,
                                      const ani_net_peers *peers, double *loss_value,
                                      an_error *err);
/** Allocate what that needs: see ani_net_reserve(). */
an_status ani_model_reserve(an_model *model, int64_t n, const an_loss_options *loss, bool guarded,
                            const ani_net_peers *peers, an_error *err);
an_status ani_model_compute_head_gradients(an_model *model, const float *features, const float *y,
                                           int64_t n, const an_loss_options *loss, bool guarded,
                                           double *loss_value, an_error *err);
an_status ani_model_update_batch_norm_begin(an_model *model, an_error *err);
an_status ani_model_update_batch_norm_add(an_model *model, const float *x, int64_t n,
                                          const ani_net_peers *peers, an_error *err);
/** Return what was added so far, count sums and the number of images, to be joined with those of
 * other ranks; between begin and end. */
double *ani_model_update_batch_norm_sums(an_model *model, int64_t *count, int64_t **images);
an_status ani_model_update_batch_norm_end(an_model *model, an_error *err);
an_status ani_model_calibrate_begin(an_model *model, an_error *err);
an_status ani_model_calibrate_add(an_model *model, const float *x, int64_t n, an_error *err);
an_status ani_model_calibrate_end(an_model *model, an_error *err);
an_status ani_model_set_class_names(an_model *model, const char *const *names, int32_t count,
                                    an_error *err);
an_status ani_model_set_weights(an_model *model, const an_arrays *arrays, an_error *err);

/** Base mode of the current gradients; -1: none yet. With the turn. */
int32_t ani_model_gradient_base(const an_model *model);

/** Copy everything that goes into a file, from a single moment. Owns: *out is the caller's. */
an_status ani_model_copy_file(an_arrays **out, const an_model *model, an_error *err);
/* "format" in its metadata. */
#define ANI_MODEL_FORMAT "attractivenet-1"
/* Names of the int8 calibration in it. */
#define ANI_RANGES_NAME "int8/ranges"
#define ANI_MEANS_NAME "int8/means"

/** Write "LAYER/VARIABLE" of an array. */
enum { ANI_ARRAY_NAME_SIZE = 96 };
void ani_array_name(char out[ANI_ARRAY_NAME_SIZE], const ani_net_array *array);

/** AN_ERR_FORMAT unless a list has every array of the model with its shape, so that
 * an_model_set_weights() accepts it. */
an_status ani_model_check_weights(const an_model *model, const an_arrays *arrays, an_error *err);
/** AN_ERR_FORMAT with both names and shapes unless array index of a list has the shape of array. */
an_status ani_array_check(const ani_net_array *array, const an_arrays *arrays, int64_t index,
                          an_error *err);

/** Read from a list how predictions are made, and the int8 calibration for the model's current
 * weights, if it has either. AN_ERR_FORMAT: a calibration that the model cannot use. */
an_status ani_model_take_inference(an_model *model, const an_arrays *arrays, an_error *err);

/** Return a reference to the class names, or NULL; ani_class_names_destroy() releases it. Any
 * thread, at any time. */
ani_class_names *ani_model_hold_class_names(const an_model *model);
/** Read the class names from a file's list, if it has any. AN_ERR_FORMAT: they are invalid or do
 * not fit the model. */
an_status ani_model_take_intervals(an_model *model, const an_arrays *arrays, an_error *err);
/** Likewise the names of classes. */
an_status ani_model_take_class_names(an_model *model, const an_arrays *arrays, an_error *err);

/** Draw weights as Keras does by default, from array number `first` on: kernels GlorotUniform (in
 * Keras' rule for a depthwise kernel [3,3,c,1]: fan in 9*c, fan out 9), gamma and moving variance
 * 1, the rest 0. Array i comes from the stream (seed, 0, i), so each depends only on the seed and
 * its index. */
an_status ani_net_draw(ani_net *net, uint32_t seed, int64_t first, an_error *err);

#endif
