/* SPDX-License-Identifier: MIT
 * What the batches of a run depend on, as settings. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "augment/loader.h"
#include "io/sha256.h"

static const char *const augment_words[] = {"none", "fast", "keras", "legacy", NULL};
static const char *const fill_words[] = {"nearest", "constant", "reflect", "wrap", NULL};

/** The numbers of a list of shifts, as a hash, since the list may be long. */
static void add_shifts(ani_setting_list *to, const char *name, const double *shifts,
                       int64_t count) {
    ani_sha256 sha;
    char digits[65];
    ani_sha256_begin(&sha);
    ani_sha256_add(&sha, shifts, count * (int64_t)sizeof *shifts);
    ani_sha256_end(&sha, digits);
    ani_setting_text(to, name, count ? digits : "none");
}

static void add_augment(ani_setting_list *to, const an_augment_options *o) {
    ani_setting_word(to, "augment", o->mode, augment_words);
    if (o->mode == AN_AUGMENT_NONE) return; /* the rest has no effect */
    ani_setting_whole(to, "augment.horizontal_flip", o->horizontal_flip);
    ani_setting_whole(to, "augment.vertical_flip", o->vertical_flip);
    ani_setting_word(to, "augment.fill", o->fill, fill_words);
    ani_setting_number(to, "augment.rotation", o->rotation);
    ani_setting_number(to, "augment.width_shift", o->width_shift);
    ani_setting_number(to, "augment.height_shift", o->height_shift);
    ani_setting_number(to, "augment.shear", o->shear);
    ani_setting_number(to, "augment.zoom_low", o->zoom_low);
    ani_setting_number(to, "augment.zoom_high", o->zoom_high);
    ani_setting_number(to, "augment.channel_shift", o->channel_shift);
    ani_setting_number(to, "augment.brightness_low", o->brightness_low);
    ani_setting_number(to, "augment.brightness_high", o->brightness_high);
    ani_setting_number(to, "augment.fill_value", o->fill_value);
    ani_setting_number(to, "augment.contrast", o->contrast);
    ani_setting_number(to, "augment.saturation", o->saturation);
    ani_setting_number(to, "augment.erase", o->erase);
    add_shifts(to, "augment.width_shifts", o->width_shifts, o->width_shift_count);
    add_shifts(to, "augment.height_shifts", o->height_shifts, o->height_shift_count);
}

/** The samples of a loader in order: their number, and a hash of names, labels and weights, if any;
 * for a callback, the identity that it states. */
static void add_samples(ani_setting_list *to, const char *name, const an_loader *loader) {
    const an_dataset *dataset = ani_loader_dataset(loader);
    const an_loader_source *source = ani_loader_source(loader);
    const int64_t count = an_loader_samples(loader);
    ani_sha256 sha;
    char digits[65], text[300];
    if (source) {
        snprintf(text, sizeof text, "%" PRId64 " of a callback (%s%s)", count,
                 source->identity ? source->identity : "unknown",
                 source->weighted ? "; with weights" : "");
        ani_setting_text(to, name, text);
        return;
    }
    ani_sha256_begin(&sha);
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = ani_loader_sample(loader, i);
        const char *file = an_dataset_name(dataset, sample);
        ani_sha256_add(&sha, file, (int64_t)strlen(file) + 1);
        for (int32_t output = 0; output < an_dataset_outputs(dataset); output++) {
            const double score = an_dataset_score(dataset, sample, output);
            ani_sha256_add(&sha, &score, sizeof score);
        }
        const double weight = an_dataset_weight(dataset, sample);
        if (an_dataset_has_weights(dataset)) ani_sha256_add(&sha, &weight, sizeof weight);
    }
    ani_sha256_end(&sha, digits);
    snprintf(text, sizeof text, "%" PRId64 " (names and labels%s: %.16s)", count,
             an_dataset_has_weights(dataset) ? ", weights" : "", digits);
    ani_setting_text(to, name, text);
}

void ani_loader_settings(const an_loader *train, const an_loader *val, ani_setting_list *to) {
    const an_loader_options *o = ani_loader_options(train);
    ani_setting_whole(to, "batch", o->batch_size);
    ani_setting_whole(to, "seed", o->seed);
    ani_setting_whole(to, "shuffle", o->shuffle);
    ani_setting_whole(to, "last_batch", !o->drop_last);
    ani_setting_whole(to, "iterator", o->iterator);
    ani_setting_number(to, "mixup", o->mixup);
    ani_setting_number(to, "mixup_bandwidth", o->mixup > 0 ? o->mixup_bandwidth : 0);
    add_augment(to, o->augment);
    add_samples(to, "training_samples", train);
    if (!val) {
        ani_setting_text(to, "validation_samples", "none");
        return;
    }
    add_samples(to, "validation_samples", val);
    ani_setting_whole(to, "validation_batch", ani_loader_options(val)->batch_size);
    ani_setting_whole(to, "validation_last_batch", !ani_loader_options(val)->drop_last);
}
