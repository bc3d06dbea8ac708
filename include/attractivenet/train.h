/* SPDX-License-Identifier: MIT
 * Training: epochs over batches, callbacks, history, checkpoints to resume from. */
#ifndef ATTRACTIVENET_TRAIN_H
#define ATTRACTIVENET_TRAIN_H

#include <attractivenet/augment.h>
#include <attractivenet/comm.h>
#include <attractivenet/layers.h>
#include <attractivenet/optim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- history --------------------------------------------------------------------------------- */

/** The epochs of a run, across all stages. */
typedef struct an_history an_history;

/** Results of a finished epoch. */
typedef struct an_epoch_report {
    uint32_t struct_size; /* set by init; the library fills in no more than that */
    int32_t stage;        /* from 1 */
    int32_t epoch;        /* from 1 in each stage */
    int32_t improved;     /* 1 if val_loss (without validation: loss) is the best so far */
    int32_t saved;        /* 1 if the model file was written */
    int32_t stopped;      /* 1 if this was the last epoch of the stage; see reason */
    int32_t reason;       /* AN_STOP_* */
    int32_t reserved;     /* 0 */
    int64_t steps;        /* number of batches */
    double loss;          /* mean over samples, before each update */
    double val_loss;      /* mean over samples, after the epoch; NaN without validation */
    double rate;          /* learning rate of its last step */
    double seconds;       /* wall time, validation included */
} an_epoch_report;

AN_API void an_epoch_report_init(an_epoch_report *report, uint32_t struct_size);
enum {
    AN_STOP_NONE = 0,
    AN_STOP_EPOCHS = 1, /* max_epochs reached */
    AN_STOP_EARLY = 2,  /* early stopping */
    AN_STOP_NAN = 3,    /* the loss became NaN or infinite (terminate_on_nan) */
    AN_STOP_ASKED = 4   /* an_trainer_stop() */
};

/** Make an empty history. Owns: *out is the caller's; free with an_history_destroy(). */
AN_API an_status an_history_create(an_history **out, an_error *err);
/** Release a history; NULL is allowed. It is freed once no trainer uses it. */
AN_API void an_history_destroy(an_history *history);
AN_API int64_t an_history_count(const an_history *history); /**< Return the number of epochs. */
/** Copy the report of epoch index (from 0, across all stages). Returns AN_OK; AN_ERR_ARG if there
 *  is no such epoch or struct_size was not set. */
AN_API an_status an_history_copy_epoch(const an_history *history, int64_t index,
                                       an_epoch_report *report, an_error *err);
/** Append an epoch; the report is copied unchanged. Returns AN_OK; AN_ERR_ARG (NULL, struct_size
 *  not set); AN_ERR_NOMEM. */
AN_API an_status an_history_append(an_history *history, const an_epoch_report *report,
                                   an_error *err);
/** Write a header "stage,epoch,loss,val_loss,rate,seconds" and one line per epoch, atomically.
 *  Numbers are written as by Python's repr (they round-trip to the same double); without validation
 *  val_loss is "nan". */
AN_API an_status an_history_write_csv(const an_history *history, const char *path, an_error *err);
/**
 * Copy one column: a value per epoch.
 *
 * Shapes:  values [an_history_count()], written, in the order of the epochs.
 * Takes:   name: a column of the CSV ("stage", "epoch", "loss", "val_loss", "rate", "seconds"), or
 *          another field of an_epoch_report ("steps", "improved", "saved", "stopped", "reason").
 * Returns: AN_OK; AN_ERR_ARG (NULL, unknown name).
 */
AN_API an_status an_history_copy_column(const an_history *history, const char *name, double *values,
                                        an_error *err);
/**
 * Read a log written by an_history_write_csv() or by Keras' CSVLogger.
 *
 * Takes:   path: an RFC 4180 table of at most 64 MiB and 1024 columns, with a header that
 *          determines the separator: ',', ';' or a tab. Columns are identified by name: "epoch" and
 *          "loss" are required; "val_loss", "rate" (or Keras' "learning_rate" and "lr") and
 *          "seconds" may be missing, as may their values ("", "NA"), and are then NaN. A "stage"
 *          column identifies a log of this library. Without it epochs count from 0 in the file and
 *          from 1 in the history; where they do not increase, a second fit() was logged to the same
 *          file, and a new stage begins. Other columns are ignored.
 * Owns:    *out is the caller's. All other fields of its reports are 0.
 * Returns: AN_OK; AN_ERR_IO; AN_ERR_FORMAT (the message gives the line, from 1, and the column);
 *          AN_ERR_UNSUPPORTED (a larger file); AN_ERR_ARG; AN_ERR_NOMEM.
 */
