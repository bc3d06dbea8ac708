/* SPDX-License-Identifier: MIT
 * Fuzz target: a label file, read strictly and with bad lines left out, for one and two outputs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

#include "dataset/labels.h"
#include "fuzz.h"

static an_status read_labels(const uint8_t *bytes, size_t size, int32_t outputs, int32_t policy,
                             int64_t *count) {
    ani_labels labels;
    const ani_labels_form form = {.outputs = outputs, .policy = policy};
    an_error err;
    const an_status st = ani_labels_read(&labels, "labels.txt", bytes, (int64_t)size, &form, &err);
    fuzz_check_status(st, &err);
    *count = labels.count;
    if (st) {
        REQUIRE(!labels.entries && labels.count == 0);
        return st;
    }
    REQUIRE(labels.count > 0 && labels.form.outputs == outputs);
    REQUIRE(policy == AN_POLICY_SKIP || labels.skipped == 0);
    uint32_t line = 0;
    for (int64_t i = 0; i < labels.count; i++) {
        const ani_label *label = &labels.entries[i];
        /* a character of UTF-16 in 2 bytes has up to 3 in UTF-8 */
        REQUIRE(label->size > 0 && label->offset + label->size <= size + size / 2);
        REQUIRE(label->line > line);
        line = label->line;
        REQUIRE(!memchr(labels.bytes + label->offset, 0, label->size));
        REQUIRE(ani_labels_find(&labels, labels.bytes + label->offset, label->size) == i);
        for (int32_t k = 0; k < outputs; k++)
            REQUIRE(isfinite(labels.values[i * outputs + k]));
    }
    REQUIRE(ani_labels_find(&labels, "no such name", 12) < 0);
    ani_labels_clear(&labels);
    return AN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* The reader may look at the zero byte after the end, not at what comes then. */
    uint8_t *bytes = malloc(size + 1);
    REQUIRE(bytes);
    if (size) memcpy(bytes, data, size);
    bytes[size] = 0;
    for (int32_t outputs = 1; outputs <= 2; outputs++) {
        int64_t strict, skipping;
        const an_status st = read_labels(bytes, size, outputs, AN_POLICY_STRICT, &strict);
        read_labels(bytes, size, outputs, AN_POLICY_SKIP, &skipping);
        REQUIRE(st || strict == skipping);
    }
    free(bytes);
    return 0;
}
