/* SPDX-License-Identifier: MIT
 * How the network was trained: the loss curves, the stages, the settings. */
#include "report/chart.h"
#include "report/document.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/** The columns of a history. */
typedef struct curves {
    int64_t count;
    double *epoch, *stage, *loss, *val_loss, *rate, *seconds; /* [count]; epoch from 1, over all
                                                                 stages */
} curves;

static int read_curves(curves *c, const an_history *history) {
    c->count = an_history_count(history);
    double *all = calloc(6 * (size_t)c->count + 1, sizeof *all);
    if (!all) return 1;
    double **const columns[] = {&c->epoch,    &c->stage, &c->loss,
                                &c->val_loss, &c->rate,  &c->seconds};
    static const char *const names[] = {NULL, "stage", "loss", "val_loss", "rate", "seconds"};
    for (int i = 0; i < 6; i++) {
        *columns[i] = all + i * c->count;
        if (names[i] && an_history_copy_column(history, names[i], *columns[i], NULL))
            for (int64_t k = 0; k < c->count; k++)
                (*columns[i])[k] = NAN; /* a log without this column */
    }
    for (int64_t k = 0; k < c->count; k++)
        c->epoch[k] = (double)(k + 1);
    return 0;
}

/* The epoch with the lowest validation loss, from 0; -1: none has one. */
static int64_t best_epoch(const curves *c) {
    int64_t best = -1;
    for (int64_t i = 0; i < c->count; i++)
        if (isfinite(c->val_loss[i]) && (best < 0 || c->val_loss[i] < c->val_loss[best])) best = i;
    return best;
}

static void find_range(const curves *c, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < c->count; i++) {
        const double both[] = {c->loss[i], c->val_loss[i]};
        for (int k = 0; k < 2; k++) {
            if (!isfinite(both[k])) continue;
            *low = fmin(*low, both[k]);
            *high = fmax(*high, both[k]);
        }
    }
}

static void draw(page *to, const report *of, const curves *c) {
    static const char *const keys[] = {"training", "validation", NULL};
    chart drawn;
    char description[256], text[64];
    double low, high;
    const int64_t best = best_epoch(c);
    find_range(c, &low, &high);
    const int is_log = low > 0 && high > 12 * low;
    snprintf(description, sizeof description,
             "Training and validation loss of %" PRId64 " epochs, from %.4g to %.4g%s.", c->count,
             low, high, is_log ? ", on a logarithmic axis" : "");
    chart_begin(&drawn, to,
                &(chart_frame){.id = "loss",
                               .title = "Loss over the epochs",
                               .description = description,
                               .x_label = "epoch",
                               .y_label = of->is_classes ? "cross-entropy" : "mean squared error",
                               .x_low = 1,
                               .x_high = (double)c->count,
                               .y_low = is_log ? low * 0.9 : 0,
                               .y_high = high * 1.05,
                               .is_log = is_log,
                               .is_whole = 1});
    for (int64_t i = 1; i < c->count; i++) {
        if (c->stage[i] == c->stage[i - 1] || !isfinite(c->stage[i])) continue;
        snprintf(text, sizeof text, "stage %.0f", c->stage[i]);
        chart_rule_x(&drawn, c->epoch[i] - 0.5, text);
    }
    chart_line(&drawn, c->epoch, c->loss, c->count, "a");
    chart_line(&drawn, c->epoch, c->val_loss, c->count, "b");
    if (best >= 0) {
        snprintf(text, sizeof text, "lowest: %.4g", c->val_loss[best]);
        chart_mark(&drawn, c->epoch[best], c->val_loss[best], "b", text);
    }
    chart_end(&drawn);
    legend_add(to, keys);
    if (best >= 0)
        page_add(to,
                 "<figcaption>The model was kept as it was after epoch %.0f of %" PRId64
                 ", with the lowest validation loss. The training loss is measured on augmented "
                 "images while the weights still change, so the two curves are not directly "
                 "comparable.</figcaption>\n",
                 c->epoch[best], c->count);
}

static void epoch_table(page *to, const curves *c) {
    static const char *const heads[] = {
        "epoch", "stage", "training loss", "validation loss", "learning rate", "seconds", NULL};
    char text[32];
    table_begin(to, "Numbers of this figure", "Losses by epoch", heads);
    for (int64_t i = 0; i < c->count; i++) {
        page_add(to, "<tr><td>%.0f</td><td>%s</td>", c->epoch[i],
                 chart_number(text, c->stage[i], 1));
        page_add(to, "<td>%.5g</td><td>%.5g</td><td>%.3g</td><td>%.1f</td></tr>\n", c->loss[i],
                 c->val_loss[i], c->rate[i], c->seconds[i]);
    }
    table_end(to, "");
}

