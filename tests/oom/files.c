/* SPDX-License-Identifier: MIT
 * Scenarios: archives, images, data sets, weight files, history. */
#include "oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "corpus.h"

static void put(const char *folder, const char *name, const void *bytes, int64_t size) {
    FILE *file = fopen(oom_path(folder, name), "wb");
    OOM_NEED(file && fwrite(bytes, 1, (size_t)size, file) == (size_t)size && !fclose(file));
}

static void put_text(const char *folder, const char *name, const char *text) {
    put(folder, name, text, (int64_t)strlen(text));
}

/* Write a seed of a fuzz target. */
static void put_seed(const char *folder, const char *target, const char *seed, const char *name) {
    corpus all = {0};
    bool found = false;
    OOM_NEED(corpus_make(&all, target));
    for (int64_t i = 0; i < all.count; i++) {
        if (strcmp(all.items[i].name, seed) != 0) continue;
        put(folder, name, all.items[i].bytes, all.items[i].size);
        found = true;
    }
    OOM_NEED(found);
    corpus_clear(&all);
}

static an_image *drawn(int64_t height, int64_t width) {
    an_image *image = NULL;
    an_error err;
    OOM_NEED(!an_image_create(&image, NULL, height, width, &err));
    uint8_t *rgb = an_image_data(image);
    for (int64_t i = 0; i < height * width * 3; i++)
        rgb[i] = (uint8_t)(i * 7 + i / 50);
    return image;
}

/* --- archives --------------------------------------------------------------------------------- */

static void prepare_archive(bench *b) {
    put_seed(b->in, "zip", "tutorial.zip", "a.zip");
    put(b->out, "other.txt", "stays", 5);
    put(b->out, "a.jpg", "is replaced", 11);
}

static an_status extract(bench *b, an_error *err) {
    an_extract_options options;
    an_extract_options_init(&options, sizeof options);
    options.exact = 1; /* looks at what is in the folder, too */
    return an_archive_extract(oom_path(b->in, "a.zip"), b->out, &options, NULL, err);
}

/* --- images ----------------------------------------------------------------------------------- */

static an_status read_image(bench *b, const char *name, an_error *err) {
    an_image *image = NULL;
    const an_status st = an_image_read(&image, oom_path(b->in, name), NULL, err);
    if (!st)
        b->result = oom_mix(b->result, an_image_const_data(image),
                            an_image_height(image) * an_image_width(image) * 3);
    an_image_destroy(image);
    return st;
}

static void prepare_images(bench *b) {
    put_seed(b->in, "image", "rgb_422.jpg", "turned.jpg"); /* EXIF says turn */
    put_seed(b->in, "image", "progressive.jpg", "progressive.jpg");
    put_seed(b->in, "image", "cmyk.jpg", "cmyk.jpg");
    put_seed(b->in, "image", "rgb.png", "interlaced.png");
    put_seed(b->in, "image", "palette4.png", "palette.png");
}

static an_status decode(bench *b, an_error *err) {
    static const char *const names[] = {"turned.jpg", "progressive.jpg", "cmyk.jpg",
                                        "interlaced.png", "palette.png"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const an_status st = read_image(b, names[i], err);
        if (st) return st;
    }
    return AN_OK;
}

static void prepare_drawn(bench *b) {
    b->object = drawn(40, 30);
    put(b->out, "a.png", "old", 3);
}

static an_status write_images(bench *b, an_error *err) {
    an_status st = an_image_write_png(b->object, oom_path(b->out, "a.png"), err);
    return st ? st : an_image_write_jpeg(b->object, oom_path(b->out, "a.jpg"), 90, err);
}

static an_status encode_image(bench *b, an_error *err) {
    an_bytes *bytes = NULL;
    int64_t height = 0, width = 0;
    an_status st = an_image_encode_jpeg(&bytes, b->object, 90, err);
    if (!st)
        st = an_image_measure(an_bytes_data(bytes), an_bytes_size(bytes), NULL, &height, &width,
                              err);
    if (!st) b->result = oom_mix((uint64_t)height, an_bytes_data(bytes), an_bytes_size(bytes));
    an_bytes_destroy(bytes);
    return st;
}

static void finish_drawn(bench *b) {
    an_image_destroy(b->object);
}

