/* SPDX-License-Identifier: MIT
 * Step 3 of the tutorial: prepare the data. Splits it, and shows what augmentation makes of a
 * training batch. */
#include "steps.h"

#include <math.h>
#include <string.h>

/* Puts the images of a batch beside each other, as 8-bit pixels again. */
static int draw_batch(const settings *s, const data *d) {
    an_error err;
    char path[PATH_SIZE];
    const float *x = NULL, *y = NULL;
    float table[256];
    int64_t n = 0;
    an_image *sheet = NULL;
    if (an_scale_fill_table(s->scale, table, &err) || an_loader_begin(d->train, 0, 0, &err) ||
        an_loader_next(d->train, &x, &y, NULL, &n, &err))
        return complain(&err);
    const int64_t size = s->size, columns = (int64_t)ceil(sqrt((double)n));
    const int64_t rows = (n + columns - 1) / columns;
    if (an_image_create(&sheet, NULL, rows * size, columns * size, &err)) return complain(&err);
    uint8_t *pixels = an_image_data(sheet);
    const float low = table[0], step = (table[255] - table[0]) / 255;
    for (int64_t i = 0; i < n; i++)
        for (int64_t row = 0; row < size; row++)
            for (int64_t k = 0; k < 3 * size; k++) {
                const float value = x[(i * size + row) * 3 * size + k];
                const int64_t at = (i / columns * size + row) * columns + i % columns;
                const float byte = fminf(255, fmaxf(0, (value - low) / step));
                pixels[at * 3 * size + k] = (uint8_t)lrintf(byte);
            }
    const an_status failed = an_image_write_png(sheet, join_path(path, s->out, "batch.png"), &err);
    an_image_destroy(sheet);
    if (failed) return complain(&err);
    say(s->quiet, "a training batch, row by row:");
    for (int64_t i = 0; i < n; i++)
        say(s->quiet, "%s%.2f", i % columns ? " " : "\n  ", (double)y[i]);
    say(s->quiet, "\nits images are %s\n", path);
    return 0;
}

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER --out DIR [options]",
    .about = "Step 3: prepare the data. Splits it into 70 % to train on, 20 % to validate and\n"
             "10 % to test, as scikit-learn's train_test_split does with the same seed, and\n"
             "draws a batch for training, turned, shifted, zoomed and mirrored at random, as\n"
             "DIR/batch.png. Look at it: would a person still give the same scores?",
    .examples = "  03_prepare_data --data run/data --out run --augment keras",
};

int main(int argc, char **argv) {
    settings s;
    settings_parse(&s, argc, argv,
                   "data labels suffix names-encoding skip-damaged out size seed batch augment "
                   "augment-strength "
                   "scale cache quiet",
                   &text);
    data d = {0};
    if (s.scale == AN_SCALE_AUTO) s.scale = AN_SCALE_UNIT;
    const int status =
        make_folder(s.out) || load_data(&s, s.data, &d) ||
        (s.skip_damaged && check_data(&s, &d)) || /* the split is that of the training */
        prepare_data(&s, s.scale, &d) || draw_batch(&s, &d);
    data_close(&d);
    return status;
}
