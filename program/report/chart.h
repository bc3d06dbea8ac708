/* SPDX-License-Identifier: MIT
 * Charts as inline SVG. Colours and text sizes come from the page's style sheet, so that a chart
 * follows the reader's light or dark mode. The library's plots (metrics.h) are images; these are
 * text that can be selected, enlarged and read aloud. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include "report/page.h"

/** What a chart shows. */
typedef struct chart_frame {
    const char *id;                      /* unique in the page */
    const char *title;                   /* its name for screen readers; escaped */
    const char *description;             /* what can be seen, in words; escaped */
    const char *x_label, *y_label;       /* escaped */
    double x_low, x_high, y_low, y_high; /* ranges of the axes, low < high */
    int is_log;                          /* logarithmic y axis; y_low > 0 */
    int is_whole;                        /* x axis: ticks at whole numbers only */
    int is_square;                       /* as high as it is wide */
} chart_frame;

/** A chart in progress. Coordinates below are those of the axes; what is outside is clamped. */
typedef struct chart {
    page *to;
    chart_frame frame;
    double width, height; /* of the drawing, in its own units */
} chart;

/** Begin a chart: the frame with its grid and axes. Ranges that are empty or not finite are
 *  replaced. */
void chart_begin(chart *c, page *to, const chart_frame *frame);
/** Draw a line through count points; NaN and infinity leave a gap. style: class of the style
 *  sheet. */
void chart_line(chart *c, const double *x, const double *y, int64_t count, const char *style);
/** Draw count dots as one shape; those that are not finite are left out. y: in float, as
 * predictions are. */
void chart_dots(chart *c, const double *x, const float *y, int64_t count, const char *style);
/** Draw one larger dot with a text next to it. */
void chart_mark(chart *c, double x, double y, const char *style, const char *text);
/** Draw a bar from (x0, y0) to (x1, y1). opacity: 0 to 1. tip: shown under the pointer; escaped. */
void chart_bar(chart *c, double x0, double x1, double y0, double y1, const char *style,
               double opacity, const char *tip);
/** Draw a vertical or horizontal line through the frame, with a text at its end. */
void chart_rule_x(chart *c, double x, const char *text);
void chart_rule_y(chart *c, double y, const char *text);
/** Draw the diagonal x = y. */
void chart_diagonal(chart *c);
void chart_end(chart *c);

/** Write a number for a person: as few digits as `step`, the distance to the next one, allows.
 *  Returns text. */
const char *chart_number(char text[32], double value, double step);

#endif
