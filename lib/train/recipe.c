/* SPDX-License-Identifier: MIT
 * Recipes: which options go together. docs/recipe.md has the evidence for each number. */
#include <attractivenet/train.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/options.h"

void an_recipe_init(an_recipe *recipe, uint32_t struct_size) {
    const an_recipe defaults = {
        .struct_size = sizeof defaults, .kind = AN_RECIPE_MODERN, .stage = 2, .pretrained = 1};
    ani_options_init(recipe, struct_size, &defaults, sizeof defaults);
}

/** The structs of a recipe as this library knows them. */
typedef struct parts {
    an_train_options train;
    an_head_options head;
    an_optimizer_options optimizer;
    an_schedule_options schedule;
    an_augment_options augment;
    an_loader_options loader;
} parts;

static an_status read_parts(parts *p, const an_recipe *r, an_error *err) {
    an_train_options_init(&p->train, sizeof p->train);
    an_head_options_init(&p->head, sizeof p->head);
    an_optimizer_options_init(&p->optimizer, sizeof p->optimizer);
    an_schedule_options_init(&p->schedule, sizeof p->schedule);
    an_augment_options_tutorial(&p->augment, sizeof p->augment);
    an_loader_options_init(&p->loader, sizeof p->loader);
    an_augment_options unused; /* all of the caller's is replaced */
    const struct {
        void *ours;
        uint32_t size;
        const void *theirs;
        const char *name;
    } all[] = {{&p->train, sizeof p->train, r->train, "an_train_options"},
               {&p->head, sizeof p->head, r->head, "an_head_options"},
               {&p->optimizer, sizeof p->optimizer, r->optimizer, "an_optimizer_options"},
               {&p->schedule, sizeof p->schedule, r->schedule, "an_schedule_options"},
               {&unused, sizeof unused, r->augment, "an_augment_options"},
               {&p->loader, sizeof p->loader, r->loader, "an_loader_options"}};
    an_status st = AN_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && !st; i++)
        st = ani_options_copy(all[i].ours, all[i].size, all[i].theirs, all[i].name, err);
    return st;
}

static void write_parts(const parts *p, const an_recipe *r) {
    ani_report_copy(r->train, &p->train, sizeof p->train);
    ani_report_copy(r->head, &p->head, sizeof p->head);
    ani_report_copy(r->optimizer, &p->optimizer, sizeof p->optimizer);
    ani_report_copy(r->schedule, &p->schedule, sizeof p->schedule);
    ani_report_copy(r->augment, &p->augment, sizeof p->augment);
    ani_report_copy(r->loader, &p->loader, sizeof p->loader);
}

/** The article's, which are the defaults. */
static void set_tutorial(parts *p, const an_recipe *r) {
    an_optimizer_options optimizer;
    an_optimizer_options_init(&optimizer, sizeof optimizer);
    p->train.base = r->stage == 1 ? AN_BASE_FROZEN : AN_BASE_TRAIN;
    p->train.learning_rate = r->stage == 1 ? 1e-3 : 1e-4;
    p->train.average = 0;
    p->train.finetune_from = 0;
    p->train.head = NULL;
    p->train.optimizer = r->optimizer;
    p->train.schedule = r->schedule;
    p->optimizer.kind = optimizer.kind;
    p->optimizer.weight_decay = optimizer.weight_decay;
    p->optimizer.decay_kernels_only = optimizer.decay_kernels_only;
    p->optimizer.layer_decay = optimizer.layer_decay;
    p->schedule.kind = AN_SCHEDULE_CONSTANT;
    p->schedule.final_fraction = 0;
    p->loader.mixup = 0;
    p->loader.augment = r->augment;
}

/** Mirror images alone. */
static void soften(an_augment_options *augment) {
    augment->rotation = augment->width_shift = augment->height_shift = augment->shear = 0;
    augment->zoom_low = augment->zoom_high = 1;
}

static void set_modern(parts *p, const an_recipe *r) {
    soften(&p->augment);
    if (r->stage == 1) {
        p->train.head = r->head;
        return;
    }
    p->train.base = r->pretrained ? AN_BASE_FINETUNE : AN_BASE_TRAIN;
    p->train.learning_rate = r->pretrained ? 3e-4 : 1e-3;
    p->schedule.kind = AN_SCHEDULE_COSINE;
}

static an_status check(const an_recipe *r, an_error *err) {
    if (r->kind < AN_RECIPE_TUTORIAL || r->kind > AN_RECIPE_MODERN)
        return ani_fail(err, AN_ERR_ARG, "an_recipe: kind is %d; it must be AN_RECIPE_*",
                        (int)r->kind);
    if (r->stage < 1 || r->stage > 2)
        return ani_fail(err, AN_ERR_ARG, "an_recipe: stage is %d; it must be 1 or 2",
                        (int)r->stage);
    if (r->pretrained < 0 || r->pretrained > 1)
        return ani_fail(err, AN_ERR_ARG, "an_recipe: pretrained is %d; it must be 0 or 1",
                        (int)r->pretrained);
    return AN_OK;
}

an_status an_recipe_fill(const an_recipe *recipe, an_error *err) {
    an_recipe ours;
    parts p;
    an_recipe_init(&ours, sizeof ours);
    if (!recipe) return ani_fail(err, AN_ERR_ARG, "recipe is NULL");
    an_status st = ani_options_copy(&ours, sizeof ours, recipe, "an_recipe", err);
    if (!st) st = check(&ours, err);
    if (!st) st = read_parts(&p, &ours, err);
    if (st) return st;
    const bool is_modern = ours.kind == AN_RECIPE_MODERN;
    set_tutorial(&p, &ours);
    if (is_modern) set_modern(&p, &ours);
    if (ours.momentum) *ours.momentum = is_modern && !ours.pretrained ? 0.9 : 0.999;
    write_parts(&p, &ours);
    return AN_OK;
}
