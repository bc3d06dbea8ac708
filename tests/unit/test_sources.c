/* SPDX-License-Identifier: MIT
 * Data sets from the caller's memory: paths, encoded images, pixels copied or borrowed, classes.
 * Whatever the images come from, a training of them gives the same bits. */
#include <attractivenet/attractivenet.h>

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
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "support/arrays.h"
#include "support/backends.h"
#include "support/data.h"
#include "support/folder.h"
#include "support/small_model.h"
#include "support/test_folder.h"

enum { COUNT = 6, BYTES = PIXELS };

/* What a folder of images is made of, as a caller has it in memory. */
typedef struct material {
    char folder[512], archive[512];
    char paths[COUNT][600];
    const char *path[COUNT], *name[COUNT];
    uint8_t *encoded[COUNT];
    const void *image[COUNT];
    int64_t size[COUNT];
    double score[COUNT];
    uint8_t rgb[COUNT * BYTES];
    uint8_t sparse[COUNT * (SIDE * (SIDE * 3 + 5) + 11)]; /* the same with gaps */
} material;

static material m;

static void open_data(an_dataset **dataset, const char *path, const an_dataset_options *options) {
    an_error err;
    if (an_dataset_open(dataset, path, options, &err)) fail_msg("%s", err.message);
}

static an_dataset_options small(void) {
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = SIDE;
    return options;
}

static int set_up(void **state) {
    an_dataset *dataset;
    const an_dataset_options options = small();
    const int64_t row = SIDE * 3 + 5, gap = SIDE * row + 11;
    test_folder_make(state);
    snprintf(m.folder, sizeof m.folder, "%s/faces", test_folder);
    snprintf(m.archive, sizeof m.archive, "%s/faces.zip", test_folder);
    assert_int_equal(mkdir(m.folder, 0777), 0);
    data_folder(m.folder, COUNT, SIDE, SIDE);
    data_zip(m.archive, m.folder, "faces/");
    open_data(&dataset, m.folder, &options);
    for (int64_t i = 0; i < COUNT; i++) {
        snprintf(m.paths[i], sizeof m.paths[i], "%s/faces/%s", test_folder,
                 an_dataset_name(dataset, i));
        m.path[i] = m.paths[i];
        m.name[i] = strrchr(m.paths[i], '/') + 1;
        m.image[i] = m.encoded[i] = folder_read(m.path[i], &m.size[i]);
        m.score[i] = an_dataset_score(dataset, i, 0);
        uint8_t *rgb = m.rgb + i * BYTES;
        assert_int_equal(an_dataset_read_pixels(dataset, i, rgb, NULL), AN_OK);
        for (int64_t j = 0; j < SIDE; j++)
            memcpy(m.sparse + i * gap + j * row, rgb + j * SIDE * 3, SIDE * 3);
    }
    an_dataset_destroy(dataset);
    return 0;
}

static int tear_down(void **state) {
    for (int64_t i = 0; i < COUNT; i++) {
        free(m.encoded[i]);
        m.encoded[i] = NULL;
    }
    return test_folder_remove(state);
}

static void count_release(void *user) {
    ++*(int *)user;
}

/* --- the same samples from everywhere -------------------------------------------------------- */

enum { FOLDER, ARCHIVE, FILES, ENCODED, COPIED, BORROWED, SPARSE, SOURCES };
static const char *const source_names[] = {"folder", "archive",  "files", "bytes",
                                           "pixels", "borrowed", "sparse"};
static int released;

