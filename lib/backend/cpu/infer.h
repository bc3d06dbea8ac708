/* SPDX-License-Identifier: MIT
 * Inference of the CPU backend: what infer_plan.c makes and infer.c runs, and what infer_kinds.c
 * has for each number type.
 *
 * Batch norm is folded into weights and biases in double, and these are packed once; runs read them
 * and write only to their own buffers. The units are combined into steps: a *block* (front,
 * depthwise, project) writes only its thin result; the wide values in between live in a few
 * cache-sized buffers of the worker, one band of rows at a time. Any other unit is a separate step.
 *
 * Elements are floats, in int8 the codes of backend/quant.h, or bfloat16: buffers are bytes, sizes
 * and offsets count elements of k.size bytes, those of wide elements of k.wide_size. */
#ifndef BACKEND_CPU_INFER_H
#define BACKEND_CPU_INFER_H

#include "backend/cpu/cpu.h"

#include <stdbool.h>

#include "backend/quant.h"

/** How the columns of a product's result are divided into panels. */
typedef struct infer_panels {
    int64_t k, run, n; /* inputs, those that are contiguous; results */
    int64_t stored;    /* results, including the zeros stored after them */
    int64_t count;
    int32_t last_vectors; /* of the last panel; the others have a block's */
    int32_t reserved;
    int64_t columns; /* n rounded up to vectors */
    void *w;         /* packed: panel by panel, as ani_infer_product has it */
    void *bias;      /* [columns] */
    float *scale;    /* [columns]; int8 */
} infer_panels;

/** What one pass of work computes. front: NULL (the input is already wide), POINTWISE or FULL.
 * Without depthwise, the front's result is the step's. */
typedef struct infer_step {
    const ani_infer_unit *front, *depthwise, *project;
    int32_t input, output, residual; /* slots of thin values; -1: the image; none */
    int32_t pooled;       /* 1: the last step, whose result is averaged as it is computed */
    int64_t h, w, cin;    /* input */
    int64_t eh, ew, wide; /* input of the depthwise convolution, or the result */
    int64_t oh, ow, cout; /* result */
    /* Elements of a pixel: cin and cout in whole groups, except for the image's; and those of a run
     * of the front, three pixels or one, in whole groups. A pixel is padded with zeros in bfloat16
     * and with anything in int8; a run is padded with whatever follows it; both have zero weights.
     */
    int64_t in_pixel, out_pixel, in_run;
    float residual_scale;    /* int8 */
    int32_t zero, wide_zero; /* bytes that pad the input and wide */

    /* with depthwise */
    int64_t blocks;    /* of wide */
    int64_t group;     /* blocks that are projected at a time */
    int64_t rows;      /* of the result in a band */
    int64_t chunk;     /* of those, convolved at a time */
    int64_t keep;      /* rows of wide that a band passes to the next one: 3 - stride */
    int64_t columns;   /* of a row of wide with its padding */
    int64_t all_depth; /* elements of the depthwise result of a whole image */

    infer_panels front_panels, project_panels; /* front before depthwise: a panel is a block */
    uint8_t *taps; /* a block: [10][block] floats, or ani_infer_taps of its parts */
} infer_step;

/** Counts of elements of a worker's buffers. */
typedef struct infer_sizes {
    int64_t pads, work, tails, depth, zeros;
} infer_sizes;

/** The buffers of one worker. */
typedef struct infer_worker {
    uint8_t *slots; /* thin values of an image that only this worker processes */
    uint8_t *pads;  /* rows of the input of a full convolution, padded */
    uint8_t *work;  /* rows of one block of wide */
    uint8_t *tails; /* [2][blocks][keep] such rows, of the previous band and of this one */
    uint8_t *depth; /* result of the depthwise convolution: [group][pixels][block] */
    uint8_t *zeros; /* a row of wide beyond the edge */
} infer_worker;

