/* SPDX-License-Identifier: MIT
 * The list of samples: files joined with labels, and their bytes or pixels kept as the caller
 * wants. */
#include "dataset/dataset.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/callbacks.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/text.h"
#include "dataset/labels.h"
#include "dataset/source.h"
#include "io/image.h"
#include "io/members.h"

enum { MAX_SIDE = 8192, MAX_OUTPUTS = 1000, NAMES_SHOWN = 3, PIXELS_NAME_SIZE = 24 };

/* Bytes kept of a sample: published once, never changed, freed with the data set. */
typedef struct kept {
    uint8_t *bytes;
    int64_t size;
} kept;

struct an_dataset {
    atomic_int references;
    an_dataset_options options; /* what its pointers show is not kept */
    an_image_limits limits;
    ani_pixels kernels;
    ani_source source; /* none for pixels in memory */
    int64_t count;
    double *scores;         /* [count,outputs] */
    _Atomic(kept *) *cache; /* [count]; NULL without a cache */
    atomic_bool *damaged;   /* [count]: left out by policy skip */
    atomic_llong skipped;
    int64_t labels_without_image;
    uint8_t *pixels; /* [count,height,width,3] of an_dataset_from_pixels(), else NULL */
    char *names;     /* [count][PIXELS_NAME_SIZE], likewise */
};

/* --- options --------------------------------------------------------------------------------- */

