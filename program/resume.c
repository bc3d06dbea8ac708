/* SPDX-License-Identifier: MIT
 * The run in a folder: its files, and whether and how it is resumed. */
#include "resume.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

const char *best_model_path(const settings *s, char path[PATH_SIZE]) {
    return join_path(path, s->out, "model.safetensors");
}

const char *checkpoint_path(const settings *s, char path[PATH_SIZE]) {
    return join_path(path, s->out, "checkpoint");
}

int lock_folder(const settings *s, an_run_lock **lock) {
    an_error err;
    char path[PATH_SIZE];
    if (make_folder(s->out)) return 1;
    return an_run_lock_create(lock, checkpoint_path(s, path), &err) ? complain(&err) : 0;
}

void remove_old_results(const settings *s) {
    static const char *const names[] = {"run.json", "metrics.json", "loss.png", "scatter.png"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(join_path(path, s->out, names[i]));
}

int find_checkpoint(const settings *s, an_checkpoint **checkpoint) {
    an_error err;
    char path[PATH_SIZE];
    an_checkpoint_info info;
    an_checkpoint_info_init(&info, sizeof info);
    const int32_t last = s->epochs2 > 0 ? 2 : 1;
    *checkpoint = NULL;
    checkpoint_path(s, path);
    if (s->restart) return an_checkpoint_remove(path, &err) ? complain(&err) : 0;
    const an_status status = an_checkpoint_read(checkpoint, path, show_warning, NULL, &err);
    if (status)
        return complain_of("%s; --restart discards the checkpoints and starts over", err.message);
    if (!*checkpoint) {
        if (s->resume) say(s->quiet, "nothing to resume in '%s': starting a new run\n", s->out);
        return 0;
    }
    an_checkpoint_describe(*checkpoint, &info, NULL);
    const int32_t epochs = info.stage == 1 ? s->epochs1 : s->epochs2;
    const int is_longer = epochs > info.max_epochs && info.reason != AN_STOP_EARLY;
    const int ended = info.stage >= last && info.reason && !is_longer;
    if (s->resume) {
        if (info.stage > last || (info.stage == 1 && s->epochs1 == 0))
            return complain_of("the run in '%s' is in stage %d, but --epochs%d is now 0", s->out,
                               (int)info.stage, (int)info.stage);
        if (ended)
            say(s->quiet, "the training in '%s' has already ended, after epoch %d of stage %d%s\n",
                s->out, (int)info.epoch, (int)info.stage,
                info.reason == AN_STOP_EARLY ? ": it stopped improving (--patience)" : "");
        else
            say(s->quiet, "resuming stage %d after step %lld of epoch %d\n", (int)info.stage,
                (long long)info.step, (int)info.epoch + 1);
        return 0;
    }
    an_checkpoint_destroy(*checkpoint);
    *checkpoint = NULL;
    if (info.stage < last || !info.reason)
        return complain_of("'%s' contains an unfinished run (stage %d, epoch %d): continue it with "
                           "--resume, or start over with --restart",
                           s->out, (int)info.stage, (int)info.epoch + !info.reason);
    return an_checkpoint_remove(path, &err) ? complain(&err) : 0;
}

int check_first_stage(const settings *s, const an_history *history) {
    an_epoch_report last;
    an_epoch_report_init(&last, sizeof last);
    for (int64_t i = 0; i < an_history_count(history); i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        an_history_copy_epoch(history, i, &report, NULL);
        if (report.stage == 1) last = report;
    }
    const int32_t epochs = last.epoch;
    /* If it stopped early, more epochs would not have changed that. */
    const int is_early = last.stage == 1 && last.reason != AN_STOP_EPOCHS;
    if (s->epochs1 == epochs || (is_early && s->epochs1 > epochs)) return 0;
    return complain_of("--epochs1 is %d, but stage 2 of the run in '%s' began after %d epochs of "
                       "stage 1, which can no longer be changed: use --epochs1 %d, or --restart",
                       (int)s->epochs1, s->out, (int)epochs, (int)epochs);
}

double best_loss(const an_history *history) {
    double best = INFINITY;
    for (int64_t i = 0; i < an_history_count(history); i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        an_history_copy_epoch(history, i, &report, NULL);
        best = fmin(best, report.val_loss);
    }
    return best;
}

void advise_on_nan(const settings *s, int32_t stage) {
    const int is_mixed = stage == 2 && s->precision == AN_PRECISION_MIXED;
    fprintf(stderr,
            "--resume would reach the same loss again; try --restart with --lr%d below %g%s\n",
            (int)stage, stage == 2 ? s->lr2 : s->lr1, is_mixed ? ", or with --precision fp32" : "");
}
