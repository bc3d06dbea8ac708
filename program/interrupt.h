/* SPDX-License-Identifier: MIT
 * Ctrl-C and SIGTERM pause a training after the step under way; a second one ends the program. */
#ifndef PROGRAM_INTERRUPT_H
#define PROGRAM_INTERRUPT_H

#include <attractivenet/attractivenet.h>

/** Exit status of a program that a signal ended: --resume goes on. */
enum { INTERRUPTED = 3 };

void interrupt_begin(void); /**< Catch the signals from now on; call it on the main thread. */
void interrupt_end(void);   /**< Leave them to the system again. */

/** Name the trainer that a signal is to pause, at once if there was one already; NULL = none. A
 *  trainer must not be destroyed while it is named. */
void interrupt_watch(an_trainer *trainer);

int interrupt_happened(void); /**< Was there a signal? */

#endif
