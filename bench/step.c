/* SPDX-License-Identifier: MIT
 * Time whole steps of the network on synthetic images: a training step of stage 2 (everything
 * trained; finetune: with the moving statistics), of stage 1 (base frozen, head trained), or a
 * prediction. Prints one JSON line with the fields that bench/compare.sh reads; img_per_s is batch
 * / the fastest pass, as in the peers' harness. */
#include <attractivenet/attractivenet.h>

#include <stdio.h>
#include <stdlib.h>

#include "program.h"
#include "replicas.h"

enum { TRAIN2, TRAIN1, INFER, FINETUNE };
enum { INT8 = AN_PRECISION_MIXED + 1, EPOCH_STEPS = 4 };

typedef struct bench {
    int32_t task, batch, size, threads, padding, precision, recompute, ranks, gpus, sync;
    const char *device;
    double alpha, seconds;
    an_model *model;
    an_optimizer *optimizer;
    float *x, *y, *features;
    replica_set replicas;
    an_trainer *trainer; /* with ranks */
} bench;

static const char task_words[] = "train2|train1|infer|finetune";
static const char padding_words[] = "auto|fixed";        /* as AN_PADDING_* */
static const char precision_words[] = "fp32|mixed|int8"; /* as AN_PRECISION_*, then INT8 */

static void step(void *user) {
    bench *b = user;
    an_error err;
    double loss;
    switch (b->task) {
    case TRAIN2:
    case FINETUNE:
        bench_check(an_model_compute_gradients(b->model, b->x, b->y, b->batch, NULL, &loss, &err),
                    &err);
        bench_check(an_optimizer_step(b->optimizer, 1e-4, &err), &err);
        break;
    case TRAIN1:
        bench_check(an_model_compute_features(b->model, b->x, b->batch, b->features, &err), &err);
        bench_check(an_model_compute_head_gradients(b->model, b->features, b->y, b->batch, NULL,
                                                    &loss, &err),
                    &err);
        bench_check(an_optimizer_step(b->optimizer, 1e-3, &err), &err);
        break;
    default:
        bench_check(an_model_predict(b->model, b->x, b->batch, b->y, &err), &err);
    }
}

static void epoch(void *user) {
    an_error err;
    bench_check(an_trainer_run_epoch(((bench *)user)->trainer, NULL, &err), &err);
}

