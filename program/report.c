/* SPDX-License-Identifier: MIT
 * attractivenet report: one page about a training, to look at and to show. */
#include "command.h"
#include "console.h"
#include "report/document.h"
#include "report/figures.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static report_request ask;
static settings s;

static void options(option_row rows[OPTION_ROWS]) {
    int count = 0;
    settings_rows(&s, "labels suffix names-encoding skip-damaged seed batch device threads quiet",
                  rows);
    ask = (report_request){.examples = 6, .explain = 12, .thumbnail = 160, .opacity = 0.65};
    while (rows[count].name)
        count++;
    const option_row ours[] = {
        option_needed(option_text("run", &ask.run, "DIR", "folder of a training")),
        option_text("out", &ask.out, "FILE",
                    "the page; without it DIR/report.html. A JSON file with the numbers\n"
                    "of all figures is written beside it"),
        option_text("data", &ask.data, "PATH",
                    "archive or folder of the images; without it, where run.json says"),
        option_text("model", &ask.model, "FILE", "model file; without it DIR/model.safetensors"),
        option_choice("label-kind", &ask.labels, "auto|scores|classes|folders",
                      "what the labels are: classes are named by the label file or by\n"
                      "the folders of the images; auto: scores or classes, as the model"),
        option_text("title", &ask.title, "TEXT", "title of the page"),
        option_flag("no-images", &ask.no_images, "leave out all images"),
        option_count("examples", &ask.examples, 0, 100,
                     "how many of the best, of the median and of the worst predictions\n"
                     "are shown"),
        option_count("explain", &ask.explain, 0, 500,
                     "how many test images are shown with a heat map of what moves their\n"
                     "prediction (Grad-CAM)"),
        option_text("layer", &ask.layer, "NAME",
                    "layer of the heat maps, named as in Keras: block_13_expand_relu is\n"
                    "twice as fine as the default, the last one, out_relu"),
        option_choice("sign", &ask.sign, "raises|lowers",
                      "heat maps of what raises a prediction, or of what lowers it"),
        option_number("opacity", &ask.opacity, 0, 1, "opacity of heat maps where they are largest"),
        option_count("thumbnail", &ask.thumbnail, 32, 1024,
                     "pixels of the longer side of the images"),
        option_end(),
    };
    memcpy(rows + count, ours, sizeof ours);
}

/** Where the page goes, and the JSON file beside it. */
typedef struct places {
    char page[PATH_SIZE], folder[PATH_SIZE], json[PATH_SIZE];
} places;

static int find_places(places *to) {
    struct stat found;
    if (ask.out) {
        if (snprintf(to->page, sizeof to->page, "%s", ask.out) >= PATH_SIZE)
            return complain_of("the path of the report is longer than %d bytes", PATH_SIZE - 1);
    } else {
        join_path(to->page, ask.run, "report.html");
    }
    if (!stat(to->page, &found) && S_ISDIR(found.st_mode))
        return complain_of("--out is '%s', which is a folder; it must be a file", to->page);
    const char *slash = strrchr(to->page, '/'), *base = slash ? slash + 1 : to->page;
    const char *dot = strrchr(base, '.');
    const int is_html = dot && (!strcmp(dot, ".html") || !strcmp(dot, ".htm"));
    const size_t length = is_html ? (size_t)(dot - base) : strlen(base);
    if (!*base) return complain_of("--out is '%s'; it must be a file", to->page);
    snprintf(to->folder, sizeof to->folder, "%.*s",
             slash ? (slash == to->page ? 1 : (int)(slash - to->page)) : 1, slash ? to->page : ".");
    snprintf(to->json, sizeof to->json, "%.*s.json", (int)length, base);
    return 0;
}

static int run_report(const option_row *rows, int count, char **operands) {
    (void)rows, (void)count, (void)operands;
    report of = {0};
    page made = {0};
    places to;
    int status = find_places(&to) || report_read(&of, &ask, &s) || document_write(&made, &of) ||
                 page_write(&made, to.page) || figures_write(&of, to.folder, to.json);
    if (!status)
        say(s.quiet, "report written to %s (%.1f MB), its numbers to %s/%s\n", to.page,
            (double)made.size / 1e6, to.folder, to.json);
    page_clear(&made);
    report_clear(&of);
    return status;
}

const command report_command = {
    .name = "report",
    .what = "make a page about a training, to look at and to show",
    .text =
        {.name = "attractivenet report",
         .usage = "--run DIR [--out FILE] [options]",
         .about =
             "Writes one HTML file about a training: metrics, predicted against true scores, "
             "errors,\n"
             "the best, median and worst predictions with their images, heat maps of what moves a\n"
             "prediction, loss curves, settings, and a look at the data set. The file contains\n"
             "everything: it loads nothing, runs no scripts, and can be sent, printed and read on "
             "a\n"
             "telephone. It shows images and names of the data set; --no-images leaves the images "
             "out.\n"
             "Reads run.json, model.safetensors, history.csv and metrics.json of DIR and the "
             "data.\n"
             "For a folder without run.json, give --data and, where they differ from the "
             "defaults,\n"
             "--labels, --suffix, --names-encoding, --skip-damaged and --seed of the training.\n"
             "Models of classes have a table of true and predicted classes instead of the errors.",
         .examples = "  attractivenet report --run run\n"
                     "  attractivenet report --run run --out page.html --no-images\n"
                     "  attractivenet report --run run --layer block_13_expand_relu --explain 24\n"
                     "  attractivenet report --run animals --data photos --label-kind folders"},
    .options = options,
    .run = run_report,
};
