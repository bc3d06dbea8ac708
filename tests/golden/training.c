/* SPDX-License-Identifier: MIT
 * Topic training: Adam alone, five steps of both stages, whole gradients, and a shallow network
 * that is conditioned well enough for tight limits. Limits: spec, h.3. */
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attractivenet/mobilenetv2.h>
#include <attractivenet/optim.h>

#include "layers/model.h"
#include "mobilenetv2/build.h"
#include "support/backends.h"
#include "support/ranks.h"

static void must(an_status st, const an_error *error, const char *what) {
    if (st) fail_msg("%s: %s (%s)", what, error->message, an_status_name(st));
}

static double number(const json_t *object, const char *key) {
    return golden_number(json_object_get(object, key));
}

/* How many replicas compute each step, with joined batch statistics. */
static int32_t replicas = 1;

static int32_t backends_of(test_backend out[TEST_BACKENDS]) {
    const int32_t count = test_backends(out, replicas > 1);
    if (replicas > 1 && count > 1) out[0] = out[count - 1]; /* one is enough */
    return replicas > 1 ? 1 : count;
}

static an_status compute_gradients(an_model *model, const float *x, const float *y, int64_t n,
                                   double *loss, an_error *err) {
    if (replicas > 1) return ranks_gradients(model, replicas, 1, x, y, n, loss, err);
    return an_model_compute_gradients(model, x, y, n, NULL, loss, err);
}

/* --- Adam alone ------------------------------------------------------------------------------- */

static void adam_alone(void **state) {
    (void)state;
    const char *path = golden_path("training/adam.safetensors");
    if (!path) skip();
    st_file *file = st_open(path);
    const st_array *p0 = st_find(file, "p0"), *grads = st_find(file, "grads");
    int32_t checked = 0;
    for (int64_t k = 0; k < file->count; k++) {
        double rate;
        if (sscanf(file->arrays[k].name, "truth.lr%lf.params", &rate) != 1) continue;
        const int64_t count = p0->count, steps = grads->shape[0];
        float *p = st_floats(p0), *g = st_floats(grads);
        float *m = calloc((size_t)count, sizeof *m), *v = calloc((size_t)count, sizeof *v);
        double *want = st_doubles(&file->arrays[k]);
        for (int64_t t = 0; t < steps; t++) {
            an_error error;
            char label[64];
            must(an_optimizer_apply(NULL, t + 1, rate, count, p, g + t * count, m, v, &error),
                 &error, "Adam");
            snprintf(label, sizeof label, "rate %g step %d", rate, (int)t);
            expect_close(label, p, want + t * count, count, 1e-6, 0);
        }
        free(want);
        free(v);
        free(m);
        free(g);
        free(p);
        checked++;
    }
    assert_true(checked > 0);
    st_close(file);
}

/* --- batches ---------------------------------------------------------------------------------- */

typedef struct batches {
    float *x, *y;
    int64_t pixels; /* numbers of one image */
    int64_t count;  /* images */
    int32_t size;
} batches;

static batches read_batches(const char *path) {
    float table[768];
    st_file *file = st_open(path);
    const st_array *bytes = st_find(file, "x_u8"), *y = st_find(file, "y");
    batches b = {.count = bytes->shape[0], .size = (int32_t)bytes->shape[1]};
    b.pixels = bytes->count / b.count;
    b.x = malloc((size_t)bytes->count * sizeof *b.x);
    assert_int_equal(an_scale_fill_tables(AN_SCALE_TF, table, NULL), AN_OK);
    for (int64_t i = 0; i < bytes->count; i++)
        b.x[i] = table[((const uint8_t *)bytes->data)[i]];
    b.y = st_floats(y);
    st_close(file);
    return b;
}

static void clear_batches(batches *b) {
    free(b->x);
    free(b->y);
}

/* Train steps of n images each; losses [steps]. */
static void train(an_model *model, const batches *b, int64_t n, int32_t steps, double rate,
                  double *losses) {
    an_optimizer *optimizer;
    an_error error;
    must(an_optimizer_create(&optimizer, model, NULL, &error), &error, "optimizer");
    for (int32_t t = 0; t < steps; t++) {
        must(
            compute_gradients(model, b->x + t * n * b->pixels, b->y + t * n, n, &losses[t], &error),
            &error, "gradients");
        must(an_optimizer_step(optimizer, rate, &error), &error, "step");
    }
    an_optimizer_destroy(optimizer);
}

