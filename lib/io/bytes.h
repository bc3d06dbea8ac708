/* SPDX-License-Identifier: MIT
 * Bytes that the library hands out: what a writer makes in memory. */
#ifndef IO_BYTES_H
#define IO_BYTES_H

#include <attractivenet/io.h>

/** Make room for size bytes, contents undefined; what is used in the message. *data is borrowed. */
an_status ani_bytes_create(an_bytes **out, int64_t size, uint8_t **data, const char *what,
                           an_error *err);

#endif
