/* SPDX-License-Identifier: MIT
 * The options of live. */
#include "live_request.h"

#include <stdio.h>
#include <string.h>

enum { PACE_AUTO, PACE_YES, PACE_NO };

const char live_usage[] = "[--model FILE] [options] [SOURCE]";
const char live_operands[] = "[SOURCE]";
const char live_about[] =
    "Scores each frame of a camera, video, stream or folder, and shows it in a window with\n"
    "its score. Keys: Q or Esc ends, F switches full screen, space pauses, S saves the frame.\n"
    "SOURCE:\n"
    "  0, /dev/video0    a camera; without SOURCE it is camera 0\n"
    "  faces.mp4         a video (MP4, MOV, MKV, WebM, AVI, MPEG, ...) or an image\n"
    "  images/           a folder of JPEG and PNG images, by name\n"
    "  http://, rtsp://  a network stream, such as the MJPEG of a network camera\n"
    "  -                 standard input: JPEG images one after the other, or --raw frames\n"
    "Every frame of a file is scored; of cameras and streams the newest one, and those\n"
    "that arrive meanwhile are dropped. Messages are printed on stderr.";

static const program_text text = {.name = "attractivenet live", .usage = live_usage};

void live_request_rows(live_request *ask, option_row rows[OPTION_ROWS]) {
    *ask = (live_request){.save = ".", .timeout = 10};
    predict_request_rows(&ask->model, rows);
    int next = 0;
    while (rows[next].name)
        next++;
    ask->model.model = "run/model.safetensors";
    rows[0] = option_text("model", &ask->model.model, "FILE",
                          "model.safetensors from training, or a model saved by Keras");
    const option_row more[] = {
        option_text("crop", &ask->crop, "X,Y,W,H",
                    "score only this region, in pixels, and outline it; without it the whole\n"
                    "frame is resized, as in the tutorial"),
        option_flag("square", &ask->is_square, "score only the largest square in the middle"),
        option_number("smooth", &ask->smooth, 0, 60,
                      "moving average of the score, in seconds; 0: none"),
        option_flag("headless", &ask->is_headless, "no window; needs --out or --json"),
        option_text("out", &ask->out, "PATH",
                    "write scored frames to a new folder (ends in /) or a video (.mp4, .mkv, ...)"),
        option_flag(
            "json", &ask->is_json,
            "print a line for each frame: {\"time\": seconds, \"score\": ..., \"ms\": ...},\n"
            "ms being the milliseconds from its arrival to its score"),
        option_flag("plain", &ask->is_plain,
                    "write frames as they come, without the score on them"),
        option_count("count", &ask->count, 0, 2147483647, "end after so many frames; 0: never"),
        option_choice("frames", &ask->frames, "auto|all|newest",
                      "score every frame, or the newest and drop those that arrived meanwhile"),
        option_choice("pace", &ask->pace, "auto|yes|no",
                      "play files and folders at their own rate; auto: only in a window"),
        option_number("rate", &ask->rate, 0, 1000,
                      "frames per second asked of a camera (0: 30), or of folders, JPEG and raw\n"
                      "files (0: 25)"),
        option_text("frame-size", &ask->frame_size, "WxH",
                    "asked of a camera (without it 640x480), or that of --raw frames"),
        option_text("camera-format", &ask->camera_format, "NAME",
                    "asked of a camera: mjpeg, yuyv422, ...; without it the first that it has"),
        option_choice("raw", &ask->raw, "none|rgb|bgr|rgba|bgra|grey|nv12|yuyv",
                      "SOURCE has uncompressed frames of --frame-size"),
        option_count("timeout", &ask->timeout, 1, 3600,
                     "seconds without data after which a camera or stream has failed"),
        option_flag("full-screen", &ask->is_full_screen, "begin in full screen"),
        option_text("save", &ask->save, "DIR", "where the key S saves frames"),
        option_end(),
    };
    memcpy(rows + next, more, sizeof more);
}

void live_request_check(live_request *ask, char **argv) {
    char rest;
    long long crop[4], width, height; /* wider than any that is allowed: none wraps */
    if (ask->crop) {
        if (sscanf(ask->crop, "%lld,%lld,%lld,%lld%c", &crop[0], &crop[1], &crop[2], &crop[3],
                   &rest) != 4 ||
            crop[0] < 0 || crop[1] < 0 || crop[2] < 1 || crop[3] < 1)
            options_refuse(argv, &text,
                           "--crop is '%s'; it must be X,Y,W,H, whole numbers, W and H 1 or more",
                           ask->crop);
        ask->x = crop[0];
        ask->y = crop[1];
        ask->width = crop[2];
        ask->height = crop[3];
    }
    if (ask->frame_size) {
        if (sscanf(ask->frame_size, "%lldx%lld%c", &width, &height, &rest) != 2 || width < 1 ||
            height < 1 || width > 65535 || height > 65535)
            options_refuse(argv, &text,
                           "--frame-size is '%s'; it must be WIDTHxHEIGHT, each 1 to 65535",
                           ask->frame_size);
        ask->frame_width = (int32_t)width;
        ask->frame_height = (int32_t)height;
    }
    if (ask->crop && ask->is_square)
        options_refuse(argv, &text, "--crop and --square are two regions; use one of them");
    if (ask->is_headless && !ask->out && !ask->is_json)
        options_refuse(argv, &text, "--headless needs --out or --json: nothing would be seen");
    if (ask->is_headless && ask->is_full_screen)
        options_refuse(argv, &text,
                       "--full-screen needs a window; there is none with "
                       "--headless");
    if (ask->is_plain && !ask->out)
        options_refuse(argv, &text, "--plain is about what --out writes, which is missing");
    if (ask->raw && !ask->frame_size) options_refuse(argv, &text, "--raw needs --frame-size");
}

void live_request_source(const live_request *ask, an_source_options *options) {
    an_source_options_init(options, sizeof *options);
    options->frames = ask->frames;
    options->width = ask->frame_width;
    options->height = ask->frame_height;
    options->rate = ask->rate;
    options->camera_format = ask->camera_format;
    options->is_raw = ask->raw > 0;
    options->raw_format = ask->raw > 0 ? ask->raw - 1 : AN_FORMAT_RGB;
    options->is_paced = ask->pace == PACE_YES || (ask->pace == PACE_AUTO && !ask->is_headless);
    options->timeout = ask->timeout;
}

void live_request_sink(const live_request *ask, an_sink_options *options) {
    an_sink_options_init(options, sizeof *options);
    options->save_folder = ask->save;
    options->is_full_screen = ask->is_full_screen;
}
