/* SPDX-License-Identifier: MIT
 * The contents of a data set, for the code that creates one. */
#ifndef DATASET_HANDLE_H
#define DATASET_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/dataset.h>

#include "dataset/classes.h"
#include "dataset/source.h"
#include "kernels/pixels.h"

/** Cached bytes of a sample: published once, never changed, freed with the data set. */
typedef struct ani_kept {
    uint8_t *bytes;
    int64_t size;
} ani_kept;

/** Pixels in memory: the caller's, or a copy. */
typedef struct ani_memory_pixels {
    const uint8_t *rgb;               /* NULL: none */
    uint8_t *copy;                    /* rgb, if it is our copy */
    int64_t image_stride, row_stride; /* bytes */
    an_release_fn release;            /* NULL = none */
    void *release_user;
} ani_memory_pixels;

/** Encoded images in memory, one after another. */
typedef struct ani_memory_files {
    uint8_t *bytes; /* NULL: none */
    int64_t *ends;  /* [samples at first]: where each ends */
} ani_memory_files;

struct an_dataset {
    atomic_int references;
    an_dataset_options options; /* its pointers are not valid */
    an_image_limits limits;
    ani_pixels kernels;
    ani_source source; /* its images are the samples; empty for samples in memory */
    int64_t count;
    double *scores;             /* [count,outputs]; NULL with classes */
    ani_classes classes;        /* empty if labels are numbers */
    int32_t *class_of;          /* [count]; NULL without classes */
    double *weights;            /* [count]; NULL = 1 each */
    _Atomic(ani_kept *) *cache; /* [count]; NULL without a cache */
    atomic_bool *damaged;       /* [count]: left out by policy skip */
    atomic_llong skipped;
    int64_t labels_without_image;
    ani_memory_pixels pixels; /* place of a sample: its original number */
    ani_memory_files files;   /* by original number, too */
};

#endif
