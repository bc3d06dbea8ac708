/* SPDX-License-Identifier: MIT
 * The head in closed form: from samples to the model's weights. */
#include "train/fit_head.h"

#include <math.h>

#include "base/memory.h"
#include "base/options.h"
#include "layers/loss.h"

void an_head_options_init(an_head_options *options, uint32_t struct_size) {
    const an_head_options defaults = {.struct_size = sizeof defaults,
                                      .penalty_by = AN_PENALTY_AUTO};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

void an_head_samples_init(an_head_samples *samples, uint32_t struct_size) {
    ani_report_init(samples, struct_size);
}

void an_head_report_init(an_head_report *report, uint32_t struct_size) {
    ani_report_init(report, struct_size);
}

an_status ani_head_take(an_head_options *ours, const an_head_options *options, int32_t task,
                        bool has_val, an_error *err) {
    const bool classes = task == AN_TASK_CLASSIFICATION;
    an_head_options_init(ours, sizeof *ours);
    an_status st = ani_options_copy(ours, sizeof *ours, options, "an_head_options", err);
    if (st) return st;
    if (ours->penalty_by < AN_PENALTY_AUTO || ours->penalty_by > AN_PENALTY_VALIDATION)
        return ani_fail(err, AN_ERR_ARG,
                        "an_head_options: penalty_by is %d; it must be AN_PENALTY_*",
                        (int)ours->penalty_by);
    if (!(isfinite(ours->penalty) && ours->penalty >= 0))
        return ani_fail(err, AN_ERR_ARG,
                        "an_head_options: penalty is %g; it must be above 0, or 0 to be chosen",
                        ours->penalty);
    if (ours->penalty > 0) return AN_OK;
    if (classes && ours->penalty_by == AN_PENALTY_GCV)
        return ani_fail(err, AN_ERR_ARG,
                        "an_head_options: penalty_by is GCV, which is for regression; for "
                        "classification use VALIDATION, or set the penalty");
    if (ours->penalty_by == AN_PENALTY_AUTO)
        ours->penalty_by = classes ? AN_PENALTY_VALIDATION : AN_PENALTY_GCV;
    if (ours->penalty_by == AN_PENALTY_VALIDATION && !has_val)
        return ani_fail(err, AN_ERR_ARG,
                        "an_head_options: the penalty is to be chosen on validation samples, and "
                        "there are none; pass some, or set the penalty");
    return AN_OK;
}

/** Check the samples of a call. what names them in messages. */
static an_status take_samples(ani_linear_rows *rows, const an_model *model,
                              const an_head_samples *samples, const an_loss_options *loss,
                              const char *what, an_error *err) {
    const int64_t width = ani_net_features(ani_model_net(model));
    const int64_t outputs = ani_net_spec_of(ani_model_net(model))->outputs;
    an_head_samples ours;
    int64_t size;
    an_head_samples_init(&ours, sizeof ours);
    an_status st = ani_options_copy(&ours, sizeof ours, samples, "an_head_samples", err);
    if (st) return st;
    if (ours.n < 1 || !ani_mul_size(ours.n, (width + outputs) * (int64_t)sizeof(double), &size))
        return ani_fail(err, AN_ERR_ARG, "%s: n is %lld; it must be at least 1", what,
                        (long long)ours.n);
    if (ours.reserved || !ours.features || !ours.targets)
        return ani_fail(err, AN_ERR_ARG, "%s: %s", what,
                        ours.reserved    ? "reserved must be 0"
                        : !ours.features ? "features is NULL"
                                         : "targets is NULL");
    for (int64_t i = 0; i < ours.n * width; i++)
        if (!isfinite(ours.features[i]))
            return ani_fail(
                err, AN_ERR_ARG, "%s: feature %lld of sample %lld is %g; it must be finite", what,
                (long long)(i % width), (long long)(i / width), (double)ours.features[i]);
    for (int64_t i = 0; i < ours.n * outputs; i++)
        if (!isfinite(ours.targets[i]))
            return ani_fail(err, AN_ERR_ARG,
                            "%s: the target of sample %lld is %g; it must be finite", what,
                            (long long)(i / outputs), (double)ours.targets[i]);
    st = ani_loss_check_targets(loss->kind, ours.targets, ours.n, outputs, err);
    if (!st && ours.weights) st = ani_loss_check_weights(ours.weights, ours.n, err);
    if (st) return st;
    *rows = (ani_linear_rows){ours.features, ours.targets, ours.weights, ours.n};
    return AN_OK;
}

/** Set the head to a solution, rounded once. */
static an_status write_head(an_model *model, const ani_linear_solution *solution, int64_t width,
                            int64_t outputs, an_error *err) {
    float *values = ani_alloc_zero((width + 1) * outputs, sizeof *values);
    if (!values)
        return ani_fail_memory(err, (width + 1) * outputs * (int64_t)sizeof *values, "a head");
    an_status st = AN_OK;
    for (int64_t i = 0; i < (width + 1) * outputs; i++) {
        values[i] = (float)(i < width * outputs ? solution->kernel[i]
                                                : solution->bias[i - width * outputs]);
        if (!isfinite(values[i]))
            st = ani_fail(err, AN_ERR_FORMAT,
                          "the fitted head has the weight %g, which is not a finite float",
                          (double)values[i]);
    }
    if (!st) st = ani_net_begin_change(ani_model_net(model), err);
    if (!st) {
        ani_net_write_head(ani_model_net(model), values, values + width * outputs);
        ani_net_end_change(ani_model_net(model));
    }
    ani_free(values);
    return st;
}

an_status ani_fit_head(an_model *model, const ani_linear_rows *train, const ani_linear_rows *val,
                       const an_head_options *options, an_head_report *report, an_error *err) {
    const int64_t width = ani_net_features(ani_model_net(model));
    const int32_t outputs = ani_net_spec_of(ani_model_net(model))->outputs;
    const bool by_val = options->penalty == 0 && options->penalty_by == AN_PENALTY_VALIDATION;
    const ani_linear_problem problem = {
        .kind = ani_model_facts_of(model)->task != AN_TASK_CLASSIFICATION ? ANI_LINEAR_RIDGE
                : outputs == 1                                            ? ANI_LINEAR_SIGMOID
                                                                          : ANI_LINEAR_SOFTMAX,
        .outputs = outputs,
        .width = width,
        .train = *train,
        .val = by_val ? *val : (ani_linear_rows){0},
        .penalty = options->penalty > 0 ? options->penalty : NAN,
        .watch = ani_net_watch(ani_model_net(model))};
    double *weights = ani_alloc_zero((width + 1) * outputs, sizeof *weights);
    if (!weights)
        return ani_fail_memory(err, (width + 1) * outputs * (int64_t)sizeof *weights, "a head");
    ani_linear_solution solution = {.kernel = weights, .bias = weights + width * outputs};
    an_status st = ani_linear_solve(&problem, &solution, err);
    if (!st) st = write_head(model, &solution, width, outputs, err);
    if (!st) {
        report->steps = solution.steps;
        report->penalty = solution.penalty;
        report->freedom = solution.freedom;
    }
    ani_free(weights);
    return st;
}

an_status an_model_fit_head(an_model *model, const an_head_samples *train,
                            const an_head_samples *val, const an_head_options *options,
                            an_head_report *report, an_error *err) {
    an_head_options ours;
    an_loss_options loss;
    ani_linear_rows rows[2] = {0};
    an_head_report found = {.struct_size = sizeof found};
    if (!model || !train) return ani_fail(err, AN_ERR_ARG, "%s is NULL", model ? "train" : "model");
    an_status st = ani_report_check(report, "an_head_report", err);
    if (!st)
        st = ani_loss_take(&loss, NULL, ani_model_facts_of(model)->task,
                           ani_net_spec_of(ani_model_net(model))->outputs, err);
    if (!st) st = ani_head_take(&ours, options, ani_model_facts_of(model)->task, val != NULL, err);
    if (!st) st = take_samples(&rows[0], model, train, &loss, "training samples", err);
    if (!st && val && ours.penalty == 0 && ours.penalty_by == AN_PENALTY_VALIDATION)
        st = take_samples(&rows[1], model, val, &loss, "validation samples", err);
    if (!st) st = ani_model_claim(model, err);
    if (st) return st;
    st = ani_fit_head(model, &rows[0], &rows[1], &ours, &found, err);
    if (!st) ani_report_copy(report, &found, sizeof found);
    ani_model_release(model);
    return st;
}
