/* SPDX-License-Identifier: MIT
 * Image files named on a command line, directly or by their folders. */
#ifndef PROGRAM_IMAGE_LIST_H
#define PROGRAM_IMAGE_LIST_H

#include <stddef.h>

/** Paths of images. Begin with {0}. */
typedef struct image_list {
    char **paths;
    size_t count, room;
} image_list;

/** Add a file, or the images of a folder and its sub-folders. Skipped files are counted on stderr.
 *  Returns 0, or 1 after printing what could not be read; the others are added. */
int image_list_add(image_list *list, const char *path);

/** Sort by name, then by path. */
void image_list_sort(image_list *list);

/** Print what identifies an image in a sorted list: its name, or its path if another image has the
 *  same name. Control characters become '?', as they would break a table. */
void image_list_print(const image_list *list, size_t index);

void image_list_clear(image_list *list); /**< Free the paths. */

#endif
