/* SPDX-License-Identifier: MIT
 * Training: epochs over batches, callbacks, history, checkpoints to resume from. */
#ifndef ATTRACTIVENET_TRAIN_H
#define ATTRACTIVENET_TRAIN_H

#include <attractivenet/augment.h>
#include <attractivenet/layers.h>
#include <attractivenet/optim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- history --------------------------------------------------------------------------------- */

/** The epochs of a run, over all its stages. */
typedef struct an_history an_history;

/** One epoch, finished. */
typedef struct an_epoch_report {
    uint32_t struct_size; /* set by init; the library fills no more than that */
    int32_t stage;        /* from 1 */
    int32_t epoch;        /* from 1 in each stage */
    int32_t improved;     /* 1 if val_loss (loss without validation) is the best so far */
    int32_t saved;        /* 1 if the model file was written */
    int32_t stopped;      /* 1 if this was the last epoch of the stage: see reason */
    int32_t reason;       /* AN_STOP_* */
    int32_t reserved;     /* 0 */
    int64_t steps;        /* batches done */
    double loss;          /* mean over samples, before each update */
    double val_loss;      /* mean over samples, after the epoch; NaN without validation */
    double rate;          /* learning rate of the last step */
    double seconds;       /* wall time, validation included */
} an_epoch_report;

AN_API void an_epoch_report_init(an_epoch_report *report, uint32_t struct_size);
enum {
    AN_STOP_NONE = 0,
    AN_STOP_EPOCHS = 1, /* max_epochs done */
    AN_STOP_EARLY = 2,  /* early stopping */
    AN_STOP_NAN = 3,    /* the loss became NaN or infinite (terminate_on_nan) */
    AN_STOP_ASKED = 4   /* an_trainer_stop() */
};

/** Make an empty history. Owns: *out is the caller's; free with an_history_destroy(). */
AN_API an_status an_history_create(an_history **out, an_error *err);
/** Release a history; NULL is allowed. It lives on while a trainer uses it. */
AN_API void an_history_destroy(an_history *history);
AN_API int64_t an_history_count(const an_history *history); /**< Return the number of epochs. */
/** Copy epoch index (from 0, over all stages) out. Returns AN_OK; AN_ERR_ARG if there is no such
 *  epoch, and for a struct_size that was not set. */
AN_API an_status an_history_copy_epoch(const an_history *history, int64_t index,
                                       an_epoch_report *report, an_error *err);
/** Append an epoch, which is copied as it is. Returns AN_OK; AN_ERR_ARG (NULL, a struct_size that
 *  was not set); AN_ERR_NOMEM. */
AN_API an_status an_history_append(an_history *history, const an_epoch_report *report,
                                   an_error *err);
/** Write a header "stage,epoch,loss,val_loss,rate,seconds" and a line per epoch, whole or not at
 *  all. Numbers are written as by Python's repr (they read back as the same double); without
 *  validation val_loss is "nan". */
AN_API an_status an_history_write_csv(const an_history *history, const char *path, an_error *err);
/**
 * Copy one number of every epoch.
 *
 * Shapes:  values [an_history_count()], written, in the order of the epochs.
 * Takes:   name: a column of the CSV ("stage", "epoch", "loss", "val_loss", "rate", "seconds"), or
 *          another number of an_epoch_report ("steps", "improved", "saved", "stopped", "reason").
 * Returns: AN_OK; AN_ERR_ARG (NULL, another name).
 */
AN_API an_status an_history_copy_column(const an_history *history, const char *name, double *values,
                                        an_error *err);
/**
 * Read a log: one of an_history_write_csv(), or of Keras' CSVLogger.
 *
 * Takes:   path: a table as in RFC 4180, of at most 64 MiB and 1024 columns, with a header, which
 *          tells what separates the fields: ',', ';' or a tab. Columns go by their names:
 *          "epoch" and "loss" must be there; "val_loss", "rate" (or Keras' "learning_rate" and
 *          "lr") and "seconds" may be missing, as their values may ("", "NA"), and are NaN then;
 *          "stage" tells ours from Keras'. Without it epochs count from 0, and are from 1 in the
 *          history; where they do not rise, a second fit() was logged into the file, and a new
 *          stage begins. Other columns are ignored.
 * Owns:    *out is the caller's. All other numbers of its reports are 0.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (the message has the line, from 1, and the column);
 *          AN_ERR_UNSUPPORTED (a larger file); AN_ERR_ARG; AN_ERR_NOMEM.
 */
