/* SPDX-License-Identifier: MIT
 * Fuzz target: a weight file of any tool, up to which of its arrays belongs to which layer. */
#include "fuzz.h"
#include "mobilenetv2/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    an_arrays *arrays = NULL;
    ani_weights weights = {0};
    an_error err;
    an_status st = an_arrays_read_bytes(&arrays, data, (int64_t)size, NULL, &err);
    fuzz_check_status(st, &err);
    if (st) return 0;
    const int64_t count = an_arrays_count(arrays);
    st = ani_weights_open(&weights, arrays, "input", &err);
    fuzz_check_status(st, &err);
    if (!st) {
        for (int32_t i = 0; i < ANI_MNV2_BASE_ARRAYS; i++)
            REQUIRE(weights.base[i] >= 0 && weights.base[i] < count);
        REQUIRE(weights.head_kernel < count && weights.head_bias < count);
        st = ani_weights_find_alpha(&weights, &err);
        fuzz_check_status(st, &err);
        REQUIRE(st || weights.alpha > 0);
    }
    ani_weights_close(&weights);
    return 0;
}
