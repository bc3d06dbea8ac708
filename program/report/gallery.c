/* SPDX-License-Identifier: MIT
 * Test images: the predictions that are best, worst and in between, and what in an image moves its
 * prediction. */
#include "report/document.h"
#include "report/pictures.h"

#include "console.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALT_SIZE = 400 };

/* --- one image -------------------------------------------------------------------------------- */

static int read_small(an_image **out, const report *of, int64_t sample) {
    an_error err;
    an_bytes *file = NULL;
    an_image *image = NULL;
    const char *name = an_dataset_name(of->r.faces, sample);
    const int bad =
        an_dataset_read_bytes(&file, of->r.faces, sample, &err) ||
        an_image_decode(&image, an_bytes_data(file), an_bytes_size(file), name, NULL, &err) ||
        picture_shrink(out, image, of->ask->thumbnail, &err);
    an_image_destroy(image);
    an_bytes_destroy(file);
    return bad ? complain(&err) : 0;
}

static void add_scores(page *to, const report *of, int64_t i) {
    for (int32_t k = 0; k < of->outputs; k++) {
        const double truth = of->truth[i * of->outputs + k];
        const double score = (double)of->scores[i * of->outputs + k];
        if (k == 8) break;
        page_add(to, "<br>predicted&nbsp;<b>%.2f</b>, true&nbsp;<b>%.2f</b>", score, truth);
        if (of->outputs == 1)
            page_add(to, "<br>error %s%.3f", score < truth ? "\xe2\x88\x92" : "+",
                     fabs(score - truth));
    }
}

static void add_class(page *to, const report *of, int64_t i) {
    char text[32];
    const float *p = of->scores + i * of->outputs;
    const int32_t best = best_class(p, of->outputs), truth = of->classes[i];
    page_add(to, "<br>predicted ");
    page_name(to, report_class(of, best, text));
    page_add(to, ", <b>%.1f %%</b><br>true ", 100 * (double)p[best]);
    page_name(to, report_class(of, truth, text));
    if (best != truth) page_add(to, ", <b>%.1f %%</b>", 100 * (double)p[truth]);
}

static void add_words(page *to, const report *of, int64_t i) {
    page_add(to, "<div class=\"says\">");
    page_name(to, an_dataset_name(of->r.faces, of->test[i]));
    if (of->is_classes)
        add_class(to, of, i);
    else
        add_scores(to, of, i);
    page_add(to, "</div>");
}

/* What an image shows is not known: its name and the prediction must do. */
static void alt_text(char alt[ALT_SIZE], const report *of, int64_t i, const char *before) {
    const char *name = an_dataset_name(of->r.faces, of->test[i]);
    if (of->is_classes)
        snprintf(alt, ALT_SIZE, "%s %.300s", before, name);
    else
        snprintf(alt, ALT_SIZE, "%s %.300s, predicted score %.2f", before, name,
                 (double)of->scores[i * of->outputs]);
}

static int add_card(page *to, const report *of, int64_t i) {
    an_error err;
    an_image *image = NULL;
    char alt[ALT_SIZE];
    int status = 0;
    page_add(to, "<li>");
    if (!of->ask->no_images) {
        alt_text(alt, of, i, "Test image");
        status = read_small(&image, of, of->test[i]);
        if (!status && picture_add(to, image, alt, &err)) status = complain(&err);
        an_image_destroy(image);
    }
    add_words(to, of, i);
    page_add(to, "</li>\n");
    return status;
}

/* --- best, worst, median ---------------------------------------------------------------------- */

static int add_group(page *to, const report *of, const char *title, const int64_t *chosen,
                     int64_t count) {
    int status = 0;
    page_add(to, "<h3>%s</h3>\n<ul class=\"faces\">\n", title);
    for (int64_t i = 0; i < count && !status; i++)
        status = add_card(to, of, chosen[i]);
    page_add(to, "</ul>\n");
    return status;
}

