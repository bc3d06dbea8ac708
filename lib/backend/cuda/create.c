/* SPDX-License-Identifier: MIT
 * The CUDA backend's table, its making and its end. */
#include "backend/cuda/create.h"

#include "backend/cuda/cuda.h"
#include "backend/cuda/entries.h"
#include "backend/cuda/kernel/launch.h"
#include "base/memory.h"
#include "base/thread.h"

static void release(ani_cuda *cuda) {
    if (cuda->base.process == ani_process()) {
        if (cuda->stream) cudaStreamSynchronize(cuda->stream);
        ani_cuda_queue_clear(cuda);
        cudaFree(cuda->range);
        cudaFree(cuda->counters);
        cudaFree(cuda->room);
        if (cuda->stream) cudaStreamDestroy(cuda->stream);
        pthread_mutex_destroy(&cuda->lock);
    }
    ani_free(cuda);
}

static void cuda_destroy(an_backend *backend) {
    ani_cuda *cuda = ani_cuda_of(backend);
    if (backend->process == ani_process()) cudaSetDevice(cuda->index);
    release(cuda);
}

static void cuda_memory(an_backend *backend, int64_t *total, int64_t *free) {
    size_t all = 0, rest = 0;
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (cuda && cudaMemGetInfo(&rest, &all)) all = rest = 0;
    if (cuda) ani_cuda_leave(cuda);
    *total = (int64_t)all;
    *free = (int64_t)rest;
}

static const ani_backend_ops cuda_ops = {
    .name = "cuda",
    .destroy = cuda_destroy,
    .memory = cuda_memory,
    .alloc = ani_cuda_alloc,
    .free = ani_cuda_free,
    .host_alloc = ani_cuda_host_alloc,
    .host_free = ani_cuda_host_free,
    .write = ani_cuda_write,
    .read = ani_cuda_read,
    .send = ani_cuda_send,
    .fetch = ani_cuda_fetch,
    .reach = ani_cuda_reach,
    .copy = ani_cuda_copy_entry,
    .fill = ani_cuda_fill,
    .wait = ani_cuda_wait,
    .begin = ani_cuda_begin,
    .end = ani_cuda_end,
    .forget = ani_cuda_forget,
    .unit_plan = ani_cuda_unit_plan,
    .unit_forward = ani_cuda_unit_forward,
    .unit_backward = ani_cuda_unit_backward,
    .bn_batch = ani_cuda_bn_batch_entry,
    .bn_running = ani_cuda_bn_running_entry,
    .bn_backward = ani_cuda_bn_backward_entry,
    .materialise = ani_cuda_materialise_entry,
    .value_range = ani_cuda_value_range_entry,
    .infer_create = ani_cuda_infer_create,
    .infer_destroy = ani_cuda_infer_destroy,
    .infer_pack = ani_cuda_infer_pack,
    .infer_buffers_create = ani_cuda_infer_buffers_create,
    .infer_buffers_destroy = ani_cuda_infer_buffers_destroy,
    .infer_run = ani_cuda_infer_run,
    .pool_forward = ani_cuda_pool_forward_entry,
    .pool_backward = ani_cuda_pool_backward_entry,
    .dense_forward = ani_cuda_dense_forward_entry,
    .dense_backward = ani_cuda_dense_backward_entry,
    .loss = ani_cuda_loss_entry,
    .probabilities = ani_cuda_probabilities_entry,
    .optim_step = ani_cuda_optim_step_entry,
    .sum_squares = ani_cuda_sum_squares_entry,
    .combine = ani_cuda_combine_entry,
};

static an_status make_lock(pthread_mutex_t *lock, an_error *err) {
    pthread_mutexattr_t kind;
    int code = pthread_mutexattr_init(&kind);
    if (!code) code = pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    if (!code) code = pthread_mutex_init(lock, &kind);
    pthread_mutexattr_destroy(&kind);
    return code ? ani_fail(err, AN_ERR_NOMEM, "cannot make a lock: error %d", code) : AN_OK;
}

an_status ani_cuda_create_backend(an_backend **out, int32_t index, an_error *err) {
    *out = NULL;
    ani_device device;
    an_status st = ani_cuda_open(index, &device, err);
    if (st) return st;
    ani_cuda *cuda = ani_alloc_zero(1, sizeof *cuda);
    if (!cuda) return ani_fail_memory(err, sizeof *cuda, "the cuda backend");
    st = make_lock(&cuda->lock, err);
    if (st) {
        ani_free(cuda);
        return st;
    }
    cuda->base.ops = &cuda_ops;
    atomic_init(&cuda->base.references, 1);
    cuda->base.process = ani_process();
    cuda->base.threads = 1;
    cuda->base.level = device.level;
    cuda->base.device = device;
    cuda->base.device.memory_total = cuda->base.device.memory_free = 0;
    cuda->base.slice = ANI_CUDA_SLICE;
    cuda->index = index;
    const cudaError_t code = cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking);
    if (code) {
        st = ani_cuda_explain(err, code, device.device, "making a stream");
        goto done;
    }
    cuda->room = ani_cuda_alloc_locked(cuda, ANI_ROOM_SIZE);
    cuda->counters = ani_cuda_alloc_locked(cuda, ANI_COUNTERS * (int64_t)sizeof *cuda->counters);
    cuda->range = ani_cuda_alloc_locked(cuda, sizeof *cuda->range);
    if (!cuda->room || !cuda->counters || !cuda->range) {
        st = ani_fail_memory(err, ANI_ROOM_SIZE, device.device);
        goto done;
    }
    st = ani_cuda_queue_create(cuda, err);
    if (!st) st = ani_cuda_status(cuda, err);
    if (st) goto done;
    *out = &cuda->base;
    cuda = NULL;
done:
    if (cuda) release(cuda);
    return st;
}
