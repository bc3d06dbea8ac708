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

/** Which device. Initialise with an_backend_options_init(), then change what you need. */
typedef struct an_backend_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t threads;      /* of the CPU, 1 to 1024; 0 = as many as the process's CPU affinity and
                             its control groups' CPU quotas allow; default 0 */
    const char *device;   /* copied; default NULL = "cpu":
                             "cpu": SIMD kernels on a thread pool;
                             "cuda" or "cuda:0": the first NVIDIA GPU, "cuda:1" the next, to 999;
                             "auto": the first GPU that can be used, otherwise the CPU;
                             "ref": plain loops in double on the CPU, slow, a reference */
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
 *          CUDA needs libattractivenet-cuda.so.0 of the same build as this library: in the same
 *          folder, otherwise where the dynamic loader finds it; it is loaded here, and so is the
 *          NVIDIA driver.
 * Returns: AN_OK; AN_ERR_ARG for an unknown device or a number out of range; for a GPU, never a
 *          silent CPU: AN_ERR_UNSUPPORTED if libattractivenet-cuda.so.0 is missing or is of another
 *          build; AN_ERR_DEVICE if the driver or the card is missing, too old or fails (the message
 *          says which, and its version); AN_ERR_NOMEM. "auto" takes the CPU after one of these but
 *          the last; an_backend_describe() says which device it took and why.
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

/** Return the level in use: of the CPU, the ISA level: "c", "avx2", "avx512", "avx512bf16", "neon";
 *  of a GPU "fused"; "" if the backend has none. The string is constant. Threads: any. */
AN_API const char *an_backend_level(const an_backend *backend);

/** Return the number of compute threads, including the caller's. Threads: any. */
AN_API int32_t an_backend_threads(const an_backend *backend);

/** A device. The strings are borrowed from the list or backend that was asked; none is NULL. */
typedef struct an_device_info {
    uint32_t struct_size;     /* set by init; the library fills in no more than that */
    int32_t is_usable;        /* 1: a backend can be made on it; 0: reason says why not */
    int32_t capability_major; /* of a GPU: compute capability, such as 9.0; otherwise 0 */
    int32_t capability_minor; /* the digit after the point */
    int64_t memory_total;     /* bytes: of the GPU's memory, or of the machine's; 0: unknown */
    int64_t memory_free;      /* bytes that new work could use, when it was asked; 0: unknown */
    const char *device; /* as in an_backend_options: "cpu", "ref", "cuda:0"; "cuda": no GPU was
                           found */
    const char *name;   /* of the processor or card, such as "NVIDIA H200"; "" if unknown */
    const char *level;  /* as an_backend_level(): what runs, or would run, there */
    const char *reason; /* in a list: why it is not usable; of a backend made by "auto": why it is
                           not a GPU; otherwise "" */
} an_device_info;

/** Set struct_size and zero the other fields. */
AN_API void an_device_info_init(an_device_info *info, uint32_t struct_size);

/**
 * Describe the device that a backend runs on.
 *
 * Returns: AN_OK; AN_ERR_ARG for NULL, a struct_size that was not set, or a backend of a parent
 *          process.
 * Cost:    asks the system or the driver for memory_free.
 * Threads: any.
 */
AN_API an_status an_backend_describe(an_backend *backend, an_device_info *info, an_error *err);

/** The devices of this machine, as they were when the list was made. Never changes, so all calls
 *  may run concurrently; no device or thread belongs to it. */
typedef struct an_device_list an_device_list;

/**
 * List the devices: the CPU, then the GPUs in the driver's order (CUDA_VISIBLE_DEVICES applies). If
 * there is no GPU, or CUDA cannot be used, the second entry is "cuda", with the reason.
 *
 * Owns:    *out is the caller's; free with an_device_list_destroy().
 * Returns: AN_OK, also without a GPU; AN_ERR_ARG; AN_ERR_NOMEM.
 * Cost:    loads the CUDA library and the driver where they are, and makes a context on each GPU to
 *          learn its free memory: up to a second each.
 * Threads: any.
 */
AN_API an_status an_device_list_create(an_device_list **out, an_error *err);

/** Release a list; NULL is allowed. */
AN_API void an_device_list_destroy(an_device_list *list);

/** Return the number of entries, at least 2; 0 for NULL. */
AN_API int64_t an_device_list_count(const an_device_list *list);

/** Describe entry index, from 0. Returns AN_OK; AN_ERR_ARG for an index out of range, or if
 *  struct_size was not set. */
AN_API an_status an_device_list_describe(const an_device_list *list, int64_t index,
                                         an_device_info *info, an_error *err);

#ifdef __cplusplus
}
#endif
#endif
