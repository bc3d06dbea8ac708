/* SPDX-License-Identifier: MIT
 * Finding and reading a data set's files (docs/numerics.md, section archive). */
#include "dataset/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/callbacks.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/members.h"

enum { MAX_DEPTH = 64 }; /* of folders in folders */

static an_status add(ani_source *source, const char *name, int64_t place, an_error *err) {
    if (source->count == source->capacity) {
        const int64_t capacity = source->capacity ? 2 * source->capacity : 256;
        const int64_t unit = sizeof *source->images;
        ani_source_image *grown =
            ani_realloc(source->images, source->count * unit, capacity * unit);
        if (!grown) return ani_fail_memory(err, capacity * unit, "a list of images");
        source->images = grown;
        source->capacity = capacity;
    }
    source->images[source->count++] = (ani_source_image){name, place};
    return AN_OK;
}

/* --- folders --------------------------------------------------------------------------------- */

typedef struct walk {
    ani_source *source;
    const an_dataset_options *options;
    ani_text path; /* of the folder being read, without a slash at its end */
} walk;

static bool is_type(const struct dirent *entry, const char *path, mode_t type) {
    struct stat info;
    const bool is_folder = type == S_IFDIR;
    if (entry->d_type == (is_folder ? DT_DIR : DT_REG)) return true;
    if (entry->d_type != DT_UNKNOWN && (is_folder || entry->d_type != DT_LNK)) return false;
    /* Links to files are followed, those to folders are not: so no walk is without end. */
    return (is_folder ? lstat(path, &info) : stat(path, &info)) == 0 &&
           (info.st_mode & S_IFMT) == type;
}

static an_status walk_folder(walk *w, int depth, an_error *err);

static an_status walk_entry(walk *w, const struct dirent *entry, int depth, an_error *err) {
    const char *name = entry->d_name;
    const an_dataset_options *o = w->options;
    const bool is_label = !strcmp(name, o->label_file);
    if (ani_name_is_hidden(name) && !is_label) return AN_OK;
    const int64_t folder_size = w->path.size;
    const bool is_root = folder_size == 1 && w->path.bytes[0] == '/';
    an_status st = AN_OK;
    ani_text_print(&w->path, "%s%s", is_root ? "" : "/", name);
    if (w->path.failed) return ani_fail_memory(err, folder_size, "a path");
    if (is_type(entry, w->path.bytes, S_IFDIR)) {
        st = walk_folder(w, depth + 1, err);
    } else if (ani_name_is_wanted(name, o->suffix, o->label_file) &&
               is_type(entry, w->path.bytes, S_IFREG)) {
        const int64_t place = w->source->paths.size;
        ani_text_add(&w->source->paths, w->path.bytes, w->path.size + 1);
        if (w->source->paths.failed)
            st = ani_fail_memory(err, place + w->path.size, "a list of images");
        else
            st = add(w->source, NULL, place, err);
    }
    w->path.size = folder_size;
    w->path.bytes[folder_size] = '\0';
    return st;
}

/* NULL with errno if it cannot be opened; an interrupted call is made again. */
static DIR *open_stream(const char *path) {
    DIR *folder;
    do {
        const int code = ani_fault_check(ANI_FAULT_OPEN);
        folder = code > 0 ? NULL : opendir(path);
        if (code > 0) errno = code;
    } while (!folder && errno == EINTR);
    return folder;
}

/* NULL with errno 0 at the end, or with what failed. */
static const struct dirent *next_entry(DIR *folder) {
    const struct dirent *entry;
    do {
        const int code = ani_fault_check(ANI_FAULT_READ);
        errno = code > 0 ? code : 0;
        entry = errno ? NULL : readdir(folder);
    } while (!entry && errno == EINTR);
    return entry;
}

static an_status walk_folder(walk *w, int depth, an_error *err) {
    if (depth > MAX_DEPTH)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "'%s' lies more than %d folders deep",
                        w->path.bytes, MAX_DEPTH);
    DIR *folder = open_stream(w->path.bytes);
    if (!folder) return ani_fail_system(err, errno, "open folder", w->path.bytes);
    an_status st = AN_OK;
    while (!st) {
        const struct dirent *entry = next_entry(folder);
        if (!entry) {
            if (errno) st = ani_fail_system(err, errno, "read folder", w->path.bytes);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            st = walk_entry(w, entry, depth, err);
    }
    closedir(folder);
    return st;
}

