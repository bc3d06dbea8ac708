/* SPDX-License-Identifier: MIT
 * Curves over epochs, like the tutorial's loss plot, distinguished by colour, dash and marker. */
#include <attractivenet/metrics.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/options.h"
#include "base/text.h"
#include "metrics/frame.h"

enum { MAX_CURVES = 8, MAX_POINTS = 1000000 };

typedef struct look {
    uint32_t color;
    double dash[4];
    int dash_count;
    int mark; /* corners of the marker: 0 = a circle */
} look;

static const look looks[MAX_CURVES] = {
    {ANI_BLUE, {0}, 0, 0},           {0xD55E00, {11, 4}, 2, 4},       {0x009E73, {3, 3}, 2, 3},
    {0xCC79A7, {11, 4, 3, 4}, 4, 5}, {0xE69F00, {0}, 0, 3},           {0x56B4E9, {11, 4}, 2, 0},
    {0x000000, {3, 3}, 2, 4},        {0x8C6D1F, {11, 4, 3, 4}, 4, 0},
};

static const ani_text_style legend_style = {.size = 17, .along = 0.5, .color = ANI_INK};
static const ani_text_style note_style = {.size = 15, .along = 0.5, .color = ANI_GREY};

/** What is plotted, and what was found in it. */
typedef struct plot {
    an_curve curves[MAX_CURVES];
    int32_t curve_count;
    const int64_t *marks;
    int32_t mark_count;
    bool logarithmic;
    int64_t last;               /* longest curve */
    int64_t lowest[MAX_CURVES]; /* index of the lowest value; -1 = there is none */
} plot;

static bool is_drawn(const plot *p, double value) {
    return isfinite(value) && (!p->logarithmic || value > 0);
}

/* Copy the caller's curves, whose struct may differ in size from ours. */
static an_status take_curves(plot *p, const an_curve *curves, an_error *err) {
    if (p->curve_count < 1 || p->curve_count > MAX_CURVES)
        return ani_fail(err, AN_ERR_ARG, "curve_count is %d; it must be 1 to %d",
                        (int)p->curve_count, MAX_CURVES);
    if (!curves) return ani_fail(err, AN_ERR_ARG, "curves is NULL");
    const uint32_t size = curves->struct_size;
    for (int32_t i = 0; i < p->curve_count; i++) {
        const an_curve *theirs = (const void *)((const char *)curves + (size_t)i * size);
        an_curve *ours = &p->curves[i];
        *ours = (an_curve){.struct_size = sizeof *ours};
        an_status st = ani_options_copy(ours, sizeof *ours, theirs, "an_curve", err);
        if (st) return st;
        if (theirs->struct_size != size)
            return ani_fail(err, AN_ERR_ARG,
                            "curve %d has struct_size %u, and the first one %u; they must be equal",
                            (int)i, (unsigned)theirs->struct_size, (unsigned)size);
    }
    return AN_OK;
}

static an_status check(const plot *p, an_error *err) {
    for (int32_t i = 0; i < p->curve_count; i++) {
        const an_curve *curve = &p->curves[i];
        if (curve->count < 0 || curve->count > MAX_POINTS)
            return ani_fail(err, AN_ERR_ARG, "curve %d has count %lld; it must be 0 to %d", (int)i,
                            (long long)curve->count, MAX_POINTS);
        if (!curve->values && curve->count)
            return ani_fail(err, AN_ERR_ARG, "values of curve %d is NULL", (int)i);
        const an_status st = ani_plot_text_check(curve->name, "name of a curve", err);
        if (st) return st;
    }
    if (p->mark_count < 0)
        return ani_fail(err, AN_ERR_ARG, "mark_count is %d; it must be 0 or more",
                        (int)p->mark_count);
    if (p->mark_count && !p->marks)
        return ani_fail(err, AN_ERR_ARG, "mark_count is %d, but marks is NULL", (int)p->mark_count);
    for (int32_t i = 0; i < p->mark_count; i++) {
        const int64_t before = i ? p->marks[i - 1] : 0;
        if (p->marks[i] <= before)
            return ani_fail(err, AN_ERR_ARG, "mark %d is epoch %lld; it must come after epoch %lld",
                            (int)i, (long long)p->marks[i], (long long)before);
    }
    return AN_OK;
}

