/* SPDX-License-Identifier: MIT
 * Step 5 of the tutorial: train in two stages. */
#include "steps.h"

#include <stddef.h>

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER --model FILE --out DIR [options]",
    .about =
        "Step 5: train. Stage 1 teaches the new head what the network of step 4 already\n"
        "sees; stage 2 then trains all of it, at a tenth of the rate. Leaves the best\n"
        "model as DIR/model.safetensors and the course as DIR/history.csv. Ctrl-C and SIGTERM\n"
        "end it after the step under way, with exit status 3; --resume goes on.",
    .examples = "  05_train --data run/data --model run/initial.safetensors --out run",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(
        &s, argc, argv,
        "data labels suffix names-encoding skip-damaged model out batch epochs1 epochs2 lr1 lr2 "
        "schedule augment augment-strength "
        "seed threads precision recompute "
        "quiet keras-checkpoint "
        "base2 bn-momentum update-batch-norm patience min-delta cache resume restart "
        "checkpoint-seconds tensorboard verbose",
        &text);
    int status = 1;
    data d = {0};
    an_model *model = NULL;
    an_history *history = NULL;
    an_run_lock *lock = NULL;
    if (lock_folder(&s, &lock)) goto done;
    if (load_model(&s, &model)) goto done;
    s.size = model_info(model).height;
    if (load_data(&s, s.data, &d) || check_data(&s, &d) ||
        prepare_data(&s, model_info(model).scale, &d))
        goto done;
    status = train_model(&s, model, &d, &history);
done:
    an_history_destroy(history);
    an_model_destroy(model);
    data_close(&d);
    an_run_lock_destroy(lock);
    return status;
}
