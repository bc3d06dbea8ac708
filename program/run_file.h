/* SPDX-License-Identifier: MIT
 * OUT/run.json: what a training was made from and what it left, so that another command, given the
 * folder, finds data, split and settings again. */
#ifndef PROGRAM_RUN_FILE_H
#define PROGRAM_RUN_FILE_H

#include "steps.h"

/**
 * Write OUT/run.json: whole, or the one of before stays.
 *
 * Writes:  an object with
 *          format ("attractivenet run"), format_version (1);
 *          complete: all results are there;
 *          library: version, abi, level (ISA level that trained);
 *          data: path (absolute), count (samples), left_out (damaged ones), samples (64-bit FNV-1a
 *          of all names and scores, as hexadecimal digits: of each sample the name with its 0 byte
 *          and the score as 8 bytes of a little-endian double);
 *          split: method ("an_tutorial_split": called with seed and count it gives the indices),
 *          seed, count, n_train, n_val, n_test;
 *          settings: each option of train by its name, as it was given or by default;
 *          model: height, width, alpha, outputs, scale;
 *          stages: of each stage, base, max_epochs, learning_rate, and what it has done so far:
 *          epochs, best_val_loss;
 *          results: names of the files in OUT that are complete.
 *          A text that is not UTF-8 is null, and NAME_hex has its bytes.
 * Returns: 0, or 1 after saying why not.
 */
int run_file_write(run *r, int is_complete);

#endif