void an_dataset_options_init(an_dataset_options *options, uint32_t struct_size) {
    const an_dataset_options defaults = {.struct_size = sizeof defaults,
                                         .policy = AN_POLICY_STRICT,
                                         .height = 350,
                                         .width = 350,
                                         .cache = AN_CACHE_ENCODED,
                                         .outputs = 1,
                                         .label_file = "All_labels.txt",
                                         .suffix = ".jpg"};
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
    if (!st) st = check_range("height", o->height, 1, MAX_SIDE, err);
    if (!st) st = check_range("width", o->width, 1, MAX_SIDE, err);
    if (!st) st = check_range("cache", o->cache, AN_CACHE_NONE, AN_CACHE_PIXELS, err);
    if (!st) st = check_range("outputs", o->outputs, 1, MAX_OUTPUTS, err);
    if (st) return st;
    if (!o->label_file || !*o->label_file || !o->suffix || !*o->suffix)
        return ani_fail(err, AN_ERR_ARG, "an_dataset_options: %s is empty",
                        o->label_file && *o->label_file ? "suffix" : "label_file");
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

/* --- joining images and labels --------------------------------------------------------------- */

/* Write "'A.jpg', 'B.jpg', 'C.jpg' and 9 more" into text. */
static void name_images(ani_text *text, const ani_source_image *images, int64_t count) {
    char shown[ANI_SHOWN_NAME_SIZE];
    for (int64_t i = 0; i < count && i < NAMES_SHOWN; i++)
        ani_text_print(text, "%s'%s'", i ? ", " : "", ani_name_show(shown, images[i].name));
    if (count > NAMES_SHOWN)
        ani_text_print(text, " and %lld more", (long long)(count - NAMES_SHOWN));
}

/* Deal with images that have no label: the images behind d->count, moved there by join(). */
static an_status refuse_unlabelled(an_dataset *d, int64_t count, an_error *err) {
    const an_dataset_options *o = &d->options;
    if (!count) return AN_OK;
    ani_text names = {0};
    name_images(&names, d->source.images + d->count, count);
    an_error why;
    an_status st = AN_OK;
    if (names.failed)
        st = ani_fail_memory(err, names.size, "a message");
    else
        ani_fail(&why, AN_ERR_FORMAT, "%lld image%s no label in '%s': %s", (long long)count,
                 count == 1 ? " has" : "s have", o->label_file, names.bytes);
    if (!st && o->policy == AN_POLICY_STRICT) st = ani_fail(err, why.status, "%s", why.message);
    if (!st) st = ani_warn(o->warn, o->warn_user, AN_WARN_IMAGE_SKIPPED, count, why.message, err);
    if (!st && d->count == 0)
        st = ani_fail(err, AN_ERR_FORMAT, "none of the images has a label in '%s'", o->label_file);
    atomic_fetch_add(&d->skipped, count);
    ani_text_clear(&names);
    return st;
}

static an_status join(an_dataset *d, const ani_labels *labels, an_error *err) {
    const an_dataset_options *o = &d->options;
    ani_source *source = &d->source;
    ani_source_image *unlabelled = NULL;
    int64_t missing = 0;
    an_status st = AN_OK;
    const int64_t label_size = o->outputs * (int64_t)sizeof *d->scores;
    d->scores = ani_alloc_zero(source->count, label_size);
    unlabelled = ani_alloc(source->count * (int64_t)sizeof *unlabelled);
    if (!d->scores || !unlabelled) {
        st = ani_fail_memory(err, source->count * label_size, "labels");
        goto done;
    }
    for (int64_t i = 0; i < source->count; i++) {
        const ani_source_image image = source->images[i];
        const int64_t entry = ani_labels_find(labels, image.name, (int64_t)strlen(image.name));
        if (entry < 0) {
            unlabelled[missing++] = image;
            continue;
        }
        memcpy(d->scores + d->count * o->outputs, labels->values + entry * o->outputs,
               (size_t)label_size);
        source->images[d->count++] = image;
    }
    memcpy(source->images + d->count, unlabelled, (size_t)missing * sizeof *unlabelled);
    st = refuse_unlabelled(d, missing, err);
    if (st) goto done;
    d->labels_without_image = labels->count - d->count;
    if (d->labels_without_image) {
        char message[256];
        snprintf(message, sizeof message, "%lld of %lld labels in '%s' have no image",
                 (long long)d->labels_without_image, (long long)labels->count, o->label_file);
        st = ani_warn(o->warn, o->warn_user, AN_WARN_LABEL_WITHOUT_IMAGE, d->labels_without_image,
                      message, err);
    }
done:
    ani_free(unlabelled);
    return st;
}

static an_status read_labels(an_dataset *d, an_error *err) {
    const an_dataset_options *o = &d->options;
    uint8_t *bytes = NULL;
    int64_t size;
    ani_labels labels = {0};
    an_status st =
        ani_source_read(&d->source, d->source.label, ANI_LABELS_MAX_BYTES, &bytes, &size, err);
    if (st) goto done;
    st = ani_labels_read(&labels, o->label_file, bytes, size, o->outputs, o->policy, err);
    if (st) goto done;
    atomic_fetch_add(&d->skipped, labels.skipped);
    if (labels.skipped) {
        st = ani_warn(o->warn, o->warn_user, AN_WARN_LABEL_SKIPPED, labels.skipped,
                      labels.first_skipped.message, err);
        if (st) goto done;
    }
    st = join(d, &labels, err);
done:
    ani_labels_clear(&labels);
    ani_free(bytes);
    return st;
}

/* --- opening --------------------------------------------------------------------------------- */

/* Make a data set without samples; its options show *archive until add_samples(). */
static an_status create(an_dataset **out, an_extract_options *archive,
                        const an_dataset_options *options, an_error *err) {
    an_dataset_options checked;
    an_image_limits limits;
    *out = NULL;
    an_status st = read_options(&checked, &limits, archive, options, err);
    if (st) return st;
    an_dataset *d = ani_alloc_zero(1, sizeof *d);
    if (!d) return ani_fail_memory(err, sizeof *d, "a data set");
    atomic_init(&d->references, 1);
    atomic_init(&d->skipped, 0);
    d->options = checked;
    ani_pixels_init(&d->kernels, ani_cpu_mask(NULL));
    d->limits = limits;
    d->options.limits = NULL;
    *out = d;
    return AN_OK;
}

/* What each sample needs, once their number is known. */
static an_status add_samples(an_dataset *d, int32_t cache, an_error *err) {
    d->damaged = ani_alloc_zero(d->count, sizeof *d->damaged);
    if (cache != AN_CACHE_NONE) d->cache = ani_alloc_zero(d->count, sizeof *d->cache);
    if (!d->damaged || (cache != AN_CACHE_NONE && !d->cache))
        return ani_fail_memory(err, d->count * (int64_t)sizeof *d->cache, "a data set");
    d->options.label_file = NULL; /* the caller's texts end here */
    d->options.suffix = NULL;
    d->options.archive = NULL;
    return AN_OK;
}

an_status an_dataset_open(an_dataset **out, const char *path, const an_dataset_options *options,
                          an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_dataset *d = NULL;
    an_extract_options archive;
    if (!path) return ani_fail(err, AN_ERR_ARG, "path is NULL");
    an_status st = create(&d, &archive, options, err);
    if (st) goto done;
    st = ani_source_open(&d->source, path, &d->options, err);
    if (st) goto done;
    atomic_fetch_add(&d->skipped, d->source.skipped);
    st = read_labels(d, err);
    if (st) goto done;
    st = add_samples(d, d->options.cache, err);
    if (st) goto done;
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}

an_status an_dataset_from_pixels(an_dataset **out, const uint8_t *rgb, const float *scores,
                                 int64_t count, const an_dataset_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_dataset *d = NULL;
    an_extract_options archive;
    int64_t size, labels;
    if (!rgb || !scores) return ani_fail(err, AN_ERR_ARG, "%s is NULL", rgb ? "scores" : "rgb");
    if (count < 1)
        return ani_fail(err, AN_ERR_ARG, "count is %lld; it must be at least 1", (long long)count);
    if (!options)
        return ani_fail(err, AN_ERR_ARG,
                        "options is NULL; they must say the height and the width of rgb");
    an_status st = create(&d, &archive, options, err);
    if (st) goto done;
    d->count = count;
    if (!ani_mul_size(count, image_bytes(d), &size)) size = -1;
    if (!ani_mul_size(count, d->options.outputs, &labels)) labels = -1;
    d->pixels = ani_alloc(size);
    d->scores = ani_alloc_zero(labels, sizeof *d->scores);
    d->names = ani_alloc_zero(count, PIXELS_NAME_SIZE);
    if (!d->pixels || !d->scores || !d->names) {
        st = ani_fail_memory(err, size, "pixels");
        goto done;
    }
    memcpy(d->pixels, rgb, (size_t)size);
    for (int64_t i = 0; i < labels; i++) {
        if (!isfinite(scores[i])) {
            st = ani_fail(err, AN_ERR_ARG, "label %lld of sample %lld is not finite",
                          (long long)(i % d->options.outputs), (long long)(i / d->options.outputs));
            goto done;
        }
        d->scores[i] = (double)scores[i];
    }
    for (int64_t i = 0; i < count; i++)
        snprintf(d->names + i * PIXELS_NAME_SIZE, PIXELS_NAME_SIZE, "%08lld", (long long)i);
    st = add_samples(d, AN_CACHE_NONE, err);
    if (st) goto done;
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}

void ani_dataset_hold(an_dataset *dataset) {
    atomic_fetch_add_explicit(&dataset->references, 1, memory_order_relaxed);
}

void an_dataset_destroy(an_dataset *dataset) {
    if (!dataset) return;
    if (atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) > 1) return;
    for (int64_t i = 0; dataset->cache && i < dataset->count; i++) {
        kept *entry = atomic_load_explicit(&dataset->cache[i], memory_order_relaxed);
        if (entry) ani_free(entry->bytes);
        ani_free(entry);
    }
    ani_free(dataset->cache);
    ani_free(dataset->damaged);
    ani_free(dataset->scores);
    ani_free(dataset->pixels);
    ani_free(dataset->names);
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
    if (!is_sample(dataset, index)) return NULL;
    return dataset->names ? dataset->names + index * PIXELS_NAME_SIZE
                          : dataset->source.images[index].name;
}

