/* SPDX-License-Identifier: MIT
 * What a model of classes predicts for the test images. */
#include "report/chart.h"
#include "report/document.h"

#include <math.h>
#include <stdio.h>

/* Larger tables are hard to read: then only the most frequent confusions are listed. */
enum { MAX_TABLE = 16, MAX_CONFUSIONS = 20 };

static void percent_cell(page *to, double share) {
    if (isfinite(share))
        page_add(to, "<td>%.1f %%</td>", 100 * share);
    else
        page_add(to, "<td>\xe2\x80\x93</td>");
}

static void confusion_table(page *to, const report *of) {
    const class_summary *s = &of->summary;
    char text[32];
    page_add(to, "<div class=\"scroll\"><table><caption>Test images: a row for each true class, a "
                 "column for each predicted one; framed: right predictions</caption>\n<thead><tr>"
                 "<th scope=\"col\">true class</th>");
    for (int32_t k = 0; k < s->classes; k++) {
        page_add(to, "<th scope=\"col\">");
        page_name(to, report_class(of, k, text));
        page_add(to, "</th>");
    }
    page_add(to, "</tr></thead>\n<tbody>\n");
    for (int32_t i = 0; i < s->classes; i++) {
        page_add(to, "<tr><th scope=\"row\">");
        page_name(to, report_class(of, i, text));
        page_add(to, "</th>");
        for (int32_t k = 0; k < s->classes; k++)
            page_add(to, "<td%s>%lld</td>", i == k ? " class=\"hit\"" : "",
                     (long long)s->confusion[i * s->classes + k]);
        page_add(to, "</tr>\n");
    }
    page_add(to, "</tbody></table></div>\n");
}

/* The most frequent wrong pairs, found one after the other. */
static void confusion_list(page *to, const report *of) {
    static const char *const heads[] = {"true class", "predicted class", "images", NULL};
    const class_summary *s = &of->summary;
    char text[32];
    int64_t below = INT64_MAX;
    int32_t listed = 0;
    table_begin(to, NULL, "The most frequent confusions", heads);
    while (listed < MAX_CONFUSIONS) {
        int64_t most = 0;
        for (int32_t i = 0; i < s->classes * s->classes; i++)
            if (i / s->classes != i % s->classes && s->confusion[i] < below &&
                s->confusion[i] > most)
                most = s->confusion[i];
        if (!most) break;
        for (int32_t i = 0; i < s->classes * s->classes && listed < MAX_CONFUSIONS; i++) {
            if (i / s->classes == i % s->classes || s->confusion[i] != most) continue;
            page_add(to, "<tr><td class=\"word\">");
            page_name(to, report_class(of, i / s->classes, text));
            page_add(to, "</td><td class=\"word\">");
            page_name(to, report_class(of, i % s->classes, text));
            page_add(to, "</td><td>%lld</td></tr>\n", (long long)most);
            listed++;
        }
        below = most;
    }
    if (!listed) page_add(to, "<tr><td>none</td><td></td><td></td></tr>\n");
    table_end(to, NULL);
}

static void class_table(page *to, const report *of) {
    static const char *const heads[] = {"class", "test images", "precision", "recall", "F1", NULL};
    const class_summary *s = &of->summary;
    char text[32];
    table_begin(
        to, NULL,
        "Precision: of the images predicted to be of a class, those that are. Recall: of the "
        "images of a class, those that were found. F1: the harmonic mean of both",
        heads);
    for (int32_t k = 0; k < s->classes; k++) {
        page_add(to, "<tr><td class=\"word\">");
        page_name(to, report_class(of, k, text));
        page_add(to, "</td><td>%lld</td>", (long long)class_samples(s, k));
        percent_cell(to, s->precision[k]);
        percent_cell(to, s->recall[k]);
        percent_cell(to, s->f1[k]);
        page_add(to, "</tr>\n");
    }
    table_end(to, NULL);
}

