/* SPDX-License-Identifier: MIT
 * A checkpoint is a safetensors file with a checksum over all of it (io/safetensors.h):
 *
 *   arrays     LAYER/VARIABLE: the weights, as in a model file
 *              best/LAYER/VARIABLE: the best ones so far, with restore_best
 *              optimizer/m, optimizer/v: moments of what the stage trains
 *              average, average_moving: its average and that one's statistics, with average
 *   metadata   checkpoint: version of this layout; number: counts checkpoints of a run
 *              stage, first_epoch, optimizer.steps, library_version, backend, history
 *              state.NAME: train/state.h; setting.NAME: train/settings.h
 *
 * Numbers are decimal texts that survive a round trip exactly. Of the two files, the one with the
 * higher number is newer; the other one is replaced by a rename. */
#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <attractivenet/version.h>

#include "augment/loader.h"
#include "base/callbacks.h"
#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/shape.h"
#include "base/text.h"
#include "io/arrays.h"
#include "io/safetensors.h"
#include "layers/model.h"
#include "optim/optim.h"
#include "train/fields.h"
#include "train/history.h"
#include "train/settings.h"

enum { FILE_COUNT = 2 };
static const char version_key[] = "checkpoint", version_text[] = "1";
static const char backend_key[] = "backend", history_key[] = "history";
static const char best_prefix[] = "best/";

struct an_checkpoint {
    an_arrays *arrays;
    int64_t number, optimizer_steps;
    int32_t stage, first_epoch, max_epochs, epoch, reason;
    int64_t step;
};

/* What every checkpoint says about itself. */
#define MEMBER(name, kind, member, low, high)                                                      \
    { name, kind, offsetof(an_checkpoint, member), low, high }
static const ani_field fields[] = {
    MEMBER("number", ANI_FIELD_INT64, number, 1, INT64_MAX / 2),
    MEMBER("stage", ANI_FIELD_INT32, stage, 1, INT32_MAX),
    MEMBER("first_epoch", ANI_FIELD_INT32, first_epoch, 0, INT32_MAX),
    MEMBER("optimizer.steps", ANI_FIELD_INT64, optimizer_steps, 0, INT64_MAX / 2),
    MEMBER("state.epoch", ANI_FIELD_INT32, epoch, 0, INT32_MAX),
    MEMBER("state.reason", ANI_FIELD_INT32, reason, AN_STOP_NONE, AN_STOP_ASKED),
    MEMBER("state.place.step", ANI_FIELD_INT64, step, 0, INT64_MAX),
    MEMBER("setting.max_epochs", ANI_FIELD_INT32, max_epochs, 1, INT32_MAX),
};
enum {
    FIELD_COUNT = sizeof fields / sizeof *fields,
    OWN_FIELDS = 4
}; /* the rest: state, setting */

/** The name of file `slot`; owned by the caller. */
static char *file_of(const char *path, int32_t slot) {
    const size_t size = strlen(path) + sizeof "-1.safetensors";
    char *file = ani_alloc((int64_t)size);
    if (file) snprintf(file, size, "%s-%d.safetensors", path, (int)slot + 1);
    return file;
}

/* --- reading ---------------------------------------------------------------------------------- */

/** The metadata texts of a file as members. */
static an_status read_fields(an_checkpoint *checkpoint, const char *file, an_error *err) {
    const char *version = an_arrays_metadata(checkpoint->arrays, version_key);
    if (!version) return ani_fail(err, AN_ERR_FORMAT, "'%s' is not a checkpoint", file);
    if (strcmp(version, version_text) != 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "'%s' is a checkpoint of version '%s'; this library reads version %s", file,
                        version, version_text);
    for (int i = 0; i < FIELD_COUNT; i++) {
        const char *text = an_arrays_metadata(checkpoint->arrays, fields[i].name), *end = "";
        if (!text || !ani_field_parse(&fields[i], checkpoint, text, &end) || *end)
            return ani_fail(err, AN_ERR_FORMAT, "'%s': %s is '%s'", file, fields[i].name,
                            text ? text : "missing");
    }
    if (!an_arrays_metadata(checkpoint->arrays, history_key))
        return ani_fail(err, AN_ERR_FORMAT, "'%s' has no history", file);
    return AN_OK;
}