double an_dataset_score(const an_dataset *dataset, int64_t index, int32_t output) {
    const int32_t outputs = an_dataset_outputs(dataset);
    if (!is_sample(dataset, index) || output < 0 || output >= outputs) return NAN;
    return dataset->scores[index * outputs + output];
}

int64_t an_dataset_labels_without_image(const an_dataset *dataset) {
    return dataset ? dataset->labels_without_image : 0;
}

int64_t an_dataset_skipped(const an_dataset *dataset) {
    return dataset ? atomic_load(&dataset->skipped) : 0;
}

/* --- pixels ---------------------------------------------------------------------------------- */

static const kept *cached(const an_dataset *d, int64_t index) {
    return d->cache ? atomic_load_explicit(&d->cache[index], memory_order_acquire) : NULL;
}

/* Keep bytes for a sample and return what is kept now: of two threads that come with the same bytes
 * the first wins, the other's are freed. bytes are taken over in any case. */
static an_status keep(an_dataset *d, int64_t index, uint8_t *bytes, int64_t size, const kept **out,
                      an_error *err) {
    kept *entry = ani_alloc(sizeof *entry);
    if (!entry) {
        ani_free(bytes);
        return ani_fail_memory(err, sizeof *entry, "a cached image");
    }
    *entry = (kept){bytes, size};
    kept *there = NULL;
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
                               d->source.images[index].name, &d->limits, err);
}

