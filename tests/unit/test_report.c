/* SPDX-License-Identifier: MIT
 * The parts of a report: escaping, statistics, charts, pictures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/chart.h"
#include "report/page.h"
#include "report/pictures.h"
#include "report/statistics.h"
#include "utf8.h"

/* --- escaping --------------------------------------------------------------------------------- */

static void expect_text(const char *text, const char *wanted) {
    page made = {0};
    page_text(&made, text);
    assert_string_equal(made.size ? made.bytes : "", wanted);
    page_clear(&made);
}

static void names_from_elsewhere_are_only_text(void **state) {
    (void)state;
    expect_text("", "");
    expect_text("plain name.jpg", "plain name.jpg");
    expect_text("<img src=x onerror=alert(1)>.jpg", "&lt;img src=x onerror=alert(1)&gt;.jpg");
    expect_text("\" onload='x' &amp; &", "&quot; onload=&#39;x&#39; &amp;amp; &amp;");
    expect_text("</title></style><!-- ]]>", "&lt;/title&gt;&lt;/style&gt;&lt;!-- ]]&gt;");
    expect_text("Zo\xc3\xab \xe5\xa4\xa9 \xf0\x9f\x99\x82",
                "Zo\xc3\xab \xe5\xa4\xa9 \xf0\x9f\x99\x82");
    expect_text("a\nb\tc\x01\x7f", "a\xef\xbf\xbd"
                                   "b\xef\xbf\xbd"
                                   "c\xef\xbf\xbd\xef\xbf\xbd");
    expect_text("\xc2\x85\xc2\xa0", "\xef\xbf\xbd\xc2\xa0");
    /* cut, overlong, surrogate, beyond the last character, a lone continuation */
    expect_text("\xe5\xa4", "\xef\xbf\xbd\xef\xbf\xbd");
    expect_text("\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd");
    expect_text("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    expect_text("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    expect_text("\xbc<", "\xef\xbf\xbd&lt;");
    assert_int_equal(utf8_is_valid("\xe5\xa4\xa9"), 1);
    assert_int_equal(utf8_is_valid("\xe5\xa4"), 0);
    page made = {0};
    page_name(&made, "\xe2\x80\xae<b>");
    assert_string_equal(made.bytes, "<bdi>\xe2\x80\xae&lt;b&gt;</bdi>");
    page_clear(&made);
}

static void bytes_become_base64(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        page made = {0};
        page_base64(&made, (const uint8_t *)pairs[i][0], (int64_t)strlen(pairs[i][0]));
        assert_string_equal(made.size ? made.bytes : "", pairs[i][1]);
        page_clear(&made);
    }
    page made = {0};
    for (int i = 0; i < 3000; i++)
        page_add(&made, "%d,", i);
    assert_int_equal(made.size, 10 * 2 + 90 * 3 + 900 * 4 + 2000 * 5);
    assert_int_equal(strlen(made.bytes), made.size);
    page_clear(&made);
}

/* --- statistics ------------------------------------------------------------------------------- */

static void values_on_edges_fall_into_one_bin(void **state) {
    (void)state;
    histogram h;
    histogram_begin(&h, 1, 5, 8);
    assert_int_equal(h.bins, 8);
    assert_float_equal(h.low, 1, 1e-12);
    assert_float_equal(h.width, 0.5, 1e-12);
    const double values[] = {1, 1.4999, 1.5, 4.5, 4.9999, 5};
    static const int32_t bins[] = {0, 0, 1, 7, 7, 7};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(histogram_bin(&h, values[i]), bins[i]);
        histogram_add(&h, values[i]);
    }
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[7], 3);
    assert_int_equal(h.largest, 3);
    /* sums of the edges' binary fractions do not push a value into its neighbour */
    histogram_begin(&h, 0, 1, 10);
    assert_float_equal(h.width, 0.1, 1e-12);
    for (int i = 0; i < 10; i++)
        assert_int_equal(histogram_bin(&h, i / 10.0), i);
    histogram_begin(&h, -0.3, 0.3, 20);
    assert_float_equal(h.low, -0.3, 0.051);
    assert_true(h.bins <= MAX_BINS && h.low + h.bins * h.width >= 0.3 - 1e-9);
    histogram_begin(&h, 3, 3, 10); /* all values equal */
    assert_int_equal(h.bins, 1);
    histogram_add(&h, 3);
    assert_int_equal(h.counts[0], 1);
    for (int32_t wanted = 1; wanted <= MAX_BINS / 2; wanted++)
        for (double high = 1e-7; high < 1e9; high *= 3.7) {
            histogram_begin(&h, -high / 3, high, wanted);
            assert_in_range(h.bins, 1, wanted + 2);
            assert_true(h.low <= -high / 3 * (1 - 1e-9));
            assert_true(h.low + h.bins * h.width >= high * (1 - 1e-9));
        }
}

