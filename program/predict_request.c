/* SPDX-License-Identifier: MIT
 * The options of predict. */
#include "predict_request.h"

#include <attractivenet/attractivenet.h>

const char predict_usage[] = "--model FILE [options] IMAGE|FOLDER...";
const char predict_operands[] = "IMAGE|FOLDER...";
const char predict_about[] =
    "Scores photographs with a trained model. Prints one line per image, sorted by name:\n"
    "name, tab, score (--interval: tab, low, tab, high). Images with the same name are listed by "
    "path. Folders are searched\n"
    "recursively for files that end in .jpg, .jpeg, .jpe, .jfif or .png; other files are\n"
    "skipped with a warning, hidden files without one.\n"
    "If an image cannot be read, an error is printed on stderr, the other images are\n"
    "scored, and the exit status is 1.";

void predict_request_rows(predict_request *ask, option_row rows[OPTION_ROWS]) {
    *ask = (predict_request){.device = "cpu", .scale = AN_SCALE_AUTO, .padding = AN_PADDING_AUTO};
    rows[0] =
        option_needed(option_text("model", &ask->model, "FILE",
                                  "model.safetensors from training, or a model saved by Keras"));
    rows[1] = option_formerly_word(
        "seed", "article",
        option_choice("scale", &ask->scale, "auto|unit|tf|article|torch",
                      "how pixels were scaled in training; auto: as stored in the file\n"
                      "(required for a Keras file, which does not store it)"));
    rows[2] = option_choice("padding", &ask->padding, "auto|fixed|tutorial|symmetric",
                            "auto: as stored in the file, otherwise as in the tutorial");
    rows[3] = option_count("size", &ask->size, 0, 8192,
                           "width and height of the network's input; 0: as stored in the file");
    rows[4] = option_text("device", &ask->device, device_words, device_help);
    rows[5] =
        option_count("threads", &ask->threads, 0, 1024, "compute threads; 0: one per processor");
    rows[6] = option_flag("interval", &ask->interval,
                          "also print the ends of the interval that holds the true score with the\n"
                          "probability measured in training (90 % by default): low, tab, high");
    rows[7] = option_end();
}
