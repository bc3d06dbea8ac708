/* SPDX-License-Identifier: MIT
 * The list of samples: files matched with labels, and their bytes or pixels kept as the caller
 * wants. */
#include "dataset/dataset.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/callbacks.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/show.h"
#include "base/text.h"
#include "dataset/handle.h"
#include "io/bytes.h"
#include "io/image.h"

/* --- options --------------------------------------------------------------------------------- */

void an_dataset_options_init(an_dataset_options *options, uint32_t struct_size) {
    const an_dataset_options defaults = {.struct_size = sizeof defaults,
                                         .policy = AN_POLICY_STRICT,
                                         .height = 350,
                                         .width = 350,
                                         .cache = AN_CACHE_ENCODED,
                                         .outputs = 1,
                                         .label_file = "All_labels.txt"};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status check_range(const char *field, int32_t value, int32_t low, int32_t high,
                             an_error *err) {
    if (value >= low && value <= high) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "an_dataset_options: %s is %d; it must be %d to %d", field,
                    (int)value, (int)low, (int)high);
}

static an_status read_options(an_dataset_options *o, an_image_limits *limits,
                              an_extract_options *archive, const an_dataset_options *options,
                              an_error *err) {
    an_dataset_options_init(o, sizeof *o);
    an_image_limits_init(limits, sizeof *limits);
    an_extract_options_init(archive, sizeof *archive);
    an_status st = ani_options_copy(o, sizeof *o, options, "an_dataset_options", err);
    if (!st) st = ani_options_copy(limits, sizeof *limits, o->limits, "an_image_limits", err);
    if (!st) st = ani_options_copy(archive, sizeof *archive, o->archive, "an_extract_options", err);
    if (!st) st = check_range("policy", o->policy, AN_POLICY_STRICT, AN_POLICY_SKIP, err);
    if (!st) st = check_range("height", o->height, 1, ANI_DATASET_MAX_SIDE, err);
    if (!st) st = check_range("width", o->width, 1, ANI_DATASET_MAX_SIDE, err);
    if (!st) st = check_range("cache", o->cache, AN_CACHE_NONE, AN_CACHE_PIXELS, err);
    if (!st) st = check_range("outputs", o->outputs, 1, ANI_DATASET_MAX_OUTPUTS, err);
    if (st) return st;
    if (!o->label_file || !*o->label_file || (o->suffix && !*o->suffix))
        return ani_fail(err, AN_ERR_ARG, "an_dataset_options: %s is empty",
                        o->label_file && *o->label_file ? "suffix" : "label_file");
    if (strchr(o->label_file, '/'))
        return ani_fail(err, AN_ERR_ARG,
                        "an_dataset_options: label_file is '%s'; it must be a name without folders",
                        o->label_file);
    if (o->labels < AN_LABELS_NUMBERS || o->labels > AN_LABELS_FOLDERS)
        return ani_fail(err, AN_ERR_ARG,
                        "an_dataset_options: labels is %d; it must be one of AN_LABELS_* (0 to 2)",
                        (int)o->labels);
    if (o->labels == AN_LABELS_NUMBERS && (o->classes || o->class_count))
        return ani_fail(err, AN_ERR_ARG,
                        "an_dataset_options: %s is set, and labels is AN_LABELS_NUMBERS",
                        o->classes ? "classes" : "class_count");
    if (archive->max_member_bytes < 1)
        return ani_fail(err, AN_ERR_ARG,
                        "an_dataset_options: archive.max_member_bytes is %lld; it must be above 0",
                        (long long)archive->max_member_bytes);
    o->limits = limits;
    o->archive = archive;
    return AN_OK;
}

static int64_t image_bytes(const an_dataset *d) {
    return (int64_t)d->options.height * d->options.width * 3;
}

/* --- making ---------------------------------------------------------------------------------- */

