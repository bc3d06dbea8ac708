/* SPDX-License-Identifier: MIT
 * Finds and reads a data set's files (docs/numerics.md, section archive). */
#include "dataset/source.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/callbacks.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/show.h"
#include "io/members.h"

enum {
    MAX_DEPTH = 64,    /* of nested folders */
    CHUNK_SIZE = 65536 /* bytes of a file compared at a time */
};

/* True if folders are the classes: then images are identified by their paths. */
static bool is_by_path(const an_dataset_options *o) {
    return o->labels == AN_LABELS_FOLDERS;
}

static an_status add(ani_source_list *list, const char *name, int64_t place, an_error *err) {
    if (list->count == list->capacity) {
        const int64_t capacity = list->capacity ? 2 * list->capacity : 256;
        const int64_t unit = sizeof *list->files;
        ani_source_file *grown = ani_realloc(list->files, list->count * unit, capacity * unit);
        if (!grown) return ani_fail_memory(err, capacity * unit, "a list of files");
        list->files = grown;
        list->capacity = capacity;
    }
    list->files[list->count++] = (ani_source_file){name, place};
    return AN_OK;
}

/* --- folders --------------------------------------------------------------------------------- */

typedef struct walk {
    ani_source *source;
    const an_dataset_options *options;
    ani_text path; /* of the folder being read, without a trailing slash */
    int depth;     /* of it, below the data set's */
} walk;

static bool is_type(const struct dirent *entry, const char *path, mode_t type) {
    struct stat info;
    const bool is_folder = type == S_IFDIR;
    if (entry->d_type == (is_folder ? DT_DIR : DT_REG)) return true;
    if (entry->d_type != DT_UNKNOWN && (is_folder || entry->d_type != DT_LNK)) return false;
    /* Links to files are followed, those to folders are not, so that every walk ends. */
    return (is_folder ? lstat(path, &info) : stat(path, &info)) == 0 &&
           (info.st_mode & S_IFMT) == type;
}

static an_status walk_folder(walk *w, an_error *err);

static an_status walk_entry(void *user, const struct dirent *entry, an_error *err) {
    walk *w = user;
    const char *name = entry->d_name;
    ani_source *source = w->source;
    const int kind = ani_name_kind(name, w->options->suffix,
                                   is_by_path(w->options) ? "" : w->options->label_file);
    if (kind == ANI_NAME_HIDDEN) return AN_OK;
    const int64_t folder_size = w->path.size;
    const bool is_root = folder_size == 1 && w->path.bytes[0] == '/';
    an_status st = AN_OK;
    ani_text_print(&w->path, "%s%s", is_root ? "" : "/", name);
    if (w->path.failed) return ani_fail_memory(err, folder_size, "a path");
    if (is_type(entry, w->path.bytes, S_IFDIR)) {
        w->depth++;
        st = walk_folder(w, err);
        w->depth--;
    } else if (is_type(entry, w->path.bytes, S_IFREG)) {
        const int64_t place = source->paths.size;
        ani_text_add(&source->paths, w->path.bytes, w->path.size + 1);
        if (source->paths.failed)
            st = ani_fail_memory(err, place + w->path.size, "a list of files");
        else
            st = add(kind == ANI_NAME_OTHER ? &source->others : &source->images, NULL, place, err);
    }
    w->path.size = folder_size;
    w->path.bytes[folder_size] = '\0';
    return st;
}

static an_status walk_folder(walk *w, an_error *err) {
    if (w->depth > MAX_DEPTH)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' lies more than %d folders deep",
                        w->path.bytes, MAX_DEPTH);
    char *folder = ani_strdup(w->path.bytes); /* the text moves as it grows */
    if (!folder) return ani_fail_memory(err, w->path.size, "a path");
    const an_status st = ani_folder_walk(folder, walk_entry, w, err);
    ani_free(folder);
    return st;
}

/* By base name, then by path: all paths are in one block of memory, so the order is total. */
static int compare_files(const void *a, const void *b, void *paths) {
    const ani_source_file *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : strcmp((const char *)paths + x->place, (const char *)paths + y->place);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const ani_source_file *)a)->name, ((const ani_source_file *)b)->name);
}

