/* SPDX-License-Identifier: MIT
 * Settings as a list of names and texts. */
#include "train/settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "augment/loader.h"
#include "base/error.h"
#include "layers/model.h"
#include "optim/optim.h"
#include "optim/schedule.h"

static const char *const base_words[] = {"frozen", "statistics", "train", "finetune", NULL};
static const char *const head_words[] = {"steps", "closed", NULL};
static const char *const precision_words[] = {"fp32", "mixed", NULL};
static const char *const loss_words[] = {"own",         "mse",    "mae", "huber",
                                         "categorical", "binary", NULL};

/* Names in checkpoints are those of the first checkpoints: "batch", "last_batch", "recalibrate". */

static void add_stage(ani_setting_list *to, const an_train_options *o) {
    ani_setting_whole(to, "stage", o->stage);
    ani_setting_whole(to, "first_epoch", o->first_epoch);
    ani_setting_whole(to, "max_epochs", o->max_epochs);
    ani_setting_word(to, "base", o->base, base_words);
    ani_setting_word(to, "loss", o->loss, loss_words);
    ani_setting_whole(to, "accumulate", o->accumulate);
    ani_setting_number(to, "learning_rate", o->learning_rate);
    ani_setting_whole(to, "early_stop_patience", o->early_stop_patience);
    ani_setting_number(to, "early_stop_min_delta", o->early_stop_min_delta);
    ani_setting_whole(to, "restore_best", o->restore_best);
    ani_setting_whole(to, "save_best_only", o->save_best_only);
    ani_setting_whole(to, "reduce_rate_patience", o->reduce_rate_patience);
    ani_setting_whole(to, "reduce_rate_cooldown", o->reduce_rate_cooldown);
    ani_setting_number(to, "reduce_rate_factor", o->reduce_rate_factor);
    ani_setting_number(to, "reduce_rate_min_delta", o->reduce_rate_min_delta);
    ani_setting_number(to, "reduce_rate_min", o->reduce_rate_min);
    ani_setting_whole(to, "terminate_on_nan", o->terminate_on_nan);
    ani_setting_whole(to, "recalibrate", o->update_batch_norm);
    ani_setting_whole(to, "finetune_from", o->finetune_from);
    ani_setting_number(to, "average", o->average);
    ani_setting_word(to, "head", o->head ? 1 : 0, head_words);
    if (o->head) {
        ani_setting_whole(to, "head.penalty_by", o->head->penalty_by);
        ani_setting_number(to, "head.penalty", o->head->penalty);
    }
    /* Not recompute, which does not change a bit. */
    ani_setting_word(to, "precision", o->precision, precision_words);
}

an_status ani_settings_append(const ani_snapshot *run, an_arrays *arrays, an_error *err) {
    ani_setting_list to = {arrays, AN_OK, err};
    add_stage(&to, run->options);
    ani_model_settings(run->model, &to);
    ani_loader_settings(run->train, run->val, &to);
    ani_optimizer_settings(run->optimizer, &to);
    ani_schedule_settings(run->schedule, &to);
    return to.status;
}

an_status ani_settings_check(const ani_snapshot *run, const an_arrays *arrays, an_error *err) {
    an_arrays *now = NULL;
    bool is_longer = false;
    an_status st = an_arrays_create(&now, err);
    if (!st) st = ani_settings_append(run, now, err);
    for (int64_t i = 0; !st && i < an_arrays_metadata_count(now); i++) {
        const char *key = an_arrays_metadata_key(now, i);
        const char *is = an_arrays_metadata(now, key), *was = an_arrays_metadata(arrays, key);
        const char *name = key + sizeof ANI_SETTING_PREFIX - 1;
        if (was && !strcmp(name, "model.scale") && !strcmp(was, "seed")) was = "article";
        /* from before the first release, when all networks had Keras' epsilon */
        if (!was && !strcmp(name, "model.epsilon")) was = "0.001";
        if (!was)
            st = ani_fail(err, AN_ERR_ARG,
                          "the run cannot be resumed: its checkpoint does not record %s, which is "
                          "now '%s'",
                          name, is);
        else if (!strcmp(was, is))
            continue;
        else if (!strcmp(name, "max_epochs") && atoi(was) < run->options->max_epochs)
            is_longer = true;
        else if (is_longer && !strcmp(name, "schedule.decay_steps"))
            st = ani_fail(
                err, AN_ERR_ARG,
                "the run cannot be resumed with more epochs: its cosine schedule ends with "
                "max_epochs (decay_steps was %s, and is %s now), so every epoch would "
                "differ; start again, or keep decay_steps at %s",
                was, is, was);
        else
            st = ani_fail(err, AN_ERR_ARG,
                          "the run cannot be resumed with other settings: %s was '%s', and is '%s' "
                          "now",
                          name, was, is);
    }
    an_arrays_destroy(now);
    return st;
}