an_status ani_checkpoint_read_file(an_checkpoint **out, const char *file, an_error *err) {
    *out = NULL;
    ani_file *opened = NULL;
    an_checkpoint *checkpoint = ani_alloc_zero(1, sizeof *checkpoint);
    if (!checkpoint) return ani_fail_memory(err, sizeof *checkpoint, "a checkpoint");
    an_status st = an_arrays_create(&checkpoint->arrays, err);
    if (!st) st = ani_file_open(&opened, file, err);
    if (!st) st = ani_safetensors_check_seal(opened, err);
    if (!st) st = ani_safetensors_read(checkpoint->arrays, opened, err);
    if (!st) st = read_fields(checkpoint, file, err);
    ani_file_close(opened);
    if (st) {
        an_checkpoint_destroy(checkpoint);
        return st;
    }
    *out = checkpoint;
    return AN_OK;
}

/** The contents of the two files. */
typedef struct generations {
    an_checkpoint *checkpoint[FILE_COUNT]; /* NULL: there is none, or it cannot be read */
    an_error error[FILE_COUNT];            /* status AN_OK: there is none, or it could be read */
} generations;

static void clear_generations(generations *found) {
    for (int32_t slot = 0; slot < FILE_COUNT; slot++) {
        an_checkpoint_destroy(found->checkpoint[slot]);
        found->checkpoint[slot] = NULL;
    }
}

/** Read both files. Fails only for reasons other than a faulty file. */
static an_status find_generations(generations *found, const char *path, an_error *err) {
    *found = (generations){0};
    for (int32_t slot = 0; slot < FILE_COUNT; slot++) {
        char *file = file_of(path, slot);
        an_error *error = &found->error[slot];
        an_status st = AN_OK;
        if (!file)
            st = ani_fail_memory(error, (int64_t)strlen(path), "a path");
        else if (ani_is_file(file))
            st = ani_checkpoint_read_file(&found->checkpoint[slot], file, error);
        error->status = st;
        ani_free(file);
        if (st == AN_ERR_NOMEM) {
            clear_generations(found);
            return ani_fail(err, st, "%s", error->message);
        }
    }
    return AN_OK;
}

/** The slot of the newest checkpoint; -1: there is none. */
static int32_t newest(const generations *found) {
    const an_checkpoint *const *c = (const an_checkpoint *const *)found->checkpoint;
    if (c[0] && c[1]) return c[1]->number > c[0]->number;
    return c[0] ? 0 : c[1] ? 1 : -1;
}

static an_status warn_of_old(const an_error *why, const char *path, int32_t slot,
                             an_warning_fn warn, void *user, an_error *err) {
    an_error text; /* as a buffer for the message */
    ani_fail(&text, AN_OK, "%s; continuing from '%s-%d.safetensors'", why->message,
             ani_base_name(path), (int)slot + 1);
    return ani_warn(warn, user, AN_WARN_OLD_CHECKPOINT, 1, text.message, err);
}

an_status an_checkpoint_read(an_checkpoint **out, const char *path, an_warning_fn warn,
                             void *warn_user, an_error *err) {
    generations found;
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!path || !*path) return ani_fail(err, AN_ERR_ARG, "path is %s", path ? "empty" : "NULL");
    an_status st = find_generations(&found, path, err);
    if (st) return st;
    const int32_t slot = newest(&found);
    const an_error *bad = found.error[0].status ? &found.error[0] : &found.error[1];
    for (int32_t i = 0; i < FILE_COUNT; i++)
        if (found.error[i].status == AN_ERR_UNSUPPORTED) bad = &found.error[i];
    if (slot < 0 && found.error[0].status && found.error[1].status)
        st = ani_fail(err, bad->status, "no checkpoint can be read: %s; %s", found.error[0].message,
                      found.error[1].message);
    else if (bad->status == AN_ERR_UNSUPPORTED || (slot < 0 && bad->status))
        st = ani_fail(err, bad->status, "%s", bad->message);
    else if (slot >= 0 && bad->status)
        st = warn_of_old(bad, path, slot, warn, warn_user, err);
    if (!st && slot >= 0) {
        *out = found.checkpoint[slot];
        found.checkpoint[slot] = NULL;
    }
    clear_generations(&found);
    return st;
}

