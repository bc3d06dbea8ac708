/* SPDX-License-Identifier: MIT
 * Summaries of a model as tables: as Keras prints them, and layer by layer. */
#include "layers/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { LINE = 65, COLUMNS = 3 };
static const int32_t column_end[COLUMNS] = {29, 55, 65}; /* 45 %, 85 % and 100 % of the line */

static void rule(ani_text *text, char sign) {
    char line[LINE + 1];
    memset(line, sign, LINE);
    line[LINE] = 0;
    ani_text_print(text, "%s\n", line);
}

/* Print a row as tf_keras 2.19 does: a blank before each row, text that does not fit continues on
 * the next line, two blanks between columns. Source: tf_keras layer_utils.print_summary. */
static void wrapped_row(ani_text *text, const char *const fields[COLUMNS]) {
    const char *left[COLUMNS] = {fields[0], fields[1], fields[2]};
    while (*left[0] || *left[1] || *left[2]) {
        char line[LINE + 1];
        int32_t at = 0;
        memset(line, ' ', LINE);
        line[LINE] = 0;
        for (int32_t i = 0; i < COLUMNS; i++) {
            const int32_t start = i ? column_end[i - 1] : 0;
            const int32_t last = i == COLUMNS - 1;
            const int32_t room = column_end[i] - start - (last ? 0 : 3);
            const int32_t length = (int32_t)strnlen(left[i], (size_t)room);
            at = i ? start : 1;
            memcpy(line + at, left[i], (size_t)length);
            left[i] += length;
        }
        ani_text_print(text, "%s\n", line);
    }
}

/* Print a row as TF 2.1 does: text that does not fit is truncated, one blank between columns. */
static void cut_row(ani_text *text, const char *const fields[COLUMNS]) {
    char line[LINE + 1];
    memset(line, ' ', LINE);
    line[LINE] = 0;
    for (int32_t i = 0; i < COLUMNS; i++) {
        const int32_t start = i ? column_end[i - 1] : 0;
        memcpy(line + start, fields[i], strnlen(fields[i], (size_t)(column_end[i] - start)));
        if (i) line[start - 1] = ' ';
    }
    ani_text_print(text, "%s\n", line);
}

/* The counts of a table; those of the base exclude the head. */
typedef struct counts {
    int64_t all, trainable, base, head;
} counts;

static counts count(const an_model *model) {
    an_model_info info = {.struct_size = sizeof info};
    an_model_describe(model, &info, NULL);
    const int64_t head = ((int64_t)info.features + 1) * info.outputs;
    return (counts){info.parameters, info.trainable, info.parameters - head, head};
}

/* Write a count of floats as tf_keras does: "8.62 MB". */
static void memory_text(char *out, size_t size, int64_t floats) {
    static const char *const units[] = {"Byte", "KB", "MB", "GB", "TB", "PB"};
    double bytes = (double)floats * 4;
    int32_t unit = 0;
    while (bytes >= 1024 && unit < 5) {
        bytes /= 1024;
        unit++;
    }
    const int64_t hundredths = llround(bytes * 100); /* by hand: a point in every locale */
    snprintf(out, size, "%lld.%02lld %s", (long long)(hundredths / 100),
             (long long)(hundredths % 100), units[unit]);
}

static void keras_table(ani_text *text, const an_model *model) {
    const counts c = count(model);
    const ani_net *net = ani_model_net(model);
    char base[ANI_FACT_SIZE + 16], features[48], outputs[48], numbers[2][24], sizes[3][32];
    snprintf(base, sizeof base, "%s (Functional)", ani_model_facts_of(model)->base_name);
    snprintf(features, sizeof features, "(None, %lld)", (long long)ani_net_features(net));
    snprintf(outputs, sizeof outputs, "(None, %d)", ani_net_spec_of(net)->outputs);
    snprintf(numbers[0], sizeof numbers[0], "%lld", (long long)c.base);
    snprintf(numbers[1], sizeof numbers[1], "%lld", (long long)c.head);
    const int64_t totals[3] = {c.all, c.trainable, c.all - c.trainable};
    const char *const names[3] = {"Total", "Trainable", "Non-trainable"};
    const char *const blank[COLUMNS] = {" ", " ", " "};
    ani_text_print(text, "Model: \"attractiveNet_mnv2\"\n");
    rule(text, '_');
    wrapped_row(text, (const char *const[]){"Layer (type)", "Output Shape", "Param #"});
    rule(text, '=');
    wrapped_row(text, (const char *const[]){base, features, numbers[0]});
    wrapped_row(text, blank);
    wrapped_row(text, (const char *const[]){"dense (Dense)", outputs, numbers[1]});
    wrapped_row(text, blank);
    rule(text, '=');
    for (int32_t i = 0; i < 3; i++) {
        memory_text(sizes[i], sizeof sizes[i], totals[i]);
        ani_text_print(text, "%s params: %lld (%s)\n", names[i], (long long)totals[i], sizes[i]);
    }
    rule(text, '_');
}

