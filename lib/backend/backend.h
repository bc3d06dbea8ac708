/* SPDX-License-Identifier: MIT
 * The only interface between network code and devices. Each backend fills one ani_backend_ops; no
 * entry is optional, so a caller never has to ask what a backend supports. ref/ is the readable
 * specification of each entry.
 *
 * A unit is a convolution, its batch norm and its activation. One rule makes this library fast: a
 *   unit writes one tensor, the raw output z of its convolution. In training, normalised and
 *   activated values are never written; the reader of z computes them while loading. (Where the
 *   statistics are known before, ani_fixed_forward, it writes its value instead.) So
 *   - an input is an ani_lazy: value = clip(z * scale + shift);
 *   - a gradient is kept as g, with respect to the output of a batch norm (the activation's mask
 *     was applied when it was stored), and dz = a * g + b * z + c is formed while loading
 *     (ani_gradient).
 *
 * Tensors of activations and their gradients are void pointers where their elements may be of
 * either type of base/element.h; zero, ANI_FLOAT32, means float. Values are rounded before they are
 * stored, and all sums are of the stored values.
 *
 * A device computes in a queue: an entry returns when its work is queued, and works in the order of
 * the calls. Entries that give something to the host wait for it (read, value_range, wait, reach);
 * memory of the host that send or fetch names stays as it is until their ticket is reached. ref and
 * cpu have no queue: each entry is done when it returns.
 *
 * All pointers are backend memory (alloc); layouts are row-major, channels last: activations
 * [n,h,w,c], weights as Keras: full [3,3,cin,cout], pointwise [cin,cout] (of [1,1,cin,cout]),
 * depthwise [3,3,c] (of [3,3,c,1]), dense [in,out]. Sums over many elements are in double.
 * Determinism: at one ISA level, the bits are the same whatever the number of threads.
 *
 * Threads: all entries may be called from any number of threads at once, provided that they do not
 * write the same memory. */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <attractivenet/backend.h>

#include <stdbool.h>

#include "backend/device.h"
#include "base/element.h"
#ifdef __cplusplus /* CUDA kernels read the structs of arguments; C++ has no atomics of C */
typedef struct ani_watch ani_watch;
#else
#include <stdatomic.h>

#include "base/cancel.h"
#endif

enum { ANI_UNIT_FULL, ANI_UNIT_POINTWISE, ANI_UNIT_DEPTHWISE };

/** The shape of a unit's convolution: cross-correlation, kernel 3x3 (POINTWISE: 1x1), zero padding.
 * Rows and columns past the bottom and right of the input count as zero as far as oh, ow reach. */
typedef struct ani_unit_shape {
    int32_t kind;              /* ANI_UNIT_* */
    int32_t stride;            /* 1 or 2; POINTWISE: 1 */
    int32_t pad_top, pad_left; /* 0 to 2; POINTWISE: 0 */
    int64_t n, h, w, cin;      /* input */
    int64_t oh, ow, cout;      /* output; DEPTHWISE: cout = cin */
} ani_unit_shape;

/** How a backend will compute a unit. Filled in by unit_plan. */
typedef struct ani_unit_plan {
    ani_unit_shape shape;
    int32_t algorithm; /* in the backend's own numbering */
    int32_t reserved;
    int64_t scratch_forward;  /* bytes that unit_forward needs in scratch */
    int64_t scratch_backward; /* bytes that unit_backward needs in scratch */
} ani_unit_plan;

/** A value that is normalised and clamped while it is loaded: min(max(z*scale + shift, 0), 6) with
 * relu6 (NaN stays NaN), z*scale + shift without; scale NULL: z itself (relu6 is then applied to
 * z). */
typedef struct ani_lazy {
    const void *z;      /* [n,h,w,c] */
    const float *scale; /* [c] or NULL */
    const float *shift; /* [c] or NULL together with scale */
    int32_t relu6;      /* 0, 1 or ANI_CLAMPED */
    int32_t element;    /* of z */
} ani_lazy;

/** relu6 of a value that was clamped before it was stored: as 1, but loads need not clamp it again.
 * Its scale is NULL. */
enum { ANI_CLAMPED = 2 };

