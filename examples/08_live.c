/* SPDX-License-Identifier: MIT
 * Step 8 of the tutorial: score the frames of a camera and show them until Q is pressed. */
#include "console.h"
#include "predict_request.h"

#include <stddef.h>

static const program_text text = {
    .usage = "--model FILE [options] [SOURCE]",
    .about =
        "Step 8: live. Scores the frames of a camera and shows them in a window with their\n"
        "scores. Q ends it. SOURCE: a camera (0, /dev/video1), a video, a folder of images, an\n"
        "http:// or rtsp:// stream, or - (JPEG on standard input). Without it: camera 0.",
    .operands = "[SOURCE]",
    .examples = "  08_live --model run/model.safetensors\n"
                "  08_live --model run/model.safetensors faces.mp4",
};

/* One frame after the other, until the source or the user ends it. */
static an_status show_frames(an_source *source, an_predictor *predictor, an_sink *window,
                             an_error *err) {
    an_frame frame;
    an_overlay overlay;
    float score;
    an_frame_init(&frame, sizeof frame);
    an_overlay_init(&overlay, sizeof overlay);
    for (;;) {
        an_status st = an_source_next(source, &frame, err);
        if (!st)
            st = an_predictor_score_frame(predictor, frame.rgb, frame.height, frame.width, 0,
                                          &score, err);
        if (!st) overlay.score = (double)score;
        if (!st) st = an_sink_show(window, &frame, &overlay, err);
        if (st) return st;
    }
}

int main(int argc, char **argv) {
    predict_request ask;
    option_row rows[OPTION_ROWS];
    predict_request_rows(&ask, rows);
    const int place = options_parse(argc, argv, rows, &text);
    an_error err;
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_predictor *predictor = NULL;
    an_source *source = NULL;
    an_sink *window = NULL;
    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.device = ask.device;
    device.threads = ask.threads;
    an_mobilenetv2_options how;
    an_mobilenetv2_options_init(&how, sizeof how);
    how.height = how.width = ask.size;
    how.scale = ask.scale;
    how.padding = ask.padding;
    an_source_options frames;
    an_source_options_init(&frames, sizeof frames);
    frames.is_paced = 1; /* a video plays at its own rate */
    an_status st = an_backend_create(&backend, &device, &err);
    if (!st) st = an_model_load(&model, backend, ask.model, &how, &err);
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    if (!st) st = an_model_describe(model, &info, &err);
    if (!st && info.outputs != 1)
        err = (an_error){st = AN_ERR_UNSUPPORTED, "the model must have one output"};
    if (!st) st = an_predictor_create(&predictor, model, &err);
    if (!st) st = an_source_open(&source, place < argc ? argv[place] : "0", &frames, &err);
    if (!st) st = an_sink_open(&window, NULL, NULL, &err);
    if (!st) st = show_frames(source, predictor, window, &err);

    an_sink_close(window);
    an_source_close(source);
    an_predictor_destroy(predictor);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return st < 0 ? complain(&err) : 0; /* AN_DONE: a normal end */
}
