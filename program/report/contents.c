/* SPDX-License-Identifier: MIT
 * The data set: its parts, labels, sizes, twins, and what was left out. */
#include "report/chart.h"
#include "report/document.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTS = 3, MAX_TWINS = 100, MAX_CLASSES = 60 };
static const char *const parts[] = {"training", "validation", "test"};

static void part_sizes(const report *of, int64_t sizes[PARTS]) {
    sizes[0] = of->r.n_train;
    sizes[1] = of->r.n_val;
    sizes[2] = of->r.n_test;
}

/* The part of each sample, [count]; NULL without memory. */
static uint8_t *find_parts(const report *of) {
    const int64_t count = of->r.n_train + of->r.n_val + of->r.n_test;
    uint8_t *part = malloc((size_t)count + 1);
    for (int64_t i = 0; part && i < count; i++)
        part[of->r.indices[i]] =
            (uint8_t)((i >= of->r.n_train) + (i >= of->r.n_train + of->r.n_val));
    return part;
}

static void counts(page *to, const report *of) {
    static const char *const heads[] = {"", "images", "share", NULL};
    const double all = (double)an_dataset_count(of->r.faces);
    int64_t sizes[PARTS];
    part_sizes(of, sizes);
    figure_begin(to, "Parts");
    table_begin(to, NULL, "How the images were split", heads);
    for (int i = 0; i < PARTS; i++)
        page_add(to, "<tr><th scope=\"row\">%s</th><td>%" PRId64 "</td><td>%.1f %%</td></tr>\n",
                 parts[i], sizes[i], 100 * (double)sizes[i] / all);
    page_add(to, "<tr><th scope=\"row\">all</th><td>%.0f</td><td></td></tr>\n", all);
    table_end(to, NULL);
    page_add(to,
             "<figcaption>Labels without an image: %" PRId64 ". Images, labels and files left "
             "out: %" PRId64 ".</figcaption>\n",
             an_dataset_labels_without_image(of->r.faces), an_dataset_skipped(of->r.faces));
    figure_end(to);
}

/* --- labels ----------------------------------------------------------------------------------- */

static void scores_histogram(page *to, const report *of, const uint8_t *part) {
    chart c;
    histogram all, by_part[PARTS];
    double x[MAX_BINS], y[PARTS][MAX_BINS], low = INFINITY, high = -INFINITY, most = 0;
    int64_t sizes[PARTS];
    const int64_t count = an_dataset_count(of->r.faces);
    part_sizes(of, sizes);
    for (int64_t i = 0; i < count; i++) {
        const double score = an_dataset_score(of->r.faces, i, 0);
        low = fmin(low, score);
        high = fmax(high, score);
    }
    histogram_begin(&all, low, high, 12);
    for (int k = 0; k < PARTS; k++)
        by_part[k] = all;
    for (int64_t i = 0; i < count; i++)
        histogram_add(&by_part[part[i]], an_dataset_score(of->r.faces, i, 0));
    for (int32_t b = 0; b < all.bins; b++) {
        x[b] = all.low + (b + 0.5) * all.width;
        for (int k = 0; k < PARTS; k++) {
            y[k][b] = 100 * (double)by_part[k].counts[b] / (double)sizes[k];
            most = fmax(most, y[k][b]);
        }
    }
    figure_begin(to, of->outputs > 1 ? "Scores (output 1)" : "Scores");
    chart_begin(&c, to,
                &(chart_frame){.id = "labels",
                               .title = "Histogram of the true scores in each part",
                               .description = "For training, validation and test images: a line "
                                              "with the share of images at each score.",
                               .x_label = "true score",
                               .y_label = "% of the part's images",
                               .x_low = all.low,
                               .x_high = all.low + all.bins * all.width,
                               .y_low = 0,
                               .y_high = most * 1.06});
    static const char *const styles[] = {"a", "b", "c"};
    for (int k = 0; k < PARTS; k++)
        chart_line(&c, x, y[k], all.bins, styles[k]);
    chart_end(&c);
    legend_add(to, (const char *const[]){parts[0], parts[1], parts[2], NULL});
    static const char *const heads[] = {"score from", "to", "training", "validation", "test", NULL};
    table_begin(to, "Numbers of this figure", "Images by score", heads);
    for (int32_t b = 0; b < all.bins; b++) {
        char text[2][32];
        page_add(to, "<tr><td>%s</td><td>%s</td>",
                 chart_number(text[0], all.low + b * all.width, all.width),
                 chart_number(text[1], all.low + (b + 1) * all.width, all.width));
        for (int k = 0; k < PARTS; k++)
            page_add(to, "<td>%" PRId64 "</td>", by_part[k].counts[b]);
        page_add(to, "</tr>\n");
    }
    table_end(to, "");
    figure_end(to);
}

static void class_counts(page *to, const report *of, const uint8_t *part) {
    static const char *const heads[] = {"class", "training", "validation", "test", NULL};
    char text[32];
    const int64_t count = an_dataset_count(of->r.faces);
    int64_t *all = calloc((size_t)of->outputs * PARTS, sizeof *all);
    if (!all) {
        to->failed = 1;
        return;
    }
    for (int64_t i = 0; i < count; i++)
        all[an_dataset_class(of->r.faces, i) * PARTS + part[i]]++;
    figure_begin(to, "Classes");
    table_begin(to, NULL, "Images of each class", heads);
    for (int32_t k = 0; k < of->outputs && k < MAX_CLASSES; k++) {
        page_add(to, "<tr><td class=\"word\">");
        page_name(to, report_class(of, k, text));
        page_add(to, "</td>");
        for (int i = 0; i < PARTS; i++)
            page_add(to, "<td>%" PRId64 "</td>", all[k * PARTS + i]);
        page_add(to, "</tr>\n");
    }
    table_end(to, NULL);
    if (of->outputs > MAX_CLASSES)
        page_add(to, "<figcaption>The first %d of %d classes.</figcaption>\n", MAX_CLASSES,
                 (int)of->outputs);
    figure_end(to);
    free(all);
}

