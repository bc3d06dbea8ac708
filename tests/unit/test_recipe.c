/* SPDX-License-Identifier: MIT
 * Recipes: the tutorial's are the defaults; what the modern one sets; structs of other sizes; what
 * is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <attractivenet/train.h>

/** All that a recipe writes to. */
typedef struct parts {
    an_train_options train;
    an_head_options head;
    an_optimizer_options optimizer;
    an_schedule_options schedule;
    an_augment_options augment;
    an_loader_options loader;
    double momentum;
} parts;

static void begin(parts *p) {
    memset(p, 0, sizeof *p);
    an_train_options_init(&p->train, sizeof p->train);
    an_head_options_init(&p->head, sizeof p->head);
    an_optimizer_options_init(&p->optimizer, sizeof p->optimizer);
    an_schedule_options_init(&p->schedule, sizeof p->schedule);
    an_augment_options_tutorial(&p->augment, sizeof p->augment);
    an_loader_options_init(&p->loader, sizeof p->loader);
    p->momentum = 0.999; /* the default of an_model */
}

static an_recipe recipe_of(parts *p, int32_t kind, int32_t stage, int32_t pretrained) {
    an_recipe recipe;
    an_recipe_init(&recipe, sizeof recipe);
    recipe.kind = kind;
    recipe.stage = stage;
    recipe.pretrained = pretrained;
    recipe.momentum = &p->momentum;
    recipe.train = &p->train;
    recipe.head = &p->head;
    recipe.optimizer = &p->optimizer;
    recipe.schedule = &p->schedule;
    recipe.augment = &p->augment;
    recipe.loader = &p->loader;
    return recipe;
}

static void fill(parts *p, int32_t kind, int32_t stage, int32_t pretrained) {
    const an_recipe recipe = recipe_of(p, kind, stage, pretrained);
    an_error err = {0};
    if (an_recipe_fill(&recipe, &err)) fail_msg("%s", err.message);
}

static void tutorial_is_the_defaults(void **state) {
    (void)state;
    for (int32_t stage = 1; stage <= 2; stage++) {
        parts p, want;
        begin(&p);
        begin(&want);
        want.train.base = stage == 1 ? AN_BASE_FROZEN : AN_BASE_TRAIN;
        want.train.learning_rate = stage == 1 ? 1e-3 : 1e-4;
        want.train.optimizer = &p.optimizer;
        want.train.schedule = &p.schedule;
        want.loader.augment = &p.augment;
        fill(&p, AN_RECIPE_MODERN, 2, 1); /* nothing of it may be left */
        fill(&p, AN_RECIPE_TUTORIAL, stage, stage - 1);
        assert_memory_equal(&p, &want, sizeof p);
    }
}

static void modern_for_trained_weights(void **state) {
    (void)state;
    parts p;
    begin(&p);
    fill(&p, AN_RECIPE_MODERN, 1, 1);
    assert_ptr_equal(p.train.head, &p.head);
    assert_int_equal(p.train.base, AN_BASE_FROZEN);
    begin(&p);
    p.train.max_epochs = 11;
    p.loader.seed = 5;
    p.optimizer.clip_norm = 2;
    fill(&p, AN_RECIPE_MODERN, 2, 1);
    assert_null(p.train.head);
    assert_int_equal(p.train.base, AN_BASE_FINETUNE);
    assert_true(p.train.learning_rate == 3e-4);
    assert_ptr_equal(p.train.schedule, &p.schedule);
    assert_ptr_equal(p.train.optimizer, &p.optimizer);
    assert_int_equal(p.schedule.kind, AN_SCHEDULE_COSINE);
    assert_ptr_equal(p.loader.augment, &p.augment);
    assert_int_equal(p.augment.mode, AN_AUGMENT_FAST);
    assert_int_equal(p.augment.horizontal_flip, 1);
    assert_true(p.augment.rotation == 0 && p.augment.zoom_low == 1 && p.augment.zoom_high == 1);
    /* what it does not name stays */
    assert_int_equal(p.train.max_epochs, 11);
    assert_int_equal(p.loader.seed, 5);
    assert_true(p.optimizer.clip_norm == 2);
    assert_true(p.momentum == 0.999);
}

static void modern_for_random_weights(void **state) {
    (void)state;
    parts p;
    begin(&p);
    fill(&p, AN_RECIPE_MODERN, 2, 0);
    assert_int_equal(p.train.base, AN_BASE_TRAIN);
    assert_true(p.train.learning_rate == 1e-3);
    assert_true(p.momentum == 0.9);
}

static void parts_may_be_missing(void **state) {
    (void)state;
    parts p;
    begin(&p);
    an_recipe recipe;
    an_recipe_init(&recipe, sizeof recipe);
    assert_int_equal(an_recipe_fill(&recipe, NULL), AN_OK);
    recipe.train = &p.train;
    recipe.stage = 1;
    assert_int_equal(an_recipe_fill(&recipe, NULL), AN_OK);
    assert_null(p.train.head); /* the head is trained in steps */
    assert_null(p.train.optimizer);
    /* a program that was built when the struct was shorter */
    const uint32_t shorter = (uint32_t)offsetof(an_train_options, finetune_from);
    an_train_options_init(&p.train, sizeof p.train);
    p.train.struct_size = shorter;
    memset((char *)&p.train + shorter, 0x55, sizeof p.train - shorter);
    recipe.stage = 2;
    assert_int_equal(an_recipe_fill(&recipe, NULL), AN_OK);
    assert_int_equal(p.train.struct_size, shorter);
    assert_int_equal(p.train.base, AN_BASE_FINETUNE);
    for (size_t i = shorter; i < sizeof p.train; i++)
        assert_int_equal(((const char *)&p.train)[i], 0x55);
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    parts p, before;
    an_error err = {0};
    begin(&p);
    before = p;
    assert_int_equal(an_recipe_fill(NULL, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "recipe is NULL");
    an_recipe recipe = recipe_of(&p, 2, 2, 1);
    assert_int_equal(an_recipe_fill(&recipe, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_recipe: kind is 2; it must be AN_RECIPE_*");
    recipe = recipe_of(&p, AN_RECIPE_MODERN, 3, 1);
    assert_int_equal(an_recipe_fill(&recipe, &err), AN_ERR_ARG);
    assert_string_equal(err.message, "an_recipe: stage is 3; it must be 1 or 2");
    recipe = recipe_of(&p, AN_RECIPE_MODERN, 2, -1);
    assert_int_equal(an_recipe_fill(&recipe, &err), AN_ERR_ARG);
    recipe = recipe_of(&p, AN_RECIPE_MODERN, 2, 1);
    p.loader.struct_size = before.loader.struct_size = 0;
    assert_int_equal(an_recipe_fill(&recipe, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "an_loader_options"));
    assert_memory_equal(&p, &before, sizeof p); /* nothing has been written */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tutorial_is_the_defaults),  cmocka_unit_test(modern_for_trained_weights),
        cmocka_unit_test(modern_for_random_weights), cmocka_unit_test(parts_may_be_missing),
        cmocka_unit_test(refuses_what_cannot_be),
    };
    return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
