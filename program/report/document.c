/* SPDX-License-Identifier: MIT
 * The head of the page, its summary and warning, and the order of its sections. */
#include "report/document.h"

#include "report/chart.h"
#include "report/style.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- pieces ----------------------------------------------------------------------------------- */

void section_begin(page *to, const char *id, const char *title) {
    page_add(to, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, title);
}

void section_end(page *to) {
    page_add(to, "</section>\n");
}

void figure_begin(page *to, const char *heading) {
    page_add(to, "<figure>\n<h3>%s</h3>\n", heading);
}

void figure_end(page *to) {
    page_add(to, "</figure>\n");
}

void legend_add(page *to, const char *const *names) {
    page_add(to, "<ul class=\"keys\">");
    for (int i = 0; names[i]; i++)
        page_add(to,
                 "<li><svg class=\"chart\" aria-hidden=\"true\" viewBox=\"0 0 34 12\"><path "
                 "class=\"line %c\" d=\"M2 6H32\"/></svg>%s</li>",
                 'a' + i, names[i]);
    page_add(to, "</ul>\n");
}

void table_begin(page *to, const char *summary, const char *caption, const char *const *heads) {
    if (summary) page_add(to, "<details><summary>%s</summary>\n", summary);
    page_add(to,
             "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>"
             "<caption>%s</caption>\n<thead><tr>",
             caption, caption);
    for (int i = 0; heads[i]; i++)
        page_add(to, *heads[i] ? "<th scope=\"col\">%s</th>" : "<td>%s</td>", heads[i]);
    page_add(to, "</tr></thead>\n<tbody>\n");
}

void table_end(page *to, const char *summary) {
    page_add(to, "</tbody></table></div>%s\n", summary ? "</details>" : "");
}

/* --- summary ---------------------------------------------------------------------------------- */

static void tile(page *to, const char *value, const char *words) {
    page_add(to, "<li><b>%s</b><span>%s</span></li>\n", value, words);
}

static void number_tile(page *to, double value, const char *words) {
    char text[32];
    tile(to, chart_number(text, value, 0.001), words);
}

/* The root mean squared error of always answering with the mean of the test part: from r2. */
static double constant_rmse(const an_metrics *m) {
    return m->r2 < 1 ? m->rmse / sqrt(1 - m->r2) : NAN;
}

static void tiles(page *to, const report *of) {
    char text[48];
    page_add(to, "<ul class=\"tiles\">\n");
    if (of->is_classes) {
        const class_summary *s = &of->summary;
        int64_t largest = 0;
        for (int32_t i = 0; i < s->classes; i++) {
            const int64_t count = class_samples(s, i);
            if (count > largest) largest = count;
        }
        snprintf(text, sizeof text, "%.1f %%", 100 * s->accuracy);
        tile(to, text, "accuracy: right predictions");
        snprintf(text, sizeof text, "%.1f %%", 100 * (double)largest / (double)s->count);
        tile(to, text, "if it always answered with the most frequent class");
        snprintf(text, sizeof text, "%.1f %%", 100 * s->balanced);
        tile(to, text, "balanced accuracy: mean over classes");
        number_tile(to, s->log_loss, "cross-entropy");
    } else {
        const an_metrics *m = &of->overall[0];
        number_tile(to, m->rmse, "RMSE: root mean squared error");
        if (of->outputs == 1)
            number_tile(to, constant_rmse(m), "RMSE if it always answered with the mean");
        number_tile(to, m->mae, "MAE: mean size of the error");
        number_tile(to, m->pearson, "Pearson correlation");
        number_tile(to, m->r2, "R\xc2\xb2: explained share of the variance");
    }
    snprintf(text, sizeof text, "%lld", (long long)of->r.n_test);
    tile(to, text, "test images");
    page_add(to, "</ul>\n");
}