/* --- files ------------------------------------------------------------------------------------ */

static void sizes_table(page *to, const survey *s) {
    static const char *const heads[] = {"pixels", "images", NULL};
    figure_begin(to, "Sizes of images");
    table_begin(to, NULL, "Width and height as stored", heads);
    for (int i = 0; i < SURVEY_SIZES && s->sizes[i].count; i++)
        page_add(to, "<tr><td>%" PRId64 "x%" PRId64 "</td><td>%" PRId64 "</td></tr>\n",
                 s->sizes[i].width, s->sizes[i].height, s->sizes[i].count);
    if (s->other_sizes)
        page_add(to, "<tr><td>others</td><td>%" PRId64 "</td></tr>\n", s->other_sizes);
    if (s->unmeasured)
        page_add(to, "<tr><td>unknown</td><td>%" PRId64 "</td></tr>\n", s->unmeasured);
    table_end(to, NULL);
    page_add(to, "<figcaption>The files have %.1f to %.1f kB, %.1f MB in all.</figcaption>\n",
             (double)s->least_bytes / 1e3, (double)s->most_bytes / 1e3, (double)s->all_bytes / 1e6);
    figure_end(to);
}

/* Whether twins are in different parts: then the test knows an image from the training. */
static int64_t count_leaks(const survey *s, const uint8_t *part) {
    int64_t leaks = 0;
    for (int64_t i = 1; i < s->count; i++)
        leaks += survey_is_twin(s, i - 1, i) &&
                 part[s->prints[i - 1].sample] != part[s->prints[i].sample];
    return leaks;
}

static void twins_table(page *to, const report *of, const uint8_t *part) {
    static const char *const heads[] = {"image", "part", "the same as", "part", NULL};
    const survey *s = &of->data;
    int64_t listed = 0;
    table_begin(to, "Which ones", "Images with the same bytes", heads);
    for (int64_t i = 1; i < s->count && listed < MAX_TWINS; i++) {
        if (!survey_is_twin(s, i - 1, i)) continue;
        const int64_t pair[] = {s->prints[i].sample, s->prints[i - 1].sample};
        page_add(to, "<tr>");
        for (int k = 0; k < 2; k++) {
            page_add(to, "<td class=\"word\">");
            page_name(to, an_dataset_name(of->r.faces, pair[k]));
            page_add(to, "</td><td class=\"word\">%s</td>", parts[part[pair[k]]]);
        }
        page_add(to, "</tr>\n");
        listed++;
    }
    table_end(to, "");
    if (s->twins > listed)
        page_add(to, "<p class=\"soft\">The first %d of %" PRId64 ".</p>\n", MAX_TWINS, s->twins);
}

static void health(page *to, const report *of, const uint8_t *part) {
    const survey *s = &of->data;
    const int64_t leaks = count_leaks(s, part);
    figure_begin(to, "Duplicates and unreadable files");
    if (s->twins) {
        page_add(to, "<p>%" PRId64 " image%s the same bytes as another one", s->twins,
                 s->twins == 1 ? " has" : "s have");
        if (leaks)
            page_add(to,
                     "; <b>%" PRId64 " of these pairs %s in two parts</b>, so that a part is not "
                     "as unseen as it should be",
                     leaks, leaks == 1 ? "is" : "are");
        page_add(to, ".</p>\n");
        twins_table(to, of, part);
    } else {
        page_add(to, "<p>No two images have the same bytes.</p>\n");
    }
    if (!s->message_count) {
        page_add(to, "<p>Every file could be read.</p>\n");
    } else {
        page_add(to,
                 "<p>While the data was read, there %s %" PRId64
                 " warning%s:</p>\n<details><summary>"
                 "Warnings</summary><ul>\n",
                 s->message_count == 1 ? "was" : "were", s->message_count,
                 s->message_count == 1 ? "" : "s");
        for (int64_t i = 0; i < s->message_count && i < SURVEY_MESSAGES; i++) {
            if (!s->messages[i]) continue;
            page_add(to, "<li>");
            page_name(to, s->messages[i]);
            page_add(to, "</li>\n");
        }
        if (s->message_count > SURVEY_MESSAGES)
            page_add(to, "<li>and %" PRId64 " more</li>\n", s->message_count - SURVEY_MESSAGES);
        page_add(to, "</ul></details>\n");
    }
    figure_end(to);
}

void data_section(page *to, const report *of) {
    uint8_t *part = find_parts(of);
    if (!part) {
        to->failed = 1;
        return;
    }
    section_begin(to, "data", "Data set");
    page_add(to, "<p>Images and labels from ");
    page_name(to, of->s->data);
    page_add(to, ".</p>\n<div class=\"grid2\">\n<div class=\"stack\">\n");
    if (of->is_classes)
        class_counts(to, of, part);
    else
        scores_histogram(to, of, part);
    health(to, of, part);
    page_add(to, "</div>\n<div class=\"stack\">\n");
    counts(to, of);
    sizes_table(to, &of->data);
    page_add(to, "</div>\n</div>\n");
    section_end(to);
    free(part);
}
