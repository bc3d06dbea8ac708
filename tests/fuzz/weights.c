/* SPDX-License-Identifier: MIT
 * What the targets for weight files share. */
#include "weights.h"

#include <string.h>

#include "base/text.h"
#include "fuzz.h"

void fuzz_check_arrays(const an_arrays *arrays, size_t size) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const char *name = an_arrays_name(arrays, i);
        const int32_t rank = an_arrays_rank(arrays, i);
        int64_t count = 1;
        REQUIRE(name && name[0] && ani_is_utf8(name, (int64_t)strlen(name)));
        REQUIRE(an_arrays_find(arrays, name) == i);
        REQUIRE(rank >= 0 && rank <= 8);
        for (int32_t axis = 0; axis < rank; axis++) {
            REQUIRE(an_arrays_length(arrays, i, axis) >= 0);
            count *= an_arrays_length(arrays, i, axis);
        }
        fuzz_touch(an_arrays_data(arrays, i), count * (int64_t)sizeof(float));
        bytes += count; /* at least a byte a number lies in the file, and none twice */
        REQUIRE(bytes <= (int64_t)size);
    }
    for (int64_t i = 0; i < an_arrays_metadata_count(arrays); i++) {
        const char *key = an_arrays_metadata_key(arrays, i);
        REQUIRE(key && an_arrays_metadata(arrays, key));
        fuzz_touch(an_arrays_metadata(arrays, key),
                   (int64_t)strlen(an_arrays_metadata(arrays, key)));
    }
}
