/* SPDX-License-Identifier: MIT
 * All options of training and its steps, in one table with their defaults; each program uses some
 * of them.
 */
#include "settings.h"

#include "replicas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Words for choices, in the order of the library's constants. */
static const char padding_words[] = "auto|fixed|tutorial|symmetric";
static const char augment_words[] = "none|fast|keras|legacy";
const char base_words[] = "frozen|statistics|train|finetune";
static const char verbose_words[] = "none|bar|keras";
static const char schedule_words[] = "constant|cosine";
static const char precision_words[] = "fp32|mixed";
static const char cache_words[] = "none|encoded|pixels";
static const char head_words[] = "adam|ridge";
static const char recipe_words[] = "tutorial|modern";
const char scale_words[] = "auto|unit|tf|article|torch";

const settings settings_defaults = {.weights = "imagenet",
                                    .device = "cpu",
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
                                    .interval = 0.9,
                                    .verbose = AN_VERBOSE_BAR,
                                    .deadline = 60,
                                    .cache = AN_CACHE_ENCODED};

static int has_name(const char *names, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += length)
        if ((at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return 1;
    return 0;
}

void settings_rows(settings *s, const char *names, option_row rows[OPTION_ROWS]) {
    *s = settings_defaults;
    const option_row all[] = {
        option_needed(
            option_text("data", &s->data, "PATH|URL",
                        "archive or folder of images with a label file, or the URL of an\n"
                        "archive")),
        option_text("labels", &s->labels, "NAME", "base name of the label file in the data"),
        option_text("suffix", &s->suffix, ".ENDING",
                    "use only images with this extension, case-insensitive;\n"
                    "without it .jpg .jpeg .jpe .jfif .png"),
        option_text("names-encoding", &s->names_encoding, "NAME",
                    "encoding of names in the archive that are not marked as UTF-8, and of\n"
                    "the label file: GBK, CP932, CP1252, ...; without it UTF-8 or CP437"),
        option_flag("skip-damaged", &s->skip_damaged,
                    "leave out, with a warning, damaged images, invalid label lines,\n"
                    "images without a label, and other files with a duplicate name"),
        option_needed(option_text("model", &s->model, "FILE", "a model file")),
        option_needed(option_text("history", &s->history, "FILE", "history.csv from training")),
        option_needed(
            option_text("out", &s->out, "DIR", "folder for the results; created if missing")),
        option_count("size", &s->size, 32, 8192, "width and height to which images are resized"),
        option_number("alpha", &s->alpha, 0.01, 10, "width multiplier of the network"),
        option_choice("padding", &s->padding, padding_words,
                      "auto: as stored in the model file, otherwise as in the tutorial;\n"
                      "fixed: as Keras with a given input shape"),
        option_text("weights", &s->weights, "imagenet|none|FILE",
                    "imagenet: Keras' weights, downloaded once; none: random; or a file"),
        option_formerly_word(
            "seed", "article",
            option_choice("scale", &s->scale, scale_words,
                          "range of scaled pixels: unit 0..1, tf -1..1, article 0..1000 (as in\n"
                          "the article's code); auto: as stored in the file, tf for\n"
                          "ImageNet weights, unit for random ones")),
        option_count("batch", &s->batch, 1, 65536, "batch size"),
        option_choice("recipe", &s->recipe, recipe_words,
                      "modern: options that give a better model (docs/recipe.md); each is\n"
                      "printed, and those given beside it win"),
        option_count("epochs1", &s->epochs1, 0, 1000000,
                     "stage 1, head only: maximum number of epochs; 0 skips it"),
        option_count("epochs2", &s->epochs2, 0, 1000000,
                     "stage 2, whole network: maximum number of epochs; 0 skips it"),
        option_noted(&s->given.head,
                     option_choice(
                         "head", &s->head, head_words,
                         "stage 1: adam trains the head in steps; ridge computes its best weights\n"
                         "at once, from images without augmentation; --epochs1 and --lr1 then do\n"
                         "not matter, except that 0 epochs skip it")),
        option_number("penalty", &s->penalty, 0, 1e12,
                      "of a ridge head: weight of the sum of squares of its weights; 0: chosen\n"
                      "by cross-validation"),
        option_number("interval", &s->interval, 0, 0.999,
                      "level of the interval around each score: the share of true scores that\n"
                      "lie within it, measured on the validation part; 0: none"),
        option_noted(&s->given.lr1,
                     option_number("lr1", &s->lr1, 0, 1000, "learning rate of stage 1")),
        option_noted(&s->given.lr2,
                     option_number("lr2", &s->lr2, 0, 1000, "learning rate of stage 2")),
        option_noted(&s->given.schedule,
                     option_choice("schedule", &s->schedule, schedule_words,
                                   "learning rate of stage 2: constant, or decaying to 0\n"
                                   "over its epochs")),
        option_count("warmup", &s->warmup, 0, 1000000,
                     "epochs of stage 2 in which the learning rate rises from 0"),
        option_noted(
            &s->given.weight_decay,
            option_number("weight-decay", &s->weight_decay, 0, 1000,
                          "decoupled weight decay of stage 2 (AdamW), of the kernels only;\n"
                          "0: Adam")),
        option_noted(
            &s->given.layer_decay,
            option_number("layer-decay", &s->layer_decay, 0, 1,
                          "in stage 2, the learning rate of each layer is that of the layer\n"
                          "after it times this factor; 0: the same rate for all")),
        option_noted(
            &s->given.average,
            option_number("average", &s->average, 0, 0.999999,
                          "decay of an exponential moving average of the weights in stage 2,\n"
                          "which is validated and saved in their place; 0: none")),
        option_choice("augment", &s->augment, augment_words,
                      "augment training images: keras as its ImageDataGenerator does,\n"
                      "legacy as in 2020, fast with a faster implementation"),
        option_noted(&s->given.strength,
                     option_number("augment-strength", &s->strength, 0, 1,
                                   "scales the tutorial's rotation, shifts, shear and zoom;\n"
                                   "0: flips only")),
        option_noted(
            &s->given.mixup,
            option_number("mixup", &s->mixup, 0, 100,
                          "mix each training image and its score with one of a similar score\n"
                          "(C-Mixup): the alpha of the Beta distribution; 0: off")),
        option_noted(&s->given.erase,
                     option_number("erase", &s->erase, 0, 1,
                                   "probability that a rectangle of a training image is erased")),
        option_number("jitter", &s->jitter, 0, 1,
                      "change brightness, contrast and saturation of training images by\n"
                      "up to this fraction"),
        option_count("seed", &s->seed, 0, INT32_MAX,
                     "seed for split, shuffling, augmentation and random weights"),
        option_count("folds", &s->folds, 0, 1000,
                     "cross-validation: train this many models, each tested on another part\n"
                     "of the data, in DIR/fold-1, DIR/fold-2, ...; 0: one model"),
        option_text("fold-files", &s->fold_files, "FOLDER",
                    "cross-validation with the data set's own parts: test images are the\n"
                    "names in FOLDER/cross_validation_N/test_N.txt, N = 1, 2, ..."),
        option_text("device", &s->device, device_words, device_help),
        option_text("devices", &s->devices, "N|LIST",
                    "train on N replicas, N devices of --device's kind: --batch is divided\n"
                    "among them, and for the processor, --threads, too; or on the devices of\n"
                    "a list, such as cuda:0,cuda:1"),
        option_number("deadline", &s->deadline, 0.001, 1e6,
                      "processes of mpirun or srun: stop all if one is missing for so long"),
        option_flag("sync-batch-norm", &s->sync_batch_norm,
                    "with several replicas, batch norm uses the statistics of the whole\n"
                    "batch, so that N replicas compute what one does; without it each uses\n"
                    "those of its own part"),
        option_count("threads", &s->threads, 0, 1024, "compute threads; 0: one per processor"),
        option_choice("precision", &s->precision, precision_words,
                      "mixed: stage 2 stores activations as bfloat16: half the memory,\n"
                      "slightly less precise"),
        option_formerly(
            "low-memory",
            option_flag("recompute", &s->recompute,
                        "stage 2 recomputes its widest activations instead of keeping\n"
                        "them: the same result with less memory and slightly more time")),
        option_flag("bf16", &s->bf16,
                    "also test with bfloat16 inference and save that model: less memory,\n"
                    "and faster on processors with bfloat16 instructions"),
        option_count("int8", &s->int8, 0, 1000000,
                     "also test with int8 inference, calibrated with this many validation\n"
                     "images, and save that model; 0: off"),
        option_flag("quiet", &s->quiet, "print only errors and warnings"),
        option_flag("keras-checkpoint", &s->keras_checkpoint,
                    "stage 2 overwrites the model of stage 1 even if it is worse, as the\n"
                    "tutorial's code does"),
        option_noted(
            &s->given.base2,
            option_choice("base2", &s->base2, base_words,
                          "what stage 2 trains in the base: train (weights and batch norm),\n"
                          "finetune (weights, with batch norm fixed), statistics (batch norm\n"
                          "only), frozen (nothing)")),
        option_noted(
            &s->given.finetune_from,
            option_count("finetune-from", &s->finetune_from, 0, 1000000,
                         "from this epoch of stage 2 on, --base2 train goes on as finetune;\n"
                         "0: never")),
        option_noted(&s->given.momentum,
                     option_number("bn-momentum", &s->momentum, 0, 1,
                                   "momentum of the moving statistics; 0.9 suits short runs")),
        option_formerly(
            "recalibrate",
            option_flag("update-batch-norm", &s->update_batch_norm,
                        "after each epoch of stage 2, recompute the moving statistics from\n"
                        "the images of that epoch")),
        option_count("patience", &s->patience, -1, 1000000,
                     "epochs without improvement before a stage ends; -1: never"),
        option_number("min-delta", &s->min_delta, 0, 1000,
                      "minimum decrease of val_loss that counts as an improvement"),
        option_choice("cache", &s->cache, cache_words,
                      "keep in memory: encoded files, or decoded pixels (faster)"),
        option_flag("extract", &s->extract, "unpack the archive into DIR/data first"),
        option_text("sha256", &s->sha256, "HEX",
                    "expected SHA-256 of the archive, whether downloaded or local"),
        option_flag("resume", &s->resume,
                    "resume an interrupted or killed run in DIR: the final model is\n"
                    "bit-identical to that of an uninterrupted run. If there is none,\n"
                    "start a new one. Use the same options as before; only the number\n"
                    "of epochs of the current stage may be increased"),
        option_flag("restart", &s->restart, "start over, discarding any run in DIR"),
        option_number("checkpoint-seconds", &s->checkpoint_seconds, 0, 1e9,
                      "time between checkpoints: the most that can be lost to a kill;\n"
                      "there is one after each epoch, too; 0: after every step"),
        option_text("tensorboard", &s->tensorboard, "FOLDER", "folder for TensorBoard event files"),
        option_choice("verbose", &s->verbose, verbose_words,
                      "training progress: a progress bar, Keras' output, or nothing"),
    };
    int used = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all && used < OPTION_ROWS - 1; i++)
        if (has_name(names, all[i].name)) rows[used++] = all[i];
    rows[used] = option_end();
}