AN_API an_status an_history_read_csv(an_history **out, const char *path, an_error *err);

/* --- decisions: Keras' callbacks as plain state machines ---------------------------------------
 * If state is NULL or its struct_size was not set by init, an update does nothing and returns 0, or
 * NaN for the rate. Fields are not checked. */

/** EarlyStopping on values that should fall. Owned by the caller; begin with init. */
typedef struct an_early_stopping {
    uint32_t struct_size;     /* set by init */
    int32_t patience;         /* epochs; -1 = never stops */
    double min_delta;         /* a gain must be larger; sign ignored */
    double baseline;          /* wait counts from 0 again only below it; NaN = none; init: NaN */
    double best;              /* infinity before the first gain */
    int32_t start_from_epoch; /* epochs (from 0) before it are not looked at; init: 0 */
    int32_t wait;             /* epochs since the last gain */
    int32_t best_epoch;       /* from 0; whose weights are to be kept; -1 = none yet */
    int32_t stopped_epoch;    /* from 0; 0 = not stopped */
} an_early_stopping;

AN_API void an_early_stopping_init(an_early_stopping *state, uint32_t struct_size, double min_delta,
                                   int32_t patience);
enum { AN_EARLY_KEEP = 1, AN_EARLY_STOP = 2 };
/**
 * Look at the value of an epoch (from 0). Epochs without a value are not shown to it.
 *
 * Returns: a sum of AN_EARLY_KEEP (the weights of this epoch are the best, or the first) and
 *          AN_EARLY_STOP (this is to be the last epoch); 0 = go on.
 * Source:  Keras 2.19 EarlyStopping, mode min (docs/numerics.md, section callbacks). NaN is never a
 *          gain.
 */
AN_API int32_t an_early_stopping_update(an_early_stopping *state, int32_t epoch, double value);

/** ModelCheckpoint(save_best_only). Owned by the caller. */
typedef struct an_best_checkpoint {
    uint32_t struct_size;   /* set by init */
    int32_t save_best_only; /* 0 or 1 */
    double best;            /* of what was saved; init: infinity; an initial threshold may be set */
} an_best_checkpoint;

AN_API void an_best_checkpoint_init(an_best_checkpoint *state, uint32_t struct_size,
                                    int32_t save_best_only);
/** Look at an epoch's value. Returns 1 to save, 0 not to. Source: Keras 2.19 ModelCheckpoint. */
AN_API int32_t an_best_checkpoint_update(an_best_checkpoint *state, double value);

/** ReduceLROnPlateau on values that should fall. Owned by the caller. */
typedef struct an_reduce_rate {
    uint32_t struct_size;  /* set by init */
    int32_t reserved;      /* 0 */
    double factor;         /* of the rate, 0 to 1 */
    double min_delta;      /* a gain must be larger; init: 1e-4 */
    double min_rate;       /* the rate goes no lower; init: 0 */
    double best;           /* infinity before the first gain */
    int32_t patience;      /* epochs without a gain before the rate is reduced */
    int32_t cooldown;      /* epochs after a reduction in which none are counted; init: 0 */
    int32_t wait;          /* epochs counted */
    int32_t cooldown_left; /* epochs */
} an_reduce_rate;

AN_API void an_reduce_rate_init(an_reduce_rate *state, uint32_t struct_size, double factor,
                                int32_t patience);
/** Look at an epoch's value. Returns the learning rate from now on, a float32 value after a change.
 *  Source: Keras 2.19 ReduceLROnPlateau. */
AN_API double an_reduce_rate_update(an_reduce_rate *state, double value, double rate);

/* --- trainer --------------------------------------------------------------------------------- */

/** What a run prints. Not on a terminal, both give one line an epoch (Keras: as its verbose=2). */
enum {
    AN_VERBOSE_NONE = 0,
    AN_VERBOSE_BAR = 1,  /* a bar with loss and time left, then a line an epoch */
    AN_VERBOSE_KERAS = 2 /* the texts of Keras 2.19 */
};

/** One event of a run, for the caller's own callback. */
typedef struct an_train_event {
    uint32_t struct_size;          /* bytes of this struct in the library that fills it */
    int32_t kind;                  /* AN_EVENT_* */
    int32_t stage, epoch;          /* from 1 */
    int64_t step, steps;           /* batches done, and in all, of this epoch; of FEATURES and
                                      VALIDATION: of those */
    double loss;                   /* running mean of the epoch, of the training data */
    double seconds_left;           /* until step is steps, estimated; -1 = not known */
    const an_epoch_report *report; /* AN_EVENT_EPOCH_END only; borrowed during the call */
} an_train_event;

