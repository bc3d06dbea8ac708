/* SPDX-License-Identifier: MIT
 * Writes zip archives whose members are stored as they are, with no time stamps: the same members
 * give the same bytes. */
#ifndef IO_ZIP_WRITE_H
#define IO_ZIP_WRITE_H

#include <stdint.h>

#include "base/file.h"
#include "base/text.h"

/** An archive that is being written. {.file = writer} is an empty one. */
typedef struct ani_zip_draft {
    ani_writer *file; /* borrowed */
    int64_t size;     /* written so far */
    int64_t count;
    ani_text directory;
} ani_zip_draft;

/** Passes the bytes of a member to put, in order. It is called twice, and does the same twice. */
typedef an_status (*ani_member_fn)(const void *member, ani_put_fn put, void *user, an_error *err);

/** Write a member. name: ASCII. AN_ERR_UNSUPPORTED if the archive becomes larger than 4 GiB, which
 * the format has no room for. */
an_status ani_zip_add(ani_zip_draft *zip, const char *name, ani_member_fn write, const void *member,
                      an_error *err);
/** Write what follows the last member. */
an_status ani_zip_end(ani_zip_draft *zip, an_error *err);
void ani_zip_clear(ani_zip_draft *zip);

#endif
