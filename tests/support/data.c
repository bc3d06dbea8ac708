/* SPDX-License-Identifier: MIT
 * Small data sets for tests. */
#include "support/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

#include "support/folder.h"

void data_draw(uint8_t *rgb, int64_t height, int64_t width, int64_t number) {
    uint32_t grain = (uint32_t)number * 2654435761u + 1;
    for (int64_t i = 0; i < height; i++)
        for (int64_t j = 0; j < width; j++)
            for (int64_t k = 0; k < 3; k++) {
                const double y = (double)i / (double)height, x = (double)j / (double)width;
                grain = grain * 1664525u + 1013904223u;
                const double wave =
                    sin(9.0 * x + (double)number) * cos(7.0 * y + (double)(k * number));
                rgb[(i * width + j) * 3 + k] =
                    (uint8_t)(128.0 + 90.0 * wave + 30.0 * (double)(grain >> 24) / 255.0);
            }
}

double data_score(int64_t number) {
    return 1.0 + (double)(number % 33) / 8.0;
}

void data_folder(const char *folder, int64_t count, int64_t height, int64_t width) {
    uint8_t *rgb = malloc((size_t)(height * width * 3));
    char *labels = calloc((size_t)count + 1, 32);
    int64_t size = 0;
    for (int64_t i = 0; i < count; i++) {
        an_image *image;
        char name[32];
        data_draw(rgb, height, width, i);
        snprintf(name, sizeof name, "P%04lld.jpg", (long long)i);
        assert_int_equal(an_image_create(&image, rgb, height, width, NULL), AN_OK);
        assert_int_equal(an_image_write_jpeg(image, folder_path(folder, name), 90, NULL), AN_OK);
        an_image_destroy(image);
        size += snprintf(labels + size, 32, "%s %.3f\n", name, data_score(i));
    }
    folder_write(folder_path(folder, "All_labels.txt"), labels, size);
    free(labels);
    free(rgb);
}

typedef struct packing {
    const char *folder;
    const char *prefix;
    zip_t *zip;
    bool deep;
} packing;

static void pack(void *user, const char *name) {
    const packing *p = user;
    char member[512];
    struct stat info;
    snprintf(member, sizeof member, "%s%s", p->prefix, name);
    assert_int_equal(stat(folder_path(p->folder, name), &info), 0);
    if (S_ISDIR(info.st_mode)) {
        char folder[512];
        packing below = {.folder = folder, .prefix = member, .zip = p->zip, .deep = true};
        if (!p->deep) return;
        snprintf(folder, sizeof folder, "%s", folder_path(p->folder, name));
        snprintf(member, sizeof member, "%s%s/", p->prefix, name);
        folder_walk(folder, pack, &below);
        return;
    }
    zip_source_t *source = zip_source_file(p->zip, folder_path(p->folder, name), 0, -1);
    assert_non_null(source);
    assert_true(zip_file_add(p->zip, member, source, 0) >= 0);
}

static void zip_folder(const char *archive, packing *p) {
    p->zip = zip_open(archive, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(p->zip);
    folder_walk(p->folder, pack, p);
    assert_int_equal(zip_close(p->zip), 0);
}

void data_zip(const char *archive, const char *folder, const char *prefix) {
    packing p = {.folder = folder, .prefix = prefix};
    zip_folder(archive, &p);
}

void data_zip_tree(const char *archive, const char *folder, const char *prefix) {
    packing p = {.folder = folder, .prefix = prefix, .deep = true};
    zip_folder(archive, &p);
}

an_dataset *data_pixels(int64_t count, int32_t height, int32_t width) {
    const int64_t image = (int64_t)height * width * 3;
    uint8_t *rgb = malloc((size_t)(count * image));
    double *scores = malloc((size_t)count * sizeof *scores);
    for (int64_t i = 0; i < count; i++) {
        data_draw(rgb + i * image, height, width, i);
        scores[i] = data_score(i);
    }
    an_dataset *dataset;
    assert_int_equal(
        an_dataset_from_pixels(&dataset, rgb, count, height, width, scores, 1, NULL, NULL), AN_OK);
    free(rgb);
    free(scores);
    return dataset;
}