/** As an_warning_init(). */
AN_API void an_train_event_init(an_train_event *event, uint32_t struct_size);

enum {
    AN_EVENT_EPOCH_BEGIN = 1,
    AN_EVENT_STEP = 2,
    AN_EVENT_EPOCH_END = 3,
    AN_EVENT_FEATURES =
        4, /* before epoch 1 with a frozen base: batches whose features are computed */
    AN_EVENT_VALIDATION = 5 /* batches of the validation that are done */
};

/** Called on the thread that called the trainer. Non-zero stops the run with AN_ERR_CANCELLED. What
 *  it may call: see an_trainer. */
typedef int32_t (*an_train_fn)(void *user, const an_train_event *event);

/** Takes UTF-8 text to be shown to a person as it is. Non-zero stops with AN_ERR_CANCELLED. */
typedef int32_t (*an_text_fn)(void *user, const char *text);

/** How to train one stage. Fill with an_train_options_init(), then change what you need. */
typedef struct an_train_options {
    uint32_t struct_size; /* set by init; later fields are only appended */
    int32_t stage;        /* number shown in reports, from 1; default 1 */
    int32_t max_epochs;   /* 1 to 1,000,000; default 30 */
    int32_t first_epoch;  /* epochs done in the stages before: the order of samples and the
                             augmentation go on from there; default 0 */
    int32_t base;         /* AN_BASE_*; default AN_BASE_FROZEN */
    int32_t loss;         /* AN_LOSS_*, one for the model's task: see an_loss_options; default
                             AUTO. Weights are those of the loaders' samples */
    int32_t early_stop_patience; /* epochs, as Keras; -1 = never stop; default 7 */
    int32_t restore_best;   /* 0 or 1: best weights back into the model at the end; default 0 */
    int32_t save_best_only; /* 0 or 1; default 1 */
    int32_t reduce_rate_patience; /* epochs; -1 = off; default -1 */
    int32_t reduce_rate_cooldown; /* epochs; default 0 */
    int32_t terminate_on_nan;  /* 0 or 1: a loss that is not finite ends the run before the weights
                                  change (see AN_STOP_NAN); default 1 */
    int32_t update_batch_norm; /* 0 or 1: after each epoch of a mode with batch statistics, set the
                                  moving ones to those of that epoch's batches (one more forward
                                  pass); default 0 */
    int32_t precision;         /* AN_PRECISION_* of the steps; default FP32 */
    int32_t recompute;         /* 0 or 1: recompute the widest activations in the backward pass
                                  instead of keeping them: the same bits in less memory and a
                                  little more time; default 0 */
    int32_t accumulate;        /* batches of an optimizer step: it takes the gradients of the mean
                                  over the samples of all of them, as of one larger batch (but for
                                  batch statistics, which each batch has of its own); the last step
                                  of an epoch takes what is left. 1 to 1,000,000; 0 = 1; default 0 */
    int32_t verbose;           /* AN_VERBOSE_*; all but NONE need text; default NONE */
    int32_t text_is_terminal;  /* 0: no bars that overwrite themselves; 1: a terminal; 2: one that
                                  shows UTF-8; default 0 */
    double learning_rate;      /* finite, >= 0; default 1e-3 */
    double early_stop_min_delta;  /* loss must fall by more than this; default 1e-3 */
    double checkpoint_best;       /* a model file needs a lower value; default infinity */
    double reduce_rate_factor;    /* 0 < factor < 1; default 0.1 */
    double reduce_rate_min_delta; /* default 1e-4 */
    double reduce_rate_min;       /* default 0 */
    double resume_seconds; /* between two checkpoints within an epoch; 0 = one after each step;
                              default 60 */
    const an_optimizer_options *optimizer; /* copied; NULL = Adam with its defaults */
    const an_schedule_options *schedule;   /* copied; NULL = constant */
    const char *checkpoint_path; /* model file of the best epoch, by val_loss (loss without
                                    validation); copied; NULL = none; "" is an error, here and in
                                    the paths below */
    const char *resume_path; /* checkpoints, from which a killed run is resumed: written in turn to
                                "PATH-1.safetensors" and "PATH-2.safetensors", when the stage
                                begins, after resume_seconds, and at each epoch's end; copied;
                                NULL = none */
    const char *csv_path;    /* log, rewritten whole each epoch: all epochs of history; copied;
                                NULL = none */
    const char *tensorboard_dir; /* folder for event files, made if absent (in it: train/ and
                                    validation/); copied; NULL = none */
    an_loss_fn loss_fn; /* a loss of the caller's own, for training and validation, with loss AUTO;
                           NULL = none. A checkpoint tells that there was one, not which */
    void *loss_user;    /* handed to loss_fn */
    an_train_fn on_event; /* NULL = none */
    void *event_user;     /* handed to on_event */
    an_text_fn text;      /* NULL = none */
    void *text_user;      /* handed to text */
    an_warning_fn warn;   /* NULL = none; AN_WARN_WEAK_FEATURES if the features of a frozen base are
                             next to 0, AN_WARN_OTHER */
    void *warn_user;      /* handed to warn */
} an_train_options;

