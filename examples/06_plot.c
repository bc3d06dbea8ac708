/* SPDX-License-Identifier: MIT
 * Step 6 of the tutorial: draw the losses over the epochs. */
#include "steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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
    an_history *history = NULL;
    const int status =
        make_folder(s.out) || read_history(s.history, &history) || plot_history(&s, history);
    an_history_destroy(history);
    return status;
}