static void expect_losses(const char *what, const double *got, const json_t *want, int32_t steps,
                          double relative) {
    assert_int_equal(json_array_size(want), steps);
    for (size_t t = 0; t < json_array_size(want); t++) {
        const double w = golden_number(json_array_get(want, t));
        expect_within(got[t], w, relative * fabs(w), "%s: loss of step %zu", what, t);
    }
}

static int64_t count_of(const an_arrays *arrays, int64_t index) {
    int64_t count = 1;
    for (int32_t axis = 0; axis < an_arrays_rank(arrays, index); axis++)
        count *= an_arrays_length(arrays, index, axis);
    return count;
}

static const float *array_of(const an_arrays *arrays, const char *name, int64_t count) {
    const int64_t index = an_arrays_find(arrays, name);
    if (index < 0) fail_msg("no array '%s'", name);
    assert_int_equal(count_of(arrays, index), count);
    return an_arrays_data(arrays, index);
}

/* --- the whole network ------------------------------------------------------------------------ */

typedef struct whole {
    json_t *report;
    batches b;
    double alpha;
    int64_t n;
    int32_t steps;
    double *losses; /* [steps], of a run */
} whole;

static bool open_whole(whole *w) {
    const char *report = golden_path("training/report.json");
    const char *data = golden_path("training/batches.safetensors");
    if (!report || !data) return false;
    w->report = golden_json(report);
    w->b = read_batches(data);
    w->alpha = number(w->report, "alpha");
    w->n = (int64_t)number(w->report, "batch");
    w->steps = (int32_t)number(w->report, "steps");
    w->losses = malloc((size_t)w->steps * sizeof *w->losses);
    assert_true(w->losses && w->steps > 0 && w->b.count == w->n * w->steps);
    assert_int_equal(w->b.size, (int32_t)number(w->report, "size"));
    return true;
}

static void close_whole(whole *w) {
    clear_batches(&w->b);
    free(w->losses);
    json_decref(w->report);
}

static an_model *make_whole(const whole *w, an_backend *backend) {
    an_mobilenetv2_options options;
    an_model *model = NULL;
    an_error error;
    an_mobilenetv2_options_init(&options, sizeof options);
    options.height = options.width = w->b.size;
    options.alpha = w->alpha;
    options.padding = AN_PADDING_FIXED;
    options.scale = AN_SCALE_TF;
    must(an_mobilenetv2_create(&model, backend, &options, &error), &error, "create");
    return model;
}

/* Set the arrays that a file has, the others staying. Fails if it has none of them. */
static void put(an_model *model, const char *path) {
    ani_net *net = ani_model_net(model);
    st_file *file = st_open(path);
    int64_t set = 0;
    for (int64_t i = 0; i < ani_net_array_count(net); i++) {
        const ani_net_array *array = ani_net_array_at(net, i);
        const st_array *values = st_find(file, "%s/%s", array->layer, array->variable);
        if (!values) continue;
        assert_int_equal(values->count, array->count);
        float *floats = st_floats(values);
        ani_net_write_array(net, array, floats);
        free(floats);
        set++;
    }
    if (!set) fail_msg("'%s' has no array of the model", path);
    st_close(file);
}

static const char *start_path(const whole *w) {
    const char *own = golden_path("training/initial_weights.safetensors");
    const golden_tag tag = {w->alpha, w->b.size};
    if (!own) own = golden_weights_of("training", tag);
    if (!own) fail_msg("there are no weights of alpha %g to start from", w->alpha);
    return own;
}

/* The state after stage 1: the base has not moved, the head is Keras' own. */
static an_model *after_stage1(const whole *w, an_backend *backend) {
    an_model *model = make_whole(w, backend);
    put(model, start_path(w));
    put(model, golden_path("training/stage1_final_head_keras2.safetensors"));
    return model;
}

