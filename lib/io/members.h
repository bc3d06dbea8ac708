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

/** What a file or member is to a data set, by its name. */
enum {
    ANI_NAME_OTHER = 0,  /* neither an image nor the label file; a folder of an archive too */
    ANI_NAME_IMAGE = 1,  /* ends as an image does */
    ANI_NAME_LABELS = 2, /* has the label file's base name */
    ANI_NAME_HIDDEN = 3  /* passed over: a part of the path is hidden */
};

/**
 * Tell what a path is to a data set. Folders, archives and extraction all go by this.
 *
 * Takes:   path: below the data set's folder, or in the archive. Hidden is a part that begins with
 *          a dot (but "." and "..") or that a system is known to keep for itself, such as
 *          "__MACOSX", "@eaDir" and "Thumbs.db"; the label file's own name never is.
 *          suffix: ending of images, NULL = ANI_IMAGE_ENDINGS; without regard to the case of ASCII
 *          letters, and there must be something before it. label_file: as it is, case-sensitive.
 */
int ani_name_kind(const char *path, const char *suffix, const char *label_file);

/** The endings of images where none is chosen. */
#define ANI_IMAGE_ENDINGS ".jpg .jpeg .jpe .jfif .png"

/** Return how many bytes of base come before its ending, -1 if it has no ending of suffix. */
int64_t ani_name_stem(const char *base, const char *suffix);

/** Return NULL if base may become the name of a file, else why not: "has a control character".
 * Refused are: control characters, '\\', '/', over-long names, invalid UTF-8, "." and "..". */
const char *ani_name_fault(const char *base);

/** The members taken from an archive; clear with ani_members_clear(). */
typedef struct ani_members {
    int64_t *index; /* [count] of ani_zip_member_at(), in the order of the archive */
    int64_t count;
    int64_t skipped; /* taken by the filter, refused by a check (policy skip) */
    int64_t ignored; /* left out by the filter, or the same bytes as a member taken */
    int64_t bytes;   /* declared size of all taken */
} ani_members;

/**
 * Choose the members that a data set needs: images and the label file (ani_name_kind()).
 *
 * Checks:  name (ani_name_fault), links, duplicate base names, encryption, method, caps for one and
 *          for all. Of several members with one base name, size and CRC the first is taken and the
 *          rest ignored. Policy skip leaves out bad names, links and other duplicates with one
 *          AN_WARN_MEMBER_SKIPPED each; strict refuses the archive. The rest is always an error.
 * Takes:   options: complete (after an_extract_options_init), not NULL. by_path: whole paths are
 *          what may occur once, and there is no label file.
 * Returns: AN_OK; AN_ERR_FORMAT (the above; no member taken at all); AN_ERR_UNSUPPORTED (encrypted,
 *          unknown method, over a cap); AN_ERR_CANCELLED (by warn); AN_ERR_NOMEM.
 */
an_status ani_members_select(ani_members *out, const ani_zip *zip,
                             const an_extract_options *options, bool by_path, an_error *err);
void ani_members_clear(ani_members *members); /* of {0} too */

#endif
