/* SPDX-License-Identifier: MIT
 * The run that lies in a folder: its files, whether it goes on, and with what. */
#ifndef PROGRAM_RESUME_H
#define PROGRAM_RESUME_H

#include "settings.h"

const char *best_model_path(const settings *s, char path[PATH_SIZE]); /**< OUT/model.safetensors */
const char *checkpoint_path(const settings *s, char path[PATH_SIZE]); /**< as resume_path */

/** Make OUT and keep other trainings out of it until the lock is destroyed. Returns 0, or 1 after
 *  saying why not. */
int lock_folder(const settings *s, an_run_lock **lock);

/** Remove what an earlier run left in OUT: it would describe another model than the one to come. */
void remove_old_results(const settings *s);

/** Find what is to be resumed; *checkpoint is NULL if the training begins anew. An unfinished run
 *  is only given up if that is asked for. Returns 0, or 1 after saying what is in the way. */
int find_checkpoint(const settings *s, an_checkpoint **checkpoint);

/** Refuse another stage 1 than the one that stage 2 began with. history: of the resumed run.
 *  Returns 0, or 1 after saying so. */
int check_first_stage(const settings *s, const an_history *history);

/** The lowest validation loss so far; infinity if there is none. */
double best_loss(const an_history *history);

/** Say what may help against a loss that became NaN or infinite, in the stage of that number. */
void advise_on_nan(const settings *s, int32_t stage);

#endif