AN_API an_status an_history_read_csv(an_history **out, const char *path, an_error *err);

/* --- decisions: Keras' callbacks as plain state machines ---------------------------------------
 * If state is NULL or its struct_size was not set by init, an update does nothing and returns 0, or
 * NaN for a rate. Fields are not checked. */

/** EarlyStopping for values that should decrease. Owned by the caller; call init first. */
typedef struct an_early_stopping {
    uint32_t struct_size;     /* set by init */
    int32_t patience;         /* epochs; -1 = never stop */
    double min_delta;         /* an improvement must be larger; the sign is ignored */
    double baseline;          /* wait is reset to 0 only below it; NaN = none; init: NaN */
    double best;              /* infinity before the first improvement */
    int32_t start_from_epoch; /* epochs (from 0) before it are ignored; init: 0 */
    int32_t wait;             /* epochs since the last improvement */
    int32_t best_epoch;       /* from 0; the epoch whose weights are to be kept; -1 = none yet */
    int32_t stopped_epoch;    /* from 0; 0 = not stopped */
} an_early_stopping;

AN_API void an_early_stopping_init(an_early_stopping *state, uint32_t struct_size, double min_delta,
                                   int32_t patience);
enum { AN_EARLY_KEEP = 1, AN_EARLY_STOP = 2 };
/**
 * Process the value of an epoch (from 0). Do not call it for epochs without a value.
 *
 * Returns: a sum of AN_EARLY_KEEP (the weights of this epoch are the best, or the first) and
 *          AN_EARLY_STOP (stop after this epoch); 0 = continue.
 * Source:  Keras 2.19 EarlyStopping, mode min (docs/numerics.md, section callbacks). NaN is never
 *          an improvement.
 */
AN_API int32_t an_early_stopping_update(an_early_stopping *state, int32_t epoch, double value);

/** ModelCheckpoint(save_best_only). Owned by the caller. */
typedef struct an_best_checkpoint {
    uint32_t struct_size;   /* set by init */
    int32_t save_best_only; /* 0 or 1 */
    double best;            /* best value saved; init: infinity; may be set to an initial
                               threshold */
} an_best_checkpoint;

AN_API void an_best_checkpoint_init(an_best_checkpoint *state, uint32_t struct_size,
                                    int32_t save_best_only);
/** Process an epoch's value. Returns 1 to save, 0 otherwise. Source: Keras 2.19 ModelCheckpoint. */
AN_API int32_t an_best_checkpoint_update(an_best_checkpoint *state, double value);

/** ReduceLROnPlateau for values that should decrease. Owned by the caller. */
typedef struct an_reduce_rate {
    uint32_t struct_size;  /* set by init */
    int32_t reserved;      /* 0 */
    double factor;         /* multiplies the rate, 0 to 1 */
    double min_delta;      /* an improvement must be larger; init: 1e-4 */
    double min_rate;       /* lower bound of the rate; init: 0 */
    double best;           /* infinity before the first improvement */
    int32_t patience;      /* epochs without an improvement before the rate is reduced */
    int32_t cooldown;      /* epochs after a reduction that are not counted; init: 0 */
    int32_t wait;          /* epochs counted */
    int32_t cooldown_left; /* epochs */
} an_reduce_rate;

AN_API void an_reduce_rate_init(an_reduce_rate *state, uint32_t struct_size, double factor,
                                int32_t patience);
/** Process an epoch's value. Returns the new learning rate, a float32 value after a change. Source:
 *  Keras 2.19 ReduceLROnPlateau. */
AN_API double an_reduce_rate_update(an_reduce_rate *state, double value, double rate);

/* --- heads in closed form ---------------------------------------------------------------------
 * The head is linear in the features of the base, so its best weights can be computed instead of
 * approached by steps: ridge regression for scores, logistic regression with a quadratic penalty
 * for classes. That takes a second, needs no learning rate and no epochs, and works with tens of
 * images. */

/** How the penalty is chosen. */
enum {
    AN_PENALTY_AUTO = 0,      /* GCV for regression, VALIDATION for classification */
    AN_PENALTY_GCV = 1,       /* by generalised cross-validation on the training samples */
    AN_PENALTY_VALIDATION = 2 /* by the lowest loss on the validation samples */
};

