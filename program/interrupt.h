/* SPDX-License-Identifier: MIT
 * Ctrl-C and SIGTERM pause training after the current step; a second signal ends the program. */
#ifndef PROGRAM_INTERRUPT_H
#define PROGRAM_INTERRUPT_H

#include <attractivenet/attractivenet.h>

/** Exit status of a program stopped by a signal: --resume continues. */
enum { INTERRUPTED = 3 };

void interrupt_begin(void); /**< Catch the signals from now on; call it on the main thread. */
void interrupt_end(void);   /**< Restore the default handling. */

/** Set the trainer that a signal pauses, immediately if one has already arrived; NULL = none. A
 *  trainer must not be destroyed while it is set. */
void interrupt_watch(an_trainer *trainer);

int interrupt_happened(void); /**< Was there a signal? */

#endif
