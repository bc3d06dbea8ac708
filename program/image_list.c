/* SPDX-License-Identifier: MIT
 * A list of image files, from files and folders. */
#include "image_list.h"

#include "console.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int compare_names(const void *a, const void *b) {
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    const int names = strcmp(base_name(left), base_name(right));
    return names ? names : strcmp(left, right);
}

static int add_path(image_list *list, const char *path) {
    if (list->count == list->room) {
        const size_t room = list->room ? 2 * list->room : 64;
        char **more = realloc(list->paths, room * sizeof *more);
        if (!more) return complain_of("no memory for %zu paths", room);
        list->paths = more;
        list->room = room;
    }
    list->paths[list->count] = strdup(path);
    if (!list->paths[list->count]) return complain_of("no memory for a path");
    list->count++;
    return 0;
}

/* As the library accepts them in folders of a data set. */
static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png"};
#define ENDINGS_TEXT ".jpg, .jpeg, .jpe, .jfif or .png"

static int is_image_name(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i])) return 1;
    return 0;
}

static int is_hidden_name(const char *name) {
    return name[0] == '.' || !strcmp(name, "__MACOSX");
}

/* Symbolic links to folders are not followed, so every walk ends. */
static int is_folder(const char *path) {
    struct stat found;
    return !lstat(path, &found) && S_ISDIR(found.st_mode);
}

/** Files of a folder that are not used. */
typedef struct skipped_files {
    size_t count;
    char first[PATH_SIZE];
} skipped_files;

static int walk_folder(image_list *list, skipped_files *others, const char *folder) {
    DIR *open = opendir(folder);
    if (!open) return complain_of("cannot open the folder '%s': %s", folder, strerror(errno));
    int status = 0;
    char path[PATH_SIZE];
    for (const struct dirent *entry; (entry = readdir(open));) {
        if (is_hidden_name(entry->d_name)) continue;
        join_path(path, folder, entry->d_name);
        if (is_folder(path))
            status |= walk_folder(list, others, path); /* the other folders are still read */
        else if (is_image_name(entry->d_name))
            status |= add_path(list, path);
        else if (!others->count++)
            memcpy(others->first, path, sizeof path);
    }
    closedir(open);
    return status;
}

static int add_folder(image_list *list, const char *folder) {
    skipped_files others = {0};
    const size_t before = list->count;
    const int status = walk_folder(list, &others, folder);
    if (others.count == 1)
        fprintf(stderr, "warning: skipped '%s', which does not end in " ENDINGS_TEXT "\n",
                others.first);
    else if (others.count)
        fprintf(stderr,
                "warning: skipped %zu files in '%s' that do not end in " ENDINGS_TEXT
                ", such as '%s'\n",
                others.count, folder, others.first);
    if (list->count == before && !status)
        fprintf(stderr, "warning: there are no images in '%s'\n", folder);
    return status;
}

int image_list_add(image_list *list, const char *path) {
    struct stat found;
    const int is_folder_or_link = !stat(path, &found) && S_ISDIR(found.st_mode);
    return is_folder_or_link ? add_folder(list, path) : add_path(list, path);
}

void image_list_sort(image_list *list) {
    if (list->count) qsort(list->paths, list->count, sizeof *list->paths, compare_names);
}

/* The file's name, or its path if another image in the sorted list has the same name. */
static const char *name_in(const image_list *list, size_t i) {
    const char *name = base_name(list->paths[i]);
    const int is_same = (i > 0 && !strcmp(name, base_name(list->paths[i - 1]))) ||
                        (i + 1 < list->count && !strcmp(name, base_name(list->paths[i + 1])));
    return is_same ? list->paths[i] : name;
}

void image_list_print(const image_list *list, size_t index) {
    for (const char *at = name_in(list, index); *at; at++)
        putchar(iscntrl((unsigned char)*at) ? '?' : *at);
}

void image_list_clear(image_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (image_list){0};
}