static an_status resize(bench *b, an_error *err) {
    static uint8_t small[20 * 25 * 3];
    const an_status st =
        an_resize_u8(an_image_const_data(b->object), 40, 30, 3, small, 20, 25, err);
    if (!st) b->result = oom_mix(0, small, sizeof small);
    return st;
}

/* --- data sets -------------------------------------------------------------------------------- */

static void prepare_folder(bench *b) {
    static const char labels[] = "a.jpg 1.5\nb.jpg 2\nc.jpg 3.25\nabsent.jpg 4\n";
    an_error err;
    an_image *image = drawn(24, 24);
    for (const char *name = "a.jpg\0b.jpg\0c.jpg\0"; *name; name += 6)
        OOM_NEED(!an_image_write_jpeg(image, oom_path(b->in, name), 80, &err));
    an_image_destroy(image);
    put_text(b->in, "All_labels.txt", labels);
}

static an_status use_dataset(bench *b, const char *path, bool pixels, an_error *err) {
    static uint8_t rgb[16 * 16 * 3];
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = 16;
    an_status st = an_dataset_open(&dataset, path, &options, err);
    for (int64_t i = 0; !st && i < an_dataset_count(dataset); i++) {
        const double score = an_dataset_score(dataset, i, 0);
        const char *name = an_dataset_name(dataset, i);
        b->result = oom_mix(b->result, &score, sizeof score);
        b->result = oom_mix(b->result, name, (int64_t)strlen(name));
        if (!pixels) continue;
        st = an_dataset_read_pixels(dataset, i, rgb, err);
        if (!st) b->result = oom_mix(b->result, rgb, sizeof rgb);
    }
    an_dataset_destroy(dataset);
    return st;
}

static an_status open_folder(bench *b, an_error *err) {
    return use_dataset(b, b->in, true, err);
}

static void prepare_zip(bench *b) {
    put_seed(b->in, "zip", "tutorial.zip", "a.zip");
}

static void prepare_other_systems(bench *b) {
    put_seed(b->in, "zip", "systems.zip", "a.zip");
}

static an_status open_archive(bench *b, an_error *err) {
    return use_dataset(b, oom_path(b->in, "a.zip"), false, err);
}

/* Two images damaged, one twice, one label near a file. */
static void prepare_damage(bench *b) {
    static const char labels[] =
        "a.jpg 1.5\nb.jpg 2\nc.jpg 3.25\nd.jpg 4\nd/e.jpg 5\nabsent.jpg 4\n";
    prepare_folder(b);
    put_text(b->in, "d.jpg", "no image");
    put_text(b->in, "e.jpg", "no image");
    put_text(b->in, "c.jpg", "no image");
    OOM_NEED(!mkdir(oom_path(b->in, "copies"), 0777));
    put_text(b->in, "copies/d.jpg", "no image");
    put_text(b->in, "e.txt", "no image");
    put_text(b->in, "All_labels.txt", labels);
}

static int32_t mix_warning(void *user, const an_warning *warning) {
    bench *b = user;
    b->result = oom_mix(b->result, warning->message, (int64_t)strlen(warning->message));
    return 0;
}

static an_status check_images(bench *b, an_error *err) {
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = 16;
    options.policy = AN_POLICY_SKIP;
    options.warn = mix_warning;
    options.warn_user = b;
    b->result = 0;
    an_status st = an_dataset_open(&dataset, b->in, &options, err);
    if (!st) st = an_dataset_check(dataset, 1, NULL, NULL, err);
    if (!st) OOM_NEED(an_dataset_count(dataset) == 2);
    an_dataset_destroy(dataset);
    return st;
}

/* A table with a weight, a path, a class of a few, and a row that is left out. */
static void prepare_table(bench *b) {
    static const char table[] = "\xEF\xBB\xBFname;\"kind\";votes\na.jpg;\"a \"\"x\"\"\";1\n"
                                "in/b.jpg;y;2\nc.jpg;z;2,5\nabsent.jpg;z;1\n";
    prepare_folder(b);
    put_text(b->in, "labels.csv", table);
}