static an_status make(an_dataset **out, int which, an_error *err) {
    const an_dataset_options options = small();
    const int64_t row = SIDE * 3 + 5, gap = SIDE * row + 11;
    switch (which) {
    case FOLDER:
        return an_dataset_open(out, m.folder, &options, err);
    case ARCHIVE:
        return an_dataset_open(out, m.archive, &options, err);
    case FILES:
        return an_dataset_from_files(out, m.path, m.score, COUNT, &options, err);
    case ENCODED:
        return an_dataset_from_bytes(out, m.image, m.size, NULL, m.score, COUNT, &options, err);
    case COPIED:
        return an_dataset_from_pixels(out, m.rgb, COUNT, SIDE, SIDE, m.score, 1, NULL, err);
    case BORROWED:
        return an_dataset_borrow_pixels(out, m.rgb, COUNT, SIDE, SIDE, 0, 0, m.score, 1, NULL, NULL,
                                        NULL, err);
    default:
        return an_dataset_borrow_pixels(out, m.sparse, COUNT, SIDE, SIDE, gap, row, m.score, 1,
                                        count_release, &released, NULL, err);
    }
}

/* With and without a cache; twice, so that the second one may come from it. */
static void encoded_images_are_read_as_they_are(void **state) {
    (void)state;
    static const int32_t caches[] = {AN_CACHE_NONE, AN_CACHE_ENCODED, AN_CACHE_PIXELS};
    for (int which = 0; which < 3 * 4; which++) {
        an_dataset *dataset;
        an_dataset_options options = small();
        an_error err;
        options.cache = caches[which % 3];
        if (which / 3 == FOLDER || which / 3 == ARCHIVE)
            open_data(&dataset, which / 3 == FOLDER ? m.folder : m.archive, &options);
        else if (make(&dataset, which / 3, &err))
            fail_msg("%s", err.message);
        for (int64_t i = 0; i < 2 * COUNT; i++) {
            an_bytes *bytes = NULL;
            if (an_dataset_read_bytes(&bytes, dataset, i % COUNT, &err))
                fail_msg("%s", err.message);
            assert_int_equal(an_bytes_size(bytes), m.size[i % COUNT]);
            assert_memory_equal(an_bytes_data(bytes), m.image[i % COUNT], m.size[i % COUNT]);
            an_bytes_destroy(bytes);
        }
        an_dataset_destroy(dataset);
    }
}

static void every_source_has_the_same_samples(void **state) {
    (void)state;
    for (int which = 0; which < SOURCES; which++) {
        an_dataset *dataset;
        an_error err;
        double scores[COUNT];
        uint8_t rgb[BYTES];
        if (make(&dataset, which, &err)) fail_msg("%s: %s", source_names[which], err.message);
        assert_int_equal(an_dataset_count(dataset), COUNT);
        assert_int_equal(an_dataset_height(dataset), SIDE);
        assert_int_equal(an_dataset_width(dataset), SIDE);
        assert_int_equal(an_dataset_outputs(dataset), 1);
        assert_int_equal(an_dataset_class_count(dataset), 0);
        assert_int_equal(an_dataset_copy_scores(dataset, scores, NULL), AN_OK);
        assert_memory_equal(scores, m.score, sizeof scores);
        for (int64_t i = 0; i < COUNT; i++) {
            char number[32];
            snprintf(number, sizeof number, "%08lld", (long long)i);
            assert_string_equal(an_dataset_name(dataset, i), which <= ARCHIVE ? m.name[i]
                                                             : which == FILES ? m.path[i]
                                                                              : number);
            memset(rgb, 0, sizeof rgb);
            assert_int_equal(an_dataset_read_pixels(dataset, i, rgb, NULL), AN_OK);
            assert_memory_equal(rgb, m.rgb + i * BYTES, BYTES);
        }
        an_dataset_destroy(dataset);
    }
}

