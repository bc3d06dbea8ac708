/* SPDX-License-Identifier: MIT
 * The stage table of MobileNetV2. Source: keras.applications.mobilenet_v2. */
#include "mobilenetv2/build.h"

#include <attractivenet/layers.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BLOCKS = 17, EXPANSION = 6 };

/* Filters at alpha 1, and stride, of each block. */
static const struct {
    int32_t filters, stride;
} blocks[BLOCKS] = {{16, 1}, {24, 2},  {24, 1},  {32, 2},  {32, 1}, {32, 1},
                    {64, 2}, {64, 1},  {64, 1},  {64, 1},  {96, 1}, {96, 1},
                    {96, 1}, {160, 2}, {160, 1}, {160, 1}, {320, 1}};

int64_t ani_mnv2_divisible(double value) {
    int64_t rounded = (int64_t)((value + 4) / 8) * 8;
    if (rounded < 8) rounded = 8;
    if ((double)rounded < 0.9 * value) rounded += 8;
    return rounded;
}

/* Padding in one direction: the stem's "same" and the depthwise layers' correct_pad agree. */
static int32_t before(int64_t length) {
    return length % 2 ? 1 : 0;
}

static int64_t halved(int64_t length, int32_t pads) {
    return (length + pads - 3) / 2 + 1;
}

void ani_mnv2_pads_for(ani_mnv2_pads *pads, int32_t padding, int64_t height, int64_t width) {
    int64_t h = height, w = width;
    /* The stem's "same" knows the real size; correct_pad knows it only if the network was built
     * with it, and returns (0, 1) otherwise. */
    const bool symmetric = padding == AN_PADDING_SYMMETRIC;
    pads->stem = (ani_mnv2_pad){symmetric ? 1 : before(h), 1, symmetric ? 1 : before(w), 1};
    h = halved(h, pads->stem.top + 1);
    w = halved(w, pads->stem.left + 1);
    for (int32_t i = 0; i < ANI_MNV2_DOWN; i++) {
        const bool known = padding == AN_PADDING_FIXED;
        pads->down[i] = symmetric
                            ? (ani_mnv2_pad){1, 1, 1, 1}
                            : (ani_mnv2_pad){known ? before(h) : 0, 1, known ? before(w) : 0, 1};
        h = halved(h, pads->down[i].top + 1);
        w = halved(w, pads->down[i].left + 1);
    }
}

/* The list while it is written. */
typedef struct builder {
    ani_unit_spec *units;
    int32_t count;
    int64_t channels; /* of the last value */
} builder;

/* Append a unit that reads the last value; names are prefix + suffix. */
static ani_unit_spec *append(builder *b, int32_t kind, const char *prefix, const char *suffix,
                             int64_t cout) {
    ani_unit_spec *unit = &b->units[b->count];
    memset(unit, 0, sizeof *unit);
    snprintf(unit->conv_name, sizeof unit->conv_name, "%s%s", prefix, suffix);
    snprintf(unit->bn_name, sizeof unit->bn_name, "%s%s_BN", prefix, suffix);
    snprintf(unit->value_name, sizeof unit->value_name, "%s%s_relu", prefix, suffix);
    unit->kind = kind;
    unit->stride = 1;
    unit->relu6 = 1;
    unit->input = b->count - 1; /* ANI_INPUT for the first */
    unit->residual = ANI_INPUT;
    unit->cin = b->channels;
    unit->cout = cout;
    b->count++;
    b->channels = cout;
    return unit;
}

static void set_pad(ani_unit_spec *unit, const ani_mnv2_pad *pad) {
    unit->pad_top = pad->top;
    unit->pad_bottom = pad->bottom;
    unit->pad_left = pad->left;
    unit->pad_right = pad->right;
}

static void append_block(builder *b, int32_t i, double alpha, const ani_mnv2_pad *down) {
    static const ani_mnv2_pad same = {1, 1, 1, 1};
    char prefix[24];
    snprintf(prefix, sizeof prefix, i ? "block_%d_" : "expanded_conv_", i);
    const int64_t cin = b->channels;
    const int64_t cout = ani_mnv2_divisible((double)(int64_t)(blocks[i].filters * alpha));
    const int32_t input = b->count - 1;
    if (i) append(b, ANI_UNIT_POINTWISE, prefix, "expand", cin * EXPANSION);
    ani_unit_spec *depthwise = append(b, ANI_UNIT_DEPTHWISE, prefix, "depthwise", b->channels);
    depthwise->stride = blocks[i].stride;
    set_pad(depthwise, blocks[i].stride == 2 ? down : &same);
    ani_unit_spec *project = append(b, ANI_UNIT_POINTWISE, prefix, "project", cout);
    const bool adds = blocks[i].stride == 1 && cin == cout;
    project->relu6 = 0;
    if (adds) project->residual = input;
    snprintf(project->value_name, sizeof project->value_name, "%s%s", prefix,
             adds ? "add" : "project_BN");
}

void ani_mnv2_units(ani_unit_spec units[ANI_MNV2_UNITS], double alpha, const ani_mnv2_pads *pads) {
    builder b = {units, 0, 3};
    int32_t down = 0;
    ani_unit_spec *stem = append(&b, ANI_UNIT_FULL, "Conv1", "", ani_mnv2_divisible(32 * alpha));
    snprintf(stem->bn_name, sizeof stem->bn_name, "bn_Conv1");
    stem->stride = 2;
    set_pad(stem, &pads->stem);
    for (int32_t i = 0; i < BLOCKS; i++) {
        append_block(&b, i, alpha, &pads->down[down]);
        if (blocks[i].stride == 2 && down + 1 < ANI_MNV2_DOWN) down++;
    }
    ani_unit_spec *last = append(&b, ANI_UNIT_POINTWISE, "Conv_1", "",
                                 alpha > 1 ? ani_mnv2_divisible(1280 * alpha) : 1280);
    snprintf(last->bn_name, sizeof last->bn_name, "Conv_1_bn");
    snprintf(last->value_name, sizeof last->value_name, "out_relu");
}

static bool alpha_fits(ani_unit_spec *units, const int64_t *filters, double alpha) {
    ani_mnv2_pads pads;
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, 224, 224);
    ani_mnv2_units(units, alpha, &pads);
    for (int32_t u = 0; u < ANI_MNV2_UNITS; u++)
        if (units[u].kind != ANI_UNIT_DEPTHWISE && filters[u] != units[u].cout) return false;
    return true;
}

double ani_mnv2_find_alpha(ani_unit_spec units[ANI_MNV2_UNITS],
                           const int64_t filters[ANI_MNV2_UNITS], double stated) {
    static const double usual[] = {1.0, 0.35, 0.5, 0.75, 1.3, 1.4};
    enum { USUAL = sizeof usual / sizeof *usual, HUNDREDTHS = 1000 };
    if (stated > 0 && alpha_fits(units, filters, stated)) return stated;
    for (int32_t i = 0; i < USUAL; i++)
        if (alpha_fits(units, filters, usual[i])) return usual[i];
    for (int32_t i = 1; i <= HUNDREDTHS; i++)
        if (alpha_fits(units, filters, i / 100.0)) return i / 100.0;
    return 0;
}
