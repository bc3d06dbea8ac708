/* SPDX-License-Identifier: MIT
 * Fuzz target: Keras files, HDF5 and the .keras archive, told apart by their first bytes. */
#include "fuzz.h"
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    an_arrays *arrays = NULL;
    an_error err;
    const an_status st = an_arrays_read_bytes(&arrays, data, (int64_t)size, NULL, &err);
    fuzz_check_status(st, &err);
    if (st) {
        REQUIRE(!arrays);
        return 0;
    }
    /* A member of an archive may be deflated. */
    fuzz_check_arrays(arrays, size * 1032 + 1032);
    an_arrays_destroy(arrays);
    return 0;
}
