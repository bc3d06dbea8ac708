/* SPDX-License-Identifier: MIT
 * plots: a readable PNG of the asked size or nothing, whatever numbers and texts come in; and the
 * round numbers along the axes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <attractivenet/metrics.h>

#include "base/fault.h"
#include "config.h"
#include "support/folder.h"
#include "support/test_folder.h"

#if AN_HAVE_PLOT
#include <png.h>

#include "metrics/axis.h"

/* fontconfig keeps what it has read of the system's fonts until the process ends */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig\n";
}

static char path[4096];

static int set_up(void **state) {
    test_folder_make(state);
    snprintf(path, sizeof path, "%s/plot.png", test_folder);
    return 0;
}

/** Read the plot, check its size, remove it; count the pixels of a colour that is close to rgb. */
static int64_t take_plot(uint32_t width, uint32_t height, uint32_t rgb) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path)) fail_msg("%s", image.message);
    assert_int_equal(image.format & PNG_FORMAT_FLAG_ALPHA, 0);
    assert_int_equal(image.width, width);
    assert_int_equal(image.height, height);
    image.format = PNG_FORMAT_RGB;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(pixels);
    if (!png_image_finish_read(&image, NULL, pixels, 0, NULL)) fail_msg("%s", image.message);
    int64_t found = 0;
    for (int64_t i = 0; i < (int64_t)width * height; i++)
        found += abs(pixels[3 * i] - (int)(rgb >> 16)) < 12 &&
                 abs(pixels[3 * i + 1] - (int)(rgb >> 8 & 0xFF)) < 12 &&
                 abs(pixels[3 * i + 2] - (int)(rgb & 0xFF)) < 12;
    free(pixels);
    assert_int_equal(unlink(path), 0);
    return found;
}

enum { BLUE = 0x0072B2, RED = 0xD55E00, INK = 0x1A1A1A };

static void draw(const an_curve *curves, int32_t count, const an_plot_options *options) {
    an_error err = {0};
    if (an_plot_curves(path, curves, count, NULL, 0, options, &err)) fail_msg("%s", err.message);
}

static void curves_are_drawn(void **state) {
    (void)state;
    const double train[] = {2.5, 1.2, 0.8, 0.6, 0.5}, val[] = {1.5, 1.1, 0.9, 0.95, 1.0};
    const an_curve curves[] = {{sizeof(an_curve), 0, "training loss", train, 5},
                               {sizeof(an_curve), 0, "validation loss", val, 5}};
    const int64_t marks[] = {1, 4};
    an_error err = {0};
    assert_int_equal(an_plot_curves(path, curves, 2, marks, 2, NULL, &err), AN_OK);
    assert_int_equal(access(path, R_OK), 0);
    assert_true(take_plot(1500, 700, BLUE) > 1000);
    draw(curves, 2, NULL);
    assert_true(take_plot(1500, 700, RED) > 1000);
    draw(curves, 2, NULL);
    assert_true(take_plot(1500, 700, INK) > 300); /* letters */
}

static void sizes_are_kept(void **state) {
    (void)state;
    const double values[] = {3, 2, 1};
    const an_curve curve = {sizeof(an_curve), 0, "loss", values, 3};
    const int32_t sizes[][2] = {{200, 200}, {333, 257}, {3000, 250}, {250, 3000}};
    for (int i = 0; i < 4; i++) {
        an_plot_options options;
        an_plot_options_init(&options, sizeof options);
        options.width = sizes[i][0];
        options.height = sizes[i][1];
        draw(&curve, 1, &options);
        assert_true(take_plot((uint32_t)sizes[i][0], (uint32_t)sizes[i][1], BLUE) > 50);
    }
}

static void few_epochs_are_plots_too(void **state) {
    (void)state;
    const double value = 0.5;
    draw(&(an_curve){sizeof(an_curve), 0, "loss", &value, 1}, 1, NULL);
    assert_true(take_plot(1500, 700, BLUE) > 100); /* a mark, though no line */
    draw(&(an_curve){sizeof(an_curve), 0, "loss", NULL, 0}, 1, NULL);
    assert_true(take_plot(1500, 700, INK) > 100);
}

