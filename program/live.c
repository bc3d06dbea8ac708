/* SPDX-License-Identifier: MIT
 * attractivenet live: scores the frames of a camera, video, stream or folder while they arrive, and
 * shows them with their scores. */
#include "ages.h"
#include "command.h"
#include "live_request.h"
#include "messages.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static live_request ask;

static void options(option_row rows[OPTION_ROWS]) {
    live_request_rows(&ask, rows);
}

/* Ctrl-C ends an endless source: what was written is completed. The next one ends the program. */
static an_cancel *stop;

static void on_signal(int number) {
    an_cancel_request(stop);
    signal(number, SIG_DFL);
}

/** A session. */
typedef struct session {
    an_backend *backend;
    an_model *model;
    an_predictor *predictor;
    an_source *source;
    an_sink *window, *file; /* NULL: none */
    an_overlay overlay;
    int64_t height, width; /* for which the region was set */
    int64_t frames;
    double smoothed_at;                      /* time of the last frame */
    double began, reading, scoring, showing; /* seconds */
    ages ages;
} session;

static session live;

/* --- opening ---------------------------------------------------------------------------------- */

static an_status open_model(an_error *err) {
    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.device = ask.model.device;
    device.threads = ask.model.threads;
    an_mobilenetv2_options how;
    an_mobilenetv2_options_init(&how, sizeof how);
    how.height = how.width = ask.model.size; /* 0: as stored in the file */
    how.scale = ask.model.scale;
    how.padding = ask.model.padding;
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    an_status st = an_backend_create(&live.backend, &device, err);
    if (!st) show_device(ask.model.device, live.backend);
    if (!st) st = an_model_load(&live.model, live.backend, ask.model.model, &how, err);
    if (!st) st = an_model_describe(live.model, &info, err);
    if (!st && info.outputs != 1) {
        snprintf(err->message, sizeof err->message,
                 "the model has %d outputs; live shows one score", (int)info.outputs);
        return err->status = AN_ERR_UNSUPPORTED;
    }
    if (!st) st = an_predictor_create(&live.predictor, live.model, err);
    if (!st) st = an_predictor_set_cancel(live.predictor, stop, err);
    return st;
}

