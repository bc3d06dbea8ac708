/* SPDX-License-Identifier: MIT
 * Random transforms of images, and the loader: shuffled, scaled batches made by worker threads. */
#ifndef ATTRACTIVENET_AUGMENT_H
#define ATTRACTIVENET_AUGMENT_H

#include <attractivenet/dataset.h>
#include <attractivenet/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    AN_AUGMENT_NONE = 0,
    AN_AUGMENT_FAST = 1,  /* random numbers from (seed, epoch, sample); fused flip, affine, scale */
    AN_AUGMENT_KERAS = 2, /* the draws and pixels of Keras' ImageDataGenerator.flow */
    AN_AUGMENT_LEGACY = 3 /* as KERAS, with the code of 2020 (keras_preprocessing 1.1) */
};
enum { AN_FILL_NEAREST = 0, AN_FILL_CONSTANT = 1, AN_FILL_REFLECT = 2, AN_FILL_WRAP = 3 };

/**
 * What may be done to an image: an affine map (rotation, shift, shear, zoom in one, bilinear), a
 * change of all values, flips, brightness, in this order. Each is drawn anew for each image and
 * epoch. Fill with an_augment_options_init(): nothing; or with an_augment_options_tutorial(): mode
 * FAST, horizontal flip, rotation 40, shifts, shear and zoom 0.2.
 *
 * Modes KERAS and LEGACY do literally what Keras does: the height shift moves along columns
 * (LEGACY: along rows), the centre of images that are not square is wrong, and brightness goes
 * through 8-bit pixels whatever the scale (with scale unit, KERAS makes every pixel black or all
 * but black). FAST puts these right: shifts go along their own axis, the centre is the image's, and
 * brightness multiplies the 8-bit value and clamps it to 0..255. For square images with equal
 * shifts all else is the same.
 */
typedef struct an_augment_options {
    uint32_t struct_size;       /* set by init; later fields are only appended */
    int32_t mode;               /* AN_AUGMENT_*; default AN_AUGMENT_NONE: the rest has no effect */
    int32_t horizontal_flip;    /* 0 or 1: with probability 1/2 */
    int32_t vertical_flip;      /* 0 or 1: with probability 1/2 */
    int32_t fill;               /* AN_FILL_*, beyond the border; default NEAREST */
    int32_t reserved;           /* 0 */
    double rotation;            /* degrees, drawn in -rotation to rotation; 0 to 1e6 */
    double width_shift;         /* below 1: a fraction of the width; else pixels; 0 to 1e6 */
    double height_shift;        /* below 1: a fraction of the height; else pixels; 0 to 1e6 */
    double shear;               /* degrees, as Keras (not radians); 0 to 1e6 */
    double zoom_low, zoom_high; /* factors, below 1 enlarges; 1, 1 = none; Keras' zoom_range z is
                                   1-z, 1+z; 0.001 to 1000 */
    double channel_shift;       /* drawn in -channel_shift to channel_shift, added to all values on
                                   the scale of the batch, clamped to the image's own range */
    double brightness_low, brightness_high; /* factors, 0 to 1000; 0, 0 = none */
    double fill_value;                      /* for AN_FILL_CONSTANT, on the scale of the batch */
    const double *width_shifts; /* choices in place of width_shift, of which one is drawn and then a
                                   sign; copied; NULL = none. Keras' integer range k is 0, 1, ...
                                   k-1. All below 1: fractions of the width */
    const double *height_shifts; /* the same for height_shift */
    int64_t width_shift_count;   /* 0 to 65536; default 0 */
    int64_t height_shift_count;  /* 0 to 65536; default 0 */
} an_augment_options;

AN_API void an_augment_options_init(an_augment_options *options, uint32_t struct_size);
/** Set the tutorial's augmentation. */
AN_API void an_augment_options_tutorial(an_augment_options *options, uint32_t struct_size);

/** How the epochs of modes KERAS and LEGACY are read from Keras' iterator; both are sequences of
 *  numbers that depend on the seed alone. */
enum {
    AN_ITERATOR_NEXT = 0, /* next(g), epoch after epoch */
    AN_ITERATOR_ITEM = 1  /* g[0], g[1], ..., on_epoch_end(): fit without its own shuffling */
};

/** How to load batches. Fill with an_loader_options_init(), then change what you need. */
typedef struct an_loader_options {
    uint32_t struct_size; /* set by init; later fields are only appended */
    int32_t batch_size;   /* samples in a batch, 1 to 65536; default 32 */
    int32_t shuffle;      /* 0 or 1: a new order each epoch; default 0 */
    int32_t drop_last;    /* 0 or 1: leave out the last batch if it is short (but not if it is the
                             only one); default 0 */
    int32_t scale;        /* AN_SCALE_UNIT, TF or ARTICLE; AUTO is an error here; default UNIT */
    int32_t threads;      /* that decode and augment, 0 to 256; 0 = the caller's alone; default
                             1. A caller that has to wait for a batch helps to make it */
    int32_t prefetch;     /* batches prefetched, 1 to 64; each takes memory; default 2 */
    uint32_t seed;        /* default 42 */
    int32_t iterator;     /* AN_ITERATOR_*, for modes KERAS and LEGACY; default NEXT */
    int32_t reserved;     /* 0 */
    const an_augment_options *augment; /* copied; NULL = no augmentation */
} an_loader_options;

