/* SPDX-License-Identifier: MIT
 * What a report is about: the request, the folder of a run, its data, its model, and what the model
 * says of the test images. */
#ifndef REPORT_INPUTS_H
#define REPORT_INPUTS_H

#include "report/statistics.h"
#include "report/survey.h"
#include "steps.h"

#include <jansson.h>

/** How the images are labelled. */
enum { LABELS_AUTO, LABELS_SCORES, LABELS_CLASSES, LABELS_FOLDERS };

/** The options of the command. */
typedef struct report_request {
    const char *run, *out, *data, *model, *layer, *title;
    int32_t labels, no_images, examples, explain, sign, thumbnail;
    double opacity;
} report_request;

/** All that a report shows. */
typedef struct report {
    const report_request *ask;
    json_t *file;    /* run.json; NULL: there is none */
    json_t *metrics; /* metrics.json; NULL: there is none */
    char *path;      /* of the data, if run.json has its bytes; else NULL */
    settings *s;     /* those of the run, as far as they are needed here */
    run r;           /* its data set, split, model and history (NULL: there is none) */
    an_model_info info;
    int32_t is_classes;    /* the model is for classification */
    int32_t outputs;       /* columns of scores: 2 for a model of one class */
    const int64_t *test;   /* samples of the test part, [r.n_test] */
    double *truth;         /* [r.n_test,outputs]; NULL with classes */
    int32_t *classes;      /* [r.n_test]; NULL without */
    float *scores;         /* [r.n_test,outputs]: predictions, with classes probabilities */
    an_metrics *overall;   /* [outputs]; NULL with classes */
    error_summary *errors; /* [outputs]; NULL with classes */
    class_summary summary; /* with classes */
    survey data;
} report;

/** Read the run, its data and its model, and score the test part. Returns 0, or 1 after printing
 *  why it failed. Call report_clear() in any case. */
int report_read(report *of, const report_request *ask, settings *s);
void report_clear(report *of);

/** Return a value of run.json as text: in its settings, or in the object `group`; NULL if there is
 *  none. */
const char *report_text(const report *of, const char *group, const char *name);
/** Return a whole number of run.json likewise; -1 if there is none. */
int64_t report_count(const report *of, const char *group, const char *name);

/** Return the name of a class; text [32] is written if the model has no names. */
const char *report_class(const report *of, int32_t class_index, char text[32]);
/** Return how wrong the prediction for test image i is: with classes 1 minus the probability of the
 *  true class; otherwise the mean magnitude of its errors. */
double report_error(const report *of, int64_t i);

#endif