/* The weights that a short training of a data set ends with, which is destroyed. */
static an_arrays *train_on(an_dataset *dataset, int32_t task) {
    an_loader *loader = NULL;
    an_trainer *trainer = NULL;
    an_arrays *weights = NULL;
    an_error err;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_model *model = small_model(backend, an_dataset_outputs(dataset), task);
    an_loader_options order;
    an_augment_options augment;
    an_train_options options;
    an_loader_options_init(&order, sizeof order);
    an_augment_options_tutorial(&augment, sizeof augment);
    an_train_options_init(&options, sizeof options);
    order.batch_size = 4;
    order.shuffle = 1;
    order.augment = &augment;
    options.max_epochs = 2;
    if (an_loader_create(&loader, dataset, NULL, 0, &order, &err) ||
        an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err) ||
        an_trainer_run(trainer, &err) < 0 || an_model_copy_weights(&weights, model, &err))
        fail_msg("%s", err.message);
    an_trainer_destroy(trainer);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return weights;
}

static an_arrays *train(int which) {
    an_dataset *dataset;
    an_error err;
    if (make(&dataset, which, &err)) fail_msg("%s: %s", source_names[which], err.message);
    return train_on(dataset, AN_TASK_REGRESSION);
}

static void expect_same_weights(const char *what, const an_arrays *a, const an_arrays *b) {
    const char *other = arrays_difference(a, b);
    if (other) fail_msg("%s: %s differs", what, other);
}

static void every_source_trains_to_the_same_bits(void **state) {
    (void)state;
    an_backend *backend = test_backend_make("cpu", NULL, 1);
    an_arrays *untrained = small_model_weights(backend);
    an_arrays *first = train(FOLDER);
    int64_t moved = 0;
    an_backend_destroy(backend);
    for (int64_t i = 0; i < an_arrays_count(first); i++)
        moved += memcmp(an_arrays_data(first, i), an_arrays_data(untrained, i),
                        (size_t)arrays_elements(first, i) * sizeof(float)) != 0;
    assert_true(moved > 0);
    for (int which = ARCHIVE; which < SOURCES; which++) {
        an_arrays *other = train(which);
        expect_same_weights(source_names[which], first, other);
        an_arrays_destroy(other);
    }
    an_arrays_destroy(untrained);
    an_arrays_destroy(first);
}

/* Classes are what one-hot numbers are, whatever says them. */
static void classes_train_as_one_hot_labels_do(void **state) {
    (void)state;
    const double class_of[COUNT] = {0, 2, 1, 1, 0, 2};
    const char *const names[] = {"ant", "cat", "dog"};
    double one_hot[COUNT * 3] = {0};
    an_dataset *numbers, *classes, *table;
    an_dataset_options options = small();
    for (int i = 0; i < COUNT; i++)
        one_hot[i * 3 + (int)class_of[i]] = 1;
    assert_int_equal(
        an_dataset_from_pixels(&numbers, m.rgb, COUNT, SIDE, SIDE, one_hot, 3, NULL, NULL), AN_OK);
    options.labels = AN_LABELS_CLASSES;
    options.label_file = "kinds.csv";
    folder_write_text(folder_path(m.folder, "kinds.csv"),
                      "name,kind\nP0000.jpg,ant\nP0001.jpg,dog\nP0002.jpg,cat\nP0003.jpg,cat\n"
                      "P0004.jpg,ant\nP0005.jpg,dog\n");
    open_data(&table, m.folder, &options);
    options.classes = names;
    options.class_count = 3;
    assert_int_equal(
        an_dataset_from_pixels(&classes, m.rgb, COUNT, SIDE, SIDE, class_of, 1, &options, NULL),
        AN_OK);
    an_arrays *const weights[] = {train_on(numbers, AN_TASK_CLASSIFICATION),
                                  train_on(classes, AN_TASK_CLASSIFICATION),
                                  train_on(table, AN_TASK_CLASSIFICATION)};
    expect_same_weights("classes", weights[0], weights[1]);
    expect_same_weights("a table of classes", weights[0], weights[2]);
    for (int i = 0; i < 3; i++)
        an_arrays_destroy(weights[i]);
}

/* --- files and bytes ------------------------------------------------------------------------- */