void an_checkpoint_destroy(an_checkpoint *checkpoint) {
    if (!checkpoint) return;
    an_arrays_destroy(checkpoint->arrays);
    ani_free(checkpoint);
}

void an_checkpoint_info_init(an_checkpoint_info *info, uint32_t struct_size) {
    ani_report_init(info, struct_size);
}

an_status an_checkpoint_describe(const an_checkpoint *checkpoint, an_checkpoint_info *info,
                                 an_error *err) {
    if (!checkpoint || !info)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", checkpoint ? "info" : "checkpoint");
    const an_status st = ani_report_check(info, "an_checkpoint_info", err);
    if (st) return st;
    const an_checkpoint_info ours = {.struct_size = sizeof ours,
                                     .stage = checkpoint->stage,
                                     .first_epoch = checkpoint->first_epoch,
                                     .epoch = checkpoint->epoch,
                                     .reason = checkpoint->reason,
                                     .max_epochs = checkpoint->max_epochs,
                                     .step = checkpoint->step};
    ani_report_copy(info, &ours, sizeof ours);
    return AN_OK;
}

an_status an_checkpoint_remove(const char *path, an_error *err) {
    if (!path || !*path) return ani_fail(err, AN_ERR_ARG, "path is %s", path ? "empty" : "NULL");
    an_status st = AN_OK;
    ani_lock *lock = NULL;
    for (int32_t slot = 0; slot < FILE_COUNT && !st; slot++) {
        char *file = file_of(path, slot);
        if (!file)
            st = ani_fail_memory(err, (int64_t)strlen(path), "a path");
        else if (ani_is_file(file) && !lock)
            st = ani_lock_take(&lock, path, ANI_LOCK_JOIN, NULL, err);
        if (!st) st = ani_file_remove(file, err);
        ani_free(file);
    }
    ani_lock_release(lock);
    return st;
}

struct an_run_lock {
    ani_lock *lock;
};

an_status an_run_lock_create(an_run_lock **out, const char *path, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!path || !*path) return ani_fail(err, AN_ERR_ARG, "path is %s", path ? "empty" : "NULL");
    an_run_lock *lock = ani_alloc_zero(1, sizeof *lock);
    if (!lock) return ani_fail_memory(err, sizeof *lock, "a lock");
    an_status st = ani_writer_check(path, err);
    if (!st) st = ani_lock_take(&lock->lock, path, ANI_LOCK_ALONE, NULL, err);
    if (st) {
        ani_free(lock);
        return st;
    }
    *out = lock;
    return AN_OK;
}

void an_run_lock_destroy(an_run_lock *lock) {
    if (!lock) return;
    ani_lock_release(lock->lock);
    ani_free(lock);
}

/* --- writing ---------------------------------------------------------------------------------- */

/** Name what the last bits depend on, apart from the settings. */
static void name_backend(char *text, size_t size, const an_model *model) {
    const an_backend *backend = an_model_backend(model);
    snprintf(text, size, "%s %s, library %s", an_backend_name(backend), an_backend_level(backend),
             an_version());
}

/** Append a list of weights to another, with a prefix. */
static an_status append_best(an_arrays *to, const an_arrays *from, an_error *err) {
    an_status st = AN_OK;
    for (int64_t i = 0; i < an_arrays_count(from) && !st; i++) {
        char name[sizeof best_prefix + ANI_ARRAY_NAME_SIZE];
        int64_t shape[ANI_SHAPE_MAX_RANK];
        const int32_t rank = an_arrays_rank(from, i);
        for (int32_t axis = 0; axis < rank; axis++)
            shape[axis] = an_arrays_length(from, i, axis);
        snprintf(name, sizeof name, "%s%s", best_prefix, an_arrays_name(from, i));
        st = an_arrays_add(to, name, an_arrays_data(from, i), shape, rank, err);
    }
    return st;
}

static bool is_finite(const an_arrays *arrays) {
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const float *values = an_arrays_data(arrays, i);
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(arrays, i); axis++)
            count *= an_arrays_length(arrays, i, axis);
        for (int64_t k = 0; k < count; k++)
            if (!isfinite(values[k])) return false;
    }
    return true;
}