static an_status open_all(const char *name, an_error *err) {
    an_source_options source;
    an_sink_options sink;
    an_source_info info;
    live_request_source(&ask, &source);
    live_request_sink(&ask, &sink);
    source.cancel = sink.cancel = stop;
    an_source_info_init(&info, sizeof info);
    an_overlay_init(&live.overlay, sizeof live.overlay);
    live.overlay.smoothing = ask.smooth;
    an_status st = open_model(err);
    if (!st) st = an_source_open(&live.source, name, &source, err);
    if (!st) st = an_source_describe(live.source, &info, err);
    if (!st) fprintf(stderr, "%s\n", info.text);
    if (!st && info.rate >= 1) sink.rate = info.rate;
    if (!st && ask.out) st = an_sink_open(&live.file, ask.out, &sink, err);
    if (!st && !ask.is_headless) {
        st = an_sink_open(&live.window, NULL, &sink, err);
        if (st) fprintf(stderr, "--headless needs no window\n");
    }
    return st;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* The region depends on the size of the frames, which may change. */
static an_status set_region(const an_frame *frame, an_error *err) {
    an_overlay *o = &live.overlay;
    if (frame->height == live.height && frame->width == live.width) return AN_OK;
    if (ask.crop) {
        o->x = ask.x, o->y = ask.y, o->width = ask.width, o->height = ask.height;
    } else if (ask.is_square) {
        const int64_t side = frame->height < frame->width ? frame->height : frame->width;
        o->x = (frame->width - side) / 2, o->y = (frame->height - side) / 2;
        o->width = o->height = side;
    }
    live.height = frame->height;
    live.width = frame->width;
    return an_predictor_set_region(live.predictor, o->x, o->y, o->width, o->height, err);
}

/* An exponential moving average: after ask.smooth seconds, 63 per cent of a change are shown. */
static double smooth(double score, double time) {
    const double before = live.overlay.score, passed = time - live.smoothed_at;
    live.smoothed_at = time;
    if (ask.smooth <= 0 || isnan(before)) return score;
    return before + (score - before) * (1 - exp(-passed / ask.smooth));
}

static int print_json(const an_frame *frame, double age) {
    printf("{\"time\": %.6f, \"score\": %.6f, \"ms\": %.3f}\n", frame->time, live.overlay.score,
           1e3 * age);
    if (!fflush(stdout) && !ferror(stdout)) return 0;
    return complain_of("cannot write the scores");
}

static an_status score_frame(const an_frame *frame, an_error *err) {
    float score;
    an_status st = set_region(frame, err);
    if (!st)
        st = an_predictor_score_frame(live.predictor, frame->rgb, frame->height, frame->width, 0,
                                      &score, err);
    if (!st) live.overlay.score = smooth((double)score, frame->time);
    return st;
}

static an_status show_frame(const an_frame *frame, an_error *err) {
    an_status st = AN_OK;
    if (live.file) st = an_sink_show(live.file, frame, ask.is_plain ? NULL : &live.overlay, err);
    if (!st && live.window) st = an_sink_show(live.window, frame, &live.overlay, err);
    return st;
}

static int has_ended(void) {
    an_source_info info;
    an_source_info_init(&info, sizeof info);
    return an_source_describe(live.source, &info, NULL) || info.has_ended;
}

/* All frames until an end. A damaged image of a folder is reported, and the others are scored. */
static int score_frames(void) {
    an_error err = {0};
    an_frame frame;
    int status = 0;
    an_frame_init(&frame, sizeof frame);
    live.began = seconds_now();
    while (!ask.count || live.frames < ask.count) {
        const double begin = seconds_now();
        an_status st = an_source_next(live.source, &frame, &err);
        if (st == AN_DONE || st == AN_ERR_CANCELLED) break;
        if (st) {
            status = complain(&err);
            if (has_ended()) break;
            continue;
        }
        const double read = seconds_now();
        st = score_frame(&frame, &err);
        if (st == AN_ERR_CANCELLED) break;
        if (st) return complain(&err);
        const double scored = seconds_now();
        if (ask.is_json && print_json(&frame, an_frame_age(&frame))) return 1;
        st = show_frame(&frame, &err);
        if (st < 0 && st != AN_ERR_CANCELLED) return complain(&err);
        const double end = seconds_now();
        ages_add(&live.ages, an_frame_age(&frame));
        live.reading += read - begin;
        live.scoring += scored - read;
        live.showing += end - scored;
        live.frames++;
        if (st) break;
    }
    return status;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void print_summary(void) {
    an_source_info info;
    an_source_info_init(&info, sizeof info);
    if (!live.frames || an_source_describe(live.source, &info, NULL)) return;
    const double seconds = seconds_now() - live.began, each = 1e3 / (double)live.frames;
    fprintf(stderr, "%lld frames in %.1f s, %.1f per second", (long long)live.frames, seconds,
            (double)live.frames / fmax(seconds, 1e-9));
    if (info.dropped) fprintf(stderr, "; %lld dropped", (long long)info.dropped);
    if (info.damaged) fprintf(stderr, "; %lld damaged", (long long)info.damaged);
    fprintf(stderr,
            "\na frame: %.1f ms to read, %.1f to score, %.1f to show; %.1f ms old when shown (99 "
            "%%: %.1f)\n",
            each * live.reading, each * live.scoring, each * live.showing,
            ages_quantile(&live.ages, 0.5), ages_quantile(&live.ages, 0.99));
}

static int run_live(const option_row *rows, int count, char **operands) {
    (void)rows;
    an_error err;
    live_request_check(&ask, operands);
    int status = 1;
    const struct sigaction on = {.sa_handler = on_signal}, off = {.sa_handler = SIG_DFL};
    if (an_cancel_create(&stop, &err)) return complain(&err);
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    if (open_all(count ? operands[0] : "0", &err)) {
        complain(&err);
    } else {
        status = score_frames();
        if (live.file && live.frames && an_sink_finish(live.file, &err)) status = complain(&err);
        print_summary();
    }
    an_sink_close(live.window);
    an_sink_close(live.file);
    an_source_close(live.source);
    an_predictor_destroy(live.predictor);
    an_model_destroy(live.model);
    an_backend_destroy(live.backend);
    sigaction(SIGINT, &off, NULL);
    sigaction(SIGTERM, &off, NULL);
    an_cancel_destroy(stop);
    return status;
}

const command live_command = {
    .name = "live",
    .what = "score a camera, video or stream while it runs",
    .text = {.name = "attractivenet live",
             .usage = live_usage,
             .about = live_about,
             .operands = live_operands,
             .examples = "  attractivenet live --model run/model.safetensors\n"
                         "  attractivenet live --crop 140,60,360,360 --smooth 0.5 0\n"
                         "  attractivenet live --headless --json faces.mp4 >scores.jsonl\n"
                         "  attractivenet live --headless --out scored.mp4 \\\n"
                         "      http://camera.local/video.mjpg"},
    .options = options,
    .run = run_live,
};
