/* SPDX-License-Identifier: MIT
 * Random image transforms, and the loader: shuffled, scaled batches prepared by worker threads from
 * a data set or from a callback. */
#ifndef ATTRACTIVENET_AUGMENT_H
#define ATTRACTIVENET_AUGMENT_H

#include <attractivenet/dataset.h>
#include <attractivenet/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    AN_AUGMENT_NONE = 0,
    AN_AUGMENT_FAST = 1,  /* random numbers depend on (seed, epoch, sample); fused flip, affine,
                             scale */
    AN_AUGMENT_KERAS = 2, /* the random draws and pixels of Keras' ImageDataGenerator.flow */
    AN_AUGMENT_LEGACY = 3 /* as KERAS, but following the 2020 code (keras_preprocessing 1.1) */
};
enum { AN_FILL_NEAREST = 0, AN_FILL_CONSTANT = 1, AN_FILL_REFLECT = 2, AN_FILL_WRAP = 3 };

/**
 * How images are augmented: one bilinear affine map (rotation, shift, shear and zoom combined), a
 * channel shift, flips, brightness, contrast, saturation and an erased rectangle, in that order.
 * New values are drawn for every image in every epoch. Initialise with an_augment_options_init()
 * for no augmentation, or with an_augment_options_tutorial() for mode FAST, horizontal flip,
 * rotation 40, shifts, shear and zoom 0.2.
 *
 * Modes KERAS and LEGACY reproduce Keras exactly, bugs included: the height shift moves along
 * columns (LEGACY: along rows), the centre of non-square images is wrong, and brightness converts
 * to 8-bit pixels regardless of the scale (with scale unit, KERAS makes every pixel black or nearly
 * black). FAST corrects these: each shift moves along its own axis, the centre is the centre of the
 * image, and brightness multiplies the 8-bit value and clamps it to 0..255. For square images with
 * equal shifts all other results are the same.
 *
 * Floats from a callback are transformed in every mode. If every value of an image equals that of
 * an 8-bit pixel on the loader's scale, the result is bit-identical to that for the pixels; any
 * other image is interpolated in floating point. Brightness treats the ends of the scale as 0 and
 * 255.
 */
typedef struct an_augment_options {
    uint32_t struct_size;       /* set by init; new fields are only appended */
    int32_t mode;               /* AN_AUGMENT_*; default AN_AUGMENT_NONE: the other fields have no
                                   effect */
    int32_t horizontal_flip;    /* 0 or 1: flip with probability 1/2 */
    int32_t vertical_flip;      /* 0 or 1: flip with probability 1/2 */
    int32_t fill;               /* AN_FILL_*: pixels beyond the border; default NEAREST */
    int32_t reserved;           /* 0 */
    double rotation;            /* degrees, drawn from -rotation to rotation; 0 to 1e6 */
    double width_shift;         /* below 1: a fraction of the width; else pixels; 0 to 1e6 */
    double height_shift;        /* below 1: a fraction of the height; else pixels; 0 to 1e6 */
    double shear;               /* degrees (not radians), as in Keras; 0 to 1e6 */
    double zoom_low, zoom_high; /* factors; below 1 enlarges; 1, 1 = none; Keras' zoom_range z is
                                   1-z, 1+z; 0.001 to 1000 */
    double channel_shift;       /* drawn from -channel_shift to channel_shift and added to all
                                   values, on the scale of the batch; the result is clamped to the
                                   image's own range */
    double brightness_low, brightness_high; /* factors, 0 to 1000; 0, 0 = none */
    double fill_value;                      /* for AN_FILL_CONSTANT, on the scale of the batch */
    const double *width_shifts;  /* used instead of width_shift: one value is drawn, then its sign;
                                    copied; NULL = none. Keras' integer range k is 0, 1, ... k-1. If
                                    all are below 1, they are fractions of the width */
    const double *height_shifts; /* the same for height_shift */
    int64_t width_shift_count;   /* 0 to 65536; default 0 */
    int64_t height_shift_count;  /* 0 to 65536; default 0 */
    double contrast;   /* mode FAST: a factor is drawn from 1-contrast to 1+contrast, for the
                          difference of all values from the image's mean grey; 0 to 1; default 0 */
    double saturation; /* the same for the difference of each pixel from its grey */
    double erase; /* mode FAST: probability with which a rectangle of the image gets the image's
                     mean colour; 0 to 1; default 0 */
} an_augment_options;

