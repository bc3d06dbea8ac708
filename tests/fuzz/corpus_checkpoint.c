/* SPDX-License-Identifier: MIT
 * Seeds: checkpoints of the smallest run there is. */
#include "corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "io/sha256.h"
#include "support/scratch.h"

an_trainer *corpus_trainer(const char *resume_path, int32_t restore_best) {
    enum { SIZE = 32, COUNT = 4 };
    static uint8_t rgb[COUNT * SIZE * SIZE * 3];
    static const double scores[COUNT] = {1, 2, 3, 4};
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_dataset *dataset = NULL;
    an_loader *loader = NULL;
    an_trainer *trainer = NULL;
    an_error err;
    an_backend_options device;
    an_mobilenetv2_options net;
    an_loader_options order;
    an_train_options options;
    an_backend_options_init(&device, sizeof device);
    device.threads = 1;
    an_mobilenetv2_options_init(&net, sizeof net);
    net.height = net.width = SIZE;
    net.alpha = 0.1;
    an_loader_options_init(&order, sizeof order);
    order.batch_size = 2;
    order.threads = 0;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 9;
    options.restore_best = restore_best;
    options.resume_path = resume_path;
    options.resume_seconds = 0;
    corpus_need(!an_backend_create(&backend, &device, &err), err.message);
    corpus_need(!an_mobilenetv2_create(&model, backend, &net, &err), err.message);
    corpus_need(!an_dataset_from_pixels(&dataset, rgb, COUNT, SIZE, SIZE, scores, 1, NULL, &err),
                err.message);
    corpus_need(!an_loader_create(&loader, dataset, NULL, 0, &order, &err), err.message);
    corpus_need(!an_trainer_create(&trainer, model, loader, NULL, NULL, &options, &err),
                err.message);
    an_loader_destroy(loader); /* the trainer holds them all */
    an_dataset_destroy(dataset);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return trainer;
}

bool corpus_seal(uint8_t *bytes, int64_t size) {
    static const char begin[] = "{\"__metadata__\":{\"sha256\":\"";
    enum { PLACE = 8 + sizeof begin - 1, DIGITS = 64 };
    ani_sha256 sha;
    char digits[DIGITS + 1];
    if (size < PLACE + DIGITS || memcmp(bytes + 8, begin, sizeof begin - 1) != 0) return false;
    memset(bytes + PLACE, '0', DIGITS);
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, bytes, size);
    ani_sha256_end(&sha, digits);
    memcpy(bytes + PLACE, digits, DIGITS);
    return true;
}

static void add_quoted(ani_text *text, const char *string) {
    ani_text_print(text, "\"");
    for (; *string; string++)
        ani_text_print(text, *string == '\n' ? "\\n" : "%c", *string);
    ani_text_print(text, "\"");
}

/* The metadata of a checkpoint, with another version. */
static void add_small(corpus *all, const char *name, const an_arrays *arrays, const char *version,
                      bool is_good) {
    ani_text text = {0};
    ani_text_print(&text, "\"sha256\":\"%064d\"", 0);
    for (int64_t i = 0; i < an_arrays_metadata_count(arrays); i++) {
        const char *key = an_arrays_metadata_key(arrays, i);
        if (!strcmp(key, "sha256")) continue;
        ani_text_print(&text, ",");
        add_quoted(&text, key);
        ani_text_print(&text, ":");
        add_quoted(&text, strcmp(key, "checkpoint") ? an_arrays_metadata(arrays, key) : version);
    }
    corpus_need(!text.failed, "memory");
    corpus_add_arrays(all, name, arrays, text.bytes, is_good);
    ani_text_clear(&text);
}

void corpus_checkpoint(corpus *all) {
    char path[4200], file[4300];
    an_error err;
    char *folder = scratch_make(true);
    corpus_need(folder, "no folder for it");
    snprintf(path, sizeof path, "%s/run", folder);
    for (int32_t best = 0; best < 2; best++) {
        /* written at the begin, after each of two steps, and at the end */
        an_trainer *trainer = corpus_trainer(path, best);
        corpus_need(!an_trainer_run_epoch(trainer, NULL, &err), err.message);
        an_trainer_destroy(trainer);
        for (int number = 1; number <= 2; number++) {
            an_arrays *arrays = NULL;
            char name[64];
            snprintf(file, sizeof file, "%s-%d.safetensors", path, number);
            corpus_need(!an_arrays_read(&arrays, file, &err), err.message);
            snprintf(name, sizeof name, "%s-%d.safetensors", best ? "best" : "plain", number);
            add_small(all, name, arrays, "1", true);
            if (!best && number == 1) add_small(all, "newer.safetensors", arrays, "2", false);
            an_arrays_destroy(arrays);
        }
        corpus_need(!an_checkpoint_remove(path, &err), err.message);
    }
    scratch_remove(folder);
}
