/* SPDX-License-Identifier: MIT
 * Time predictions of several concurrent callers, each on its own thread, that share a model, a
 * backend or nothing; and predictions beside busy processes, which compete with our threads for the
 * processors. Prints one JSON line; ms_p90: nine out of ten predictions took no longer. */
#include <attractivenet/attractivenet.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

enum { SHARE_MODEL, SHARE_BACKEND, SHARE_NOTHING, MAX_CALLERS = 64, MAX_TIMES = 1 << 20 };

typedef struct caller {
    pthread_t thread;
    an_predictor *predictor;
    const uint8_t *frame;
    int32_t size;
    double end; /* clock, seconds */
    double *ms; /* [MAX_TIMES] */
    int64_t count;
} caller;

typedef struct bench {
    const char *device;
    int32_t callers, share, threads, size, busy, precision;
    double alpha, seconds;
} bench;

static const char share_words[] = "model|backend|nothing";
static const char precision_words[] = "fp32|int8|bf16"; /* as AN_INFERENCE_* */

static void predict(caller *c) {
    an_error err;
    float score;
    const int64_t stride = 3 * (int64_t)c->size;
    bench_check(
        an_predictor_score_frame(c->predictor, c->frame, c->size, c->size, stride, &score, &err),
        &err);
}

static void *call(void *data) {
    caller *c = data;
    double before = bench_now();
    do { /* at least one, so that there is a median */
        predict(c);
        const double after = bench_now();
        c->ms[c->count++] = 1e3 * (after - before);
        before = after;
    } while (before < c->end && c->count < MAX_TIMES);
    return NULL;
}

static an_backend *make_backend(const bench *b) {
    an_error err;
    an_backend *backend = NULL;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.device = b->device;
    options.threads = b->threads;
    bench_check(an_backend_create(&backend, &options, &err), &err);
    return backend;
}

static an_model *make_model(const bench *b, an_backend *backend) {
    an_error err;
    an_model *model = NULL;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = b->size;
    options.alpha = b->alpha;
    bench_check(an_mobilenetv2_create(&model, backend, &options, &err), &err);
    if (b->precision == AN_INFERENCE_INT8) {
        float *x = calloc(3 * (size_t)b->size * (size_t)b->size, sizeof *x);
        if (!x) bench_fail("no memory for an image", NULL);
        bench_check(an_model_calibrate_begin(model, &err), &err);
        bench_check(an_model_calibrate_add(model, x, 1, &err), &err);
        bench_check(an_model_calibrate_end(model, &err), &err);
        free(x);
    } else {
        bench_check(an_model_set_inference(model, b->precision, &err), &err);
    }
    return model;
}

/* Give each caller a predictor. Returns the memory in MB that the second one takes; 0: there is no
 * second one. */
static double make_predictors(const bench *b, caller *callers) {
    an_error err;
    an_backend *backend = NULL;
    an_model *model = NULL;
    double before = 0, second = 0;
    for (int32_t i = 0; i < b->callers; i++) {
        if (!backend || b->share == SHARE_NOTHING) {
            an_backend_destroy(backend);
            backend = make_backend(b);
        }
        if (!model || b->share != SHARE_MODEL) {
            an_model_destroy(model);
            model = make_model(b, backend);
        }
        bench_check(an_predictor_create(&callers[i].predictor, model, &err), &err);
        predict(&callers[i]); /* packs weights, maps buffers */
        predict(&callers[i]);
        if (i == 1) second = bench_peak_mb() - before;
        before = bench_peak_mb();
    }
    an_model_destroy(model); /* predictors hold references to it */
    an_backend_destroy(backend);
    return second;
}

static void start_busy(int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const pid_t child = fork();
        if (child < 0) bench_fail("no process to be busy", NULL);
        if (child) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* however the parent ends */
        for (volatile uint64_t n = 0;; n++) {
        }
    }
}

static void end_busy(int32_t count) {
    if (!count) return;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM); /* of the group that main() created */
    while (wait(NULL) > 0) {
    }
}

int main(int argc, char **argv) {
    bench b = {
        .device = "cpu", .callers = 1, .threads = 1, .size = 224, .alpha = 1.0, .seconds = 5};
    static caller callers[MAX_CALLERS];
    const option_row rows[] = {
        option_count("callers", &b.callers, 1, MAX_CALLERS, "threads that predict"),
        option_choice("share", &b.share, share_words, "what their predictors share"),
        option_text("device", &b.device, device_words, device_help),
        option_count("threads", &b.threads, 0, 1024, "of each backend; 0: all processors"),
        option_count("size", &b.size, 32, 8192, "height and width in pixels"),
        option_number("alpha", &b.alpha, 0.01, 10, "width multiplier"),
        option_choice("precision", &b.precision, precision_words, "how predictions are made"),
        option_count("busy", &b.busy, 0, 64, "processes beside that do nothing but count"),
        option_number("seconds", &b.seconds, 0, 1e6, "how long to time"),
        option_end()};
    const program_text text = {
        .usage = "[options]",
        .about = "Time predictions of several callers, frame by frame, and print one JSON line."};
    options_parse(argc, argv, rows, &text);
    if (b.busy && setpgid(0, 0)) bench_fail("cannot have a group of processes", NULL);
    start_busy(b.busy);

    const size_t bytes = 3 * (size_t)b.size * (size_t)b.size;
    uint8_t *frame = malloc(bytes);
    double *all = malloc((size_t)b.callers * MAX_TIMES * sizeof *all);
    if (!frame || !all) bench_fail("no memory for the times", NULL);
    for (size_t i = 0; i < bytes; i++)
        frame[i] = (uint8_t)(i * 2654435761u >> 24);
    for (int32_t i = 0; i < b.callers; i++)
        callers[i] = (caller){.frame = frame, .size = b.size, .ms = all + (int64_t)i * MAX_TIMES};
    const double second = make_predictors(&b, callers);

    const double begin = bench_now();
    for (int32_t i = 0; i < b.callers; i++) {
        callers[i].end = begin + b.seconds;
        if (pthread_create(&callers[i].thread, NULL, call, &callers[i]))
            bench_fail("no thread for a caller", NULL);
    }
    int64_t count = 0;
    for (int32_t i = 0; i < b.callers; i++)
        pthread_join(callers[i].thread, NULL);
    const double seconds = bench_now() - begin;
    end_busy(b.busy);
    for (int32_t i = 0; i < b.callers; i++)
        for (int64_t k = 0; k < callers[i].count; k++)
            all[count++] = callers[i].ms[k];
    bench_sort(all, count);
    char share[32], precision[32];
    printf("{\"version\": \"%s\", \"device\": \"%s\", \"callers\": %d, \"share\": \"%s\", "
           "\"threads\": %d, \"size\": "
           "%d, \"alpha\": %g, \"precision\": \"%s\", \"busy\": %d, \"predictions\": %lld, "
           "\"per_s\": %.1f, \"ms_min\": %.3f, \"ms_median\": %.3f, \"ms_p90\": %.3f, "
           "\"second_mb\": %.1f}\n",
           an_version(), b.device, (int)b.callers, option_word(share, share_words, b.share),
           (int)b.threads, (int)b.size, b.alpha,
           option_word(precision, precision_words, b.precision), (int)b.busy, (long long)count,
           (double)count / seconds, all[0], all[count / 2], all[count * 9 / 10], second);
    for (int32_t i = 0; i < b.callers; i++)
        an_predictor_destroy(callers[i].predictor);
    free(all);
    free(frame);
    return 0;
}