AN_API void an_augment_options_init(an_augment_options *options, uint32_t struct_size);
/** Set the tutorial's augmentation. */
AN_API void an_augment_options_tutorial(an_augment_options *options, uint32_t struct_size);

/** How epochs in modes KERAS and LEGACY read Keras' iterator. Both number sequences depend on the
 *  seed alone. */
enum {
    AN_ITERATOR_NEXT = 0, /* next(g), epoch after epoch */
    AN_ITERATOR_ITEM = 1  /* g[0], g[1], ..., on_epoch_end(): as fit() does without its own
                             shuffling */
};

/** How to load batches. Initialise with an_loader_options_init(), then change what you need. */
typedef struct an_loader_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t batch_size;   /* samples in a batch, 1 to 65536; default 32 */
    int32_t shuffle;      /* 0 or 1: reshuffle every epoch; default 0 */
    int32_t drop_last;    /* 0 or 1: drop the last batch if it is short (unless it is the only one);
                             default 0 */
    int32_t scale;        /* AN_SCALE_*; AUTO is an error here; default UNIT */
    int32_t threads;      /* threads that decode and augment, 0 to 256; 0 = the caller's only;
                             default 1. A caller that has to wait for a batch helps to prepare it */
    int32_t prefetch;     /* batches to prefetch, 1 to 64; each takes memory; default 2 */
    uint32_t seed;        /* default 42 */
    int32_t iterator;     /* AN_ITERATOR_*, for modes KERAS and LEGACY; default NEXT */
    int32_t reserved;     /* 0 */
    const an_augment_options *augment; /* copied; NULL = no augmentation */
    double mixup;           /* alpha of C-Mixup, see below; 0 to 100; 0 = none; default 0 */
    double mixup_bandwidth; /* > 0: how close the labels of a pair are, in standard deviations of
                               the loader's labels; 0 = pairs do not depend on labels; at most 1e6;
                               default 0.5 */
} an_loader_options;

/* C-Mixup: each sample i becomes share * i + (1 - share) * j: image, label and weight. share has
 * the distribution Beta(alpha, alpha); j is one of the loader's samples, and i itself has the same
 * chance as any other with its label, exp(-d^2 / 2), where d is the distance of the labels divided
 * by mixup_bandwidth: for several outputs, the root of the mean square over those that vary. Image
 * j is augmented as it would be by itself. Both draws depend on (seed, epoch, i) alone. It needs a
 * data set and augmentation in mode NONE or FAST, and takes the time of reading and augmenting two
 * images. With AN_POLICY_SKIP, a sample whose j is damaged stays as it is. Source: Yao et al.,
 * 2022, C-Mixup: Improving Generalization in Regression. */

AN_API void an_loader_options_init(an_loader_options *options, uint32_t struct_size);

/**
 * A loader: batches of selected samples from a data set or a callback, epoch after epoch.
 *
 * Threads: one call at a time on one loader; a trainer's epoch or an evaluation counts as one call.
 *          A second call returns AN_ERR_ARG. Loaders of the same data set are independent. A
 *          loader's threads block all signals, are named "an-loader" and have 1 MiB of stack.
 * fork():  in a child process, calls on a loader created by the parent return AN_ERR_ARG, and
 *          destroying it does not wait for any thread.
 */
typedef struct an_loader an_loader;

/**
 * Make a loader.
 *
 * Takes:   indices [count]: samples of dataset, copied; a sample may occur more than once. NULL
 *          with count 0 = all samples in order. options: NULL = defaults.
 * Owns:    *out is the caller's; it holds a reference to the data set. It starts at epoch 0, batch
 *          0.
 * Returns: AN_OK; AN_ERR_ARG (an index or option out of range, no samples, indices NULL with a
 *          count); AN_ERR_NOMEM.
 * Cost:    (prefetch + 1) batches of floats (one without threads), allocated once by this call.
 * Source:  the order of epoch e (from 0) is NumPy RandomState(seed + e).permutation(count) in modes
 *          NONE and FAST; Keras' iterator in modes KERAS and LEGACY (docs/numerics.md, section
 *          batches).
 */
AN_API an_status an_loader_create(an_loader **out, an_dataset *dataset, const int64_t *indices,
                                  int64_t count, const an_loader_options *options, an_error *err);

