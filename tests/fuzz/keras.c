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
    /* A member of an archive may be deflated, and so may the chunks of an array: of all bytes, a
     * MiB and 200 times what they are made of. */
    const size_t member = size * 1032 + 1032;
    fuzz_check_arrays(arrays, member * 200 + (1 << 20));
    an_arrays_destroy(arrays);
    return 0;
}