static void a_missing_file_is_named(void **state) {
    (void)state;
    an_dataset *dataset;
    an_error err;
    const an_dataset_options options = small();
    assert_int_equal(unlink(m.path[3]), 0);
    assert_int_equal(an_dataset_from_files(&dataset, m.path, m.score, COUNT, &options, &err),
                     AN_ERR_IO);
    assert_null(dataset);
    assert_non_null(strstr(err.message, "sample 3: cannot open '"));
    assert_non_null(strstr(err.message, "P0003.jpg"));
}

/* A table may have an image more than once, to give it more weight. */
static void a_name_may_occur_again(void **state) {
    (void)state;
    an_dataset *dataset;
    const char *const paths[] = {m.path[1], m.path[0], m.path[1]};
    const void *const images[] = {m.image[1], m.image[0], m.image[1]};
    const int64_t sizes[] = {m.size[1], m.size[0], m.size[1]};
    const double scores[] = {4, 5, 4};
    const an_dataset_options options = small();
    uint8_t rgb[BYTES];
    for (int which = 0; which < 2; which++) {
        assert_int_equal(
            which ? an_dataset_from_bytes(&dataset, images, sizes, paths, scores, 3, &options, NULL)
                  : an_dataset_from_files(&dataset, paths, scores, 3, &options, NULL),
            AN_OK);
        assert_int_equal(an_dataset_count(dataset), 3);
        for (int64_t i = 0; i < 3; i++) { /* in the caller's order */
            assert_string_equal(an_dataset_name(dataset, i), paths[i]);
            assert_true(an_dataset_score(dataset, i, 0) == scores[i]);
            assert_int_equal(an_dataset_read_pixels(dataset, i, rgb, NULL), AN_OK);
            assert_memory_equal(rgb, m.rgb + (i != 1) * BYTES, BYTES);
        }
        an_dataset_destroy(dataset);
    }
}

/* Labels, classes, weights and bytes stay with their sample when others are left out. */
static void damaged_images_of_any_source_are_left_out(void **state) {
    (void)state;
    const char *const classes[] = {"cat", "dog", "cow"};
    const double class_of[COUNT] = {0, 1, 2, 2, 1, 0}, weights[COUNT] = {1, 2, 3, 4, 5, 6};
    const int64_t kept[] = {0, 2, 5};
    for (int64_t i = 1; i <= 4; i += 1 + (i == 1)) {
        folder_write_text(m.path[i], "no image");
        memset(m.encoded[i], 'x', 8);
    }
    for (int which = 0; which < 6; which++) {
        an_dataset *dataset;
        an_error err;
        an_dataset_options options = small();
        uint8_t rgb[BYTES];
        options.policy = AN_POLICY_SKIP;
        options.labels = AN_LABELS_CLASSES;
        options.classes = classes;
        options.class_count = 3;
        options.cache = which / 2;
        const an_status st =
            which % 2 ? an_dataset_from_bytes(&dataset, m.image, m.size, m.name, class_of, COUNT,
                                              &options, &err)
                      : an_dataset_from_files(&dataset, m.path, class_of, COUNT, &options, &err);
        if (st) fail_msg("%s", err.message);
        assert_int_equal(an_dataset_set_weights(dataset, weights, COUNT, NULL), AN_OK);
        assert_int_equal(an_dataset_check(dataset, 2, NULL, NULL, NULL), AN_OK);
        assert_int_equal(an_dataset_count(dataset), 3);
        assert_int_equal(an_dataset_skipped(dataset), 3);
        assert_int_equal(an_dataset_outputs(dataset), 3);
        for (int64_t i = 0; i < 3; i++) {
            const int32_t class = (int32_t)class_of[kept[i]];
            assert_string_equal(an_dataset_name(dataset, i),
                                which % 2 ? m.name[kept[i]] : m.path[kept[i]]);
            assert_int_equal(an_dataset_class(dataset, i), class);
            assert_true(an_dataset_weight(dataset, i) == weights[kept[i]]);
            for (int32_t k = 0; k < 3; k++)
                assert_true(an_dataset_score(dataset, i, k) == (k == class));
            assert_int_equal(an_dataset_read_pixels(dataset, i, rgb, NULL), AN_OK);
            assert_memory_equal(rgb, m.rgb + kept[i] * BYTES, BYTES);
        }
        an_dataset_destroy(dataset);
    }
}

