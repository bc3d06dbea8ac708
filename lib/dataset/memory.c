/* SPDX-License-Identifier: MIT
 * Data sets from the caller's arrays: paths, encoded images, or pixels. */
#include <attractivenet/dataset.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/show.h"
#include "base/size.h"
#include "dataset/dataset.h"
#include "dataset/handle.h"

enum { NUMBER_SIZE = 24 };
static const int64_t max_stride = INT64_C(1) << 48; /* bytes */

/* --- labels ---------------------------------------------------------------------------------- */

static an_status copy_classes(an_dataset *d, const double *scores, an_error *err) {
    const int32_t classes = d->classes.count;
    int64_t size;
    if (!ani_mul_size(d->count, sizeof *d->class_of, &size)) size = -1;
    d->class_of = ani_alloc(size);
    if (!d->class_of) return ani_fail_memory(err, size, "labels");
    for (int64_t i = 0; i < d->count; i++) {
        const double index = scores[i];
        if (!(index >= 0 && index < classes && index == floor(index)))
            return ani_fail(err, AN_ERR_ARG,
                            "the class of sample %lld is %g; it must be a whole number, 0 to %d",
                            (long long)i, index, (int)classes - 1);
        d->class_of[i] = (int32_t)index;
    }
    return AN_OK;
}

static an_status copy_scores(an_dataset *d, const double *scores, an_error *err) {
    const int32_t outputs = d->options.outputs;
    int64_t size;
    if (!ani_mul_size(d->count, outputs, &size)) size = -1;
    d->scores = ani_alloc_zero(size, sizeof *d->scores);
    if (!d->scores) return ani_fail_memory(err, size, "labels");
    for (int64_t i = 0; i < size; i++) {
        const long long sample = i / outputs, output = i % outputs;
        if (!isfinite(scores[i]))
            return ani_fail(err, AN_ERR_ARG, "label %lld of sample %lld is not finite", output,
                            sample);
        if (fabs(scores[i]) > FLT_MAX)
            return ani_fail(err, AN_ERR_ARG,
                            "label %lld of sample %lld is %g; it may have up to 3.4e38", output,
                            sample, scores[i]);
        d->scores[i] = scores[i];
    }
    return AN_OK;
}

/* Begin a data set of count samples with their labels; the options are complete. */
static an_status begin(an_dataset **out, const double *scores, int64_t count,
                       const an_dataset_options *options, an_error *err) {
    an_dataset *d = NULL;
    an_extract_options archive;
    if (!scores) return ani_fail(err, AN_ERR_ARG, "scores is NULL");
    if (count < 1)
        return ani_fail(err, AN_ERR_ARG, "count is %lld; it must be at least 1", (long long)count);
    an_status st = ani_dataset_create(&d, &archive, options, err);
    if (st) goto done;
    d->count = count;
    d->source.max_file_bytes = archive.max_member_bytes;
    const an_dataset_options *o = &d->options;
    if (o->labels == AN_LABELS_FOLDERS || o->name_column || o->score_columns || o->weight_column)
        st = ani_fail(err, AN_ERR_ARG, "an_dataset_options: %s is set; labels are an argument here",
                      o->labels == AN_LABELS_FOLDERS ? "AN_LABELS_FOLDERS"
                      : o->name_column               ? "name_column"
                      : o->score_columns             ? "score_columns"
                                                     : "weight_column");
    else if (o->labels != AN_LABELS_NUMBERS && !d->classes.count)
        st = ani_fail(err, AN_ERR_ARG,
                      "an_dataset_options: classes is NULL; labels are indices of classes here");
    else
        st = d->classes.count ? copy_classes(d, scores, err) : copy_scores(d, scores, err);
    if (st) goto done;
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}

/* --- names ----------------------------------------------------------------------------------- */

/* Give each sample its name; what stands for "names" in messages. NULL: its number. */
static an_status name_samples(an_dataset *d, const char *what, const char *const *names,
                              an_error *err) {
    ani_source *source = &d->source;
    char number[NUMBER_SIZE];
    source->images.files = ani_alloc_zero(d->count, sizeof *source->images.files);
    if (!source->images.files) return ani_fail_memory(err, d->count * 16, "a list of samples");
    source->images.count = source->images.capacity = d->count;
    for (int64_t i = 0; i < d->count; i++) {
        const char *name = number;
        if (names)
            name = names[i];
        else
            snprintf(number, sizeof number, "%08lld", (long long)i);
        if (!name || !*name)
            return ani_fail(err, AN_ERR_ARG, "%s[%lld] is %s", what, (long long)i,
                            name ? "empty" : "NULL");
        source->images.files[i].place = source->paths.size;
        ani_text_add(&source->paths, name, (int64_t)strlen(name) + 1);
    }
    if (source->paths.failed) return ani_fail_memory(err, source->paths.size, "names");
    for (int64_t i = 0; i < d->count; i++)
        source->images.files[i].name = source->paths.bytes + source->images.files[i].place;
    return AN_OK;
}

