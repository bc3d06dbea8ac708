/* SPDX-License-Identifier: MIT
 * Step 7 of the tutorial: test the best model on unseen images. */
#include "messages.h"
#include "results.h"

#include <stdio.h>
#include <stdlib.h>

/* Scores the test part again with the model's current inference, and saves the model. */
static an_status test_again(settings *s, an_model *model, an_loader *test, const double *truth,
                            float *scores, int64_t n_test, double rmse, const char *kind,
                            an_error *err) {
    char path[PATH_SIZE], name[64];
    an_metrics metrics;
    an_metrics_init(&metrics, sizeof metrics);
    snprintf(name, sizeof name, "model_%s.safetensors", kind);
    join_path(path, s->out, name);
    an_status st = an_predict_loader(model, test, scores, show_progress, &s->quiet, err);
    if (!st) st = an_metrics_compute(truth, scores, NULL, n_test, &metrics, err);
    if (!st) st = an_model_save(model, path, err);
    if (!st) say_short_metrics(s, kind, &metrics, rmse, path);
    return st;
}

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER --model FILE --out DIR [options]",
    .about =
        "Step 7: test. Scores the test part of the split with the best model and compares\n"
        "the scores with those of people: root mean squared error, mean absolute error, R2,\n"
        "Pearson correlation. --seed must be the one used for training; otherwise the network\n"
        "has seen some of these images. Writes DIR/metrics.json and DIR/scatter.png; with\n"
        "--bf16 and --int8 also DIR/model_bf16.safetensors and DIR/model_int8.safetensors,\n"
        "with which predict uses the same inference.",
    .examples =
        "  07_test --data run/data --model run/model.safetensors --out run\n"
        "  07_test --data run/data --model run/model.safetensors --out run --bf16 --int8 100",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(
        &s, argc, argv,
        "data labels suffix names-encoding skip-damaged model out batch seed device threads "
        "cache bf16 int8 quiet",
        &text);
    int status = 1;
    an_error err;
    an_status st = AN_OK;
    char path[PATH_SIZE];
    int64_t *indices = NULL, n_train = 0, n_val = 0, n_test = 0;
    double *truth = NULL;
    float *scores = NULL;
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_dataset *faces = NULL;
    an_loader *val = NULL, *test = NULL;
    if (make_folder(s.out)) goto done;

    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.device = s.device;
    device.threads = s.threads;
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    st = an_backend_create(&backend, &device, &err);
    if (!st && !s.quiet) show_device(s.device, backend);
    if (!st) st = an_model_load(&model, backend, s.model, NULL, &err);
    if (!st) st = an_model_describe(model, &info, &err);
    if (st) goto done;

    s.size = info.height;
    an_dataset_options how;
    an_extract_options archive;
    settings_dataset(&s, &how, &archive);
    st = an_dataset_open(&faces, s.data, &how, &err);
    if (st) goto done;
    say_images(&s, faces, s.data);
    /* Leave out the images that training left out: the same split. */
    if (s.skip_damaged && check_images(&s, faces)) goto done;
    indices = calloc((size_t)an_dataset_count(faces), sizeof *indices);
    truth = calloc((size_t)an_dataset_count(faces), sizeof *truth);
    scores = calloc((size_t)an_dataset_count(faces), sizeof *scores);
    if (!indices || !truth || !scores) {
        complain_of("no memory for the scores");
        goto done;
    }
    st = an_tutorial_split(an_dataset_count(faces), (uint32_t)s.seed, indices, &n_train, &n_val,
                           &n_test, &err);
    if (st) goto done;
    say_split(&s, n_train, n_val, n_test);
    for (int64_t i = 0; i < n_test; i++)
        truth[i] = an_dataset_score(faces, indices[n_train + n_val + i], 0);

    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = s.batch;
    options.scale = info.scale;
    an_metrics metrics;
    an_metrics_init(&metrics, sizeof metrics);
    st = an_loader_create(&val, faces, indices + n_train, n_val, &options, &err);
    if (!st) st = an_loader_create(&test, faces, indices + n_train + n_val, n_test, &options, &err);
    if (!st) st = an_predict_loader(model, test, scores, show_progress, &s.quiet, &err);
    if (!st) st = an_metrics_compute(truth, scores, NULL, n_test, &metrics, &err);
    if (st) goto done;
    const double deviation = standard_deviation(truth, n_test);
    say_metrics(&s, &metrics, deviation, n_test);
    join_path(path, s.out, "scatter.png");
    st = an_plot_scatter(path, truth, scores, n_test, NULL, &err);
    if (st) goto done;
    say(s.quiet, "scatter plot written to %s\n", path);
    if (write_metrics(&s, &metrics, deviation, NULL, n_train, n_val, n_test)) goto done;

    if (s.bf16) {
        st = an_model_set_inference(model, AN_INFERENCE_BF16, &err);
        if (!st)
            st = test_again(&s, model, test, truth, scores, n_test, metrics.rmse, "bf16", &err);
        if (st) goto done;
    }
    if (s.int8) { /* calibrated with images that are not in the test set */
        st = an_calibrate_loader(model, val, s.int8, show_progress, &s.quiet, &err);
        if (!st)
            st = test_again(&s, model, test, truth, scores, n_test, metrics.rmse, "int8", &err);
        if (st) goto done;
    }
    status = 0;
done:
    if (st) complain(&err);
    an_loader_destroy(test);
    an_loader_destroy(val);
    an_dataset_destroy(faces);
    an_model_destroy(model);
    an_backend_destroy(backend);
    free(scores);
    free(truth);
    free(indices);
    return status;
}
