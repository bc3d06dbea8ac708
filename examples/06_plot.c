/* SPDX-License-Identifier: MIT
 * Step 6 of the tutorial: draw the losses over the epochs. */
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the table that a training wrote: a header, then a line an epoch. */
static int read_history(const char *path, an_history **history) {
    an_error err;
    char line[512];
    int number = 1, status = 0;
    FILE *file = fopen(path, "r");
    if (!file) return complain_of("cannot open '%s': %s", path, strerror(errno));
    if (an_history_create(history, &err)) status = complain(&err);
    if (!fgets(line, sizeof line, file)) status = complain_of("'%s' is empty", path);
    while (!status && fgets(line, sizeof line, file)) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        number++;
        if (sscanf(line, "%" SCNd32 ",%" SCNd32 ",%lf,%lf,%lf,%lf", &report.stage, &report.epoch,
                   &report.loss, &report.val_loss, &report.rate, &report.seconds) != 6)
            status = complain_of("'%s', line %d: not an epoch with six numbers", path, number);
        else if (an_history_append(*history, &report, &err))
            status = complain(&err);
    }
    fclose(file);
    return status;
}

static const program_text text = {
    .usage = "--history FILE --out DIR",
    .about = "Step 6: plot. Draws the training and validation loss of history.csv over the\n"
             "epochs, as DIR/loss.png. Training loss falling while validation loss rises: the\n"
             "network learns its images by heart.",
    .examples = "  06_plot --history run/history.csv --out run",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv, "history out quiet", &text);
    int status = 1;
    an_error err;
    char path[PATH_SIZE];
    an_history *history = NULL;
    double *loss = NULL;
    if (make_folder(s.out) || read_history(s.history, &history)) goto done;
    const int64_t count = an_history_count(history);
    loss = calloc(2 * (size_t)count + 1, sizeof *loss);
    if (!loss) goto done;
    double *val_loss = loss + count;
    int64_t second_stage = 0;
    for (int64_t i = 0; i < count; i++) {
        an_epoch_report report;
        an_epoch_report_init(&report, sizeof report);
        an_history_copy_epoch(history, i, &report, NULL);
        loss[i] = report.loss;
        val_loss[i] = report.val_loss;
        if (report.stage > 1 && !second_stage) second_stage = i + 1;
    }
    const an_curve curves[] = {{sizeof(an_curve), 0, "training", loss, count},
                               {sizeof(an_curve), 0, "validation", val_loss, count}};
    const int has_mark = second_stage > 1;
    an_plot_options options;
    an_plot_options_init(&options, sizeof options);
    options.title = "Loss over the epochs";
    options.x_label = "epoch";
    options.y_label = "mean squared error";
    join_path(path, s.out, "loss.png");
    if (an_plot_curves(path, curves, 2, has_mark ? &second_stage : NULL, has_mark, &options,
                       &err)) {
        complain(&err);
        goto done;
    }
    say(s.quiet, "the course of the losses is %s\n", path);
    status = 0;
done:
    free(loss);
    an_history_destroy(history);
    return status;
}
