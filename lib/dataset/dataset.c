/* SPDX-License-Identifier: MIT
 * The list of samples: files joined with labels, and their bytes or pixels kept as the caller
 * wants. */
#include "dataset/dataset.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/callbacks.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/show.h"
#include "base/text.h"
#include "dataset/labels.h"
#include "dataset/nearest.h"
#include "dataset/source.h"
#include "io/encoding.h"
#include "io/image.h"
#include "io/members.h"

enum {
    MAX_SIDE = 8192,
    MAX_OUTPUTS = 1000,
    MAX_ENDINGS = 16,
    NAMES_SHOWN = 3,
    PIXELS_NAME_SIZE = 24
};

/* Bytes kept of a sample: published once, never changed, freed with the data set. */
typedef struct kept {
    uint8_t *bytes;
    int64_t size;
} kept;

struct an_dataset {
    atomic_int references;
    an_dataset_options options; /* what its pointers point to is not kept */
    an_image_limits limits;
    ani_pixels kernels;
    ani_source source; /* none for pixels in memory */
    int64_t count;
    double *scores;         /* [count,outputs] */
    double *weights;        /* [count]; NULL = 1 each */
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
    if (!st) st = check_range("height", o->height, 1, MAX_SIDE, err);
    if (!st) st = check_range("width", o->width, 1, MAX_SIDE, err);
    if (!st) st = check_range("cache", o->cache, AN_CACHE_NONE, AN_CACHE_PIXELS, err);
    if (!st) st = check_range("outputs", o->outputs, 1, MAX_OUTPUTS, err);
    if (st) return st;
    if (!o->label_file || !*o->label_file || (o->suffix && !*o->suffix))
        return ani_fail(err, AN_ERR_ARG, "an_dataset_options: %s is empty",
                        o->label_file && *o->label_file ? "suffix" : "label_file");
    if (strchr(o->label_file, '/'))
        return ani_fail(err, AN_ERR_ARG,
                        "an_dataset_options: label_file is '%s'; it must be a name without folders",
                        o->label_file);
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

/* How images and labels have been joined. */
typedef struct joined {
    const ani_labels *labels;
    bool *met;         /* [labels->count]: an image has this label */
    int64_t unmet;     /* labels that no image has */
    int64_t missing;   /* images without label: they lie behind the samples */
    int64_t strays;    /* the last of these, whose endings no image with a label has */
    ani_nearest files; /* the images without label and the files passed over */
} joined;

/* Write "'A.jpg', 'B.jpg', 'C.jpg' and 9 more" into text. */
static void name_images(ani_text *text, const ani_source_file *images, int64_t count) {
    char shown[ANI_SHOWN_NAME_SIZE];
    for (int64_t i = 0; i < count && i < NAMES_SHOWN; i++)
        ani_text_print(text, "%s'%s'", i ? ", " : "", ani_name_show(shown, images[i].name));
    if (count > NAMES_SHOWN)
        ani_text_print(text, " and %lld more", (long long)(count - NAMES_SHOWN));
}

/* Write "'a.JPG' on line 7 (near 'a.jpg': upper and lower case differ)". */
static void describe_label(ani_text *text, const joined *j, int64_t entry, const ani_near *near) {
    char name[ANI_SHOWN_NAME_SIZE], shown[ANI_SHOWN_NAME_SIZE];
    const ani_label *label = &j->labels->entries[entry];
    const char *bytes = j->labels->bytes + label->offset;
    int64_t size = label->size;
    bool is_cut = false;
    while (size >= (int64_t)sizeof name || (is_cut && size > 0 && (*bytes & 0xC0) == 0x80)) {
        bytes++; /* the end tells more than the beginning */
        size--;
        is_cut = true;
    }
    memcpy(name, bytes, (size_t)size);
    name[size] = '\0';
    ani_text_print(text, "%s'%s' on line %lld", is_cut ? "..." : "", ani_name_show(shown, name),
                   (long long)label->line);
    if (near->name)
        ani_text_print(text, " (near '%s': %s)", ani_name_show(shown, near->name), near->why);
}

/* Find the next label from entry on that no image has; count if there is none. */
static int64_t next_unmet(const joined *j, int64_t entry) {
    while (entry < j->labels->count && j->met[entry])
        entry++;
    return entry;
}

static ani_near look_near(const joined *j, int64_t entry, bool same) {
    const ani_label *label = &j->labels->entries[entry];
    const char *name = j->labels->bytes + label->offset;
    return same ? ani_nearest_same(&j->files, name, label->size)
                : ani_nearest_find(&j->files, name, label->size);
}

/* Fail with the first label that means a file which is there, but is not read: written otherwise,
 * or with an ending that nobody has chosen to leave out. */
static an_status refuse_near_misses(const an_dataset *d, const joined *j, an_error *err) {
    const an_dataset_options *o = &d->options;
    an_status st = AN_OK;
    for (int64_t i = next_unmet(j, 0); i < j->labels->count && !st; i = next_unmet(j, i + 1)) {
        const ani_near near = look_near(j, i, true);
        if (!near.name || (!near.is_image && o->suffix)) continue;
        ani_text label = {0};
        describe_label(&label, j, i, &near);
        st = label.failed ? ani_fail_memory(err, label.size, "a message")
                          : ani_fail(err, AN_ERR_FORMAT, "'%s' has a label without image: %s",
                                     o->label_file, label.bytes);
        ani_text_clear(&label);
    }
    return st;
}

/* Tell of labels that no image has. */
static an_status warn_of_unmet(const an_dataset *d, const joined *j, an_error *err) {
    const an_dataset_options *o = &d->options;
    ani_text text = {0};
    ani_text_print(&text, "%lld of %lld labels in '%s' have no image: ", (long long)j->unmet,
                   (long long)j->labels->count, o->label_file);
    for (int64_t i = next_unmet(j, 0), n = 0; n < NAMES_SHOWN && n < j->unmet; n++) {
        const ani_near near = look_near(j, i, false);
        if (n) ani_text_print(&text, ", ");
        describe_label(&text, j, i, &near);
        i = next_unmet(j, i + 1);
    }
    if (j->unmet > NAMES_SHOWN)
        ani_text_print(&text, " and %lld more", (long long)(j->unmet - NAMES_SHOWN));
    const an_status st = text.failed ? ani_fail_memory(err, text.size, "a message")
                                     : ani_warn(o->warn, o->warn_user, AN_WARN_LABEL_WITHOUT_IMAGE,
                                                j->unmet, text.bytes, err);
    ani_text_clear(&text);
    return st;
}

/* True if images without label may be called otherwise: nothing says what their names are in. */
static bool has_guessed_names(const an_dataset *d, const joined *j) {
    for (int64_t i = 0; i < j->missing; i++) {
        const ani_source_file *image = &d->source.images.files[d->count + i];
        const ani_zip_member *member = ani_source_member(&d->source, image->place);
        if (member && member->is_guessed) return true;
    }
    return false;
}

/* Deal with images that have no label. Those whose endings no image with a label has (a drawing
 * beside photographs, say) are passed over with a warning in any case. */
static an_status refuse_unlabelled(an_dataset *d, const joined *j, an_error *err) {
    const an_dataset_options *o = &d->options;
    const int64_t refused = o->policy == AN_POLICY_STRICT ? j->missing - j->strays : 0;
    const int64_t count = refused ? refused : j->missing;
    if (!count) return AN_OK;
    ani_text text = {0};
    ani_text_print(&text, "%lld image%s no label in '%s': ", (long long)count,
                   count == 1 ? " has" : "s have", o->label_file);
    if (has_guessed_names(d, j))
        ani_text_print(&text, "names in the archive are not UTF-8, set names_encoding (GBK, CP932, "
                              "CP1252, ...); as CP437: ");
    name_images(&text, d->source.images.files + d->count, count);
    if (refused && j->unmet) {
        const int64_t first = next_unmet(j, 0);
        const ani_near near = look_near(j, first, false);
        ani_text_print(&text, "; no image: ");
        describe_label(&text, j, first, &near);
    }
    an_status st;
    if (text.failed)
        st = ani_fail_memory(err, text.size, "a message");
    else if (refused)
        st = ani_fail(err, AN_ERR_FORMAT, "%s", text.bytes);
    else
        st = ani_warn(o->warn, o->warn_user, AN_WARN_IMAGE_SKIPPED, count, text.bytes, err);
    if (!st && d->count == 0)
        st = ani_fail(err, AN_ERR_FORMAT, "none of the images has a label in '%s'", o->label_file);
    atomic_fetch_add(&d->skipped, count);
    ani_text_clear(&text);
    return st;
}

/* The ending of a name, with its dot; empty if it has none. */
static const char *ending_of(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot : "";
}

/* The endings of the samples' names, as they are written. */
typedef struct endings {
    const char *known[MAX_ENDINGS];
    int count;
} endings;

static bool is_known(const endings *e, const char *ending) {
    for (int i = 0; i < e->count; i++)
        if (!strcmp(e->known[i], ending)) return true;
    return false;
}

/* Put images without label behind the samples: last those whose endings no sample has. */
static void place_unlabelled(an_dataset *d, joined *j, const ani_source_file *images) {
    ani_source_file *to = d->source.images.files + d->count;
    endings e = {.count = 0};
    for (int64_t i = 0; i < d->count && e.count < MAX_ENDINGS; i++) {
        const char *ending = ending_of(d->source.images.files[i].name);
        if (!is_known(&e, ending)) e.known[e.count++] = ending;
    }
    const bool has_strays = e.count > 0 && e.count < MAX_ENDINGS;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < j->missing; i++) {
            const bool is_stray = has_strays && !is_known(&e, ending_of(images[i].name));
            if (is_stray != (pass == 1)) continue;
            *to++ = images[i];
            j->strays += is_stray;
        }
}