/* The place of a sample is its number, since it is not read from a file. */
static void number_places(an_dataset *d) {
    for (int64_t i = 0; i < d->count; i++)
        d->source.images.files[i].place = i;
}

static int compare_names(const void *a, const void *b, void *files) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    const ani_source_file *f = files;
    const int order = strcmp(f[x].name, f[y].name);
    return order ? order : (x > y) - (x < y);
}

static bool has_same_label(const an_dataset *d, int64_t a, int64_t b) {
    for (int32_t k = 0; k < d->options.outputs; k++)
        if (an_dataset_score(d, a, k) != an_dataset_score(d, b, k)) return false;
    return true;
}

static bool has_same_bytes(const ani_memory_files *files, int64_t a, int64_t b) {
    if (!files->bytes) return true;
    const int64_t begin = a ? files->ends[a - 1] : 0, other = b ? files->ends[b - 1] : 0;
    const int64_t size = files->ends[a] - begin;
    return files->ends[b] - other == size &&
           !memcmp(files->bytes + begin, files->bytes + other, (size_t)size);
}

/* A name may occur again, but then it means the same sample. */
static an_status refuse_conflicts(const an_dataset *d, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    an_status st = AN_OK;
    int64_t *order = ani_alloc_zero(d->count, sizeof *order);
    if (!order) return ani_fail_memory(err, d->count * (int64_t)sizeof *order, "names");
    for (int64_t i = 0; i < d->count; i++)
        order[i] = i;
    qsort_r(order, (size_t)d->count, sizeof *order, compare_names, d->source.images.files);
    for (int64_t i = 1; i < d->count && !st; i++) {
        const int64_t a = order[i - 1], b = order[i];
        const char *name = an_dataset_name(d, a);
        if (strcmp(name, an_dataset_name(d, b)) != 0) continue;
        const bool same_label = has_same_label(d, a, b);
        if (same_label && has_same_bytes(&d->files, a, b)) continue;
        st = ani_fail(err, AN_ERR_ARG, "samples %lld and %lld are both '%s' and have different %s",
                      (long long)a, (long long)b, ani_name_show(shown, name),
                      same_label ? "bytes" : "labels");
    }
    ani_free(order);
    return st;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Open each file once, so that a missing one is noticed immediately. */
static an_status open_files(const an_dataset *d, an_error *err) {
    for (int64_t i = 0; i < d->count; i++) {
        ani_file *file = NULL;
        an_error why;
        an_status st = ani_file_open(&file, an_dataset_name(d, i), &why);
        ani_file_close(file);
        if (st) return ani_fail(err, st, "sample %lld: %s", (long long)i, why.message);
    }
    return AN_OK;
}

an_status an_dataset_from_files(an_dataset **out, const char *const *paths, const double *scores,
                                int64_t count, const an_dataset_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_dataset *d = NULL;
    if (!paths) return ani_fail(err, AN_ERR_ARG, "paths is NULL");
    an_status st = begin(&d, scores, count, options, err);
    if (st) goto done;
    st = name_samples(d, "paths", paths, err);
    if (st) goto done;
    st = ani_dataset_add_samples(d, d->options.cache, err);
    if (st) goto done;
    st = refuse_conflicts(d, err);
    if (st) goto done;
    st = open_files(d, err);
    if (st) goto done;
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}

/* --- encoded images -------------------------------------------------------------------------- */

static an_status copy_files(an_dataset *d, const void *const *images, const int64_t *sizes,
                            an_error *err) {
    ani_memory_files *files = &d->files;
    int64_t size = 0;
    files->ends = ani_alloc_zero(d->count, sizeof *files->ends);
    if (!files->ends) return ani_fail_memory(err, d->count * 8, "a list of images");
    for (int64_t i = 0; i < d->count; i++) {
        if (!images[i]) return ani_fail(err, AN_ERR_ARG, "images[%lld] is NULL", (long long)i);
        if (sizes[i] < 1)
            return ani_fail(err, AN_ERR_ARG, "sizes[%lld] is %lld; it must be at least 1",
                            (long long)i, (long long)sizes[i]);
        if (!ani_add_size(size, sizes[i], &size)) return ani_fail_memory(err, -1, "images");
        files->ends[i] = size;
    }
    files->bytes = ani_alloc(size);
    if (!files->bytes) return ani_fail_memory(err, size, "images");
    for (int64_t i = 0; i < d->count; i++)
        memcpy(files->bytes + files->ends[i] - sizes[i], images[i], (size_t)sizes[i]);
    return AN_OK;
}

an_status an_dataset_from_bytes(an_dataset **out, const void *const *images, const int64_t *sizes,
                                const char *const *names, const double *scores, int64_t count,
                                const an_dataset_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_dataset *d = NULL;
    if (!images || !sizes)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", images ? "sizes" : "images");
    an_status st = begin(&d, scores, count, options, err);
    if (st) goto done;
    st = name_samples(d, "names", names, err);
    if (st) goto done;
    number_places(d);
    st = copy_files(d, images, sizes, err);
    if (st) goto done;
    st = ani_dataset_add_samples(
        d, d->options.cache == AN_CACHE_PIXELS ? AN_CACHE_PIXELS : AN_CACHE_NONE, err);
    if (st) goto done;
    st = refuse_conflicts(d, err);
    if (st) goto done;
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}

/* --- pixels ---------------------------------------------------------------------------------- */

static an_status check_range(const char *what, int32_t value, int32_t most, an_error *err) {
    if (value >= 1 && value <= most) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "%s is %d; it must be 1 to %d", what, (int)value, (int)most);
}

