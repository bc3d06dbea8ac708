/* SPDX-License-Identifier: MIT
 * Seeds: the smallest model there is. */
#include "corpus.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

static an_arrays *small_weights(void) {
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_arrays *arrays = NULL;
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = 32;
    net.alpha = 0.1;
    corpus_need(!an_backend_create(&backend, &device, &err), err.message);
    corpus_need(!an_mobilenetv2_create(&model, backend, &net, &err), err.message);
    corpus_need(!an_model_copy_weights(&arrays, model, &err), err.message);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return arrays;
}

/* What int8 goes by: [0, 6] for every unit, and a mean of 0 for every channel. */
static void add_int8(an_arrays *arrays) {
    an_error err;
    int64_t units = 0, channels = 3;
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        if (!strstr(an_arrays_name(arrays, i), "/gamma")) continue;
        units++;
        channels += an_arrays_length(arrays, i, 0);
    }
    const int64_t shape[2] = {units, 2};
    float *values = calloc((size_t)(channels + 2 * units), sizeof *values);
    corpus_need(values, "memory");
    for (int64_t i = 0; i < units; i++)
        values[channels + 2 * i + 1] = 6;
    corpus_need(!an_arrays_add(arrays, "int8/means", values, &channels, 1, &err), err.message);
    corpus_need(!an_arrays_add(arrays, "int8/ranges", values + channels, shape, 2, &err),
                err.message);
    free(values);
}

void corpus_model(corpus *all) {
    an_arrays *arrays = small_weights();
    corpus_add_arrays(
        all, "ours.safetensors", arrays,
        "\"format\":\"attractivenet-1\",\"alpha\":\"0.1\",\"size\":\"32\",\"padding\":"
        "\"tutorial\",\"scale\":\"unit\",\"task\":\"regression\",\"outputs\":\"1\",\"seed\":"
        "\"42\",\"library_version\":\"0.1.0\"",
        true);
    corpus_add_arrays(
        all, "pads.safetensors", arrays,
        "\"format\":\"attractivenet-1\",\"alpha\":\"0.1\",\"height\":\"48\",\"width\":"
        "\"64\",\"padding\":\"fixed\",\"scale\":\"tf\",\"task\":\"classification\","
        "\"pads\":\"0,1,0,1,1,1,1,1,0,1,0,1,1,1,1,1,0,1,0,1\",\"base_name\":\"b\"",
        true);
    corpus_add_arrays(all, "foreign.safetensors", arrays, "\"format\":\"pt\"", true);
    corpus_add_arrays(
        all, "wide.safetensors", arrays,
        "\"format\":\"attractivenet-1\",\"alpha\":\"100\",\"size\":\"8192\",\"padding\":"
        "\"fixed\",\"scale\":\"unit\"",
        false);
    corpus_add_arrays(
        all, "words.safetensors", arrays,
        "\"format\":\"attractivenet-1\",\"alpha\":\"1e9\",\"size\":\"-3\",\"padding\":"
        "\"odd\",\"scale\":\"auto\",\"seed\":\"99999999999\",\"pads\":\"3\"",
        false);
    corpus_add_arrays(
        all, "classes.safetensors", arrays,
        "\"format\":\"attractivenet-1\",\"alpha\":\"0.1\",\"size\":\"32\",\"padding\":"
        "\"fixed\",\"scale\":\"unit\",\"task\":\"classification\",\"classes\":"
        "\"[\\\"no\\\", \\\"yes\\\"]\"",
        true);
    corpus_add_arrays(
        all, "bf16.safetensors", arrays,
        "\"format\":\"attractivenet-1\",\"alpha\":\"0.1\",\"size\":\"32\",\"padding\":"
        "\"fixed\",\"scale\":\"unit\",\"inference\":\"bf16\"",
        true);
    add_int8(arrays);
    corpus_add_arrays(
        all, "int8.safetensors", arrays,
        "\"format\":\"attractivenet-1\",\"alpha\":\"0.1\",\"size\":\"32\",\"padding\":"
        "\"fixed\",\"scale\":\"unit\",\"inference\":\"int8\"",
        true);
    an_arrays_destroy(arrays);
}