/** Batch norm of c channels: what a step keeps. All [c], in backend memory. */
typedef struct ani_bn {
    const float *gamma, *beta;
    float *moving_mean, *moving_variance;
    float *scale, *shift;  /* written by bn_batch, bn_running: value = z*scale + shift */
    float *mean, *inv_std; /* also written by them: what z was normalised with */
    double epsilon;        /* added to the variance, inside the root; above 0 */
} ani_bn;

/** The epsilon of Keras' MobileNetV2, and of single layers. */
#define ANI_KERAS_EPSILON 1e-3

/** Batch norm that unit_forward finishes from the moments it has computed, as bn_batch does. */
typedef struct ani_bn_forward {
    const ani_bn *bn;
    double momentum;
    int32_t update; /* 1: the moving statistics are updated */
    int32_t reserved;
} ani_bn_forward;

/** Batch norm whose backward step an entry that stores a gradient finishes from the sums it has
 * computed, as bn_backward does; the count is that of the stored rows. */
typedef struct ani_bn_backward {
    const ani_bn *bn;
    int32_t batch; /* as in bn_backward */
    int32_t reserved;
    float *dgamma, *dbeta; /* [c]; NULL: not wanted */
    float *a, *b, *c;      /* [c] */
} ani_bn_backward;

/** Batch norm by statistics that are known before the unit is computed. The unit then stores its
 * value, v = min(max(z*scale + shift, 0), 6) with relu6, z*scale + shift without, plus the
 * residual. A backend may multiply with w*scale, rounded like w, in place of w. v < 6 is never
 * stored as 6, so that what is stored tells where the gradient passes: as bfloat16, the largest
 * number below 6 then takes its place. */
typedef struct ani_fixed_forward {
    const ani_bn *bn;     /* scale and shift are read */
    const void *residual; /* [n,oh,ow,cout], as y; NULL: none; without relu6 only */
    int32_t relu6;        /* 0 or 1 */
    int32_t reserved;
} ani_fixed_forward;

/** The backward step of such a unit: dz.g is the gradient with respect to z*scale + shift, and the
 * rest of dz is NULL, so that the gradient with respect to z is scale*g. w is what forward had. */
typedef struct ani_fixed_backward {
    const ani_bn *bn;      /* scale, mean and inv_std are read */
    const double *sums;    /* [cout]: the sum of g, as what stored g has computed it */
    float *dgamma, *dbeta; /* [cout], written together with dw */
} ani_fixed_backward;

/** Arguments of unit_forward. */
typedef struct ani_unit_forward {
    ani_lazy x; /* input; padding is zero AFTER normalisation */
    const float *w;
    void *y;         /* [n,oh,ow,cout], written: z; NULL: only the moments are wanted */
    double *moments; /* [2][cout]: mean of z, sum of (z - mean)^2 over n*oh*ow; NULL: not wanted */
    const ani_bn_forward *bn;       /* what is to be made of the moments at once; NULL: nothing */
    const ani_fixed_forward *fixed; /* y becomes the value, without moments; NULL: z */
    int32_t element;                /* of y */
    int32_t reserved;
    void *scratch;
    ani_watch *watch; /* if it cancels, the output is undefined; NULL: never */
} ani_unit_forward;

/** A gradient with respect to z, formed while loading: dz = a*g + b*z + c per channel. */
typedef struct ani_gradient {
    const void *g;      /* [n,h,w,c]: gradient with respect to the batch norm's output */
    const void *z;      /* [n,h,w,c]; NULL together with b and c: dz = a*g */
    const float *a;     /* [c]; NULL: dz = g */
    const float *b, *c; /* [c] or NULL */
    int32_t element;    /* of g and z */
    int32_t reserved;
} ani_gradient;

/** How an input gradient is stored: dx = mask * (value + add), mask being 1 where the activation of
 * the loaded input passes (0 < z*scale+shift < 6 with relu6; 1 everywhere without). The shortcut's
 * gradient is also with respect to the value after the activation: with a small alpha, the first
 * block adds a relu6 value. dx, add and z have the element type of that input. */
typedef struct ani_store {
    void *dx; /* [n,h,w,c], written; NULL: no input gradient is wanted. May be the same as add, and
                 for a pointwise unit the same as the input's z */
    const void *add;           /* [n,h,w,c] or NULL: gradient that arrives through a shortcut */
    double *sums;              /* [2][c]: sum of dx, sum of dx * (z - mean); NULL: not wanted */
    const void *z;             /* [n,h,w,c]: for the second sum; NULL: sums is [c], the first */
    const float *mean;         /* [c]: for the second sum; NULL together with z */
    const ani_bn_backward *bn; /* what is to be made of the sums at once; NULL: nothing */
} ani_store;

