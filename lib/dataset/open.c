/* SPDX-License-Identifier: MIT
 * Data sets from a folder or an archive: images matched with their labels. */
#include <attractivenet/dataset.h>

#include <string.h>

#include "base/callbacks.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/show.h"
#include "base/text.h"
#include "dataset/csv.h"
#include "dataset/dataset.h"
#include "dataset/handle.h"
#include "dataset/labels.h"
#include "dataset/nearest.h"
#include "dataset/source.h"
#include "io/encoding.h"

enum { MAX_ENDINGS = 16, NAMES_SHOWN = 3, PATH_SHOWN = 80 /* bytes */ };

/* --- joining images and labels --------------------------------------------------------------- */

/* How images and labels have been matched. */
typedef struct joined {
    const ani_labels *labels;
    bool *met;         /* [labels->count]: an image has this label */
    int64_t unmet;     /* labels that no image has */
    int64_t missing;   /* images without a label: they follow the samples */
    int64_t strays;    /* the last of these, with extensions that no labelled image has */
    ani_nearest files; /* the images without a label and the skipped files */
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
    const char *bytes = j->labels->bytes + label->offset - label->folders;
    int64_t size = (int64_t)label->folders + label->size;
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

/* Find the next label, from entry on, that no image has; count if there is none. */
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

/* Fail with the first label that means an existing file that is not read: spelled differently, or
 * skipped because of an extension that was not deliberately left out. */
static an_status refuse_near_misses(const an_dataset *d, const joined *j, an_error *err) {
    const an_dataset_options *o = &d->options;
    an_status st = AN_OK;
    for (int64_t i = next_unmet(j, 0); i < j->labels->count && !st; i = next_unmet(j, i + 1)) {
        const ani_near near = look_near(j, i, true);
        if (!near.name || (!near.is_image && o->suffix)) continue;
        ani_text label = {0};
        describe_label(&label, j, i, &near);
        st = label.failed ? ani_fail_memory(err, label.size, "a message")
                          : ani_fail(err, AN_ERR_FORMAT, "'%s' has a label without an image: %s",
                                     o->label_file, label.bytes);
        ani_text_clear(&label);
    }
    return st;
}

/* Report labels that no image has. */
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

/* True if images without a label may really have other names, since the encoding of their names is
 * not stated. */
static bool has_guessed_names(const an_dataset *d, const joined *j) {
    for (int64_t i = 0; i < j->missing; i++) {
        const ani_source_file *image = &d->source.images.files[d->count + i];
        const ani_zip_member *member = ani_source_member(&d->source, image->place);
        if (member && member->is_guessed) return true;
    }
    return false;
}

/* Deal with images without a label. Those whose extensions no labelled image has (a drawing among
 * photographs, say) are always skipped with a warning. */
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

/* The extension of a name, with its dot; empty if it has none. */
static const char *ending_of(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot : "";
}

/* The extensions of the samples' names, as written. */
typedef struct endings {
    const char *known[MAX_ENDINGS];
    int count;
} endings;

static bool is_known(const endings *e, const char *ending) {
    for (int i = 0; i < e->count; i++)
        if (!strcmp(e->known[i], ending)) return true;
    return false;
}

/* Put images without a label after the samples: last those whose extensions no sample has. */
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

/* Find the entry of an image's label: by its name; otherwise, unless that is another image's, by
 * the bytes that the archive has for the name, or by the name in the encoding of archive names,
 * which a label file made by the same tool may use, too. */
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

/* True if a path in a label is that of an image, as far as both state it. */
static bool is_end_of_path(const char *label, int64_t size, const char *path) {
    int64_t left = (int64_t)strlen(path);
    while (size >= 2 && label[0] == '.' && (label[1] == '/' || label[1] == '\\')) {
        label += 2;
        size -= 2;
    }
    while (size > 0 && left > 0) {
        const char c = label[size - 1] == '\\' ? '/' : label[size - 1];
        if (c != path[left - 1]) return false;
        size--;
        left--;
    }
    if (size > 0) return label[size - 1] == '/' || label[size - 1] == '\\';
    return left == 0 || path[left - 1] == '/';
}

/* Fail if a label has a path other than the image's. */
static an_status check_path(const an_dataset *d, const joined *j, int64_t entry,
                            const ani_source_file *image, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    const ani_label *label = &j->labels->entries[entry];
    if (!label->folders) return AN_OK;
    const char *path = j->labels->bytes + label->offset - label->folders;
    const int64_t size = (int64_t)label->folders + label->size;
    const ani_zip_member *member = ani_source_member(&d->source, image->place);
    const char *found = ani_source_path(&d->source, image->place);
    if (is_end_of_path(path, size, found) || (member && is_end_of_path(path, size, member->raw)))
        return AN_OK;
    return ani_fail(
        err, AN_ERR_FORMAT,
        "'%s', line %lld: the image '%.*s' is not there; that of its name is '%s'",
        d->options.label_file, (long long)label->line, size > PATH_SHOWN ? PATH_SHOWN : (int)size,
        size > PATH_SHOWN ? path + size - PATH_SHOWN : path, ani_name_show(shown, found));
}

/* Give each image its label; images without one are moved to the end. */
static an_status give_labels(an_dataset *d, joined *j, an_error *err) {
    const int32_t outputs = d->options.outputs;
    const ani_labels *labels = j->labels;
    ani_source_list *images = &d->source.images;
    const int64_t label_size =
        labels->items ? (int64_t)sizeof *d->class_of : outputs * (int64_t)sizeof *d->scores;
    ani_encoding encoding = {0};
    ani_text scratch = {0};
    an_status st = AN_OK;
    if (labels->items)
        d->class_of = ani_alloc_zero(images->count, label_size);
    else
        d->scores = ani_alloc_zero(images->count, label_size);
    if (labels->weights) d->weights = ani_alloc_zero(images->count, sizeof *d->weights);
    ani_source_file *unlabelled = ani_alloc_zero(images->count, sizeof *unlabelled);
    j->met = ani_alloc_zero(labels->count, sizeof *j->met);
    if (!(d->scores || d->class_of) || (labels->weights && !d->weights) || !unlabelled || !j->met) {
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
        int64_t entry = find_label(d, j, &image, &encoding, &scratch);
        if (scratch.failed) {
            st = ani_fail_memory(err, scratch.size, "a name");
            goto done;
        }
        if (entry >= 0) st = check_path(d, j, entry, &image, err);
        if (st && d->options.policy == AN_POLICY_STRICT) goto done;
        if (st) {
            j->met[entry] = false; /* the label is another image's */
            entry = -1;
        }
        st = AN_OK;
        if (entry < 0) {
            unlabelled[j->missing++] = image;
            continue;
        }
        if (labels->items)
            d->class_of[d->count] = labels->items[entry];
        else
            memcpy(d->scores + d->count * outputs, labels->values + entry * outputs,
                   (size_t)label_size);
        if (d->weights) d->weights[d->count] = labels->weights[entry];
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

/* Give the classes their places, now that all labels are known. */
static an_status settle_classes(an_dataset *d, const char *where, an_error *err) {
    an_error why;
    const int64_t size = d->classes.count * (int64_t)sizeof(int32_t);
    int32_t *places = ani_alloc(size);
    if (!places) return ani_fail_memory(err, size, "classes");
    an_status st = ani_classes_settle(&d->classes, places, &why);
    if (st) ani_fail(err, st, "'%s': %s", where, why.message);
    for (int64_t i = 0; i < d->count && !st; i++)
        d->class_of[i] = places[d->class_of[i]];
    ani_free(places);
    return st;
}

/* Each weight was checked when it was read. */
static an_status check_weights(const an_dataset *d, an_error *err) {
    for (int64_t i = 0; i < d->count; i++)
        if (d->weights[i] > 0) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT, "'%s', column '%s': all %lld weights are 0",
                    d->options.label_file, d->options.weight_column, (long long)d->count);
}

static an_status read_labels(an_dataset *d, an_error *err) {
    const an_dataset_options *o = &d->options;
    const bool has_classes = o->labels != AN_LABELS_NUMBERS;
    const ani_labels_form form = {.outputs = has_classes ? 1 : o->outputs,
                                  .policy = o->policy,
                                  .classes = has_classes ? &d->classes : NULL,
                                  .name_column = o->name_column,
                                  .score_columns = o->score_columns,
                                  .weight_column = o->weight_column};
    uint8_t *bytes = NULL;
    int64_t size;
    ani_labels labels = {0};
    an_status st =
        ani_source_read(&d->source, d->source.label, ANI_LABELS_MAX_BYTES, &bytes, &size, err);
    if (st) goto done;
    st = ani_csv_is(o->label_file)
             ? ani_csv_read(&labels, o->label_file, bytes, size, &form, err)
             : ani_labels_read(&labels, o->label_file, bytes, size, &form, err);
    if (st) goto done;
    atomic_fetch_add(&d->skipped, labels.skipped);
    if (labels.skipped) {
        st = ani_warn(o->warn, o->warn_user, AN_WARN_LABEL_SKIPPED, labels.skipped,
                      labels.first_skipped.message, err);
        if (st) goto done;
    }
    st = join(d, &labels, err);
    if (!st && d->weights) st = check_weights(d, err);
    if (!st && has_classes) st = settle_classes(d, o->label_file, err);
done:
    ani_labels_clear(&labels);
    ani_free(bytes);
    return st;
}

/* --- a folder for each class ----------------------------------------------------------------- */

/* Length in bytes of the common prefix of all image paths, up to a slash. The paths are sorted. */
static int64_t common_folders(const ani_source_list *images) {
    const char *first = images->files[0].name, *last = images->files[images->count - 1].name;
    int64_t common = 0;
    for (int64_t i = 0; first[i] && first[i] == last[i]; i++)
        if (first[i] == '/') common = i + 1;
    return common;
}

/* The class of the image, whose path below the common folders is "class/base name". */
static an_status take_folder(an_dataset *d, const char *path, int32_t *item, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    an_error why;
    const char *slash = strchr(path, '/');
    ani_name_show(shown, path);
    if (!slash) return ani_fail(err, AN_ERR_FORMAT, "'%s' is outside the class folders", shown);
    an_status st = ani_classes_take(&d->classes, path, slash - path, 0, item, &why);
    return st ? ani_fail(err, st, "'%s': %s", shown, why.message) : AN_OK;
}

/* The position of the class in the image paths. */
static an_status find_folders(const an_dataset *d, const char *place, int64_t *begin,
                              an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE], other[ANI_SHOWN_NAME_SIZE];
    const ani_source_list *images = &d->source.images;
    bool has_folders = false;
    *begin = common_folders(images);
    ani_name_show(other, place);
    for (int64_t i = 0; i < images->count; i++) {
        const char *slash = strchr(images->files[i].name + *begin, '/');
        has_folders = has_folders || slash;
        if (slash && strchr(slash + 1, '/'))
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s' of '%s' is in a nested folder; each class needs "
                            "one folder",
                            ani_name_show(shown, images->files[i].name + *begin), other);
    }
    if (has_folders) return AN_OK;
    if (!*begin || !d->classes.is_fixed)
        return ani_fail(err, AN_ERR_FORMAT,
                        "all images of '%s' are in one folder; each class needs its own folder",
                        other);
    do /* all images belong to one of the given classes */
        (*begin)--;
    while (*begin && images->files[0].name[*begin - 1] != '/');
    return AN_OK;
}

