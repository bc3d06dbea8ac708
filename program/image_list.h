/* SPDX-License-Identifier: MIT
 * Image files that a command line names: themselves, or folders of them. */
#ifndef PROGRAM_IMAGE_LIST_H
#define PROGRAM_IMAGE_LIST_H

#include <stddef.h>

/** Paths of images. Begin with {0}. */
typedef struct image_list {
    char **paths;
    size_t count, room;
} image_list;

/** Add a file, or the images of a folder and of those in it. Files that are not taken are counted
 *  on stderr. Returns 0, or 1 after saying what could not be read; the others are there. */
int image_list_add(image_list *list, const char *path);

/** Sort by name, and by path where two have one name. */
void image_list_sort(image_list *list);

/** Print what tells an image of a sorted list from the others: its name, or its path if another
 *  one has that name, too. Control characters become '?': they would break a table. */
void image_list_print(const image_list *list, size_t index);

void image_list_clear(image_list *list); /**< Free the paths. */

#endif