static an_status use_classes(bench *b, int32_t labels, int64_t count, an_error *err) {
    an_dataset *dataset = NULL;
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.policy = AN_POLICY_SKIP;
    options.warn = mix_warning;
    options.warn_user = b;
    options.labels = labels;
    options.label_file = "labels.csv";
    if (labels == AN_LABELS_CLASSES) options.weight_column = "votes";
    b->result = 0;
    an_status st = an_dataset_open(&dataset, b->in, &options, err);
    if (!st) OOM_NEED(an_dataset_count(dataset) == count);
    for (int64_t i = 0; !st && i < count; i++) {
        const double weight = an_dataset_weight(dataset, i);
        const char *name = an_dataset_class_name(dataset, an_dataset_class(dataset, i));
        b->result = oom_mix(b->result, &weight, sizeof weight);
        b->result = oom_mix(b->result, name, (int64_t)strlen(name));
    }
    an_dataset_destroy(dataset);
    return st;
}

static an_status open_table(bench *b, an_error *err) {
    return use_classes(b, AN_LABELS_CLASSES, 2, err);
}

static void prepare_classes(bench *b) {
    an_error err;
    an_image *image = drawn(24, 24);
    for (const char *name = "cat\0dog\0"; *name; name += 4) {
        OOM_NEED(!mkdir(oom_path(b->in, name), 0777));
        OOM_NEED(!an_image_write_jpeg(image, oom_path(oom_path(b->in, name), "1.jpg"), 80, &err));
    }
    OOM_NEED(!an_image_write_jpeg(image, oom_path(b->in, "left_out.jpg"), 80, &err));
    an_image_destroy(image);
}

static an_status open_classes(bench *b, an_error *err) {
    return use_classes(b, AN_LABELS_FOLDERS, 2, err);
}

static void count_release(void *user) {
    ++*(int *)user;
}

/* The files' paths, their bytes, pixels copied and borrowed. What fails releases nothing. */
static an_status use_memory(bench *b, an_error *err) {
    static const uint8_t pixels[2 * 16 * 16 * 3] = {1, 2, 3};
    static uint8_t rgb[16 * 16 * 3], jpeg[8192];
    static int64_t size;
    const char *const paths[] = {oom_path(b->in, "a.jpg"), oom_path(b->in, "b.jpg")};
    const void *const images[] = {jpeg, jpeg};
    const double scores[] = {1, 2}, weights[] = {3, 4};
    int released = 0, kept = 0;
    an_dataset_options options;
    if (!size) {
        FILE *file = fopen(paths[0], "rb");
        OOM_NEED(file && (size = (int64_t)fread(jpeg, 1, sizeof jpeg, file)) > 0);
        fclose(file);
    }
    const int64_t sizes[] = {size, size};
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = 16;
    options.cache = AN_CACHE_PIXELS;
    b->result = 0;
    an_status st = AN_OK;
    for (int which = 0; which < 4 && !st; which++) {
        an_dataset *dataset = NULL;
        if (which == 0) st = an_dataset_from_files(&dataset, paths, scores, 2, &options, err);
        if (which == 1)
            st = an_dataset_from_bytes(&dataset, images, sizes, NULL, scores, 2, &options, err);
        if (which == 2)
            st = an_dataset_from_pixels(&dataset, pixels, 2, 16, 16, scores, 1, NULL, err);
        if (which == 3)
            st = an_dataset_borrow_pixels(&dataset, pixels, 2, 16, 16, 0, 0, scores, 1,
                                          count_release, &released, NULL, err);
        kept += which == 3 && !st;
        if (!st) st = an_dataset_set_weights(dataset, weights, 2, err);
        if (!st) st = an_dataset_read_pixels(dataset, 1, rgb, err);
        if (!st) b->result = oom_mix(b->result, rgb, sizeof rgb);
        if (!st && which < 2) {
            an_bytes *bytes = NULL;
            st = an_dataset_read_bytes(&bytes, dataset, 0, err);
            if (!st) b->result = oom_mix(b->result, an_bytes_data(bytes), an_bytes_size(bytes));
            an_bytes_destroy(bytes);
        }
        an_dataset_destroy(dataset);
        OOM_NEED(released == kept);
    }
    return st;
}

/* The data set lives on: each failure must leave it as it was. */
static void prepare_pixels(bench *b) {
    an_error err;
    an_dataset *dataset;
    an_dataset_options options;
    prepare_folder(b);
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = 16;
    options.cache = AN_CACHE_NONE;
    OOM_NEED(!an_dataset_open(&dataset, b->in, &options, &err));
    b->object = dataset;
}

