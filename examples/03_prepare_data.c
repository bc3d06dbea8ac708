/* SPDX-License-Identifier: MIT
 * Step 3 of the tutorial: prepare the data. Splits it, and shows the effect of augmentation on a
 * training batch. */
#include "messages.h"

#include <math.h>
#include <stdlib.h>

/* Arranges the n images of a batch in a grid, converted back to 8-bit pixels. */
static an_status draw_batch(const settings *s, const float *x, int64_t n, const char *path,
                            an_error *err) {
    float tables[768];
    an_image *sheet = NULL;
    const int64_t size = s->size, columns = (int64_t)ceil(sqrt((double)n));
    const int64_t rows = (n + columns - 1) / columns;
    an_status status = an_scale_fill_tables(s->scale, tables, err);
    if (!status) status = an_image_create(&sheet, NULL, rows * size, columns * size, err);
    if (status) return status;
    uint8_t *pixels = an_image_data(sheet);
    for (int64_t i = 0; i < n; i++)
        for (int64_t row = 0; row < size; row++)
            for (int64_t k = 0; k < 3 * size; k++) {
                const float *of_channel = tables + 256 * (k % 3), low = of_channel[0];
                const float step = (of_channel[255] - low) / 255;
                const float value = x[(i * size + row) * 3 * size + k];
                const int64_t at = (i / columns * size + row) * columns + i % columns;
                const float byte = fminf(255, fmaxf(0, (value - low) / step));
                pixels[at * 3 * size + k] = (uint8_t)lrintf(byte);
            }
    status = an_image_write_png(sheet, path, err);
    an_image_destroy(sheet);
    return status;
}

static const program_text text = {
    .usage = "--data ARCHIVE|FOLDER --out DIR [options]",
    .about = "Step 3: prepare the data. Splits it into 70 % for training, 20 % for validation\n"
             "and 10 % for testing, as scikit-learn's train_test_split does with the same seed,\n"
             "and writes a training batch, randomly rotated, shifted, zoomed and flipped, to\n"
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
    int status = 1;
    an_error err;
    an_status st = AN_OK;
    char path[PATH_SIZE];
    int64_t *indices = NULL, n_train = 0, n_val = 0, n_test = 0, n = 0;
    const float *x = NULL, *y = NULL;
    an_dataset *faces = NULL;
    an_loader *train = NULL;
    if (s.scale == AN_SCALE_AUTO) s.scale = AN_SCALE_UNIT;
    if (make_folder(s.out)) goto done;

    an_dataset_options how;
    an_extract_options archive;
    settings_dataset(&s, &how, &archive);
    st = an_dataset_open(&faces, s.data, &how, &err);
    if (st) goto done;
    say_images(&s, faces, s.data);
    /* Leave out the images that training left out: the same split. */
    if (s.skip_damaged && check_images(&s, faces)) goto done;

    /* indices: first those for training, then validation, then testing. */
    indices = calloc((size_t)an_dataset_count(faces), sizeof *indices);
    if (!indices) {
        complain_of("no memory for the split");
        goto done;
    }
    st = an_tutorial_split(an_dataset_count(faces), (uint32_t)s.seed, indices, &n_train, &n_val,
                           &n_test, &err);
    if (st) goto done;
    say_split(&s, n_train, n_val, n_test);

    an_augment_options augment;
    settings_augment(&s, &augment);
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = s.batch;
    options.seed = (uint32_t)s.seed;
    options.scale = s.scale;
    options.shuffle = 1;
    options.drop_last = 1;
    options.augment = &augment;
    join_path(path, s.out, "batch.png");
    st = an_loader_create(&train, faces, indices, n_train, &options, &err);
    if (!st) st = an_loader_begin(train, 0, 0, &err);
    if (!st) st = an_loader_next(train, &x, &y, NULL, &n, &err);
    if (!st) st = draw_batch(&s, x, n, path, &err);
    if (st) goto done;
    say(s.quiet, "scores of a training batch, row by row:");
    const int64_t columns = (int64_t)ceil(sqrt((double)n));
    for (int64_t i = 0; i < n; i++)
        say(s.quiet, "%s%.2f", i % columns ? " " : "\n  ", (double)y[i]);
    say(s.quiet, "\nimages written to %s\n", path);
    status = 0;
done:
    if (st) complain(&err);
    an_loader_destroy(train);
    an_dataset_destroy(faces);
    free(indices);
    return status;
}
