/* SPDX-License-Identifier: MIT
 * Label files with a header: CSV as in RFC 4180, with commas, semicolons or tabs. */
#ifndef DATASET_CSV_H
#define DATASET_CSV_H

#include <stdbool.h>

#include "dataset/labels.h"

/** True if a label file has a header: its name ends in .csv or .tsv, ignoring case. */
bool ani_csv_is(const char *label_file);

/**
 * Read labels. The first line that is not blank is the header. Fields are separated by commas,
 * semicolons or tabs, whichever the header has; in a .tsv file by tabs. Quoted fields may contain
 * separators, line ends and doubled quotes; blanks around other fields are ignored. UTF-8 with or
 * without a byte order mark, UTF-16 with one. Lines end as in ani_labels_read().
 *
 * Takes:   bytes: size bytes followed by a zero byte; modified, and borrowed as by
 * ani_labels_read(). Returns: AN_OK; AN_ERR_FORMAT ("'NAME', line N, column C ('TITLE'): ...");
 *          AN_ERR_UNSUPPORTED (too long); AN_ERR_NOMEM. Policy skip as in ani_labels_read(), but
 *          the header must be valid, and every quote must be closed.
 */
an_status ani_csv_read(ani_labels *out, const char *name, uint8_t *bytes, int64_t size,
                       const ani_labels_form *form, an_error *err);

#endif
