/* SPDX-License-Identifier: MIT
 * Lines printed by the steps of the tutorial, the same in the examples and in the installed
 * program. With --quiet nothing is printed on stdout. */
#ifndef PROGRAM_MESSAGES_H
#define PROGRAM_MESSAGES_H

#include "settings.h"

/** The result of an extraction. */
void say_extracted(const settings *s, const an_extract_report *report, const char *folder);
/** How many images were found, and where. */
void say_images(const settings *s, const an_dataset *faces, const char *path);
/** That every image was decoded. count: images before the check; seconds: how long it took. */
void say_checked(const settings *s, const an_dataset *faces, int64_t count, double seconds);
/** Why the check failed, and which option leaves damaged images out. Returns 1. */
int complain_of_images(const settings *s, const an_error *err);
/** Decode every image once, and print the result: an_dataset_check() with the two above. Damaged
 *  images are an error or, with --skip-damaged, left out: before the split, which would otherwise
 *  change. Returns 0, or 1 after an error message. */
int check_images(const settings *s, an_dataset *faces);
/** The sizes of the three parts of the split. */
void say_split(const settings *s, int64_t n_train, int64_t n_val, int64_t n_test);
/** The backend. */
void say_backend(const settings *s, an_backend *backend);
/** The network that was built. */
void say_model(const settings *s, const an_model *model);
/** The metrics on count images. deviation: standard deviation of their true scores. */
void say_metrics(const settings *s, const an_metrics *metrics, double deviation, int64_t count);
/** An interval around each score, and the share of test images whose true score lies in it. */
typedef struct interval_result {
    double level, half_width; /* NaN: there is none */
    double coverage;
} interval_result;
/** The interval, unless there is none. */
void say_interval(const settings *s, const interval_result *interval);
/** The metrics with another kind of inference, "bf16" or "int8". rmse: that of fp32; path: of the
 *  model with this inference. */
void say_short_metrics(const settings *s, const char *kind, const an_metrics *metrics, double rmse,
                       const char *path);
/** That a signal ended the training. */
void say_interrupted(const settings *s, const an_error *err);

double seconds_now(void); /**< Seconds since an arbitrary point in time. */
double standard_deviation(const double *values, int64_t count);

#endif
