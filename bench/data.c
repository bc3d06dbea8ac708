/* SPDX-License-Identifier: MIT
 * Time the data path: decoding, resizing, loading a data set's images, augmenting, whole batches.
 * One JSON line per case, with the fields of the peers' harness: img_per_s is batch / the fastest
 * pass over a batch of different images. */
#include <attractivenet/attractivenet.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "support/scratch.h"

enum { DECODE, RESIZE, LOAD, AUGMENT, BATCHES };
enum { MAX_FILES = 4096, PATH_SIZE = 512 };

static const char task_words[] = "decode|resize|load|augment|batches";
static const char mode_words[] = "none|fast|keras|legacy"; /* as AN_AUGMENT_* */
static const char cache_words[] = "none|encoded|pixels";   /* as AN_CACHE_* */

static const char about[] =
    "Time the data path and print one JSON line. Tasks:\n"
    "  decode   JPEG in memory to pixels\n"
    "  resize   pixels of --from to pixels of --size\n"
    "  load     JPEG files to pixels of --size, as a data set reads them\n"
    "  augment  pixels in memory to batches of floats\n"
    "  batches  JPEG files to batches of floats\n\n"
    "Made-up images are soft shapes with a little noise, quality 90. The augmentation is the\n"
    "tutorial's: rotation 40, shifts, shear and zoom 0.2, horizontal flip. AN_CPU=c|avx2|... "
    "limits\n"
    "the kernels. Compare with peers.py pipeline, whose images lie in $PEERS_HOME/jpeg.";
static const char examples[] =
    "  bench_data --task load --images $PEERS_HOME/jpeg     cv2.imread+resize\n"
    "  bench_data --task augment                            cv2.warpAffine+flip, Keras' generator";

/* The data set's folder; static, since it is removed when the program ends, however that
 * happens. */
static char *folder;

typedef struct bench {
    int32_t task, mode, cache, batch, size, from, threads;
    double seconds;
    const char *images;

    uint8_t **files; /* [batch] encoded */
    int64_t *file_sizes;
    uint8_t *rgb;    /* [batch,from,from,3] */
    uint8_t *pixels; /* [size,size,3] */
    an_dataset *dataset;
    an_loader *loader;
    int64_t epoch;
} bench;

static void *take(size_t size) {
    void *memory = malloc(size);
    if (!memory) bench_fail("no memory for images", NULL);
    return memory;
}

/* --- images -------------------------------------------------------------------------------- */

/* Waves of several lengths, a disc, noise of a few levels: compresses like a photograph. */
static void draw(uint8_t *rgb, int64_t side, int64_t number) {
    uint32_t noise = (uint32_t)number * 2654435761u + 1u;
    for (int64_t y = 0; y < side; y++)
        for (int64_t x = 0; x < side; x++) {
            const int64_t dx = x - side / 2 + number % 17 * 4, dy = y - side / 2;
            const int64_t disc = dx * dx + dy * dy < side * side / 9 ? 60 : 0;
            for (int64_t c = 0; c < 3; c++) {
                const int64_t phase = (x * (3 + c) + y * (5 - c) + number * 31) % 256;
                const int64_t wave = phase < 128 ? phase : 255 - phase;
                noise = noise * 1664525u + 1013904223u;
                const int64_t v = 40 + wave + disc + (noise >> 29);
                *rgb++ = (uint8_t)(v > 255 ? 255 : v);
            }
        }
}

static void file_path(char *path, const char *parent, const char *name) {
    if (snprintf(path, PATH_SIZE, "%s/%s", parent, name) >= PATH_SIZE)
        bench_fail("the path is too long:", parent);
}

static void read_file(const char *path, uint8_t **bytes, int64_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) bench_fail("cannot open", path);
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    *bytes = take((size_t)*size + 1);
    if (fread(*bytes, 1, (size_t)*size, file) != (size_t)*size) bench_fail("cannot read", path);
    fclose(file);
}

static int is_jpeg(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && !strcmp(dot, ".jpg");
}

static void sample_path(char *path, int64_t sample) {
    char name[32];
    snprintf(name, sizeof name, "%06d.jpg", (int)sample);
    file_path(path, folder, name);
}