/** Find the range of all values, the longest curve and the lowest value of each. */
static void measure(plot *p, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int32_t i = 0; i < p->curve_count; i++) {
        const an_curve *curve = &p->curves[i];
        p->lowest[i] = -1;
        if (curve->count > p->last) p->last = curve->count;
        for (int64_t k = 0; k < curve->count; k++) {
            const double value = curve->values[k];
            if (!is_drawn(p, value)) continue;
            *low = fmin(*low, value);
            *high = fmax(*high, value);
            if (p->lowest[i] < 0 || value < curve->values[p->lowest[i]]) p->lowest[i] = k;
        }
    }
}

/* --- curves ----------------------------------------------------------------------------------- */

static void draw_mark(ani_canvas *canvas, const look *how, double x, double y, double radius) {
    cairo_t *cairo = canvas->cairo;
    ani_cairo.cairo_new_path(cairo);
    if (!how->mark) {
        ani_cairo.cairo_arc(cairo, x, y, radius, 0, 2 * M_PI);
    } else {
        for (int i = 0; i < how->mark; i++) {
            const double angle = 2 * M_PI * (i + (how->mark == 4 ? 0.5 : 0)) / how->mark - M_PI / 2;
            ani_cairo.cairo_line_to(cairo, x + 1.2 * radius * cos(angle),
                                    y + 1.2 * radius * sin(angle));
        }
        ani_cairo.cairo_close_path(cairo);
    }
    ani_cairo.cairo_fill(cairo);
}

/** Draw one curve. Where many points share a column of pixels, its path has four points per column:
 * the first, the lowest, the highest and the last. */
static void draw_curve(const plot *p, int32_t which, const ani_frame *frame, ani_canvas *canvas) {
    const an_curve *curve = &p->curves[which];
    const look *how = &looks[which];
    cairo_t *cairo = canvas->cairo;
    double lengths[4];
    for (int i = 0; i < how->dash_count; i++)
        lengths[i] = how->dash[i] * canvas->scale;
    ani_cairo.cairo_set_dash(cairo, lengths, how->dash_count, 0);
    ani_cairo.cairo_set_line_width(cairo, 2.6 * canvas->scale);
    ani_canvas_color(canvas, how->color, 1);

    bool inside = false;
    for (int64_t k = 0; k < curve->count;) {
        if (!is_drawn(p, curve->values[k])) {
            inside = false;
            k++;
            continue;
        }
        const double x = ani_frame_x(frame, (double)k + 1);
        double low = curve->values[k], high = low, last = low;
        if (inside)
            ani_cairo.cairo_line_to(cairo, x, ani_frame_y(frame, low));
        else
            ani_cairo.cairo_move_to(cairo, x, ani_frame_y(frame, low));
        inside = true;
        int64_t more = 0;
        for (k++; k < curve->count && is_drawn(p, curve->values[k]) &&
                  ani_frame_x(frame, (double)k + 1) < floor(x) + 1;
             k++, more++) {
            last = curve->values[k];
            low = fmin(low, last);
            high = fmax(high, last);
        }
        if (!more) continue;
        ani_cairo.cairo_line_to(cairo, x, ani_frame_y(frame, low));
        ani_cairo.cairo_line_to(cairo, x, ani_frame_y(frame, high));
        ani_cairo.cairo_line_to(cairo, x, ani_frame_y(frame, last));
    }
    ani_cairo.cairo_stroke(cairo);
    ani_cairo.cairo_set_dash(cairo, NULL, 0, 0);
}

/** Mark the points where there is room; a point without neighbours is always marked, since it has
 * no line. */
static void draw_marks(const plot *p, int32_t which, const ani_frame *frame, ani_canvas *canvas) {
    const an_curve *curve = &p->curves[which];
    const double s = canvas->scale;
    const bool room = curve->count < 2 || ani_frame_x(frame, 2) - ani_frame_x(frame, 1) >= 14 * s;
    ani_canvas_color(canvas, looks[which].color, 1);
    for (int64_t k = 0; k < curve->count; k++) {
        if (!is_drawn(p, curve->values[k])) continue;
        const bool alone = (k == 0 || !is_drawn(p, curve->values[k - 1])) &&
                           (k + 1 == curve->count || !is_drawn(p, curve->values[k + 1]));
        if (room || alone)
            draw_mark(canvas, &looks[which], ani_frame_x(frame, (double)k + 1),
                      ani_frame_y(frame, curve->values[k]), 3.9 * s);
    }
    if (p->lowest[which] < 0) return;
    const double x = ani_frame_x(frame, (double)p->lowest[which] + 1);
    const double y = ani_frame_y(frame, curve->values[p->lowest[which]]);
    ani_cairo.cairo_new_path(canvas->cairo);
    ani_cairo.cairo_arc(canvas->cairo, x, y, 9 * s, 0, 2 * M_PI);
    ani_cairo.cairo_set_line_width(canvas->cairo, 2 * s);
    ani_cairo.cairo_stroke(canvas->cairo);
}

