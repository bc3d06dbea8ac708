/* SPDX-License-Identifier: MIT
 * What can be chosen in a training and in each of its steps: a table of all options, of which each
 * program has some, and what they say to the library. */
#ifndef PROGRAM_SETTINGS_H
#define PROGRAM_SETTINGS_H

#include "console.h"
#include "options.h"

/** All that can be chosen. */
typedef struct settings {
    const char *data;           /* archive, folder or URL */
    const char *out;            /* folder for what is made */
    const char *weights;        /* "imagenet", "none" or a file */
    const char *model;          /* model file that a step reads */
    const char *history;        /* CSV file that a step reads */
    const char *labels;         /* base name of the label file */
    const char *suffix;         /* ending of images, or NULL: all that are known */
    const char *names_encoding; /* of names in archives, or NULL */
    const char *sha256;         /* of a download, or NULL */
    const char *tensorboard;    /* folder for event files, or NULL */
    int32_t size, padding, scale, batch, epochs1, epochs2, augment, seed, threads;
    int32_t base2, patience, update_batch_norm, keras_checkpoint, verbose, quiet, extract, cache,
        schedule, resume, restart, precision, recompute, bf16, int8, skip_damaged;
    double alpha, lr1, lr2, momentum, min_delta, strength, checkpoint_seconds;
} settings;

/** Fill in the defaults, and write the rows of the options that a program has.
 *
 * Takes: names: of the options, separated by spaces. --data, --out, --model and --history are
 * needed where they are among them. */
void settings_rows(settings *s, const char *names, option_row rows[OPTION_ROWS]);

/** Refuse options that exclude each other: say which, and end the program with 2. */
void settings_check(const settings *s);

/** All that an example needs: settings_rows(), options_parse() and settings_check(). */
void settings_parse(settings *s, int argc, char **argv, const char *names,
                    const program_text *text);

/** Names of AN_SCALE_* and AN_BASE_*, in their order. */
extern const char scale_words[], base_words[];

/* What the command line says to the library: each fills in the defaults and what was chosen. What
 * they point to lives as long as s and the other arguments. */

void settings_download(settings *s, an_download_options *options);
void settings_extract(settings *s, an_extract_options *options);
/** archive: filled, too; options point to it. */
void settings_dataset(const settings *s, an_dataset_options *options, an_extract_options *archive);
/** The tutorial's augmentation, as strong as asked. */
void settings_augment(const settings *s, an_augment_options *options);
/** All that is the same in both stages. */
void settings_train(const settings *s, an_train_options *options);

#endif
