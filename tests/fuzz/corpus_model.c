/* SPDX-License-Identifier: MIT
 * Seeds: the smallest model there is, with a byte for each weight so that most of the file is
 * header. */
#include "corpus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>

#include "base/text.h"

static void need(bool ok, const an_error *err) {
    if (ok) return;
    fprintf(stderr, "cannot make the corpus: %s\n", err->message);
    exit(2);
}

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
    need(!an_backend_create(&backend, &device, &err), &err);
    need(!an_mobilenetv2_create(&model, backend, &net, &err), &err);
    need(!an_model_weights(model, &arrays, &err), &err);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return arrays;
}

static void add_model(corpus *all, const char *name, const an_arrays *arrays, const char *metadata,
                      bool is_good) {
    ani_text text = {0};
    int64_t place = 0;
    ani_text_print(&text, "{\"__metadata__\":{%s}", metadata);
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        int64_t count = 1;
        ani_text_print(&text, ",\"%s\":{\"dtype\":\"U8\",\"shape\":[", an_arrays_name(arrays, i));
        for (int32_t axis = 0; axis < an_arrays_rank(arrays, i); axis++) {
            const int64_t length = an_arrays_length(arrays, i, axis);
            ani_text_print(&text, "%s%" PRId64, axis ? "," : "", length);
            count *= length;
        }
        ani_text_print(&text, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", place,
                       place + count);
        place += count;
    }
    ani_text_print(&text, "}");
    const int64_t size = 8 + text.size + place;
    uint8_t *bytes = text.failed ? NULL : calloc(1, (size_t)size);
    if (!bytes) exit(2);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)text.size >> (8 * i));
    memcpy(bytes + 8, text.bytes, (size_t)text.size);
    corpus_add(all, name, bytes, size, is_good);
    free(bytes);
    ani_text_clear(&text);
}

void corpus_model(corpus *all) {
    an_arrays *arrays = small_weights();
    add_model(all, "ours.safetensors", arrays,
              "\"format\":\"attractivenet-1\",\"alpha\":\"0.1\",\"size\":\"32\",\"padding\":"
              "\"tutorial\",\"scale\":\"unit\",\"task\":\"regression\",\"outputs\":\"1\",\"seed\":"
              "\"42\",\"library_version\":\"0.1.0\"",
              true);
    add_model(all, "pads.safetensors", arrays,
              "\"format\":\"attractivenet-1\",\"alpha\":\"0.1\",\"height\":\"48\",\"width\":"
              "\"64\",\"padding\":\"fixed\",\"scale\":\"tf\",\"task\":\"classification\","
              "\"pads\":\"0,1,0,1,1,1,1,1,0,1,0,1,1,1,1,1,0,1,0,1\",\"base_name\":\"b\"",
              true);
    add_model(all, "foreign.safetensors", arrays, "\"format\":\"pt\"", true);
    add_model(all, "wide.safetensors", arrays,
              "\"format\":\"attractivenet-1\",\"alpha\":\"100\",\"size\":\"8192\",\"padding\":"
              "\"fixed\",\"scale\":\"unit\"",
              false);
    add_model(all, "words.safetensors", arrays,
              "\"format\":\"attractivenet-1\",\"alpha\":\"1e9\",\"size\":\"-3\",\"padding\":"
              "\"odd\",\"scale\":\"auto\",\"seed\":\"99999999999\",\"pads\":\"3\"",
              false);
    an_arrays_destroy(arrays);
}