static void stage1(void **state) {
    (void)state;
    whole w;
    test_backend backends[TEST_BACKENDS];
    if (!open_whole(&w)) skip();
    const int32_t count = backends_of(backends);
    for (int32_t k = 0; k < count; k++) {
        an_backend *backend = test_backend_open(&backends[k]);
        an_model *model = make_whole(&w, backend);
        an_arrays *before, *after;
        an_error error;
        put(model, start_path(&w));
        put(model, golden_path("training/initial_head.safetensors"));
        must(an_model_copy_weights(&before, model, &error), &error, "weights");
        train(model, &w.b, w.n, w.steps, number(w.report, "lr1"), w.losses);
        must(an_model_copy_weights(&after, model, &error), &error, "weights");
        const json_t *truth = json_object_get(w.report, "truth_f64");
        expect_losses(backends[k].label, w.losses, json_object_get(truth, "stage1_losses"), w.steps,
                      1e-4);
        st_file *head = st_open(golden_path("training/truth_f64_head_stage1.safetensors"));
        for (int64_t i = 0; i < head->count; i++) {
            const st_array *array = &head->arrays[i];
            double *want = st_doubles(array);
            expect_close(array->name, array_of(after, array->name, array->count), want,
                         array->count, 1e-5, 0);
            free(want);
        }
        assert_int_equal(head->count, 2);
        st_close(head);
        for (int64_t i = 0; i < an_arrays_count(before); i++) {
            const size_t size = (size_t)count_of(before, i) * sizeof(float);
            const int moved = memcmp(an_arrays_data(before, i), an_arrays_data(after, i), size);
            if (!moved != (i < an_arrays_count(before) - 2)) /* the head comes last */
                fail_msg("%s: '%s' has %smoved", backends[k].label, an_arrays_name(before, i),
                         moved ? "" : "not ");
        }
        an_arrays_destroy(after);
        an_arrays_destroy(before);
        an_model_destroy(model);
        an_backend_destroy(backend);
    }
    close_whole(&w);
}

static bool is_zero_gradient(const char *name) {
    return strstr(name, "project_BN/beta") != NULL;
}

static void expect_direction(const char *label, const float *got, const double *want,
                             int64_t count) {
    double dot = 0, left = 0, right = 0;
    for (int64_t i = 0; i < count; i++) {
        dot += got[i] * want[i];
        left += (double)got[i] * got[i];
        right += want[i] * want[i];
    }
    const double cosine = dot / (sqrt(left * right) + 1e-300),
                 ratio = sqrt(left / (right + 1e-300));
    if (!(cosine >= 0.995 && fabs(ratio - 1) <= 0.05))
        fail_msg("%s: cosine %.6f (at least 0.995), norm %.4f times the expected (within 5%%)",
                 label, cosine, ratio);
}