static an_status append_fields(const ani_snapshot *run, int64_t number, an_arrays *arrays,
                               an_error *err) {
    const an_checkpoint own = {.number = number,
                               .stage = run->options->stage,
                               .first_epoch = run->options->first_epoch,
                               .optimizer_steps = an_optimizer_steps(run->optimizer)};
    char backend[96];
    ani_text history = {0};
    an_status st = an_arrays_set_metadata(arrays, version_key, version_text, err);
    for (int i = 0; i < OWN_FIELDS && !st; i++) {
        char text[ANI_FIELD_SIZE];
        ani_field_format(text, &fields[i], &own);
        st = an_arrays_set_metadata(arrays, fields[i].name, text, err);
    }
    name_backend(backend, sizeof backend, run->model);
    if (!st) st = an_arrays_set_metadata(arrays, backend_key, backend, err);
    ani_history_print(run->history, &history);
    if (!st && history.failed) st = ani_fail_memory(err, history.size, "a history as text");
    if (!st)
        st = an_arrays_set_metadata(arrays, history_key, history.bytes ? history.bytes : "", err);
    ani_text_clear(&history);
    return st;
}

/** Remove what a killed process left behind of the files that this run writes. */
static void sweep(const an_train_options *options) {
    const char *const paths[] = {options->checkpoint_path, options->csv_path};
    for (int i = 0; i < 2; i++)
        if (paths[i]) ani_writer_sweep(paths[i]);
    for (int32_t slot = 0; slot < FILE_COUNT; slot++) {
        char *file = file_of(options->resume_path, slot);
        if (file) ani_writer_sweep(file);
        ani_free(file);
    }
}

/** Find out which file to write next. */
static an_status choose_slot(ani_checkpoint_place *place, const an_train_options *options,
                             an_error *err) {
    generations found;
    if (place->slot >= 0) return AN_OK;
    sweep(options);
    an_status st = find_generations(&found, options->resume_path, err);
    if (st) return st;
    const int32_t slot = newest(&found);
    place->slot = slot == 0;
    place->number = slot < 0 ? 1 : found.checkpoint[slot]->number + 1;
    clear_generations(&found);
    return AN_OK;
}

an_status ani_checkpoint_write(const ani_snapshot *run, ani_checkpoint_place *place, bool *written,
                               an_error *err) {
    const an_train_options *options = run->options;
    an_arrays *arrays = NULL;
    char *file = NULL;
    *written = false;
    an_status st = choose_slot(place, options, err);
    if (!st) st = an_model_copy_weights(&arrays, run->model, err);
    if (st) goto done;
    if (options->terminate_on_nan && !is_finite(arrays)) goto done;
    if (run->best) st = append_best(arrays, run->best, err);
    if (!st) st = ani_optimizer_append(run->optimizer, options->base, arrays, err);
    if (!st) st = ani_average_append(run->average, arrays, err);
    if (!st) st = append_fields(run, place->number, arrays, err);
    if (!st) st = ani_train_state_append(run->state, arrays, err);
    if (!st) st = ani_settings_append(run, arrays, err);
    if (st) goto done;
    file = file_of(options->resume_path, place->slot);
    if (!file) {
        st = ani_fail_memory(err, (int64_t)strlen(options->resume_path), "a path");
        goto done;
    }
    st = ani_safetensors_write_sealed(arrays, file, err);
    if (st) goto done;
    place->slot = !place->slot;
    place->number++;
    *written = true;
done:
    ani_free(file);
    an_arrays_destroy(arrays);
    return st;
}

/* --- resuming --------------------------------------------------------------------------------- */

/** Read the state, which must be one that this run can be in. goes_on: the run had ended and now
 * continues. */
static an_status read_state(const ani_snapshot *run, const an_checkpoint *checkpoint, bool goes_on,
                            ani_train_state *state, an_error *err) {
    const an_train_options *options = run->options;
    const ani_epoch_place *place = &state->place;
    ani_train_state_begin(state, options);
    an_status st = ani_train_state_read(state, checkpoint->arrays, err);
    if (st) return st;
    if (goes_on) state->reason = AN_STOP_NONE;
    const bool fits = state->epoch <= options->max_epochs &&
                      (state->reason || state->epoch < options->max_epochs) &&
                      place->batch <= an_loader_steps(run->train) && place->step <= place->batch &&
                      place->samples <= an_loader_samples(run->train) && isfinite(state->rate) &&
                      state->rate >= 0;
    if (fits) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "the checkpoint is at epoch %d, batch %lld, which the run does not have",
                    (int)state->epoch + 1, (long long)place->batch);
}