/* More indices of classes than memory can hold: their size in bytes overflows. */
static void a_count_whose_bytes_overflow_is_refused(void **state) {
    (void)state;
    const char *const classes[] = {"cat", "dog"};
    an_dataset *dataset;
    an_error err;
    an_dataset_options options = small();
    options.labels = AN_LABELS_CLASSES;
    options.classes = classes;
    options.class_count = 2;
    assert_int_equal(an_dataset_from_files(&dataset, m.path, m.score, INT64_MAX, &options, &err),
                     AN_ERR_NOMEM);
    assert_string_equal(err.message, "no memory for labels: its size overflows");
    assert_null(dataset);
}

/* --- borrowed pixels ------------------------------------------------------------------------- */

static void borrowed_pixels_are_released_once(void **state) {
    (void)state;
    an_dataset *dataset;
    an_loader *loader;
    an_error err;
    an_loader_options options;
    int64_t n;
    released = 0;
    assert_int_equal(make(&dataset, SPARSE, NULL), AN_OK);
    an_loader_options_init(&options, sizeof options);
    options.threads = 2;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
    an_dataset_destroy(dataset);
    assert_int_equal(released, 0); /* the loader needs them */
    assert_int_equal(an_loader_next(loader, NULL, NULL, NULL, &n, NULL), AN_OK);
    assert_int_equal(released, 0);
    an_loader_destroy(loader);
    assert_int_equal(released, 1);
    /* a call that fails keeps nothing */
    assert_int_equal(an_dataset_borrow_pixels(&dataset, m.rgb, COUNT, SIDE, SIDE, 1, 0, m.score, 1,
                                              count_release, &released, NULL, &err),
                     AN_ERR_ARG);
    assert_null(dataset);
    assert_int_equal(released, 1);
}

/* Memory of this process that is resident, in bytes. */
static int64_t resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long long all = 0, there = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lld %lld", &all, &there), 2);
    fclose(file);
    return there * sysconf(_SC_PAGESIZE);
}

/* How much more is resident once the pixels are a data set, and all have been read. */
static int64_t growth(const uint8_t *rgb, int64_t count, int is_borrowed) {
    an_dataset *dataset;
    an_loader *loader;
    an_loader_options options;
    an_status st;
    double *scores = calloc((size_t)count, sizeof *scores);
    const int64_t before = resident();
    assert_int_equal(is_borrowed ? an_dataset_borrow_pixels(&dataset, rgb, count, SIDE, SIDE, 0, 0,
                                                            scores, 1, NULL, NULL, NULL, NULL)
                                 : an_dataset_from_pixels(&dataset, rgb, count, SIDE, SIDE, scores,
                                                          1, NULL, NULL),
                     AN_OK);
    an_loader_options_init(&options, sizeof options);
    options.threads = 1;
    assert_int_equal(an_loader_create(&loader, dataset, NULL, 0, &options, NULL), AN_OK);
    while (!(st = an_loader_next(loader, NULL, NULL, NULL, NULL, NULL)))
        ;
    assert_int_equal(st, AN_DONE);
    const int64_t after = resident();
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    free(scores);
    return after - before;
}

static void borrowed_pixels_are_not_copied(void **state) {
    (void)state;
    enum { MANY = 20000 }; /* 61 MB */
    const int64_t size = (int64_t)MANY * BYTES;
    uint8_t *rgb = malloc((size_t)size);
    assert_non_null(rgb);
    memset(rgb, 7, (size_t)size);
    growth(rgb, 500, 1); /* what a first loader takes for good */
    const int64_t borrowed = growth(rgb, MANY, 1), copied = growth(rgb, MANY, 0);
    print_message("%lld bytes of pixels: borrowed %lld more, copied %lld more\n", (long long)size,
                  (long long)borrowed, (long long)copied);
    assert_true(borrowed < size / 3);   /* AddressSanitizer keeps a sixth of what was freed */
    assert_true(copied > size * 5 / 6); /* else the first says nothing */
    free(rgb);
}

