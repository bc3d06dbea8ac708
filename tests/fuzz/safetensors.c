/* SPDX-License-Identifier: MIT
 * Fuzz target: safetensors, the format of our own model files. */
#include "base/file.h"
#include "fuzz.h"
#include "io/safetensors.h"
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    an_arrays *arrays = NULL;
    ani_file *file = NULL;
    an_error err;
    REQUIRE(!ani_file_open_bytes(&file, data, (int64_t)size, "input", &err));
    REQUIRE(!an_arrays_create(&arrays, &err));
    const an_status st = ani_safetensors_read(arrays, file, &err);
    fuzz_check_status(st, &err);
    if (!st) fuzz_check_arrays(arrays, size);
    an_arrays_destroy(arrays);
    ani_file_close(file);
    return 0;
}
