/* SPDX-License-Identifier: MIT
 * Time whole steps of the network on made-up pictures: a training step of stage 2 (everything
 * trained), of stage 1 (base frozen, head trained), or a prediction. One JSON line, fields as
 * bench/compare.sh reads them; img_per_s is batch / the fastest pass, as in the peers' harness. */
#include <attractivenet/attractivenet.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { TRAIN2, TRAIN1, INFER, MAX_PASSES = 100000 };

typedef struct bench {
    int task;
    int64_t batch;
    int32_t size, threads, padding, precision;
    double alpha, seconds;
    const char *backend;
    an_model *model;
    an_optimizer *optimizer;
    float *x, *y, *features;
} bench;

static const char help[] =
    "usage: bench_step [options]\n"
    "Time steps of MobileNetV2 with a dense head and print one JSON line.\n\n"
    "  --task train2|train1|infer  all trained; head alone; prediction   (train2)\n"
    "  --batch N                   pictures in a step                    (32)\n"
    "  --size N                    height and width in pixels            (350)\n"
    "  --alpha X                   width multiplier                      (1.0)\n"
    "  --threads N                 0 = all processors                    (2)\n"
    "  --precision fp32|mixed      what training keeps: fp32, or bf16    (fp32)\n"
    "  --padding fixed|auto        fixed: as the peers build it          (fixed)\n"
    "  --seconds X                 how long to time                      (20)\n"
    "  --backend cpu|ref           what computes                         (cpu)\n";

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(an_status status, const an_error *err) {
    if (!status) return;
    fprintf(stderr, "bench_step: %s: %s\n", an_status_name(status), err->message);
    exit(1);
}

