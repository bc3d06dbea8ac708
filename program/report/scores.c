/* SPDX-License-Identifier: MIT
 * What a model of scores predicts for the test images. */
#include "report/chart.h"
#include "report/document.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DOTS = 4000, CELLS = 48 };

/* One output's columns. */
typedef struct column {
    double *truth;
    float *scores;
    int64_t count;
} column;

static int take_column(column *to, const report *of, int32_t k) {
    to->count = of->r.n_test;
    to->truth = malloc((size_t)to->count * sizeof *to->truth);
    to->scores = malloc((size_t)to->count * sizeof *to->scores);
    for (int64_t i = 0; to->truth && to->scores && i < to->count; i++) {
        to->truth[i] = of->truth[i * of->outputs + k];
        to->scores[i] = of->scores[i * of->outputs + k];
    }
    return !to->truth || !to->scores;
}

/* More points than a page should hold: how many there are in each cell. */
static void add_cells(chart *c, const column *of, double low, double high) {
    static int64_t counts[CELLS][CELLS];
    int64_t most = 1;
    char tip[64];
    const double size = (high - low) / CELLS;
    for (int i = 0; i < CELLS * CELLS; i++)
        counts[i / CELLS][i % CELLS] = 0;
    for (int64_t i = 0; i < of->count; i++) {
        const int x = (int)fmin(fmax((of->truth[i] - low) / size, 0), CELLS - 1);
        const int y = (int)fmin(fmax(((double)of->scores[i] - low) / size, 0), CELLS - 1);
        if (++counts[y][x] > most) most = counts[y][x];
    }
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS; x++) {
            if (!counts[y][x]) continue;
            snprintf(tip, sizeof tip, "%lld images", (long long)counts[y][x]);
            chart_bar(c, low + x * size, low + (x + 1) * size, low + y * size, low + (y + 1) * size,
                      "a", 0.15 + 0.85 * sqrt((double)counts[y][x] / (double)most), tip);
        }
}

static void scatter(page *to, const report *of, int32_t k, const column *values) {
    chart c;
    char id[32], description[256];
    const an_metrics *m = &of->overall[k];
    double low, high;
    score_range(values->truth, values->scores, values->count, &low, &high);
    const double margin = high > low ? 0.04 * (high - low) : 0.5;
    low -= margin;
    high += margin;
    snprintf(id, sizeof id, "scatter%d", (int)k);
    snprintf(description, sizeof description,
             "Predicted scores of %lld images against the true ones, from %.2f to %.2f, around the "
             "diagonal; correlation %.3f.",
             (long long)values->count, low, high, m->pearson);
    figure_begin(to, "Predicted against true scores");
    chart_begin(&c, to,
                &(chart_frame){.id = id,
                               .title = "Predicted against true scores",
                               .description = description,
                               .x_label = "true score",
                               .y_label = "predicted score",
                               .x_low = low,
                               .x_high = high,
                               .y_low = low,
                               .y_high = high,
                               .is_square = 1});
    chart_diagonal(&c);
    if (values->count <= MAX_DOTS)
        chart_dots(&c, values->truth, values->scores, values->count, "a");
    else
        add_cells(&c, values, low, high);
    chart_end(&c);
    page_add(to,
             "<figcaption>Each %s. On the dotted line the prediction is exact; above it, it is "
             "too high.</figcaption>\n",
             values->count <= MAX_DOTS
                 ? "dot is a test image"
                 : "square stands for the test images there, the stronger its "
                   "colour the more");
    figure_end(to);
}

static void error_table(page *to, const histogram *h) {
    static const char *const heads[] = {"error from", "to", "images", NULL};
    char text[2][32];
    table_begin(to, "Numbers of this figure", "Test images by error", heads);
    for (int32_t i = 0; i < h->bins; i++)
        page_add(to, "<tr><td>%s</td><td>%s</td><td>%lld</td></tr>\n",
                 chart_number(text[0], h->low + i * h->width, h->width),
                 chart_number(text[1], h->low + (i + 1) * h->width, h->width),
                 (long long)h->counts[i]);
    table_end(to, "");
}

