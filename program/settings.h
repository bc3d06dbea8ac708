/* SPDX-License-Identifier: MIT
 * The settings of training and its steps: a table of all options, of which each program uses some,
 * and how they map to the library's options. */
#ifndef PROGRAM_SETTINGS_H
#define PROGRAM_SETTINGS_H

#include "console.h"
#include "options.h"

/** Which of the options that a recipe sets were given on the command line. */
typedef struct settings_given {
    int32_t head, base2, lr1, lr2, schedule, average, finetune_from, weight_decay, layer_decay,
        strength, mixup, erase, momentum;
} settings_given;

/** All settings. */
typedef struct settings {
    const char *data;           /* archive, folder or URL */
    const char *out;            /* output folder */
    const char *weights;        /* "imagenet", "none" or a file */
    const char *model;          /* model file to read */
    const char *history;        /* CSV file to read */
    const char *labels;         /* base name of the label file */
    const char *suffix;         /* extension of images, or NULL: all known ones */
    const char *names_encoding; /* encoding of names in archives, or NULL */
    const char *sha256;         /* of a download, or NULL */
    const char *device;         /* as in an_backend_options */
    const char *devices;        /* number or list of replicas, or NULL: one, on device */
    const char *tensorboard;    /* folder for event files, or NULL */
    const char *fold_files;     /* folder of a data set's own folds, or NULL */
    int32_t size, padding, scale, batch, epochs1, epochs2, augment, seed, threads;
    int32_t base2, patience, update_batch_norm, keras_checkpoint, verbose, quiet, extract, cache,
        schedule, warmup, finetune_from, resume, restart, precision, recompute, bf16, int8,
        skip_damaged, head, sync_batch_norm, recipe, folds;
    settings_given given;
    double deadline; /* seconds that a rank waits for the others */
    double alpha, lr1, lr2, weight_decay, layer_decay, average, mixup, erase, jitter, momentum,
        min_delta, strength, checkpoint_seconds, penalty, interval;
} settings;

/** The defaults. */
extern const settings settings_defaults;

/** Fill in the defaults, and write the rows of a program's options.
 *
 * Takes: names: of the options, separated by spaces. --data, --out, --model and --history are
 * needed where they are among them. */
void settings_rows(settings *s, const char *names, option_row rows[OPTION_ROWS]);

/** Let a recipe other than the tutorial's set the options that were not given, and print them. */
void settings_use_recipe(settings *s, const option_row *rows);

/** Refuse options that cannot be used together: print which, and exit with 2. */
void settings_check(const settings *s);

/** Everything an example needs: settings_rows(), options_parse() and settings_check(). */
void settings_parse(settings *s, int argc, char **argv, const char *names,
                    const program_text *text);

/** Names of AN_SCALE_* and AN_BASE_*, in their order. */
extern const char scale_words[], base_words[];

/* From settings to library options: each function fills in the defaults and the chosen values.
 * Their pointers are valid as long as s and the other arguments. */

void settings_download(settings *s, an_download_options *options);
void settings_extract(settings *s, an_extract_options *options);
/** archive: filled in, too; options points to it. */
void settings_dataset(const settings *s, an_dataset_options *options, an_extract_options *archive);
/** The tutorial's augmentation, scaled by the strength. */
void settings_augment(const settings *s, an_augment_options *options);
/** Everything that is the same in both stages. */
void settings_train(const settings *s, an_train_options *options);
/** What stage 2 adds, with steps batches in an epoch; options points to the other two. */
void settings_stage2(const settings *s, int64_t steps, an_train_options *options,
                     an_optimizer_options *optimizer, an_schedule_options *schedule);

#endif
