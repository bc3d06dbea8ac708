/* SPDX-License-Identifier: MIT
 * The steps of the tutorial, a function each, in the order in which they are taken. attractivenet.c
 * takes them all, 01_get_data.c to 07_test.c one each. */
#ifndef EXAMPLES_STEPS_H
#define EXAMPLES_STEPS_H

#include "console.h"
#include "options.h"

/** All that can be chosen. */
typedef struct settings {
    const char *data;           /* archive, folder or URL */
    const char *out;            /* folder for what is made */
    const char *weights;        /* "imagenet", "none" or a file */
    const char *model;          /* model file that a step reads; NULL = OUT/model.safetensors */
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

/**
 * Fill in the defaults and parse a command line.
 *
 * Takes:   names: the options that this program has, separated by blanks. --data, --out and --model
 * are needed where they are among them. Ends the program as options_parse() does.
 */
void settings_parse(settings *s, int argc, char **argv, const char *names,
                    const program_text *text);

/** Names of AN_SCALE_*, in their order. */
extern const char scale_words[];

/** The data set with its split: a loader a part. Empty ({0}) before load_data(). */
typedef struct data {
    an_dataset *faces;
    an_loader *train, *val, *test;
    int64_t *indices; /* [n_train + n_val + n_test]: samples of faces, a part after the other */
    int64_t n_train, n_val, n_test;
} data;

/** Release what data holds; leaves it empty. */
void data_close(data *d);

/* Each returns 0, or 1 after saying on stderr what failed. */

/** What train_model() also returns: a signal ended it, --resume goes on. An exit status, too. */
enum { INTERRUPTED = 3 };

/** Make OUT and keep other trainings out of it, from the first step to the last result. */
int lock_folder(const settings *s, an_run_lock **lock);
/** Step 1: download and extract, or find what is there. Writes the path of the data into path. */
int get_data(settings *s, char path[PATH_SIZE]);
/** Step 2: list images with their scores; nothing is decoded yet. */
int load_data(settings *s, const char *path, data *d);
/** Step 2, too: decode all images once. Damaged ones are all named, and end the program or, with
 *  skip_damaged, are left out: before the split, which they would change. */
int check_data(settings *s, data *d);
/** Step 3: split into 70 % training, 20 % validation, 10 % test; a loader each, augmented for
 *  training only. scale: AN_SCALE_*, as the model says. */
int prepare_data(settings *s, int32_t scale, data *d);
/** Step 4: MobileNetV2 with one output. */
int build_model(settings *s, an_model **model);
/** Step 5: train the head, then all; OUT/model.safetensors is the best, OUT/history.csv the course,
 * OUT/checkpoint-1.safetensors and -2 what a killed run is resumed from. SIGINT and SIGTERM end it
 * after the step under way, a second one at once. */
int train_model(settings *s, an_model *model, const data *d, an_history **history);
/** Step 6: draw the losses over the epochs as OUT/loss.png. */
int plot_history(settings *s, const an_history *history);
/** Step 7: score the test part with the best model (see load_model()); OUT/metrics.json and
 * OUT/scatter.png. With bf16 and int8 once more in such numbers, which OUT/model_bf16.safetensors
 * and OUT/model_int8.safetensors keep. */
int test_model(settings *s, an_model *model, const data *d);

/* What the steps share. */

/** Load the model of s: its model, or OUT/model.safetensors. */
int load_model(settings *s, an_model **model);
/** Describe a model: size, scale, parameters. */
an_model_info model_info(const an_model *model);

#endif