/* Compare all gradients of the first batch with a file; by direction, or closely. */
static void check_gradients(const whole *w, const test_backend *which, int32_t base,
                            const char *relative, double loss) {
    an_backend *backend = test_backend_open(which);
    an_model *model = after_stage1(w, backend);
    an_arrays *gradients;
    an_error error;
    double got;
    must(an_model_set_base(model, base, &error), &error, "base");
    must(compute_gradients(model, w->b.x, w->b.y, w->n, &got, &error), &error, "gradients");
    expect_within(got, loss, 1e-4 * loss, "%s: loss", which->label);
    must(an_model_copy_gradients(&gradients, model, &error), &error, "gradients");
    st_file *truth = st_open(golden_path(relative));
    assert_int_equal(an_arrays_count(gradients), truth->count);
    assert_true(truth->count > 100);
    for (int64_t i = 0; i < truth->count; i++) {
        const st_array *array = &truth->arrays[i];
        char label[160];
        const float *g = array_of(gradients, array->name, array->count);
        double *want = st_doubles(array);
        snprintf(label, sizeof label, "%s gradient of %s", which->label, array->name);
        if (base == AN_BASE_FINETUNE)
            expect_close(label, g, want, array->count, 1e-12, 2e-4);
        else if (!is_zero_gradient(array->name))
            expect_direction(label, g, want, array->count);
        free(want);
    }
    st_close(truth);
    an_arrays_destroy(gradients);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void gradients_by_moving_statistics(void **state) {
    (void)state;
    whole w;
    test_backend backends[TEST_BACKENDS];
    const char *file = "training/frozen_bn_gradients_truth.safetensors";
    if (!golden_path(file) || !open_whole(&w)) skip();
    const double loss = number(json_object_get(w.report, "frozen_bn_first_step"), "loss_f64");
    const int32_t count = backends_of(backends);
    for (int32_t k = 0; k < count; k++)
        check_gradients(&w, &backends[k], AN_BASE_FINETUNE, file, loss);
    close_whole(&w);
}

static void gradients_by_batch_statistics(void **state) {
    (void)state;
    whole w;
    test_backend backends[TEST_BACKENDS];
    const char *file = "training/stage2_first_gradients_truth.safetensors";
    if (!golden_path(file) || !open_whole(&w)) skip();
    const double loss = number(json_object_get(w.report, "stage2_first_step"), "loss_f64");
    const int32_t count = backends_of(backends);
    for (int32_t k = 0; k < count; k++)
        check_gradients(&w, &backends[k], AN_BASE_TRAIN, file, loss);
    close_whole(&w);
}

/* --- stage 2: what moves, and where to ---
 *
 * expect_direction() lets a gradient be off by the vector e with |e|^2 <= (1 + r^2 - 2 r c) |g|^2,
 * where c >= 0.995 and r is within 5 %: at most 0.0130 |g|^2. Where an element has the wrong sign,
 * e is at least as large as the element itself; so all elements with the wrong sign together have
 * at most this share of the gradient's energy, and any single one above 0.114 |g| has the right
 * one. Adam's first step is
 *
 *     -rate * g / (|g| + 1e-7 / sqrt(1 - 0.999))
 *
 * so its signs are those of -g, and its size is known from the gradient that was computed. */
static const double wrong_energy = 0.0130;

static void check_first_step(const char *label, const st_array *array, const float *g,
                             const float *old, const float *now, double rate) {
    double energy = 0, wrong = 0;
    for (int64_t k = 0; k < array->count; k++) {
        const double truth = st_value(array, k), moved = (double)now[k] - old[k];
        const double want = -rate * g[k] / (fabs((double)g[k]) + 1e-7 / sqrt(1 - 0.999));
        /* alpha is a float, and the sum is rounded to the weight's own precision */
        if (!(fabs(moved - want) <= 1e-5 * rate + 0x1p-23 * fabs((double)old[k])))
            fail_msg("%s[%lld] moved by %.4g, its gradient %.4g asks for %.4g", label, (long long)k,
                     moved, (double)g[k], want);
        energy += truth * truth;
        if (moved * truth >= 0) wrong += truth * truth;
    }
    if (!(wrong <= wrong_energy * energy) || !(energy > 0))
        fail_msg("%s: of the gradient %.2f %% moved the wrong way, at most %.2f %% may", label,
                 100 * wrong / energy, 100 * wrong_energy);
}

static void check_stage2_first_step(const whole *w, const test_backend *which) {
    an_backend *backend = test_backend_open(which);
    an_model *model = after_stage1(w, backend);
    an_arrays *before, *after, *gradients;
    an_error error;
    double loss;
    const double rate = number(w->report, "lr2");
    must(an_model_set_base(model, AN_BASE_TRAIN, &error), &error, "base");
    must(an_model_copy_weights(&before, model, &error), &error, "weights");
    train(model, &w->b, w->n, 1, rate, &loss);
    must(an_model_copy_weights(&after, model, &error), &error, "weights");
    must(an_model_copy_gradients(&gradients, model, &error), &error, "gradients");
    st_file *truth = st_open(golden_path("training/stage2_first_gradients_truth.safetensors"));
    int32_t checked = 0;
    for (int64_t i = 0; i < truth->count; i++) {
        const st_array *array = &truth->arrays[i];
        char label[160];
        if (is_zero_gradient(array->name)) continue;
        snprintf(label, sizeof label, "%s first step of %s", which->label, array->name);
        check_first_step(label, array, array_of(gradients, array->name, array->count),
                         array_of(before, array->name, array->count),
                         array_of(after, array->name, array->count), rate);
        checked++;
    }
    assert_true(checked > 100);
    st_close(truth);
    an_arrays_destroy(gradients);
    an_arrays_destroy(after);
    an_arrays_destroy(before);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static double length(const double *x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* How far apart two updates of an array are, of the length of the second. An update that is lacking
 * has 1, one with the wrong sign 2. */
static double apart(const double *a, const double *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum) / length(b, count);
}

static double *update_of(const double *now, const float *old, int64_t count) {
    double *update = malloc((size_t)count * sizeof *update);
    assert_non_null(update);
    for (int64_t i = 0; i < count; i++)
        update[i] = now[i] - old[i];
    return update;
}

/* Rounding takes Keras' own float32 this far from float64 in an array (0.28 of the update in Conv1,
 * 0.01 in the head); another program's rounding is as large and independent of it. Three times that
 * and 0.03 is the limit, where it stays below 0.9, so that an update that is lacking is off the
 * limit: units where rounding is amplified beyond that are left out, and most arrays must not be.
 */
static void check_updates(const char *label, const an_arrays *before, const an_arrays *after) {
    st_file *truth = st_open(golden_path("training/truth_f64_stage2_selected.safetensors"));
    st_file *keras = st_open(golden_path("training/stage2_final_selected_keras2.safetensors"));
    int32_t compared = 0, all = 0;
    for (int64_t i = 0; i < truth->count; i++) {
        const st_array *array = &truth->arrays[i], *single = st_find(keras, "%s", array->name);
        const int64_t count = array->count;
        /* of a few elements the distance says little */
        if (strstr(array->name, "moving_") || is_zero_gradient(array->name) || count < 8) continue;
        if (!single) fail_msg("no '%s' of Keras", array->name);
        const float *old = array_of(before, array->name, count),
                    *now = array_of(after, array->name, count);
        double *exact = st_doubles(array), *rounded = st_doubles(single),
               *ours = malloc((size_t)count * sizeof *ours);
        assert_non_null(ours);
        for (int64_t k = 0; k < count; k++)
            ours[k] = now[k];
        double *want = update_of(exact, old, count), *other = update_of(rounded, old, count);
        double *got = update_of(ours, old, count);
        const double limit = 0.03 + 3 * apart(other, want, count);
        all++;
        if (limit < 0.9) {
            expect_within(apart(got, want, count), 0, limit, "%s: the update of %s, apart", label,
                          array->name);
            compared++;
        }
        double *mine[] = {exact, rounded, ours, want, other, got};
        for (size_t k = 0; k < sizeof mine / sizeof *mine; k++)
            free(mine[k]);
    }
    if (!(compared > 0 && 2 * compared > all))
        fail_msg("rounding is amplified in %d of %d arrays", (int)(all - compared), (int)all);
    st_close(keras);
    st_close(truth);
}

/* Statistics near Keras', no weight moved by more than the steps allow, and all updates where
 * Keras' go. */
static void check_stage2(const whole *w, const test_backend *which) {
    an_backend *backend = test_backend_open(which);
    an_model *model = after_stage1(w, backend);
    an_arrays *before, *after;
    an_error error;
    const double rate = number(w->report, "lr2");
    must(an_model_set_base(model, AN_BASE_TRAIN, &error), &error, "base");
    must(an_model_copy_weights(&before, model, &error), &error, "weights");
    train(model, &w->b, w->n, w->steps, rate, w->losses);
    must(an_model_copy_weights(&after, model, &error), &error, "weights");
    const json_t *truth = json_object_get(w->report, "truth_f64");
    expect_losses(which->label, w->losses, json_object_get(truth, "stage2_losses"), w->steps, 0.05);
    st_file *keras = st_open(golden_path("training/stage2_final_selected_keras2.safetensors"));
    struct {
        double squares;
        int64_t count;
    } statistics[2] = {{0, 0}, {0, 0}}; /* means, variances */
    for (int64_t i = 0; i < keras->count; i++) {
        const st_array *array = &keras->arrays[i];
        const char *name = array->name;
        const float *now = array_of(after, name, array->count);
        const float *old = array_of(before, name, array->count);
        double *want = st_doubles(array);
        const bool mean = strstr(name, "moving_mean") != NULL;
        const bool variance = strstr(name, "moving_variance") != NULL;
        if (mean || variance) {
            double *ours = malloc((size_t)array->count * sizeof *ours);
            assert_non_null(ours);
            for (int64_t k = 0; k < array->count; k++)
                ours[k] = now[k];
            double *got = update_of(ours, old, array->count),
                   *moved = update_of(want, old, array->count);
            expect_close(name, now, want, array->count, mean ? 1e-4 : 1e-3, 0);
            const double off = apart(got, moved, array->count);
            expect_within(off, 0, 0.9, "%s: the move of %s, apart", which->label, name);
            statistics[variance].squares += off * off;
            statistics[variance].count++;
            free(moved);
            free(got);
            free(ours);
        }
        for (int64_t k = 0; k < array->count && !mean && !variance; k++)
            if (!(fabsf(now[k] - old[k]) <= w->steps * rate * 1.01))
                fail_msg("%s: '%s' moved by %g in %d steps of %g", which->label, name,
                         (double)(now[k] - old[k]), w->steps, rate);
        free(want);
    }
    st_close(keras);
    /* each array's limit is wide for its noise, that of all together is not */
    for (int k = 0; k < 2; k++) {
        assert_true(statistics[k].count > 0);
        const double off = sqrt(statistics[k].squares / (double)statistics[k].count);
        expect_within(off, 0, 0.3, "%s: the moves of moving %s, apart", which->label,
                      k ? "variances" : "means");
    }
    check_updates(which->label, before, after);
    an_arrays_destroy(after);
    an_arrays_destroy(before);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void stage2_first_step(void **state) {
    (void)state;
    whole w;
    test_backend backends[TEST_BACKENDS];
    if (!golden_path("training/stage2_first_gradients_truth.safetensors") || !open_whole(&w))
        skip();
    const int32_t count = backends_of(backends);
    for (int32_t k = 0; k < count; k++)
        check_stage2_first_step(&w, &backends[k]);
    close_whole(&w);
}

static void stage2(void **state) {
    (void)state;
    whole w;
    test_backend backends[TEST_BACKENDS];
    if (!golden_path("training/stage2_final_selected_keras2.safetensors") || !open_whole(&w))
        skip();
    const int32_t count = backends_of(backends);
    for (int32_t k = 0; k < count; k++)
        check_stage2(&w, &backends[k]);
    close_whole(&w);
}

/* --- the shallow network ---------------------------------------------------------------------- */

enum { MINI_UNITS = 9 }; /* Conv1 to block_2_add */

static an_model *make_mini(an_backend *backend, double alpha, int32_t size) {
    ani_unit_spec units[ANI_MNV2_UNITS];
    ani_mnv2_pads pads;
    an_model *model = NULL;
    an_error error;
    ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, size, size);
    ani_mnv2_units(units, alpha, &pads);
    const ani_net_spec spec = {units, MINI_UNITS, 1, size, size, ANI_KERAS_EPSILON};
    const ani_model_facts facts = {.alpha = alpha};
    must(ani_model_create(&model, backend, &spec, &facts, &error), &error, "mini");
    return model;
}

/* The width of the shallow network, which is its own: that whose arrays are all as large as the
 * file's. */
static double mini_alpha(const char *path) {
    static const double usual[] = {0.35, 0.5, 0.75, 1, 1.3, 1.4};
    st_file *file = st_open(path);
    double found = 0;
    for (size_t i = 0; i < sizeof usual / sizeof *usual && !(found > 0); i++) {
        ani_unit_spec units[ANI_MNV2_UNITS];
        ani_mnv2_pads pads;
        bool fits = true;
        ani_mnv2_pads_for(&pads, AN_PADDING_FIXED, 32, 32);
        ani_mnv2_units(units, usual[i], &pads);
        for (int32_t u = 0; u < MINI_UNITS && fits; u++) {
            const st_array *gamma = st_find(file, "%s/gamma", units[u].bn_name);
            fits = gamma && gamma->count == units[u].cout;
        }
        if (fits) found = usual[i];
    }
    st_close(file);
    if (!(found > 0)) fail_msg("'%s' is of no usual width", path);
    return found;
}

static void check_mini(const test_backend *which, const json_t *report, const batches *b,
                       double alpha, int64_t n, int32_t steps) {
    double loss, *losses = malloc((size_t)steps * sizeof *losses);
    assert_true(losses && b->count == n * steps);
    an_backend *backend = test_backend_open(which);
    an_model *model = make_mini(backend, alpha, b->size);
    an_arrays *arrays;
    an_error error;
    char label[160];
    put(model, golden_path("training/mini_initial.safetensors"));
    must(an_model_set_base(model, AN_BASE_TRAIN, &error), &error, "base");
    /* first gradients: momentum 1 keeps the moving statistics where they are */
    must(an_model_set_momentum(model, 1, &error), &error, "momentum");
    must(compute_gradients(model, b->x, b->y, n, &loss, &error), &error, "gradients");
    must(an_model_copy_gradients(&arrays, model, &error), &error, "gradients");
    st_file *file = st_open(golden_path("training/mini_first_gradients_float64.safetensors"));
    assert_int_equal(file->count, an_arrays_count(arrays));
    for (int64_t i = 0; i < file->count; i++) {
        const st_array *array = &file->arrays[i];
        if (!strcmp(array->name, "expanded_conv_project_BN/beta")) continue;
        double *want = st_doubles(array);
        snprintf(label, sizeof label, "%s mini gradient of %s", which->label, array->name);
        expect_close(label, array_of(arrays, array->name, array->count), want, array->count, 0,
                     1e-4);
        free(want);
    }
    st_close(file);
    an_arrays_destroy(arrays);
    must(an_model_set_momentum(model, 0.999, &error), &error, "momentum");
    train(model, b, n, steps, number(report, "lr"), losses);
    snprintf(label, sizeof label, "%s mini", which->label);
    expect_losses(label, losses, json_object_get(report, "losses_float64"), steps, 1e-5);
    free(losses);
    must(an_model_copy_weights(&arrays, model, &error), &error, "weights");
    file = st_open(golden_path("training/mini_final_float64.safetensors"));
    assert_int_equal(file->count, an_arrays_count(arrays));
    for (int64_t i = 0; i < file->count; i++) {
        const st_array *array = &file->arrays[i];
        if (!strcmp(array->name, "expanded_conv_project_BN/beta")) continue;
        double *want = st_doubles(array);
        snprintf(label, sizeof label, "%s mini final %s", which->label, array->name);
        expect_close(label, array_of(arrays, array->name, array->count), want, array->count, 2e-5,
                     0);
        free(want);
    }
    st_close(file);
    an_arrays_destroy(arrays);
    an_model_destroy(model);
    an_backend_destroy(backend);
}

static void mini(void **state) {
    (void)state;
    test_backend backends[TEST_BACKENDS];
    const char *data = golden_path("training/mini_batches.safetensors");
    const char *path = golden_path("training/report.json");
    if (!data || !path) skip();
    json_t *report = golden_json(path);
    batches b = read_batches(data);
    const double alpha = mini_alpha(golden_path("training/mini_initial.safetensors"));
    const int32_t count = backends_of(backends);
    for (int32_t k = 0; k < count; k++)
        check_mini(&backends[k], json_object_get(report, "mini"), &b, alpha,
                   (int64_t)number(report, "batch"), (int32_t)number(report, "steps"));
    clear_batches(&b);
    json_decref(report);
}

static int use_two_replicas(void **state) {
    (void)state;
    replicas = 2;
    return 0;
}

static int use_three_replicas(void **state) {
    (void)state;
    replicas = 3;
    return 0;
}

static int use_four_replicas(void **state) {
    (void)state;
    replicas = 4;
    return 0;
}

static int use_one_replica(void **state) {
    (void)state;
    replicas = 1;
    return 0;
}

#define BY_TWO(test)                                                                               \
    { #test " by two replicas", test, use_two_replicas, use_one_replica, NULL }
#define BY_THREE(test)                                                                             \
    { #test " by three replicas", test, use_three_replicas, use_one_replica, NULL }
#define BY_FOUR(test)                                                                              \
    { #test " by four replicas", test, use_four_replicas, use_one_replica, NULL }

int golden_training(void);
int golden_training(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_alone),
        cmocka_unit_test(mini),
        cmocka_unit_test(stage1),
        cmocka_unit_test(gradients_by_moving_statistics),
        cmocka_unit_test(gradients_by_batch_statistics),
        cmocka_unit_test(stage2_first_step),
        cmocka_unit_test(stage2),
        BY_TWO(mini),
        BY_THREE(mini),
        BY_FOUR(mini),
        BY_TWO(stage1),
        BY_TWO(gradients_by_moving_statistics),
        BY_TWO(gradients_by_batch_statistics),
        BY_TWO(stage2_first_step),
        BY_TWO(stage2),
    };
    return cmocka_run_group_tests_name("training", tests, NULL, NULL);
}