static an_status read_pixels(bench *b, an_error *err) {
    static uint8_t rgb[16 * 16 * 3];
    an_status st = AN_OK;
    for (int64_t i = 0; i < an_dataset_count(b->object) && !st; i++) {
        st = an_dataset_read_pixels(b->object, i, rgb, err);
        if (!st) b->result = oom_mix(b->result, rgb, sizeof rgb);
    }
    return st;
}

static void finish_dataset(bench *b) {
    an_dataset_destroy(b->object);
}

/* One epoch of batches, made in the caller's thread, so that the order of calls is fixed. */
static an_status epoch(bench *b, an_error *err) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_loader_options_init(&options, sizeof options);
    options.batch_size = 2;
    options.threads = 0;
    options.shuffle = 1;
    an_augment_options augment;
    an_augment_options_tutorial(&augment, sizeof augment);
    options.augment = &augment;
    an_status st = an_loader_create(&loader, b->object, NULL, 0, &options, err);
    if (!st) st = an_loader_begin(loader, 0, 0, err);
    while (!st) {
        const float *x, *y;
        const int64_t *samples;
        int64_t n;
        st = an_loader_next(loader, &x, &y, &samples, &n, err);
        if (st) break;
        b->result = oom_mix(b->result, x, n * 16 * 16 * 3 * (int64_t)sizeof *x);
        b->result = oom_mix(b->result, y, n * (int64_t)sizeof *y);
    }
    an_loader_destroy(loader);
    return st == AN_DONE ? AN_OK : st;
}

/* A training's batches of a callback, with weights; with Keras' brightness they go through the
 * reference form. */
static int32_t fill(void *user, const an_fill_batch *f) {
    (void)user;
    for (int64_t i = 0; i < f->n * 16 * 16 * 3; i++)
        f->x[i] = (float)(i % 101) / 100;
    for (int64_t k = 0; k < f->n; k++) {
        f->y[k] = (float)f->samples[k];
        f->weights[k] = 0.5f;
    }
    return 0;
}

static an_status read_callback(bench *b, an_error *err) {
    an_loader *loader = NULL;
    an_loader_options options;
    an_augment_options augment;
    an_loader_source source;
    an_status st = AN_OK;
    b->result = 0;
    for (int32_t mode = AN_AUGMENT_FAST; !st && mode <= AN_AUGMENT_KERAS; mode++) {
        an_loader_source_init(&source, sizeof source);
        source.height = source.width = 16;
        source.count = 5;
        source.weighted = 1;
        source.identity = "drawn";
        source.fill = fill;
        an_augment_options_tutorial(&augment, sizeof augment);
        augment.mode = mode;
        if (mode == AN_AUGMENT_KERAS) augment.brightness_low = augment.brightness_high = 1.2;
        an_loader_options_init(&options, sizeof options);
        options.batch_size = 2;
        options.threads = 0; /* so that the order of calls is fixed */
        options.augment = &augment;
        st = an_loader_create_from_callback(&loader, &source, &options, err);
        while (!st) {
            const float *x;
            int64_t n;
            st = an_loader_next(loader, &x, NULL, NULL, &n, err);
            if (st) break;
            b->result = oom_mix(b->result, x, n * 16 * 16 * 3 * (int64_t)sizeof *x);
            b->result =
                oom_mix(b->result, an_loader_batch_weights(loader), n * (int64_t)sizeof(float));
        }
        an_loader_destroy(loader);
        if (st == AN_DONE) st = AN_OK;
    }
    return st;
}

/* --- weight files ----------------------------------------------------------------------------- */

static void mix_arrays(bench *b, const an_arrays *arrays) {
    for (int64_t i = 0; i < an_arrays_count(arrays); i++) {
        const char *name = an_arrays_name(arrays, i);
        int64_t count = 1;
        for (int32_t axis = 0; axis < an_arrays_rank(arrays, i); axis++)
            count *= an_arrays_length(arrays, i, axis);
        b->result = oom_mix(b->result, name, (int64_t)strlen(name));
        b->result = oom_mix(b->result, an_arrays_data(arrays, i), count * (int64_t)sizeof(float));
    }
    for (int64_t i = 0; i < an_arrays_metadata_count(arrays); i++) {
        const char *text = an_arrays_metadata(arrays, an_arrays_metadata_key(arrays, i));
        b->result = oom_mix(b->result, text, (int64_t)strlen(text));
    }
}