static void errors(page *to, int32_t k, const error_summary *s, int64_t count) {
    chart c;
    char id[32], description[256], tip[96], text[2][32];
    const histogram *h = &s->errors;
    snprintf(id, sizeof id, "errors%d", (int)k);
    snprintf(description, sizeof description,
             "Histogram of predicted minus true scores of %lld images: mean %.3f, standard "
             "deviation %.3f; the largest error is %.3f.",
             (long long)count, s->bias, s->deviation, s->largest);
    figure_begin(to, "Errors");
    chart_begin(&c, to,
                &(chart_frame){.id = id,
                               .title = "Histogram of errors",
                               .description = description,
                               .x_label = "error: predicted minus true score",
                               .y_label = "test images",
                               .x_low = h->low,
                               .x_high = h->low + h->bins * h->width,
                               .y_low = 0,
                               .y_high = (double)h->largest * 1.06});
    for (int32_t i = 0; i < h->bins; i++) {
        if (!h->counts[i]) continue;
        const double from = h->low + i * h->width;
        snprintf(tip, sizeof tip, "%s to %s: %lld images", chart_number(text[0], from, h->width),
                 chart_number(text[1], from + h->width, h->width), (long long)h->counts[i]);
        chart_bar(&c, from, from + h->width, 0, (double)h->counts[i], "a", 1, tip);
    }
    snprintf(tip, sizeof tip, "mean %s", chart_number(text[0], s->bias, 0.001));
    chart_rule_x(&c, s->bias, tip);
    chart_end(&c);
    page_add(to,
             "<figcaption>Half of the errors are at most %.3f, nine of ten at most %.3f, all at "
             "most %.3f. Their mean is %s: %s.</figcaption>\n",
             s->median, s->ninety, s->largest, chart_number(text[0], s->bias, 0.001),
             fabs(s->bias) < 2 * s->deviation / sqrt((double)count)
                 ? "no further from 0 than chance can make it"
             : s->bias > 0 ? "on the whole the scores are too high"
                           : "on the whole the scores are too low");
    error_table(to, h);
    figure_end(to);
}

static void by_score_table(page *to, const error_summary *s) {
    static const char *const heads[] = {"true score from", "to",           "images",
                                        "mean error",      "mean |error|", NULL};
    const histogram *h = &s->truth;
    char text[4][32];
    table_begin(to, "Numbers of this figure", "Errors by true score", heads);
    for (int32_t i = 0; i < h->bins; i++) {
        const score_bin *bin = &s->by_score[i];
        page_add(to, "<tr><td>%s</td><td>%s</td><td>%lld</td>",
                 chart_number(text[0], h->low + i * h->width, h->width),
                 chart_number(text[1], h->low + (i + 1) * h->width, h->width),
                 (long long)bin->count);
        if (bin->count)
            page_add(to, "<td>%s</td><td>%s</td></tr>\n", chart_number(text[2], bin->bias, 0.001),
                     chart_number(text[3], bin->mae, 0.001));
        else
            page_add(to, "<td>\xe2\x80\x93</td><td>\xe2\x80\x93</td></tr>\n");
    }
    table_end(to, "");
}

static void by_score(page *to, int32_t k, const error_summary *s) {
    static const char *const keys[] = {"mean size of the error", "mean error", NULL};
    chart c;
    char id[32], tip[128], text[2][32], description[200];
    const histogram *h = &s->truth;
    double x[MAX_BINS], bias[MAX_BINS], low = 0, high = 0;
    for (int32_t i = 0; i < h->bins; i++) {
        const score_bin *bin = &s->by_score[i];
        x[i] = h->low + (i + 0.5) * h->width;
        bias[i] = bin->count ? bin->bias : NAN;
        low = fmin(low, bin->bias);
        high = fmax(high, fmax(bin->mae, bin->bias));
    }
    snprintf(id, sizeof id, "by-score%d", (int)k);
    snprintf(description, sizeof description,
             "For each range of true scores, from %.2f to %.2f: the mean size of the error as a "
             "bar, and the mean error as a line.",
             h->low, h->low + h->bins * h->width);
    figure_begin(to, "Errors by true score");
    chart_begin(&c, to,
                &(chart_frame){.id = id,
                               .title = "Errors by true score",
                               .description = description,
                               .x_label = "true score",
                               .y_label = "error",
                               .x_low = h->low,
                               .x_high = h->low + h->bins * h->width,
                               .y_low = low * 1.1,
                               .y_high = high * 1.1});
    for (int32_t i = 0; i < h->bins; i++) {
        const score_bin *bin = &s->by_score[i];
        if (!bin->count) continue;
        const double from = h->low + i * h->width;
        snprintf(tip, sizeof tip, "%s to %s: %.3f, %lld images",
                 chart_number(text[0], from, h->width),
                 chart_number(text[1], from + h->width, h->width), bin->mae, (long long)bin->count);
        chart_bar(&c, from, from + h->width, 0, bin->mae, "a", 0.75, tip);
    }
    if (low < 0) chart_rule_y(&c, 0, "");
    chart_line(&c, x, bias, h->bins, "b");
    chart_end(&c);
    legend_add(to, keys);
    page_add(to, "<figcaption>A mean error above 0 at low scores and below 0 at high ones means "
                 "that the network draws its scores towards the middle.</figcaption>\n");
    by_score_table(to, s);
    figure_end(to);
}

