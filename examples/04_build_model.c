/* SPDX-License-Identifier: MIT
 * Step 4 of the tutorial: build the network and show its layers. */
#include "messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int show_layers(const an_model *model) {
    const int64_t size = an_model_summary(model, AN_SUMMARY_LAYERS, NULL, 0);
    char *layers = malloc((size_t)size);
    if (!layers) return complain_of("no memory for a table");
    an_model_summary(model, AN_SUMMARY_LAYERS, layers, size);
    fputs(layers, stdout);
    free(layers);
    return 0;
}

static const program_text text = {
    .usage = "--out DIR [options]",
    .about = "Step 4: build the network: MobileNetV2 without its top, average pooling, and a\n"
             "dense layer with one output, the score. Shows its layers and writes it to\n"
             "DIR/initial.safetensors.",
    .examples = "  04_build_model --out run                                (ImageNet weights, "
                "downloaded once)\n"
                "  04_build_model --out run --size 96 --alpha 0.35 --weights none",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv, "out size alpha padding weights scale seed device threads quiet",
                   &text);
    int status = 1;
    an_error err;
    an_status st = AN_OK;
    char path[PATH_SIZE];
    an_backend *backend = NULL;
    an_model *model = NULL;
    if (make_folder(s.out)) goto done;

    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.device = s.device;
    device.threads = s.threads;
    st = an_backend_create(&backend, &device, &err);
    if (st) goto done;
    if (!s.quiet) show_device(s.device, backend);
    say_backend(&s, backend);

    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = s.size;
    options.alpha = s.alpha;
    options.padding = s.padding;
    options.scale = s.scale;
    options.seed = (uint32_t)s.seed;
    if (!strcmp(s.weights, "imagenet")) {
        options.weights_kind = AN_WEIGHTS_IMAGENET; /* downloaded once */
    } else if (strcmp(s.weights, "none") != 0) {
        options.weights_kind = AN_WEIGHTS_FILE;
        options.weights_path = s.weights;
    }
    options.progress = show_progress;
    options.progress_user = &s.quiet;
    st = an_mobilenetv2_create(&model, backend, &options, &err);
    if (st) goto done;
    say_model(&s, model);

    if (!s.quiet && show_layers(model)) goto done;
    st = an_model_save(model, join_path(path, s.out, "initial.safetensors"), &err);
    if (st) goto done;
    say(s.quiet, "untrained model: %s\n", path);
    status = 0;
done:
    if (st) complain(&err);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return status;
}
