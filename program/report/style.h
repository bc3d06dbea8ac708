/* SPDX-License-Identifier: MIT
 * The style sheet of a report. */
#ifndef REPORT_STYLE_H
#define REPORT_STYLE_H

/** Its rules; NULL ends them. */
extern const char *const report_style[];

#endif
