/* SPDX-License-Identifier: MIT
 * Options structs grow at their end over the years: the library takes the fields that the caller's
 * struct has and uses today's defaults for the rest. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/error.h"

/** Copy the caller's options over ours, which hold the defaults. Both begin with uint32_t
 * struct_size. options NULL: the defaults stay. An impossible struct_size is AN_ERR_ARG: it was
 * never set. A caller newer than the library may set only fields that we know: unknown bytes that
 * are not zero are AN_ERR_ARG. ours->struct_size stays our size. */
an_status ani_options_copy(void *ours, uint32_t our_size, const void *options, const char *name,
                           an_error *err);

/** Copy our defaults into the caller's struct of struct_size bytes (for an_*_init): never more than
 * fits, and unknown bytes become zero. Does nothing for a NULL struct or an impossible size. */
void ani_options_init(void *options, uint32_t struct_size, const void *defaults, uint32_t our_size);

/** Set a caller's report of struct_size bytes to zero and store its size (for the an_*_init of
 * structs without defaults). Does nothing for a NULL struct or an impossible size. */
void ani_report_init(void *report, uint32_t struct_size);
/** AN_ERR_ARG unless the caller has set the struct_size of a report (NULL: no report is wanted).
 * Called before the work that is to be reported. */
an_status ani_report_check(const void *report, const char *name, an_error *err);
/** Copy a report into the caller's struct, which has been checked (NULL: none): at most struct_size
 * bytes. struct_size itself stays as it is. */
void ani_report_copy(void *report, const void *ours, uint32_t our_size);

#endif
