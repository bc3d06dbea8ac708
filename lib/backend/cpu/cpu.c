/* SPDX-License-Identifier: MIT
 * The CPU backend's table, its memory (the host's) and its queue (none: every call is done when it
 * returns). Per-channel batch norm, the losses and the probabilities are those of the reference
 * backend: they are a few thousand numbers in double, with nothing to gain. */
#include "backend/cpu/cpu.h"

#include <string.h>

#include "backend/cpu/blas.h"
#include "backend/ref/ref.h"
#include "base/cpu.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/openblas.h"
#include "base/thread.h"

static void cpu_destroy(an_backend *backend) {
    cpu_backend *cpu = ani_cpu(backend);
    ani_pool_destroy(cpu->pool);
    if (cpu->blas) ani_openblas_leave();
    ani_free(cpu);
}

static void cpu_memory(an_backend *backend, int64_t *total, int64_t *free) {
    (void)backend;
    ani_machine_memory(total, free);
}

static void *cpu_alloc(an_backend *backend, int64_t size) {
    (void)backend;
    return ani_alloc_large(size);
}

static void cpu_free(an_backend *backend, void *memory, int64_t size) {
    (void)backend;
    ani_free_large(memory, size);
}

static void cpu_move(an_backend *backend, void *to, const void *from, int64_t size) {
    (void)backend;
    if (size > 0) memcpy(to, from, (size_t)size);
}

static void cpu_fill(an_backend *backend, void *memory, int32_t byte, int64_t size) {
    (void)backend;
    if (size > 0) memset(memory, byte, (size_t)size);
}

static void cpu_unit_plan(an_backend *backend, const ani_unit_shape *shape, int32_t element,
                          ani_unit_plan *plan) {
    (void)element; /* scratch is enough for both */
    const cpu_backend *cpu = ani_cpu(backend);
    *plan = (ani_unit_plan){.shape = *shape, .algorithm = shape->kind};
    if (shape->kind == ANI_UNIT_DEPTHWISE) {
        plan->scratch_forward = ani_cpu_depthwise_scratch(cpu, shape, 0);
        plan->scratch_backward = ani_cpu_depthwise_scratch(cpu, shape, 1);
        return;
    }
    plan->scratch_forward = ani_cpu_rows_scratch(cpu, shape, 0);
    plan->scratch_backward = ani_cpu_rows_scratch(cpu, shape, 1);
    if (shape->kind == ANI_UNIT_FULL)
        plan->scratch_backward = ani_max(plan->scratch_backward, ani_cpu_full_scratch(cpu, shape));
}

static void cpu_unit_forward(an_backend *backend, const ani_unit_plan *plan,
                             const ani_unit_forward *args) {
    if (plan->algorithm == ANI_UNIT_DEPTHWISE)
        ani_cpu_depthwise_forward(ani_cpu(backend), &plan->shape, args);
    else
        ani_cpu_rows_forward(ani_cpu(backend), &plan->shape, args);
    if (!ani_watch_stops(args->watch)) ani_ref_finish_forward(&plan->shape, args);
}

/* After the input gradient, whose sums are complete. */
static void finish_store(const ani_unit_shape *s, const ani_unit_backward *args) {
    if (!ani_watch_stops(args->watch))
        ani_ref_finish_store(s->n * s->h * s->w, s->cin, &args->store);
}

static void cpu_unit_backward(an_backend *backend, const ani_unit_plan *plan,
                              const ani_unit_backward *args) {
    cpu_backend *cpu = ani_cpu(backend);
    if (plan->algorithm == ANI_UNIT_DEPTHWISE) {
        ani_cpu_depthwise_backward(cpu, &plan->shape, args);
        finish_store(&plan->shape, args);
        return;
    }
    ani_unit_backward rest = *args;
    if (plan->algorithm == ANI_UNIT_FULL && args->store.dx) {
        ani_cpu_full_input_gradient(cpu, &plan->shape, args);
        rest.store = (ani_store){0};
    }
    if (rest.dw || rest.store.dx) ani_cpu_rows_backward(cpu, &plan->shape, &rest);
    finish_store(&plan->shape, args);
}