static void gaps_and_strange_values(void **state) {
    (void)state;
    const double values[][6] = {
        {1, NAN, 2, NAN, INFINITY, 3},
        {NAN, NAN, NAN, NAN, NAN, NAN},
        {INFINITY, -INFINITY, NAN, 0, 0, 0},
        {1e308, -1e308, 1e308, 0, 1, 2},
        {5e-324, 0, 1e-320, 5e-324, 0, 0},
        {7, 7, 7, 7, 7, 7},
        {-3, -3, -3, -3, -3, -3},
        {1, 1 + 1e-15, 1, 1, 1, 1},
        {-1e-3, -2, -30, -4e5, -5, -6},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (int32_t log = 0; log < 2; log++) {
            an_plot_options options;
            an_plot_options_init(&options, sizeof options);
            options.log_y = log;
            draw(&(an_curve){sizeof(an_curve), 0, "loss", values[i], 6}, 1, &options);
            assert_true(take_plot(1500, 700, INK) > 100);
        }
    }
}

static void many_epochs_take_no_longer_than_pixels(void **state) {
    (void)state;
    const int64_t count = 1000000;
    double *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = 1 + sin((double)i);
    draw(&(an_curve){sizeof(an_curve), 0, "loss", values, count}, 1, NULL);
    assert_true(take_plot(1500, 700, BLUE) > 100000);
    free(values);
}

static void hostile_texts(void **state) {
    (void)state;
    const double values[] = {3, 2, 1};
    char *endless = malloc(1 << 20);
    assert_non_null(endless);
    for (int i = 0; i < (1 << 20) - 2; i += 2)
        memcpy(endless + i, "\xC3\xA4", 2);
    endless[(1 << 20) - 2] = '\0';
    const char *texts[] = {"",
                           "%s%n%s",
                           "line\nbreak\ttab\x01\x1B[31m\x7F\xC2\x80",
                           "\xE2\x80\xAE right to left",
                           "\xF0\x9F\x98\x80 \xE7\xBE\x8E",
                           endless};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        an_plot_options options;
        an_plot_options_init(&options, sizeof options);
        options.title = options.x_label = options.y_label = texts[i];
        draw(&(an_curve){sizeof(an_curve), 0, texts[i], values, 3}, 1, &options);
        assert_true(take_plot(1500, 700, BLUE) > 1000);
    }
    free(endless);

    an_error err = {0};
    an_plot_options options;
    an_plot_options_init(&options, sizeof options);
    options.title = "\xFF\xFE";
    assert_int_equal(an_plot_curves(path, &(an_curve){sizeof(an_curve), 0, "loss", values, 3}, 1,
                                    NULL, 0, &options, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "the title of the plot is not valid UTF-8");
    assert_int_equal(an_plot_curves(path, &(an_curve){sizeof(an_curve), 0, "\xC3", values, 3}, 1,
                                    NULL, 0, NULL, &err),
                     AN_ERR_ARG);
    assert_string_equal(err.message, "the name of a curve of the plot is not valid UTF-8");
    assert_int_equal(folder_count(test_folder), 0);
}