/** How to fit a head. Initialise with an_head_options_init(), then change what you need. */
typedef struct an_head_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t penalty_by;   /* AN_PENALTY_*; default AUTO; of no effect if penalty is set */
    double penalty; /* above 0: weight of the sum of squares of the head's kernel, for features
                       of mean 0 and standard deviation 1 (scikit-learn: alpha of Ridge, 1/C of
                       LogisticRegression); 0, the default: chosen, see penalty_by */
} an_head_options;

AN_API void an_head_options_init(an_head_options *options, uint32_t struct_size);

/** Samples by their features. Initialise with an_head_samples_init(). */
typedef struct an_head_samples {
    uint32_t struct_size;  /* set by init */
    int32_t reserved;      /* 0 */
    int64_t n;             /* samples, at least 1 */
    const float *features; /* [n,features], finite, as from an_compute_features_loader() */
    const float *targets;  /* [n,outputs], finite; for classification 0 to 1 */
    const float *weights; /* [n]: weight of each sample's loss, finite, at least 0; NULL = 1 each */
} an_head_samples;

AN_API void an_head_samples_init(an_head_samples *samples, uint32_t struct_size);

/** What a fit found. */
typedef struct an_head_report {
    uint32_t struct_size; /* set by init; the library fills in no more than that */
    int32_t steps;        /* Newton steps; 0 for regression */
    double penalty;       /* as in an_head_options */
    double freedom;       /* regression: effective degrees of freedom of one output, the bias
                             included: from 1 for a constant to the number of features plus 1; for
                             classification NaN */
} an_head_report;

AN_API void an_head_report_init(an_head_report *report, uint32_t struct_size);

/**
 * Set the head to the weights that minimise the squared error (classification: the cross-entropy)
 * of the training samples plus the penalty.
 *
 * Takes:   train: at least 2 samples of a weight above 0. val: for AN_PENALTY_VALIDATION; otherwise
 *          it may be NULL, and is ignored. options: NULL = defaults.
 * Writes:  the head's kernel and bias, computed in double; report (may be NULL).
 * Returns: AN_OK; AN_ERR_ARG (a value that is not finite or not allowed: the message names the
 *          sample; GCV for classification; VALIDATION without val; a call that changes the model is
 *          running); AN_ERR_UNSUPPORTED (no OpenBLAS: the message says what is missing);
 *          AN_ERR_CANCELLED; AN_ERR_NOMEM; AN_ERR_DEVICE. After a failure the model is unchanged.
 * Threads: a call that changes the model (see an_model). The work is done by the caller's thread
 *          alone, so that the bits do not depend on the number of threads.
 * Source:  scikit-learn 1.9, make_pipeline(StandardScaler(), Ridge(penalty)) and
 *          LogisticRegression(C=1/penalty) (docs/numerics.md, section heads in closed form).
 */
AN_API an_status an_model_fit_head(an_model *model, const an_head_samples *train,
                                   const an_head_samples *val, const an_head_options *options,
                                   an_head_report *report, an_error *err);

/* --- trainer --------------------------------------------------------------------------------- */

/** What a run prints. If the output is not a terminal, both styles print one line per epoch (KERAS:
 *  as with verbose=2). */
enum {
    AN_VERBOSE_NONE = 0,
    AN_VERBOSE_BAR = 1,  /* a progress bar with loss and time left, then one line per epoch */
    AN_VERBOSE_KERAS = 2 /* the output of Keras 2.19 */
};

/** An event of a run, for the caller's callback. */
typedef struct an_train_event {
    uint32_t struct_size;          /* bytes of this struct in the library that fills it */
    int32_t kind;                  /* AN_EVENT_* */
    int32_t stage, epoch;          /* from 1 */
    int64_t step, steps;           /* batches done and total batches of this epoch; for FEATURES and
                                      VALIDATION, of that pass */
    double loss;                   /* running mean over the epoch, on the training data */
    double seconds_left;           /* estimated time until step reaches steps; -1 = unknown */
    const an_epoch_report *report; /* AN_EVENT_EPOCH_END only; borrowed during the call */
} an_train_event;

/** As an_warning_init(). */
AN_API void an_train_event_init(an_train_event *event, uint32_t struct_size);

enum {
    AN_EVENT_EPOCH_BEGIN = 1,
    AN_EVENT_STEP = 2,
    AN_EVENT_EPOCH_END = 3,
    AN_EVENT_FEATURES =
        4, /* before epoch 1 with a frozen base: batches whose features have been computed */
    AN_EVENT_VALIDATION = 5 /* validation batches done */
};

/** Called on the thread that called the trainer. A non-zero return stops the run with
 *  AN_ERR_CANCELLED. See an_trainer for what it may call. */
typedef int32_t (*an_train_fn)(void *user, const an_train_event *event);