/* Read a sample's file, or take it from the cache, and decode it. */
static an_status load(an_dataset *d, int64_t index, uint8_t *rgb, an_error *err) {
    const bool keeps_files = d->options.cache == AN_CACHE_ENCODED;
    const kept *file = keeps_files ? cached(d, index) : NULL;
    if (file) return decode(d, index, file->bytes, file->size, rgb, err);
    uint8_t *bytes = NULL;
    int64_t size;
    an_status st = ani_source_read(&d->source, d->source.images[index].place,
                                   d->source.max_file_bytes, &bytes, &size, err);
    if (st) return st;
    if (keeps_files) {
        st = keep(d, index, bytes, size, &file, err);
        return st ? st : decode(d, index, file->bytes, file->size, rgb, err);
    }
    st = decode(d, index, bytes, size, rgb, err);
    ani_free(bytes);
    return st;
}

static an_status check_index(const an_dataset *d, int64_t index, an_error *err) {
    if (is_sample(d, index)) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "index is %lld; the data set has %lld samples",
                    (long long)index, (long long)d->count);
}

an_status ani_dataset_view(an_dataset *dataset, int64_t index, uint8_t *scratch,
                           const uint8_t **rgb, an_error *err) {
    an_status st = check_index(dataset, index, err);
    if (st) return st;
    if (dataset->pixels) {
        *rgb = dataset->pixels + index * image_bytes(dataset);
        return AN_OK;
    }
    if (dataset->options.cache != AN_CACHE_PIXELS) {
        *rgb = scratch;
        return load(dataset, index, scratch, err);
    }
    const kept *entry = cached(dataset, index);
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

an_status an_dataset_pixels(an_dataset *dataset, int64_t index, uint8_t *rgb, an_error *err) {
    const uint8_t *pixels = NULL;
    if (!dataset || !rgb)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", dataset ? "rgb" : "dataset");
    an_status st = ani_dataset_view(dataset, index, rgb, &pixels, err);
    if (!st && pixels != rgb) memcpy(rgb, pixels, (size_t)image_bytes(dataset));
    return st;
}

/* --- damaged images -------------------------------------------------------------------------- */

bool ani_dataset_may_skip(const an_dataset *dataset, an_status status) {
    return dataset->options.policy == AN_POLICY_SKIP &&
           (status == AN_ERR_FORMAT || status == AN_ERR_UNSUPPORTED);
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