/** Extract a copy of the best weights; *best is NULL if there are none. */
static an_status read_best(an_arrays **best, const an_checkpoint *checkpoint, an_error *err) {
    const an_arrays *all = checkpoint->arrays;
    an_status st = AN_OK;
    *best = NULL;
    for (int64_t i = 0; i < an_arrays_count(all) && !st; i++) {
        const char *name = an_arrays_name(all, i);
        int64_t shape[ANI_SHAPE_MAX_RANK];
        if (strncmp(name, best_prefix, sizeof best_prefix - 1) != 0) continue;
        for (int32_t axis = 0; axis < an_arrays_rank(all, i); axis++)
            shape[axis] = an_arrays_length(all, i, axis);
        if (!*best) st = an_arrays_create(best, err);
        if (!st)
            st = an_arrays_add(*best, name + sizeof best_prefix - 1, an_arrays_data(all, i), shape,
                               an_arrays_rank(all, i), err);
    }
    if (!st) return AN_OK;
    an_arrays_destroy(*best);
    *best = NULL;
    return st;
}

static an_status warn_of_backend(const ani_snapshot *run, const an_checkpoint *checkpoint,
                                 an_error *err) {
    char now[96];
    an_error text; /* as a buffer for the message */
    const char *then = an_arrays_metadata(checkpoint->arrays, backend_key);
    name_backend(now, sizeof now, run->model);
    if (then && !strcmp(then, now)) return AN_OK;
    ani_fail(&text, AN_OK,
             "the checkpoint was written with '%s', this is '%s': the last bits may differ from "
             "those of a run that was not interrupted",
             then ? then : "", now);
    return ani_warn(run->options->warn, run->options->warn_user, AN_WARN_OTHER, 1, text.message,
                    err);
}

an_status ani_checkpoint_resume(ani_resumed *out, const ani_snapshot *run,
                                const an_checkpoint *checkpoint, an_error *err) {
    const an_train_options *options = run->options;
    /* The former last epoch need not be the last one now; a run that stopped early remains
     * stopped. */
    const bool goes_on =
        options->max_epochs > checkpoint->max_epochs &&
        (checkpoint->reason == AN_STOP_EPOCHS || checkpoint->reason == AN_STOP_ASKED);
    ani_resumed from = {0};
    an_status st = ani_settings_check(run, checkpoint->arrays, err);
    if (!st) st = read_state(run, checkpoint, goes_on, &from.state, err);
    if (!st) st = ani_model_check_weights(run->model, checkpoint->arrays, err);
    if (!st) st = ani_optimizer_check(run->optimizer, options->base, checkpoint->arrays, err);
    if (!st)
        st = ani_average_check(run->average, checkpoint->arrays, checkpoint->optimizer_steps, err);
    if (!st && options->restore_best) st = read_best(&from.best, checkpoint, err);
    if (!st && from.best) st = ani_model_check_weights(run->model, from.best, err);
    if (!st) st = an_history_create(&from.history, err);
    if (!st)
        st = ani_history_parse(from.history, an_arrays_metadata(checkpoint->arrays, history_key),
                               err);
    if (!st) st = warn_of_backend(run, checkpoint, err);
    if (!st)
        st = ani_model_set_weights(
            run->model, from.state.reason && from.best ? from.best : checkpoint->arrays, err);
    if (st) goto done;
    /* From here on nothing fails. */
    ani_optimizer_take(run->optimizer, options->base, checkpoint->arrays,
                       checkpoint->optimizer_steps);
    ani_average_take(run->average, checkpoint->arrays, checkpoint->optimizer_steps);
    if (goes_on) ani_history_set_reason(from.history, AN_STOP_NONE);
    *out = from;
    from = (ani_resumed){0};
done:
    an_history_destroy(from.history);
    an_arrays_destroy(from.best);
    return st;
}