AN_API void an_loader_options_init(an_loader_options *options, uint32_t struct_size);

/**
 * A loader: batches of some samples of a data set, epoch after epoch.
 *
 * Threads: one call at a time on one loader, where a trainer's epoch or an evaluation counts as one
 *          call; a second one returns AN_ERR_ARG. Loaders of one data set are independent. A
 *          loader's threads block all signals, are named "an-loader" and have 1 MiB of stack.
 * fork():  in a child process, calls on a loader of the parent return AN_ERR_ARG, and destroying it
 *          waits for no thread.
 */
typedef struct an_loader an_loader;

/**
 * Make a loader.
 *
 * Takes:   indices [count]: samples of dataset, copied; a sample may occur twice. NULL with count 0
 *          = all samples in order.
 *          options: NULL = defaults.
 * Owns:    *out is the caller's; it holds the data set. It stands before epoch 0, batch 0.
 * Returns: AN_OK; AN_ERR_ARG (an index or option out of range, no samples, indices NULL with a
 *          count); AN_ERR_NOMEM.
 * Cost:    (prefetch + 1) batches of floats (one without threads), allocated here once.
 * Source:  order of epoch e (from 0): NumPy RandomState(seed + e).permutation(count) in modes NONE
 *          and FAST; Keras' iterator in modes KERAS and LEGACY (docs/numerics.md, section batches).
 */
AN_API an_status an_loader_create(an_loader **out, an_dataset *dataset, const int64_t *indices,
                                  int64_t count, const an_loader_options *options, an_error *err);
/** Stop the workers and free; NULL is allowed. */
AN_API void an_loader_destroy(an_loader *loader);

/**
 * Attach a flag that cancels an_loader_next(), while it waits for a batch and between the images
 * that it decodes itself: the next call takes the same batch. Calls on models and trainers that
 * read the loader poll the model's flag in place of this one.
 *
 * Takes:   cancel: held; NULL = none, as before.
 * Returns: AN_OK; AN_ERR_ARG (loader is NULL, or read by another call).
 */
AN_API an_status an_loader_set_cancel(an_loader *loader, an_cancel *cancel, an_error *err);

/**
 * Begin epoch number epoch (from 0, counted over all stages) at batch number first.
 *
 * Returns: AN_OK; AN_ERR_ARG if first is not 0 to an_loader_steps(), or epoch below 0.
 * Note:    may be called at any time: batches under way are discarded. The contents of an epoch
 *          depend on (options, epoch) alone, whatever the threads and whatever was read before, in
 *          mode KERAS too (there batch k of an epoch draws from RandomState(seed + epoch * steps +
 *          k), as Keras does).
 */
AN_API an_status an_loader_begin(an_loader *loader, int64_t epoch, int64_t first, an_error *err);

/**
 * Take the next batch of the epoch.
 *
 * Shapes:  *x [n,H,W,3] RGB scaled, *y [n,outputs], *samples [n] (each may be NULL): borrowed until
 *          the next call on the loader.
 * Returns: AN_OK; AN_DONE at the end of the epoch, until an_loader_begin(); errors of
 *          an_dataset_read_pixels(): the first in the order of the samples, whichever thread met
 *          it; the next call goes on with the batch after. With policy skip a damaged image is left
 *          out with one warning, and the batch is shorter; a batch with nothing left is skipped;
 *          AN_ERR_CANCELLED if the warning callback says so, and by the flag of
 *          an_loader_set_cancel(). Errors of memory and of reading are
 *          always returned.
 */
AN_API an_status an_loader_next(an_loader *loader, const float **x, const float **y,
                                const int64_t **samples, int64_t *n, an_error *err);

AN_API int64_t an_loader_steps(const an_loader *loader);      /**< Return batches in an epoch. */
AN_API int64_t an_loader_samples(const an_loader *loader);    /**< Return samples in all. */
AN_API int32_t an_loader_batch_size(const an_loader *loader); /**< Return the batch size. */
AN_API int32_t an_loader_height(const an_loader *loader);     /**< Return the images' height. */
AN_API int32_t an_loader_width(const an_loader *loader);      /**< Return the images' width. */
AN_API int32_t an_loader_outputs(const an_loader *loader);    /**< Return numbers per label. */
AN_API int32_t an_loader_scale(const an_loader *loader);      /**< Return AN_SCALE_*. */
/** Return 1 if every epoch gives the same pixels for a sample (no augmentation), else 0. */
AN_API int32_t an_loader_is_plain(const an_loader *loader);

#ifdef __cplusplus
}
#endif
#endif
