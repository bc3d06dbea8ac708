/* SPDX-License-Identifier: MIT
 * The command line of predict. */
#ifndef PROGRAM_PREDICT_REQUEST_H
#define PROGRAM_PREDICT_REQUEST_H

#include "options.h"

typedef struct predict_request {
    const char *model, *device;
    int32_t scale, padding, size, threads, interval;
} predict_request;

/** Fill in the defaults, and write the table of options. */
void predict_request_rows(predict_request *ask, option_row rows[OPTION_ROWS]);
extern const char predict_usage[], predict_about[], predict_operands[]; /* for program_text */

#endif