/* --- stages ----------------------------------------------------------------------------------- */

static bool has_stages(const plot *p) {
    return p->mark_count && p->marks[p->mark_count - 1] > 1;
}

/** If there is more than one stage, draw a line where each begins, and the stage numbers above. */
static void draw_stages(const plot *p, const ani_frame *frame, ani_canvas *canvas) {
    const double s = canvas->scale;
    const double dash[] = {5, 5};
    int32_t stage = 0;
    double left = frame->left;
    if (!has_stages(p)) return;
    for (int32_t i = 0; i <= p->mark_count; i++) {
        const bool ends = i < p->mark_count && p->marks[i] <= p->last;
        double right = frame->right;
        if (ends && p->marks[i] > 1) {
            right = ani_frame_x(frame, (double)p->marks[i] - 0.5);
            ani_canvas_color(canvas, 0x9A9A9A, 1);
            ani_canvas_line(canvas, floor(right) + 0.5, frame->top, floor(right) + 0.5,
                            frame->bottom, 1.5, dash, 2);
        } else if (ends) {
            continue; /* stage 1 begins where the axis does */
        }
        char name[32];
        snprintf(name, sizeof name, "stage %d", (int)++stage);
        ani_text_style style = note_style;
        style.along = 0;
        style.across = 0.5;
        if (ani_canvas_text_width(canvas, name, &style) + 8 * s < right - left)
            ani_canvas_text(canvas, (left + right) / 2, frame->top - 9 * s, name, &style);
        left = right;
        if (!ends) break;
    }
}

/* --- legend ----------------------------------------------------------------------------------- */

typedef struct box {
    double left, top, width, height;
} box;

/** Count the points of all curves that a box would hide. */
static int64_t points_under(const plot *p, const ani_frame *frame, const box *b) {
    int64_t hidden = 0;
    for (int32_t i = 0; i < p->curve_count; i++) {
        for (int64_t k = 0; k < p->curves[i].count; k++) {
            if (!is_drawn(p, p->curves[i].values[k])) continue;
            const double x = ani_frame_x(frame, (double)k + 1);
            const double y = ani_frame_y(frame, p->curves[i].values[k]);
            hidden +=
                x >= b->left && x <= b->left + b->width && y >= b->top && y <= b->top + b->height;
        }
    }
    return hidden;
}

static void lowest_text(const plot *p, int32_t which, char *text, size_t size) {
    char number[32];
    *text = '\0';
    if (p->lowest[which] < 0) return;
    ani_format_double(number, sizeof number, p->curves[which].values[p->lowest[which]], 4);
    snprintf(text, size, "lowest %s, epoch %lld", number, (long long)p->lowest[which] + 1);
}