static an_status read_folders(an_dataset *d, const char *place, an_error *err) {
    const an_dataset_options *o = &d->options;
    ani_source_list *images = &d->source.images;
    int64_t begin;
    an_status st = find_folders(d, place, &begin, err);
    if (st) return st;
    d->class_of = ani_alloc_zero(images->count, sizeof *d->class_of);
    if (!d->class_of) return ani_fail_memory(err, images->count * 4, "labels");
    an_error first = {0}, why;
    for (int64_t i = 0; i < images->count; i++) {
        ani_source_file image = images->files[i];
        image.name += begin;
        st = take_folder(d, image.name, &d->class_of[d->count], &why);
        if (st && (o->policy == AN_POLICY_STRICT || st == AN_ERR_NOMEM))
            return ani_fail(err, st, "%s", why.message);
        if (st && !first.status) first = why;
        if (!st) images->files[d->count++] = image;
    }
    const int64_t skipped = images->count - d->count;
    atomic_fetch_add(&d->skipped, skipped);
    st = AN_OK;
    if (!d->count)
        st = ani_fail(err, AN_ERR_FORMAT, "no image is left: %s", first.message);
    else if (skipped)
        st = ani_warn(o->warn, o->warn_user, AN_WARN_IMAGE_SKIPPED, skipped, first.message, err);
    return st ? st : settle_classes(d, place, err);
}