/* --- classes --------------------------------------------------------------------------------- */

/* The classes of a label file that has one line for each image. */
static an_status open_classes(an_dataset **out, const char *labels, const char *const *classes,
                              int32_t count, int32_t policy, an_error *err) {
    an_dataset_options options = small();
    options.labels = AN_LABELS_CLASSES;
    options.classes = classes;
    options.class_count = count;
    options.policy = policy;
    folder_write_text(folder_path(m.folder, "All_labels.txt"), labels);
    return an_dataset_open(out, m.folder, &options, err);
}

/* classes: the names, separated by commas; indices: the class of each image. */
static void expect_classes(const char *labels, const char *const *fixed, int32_t fixed_count,
                           const char *classes, const char *indices) {
    an_dataset *dataset;
    an_error err;
    char text[256] = "";
    if (open_classes(&dataset, labels, fixed, fixed_count, AN_POLICY_STRICT, &err))
        fail_msg("%s", err.message);
    for (int32_t i = 0; i < an_dataset_class_count(dataset); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "," : "",
                 an_dataset_class_name(dataset, i));
    assert_string_equal(text, classes);
    assert_null(an_dataset_class_name(dataset, an_dataset_class_count(dataset)));
    assert_int_equal(an_dataset_outputs(dataset), an_dataset_class_count(dataset));
    for (int64_t i = 0; i < an_dataset_count(dataset); i++) {
        const int32_t class = an_dataset_class(dataset, i);
        assert_int_equal(class, indices[i] - '0');
        for (int32_t k = 0; k < an_dataset_outputs(dataset); k++)
            assert_true(an_dataset_score(dataset, i, k) == (k == class));
    }
    an_dataset_destroy(dataset);
}

static void expect_no_classes(const char *labels, const char *const *fixed, int32_t fixed_count,
                              const char *message) {
    an_dataset *dataset;
    an_error err;
    assert_int_equal(open_classes(&dataset, labels, fixed, fixed_count, AN_POLICY_STRICT, &err),
                     AN_ERR_FORMAT);
    assert_null(dataset);
    if (strcmp(err.message, message) != 0) fail_msg("%s\nexpected: %s", err.message, message);
}

#define LINES(a, b, c, d, e, f)                                                                    \
    "P0000.jpg " a "\nP0001.jpg " b "\nP0002.jpg " c "\nP0003.jpg " d "\nP0004.jpg " e             \
    "\nP0005.jpg " f "\n"

static const char *const animals[] = {"dog", "cat", "grey wolf"};
static const char *const numbers[] = {"3", "1", "5"};

static void classes_by_name_or_index(void **state) {
    (void)state;
    expect_classes(LINES("dog", "cat", "dog", "ant", "cat", "cat"), NULL, 0, "ant,cat,dog",
                   "212011");
    expect_classes(LINES("2", "0", "1", "10", "3", "4") "x 5\ny 6\nz 7\nu 8\nv 9\n", NULL, 0,
                   "0,1,2,3,4,5,6,7,8,9,10", "201:34");
    expect_classes(LINES("dog", "1", "0", "2", "\tgrey wolf", "cat"), animals, 3,
                   "dog,cat,grey wolf", "010221");
    expect_classes(LINES("3", "1", "5", "3", "3", "3"), numbers, 3, "3,1,5", "012000");
    /* one class of those that are given is enough */
    expect_classes(LINES("cat", "cat", "cat", "cat", "cat", "1"), animals, 3, "dog,cat,grey wolf",
                   "111111");
    /* a label without image counts, so that parts of a data set have the same classes */
    expect_classes(LINES("b", "c", "b", "c", "b", "c") "x.png a\nP0003.jpg c\n", NULL, 0, "a,b,c",
                   "121212");
}

