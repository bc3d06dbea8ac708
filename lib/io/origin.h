/* SPDX-License-Identifier: MIT
 * Where a downloaded file came from: PATH.origin beside it tells addresses and the content that
 * each gave, both by their hashes, since an address may hold a password. */
#ifndef IO_ORIGIN_H
#define IO_ORIGIN_H

#include "base/error.h"

typedef enum ani_origin {
    ANI_ORIGIN_UNKNOWN, /* nothing tells: no record, or one of other content */
    ANI_ORIGIN_SAME,
    ANI_ORIGIN_OTHER
} ani_origin;

/** Find out whether the file at path came from url. */
an_status ani_origin_look(ani_origin *origin, const char *path, const char *url, an_error *err);

/** Remember that the content of part, which is to become path by a rename, came from url. What is
 * known of the file that path is until then stays known: whether the rename comes about or not, the
 * record is right. */
an_status ani_origin_write(const char *path, const char *part, const char *url, an_error *err);

#endif
