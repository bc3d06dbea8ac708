/* SPDX-License-Identifier: MIT
 * The numbers behind a report's figures, from plain arrays. */
#ifndef REPORT_STATISTICS_H
#define REPORT_STATISTICS_H

#include <stdint.h>

enum { MAX_BINS = 40 };

/** Counts of values in bins of equal width, whose edges are round numbers: bin i holds low +
 * i*width to low + (i+1)*width, without its upper edge; the last one with it. */
typedef struct histogram {
    double low, width;
    int32_t bins;
    int64_t counts[MAX_BINS], largest;
} histogram;

/** Lay out about `wanted` bins, at most MAX_BINS, that hold low to high, and set all counts to 0.
 *  Takes: finite, low <= high; wanted: 1 to MAX_BINS / 2. */
void histogram_begin(histogram *h, double low, double high, int32_t wanted);
/** Count a value from low to high of histogram_begin(). */
void histogram_add(histogram *h, double value);
/** Return the bin of a value within the range. */
int32_t histogram_bin(const histogram *h, double value);

/** The errors of the samples whose true score is in one bin. */
typedef struct score_bin {
    int64_t count;
    double bias, mae; /* means of the error and of its magnitude; 0 without samples */
} score_bin;

/** Errors, prediction minus truth, of count samples. */
typedef struct error_summary {
    double bias;                    /* mean error */
    double deviation;               /* standard deviation of the errors around it */
    double median, ninety, largest; /* of the magnitudes: 50 %, 90 %, all are at most this */
    histogram errors;               /* symmetric around 0 */
    histogram truth;                /* of the true scores: the bins of by_score */
    score_bin by_score[MAX_BINS];   /* [truth.bins] */
} error_summary;

/** Takes: count at least 1, finite values. Returns 0; 1 without memory. */
int error_summarise(error_summary *s, const double *truth, const float *prediction, int64_t count);

/** Classification. */
typedef struct class_summary {
    int32_t classes;
    int64_t count, right;
    double accuracy, balanced; /* balanced: mean recall of the classes that occur */
    double log_loss;           /* mean of -log(probability of the true class), at least 1e-7 */
    int64_t *confusion; /* [classes,classes]: rows are true classes, columns predicted ones */
    double *precision, *recall, *f1;   /* [classes]; NaN where nothing can be said */
    histogram confidence;              /* of the probability of the predicted class, 0 to 1 */
    int64_t confident_right[MAX_BINS]; /* [confidence.bins]: how many of them were right */
    double confidence_sum[MAX_BINS];   /* [confidence.bins]: sum of their probabilities */
} class_summary;

/** Return the class with the highest probability, the first of equals. */
int32_t best_class(const float *probabilities, int32_t classes);

/** Takes: truth [count], 0 to classes-1; probabilities [count,classes]. Returns 0; 1 without
 *  memory. class_clear() frees the arrays. */
int class_summarise(class_summary *s, const int32_t *truth, const float *probabilities,
                    int64_t count, int32_t classes);
/** Return the number of samples whose true class is class_index, from the confusion matrix. */
int64_t class_samples(const class_summary *s, int32_t class_index);
void class_clear(class_summary *s);

/** Write the numbers 0 to count-1 to order, sorted by ascending key; equal keys by number. Returns
 *  0; 1 without memory. */
int sort_by(int64_t *order, const double *key, int64_t count);

/** Write the smallest and the largest of the true and predicted scores, count at least 1. */
void score_range(const double *truth, const float *prediction, int64_t count, double *low,
                 double *high);

/** Return the value below which `fraction` of the sorted values lie, interpolated. */
double quantile(const double *sorted, int64_t count, double fraction);

/** Encoded bytes of an image, identified by their hash. */
typedef struct fingerprint {
    uint64_t hash;
    int64_t size, sample;
} fingerprint;

/** Sort fingerprints so that equal ones are next to each other, by number of the sample. */
void sort_fingerprints(fingerprint *prints, int64_t count);

uint64_t hash_bytes(const uint8_t *bytes, int64_t size); /**< 64-bit FNV-1a of 8-byte words. */

#endif