an_status ani_dataset_create(an_dataset **out, an_extract_options *archive,
                             const an_dataset_options *options, an_error *err) {
    an_dataset_options checked;
    an_image_limits limits;
    ani_classes classes = {0};
    an_dataset *d = NULL;
    *out = NULL;
    an_status st = read_options(&checked, &limits, archive, options, err);
    if (st) goto done;
    if (checked.classes || checked.class_count) {
        st = ani_classes_fix(&classes, checked.classes, checked.class_count, err);
        if (st) goto done;
    }
    d = ani_alloc_zero(1, sizeof *d);
    if (!d) {
        st = ani_fail_memory(err, sizeof *d, "a data set");
        goto done;
    }
    atomic_init(&d->references, 1);
    atomic_init(&d->skipped, 0);
    d->options = checked;
    ani_pixels_init(&d->kernels, ani_cpu_mask(NULL));
    d->limits = limits;
    d->options.limits = NULL;
    d->classes = classes;
    classes = (ani_classes){0};
    *out = d;
done:
    ani_classes_clear(&classes);
    return st;
}

an_status ani_dataset_add_samples(an_dataset *dataset, int32_t cache, an_error *err) {
    an_dataset *d = dataset;
    if (d->classes.count && d->options.outputs != 1 && d->options.outputs != d->classes.count)
        return ani_fail(err, AN_ERR_ARG, "outputs is %d; there are %d classes",
                        (int)d->options.outputs, (int)d->classes.count);
    if (d->classes.count) d->options.outputs = d->classes.count;
    d->damaged = ani_alloc_zero(d->count, sizeof *d->damaged);
    if (cache != AN_CACHE_NONE) d->cache = ani_alloc_zero(d->count, sizeof *d->cache);
    if (!d->damaged || (cache != AN_CACHE_NONE && !d->cache))
        return ani_fail_memory(err, d->count * (int64_t)sizeof *d->cache, "a data set");
    d->options.label_file = NULL; /* the caller's texts are not used after this */
    d->options.suffix = NULL;
    d->options.archive = NULL;
    d->options.classes = NULL;
    d->options.name_column = NULL;
    d->options.score_columns = NULL;
    d->options.weight_column = NULL;
    return AN_OK;
}

void ani_dataset_hold(an_dataset *dataset) {
    atomic_fetch_add_explicit(&dataset->references, 1, memory_order_relaxed);
}

bool ani_dataset_is_held(const an_dataset *dataset) {
    return atomic_load(&dataset->references) > 1;
}

static void forget(an_dataset *d, int64_t index) {
    ani_kept *entry = atomic_load_explicit(&d->cache[index], memory_order_relaxed);
    if (entry) ani_free(entry->bytes);
    ani_free(entry);
}

void an_dataset_destroy(an_dataset *dataset) {
    if (!dataset) return;
    if (atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) > 1) return;
    for (int64_t i = 0; dataset->cache && i < dataset->count; i++)
        forget(dataset, i);
    ani_free(dataset->cache);
    ani_free(dataset->damaged);
    ani_free(dataset->scores);
    ani_free(dataset->class_of);
    ani_classes_clear(&dataset->classes);
    ani_free(dataset->weights);
    ani_free(dataset->files.bytes);
    ani_free(dataset->files.ends);
    ani_free(dataset->pixels.copy);
    if (dataset->pixels.release) dataset->pixels.release(dataset->pixels.release_user);
    ani_source_close(&dataset->source);
    ani_free(dataset);
}

/* --- getters --------------------------------------------------------------------------------- */

int64_t an_dataset_count(const an_dataset *dataset) {
    return dataset ? dataset->count : 0;
}

int32_t an_dataset_height(const an_dataset *dataset) {
    return dataset ? dataset->options.height : 0;
}

int32_t an_dataset_width(const an_dataset *dataset) {
    return dataset ? dataset->options.width : 0;
}

int32_t an_dataset_outputs(const an_dataset *dataset) {
    return dataset ? dataset->options.outputs : 0;
}

static bool is_sample(const an_dataset *dataset, int64_t index) {
    return dataset && index >= 0 && index < dataset->count;
}

const char *an_dataset_name(const an_dataset *dataset, int64_t index) {
    return is_sample(dataset, index) ? dataset->source.images.files[index].name : NULL;
}

