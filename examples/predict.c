/* SPDX-License-Identifier: MIT
 * Step 8 of the tutorial: score images with a trained model and print one line each,
 * "name<TAB>score". */
#include "console.h"
#include "image_list.h"
#include "predict_request.h"

#include <stdio.h>
#include <stdlib.h>

static const program_text text = {
    .usage = predict_usage,
    .about = predict_about,
    .operands = predict_operands,
    .examples = "  predict --model run/model.safetensors face.jpg holiday/\n"
                "  predict --model tutorial.h5 --scale article face.jpg",
};

static int score_images(const image_list *list, an_predictor *predictor, int32_t outputs) {
    an_error err;
    int status = 0;
    float *scores = malloc((size_t)outputs * sizeof *scores);
    if (!scores) return complain_of("no memory for %d scores", (int)outputs);
    for (size_t i = 0; i < list->count; i++) {
        if (an_predictor_score_file(predictor, list->paths[i], scores, &err)) {
            status = complain(&err); /* the others are still scored */
            continue;
        }
        image_list_print(list, i);
        for (int32_t k = 0; k < outputs; k++)
            printf("\t%.6f", (double)scores[k]);
        printf("\n");
    }
    free(scores);
    if (fflush(stdout) || ferror(stdout)) return complain_of("cannot write the scores");
    return status;
}

int main(int argc, char **argv) {
    predict_request ask;
    option_row rows[OPTION_ROWS];
    predict_request_rows(&ask, rows);
    int status = 0;
    an_error err;
    image_list list = {0};
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_predictor *predictor = NULL;
    for (int i = options_parse(argc, argv, rows, &text); i < argc; i++)
        status |= image_list_add(&list, argv[i]);
    if (!list.count) {
        status = complain_of("no images to score");
        goto done;
    }
    image_list_sort(&list);

    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.device = ask.device;
    device.threads = ask.threads;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = ask.size; /* 0: as stored in the file */
    options.scale = ask.scale;
    options.padding = ask.padding;
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    if (an_backend_create(&backend, &device, &err)) {
        status = complain(&err);
        goto done;
    }
    show_device(ask.device, backend);
    if (an_model_load(&model, backend, ask.model, &options, &err) ||
        an_model_describe(model, &info, &err) || an_predictor_create(&predictor, model, &err)) {
        status = complain(&err);
        goto done;
    }
    status |= score_images(&list, predictor, info.outputs);
done:
    an_predictor_destroy(predictor);
    an_model_destroy(model);
    an_backend_destroy(backend);
    image_list_clear(&list);
    return status;
}