static void usage_error(const char *option, const char *value, const char *expected) {
    fprintf(stderr, "bench_step: --%s is '%s'; it must be %s\n", option, value, expected);
    exit(2);
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void step(bench *b) {
    an_error err;
    double loss;
    switch (b->task) {
    case TRAIN2:
        check(an_model_gradients(b->model, b->x, b->y, b->batch, AN_LOSS_MSE, &loss, &err), &err);
        check(an_optimizer_step(b->optimizer, 1e-4, &err), &err);
        break;
    case TRAIN1:
        check(an_model_features(b->model, b->x, b->batch, b->features, &err), &err);
        check(an_model_head_gradients(b->model, b->features, b->y, b->batch, AN_LOSS_MSE, &loss,
                                      &err),
              &err);
        check(an_optimizer_step(b->optimizer, 1e-3, &err), &err);
        break;
    default:
        check(an_model_predict(b->model, b->x, b->batch, b->y, &err), &err);
    }
}

static void set_up(bench *b) {
    an_error err;
    an_backend_options backend_options;
    an_backend_options_init(&backend_options, sizeof backend_options);
    backend_options.threads = b->threads;
    backend_options.precision = b->precision;
    backend_options.kind = strcmp(b->backend, "ref") ? AN_BACKEND_CPU : AN_BACKEND_REF;
    an_backend *backend;
    check(an_backend_create(&backend, &backend_options, &err), &err);

    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = b->size;
    options.alpha = b->alpha;
    options.padding = b->padding;
    check(an_mobilenetv2_create(&b->model, backend, &options, &err), &err);
    an_backend_destroy(backend); /* the model holds it */
    check(an_model_set_base(b->model, b->task == TRAIN2 ? AN_BASE_TRAIN : AN_BASE_FROZEN, &err),
          &err);
    check(an_optimizer_create(&b->optimizer, b->model, NULL, &err), &err);

    an_model_info info = {.struct_size = sizeof info};
    check(an_model_describe(b->model, &info, &err), &err);
    const size_t pixels = (size_t)b->batch * (size_t)b->size * (size_t)b->size * 3;
    b->x = malloc(pixels * sizeof *b->x);
    b->y = calloc((size_t)b->batch, sizeof *b->y);
    b->features = malloc((size_t)b->batch * (size_t)info.features * sizeof *b->features);
    if (!b->x || !b->y || !b->features) {
        fprintf(stderr, "bench_step: no memory for a batch\n");
        exit(1);
    }
    uint32_t state = 1; /* pictures of noise: the arithmetic does not care */
    for (size_t i = 0; i < pixels; i++) {
        state = state * 1664525u + 1013904223u;
        b->x[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    for (int64_t i = 0; i < b->batch; i++)
        b->y[i] = 1.0f + (float)(i % 5);
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"task", required_argument, NULL, 't'},
                                            {"batch", required_argument, NULL, 'b'},
                                            {"size", required_argument, NULL, 's'},
                                            {"alpha", required_argument, NULL, 'a'},
                                            {"threads", required_argument, NULL, 'j'},
                                            {"precision", required_argument, NULL, 'p'},
                                            {"padding", required_argument, NULL, 'd'},
                                            {"seconds", required_argument, NULL, 'S'},
                                            {"backend", required_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static const char *tasks[] = {"train2", "train1", "infer"};
    bench b = {.task = TRAIN2,
               .batch = 32,
               .size = 350,
               .threads = 2,
               .padding = AN_PADDING_FIXED,
               .alpha = 1.0,
               .seconds = 20,
               .backend = "cpu"};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 't':
            for (b.task = 0; b.task < 3 && strcmp(optarg, tasks[b.task]); b.task++) {
            }
            if (b.task == 3) usage_error("task", optarg, "train2, train1 or infer");
            break;
        case 'b':
            b.batch = atoll(optarg);
            break;
        case 's':
            b.size = atoi(optarg);
            break;
        case 'a':
            b.alpha = atof(optarg);
            break;
        case 'j':
            b.threads = atoi(optarg);
            break;
        case 'p':
            if (strcmp(optarg, "fp32") && strcmp(optarg, "mixed"))
                usage_error("precision", optarg, "fp32 or mixed");
            b.precision = strcmp(optarg, "fp32") ? AN_PRECISION_MIXED : AN_PRECISION_FP32;
            break;
        case 'd':
            if (strcmp(optarg, "fixed") && strcmp(optarg, "auto"))
                usage_error("padding", optarg, "fixed or auto");
            b.padding = strcmp(optarg, "fixed") ? AN_PADDING_AUTO : AN_PADDING_FIXED;
            break;
        case 'S':
            b.seconds = atof(optarg);
            break;
        case 'k':
            if (strcmp(optarg, "cpu") && strcmp(optarg, "ref"))
                usage_error("backend", optarg, "cpu or ref");
            b.backend = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            fputs(help, stderr);
            return 2;
        }
    }
    if (b.batch < 1 || b.batch > 65536) usage_error("batch", "out of range", "1 to 65536");
    set_up(&b);

    step(&b); /* plans, maps its memory */
    static double ms[MAX_PASSES];
    int passes = 0;
    const double begin = now();
    double before = begin;
    do {
        step(&b);
        const double after = now();
        ms[passes++] = 1e3 * (after - before);
        before = after;
    } while (passes < MAX_PASSES && (passes < 3 || before - begin < b.seconds));
    qsort(ms, (size_t)passes, sizeof *ms, by_value);

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const an_backend *backend = an_model_backend(b.model);
    printf("{\"peer\": \"attractivenet\", \"version\": \"%s\", \"task\": \"%s\", \"batch\": %lld, "
           "\"size\": %d, "
           "\"alpha\": %g, \"padding\": \"%s\", \"precision\": \"%s\", \"backend\": \"%s\", "
           "\"level\": \"%s\", \"threads\": %d, \"passes\": %d, \"img_per_s\": %.2f, "
           "\"img_per_s_median\": %.2f, \"ms_min\": %.2f, \"ms_median\": %.2f, \"peak_rss_mb\": "
           "%.0f}\n",
           an_version(), tasks[b.task], (long long)b.batch, b.size, b.alpha,
           b.padding == AN_PADDING_FIXED ? "fixed" : "auto",
           b.precision == AN_PRECISION_MIXED ? "mixed" : "fp32", an_backend_name(backend),
           an_backend_level(backend), an_backend_threads(backend), passes,
           1e3 * (double)b.batch / ms[0], 1e3 * (double)b.batch / ms[passes / 2], ms[0],
           ms[passes / 2], (double)usage.ru_maxrss / 1024);
    an_optimizer_destroy(b.optimizer);
    an_model_destroy(b.model);
    free(b.features);
    free(b.y);
    free(b.x);
    return 0;
}
