/* SPDX-License-Identifier: MIT
 * The whole tutorial in one program: from an archive of photographs with scores to a trained
 * network, its curves and its metrics. steps.c holds the library's calls. */
#include "steps.h"

#include <stddef.h>

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER|URL --out DIR [options]",
    .about =
        "Trains MobileNetV2 to score photographs as people did, in the seven steps of the "
        "tutorial:\n"
        "get the data, load it, prepare it (split, augment), build the network, train it in two\n"
        "stages, plot the losses, test it. Leaves in DIR:\n"
        "  model.safetensors  the best model, for predict and an_model_load()\n"
        "  history.csv        stage, epoch, loss, val_loss, rate, seconds\n"
        "  loss.png           the losses over the epochs\n"
        "  scatter.png        predicted against true scores of the test part\n"
        "  metrics.json       rmse, mae, r2, pearson, deviation, n_train, n_val, n_test\n"
        "  checkpoint-1.safetensors, -2   what an interrupted training is resumed from\n"
        "The exit status is 0 only if all results are there. Ctrl-C and SIGTERM end a training\n"
        "after the step under way, with exit status 3; the same command with --resume goes on. A\n"
        "second one ends it at once. With --resume a run that has ended goes on, too, if "
        "--epochs2\n"
        "(or --epochs1, before stage 2 has begun) is more than before.",
    .examples =
        "  attractivenet --data SCUT-FBP5500_v2.1.zip --out run\n"
        "      as the tutorial: 350x350, ImageNet weights, 30 + 30 epochs\n"
        "  make_faces --out faces.zip && attractivenet --data faces.zip --out run \\\n"
        "      --weights none --size 96 --alpha 0.35 --epochs1 0 --lr2 2e-3 --bn-momentum 0.9\n"
        "      made-up faces, from random weights, in minutes\n"
        "  attractivenet --data SCUT-FBP5500_v2.1.zip --out run --resume\n"
        "      go on after an interruption, a crash or a power cut",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(
        &s, argc, argv,
        "data labels suffix names-encoding skip-damaged out size alpha padding weights scale batch "
        "epochs1 "
        "epochs2 lr1 lr2 schedule augment "
        "augment-strength seed threads precision recompute quiet keras-checkpoint base2 "
        "bn-momentum "
        "update-batch-norm "
        "patience "
        "min-delta cache extract sha256 resume restart checkpoint-seconds tensorboard verbose",
        &text);
    int status = 1;
    char path[PATH_SIZE];
    data d = {0};
    an_model *model = NULL;
    an_history *history = NULL;
    an_run_lock *lock = NULL;
    if (lock_folder(&s, &lock)) goto done;
    if (get_data(&s, path) || load_data(&s, path, &d) || check_data(&s, &d)) goto done;
    /* Before the batches: the weights decide how pixels are scaled. */
    if (build_model(&s, &model) || prepare_data(&s, model_info(model).scale, &d)) goto done;
    status = train_model(&s, model, &d, &history);
    if (status) goto done;
    status = 1;
    if (plot_history(&s, history)) goto done;
    an_model_destroy(model);
    if (load_model(&s, &model)) goto done; /* the best one, not the last */
    status = test_model(&s, model, &d);
done:
    an_history_destroy(history);
    an_model_destroy(model);
    data_close(&d);
    an_run_lock_destroy(lock);
    return status;
}
