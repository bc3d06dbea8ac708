/* SPDX-License-Identifier: MIT
 * All options of a training and its steps, in one table with their defaults; each program has some.
 */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Words of choices, in the order of the library's constants. */
static const char padding_words[] = "auto|fixed|tutorial";
static const char augment_words[] = "none|fast|keras|legacy";
const char base_words[] = "frozen|statistics|train|finetune";
static const char verbose_words[] = "none|bar|keras";
static const char schedule_words[] = "constant|cosine";
static const char precision_words[] = "fp32|mixed";
static const char cache_words[] = "none|encoded|pixels";
const char scale_words[] = "auto|unit|tf|article";

static const settings defaults = {.weights = "imagenet",
                                  .labels = "All_labels.txt",
                                  .size = 350,
                                  .alpha = 1.0,
                                  .padding = AN_PADDING_AUTO,
                                  .scale = AN_SCALE_AUTO,
                                  .batch = 32,
                                  .epochs1 = 30,
                                  .epochs2 = 30,
                                  .lr1 = 1e-3,
                                  .lr2 = 1e-4,
                                  .augment = AN_AUGMENT_FAST,
                                  .strength = 1,
                                  .seed = 42,
                                  .base2 = AN_BASE_TRAIN,
                                  .patience = 7,
                                  .min_delta = 1e-3,
                                  .momentum = 0.999,
                                  .checkpoint_seconds = 60,
                                  .verbose = AN_VERBOSE_BAR,
                                  .cache = AN_CACHE_ENCODED};

static int has_name(const char *names, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += length)
        if ((at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return 1;
    return 0;
}

void settings_rows(settings *s, const char *names, option_row rows[OPTION_ROWS]) {
    *s = defaults;
    const option_row all[] = {
        option_needed(option_text("data", &s->data, "PATH|URL",
                                  "archive or folder of images with a label file, or where to\n"
                                  "download an archive")),
        option_text("labels", &s->labels, "NAME",
                    "name of the label file among the data, without folders"),
        option_text("suffix", &s->suffix, ".ENDING",
                    "take images with this ending only, in any case;\n"
                    "without it .jpg .jpeg .jpe .jfif .png"),
        option_text("names-encoding", &s->names_encoding, "NAME",
                    "what names in an archive are in that are not marked as UTF-8, and the\n"
                    "label file with them: GBK, CP932, CP1252, ...; without it UTF-8 or CP437"),
        option_flag("skip-damaged", &s->skip_damaged,
                    "leave out what is damaged or doubtful, with a warning: images, label\n"
                    "lines, images without label, other files with a name that is taken"),
        option_needed(option_text("model", &s->model, "FILE", "a model file")),
        option_needed(option_text("history", &s->history, "FILE", "history.csv of a training")),
        option_needed(
            option_text("out", &s->out, "DIR", "folder for the results; made if it is not there")),
        option_count("size", &s->size, 32, 8192, "width and height that images are resized to"),
        option_number("alpha", &s->alpha, 0.01, 10, "width of the network"),
        option_choice("padding", &s->padding, padding_words,
                      "auto: as the model file says, else the tutorial's;\n"
                      "fixed: as Keras with the input shape given"),
        option_text("weights", &s->weights, "imagenet|none|FILE",
                    "imagenet: Keras' file, downloaded once; none: random; or a file"),
        option_formerly_word(
            "seed", option_choice("scale", &s->scale, scale_words,
                                  "pixels become: unit 0..1, tf -1..1, article 0..1000 (as in the\n"
                                  "article's code); auto: as the file says, tf for ImageNet\n"
                                  "weights, unit for random ones")),
        option_count("batch", &s->batch, 1, 65536, "images in a training step"),
        option_count("epochs1", &s->epochs1, 0, 1000000,
                     "stage 1, the head alone: epochs at most; 0 leaves it out"),
        option_count("epochs2", &s->epochs2, 0, 1000000,
                     "stage 2, the whole network: epochs at most; 0 leaves it out"),
        option_number("lr1", &s->lr1, 0, 1000, "learning rate of stage 1"),
        option_number("lr2", &s->lr2, 0, 1000, "learning rate of stage 2"),
        option_choice("schedule", &s->schedule, schedule_words,
                      "learning rate of stage 2: as it is, or falling to 0 over its epochs"),
        option_choice("augment", &s->augment, augment_words,
                      "vary training images: keras draws and samples as its\n"
                      "ImageDataGenerator, legacy as that of 2020, fast does it faster"),
        option_number("augment-strength", &s->strength, 0, 1,
                      "of the tutorial's rotation, shifts, shear and zoom; 0 mirrors only"),
        option_count("seed", &s->seed, 0, INT32_MAX,
                     "of split, order, augmentation and random weights"),
        option_count("threads", &s->threads, 0, 1024,
                     "that compute; 0: as many as there are processors"),
        option_choice("precision", &s->precision, precision_words,
                      "mixed: stage 2 keeps activations as bfloat16, in half the memory,\n"
                      "a little less exact"),
        option_formerly(
            "low-memory",
            option_flag("recompute", &s->recompute,
                        "stage 2 recomputes its widest activations in place of keeping\n"
                        "them: the same result in less memory and a little more time")),
        option_flag("bf16", &s->bf16,
                    "then test with products of bfloat16, too, and keep that model: less memory,\n"
                    "and faster on processors that have instructions for them"),
        option_count("int8", &s->int8, 0, 1000000,
                     "then test in int8, too, calibrated with so many images of the\n"
                     "validation part, and keep that model; 0: do not"),
        option_flag("quiet", &s->quiet, "print errors and warnings only"),
        option_flag("keras-checkpoint", &s->keras_checkpoint,
                    "stage 2 overwrites the model of stage 1 even if it is worse, as the\n"
                    "tutorial's code does"),
        option_choice("base2", &s->base2, base_words,
                      "what stage 2 does to the base: train (weights, batch statistics),\n"
                      "finetune (weights, batch norm stays), statistics (batch norm only),\n"
                      "frozen"),
        option_number("bn-momentum", &s->momentum, 0, 1,
                      "of batch norm's moving statistics; 0.9 suits short runs"),
        option_formerly(
            "recalibrate",
            option_flag("update-batch-norm", &s->update_batch_norm,
                        "set the moving statistics to those of the epoch's images after each\n"
                        "epoch of stage 2")),
        option_count("patience", &s->patience, -1, 1000000,
                     "epochs without improvement before a stage ends; -1: never"),
        option_number("min-delta", &s->min_delta, 0, 1000,
                      "what counts as an improvement of val_loss"),
        option_choice("cache", &s->cache, cache_words,
                      "kept in memory: files as they are, or decoded pixels (faster)"),
        option_flag("extract", &s->extract, "unpack the archive into DIR/data first"),
        option_text("sha256", &s->sha256, "HEX",
                    "the archive must have this hash, downloaded or not"),
        option_flag("resume", &s->resume,
                    "go on with the training in DIR that was interrupted or killed:\n"
                    "it ends with the same model, bit for bit, as if nothing had\n"
                    "happened; without any there, begin. The other options as before,\n"
                    "but for more epochs of the stage that it is in"),
        option_flag("restart", &s->restart, "begin anew, whatever training DIR holds"),
        option_number("checkpoint-seconds", &s->checkpoint_seconds, 0, 1e9,
                      "from checkpoint to checkpoint, which is what a kill costs at most;\n"
                      "there is one after each epoch, too; 0: after every step"),
        option_text("tensorboard", &s->tensorboard, "FOLDER", "write event files there"),
        option_choice("verbose", &s->verbose, verbose_words,
                      "progress of a training: our bar, Keras' texts, or nothing"),
    };
    int used = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all && used < OPTION_ROWS - 1; i++)
        if (has_name(names, all[i].name)) rows[used++] = all[i];
    rows[used] = option_end();
}