/** Arguments of unit_backward. */
typedef struct ani_unit_backward {
    ani_gradient dz; /* gradient with respect to the unit's convolution output */
    ani_lazy x;      /* the unit's input, as in forward */
    const float *w;
    float *dw; /* like w, overwritten; NULL: not wanted */
    ani_store store;
    const ani_fixed_backward *fixed; /* NULL: dz says all */
    void *scratch;
    ani_watch *watch; /* as in ani_unit_forward */
} ani_unit_backward;

/** One step of an optimizer over count numbers. Each gradient is first multiplied by the factor
 * that reduces the norm of all of them to clip_norm: clip_norm / sqrt(squares) if that is below 1.
 */
typedef struct ani_optim_step {
    int32_t kind; /* AN_OPTIM_* */
    int32_t nesterov;
    int64_t count;
    int64_t step; /* from 1 */
    double rate, beta1, beta2, epsilon, momentum, weight_decay;
    double clip_norm;
    const double *squares; /* sum of the squares of all gradients; NULL: they are not clipped */
    const int32_t *guard;  /* if it is not 0, the step changes nothing; NULL: no guard */
    float *w;
    const float *g;
    float *m, *v; /* v unused by SGD */
} ani_optim_step;

/** One unit of a network as inference sees it. */
typedef struct ani_infer_unit {
    ani_unit_shape shape; /* n is ignored */
    int32_t relu6;
    int32_t input;    /* number of the unit whose value is the input; -1: the image */
    int32_t residual; /* number of the unit whose value is added; -1: none */
    int32_t reserved;
    const float *w;
    ani_bn bn; /* gamma, beta and the moving statistics are read */
} ani_infer_unit;

/** Images for inference, [n,h,w,3]: x, or bytes whose values are in tables. */
typedef struct ani_infer_input {
    const float *x;
    const uint8_t *bytes; /* when x is NULL */
    const float *tables;  /* [3,256]: a channel's values; in host memory */
    ani_watch *watch;     /* if it cancels, the features are undefined; NULL: never */
    int32_t device;       /* 1: x or bytes are in backend memory; 0: in the host's, and may be
                             changed when infer_run has returned */
    int32_t reserved;
} ani_infer_input;

/** The range of a tensor's values. */
typedef struct ani_range {
    float low, high;
} ani_range;

enum { ANI_INFERENCES = AN_INFERENCE_BF16 + 1 };

/** The calibration of int8 inference. */
typedef struct ani_calibrated {
    const ani_range *ranges; /* [units + 1]: of the image, then of each unit's value */
    const float *means;      /* of each channel of the image, then of each unit's value */
} ani_calibrated;

/** A network prepared for inference on a backend. */
typedef struct ani_infer ani_infer;
/** The buffers of one inference run at a time; each backend has its own type. */
typedef struct ani_infer_buffers ani_infer_buffers;
/** Calls that a backend repeats as a whole; each backend has its own type. */
typedef struct ani_recording ani_recording;