static void remove_folder(void) {
    scratch_remove(folder);
}

/* A folder with one batch of images and their labels. */
static void make_folder(bench *b) {
    folder = scratch_make(false);
    if (!folder) bench_fail("cannot make a folder", NULL);
    atexit(remove_folder);
    struct dirent **names = NULL;
    int found = 0;
    if (b->images) {
        found = scandir(b->images, &names, is_jpeg, alphasort);
        if (found < 1) bench_fail("no .jpg files in", b->images);
    }
    char path[PATH_SIZE];
    file_path(path, folder, "All_labels.txt");
    FILE *labels = fopen(path, "w");
    if (!labels) bench_fail("cannot write", path);
    b->files = take((size_t)b->batch * sizeof *b->files);
    b->file_sizes = take((size_t)b->batch * sizeof *b->file_sizes);
    an_error err;
    for (int64_t i = 0; i < b->batch; i++) {
        sample_path(path, i);
        fprintf(labels, "%s 3.0\n", path + strlen(folder) + 1);
        if (found) {
            char source[PATH_SIZE];
            file_path(source, b->images, names[i % found]->d_name);
            read_file(source, &b->files[i], &b->file_sizes[i]);
            FILE *copy = fopen(path, "wb");
            const size_t size = (size_t)b->file_sizes[i];
            if (!copy || fwrite(b->files[i], 1, size, copy) != size)
                bench_fail("cannot write", path);
            fclose(copy);
            continue;
        }
        an_image *image;
        bench_check(an_image_create(&image, NULL, b->from, b->from, &err), &err);
        draw(an_image_data(image), b->from, i);
        bench_check(an_image_write_jpeg(image, path, 90, &err), &err);
        an_image_destroy(image);
        read_file(path, &b->files[i], &b->file_sizes[i]);
    }
    fclose(labels);
    for (int i = 0; i < found; i++)
        free(names[i]);
    free(names);
}

/* --- what is timed --------------------------------------------------------------------------- */

static void set_up(bench *b) {
    an_error err;
    if (b->task != RESIZE && b->task != AUGMENT) make_folder(b);
    b->pixels = take((size_t)b->size * (size_t)b->size * 3);
    an_dataset_options options;
    an_dataset_options_init(&options, sizeof options);
    options.height = options.width = b->size;
    options.cache = b->task == LOAD ? AN_CACHE_NONE : b->cache;
    if (b->task == RESIZE || b->task == AUGMENT) {
        if (b->task == AUGMENT) b->from = b->size;
        const int64_t image = 3 * (int64_t)b->from * b->from;
        b->rgb = take((size_t)(b->batch * image));
        for (int64_t i = 0; i < b->batch; i++)
            draw(b->rgb + i * image, b->from, i);
    }
    if (b->task == AUGMENT) {
        double *scores = take((size_t)b->batch * sizeof *scores);
        for (int64_t i = 0; i < b->batch; i++)
            scores[i] = 3;
        bench_check(an_dataset_from_pixels(&b->dataset, b->rgb, b->batch, b->size, b->size, scores,
                                           1, NULL, &err),
                    &err);
        free(scores);
    }
    if (b->task == LOAD || b->task == BATCHES)
        bench_check(an_dataset_open(&b->dataset, folder, &options, &err), &err);
    if (b->task == AUGMENT || b->task == BATCHES) {
        an_augment_options augment;
        an_augment_options_tutorial(&augment, sizeof augment);
        augment.mode = b->mode;
        an_loader_options source;
        an_loader_options_init(&source, sizeof source);
        source.batch_size = (int32_t)b->batch;
        source.threads = b->threads;
        source.augment = &augment;
        bench_check(an_loader_create(&b->loader, b->dataset, NULL, 0, &source, &err), &err);
    }
}

static void decode(bench *b) {
    an_error err;
    for (int64_t i = 0; i < b->batch; i++) {
        an_image *image;
        bench_check(an_image_decode(&image, b->files[i], b->file_sizes[i], NULL, NULL, &err), &err);
        an_image_destroy(image);
    }
}

static void resize(bench *b) {
    an_error err;
    for (int64_t i = 0; i < b->batch; i++)
        bench_check(an_resize_u8(b->rgb + i * 3 * b->from * b->from, b->from, b->from, 3, b->pixels,
                                 b->size, b->size, &err),
                    &err);
}

