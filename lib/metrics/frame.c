/* SPDX-License-Identifier: MIT
 * Titles, axes and grid, the same for every plot. */
#include "metrics/frame.h"

#include <math.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"

static const ani_text_style title_style = {.size = 25, .color = ANI_INK, .bold = true};
static const ani_text_style subtitle_style = {.size = 17, .color = ANI_GREY};
static const ani_text_style label_style = {.size = 19, .color = ANI_INK};
static const ani_text_style tick_style = {.size = 16, .color = ANI_GREY};

an_status ani_plot_text_check(const char *text, const char *what, an_error *err) {
    if (text && !ani_is_utf8(text, (int64_t)strlen(text)))
        return ani_fail(err, AN_ERR_ARG, "the %s of the plot is not valid UTF-8", what);
    return AN_OK;
}

an_status ani_plot_options_check(an_plot_options *ours, const char *path,
                                 const an_plot_options *options, int32_t width, int32_t height,
                                 an_error *err) {
    *ours = (an_plot_options){.struct_size = sizeof *ours};
    if (!path) return ani_fail(err, AN_ERR_ARG, "the path of the plot is NULL");
    an_status st = ani_options_copy(ours, sizeof *ours, options, "an_plot_options", err);
    if (st) return st;
    if (!ours->width) ours->width = width;
    if (!ours->height) ours->height = height;
    const int32_t sizes[] = {ours->width, ours->height};
    for (int i = 0; i < 2; i++)
        if (sizes[i] < 200 || sizes[i] > 10000)
            return ani_fail(err, AN_ERR_ARG, "%s of the plot is %d; it must be 200 to 10000",
                            i ? "height" : "width", (int)sizes[i]);
    if (ours->log_y != 0 && ours->log_y != 1)
        return ani_fail(err, AN_ERR_ARG, "log_y is %d; it must be 0 or 1", (int)ours->log_y);
    st = ani_plot_text_check(ours->title, "title", err);
    if (!st) st = ani_plot_text_check(ours->x_label, "x label", err);
    if (!st) st = ani_plot_text_check(ours->y_label, "y label", err);
    return st;
}

/** The width in pixels of the widest label of the y axis. */
static double widest_label(const ani_axis *axis, ani_canvas *canvas) {
    double widest = 0;
    char label[ANI_AXIS_LABEL];
    for (int32_t i = 0; i < axis->tick_count; i++) {
        ani_axis_label(axis, axis->ticks[i], label);
        widest = fmax(widest, ani_canvas_text_width(canvas, label, &tick_style));
    }
    return widest;
}

void ani_frame_layout(ani_frame *frame, ani_canvas *canvas, const ani_frame_texts *texts) {
    const double s = canvas->scale;
    frame->left = 26 * s + widest_label(&frame->y, canvas) + (*texts->y_label ? 44 * s : 12 * s);
    frame->right = canvas->width - 30 * s;
    frame->top = 24 * s + (*texts->title ? 46 * s : 0) + (*texts->subtitle ? 28 * s : 0);
    frame->bottom = canvas->height - 44 * s - (*texts->x_label ? 42 * s : 0);
}

void ani_frame_square(ani_frame *frame) {
    const double wide = frame->right - frame->left, high = frame->bottom - frame->top;
    if (wide > high) {
        frame->left += (wide - high) / 2;
        frame->right = frame->left + high;
    } else {
        frame->bottom = frame->top + wide;
    }
}

double ani_frame_x(const ani_frame *frame, double value) {
    return frame->left + (frame->right - frame->left) * ani_axis_place(&frame->x, value);
}

double ani_frame_y(const ani_frame *frame, double value) {
    return frame->bottom - (frame->bottom - frame->top) * ani_axis_place(&frame->y, value);
}

static ani_text_style styled(ani_text_style style, double across, double along, double angle,
                             double width) {
    style.across = across;
    style.along = along;
    style.angle = angle;
    style.width = width;
    return style;
}

static void draw_ticks(const ani_frame *frame, ani_canvas *canvas) {
    const double s = canvas->scale;
    const ani_text_style below = styled(tick_style, 0.5, 1, 0, 0);
    const ani_text_style beside = styled(tick_style, 1, 0.5, 0, 0);
    char label[ANI_AXIS_LABEL];
    for (int32_t i = 0; i < frame->x.tick_count; i++) {
        /* half pixels: a line one pixel wide then fills one row of pixels, not half of two */
        const double x = floor(ani_frame_x(frame, frame->x.ticks[i])) + 0.5;
        ani_canvas_color(canvas, ANI_PALE, 1);
        ani_canvas_line(canvas, x, frame->top, x, frame->bottom, 1, NULL, 0);
        ani_axis_label(&frame->x, frame->x.ticks[i], label);
        ani_canvas_text(canvas, x, frame->bottom + 14 * s, label, &below);
    }
    for (int32_t i = 0; i < frame->y.tick_count; i++) {
        const double y = floor(ani_frame_y(frame, frame->y.ticks[i])) + 0.5;
        ani_canvas_color(canvas, ANI_PALE, 1);
        ani_canvas_line(canvas, frame->left, y, frame->right, y, 1, NULL, 0);
        ani_axis_label(&frame->y, frame->y.ticks[i], label);
        ani_canvas_text(canvas, frame->left - 11 * s, y, label, &beside);
    }
}

void ani_frame_draw(const ani_frame *frame, ani_canvas *canvas, const ani_frame_texts *texts) {
    const double s = canvas->scale;
    const double middle_x = (frame->left + frame->right) / 2;
    const double middle_y = (frame->top + frame->bottom) / 2;
    const double wide = frame->right - frame->left, high = frame->bottom - frame->top;
    draw_ticks(frame, canvas);
    ani_canvas_color(canvas, ANI_GREY, 1);
    const double x = floor(frame->left) + 0.5, y = floor(frame->bottom) + 0.5;
    ani_canvas_line(canvas, x, frame->top, x, y, 1.4, NULL, 0);
    ani_canvas_line(canvas, x, y, frame->right, y, 1.4, NULL, 0);

    ani_text_style style = styled(title_style, 0.5, 0.5, 0, canvas->width - 24 * s);
    double line = 36 * s;
    if (*texts->title) {
        ani_canvas_text(canvas, canvas->width / 2.0, line, texts->title, &style);
        line += 33 * s;
    }
    style = styled(subtitle_style, 0.5, 0.5, 0, canvas->width - 24 * s);
    if (*texts->subtitle)
        ani_canvas_text(canvas, canvas->width / 2.0, line, texts->subtitle, &style);
    style = styled(label_style, 0.5, 0.5, 0, wide);
    ani_canvas_text(canvas, middle_x, frame->bottom + 58 * s, texts->x_label, &style);
    style = styled(label_style, 0.5, 0.5, -1.5707963267948966, high);
    const double beside = frame->left - 26 * s - widest_label(&frame->y, canvas);
    ani_canvas_text(canvas, beside - 12 * s, middle_y, texts->y_label, &style);
}
