/* SPDX-License-Identifier: MIT
 * The only file that calls libhdf5 (1.10 to 1.14). Each function finds its object anew, link by
 * link: files have some hundreds of arrays, and the checks then cannot be forgotten. libhdf5 is
 * left to end itself at exit as it likes: nothing of ours is open then, and the program may use it
 * too. */
#include "io/hdf5_file.h"

#include "config.h"

#include "base/memory.h"

void ani_names_clear(ani_names *names) {
    for (int64_t i = 0; i < names->count; i++)
        ani_free(names->items[i]);
    ani_free(names->items);
    *names = (ani_names){0};
}

#if AN_HAVE_HDF5

#include <hdf5.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/text.h"

enum {
    MAX_LINKS = 100000, /* in one group */
    MAX_TEXTS = 100000, /* in one attribute */
    MAX_PART = 1024     /* bytes in one part of a path */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct ani_hdf5 {
    hid_t id;
    uint8_t *bytes;
    int64_t size;
    int64_t bytes_read; /* in arrays, as stored */
    const char *name;
    H5E_auto2_t print; /* how libhdf5 printed its errors before */
    void *print_data;
};

/* --- messages ----------------------------------------------------------------------------------
 */

static herr_t keep_innermost(unsigned index, const H5E_error2_t *entry, void *data) {
    const char **text = data;
    if (index == 0 && entry->desc) *text = entry->desc;
    return 0;
}

/* A failure that libhdf5 found; its own words for the first cause are added. */
static an_status fail_hdf5(const ani_hdf5 *file, const char *path, const char *what,
                           an_error *err) {
    const char *why = NULL;
    if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &why) < 0 || !why || !why[0])
        why = "libhdf5 gives no reason";
    return ani_fail(err, AN_ERR_FORMAT, "'%s': %s%s%s%s: %s", file->name, what, path[0] ? " '" : "",
                    path, path[0] ? "'" : "", why);
}

static an_status add_name(ani_names *names, const char *text, int64_t size, an_error *err) {
    if (names->count == names->capacity) {
        const int64_t capacity = names->capacity ? 2 * names->capacity : 32;
        char **grown = ani_realloc(names->items, names->count * (int64_t)sizeof *grown,
                                   capacity * (int64_t)sizeof *grown);
        if (!grown) return ani_fail_memory(err, capacity * (int64_t)sizeof *grown, "names");
        names->items = grown;
        names->capacity = capacity;
    }
    char *copy = ani_alloc(size + 1);
    if (!copy) return ani_fail_memory(err, size + 1, "a name");
    memcpy(copy, text, (size_t)size);
    copy[size] = '\0';
    names->items[names->count++] = copy;
    return AN_OK;
}

/* --- the file in memory ------------------------------------------------------------------------
 */

/* libhdf5 would copy the bytes twice. These callbacks let it work on ours: all "allocations" are
 * the one buffer, which is never written since the file is open for reading only. */
static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *data) {
    const ani_hdf5 *file = data;
    (void)op;
    return size <= (size_t)file->size ? file->bytes : NULL;
}

static void *image_memcpy(void *to, const void *from, size_t size, H5FD_file_image_op_t op,
                          void *data) {
    (void)size;
    (void)op;
    (void)data;
    return to == from ? to : NULL;
}

static void *image_realloc(void *old, size_t size, H5FD_file_image_op_t op, void *data) {
    (void)old;
    (void)size;
    (void)op;
    (void)data;
    return NULL;
}

static herr_t image_free(void *old, H5FD_file_image_op_t op, void *data) {
    (void)old;
    (void)op;
    (void)data;
    return 0;
}

static void *image_data_copy(void *data) {
    return data;
}

static herr_t image_data_free(void *data) {
    (void)data;
    return 0;
}

