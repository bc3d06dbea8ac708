/* SPDX-License-Identifier: MIT
 * Where a downloaded file came from: PATH.origin beside it lists URLs and the content that each
 * gave, both as hashes, since a URL may contain a password. */
#ifndef IO_ORIGIN_H
#define IO_ORIGIN_H

#include "base/error.h"

typedef enum ani_origin {
    ANI_ORIGIN_UNKNOWN, /* unknown: no record, or a record for other content */
    ANI_ORIGIN_SAME,
    ANI_ORIGIN_OTHER
} ani_origin;

/** Find out whether the file at path came from url. */
an_status ani_origin_look(ani_origin *origin, const char *path, const char *url, an_error *err);

/** Record that the content of part, which will be renamed to path, came from url. The record keeps
 * its entry for the file currently at path, so it is right whether or not the rename happens. */
an_status ani_origin_write(const char *path, const char *part, const char *url, an_error *err);

#endif