typedef struct ani_backend_ops {
    const char *name;
    /** Release what backend-specific creation made. */
    void (*destroy)(an_backend *backend);
    /** The device's memory in bytes, and how much of it is free; 0 where unknown. */
    void (*memory)(an_backend *backend, int64_t *total, int64_t *free);

    /* memory and queue */
    void *(*alloc)(an_backend *backend, int64_t size); /* zeroed; NULL: out of memory */
    /** Also while queued work still uses it: it is freed after that. */
    void (*free)(an_backend *backend, void *memory, int64_t size);
    /** Host memory that send and fetch move fast; any other will do, too. Zeroed; NULL: out of
     * memory. */
    void *(*host_alloc)(an_backend *backend, int64_t size);
    void (*host_free)(an_backend *backend, void *memory, int64_t size);
    /** from_host may be changed when it has returned. */
    void (*write)(an_backend *backend, void *to, const void *from_host, int64_t size);
    void (*read)(an_backend *backend, void *to_host, const void *from, int64_t size); /* waits */
    /** write and read that do not wait. They return a ticket above 0, not below those before;
     * from_host must not change, and to_host is not written yet, until it is reached. */
    int64_t (*send)(an_backend *backend, void *to, const void *from_host, int64_t size);
    int64_t (*fetch)(an_backend *backend, void *to_host, const void *from, int64_t size);
    /** Wait until what a ticket stands for is done, and all tickets before it; 0: do not wait. A
     * device error that is known by then is returned. */
    an_status (*reach)(an_backend *backend, int64_t ticket, an_error *err);
    /** Both its own memory. guard: copy only if it is not 0; NULL: always. */
    void (*copy)(an_backend *backend, void *to, const void *from, int64_t size,
                 const int32_t *guard);
    void (*fill)(an_backend *backend, void *memory, int32_t byte, int64_t size);
    an_status (*wait)(an_backend *backend, an_error *err); /* device errors surface here */

    /* recordings: a sequence of calls that only queue work, with the same arguments each time, may
     * be repeated as a whole */
    /** 1: make the calls, then call end. 0: the calls were recorded before under the same key, the
     * bytes of which say all that their arguments depend on; they have been queued again, and end
     * is not called. *recording NULL: there is none yet; a backend that never records leaves it. */
    int32_t (*begin)(an_backend *backend, ani_recording **recording, const void *key,
                     int64_t key_size);
    /** whole 0: not all calls were made, and these need not run: nothing is recorded. */
    void (*end)(an_backend *backend, ani_recording *recording, int32_t whole);
    /** Free it: the memory that its calls use is about to change place. NULL is allowed. */
    void (*forget)(an_backend *backend, ani_recording *recording);

    /* units */
    /** element: of y, g and z, and of x unless that is the image. */
    void (*unit_plan)(an_backend *backend, const ani_unit_shape *shape, int32_t element,
                      ani_unit_plan *plan);
    void (*unit_forward)(an_backend *backend, const ani_unit_plan *plan,
                         const ani_unit_forward *args);
    void (*unit_backward)(an_backend *backend, const ani_unit_plan *plan,
                          const ani_unit_backward *args);
    /** From moments over count elements per channel: mean, inv_std (of the biased variance), scale,
     * shift. update: the moving statistics are updated with momentum (variance: unbiased). */
    void (*bn_batch)(an_backend *backend, int64_t c, int64_t count, const double *moments,
                     double momentum, int32_t update, const ani_bn *bn);
    /** The same from the moving statistics. */
    void (*bn_running)(an_backend *backend, int64_t c, const ani_bn *bn);
    /** From the sums over count elements: dgamma, dbeta [c] (may be NULL) and the a, b, c of
     * ani_gradient; batch 1: z was normalised by batch statistics; 0: by moving ones (b and c
     * become 0). */
    void (*bn_backward)(an_backend *backend, int64_t channels, int64_t count, int32_t batch,
                        const double *sums, const ani_bn *bn, float *dgamma, float *dbeta, float *a,
                        float *b, float *c);
    /** Write y = x + r, both loaded lazily (r->z NULL: only x), rows*c elements, all three of the
     * kind of x. */
    void (*materialise)(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                        const ani_lazy *r, void *y);
    /** The smallest and the largest of rows*c values, in host memory; NaN is ignored. */
    void (*value_range)(an_backend *backend, int64_t rows, int64_t c, const ani_lazy *x,
                        ani_range *range);

    /* inference: units forward with the moving statistics, then the means over the last one's
     * pixels. Each unit's value is the input of exactly one later unit (the last one's is pooled)
     * and may be the residual of one unit after that one. */
    /** Plan it; the units are copied, and their weights are read by infer_pack. kind:
     * AN_INFERENCE_*: float; bfloat16 as in docs/numerics.md; int8 as in quant.h. calibrated: for
     * int8, copied; it and the weights have passed the checks of quant.h. */
    an_status (*infer_create)(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                              int32_t count, int32_t kind, const ani_calibrated *calibrated,
                              an_error *err);
    void (*infer_destroy)(an_backend *backend, ani_infer *infer); /* NULL is allowed */
    /** Pack the current weights and statistics. No run may be in progress. */
    void (*infer_pack)(an_backend *backend, ani_infer *infer);
    /** Make the buffers of a run. They fit every ani_infer of the same units and kind; nothing in
     * them persists from run to run. */
    an_status (*infer_buffers_create)(an_backend *backend, ani_infer_buffers **out,
                                      const ani_infer *infer, an_error *err);
    void (*infer_buffers_destroy)(an_backend *backend, ani_infer_buffers *buffers); /* or NULL */
    /** features: [n,cout of the last unit] in backend memory. Allocates nothing. Any number of runs
     * at once, each with its own buffers. */
    void (*infer_run)(an_backend *backend, const ani_infer *infer, ani_infer_buffers *buffers,
                      const ani_infer_input *input, int64_t n, float *features);

    /* head and loss */
    void (*pool_forward)(an_backend *backend, int64_t n, int64_t hw, int64_t c, const ani_lazy *x,
                         float *y); /* y [n,c]: means over hw */
    void (*pool_backward)(an_backend *backend, int64_t n, int64_t hw, int64_t c, const float *dy,
                          const ani_lazy *x, const ani_store *store);
    void (*dense_forward)(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                          const float *w, const float *b, float *y);
    /** dx, dw, db: each may be NULL. */
    void (*dense_backward)(an_backend *backend, int64_t n, int64_t in, int64_t out, const float *x,
                           const float *w, const float *dy, float *dx, float *dw, float *db);
    /** kind AN_LOSS_MSE to BINARY: AUTO and caller-supplied functions are resolved by the layer
     * above. weights [n]: each sample's loss is multiplied by its weight; NULL: by 1. The sum over
     * n is divided by `of`: n, or the samples of all replicas. loss: one double in backend memory;
     * dy [n,out] or NULL. guard: becomes 1 if the loss is not finite, else it stays; NULL: none. */
    void (*loss)(an_backend *backend, int32_t kind, int64_t n, int64_t of, int64_t out,
                 const float *y, const float *target, const float *weights, double *loss, float *dy,
                 int32_t *guard);
    /** Turn logits into probabilities in place: softmax over out, or sigmoid if out is 1. */
    void (*probabilities)(an_backend *backend, int64_t n, int64_t out, float *y);

    /* optimizer */
    void (*optim_step)(an_backend *backend, const ani_optim_step *step);
    void (*sum_squares)(an_backend *backend, int64_t count, const float *x, double *sum);
    /** y = a*x + b*y in double, rounded once. With b 0 the old y is ignored, even if NaN. */
    void (*combine)(an_backend *backend, int64_t count, double a, const float *x, double b,
                    float *y);
} ani_backend_ops;