void settings_check(const settings *s) {
    if (s->resume && s->restart)
        fprintf(stderr, "--resume and --restart exclude each other\n");
    else if (s->epochs1 + s->epochs2 == 0)
        fprintf(stderr, "--epochs1 and --epochs2 are both 0: nothing to train\n");
    else
        return;
    exit(2);
}

void settings_parse(settings *s, int argc, char **argv, const char *names,
                    const program_text *text) {
    option_row rows[OPTION_ROWS];
    settings_rows(s, names, rows);
    options_parse(argc, argv, rows, text);
    settings_check(s);
}

void settings_download(settings *s, an_download_options *options) {
    an_download_options_init(options, sizeof *options);
    options->sha256 = s->sha256;
    options->expected_type = "zip";
    options->progress = show_progress;
    options->progress_user = &s->quiet;
    options->warn = show_warning;
}

void settings_extract(settings *s, an_extract_options *options) {
    an_extract_options_init(options, sizeof *options);
    options->label_file = s->labels;
    options->suffix = s->suffix;
    options->names_encoding = s->names_encoding;
    options->policy = s->skip_damaged ? AN_POLICY_SKIP : AN_POLICY_STRICT;
    options->progress = show_progress;
    options->progress_user = &s->quiet;
    options->warn = show_warning;
    options->exact = 1;
}

void settings_dataset(const settings *s, an_dataset_options *options, an_extract_options *archive) {
    an_extract_options_init(archive, sizeof *archive);
    archive->names_encoding = s->names_encoding;
    an_dataset_options_init(options, sizeof *options);
    options->archive = archive;
    options->height = options->width = s->size;
    options->cache = s->cache;
    options->label_file = s->labels;
    options->suffix = s->suffix;
    options->policy = s->skip_damaged ? AN_POLICY_SKIP : AN_POLICY_STRICT;
    options->warn = show_warning;
}

void settings_augment(const settings *s, an_augment_options *options) {
    an_augment_options_tutorial(options, sizeof *options);
    options->mode = s->augment;
    options->rotation *= s->strength;
    options->width_shift *= s->strength;
    options->height_shift *= s->strength;
    options->shear *= s->strength;
    options->zoom_low = 1 - (1 - options->zoom_low) * s->strength;
    options->zoom_high = 1 + (options->zoom_high - 1) * s->strength;
}

/* What the trainer warns of, and where an option helps. */
static int32_t show_train_warning(void *user, const an_warning *warning) {
    show_warning(user, warning);
    if (warning->code == AN_WARN_WEAK_FEATURES)
        fprintf(stderr, "--weights imagenet or FILE takes a trained base, --epochs1 0 trains all "
                        "layers from the beginning\n");
    return 0;
}

void settings_train(const settings *s, an_train_options *options) {
    an_train_options_init(options, sizeof *options);
    options->resume_seconds = s->checkpoint_seconds;
    options->tensorboard_dir = s->tensorboard;
    options->early_stop_patience = s->patience;
    options->early_stop_min_delta = s->min_delta;
    options->update_batch_norm = s->update_batch_norm;
    options->precision = s->precision;
    options->recompute = s->recompute;
    options->verbose = s->quiet ? AN_VERBOSE_NONE : s->verbose;
    options->text = show_text;
    options->text_is_terminal = isatty(1);
    options->warn = show_train_warning;
}
