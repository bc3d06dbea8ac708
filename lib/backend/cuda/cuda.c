/* SPDX-License-Identifier: MIT
 * Entering the backend, and its errors. */
#include "backend/cuda/cuda.h"

#include <stdio.h>
#include <string.h>

#include "base/thread.h"

ani_cuda *ani_cuda_enter_always(an_backend *backend) {
    ani_cuda *cuda = ani_cuda_of(backend);
    if (backend->process != ani_process()) return NULL; /* CUDA does not work after a fork */
    pthread_mutex_lock(&cuda->lock);
    cudaSetDevice(cuda->index);
    return cuda;
}

ani_cuda *ani_cuda_enter(an_backend *backend) {
    ani_cuda *cuda = ani_cuda_enter_always(backend);
    if (!cuda || !cuda->failed.status) return cuda;
    ani_cuda_leave(cuda);
    return NULL;
}

void ani_cuda_leave(ani_cuda *cuda) {
    pthread_mutex_unlock(&cuda->lock);
}

bool ani_cuda_check(ani_cuda *cuda, int code, const char *what) {
    if (code == cudaSuccess) return true;
    if (cuda->failed.status) return false;
    ani_cuda_explain(&cuda->failed, code, cuda->base.device.device, what);
    cudaGetLastError(); /* one that is not sticky must not appear in another backend's call */
    return false;
}

void ani_cuda_fail_memory(ani_cuda *cuda, int64_t size, const char *what) {
    if (!cuda->failed.status) ani_fail_memory(&cuda->failed, size, what);
}

an_status ani_cuda_status(const ani_cuda *cuda, an_error *err) {
    if (cuda->failed.status && err) *err = cuda->failed;
    return cuda->failed.status;
}