double an_dataset_score(const an_dataset *dataset, int64_t index, int32_t output) {
    const int32_t outputs = an_dataset_outputs(dataset);
    if (!is_sample(dataset, index) || output < 0 || output >= outputs) return NAN;
    if (dataset->class_of) return dataset->class_of[index] == output;
    return dataset->scores[index * outputs + output];
}

an_status an_dataset_copy_scores(const an_dataset *dataset, double *scores, an_error *err) {
    if (!dataset || !scores)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", dataset ? "scores" : "dataset");
    const int32_t outputs = dataset->options.outputs;
    for (int64_t i = 0; i < dataset->count; i++)
        for (int32_t k = 0; k < outputs; k++)
            scores[i * outputs + k] = an_dataset_score(dataset, i, k);
    return AN_OK;
}

int32_t an_dataset_class_count(const an_dataset *dataset) {
    return dataset ? dataset->classes.count : 0;
}

const char *an_dataset_class_name(const an_dataset *dataset, int32_t class_index) {
    if (class_index < 0 || class_index >= an_dataset_class_count(dataset)) return NULL;
    return ani_classes_name(&dataset->classes, class_index);
}

int32_t an_dataset_class(const an_dataset *dataset, int64_t index) {
    return is_sample(dataset, index) && dataset->class_of ? dataset->class_of[index] : -1;
}

double an_dataset_weight(const an_dataset *dataset, int64_t index) {
    if (!is_sample(dataset, index)) return NAN;
    return dataset->weights ? dataset->weights[index] : 1.0;
}

int32_t an_dataset_has_weights(const an_dataset *dataset) {
    return dataset && dataset->weights;
}

int64_t an_dataset_labels_without_image(const an_dataset *dataset) {
    return dataset ? dataset->labels_without_image : 0;
}

int64_t an_dataset_skipped(const an_dataset *dataset) {
    return dataset ? atomic_load(&dataset->skipped) : 0;
}

/* --- weights --------------------------------------------------------------------------------- */

bool ani_weight_is_valid(double weight) {
    return weight == 0 || (weight >= FLT_MIN && weight <= FLT_MAX);
}

static an_status check_weights(const an_dataset *d, const double *weights, an_error *err) {
    bool counts = false;
    for (int64_t i = 0; i < d->count; i++) {
        const double weight = weights[i];
        char shown[ANI_SHOWN_NAME_SIZE];
        if (!ani_weight_is_valid(weight))
            return ani_fail(err, AN_ERR_ARG,
                            "the weight of sample %lld, '%s', is %g; it must be 0 or between "
                            "1.18e-38 and 3.4e38",
                            (long long)i, ani_name_show(shown, an_dataset_name(d, i)), weight);
        counts = counts || weight > 0;
    }
    if (counts) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "all %lld weights are 0; at least one must be above 0",
                    (long long)d->count);
}

an_status an_dataset_set_weights(an_dataset *dataset, const double *weights, int64_t count,
                                 an_error *err) {
    if (!dataset) return ani_fail(err, AN_ERR_ARG, "dataset is NULL");
    const int64_t expected = weights ? dataset->count : 0;
    if (count != expected)
        return ani_fail(err, AN_ERR_ARG, "count is %lld; with weights %s it must be %lld",
                        (long long)count, weights ? "of this data set" : "NULL",
                        (long long)expected);
    if (ani_dataset_is_held(dataset))
        return ani_fail(err, AN_ERR_ARG,
                        "a loader holds the data set; set weights before making loaders");
    double *copy = NULL;
    if (weights) {
        an_status st = check_weights(dataset, weights, err);
        if (st) return st;
        const int64_t size = count * (int64_t)sizeof *copy;
        copy = ani_alloc(size);
        if (!copy) return ani_fail_memory(err, size, "weights");
        memcpy(copy, weights, (size_t)size);
    }
    ani_free(dataset->weights);
    dataset->weights = copy;
    return AN_OK;
}

/* --- pixels ---------------------------------------------------------------------------------- */

static const ani_kept *cached(const an_dataset *d, int64_t index) {
    return d->cache ? atomic_load_explicit(&d->cache[index], memory_order_acquire) : NULL;
}

