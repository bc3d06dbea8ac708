/* SPDX-License-Identifier: MIT
 * Reads every file once. */
#include "report/survey.h"

#include "console.h"

#include <stdlib.h>
#include <string.h>

int32_t survey_warning(void *user, const an_warning *warning) {
    survey *s = user;
    if (s->message_count < SURVEY_MESSAGES)
        s->messages[s->message_count] = strdup(warning->message);
    s->message_count++;
    return 0;
}

/* Equal hashes and sizes are taken for equal images: by chance, one pair in 2^64 differs. */
int survey_is_twin(const survey *s, int64_t a, int64_t b) {
    return s->prints[a].hash == s->prints[b].hash && s->prints[a].size == s->prints[b].size;
}

static int compare_sizes(const void *a, const void *b) {
    const size_count *left = a, *right = b;
    if (left->height != right->height) return left->height < right->height ? -1 : 1;
    return left->width < right->width ? -1 : left->width > right->width;
}

static int most_first(const void *a, const void *b) {
    const size_count *left = a, *right = b;
    if (left->count != right->count) return left->count > right->count ? -1 : 1;
    return compare_sizes(a, b);
}

/* Join equal sizes of count images; the most frequent ones are kept. */
static void count_sizes(survey *s, size_count *all, int64_t count) {
    int64_t kinds = 0;
    qsort(all, (size_t)count, sizeof *all, compare_sizes);
    for (int64_t i = 0; i < count; i++) {
        if (!kinds || compare_sizes(&all[kinds - 1], &all[i]) != 0)
            all[kinds++] = all[i];
        else
            all[kinds - 1].count++;
    }
    qsort(all, (size_t)kinds, sizeof *all, most_first);
    for (int64_t i = 0; i < kinds; i++) {
        if (i < SURVEY_SIZES)
            s->sizes[i] = all[i];
        else
            s->other_sizes += all[i].count;
    }
}

int survey_images(survey *s, an_dataset *dataset) {
    an_error err;
    int status = 1;
    const int64_t count = an_dataset_count(dataset);
    size_count *sizes = malloc((size_t)count * sizeof *sizes + 1);
    s->prints = malloc((size_t)count * sizeof *s->prints + 1);
    if (!sizes || !s->prints) {
        complain_of("no memory for %lld images", (long long)count);
        goto done;
    }
    s->count = count;
    int64_t measured = 0;
    for (int64_t i = 0; i < count; i++) {
        an_bytes *file = NULL;
        size_count size = {.count = 1};
        if (an_dataset_read_bytes(&file, dataset, i, &err)) {
            complain(&err);
            goto done;
        }
        const int64_t bytes = an_bytes_size(file);
        s->prints[i] = (fingerprint){hash_bytes(an_bytes_data(file), bytes), bytes, i};
        s->all_bytes += bytes;
        if (!i || bytes < s->least_bytes) s->least_bytes = bytes;
        if (bytes > s->most_bytes) s->most_bytes = bytes;
        if (an_image_measure(an_bytes_data(file), bytes, NULL, &size.height, &size.width, NULL))
            s->unmeasured++;
        else
            sizes[measured++] = size;
        an_bytes_destroy(file);
    }
    count_sizes(s, sizes, measured);
    sort_fingerprints(s->prints, count);
    for (int64_t i = 1; i < count; i++)
        s->twins += survey_is_twin(s, i - 1, i);
    status = 0;
done:
    free(sizes);
    return status;
}

void survey_clear(survey *s) {
    for (int64_t i = 0; i < s->message_count && i < SURVEY_MESSAGES; i++)
        free(s->messages[i]);
    free(s->prints);
}
