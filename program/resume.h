/* SPDX-License-Identifier: MIT
 * The run in a folder: its files, and whether and how it is resumed. */
#ifndef PROGRAM_RESUME_H
#define PROGRAM_RESUME_H

#include "settings.h"

const char *best_model_path(const settings *s, char path[PATH_SIZE]); /**< OUT/model.safetensors */
const char *checkpoint_path(const settings *s, char path[PATH_SIZE]); /**< as resume_path */

/** Create OUT and keep other runs out of it until the lock is destroyed. Returns 0, or 1 after
 *  printing why it failed. */
int lock_folder(const settings *s, an_run_lock **lock);

/** Remove the results of an earlier run from OUT: they describe a different model. */
void remove_old_results(const settings *s);

/** Find the checkpoint to resume from; *checkpoint is NULL for a new run. An unfinished run is
 *  discarded only on request. Returns 0, or 1 after printing what is in the way. */
int find_checkpoint(const settings *s, an_checkpoint **checkpoint);

/** Refuse a stage 1 that differs from the one before stage 2. history: of the resumed run. Returns
 *  0, or 1 after printing an error. */
int check_first_stage(const settings *s, const an_history *history);

/** Return the lowest validation loss so far; infinity if there is none. */
double best_loss(const an_history *history);

/** Print advice about a loss that became NaN or infinite, in the given stage. */
void advise_on_nan(const settings *s, int32_t stage);

#endif