/* Find the entry of an image's label: by its name; else, if that is not some other image's, by the
 * bytes that the archive has for the name, or by the name in the encoding of names in archives: a
 * label file of the same tool has it, too. */
static int64_t find_label(const an_dataset *d, const joined *j, const ani_source_file *image,
                          const ani_encoding *encoding, ani_text *scratch) {
    const int64_t size = (int64_t)strlen(image->name);
    int64_t entry = ani_labels_find(j->labels, image->name, size);
    if (entry >= 0 || ani_is_ascii(image->name)) return entry;
    const ani_zip_member *member = ani_source_member(&d->source, image->place);
    if (member && !ani_is_ascii(member->raw_base)) /* "????.jpg" may stand for several */
        entry = ani_labels_find(j->labels, member->raw_base, (int64_t)strlen(member->raw_base));
    scratch->size = 0;
    if (entry < 0 && ani_encoding_encode(encoding, scratch, image->name, size))
        entry = ani_labels_find(j->labels, scratch->bytes, scratch->size);
    return entry >= 0 && j->met[entry] ? -1 : entry;
}

/* Give each image its label; those without are moved behind the others. */
static an_status give_labels(an_dataset *d, joined *j, an_error *err) {
    const int32_t outputs = d->options.outputs;
    const ani_labels *labels = j->labels;
    ani_source_list *images = &d->source.images;
    const int64_t label_size = outputs * (int64_t)sizeof *d->scores;
    ani_encoding encoding = {0};
    ani_text scratch = {0};
    an_status st = AN_OK;
    d->scores = ani_alloc_zero(images->count, label_size);
    ani_source_file *unlabelled = ani_alloc_zero(images->count, sizeof *unlabelled);
    j->met = ani_alloc_zero(labels->count, sizeof *j->met);
    if (!d->scores || !unlabelled || !j->met) {
        st = ani_fail_memory(err, images->count * label_size, "labels");
        goto done;
    }
    st = ani_encoding_open(&encoding, d->options.archive->names_encoding, err);
    if (st) goto done;
    for (int64_t i = 0; i < images->count; i++) {
        const char *name = images->files[i].name;
        const int64_t entry = ani_labels_find(labels, name, (int64_t)strlen(name));
        if (entry >= 0) j->met[entry] = true;
    }
    for (int64_t i = 0; i < images->count; i++) {
        const ani_source_file image = images->files[i];
        const int64_t entry = find_label(d, j, &image, &encoding, &scratch);
        if (scratch.failed) {
            st = ani_fail_memory(err, scratch.size, "a name");
            goto done;
        }
        if (entry < 0) {
            unlabelled[j->missing++] = image;
            continue;
        }
        memcpy(d->scores + d->count * outputs, labels->values + entry * outputs,
               (size_t)label_size);
        images->files[d->count++] = image;
        j->met[entry] = true;
    }
    for (int64_t i = 0; i < labels->count; i++)
        j->unmet += !j->met[i];
    place_unlabelled(d, j, unlabelled);
done:
    ani_text_clear(&scratch);
    ani_encoding_close(&encoding);
    ani_free(unlabelled);
    return st;
}

