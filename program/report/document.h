/* SPDX-License-Identifier: MIT
 * The page of a report, section by section. */
#ifndef REPORT_DOCUMENT_H
#define REPORT_DOCUMENT_H

#include "report/inputs.h"
#include "report/page.h"

/** Write the whole page. Returns 0, or 1 after printing why it failed. */
int document_write(page *to, report *of);

/* The parts, each in a file. Those that read images return 0, or 1 after printing why they
 * failed. */

void training_section(page *to, const report *of);
/** Predicted against true scores, and their errors. */
void scores_section(page *to, const report *of);
/** The same for classes. */
void classes_section(page *to, const report *of);
/** The best, worst and median predictions; heat maps. */
int gallery_section(page *to, report *of);
void data_section(page *to, const report *of);

/* Pieces that they share. */

void section_begin(page *to, const char *id, const char *title);
void section_end(page *to);
void figure_begin(page *to, const char *heading);
void figure_end(page *to);
/** The legend of a chart: names of the styles "a", "b", "c"; NULL ends it. */
void legend_add(page *to, const char *const *names);
/** A table, folded away below `summary` (NULL: shown). heads: names of the columns; NULL ends
 *  them. Rows follow: "<tr>", cells, "</tr>". */
void table_begin(page *to, const char *summary, const char *caption, const char *const *heads);
void table_end(page *to, const char *summary);

#endif