/** Samples for a callback to fill in. The arrays belong to the loader and are valid during the
 *  call. */
typedef struct an_fill_batch {
    uint32_t struct_size;   /* bytes of this struct in the library that fills it */
    int32_t reserved;       /* 0 */
    int64_t epoch;          /* from 0, as in an_loader_begin() */
    int64_t step;           /* index of the batch within the epoch, from 0 */
    int64_t n;              /* samples in this batch, at least 1 */
    const int64_t *samples; /* [n]: which samples, each 0 to count - 1 */
    float *x;               /* [n,height,width,3] RGB, scaled: to be filled in; initially all NaN */
    float *y;               /* [n,outputs]: to be filled in; initially all NaN */
    float *weights;         /* [n]: to be filled in; initially all NaN; NULL unless weighted is 1 */
} an_fill_batch;

/** As an_warning_init(). */
AN_API void an_fill_batch_init(an_fill_batch *batch, uint32_t struct_size);

/** Fill in x, y and weights. Called on the caller's thread, from an_loader_next() and from every
 *  call that reads a loader. A non-zero return stops that call with AN_ERR_CANCELLED. */
typedef int32_t (*an_fill_fn)(void *user, const an_fill_batch *batch);

/** Samples supplied by a callback. Initialise with an_loader_source_init(), then set the fields
 * that have no default.
 */
typedef struct an_loader_source {
    uint32_t struct_size;  /* set by init; new fields are only appended */
    int32_t height, width; /* of the images, 1 to 8192; no default */
    int32_t outputs;       /* numbers per sample in y, 1 to 1000; default 1 */
    int64_t count;         /* samples in an epoch, at least 1; no default */
    int32_t varies;        /* 0 or 1: samples differ from epoch to epoch; default 0 */
    int32_t weighted;      /* 0 or 1: each sample has a weight; default 0: every weight is 1 */
    int32_t any_range;     /* 0: values of x lie on the loader's scale (UNIT 0 to 1, TF -1 to 1,
                              ARTICLE 0 to 1000; a tolerance of 1e-5 of the range is allowed at each
                              end); 1: they lie in -1e30 to 1e30; default 0 */
    int32_t reserved;      /* 0 */
    an_fill_fn fill;       /* no default */
    void *user;            /* passed to fill; must stay valid while the loader lives */
    const char *identity;  /* identifies the samples, such as a file's name and version: 1 to 200
                              bytes of UTF-8. A run can be resumed only with the same identity;
                              copied; NULL = unknown, which matches any other unknown; default
                              NULL */
    an_release_fn release; /* called with user when fill will not be called again; NULL = none;
                              default NULL */
} an_loader_source;

AN_API void an_loader_source_init(an_loader_source *source, uint32_t struct_size);

/**
 * Make a loader whose samples are filled in by a callback: the caller's own floats, or a generator.
 *
 * Order, shuffling, drop_last, an_loader_begin() and augmentation work as for a data set of count
 * samples in which sample i has index i. The results are also bit-identical if x holds the values
 * of a data set's pixels on the scale and y its scores as floats.
 *
 * Takes:   source: copied. options: NULL = defaults; scale says how x is scaled, and is checked
 *          against the model's as for any loader.
 * Calls:   fill once for each batch, in order, on the thread that calls an_loader_next(): for the
 *          batch requested and, with threads, for up to prefetch batches after it, never past the
 *          end of the epoch. The loader's threads then check the values and augment. For runs to be
 *          repeatable and resumable, what fill writes must depend on (epoch, samples) alone:
 *          an_loader_begin() discards prefetched batches, and they are filled again when their turn
 *          comes. Any call that reads the loader calls fill; those that read the samples in index
 *          order, such as an_predict_loader(), pass epoch 0. Where labels are unknown, write any
 *          finite number.
 * Owns:    *out is the caller's. user must stay valid until the loader and everything that holds
 *          it, such as a trainer, are destroyed; then release is called. It is called once if this
 *          call returned AN_OK, and never if it failed.
 * Returns: AN_OK; AN_ERR_ARG (NULL, no fill, a field or option out of range); AN_ERR_NOMEM.
 * Fails:   if fill returns non-zero, the call that reads fails with AN_ERR_CANCELLED. A trainer can
 *          continue as after any callback that stops it; an_loader_next() loses nothing: the next
 *          call requests the same batch again. If a value is not filled in, not finite or out of
 *          range, or a weight is below 0, an_loader_next() returns AN_ERR_ARG and the message gives
 *          the sample and the value; the next call continues with the following batch.
 * Threads: fill may make any call except one that reads or begins its own loader, which returns
 *          AN_ERR_ARG. The same holds while an_predict_loader(), an_calibrate_loader() or
 *          an_compute_features_loader() reads the loader, and while a trainer computes its
 *          features.
 * Cost:    as an_loader_create(); with augmentation, also one image copy per thread.
 */
