/* SPDX-License-Identifier: MIT
 * attractivenet test: evaluates a trained model on unseen images. */
#include "command.h"
#include "messages.h"
#include "steps.h"

#include <stdio.h>

static settings s;

static void options(option_row rows[OPTION_ROWS]) {
    settings_rows(&s,
                  "data labels suffix names-encoding skip-damaged model out batch seed device "
                  "threads cache bf16 int8 interval quiet",
                  rows);
}

static int run_test(const option_row *rows, int count, char **operands) {
    (void)count, (void)operands;
    int status = 1;
    run r = {.s = &s, .rows = rows};
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    if (make_folder(s.out) || make_backend(&r) || load_model(&r, s.model)) goto done;
    an_model_describe(r.model, &info, NULL);
    s.size = info.height;
    snprintf(r.path, sizeof r.path, "%s", s.data);
    if (load_data(&r) || (s.skip_damaged && check_images(&s, r.faces)) || prepare_data(&r))
        goto done;
    status = measure_intervals(&r) || test_model(&r);
done:
    run_close(&r);
    return status;
}

const command test_command = {
    .name = "test",
    .what = "compare a model's scores with those of people",
    .text =
        {.name = "attractivenet test",
         .usage = "--data ARCHIVE|FOLDER --model FILE --out DIR [options]",
         .about =
             "Scores the test part of the split and compares the scores with those of people: "
             "root\n"
             "mean squared error, mean absolute error, R2, Pearson correlation. --seed must be\n"
             "the one used for training; otherwise the network has seen some of these images.\n"
             "Writes DIR/metrics.json and DIR/scatter.png; with --bf16 and --int8 also\n"
             "DIR/model_bf16.safetensors and DIR/model_int8.safetensors, with which the command\n"
             "predict uses the same inference. The interval around the scores is measured on the\n"
             "validation part, which also chose the model: with few images it is a little narrow;\n"
             "the share of test scores within it is printed beside it.",
         .examples =
             "  attractivenet test --data faces.zip --model run/model.safetensors --out run\n"
             "  attractivenet test --data faces.zip --model run/model.safetensors --out run \\\n"
             "      --bf16 --int8 100"},
    .options = options,
    .run = run_test,
};
