/* SPDX-License-Identifier: MIT
 * Fuzz target: the JSON model_config of a Keras file. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "io/keras.h"

static void check_layer(const ani_keras_layer *layer) {
    REQUIRE(memchr(layer->class_name, 0, sizeof layer->class_name));
    REQUIRE(memchr(layer->name, 0, sizeof layer->name));
    REQUIRE(memchr(layer->activation, 0, sizeof layer->activation));
    const int32_t settings[] = {layer->padding,       layer->top,           layer->bottom,
                                layer->left,          layer->right,         layer->filters,
                                layer->units,         layer->kernel_height, layer->kernel_width,
                                layer->stride_height, layer->stride_width};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        REQUIRE(settings[i] >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ani_keras_config *config = NULL;
    an_error err;
    char *text = malloc(size + 1);
    REQUIRE(text);
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    const an_status st = ani_keras_config_read(&config, text, &err);
    free(text);
    fuzz_check_status(st, &err);
    if (st) {
        REQUIRE(!config);
        return 0;
    }
    for (int64_t i = 0; i < config->base_count; i++) {
        check_layer(&config->base[i]);
        REQUIRE(ani_keras_config_find(config, config->base[i].name));
    }
    for (int64_t i = 0; i < config->head_count; i++)
        check_layer(&config->head[i]);
    REQUIRE(config->height >= -1 && config->width >= -1 && config->channels >= -1);
    REQUIRE(config->alpha == -1 || config->alpha > 0);
    ani_keras_config_free(config);
    return 0;
}
