/* SPDX-License-Identifier: MIT
 * Selects the members of an archive that a data set uses, and checks which names may become file
 * names. Extraction and reading in place both use this, so that they see the same samples. */
#ifndef IO_MEMBERS_H
#define IO_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "io/zip.h"

/** Longest base name accepted, in bytes: NAME_MAX less what a temporary file's name adds. */
enum { ANI_NAME_MAX_BYTES = 200 };

/** The role of a file or member in a data set, by its name. */
enum {
    ANI_NAME_OTHER = 0,  /* neither an image nor the label file; also a folder in an archive */
    ANI_NAME_IMAGE = 1,  /* has the extension of an image */
    ANI_NAME_LABELS = 2, /* has the label file's base name */
    ANI_NAME_HIDDEN = 3  /* skipped: a part of the path is hidden */
};

/**
 * Return the role of a path in a data set. Folders, archives and extraction all use this.
 *
 * Takes:   path: below the data set's folder, or in the archive. A part is hidden if it begins with
 *          a dot (except "." and "..") or is a known system name such as "__MACOSX", "@eaDir" and
 *          "Thumbs.db"; the label file's own name never is. suffix: extension of images, NULL =
 *          ANI_IMAGE_ENDINGS; the case of ASCII letters is ignored, and something must precede it.
 *          label_file: compared as it is, case-sensitively.
 */
int ani_name_kind(const char *path, const char *suffix, const char *label_file);

/** The extensions of images if none is chosen. */
#define ANI_IMAGE_ENDINGS ".jpg .jpeg .jpe .jfif .png"

/** Return the number of bytes of base before its extension; -1 if it does not have one in
 * suffix. */
int64_t ani_name_stem(const char *base, const char *suffix);

/** Return NULL if base may become a file name, else the reason why not: "has a control character".
 * Refused are: control characters, '\\', '/', overlong names, invalid UTF-8, "." and "..". */
const char *ani_name_fault(const char *base);

/** The members selected from an archive; clear with ani_members_clear(). */
typedef struct ani_members {
    int64_t *index; /* [count] of ani_zip_member_at(), in the order of the archive */
    int64_t count;
    int64_t skipped; /* selected by the filter, refused by a check (policy skip) */
    int64_t ignored; /* excluded by the filter, or with the same contents as a selected member */
    int64_t bytes;   /* declared size of all selected members */
} ani_members;

/**
 * Choose the members that a data set needs: images and the label file (ani_name_kind()).
 *
 * Checks:  name (ani_name_fault), links, duplicate base names, encryption, method, caps for one and
 *          for all. Of several members with the same base name, size and CRC, the first is selected
 * and the rest are ignored. Policy skip leaves out bad names, links and other duplicates with one
 * AN_WARN_MEMBER_SKIPPED each; strict refuses the archive. The other faults are always errors.
 * Takes:   options: complete (after an_extract_options_init), not NULL. by_path: whole paths must
 * be unique, and there is no label file. Returns: AN_OK; AN_ERR_FORMAT (the above; no member
 *          selected at all); AN_ERR_UNSUPPORTED (encrypted, unknown method, over a cap);
 *          AN_ERR_CANCELLED (by warn); AN_ERR_NOMEM.
 */
an_status ani_members_select(ani_members *out, const ani_zip *zip,
                             const an_extract_options *options, bool by_path, an_error *err);
void ani_members_clear(ani_members *members); /* of {0} too */

#endif
