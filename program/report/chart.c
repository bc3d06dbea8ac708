/* SPDX-License-Identifier: MIT
 * Axes, lines, dots and bars. */
#include "report/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The drawing's units: about a pixel on a telephone, more on larger screens. */
enum { WIDTH = 420, HEIGHT = 280, LEFT = 54, RIGHT = 14, TOP = 14, BOTTOM = 46 };

/* --- axes ------------------------------------------------------------------------------------- */

const char *chart_number(char text[32], double value, double step) {
    if (!isfinite(value)) {
        snprintf(text, 32, "\xe2\x80\x93"); /* a dash */
        return text;
    }
    const double digits = ceil(-log10(step) - 1e-9);
    const int decimals = digits < 0 ? 0 : digits > 6 ? 6 : (int)digits;
    const int is_half = fabs(step * pow(10, decimals) - rint(step * pow(10, decimals))) > 1e-6;
    if (fabs(value) < 0.5 * pow(10, -decimals - is_half)) value = 0; /* no "-0" */
    if (fabs(value) >= 1e6)
        snprintf(text, 32, "%.3g", value);
    else
        snprintf(text, 32, "%.*f", decimals + is_half, value);
    if (text[0] != '-') return text;
    char number[28];
    snprintf(number, sizeof number, "%.27s", text + 1);
    snprintf(text, 32, "\xe2\x88\x92%s", number); /* a minus sign */
    return text;
}

/* The distance between ticks: 1, 2 or 5 times a power of ten, for at most `most` ticks. */
static double tick_step(double range, int most, int is_whole) {
    static const double steps[] = {1, 2, 5, 10};
    const double power = pow(10, floor(log10(range / most)));
    double step = 10 * power;
    for (int i = 3; i >= 0; i--)
        if (range / (steps[i] * power) <= most) step = steps[i] * power;
    return is_whole && step < 1 ? 1 : step;
}

static double place_x(const chart *c, double x) {
    const double share = (x - c->frame.x_low) / (c->frame.x_high - c->frame.x_low);
    return LEFT + fmin(fmax(share, 0), 1) * (c->width - LEFT - RIGHT);
}

static double place_y(const chart *c, double y) {
    double low = c->frame.y_low, high = c->frame.y_high;
    if (c->frame.is_log) {
        low = log(low);
        high = log(high);
        y = y > 0 ? log(y) : low;
    }
    const double share = (y - low) / (high - low);
    return c->height - BOTTOM - fmin(fmax(share, 0), 1) * (c->height - TOP - BOTTOM);
}

static void grid_x(chart *c) {
    char text[32];
    const chart_frame *f = &c->frame;
    const double step = tick_step(f->x_high - f->x_low, 7, f->is_whole);
    for (double x = ceil(f->x_low / step - 1e-9) * step; x <= f->x_high + step * 1e-6; x += step) {
        const double at = place_x(c, x);
        page_add(c->to, "<path class=\"grid\" d=\"M%.1f %dV%.1f\"/>", at, TOP, c->height - BOTTOM);
        page_add(c->to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", at,
                 c->height - BOTTOM + 17, chart_number(text, x, step));
    }
}

static void tick_y(chart *c, double y, double step) {
    char text[32];
    const double at = place_y(c, y);
    page_add(c->to, "<path class=\"grid\" d=\"M%d %.1fH%.1f\"/>", LEFT, at, c->width - RIGHT);
    page_add(c->to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 6, at + 4.5,
             chart_number(text, y, step));
}

static void grid_y(chart *c) {
    const chart_frame *f = &c->frame;
    if (f->is_log) {
        static const double parts[] = {1, 2, 5};
        const int is_wide = f->y_high / f->y_low > 300;
        for (double power = pow(10, floor(log10(f->y_low))); power <= f->y_high; power *= 10)
            for (int i = 0; i < (is_wide ? 1 : 3); i++)
                if (parts[i] * power >= f->y_low && parts[i] * power <= f->y_high)
                    tick_y(c, parts[i] * power, power);
        return;
    }
    const double step = tick_step(f->y_high - f->y_low, 6, 0);
    for (double y = ceil(f->y_low / step - 1e-9) * step; y <= f->y_high + step * 1e-6; y += step)
        tick_y(c, y, step);
}

