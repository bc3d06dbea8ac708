/* SPDX-License-Identifier: MIT
 * Reads what a file says about its network: safetensors metadata (format attractivenet-1, or single
 * keys of other programs); a Keras model_config is walked in keras_net.c. */
#include "mobilenetv2/facts.h"

#include <attractivenet/dataset.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mobilenetv2/keras_net.h"

/* --- our metadata ----------------------------------------------------------------------------- */

/* Read a whole number within limits from a metadata key; *value is unchanged if the key is
 * absent. */
static an_status read_number(const ani_weights *weights, const char *key, int64_t low, int64_t high,
                             int64_t *value, an_error *err) {
    const char *text = an_arrays_metadata(weights->arrays, key), *end;
    double number;
    if (!text) return AN_OK;
    if (!ani_parse_double(text, &end, &number, NULL) || *end || floor(number) < number ||
        number < (double)low || number > (double)high)
        return ani_fail(err, AN_ERR_FORMAT, "model: '%s': %s is '%.40s'; it must be %lld to %lld",
                        weights->path, key, text, (long long)low, (long long)high);
    *value = (int64_t)number;
    return AN_OK;
}

/* Read a number above 0 from a metadata key; *value is unchanged if the key is absent. */
static an_status read_positive(const ani_weights *weights, const char *key, double high,
                               double *value, an_error *err) {
    const char *text = an_arrays_metadata(weights->arrays, key), *end;
    double number;
    if (!text) return AN_OK;
    if (!ani_parse_double(text, &end, &number, NULL) || *end || !(number > 0) || number > high)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model: '%s': %s is '%.40s'; it must be above 0, at most %g", weights->path,
                        key, text, high);
    *value = number;
    return AN_OK;
}

static an_status read_size(ani_weights *weights, an_error *err) {
    int64_t size = 0, height = 0, width = 0;
    an_status st = read_number(weights, "size", 1, 65536, &size, err);
    if (!st) st = read_number(weights, "height", 1, 65536, &height, err);
    if (!st) st = read_number(weights, "width", 1, 65536, &width, err);
    if (st) return st;
    weights->height = (int32_t)(height ? height : size);
    weights->width = (int32_t)(width ? width : size);
    return AN_OK;
}

/* Read a word from a list as its index in it; *value is unchanged if the key is absent. */
static an_status read_word(const ani_weights *weights, const char *key, const char *const *words,
                           int32_t count, int32_t *value, an_error *err) {
    const char *text = an_arrays_metadata(weights->arrays, key);
    if (!text) return AN_OK;
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(text, words[i])) continue;
        *value = i;
        return AN_OK;
    }
    return ani_fail(err, AN_ERR_FORMAT, "model: '%s': %s is '%.40s', which is unknown",
                    weights->path, key, text);
}

void ani_pads_text(char text[ANI_PADS_SIZE], const ani_mnv2_pads *pads) {
    int32_t at = 0;
    for (int32_t i = 0; i <= ANI_MNV2_DOWN; i++) {
        const ani_mnv2_pad *p = i ? &pads->down[i - 1] : &pads->stem;
        at += snprintf(text + at, (size_t)(ANI_PADS_SIZE - at), "%s%d,%d,%d,%d", i ? "," : "",
                       p->top, p->bottom, p->left, p->right);
    }
}

static an_status read_pads(ani_weights *weights, an_error *err) {
    const char *text = an_arrays_metadata(weights->arrays, "pads"), *at = text;
    if (!text) return AN_OK;
    int32_t numbers[4 * (ANI_MNV2_DOWN + 1)];
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    for (int32_t i = 0; i < NUMBERS; i++) {
        const char after = i + 1 < NUMBERS ? ',' : 0;
        if (*at < '0' || *at > '2' || at[1] != after)
            return ani_fail(err, AN_ERR_FORMAT,
                            "model: '%s': pads is '%.60s'; it must be %d numbers of 0 to 2",
                            weights->path, text, (int)NUMBERS);
        numbers[i] = *at - '0';
        at += 2;
    }
    for (int32_t i = 0; i <= ANI_MNV2_DOWN; i++) {
        const int32_t *n = numbers + 4 * (size_t)i;
        *(i ? &weights->pads.down[i - 1] : &weights->pads.stem) =
            (ani_mnv2_pad){n[0], n[1], n[2], n[3]};
    }
    weights->known_pads = ANI_PADS_ALL;
    return AN_OK;
}