AN_API an_status an_loader_create_from_callback(an_loader **out, const an_loader_source *source,
                                                const an_loader_options *options, an_error *err);

/** Stop the worker threads and free the loader; NULL is allowed. */
AN_API void an_loader_destroy(an_loader *loader);

/**
 * Attach a flag that cancels an_loader_next() while it waits for a batch and between the images
 * that it decodes itself; the next call returns the same batch. Calls on models and trainers that
 * read the loader poll the model's flag instead.
 *
 * Takes:   cancel: a reference is kept; NULL = none, the initial state.
 * Returns: AN_OK; AN_ERR_ARG (loader is NULL or in use by another call).
 */
AN_API an_status an_loader_set_cancel(an_loader *loader, an_cancel *cancel, an_error *err);

/**
 * Begin epoch number epoch (from 0, counted across all stages) at batch first.
 *
 * Returns: AN_OK; AN_ERR_ARG if first is not in 0 to an_loader_steps(), or epoch is below 0.
 * Note:    may be called at any time; batches in progress are discarded. The contents of an epoch
 *          depend on (options, epoch) alone, regardless of the number of threads and of earlier
 *          reads. This also holds in mode KERAS, where batch k of an epoch draws from
 *          RandomState(seed + epoch * steps + k), as Keras does.
 */
AN_API an_status an_loader_begin(an_loader *loader, int64_t epoch, int64_t first, an_error *err);

/**
 * Get the next batch of the epoch.
 *
 * Shapes:  *x [n,H,W,3] RGB scaled, *y [n,outputs], *samples [n] (each may be NULL): borrowed until
 *          the next call on the loader.
 * Returns: AN_OK; AN_DONE at the end of the epoch, until an_loader_begin(); errors of
 *          an_dataset_read_pixels(): the first in sample order, regardless of which thread
 *          encountered it; the next call continues with the following batch. With policy skip a
 *          damaged image is left out with one warning, and the batch is shorter; an empty batch is
 *          skipped; AN_ERR_CANCELLED if the warning callback returns non-zero or the flag of
 *          an_loader_set_cancel() is set. Out-of-memory and read errors are always returned. For a
 *          callback's loader, see an_loader_create_from_callback().
 */
AN_API an_status an_loader_next(an_loader *loader, const float **x, const float **y,
                                const int64_t **samples, int64_t *n, an_error *err);

/** Return the weights [n] of the last batch that an_loader_next() returned, from the data set or
 *  the callback, finite and at least 0; borrowed like its x. NULL before the first batch, after a
 *  call that returned no batch, and if the samples have no weights. */
AN_API const float *an_loader_batch_weights(const an_loader *loader);

AN_API int64_t an_loader_steps(const an_loader *loader);      /**< Return the batches per epoch. */
AN_API int64_t an_loader_samples(const an_loader *loader);    /**< Return the number of samples. */
AN_API int32_t an_loader_batch_size(const an_loader *loader); /**< Return the batch size. */
AN_API int32_t an_loader_height(const an_loader *loader);     /**< Return the image height. */
AN_API int32_t an_loader_width(const an_loader *loader);      /**< Return the image width. */
AN_API int32_t an_loader_outputs(const an_loader *loader);    /**< Return the numbers per label. */
AN_API int32_t an_loader_scale(const an_loader *loader);      /**< Return AN_SCALE_*. */
/** Return 1 if the samples have weights, else 0. */
AN_API int32_t an_loader_has_weights(const an_loader *loader);
/** Return 1 if a sample has the same pixels in every epoch (no augmentation, and no callback that
 *  varies), else 0. */
AN_API int32_t an_loader_is_plain(const an_loader *loader);

#ifdef __cplusplus
}
#endif
#endif
