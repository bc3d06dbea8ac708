/* SPDX-License-Identifier: MIT
 * OUT/run.json: the inputs and results of a run, so that another command, given the folder, can
 * find its data, split and settings. */
#ifndef PROGRAM_RUN_FILE_H
#define PROGRAM_RUN_FILE_H

#include "steps.h"

/**
 * Write OUT/run.json atomically: on failure an existing one stays.
 *
 * Writes:  an object with format ("attractivenet run"), format_version (1); complete: whether all
 *          results have been written; library: version, abi, level (the ISA level used for
 *          training); data: path (absolute), count (samples), left_out (damaged ones), samples
 *          (64-bit FNV-1a of all names and scores, as hexadecimal digits: of each sample the name
 *          with its 0 byte and the score as 8 bytes of a little-endian double); split: method
 *          ("an_tutorial_split": called with seed and count it gives the indices; in a fold
 *          "an_fold_split" or "an_held_out_split", and fold, from 1), seed, count,
 *          n_train, n_val, n_test; settings: each option of train by its name, as given or its
 *          default; model: height, width, alpha, outputs, scale; stages: for each stage, base,
 *          max_epochs, learning_rate, and its progress: epochs, best_val_loss; results: names of
 *          the files in OUT that are complete. Text that is not UTF-8 is null, and NAME_hex has its
 *          bytes.
 * Returns: 0, or 1 after printing why it failed.
 */
int run_file_write(run *r, int is_complete);

/** Write the hash "samples" of a data set, as in data. Returns text. */
const char *run_file_samples(char text[24], const an_dataset *faces);

#endif