/** Receives UTF-8 text to be shown to the user as is. A non-zero return stops the run with
 *  AN_ERR_CANCELLED. */
typedef int32_t (*an_text_fn)(void *user, const char *text);

/** How to train one stage. Initialise with an_train_options_init(), then change what you need. */
typedef struct an_train_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t stage;        /* stage number shown in reports, from 1; default 1 */
    int32_t max_epochs;   /* 1 to 1,000,000; default 30 */
    int32_t first_epoch;  /* number of epochs in earlier stages: shuffling and augmentation continue
                             from there; default 0 */
    int32_t base;         /* AN_BASE_*; default AN_BASE_FROZEN */
    int32_t loss;         /* AN_LOSS_*, one that suits the model's task, see an_loss_options;
                             default AUTO. Weights come from the loaders' samples */
    int32_t early_stop_patience;  /* epochs, as in Keras; -1 = never stop; default 7 */
    int32_t restore_best;         /* 0 or 1: restore the best weights at the end; default 0 */
    int32_t save_best_only;       /* 0 or 1; default 1 */
    int32_t reduce_rate_patience; /* epochs; -1 = off; default -1 */
    int32_t reduce_rate_cooldown; /* epochs; default 0 */
    int32_t terminate_on_nan;     /* 0 or 1: a NaN or infinite loss ends the run before the weights
                                     change (see AN_STOP_NAN); default 1 */
    int32_t update_batch_norm; /* 0 or 1: in modes with batch statistics, recompute the moving ones
                                  after each epoch from that epoch's batches (one more forward
                                  pass); default 0 */
    int32_t precision;         /* AN_PRECISION_* of training steps; default FP32 */
    int32_t recompute;         /* 0 or 1: recompute the widest activations in the backward pass
                                  instead of keeping them: bit-identical, with less memory and
                                  slightly more time; default 0 */
    int32_t accumulate;        /* batches per optimizer step: it uses the gradient of the mean over
                                  all their samples, as for one larger batch (except that batch
                                  statistics are computed per batch and the moving ones are updated
                                  after each, which readers of the model see before the step is
                                  complete); the last step of an epoch uses the remaining batches. 1
                                  to 1,000,000; 0 = 1; default 0 */
    int32_t verbose;           /* AN_VERBOSE_*; all except NONE need text; default NONE */
    int32_t text_is_terminal;  /* 0: not a terminal, so no progress bars that overwrite themselves;
                                  1: a terminal; 2: a UTF-8 terminal; default 0 */
    double learning_rate;      /* finite, >= 0; default 1e-3 */
    double early_stop_min_delta;  /* the loss must decrease by more than this; default 1e-3 */
    double checkpoint_best;       /* a model file is written only for a lower value; default
                                     infinity */
    double reduce_rate_factor;    /* 0 < factor < 1; default 0.1 */
    double reduce_rate_min_delta; /* default 1e-4 */
    double reduce_rate_min;       /* default 0 */
    double resume_seconds;        /* time between checkpoints within an epoch; 0 = after every step;
                                     default 60 */
    const an_optimizer_options *optimizer; /* copied; NULL = Adam with its defaults */
    const an_schedule_options *schedule;   /* copied; NULL = constant */
    const char *checkpoint_path; /* model file of the best epoch, by val_loss (without validation:
                                    loss); copied; NULL = none; "" is an error, here and in the
                                    paths below */
    const char *resume_path;     /* checkpoints from which a killed run can be resumed: written
                                    alternately to "PATH-1.safetensors" and "PATH-2.safetensors" when
                                    the stage begins, every resume_seconds, and at the end of each
                                    epoch; copied; NULL = none */
    const char *csv_path; /* log of all epochs in history, rewritten after each epoch; copied;
                             NULL = none */
    const char *tensorboard_dir; /* folder for event files, created if absent (contains train/ and
                                    validation/); copied; NULL = none */
    const an_head_options *head; /* copied; NULL = train the head in steps. Otherwise it is fitted
                                    in closed form, from images without augmentation: the stage has
                                    one epoch, whatever max_epochs and learning_rate are. For
                                    AN_BASE_FROZEN and loss AUTO, MSE, CATEGORICAL or BINARY */
    an_loss_fn loss_fn; /* custom loss function for training and validation, with loss AUTO; NULL =
                           none. A checkpoint records that there was one, but not which */
    void *loss_user;    /* passed to loss_fn */
    an_train_fn on_event; /* NULL = none */
    void *event_user;     /* passed to on_event */
    an_text_fn text;      /* NULL = none */
    void *text_user;      /* passed to text */
    an_warning_fn warn;   /* NULL = none; AN_WARN_WEAK_FEATURES if the features of a frozen base are
                             close to 0, AN_WARN_OTHER */
    void *warn_user;      /* passed to warn */
    int32_t finetune_from; /* with AN_BASE_TRAIN: from this epoch of the stage on, the base is
                              trained as with AN_BASE_FINETUNE: the moving statistics are used and
                              stay fixed. Set update_batch_norm, too, if momentum is too slow for
                              the epochs before. 0 to 1,000,000; 0 = never; default 0 */
    int32_t reserved;      /* 0 */
    double average; /* 0 <= decay < 1: validate, save and restore an exponential moving average
                       of the trained weights; see below; 0 = none; default 0 */
    an_backend *const *replica_backends; /* [replicas - 1], for the replicas besides the model's
                                            own; references are kept; NULL = new backends of the
                                            model's kind with as many threads as its own, of GPUs
                                            the ones after its own; default NULL */
    an_comm *comm;           /* train together with other processes, of which each has a trainer
                                with its own; kept until the trainer is destroyed; NULL = alone;
                                default NULL */
    int32_t replicas;        /* 1 to 1024: train on as many replicas of the model in this process;
                                0 = 1; default 0 */
    int32_t sync_batch_norm; /* 0 or 1: with several replicas or processes, batch norm uses the
                                statistics of the whole batch; 0: each those of its own part;
                                default 0 */
} an_train_options;

