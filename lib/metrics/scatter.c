/* SPDX-License-Identifier: MIT
 * Predicted over true scores: the nearer to the diagonal, the better. */
#include <attractivenet/metrics.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "metrics/frame.h"

/** The numbers for the line under the title. */
static void describe(char *text, size_t size, const an_metrics *metrics) {
    const char *names[] = {"RMSE", "MAE", "R2", "Pearson"};
    const double values[] = {metrics->rmse, metrics->mae, metrics->r2, metrics->pearson};
    char number[32];
    int used = snprintf(text, size, "%lld image%s", (long long)metrics->count,
                        metrics->count == 1 ? "" : "s");
    for (int i = 0; i < 4; i++) {
        if (!isfinite(values[i])) continue;
        ani_format_double(number, sizeof number, values[i], 3);
        used += snprintf(text + used, size - (size_t)used, "   %s %s", names[i], number);
    }
}

static void draw(const ani_frame *frame, ani_canvas *canvas, const double *truth,
                 const float *prediction, int64_t count) {
    const double s = canvas->scale;
    const double dash[] = {8, 6};
    cairo_t *cairo = canvas->cairo;
    ani_canvas_color(canvas, ANI_GREY, 1);
    ani_canvas_line(canvas, frame->left, frame->bottom, frame->right, frame->top, 1.8, dash, 2);

    /* smaller and paler the more points there are, so that dense areas stand out */
    const double crowd = log10((double)count + 10) / 3;
    const double radius = s * fmin(5.5, fmax(2, 6 / crowd));
    ani_canvas_color(canvas, ANI_BLUE, fmin(0.6, fmax(0.15, 0.5 / crowd)));
    ani_cairo.cairo_rectangle(cairo, frame->left, frame->top, frame->right - frame->left,
                              frame->bottom - frame->top);
    ani_cairo.cairo_save(cairo);
    ani_cairo.cairo_clip(cairo);
    for (int64_t i = 0; i < count; i++) {
        ani_cairo.cairo_new_path(cairo);
        ani_cairo.cairo_arc(cairo, ani_frame_x(frame, truth[i]),
                            ani_frame_y(frame, (double)prediction[i]), radius, 0, 2 * M_PI);
        ani_cairo.cairo_fill(cairo);
    }
    ani_cairo.cairo_restore(cairo);

    /* the legend of the dashes, in the corner with the fewest points */
    const ani_text_style style = {.size = 16, .across = 1, .along = 0.5, .color = ANI_GREY};
    const char *meaning = "predicted = true";
    const double wide = ani_canvas_text_width(canvas, meaning, &style);
    const double right = frame->right - 14 * s, y = frame->bottom - 22 * s;
    ani_canvas_text(canvas, right, y, meaning, &style);
    ani_canvas_color(canvas, ANI_GREY, 1);
    ani_canvas_line(canvas, right - wide - 52 * s, y, right - wide - 10 * s, y, 1.8, dash, 2);
}

an_status an_plot_scatter(const char *path, const double *truth, const float *prediction,
                          int64_t count, const an_plot_options *options, an_error *err) {
    ani_canvas canvas = {0};
    ani_frame frame = {0};
    an_plot_options ours;
    an_metrics metrics = {.struct_size = sizeof metrics};
    char subtitle[256];
    an_status st = ani_plot_options_check(&ours, path, options, 900, 900, err);
    if (st) goto done;
    st = an_metrics_compute(truth, prediction, NULL, count, &metrics, err);
    if (st) goto done;
    describe(subtitle, sizeof subtitle, &metrics);
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        low = fmin(low, fmin(truth[i], (double)prediction[i]));
        high = fmax(high, fmax(truth[i], (double)prediction[i]));
    }
    st = ani_canvas_create(&canvas, ours.width, ours.height, 900, 900, err);
    if (st) goto done;
    const int32_t side = ours.width < ours.height ? ours.width : ours.height;
    ani_axis_linear(&frame.x, low, high, false, (int32_t)(side / (90 * canvas.scale)));
    frame.y = frame.x;
    const ani_frame_texts texts = {
        .title = ours.title ? ours.title : "Predicted and true scores",
        .subtitle = subtitle,
        .x_label = ours.x_label ? ours.x_label : "true score",
        .y_label = ours.y_label ? ours.y_label : "predicted score",
    };
    ani_frame_layout(&frame, &canvas, &texts);
    ani_frame_square(&frame);
    ani_frame_draw(&frame, &canvas, &texts);
    draw(&frame, &canvas, truth, prediction, count);
    st = ani_canvas_write(&canvas, path, err);
done:
    ani_canvas_clear(&canvas);
    return st;
}