/* Write a number with commas between groups of three digits, in every locale. */
static void grouped_text(char *out, size_t size, int64_t value) {
    char digits[24];
    const size_t length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t at = 0;
    for (size_t i = 0; i < length && at + 2 < size; i++) {
        if (i && (length - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

static void notebook_table(ani_text *text, const an_model *model) {
    const counts c = count(model);
    const ani_net *net = ani_model_net(model);
    char base[ANI_FACT_SIZE + 16], features[48], outputs[48], numbers[2][24], totals[3][32];
    snprintf(base, sizeof base, "%s (Model)", ani_model_facts_of(model)->notebook_name);
    snprintf(features, sizeof features, "(None, %lld)", (long long)ani_net_features(net));
    snprintf(outputs, sizeof outputs, "(None, %d)", ani_net_spec_of(net)->outputs);
    snprintf(numbers[0], sizeof numbers[0], "%lld", (long long)c.base);
    snprintf(numbers[1], sizeof numbers[1], "%lld", (long long)c.head);
    grouped_text(totals[0], sizeof totals[0], c.all);
    grouped_text(totals[1], sizeof totals[1], c.trainable);
    grouped_text(totals[2], sizeof totals[2], c.all - c.trainable);
    ani_text_print(text, "Model: \"attractiveNet_mnv2\"\n");
    rule(text, '_');
    cut_row(text, (const char *const[]){"Layer (type)", "Output Shape", "Param #"});
    rule(text, '=');
    cut_row(text, (const char *const[]){base, features, numbers[0]});
    rule(text, '_');
    cut_row(text, (const char *const[]){"dense_1 (Dense)", outputs, numbers[1]});
    rule(text, '=');
    ani_text_print(text, "Total params: %s\nTrainable params: %s\nNon-trainable params: %s\n",
                   totals[0], totals[1], totals[2]);
    rule(text, '_');
}

static void layer_rows(ani_text *text, const ani_net *net, int32_t u) {
    static const char *const kinds[] = {"Conv2D 3x3", "Conv2D 1x1", "DepthwiseConv2D 3x3"};
    const ani_unit_spec *s = &ani_net_spec_of(net)->units[u];
    const ani_net_array *kernel = ani_net_array_at(net, (int64_t)u * 5);
    int64_t height, width;
    char shape[64], pads[64], kind[48];
    ani_net_unit_size(net, u, &height, &width);
    snprintf(shape, sizeof shape, "(%lld, %lld, %lld)", (long long)height, (long long)width,
             (long long)s->cout);
    snprintf(pads, sizeof pads, "(%d,%d),(%d,%d)", s->pad_top, s->pad_bottom, s->pad_left,
             s->pad_right);
    snprintf(kind, sizeof kind, "%s%s", kinds[s->kind], s->stride == 2 ? " /2" : "");
    ani_text_print(text, "%-28s %-26s %-20s %10lld  %s\n", s->conv_name, kind, shape,
                   (long long)kernel->count, pads);
    ani_text_print(text, "%-28s %-26s %-20s %10lld\n", s->bn_name, "BatchNormalization", shape,
                   (long long)(4 * s->cout));
    if (s->relu6)
        ani_text_print(text, "%-28s %-26s %-20s %10d\n", s->value_name, "ReLU6", shape, 0);
    if (s->residual != ANI_INPUT)
        ani_text_print(text, "%-28s %-26s %-20s %10d  %s\n", s->value_name, "Add", shape, 0,
                       ani_net_spec_of(net)->units[s->residual].value_name);
}

static void layer_table(ani_text *text, const an_model *model) {
    const ani_net *net = ani_model_net(model);
    const ani_net_spec *spec = ani_net_spec_of(net);
    const counts c = count(model);
    char size[64];
    snprintf(size, sizeof size, "(%lld, %lld, 3)", (long long)spec->height, (long long)spec->width);
    ani_text_print(text, "%-28s %-26s %-20s %10s  %s\n", "layer", "kind", "output", "parameters",
                   "padding (rows),(columns); added layer");
    ani_text_print(text, "%-28s %-26s %-20s %10d\n", "input", "InputLayer", size, 0);
    for (int32_t u = 0; u < spec->unit_count; u++)
        layer_rows(text, net, u);
    snprintf(size, sizeof size, "(%lld)", (long long)ani_net_features(net));
    ani_text_print(text, "%-28s %-26s %-20s %10d\n", "global_average_pooling2d",
                   "GlobalAveragePooling2D", size, 0);
    snprintf(size, sizeof size, "(%d)", spec->outputs);
    ani_text_print(text, "%-28s %-26s %-20s %10lld\n", "dense", "Dense", size, (long long)c.head);
    ani_text_print(text, "parameters %lld, trainable %lld, fixed %lld\n", (long long)c.all,
                   (long long)c.trainable, (long long)(c.all - c.trainable));
    ani_text_print(text, "epsilon of BatchNormalization %g\n", spec->epsilon);
}

int64_t an_model_summary(const an_model *model, int32_t style, char *text, int64_t capacity) {
    ani_text table = {0};
    if (text && capacity > 0) *text = 0;
    if (!model || style < AN_SUMMARY_KERAS || style > AN_SUMMARY_LAYERS) return 0;
    switch (style) {
    case AN_SUMMARY_NOTEBOOK:
        notebook_table(&table, model);
        break;
    case AN_SUMMARY_LAYERS:
        layer_table(&table, model);
        break;
    default:
        keras_table(&table, model);
    }
    const int64_t needed = table.size + 1;
    if (text && capacity > 0) {
        const int64_t size = table.size < capacity ? table.size : capacity - 1;
        if (size > 0) memcpy(text, table.bytes, (size_t)size);
        text[size] = 0;
    }
    ani_text_clear(&table);
    return needed;
}