/* The values of a recipe for the options that were not given. */
static void take_recipe(settings *s) {
    an_train_options first, second;
    an_head_options head;
    an_optimizer_options optimizer;
    an_schedule_options schedule;
    an_augment_options augment, tutorial;
    an_loader_options loader;
    an_recipe recipe;
    double momentum = s->momentum;
    const settings_given *given = &s->given;
    an_train_options_init(&first, sizeof first);
    an_train_options_init(&second, sizeof second);
    an_head_options_init(&head, sizeof head);
    an_optimizer_options_init(&optimizer, sizeof optimizer);
    an_schedule_options_init(&schedule, sizeof schedule);
    an_augment_options_tutorial(&augment, sizeof augment);
    an_augment_options_tutorial(&tutorial, sizeof tutorial);
    an_loader_options_init(&loader, sizeof loader);
    an_recipe_init(&recipe, sizeof recipe);
    recipe.kind = s->recipe;
    recipe.pretrained = strcmp(s->weights, "none") != 0;
    recipe.stage = 1;
    recipe.train = &first;
    recipe.head = &head;
    an_recipe_fill(&recipe, NULL);
    recipe.stage = 2;
    recipe.train = &second;
    recipe.optimizer = &optimizer;
    recipe.schedule = &schedule;
    recipe.augment = &augment;
    recipe.loader = &loader;
    recipe.momentum = &momentum;
    an_recipe_fill(&recipe, NULL);
    if (!given->head) s->head = first.head != NULL;
    if (!given->lr1) s->lr1 = first.learning_rate;
    if (!given->lr2) s->lr2 = second.learning_rate;
    if (!given->base2) s->base2 = second.base;
    if (!given->average) s->average = second.average;
    if (!given->finetune_from) s->finetune_from = second.finetune_from;
    if (!given->schedule) s->schedule = schedule.kind;
    if (!given->weight_decay)
        s->weight_decay = optimizer.kind == AN_OPTIM_ADAMW ? optimizer.weight_decay : 0;
    if (!given->layer_decay) s->layer_decay = optimizer.layer_decay;
    if (!given->strength) s->strength = augment.rotation / tutorial.rotation;
    if (!given->erase) s->erase = augment.erase;
    if (!given->mixup) s->mixup = loader.mixup;
    if (!given->momentum) s->momentum = momentum;
}