/* --- opening --------------------------------------------------------------------------------- */

/* Columns can be chosen only in label files that have them, and none may be NULL. */
static an_status check_columns(const an_dataset_options *o, an_error *err) {
    const char *column = o->name_column     ? "name_column"
                         : o->score_columns ? "score_columns"
                         : o->weight_column ? "weight_column"
                                            : NULL;
    if (column && (o->labels == AN_LABELS_FOLDERS || !ani_csv_is(o->label_file)))
        return ani_fail(err, AN_ERR_ARG, "an_dataset_options: %s is set, and %s has no columns",
                        column,
                        o->labels == AN_LABELS_FOLDERS ? "AN_LABELS_FOLDERS" : o->label_file);
    const int32_t columns = o->labels == AN_LABELS_NUMBERS ? o->outputs : 1;
    for (int32_t i = 0; i < columns && o->score_columns; i++)
        if (!o->score_columns[i])
            return ani_fail(err, AN_ERR_ARG, "an_dataset_options: score_columns[%d] is NULL",
                            (int)i);
    return AN_OK;
}

an_status an_dataset_open(an_dataset **out, const char *path, const an_dataset_options *options,
                          an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_dataset *d = NULL;
    an_extract_options archive;
    if (!path) return ani_fail(err, AN_ERR_ARG, "path is NULL");
    an_status st = ani_dataset_create(&d, &archive, options, err);
    if (st) goto done;
    st = check_columns(&d->options, err);
    if (st) goto done;
    st = ani_source_open(&d->source, path, &d->options, err);
    if (st) goto done;
    atomic_fetch_add(&d->skipped, d->source.skipped);
    st = d->options.labels == AN_LABELS_FOLDERS ? read_folders(d, path, err) : read_labels(d, err);
    if (st) goto done;
    st = ani_dataset_add_samples(d, d->options.cache, err);
    if (st) goto done;
    *out = d;
    d = NULL;
done:
    an_dataset_destroy(d);
    return st;
}
