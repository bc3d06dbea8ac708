/* SPDX-License-Identifier: MIT
 * Histograms, summaries of errors and of classes, orders. */
#include "report/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- histograms ------------------------------------------------------------------------------- */

/* The smallest of 1, 2, 2.5, 5 times a power of ten that is at least x. */
static double round_step(double x) {
    static const double steps[] = {1, 2, 2.5, 5, 10};
    const double power = pow(10, floor(log10(x)));
    for (int i = 0; i < 5; i++)
        if (steps[i] * power >= x * (1 - 1e-9)) return steps[i] * power;
    return 10 * power;
}

void histogram_begin(histogram *h, double low, double high, int32_t wanted) {
    *h = (histogram){0};
    const double least = 1e-9 * fmax(1, fmax(fabs(low), fabs(high)));
    h->width = high > low ? round_step(fmax((high - low) / wanted, least)) : 1;
    h->low = floor(low / h->width + 1e-9) * h->width;
    /* A value on the last edge is in the last bin. */
    h->bins = (int32_t)fmax(1, ceil((high - h->low) / h->width - 1e-9));
    if (h->bins > MAX_BINS) h->bins = MAX_BINS; /* not reached: at most wanted + 1 */
}

int32_t histogram_bin(const histogram *h, double value) {
    const double place = floor((value - h->low) / h->width + 1e-9);
    return place < 0 ? 0 : place >= h->bins ? h->bins - 1 : (int32_t)place;
}

void histogram_add(histogram *h, double value) {
    const int64_t count = ++h->counts[histogram_bin(h, value)];
    if (count > h->largest) h->largest = count;
}

/* --- orders ----------------------------------------------------------------------------------- */

typedef struct keyed {
    double key;
    int64_t number;
} keyed;

static int compare_keys(const void *a, const void *b) {
    const keyed *left = a, *right = b;
    if (left->key != right->key) return left->key < right->key ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

int sort_by(int64_t *order, const double *key, int64_t count) {
    keyed *all = malloc((size_t)count * sizeof *all + 1);
    if (!all) return 1;
    for (int64_t i = 0; i < count; i++)
        all[i] = (keyed){key[i], i};
    qsort(all, (size_t)count, sizeof *all, compare_keys);
    for (int64_t i = 0; i < count; i++)
        order[i] = all[i].number;
    free(all);
    return 0;
}

static int compare_doubles(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

double quantile(const double *sorted, int64_t count, double fraction) {
    const double place = fraction * (double)(count - 1);
    const int64_t below = (int64_t)place;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

static int compare_prints(const void *a, const void *b) {
    const fingerprint *left = a, *right = b;
    if (left->hash != right->hash) return left->hash < right->hash ? -1 : 1;
    if (left->size != right->size) return left->size < right->size ? -1 : 1;
    return left->sample < right->sample ? -1 : left->sample > right->sample;
}

void sort_fingerprints(fingerprint *prints, int64_t count) {
    qsort(prints, (size_t)count, sizeof *prints, compare_prints);
}

uint64_t hash_bytes(const uint8_t *bytes, int64_t size) {
    uint64_t hash = 0xcbf29ce484222325u, word;
    int64_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, bytes + i, sizeof word);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 29; /* high bits of a word reach the low ones, too */
    }
    for (; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* --- errors of scores ------------------------------------------------------------------------- */

void score_range(const double *truth, const float *prediction, int64_t count, double *low,
                 double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        *low = fmin(*low, fmin(truth[i], (double)prediction[i]));
        *high = fmax(*high, fmax(truth[i], (double)prediction[i]));
    }
}

static void summarise_by_score(error_summary *s, const double *truth, const float *prediction,
                               int64_t count) {
    double low = truth[0], high = truth[0];
    for (int64_t i = 1; i < count; i++) {
        low = fmin(low, truth[i]);
        high = fmax(high, truth[i]);
    }
    histogram_begin(&s->truth, low, high, 10);
    for (int64_t i = 0; i < count; i++) {
        const double error = (double)prediction[i] - truth[i];
        score_bin *bin = &s->by_score[histogram_bin(&s->truth, truth[i])];
        histogram_add(&s->truth, truth[i]);
        bin->count++;
        bin->bias += error;
        bin->mae += fabs(error);
    }
    for (int32_t i = 0; i < s->truth.bins; i++) {
        score_bin *bin = &s->by_score[i];
        if (!bin->count) continue;
        bin->bias /= (double)bin->count;
        bin->mae /= (double)bin->count;
    }
}

int error_summarise(error_summary *s, const double *truth, const float *prediction, int64_t count) {
    *s = (error_summary){0};
    double *sizes = malloc((size_t)count * sizeof *sizes);
    if (!sizes) return 1;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        const double error = (double)prediction[i] - truth[i];
        sum += error;
        sizes[i] = fabs(error);
    }
    s->bias = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        const double from_mean = (double)prediction[i] - truth[i] - s->bias;
        squares += from_mean * from_mean;
    }
    s->deviation = sqrt(squares / (double)count);
    qsort(sizes, (size_t)count, sizeof *sizes, compare_doubles);
    s->median = quantile(sizes, count, 0.5);
    s->ninety = quantile(sizes, count, 0.9);
    s->largest = sizes[count - 1];
    histogram_begin(&s->errors, -s->largest, s->largest, MAX_BINS / 2);
    for (int64_t i = 0; i < count; i++)
        histogram_add(&s->errors, (double)prediction[i] - truth[i]);
    summarise_by_score(s, truth, prediction, count);
    free(sizes);
    return 0;
}

