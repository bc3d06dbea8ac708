/* SPDX-License-Identifier: MIT
 * Lines that a step of the tutorial prints, the same in an example and in the installed program.
 * Nothing is printed on stdout with --quiet. */
#ifndef PROGRAM_MESSAGES_H
#define PROGRAM_MESSAGES_H

#include "settings.h"

/** What an extraction did. */
void say_extracted(const settings *s, const an_extract_report *report, const char *folder);
/** How many images were found where. */
void say_images(const settings *s, const an_dataset *faces, const char *path);
/** That every image was decoded. count: images before the check; seconds: that it took. */
void say_checked(const settings *s, const an_dataset *faces, int64_t count, double seconds);
/** Why the check failed, and which option leaves damaged images out. Returns 1. */
int complain_of_images(const settings *s, const an_error *err);
/** The sizes of the three parts. */
void say_split(const settings *s, int64_t n_train, int64_t n_val, int64_t n_test);
/** What computes. */
void say_backend(const settings *s, const an_backend *backend);
/** The network that was built. */
void say_model(const settings *s, const an_model *model);
/** How well count images were scored. deviation: standard deviation of their true scores. */
void say_metrics(const settings *s, const an_metrics *metrics, double deviation, int64_t count);
/** The same with another kind of inference, "bf16" or "int8". rmse: that of fp32; path: of the
 *  model that predicts so. */
void say_short_metrics(const settings *s, const char *kind, const an_metrics *metrics, double rmse,
                       const char *path);
/** That a signal ended the training. */
void say_interrupted(const settings *s, const an_error *err);

double seconds_now(void); /**< Seconds since some moment. */
double standard_deviation(const double *values, int64_t count);

#endif
