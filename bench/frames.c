/* SPDX-License-Identifier: MIT
 * Time the scores of some frames in three ways: one call each, all in one call, and the same number
 * of images of the model's size with an_predict_loader(). Prints one JSON line with milliseconds
 * for all frames; same: whether the scores of the first two ways have the same bits. */
#include <attractivenet/attractivenet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

enum { ONE_EACH, FRAMES, LOADER, WAYS, MAX_ROUNDS = 100000 };

static const char format_words[] = "rgb|bgr|rgba|bgra|grey|nv12|yuyv"; /* as AN_FORMAT_* */
static const char precision_words[] = "fp32|int8|bf16";                /* as AN_INFERENCE_* */

typedef struct bench {
    const char *device;
    int32_t count, size, threads, format, precision, height, width;
    double alpha, seconds;
    an_model *model;
    an_predictor *predictor;
    an_loader *loader;
    uint8_t *frames;
    int64_t frame_size;
    float *scores[WAYS];
} bench;

static void *make(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) bench_fail("no memory for the frames", NULL);
    return memory;
}

static void set_up(bench *b) {
    an_error err;
    an_backend *backend = NULL;
    an_dataset *dataset = NULL;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_loader_options batches;
    an_backend_options_init(&device, sizeof device);
    an_mobilenetv2_options_init(&net, sizeof net);
    an_loader_options_init(&batches, sizeof batches);
    device.device = b->device;
    device.threads = b->threads;
    batches.threads = b->threads;
    net.height = net.width = b->size;
    net.alpha = b->alpha;
    bench_check(an_backend_create(&backend, &device, &err), &err);
    bench_check(an_mobilenetv2_create(&b->model, backend, &net, &err), &err);
    an_backend_destroy(backend);

    const size_t pixels = (size_t)b->size * (size_t)b->size, count = (size_t)b->count;
    uint8_t *rgb = make(3 * pixels, count);
    double *labels = make(count, sizeof *labels);
    for (size_t i = 0; i < 3 * pixels * count; i++)
        rgb[i] = (uint8_t)(i * 2654435761u >> 24);
    if (b->precision == AN_INFERENCE_INT8) {
        float *x = make(3 * pixels, sizeof *x);
        for (size_t i = 0; i < 3 * pixels; i++)
            x[i] = (float)rgb[i] / 255;
        bench_check(an_model_calibrate_begin(b->model, &err), &err);
        bench_check(an_model_calibrate_add(b->model, x, 1, &err), &err);
        bench_check(an_model_calibrate_end(b->model, &err), &err);
        free(x);
    } else {
        bench_check(an_model_set_inference(b->model, b->precision, &err), &err);
    }
    bench_check(
        an_dataset_from_pixels(&dataset, rgb, b->count, b->size, b->size, labels, 1, NULL, &err),
        &err);
    bench_check(an_loader_create(&b->loader, dataset, NULL, 0, &batches, &err), &err);
    an_dataset_destroy(dataset);
    free(rgb);
    free(labels);

    static const int32_t halves[] = {6, 6, 8, 8, 2, 3, 4}; /* half-bytes per pixel, by format */
    b->frame_size = (int64_t)halves[b->format] * b->height * b->width / 2;
    b->frames = make((size_t)b->frame_size, count);
    for (int64_t i = 0; i < b->frame_size * b->count; i++)
        b->frames[i] = (uint8_t)((uint64_t)i * 2654435761u >> 24);
    bench_check(an_predictor_create(&b->predictor, b->model, &err), &err);
    bench_check(an_predictor_set_format(b->predictor, b->format, &err), &err);
    for (int way = 0; way < WAYS; way++)
        b->scores[way] = make(count, sizeof(float));
}

static void pass(const bench *b, int way) {
    an_error err;
    float *scores = b->scores[way];
    if (way == LOADER) {
        bench_check(an_predict_loader(b->model, b->loader, scores, NULL, NULL, &err), &err);
    } else if (way == FRAMES) {
        bench_check(an_predictor_score_frames(b->predictor, b->frames, b->count, 0, b->height,
                                              b->width, 0, scores, &err),
                    &err);
    } else {
        for (int32_t i = 0; i < b->count; i++)
            bench_check(an_predictor_score_frame(b->predictor, b->frames + i * b->frame_size,
                                                 b->height, b->width, 0, scores + i, &err),
                        &err);
    }
}

int main(int argc, char **argv) {
    bench b = {
        .device = "cpu", .count = 32, .size = 224, .threads = 1, .alpha = 1.0, .seconds = 10};
    static double ms[WAYS][MAX_ROUNDS];
    int32_t rounds = 0;
    const option_row rows[] = {
        option_count("frames", &b.count, 1, 65536, "in a call"),
        option_count("size", &b.size, 32, 8192, "height and width of the model"),
        option_count("height", &b.height, 0, 65535, "of a frame; 0: of the model"),
        option_count("width", &b.width, 0, 65535, "of a frame; 0: of the model"),
        option_choice("format", &b.format, format_words, "of a frame"),
        option_number("alpha", &b.alpha, 0.01, 10, "width multiplier"),
        option_text("device", &b.device, device_words, device_help),
        option_count("threads", &b.threads, 0, 1024, "0: all processors"),
        option_choice("precision", &b.precision, precision_words, "how predictions are made"),
        option_number("seconds", &b.seconds, 0, 1e6, "how long to time"),
        option_end()};
    const program_text text = {
        .usage = "[options]",
        .about = "Time the scores of frames: one call each, all in one call, a loader; print one "
                 "JSON line."};
    options_parse(argc, argv, rows, &text);
    if (!b.height) b.height = b.size;
    if (!b.width) b.width = b.size;
    set_up(&b);

    for (int way = 0; way < WAYS; way++) /* packs weights, maps buffers */
        pass(&b, way);
    const double end = bench_now() + b.seconds;
    do {
        for (int way = 0; way < WAYS; way++) {
            const double begin = bench_now();
            pass(&b, way);
            ms[way][rounds] = 1e3 * (bench_now() - begin);
        }
        rounds++;
    } while (rounds < MAX_ROUNDS && (rounds < 3 || bench_now() < end));
    for (int way = 0; way < WAYS; way++)
        bench_sort(ms[way], rounds);

    const int same = !memcmp(b.scores[ONE_EACH], b.scores[FRAMES], (size_t)b.count * sizeof(float));
    char format[32], precision[32];
    printf("{\"version\": \"%s\", \"device\": \"%s\", \"frames\": %d, \"format\": \"%s\", "
           "\"height\": %d, \"width\": "
           "%d, \"size\": %d, \"alpha\": %g, \"precision\": \"%s\", \"threads\": %d, \"rounds\": "
           "%d, \"same\": %d, \"one_each_min\": %.3f, \"one_each_median\": %.3f, \"frames_min\": "
           "%.3f, \"frames_median\": %.3f, \"loader_min\": %.3f, \"loader_median\": %.3f}\n",
           an_version(), b.device, (int)b.count, option_word(format, format_words, b.format),
           (int)b.height, (int)b.width, (int)b.size, b.alpha,
           option_word(precision, precision_words, b.precision), (int)b.threads, (int)rounds, same,
           ms[ONE_EACH][0], ms[ONE_EACH][rounds / 2], ms[FRAMES][0], ms[FRAMES][rounds / 2],
           ms[LOADER][0], ms[LOADER][rounds / 2]);
    an_predictor_destroy(b.predictor);
    an_loader_destroy(b.loader);
    an_model_destroy(b.model);
    for (int way = 0; way < WAYS; way++)
        free(b.scores[way]);
    free(b.frames);
    return same ? 0 : 1;
}