an_status ani_hdf5_open(ani_hdf5 **out, uint8_t *bytes, int64_t size, const char *name,
                        an_error *err) {
    *out = NULL;
    ani_hdf5 *file = ani_alloc_zero(1, sizeof *file);
    if (!file) return ani_fail_memory(err, sizeof *file, "an open HDF5 file");
    file->id = H5I_INVALID_HID;
    file->bytes = bytes;
    file->size = size;
    file->name = name;

    an_status st = AN_OK;
    H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy,    image_realloc,
                                             image_free,   image_data_copy, image_data_free,
                                             file};
    pthread_mutex_lock(&lock);
    H5Eget_auto2(H5E_DEFAULT, &file->print, &file->print_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0 || H5Pset_fapl_core(access, 1 << 16, 0) < 0 ||
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0 ||
        H5Pset_file_image_callbacks(access, &callbacks) < 0 ||
        H5Pset_file_image(access, bytes, (size_t)size) < 0) {
        st = ani_fail(err, AN_ERR_NOMEM, "libhdf5 cannot take '%s' from memory", name);
        goto done;
    }
    /* The name must be one that no file can have: libhdf5 looks whether there is one. */
    file->id = H5Fopen("/dev/null/image", H5F_ACC_RDONLY, access);
    if (file->id < 0) {
        st = fail_hdf5(file, "", "damaged HDF5 file", err);
        goto done;
    }
    *out = file;
    file = NULL;
done:
    if (access >= 0) H5Pclose(access);
    ani_hdf5_close(file);
    return st;
}

void ani_hdf5_close(ani_hdf5 *file) {
    if (!file) return;
    if (file->id >= 0) H5Fclose(file->id);
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, file->print, file->print_data);
    pthread_mutex_unlock(&lock);
    ani_free(file);
}

/* --- objects -----------------------------------------------------------------------------------
 */

/* Open what is at path, over hard links alone. *id is H5I_INVALID_HID and the status AN_OK if there
 * is nothing; else the caller closes it with H5Oclose(). */
static an_status open_object(ani_hdf5 *file, const char *path, hid_t *id, an_error *err) {
    char part[MAX_PART];
    an_status st = AN_OK;
    hid_t here = H5Oopen(file->id, "/", H5P_DEFAULT);
    *id = H5I_INVALID_HID;
    if (here < 0) return fail_hdf5(file, "", "damaged root group", err);
    for (const char *rest = path; *rest;) {
        const size_t length = strcspn(rest, "/");
        if (length == 0) {
            rest++;
            continue;
        }
        if (length >= sizeof part) {
            st = ani_fail(err, AN_ERR_FORMAT, "'%s': a name has %zu bytes; it may have %d",
                          file->name, length, MAX_PART - 1);
            goto done;
        }
        memcpy(part, rest, length);
        part[length] = '\0';
        rest += length;
        H5L_info_t link;
        const htri_t exists =
            H5Iget_type(here) == H5I_GROUP ? H5Lexists(here, part, H5P_DEFAULT) : 0;
        if (exists == 0) goto done;
        if (exists < 0 || H5Lget_info(here, part, &link, H5P_DEFAULT) < 0) {
            st = fail_hdf5(file, path, "damaged link on the way to", err);
            goto done;
        }
        if (link.type != H5L_TYPE_HARD) {
            st = ani_fail(err, AN_ERR_FORMAT,
                          "'%s': '%s' in '%s' is %s link; only what is in the file itself is read",
                          file->name, part, path,
                          link.type == H5L_TYPE_SOFT ? "a soft" : "an external");
            goto done;
        }
        const hid_t next = H5Oopen(here, part, H5P_DEFAULT);
        if (next < 0) {
            st = fail_hdf5(file, path, "damaged object on the way to", err);
            goto done;
        }
        H5Oclose(here);
        here = next;
    }
    *id = here;
    here = H5I_INVALID_HID;
done:
    if (here >= 0) H5Oclose(here);
    return st;
}

an_status ani_hdf5_look(ani_hdf5 *file, const char *path, ani_hdf5_kind *kind, an_error *err) {
    hid_t id;
    *kind = ANI_HDF5_NOTHING;
    an_status st = open_object(file, path, &id, err);
    if (st || id < 0) return st;
    const H5I_type_t type = H5Iget_type(id);
    if (type == H5I_GROUP) *kind = ANI_HDF5_GROUP;
    if (type == H5I_DATASET) *kind = ANI_HDF5_ARRAY;
    H5Oclose(id);
    return AN_OK;
}

typedef struct link_list {
    const ani_hdf5 *file;
    ani_names *names;
    an_error *err;
    an_status status;
} link_list;

