/* SPDX-License-Identifier: MIT
 * How failures are recorded: once, where they happen. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <attractivenet/status.h>

/** Write status and message into err (NULL is allowed) and return status. A message begins with
 * what failed, has the subject in quotes and numbers with their limits, and has no initial capital
 * and no full stop. Control characters and invalid UTF-8 in the arguments, which may come from a
 * file, become '?'. */
an_status ani_fail(an_error *err, an_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The one message for a failed allocation of size bytes; -1 = the size itself overflowed. */
an_status ani_fail_memory(an_error *err, int64_t size, const char *what);

/** The message for a failed system call: "cannot ACTION 'PATH': reason", with AN_ERR_IO (ENOMEM:
 *  AN_ERR_NOMEM). */
an_status ani_fail_system(an_error *err, int code, const char *action, const char *path);

#endif
