/* SPDX-License-Identifier: MIT
 * A data set of the tutorial's size, 5,500 images of 350x350 in an archive: opened in place, and
 * an epoch of augmented batches read. What the process had in memory at most is printed and must
 * stay under 600 MB, with all images kept encoded. And replicas, which share their data set. */
#include <attractivenet/mobilenetv2.h>
#include <attractivenet/train.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zip.h>

#include "support/data.h"
#include "support/folder.h"

enum { COUNT = 5500, SIDE = 350, DRAWN = 25, LIMIT_MB = 600 };

/* Pack drawn images again and again under other names; no member is compressed, as JPEGs are not.
 */
static void pack(const char *archive, const char *folder) {
    zip_t *zip = zip_open(archive, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    uint8_t *bytes[DRAWN];
    int64_t sizes[DRAWN], total = 0;
    char *labels = malloc((size_t)COUNT * 32);
    int labels_size = 0;
    assert_non_null(zip);
    for (int i = 0; i < DRAWN; i++) {
        char name[32];
        snprintf(name, sizeof name, "P%04d.jpg", i);
        bytes[i] = folder_read(folder_path(folder, name), &sizes[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "SCUT/Images/F%04d.jpg", i);
        zip_source_t *source =
            zip_source_buffer(zip, bytes[i % DRAWN], (zip_uint64_t)sizes[i % DRAWN], 0);
        const zip_int64_t index = zip_file_add(zip, name, source, 0);
        assert_true(index >= 0);
        assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0), 0);
        labels_size += snprintf(labels + labels_size, 32, "F%04d.jpg %.2f\n", i, data_score(i));
        total += sizes[i % DRAWN];
    }
    zip_source_t *source = zip_source_buffer(zip, labels, (zip_uint64_t)labels_size, 0);
    assert_true(zip_file_add(zip, "SCUT/train_test_files/All_labels.txt", source, 0) >= 0);
    assert_int_equal(zip_close(zip), 0);
    print_message("%d images, %.0f MB encoded\n", COUNT, (double)total / 1e6);
    for (int i = 0; i < DRAWN; i++)
        free(bytes[i]);
    free(labels);
}

/* Most memory this process ever had, in MB. */
static double peak(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long long kilobytes = -1;
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, "VmHWM:", 6)) kilobytes = strtoll(line + 6, NULL, 10);
    fclose(file);
    assert_true(kilobytes > 0);
    return (double)kilobytes * 1024.0 / 1e6;
}

static void an_epoch_fits(void **state) {
    (void)state;
    char *folder = folder_make();
    char archive[4096];
    int status;
    snprintf(archive, sizeof archive, "%s/faces.zip", folder);
    const pid_t child = fork(); /* what packing takes is not counted */
    assert_true(child >= 0);
    if (!child) {
        data_folder(folder, DRAWN, SIDE, SIDE);
        pack(archive, folder);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    an_dataset *dataset;
    an_loader *loader;
    an_loader_options options;
    an_error err = {0};
    if (an_dataset_open(&dataset, archive, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(an_dataset_count(dataset), COUNT);
    print_message("opened: %.0f MB\n", peak());
    an_loader_options_init(&options, sizeof options);
    an_augment_options augment;
    an_augment_options_tutorial(&augment, sizeof augment);
    options.augment = &augment;
    options.shuffle = 1;
    options.threads = 2;
    if (an_loader_create(&loader, dataset, NULL, 0, &options, &err)) fail_msg("%s", err.message);
    int64_t read = 0, n;
    an_status st;
    while (!(st = an_loader_next(loader, NULL, NULL, NULL, &n, &err)))
        read += n;
    if (st != AN_DONE) fail_msg("%s", err.message);
    assert_int_equal(read, COUNT);
    print_message("an epoch of batches of 32: %.0f MB, limit %d MB\n", peak(), LIMIT_MB);
    assert_true(peak() < LIMIT_MB);
    an_loader_destroy(loader);
    an_dataset_destroy(dataset);
    folder_remove(folder);
}

enum { SMALL = 96, IMAGES = 4000, TRAINED = 12 };

/* A step by so many replicas, on 12 of 4,000 images, in this process. */
static void train(int32_t replicas) {
    int64_t indices[TRAINED];
    an_backend *backend;
    an_model *model;
    an_dataset *dataset;
    an_loader *loader, *val;
    an_history *history;
    an_trainer *trainer;
    an_error err = {0};
    an_backend_options one;
    an_mobilenetv2_options net;
    an_loader_options batches;
    an_train_options options;
    const int64_t pixels = (int64_t)IMAGES * SMALL * SMALL * 3;
    uint8_t *rgb = malloc((size_t)pixels);
    double *scores = calloc(IMAGES, sizeof *scores);
    if (!rgb || !scores) _exit(3);
    for (int64_t i = 0; i < pixels; i++)
        rgb[i] = (uint8_t)(i * 37 % 251);
    for (int64_t i = 0; i < TRAINED; i++) {
        indices[i] = i;
        scores[i] = (double)(i % 5);
    }
    an_backend_options_init(&one, sizeof one);
    one.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SMALL;
    net.alpha = 0.35;
    net.scale = AN_SCALE_UNIT;
    an_loader_options_init(&batches, sizeof batches);
    batches.batch_size = TRAINED;
    batches.scale = AN_SCALE_UNIT;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 1;
    options.replicas = replicas;
    if (an_backend_create(&backend, &one, &err) ||
        an_mobilenetv2_create(&model, backend, &net, &err) ||
        an_dataset_from_pixels(&dataset, rgb, IMAGES, SMALL, SMALL, scores, 1, NULL, &err) ||
        an_loader_create(&loader, dataset, indices, TRAINED, &batches, &err) ||
        an_loader_create(&val, dataset, indices, 4, &batches, &err) ||
        an_history_create(&history, &err) ||
        an_trainer_create(&trainer, model, loader, val, history, &options, &err) ||
        an_trainer_run(trainer, &err)) {
        fprintf(stderr, "%s\n", err.message);
        _exit(2);
    }
}

static double peak_of(int32_t replicas) {
    int ends[2], status;
    double most = -1;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        train(replicas);
        most = peak();
        _exit(write(ends[1], &most, sizeof most) != sizeof most);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], &most, sizeof most), sizeof most);
    close(ends[0]);
    close(ends[1]);
    return most;
}

/* The images are 111 MB. A replica has weights, gradients and two moments of them, 4 * 1.6 MB for
 * alpha 0.35, and its part of the activations, which one device has anyway; so a quarter of the
 * data set is room enough for that and for what its threads and its batch of images take. */
static void replicas_share_the_data_set(void **state) {
    (void)state;
    const double images = (double)IMAGES * SMALL * SMALL * 3 / 1e6;
    const double one = peak_of(1), three = peak_of(3), each = (three - one) / 2;
    print_message("one device %.0f MB, three replicas %.0f: %.0f for each more; images %.0f\n", one,
                  three, each, images);
    assert_true(each < images / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(replicas_share_the_data_set),
                                       cmocka_unit_test(an_epoch_fits)};
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