static void classes_that_could_be_meant_in_two_ways(void **state) {
    (void)state;
    expect_no_classes(LINES("cat", "dog", "1", "cat", "cat", "cat"), NULL, 0,
                      "'All_labels.txt': the class '1' on line 3 is an index or a name, and 'cat' "
                      "on line 1 is a name: list the classes");
    expect_no_classes(LINES("cat", "cat", "cat", "cat", "cat", "cat"), NULL, 0,
                      "'All_labels.txt': there is only one class, 'cat' on line 1; at least 2 are "
                      "needed");
    expect_no_classes(
        LINES("cat", "dog", "Cat", "cat", "cat", "cat"), NULL, 0,
        "'All_labels.txt': the classes 'cat' on line 1 and 'Cat' on line 3 differ only in case");
    expect_no_classes(
        LINES("1", "2", "3", "1", "2", "3"), NULL, 0,
        "'All_labels.txt': the labels are 3 whole numbers, and none is 0: as indices "
        "of classes they must run from 0 without gaps; if they are names, list the classes");
    expect_no_classes(LINES("1.0", "0.0", "1.0", "0.0", "0", "0"), NULL, 0,
                      "'All_labels.txt', line 1: the class '1.0' is a number but not an index (0, "
                      "1, 2, ...); if it is a name, list the classes");
    expect_no_classes(LINES("cat", "bird", "1", "cat", "cat", "cat"), animals, 3,
                      "'All_labels.txt', line 2: 'bird' is not one of the 3 classes");
    expect_no_classes(
        LINES("cat", "Dog", "1", "cat", "cat", "cat"), animals, 3,
        "'All_labels.txt', line 2: 'Dog' is not one of the classes; one of them is 'dog'");
    expect_no_classes(LINES("cat", "1", "3", "cat", "cat", "cat"), animals, 3,
                      "'All_labels.txt', line 3: the class is 3; it must be 0 to 2");
    expect_no_classes(LINES("3", "0", "5", "3", "3", "3"), numbers, 3,
                      "'All_labels.txt', line 2: '0' is not one of the classes; it is not an "
                      "index, either, since a class is named '3'");
    expect_no_classes("P0000.jpg cat\nP0001.jpg\n", NULL, 0,
                      "'All_labels.txt', line 2: no class after the name 'P0001.jpg'");
    expect_no_classes("P0000.jpg cat\nP0001.jpg dog\nP0000.jpg ant\n", NULL, 0,
                      "'All_labels.txt', line 3: 'P0000.jpg' has another label on line 1");
    expect_no_classes("P0000.jpg cat\nP0001.jpg \xe9\n", NULL, 0,
                      "'All_labels.txt', line 2: the class '\\xe9' is not valid UTF-8");
}

static void a_thousand_classes_and_one_more(void **state) {
    (void)state;
    ani_fault_disarm();
    char *text = malloc(1002 * 32);
    int64_t size = 0;
    an_dataset *dataset;
    an_error err;
    for (int i = 0; i < 1001; i++) {
        if (i == 1000) {
            if (open_classes(&dataset, text, NULL, 0, AN_POLICY_STRICT, &err))
                fail_msg("%s", err.message);
            assert_int_equal(an_dataset_class_count(dataset), 1000);
            assert_string_equal(an_dataset_class_name(dataset, 0), "c0000");
            assert_string_equal(an_dataset_class_name(dataset, 999), "c0999");
            assert_int_equal(an_dataset_class(dataset, 2), 2 * 7919 % 1000);
            an_dataset_destroy(dataset);
        }
        size += snprintf(text + size, 32, "P%04d.jpg c%04d\n", i, i < 1000 ? i * 7919 % 1000 : i);
    }
    assert_int_equal(open_classes(&dataset, text, NULL, 0, AN_POLICY_STRICT, &err), AN_ERR_FORMAT);
    assert_string_equal(err.message,
                        "'All_labels.txt', line 1001: 'c1000' exceeds the limit of 1000 classes");
    free(text);
}