/* The average of the weights. After step t of the optimizer (from 1), average = d * average + (1 -
 * d) * weights, with d = min(decay, (t - 1) / (t + 9)), so that the first steps are soon
 * forgotten. The model holds the average from the end of an epoch's last step until the callback of
 * AN_EVENT_EPOCH_END has returned, so val_loss, the model file, the best weights and what callbacks
 * see meanwhile are the average's; the next epoch continues with the weights themselves. After the
 * last epoch the model keeps the average, except after AN_STOP_NAN. In epochs with batch statistics
 * the average's moving statistics are recomputed from the epoch's batches (one more forward pass);
 * otherwise there is only one set of statistics. Source: TensorFlow's ExponentialMovingAverage with
 * num_updates; Izmailov et al., 2018, for the statistics. */

AN_API void an_train_options_init(an_train_options *options, uint32_t struct_size);

/* --- recipes -------------------------------------------------------------------------------------
 * A recipe is a set of options that have been shown to work together (docs/recipe.md). */

enum {
    AN_RECIPE_TUTORIAL = 0, /* as in the article: these are the defaults of all options */
    AN_RECIPE_MODERN = 1    /* a better model from the same images in about the same time */
};

/** What a recipe fills in. Initialise with an_recipe_init(). Each pointer may be NULL: that part is
 *  not wanted. The structs must have been initialised, too. */
typedef struct an_recipe {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t kind;         /* AN_RECIPE_*; default MODERN */
    int32_t stage;        /* 1: train the head, 2: train the whole network; default 2 */
    int32_t pretrained;   /* 0: the base has random weights, whose moving statistics say nothing, so
                             batch norm uses those of each batch; 1: trained ones; default 1 */
    double *momentum;     /* what to pass to an_model_set_momentum() */
    an_train_options *train; /* base, learning_rate, average, finetune_from; head, optimizer
                                and schedule, which point to the following structs */
    an_head_options *head;   /* stage 1 of MODERN; without it, the head is trained in steps */
    an_optimizer_options *optimizer; /* kind, weight_decay, decay_kernels_only, layer_decay */
    an_schedule_options *schedule;   /* kind, final_fraction */
    an_augment_options *augment;     /* all fields, for training images */
    an_loader_options *loader;       /* mixup; augment, which points to the struct above */
} an_recipe;

AN_API void an_recipe_init(an_recipe *recipe, uint32_t struct_size);

/**
 * Fill in the options of a stage. Other fields than those listed in an_recipe keep their values, so
 * set them before or after, and what should differ from the recipe after.
 *
 * Writes:  the structs to which recipe points, up to their struct_size; pointers between them are
 *          set, and must stay valid until the trainer and the loader are created.
 * Returns: AN_OK; AN_ERR_ARG (NULL, a field out of range, a struct that was not initialised): then
 *          nothing has been written.
 * Threads: any.
 * Source:  docs/recipe.md.
 */
AN_API an_status an_recipe_fill(const an_recipe *recipe, an_error *err);

