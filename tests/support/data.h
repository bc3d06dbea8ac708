/* SPDX-License-Identifier: MIT
 * Small data sets for tests: drawn images with labels, in a folder or an archive. */
#ifndef SUPPORT_DATA_H
#define SUPPORT_DATA_H

#include <stdint.h>

#include <attractivenet/dataset.h>

/** Draw an image into rgb [height,width,3]: smooth shapes with some grain, different for each
 * number. */
void data_draw(uint8_t *rgb, int64_t height, int64_t width, int64_t number);
/** Return the score that data_folder() and data_pixels() give to an image by its number. */
double data_score(int64_t number);

/** Write "P0000.jpg" ... and "All_labels.txt" into a folder. Fails the test. */
void data_folder(const char *folder, int64_t count, int64_t height, int64_t width);
/** Put all files of a folder (not of its sub-folders) into a new archive, with a prefix. */
void data_zip(const char *archive, const char *folder, const char *prefix);
/** The same, with sub-folders. */
void data_zip_tree(const char *archive, const char *folder, const char *prefix);
/** Make a data set of drawn images in memory. */
an_dataset *data_pixels(int64_t count, int32_t height, int32_t width);

#endif