/* Cache bytes for a sample and return the cached ones: if two threads bring the same bytes, the
 * first wins and the other's are freed. Ownership of bytes is always taken. */
static an_status keep(an_dataset *d, int64_t index, uint8_t *bytes, int64_t size,
                      const ani_kept **out, an_error *err) {
    ani_kept *entry = ani_alloc(sizeof *entry);
    if (!entry) {
        ani_free(bytes);
        return ani_fail_memory(err, sizeof *entry, "a cached image");
    }
    *entry = (ani_kept){bytes, size};
    ani_kept *there = NULL;
    if (atomic_compare_exchange_strong_explicit(&d->cache[index], &there, entry,
                                                memory_order_acq_rel, memory_order_acquire)) {
        *out = entry;
        return AN_OK;
    }
    ani_free(bytes);
    ani_free(entry);
    *out = there;
    return AN_OK;
}

static an_status decode(const an_dataset *d, int64_t index, const uint8_t *bytes, int64_t size,
                        uint8_t *rgb, an_error *err) {
    return ani_image_decode_to(rgb, d->options.height, d->options.width, &d->kernels, bytes, size,
                               d->source.images.files[index].name, &d->limits, err);
}

/* Read a sample's file, or take it from the cache. *owned: bytes that the caller must free; NULL:
 * none. */
static an_status fetch(an_dataset *d, int64_t index, const uint8_t **bytes, int64_t *size,
                       uint8_t **owned, an_error *err) {
    const int64_t place = d->source.images.files[index].place;
    *owned = NULL;
    if (d->files.bytes) {
        const int64_t begin = place ? d->files.ends[place - 1] : 0;
        *bytes = d->files.bytes + begin;
        *size = d->files.ends[place] - begin;
        return AN_OK;
    }
    const bool keeps_files = d->options.cache == AN_CACHE_ENCODED;
    const ani_kept *file = keeps_files ? cached(d, index) : NULL;
    uint8_t *read = NULL;
    an_status st = AN_OK;
    if (!file) {
        st = ani_source_read(&d->source, place, d->source.max_file_bytes, &read, size, err);
        if (!st && keeps_files) st = keep(d, index, read, *size, &file, err);
        if (st) return st;
    }
    *bytes = file ? file->bytes : read;
    if (file) *size = file->size;
    if (!file) *owned = read;
    return AN_OK;
}

static an_status load(an_dataset *d, int64_t index, uint8_t *rgb, an_error *err) {
    const uint8_t *bytes;
    uint8_t *owned;
    int64_t size;
    an_status st = fetch(d, index, &bytes, &size, &owned, err);
    if (st) return st;
    st = decode(d, index, bytes, size, rgb, err);
    ani_free(owned);
    return st;
}

static an_status check_index(const an_dataset *d, int64_t index, an_error *err) {
    if (is_sample(d, index)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "index is %lld; the data set has %lld samples",
                    (long long)index, (long long)d->count);
}

/* The pixels of a sample in memory: in place, or copied to scratch if there are gaps between the
 * rows. */
static const uint8_t *view_pixels(const an_dataset *d, int64_t index, uint8_t *scratch) {
    const int64_t row = (int64_t)d->options.width * 3, height = d->options.height;
    const uint8_t *rgb =
        d->pixels.rgb + d->source.images.files[index].place * d->pixels.image_stride;
    if (d->pixels.row_stride == row) return rgb;
    for (int64_t i = 0; i < height; i++)
        memcpy(scratch + i * row, rgb + i * d->pixels.row_stride, (size_t)row);
    return scratch;
}