/* --- classes ---------------------------------------------------------------------------------- */

int32_t best_class(const float *probabilities, int32_t classes) {
    int32_t best = 0;
    for (int32_t i = 1; i < classes; i++)
        if (probabilities[i] > probabilities[best]) best = i;
    return best;
}

int64_t class_samples(const class_summary *s, int32_t class_index) {
    int64_t count = 0;
    for (int32_t i = 0; i < s->classes; i++)
        count += s->confusion[class_index * s->classes + i];
    return count;
}

static void summarise_classes(class_summary *s) {
    double recalls = 0;
    int32_t occurring = 0;
    for (int32_t k = 0; k < s->classes; k++) {
        const int64_t true_ones = class_samples(s, k);
        int64_t predicted = 0;
        for (int32_t i = 0; i < s->classes; i++)
            predicted += s->confusion[i * s->classes + k];
        const double right = (double)s->confusion[k * s->classes + k];
        s->right += s->confusion[k * s->classes + k];
        s->precision[k] = predicted ? right / (double)predicted : NAN;
        s->recall[k] = true_ones ? right / (double)true_ones : NAN;
        s->f1[k] = true_ones + predicted ? 2 * right / (double)(true_ones + predicted) : NAN;
        if (!true_ones) continue;
        recalls += s->recall[k];
        occurring++;
    }
    s->accuracy = (double)s->right / (double)s->count;
    s->balanced = recalls / occurring;
}

int class_summarise(class_summary *s, const int32_t *truth, const float *probabilities,
                    int64_t count, int32_t classes) {
    const size_t all = (size_t)classes;
    *s = (class_summary){.classes = classes, .count = count};
    s->confusion = calloc(all * all, sizeof *s->confusion);
    s->precision = calloc(3 * all, sizeof *s->precision);
    if (!s->confusion || !s->precision) {
        class_clear(s);
        return 1;
    }
    s->recall = s->precision + classes;
    s->f1 = s->recall + classes;
    histogram_begin(&s->confidence, 0, 1, 10);
    for (int64_t i = 0; i < count; i++) {
        const float *p = probabilities + i * classes;
        const int32_t best = best_class(p, classes);
        const int32_t bin = histogram_bin(&s->confidence, (double)p[best]);
        s->confusion[(int64_t)truth[i] * classes + best]++;
        s->log_loss -= log(fmax((double)p[truth[i]], 1e-7)) / (double)count;
        histogram_add(&s->confidence, (double)p[best]);
        s->confident_right[bin] += best == truth[i];
        s->confidence_sum[bin] += (double)p[best];
    }
    summarise_classes(s);
    return 0;
}

void class_clear(class_summary *s) {
    free(s->confusion);
    free(s->precision);
    *s = (class_summary){0};
}
