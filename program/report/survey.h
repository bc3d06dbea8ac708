/* SPDX-License-Identifier: MIT
 * A look at each image of a data set: its bytes, its size, its twins; and what was left out. */
#ifndef REPORT_SURVEY_H
#define REPORT_SURVEY_H

#include "report/statistics.h"

#include <attractivenet/attractivenet.h>

enum { SURVEY_MESSAGES = 200, SURVEY_SIZES = 8 };

/** Images of one size. */
typedef struct size_count {
    int64_t height, width, count;
} size_count;

typedef struct survey {
    char *messages[SURVEY_MESSAGES]; /* the first warnings while the data was read */
    int64_t message_count;           /* of all */
    fingerprint *prints;             /* of each sample; twins are next to each other */
    int64_t count;
    int64_t twins;                              /* images whose bytes another one before them has */
    size_count sizes[SURVEY_SIZES];             /* the most frequent ones, as stored */
    int64_t other_sizes;                        /* images of none of them */
    int64_t unmeasured;                         /* images without a valid header */
    int64_t least_bytes, most_bytes, all_bytes; /* of a file; of all files */
} survey;

/** For warn fields: keep the message. user: a survey. */
int32_t survey_warning(void *user, const an_warning *warning);

/** Look at each image. Returns 0, or 1 after printing why it failed. */
int survey_images(survey *s, an_dataset *dataset);
void survey_clear(survey *s);

/** Return whether the images at places a and b of prints have the same bytes. */
int survey_is_twin(const survey *s, int64_t a, int64_t b);

#endif
