/* SPDX-License-Identifier: MIT
 * Step 5 of the tutorial: train in two stages. */
#include "interrupt.h"
#include "messages.h"
#include "replicas.h"
#include "resume.h"

#include <math.h>
#include <stdlib.h>

/* The other devices that train; most machines have one. */
static replica_set replicas;

/* Trains a stage from its start, or from checkpoint if it is not NULL. base: training mode of the
 * layers below the head; rate: learning rate. */
static int train_stage(settings *s, int32_t stage, int32_t base, int32_t epochs, double rate,
                       an_model *model, an_loader *train, an_loader *val, an_history *history,
                       const an_checkpoint *checkpoint) {
    an_error err;
    char best[PATH_SIZE], csv[PATH_SIZE], resume[PATH_SIZE];
    int status = 1;
    an_trainer *trainer = NULL;
    an_checkpoint_info info;
    an_checkpoint_info_init(&info, sizeof info);
    if (checkpoint) an_checkpoint_describe(checkpoint, &info, NULL);
    an_schedule_options schedule;
    an_schedule_options_init(&schedule, sizeof schedule);
    schedule.kind = s->schedule;
    an_train_options options;
    settings_train(s, &options); /* patience, precision, what is printed, ... */
    replicas_train(&replicas, s, &options);
    options.stage = stage;
    options.base = base;
    options.max_epochs = epochs;
    options.first_epoch = checkpoint ? info.first_epoch : (int32_t)an_history_count(history);
    options.learning_rate = rate;
    options.schedule = stage == 2 ? &schedule : NULL;
    if (!s->keras_checkpoint) options.checkpoint_best = best_loss(history);
    options.checkpoint_path = best_model_path(s, best);
    options.csv_path = join_path(csv, s->out, "history.csv");
    options.resume_path = checkpoint_path(s, resume);
    if (an_trainer_create(&trainer, model, train, val, history, &options, &err) ||
        (checkpoint && an_trainer_resume(trainer, checkpoint, &err))) {
        complain(&err);
        goto done;
    }
    if (checkpoint && stage == 2 && check_first_stage(s, history)) goto done;
    remove_old_results(s);
    say(s->quiet, "\n");
    interrupt_watch(trainer);
    const an_status st = an_trainer_run(trainer, &err);
    interrupt_watch(NULL);
    if (st == AN_ERR_CANCELLED && interrupt_happened()) {
        say_interrupted(s, &err);
        status = INTERRUPTED;
    } else {
        status = st ? complain(&err) : 0;
    }
    if (!st && an_trainer_reason(trainer) == AN_STOP_NAN) advise_on_nan(s, stage);
done:
    an_trainer_destroy(trainer);
    return status;
}

/* Stage 1 trains the head; stage 2 trains the whole network from the best weights of stage 1. */
static int train_stages(settings *s, an_model *model, an_loader *train, an_loader *val) {
    an_error err;
    char path[PATH_SIZE];
    int status = 1;
    an_history *history = NULL;
    an_arrays *best = NULL;
    an_checkpoint *checkpoint = NULL;
    an_checkpoint_info info;
    an_checkpoint_info_init(&info, sizeof info);
    if (find_checkpoint(s, &checkpoint)) goto done;
    if (checkpoint) an_checkpoint_describe(checkpoint, &info, NULL);
    if (an_model_set_momentum(model, s->momentum, &err) || an_history_create(&history, &err)) {
        complain(&err);
        goto done;
    }
    interrupt_begin();
    if (s->epochs1 > 0 && info.stage < 2) {
        status = train_stage(s, 1, AN_BASE_FROZEN, s->epochs1, s->lr1, model, train, val, history,
                             checkpoint);
        if (status) goto done;
        if (s->epochs2 > 0 && isfinite(best_loss(history)) &&
            (an_arrays_read(&best, best_model_path(s, path), &err) ||
             an_model_set_weights(model, best, &err))) {
            status = complain(&err);
            goto done;
        }
    }
    if (s->epochs2 > 0)
        status = train_stage(s, 2, s->base2, s->epochs2, s->lr2, model, train, val, history,
                             info.stage == 2 ? checkpoint : NULL);
    if (!status && !isfinite(best_loss(history)))
        status =
            complain_of("the validation loss was NaN or infinite in every epoch: no model to keep");
    if (!status) say(s->quiet, "\nbest model: %s\n", best_model_path(s, path));
done:
    interrupt_end();
    an_arrays_destroy(best);
    an_checkpoint_destroy(checkpoint);
    an_history_destroy(history);
    return status;
}

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER --model FILE --out DIR [options]",
    .about =
        "Step 5: train. Stage 1 trains the new head on the features of the network from\n"
        "step 4; stage 2 then trains the whole network at a tenth of the learning rate. Writes\n"
        "the best model to DIR/model.safetensors and the history to DIR/history.csv. Ctrl-C\n"
        "and SIGTERM stop it after the current step, with exit status 3; --resume continues.",
    .examples = "  05_train --data run/data --model run/initial.safetensors --out run",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(
        &s, argc, argv,
        "data labels suffix names-encoding skip-damaged model out batch epochs1 epochs2 lr1 lr2 "
        "schedule augment augment-strength "
        "seed device devices sync-batch-norm threads precision recompute "
        "quiet keras-checkpoint "
        "base2 bn-momentum update-batch-norm patience min-delta cache resume restart "
        "checkpoint-seconds tensorboard verbose",
        &text);
    int status = 1;
    an_error err;
    an_status st = AN_OK;
    int64_t *indices = NULL, n_train = 0, n_val = 0, n_test = 0;
    an_run_lock *lock = NULL;
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_dataset *faces = NULL;
    an_loader *train = NULL, *val = NULL;
    if (lock_folder(&s, &lock)) goto done;

    an_model_info info;
    an_model_info_init(&info, sizeof info);
    st = replicas_create(&replicas, &backend, &s, &err);
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
    if (check_images(&s, faces)) goto done;
    indices = calloc((size_t)an_dataset_count(faces), sizeof *indices);
    if (!indices) {
        complain_of("no memory for the split");
        goto done;
    }
    st = an_tutorial_split(an_dataset_count(faces), (uint32_t)s.seed, indices, &n_train, &n_val,
                           &n_test, &err);
    if (st) goto done;
    say_split(&s, n_train, n_val, n_test);

    an_augment_options augment;
    settings_augment(&s, &augment);
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = s.batch;
    options.seed = (uint32_t)s.seed;
    options.scale = info.scale;
    st = an_loader_create(&val, faces, indices + n_train, n_val, &options, &err);
    if (st) goto done;
    options.augment = &augment;
    options.shuffle = options.drop_last = 1;
    st = an_loader_create(&train, faces, indices, n_train, &options, &err);
    if (st) goto done;
    status = train_stages(&s, model, train, val);
done:
    if (st) complain(&err);
    an_loader_destroy(train);
    an_loader_destroy(val);
    an_dataset_destroy(faces);
    an_model_destroy(model);
    replicas_clear(&replicas);
    an_backend_destroy(backend);
    an_run_lock_destroy(lock);
    free(indices);
    return status;
}