#ifndef __cplusplus
/** The common beginning of every backend; each type embeds it as its first member. */
struct an_backend {
    const ani_backend_ops *ops;
    atomic_int references;
    int32_t threads;
    int64_t process; /* that made it: its threads do not exist in a child */
    const char *level;
    ani_device device;     /* memory sizes: 0, see the entry memory */
    uint32_t instructions; /* features it may use, of base/cpu.h; 0 where that is irrelevant */
    int32_t slice;         /* images that a prediction of many takes at a time, so that its memory
                              stays small */
    int32_t fixed;         /* 1: faster with ani_fixed_forward where statistics are known; 0: its
                              units do not take it */
    int32_t is_host;       /* 1: it computes during the call, in the host's memory: images are read
                              where they are */
    int32_t reserved;
};
#endif

/** AN_ERR_ARG in a child of the process that made the backend. Must be called before each call that
 * computes, and before taking any lock that another thread may have held at the fork. */
an_status ani_backend_check(const an_backend *backend, an_error *err);

/** The message for a failed alloc of size bytes (-1: its size overflowed): what was asked, and what
 * is free on a device with memory of its own. */
an_status ani_backend_fail_memory(an_backend *backend, int64_t size, const char *what,
                                  an_error *err);

/** Return whether two backends are of the same device and use the same instructions: each may then
 * read, pack and free memory and packed weights of the other. The number of threads may differ. */
bool ani_backend_is_alike(const an_backend *a, const an_backend *b);

/** Take a reference; an_backend_destroy() releases it. */
void ani_backend_hold(an_backend *backend);

/* The backend types, used only by create.c. */
an_status ani_ref_create(an_backend **out, const an_backend_options *options, an_error *err);
an_status ani_cpu_create(an_backend **out, const an_backend_options *options, an_error *err);

#endif
