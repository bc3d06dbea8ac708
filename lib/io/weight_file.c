/* SPDX-License-Identifier: MIT
 * The entry point for all weight files, which are distinguished by their first bytes. */
#include <attractivenet/io.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/arrays.h"
#include "io/keras.h"
#include "io/onnx_file.h"
#include "io/safetensors.h"

static an_status read_hdf5(an_arrays *arrays, ani_file *file, an_error *err) {
    const int64_t size = ani_file_size(file);
    const uint8_t *bytes = ani_file_bytes(file);
    uint8_t *content = NULL;
    an_status st = AN_OK;
    if (!bytes) {
        bytes = content = ani_alloc(size);
        if (!content) return ani_fail_memory(err, size, ani_file_path(file));
        st = ani_file_read(file, 0, content, size, err);
    }
    if (!st) st = ani_keras_read_hdf5(arrays, bytes, size, ani_file_path(file), NULL, err);
    ani_free(content);
    return st;
}

/* Does an archive begin as those of torch.save() do, with "NAME/data.pkl", or, those of
 * TorchScript, with "NAME/data/0"? */
static an_status find_pickle(ani_file *file, bool *found, an_error *err) {
    enum { HEADER = 30, LENGTH_AT = 26, MOST = 256 };
    char bytes[HEADER + MOST + 1] = {0};
    const int64_t size = ani_file_size(file), part = size < HEADER + MOST ? size : HEADER + MOST;
    if (part < HEADER) return AN_OK;
    an_status st = ani_file_read(file, 0, bytes, part, err);
    if (st) return st;
    const uint8_t *length = (const uint8_t *)bytes + LENGTH_AT;
    const int64_t name = length[0] + 256 * (int64_t)length[1];
    if (name > part - HEADER) return AN_OK;
    bytes[HEADER + name] = 0;
    *found = strstr(bytes + HEADER, "/data.pkl") || strstr(bytes + HEADER, "/data/");
    return AN_OK;
}

static an_status refuse_pickle(ani_file *file, const uint8_t head[9], an_error *err) {
    bool found = head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && head[8] != '{'; /* PROTO */
    an_status st = memcmp(head, "PK\3\4", 4) ? AN_OK : find_pickle(file, &found, err);
    if (st || !found) return st;
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "'%s' is a pickle, which can run any code and is not read; convert it: python3 "
                    "-c \"import torch, safetensors.torch as s; "
                    "s.save_file(torch.load('IN.pth', weights_only=True), 'OUT.safetensors')\"",
                    ani_base_name(ani_file_path(file)));
}

an_status ani_arrays_read_file(an_arrays **out, ani_file *file, an_error *err) {
    static const uint8_t hdf5_magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    const char *path = ani_file_path(file);
    an_arrays *arrays = NULL;
    uint8_t head[9] = {0};
    an_status st = AN_OK;
    const int64_t size = ani_file_size(file);
    if (size == 0) {
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' is empty", path);
        goto done;
    }
    st = ani_file_read(file, 0, head, size < 9 ? size : 9, err);
    if (st) goto done;
    st = refuse_pickle(file, head, err);
    if (!st) st = an_arrays_create(&arrays, err);
    if (st) goto done;
    if (!memcmp(head, hdf5_magic, sizeof hdf5_magic))
        st = read_hdf5(arrays, file, err);
    else if (!memcmp(head, "PK\3\4", 4))
        st = ani_keras_read_archive(arrays, file, err);
    else if (head[8] == '{')
        st = ani_safetensors_read(arrays, file, err);
    else if (ani_onnx_begins(head))
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "'%s' is an ONNX file, whose arrays have no names of their own: load it as a "
                      "model",
                      path);
    else
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "'%s' is not a weight file: it is neither safetensors nor HDF5 nor .keras%s",
                      path, head[0] == '<' ? "; it looks like a web page" : "");
    if (st) goto done;
    *out = arrays;
    arrays = NULL;
done:
    an_arrays_destroy(arrays);
    return st;
}

an_status an_arrays_read(an_arrays **out, const char *path, an_error *err) {
    ani_file *file = NULL;
    if (out) *out = NULL;
    if (!out || !path) return ani_fail(err, AN_ERR_ARG, "%s is NULL", out ? "path" : "out");
    an_status st = ani_file_open(&file, path, err);
    if (!st) st = ani_arrays_read_file(out, file, err);
    ani_file_close(file);
    return st;
}

an_status an_arrays_read_bytes(an_arrays **out, const void *bytes, int64_t size, const char *name,
                               an_error *err) {
    ani_file *file = NULL;
    if (out) *out = NULL;
    if (!out || !bytes) return ani_fail(err, AN_ERR_ARG, "%s is NULL", out ? "bytes" : "out");
    if (!name) name = "in memory";
    if (size < 0)
        return ani_fail(err, AN_ERR_ARG, "'%s' has %lld bytes; it must be 0 or more", name,
                        (long long)size);
    an_status st = ani_file_open_bytes(&file, bytes, size, name, err);
    if (!st) st = ani_arrays_read_file(out, file, err);
    ani_file_close(file);
    return st;
}

an_status an_arrays_write(const an_arrays *arrays, const char *path, an_error *err) {
    if (!arrays || !path)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", arrays ? "path" : "arrays");
    return ani_safetensors_write(arrays, path, err);
}

an_status an_arrays_write_bytes(an_bytes **out, const an_arrays *arrays, an_error *err) {
    if (out) *out = NULL;
    if (!out || !arrays) return ani_fail(err, AN_ERR_ARG, "%s is NULL", out ? "arrays" : "out");
    return ani_safetensors_write_bytes(out, arrays, err);
}
