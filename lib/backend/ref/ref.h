/* SPDX-License-Identifier: MIT
 * The reference backend: each operation as plain loops over the formula, with sums in double, no
 * blocking and no threads. It is the readable specification that the other backends are checked
 * against. */
#ifndef BACKEND_REF_REF_H
#define BACKEND_REF_REF_H

#include "backend/backend.h"

/** Load one element of a tensor. */
static inline double ani_ref_read(const void *tensor, int32_t element, int64_t i) {
    if (element == ANI_BFLOAT16) return ani_from_bfloat16(((const uint16_t *)tensor)[i]);
    return ((const float *)tensor)[i];
}

/** Store one element of a tensor, rounded; return the stored value. */
static inline double ani_ref_write(void *tensor, int32_t element, int64_t i, double value) {
    if (element == ANI_BFLOAT16)
        ((uint16_t *)tensor)[i] = ani_to_bfloat16((float)value);
    else
        ((float *)tensor)[i] = (float)value;
    return ani_ref_read(tensor, element, i);
}

/** Load one element of a lazy value in double: min(max(z*scale + shift, 0), 6) with relu6. A
 * comparison with NaN is false, so NaN stays NaN. */
static inline double ani_ref_load(const ani_lazy *x, int64_t element, int64_t channel) {
    double value = ani_ref_read(x->z, x->element, element);
    if (x->scale) value = value * x->scale[channel] + x->shift[channel];
    if (x->relu6) value = value < 0 ? 0 : value > 6 ? 6 : value;
    return value;
}

/** Store one element of an input gradient, dx = mask * (value + add), and add it to the channel
 * sums. Keras ReLU(6): the gradient passes where 0 < y < 6, and nowhere for NaN. */
static inline void ani_ref_store(const ani_store *store, const ani_lazy *x, int64_t element,
                                 int64_t channel, int64_t channels, double value) {
    if (store->add) value += ani_ref_read(store->add, x->element, element);
    if (x->relu6) {
        double y = ani_ref_read(x->z, x->element, element);
        if (x->scale) y = y * x->scale[channel] + x->shift[channel];
        if (!(y > 0 && y < 6)) value = 0;
    }
    const double dx = ani_ref_write(store->dx, x->element, element, value);
    if (store->sums) store->sums[channel] += dx;
    if (store->sums && store->z) {
        const double z = ani_ref_read(store->z, x->element, element);
        store->sums[channels + channel] += dx * (z - store->mean[channel]);
    }
}

/** Images of a prediction at a time, of the backends that compute on the host. */
enum { ANI_HOST_SLICE = 32 };

/* ref.c: host memory, and the queue of a backend that has none */
void *ani_ref_alloc(an_backend *backend, int64_t size);
void ani_ref_free(an_backend *backend, void *memory, int64_t size);
int64_t ani_ref_send(an_backend *backend, void *to, const void *from, int64_t size);
an_status ani_ref_reach(an_backend *backend, int64_t ticket, an_error *err);
an_status ani_ref_wait(an_backend *backend, an_error *err);
void ani_ref_copy(an_backend *backend, void *to, const void *from, int64_t size,
                  const int32_t *guard);
int32_t ani_ref_begin(an_backend *backend, ani_recording **recording, const void *key,
                      int64_t key_size);
void ani_ref_end(an_backend *backend, ani_recording *recording, int32_t whole);
void ani_ref_forget(an_backend *backend, ani_recording *recording);

/* infer.c */
an_status ani_ref_infer_create(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                               int32_t count, int32_t kind, const ani_calibrated *calibrated,
                               an_error *err);
void ani_ref_infer_destroy(an_backend *backend, ani_infer *infer);
void ani_ref_infer_pack(an_backend *backend, ani_infer *infer);
an_status ani_ref_infer_buffers_create(an_backend *backend, ani_infer_buffers **out,
                                       const ani_infer *infer, an_error *err);
void ani_ref_infer_buffers_destroy(an_backend *backend, ani_infer_buffers *buffers);
void ani_ref_infer_run(an_backend *backend, const ani_infer *infer, ani_infer_buffers *buffers,
                       const ani_infer_input *input, int64_t n, float *features);

/* unit.c */
/** Compute z[cout] of one output pixel, number `row` of n*oh*ow. */
void ani_ref_unit_pixel(const ani_unit_shape *s, const ani_lazy *x, const float *w, int64_t row,
                        double *z);
void ani_ref_unit_plan(an_backend *backend, const ani_unit_shape *shape, int32_t element,
                       ani_unit_plan *plan);
void ani_ref_unit_forward(an_backend *backend, const ani_unit_plan *plan,
                          const ani_unit_forward *args);
void ani_ref_unit_backward(an_backend *backend, const ani_unit_plan *plan,
                           const ani_unit_backward *args);

/* norm.c */
/** Finish the batch norm of a unit's output from its moments, if that is asked for. */
void ani_ref_finish_forward(const ani_unit_shape *s, const ani_unit_forward *args);
/** Finish the batch norm's backward step from the sums of a stored gradient of rows*c elements. */
void ani_ref_finish_store(int64_t rows, int64_t c, const ani_store *store);
/** 1 / sqrt(variance + epsilon). */
double ani_ref_inv_std(const ani_bn *bn, double variance);
void ani_ref_bn_batch(an_backend *backend, int64_t c, int64_t count, const double *moments,
                      double momentum, int32_t update, const ani_bn *bn);
void ani_ref_bn_running(an_backend *backend, int64_t c, const ani_bn *bn);
void ani_ref_bn_backward(an_backend *backend, int64_t channels, int64_t count, int32_t batch,
                         const double *sums, const ani_bn *bn, float *dgamma, float *dbeta,
                         float *a, float *b, float *c);
void ani_ref_materialise(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         const ani_lazy *r, void *y);
void ani_ref_value_range(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                         ani_range *range);

/* head.c */
void ani_ref_pool_forward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const ani_lazy *x,
                          float *y);
void ani_ref_pool_backward(an_backend *backend, int64_t n, int64_t hw, int64_t c, const float *dy,
                           const ani_lazy *x, const ani_store *store);
void ani_ref_dense_forward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                           const float *w, const float *b, float *y);
void ani_ref_dense_backward(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                            const float *w, const float *dy, float *dx, float *dw, float *db);
void ani_ref_loss(an_backend *backend, int32_t kind, int64_t n, int64_t of, int64_t out,
                  const float *y, const float *target, const float *weights, double *loss,
                  float *dy, int32_t *guard);
void ani_ref_probabilities(an_backend *backend, int64_t n, int64_t out, float *y);

/* optim.c */
/** The factor of each gradient: see ani_optim_step. */
double ani_ref_clip_factor(const ani_optim_step *step);
void ani_ref_optim_step(an_backend *backend, const ani_optim_step *step);
void ani_ref_sum_squares(an_backend *backend, int64_t count, const float *x, double *sum);
void ani_ref_combine(an_backend *backend, int64_t count, double a, const float *x, double b,
                     float *y);

#endif