/**
 * One stage of training: a model, loaders, an optimizer, callbacks.
 *
 * Threads: one call at a time on one trainer and on one model (see an_model); different trainers
 *          are independent, even on the same backend. Callbacks run on the thread that called the
 *          trainer. They may call anything that reads the model (predict, evaluate, save, copy the
 *          weights), read and set the learning rate, request a stop or pause, and destroy handles.
 *          A call that would change the model, or run one of its trainers, returns AN_ERR_ARG; so
 *          does a call on the training loader between the first and the last step of an epoch. A
 *          callback must return: leaving by longjmp() or a C++ exception skips the library's
 *          cleanup, so that the model and the loader stay locked and memory leaks.
 * Ranks:   with replicas or comm, n ranks divide each batch, whose size is that of the loader; the
 *          loss is the mean over all its images. Replicas are threads of this process that run
 *          while a call on the trainer runs; they share the data set, and each has its own weights,
 *          gradients, moments and activations. The processes of a comm each make a trainer with
 *          the same options, samples and release (otherwise an_trainer_run() returns AN_ERR_ARG on
 *          all of them), and make the same calls on it. Rank 0 alone calls back, prints and writes
 *          files, and it alone needs an_trainer_resume(): when a call begins, the others take over
 *          its weights and state, and after each epoch its report and history. A pause or stop may
 *          be asked of any rank. The flag of an_model_set_cancel() is read between steps. A failure
 *          on one rank ends the call on all with the same status; if a rank of a comm is missing,
 *          see an_comm. Not with loss_fn, which needs a whole batch; replicas not with a callback's
 *          loader. With n ranks the bits are the same on every run, but not those of another n.
 */
typedef struct an_trainer an_trainer;

/**
 * Make a trainer.
 *
 * Takes:   train: a loader with the model's size, outputs and scale, and its class names if both
 *          have any; a classification model without class names takes those of the data set. val:
 *          likewise, not augmented, or NULL. history: receives the epochs, or NULL. options:
 *          copied; NULL = defaults.
 * Owns:    *out is the caller's; it holds references to the model, the loaders and the history.
 *          While it exists, nothing else may read the loaders, and with AN_BASE_FROZEN nothing else
 *          may change the base's weights (features are computed once: always for val, and for train
 *          if it is not augmented).
 * Returns: AN_OK; AN_ERR_ARG (an invalid option, loaders that do not match the model or each other,
 *          a loss for another task, a label that the loss does not allow: the message says what was
 *          found and what was expected); AN_ERR_NOMEM; AN_ERR_IO (the folder of a path is missing
 *          or not writable, or another run has locked resume_path or checkpoint_path, see
 *          an_run_lock); AN_ERR_CANCELLED by warn (the file system does not support locks). The
 *          model's base mode is set when an epoch begins, so the trainers of several stages may be
 *          made in advance.
 */
AN_API an_status an_trainer_create(an_trainer **out, an_model *model, an_loader *train,
                                   an_loader *val, an_history *history,
                                   const an_train_options *options, an_error *err);

/**
 * Run one epoch of training and one pass over the validation set.
 *
 * Writes:  report (may be NULL). If its struct_size is not set, the call returns AN_ERR_ARG before
 *          anything is done.
 * Returns: AN_OK; AN_DONE if the previous epoch was the last one (report unchanged); AN_ERR_IO if
 *          the model file, checkpoint or logs could not be written at the end: the epoch itself is
 *          complete and is in report and history; AN_ERR_CANCELLED after an_trainer_pause(), or by
 *          the flag of an_model_set_cancel() in the middle of a step, and AN_ERR_IO if a checkpoint
 *          could not be written before the end of the epoch: the next call continues with the next
 *          step (after the flag, with the cancelled one), and the result is bit-identical to an
 *          uninterrupted run; AN_ERR_CANCELLED by a callback, and loader and device errors: the
 *          epoch is not counted, the weights are as of the last step, and the next call starts the
 *          epoch again; AN_ERR_NOMEM whose message names the moving statistics: a copy of the model
 *          began to share them in the middle of a step (accumulate), and restoring them needs
 *          memory; the next call does that first. A NaN or infinite loss (terminate_on_nan) is a
 *          normal end of the run, with reason AN_STOP_NAN, a warning that gives the step and the
 *          rate, and no validation, model file or checkpoint: files saved earlier are kept, and
 *          weights and moving statistics are those of the last step before. Weights that are NaN
 *          or infinite are not written to a checkpoint either. A run resumed from the previous
 *          checkpoint would reach the same loss again: start a new one, for example with a smaller
 *          learning_rate. With restore_best the model then holds the best weights.
 * Threads: see an_trainer.
 * Source:  Keras Model.fit with EarlyStopping, ModelCheckpoint, ReduceLROnPlateau and
 *          TerminateOnNaN (docs/numerics.md, section fit).
 */