void settings_use_recipe(settings *s, const option_row *rows) {
    char before[OPTION_ROWS][64], value[64];
    if (!s->recipe) return;
    for (int i = 0; rows[i].name; i++)
        option_value(before[i], &rows[i]);
    take_recipe(s);
    say(s->quiet, "recipe %s:", option_word(value, recipe_words, s->recipe));
    for (int i = 0; rows[i].name; i++)
        if (strcmp(before[i], option_value(value, &rows[i])) != 0)
            say(s->quiet, " --%s %s", rows[i].name, value);
    say(s->quiet, "\n");
}

void settings_check(const settings *s) {
    if (s->resume && s->restart)
        fprintf(stderr, "--resume and --restart cannot be used together\n");
    else if (s->folds == 1)
        fprintf(stderr, "--folds is 1; it must be 0 or at least 2\n");
    else if (s->folds && s->fold_files)
        fprintf(stderr, "--folds and --fold-files cannot be used together\n");
    else if (s->epochs1 + s->epochs2 == 0)
        fprintf(stderr, "--epochs1 and --epochs2 are both 0: nothing to train\n");
    else if (s->finetune_from && s->base2 != AN_BASE_TRAIN)
        fprintf(stderr, "--finetune-from needs --base2 train\n");
    else if ((s->erase > 0 || s->jitter > 0) && s->augment != AN_AUGMENT_FAST)
        fprintf(stderr, "--erase and --jitter need --augment fast\n");
    else if (s->mixup > 0 && s->augment != AN_AUGMENT_FAST && s->augment != AN_AUGMENT_NONE)
        fprintf(stderr, "--mixup needs --augment fast or none\n");
    else if (s->devices && !replicas_are_valid(s->devices))
        fprintf(stderr,
                "--devices is '%s'; it must be a number from 1 to %d, or as many devices separated "
                "by commas\n",
                s->devices, REPLICAS_MOST);
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
    options->erase = s->erase;
    if (s->jitter > 0) {
        options->brightness_low = 1 - s->jitter;
        options->brightness_high = 1 + s->jitter;
        options->contrast = options->saturation = s->jitter;
    }
}

/* The trainer's warnings, and which option helps. */
static int32_t show_train_warning(void *user, const an_warning *warning) {
    show_warning(user, warning);
    if (warning->code == AN_WARN_WEAK_FEATURES)
        fprintf(stderr,
                "--weights imagenet or FILE starts from a trained base; --epochs1 0 trains all "
                "layers from the start\n");
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

void settings_stage2(const settings *s, int64_t steps, an_train_options *options,
                     an_optimizer_options *optimizer, an_schedule_options *schedule) {
    an_optimizer_options_init(optimizer, sizeof *optimizer);
    an_schedule_options_init(schedule, sizeof *schedule);
    if (s->weight_decay > 0) {
        optimizer->kind = AN_OPTIM_ADAMW;
        optimizer->weight_decay = s->weight_decay;
        optimizer->decay_kernels_only = 1;
    }
    optimizer->layer_decay = s->layer_decay;
    schedule->kind = s->schedule;
    schedule->warmup_steps = s->warmup * steps;
    options->optimizer = optimizer;
    options->schedule = schedule;
    options->average = s->average;
    options->finetune_from = s->finetune_from;
}