static void warning(page *to, const report *of) {
    page_add(to, "<div class=\"warn\" role=\"note\">\n<p><b>What %s, and what it does not.</b> ",
             of->is_classes ? "a predicted class means" : "a score means");
    page_add(
        to, of->is_classes
                ? "The network estimates which label the people who labelled the training images "
                  "would have given this image. It says nothing else."
                : "A score estimates how the people who rated the training images would have rated "
                  "this image, on average. It says nothing else.");
    page_add(to,
             " Other people would %s differently. The network also learns their prejudices, and "
             "cannot tell them from anything else; a low test error means that it reproduces these "
             "%s well, not that they are fair.</p>\n<p>If the images show people, do not use it</p>"
             "\n<ul>\n<li>for decisions about people: hiring, dating, insurance, admission, "
             "advertising, ranking, moderation;</li>\n<li>to tell somebody how they look;</li>\n"
             "<li>on photographs of people who have not consented, or of children;</li>\n<li>for "
             "guesses about health, character, origin or sexuality.</li>\n</ul>\n<p>The error of a "
             "group (sex, origin, age, light) can be far larger than that of the whole test "
             "part. Inferring such things from faces can be forbidden. More in the model card "
             "of the library, docs/model_card.md.</p>\n</div>\n",
             of->is_classes ? "label" : "rate", of->is_classes ? "labels" : "ratings");
}

/* --- the page --------------------------------------------------------------------------------- */

static const char *title_of(const report *of, char text[512]) {
    const char *folder = of->ask->run;
    size_t length = strlen(folder);
    if (of->ask->title) return of->ask->title;
    while (length > 1 && folder[length - 1] == '/')
        length--;
    size_t begin = length;
    while (begin > 0 && folder[begin - 1] != '/')
        begin--;
    snprintf(text, 512, "Training report: %.*s", (int)(length - begin), folder + begin);
    return text;
}

static void head(page *to, const char *title) {
    page_add(to, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                 "img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action "
                 "'none'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<link rel=\"icon\" href=\"data:,\">\n<title>");
    page_text(to, title);
    page_add(to, "</title>\n<style>\n");
    for (int i = 0; report_style[i]; i++)
        page_add(to, "%s", report_style[i]);
    page_add(to, "</style>\n</head>\n<body>\n");
}

static void contents(page *to, const report *of) {
    static const struct {
        const char *id, *name;
    } sections[] = {{"predictions", "Predictions"},
                    {"examples", "Examples"},
                    {"heat", "What the network looks at"},
                    {"training", "Training"},
                    {"data", "Data set"}};
    page_add(to, "<nav aria-label=\"Contents\"><ul>\n");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (i == 1 && !of->ask->examples) continue;
        if (i == 2 && (of->ask->no_images || !of->ask->explain)) continue;
        page_add(to, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id, sections[i].name);
    }
    page_add(to, "</ul></nav>\n");
}

static void lead(page *to, const report *of) {
    page_add(to, "<p class=\"soft\">A network that %s, tested on %lld images that it had not seen.",
             of->is_classes ? "tells classes of images apart" : "scores images as people did",
             (long long)of->r.n_test);
    if (of->ask->no_images) page_add(to, " This page shows no images.");
    page_add(to, "</p>\n");
}

int document_write(page *to, report *of) {
    char text[512];
    const char *title = title_of(of, text);
    head(to, title);
    page_add(to, "<header>\n<h1>");
    page_name(to, title);
    page_add(to, "</h1>\n");
    lead(to, of);
    contents(to, of);
    page_add(to, "</header>\n<main>\n");
    tiles(to, of);
    warning(to, of);
    if (of->is_classes)
        classes_section(to, of);
    else
        scores_section(to, of);
    if (gallery_section(to, of)) return 1;
    training_section(to, of);
    data_section(to, of);
    page_add(to,
             "</main>\n<footer>Made by attractivenet report, libattractivenet %s. The numbers of "
             "all figures are in the JSON file beside this page.</footer>\n</body>\n</html>\n",
             an_version());
    return 0;
}