AN_API an_status an_trainer_run_epoch(an_trainer *trainer, an_epoch_report *report, an_error *err);

/** Run epochs until the end of the run; none if it has already ended. Returns AN_OK when the run
 *  has ended (an_trainer_reason() says why); otherwise as an_trainer_run_epoch(). */
AN_API an_status an_trainer_run(an_trainer *trainer, an_error *err);

/** Ask the run to end after the current epoch; in the callback of AN_EVENT_EPOCH_END (whose report
 *  then still says that the stage goes on), after the epoch that has just ended. Threads: any, also
 *  from a signal handler. */
AN_API void an_trainer_stop(an_trainer *trainer);

/** Ask the run to pause after the current step: the checkpoint is written, and
 *  an_trainer_run_epoch() and an_trainer_run() return AN_ERR_CANCELLED; call them again to
 *  continue. The request lapses when the run's last epoch ends. Threads: any, also from a signal
 *  handler. */
AN_API void an_trainer_pause(an_trainer *trainer);

/** Return the learning rate of the next step, before the schedule is applied; NaN for NULL. */
AN_API double an_trainer_learning_rate(const an_trainer *trainer);

/** Set the learning rate, effective from the optimizer's next step; checkpoints store it. A
 *  schedule is applied to it as to the rate in the options; reduce_rate reduces it. Returns AN_OK;
 *  AN_ERR_ARG unless it is finite and at least 0. Threads: the one that runs the trainer, in a
 *  callback or between two calls. */
AN_API an_status an_trainer_set_learning_rate(an_trainer *trainer, double rate, an_error *err);

/** Return why the run ended, AN_STOP_*; AN_STOP_NONE if it has not ended. */
AN_API int32_t an_trainer_reason(const an_trainer *trainer);

/** Return the lowest val_loss (without validation: loss) so far; infinity before the first epoch.
 */
AN_API double an_trainer_best(const an_trainer *trainer);

/** Return the value that a new model file must beat: use it as checkpoint_best of the next stage.
 */
AN_API double an_trainer_checkpoint_best(const an_trainer *trainer);

/* --- resuming a run that was killed -----------------------------------------------------------
 * With resume_path, a trainer saves everything that its next step depends on: weights, moving
 * statistics, the optimizer's moments, the position in the epoch, the state of the callbacks, the
 * best weights (restore_best), the history, and the settings. On the same ISA level and library
 * version, with any number of threads, a resumed run is bit-identical to one that was never
 * interrupted, wherever it stopped: in the model, its file and the history (except for the
 * seconds). To resume, make the model, the loaders and the trainer of the checkpoint's stage as
 * before, then call an_trainer_resume(). The files are safetensors; an_arrays_read() can read their
 * weights. */

/** A lock on the files of a run: only its holder writes them. A trainer locks its resume_path and
 *  its checkpoint_path, which it reads again, and releases the locks when it is destroyed; the
 *  trainers of one model share them. Any other holder, in this process or another, is refused. To
 *  hold a lock longer, for example between two stages or while results are written, create it
 *  before the trainers: they share it, and it is held until it is destroyed. */
typedef struct an_run_lock an_run_lock;

/**
 * Lock the files of a path, so that no other run writes there.
 *
 * Takes:   path: a resume_path or checkpoint_path.
 * Writes:  "PATH.lock" with the ID of this process, locked with flock(); removed when the lock is
 *          released. A file left behind by a killed process does not lock anything.
 * Returns: AN_OK; AN_ERR_IO (the folder is missing or not writable; another run holds the lock: the
 *          message names the folder and the process); AN_ERR_ARG (NULL or ""); AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_run_lock_destroy(). A child process created by fork()
 *          also holds the lock until it exits.
 * Note:    on a network file system it excludes processes on other machines if the server supports
 *          locks (NFS: lockd, or version 4). If locks are not supported at all, the call returns
 *          AN_OK, and an_trainer_create() warns.
 * Threads: any.
 */
AN_API an_status an_run_lock_create(an_run_lock **out, const char *path, an_error *err);
AN_API void an_run_lock_destroy(an_run_lock *lock); /**< Release it; NULL is allowed. */

/** The state of a run, read from its checkpoint files. */
typedef struct an_checkpoint an_checkpoint;

