/* SPDX-License-Identifier: MIT
 * The draws of C-Mixup. */
#include "augment/mixup.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

/* Keeps its streams apart from those of the transforms. */
static const uint32_t own_streams = 0x6d697875u;

/** What an output's labels are multiplied by, for a bandwidth of 1; 0 if they are all the same. */
static double scale_of(const an_dataset *dataset, const int64_t *indices, int64_t count,
                       int32_t output) {
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < count; i++)
        mean += an_dataset_score(dataset, indices[i], output) / (double)count;
    for (int64_t i = 0; i < count; i++) {
        const double from_mean = an_dataset_score(dataset, indices[i], output) - mean;
        squares += from_mean * from_mean / (double)count;
    }
    return squares > 0 ? 1 / sqrt(squares) : 0;
}

an_status ani_mixup_create(ani_mixup *out, const an_loader_options *options,
                           const an_dataset *dataset, const int64_t *indices, int64_t count,
                           an_error *err) {
    *out = (ani_mixup){.alpha = options->mixup,
                       .bandwidth = options->mixup_bandwidth,
                       .seed = options->seed ^ own_streams,
                       .outputs = an_dataset_outputs(dataset),
                       .count = count};
    if (!(out->alpha > 0 && out->bandwidth > 0)) return AN_OK;
    const int64_t size = (count + 1) * out->outputs * (int64_t)sizeof *out->labels;
    out->scale = ani_alloc_zero(out->outputs, sizeof *out->scale);
    out->labels = ani_alloc_zero(count * out->outputs, sizeof *out->labels);
    if (!out->scale || !out->labels) {
        ani_mixup_clear(out);
        return ani_fail_memory(err, size, "labels to mix by");
    }
    int32_t varying = 0;
    for (int32_t k = 0; k < out->outputs; k++) {
        out->scale[k] = scale_of(dataset, indices, count, k);
        varying += out->scale[k] > 0;
    }
    for (int32_t k = 0; k < out->outputs; k++) {
        if (varying) out->scale[k] /= out->bandwidth * sqrt((double)varying);
        for (int64_t i = 0; i < count; i++)
            out->labels[i * out->outputs + k] =
                an_dataset_score(dataset, indices[i], k) * out->scale[k];
    }
    return AN_OK;
}

void ani_mixup_clear(ani_mixup *mixup) {
    ani_free(mixup->scale);
    ani_free(mixup->labels);
    mixup->scale = mixup->labels = NULL;
}

/** A number with the distribution Gamma(shape). Source: Marsaglia and Tsang, 2000. */
static double draw_gamma(ani_stream *stream, double shape) {
    const double boost = shape < 1 ? 1 : 0; /* Gamma(a) is Gamma(a + 1) * u^(1/a) */
    const double d = shape + boost - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = ani_stream_normal(stream), v = pow(1 + c * x, 3);
        const double u = 1 - ani_stream_double(stream); /* above 0 */
        if (!(v > 0) || !(log(u) < x * x / 2 + d - d * v + d * log(v))) continue;
        return boost > 0 ? d * v * pow(1 - ani_stream_double(stream), 1 / shape) : d * v;
    }
}

/** Beta(alpha, alpha). */
static double draw_share(ani_stream *stream, double alpha) {
    const double a = draw_gamma(stream, alpha), b = draw_gamma(stream, alpha);
    return a + b > 0 ? a / (a + b) : 0.5; /* a tiny alpha: both are rounded to 0 */
}

/** The chance of the sample at a place, for one with the given labels, up to a factor. */
static double chance(const ani_mixup *mixup, const an_dataset *dataset, int64_t sample,
                     int64_t place) {
    double squares = 0;
    for (int32_t k = 0; k < mixup->outputs; k++) {
        const double d = an_dataset_score(dataset, sample, k) * mixup->scale[k] -
                         mixup->labels[place * mixup->outputs + k];
        squares += d * d;
    }
    return exp(-squares / 2);
}

void ani_mixup_draw(const ani_mixup *mixup, const an_dataset *dataset, int64_t epoch,
                    int64_t sample, double *share, int64_t *other) {
    ani_stream stream = ani_stream_begin(mixup->seed, epoch, sample);
    *share = draw_share(&stream, mixup->alpha);
    const double u = ani_stream_double(&stream);
    *other = (int64_t)(u * (double)mixup->count);
    if (!mixup->labels) return;
    double all = 0;
    for (int64_t i = 0; i < mixup->count; i++)
        all += chance(mixup, dataset, sample, i);
    double left = u * all;
    for (*other = 0; *other + 1 < mixup->count; ++*other) {
        left -= chance(mixup, dataset, sample, *other);
        if (left < 0) return;
    }
}