/* One row for each stage of the history. */
static void stage_table(page *to, const curves *c) {
    static const char *const heads[] = {"stage",    "epochs", "lowest validation loss",
                                        "in epoch", "time",   NULL};
    table_begin(to, NULL, "The epochs of each stage", heads);
    for (int64_t first = 0, end; first < c->count; first = end) {
        int64_t best = first;
        double seconds = 0;
        for (end = first; end < c->count && (end == first || c->stage[end] == c->stage[first]);
             end++) {
            if (c->val_loss[end] < c->val_loss[best]) best = end;
            if (isfinite(c->seconds[end])) seconds += c->seconds[end];
        }
        page_add(to,
                 "<tr><td>%.0f</td><td>%" PRId64 "</td><td>%.5g</td><td>%.0f</td><td>%.0f:%02d:%02d"
                 "</td></tr>\n",
                 c->stage[first], end - first, c->val_loss[best], c->epoch[best],
                 floor(seconds / 3600), (int)fmod(seconds / 60, 60), (int)fmod(seconds, 60));
    }
    table_end(to, NULL);
}

static void value_cell(page *to, const json_t *value) {
    char text[64];
    page_add(to, "<td class=\"word\">");
    if (json_is_string(value)) {
        page_name(to, json_string_value(value));
    } else if (json_is_boolean(value)) {
        page_add(to, json_is_true(value) ? "yes" : "no");
    } else if (json_is_integer(value)) {
        page_add(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        snprintf(text, sizeof text, "%.6g", json_real_value(value));
        page_add(to, "%s", text);
    } else {
        page_add(to, "\xe2\x80\x93");
    }
    page_add(to, "</td>");
}

static void settings_table(page *to, const report *of) {
    static const char *const heads[] = {"setting", "value", NULL};
    const char *name;
    json_t *value;
    table_begin(to, "All settings", "Options of attractivenet train", heads);
    json_object_foreach(json_object_get(of->file, "settings"), name, value) {
        page_add(to, "<tr><td>");
        page_name(to, name);
        page_add(to, "</td>");
        value_cell(to, value);
        page_add(to, "</tr>\n");
    }
    table_end(to, "");
}

static void describe_model(page *to, const report *of) {
    static const char *const scales[] = {"", "0 to 1", "&minus;1 to 1", "0 to 1000"};
    const an_model_info *m = &of->info;
    page_add(to,
             "<p>MobileNetV2, width multiplier %g, for images of %dx%d pixels scaled to %s; %.2f "
             "million parameters, %d output%s.",
             m->alpha, (int)m->width, (int)m->height, scales[m->scale], (double)m->parameters / 1e6,
             (int)m->outputs, m->outputs == 1 ? "" : "s");
    const char *version = report_text(of, "library", "version");
    if (version) {
        page_add(to, " Trained with libattractivenet ");
        page_name(to, version);
        page_add(to, ".");
    }
    page_add(to, "</p>\n");
}

void training_section(page *to, const report *of) {
    curves c = {0};
    section_begin(to, "training", "Training");
    describe_model(to, of);
    if (of->file && !json_is_true(json_object_get(of->file, "complete")))
        page_add(to,
                 "<p><b>The run is not complete:</b> it was interrupted, or still goes on.</p>\n");
    if (!of->r.history || an_history_count(of->r.history) == 0) {
        page_add(to, "<p>There is no history.csv with the losses of the epochs.</p>\n");
    } else if (read_curves(&c, of->r.history)) {
        to->failed = 1;
    } else {
        page_add(to, "<div class=\"grid2\">\n");
        figure_begin(to, "Loss over the epochs");
        draw(to, of, &c);
        epoch_table(to, &c);
        figure_end(to);
        page_add(to, "<div class=\"card\">\n");
        page_add(to, "<h3>Stages</h3>\n");
        stage_table(to, &c);
        if (of->file) settings_table(to, of);
        page_add(to, "</div>\n</div>\n");
    }
    if (!c.count && of->file) settings_table(to, of);
    section_end(to);
    free(c.epoch);
}
