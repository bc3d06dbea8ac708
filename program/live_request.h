/* SPDX-License-Identifier: MIT
 * The command line of live. */
#ifndef PROGRAM_LIVE_REQUEST_H
#define PROGRAM_LIVE_REQUEST_H

#include "console.h"
#include "options.h"
#include "predict_request.h"

typedef struct live_request {
    predict_request model;
    const char *out, *crop, *frame_size, *camera_format, *save;
    int32_t is_headless, is_json, is_square, is_plain, is_full_screen;
    int32_t frames, raw, pace, timeout, count;
    double smooth, rate;

    /* from the texts above, by live_request_check() */
    int64_t x, y, width, height;       /* --crop; all 0: the whole frame */
    int32_t frame_width, frame_height; /* --frame-size; both 0: none */
} live_request;

extern const char live_usage[], live_about[], live_operands[]; /* for program_text */

/** Fill in the defaults, and write the table of options. */
void live_request_rows(live_request *ask, option_row rows[OPTION_ROWS]);
/** Fill in what texts say. Options that are wrong or do not go together: print which, and exit with
 *  2. argv: for the message. */
void live_request_check(live_request *ask, char **argv);
/** To the library's options. Pointers are valid as long as ask. */
void live_request_source(const live_request *ask, an_source_options *options);
void live_request_sink(const live_request *ask, an_sink_options *options);

#endif