/* A line that is left out brings no class. */
static void a_class_of_a_bad_line_is_none(void **state) {
    (void)state;
    an_dataset *dataset;
    an_error err;
    if (open_classes(&dataset, LINES("a", "b", "a", "a", "b", "1.5") "P0001.jpg c\n", NULL, 0,
                     AN_POLICY_SKIP, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_dataset_class_count(dataset), 2);
    assert_int_equal(an_dataset_count(dataset), 5);
    an_dataset_destroy(dataset);
}

/* --- faults ---------------------------------------------------------------------------------- */

static an_status make_and_read(int which) {
    an_dataset *dataset = NULL;
    an_error err = {0};
    uint8_t rgb[BYTES];
    released = 0;
    an_status st = make(&dataset, which, &err);
    if (st) assert_null(dataset);
    if (!st) st = an_dataset_read_pixels(dataset, 1, rgb, &err);
    if (st) assert_true(err.message[0] != '\0');
    const int is_made = dataset != NULL;
    an_dataset_destroy(dataset);
    assert_int_equal(released, is_made && which == SPARSE);
    return st;
}

static an_status make_classes(int which) {
    an_dataset *dataset = NULL;
    an_error err = {0};
    const an_status st = open_classes(&dataset, LINES("dog", "cat", "dog", "ant", "cat", "0"),
                                      which ? animals : NULL, which ? 3 : 0, AN_POLICY_SKIP, &err);
    if (st) assert_null(dataset);
    an_dataset_destroy(dataset);
    return st;
}

static void fail_each(an_status (*call)(int which), int which, int kind, int code) {
    ani_fault_arm(kind, INT64_MAX, code, false);
    const an_status whole = call(which);
    const int64_t calls = ani_fault_calls(kind);
    for (int64_t n = 0; n < calls; n++) {
        ani_fault_arm(kind, n, code, false);
        const an_status st = call(which);
        ani_fault_disarm();
        if (st != AN_ERR_NOMEM && st != AN_ERR_IO)
            fail_msg("%s: kind %d, call %lld of %lld: %s", source_names[which], kind, (long long)n,
                     (long long)calls, an_status_name(st));
    }
    ani_fault_disarm();
    assert_true(whole == AN_OK || whole == AN_ERR_FORMAT);
}

static void each_call_may_fail(void **state) {
    (void)state;
    for (int which = FILES; which < SOURCES; which++)
        fail_each(make_and_read, which, ANI_FAULT_ALLOC, ENOMEM);
    fail_each(make_and_read, FILES, ANI_FAULT_OPEN, EACCES);
    fail_each(make_and_read, FILES, ANI_FAULT_READ, EIO);
    for (int which = 0; which < 2; which++)
        fail_each(make_classes, which, ANI_FAULT_ALLOC, ENOMEM);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(encoded_images_are_read_as_they_are),
        CASE(every_source_has_the_same_samples),
        CASE(every_source_trains_to_the_same_bits),
        CASE(classes_train_as_one_hot_labels_do),
        CASE(a_missing_file_is_named),
        CASE(a_name_may_occur_again),
        CASE(damaged_images_of_any_source_are_left_out),
        CASE(a_count_whose_bytes_overflow_is_refused),
        CASE(borrowed_pixels_are_released_once),
        cmocka_unit_test(borrowed_pixels_are_not_copied),
        CASE(classes_by_name_or_index),
        CASE(classes_that_could_be_meant_in_two_ways),
        CASE(a_thousand_classes_and_one_more),
        CASE(a_class_of_a_bad_line_is_none),
        CASE(each_call_may_fail),
    };
    return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