AN_API void an_train_options_init(an_train_options *options, uint32_t struct_size);

/**
 * One stage of training: a model, loaders, an optimizer, callbacks.
 *
 * Threads: one call at a time on one trainer and on one model (see an_model); different trainers
 *          are independent, also on one backend. Its callbacks run on the thread that called it.
 *          They may call anything that reads the model (predict, evaluate, save, copy the weights),
 *          read and set the learning rate, ask to stop or pause, and destroy handles. A call that
 *          would change the model, or run a trainer of it, returns AN_ERR_ARG; so does a call on
 *          the training loader between the first and the last step of an epoch. A callback must
 *          return: one that leaves by longjmp() or a C++ exception skips the library's cleanup, so
 *          that the model and the loader stay claimed and memory leaks.
 */
typedef struct an_trainer an_trainer;

/**
 * Make a trainer.
 *
 * Takes:   train: a loader with the model's size, outputs and scale, and its names of classes if
 * both have some; a model for classification that has none takes those of the data set. val: the
 *          same, not augmented, or NULL; history: epochs are appended to it, or NULL. options:
 * copied; NULL = defaults. Owns:    *out is the caller's; it holds model, loaders and history.
 * While it lives, nothing else may read the loaders, and in AN_BASE_FROZEN nothing else may change
 * the base's weights (features are computed once: always for val; for train if it is not
 * augmented). Returns: AN_OK; AN_ERR_ARG (an option, loaders that do not fit the model or each
 * other, a loss for another task, a label that the loss does not take: what was found and
 * expected); AN_ERR_NOMEM; AN_ERR_IO (the folder of a path is missing or cannot be written, or
 * another training holds resume_path or checkpoint_path: see an_run_lock); AN_ERR_CANCELLED by warn
 * (the file system has no locks). The model's base mode is set when an epoch begins, so the
 *          trainers of several stages may be made beforehand.
 */
AN_API an_status an_trainer_create(an_trainer **out, an_model *model, an_loader *train,
                                   an_loader *val, an_history *history,
                                   const an_train_options *options, an_error *err);

/**
 * Run one epoch of training and one pass over the validation set.
 *
 * Writes:  report (may be NULL); AN_ERR_ARG if its struct_size is not set, before anything is done.
 * Returns: AN_OK; AN_DONE when the epoch before was the last one (report untouched); AN_ERR_IO if
 *          model file, checkpoint or logs could not be written at its end: the epoch itself has
 *          been done and is in report and history; AN_ERR_CANCELLED after an_trainer_pause(), or
 *          by the flag of an_model_set_cancel() in the middle of a step, and AN_ERR_IO if a
 *          checkpoint could not be written before the epoch's end: the next call goes on with the
 *          next step, after the flag with the one that was cancelled, and ends with the same bits
 *          as without the interruption; AN_ERR_CANCELLED by a callback, and errors of the loader
 * and the device: the epoch is not counted, the weights are as the last step left them, and the
 * next call starts the epoch again. AN_ERR_NOMEM that names the moving statistics: a copy of the
 * model came to share them in the middle of a step (accumulate), and restoring them takes memory;
 * the next call does it first. A loss that is not finite (terminate_on_nan) is a normal ending
 * of the run, with reason AN_STOP_NAN, a warning that names step and rate, no validation, no model
 * file and no checkpoint: what was saved before stays. Weights that are not finite are not written
 * to a checkpoint either. A run resumed from the checkpoint before meets the same loss again: begin
 * a new one, for example with a smaller learning_rate. With restore_best the best weights are back
 * in the model. Threads: see an_trainer. Source:  Keras Model.fit with EarlyStopping,
 * ModelCheckpoint, ReduceLROnPlateau and TerminateOnNaN (docs/numerics.md, section fit).
 */
