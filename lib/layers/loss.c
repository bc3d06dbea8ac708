/* SPDX-License-Identifier: MIT
 * Which losses are valid. A loss that does not fit still has a value, and would train something. */
#include "layers/loss.h"

#include <math.h>

#include "base/options.h"

static const char *const names[] = {"AUTO", "MSE", "MAE", "HUBER", "CATEGORICAL", "BINARY"};

void an_loss_options_init(an_loss_options *options, uint32_t struct_size) {
    const an_loss_options defaults = {.kind = AN_LOSS_AUTO};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

an_status ani_loss_check(int32_t kind, int64_t outputs, an_error *err) {
    if (kind == AN_LOSS_AUTO)
        return ani_fail(err, AN_ERR_ARG,
                        "loss is AN_LOSS_AUTO, and there is no model whose task would tell which; "
                        "it must be one of AN_LOSS_MSE to BINARY");
    if (kind < AN_LOSS_MSE || kind > AN_LOSS_BINARY)
        return ani_fail(err, AN_ERR_ARG, "loss is %d; it must be one of AN_LOSS_*", (int)kind);
    if (kind == AN_LOSS_CATEGORICAL && outputs < 2)
        return ani_fail(err, AN_ERR_ARG,
                        "loss is AN_LOSS_CATEGORICAL with %lld output; it needs 2 or more (for one "
                        "output: AN_LOSS_BINARY)",
                        (long long)outputs);
    return AN_OK;
}

an_status ani_loss_check_task(int32_t kind, int32_t task, int64_t outputs, an_error *err) {
    const an_status st = ani_loss_check(kind, outputs, err);
    if (st) return st;
    const bool classes = task == AN_TASK_CLASSIFICATION;
    const bool fits = !classes      ? kind <= AN_LOSS_HUBER
                      : outputs > 1 ? kind == AN_LOSS_CATEGORICAL
                                    : kind == AN_LOSS_BINARY;
    if (fits) return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "loss is AN_LOSS_%s and the model's task is %s with %lld output%s; it must be "
                    "AN_LOSS_%s",
                    names[kind], classes ? "AN_TASK_CLASSIFICATION" : "AN_TASK_REGRESSION",
                    (long long)outputs, outputs == 1 ? "" : "s",
                    !classes      ? "MSE, MAE or HUBER"
                    : outputs > 1 ? "CATEGORICAL"
                                  : "BINARY");
}

void an_loss_batch_init(an_loss_batch *batch, uint32_t struct_size) {
    ani_report_init(batch, struct_size);
}

/** Return the loss of a task. */
static int32_t loss_of_task(int32_t task, int64_t outputs) {
    if (task != AN_TASK_CLASSIFICATION) return AN_LOSS_MSE;
    return outputs > 1 ? AN_LOSS_CATEGORICAL : AN_LOSS_BINARY;
}

an_status ani_loss_take(an_loss_options *ours, const an_loss_options *options, int32_t task,
                        int64_t outputs, an_error *err) {
    an_loss_options_init(ours, sizeof *ours);
    an_status st = ani_options_copy(ours, sizeof *ours, options, "an_loss_options", err);
    if (st) return st;
    if (ours->accumulate < 0 || ours->accumulate > 1)
        return ani_fail(err, AN_ERR_ARG, "an_loss_options: accumulate is %d; it must be 0 or 1",
                        (int)ours->accumulate);
    if (ours->reserved)
        return ani_fail(err, AN_ERR_ARG, "an_loss_options: reserved is %d; it must be 0",
                        (int)ours->reserved);
    if (ours->fn && ours->kind != AN_LOSS_AUTO)
        return ani_fail(err, AN_ERR_ARG,
                        "an_loss_options: there is a loss function, and kind is %d; it must be "
                        "AN_LOSS_AUTO",
                        (int)ours->kind);
    if (ours->fn) return AN_OK;
    if (ours->kind == AN_LOSS_AUTO) ours->kind = loss_of_task(task, outputs);
    return ani_loss_check_task(ours->kind, task, outputs, err);
}

bool ani_loss_takes(int32_t kind, float target) {
    return kind <= AN_LOSS_HUBER || (target >= 0 && target <= 1);
}

an_status ani_loss_check_targets(int32_t kind, const float *targets, int64_t n, int64_t outputs,
                                 an_error *err) {
    for (int64_t i = 0; i < n * outputs; i++)
        if (!ani_loss_takes(kind, targets[i]))
            return ani_fail(err, AN_ERR_ARG,
                            "target %lld of sample %lld is %g; for AN_LOSS_%s it must be a "
                            "probability, 0 to 1",
                            (long long)(i % outputs), (long long)(i / outputs), targets[i],
                            names[kind]);
    return AN_OK;
}

an_status ani_loss_check_weights(const float *weights, int64_t n, an_error *err) {
    for (int64_t i = 0; i < n; i++)
        if (!(weights[i] >= 0 && isfinite(weights[i])))
            return ani_fail(err, AN_ERR_ARG,
                            "weight %lld of %lld is %g; it must be finite and at least 0",
                            (long long)i, (long long)n, weights[i]);
    return AN_OK;
}