/* Find out whether two files have the same contents. */
static an_status are_copies(bool *same, const char *path, const char *other, an_error *err) {
    ani_file *files[2] = {NULL, NULL};
    uint8_t *bytes = NULL;
    *same = false;
    an_status st = ani_file_open(&files[0], path, err);
    if (!st) st = ani_file_open(&files[1], other, err);
    if (st) goto done;
    const int64_t size = ani_file_size(files[0]);
    if (size != ani_file_size(files[1])) goto done;
    bytes = ani_alloc(2 * CHUNK_SIZE);
    if (!bytes) {
        st = ani_fail_memory(err, 2 * CHUNK_SIZE, "two files with one base name");
        goto done;
    }
    for (int64_t at = 0; at < size; at += CHUNK_SIZE) {
        const int64_t now = size - at < CHUNK_SIZE ? size - at : CHUNK_SIZE;
        st = ani_file_read(files[0], at, bytes, now, err);
        if (!st) st = ani_file_read(files[1], at, bytes + CHUNK_SIZE, now, err);
        if (st || memcmp(bytes, bytes + CHUNK_SIZE, (size_t)now) != 0) goto done;
    }
    *same = true;
done:
    ani_free(bytes);
    ani_file_close(files[0]);
    ani_file_close(files[1]);
    return st;
}

/* Keep the first of several files with the same base name. Dropping copies loses nothing; dropping
 * other files does. */
static an_status refuse_duplicates(ani_source *source, const an_dataset_options *o, an_error *err) {
    const char *paths = source->paths.bytes;
    ani_source_file *files = source->images.files;
    int64_t kept = 0;
    for (int64_t i = 0; i < source->images.count; i++) {
        const ani_source_file file = files[i];
        if (kept == 0 || strcmp(files[kept - 1].name, file.name) != 0) {
            files[kept++] = file;
            continue;
        }
        const char *first = paths + files[kept - 1].place, *second = paths + file.place;
        char shown[ANI_SHOWN_NAME_SIZE], other[ANI_SHOWN_NAME_SIZE];
        an_error why;
        bool same;
        an_status st = are_copies(&same, first, second, err);
        if (st) return st;
        if (same) continue;
        ani_fail(&why, AN_ERR_FORMAT, "'%s' and '%s' have the same base name and different bytes",
                 ani_name_show(shown, first), ani_name_show(other, second));
        if (o->policy == AN_POLICY_STRICT) return ani_fail(err, why.status, "%s", why.message);
        source->skipped++;
        st = ani_warn(o->warn, o->warn_user, AN_WARN_MEMBER_SKIPPED, 1, why.message, err);
        if (st) return st;
    }
    source->images.count = kept;
    return AN_OK;
}

/* Give the files of a list their names, once their paths no longer move. */
static void name_files(const ani_source *source, ani_source_list *list, bool by_path) {
    for (int64_t i = 0; i < list->count; i++) {
        const char *path = ani_source_path(source, list->files[i].place);
        list->files[i].name = by_path ? path : ani_base_name(path);
    }
}

static an_status open_folder(ani_source *source, const char *path, const an_dataset_options *o,
                             an_error *err) {
    walk w = {.source = source, .options = o};
    ani_source_list *images = &source->images;
    int64_t size = (int64_t)strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    source->root = size + (path[size - 1] != '/'); /* "/" has nothing before it */
    ani_text_add(&w.path, path, size);
    an_status st = w.path.failed ? ani_fail_memory(err, size, "a path") : walk_folder(&w, err);
    ani_text_clear(&w.path);
    if (st) return st;
    name_files(source, images, is_by_path(o));
    name_files(source, &source->others, is_by_path(o));
    if (images->count)
        qsort_r(images->files, (size_t)images->count, sizeof *images->files, compare_files,
                source->paths.bytes);
    return refuse_duplicates(source, o, err);
}

/* --- archives -------------------------------------------------------------------------------- */