AN_API an_status an_trainer_run_epoch(an_trainer *trainer, an_epoch_report *report, an_error *err);

/** Run epochs until the end; none if it was reached before. Returns AN_OK when the run ended by
 *  itself (an_trainer_reason() tells why); else as an_trainer_run_epoch(). */
AN_API an_status an_trainer_run(an_trainer *trainer, an_error *err);

/** Ask the run to end after the epoch under way. Threads: any, also from a signal handler. */
AN_API void an_trainer_stop(an_trainer *trainer);

/** Ask the run to pause after the step under way: the checkpoint is written, and
 *  an_trainer_run_epoch() and an_trainer_run() return AN_ERR_CANCELLED; called again, they go on.
 *  The request lapses when the run's last epoch ends. Threads: any, also from a signal handler. */
AN_API void an_trainer_pause(an_trainer *trainer);

/** Return the learning rate of the next step before the schedule is applied to it; NaN for NULL. */
AN_API double an_trainer_learning_rate(const an_trainer *trainer);

/** Set that rate, from the optimizer's next step on; checkpoints keep it. A schedule is applied to
 *  it as to the rate of the options; reduce_rate reduces it. Returns AN_OK; AN_ERR_ARG unless it is
 *  finite and at least 0. Threads: the one that runs the trainer, in a callback or between two
 *  calls. */
AN_API an_status an_trainer_set_learning_rate(an_trainer *trainer, double rate, an_error *err);

/** Return why the run ended, AN_STOP_*; AN_STOP_NONE while it has not. */
AN_API int32_t an_trainer_reason(const an_trainer *trainer);

/** Return the lowest val_loss (loss without validation) so far; infinity before the first epoch. */
AN_API double an_trainer_best(const an_trainer *trainer);

/** Return the value that a checkpoint must beat: what checkpoint_best of the next stage should be.
 */
AN_API double an_trainer_checkpoint_best(const an_trainer *trainer);

/* --- resuming a run that was killed -----------------------------------------------------------
 * With resume_path, a trainer saves everything that its next step depends on: weights, moving
 * statistics, the optimizer's moments, the place in the epoch, the state of the callbacks, the best
 * weights (restore_best) and the history; and its settings. A resumed run ends with the same bits,
 * in the model, its file and the history (except for the seconds), as one that was never
 * interrupted, wherever it was stopped, on the same instruction level and library version, with any
 * number of threads. To resume: make model, loaders and the trainer of the checkpoint's stage as
 * before, then call an_trainer_resume(). The files are safetensors; an_arrays_read() reads their
 * weights, too. */

/** A lock on the files of a run: only its holder writes them. A trainer takes it for its
 *  resume_path and its checkpoint_path, which it reads again, and releases it when it is destroyed;
 *  the trainers of one model share it. Another holder, in this process or another one, is refused.
 *  To keep it longer, as between two stages or while results are written, take it before the
 *  trainers: they share it, and it is held until it is destroyed. */
typedef struct an_run_lock an_run_lock;

/**
 * Lock the files of a path, so that no other training writes there.
 *
 * Takes:   path: as resume_path or checkpoint_path.
 * Writes:  "PATH.lock" with the ID of this process, locked by flock(); removed at the end. A
 *          file that a killed process left behind locks nothing.
 * Returns: AN_OK; AN_ERR_IO (the folder is missing or cannot be written; another training holds it:
 *          the message names the folder and the process); AN_ERR_ARG (NULL or ""); AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_run_lock_destroy(). A child of fork() holds the
 *          lock, too, until it ends.
 * Note:    on a network file system it excludes processes on other machines if the server has locks
 *          (NFS: lockd, or version 4). Where there are no locks at all the call returns AN_OK, and
 *          an_trainer_create() warns.
 * Threads: any.
 */
AN_API an_status an_run_lock_create(an_run_lock **out, const char *path, an_error *err);
AN_API void an_run_lock_destroy(an_run_lock *lock); /**< Release it; NULL is allowed. */

/** The state of a run, read from its files. */
typedef struct an_checkpoint an_checkpoint;

