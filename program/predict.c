/* SPDX-License-Identifier: MIT
 * attractivenet predict: scores images with a trained model and prints one line each,
 * "name<TAB>score". */
#include "command.h"
#include "console.h"
#include "image_list.h"
#include "predict_request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static predict_request ask;

static void options(option_row rows[OPTION_ROWS]) {
    predict_request_rows(&ask, rows);
}

static int score_images(const image_list *list, an_predictor *predictor, const an_model *model,
                        int32_t outputs) {
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
        for (int32_t k = 0; k < outputs; k++) {
            const double score = (double)scores[k], half = an_model_interval(model, k, NULL);
            printf("\t%.6f", score);
            if (ask.interval) printf("\t%.6f\t%.6f", score - half, score + half);
        }
        printf("\n");
    }
    free(scores);
    if (fflush(stdout) || ferror(stdout)) return complain_of("cannot write the scores");
    return status;
}

static int run_predict(const option_row *rows, int count, char **operands) {
    (void)rows;
    int status = 0;
    an_error err;
    image_list list = {0};
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_predictor *predictor = NULL;
    for (int i = 0; i < count; i++)
        status |= image_list_add(&list, operands[i]);
    if (!list.count) {
        status = complain_of("no images to score");
        goto done;
    }
    image_list_sort(&list);

    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.device = ask.device;
    device.threads = ask.threads;
    an_mobilenetv2_options how;
    an_mobilenetv2_options_init(&how, sizeof how);
    how.height = how.width = ask.size; /* 0: as stored in the file */
    how.scale = ask.scale;
    how.padding = ask.padding;
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    if (an_backend_create(&backend, &device, &err)) {
        status = complain(&err);
        goto done;
    }
    show_device(ask.device, backend);
    if (an_model_load(&model, backend, ask.model, &how, &err) ||
        an_model_describe(model, &info, &err) || an_predictor_create(&predictor, model, &err)) {
        status = complain(&err);
        goto done;
    }
    if (ask.interval && isnan(an_model_interval(model, 0, NULL))) {
        status = complain_of("'%s' has no intervals; attractivenet train adds them (--interval)",
                             ask.model);
        goto done;
    }
    status |= score_images(&list, predictor, model, info.outputs);
done:
    an_predictor_destroy(predictor);
    an_model_destroy(model);
    an_backend_destroy(backend);
    image_list_clear(&list);
    return status;
}

const command predict_command = {
    .name = "predict",
    .what = "score photographs with a trained model",
    .text = {.name = "attractivenet predict",
             .usage = predict_usage,
             .about = predict_about,
             .operands = predict_operands,
             .examples = "  attractivenet predict --model run/model.safetensors face.jpg holiday/\n"
                         "  attractivenet predict --model tutorial.h5 --scale article face.jpg"},
    .options = options,
    .run = run_predict,
};
