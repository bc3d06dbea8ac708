/* SPDX-License-Identifier: MIT
 * Fuzz target: JPEG and PNG, as bytes of an image in a data set. */
#include <attractivenet/io.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    an_image *image = NULL;
    an_error err;
    an_image_limits limits;
    an_image_limits_init(&limits, sizeof limits);
    limits.max_pixels = 1 << 20;
    limits.max_memory = 16 << 20;
    limits.max_scans = 30;
    const an_status st = an_image_decode(&image, data, (int64_t)size, "input", &limits, &err);
    fuzz_check_status(st, &err);
    if (st) {
        REQUIRE(!image);
        return 0;
    }
    const int64_t height = an_image_height(image), width = an_image_width(image);
    REQUIRE(height > 0 && width > 0 && height * width <= limits.max_pixels);
    fuzz_touch(an_image_const_data(image), height * width * 3);
    an_image_destroy(image);
    return 0;
}
