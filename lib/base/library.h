/* SPDX-License-Identifier: MIT
 * Libraries of the system that are loaded when they are first needed. Most processes draw nothing,
 * download nothing and compute at another level than c; linked, libcurl, cairo and OpenBLAS with
 * all that they bring would cost each of them a third of its start and threads that spin.
 *
 * Whoever wants one lists its functions once, F being a macro of one name:
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

/** Load the first of `files` (file names as the loader takes them; NULL ends) that has all `count`
 * functions and write them to `table`, a struct of count pointers to functions. It stays loaded.
 * Return 1; or 0, the table being all NULL. Threads: one call at a time on one table. */
int32_t ani_library_load(const char *const files[], const char *const names[], int32_t count,
                         void *table);

#endif
