/* SPDX-License-Identifier: MIT
 * Random transforms of images, and shuffled, scaled batches made by worker threads. */
#ifndef ATTRACTIVENET_AUGMENT_H
#define ATTRACTIVENET_AUGMENT_H

#include <attractivenet/dataset.h>
#include <attractivenet/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    AN_AUGMENT_NONE = 0,
    AN_AUGMENT_FAST = 1,   /* random numbers from (seed, epoch, sample); fused flip, affine, scale */
    AN_AUGMENT_KERAS = 2,  /* the draws and pixels of Keras' ImageDataGenerator.flow */
    AN_AUGMENT_LEGACY = 3  /* as KERAS, with the geometry of keras_preprocessing 1.1 (2020) */
};
enum { AN_FILL_NEAREST = 0, AN_FILL_CONSTANT = 1, AN_FILL_REFLECT = 2, AN_FILL_WRAP = 3 };

/** What may be done to a picture. Fill with an_augment_options_init(): nothing; or with
 *  an_augment_options_tutorial(): flip, rotation 40, shifts and shear and zoom 0.2. */
typedef struct an_augment_options {
    uint32_t struct_size;      /* set by init; later fields are only appended */
    int32_t mode;              /* AN_AUGMENT_*; default AN_AUGMENT_NONE */
    int32_t horizontal_flip;   /* 0 or 1 */
    int32_t vertical_flip;     /* 0 or 1 */
    int32_t fill;              /* AN_FILL_*, beyond the border; default NEAREST */
    int32_t reserved;          /* 0 */
    double rotation;           /* degrees, drawn in -rotation to rotation */
    double width_shift;        /* below 1: a fraction of the width; else pixels */
    double height_shift;       /* below 1: a fraction of the height; else pixels */
    double shear;              /* degrees, as Keras (not radians) */
    double zoom_low, zoom_high; /* factors; 1, 1 = none; Keras' zoom_range z is 1-z, 1+z */
    double channel_shift;      /* drawn in -channel_shift to channel_shift, on scaled values */
    double brightness_low, brightness_high; /* factors; 0, 0 = none */
    double fill_value;         /* for AN_FILL_CONSTANT, on the scale of the batch */
} an_augment_options;

AN_API void an_augment_options_init(an_augment_options *options, uint32_t struct_size);
AN_API void an_augment_options_tutorial(an_augment_options *options, uint32_t struct_size);

/** How to make batches. Fill with an_batches_options_init(), then change what you need. */
typedef struct an_batches_options {
    uint32_t struct_size;   /* set by init; later fields are only appended */
    int32_t batch;          /* samples in a batch, 1 to 65536; default 32 */
    int32_t shuffle;        /* 0 or 1: a new order each epoch; default 0 */
    int32_t last_batch;     /* 0: only full batches (but all if there are fewer samples); 1: keep the
                               short one; default 1 */
    int32_t scale;          /* AN_SCALE_UNIT, TF or SEED; AUTO is an error here; default UNIT */
    int32_t threads;        /* that decode and augment ahead, 0 to 256; 0 = in the caller; default 1 */
    int32_t ahead;          /* batches made ahead, 1 to 64; default 2 */
    uint32_t seed;          /* default 42 */
    an_augment_options augment;
} an_batches_options;

AN_API void an_batches_options_init(an_batches_options *options, uint32_t struct_size);

/** A source of batches over some samples of a data set, epoch after epoch. */
typedef struct an_batches an_batches;

/**
 * Make a source of batches.
 *
 * Takes:   indices [count]: samples of dataset, copied; NULL = all in order, count ignored.
 *          options: NULL = defaults.
 * Owns:    *out is the caller's; it holds the data set.
 * Returns: AN_OK; AN_ERR_ARG (an index or option out of range, no samples); AN_ERR_NOMEM.
 * Source:  order of epoch e (from 0): NumPy RandomState(seed + e).permutation(count) in modes NONE
 *          and FAST; Keras' iterator in modes KERAS and LEGACY (docs/numerics.md, section batches).
 */
AN_API an_status an_batches_create(an_batches **out, an_dataset *dataset, const int64_t *indices,
                                   int64_t count, const an_batches_options *options, an_error *err);
AN_API void an_batches_destroy(an_batches *batches); /**< Stop the workers, free; NULL is allowed. */

/**
 * Begin epoch number epoch (from 0, counted over all stages) at batch number first.
 *
 * Returns: AN_OK; AN_ERR_ARG if first is not 0 to an_batches_steps().
 * Note:    what an epoch gives depends on (options, epoch) alone, in KERAS mode too (there the
 *          stream of an epoch begins at seed + epoch * steps, as Keras' next()).
 */
AN_API an_status an_batches_begin(an_batches *batches, int64_t epoch, int64_t first, an_error *err);

/**
 * Take the next batch of the epoch.
 *
 * Shapes:  *x [n,H,W,3] RGB scaled, *y [n,outputs], *samples [n] (each may be NULL): borrowed until
 *          the next call on batches.
 * Returns: AN_OK; AN_DONE at the end of the epoch; errors of an_dataset_pixels() (policy strict).
 *          With policy skip a damaged image is left out and the batch is shorter.
 * Threads: one call at a time on one source.
 */
AN_API an_status an_batches_next(an_batches *batches, const float **x, const float **y,
                                 const int64_t **samples, int64_t *n, an_error *err);

AN_API int64_t an_batches_steps(const an_batches *batches);   /**< Return batches in an epoch. */
AN_API int64_t an_batches_samples(const an_batches *batches); /**< Return samples of the source. */
AN_API int32_t an_batches_batch(const an_batches *batches);   /**< Return the batch size. */
AN_API int32_t an_batches_height(const an_batches *batches);
AN_API int32_t an_batches_width(const an_batches *batches);
AN_API int32_t an_batches_outputs(const an_batches *batches);
AN_API int32_t an_batches_scale(const an_batches *batches);   /**< Return AN_SCALE_*. */
/** Return 1 if every epoch gives the same pixels for a sample (no augmentation), else 0. */
AN_API int32_t an_batches_is_plain(const an_batches *batches);

#ifdef __cplusplus
}
#endif
#endif