/** What is specific to a number type besides its kernels. */
typedef struct infer_kind {
    int32_t in_float;    /* 1: values are floats, so results in memory may be added to */
    int32_t fill;        /* a product stores a multiple of this many columns */
    int32_t pooled_size; /* bytes of an element that is averaged as it is computed */
    int32_t part;        /* channels whose taps are packed together */
    int64_t part_size;   /* bytes of these */

    /** Elements of numbers. */
    void (*convert)(const ani_infer *infer, const float *from, int64_t count, void *to);
    /** Elements from the bytes of whole pixels: make_tables converts the numbers that the bytes
     * stand for to elements [3,256] once, and look_up reads them from there. */
    void (*make_tables)(const ani_infer *infer, const float *numbers, void *elements);
    void (*look_up)(const void *elements, const uint8_t *from, int64_t count, void *to);

    /** Add up count channels, pixel by pixel, row elements apart: of a value, and of what is
     * averaged as it is computed. */
    void (*sum)(const ani_kernels *k, const void *x, int64_t row, int64_t pixels, int64_t count,
                double *sums);
    void (*sum_pooled)(const ani_kernels *k, const void *x, int64_t row, int64_t pixels,
                       int64_t count, double *sums);
    /** The means of count channels of the last value, from their sums. */
    void (*write_means)(const ani_infer *infer, const double *sums, int64_t pixels, int64_t count,
                        float *means);

    /** Pack the weights of a panel; the taps of block `number`. */
    void (*pack_panel)(const ani_infer *infer, const infer_panels *panels,
                       const ani_infer_unit *unit, int64_t panel);
    void (*pack_taps)(const ani_infer *infer, const infer_step *step, int64_t number);
} infer_kind;

extern const infer_kind ani_cpu_infer_kinds[ANI_INFERENCES]; /* by AN_INFERENCE_* */

struct ani_infer {
    const infer_kind *kind;
    ani_infer_kernels k;
    int64_t taps_size; /* bytes of a block's taps */
    ani_infer_unit *units;
    ani_codes *codes; /* [unit_count + 1]: of the image, of each unit's value; int8 */
    float *means;     /* int8: as in ani_calibrated */
    int32_t unit_count, step_count;
    infer_step *steps;
    int32_t slot_count, reserved;
    int64_t *slot_offsets; /* elements, in a worker's slots */
    int64_t slots_size;    /* elements of them all */
    infer_sizes sizes;

    uint8_t *memory; /* what is packed */
    int64_t memory_size;
};

/** What one run writes. */
struct ani_infer_buffers {
    uint8_t *memory; /* all that follows */
    int64_t memory_size;
    uint8_t *shared;        /* depth of an image that all workers work on */
    int64_t worker_count;   /* threads of the backend */
    infer_worker workers[]; /* [worker_count] */
};

/* Return whether the threads share a step's channels instead of its rows when they work on one
 * image: with few rows, each thread would have to recompute too many of its neighbours' rows. */
static inline bool infer_is_split(const infer_step *step, int64_t threads) {
    return threads > 1 && step->project && step->oh < 12 * threads;
}

/* The int8 form of a unit. */
static inline ani_quant_unit infer_quant_unit(const ani_infer *infer, const ani_infer_unit *unit) {
    return ani_quant_unit_of(infer->units, (int32_t)(unit - infer->units), infer->codes,
                             infer->means);
}

/* The width of a panel in vectors. */
static inline int32_t infer_panel_vectors(const ani_infer *infer, const infer_panels *panels,
                                          int64_t panel) {
    return panel + 1 < panels->count ? infer->k.block / infer->k.lanes : panels->last_vectors;
}

/* Return whether wide values are floats while thin ones are bfloat16. */
static inline int32_t infer_is_widened(const ani_infer *infer) {
    return infer->k.wide_size > infer->k.size;
}

/** The maximum number of rows of a band, and thus of wide rows that it reads. */
enum { INFER_MAX_ROWS = 32, INFER_MAX_READS = 2 * INFER_MAX_ROWS + 1 };
/** Rows at a time for a step that is a full or pointwise convolution. */
enum { INFER_PRODUCT_ROWS = 2 };

/** Rows of wide that a band of `rows` result rows reads. */
static inline int64_t infer_reads(const infer_step *step, int64_t rows) {
    return (rows - 1) * step->depthwise->shape.stride + 3;
}

/** Elements of a row of the staged input (of a full convolution, padded; of the image); 0: the
 * input is not staged. */
int64_t ani_infer_stage_row(const infer_step *step);
/** Rows of it that `rows` rows of wide read. */
int64_t ani_infer_stage_rows(const infer_step *step, int64_t rows);

#endif
