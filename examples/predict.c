/* SPDX-License-Identifier: MIT
 * Scores images and folders of images with a trained model: a line each, "name<TAB>score". */
#include "console.h"
#include "options.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

typedef struct path_list {
    char **paths;
    size_t count, room;
} path_list;

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int compare_names(const void *a, const void *b) {
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    const int names = strcmp(base_name(left), base_name(right));
    return names ? names : strcmp(left, right);
}

static int add_path(path_list *list, const char *path) {
    if (list->count == list->room) {
        const size_t room = list->room ? 2 * list->room : 64;
        char **more = realloc(list->paths, room * sizeof *more);
        if (!more) return complain_of("no memory for %zu paths", room);
        list->paths = more;
        list->room = room;
    }
    list->paths[list->count] = strdup(path);
    if (!list->paths[list->count]) return complain_of("no memory for a path");
    list->count++;
    return 0;
}

/* As the library takes them in folders of a data set. */
static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png"};
#define ENDINGS_TEXT ".jpg, .jpeg, .jpe, .jfif or .png"

static int is_image_name(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i])) return 1;
    return 0;
}

static int is_hidden_name(const char *name) {
    return name[0] == '.' || !strcmp(name, "__MACOSX");
}

/* Links to folders are not followed: so no walk is without end. */
static int is_folder(const char *path) {
    struct stat found;
    return !lstat(path, &found) && S_ISDIR(found.st_mode);
}

/** Files of a folder that are not taken. */
typedef struct skipped_files {
    size_t count;
    char first[PATH_SIZE];
} skipped_files;

static int walk_folder(path_list *list, skipped_files *others, const char *folder) {
    DIR *open = opendir(folder);
    if (!open) return complain_of("cannot open the folder '%s': %s", folder, strerror(errno));
    int status = 0;
    char path[PATH_SIZE];
    for (const struct dirent *entry; (entry = readdir(open));) {
        if (is_hidden_name(entry->d_name)) continue;
        join_path(path, folder, entry->d_name);
        if (is_folder(path))
            status |= walk_folder(list, others, path); /* the other folders are read all the same */
        else if (is_image_name(entry->d_name))
            status |= add_path(list, path);
        else if (!others->count++)
            memcpy(others->first, path, sizeof path);
    }
    closedir(open);
    return status;
}

static int add_folder(path_list *list, const char *folder) {
    skipped_files others = {0};
    const size_t before = list->count;
    const int status = walk_folder(list, &others, folder);
    if (others.count == 1)
        fprintf(stderr, "warning: skipped '%s', which does not end in " ENDINGS_TEXT "\n",
                others.first);
    else if (others.count)
        fprintf(stderr,
                "warning: skipped %zu files in '%s' that do not end in " ENDINGS_TEXT
                ", such as '%s'\n",
                others.count, folder, others.first);
    if (list->count == before && !status)
        fprintf(stderr, "warning: there are no images in '%s'\n", folder);
    return status;
}

/* A name with control characters would break the table that others read. */
static void print_name(const char *name) {
    for (; *name; name++)
        putchar(iscntrl((unsigned char)*name) ? '?' : *name);
}

typedef struct request {
    const char *model;
    int32_t scale, padding, size, threads;
} request;

static int open_predictor(const request *ask, an_predictor **predictor, int32_t *outputs) {
    an_error err = {0};
    int status = 1;
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_backend_options device;
    an_backend_options_init(&device, sizeof device);
    device.threads = ask->threads;
    an_mobilenetv2_options options;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = ask->size; /* 0: as the file says */
    options.scale = ask->scale;
    options.padding = ask->padding;
    an_model_info info;
    an_model_info_init(&info, sizeof info);
    if (an_backend_create(&backend, &device, &err) ||
        an_model_load(&model, backend, ask->model, &options, &err) ||
        an_model_describe(model, &info, &err) || an_predictor_create(predictor, model, &err)) {
        complain(&err);
        goto done;
    }
    *outputs = info.outputs;
    status = 0;
done:
    an_model_destroy(model);
    an_backend_destroy(backend);
    return status;
}

