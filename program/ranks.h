/* SPDX-License-Identifier: MIT
 * The processes of mpirun or srun that train one model together. */
#ifndef PROGRAM_RANKS_H
#define PROGRAM_RANKS_H

#include "settings.h"

/** Join the launcher's processes; alone without one. The others than rank 0 become quiet. Returns
 * 0, or 1 after printing on stderr what failed; so do the functions below. */
int ranks_join(an_comm **comm, settings *s);
/** Return 1 on rank 0, which alone locks the folder, writes and tests. */
int ranks_lead(const an_comm *comm);
/** What several processes cannot do is an error. */
int ranks_check(const an_comm *comm, const settings *s);
/** Copy rank 0's bytes to all. */
int ranks_share(an_comm *comm, void *data, int64_t size);
/** Part: after an error, the others are told to stop. *comm becomes NULL. */
void ranks_leave(an_comm **comm, int has_failed);

#endif