/* True and predicted scores, each as the share of the images in a bin. */
static void spread(page *to, int32_t k, const column *values) {
    static const char *const keys[] = {"true scores", "predicted scores", NULL};
    static const char *const heads[] = {"score from", "to", "true", "predicted", NULL};
    chart c;
    char id[32], text[2][32];
    histogram bins[2];
    double x[MAX_BINS], y[2][MAX_BINS], low, high, most = 0;
    score_range(values->truth, values->scores, values->count, &low, &high);
    histogram_begin(&bins[0], low, high, 12);
    bins[1] = bins[0];
    for (int64_t i = 0; i < values->count; i++) {
        histogram_add(&bins[0], values->truth[i]);
        histogram_add(&bins[1], (double)values->scores[i]);
    }
    const histogram *h = &bins[0];
    for (int32_t i = 0; i < h->bins; i++) {
        x[i] = h->low + (i + 0.5) * h->width;
        for (int which = 0; which < 2; which++) {
            y[which][i] = 100 * (double)bins[which].counts[i] / (double)values->count;
            most = fmax(most, y[which][i]);
        }
    }
    snprintf(id, sizeof id, "spread%d", (int)k);
    figure_begin(to, "Spread of scores");
    chart_begin(&c, to,
                &(chart_frame){.id = id,
                               .title = "Spread of true and predicted scores",
                               .description = "A line for the true and one for the predicted "
                                              "scores: the share of test images at each score.",
                               .x_label = "score",
                               .y_label = "% of the test images",
                               .x_low = h->low,
                               .x_high = h->low + h->bins * h->width,
                               .y_low = 0,
                               .y_high = most * 1.06});
    chart_line(&c, x, y[0], h->bins, "a");
    chart_line(&c, x, y[1], h->bins, "b");
    chart_end(&c);
    legend_add(to, keys);
    page_add(to, "<figcaption>A network that is not sure predicts scores closer to the middle: the "
                 "second line is then narrower.</figcaption>\n");
    table_begin(to, "Numbers of this figure", "Test images by score", heads);
    for (int32_t i = 0; i < h->bins; i++)
        page_add(to, "<tr><td>%s</td><td>%s</td><td>%lld</td><td>%lld</td></tr>\n",
                 chart_number(text[0], h->low + i * h->width, h->width),
                 chart_number(text[1], h->low + (i + 1) * h->width, h->width),
                 (long long)bins[0].counts[i], (long long)bins[1].counts[i]);
    table_end(to, "");
    figure_end(to);
}

static void metrics_table(page *to, const report *of) {
    static const char *const heads[] = {"output",    "RMSE",       "MAE", "R\xc2\xb2",
                                        "Pearson r", "mean error", NULL};
    char text[2][32];
    table_begin(to, NULL, "Metrics on the test part", heads);
    for (int32_t k = 0; k < of->outputs; k++) {
        const an_metrics *m = &of->overall[k];
        page_add(to, "<tr><td>%d</td><td>%.4f</td><td>%.4f</td><td>%s</td><td>%s</td>", (int)k + 1,
                 m->rmse, m->mae, chart_number(text[0], m->r2, 1e-3),
                 chart_number(text[1], m->pearson, 1e-3));
        page_add(to, "<td>%s</td></tr>\n", chart_number(text[0], of->errors[k].bias, 1e-3));
    }
    table_end(to, NULL);
}

void scores_section(page *to, const report *of) {
    section_begin(to, "predictions", "Predictions");
    page_add(to, "<p>All figures of this section are about the test part: images that the network "
                 "did not see during training.</p>\n");
    if (of->outputs > 1) metrics_table(to, of);
    for (int32_t k = 0; k < of->outputs; k++) {
        column values = {0};
        if (take_column(&values, of, k)) {
            to->failed = 1;
        } else {
            if (of->outputs > 1) page_add(to, "<p><b>Output %d</b></p>\n", (int)k + 1);
            page_add(to, "<div class=\"grid2\">\n<div class=\"stack\">\n");
            scatter(to, of, k, &values);
            spread(to, k, &values);
            page_add(to, "</div>\n<div class=\"stack\">\n");
            errors(to, k, &of->errors[k], values.count);
            by_score(to, k, &of->errors[k]);
            page_add(to, "</div>\n</div>\n");
        }
        free(values.truth);
        free(values.scores);
    }
    section_end(to);
}
