/* SPDX-License-Identifier: MIT
 * Which members of an archive a data set takes, and which names may become names of files.
 * Extraction and reading in place both go by this, so that they see the same samples. */
#ifndef IO_MEMBERS_H
#define IO_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "io/zip.h"

/** Longest base name taken, in bytes: below NAME_MAX by what a temporary file's name adds. */
enum { ANI_NAME_MAX_BYTES = 200 };

/** True if a file or member of this base name belongs to a data set: it ends in suffix or equals
 *  label_file, case-sensitive. */
bool ani_name_is_wanted(const char *base, const char *suffix, const char *label_file);
/** True if the name starts with a dot ("._AF1.jpg" of the macOS Finder). Such files are extracted,
 * as the tutorial does it, but are no samples, as its glob("*.jpg") leaves them out. */
bool ani_name_is_hidden(const char *base);
/** Return NULL if base may become the name of a file, else why not: "has a control character".
 * Refused are: nothing before the suffix (".jpg"), control characters, '\\', '/', over-long names,
 * invalid UTF-8, "." and "..". */
const char *ani_name_fault(const char *base, const char *suffix);

/** The members taken from an archive; clear with ani_members_clear(). */
typedef struct ani_members {
    int64_t *index; /* [count] of ani_zip_member_at(), in the order of the archive */
    int64_t count;
    int64_t skipped; /* taken by the filter, refused by a check (policy skip) */
    int64_t ignored; /* left out by the filter */
    int64_t bytes;   /* declared size of all taken */
} ani_members;

/**
 * Choose the members that a data set needs: base name ends in options->suffix or equals label_file.
 *
 * Checks:  name (ani_name_fault), links, duplicate base names (the first one is kept), encryption,
 *          method, caps for one and for all. Policy skip leaves out bad names, links and duplicates
 *          with one AN_WARN_MEMBER_SKIPPED each; strict refuses the archive. The rest is always an
 *          error.
 * Takes:   options: complete (after an_extract_options_init), not NULL.
 * Returns: AN_OK; AN_ERR_FORMAT (the above; no member taken at all); AN_ERR_UNSUPPORTED (encrypted,
 *          unknown method, over a cap); AN_ERR_CANCELLED (by warn); AN_ERR_NOMEM.
 */
an_status ani_members_select(ani_members *out, const ani_zip *zip,
                             const an_extract_options *options, an_error *err);
void ani_members_clear(ani_members *members); /* of {0} too */

#endif