static herr_t add_link(hid_t group, const char *name, const H5L_info_t *link, void *data) {
    link_list *list = data;
    (void)group;
    (void)link;
    const int64_t size = (int64_t)strlen(name);
    if (list->names->count == MAX_LINKS)
        list->status = ani_fail(list->err, AN_ERR_UNSUPPORTED, "'%s': a group has over %d members",
                                list->file->name, MAX_LINKS);
    else if (!ani_is_utf8(name, size))
        list->status = ani_fail(list->err, AN_ERR_FORMAT, "'%s': the name of a member is not UTF-8",
                                list->file->name);
    else
        list->status = add_name(list->names, name, size, list->err);
    return list->status ? 1 : 0;
}

an_status ani_hdf5_list(ani_hdf5 *file, const char *path, ani_names *names, an_error *err) {
    hid_t id;
    hsize_t place = 0;
    link_list list = {.file = file, .names = names, .err = err};
    an_status st = open_object(file, path, &id, err);
    if (st) return st;
    if (id < 0 || H5Iget_type(id) != H5I_GROUP)
        st = ani_fail(err, AN_ERR_FORMAT, "'%s': there is no group '%s'", file->name, path);
    else if (H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, &place, add_link, &list) < 0)
        st = fail_hdf5(file, path, "damaged group", err);
    else
        st = list.status;
    if (id >= 0) H5Oclose(id);
    return st;
}

/* --- attributes --------------------------------------------------------------------------------
 */

static an_status add_text(ani_hdf5 *file, ani_names *texts, const char *text, int64_t size,
                          const char *attribute, an_error *err) {
    if (!ani_is_utf8(text, size))
        return ani_fail(err, AN_ERR_FORMAT, "'%s': a text of '%s' is not UTF-8", file->name,
                        attribute);
    return add_name(texts, text, size, err);
}

/* Texts of one fixed size, padded with NUL or blanks. */
static an_status read_fixed(ani_hdf5 *file, hid_t id, hid_t type, int64_t count,
                            const char *attribute, ani_names *texts, an_error *err) {
    const int64_t each = (int64_t)H5Tget_size(type);
    const bool blanks = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
    int64_t size;
    if (each <= 0 || !ani_mul_size(count, each, &size) || size > file->size)
        return ani_fail(err, AN_ERR_FORMAT,
                        "'%s': attribute '%s' declares %" PRId64 " texts of %" PRId64
                        " bytes; the file has %" PRId64,
                        file->name, attribute, count, each, file->size);
    char *bytes = ani_alloc(size);
    if (!bytes) return ani_fail_memory(err, size, attribute);
    an_status st = AN_OK;
    if (H5Aread(id, type, bytes) < 0) st = fail_hdf5(file, attribute, "damaged attribute", err);
    for (int64_t i = 0; i < count && !st; i++) {
        const char *text = bytes + i * each;
        int64_t length = (int64_t)strnlen(text, (size_t)each);
        while (blanks && length > 0 && text[length - 1] == ' ')
            length--;
        st = add_text(file, texts, text, length, attribute, err);
    }
    ani_free(bytes);
    return st;
}

/* Texts of any size, which libhdf5 allocates. */
static an_status read_variable(ani_hdf5 *file, hid_t id, hid_t type, hid_t space, int64_t count,
                               const char *attribute, ani_names *texts, an_error *err) {
    an_status st = AN_OK;
    char **pointers = ani_alloc_zero(count, sizeof *pointers);
    if (!pointers) return ani_fail_memory(err, count * (int64_t)sizeof *pointers, attribute);
    hid_t memory_type = H5Tcopy(H5T_C_S1);
    if (memory_type < 0 || H5Tset_size(memory_type, H5T_VARIABLE) < 0 ||
        H5Tset_cset(memory_type, H5Tget_cset(type)) < 0 || H5Aread(id, memory_type, pointers) < 0) {
        st = fail_hdf5(file, attribute, "damaged attribute", err);
        goto done;
    }
    for (int64_t i = 0; i < count && !st; i++) {
        const char *text = pointers[i] ? pointers[i] : "";
        st = add_text(file, texts, text, (int64_t)strlen(text), attribute, err);
    }
#if H5_VERSION_GE(1, 12, 0)
    H5Treclaim(memory_type, space, H5P_DEFAULT, pointers);
#else
    H5Dvlen_reclaim(memory_type, space, H5P_DEFAULT, pointers);
#endif
done:
    if (memory_type >= 0) H5Tclose(memory_type);
    ani_free(pointers);
    return st;
}

