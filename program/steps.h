/* SPDX-License-Identifier: MIT
 * A run: the data with its split, the network, and the steps of the commands train and test. */
#ifndef PROGRAM_STEPS_H
#define PROGRAM_STEPS_H

#include "replicas.h"
#include "settings.h"

/** Before the first step everything except s and rows is empty. */
typedef struct run {
    settings *s;
    const option_row *rows; /* the options behind s */
    char path[PATH_SIZE];   /* path of the data: an archive or a folder */
    char *real_path;        /* the same, absolute; NULL before the first run.json */
    an_backend *backend;
    replica_set replicas; /* the other devices that train */
    an_comm *comm;        /* the other processes that train; NULL once training is over */
    an_dataset *faces;
    int64_t found;    /* images before damaged ones were left out */
    int64_t *indices; /* [n_train + n_val + n_test]: samples, one part after another */
    int64_t n_train, n_val, n_test;
    an_loader *train, *val, *test;
    an_model *model;
    an_history *history;
    struct fold_results *folds; /* NULL: no cross-validation */
    int32_t fold;               /* the current one, from 1; 0: none */
} run;

/** Release what a run holds. */
void run_close(run *r);
/** Release what belongs to one model, so that the next fold can begin. */
void run_close_model(run *r);

/* Each returns 0, or 1 after printing on stderr what failed. */

/** Make the backend. */
int make_backend(run *r);
/** List the images of path with their scores; nothing is decoded yet. */
int load_data(run *r);
/** Split into 70 % training, 20 % validation, 10 % test, with a loader for each, scaled for the
 *  model; only training is augmented. */
int prepare_data(run *r);
/** Load a model file, replacing the model of the run. */
int load_model(run *r, const char *path);
/** Measure the intervals of the model's predictions on the validation part, and set them; none if
 * it is too small for --interval. */
int measure_intervals(run *r);
/** Score the test part; write OUT/metrics.json and OUT/scatter.png. With --bf16 and --int8, repeat
 *  it with that inference and save OUT/model_bf16.safetensors and OUT/model_int8.safetensors. */
int test_model(run *r);

#endif