/* The file's name, or the path if another image in the sorted list has that name, too. */
static const char *name_in(const path_list *list, size_t i) {
    const char *name = base_name(list->paths[i]);
    const int is_same = (i > 0 && !strcmp(name, base_name(list->paths[i - 1]))) ||
                        (i + 1 < list->count && !strcmp(name, base_name(list->paths[i + 1])));
    return is_same ? list->paths[i] : name;
}

static int score_all(const path_list *list, an_predictor *predictor, int32_t outputs) {
    an_error err;
    int status = 0;
    float *scores = malloc((size_t)outputs * sizeof *scores);
    if (!scores) return complain_of("no memory for %d scores", (int)outputs);
    for (size_t i = 0; i < list->count; i++) {
        if (an_predictor_score_file(predictor, list->paths[i], scores, &err)) {
            status = complain(&err);
            continue;
        }
        print_name(name_in(list, i));
        for (int32_t k = 0; k < outputs; k++)
            printf("\t%.6f", (double)scores[k]);
        printf("\n");
    }
    free(scores);
    if (fflush(stdout) || ferror(stdout)) return complain_of("cannot write the scores");
    return status;
}

static const program_text text = {
    .usage = "--model FILE [options] IMAGE|FOLDER...",
    .about = "Scores photographs with a trained model. Prints a line each, sorted by name:\n"
             "name, tab, score; where two images have one name, their paths instead. Folders are\n"
             "searched with the folders in them for files that end in .jpg, .jpeg, .jpe, .jfif or\n"
             ".png; other files are counted on stderr, hidden ones are not.\n"
             "An image that cannot be read gets a line on stderr, the others are scored, and\n"
             "the exit status is 1.",
    .examples = "  predict --model run/model.safetensors face.jpg holiday/\n"
                "  predict --model tutorial.h5 --scale article face.jpg",
};

int main(int argc, char **argv) {
    request ask = {.scale = AN_SCALE_AUTO, .padding = AN_PADDING_AUTO};
    const option_row rows[] = {
        option_text("model", &ask.model, "FILE",
                    "model.safetensors of attractivenet, or a model that Keras has saved"),
        option_formerly_word(
            "seed", option_choice("scale", &ask.scale, "auto|unit|tf|article",
                                  "how pixels were scaled in training; auto: as the file says\n"
                                  "(a Keras file does not: then it must be given)")),
        option_choice("padding", &ask.padding, "auto|fixed|tutorial",
                      "auto: as the file says, else the tutorial's"),
        option_count("size", &ask.size, 0, 8192,
                     "width and height of the network's input; 0: as the file says"),
        option_count("threads", &ask.threads, 0, 1024,
                     "that compute; 0: as many as there are processors"),
        option_end()};
    const int first = options_parse(argc, argv, rows, &text);
    if (first >= argc || !ask.model) {
        fprintf(stderr, "usage: predict %s\n'predict --help' explains\n", text.usage);
        return 2;
    }
    int status = 0;
    int32_t outputs = 0;
    path_list list = {0};
    an_predictor *predictor = NULL;
    for (int i = first; i < argc; i++) {
        struct stat found;
        const int has_images = !stat(argv[i], &found) && S_ISDIR(found.st_mode);
        status |= has_images ? add_folder(&list, argv[i]) : add_path(&list, argv[i]);
    }
    if (!list.count) {
        status |= complain_of("no images to score");
        goto done;
    }
    qsort(list.paths, list.count, sizeof *list.paths, compare_names);
    if (open_predictor(&ask, &predictor, &outputs)) {
        status = 1;
        goto done;
    }
    status |= score_all(&list, predictor, outputs);
done:
    an_predictor_destroy(predictor);
    for (size_t i = 0; i < list.count; i++)
        free(list.paths[i]);
    free(list.paths);
    return status;
}
