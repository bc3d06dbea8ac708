/* SPDX-License-Identifier: MIT
 * Step 6 of the tutorial: plot the loss curve. */
#include "settings.h"

#include <stdlib.h>

static const program_text text = {
    .usage = "--history FILE --out DIR",
    .about = "Step 6: plot. Plots the training and validation loss of history.csv over the\n"
             "epochs, to DIR/loss.png. If the training loss falls while the validation loss\n"
             "rises, the network is overfitting.",
    .examples = "  06_plot --history run/history.csv --out run",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv, "history out quiet", &text);
    int status = 1;
    an_error err;
    char path[PATH_SIZE];
    an_history *history = NULL;
    double *stage = NULL;
    if (make_folder(s.out)) goto done;
    if (an_history_read_csv(&history, s.history, &err)) {
        complain(&err);
        goto done;
    }
    const int64_t count = an_history_count(history);
    stage = calloc(3 * (size_t)count + 1, sizeof *stage);
    if (!stage) {
        complain_of("no memory for %lld epochs", (long long)count);
        goto done;
    }
    double *loss = stage + count, *val_loss = loss + count;
    an_history_copy_column(history, "stage", stage, NULL);
    an_history_copy_column(history, "loss", loss, NULL);
    an_history_copy_column(history, "val_loss", val_loss, NULL);
    int64_t second_stage = 1; /* its first epoch */
    while (second_stage <= count && stage[second_stage - 1] < 2)
        second_stage++;
    const an_curve curves[] = {{sizeof(an_curve), 0, "training", loss, count},
                               {sizeof(an_curve), 0, "validation", val_loss, count}};
    const int has_mark = second_stage > 1 && second_stage <= count;
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
    say(s.quiet, "loss curve written to %s\n", path);
    status = 0;
done:
    free(stage);
    an_history_destroy(history);
    return status;
}
