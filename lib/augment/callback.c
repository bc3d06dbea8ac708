/* SPDX-License-Identifier: MIT
 * Samples that a caller's callback fills in. */
#include "augment/callback.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/text.h"

enum { MAX_SIDE = 8192, MAX_OUTPUTS = 1000, MAX_IDENTITY = 200 };

/* So that no sum of an augmentation overflows. */
static const float largest = 1e30f;

/* --- the source ------------------------------------------------------------------------------ */

void an_fill_batch_init(an_fill_batch *batch, uint32_t struct_size) {
    ani_report_init(batch, struct_size);
}

void an_loader_source_init(an_loader_source *source, uint32_t struct_size) {
    const an_loader_source defaults = {.struct_size = sizeof defaults, .outputs = 1};
    ani_options_init(source, struct_size, &defaults, sizeof defaults);
}

static an_status check_range(const char *field, int64_t value, int64_t low, int64_t high,
                             an_error *err) {
    if (value >= low && value <= high) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_loader_source: %s is %lld; it must be %lld to %lld", field,
                    (long long)value, (long long)low, (long long)high);
}

static an_status check_identity(const char *identity, an_error *err) {
    if (!identity) return AN_OK;
    const size_t length = strnlen(identity, MAX_IDENTITY + 1);
    if (length < 1 || length > MAX_IDENTITY)
        return ani_fail(err, AN_ERR_ARG,
                        "an_loader_source: identity has %s bytes; it must have 1 to %d, or be NULL",
                        length ? "more" : "0", MAX_IDENTITY);
    if (ani_is_utf8(identity, (int64_t)length)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_loader_source: identity is '%s'; it must be UTF-8",
                    identity);
}

static an_status check(const an_loader_source *s, an_error *err) {
    an_status st = check_range("height", s->height, 1, MAX_SIDE, err);
    if (!st) st = check_range("width", s->width, 1, MAX_SIDE, err);
    if (!st) st = check_range("outputs", s->outputs, 1, MAX_OUTPUTS, err);
    if (!st) st = check_range("count", s->count, 1, INT64_MAX, err);
    if (!st) st = check_range("varies", s->varies, 0, 1, err);
    if (!st) st = check_range("weighted", s->weighted, 0, 1, err);
    if (!st) st = check_range("any_range", s->any_range, 0, 1, err);
    if (!st) st = check_range("reserved", s->reserved, 0, 0, err);
    if (!st && !s->fill) st = ani_fail(err, AN_ERR_ARG, "an_loader_source: fill is NULL");
    return st ? st : check_identity(s->identity, err);
}

an_status ani_callback_take(ani_callback *out, const an_loader_source *source,
                            const ani_scaling *scaling, an_error *err) {
    *out = (ani_callback){0};
    an_loader_source_init(&out->source, sizeof out->source);
    an_status st =
        ani_options_copy(&out->source, sizeof out->source, source, "an_loader_source", err);
    if (!st) st = check(&out->source, err);
    if (st) return st;
    out->low = out->source.any_range ? -largest : scaling->low;
    out->high = out->source.any_range ? largest : scaling->high;
    out->beyond = out->source.any_range ? 0 : (out->high - out->low) * 1e-5f;
    if (out->source.identity) {
        out->identity = ani_strdup(out->source.identity);
        if (!out->identity) return ani_fail_memory(err, MAX_IDENTITY, "the name of samples");
    }
    out->source.identity = out->identity;
    return AN_OK;
}

void ani_callback_clear(ani_callback *callback) {
    ani_free(callback->identity);
    *callback = (ani_callback){0};
}

/* --- the call -------------------------------------------------------------------------------- */

/* All-ones bytes are a NaN: values that the callback forgets to write are detected. */
static void make_nan(float *x, int64_t count) {
    memset(x, 0xff, (size_t)count * sizeof *x);
}

static int64_t image_of(const an_loader_source *source) {
    return (int64_t)source->height * source->width * 3;
}

an_status ani_callback_fill(const ani_callback *callback, const an_fill_batch *batch,
                            an_error *err) {
    const an_loader_source *source = &callback->source;
    make_nan(batch->x, batch->n * image_of(source));
    make_nan(batch->y, batch->n * source->outputs);
    if (batch->weights) make_nan(batch->weights, batch->n);
    if (source->fill(source->user, batch))
        return ani_fail(err, AN_ERR_CANCELLED, "the fill callback asked to stop");
    return AN_OK;
}

/* --- what it gave ---------------------------------------------------------------------------- */

/* Return the index of the first value out of range; count if there is none. NaN is out of range. */
static int64_t find_outside(const float *x, int64_t count, float low, float high) {
    enum { BLOCK = 256 };
    int64_t i = 0;
    for (; i + BLOCK <= count; i += BLOCK) { /* branch-free */
        int outside = 0;
        for (int64_t j = i; j < i + BLOCK; j++)
            outside |= !(x[j] >= low && x[j] <= high);
        if (outside) break;
    }
    while (i < count && x[i] >= low && x[i] <= high)
        i++;
    return i;
}

an_status ani_callback_check(const ani_callback *callback, const an_fill_batch *batch, int64_t k,
                             an_error *err) {
    const an_loader_source *source = &callback->source;
    const int64_t sample = batch->samples[k], image = image_of(source), width = source->width;
    const float *x = batch->x + k * image, *y = batch->y + k * source->outputs;
    const int64_t i =
        find_outside(x, image, callback->low - callback->beyond, callback->high + callback->beyond);
    if (i < image)
        return ani_fail(
            err, AN_ERR_ARG, "sample %lld: x[%lld,%lld,%lld] is %g; it must be %g to %g%s",
            (long long)sample, (long long)(i / 3 / width), (long long)(i / 3 % width),
            (long long)(i % 3), (double)x[i], (double)callback->low, (double)callback->high,
            source->any_range || !isfinite(x[i])
                ? ""
                : ", the range of the loader's scale, unless any_range is 1");
    for (int32_t j = 0; j < source->outputs; j++)
        if (!isfinite(y[j]))
            return ani_fail(err, AN_ERR_ARG, "sample %lld: y[%d] is %g; it must be finite",
                            (long long)sample, (int)j, (double)y[j]);
    if (batch->weights && !(batch->weights[k] >= 0 && isfinite(batch->weights[k])))
        return ani_fail(err, AN_ERR_ARG,
                        "sample %lld: its weight is %g; it must be finite and at least 0",
                        (long long)sample, (double)batch->weights[k]);
    return AN_OK;
}