static void draw_legend(const plot *p, const ani_frame *frame, ani_canvas *canvas) {
    const double s = canvas->scale;
    const double room = frame->right - frame->left - 110 * s;
    char note[96];
    double names = 0, notes = 0;
    for (int32_t i = 0; i < p->curve_count; i++) {
        const char *name = p->curves[i].name ? p->curves[i].name : "";
        names = fmax(names, ani_canvas_text_width(canvas, name, &legend_style));
        lowest_text(p, i, note, sizeof note);
        notes = fmax(notes, ani_canvas_text_width(canvas, note, &note_style));
    }
    if (names + notes + 20 * s > room) notes = 0; /* a narrow image has only the names */
    if (names > room) names = room;
    box b = {.width = 86 * s + names + (notes > 0 ? notes + 20 * s : 0),
             .height = 16 * s + 28 * s * p->curve_count};

    /* the corner that hides the fewest points; the upper right one in case of a tie */
    const double right = frame->right - 10 * s - b.width, left = frame->left + 10 * s;
    const double top = frame->top + 12 * s, bottom = frame->bottom - 10 * s - b.height;
    const double corners[4][2] = {{right, top}, {left, top}, {right, bottom}, {left, bottom}};
    int64_t fewest = INT64_MAX;
    box best = b;
    for (int i = 0; i < 4; i++) {
        b.left = corners[i][0];
        b.top = corners[i][1];
        const int64_t hidden = points_under(p, frame, &b);
        if (hidden < fewest) {
            fewest = hidden;
            best = b;
        }
    }
    cairo_t *cairo = canvas->cairo;
    ani_cairo.cairo_rectangle(cairo, floor(best.left) + 0.5, floor(best.top) + 0.5, best.width,
                              best.height);
    ani_canvas_color(canvas, 0xFFFFFF, 0.88);
    ani_cairo.cairo_fill_preserve(cairo);
    ani_canvas_color(canvas, 0xC8C8C8, 1);
    ani_cairo.cairo_set_line_width(cairo, s);
    ani_cairo.cairo_stroke(cairo);
    for (int32_t i = 0; i < p->curve_count; i++) {
        const double y = best.top + (22 + 28 * i) * s;
        const look *how = &looks[i];
        ani_canvas_color(canvas, how->color, 1);
        ani_canvas_line(canvas, best.left + 14 * s, y, best.left + 62 * s, y, 2.6, how->dash,
                        how->dash_count);
        draw_mark(canvas, how, best.left + 38 * s, y, 3.9 * s);
        ani_text_style style = legend_style;
        style.width = names;
        ani_canvas_text(canvas, best.left + 74 * s, y, p->curves[i].name ? p->curves[i].name : "",
                        &style);
        lowest_text(p, i, note, sizeof note);
        if (notes > 0) ani_canvas_text(canvas, best.left + 94 * s + names, y, note, &note_style);
    }
}

/* --- the plot --------------------------------------------------------------------------------- */

static void draw(const plot *p, ani_frame *frame, ani_canvas *canvas,
                 const ani_frame_texts *texts) {
    ani_frame_layout(frame, canvas, texts);
    if (has_stages(p)) frame->top += 22 * canvas->scale;
    ani_frame_draw(frame, canvas, texts);
    draw_stages(p, frame, canvas);
    for (int32_t i = 0; i < p->curve_count; i++) {
        draw_curve(p, i, frame, canvas);
        draw_marks(p, i, frame, canvas);
    }
    bool empty = true;
    for (int32_t i = 0; i < p->curve_count; i++)
        if (p->lowest[i] >= 0) empty = false;
    if (empty) {
        const ani_text_style style = {.size = 22, .across = 0.5, .along = 0.5, .color = ANI_GREY};
        ani_canvas_text(canvas, (frame->left + frame->right) / 2, (frame->top + frame->bottom) / 2,
                        p->last ? "no value can be drawn" : "no epochs yet", &style);
    }
    draw_legend(p, frame, canvas);
}

an_status an_plot_curves(const char *path, const an_curve *curves, int32_t curve_count,
                         const int64_t *marks, int32_t mark_count, const an_plot_options *options,
                         an_error *err) {
    ani_canvas canvas = {0};
    ani_frame frame = {0};
    an_plot_options ours;
    plot p = {.curve_count = curve_count, .marks = marks, .mark_count = mark_count};
    double low, high;
    an_status st = ani_plot_options_check(&ours, path, options, 1500, 700, err);
    if (st) goto done;
    st = take_curves(&p, curves, err);
    if (!st) st = check(&p, err);
    if (st) goto done;
    p.logarithmic = ours.log_y;
    measure(&p, &low, &high);
    st = ani_canvas_create(&canvas, ours.width, ours.height, 1500, 700, err);
    if (st) goto done;
    ani_axis_epochs(&frame.x, p.last > 0 ? p.last : 1, (int32_t)(ours.width / (70 * canvas.scale)));
    const int32_t rows = (int32_t)(ours.height / (75 * canvas.scale));
    if (p.logarithmic)
        ani_axis_logarithmic(&frame.y, low, high, rows);
    else
        ani_axis_linear(&frame.y, low, high, true, rows);
    const ani_frame_texts texts = {
        .title = ours.title ? ours.title : "Training and validation loss",
        .subtitle = "",
        .x_label = ours.x_label ? ours.x_label : "epoch",
        .y_label = ours.y_label ? ours.y_label : "loss",
    };
    draw(&p, &frame, &canvas, &texts);
    st = ani_canvas_write(&canvas, path, err);
done:
    ani_canvas_clear(&canvas);
    return st;
}
