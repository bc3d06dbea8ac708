/* SPDX-License-Identifier: MIT
 * Fuzz target: a label file, read strictly and with bad lines left out: lines and tables with a
 * header, one number, two numbers, a number with a weight, and classes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/io.h>

#include "dataset/csv.h"
#include "dataset/dataset.h"
#include "dataset/labels.h"
#include "fuzz.h"

/* What classes become once all labels are known. */
static void settle(ani_classes *classes, const ani_labels *labels) {
    int32_t *places = malloc(((size_t)classes->count + 1) * sizeof *places);
    an_error err;
    REQUIRE(places);
    for (int64_t i = 0; i < labels->count; i++)
        REQUIRE(labels->items[i] >= 0 && labels->items[i] < classes->count);
    const an_status st = ani_classes_settle(classes, places, &err);
    fuzz_check_status(st, &err);
    REQUIRE(st || classes->count >= 2);
    for (int32_t i = 0; !st && i < classes->count; i++) {
        const char *name = ani_classes_name(classes, i);
        REQUIRE(places[i] >= 0 && places[i] < classes->count);
        REQUIRE(ani_classes_find(classes, name, (int64_t)strlen(name)) == i);
    }
    free(places);
}

static an_status read_labels(const uint8_t *data, size_t size, bool is_table, ani_labels_form form,
                             int64_t *count) {
    ani_labels labels;
    ani_classes classes = {0};
    an_error err;
    /* The readers may look at the zero byte after the end, not at what comes then. */
    uint8_t *bytes = malloc(size + 1);
    REQUIRE(bytes);
    if (size) memcpy(bytes, data, size);
    bytes[size] = 0;
    if (form.classes) form.classes = &classes;
    const an_status st =
        is_table ? ani_csv_read(&labels, "labels.csv", bytes, (int64_t)size, &form, &err)
                 : ani_labels_read(&labels, "labels.txt", bytes, (int64_t)size, &form, &err);
    fuzz_check_status(st, &err);
    *count = labels.count;
    if (st) {
        REQUIRE(!labels.entries && labels.count == 0);
        goto done;
    }
    REQUIRE(labels.count > 0);
    REQUIRE(form.policy == AN_POLICY_SKIP || labels.skipped == 0);
    uint32_t line = 0;
    for (int64_t i = 0; i < labels.count; i++) {
        const ani_label *label = &labels.entries[i];
        /* a character of UTF-16 in 2 bytes has up to 3 in UTF-8 */
        REQUIRE(label->size > 0 && label->offset + label->size <= size + size / 2);
        REQUIRE(label->folders <= label->offset && (is_table || !label->folders));
        REQUIRE(label->line > line);
        line = label->line;
        REQUIRE(!memchr(labels.bytes + label->offset, 0, label->size));
        REQUIRE(ani_labels_find(&labels, labels.bytes + label->offset, label->size) == i);
        for (int32_t k = 0; labels.values && k < form.outputs; k++)
            REQUIRE(isfinite(labels.values[i * form.outputs + k]));
        if (labels.weights) REQUIRE(ani_weight_is_valid(labels.weights[i]));
    }
    REQUIRE(ani_labels_find(&labels, "no such name", 12) < 0);
    REQUIRE(!form.classes == !labels.items && !form.weight_column == !labels.weights);
    if (form.classes) settle(&classes, &labels);
done:
    ani_labels_clear(&labels);
    ani_classes_clear(&classes);
    free(bytes);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ani_classes some; /* stands for "of this reading" */
    const ani_labels_form forms[] = {{.outputs = 1},
                                     {.outputs = 2},
                                     {.outputs = 1, .classes = &some},
                                     {.outputs = 1, .weight_column = "w"}};
    for (int is_table = 0; is_table < 2; is_table++)
        for (int i = 0; i < 3 + is_table; i++) {
            int64_t strict, skipping;
            ani_labels_form form = forms[i];
            const an_status st = read_labels(data, size, is_table, form, &strict);
            form.policy = AN_POLICY_SKIP;
            read_labels(data, size, is_table, form, &skipping);
            REQUIRE(st || strict == skipping);
        }
    return 0;
}
