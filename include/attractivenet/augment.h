/* SPDX-License-Identifier: MIT
 * Random transforms of images, and the loader: shuffled, scaled batches made by worker threads, of
 * a data set or of what a callback fills in. */
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
 *
 * Floats of a callback are transformed in every mode. Where all values of an image are those that
 * 8-bit pixels have on the loader's scale, it becomes what these pixels become, bit for bit; any
 * other image is interpolated as it is. Brightness takes the scale's ends for 0 and 255.
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
 * A loader: batches of some samples of a data set, or of a callback, epoch after epoch.
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

/** Samples that a callback is to fill in. The arrays are the loader's, valid during the call. */
typedef struct an_fill_batch {
    uint32_t struct_size;   /* bytes of this struct in the library that fills it */
    int32_t reserved;       /* 0 */
    int64_t epoch;          /* from 0, as in an_loader_begin() */
    int64_t step;           /* number of the batch in the epoch, from 0 */
    int64_t n;              /* samples of this batch, at least 1 */
    const int64_t *samples; /* [n], which ones, each 0 to count - 1 */
    float *x;               /* [n,height,width,3] RGB, scaled, to be filled; all NaN before */
    float *y;               /* [n,outputs], to be filled; all NaN before */
    float *weights;         /* [n], to be filled, all NaN before; NULL unless weighted is 1 */
} an_fill_batch;

/** As an_warning_init(). */
AN_API void an_fill_batch_init(an_fill_batch *batch, uint32_t struct_size);

/** Fill x, y and weights. Called on the thread that made the call, within an_loader_next() and what
 *  reads a loader. Non-zero stops that call with AN_ERR_CANCELLED. */
typedef int32_t (*an_fill_fn)(void *user, const an_fill_batch *batch);

/** Samples that a callback gives. Fill with an_loader_source_init(), then set what has no default.
 */
typedef struct an_loader_source {
    uint32_t struct_size;  /* set by init; later fields are only appended */
    int32_t height, width; /* of the images, 1 to 8192; no default */
    int32_t outputs;       /* numbers a sample has in y, 1 to 1000; default 1 */
    int64_t count;         /* samples of an epoch, at least 1; no default */
    int32_t varies;        /* 0 or 1: a sample is not the same in every epoch; default 0 */
    int32_t weighted;      /* 0 or 1: each sample has a weight; default 0: each counts as 1 */
    int32_t any_range;     /* 0: values of x lie on the loader's scale (UNIT 0 to 1, TF -1 to 1,
                              ARTICLE 0 to 1000; 1e-5 of that beyond its ends is allowed);
                              1: they are -1e30 to 1e30; default 0 */
    int32_t reserved;      /* 0 */
    an_fill_fn fill;       /* no default */
    void *user;            /* handed to fill; kept as long as the loader lives */
    const char *identity;  /* what the samples are, in 1 to 200 bytes of UTF-8, as a file's name and
                              version: a training is resumed only with the same; copied; NULL =
                              unknown, which is the same as any other unknown; default NULL */
    an_release_fn release; /* called with user when fill will not be called any more; NULL = none;
                              default NULL */
} an_loader_source;

AN_API void an_loader_source_init(an_loader_source *source, uint32_t struct_size);

/**
 * Make a loader whose samples a callback fills in: floats of the caller's own, or of a generator.
 *
 * Order, shuffling, drop_last, an_loader_begin() and augmentation are those of a data set of count
 * samples in which sample i has number i, and so are the bits, if x has the values of a data set's
 * pixels on the scale and y its scores as floats.
 *
 * Takes:   source: copied. options: NULL = defaults; scale says how x is scaled, and is compared
 *          with the model's as elsewhere.
 * Calls:   fill once for each batch, in their order, on the thread that calls an_loader_next(): for
 *          the batch that is wanted and, with threads, for up to prefetch batches after it, never
 *          beyond the epoch. The loader's threads do what follows: they look at the values and
 *          augment. So that a run can be repeated and resumed, what fill gives must depend on
 *          (epoch, samples) alone: batches filled ahead are discarded by an_loader_begin() and
 *          filled again when their turn comes. Any call that reads the loader calls fill; those
 *          that read the samples in their own order, as an_predict_loader(), do so with epoch 0.
 *          Where labels are unknown, write any finite number.
 * Owns:    *out is the caller's. user must stay valid until the loader and all that holds it, such
 *          as a trainer, are destroyed, when release is called: once, if this call returned AN_OK;
 *          never, if it failed.
 * Returns: AN_OK; AN_ERR_ARG (NULL, no fill, a field or option out of range); AN_ERR_NOMEM.
 * Fails:   a fill that returns non-zero ends the call that reads with AN_ERR_CANCELLED. A trainer
 *          goes on as after any callback that stops it; an_loader_next() loses nothing: the next
 *          call asks for the same batch again. A value that is not filled in, not finite or out of
 *          its range, and a weight below 0, end an_loader_next() with AN_ERR_ARG, with sample and
 *          value; the next call goes on with the batch after.
 * Threads: fill may make any call that does not read or begin its own loader: that one returns
 *          AN_ERR_ARG. The same holds while an_predict_loader(), an_calibrate_loader() or
 *          an_compute_features_loader() reads it, and while a trainer computes its features.
 * Cost:    as an_loader_create(); with augmentation a copy of an image for each thread.
 */
AN_API an_status an_loader_create_from_callback(an_loader **out, const an_loader_source *source,
                                                const an_loader_options *options, an_error *err);

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
 *          an_loader_set_cancel(). Errors of memory and of reading are always returned. Of a
 *          callback's loader: what an_loader_create_from_callback() says.
 */
AN_API an_status an_loader_next(an_loader *loader, const float **x, const float **y,
                                const int64_t **samples, int64_t *n, an_error *err);

/** Return the weights [n] of the batch that an_loader_next() gave last, of the data set or the
 *  callback, finite and at least 0; borrowed as its x. NULL before the first batch, after a call
 *  that gave none, and if the samples have no weights. */
AN_API const float *an_loader_batch_weights(const an_loader *loader);

AN_API int64_t an_loader_steps(const an_loader *loader);      /**< Return batches in an epoch. */
AN_API int64_t an_loader_samples(const an_loader *loader);    /**< Return samples in all. */
AN_API int32_t an_loader_batch_size(const an_loader *loader); /**< Return the batch size. */
AN_API int32_t an_loader_height(const an_loader *loader);     /**< Return the images' height. */
AN_API int32_t an_loader_width(const an_loader *loader);      /**< Return the images' width. */
AN_API int32_t an_loader_outputs(const an_loader *loader);    /**< Return numbers per label. */
AN_API int32_t an_loader_scale(const an_loader *loader);      /**< Return AN_SCALE_*. */
/** Return 1 if the samples have weights of their own, else 0. */
AN_API int32_t an_loader_has_weights(const an_loader *loader);
/** Return 1 if every epoch gives the same pixels for a sample (no augmentation, and no callback
 *  that varies), else 0. */
AN_API int32_t an_loader_is_plain(const an_loader *loader);

#ifdef __cplusplus
}
#endif
#endif