/* Begin a data set of pixels; the pixels are set later. */
static an_status begin_pixels(an_dataset **out, const uint8_t *rgb, int64_t count, int32_t height,
                              int32_t width, const double *scores, int32_t outputs,
                              const an_dataset_options *options, an_error *err) {
    an_dataset_options ours;
    if (!rgb) return ani_fail(err, AN_ERR_ARG, "rgb is NULL");
    an_status st = check_range("height", height, ANI_DATASET_MAX_SIDE, err);
    if (!st) st = check_range("width", width, ANI_DATASET_MAX_SIDE, err);
    if (!st) st = check_range("outputs", outputs, ANI_DATASET_MAX_OUTPUTS, err);
    if (st) return st;
    an_dataset_options_init(&ours, sizeof ours);
    st = ani_options_copy(&ours, sizeof ours, options, "an_dataset_options", err);
    if (st) return st;
    ours.height = height;
    ours.width = width;
    ours.outputs = outputs;
    st = begin(out, scores, count, &ours, err);
    if (st) return st;
    st = name_samples(*out, "names", NULL, err);
    if (st) return st;
    number_places(*out);
    return ani_dataset_add_samples(*out, AN_CACHE_NONE, err);
}

an_status an_dataset_from_pixels(an_dataset **out, const uint8_t *rgb, int64_t count,
                                 int32_t height, int32_t width, const double *scores,
                                 int32_t outputs, const an_dataset_options *options,
                                 an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_dataset *d = NULL;
    int64_t size;
    an_status st = begin_pixels(&d, rgb, count, height, width, scores, outputs, options, err);
    if (st) goto done;
    const int64_t row = (int64_t)width * 3, image = row * height;
    if (!ani_mul_size(count, image, &size)) size = -1;
    d->pixels.copy = ani_alloc(size);
    if (!d->pixels.copy) {
        st = ani_fail_memory(err, size, "pixels");
        goto done;
    }
    memcpy(d->pixels.copy, rgb, (size_t)size);
    d->pixels.rgb = d->pixels.copy;
    d->pixels.image_stride = image;
    d->pixels.row_stride = row;
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}

/* Check a caller's stride, 0 for the default, against a range within which no sum overflows. */
static an_status read_stride(const char *what, int64_t given, int64_t usual, int64_t least,
                             int64_t most, int64_t *stride, an_error *err) {
    *stride = given ? given : usual;
    if (*stride >= least && *stride <= most) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "%s is %lld; it must be 0 or %lld to %lld", what,
                    (long long)given, (long long)least, (long long)most);
}

an_status an_dataset_borrow_pixels(an_dataset **out, const uint8_t *rgb, int64_t count,
                                   int32_t height, int32_t width, int64_t image_stride,
                                   int64_t row_stride, const double *scores, int32_t outputs,
                                   an_release_fn release, void *release_user,
                                   const an_dataset_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_dataset *d = NULL;
    ani_memory_pixels pixels = {.rgb = rgb, .release = release, .release_user = release_user};
    int64_t all;
    an_status st = begin_pixels(&d, rgb, count, height, width, scores, outputs, options, err);
    if (st) goto done;
    const int64_t row = (int64_t)width * 3;
    st = read_stride("row_stride", row_stride, row, row, max_stride / height, &pixels.row_stride,
                     err);
    if (st) goto done;
    st = read_stride("image_stride", image_stride, height * pixels.row_stride,
                     (height - 1) * pixels.row_stride + row, max_stride, &pixels.image_stride, err);
    if (st) goto done;
    if (!ani_mul_size(count, pixels.image_stride, &all)) {
        st = ani_fail(err, AN_ERR_ARG,
                      "%lld images with strides of %lld and %lld bytes are more than memory holds",
                      (long long)count, (long long)image_stride, (long long)row_stride);
        goto done;
    }
    d->pixels = pixels; /* only now: a call that fails releases nothing */
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}