static an_status read_arrays(bench *b, an_error *err) {
    an_arrays *arrays = NULL;
    const an_status st = an_arrays_read(&arrays, oom_path(b->in, "weights"), err);
    if (!st) mix_arrays(b, arrays);
    an_arrays_destroy(arrays);
    return st;
}

static void prepare_safetensors(bench *b) {
    put_seed(b->in, "safetensors", "types.safetensors", "weights");
}

#if OOM_HAVE_KERAS
static void prepare_h5(bench *b) {
    put_seed(b->in, "keras", "model.h5", "weights");
}

static void prepare_packed(bench *b) {
    put_seed(b->in, "keras", "packed.h5", "weights");
}

static void prepare_keras(bench *b) {
    put_seed(b->in, "keras", "model.keras", "weights");
}
#endif

static void prepare_write(bench *b) {
    an_error err;
    an_arrays *arrays;
    put_seed(b->in, "safetensors", "types.safetensors", "weights");
    OOM_NEED(!an_arrays_read(&arrays, oom_path(b->in, "weights"), &err));
    b->object = arrays;
    put(b->out, "w.safetensors", "the one before", 14);
}

static an_status write_arrays(bench *b, an_error *err) {
    return an_arrays_write(b->object, oom_path(b->out, "w.safetensors"), err);
}

static void finish_arrays(bench *b) {
    an_arrays_destroy(b->object);
}

/* --- history ---------------------------------------------------------------------------------- */

static an_status history(bench *b, an_error *err) {
    an_history *history = NULL;
    an_epoch_report report = {.struct_size = sizeof report, .stage = 1, .steps = 3, .loss = 0.5};
    an_status st = an_history_create(&history, err);
    for (int i = 1; i <= 40 && !st; i++) {
        report.epoch = i;
        st = an_history_append(history, &report, err);
    }
    if (!st) st = an_history_write_csv(history, oom_path(b->out, "log.csv"), err);
    an_history_destroy(history);
    return st;
}

static an_status history_back(bench *b, an_error *err) {
    an_history *history = NULL;
    an_status st = an_history_read_csv(&history, oom_path(b->in, "keras.csv"), err);
    if (st && history) st = AN_ERR_INTERNAL;
    an_history_destroy(history);
    return st;
}

static void prepare_history_back(bench *b) {
    char text[4096] = "epoch,loss,val_loss\n";
    for (int i = 0; i < 150; i++) /* more than a history has room for at first */
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,0.5,0.25\n", i);
    put(b->in, "keras.csv", text, strlen(text));
}

static void prepare_history(bench *b) {
    put(b->out, "log.csv", "stage,epoch\n", 12);
}

const scenario oom_file_scenarios[] = {
    {"extract an archive", prepare_archive, extract, NULL, true, false},
    {"decode images", prepare_images, decode, NULL, false, false},
    {"write images", prepare_drawn, write_images, finish_drawn, true, false},
    {"encode an image", prepare_drawn, encode_image, finish_drawn, false, false},
    {"resize", prepare_drawn, resize, finish_drawn, false, false},
    {"open a folder", prepare_folder, open_folder, NULL, false, false},
    {"open an archive", prepare_zip, open_archive, NULL, false, false},
    {"open an archive of other systems", prepare_other_systems, open_archive, NULL, false, false},
    {"check images", prepare_damage, check_images, NULL, false, false},
    {"open a table", prepare_table, open_table, NULL, false, false},
    {"open folders of classes", prepare_classes, open_classes, NULL, false, false},
    {"images in memory", prepare_folder, use_memory, NULL, false, false},
    {"read pixels", prepare_pixels, read_pixels, finish_dataset, false, false},
    {"an epoch of batches", prepare_pixels, epoch, finish_dataset, false, false},
    {"batches of a callback", NULL, read_callback, NULL, false, false},
    {"read safetensors", prepare_safetensors, read_arrays, NULL, false, false},
#if OOM_HAVE_KERAS
    {"read .h5", prepare_h5, read_arrays, NULL, false, false},
    {"read .h5 with filters", prepare_packed, read_arrays, NULL, false, false},
    {"read .keras", prepare_keras, read_arrays, NULL, false, false},
#endif
    {"write safetensors", prepare_write, write_arrays, finish_arrays, true, false},
    {"write the history", prepare_history, history, NULL, true, false},
    {"read the history", prepare_history_back, history_back, NULL, false, false},
};
const int oom_file_scenario_count = sizeof oom_file_scenarios / sizeof *oom_file_scenarios;