/* Keep a name, truncated between two characters if it is too long. */
static void keep_name(ani_weights *weights, const char *name) {
    size_t size = strnlen(name, sizeof weights->base_name);
    if (size == sizeof weights->base_name) {
        do
            size--;
        while (size > 0 && ((unsigned char)name[size] & 0xC0u) == 0x80u);
    }
    memcpy(weights->base_name, name, size);
    weights->base_name[size] = '\0';
}

static an_status read_metadata(ani_weights *weights, an_error *err) {
    static const char *const paddings[] = {"", "fixed", "tutorial", "symmetric"};
    /* "seed" is the name of the article's scale in files from before the first release. */
    static const char *const scales[] = {"", "unit", "tf", "article", "torch", "seed"};
    enum { SEED = 5 };
    static const char *const tasks[] = {"regression", "classification"};
    int64_t seed = -1;
    an_status st = read_positive(weights, "alpha", ANI_MNV2_MAX_ALPHA, &weights->alpha, err);
    if (!st) st = read_positive(weights, "epsilon", ANI_MNV2_MAX_EPSILON, &weights->epsilon, err);
    if (!st) st = read_size(weights, err);
    if (!st) st = read_word(weights, "padding", paddings, 4, &weights->padding, err);
    if (!st) st = read_word(weights, "scale", scales, 6, &weights->scale, err);
    if (!st && weights->scale == SEED) weights->scale = AN_SCALE_ARTICLE;
    if (!st) st = read_word(weights, "task", tasks, 2, &weights->task, err);
    if (!st) st = read_number(weights, "seed", 0, UINT32_MAX, &seed, err);
    if (!st) st = read_pads(weights, err);
    if (st) return st;
    weights->has_seed = seed >= 0;
    weights->seed = seed >= 0 ? (uint32_t)seed : 0;
    const char *name = an_arrays_metadata(weights->arrays, "base_name");
    if (name) keep_name(weights, name);
    return AN_OK;
}

/* --- both ------------------------------------------------------------------------------------- */

/* Our metadata in a Keras file that we wrote, as far as its config does not say the same: the
 * layers are what counts. */
static an_status read_more(ani_weights *weights, an_error *err) {
    ani_weights more = *weights; /* the list stays that of weights */
    const an_status st = read_metadata(&more, err);
    if (st) return st;
    if (!(weights->alpha > 0)) weights->alpha = more.alpha;
    if (!weights->scale) weights->scale = more.scale;
    weights->padding = more.padding;
    weights->has_seed = more.has_seed;
    weights->seed = more.seed;
    return AN_OK;
}

static an_status read_config(ani_weights *weights, const char *json, an_error *err) {
    an_status st = ani_keras_config_read(&weights->config, json, err);
    if (st) return st;
    const ani_keras_config *config = weights->config;
    /* from a name that anyone may write: impossible values are ignored */
    if (config->alpha > 0 && config->alpha <= ANI_MNV2_MAX_ALPHA) weights->alpha = config->alpha;
    keep_name(weights, config->models[config->base].name);
    return ani_keras_net_read(weights, err);
}

an_status ani_facts_read(ani_weights *weights, an_error *err) {
    const char *config = an_arrays_metadata(weights->arrays, "model_config");
    const char *format = an_arrays_metadata(weights->arrays, "format");
    const bool is_ours = format && !strcmp(format, ANI_MODEL_FORMAT);
    if (config) {
        const an_status st = read_config(weights, config, err);
        return st || !is_ours ? st : read_more(weights, err);
    }
    /* "pt", "tf" and "np" are what other programs write there: arrays and nothing more. */
    if (format && !is_ours && strcmp(format, "pt") && strcmp(format, "tf") && strcmp(format, "np"))
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "model: '%s' has format '%.40s'; this library reads '%s'", weights->path,
                        format, ANI_MODEL_FORMAT);
    an_status st = read_metadata(weights, err);
    if (st || !is_ours) return st;
    if (!(weights->alpha > 0) || !weights->height || !weights->width || !weights->padding ||
        !weights->scale)
        return ani_fail(err, AN_ERR_FORMAT,
                        "model: '%s' lacks one of alpha, size, padding, scale in its metadata",
                        weights->path);
    return AN_OK;
}