static an_status open_archive(ani_source *source, const char *path, const an_dataset_options *o,
                              an_error *err) {
    ani_members members = {0};
    an_extract_options caps = *o->archive;
    caps.struct_size = sizeof caps;
    caps.suffix = o->suffix;
    caps.label_file = is_by_path(o) ? "" : o->label_file;
    caps.policy = o->policy;
    caps.warn = o->warn;
    caps.warn_user = o->warn_user;
    an_status st = ani_zip_open(&source->zip, path, &caps, err);
    if (st) goto done;
    st = ani_members_select(&members, source->zip, &caps, is_by_path(o), err);
    if (st) goto done;
    source->skipped = members.skipped;
    for (int64_t i = 0; i < members.count && !st; i++) {
        const ani_zip_member *member = ani_zip_member_at(source->zip, members.index[i]);
        st = add(&source->images, is_by_path(o) ? member->name : member->base, members.index[i],
                 err);
    }
    for (int64_t i = 0; i < ani_zip_count(source->zip) && !st; i++) {
        const ani_zip_member *member = ani_zip_member_at(source->zip, i);
        if (*member->base &&
            ani_name_kind(member->name, o->suffix, caps.label_file) == ANI_NAME_OTHER)
            st = add(&source->others, member->base, i, err);
    }
    if (source->images.count)
        qsort(source->images.files, (size_t)source->images.count, sizeof *source->images.files,
              compare_names);
done:
    ani_members_clear(&members);
    return st;
}

/* --- both ------------------------------------------------------------------------------------ */

/* Remove the label file, if one is expected, from the list of images. */
static an_status take_label_file(ani_source *source, const char *path, const an_dataset_options *o,
                                 an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE], other[ANI_SHOWN_NAME_SIZE];
    ani_source_list *images = &source->images;
    int64_t kept = 0;
    bool found = false;
    for (int64_t i = 0; i < images->count; i++) {
        const ani_source_file file = images->files[i];
        if (is_by_path(o) || strcmp(file.name, o->label_file) != 0) {
            images->files[kept++] = file;
            continue;
        }
        source->label = file.place;
        found = true;
    }
    images->count = kept;
    ani_name_show(shown, path);
    if (!found && !is_by_path(o))
        return ani_fail(err, AN_ERR_FORMAT, "'%s' contains no label file '%s'", shown,
                        o->label_file);
    if (kept) return AN_OK;
    const char *endings = o->suffix ? o->suffix : ANI_IMAGE_ENDINGS;
    const int64_t others = source->others.count;
    if (!others)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' contains no images whose names end in '%s'",
                        shown, endings);
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s' contains no images whose names end in '%s'; %lld other file%s, as '%s'",
                    shown, endings, (long long)others, others == 1 ? "" : "s",
                    ani_name_show(other, source->others.files[0].name));
}

an_status ani_source_open(ani_source *out, const char *path, const an_dataset_options *options,
                          an_error *err) {
    ani_source source = {.max_file_bytes = options->archive->max_member_bytes};
    *out = (ani_source){0};
    an_status st = ani_is_folder(path) ? open_folder(&source, path, options, err)
                                       : open_archive(&source, path, options, err);
    if (st) goto done;
    st = take_label_file(&source, path, options, err);
    if (st) goto done;
    *out = source;
    source = (ani_source){0};
done:
    ani_source_close(&source);
    return st;
}

void ani_source_close(ani_source *source) {
    ani_zip_close(source->zip);
    ani_text_clear(&source->paths);
    ani_free(source->images.files);
    ani_free(source->others.files);
    *source = (ani_source){0};
}

const char *ani_source_path(const ani_source *source, int64_t place) {
    return source->zip ? ani_zip_member_at(source->zip, place)->name
                       : source->paths.bytes + place + source->root;
}

const ani_zip_member *ani_source_member(const ani_source *source, int64_t place) {
    return source->zip ? ani_zip_member_at(source->zip, place) : NULL;
}

an_status ani_source_read(ani_source *source, int64_t place, int64_t max_bytes, uint8_t **bytes,
                          int64_t *size, an_error *err) {
    if (source->zip) return ani_zip_read(source->zip, place, bytes, size, err);
    return ani_file_read_all(source->paths.bytes + place, max_bytes, bytes, size, err);
}