/** Description of a checkpoint. */
typedef struct an_checkpoint_info {
    uint32_t struct_size; /* set by init; the library fills in no more than that */
    int32_t stage;        /* as in an_train_options */
    int32_t first_epoch;  /* as in an_train_options */
    int32_t epoch;        /* epochs completed in the stage */
    int32_t reason;       /* AN_STOP_*: why the stage ended; AN_STOP_NONE: it has not ended */
    int32_t max_epochs;   /* as in an_train_options */
    int64_t step;         /* steps completed in the current epoch */
} an_checkpoint_info;

AN_API void an_checkpoint_info_init(an_checkpoint_info *info, uint32_t struct_size);

/**
 * Read the newest checkpoint of a run.
 *
 * Takes:   path: the resume_path of the run. Both files are read completely and verified against
 *          their checksums; if only one of them can be read, it is used, with
 *          AN_WARN_OLD_CHECKPOINT.
 * Returns: AN_OK (*out is NULL if there is none); AN_ERR_FORMAT or AN_ERR_IO if none can be read
 *          (the message names each and says why); AN_ERR_UNSUPPORTED for one written by a newer
 *          library; AN_ERR_CANCELLED by warn; AN_ERR_ARG; AN_ERR_NOMEM.
 * Owns:    *out is the caller's; free with an_checkpoint_destroy().
 * Threads: any.
 */
AN_API an_status an_checkpoint_read(an_checkpoint **out, const char *path, an_warning_fn warn,
                                    void *warn_user, an_error *err);
AN_API void an_checkpoint_destroy(an_checkpoint *checkpoint); /**< Free; NULL is allowed. */
/** Fill in info. Returns AN_OK; AN_ERR_ARG, also if struct_size was not set. */
AN_API an_status an_checkpoint_describe(const an_checkpoint *checkpoint, an_checkpoint_info *info,
                                        an_error *err);
/** Remove the checkpoints of path, so that nothing can be resumed. Returns AN_OK, also if there are
 *  none; AN_ERR_IO, also if another process is training there; AN_ERR_ARG; AN_ERR_NOMEM. */
AN_API an_status an_checkpoint_remove(const char *path, an_error *err);

/**
 * Restore a trainer, its model and its history to the state of a checkpoint.
 *
 * Returns: AN_OK (an_trainer_run_epoch() continues with the next step, or returns AN_DONE if the
 *          stage has ended and is not extended, see below); AN_ERR_ARG if a setting or the samples
 *          differ from those of the checkpoint: the message gives the first difference, with both
 *          values; AN_ERR_FORMAT; AN_ERR_CANCELLED by warn (called if another ISA level or library
 *          version wrote it); AN_ERR_NOMEM. After a failure everything is unchanged.
 * Note:    these may differ: threads, cache, verbose, callbacks, and all paths. Settings of stages
 *          that have ended are not compared, nor are the pixels of the images. max_epochs may be
 *          increased. A stage that ended with AN_STOP_EPOCHS or AN_STOP_ASKED then continues,
 *          bit-identical to one that had the larger max_epochs from the start; one that ended with
 *          AN_STOP_EARLY does not continue: with the larger max_epochs it would have ended there as
 *          well. With a cosine schedule whose decay_steps follow from max_epochs (0), a larger
 *          max_epochs is AN_ERR_ARG: it would change the rates of every epoch.
 * Threads: see an_trainer.
 */
AN_API an_status an_trainer_resume(an_trainer *trainer, const an_checkpoint *checkpoint,
                                   an_error *err);

/** Free a trainer; NULL is allowed. Model and loaders stay valid; all may be destroyed in any
 *  order. */
AN_API void an_trainer_destroy(an_trainer *trainer);

/**
 * Compute the mean loss of a model over the batches of a loader (epoch 0, inference mode).
 *
 * Takes:   loss: NULL = the default loss for the model's task; its weights must be NULL (those of
 *          the data set are used), accumulate 0. A loss function is called with gradient NULL.
 *          progress: called after each batch, counts batches; NULL = none. It may make the same
 *          calls as a trainer's callback, except those that read the loader.
 * Writes:  *loss_value, the mean of weight times loss over the samples; NaN if all images were left
 *          out.
 * Returns: AN_OK; AN_ERR_ARG (loader or loss does not match the model, as in an_trainer_create());
 *          AN_ERR_CANCELLED by progress or a loss function; AN_ERR_NOMEM; loader and device errors.
 * Threads: see an_model and an_loader.
 */
AN_API an_status an_model_evaluate(an_model *model, an_loader *loader, const an_loss_options *loss,
                                   double *loss_value, an_progress_fn progress, void *progress_user,
                                   an_error *err);

#ifdef __cplusplus
}
#endif
#endif
