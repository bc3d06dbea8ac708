/* SPDX-License-Identifier: MIT
 * File types, determined by the readers that will read the files. */
#include "io/content.h"

#include <string.h>

#include "base/file.h"
#include "io/hdf5_format.h"
#include "io/zip.h"

const char *ani_content_type(const void *head, int64_t size) {
    static const uint8_t hdf5_magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    if (size >= 4 && (!memcmp(head, "PK\3\4", 4) || !memcmp(head, "PK\5\6", 4))) return "zip";
    if (size >= 8 && !memcmp(head, hdf5_magic, sizeof hdf5_magic)) return "hdf5";
    return "any";
}

static an_status read_zip(const char *path, an_error *err) {
    ani_zip *zip = NULL;
    const an_status st = ani_zip_open(&zip, path, NULL, err);
    ani_zip_close(zip);
    return st;
}

/* The superblock is at the beginning, and nothing else is checked. */
static an_status read_hdf5(const char *path, an_error *err) {
    uint8_t head[128] = {0};
    ani_file *file = NULL;
    an_status st = ani_file_open(&file, path, err);
    if (st) return st;
    ani_hdf5 hdf5 = {.bytes = head, .size = ani_file_size(file), .name = path};
    st = ani_file_read(file, 0, head, hdf5.size < 128 ? hdf5.size : 128, err);
    if (!st) st = ani_hdf5_read_superblock(&hdf5, err);
    ani_file_close(file);
    return st;
}

an_status ani_content_is_whole(bool *is_whole, const char *path, const char *type, an_error *err) {
    an_status st = AN_OK;
    if (!strcmp(type, "zip")) st = read_zip(path, err);
    if (!strcmp(type, "hdf5")) st = read_hdf5(path, err);
    *is_whole = st != AN_ERR_FORMAT;
    return st == AN_ERR_IO || st == AN_ERR_NOMEM ? st : AN_OK;
}
