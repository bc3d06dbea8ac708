/* SPDX-License-Identifier: MIT
 * A backend: one device, its threads or queue, and the kernels that run on it. */
#ifndef ATTRACTIVENET_BACKEND_H
#define ATTRACTIVENET_BACKEND_H

#include <attractivenet/kinds.h>
#include <attractivenet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One device with its worker threads. Models, trainers and predictors are created on a backend.
 *
 * Threads: any number of concurrent calls, from any threads, on objects of the same backend. They
 *          share its worker threads: with k calls in progress, each runs on its caller's thread,
 *          and an_backend_threads() - k workers help them. Worker threads block all signals, are
 *          named "an-worker-N" and have 1 MiB of stack; a call needs up to 256 KiB of its caller's
 *          stack.
 * fork():  a child process has none of these threads. There, every call on a backend created by
 *          the parent, or on an object created on such a backend, returns AN_ERR_ARG with a message
 *          that says so; destroying them does not wait for any thread. A backend created in the
 *          child works.
 */
typedef struct an_backend an_backend;

enum {
    AN_BACKEND_CPU = 0, /* SIMD kernels on a thread pool; level c uses OpenBLAS for training */
    AN_BACKEND_REF = 1, /* plain loops in double: slow, a reference for the others */
    AN_BACKEND_CUDA = 2
};

/** Which device. Initialise with an_backend_options_init(), then change what you need. */
typedef struct an_backend_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t kind;         /* AN_BACKEND_*; default AN_BACKEND_CPU */
    int32_t threads;      /* 1 to 1024; 0 = as many as the process's CPU affinity and its control
                             groups' CPU quotas allow; default 0 */
    int32_t device;       /* index of the GPU, from 0; default 0 */
} an_backend_options;

/** Set the defaults. Takes: struct_size: sizeof(an_backend_options), as compiled by the caller. */
AN_API void an_backend_options_init(an_backend_options *options, uint32_t struct_size);

/**
 * Make a backend.
 *
 * Takes:   options: copied; NULL = defaults. The environment variable AN_CPU (c, avx2, avx512,
 *          avx512vnni, avx512bf16, neon) limits the ISA level that the CPU backend uses. A
 *          processor that supports none of the other levels runs at level c.
 * Owns:    *out is the caller's; free with an_backend_destroy().
 * Returns: AN_OK; AN_ERR_ARG for a kind or number out of range; AN_ERR_UNSUPPORTED for CUDA in a
 *          build without it; AN_ERR_DEVICE if the device is absent; AN_ERR_NOMEM.
 * Threads: any. Only level c loads OpenBLAS, for matrix products in training: while such a backend
 *          exists, OpenBLAS' thread count (a process-wide setting) is 1; it is restored when the
 *          last one is destroyed.
 */
AN_API an_status an_backend_create(an_backend **out, const an_backend_options *options,
                                   an_error *err);

/** Release a backend; NULL is allowed. The backend is freed once no model or other object uses
 *  it. */
AN_API void an_backend_destroy(an_backend *backend);

/** Return the name of the kind: "cpu", "ref" or "cuda". The string is constant. Threads: any. */
AN_API const char *an_backend_name(const an_backend *backend);

/** Return the ISA level in use: "c", "avx2", "avx512", "avx512bf16", "neon"; "" if the backend has
 *  none. The string is constant. Threads: any. */
AN_API const char *an_backend_level(const an_backend *backend);

/** Return the number of compute threads, including the caller's. Threads: any. */
AN_API int32_t an_backend_threads(const an_backend *backend);

#ifdef __cplusplus
}
#endif
#endif