static void refuses_wrong_arguments(void **state) {
    (void)state;
    an_error err = {0};
    const double values[] = {3, 2, 1};
    const an_curve curve = {sizeof(an_curve), 0, "loss", values, 3},
                   negative = {sizeof(an_curve), 0, "loss", values, -1},
                   nothing = {sizeof(an_curve), 0, "loss", NULL, 3};
    an_plot_options options;
    an_plot_options_init(&options, sizeof options);
    options.width = 199;
    assert_int_equal(an_plot_curves(path, &curve, 1, NULL, 0, &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "width of the plot is 199; it must be 200 to 10000");
    options.width = 0;
    options.height = 10001;
    assert_int_equal(an_plot_curves(path, &curve, 1, NULL, 0, &options, &err), AN_ERR_ARG);
    options.height = 0;
    options.log_y = 2;
    assert_int_equal(an_plot_curves(path, &curve, 1, NULL, 0, &options, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "log_y is 2; it must be 0 or 1");
    assert_int_equal(an_plot_curves(NULL, &curve, 1, NULL, 0, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_plot_curves(path, &curve, 0, NULL, 0, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "curve_count is 0; it must be 1 to 8");
    assert_int_equal(an_plot_curves(path, &curve, 9, NULL, 0, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_plot_curves(path, NULL, 1, NULL, 0, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_plot_curves(path, &negative, 1, NULL, 0, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_plot_curves(path, &nothing, 1, NULL, 0, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_plot_curves(path, &curve, 1, NULL, 1, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "mark_count is 1, but marks is NULL");
    assert_int_equal(an_plot_curves(path, &curve, 1, NULL, -1, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "mark_count is -1; it must be 0 or more");
    const int64_t falling[] = {3, 2};
    assert_int_equal(an_plot_curves(path, &curve, 1, falling, 2, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "mark 1 is epoch 2; it must come after epoch 3");
    assert_int_equal(an_plot_scatter(path, values, NULL, 3, NULL, &err), AN_ERR_ARG);
    assert_int_equal(folder_count(test_folder), 0);
}

static void scatter_is_drawn(void **state) {
    (void)state;
    an_error err = {0};
    double truth[200];
    float prediction[200];
    for (int i = 0; i < 200; i++) {
        truth[i] = 1 + 0.02 * i;
        prediction[i] = (float)(truth[i] + 0.3 * sin(i));
    }
    for (int count = 1; count <= 200; count += 199) {
        if (an_plot_scatter(path, truth, prediction, count, NULL, &err))
            fail_msg("%s", err.message);
        assert_true(take_plot(900, 900, INK) > 100);
    }
    const float bad[] = {1, NAN};
    assert_int_equal(an_plot_scatter(path, truth, bad, 2, NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "prediction 1 of 2 is not finite");
}

static void says_where_it_cannot_write(void **state) {
    (void)state;
    an_error err = {0};
    const double values[] = {3, 2, 1};
    const an_curve curve = {sizeof(an_curve), 0, "loss", values, 3};
    assert_int_equal(an_plot_curves("/no/such/folder/a.png", &curve, 1, NULL, 0, NULL, &err),
                     AN_ERR_IO);
    assert_string_equal(err.message,
                        "cannot write '/no/such/folder/a.png': No such file or directory");
}

static void write_old_plot(void) {
    FILE *old = fopen(path, "w");
    assert_non_null(old);
    fputs("old", old);
    fclose(old);
}

/** Every allocation and every call of the file layer fails once: an error, and the file of before.
 */
static void faults_leave_the_old_plot(void **state) {
    (void)state;
    const double values[] = {3, 2, 1};
    const an_curve curve = {sizeof(an_curve), 0, "loss", values, 3};
    an_plot_options options;
    an_plot_options_init(&options, sizeof options);
    options.width = options.height = 200;
    const int kinds[] = {ANI_FAULT_ALLOC, ANI_FAULT_OPEN, ANI_FAULT_WRITE, ANI_FAULT_SYNC,
                         ANI_FAULT_RENAME};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int64_t n = 0;; n++) {
            an_error err = {0};
            write_old_plot();
            ani_fault_arm(kinds[k], n, kinds[k] == ANI_FAULT_ALLOC ? ENOMEM : ENOSPC, false);
            const an_status st = an_plot_curves(path, &curve, 1, NULL, 0, &options, &err);
            const bool reached = ani_fault_calls(kinds[k]) > n;
            ani_fault_disarm();
            if (!reached) {
                assert_int_equal(st, AN_OK);
                break;
            }
            if (st == AN_OK) continue; /* libpng does without some of its memory */
            assert_int_equal(st, kinds[k] == ANI_FAULT_ALLOC ? AN_ERR_NOMEM : AN_ERR_IO);
            assert_true(*err.message);
            assert_int_equal(folder_count(test_folder), 1);
            char bytes[4] = "";
            FILE *file = fopen(path, "r");
            assert_non_null(file);
            assert_int_equal(fread(bytes, 1, 3, file), 3);
            fclose(file);
            /* what fails after the rename (the folder is synced) finds the new plot in place */
            if (strcmp(bytes, "old")) take_plot(200, 200, INK);
        }
    }
    unlink(path);
}

static void axes_have_round_numbers(void **state) {
    (void)state;
    char label[ANI_AXIS_LABEL];
    ani_axis axis;
    ani_axis_linear(&axis, 0.13, 2.41, true, 8);
    assert_true(axis.low == 0 && axis.high == 2.5);
    assert_int_equal(axis.tick_count, 6);
    ani_axis_label(&axis, axis.ticks[1], label);
    assert_string_equal(label, "0.5");
    ani_axis_linear(&axis, 1.2, 4.7, false, 10);
    assert_true(axis.low == 1 && axis.high == 5);
    ani_axis_label(&axis, axis.ticks[0], label);
    assert_string_equal(label, "1.0");
    ani_axis_linear(&axis, -0.04, 0.06, true, 6);
    ani_axis_label(&axis, -1e-12, label);
    assert_string_equal(label, "0.00");
    ani_axis_label(&axis, axis.ticks[0], label);
    assert_string_equal(label, "-0.04");
    ani_axis_linear(&axis, NAN, 1, true, 6);
    assert_true(axis.low == 0 && axis.high == 1);
    ani_axis_linear(&axis, 0, 3e7, true, 6);
    ani_axis_label(&axis, 2e7, label);
    assert_string_equal(label, "2e+07");

    ani_axis_logarithmic(&axis, 0.013, 41, 10);
    assert_true(fabs(axis.low - 0.01) < 1e-15 && fabs(axis.high - 50) < 1e-12);
    assert_true(fabs(ani_axis_place(&axis, 0.01)) < 1e-12);
    ani_axis_logarithmic(&axis, 1e-300, 1e300, 10);
    assert_in_range(axis.tick_count, 3, 12);
    ani_axis_logarithmic(&axis, 0, 1, 10);
    assert_true(axis.low == 1 && axis.high == 10);

    ani_axis_epochs(&axis, 47, 20);
    assert_true(axis.ticks[0] == 1 && axis.ticks[1] == 5 && axis.ticks[2] == 10);
    ani_axis_epochs(&axis, 1, 20);
    assert_int_equal(axis.tick_count, 1);
    ani_axis_epochs(&axis, 1000000, 20);
    assert_in_range(axis.tick_count, 5, 22);
    for (int32_t i = 1; i < axis.tick_count; i++)
        assert_true(axis.ticks[i] > axis.ticks[i - 1] && axis.ticks[i] <= 1000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_are_drawn),
        cmocka_unit_test(sizes_are_kept),
        cmocka_unit_test(few_epochs_are_plots_too),
        cmocka_unit_test(gaps_and_strange_values),
        cmocka_unit_test(many_epochs_take_no_longer_than_pixels),
        cmocka_unit_test(hostile_texts),
        cmocka_unit_test(refuses_wrong_arguments),
        cmocka_unit_test(scatter_is_drawn),
        cmocka_unit_test(says_where_it_cannot_write),
        cmocka_unit_test(faults_leave_the_old_plot),
        cmocka_unit_test(axes_have_round_numbers),
    };
    return cmocka_run_group_tests_name("plot", tests, set_up, test_folder_end);
}

#else

static void says_what_is_missing(void **state) {
    (void)state;
    an_error err = {0};
    const double truth = 1;
    const float prediction = 1;
    assert_int_equal(an_plot_scatter("a.png", &truth, &prediction, 1, NULL, &err),
                     AN_ERR_UNSUPPORTED);
    assert_string_equal(
        err.message, "cannot draw 'a.png': this build has no plots (feature 'plot' needs cairo)");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_is_missing)};
    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}

#endif