static void errors_are_summed_up(void **state) {
    (void)state;
    static const double truth[] = {1, 2, 3, 4, 5};
    static const float prediction[] = {1.5f, 2.5f, 3, 3.5f, 4};
    error_summary s;
    assert_int_equal(error_summarise(&s, truth, prediction, 5), 0);
    assert_float_equal(s.bias, -0.1, 1e-9);            /* (.5 + .5 + 0 - .5 - 1) / 5 */
    assert_float_equal(s.deviation, sqrt(0.34), 1e-9); /* mean of squares .35 - .01 */
    assert_float_equal(s.median, 0.5, 1e-9);
    assert_float_equal(s.ninety, 0.8, 1e-9); /* between .5 and 1 */
    assert_float_equal(s.largest, 1, 1e-9);
    assert_float_equal(s.errors.low, -(s.errors.low + s.errors.bins * s.errors.width), 1e-9);
    int64_t all = 0, by_score = 0;
    for (int32_t i = 0; i < s.errors.bins; i++)
        all += s.errors.counts[i];
    for (int32_t i = 0; i < s.truth.bins; i++)
        by_score += s.by_score[i].count;
    assert_int_equal(all, 5);
    assert_int_equal(by_score, 5);
    const score_bin *last = &s.by_score[histogram_bin(&s.truth, 5)];
    assert_int_equal(last->count, 1);
    assert_float_equal(last->bias, -1, 1e-9);
    assert_float_equal(last->mae, 1, 1e-9);
    static const float exact[] = {1, 2, 3, 4, 5};
    assert_int_equal(error_summarise(&s, truth, exact, 5), 0);
    assert_float_equal(s.largest, 0, 0);
    assert_int_equal(s.errors.largest, 5);
    assert_int_equal(error_summarise(&s, truth, prediction, 1), 0);
    assert_float_equal(s.ninety, 0.5, 1e-9);
}

static void classes_are_counted(void **state) {
    (void)state;
    static const int32_t truth[] = {0, 0, 1, 1, 2, 0};
    static const float p[][4] = {{.7f, .2f, .1f, 0}, {.1f, .8f, .1f, 0}, {.1f, .8f, .1f, 0},
                                 {0, 1, 0, 0},       {.4f, .3f, .3f, 0}, {.5f, .5f, 0, 0}};
    class_summary s;
    assert_int_equal(class_summarise(&s, truth, p[0], 6, 4), 0);
    assert_int_equal(s.right, 4); /* of two equal ones the first is meant */
    assert_float_equal(s.accuracy, 4.0 / 6, 1e-9);
    assert_float_equal(s.balanced, (2.0 / 3 + 1 + 0) / 3, 1e-9); /* class 3 does not occur */
    assert_int_equal(s.confusion[0 * 4 + 1], 1);
    assert_int_equal(s.confusion[2 * 4 + 0], 1);
    assert_float_equal(s.precision[0], 2.0 / 3, 1e-9);
    assert_float_equal(s.precision[1], 2.0 / 3, 1e-9);
    assert_float_equal(s.recall[1], 1, 1e-9);
    assert_float_equal(s.f1[1], 0.8, 1e-9);
    assert_true(isnan(s.precision[2]) && isnan(s.recall[3]) && isnan(s.f1[3]));
    assert_float_equal(s.f1[2], 0, 0);
    const double loss = -(log(.7) + log(.1) + log(.8) + log(1) + log(.3) + log(.5)) / 6;
    assert_float_equal(s.log_loss, loss, 1e-6);
    assert_int_equal(s.confidence.counts[9], 1); /* a probability of 1 is in the last bin */
    assert_int_equal(s.confidence.counts[8], 2);
    assert_int_equal(s.confident_right[8], 1);
    class_clear(&s);
    class_clear(&s);
}

