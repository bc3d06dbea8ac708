/* SPDX-License-Identifier: MIT
 * Step 4 of the tutorial: build the network and show its layers. */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>

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
    settings_parse(&s, argc, argv, "out size alpha padding weights scale seed threads quiet",
                   &text);
    an_error err;
    an_model *model = NULL;
    char path[PATH_SIZE];
    int status = make_folder(s.out) || build_model(&s, &model) || (!s.quiet && show_layers(model));
    if (!status && an_model_save(model, join_path(path, s.out, "initial.safetensors"), &err))
        status = complain(&err);
    if (!status) say(s.quiet, "the untrained model is %s\n", path);
    an_model_destroy(model);
    return status;
}