static void confidence(page *to, const class_summary *s) {
    chart c;
    char tip[96];
    const histogram *h = &s->confidence;
    figure_begin(to, "How sure the network is");
    chart_begin(&c, to,
                &(chart_frame){.id = "confidence",
                               .title = "Probability of the predicted class",
                               .description = "Histogram of the probability that the network gives "
                                              "the class it predicts, from 0 to 1.",
                               .x_label = "probability of the predicted class",
                               .y_label = "test images",
                               .x_low = 0,
                               .x_high = 1,
                               .y_low = 0,
                               .y_high = (double)h->largest * 1.06});
    for (int32_t i = 0; i < h->bins; i++) {
        if (!h->counts[i]) continue;
        snprintf(tip, sizeof tip, "%.1f to %.1f: %lld images, %lld right", h->low + i * h->width,
                 h->low + (i + 1) * h->width, (long long)h->counts[i],
                 (long long)s->confident_right[i]);
        chart_bar(&c, h->low + i * h->width, h->low + (i + 1) * h->width, 0, (double)h->counts[i],
                  "b", 0.8, tip);
        if (s->confident_right[i])
            chart_bar(&c, h->low + i * h->width, h->low + (i + 1) * h->width, 0,
                      (double)s->confident_right[i], "a", 1, tip);
    }
    chart_end(&c);
    page_add(to, "<figcaption>Lower part of each bar (blue): right predictions; upper part "
                 "(orange): wrong ones.</figcaption>\n");
    figure_end(to);
}

static void calibration(page *to, const class_summary *s) {
    static const char *const heads[] = {"probability", "images", "right", NULL};
    chart c;
    const histogram *h = &s->confidence;
    double x[MAX_BINS], y[MAX_BINS];
    for (int32_t i = 0; i < h->bins; i++) {
        x[i] = h->counts[i] ? s->confidence_sum[i] / (double)h->counts[i] : NAN;
        y[i] = h->counts[i] ? (double)s->confident_right[i] / (double)h->counts[i] : NAN;
    }
    figure_begin(to, "How often it is right then");
    chart_begin(&c, to,
                &(chart_frame){.id = "calibration",
                               .title = "Share of right predictions by probability",
                               .description =
                                   "For each range of the predicted class's probability: "
                                   "its mean, and the share of right predictions, as a "
                                   "line near the diagonal if the probabilities are "
                                   "honest.",
                               .x_label = "probability of the predicted class",
                               .y_label = "share of right predictions",
                               .x_low = 0,
                               .x_high = 1,
                               .y_low = 0,
                               .y_high = 1});
    chart_diagonal(&c);
    chart_line(&c, x, y, h->bins, "a");
    for (int32_t i = 0; i < h->bins; i++)
        if (h->counts[i]) chart_mark(&c, x[i], y[i], "a", "");
    chart_end(&c);
    page_add(to, "<figcaption>Below the dotted line the network is too sure of itself, above it "
                 "too modest.</figcaption>\n");
    table_begin(to, "Numbers of this figure", "Right predictions by probability", heads);
    for (int32_t i = 0; i < h->bins; i++)
        page_add(to, "<tr><td>%.1f to %.1f</td><td>%lld</td><td>%lld</td></tr>\n",
                 h->low + i * h->width, h->low + (i + 1) * h->width, (long long)h->counts[i],
                 (long long)s->confident_right[i]);
    table_end(to, "");
    figure_end(to);
}

void classes_section(page *to, const report *of) {
    section_begin(to, "predictions", "Predictions");
    page_add(to, "<p>All figures of this section are about the test part: images that the network "
                 "did not see during training.</p>\n<div class=\"grid2\">\n");
    figure_begin(to, "Predicted against true classes");
    if (of->outputs <= MAX_TABLE)
        confusion_table(to, of);
    else
        confusion_list(to, of);
    figure_end(to);
    figure_begin(to, "Each class");
    class_table(to, of);
    figure_end(to);
    confidence(to, &of->summary);
    calibration(to, &of->summary);
    page_add(to, "</div>\n");
    section_end(to);
}
