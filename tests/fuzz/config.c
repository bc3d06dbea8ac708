/* SPDX-License-Identifier: MIT
 * Fuzz target: the JSON model_config of a Keras file. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mobilenetv2/keras_net.h"

static void check_layer(const ani_keras_config *config, int64_t i) {
    const ani_keras_layer *layer = &config->layers[i];
    REQUIRE(memchr(layer->class_name, 0, sizeof layer->class_name));
    REQUIRE(memchr(layer->name, 0, sizeof layer->name));
    REQUIRE(memchr(layer->padding, 0, sizeof layer->padding));
    REQUIRE(memchr(layer->activation, 0, sizeof layer->activation));
    REQUIRE(memchr(layer->data_format, 0, sizeof layer->data_format));
    REQUIRE(memchr(layer->dtype, 0, sizeof layer->dtype));
    REQUIRE(memchr(layer->unknown, 0, sizeof layer->unknown));
    REQUIRE(layer->filters >= -1 && layer->units >= -1 && layer->groups >= 0);
    REQUIRE(layer->kernel_size[0] >= -1 && layer->strides[1] >= 0 && layer->sides[3] >= 0);
    REQUIRE(layer->axis >= 0 && layer->axis <= 3);
    REQUIRE(layer->gain.count == 0 || layer->gain.count == 1 || layer->gain.count == 3);
    for (int axis = 0; axis < 3; axis++)
        REQUIRE(layer->shape[axis] >= -1);
    REQUIRE(layer->model >= 0 && layer->model < config->model_count);
    REQUIRE(layer->input_count >= 0 && layer->input_count <= ANI_KERAS_MAX_INPUTS);
    for (int32_t k = 0; k < layer->input_count; k++)
        REQUIRE(layer->inputs[k] >= -1 && layer->inputs[k] < i);
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
    for (int64_t i = 0; i < config->count; i++) {
        check_layer(config, i);
        REQUIRE(ani_keras_config_find(config, config->layers[i].name) >= 0);
    }
    for (int64_t i = 0; i < config->model_count; i++) {
        const ani_keras_model *model = &config->models[i];
        REQUIRE(memchr(model->name, 0, sizeof model->name));
        REQUIRE(model->parent >= -1 && model->parent < i);
        REQUIRE(model->output >= -1 && model->output < config->count);
    }
    REQUIRE(config->base >= 0 && config->base < config->model_count);
    /* The walk along it must end with a verdict, whatever it is. */
    ani_weights weights = {.path = "w", .task = -1, .config = config};
    REQUIRE(!an_arrays_create(&weights.arrays, NULL));
    const an_status walked = ani_keras_net_read(&weights, &err);
    REQUIRE(!walked || walked == AN_ERR_UNSUPPORTED);
    an_arrays_destroy(weights.arrays);
    REQUIRE(config->alpha == -1 || config->alpha > 0);
    ani_keras_config_free(config);
    return 0;
}
