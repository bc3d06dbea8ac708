/* SPDX-License-Identifier: MIT
 * The options of a prediction. */
#include "predict_request.h"

#include <attractivenet/attractivenet.h>

const char predict_usage[] = "--model FILE [options] IMAGE|FOLDER...";
const char predict_operands[] = "IMAGE|FOLDER...";
const char predict_about[] =
    "Scores photographs with a trained model. Prints a line each, sorted by name:\n"
    "name, tab, score; where two images have one name, their paths instead. Folders are\n"
    "searched with the folders in them for files that end in .jpg, .jpeg, .jpe, .jfif or\n"
    ".png; other files are counted on stderr, hidden ones are not.\n"
    "An image that cannot be read gets a line on stderr, the others are scored, and\n"
    "the exit status is 1.";

void predict_request_rows(predict_request *ask, option_row rows[OPTION_ROWS]) {
    *ask = (predict_request){.scale = AN_SCALE_AUTO, .padding = AN_PADDING_AUTO};
    rows[0] = option_needed(
        option_text("model", &ask->model, "FILE",
                    "model.safetensors of a training, or a model that Keras has saved"));
    rows[1] = option_formerly_word(
        "seed", option_choice("scale", &ask->scale, "auto|unit|tf|article",
                              "how pixels were scaled in training; auto: as the file says\n"
                              "(a Keras file does not: then it must be given)"));
    rows[2] = option_choice("padding", &ask->padding, "auto|fixed|tutorial",
                            "auto: as the file says, else the tutorial's");
    rows[3] = option_count("size", &ask->size, 0, 8192,
                           "width and height of the network's input; 0: as the file says");
    rows[4] = option_count("threads", &ask->threads, 0, 1024,
                           "that compute; 0: as many as there are processors");
    rows[5] = option_end();
}
