/* SPDX-License-Identifier: MIT
 * System libraries that are loaded when they are first needed. Most processes draw nothing,
 * download nothing and compute at an ISA level other than c. If libcurl, cairo, OpenBLAS and their
 * dependencies were linked, each process would pay for them with a third of its start-up time and
 * with threads that spin.
 *
 * A user of a library lists its functions once, F being a macro that takes a name:
 *
 *     #define FUNCTIONS(F) F(one) F(other)
 *     static struct { FUNCTIONS(ANI_FUNCTION) } table;
 *     static const char *const names[] = {FUNCTIONS(ANI_FUNCTION_NAME)};
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stdint.h>

#define ANI_FUNCTION(name) __typeof__(name) *name;
#define ANI_FUNCTION_NAME(name) #name,

/** Load the first of `files` (file names for the dynamic loader, terminated by NULL) that has all
 * `count` functions and store them in `table`, a struct of count function pointers. The library
 * stays loaded. Return 1; on failure return 0 and leave the table all NULL. Threads: one call at a
 * time on one table. */
int32_t ani_library_load(const char *const files[], const char *const names[], int32_t count,
                         void *table);

#endif
