/* SPDX-License-Identifier: MIT
 * Step 2 of the tutorial: load the data. Lists the images with their scores, decodes and resizes
 * each once, and shows the distribution of the scores. */
#include "messages.h"

#include <math.h>
#include <stdio.h>

enum { BARS = 16, BAR_WIDTH = 50 };

/* A histogram of the scores, and their mean and standard deviation. */
static void show_scores(const an_dataset *faces) {
    const int64_t count = an_dataset_count(faces);
    int64_t bars[BARS] = {0}, tallest = 1;
    double low = INFINITY, high = -INFINITY, mean = 0, square = 0;
    for (int64_t i = 0; i < count; i++) {
        const double score = an_dataset_score(faces, i, 0);
        low = fmin(low, score);
        high = fmax(high, score);
        mean += score / (double)count;
    }
    const double step = high > low ? (high - low) / BARS : 1;
    for (int64_t i = 0; i < count; i++) {
        const double score = an_dataset_score(faces, i, 0);
        const int bar = (int)fmin(BARS - 1, (score - low) / step);
        if (++bars[bar] > tallest) tallest = bars[bar];
        square += (score - mean) * (score - mean) / (double)count;
    }
    printf("scores from %g to %g, mean %.3f, standard deviation %.3f\n", low, high, mean,
           sqrt(square));
    for (int i = 0; i < BARS; i++) {
        printf("%6.2f %6lld ", low + i * step, (long long)bars[i]);
        for (int64_t k = 0; k < bars[i] * BAR_WIDTH / tallest; k++)
            putchar('#');
        putchar('\n');
    }
}

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER [options]",
    .about = "Step 2: load the data. Lists the images and their scores, in a folder or directly\n"
             "from the archive, sorted by name; decodes and resizes each once, as training does,\n"
             "and names all damaged images; shows the distribution of the scores. Nothing is\n"
             "stored as floats: 5,500 images of 350x350 would take 8 GB.",
    .examples = "  02_load_data --data run/data --size 350",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv,
                   "data labels suffix names-encoding skip-damaged size threads cache quiet",
                   &text);
    int status = 1;
    an_error err;
    an_dataset *faces = NULL;
    an_dataset_options options;
    an_extract_options archive;
    settings_dataset(&s, &options, &archive);
    if (an_dataset_open(&faces, s.data, &options, &err)) {
        complain(&err);
        goto done;
    }
    say_images(&s, faces, s.data);
    const int64_t count = an_dataset_count(faces);
    const double begin = seconds_now();
    if (an_dataset_check(faces, s.threads, show_progress, &s.quiet, &err)) {
        complain_of_images(&s, &err);
        goto done;
    }
    say_checked(&s, faces, count, seconds_now() - begin);
    if (!s.quiet) show_scores(faces);
    status = 0;
done:
    an_dataset_destroy(faces);
    return status;
}