/* Count the elements of a dataspace of rank at most 8; -1 if it has none of the kinds we read. */
static int64_t count_elements(hid_t space, ani_hdf5_shape *shape) {
    hsize_t lengths[H5S_MAX_RANK];
    int64_t count;
    *shape = (ani_hdf5_shape){0};
    const H5S_class_t kind = H5Sget_simple_extent_type(space);
    if (kind == H5S_SCALAR) return 1;
    if (kind != H5S_SIMPLE) return -1;
    const int rank = H5Sget_simple_extent_dims(space, lengths, NULL);
    if (rank < 0 || rank > ANI_ARRAYS_MAX_RANK) return -1;
    shape->rank = rank;
    for (int i = 0; i < rank; i++) {
        if (lengths[i] > INT64_MAX) return -1;
        shape->lengths[i] = (int64_t)lengths[i];
    }
    return ani_shape_count(shape->lengths, rank, &count) ? count : -1;
}

an_status ani_hdf5_texts(ani_hdf5 *file, const char *path, const char *attribute, ani_names *texts,
                         bool *found, an_error *err) {
    hid_t object = H5I_INVALID_HID, id = H5I_INVALID_HID, type = H5I_INVALID_HID,
          space = H5I_INVALID_HID;
    ani_hdf5_shape shape;
    *found = false;
    an_status st = open_object(file, path, &object, err);
    if (st) goto done;
    const htri_t exists = object < 0 ? 0 : H5Aexists(object, attribute);
    if (exists == 0) goto done;
    if (exists > 0) id = H5Aopen(object, attribute, H5P_DEFAULT);
    if (id >= 0) type = H5Aget_type(id);
    if (type >= 0) space = H5Aget_space(id);
    if (space < 0) {
        st = fail_hdf5(file, attribute, "damaged attribute", err);
        goto done;
    }
    *found = true;
    if (H5Sget_simple_extent_type(space) == H5S_NULL) goto done;
    const int64_t count = count_elements(space, &shape);
    if (count == 0) goto done; /* Keras writes an empty list as float64 */
    if (H5Tget_class(type) != H5T_STRING || count < 0 || shape.rank > 1) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s': attribute '%s' is neither a text nor a list of them", file->name,
                      attribute);
        goto done;
    }
    if (count > MAX_TEXTS) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "'%s': attribute '%s' has %" PRId64 " texts; at most %d are read", file->name,
                      attribute, count, MAX_TEXTS);
        goto done;
    }
    st = H5Tis_variable_str(type) > 0
             ? read_variable(file, id, type, space, count, attribute, texts, err)
             : read_fixed(file, id, type, count, attribute, texts, err);
done:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (id >= 0) H5Aclose(id);
    if (object >= 0) H5Oclose(object);
    return st;
}

/* --- arrays ------------------------------------------------------------------------------------
 */

/* Where the values lie: in the file itself, as they are. Looked at before anything else of the
 * array, since a virtual one opens other files when asked for its shape. */
static an_status check_storage(const ani_hdf5 *file, hid_t id, const char *path,
                               H5D_layout_t *layout, an_error *err) {
    const hid_t plist = H5Dget_create_plist(id);
    if (plist < 0) return fail_hdf5(file, path, "damaged array", err);
    an_status st = AN_OK;
    *layout = H5Pget_layout(plist);
    if (*layout != H5D_CONTIGUOUS && *layout != H5D_CHUNKED)
        st =
            ani_fail(err, AN_ERR_UNSUPPORTED,
                     "'%s': array '%s' is stored %s; only contiguous and chunked ones are read",
                     file->name, path, *layout == H5D_COMPACT ? "in its header" : "in other files");
    else if (H5Pget_external_count(plist) != 0)
        st = ani_fail(
            err, AN_ERR_UNSUPPORTED,
            "'%s': array '%s' is stored in other files; only what is in the file itself is "
            "read",
            file->name, path);
    else if (H5Pget_nfilters(plist) != 0)
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "'%s': array '%s' is compressed or filtered; only plain ones are read",
                      file->name, path);
    H5Pclose(plist);
    return st;
}

