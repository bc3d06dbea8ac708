/* SPDX-License-Identifier: MIT
 * Byte buffers that own their memory. */
#include "io/bytes.h"

#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

struct an_bytes {
    int64_t size;
    uint8_t *data;
};

an_status ani_bytes_create(an_bytes **out, int64_t size, uint8_t **data, const char *what,
                           an_error *err) {
    *out = NULL;
    an_bytes *bytes = ani_alloc_zero(1, sizeof *bytes);
    if (!bytes) return ani_fail_memory(err, sizeof *bytes, what);
    bytes->size = size;
    bytes->data = ani_alloc(size);
    if (!bytes->data) {
        an_bytes_destroy(bytes);
        return ani_fail_memory(err, size, what);
    }
    *data = bytes->data;
    *out = bytes;
    return AN_OK;
}

const uint8_t *an_bytes_data(const an_bytes *bytes) {
    return bytes ? bytes->data : NULL;
}

int64_t an_bytes_size(const an_bytes *bytes) {
    return bytes ? bytes->size : 0;
}

void an_bytes_destroy(an_bytes *bytes) {
    if (!bytes) return;
    ani_free(bytes->data);
    ani_free(bytes);
}