static void orders_are_stable_and_twins_meet(void **state) {
    (void)state;
    static const double key[] = {3, 1, 2, 1, 3};
    static const int64_t wanted[] = {1, 3, 2, 0, 4};
    int64_t order[5];
    assert_int_equal(sort_by(order, key, 5), 0);
    assert_memory_equal(order, wanted, sizeof wanted);
    static const double sorted[] = {0, 10, 20};
    assert_float_equal(quantile(sorted, 3, 0.5), 10, 1e-12);
    assert_float_equal(quantile(sorted, 3, 0.75), 15, 1e-12);
    assert_float_equal(quantile(sorted, 3, 1), 20, 0);
    uint8_t bytes[64] = {0};
    const uint64_t hash = hash_bytes(bytes, 64);
    assert_int_equal(hash_bytes(bytes, 64), hash);
    for (int bit = 0; bit < 64 * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(hash_bytes(bytes, 64), hash);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_not_equal(hash_bytes(bytes, 63), hash);
    fingerprint prints[] = {{9, 1, 2}, {5, 1, 3}, {9, 1, 0}, {9, 2, 1}};
    sort_fingerprints(prints, 4);
    assert_int_equal(prints[0].sample, 3);
    assert_int_equal(prints[1].sample, 0);
    assert_int_equal(prints[2].sample, 2);
    assert_int_equal(prints[3].sample, 1);
}

/* --- charts ----------------------------------------------------------------------------------- */

static void numbers_are_as_short_as_their_axis_allows(void **state) {
    (void)state;
    static const struct {
        double value, step;
        const char *text;
    } cases[] = {
        {3, 1, "3"},
        {0.30000000000000004, 0.1, "0.3"},
        {2.5, 2.5, "2.5"},
        {0.05, 0.05, "0.05"},
        {-0.25, 0.25,
         "\xe2\x88\x92"
         "0.25"},
        {-1e-12, 0.1, "0.0"},
        {-0.0004, 0.001, "0.000"},
        {20, 10, "20"},
        {NAN, 1, "\xe2\x80\x93"},
        {1234567, 1, "1.23e+06"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(chart_number(text, cases[i].value, cases[i].step), cases[i].text);
}

/* Ranges that are empty, reversed, endless, tiny; values that are missing. */
static void charts_of_odd_values_have_finite_places(void **state) {
    (void)state;
    static const double ranges[][2] = {
        {0, 1}, {2, 2},         {0, 0},          {-INFINITY, INFINITY}, {NAN, 1},
        {5, 1}, {1e-30, 2e-30}, {-1e300, 1e300}, {1e15, 1e15 + 1}};
    static const double x[] = {1, NAN, 2, 3}, y[] = {NAN, 4, INFINITY, 2};
    static const float dots[] = {1, NAN, 2, -1e30f};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        for (int is_log = 0; is_log < 2; is_log++) {
            page made = {0};
            chart c;
            chart_begin(&c, &made,
                        &(chart_frame){.id = "x",
                                       .title = "<t>",
                                       .description = "\"d\"",
                                       .x_label = "&",
                                       .y_label = "'",
                                       .x_low = ranges[i][0],
                                       .x_high = ranges[i][1],
                                       .y_low = ranges[i][0],
                                       .y_high = ranges[i][1],
                                       .is_log = is_log});
            chart_line(&c, x, y, 4, "a");
            chart_dots(&c, x, dots, 4, "b");
            chart_bar(&c, -5, 5, -9, 9, "c", 0.5, "<tip>");
            chart_mark(&c, 2, 2, "a", "<mark>");
            chart_rule_x(&c, 1e9, "<rule>");
            chart_rule_y(&c, -1e9, "<rule>");
            chart_diagonal(&c);
            chart_end(&c);
            assert_int_equal(made.failed, 0);
            assert_null(strstr(made.bytes, "nan"));
            assert_null(strstr(made.bytes, "inf"));
            assert_null(strstr(made.bytes, "<t>"));
            assert_null(strstr(made.bytes, "<tip>"));
            assert_null(strstr(made.bytes, "<rule>"));
            assert_null(strstr(made.bytes, "<mark>"));
            assert_true(made.size < 20000);
            page_clear(&made);
        }
    }
}

static void points_are_where_their_values_say(void **state) {
    (void)state;
    page made = {0};
    chart c;
    static const double x[] = {0, 10}, y[] = {0, 100};
    chart_begin(&c, &made,
                &(chart_frame){.id = "x",
                               .title = "t",
                               .description = "d",
                               .x_label = "",
                               .y_label = "",
                               .x_high = 10,
                               .y_high = 100});
    made.size = 0;
    chart_line(&c, x, y, 2, "a");
    /* from the lower left corner of the frame to its upper right one */
    assert_string_equal(made.bytes, "<path class=\"line a\" d=\"M54.0 234.0L406.0 14.0\"/>\n");
    page_clear(&made);
}

/* --- pictures --------------------------------------------------------------------------------- */

static void small_pictures_are_means(void **state) {
    (void)state;
    an_image *image = NULL, *small = NULL;
    an_error err;
    assert_int_equal(an_image_create(&image, NULL, 6, 12, NULL), AN_OK);
    uint8_t *rgb = an_image_data(image);
    for (int i = 0; i < 6 * 12 * 3; i++)
        rgb[i] = (uint8_t)(i / 3 % 2 ? 200 : 100); /* a column of each */
    if (picture_shrink(&small, image, 6, &err)) fail_msg("%s", err.message);
    assert_int_equal(an_image_height(small), 3);
    assert_int_equal(an_image_width(small), 6);
    for (int i = 0; i < 3 * 6 * 3; i++)
        assert_int_equal(an_image_const_data(small)[i], 150);
    an_image_destroy(small);
    assert_int_equal(picture_shrink(&small, image, 5, &err), AN_OK); /* pixels in parts */
    assert_int_equal(an_image_width(small), 5);
    for (int i = 0; i < 5 * 3; i++)
        assert_in_range(an_image_const_data(small)[i], 125, 175);
    an_image_destroy(small);
    assert_int_equal(picture_shrink(&small, image, 100, &err), AN_OK); /* never enlarged */
    assert_int_equal(an_image_width(small), 12);
    assert_memory_equal(an_image_const_data(small), rgb, 6 * 12 * 3);
    an_image_destroy(small);
    an_image_destroy(image);
    assert_int_equal(an_image_create(&image, NULL, 1, 1000, NULL), AN_OK);
    assert_int_equal(picture_shrink(&small, image, 10, &err), AN_OK);
    assert_int_equal(an_image_height(small), 1);
    an_image_destroy(small);
    an_image_destroy(image);
}

static void heat_covers_what_is_hot(void **state) {
    (void)state;
    an_image *image = NULL;
    static const float cold[4], half[4] = {0, 1, 0, 1};
    uint8_t low[3], high[3];
    picture_colour(0, low);
    picture_colour(1, high);
    assert_true(low[0] + low[1] + low[2] < 30 && high[0] + high[1] + high[2] > 600);
    assert_int_equal(an_image_create(&image, NULL, 8, 8, NULL), AN_OK);
    uint8_t *rgb = an_image_data(image);
    memset(rgb, 90, 8 * 8 * 3);
    picture_heat(image, cold, 2, 2, 1);
    for (int i = 0; i < 8 * 8 * 3; i++)
        assert_int_equal(rgb[i], 90);
    picture_heat(image, half, 2, 2, 1); /* the right half is hot */
    for (int row = 0; row < 8; row++) {
        assert_int_equal(rgb[row * 8 * 3], 90);
        assert_memory_equal(rgb + (row * 8 + 7) * 3, high, 3);
        assert_true(rgb[(row * 8 + 5) * 3] > rgb[(row * 8 + 2) * 3]);
    }
    memset(rgb, 90, 8 * 8 * 3);
    picture_heat(image, half, 2, 2, 0);
    for (int i = 0; i < 8 * 8 * 3; i++)
        assert_int_equal(rgb[i], 90);
    an_image_destroy(image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_from_elsewhere_are_only_text),
        cmocka_unit_test(bytes_become_base64),
        cmocka_unit_test(values_on_edges_fall_into_one_bin),
        cmocka_unit_test(errors_are_summed_up),
        cmocka_unit_test(classes_are_counted),
        cmocka_unit_test(orders_are_stable_and_twins_meet),
        cmocka_unit_test(numbers_are_as_short_as_their_axis_allows),
        cmocka_unit_test(charts_of_odd_values_have_finite_places),
        cmocka_unit_test(points_are_where_their_values_say),
        cmocka_unit_test(small_pictures_are_means),
        cmocka_unit_test(heat_covers_what_is_hot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