/* By base name, then by path: paths lie in one piece of memory, so that the order is total. */
static int compare_files(const void *a, const void *b, void *paths) {
    const ani_source_image *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : strcmp((const char *)paths + x->place, (const char *)paths + y->place);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const ani_source_image *)a)->name, ((const ani_source_image *)b)->name);
}

/* Keep the first of several files with one base name. */
static an_status refuse_duplicates(ani_source *source, const an_dataset_options *o, an_error *err) {
    const char *paths = source->paths.bytes;
    int64_t kept = 0;
    for (int64_t i = 0; i < source->count; i++) {
        const ani_source_image image = source->images[i];
        if (kept == 0 || strcmp(source->images[kept - 1].name, image.name) != 0) {
            source->images[kept++] = image;
            continue;
        }
        an_error why;
        ani_fail(&why, AN_ERR_FORMAT, "'%s' and '%s' have the same base name",
                 paths + source->images[kept - 1].place, paths + image.place);
        if (o->policy == AN_POLICY_STRICT) return ani_fail(err, why.status, "%s", why.message);
        source->skipped++;
        an_status st = ani_warn(o->warn, o->warn_user, AN_WARN_MEMBER_SKIPPED, 1, why.message, err);
        if (st) return st;
    }
    source->count = kept;
    return AN_OK;
}

static an_status open_folder(ani_source *source, const char *path, const an_dataset_options *o,
                             an_error *err) {
    walk w = {.source = source, .options = o};
    int64_t size = (int64_t)strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    ani_text_add(&w.path, path, size);
    an_status st = w.path.failed ? ani_fail_memory(err, size, "a path") : walk_folder(&w, 0, err);
    ani_text_clear(&w.path);
    if (st) return st;
    for (int64_t i = 0; i < source->count; i++)
        source->images[i].name = ani_base_name(source->paths.bytes + source->images[i].place);
    if (source->count)
        qsort_r(source->images, (size_t)source->count, sizeof *source->images, compare_files,
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
    caps.label_file = o->label_file;
    caps.policy = o->policy;
    caps.warn = o->warn;
    caps.warn_user = o->warn_user;
    an_status st = ani_zip_open(&source->zip, path, &caps, err);
    if (st) goto done;
    st = ani_members_select(&members, source->zip, &caps, err);
    if (st) goto done;
    source->skipped = members.skipped;
    for (int64_t i = 0; i < members.count && !st; i++) {
        const char *name = ani_zip_member_at(source->zip, members.index[i])->base;
        if (!ani_name_is_hidden(name) || !strcmp(name, o->label_file))
            st = add(source, name, members.index[i], err);
    }
    if (source->count)
        qsort(source->images, (size_t)source->count, sizeof *source->images, compare_names);
done:
    ani_members_clear(&members);
    return st;
}

/* --- both ------------------------------------------------------------------------------------ */

/* Take the label file out of the list of images. */
static an_status take_label_file(ani_source *source, const char *path, const an_dataset_options *o,
                                 an_error *err) {
    int64_t kept = 0;
    bool found = false;
    for (int64_t i = 0; i < source->count; i++) {
        const ani_source_image image = source->images[i];
        if (strcmp(image.name, o->label_file) != 0) {
            source->images[kept++] = image;
            continue;
        }
        source->label = image.place;
        found = true;
    }
    source->count = kept;
    if (!found)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' holds no label file '%s'", path, o->label_file);
    if (!kept)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' holds no images whose names end in '%s'", path,
                        o->suffix);
    return AN_OK;
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
    ani_free(source->images);
    *source = (ani_source){0};
}

an_status ani_source_read(ani_source *source, int64_t place, int64_t max_bytes, uint8_t **bytes,
                          int64_t *size, an_error *err) {
    if (source->zip) return ani_zip_read(source->zip, place, bytes, size, err);
    return ani_file_read_all(source->paths.bytes + place, max_bytes, bytes, size, err);
}
