/* SPDX-License-Identifier: MIT
 * Step 7 of the tutorial: test the best model on images that it has never seen. */
#include "steps.h"

#include <stddef.h>

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER --model FILE --out DIR [options]",
    .about =
        "Step 7: test. Scores the test part of the split with the best model and compares\n"
        "with what people said: root mean squared error, mean absolute error, R2,\n"
        "Pearson's correlation. --seed must be that of the training, else the network has\n"
        "seen these images. Leaves DIR/metrics.json and DIR/scatter.png; with --bf16\n"
        "DIR/model_bf16.safetensors and with --int8 DIR/model_int8.safetensors, which predict\n"
        "runs in such numbers.",
    .examples =
        "  07_test --data run/data --model run/model.safetensors --out run\n"
        "  07_test --data run/data --model run/model.safetensors --out run --bf16 --int8 100",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv,
                   "data labels suffix names-encoding skip-damaged model out batch seed threads "
                   "cache bf16 int8 quiet",
                   &text);
    int status = 1;
    data d = {0};
    an_model *model = NULL;
    if (make_folder(s.out) || load_model(&s, &model)) goto done;
    s.size = model_info(model).height;
    if (load_data(&s, s.data, &d) ||
        (s.skip_damaged && check_data(&s, &d)) || /* the split is that of the training */
        prepare_data(&s, model_info(model).scale, &d))
        goto done;
    status = test_model(&s, model, &d);
done:
    an_model_destroy(model);
    data_close(&d);
    return status;
}