static an_status join(an_dataset *d, const ani_labels *labels, an_error *err) {
    joined j = {.labels = labels};
    an_status st = give_labels(d, &j, err);
    if (!st && j.unmet)
        st = ani_nearest_open(&j.files, d->source.images.files + d->count, j.missing,
                              &d->source.others, err);
    if (!st && j.unmet && d->options.policy == AN_POLICY_STRICT && !has_guessed_names(d, &j))
        st = refuse_near_misses(d, &j, err);
    if (!st) st = refuse_unlabelled(d, &j, err);
    if (!st && j.unmet) st = warn_of_unmet(d, &j, err);
    d->labels_without_image = j.unmet;
    ani_nearest_clear(&j.files);
    ani_free(j.met);
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

/* Make a data set without samples; its options point to *archive until add_samples(). */
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

bool ani_dataset_is_held(const an_dataset *dataset) {
    return atomic_load(&dataset->references) > 1;
}

static void forget(an_dataset *d, int64_t index) {
    kept *entry = atomic_load_explicit(&d->cache[index], memory_order_relaxed);
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
    ani_free(dataset->weights);
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
                          : dataset->source.images.files[index].name;
}

double an_dataset_score(const an_dataset *dataset, int64_t index, int32_t output) {
    const int32_t outputs = an_dataset_outputs(dataset);
    if (!is_sample(dataset, index) || output < 0 || output >= outputs) return NAN;
    return dataset->scores[index * outputs + output];
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

static an_status check_weights(const an_dataset *d, const double *weights, an_error *err) {
    bool counts = false;
    for (int64_t i = 0; i < d->count; i++) {
        const double weight = weights[i];
        const bool is_float = weight == 0 || (weight >= FLT_MIN && weight <= FLT_MAX);
        char shown[ANI_SHOWN_NAME_SIZE];
        if (!is_float)
            return ani_fail(err, AN_ERR_ARG,
                            "the weight of sample %lld, '%s', is %g; it must be 0 or between "
                            "1.18e-38 and 3.4e38",
                            (long long)i, ani_name_show(shown, an_dataset_name(d, i)), weight);
        counts = counts || weight > 0;
    }
    if (counts) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "all %lld weights are 0; one at least must be above",
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
                        "a loader holds the data set; set weights before it is made");
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
                               d->source.images.files[index].name, &d->limits, err);
}

/* Read a sample's file, or take it from the cache, and decode it. */
static an_status load(an_dataset *d, int64_t index, uint8_t *rgb, an_error *err) {
    const bool keeps_files = d->options.cache == AN_CACHE_ENCODED;
    const kept *file = keeps_files ? cached(d, index) : NULL;
    if (file) return decode(d, index, file->bytes, file->size, rgb, err);
    uint8_t *bytes = NULL;
    int64_t size;
    an_status st = ani_source_read(&d->source, d->source.images.files[index].place,
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

an_status an_dataset_read_pixels(an_dataset *dataset, int64_t index, uint8_t *rgb, an_error *err) {
    const uint8_t *pixels = NULL;
    if (!dataset || !rgb)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", dataset ? "rgb" : "dataset");
    an_status st = ani_dataset_view(dataset, index, rgb, &pixels, err);
    if (!st && pixels != rgb) memcpy(rgb, pixels, (size_t)image_bytes(dataset));
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