an_status ani_dataset_view(an_dataset *dataset, int64_t index, uint8_t *scratch,
                           const uint8_t **rgb, an_error *err) {
    an_status st = check_index(dataset, index, err);
    if (st) return st;
    if (dataset->pixels.rgb) {
        *rgb = view_pixels(dataset, index, scratch);
        return AN_OK;
    }
    if (dataset->options.cache != AN_CACHE_PIXELS) {
        *rgb = scratch;
        return load(dataset, index, scratch, err);
    }
    const ani_kept *entry = cached(dataset, index);
    if (!entry) {
        uint8_t *pixels = ani_alloc(image_bytes(dataset));
        if (!pixels) return ani_fail_memory(err, image_bytes(dataset), "a cached image");
        st = load(dataset, index, pixels, err);
        if (st) {
            ani_free(pixels);
            return st;
        }
        st = keep(dataset, index, pixels, image_bytes(dataset), &entry, err);
        if (st) return st;
    }
    *rgb = entry->bytes;
    return AN_OK;
}

an_status an_dataset_read_pixels(an_dataset *dataset, int64_t index, uint8_t *rgb, an_error *err) {
    const uint8_t *pixels = NULL;
    if (!dataset || !rgb)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", dataset ? "rgb" : "dataset");
    an_status st = ani_dataset_view(dataset, index, rgb, &pixels, err);
    if (!st && pixels != rgb) memcpy(rgb, pixels, (size_t)image_bytes(dataset));
    return st;
}

an_status an_dataset_read_bytes(an_bytes **out, an_dataset *dataset, int64_t index, an_error *err) {
    const uint8_t *bytes;
    uint8_t *owned, *copy;
    int64_t size;
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!dataset) return ani_fail(err, AN_ERR_ARG, "dataset is NULL");
    an_status st = check_index(dataset, index, err);
    if (st) return st;
    if (dataset->pixels.rgb)
        return ani_fail(err, AN_ERR_ARG, "the data set has pixels; its images are not encoded");
    st = fetch(dataset, index, &bytes, &size, &owned, err);
    if (st) return st;
    st = ani_bytes_create(out, size, &copy, "an encoded image", err);
    if (!st) memcpy(copy, bytes, (size_t)size);
    ani_free(owned);
    return st;
}

/* --- damaged images -------------------------------------------------------------------------- */

bool ani_status_is_damage(an_status status) {
    return status == AN_ERR_FORMAT || status == AN_ERR_UNSUPPORTED;
}

bool ani_dataset_may_skip(const an_dataset *dataset, an_status status) {
    return dataset->options.policy == AN_POLICY_SKIP && ani_status_is_damage(status);
}

an_status ani_dataset_tell_damaged(an_dataset *dataset, int64_t index, const char *message,
                                   an_error *err) {
    if (dataset->options.policy == AN_POLICY_SKIP)
        return ani_dataset_skip(dataset, index, message, err);
    return ani_warn(dataset->options.warn, dataset->options.warn_user, AN_WARN_IMAGE_DAMAGED, 1,
                    message, err);
}

void ani_dataset_remove(an_dataset *dataset, const bool *gone) {
    an_dataset *d = dataset;
    const int32_t outputs = d->options.outputs;
    int64_t to = 0;
    for (int64_t i = 0; i < d->count; i++) {
        if (gone[i]) {
            if (d->cache) forget(d, i);
            continue;
        }
        d->source.images.files[to] = d->source.images.files[i];
        if (d->class_of)
            d->class_of[to] = d->class_of[i];
        else
            memmove(d->scores + to * outputs, d->scores + i * outputs,
                    (size_t)outputs * sizeof *d->scores);
        if (d->weights) d->weights[to] = d->weights[i];
        if (d->cache) atomic_store(&d->cache[to], atomic_load(&d->cache[i]));
        atomic_store(&d->damaged[to], atomic_load(&d->damaged[i]));
        to++;
    }
    d->count = to;
}

an_status ani_dataset_skip(an_dataset *dataset, int64_t index, const char *message, an_error *err) {
    if (atomic_exchange(&dataset->damaged[index], true)) return AN_OK;
    atomic_fetch_add(&dataset->skipped, 1);
    return ani_warn(dataset->options.warn, dataset->options.warn_user, AN_WARN_IMAGE_SKIPPED, 1,
                    message, err);
}

bool ani_dataset_is_skipped(const an_dataset *dataset, int64_t index) {
    return atomic_load_explicit(&dataset->damaged[index], memory_order_relaxed);
}