/** What a checkpoint is of. */
typedef struct an_checkpoint_info {
    uint32_t struct_size; /* set by init; the library fills no more than that */
    int32_t stage;        /* as an_train_options */
    int32_t first_epoch;  /* as an_train_options */
    int32_t epoch;        /* epochs done of the stage */
    int32_t reason;       /* AN_STOP_*: why the stage ended; AN_STOP_NONE: it has not */
    int32_t max_epochs;   /* as an_train_options */
    int64_t step;         /* steps done of the epoch under way */
} an_checkpoint_info;

AN_API void an_checkpoint_info_init(an_checkpoint_info *info, uint32_t struct_size);

/**
 * Read the newest checkpoint of a run.
 *
 * Takes:   path: as resume_path. Both files are read whole and checked against their checksums; one
 *          that cannot be read is skipped with AN_WARN_OLD_CHECKPOINT if the other one can.
 * Returns: AN_OK (*out is NULL if there is none); AN_ERR_FORMAT or AN_ERR_IO if none can be
 *          read (the message names each and why); AN_ERR_UNSUPPORTED for one by a newer library;
 *          AN_ERR_CANCELLED by warn; AN_ERR_ARG; AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_checkpoint_destroy().
 * Threads: any.
 */
AN_API an_status an_checkpoint_read(an_checkpoint **out, const char *path, an_warning_fn warn,
                                    void *warn_user, an_error *err);
AN_API void an_checkpoint_destroy(an_checkpoint *checkpoint); /**< Free; NULL is allowed. */
/** Fill info. Returns AN_OK; AN_ERR_ARG, also for a struct_size that was not set. */
AN_API an_status an_checkpoint_describe(const an_checkpoint *checkpoint, an_checkpoint_info *info,
                                        an_error *err);
/** Remove the files of path, so that nothing can be resumed. Returns AN_OK, also if there are none;
 *  AN_ERR_IO, also if another process trains there; AN_ERR_ARG; AN_ERR_NOMEM. */
AN_API an_status an_checkpoint_remove(const char *path, an_error *err);

/**
 * Put a trainer, its model and its history into the state of a checkpoint.
 *
 * Returns: AN_OK (an_trainer_run_epoch() goes on with the next step, or returns AN_DONE if the
 *          stage had ended and does not go on, see below); AN_ERR_ARG if a setting or the samples
 *          differ from those of the checkpoint: the message has the first that does, with both
 *          values; AN_ERR_FORMAT; AN_ERR_CANCELLED by warn (called if another instruction level or
 *          library wrote it); AN_ERR_NOMEM. After a failure all is as before.
 * Note:    these may differ: threads, cache, verbose, callbacks, and all paths. Settings of stages
 *          that have ended are not compared, nor are the pixels of the images. max_epochs may be
 *          larger than before. A stage that had ended by AN_STOP_EPOCHS or AN_STOP_ASKED then goes
 *          on, and ends with the bits of one that had as many from the beginning; one that had
 *          ended by AN_STOP_EARLY stays ended, as it would have. With a cosine schedule whose
 *          decay_steps follow max_epochs (0), a larger max_epochs is AN_ERR_ARG: it would change
 *          the rates of every epoch.
 * Threads: see an_trainer.
 */
AN_API an_status an_trainer_resume(an_trainer *trainer, const an_checkpoint *checkpoint,
                                   an_error *err);

/** Free a trainer; NULL is allowed. Model and loaders stay valid, in whatever order all are
 *  destroyed. */
AN_API void an_trainer_destroy(an_trainer *trainer);

/**
 * Compute the mean loss of a model over the batches of a loader (its epoch 0, inference mode).
 *
 * Takes:   loss: NULL = the loss of the model's task; its weights are NULL (those of the data set
 *          count), accumulate 0. A loss function is given no gradient to write.
 *          progress: called after each batch, counting batches; NULL = none. It may do what a
 *          callback of a trainer may, and not read the loader.
 * Writes:  *loss_value, the mean over the samples, of weight times loss; NaN if all images were
 *          left out.
 * Returns: AN_OK; AN_ERR_ARG (loader or loss does not fit the model, as in an_trainer_create());
 *          AN_ERR_CANCELLED by progress or a loss function; AN_ERR_NOMEM; errors of the loader and
 *          the device.
 * Threads: see an_model and an_loader.
 */
AN_API an_status an_model_evaluate(an_model *model, an_loader *loader, const an_loss_options *loss,
                                   double *loss_value, an_progress_fn progress, void *progress_user,
                                   an_error *err);

#ifdef __cplusplus
}
#endif
#endif