/* A trainer whose epochs have a few steps with noise images. */
static void make_trainer(bench *b) {
    an_error err;
    const int64_t count = (int64_t)b->batch * EPOCH_STEPS;
    const size_t pixels = (size_t)count * (size_t)b->size * (size_t)b->size * 3;
    uint8_t *rgb = malloc(pixels);
    double *scores = calloc((size_t)count, sizeof *scores);
    if (!rgb || !scores) bench_fail("no memory for images", NULL);
    uint32_t state = 1;
    for (size_t i = 0; i < pixels; i++)
        rgb[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    an_dataset *dataset;
    an_loader *loader;
    an_model_info info;
    an_loader_options how;
    an_train_options options;
    const settings s = {.sync_batch_norm = b->sync};
    bench_check(
        an_dataset_from_pixels(&dataset, rgb, count, b->size, b->size, scores, 1, NULL, &err),
        &err);
    an_model_info_init(&info, sizeof info);
    bench_check(an_model_describe(b->model, &info, &err), &err);
    an_loader_options_init(&how, sizeof how);
    how.batch_size = b->batch;
    how.scale = info.scale;
    bench_check(an_loader_create(&loader, dataset, NULL, 0, &how, &err), &err);
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 1000000;
    options.early_stop_patience = -1;
    options.terminate_on_nan = 0;
    options.base = b->task == FINETUNE ? AN_BASE_FINETUNE : AN_BASE_TRAIN;
    options.learning_rate = 1e-4;
    options.precision = b->precision == AN_PRECISION_MIXED ? AN_PRECISION_MIXED : AN_PRECISION_FP32;
    options.recompute = b->recompute;
    replicas_train(&b->replicas, &s, &options);
    bench_check(an_trainer_create(&b->trainer, b->model, loader, NULL, NULL, &options, &err), &err);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    free(scores);
    free(rgb);
}

static void set_up(bench *b) {
    an_error err;
    char ranks[16];
    const int mixed = b->precision == AN_PRECISION_MIXED;
    settings s = {.device = b->device, .threads = b->threads};
    snprintf(ranks, sizeof ranks, "%d", (int)b->ranks);
    if (b->ranks) s.devices = ranks;
    an_backend *backend;
    bench_check(replicas_create(&b->replicas, &backend, &s, &err), &err);

    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = b->size;
    options.alpha = b->alpha;
    options.padding = b->padding;
    bench_check(an_mobilenetv2_create(&b->model, backend, &options, &err), &err);
    an_backend_destroy(backend); /* the model holds a reference */
    const int32_t base = b->task == TRAIN2     ? AN_BASE_TRAIN
                         : b->task == FINETUNE ? AN_BASE_FINETUNE
                                               : AN_BASE_FROZEN;
    bench_check(an_model_set_base(b->model, base, &err), &err);
    bench_check(an_model_set_training(b->model, mixed ? AN_PRECISION_MIXED : AN_PRECISION_FP32,
                                      b->recompute, &err),
                &err);
    if (b->ranks) {
        make_trainer(b);
        return;
    }
    bench_check(an_optimizer_create(&b->optimizer, b->model, NULL, &err), &err);

    an_model_info info;
    an_model_info_init(&info, sizeof info);
    bench_check(an_model_describe(b->model, &info, &err), &err);
    const size_t pixels = (size_t)b->batch * (size_t)b->size * (size_t)b->size * 3;
    b->x = malloc(pixels * sizeof *b->x);
    b->y = calloc((size_t)b->batch, sizeof *b->y);
    b->features = malloc((size_t)b->batch * (size_t)info.features * sizeof *b->features);
    if (!b->x || !b->y || !b->features) bench_fail("no memory for a batch", NULL);
    uint32_t state = 1; /* noise images: they do not affect the arithmetic */
    for (size_t i = 0; i < pixels; i++) {
        state = state * 1664525u + 1013904223u;
        b->x[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    for (int64_t i = 0; i < b->batch; i++)
        b->y[i] = 1.0f + (float)(i % 5);
    if (mixed) bench_check(an_model_set_inference(b->model, AN_INFERENCE_BF16, &err), &err);
    if (b->precision != INT8) return;
    bench_check(an_model_calibrate_begin(b->model, &err), &err);
    bench_check(an_model_calibrate_add(b->model, b->x, 1, &err), &err);
    bench_check(an_model_calibrate_end(b->model, &err), &err);
}

int main(int argc, char **argv) {
    bench b = {.task = TRAIN2,
               .batch = 32,
               .size = 350,
               .threads = 2,
               .padding = AN_PADDING_FIXED,
               .precision = AN_PRECISION_FP32,
               .device = "cpu",
               .alpha = 1.0,
               .seconds = 20};
    const option_row rows[] = {
        option_choice("task", &b.task, task_words,
                      "all trained; head alone; prediction; all by moving statistics"),
        option_count("batch", &b.batch, 1, 65536, "images in a step"),
        option_count("size", &b.size, 32, 8192, "height and width in pixels"),
        option_number("alpha", &b.alpha, 0.01, 10, "width multiplier"),
        option_count("threads", &b.threads, 0, 1024, "0: all processors"),
        option_choice("precision", &b.precision, precision_words,
                      "mixed: training keeps bf16, prediction multiplies bf16"),
        option_flag("recompute", &b.recompute, "compute the widest activations twice"),
        option_choice("padding", &b.padding, padding_words, "fixed: as the peers build it"),
        option_number("seconds", &b.seconds, 0, 1e6, "how long to time"),
        option_text("device", &b.device, device_words, device_help),
        option_count("ranks", &b.ranks, 0, REPLICAS_MOST,
                     "replicas in this process, which share --threads; 0: no trainer"),
        option_count("gpus", &b.gpus, 0, REPLICAS_MOST, "the same on as many GPUs"),
        option_flag("sync-batch-norm", &b.sync, "replicas join the statistics of batch norm"),
        option_end()};
    const program_text text = {
        .usage = "[options]",
        .about = "Time steps of MobileNetV2 with a dense head and print one JSON line."};
    options_parse(argc, argv, rows, &text);
    if (b.precision == INT8 && b.task != INFER) bench_fail("int8 is for --task infer", NULL);
    if (b.gpus) {
        b.device = "cuda";
        b.ranks = b.gpus;
    }
    if (b.ranks && b.task != TRAIN2 && b.task != FINETUNE)
        bench_fail("--ranks and --gpus are for --task train2 and finetune", NULL);
    set_up(&b);

    void (*const pass)(void *) = b.ranks ? epoch : step;
    pass(&b); /* plans and maps its memory */
    bench_times ms = bench_time(pass, &b, b.seconds);
    if (b.ranks) {
        ms.best /= EPOCH_STEPS;
        ms.median /= EPOCH_STEPS;
    }

    an_device_info device;
    an_device_info_init(&device, sizeof device);
    an_error err;
    an_backend *backend = an_model_backend(b.model);
    bench_check(an_backend_describe(backend, &device, &err), &err);
    char task[32], padding[32], precision[32];
    printf(
        "{\"peer\": \"attractivenet\", \"version\": \"%s\", \"task\": \"%s\", \"batch\": %d, "
        "\"size\": %d, "
        "\"alpha\": %g, \"padding\": \"%s\", \"precision\": \"%s\", \"recompute\": %d, "
        "\"device\": \"%s\", \"device_name\": \"%s\", "
        "\"level\": \"%s\", \"threads\": %d, \"ranks\": %d, \"passes\": %d, \"img_per_s\": %.2f, "
        "\"img_per_s_median\": %.2f, \"ms_min\": %.2f, \"ms_median\": %.2f, \"peak_rss_mb\": "
        "%.0f}\n",
        an_version(), option_word(task, task_words, b.task), b.batch, b.size, b.alpha,
        option_word(padding, padding_words, b.padding),
        option_word(precision, precision_words, b.precision), b.recompute, device.device,
        device.name, device.level, an_backend_threads(backend), b.ranks, ms.passes,
        1e3 * b.batch / ms.best, 1e3 * b.batch / ms.median, ms.best, ms.median, bench_peak_mb());
    an_trainer_destroy(b.trainer);
    an_optimizer_destroy(b.optimizer);
    replicas_clear(&b.replicas);
    an_model_destroy(b.model);
    free(b.features);
    free(b.y);
    free(b.x);
    return 0;
}