static void load(bench *b) {
    an_error err;
    for (int64_t i = 0; i < b->batch; i++)
        bench_check(an_dataset_read_pixels(b->dataset, i, b->pixels, &err), &err);
}

/* One batch; each epoch consists of one. */
static void next_batch(bench *b) {
    an_error err;
    an_status st = an_loader_next(b->loader, NULL, NULL, NULL, NULL, &err);
    bench_check(st, &err);
    if (st != AN_DONE) return;
    bench_check(an_loader_begin(b->loader, ++b->epoch, 0, &err), &err);
    bench_check(an_loader_next(b->loader, NULL, NULL, NULL, NULL, &err), &err);
}

static void pass(void *user) {
    bench *b = user;
    switch (b->task) {
    case DECODE:
        decode(b);
        break;
    case RESIZE:
        resize(b);
        break;
    case LOAD:
        load(b);
        break;
    default:
        next_batch(b);
    }
}

static void read_options(bench *b, int argc, char **argv) {
    const option_row rows[] = {
        option_choice("task", &b->task, task_words, "see above"),
        option_choice("mode", &b->mode, mode_words, "of augment and batches"),
        option_choice("cache", &b->cache, cache_words, "of batches"),
        option_count("size", &b->size, 1, 8192, "height and width handed out"),
        option_count("from", &b->from, 1, 8192, "height and width of made-up images"),
        option_text("images", &b->images, "DIR", "JPEG files to use instead of made-up ones"),
        option_count("batch", &b->batch, 1, MAX_FILES, "images in a pass"),
        option_count("threads", &b->threads, 0, 256,
                     "workers of augment and batches beside the caller, who helps;\n"
                     "0: the caller alone"),
        option_number("seconds", &b->seconds, 0, 1e6, "how long to time"),
        option_end()};
    const program_text text = {.usage = "[options]", .about = about, .examples = examples};
    options_parse(argc, argv, rows, &text);
}

int main(int argc, char **argv) {
    bench b = {.task = BATCHES,
               .mode = AN_AUGMENT_FAST,
               .cache = AN_CACHE_ENCODED,
               .batch = 32,
               .size = 350,
               .from = 350,
               .seconds = 3};
    read_options(&b, argc, argv);
    set_up(&b);

    pass(&b); /* maps memory, fills the cache */
    const bench_times ms = bench_time(pass, &b, b.seconds);
    /* With workers, a pass may find its batch ready: only the total time gives the rate. */
    const double best = b.threads ? ms.mean : ms.best, median = b.threads ? ms.mean : ms.median;

    const char *level = getenv("AN_CPU");
    const bool has_mode = b.task == AUGMENT || b.task == BATCHES;
    char task[32], mode[32], cache[32];
    printf("{\"peer\": \"attractivenet\", \"version\": \"%s\", \"task\": \"%s\", \"mode\": \"%s\", "
           "\"cache\": \"%s\", \"batch\": %d, \"from\": %d, \"size\": %d, \"threads\": %d, "
           "\"AN_CPU\": \"%s\", \"passes\": %d, \"img_per_s\": %.1f, \"img_per_s_median\": %.1f, "
           "\"us_per_img_min\": %.1f, \"us_per_img_median\": %.1f, \"peak_rss_mb\": %.0f}\n",
           an_version(), option_word(task, task_words, b.task),
           has_mode ? option_word(mode, mode_words, b.mode) : "",
           b.task == BATCHES ? option_word(cache, cache_words, b.cache) : "", b.batch,
           b.images ? 0 : b.from, b.size, b.threads, level ? level : "", ms.passes,
           1e3 * b.batch / best, 1e3 * b.batch / median, 1e3 * best / b.batch,
           1e3 * median / b.batch, bench_peak_mb());

    an_loader_destroy(b.loader);
    an_dataset_destroy(b.dataset);
    for (int64_t i = 0; b.files && i < b.batch; i++)
        free(b.files[i]);
    free(b.files);
    free(b.file_sizes);
    free(b.rgb);
    free(b.pixels);
    return 0;
}
