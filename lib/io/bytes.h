/* SPDX-License-Identifier: MIT
 * Byte buffers that the library returns: what a writer produces in memory. */
#ifndef IO_BYTES_H
#define IO_BYTES_H

#include <attractivenet/io.h>

/** Make room for size bytes, contents undefined. what: names them in the message. *data is
 * borrowed. */
an_status ani_bytes_create(an_bytes **out, int64_t size, uint8_t **data, const char *what,
                           an_error *err);

#endif
