/* SPDX-License-Identifier: MIT
 * Folders, labels and archive of the made-up faces. */
#include "face_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zip.h>

const char face_usage[] = "--out FILE.zip|FOLDER [options]";
const char face_about[] =
    "Draws made-up faces with scores from 1 to 5: a data set with the layout of\n"
    "SCUT-FBP5500 that needs no external files. The scores depend on the drawn shapes\n"
    "(smile, eyes, face), never on colours. The same seed gives the same images.\n"
    "A folder must be new or empty; an existing archive is replaced.";

void face_request_rows(face_request *ask, option_row rows[OPTION_ROWS]) {
    *ask = (face_request){.count = 600, .size = 350, .seed = 1};
    rows[0] = option_needed(
        option_text("out", &ask->out, "PATH",
                    "output: a zip archive if the name ends in .zip, otherwise a folder"));
    rows[1] = option_count("count", &ask->count, 1, 1000000, "number of images");
    rows[2] = option_count("size", &ask->size, 32, 4096, "width and height in pixels");
    rows[3] =
        option_count("seed", &ask->seed, 0, INT32_MAX, "random seed; other seeds give other faces");
    rows[4] = option_flag("quiet", &ask->quiet, "print only errors");
    rows[5] = option_end();
}

static const char images_folder[] = "SCUT-FBP5500_v2/Images";
static const char labels_folder[] = "SCUT-FBP5500_v2/train_test_files";
static const char labels_name[] = "All_labels.txt";

/* Path of image number (from 1) below a folder. In the real data set names carry a meaning ("AF":
 * Asian women); here they do not. */
static void image_path(char *path, const char *folder, int32_t number) {
    snprintf(path, PATH_SIZE, "%.*s/%s/AF%d.jpg", PATH_SIZE / 2, folder, images_folder,
             (int)number);
}

static void label_path(char *path, const char *folder) {
    snprintf(path, PATH_SIZE, "%.*s/%s/%s", PATH_SIZE / 2, folder, labels_folder, labels_name);
}

static int add_file(zip_t *archive, const char *folder, const char *path) {
    zip_source_t *source = zip_source_file(archive, path, 0, -1);
    if (!source) return 1;
    const zip_int64_t index =
        zip_file_add(archive, path + strlen(folder) + 1, source, ZIP_FL_OVERWRITE);
    if (index < 0) {
        zip_source_free(source);
        return 1;
    }
    /* A fixed date, so that the same seed gives the same archive. JPEG does not compress any
     * further. */
    struct tm date = {.tm_year = 100, .tm_mday = 1, .tm_hour = 12, .tm_isdst = -1};
    return zip_file_set_mtime(archive, (zip_uint64_t)index, mktime(&date), 0) ||
           zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0);
}

static int pack(const face_set *set) {
    char path[PATH_SIZE];
    int code = 0;
    zip_t *archive = zip_open(set->out, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!archive) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        complain_of("cannot write '%s': %s", set->out, zip_error_strerror(&error));
        zip_error_fini(&error);
        return 1;
    }
    label_path(path, set->folder);
    int bad = add_file(archive, set->folder, path);
    for (int32_t i = 1; i <= set->count && !bad; i++) {
        image_path(path, set->folder, i);
        bad = add_file(archive, set->folder, path);
    }
    if (!bad && zip_close(archive) == 0) return 0;
    complain_of("cannot write '%s': %s", set->out, zip_strerror(archive));
    zip_discard(archive);
    return 1;
}

/* Create a folder with a unique name next to the future archive. */
static int make_new_folder(face_set *set) {
    snprintf(set->folder, PATH_SIZE, "%s", set->out);
    char *slash = strrchr(set->folder, '/');
    if (slash && slash != set->folder) {
        *slash = 0;
        if (make_folder(set->folder)) return 1;
    }
    snprintf(set->folder, PATH_SIZE, "%s.XXXXXX", set->out);
    if (mkdtemp(set->folder)) return 0;
    return complain_of("cannot create the folder '%s': %s", set->folder, strerror(errno));
}

/* Existing images, of another run or the user's own, would be mistaken for faces of this one. */
static int refuse_used_folder(const char *folder) {
    DIR *open = opendir(folder);
    if (!open && errno == ENOENT) return 0;
    if (!open) return complain_of("cannot open the folder '%s': %s", folder, strerror(errno));
    int status = 0;
    for (const struct dirent *entry; !status && (entry = readdir(open));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status =
                complain_of("the folder '%s' is not empty: it contains '%s'; remove it or choose "
                            "another folder",
                            folder, entry->d_name);
    closedir(open);
    return status;
}

static void remove_files(const face_set *set) {
    char path[PATH_SIZE];
    for (int32_t i = 1; i <= set->count; i++) {
        image_path(path, set->folder, i);
        unlink(path);
    }
    label_path(path, set->folder);
    unlink(path);
    const char *folders[] = {images_folder, labels_folder, "SCUT-FBP5500_v2"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%.*s/%s", PATH_SIZE / 2, set->folder, folders[i]);
        rmdir(path);
    }
    rmdir(set->folder);
}

static int begin_files(face_set *set) {
    char path[PATH_SIZE];
    const char *folders[] = {images_folder, labels_folder};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%.*s/%s", PATH_SIZE / 2, set->folder, folders[i]);
        if (make_folder(path)) return 1;
    }
    label_path(path, set->folder);
    set->labels = fopen(path, "w");
    return set->labels ? 0 : complain_of("cannot write '%s': %s", path, strerror(errno));
}

int face_set_begin(face_set *set, const char *out) {
    const size_t length = strlen(out);
    *set = (face_set){.out = out};
    if (length + sizeof ".XXXXXX" > PATH_SIZE / 2)
        return complain_of("the output path is longer than %d bytes",
                           (int)(PATH_SIZE / 2 - sizeof ".XXXXXX"));
    set->is_archive = length > 4 && !strcmp(out + length - 4, ".zip");
    if (set->is_archive) {
        if (make_new_folder(set)) return 1;
    } else {
        if (refuse_used_folder(out)) return 1;
        snprintf(set->folder, sizeof set->folder, "%s", out);
    }
    if (!begin_files(set)) return 0;
    if (set->is_archive) remove_files(set);
    return 1;
}

const char *face_set_next(face_set *set, char path[PATH_SIZE]) {
    image_path(path, set->folder, ++set->count);
    return path;
}

void face_set_label(face_set *set, double score) {
    fprintf(set->labels, "AF%d.jpg %.6f\n", (int)set->count, score);
}

void face_set_show(const face_set *set, const face_request *ask) {
    if (ask->quiet || !isatty(1) || (set->count % 10 && set->count < ask->count)) return;
    if (set->count < ask->count)
        printf("\rdrawing %d of %d", (int)set->count, (int)ask->count);
    else
        printf("\r%40s\r", "");
    fflush(stdout);
}

int face_set_end(face_set *set, int is_bad) {
    char path[PATH_SIZE];
    const int failed = ferror(set->labels);
    if (fclose(set->labels) || failed) {
        label_path(path, set->folder);
        complain_of("cannot write '%s': %s", path, strerror(errno));
        is_bad = 1;
    }
    if (!set->is_archive) return is_bad;
    const int status = is_bad || pack(set);
    remove_files(set);
    return status;
}