static const ani_backend_ops cpu_ops = {
    .name = "cpu",
    .destroy = cpu_destroy,
    .memory = cpu_memory,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .host_alloc = ani_ref_alloc,
    .host_free = ani_ref_free,
    .write = cpu_move,
    .read = cpu_move,
    .send = ani_ref_send,
    .fetch = ani_ref_send,
    .reach = ani_ref_reach,
    .copy = ani_ref_copy,
    .fill = cpu_fill,
    .wait = ani_ref_wait,
    .begin = ani_ref_begin,
    .end = ani_ref_end,
    .forget = ani_ref_forget,
    .unit_plan = cpu_unit_plan,
    .unit_forward = cpu_unit_forward,
    .unit_backward = cpu_unit_backward,
    .bn_batch = ani_ref_bn_batch,
    .bn_running = ani_ref_bn_running,
    .bn_backward = ani_ref_bn_backward,
    .materialise = ani_cpu_materialise,
    .value_range = ani_cpu_value_range,
    .infer_create = ani_cpu_infer_create,
    .infer_destroy = ani_cpu_infer_destroy,
    .infer_pack = ani_cpu_infer_pack,
    .infer_buffers_create = ani_cpu_infer_buffers_create,
    .infer_buffers_destroy = ani_cpu_infer_buffers_destroy,
    .infer_run = ani_cpu_infer_run,
    .pool_forward = ani_cpu_pool_forward,
    .pool_backward = ani_cpu_pool_backward,
    .dense_forward = ani_cpu_dense_forward,
    .dense_backward = ani_cpu_dense_backward,
    .loss = ani_ref_loss,
    .probabilities = ani_ref_probabilities,
    .optim_step = ani_cpu_optim_step,
    .sum_squares = ani_cpu_sum_squares,
    .combine = ani_cpu_combine,
};

an_status ani_cpu_create(an_backend **out, const an_backend_options *options, an_error *err) {
    *out = NULL;
    an_status st = AN_OK;
    int known = 1;
    const uint32_t mask = ani_cpu_mask(&known);
    cpu_backend *cpu = ani_alloc_zero(1, sizeof *cpu);
    if (!cpu) return ani_fail_memory(err, sizeof *cpu, "the cpu backend");
    if (!known) {
        st = ani_fail(
            err, AN_ERR_ARG,
            "AN_CPU is not one of 'c', 'avx2', 'avx512', 'avx512vnni', 'avx512bf16', 'neon'");
        goto done;
    }
    cpu->base.ops = &cpu_ops;
    atomic_init(&cpu->base.references, 1);
    cpu->base.threads = options->threads;
    cpu->base.process = ani_process();
    cpu->base.instructions = mask;
    cpu->base.slice = ANI_HOST_SLICE;
    cpu->base.fixed = 1;
    cpu->base.is_host = 1;
    ani_kernels_init(&cpu->k, mask);
    ani_infer_kernels_init(&cpu->infer[AN_INFERENCE_FP32], mask);
    ani_infer_kernels_init_int8(&cpu->infer[AN_INFERENCE_INT8], mask);
    ani_infer_kernels_init_bfloat16(&cpu->infer[AN_INFERENCE_BF16], mask);
    cpu->base.level = cpu->k.level;
    ani_device_host(&cpu->base.device, "cpu", cpu->k.level);
    cpu->blas = !strcmp(cpu->k.level, "c") && ani_blas_enter(&cpu->k);
    cpu->streams_from = 4 << 20;
    st = ani_pool_create(&cpu->pool, options->threads, err);
    if (st) goto done;
    *out = &cpu->base;
    cpu = NULL;
done:
    if (cpu) cpu_destroy(&cpu->base);
    return st;
}
