/* SPDX-License-Identifier: MIT
 * Saves a small model with random weights, of a kind that attractivenet train does not make.
 *
 * usage: untrained FILE classes|yes-no|many|scores
 * classes: three, "<b>a&b</b>", "b", "c"; yes-no: one output for two classes; many: 1001 classes,
 * more than a data set can have; scores: two */
#include <attractivenet/attractivenet.h>

#include <stdio.h>
#include <string.h>

enum { MANY = 1001 };

int main(int argc, char **argv) {
    const char *names[MANY] = {"<b>a&b</b>", "b", "c"};
    static char numbers[MANY][8];
    an_backend *backend = NULL;
    an_model *model = NULL;
    an_mobilenetv2_options options;
    an_error err = {.message = "usage: untrained FILE classes|yes-no|many|scores"};
    if (argc != 3) goto failed;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = 32;
    options.alpha = 0.1;
    options.seed = 3;
    const int is_yes_no = !strcmp(argv[2], "yes-no"), is_scores = !strcmp(argv[2], "scores");
    const int is_many = !strcmp(argv[2], "many");
    for (int i = 3; i < MANY; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%d", i);
        names[i] = numbers[i];
    }
    options.outputs = is_yes_no ? 1 : is_scores ? 2 : is_many ? MANY : 3;
    options.task = is_scores ? AN_TASK_REGRESSION : AN_TASK_CLASSIFICATION;
    if (an_backend_create(&backend, NULL, &err) ||
        an_mobilenetv2_create(&model, backend, &options, &err))
        goto failed;
    if (!is_scores && an_model_set_class_names(model, names, is_yes_no ? 2 : options.outputs, &err))
        goto failed;
    if (an_model_save(model, argv[1], &err)) goto failed;
    an_model_destroy(model);
    an_backend_destroy(backend);
    return 0;
failed:
    fprintf(stderr, "%s\n", err.message);
    an_model_destroy(model);
    an_backend_destroy(backend);
    return 1;
}
