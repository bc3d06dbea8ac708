/* SPDX-License-Identifier: MIT
 * Recordings as graphs: the first time the calls just run (kernels are loaded then, which may not
 * happen in a graph), the second time the stream captures them, from the third on one launch
 * repeats them. The backend stays locked while it captures, or other threads' work would be
 * captured, too. */
#include <string.h>

#include "backend/cuda/cuda.h"
#include "base/memory.h"

struct ani_recording {
    void *key;
    int64_t key_size;
    int32_t calls; /* how often the calls were made under this key */
    int32_t reserved;
    cudaGraphExec_t graph; /* NULL: not yet */
};

static void drop_graph(ani_cuda *cuda, ani_recording *recording) {
    if (!recording->graph) return;
    if (!cuda->failed.status)
        ani_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "queued work");
    cudaGraphExecDestroy(recording->graph);
    recording->graph = NULL;
}

/* Begin anew under another key. Returns false if there is no memory for it. */
static bool take_key(ani_cuda *cuda, ani_recording *recording, const void *key, int64_t key_size) {
    if (recording->key_size == key_size && recording->key &&
        !memcmp(recording->key, key, (size_t)key_size))
        return true;
    drop_graph(cuda, recording);
    ani_free(recording->key);
    recording->calls = 0;
    recording->key_size = 0;
    recording->key = ani_alloc(key_size);
    if (!recording->key) return false;
    memcpy(recording->key, key, (size_t)key_size);
    recording->key_size = key_size;
    return true;
}

int32_t ani_cuda_begin(an_backend *backend, ani_recording **recording, const void *key,
                       int64_t key_size) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return 1;
    int32_t make = 1;
    if (!*recording) *recording = ani_alloc_zero(1, sizeof **recording);
    ani_recording *at = *recording;
    if (!at || !take_key(cuda, at, key, key_size)) goto done; /* without memory they just run */
    if (at->graph) {
        ani_cuda_check(cuda, cudaGraphLaunch(at->graph, cuda->stream), "a recorded step");
        make = 0;
    } else if (at->calls > 0 &&
               ani_cuda_check(
                   cuda, cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal),
                   "beginning a recording")) {
        cuda->capturing = 1;
        return 1; /* locked until end */
    }
done:
    ani_cuda_leave(cuda);
    return make;
}

/* Instantiate what was captured, and run it for the first time. */
static void keep_graph(ani_cuda *cuda, ani_recording *recording, cudaGraph_t captured) {
    if (!ani_cuda_check(cuda, cudaGraphInstantiate(&recording->graph, captured, 0),
                        "making a graph"))
        recording->graph = NULL;
    else
        ani_cuda_check(cuda, cudaGraphLaunch(recording->graph, cuda->stream), "a recorded step");
}

void ani_cuda_end(an_backend *backend, ani_recording *recording, int32_t whole) {
    ani_cuda *cuda = recording ? ani_cuda_enter_always(backend) : NULL;
    if (!cuda) return;
    if (cuda->capturing) {
        cudaGraph_t captured = NULL;
        const cudaError_t code = cudaStreamEndCapture(cuda->stream, &captured);
        cuda->capturing = 0;
        if (whole && ani_cuda_check(cuda, code, "recording a step"))
            keep_graph(cuda, recording, captured);
        if (code) cudaGetLastError();
        if (captured) cudaGraphDestroy(captured);
        ani_cuda_leave(cuda); /* of begin */
    } else if (whole) {
        recording->calls = 1;
    }
    ani_cuda_leave(cuda);
}

void ani_cuda_forget(an_backend *backend, ani_recording *recording) {
    if (!recording) return;
    ani_cuda *cuda = ani_cuda_enter_always(backend);
    if (cuda) {
        drop_graph(cuda, recording);
        ani_cuda_leave(cuda);
    }
    ani_free(recording->key);
    ani_free(recording);
}