static int add_examples(page *to, const report *of) {
    const int64_t n = of->r.n_test;
    const int64_t count = of->ask->examples < n ? of->ask->examples : n;
    int status = 1;
    double *wrong = malloc((size_t)n * sizeof *wrong);
    int64_t *order = malloc((size_t)n * sizeof *order);
    int64_t *worst = malloc((size_t)n * sizeof *worst);
    if (wrong)
        for (int64_t i = 0; i < n; i++)
            wrong[i] = report_error(of, i);
    if (!wrong || !order || !worst || sort_by(order, wrong, n)) {
        complain_of("no memory for %" PRId64 " errors", n);
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        worst[i] = order[n - 1 - i];
    section_begin(to, "examples", "Examples");
    page_add(to,
             of->is_classes
                 ? "<p>Test images, ordered by the probability that the network gives their true "
                   "class.</p>\n"
                 : "<p>Test images, ordered by the size of their error.</p>\n");
    status = add_group(to, of, "Best predictions", order, count) ||
             add_group(to, of, "Median predictions", order + (n - count) / 2, count) ||
             add_group(to, of, "Worst predictions", worst, count);
    section_end(to);
done:
    free(worst);
    free(order);
    free(wrong);
    return status;
}

/* --- heat maps -------------------------------------------------------------------------------- */

/** The buffers of heat maps. */
typedef struct heat {
    int32_t height, width; /* of a map */
    float *map, *x;
    uint8_t *rgb;
    float tables[768];
} heat;

static int make_heat(heat *h, const report *of) {
    an_error err;
    const size_t pixels = (size_t)of->info.height * (size_t)of->info.width * 3;
    if (an_model_explain_size(of->r.model, of->ask->layer, &h->height, &h->width, &err) ||
        an_scale_fill_tables(of->info.scale, h->tables, &err))
        return complain(&err);
    h->map = malloc((size_t)h->height * (size_t)h->width * sizeof *h->map);
    h->x = malloc(pixels * sizeof *h->x);
    h->rgb = malloc(pixels);
    return h->map && h->x && h->rgb ? 0 : complain_of("no memory for heat maps");
}

/* Which output: the score; of classes the logit of the predicted one, which in a model of one class
 * is raised by what lowers the other's. */
static void choose_output(an_explain_options *what, const report *of, int64_t i) {
    what->output = -1;
    what->sign = of->ask->sign;
    if (!of->is_classes || of->info.outputs > 1) return;
    if (best_class(of->scores + 2 * i, 2) == 0)
        what->sign = of->ask->sign == AN_EXPLAIN_RAISES ? AN_EXPLAIN_LOWERS : AN_EXPLAIN_RAISES;
}

/* Compute the map of test image i, scaled to 0..1. *is_flat: nothing in it is above 0. */
static int compute_map(heat *h, const report *of, int64_t i, int *is_flat) {
    an_error err;
    an_explain_options what;
    const int64_t pixels = (int64_t)of->info.height * of->info.width * 3;
    an_explain_options_init(&what, sizeof what);
    what.layer = of->ask->layer;
    choose_output(&what, of, i);
    if (an_dataset_read_pixels(of->r.faces, of->test[i], h->rgb, &err)) return complain(&err);
    for (int64_t k = 0; k < pixels; k++)
        h->x[k] = h->tables[256 * (k % 3) + h->rgb[k]];
    if (an_model_explain(of->r.model, h->x, 1, &what, h->map, &err)) return complain(&err);
    float largest = 0;
    const int64_t count = (int64_t)h->height * h->width;
    for (int64_t k = 0; k < count; k++)
        largest = fmaxf(largest, h->map[k]);
    for (int64_t k = 0; k < count && largest > 0; k++)
        h->map[k] /= largest;
    *is_flat = !(largest > 0);
    return 0;
}

static int add_heat(page *to, const report *of, heat *h, int64_t i) {
    an_error err;
    an_image *image = NULL;
    char alt[ALT_SIZE];
    int is_flat = 0;
    int status = compute_map(h, of, i, &is_flat) || read_small(&image, of, of->test[i]);
    if (status) goto done;
    page_add(to, "<li><div class=\"pair\">");
    alt_text(alt, of, i, "Test image");
    if (picture_add(to, image, alt, &err)) {
        status = complain(&err);
        goto done;
    }
    if (!is_flat) picture_heat(image, h->map, h->height, h->width, of->ask->opacity);
    alt_text(alt, of, i, "The same with the heat map of");
    if (picture_add(to, image, alt, &err)) status = complain(&err);
    page_add(to, "</div>");
    add_words(to, of, i);
    if (is_flat) page_add(to, "<div class=\"says\">nothing in it does: the map is empty</div>");
    page_add(to, "</li>\n");
done:
    an_image_destroy(image);
    return status;
}

/* The scale of colours. */
static void add_scale(page *to) {
    uint8_t rgb[3];
    page_add(to,
             "<ul class=\"keys\"><li><svg role=\"img\" aria-label=\"colours from dark violet to "
             "light yellow\" viewBox=\"0 0 34 12\">");
    for (int i = 0; i < 17; i++) {
        picture_colour(i / 16.0, rgb);
        page_add(to, "<rect x=\"%d\" y=\"0\" width=\"2.2\" height=\"12\" fill=\"#%02x%02x%02x\"/>",
                 2 * i, rgb[0], rgb[1], rgb[2]);
    }
    page_add(to, "</svg>no to largest influence within the image</li></ul>\n");
}

static void explain_heat(page *to, const report *of) {
    const char *verb = of->ask->sign == AN_EXPLAIN_RAISES ? "raises" : "lowers";
    page_add(to, "<p>Where in an image the network finds what %s %s (Grad-CAM, layer ", verb,
             of->is_classes ? "the logit of the predicted class" : "its score");
    page_name(to, of->ask->layer ? of->ask->layer : "out_relu");
    page_add(to,
             "). Left the image, right the same with its map. Each map is scaled to its own "
             "maximum, so colours of two images cannot be compared. A map shows what this "
             "network uses; it does not show that it is right to do so. The images are spread "
             "evenly over the true %s.</p>\n",
             of->is_classes ? "classes" : "scores");
}

static int add_heats(page *to, const report *of) {
    heat h = {0};
    const int64_t n = of->r.n_test;
    const int64_t count = of->ask->explain < n ? of->ask->explain : n;
    int status = 1;
    double *key = malloc((size_t)n * sizeof *key);
    int64_t *order = malloc((size_t)n * sizeof *order);
    if (key)
        for (int64_t i = 0; i < n; i++)
            key[i] = of->is_classes ? of->classes[i] : of->truth[i * of->outputs];
    if (!key || !order || sort_by(order, key, n)) {
        complain_of("no memory for %" PRId64 " images", n);
        goto done;
    }
    section_begin(to, "heat", "What the network looks at");
    explain_heat(to, of);
    add_scale(to);
    page_add(to, "<ul class=\"faces wide\">\n");
    status = make_heat(&h, of);
    for (int64_t i = 0; i < count && !status; i++)
        status = add_heat(to, of, &h, order[count > 1 ? i * (n - 1) / (count - 1) : n / 2]);
    page_add(to, "</ul>\n");
    section_end(to);
done:
    free(h.map);
    free(h.x);
    free(h.rgb);
    free(order);
    free(key);
    return status;
}

int gallery_section(page *to, report *of) {
    if (of->ask->examples && add_examples(to, of)) return 1;
    return !of->ask->no_images && of->ask->explain ? add_heats(to, of) : 0;
}