static void note(chart *c, double x, double y, const char *anchor, const char *text) {
    if (!*text) return;
    page_add(c->to, "<text class=\"note\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    page_text(c->to, text);
    page_add(c->to, "</text>\n");
}

static void mend_range(double *low, double *high) {
    if (!isfinite(*low) || !isfinite(*high)) {
        *low = 0;
        *high = 1;
    } else if (!(*high > *low)) {
        const double around = fmax(fabs(*low) * 0.1, 0.5);
        *low -= around;
        *high += around;
    }
}

void chart_begin(chart *c, page *to, const chart_frame *frame) {
    *c = (chart){.to = to, .frame = *frame, .width = WIDTH, .height = HEIGHT};
    if (frame->is_square) c->height = WIDTH - LEFT - RIGHT + TOP + BOTTOM;
    mend_range(&c->frame.x_low, &c->frame.x_high);
    if (c->frame.is_log && !(c->frame.y_low > 0)) c->frame.is_log = 0;
    mend_range(&c->frame.y_low, &c->frame.y_high);
    page_add(to,
             "<svg class=\"chart\" role=\"img\" viewBox=\"0 0 %.0f %.0f\" "
             "aria-labelledby=\"%s-t %s-d\">\n<title id=\"%s-t\">",
             c->width, c->height, frame->id, frame->id, frame->id);
    page_text(to, frame->title);
    page_add(to, "</title><desc id=\"%s-d\">", frame->id);
    page_text(to, frame->description);
    page_add(to, "</desc>\n");
    grid_x(c);
    grid_y(c);
    page_add(to, "<path class=\"axis\" d=\"M%d %dV%.1fH%.1f\"/>\n", LEFT, TOP, c->height - BOTTOM,
             c->width - RIGHT);
    page_add(to, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
             LEFT + (c->width - LEFT - RIGHT) / 2, c->height - 8);
    page_text(to, frame->x_label);
    page_add(to,
             "</text>\n<text class=\"label\" transform=\"translate(13 %.1f) rotate(-90)\" "
             "text-anchor=\"middle\">",
             TOP + (c->height - TOP - BOTTOM) / 2);
    page_text(to, frame->y_label);
    page_add(to, "</text>\n");
}

void chart_end(chart *c) {
    page_add(c->to, "</svg>\n");
}

/* --- what is drawn ---------------------------------------------------------------------------- */

void chart_line(chart *c, const double *x, const double *y, int64_t count, const char *style) {
    int has_before = 0;
    page_add(c->to, "<path class=\"line %s\" d=\"", style);
    for (int64_t i = 0; i < count; i++) {
        const int is_point = isfinite(x[i]) && isfinite(y[i]);
        if (is_point)
            page_add(c->to, "%c%.1f %.1f", has_before ? 'L' : 'M', place_x(c, x[i]),
                     place_y(c, y[i]));
        /* a point without neighbours is a line of no length, drawn as a dot */
        if (is_point && !has_before && (i + 1 == count || !isfinite(y[i + 1])))
            page_add(c->to, "h0");
        has_before = is_point;
    }
    page_add(c->to, "\"/>\n");
}

void chart_dots(chart *c, const double *x, const float *y, int64_t count, const char *style) {
    page_add(c->to, "<path class=\"dots %s\" d=\"", style);
    for (int64_t i = 0; i < count; i++)
        if (isfinite(x[i]) && isfinite(y[i]))
            page_add(c->to, "M%.1f %.1fh0", place_x(c, x[i]), place_y(c, (double)y[i]));
    page_add(c->to, "\"/>\n");
}

void chart_mark(chart *c, double x, double y, const char *style, const char *text) {
    const double at_x = place_x(c, x), at_y = place_y(c, y);
    const int is_right = at_x > c->width * 0.6;
    const int is_low = at_y > c->height - BOTTOM - 24;
    page_add(c->to, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>", style, at_x, at_y);
    note(c, at_x + (is_right ? 4 : -4), at_y + (is_low ? -11 : 19), is_right ? "end" : "start",
         text);
}

void chart_bar(chart *c, double x0, double x1, double y0, double y1, const char *style,
               double opacity, const char *tip) {
    const double left = place_x(c, x0), right = place_x(c, x1);
    const double bottom = place_y(c, y0), top = place_y(c, y1);
    page_add(c->to,
             "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
             "fill-opacity=\"%.2f\"><title>",
             style, left, fmin(top, bottom), right - left, fabs(bottom - top), opacity);
    page_text(c->to, tip);
    page_add(c->to, "</title></rect>\n");
}

void chart_rule_x(chart *c, double x, const char *text) {
    const double at = place_x(c, x);
    const int is_right = at > c->width * 0.7;
    page_add(c->to, "<path class=\"rule\" d=\"M%.1f %dV%.1f\"/>", at, TOP, c->height - BOTTOM);
    note(c, at + (is_right ? -5 : 5), TOP + 12, is_right ? "end" : "start", text);
}

void chart_rule_y(chart *c, double y, const char *text) {
    const double at = place_y(c, y);
    page_add(c->to, "<path class=\"rule\" d=\"M%d %.1fH%.1f\"/>", LEFT, at, c->width - RIGHT);
    note(c, c->width - RIGHT - 4, at - 5, "end", text);
}

void chart_diagonal(chart *c) {
    const double low = fmax(c->frame.x_low, c->frame.y_low);
    const double high = fmin(c->frame.x_high, c->frame.y_high);
    if (!(high > low)) return;
    page_add(c->to, "<path class=\"rule\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", place_x(c, low),
             place_y(c, low), place_x(c, high), place_y(c, high));
}
