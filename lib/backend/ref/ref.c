/* SPDX-License-Identifier: MIT
 * The reference backend's table, its memory (the host's) and its queue (none: every call is done
 * when it returns). */
#include "backend/ref/ref.h"

#include <string.h>

#include "base/machine.h"
#include "base/memory.h"
#include "base/thread.h"

static void ref_destroy(an_backend *backend) {
    ani_free(backend);
}

static void ref_memory(an_backend *backend, int64_t *total, int64_t *free) {
    (void)backend;
    ani_machine_memory(total, free);
}

void *ani_ref_alloc(an_backend *backend, int64_t size) {
    (void)backend;
    return ani_alloc_zero(1, size); /* not an arena, so that sanitizers see its bounds */
}

void ani_ref_free(an_backend *backend, void *memory, int64_t size) {
    (void)backend;
    (void)size;
    ani_free(memory);
}

static void ref_move(an_backend *backend, void *to, const void *from, int64_t size) {
    (void)backend;
    if (size > 0) memcpy(to, from, (size_t)size);
}

static void ref_fill(an_backend *backend, void *memory, int32_t byte, int64_t size) {
    (void)backend;
    if (size > 0) memset(memory, byte, (size_t)size);
}

an_status ani_ref_wait(an_backend *backend, an_error *err) {
    (void)backend;
    (void)err;
    return AN_OK;
}

/* All is done at once: there is one ticket, which is always reached. */
int64_t ani_ref_send(an_backend *backend, void *to, const void *from, int64_t size) {
    ref_move(backend, to, from, size);
    return 1;
}

an_status ani_ref_reach(an_backend *backend, int64_t ticket, an_error *err) {
    (void)ticket;
    return ani_ref_wait(backend, err);
}

void ani_ref_copy(an_backend *backend, void *to, const void *from, int64_t size,
                  const int32_t *guard) {
    if (!guard || *guard) ref_move(backend, to, from, size);
}

/* Nothing is recorded: the calls are made each time. */
int32_t ani_ref_begin(an_backend *backend, ani_recording **recording, const void *key,
                      int64_t key_size) {
    (void)backend;
    (void)recording;
    (void)key;
    (void)key_size;
    return 1;
}

void ani_ref_end(an_backend *backend, ani_recording *recording, int32_t whole) {
    (void)backend;
    (void)recording;
    (void)whole;
}

void ani_ref_forget(an_backend *backend, ani_recording *recording) {
    (void)backend;
    (void)recording;
}

static const ani_backend_ops ref_ops = {
    .name = "ref",
    .destroy = ref_destroy,
    .memory = ref_memory,
    .alloc = ani_ref_alloc,
    .free = ani_ref_free,
    .host_alloc = ani_ref_alloc,
    .host_free = ani_ref_free,
    .write = ref_move,
    .read = ref_move,
    .send = ani_ref_send,
    .fetch = ani_ref_send,
    .reach = ani_ref_reach,
    .copy = ani_ref_copy,
    .fill = ref_fill,
    .wait = ani_ref_wait,
    .begin = ani_ref_begin,
    .end = ani_ref_end,
    .forget = ani_ref_forget,
    .unit_plan = ani_ref_unit_plan,
    .unit_forward = ani_ref_unit_forward,
    .unit_backward = ani_ref_unit_backward,
    .bn_batch = ani_ref_bn_batch,
    .bn_running = ani_ref_bn_running,
    .bn_backward = ani_ref_bn_backward,
    .materialise = ani_ref_materialise,
    .value_range = ani_ref_value_range,
    .infer_create = ani_ref_infer_create,
    .infer_destroy = ani_ref_infer_destroy,
    .infer_pack = ani_ref_infer_pack,
    .infer_buffers_create = ani_ref_infer_buffers_create,
    .infer_buffers_destroy = ani_ref_infer_buffers_destroy,
    .infer_run = ani_ref_infer_run,
    .pool_forward = ani_ref_pool_forward,
    .pool_backward = ani_ref_pool_backward,
    .dense_forward = ani_ref_dense_forward,
    .dense_backward = ani_ref_dense_backward,
    .loss = ani_ref_loss,
    .probabilities = ani_ref_probabilities,
    .optim_step = ani_ref_optim_step,
    .sum_squares = ani_ref_sum_squares,
    .combine = ani_ref_combine,
};

an_status ani_ref_create(an_backend **out, const an_backend_options *options, an_error *err) {
    (void)options; /* one thread, no device */
    *out = NULL;
    an_backend *backend = ani_alloc_zero(1, sizeof *backend);
    if (!backend) return ani_fail_memory(err, sizeof *backend, "the ref backend");
    backend->ops = &ref_ops;
    atomic_init(&backend->references, 1);
    backend->process = ani_process();
    backend->threads = 1;
    backend->slice = ANI_HOST_SLICE;
    backend->fixed = 1;
    backend->is_host = 1;
    backend->level = "";
    ani_device_host(&backend->device, "ref", "");
    *out = backend;
    return AN_OK;
}