/* Open an array with all checks. *size is what it takes in the file. */
static an_status open_array(ani_hdf5 *file, const char *path, hid_t *id, ani_hdf5_shape *shape,
                            int64_t *size, an_error *err) {
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    H5D_layout_t layout;
    an_status st = open_object(file, path, id, err);
    if (st) goto done;
    if (*id < 0 || H5Iget_type(*id) != H5I_DATASET) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s': there is no array '%s'", file->name, path);
        goto done;
    }
    st = check_storage(file, *id, path, &layout, err);
    if (st) goto done;
    type = H5Dget_type(*id);
    space = H5Dget_space(*id);
    if (type < 0 || space < 0) {
        st = fail_hdf5(file, path, "damaged array", err);
        goto done;
    }
    const H5T_class_t kind = H5Tget_class(type);
    const int64_t each = (int64_t)H5Tget_size(type);
    if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || each < 1 || each > 8) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "'%s': array '%s' holds no plain numbers of at most 8 bytes", file->name,
                      path);
        goto done;
    }
    const int64_t count = count_elements(space, shape);
    if (count < 0 || !ani_mul_size(count, each, size)) {
        st =
            ani_fail(err, AN_ERR_FORMAT, "'%s': array '%s' has no shape, over %d axes or overflows",
                     file->name, path, ANI_ARRAYS_MAX_RANK);
        goto done;
    }
    if (*size > file->size) {
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s': array '%s' declares %" PRId64 " bytes; the file has %" PRId64,
                      file->name, path, *size, file->size);
        goto done;
    }
    const hsize_t stored = H5Dget_storage_size(*id);
    if (stored < (hsize_t)*size)
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s': array '%s' declares %" PRId64 " bytes, but %" PRIu64 " are stored",
                      file->name, path, *size, (uint64_t)stored);
done:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (st && *id >= 0) {
        H5Oclose(*id);
        *id = H5I_INVALID_HID;
    }
    return st;
}

an_status ani_hdf5_shape_of(ani_hdf5 *file, const char *path, ani_hdf5_shape *shape,
                            an_error *err) {
    hid_t id;
    int64_t size;
    an_status st = open_array(file, path, &id, shape, &size, err);
    if (!st) H5Oclose(id);
    return st;
}

an_status ani_hdf5_read(ani_hdf5 *file, const char *path, float *data, an_error *err) {
    hid_t id;
    ani_hdf5_shape shape;
    int64_t size;
    an_status st = open_array(file, path, &id, &shape, &size, err);
    if (st) return st;
    if (size > file->size - file->bytes_read)
        st = ani_fail(err, AN_ERR_FORMAT,
                      "'%s': the arrays up to '%s' declare more bytes than the file's %" PRId64,
                      file->name, path, file->size);
    else if (size > 0 && H5Dread(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        st = fail_hdf5(file, path, "cannot read array", err);
    else
        file->bytes_read += size;
    H5Oclose(id);
    return st;
}

#else /* a build without libhdf5: nothing can be opened, so nothing else can be called */

an_status ani_hdf5_open(ani_hdf5 **out, uint8_t *bytes, int64_t size, const char *name,
                        an_error *err) {
    (void)bytes;
    (void)size;
    *out = NULL;
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "cannot read '%s': this build has no HDF5 (configure it with -Dhdf5=enabled)",
                    name);
}

void ani_hdf5_close(ani_hdf5 *file) {
    (void)file;
}

an_status ani_hdf5_look(ani_hdf5 *file, const char *path, ani_hdf5_kind *kind, an_error *err) {
    (void)file;
    *kind = ANI_HDF5_NOTHING;
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot look at '%s' without HDF5", path);
}

an_status ani_hdf5_list(ani_hdf5 *file, const char *path, ani_names *names, an_error *err) {
    (void)file;
    (void)names;
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot list '%s' without HDF5", path);
}

an_status ani_hdf5_texts(ani_hdf5 *file, const char *path, const char *attribute, ani_names *texts,
                         bool *found, an_error *err) {
    (void)file;
    (void)attribute;
    (void)texts;
    *found = false;
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot read '%s' without HDF5", path);
}

an_status ani_hdf5_shape_of(ani_hdf5 *file, const char *path, ani_hdf5_shape *shape,
                            an_error *err) {
    (void)file;
    *shape = (ani_hdf5_shape){0};
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot read '%s' without HDF5", path);
}

an_status ani_hdf5_read(ani_hdf5 *file, const char *path, float *data, an_error *err) {
    (void)file;
    (void)data;
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot read '%s' without HDF5", path);
}

#endif
