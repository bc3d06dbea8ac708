/* SPDX-License-Identifier: MIT
 * The CUDA backend is a library of its own, libattractivenet-cuda.so.N, loaded when a CUDA backend
 * is made or listed (base/companion.h). */
#ifndef BACKEND_CUDA_LOAD_H
#define BACKEND_CUDA_LOAD_H

#include "backend/backend.h"
#include "backend/gpu_links.h"
#include "base/companion.h"

/** What the CUDA library uses of the core, with the same meaning (base/error.h, base/memory.h,
 * base/thread.h, base/cancel.h). */
typedef struct ani_core_functions {
    an_status (*fail)(an_error *err, an_status status, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    an_status (*fail_memory)(an_error *err, int64_t size, const char *what);
    void *(*alloc)(int64_t size);
    void *(*alloc_zero)(int64_t count, int64_t size);
    void (*free)(void *memory);
    int64_t (*process)(void);
    bool (*watch_stops)(ani_watch *watch);
    an_status (*fail_device_memory)(an_backend *backend, int64_t size, const char *what,
                                    an_error *err); /* ani_backend_fail_memory() */
} ani_core_functions;

/** What the core uses of the CUDA library. */
typedef struct ani_cuda_library {
    ani_companion_build build;
    /** Make a backend on GPU number index, from 0. */
    an_status (*create)(an_backend **out, int32_t index, an_error *err);
    /** Describe at most `capacity` GPUs; *count 0 is a failure that says why. */
    an_status (*list)(ani_device *out, int32_t capacity, int32_t *count, an_error *err);
    const ani_gpu_links *links; /* NULL: built without NCCL */
} ani_cuda_library;

/** The library's one exported function, an ani_companion_entry_fn; core: ani_core_functions. */
#define ANI_CUDA_ENTRY "ani_cuda_entry"

/** A number that differs where the shared structs differ: builds of one release during
 * development. */
#define ANI_CUDA_LAYOUT                                                                            \
    ((((((((((uint64_t)sizeof(ani_backend_ops) * 1009 + sizeof(an_backend)) * 1009 +               \
            sizeof(ani_unit_plan)) *                                                               \
               1009 +                                                                              \
           sizeof(ani_unit_forward)) *                                                             \
              1009 +                                                                               \
          sizeof(ani_unit_backward)) *                                                             \
             1009 +                                                                                \
         sizeof(ani_optim_step)) *                                                                 \
            1009 +                                                                                 \
        sizeof(ani_infer_unit)) *                                                                  \
           1009 +                                                                                  \
       sizeof(ani_infer_input)) *                                                                  \
          1009 +                                                                                   \
      sizeof(ani_core_functions)) *                                                                \
         1009 +                                                                                    \
     sizeof(ani_gpu_links))

/** Make a backend on a GPU. AN_ERR_UNSUPPORTED if the library is missing or of another build;
 * AN_ERR_DEVICE for what the driver or the card lacks. */
an_status ani_cuda_create(an_backend **out, int32_t index, an_error *err);
/** List the GPUs, at most `capacity`; if there is none, it fails and says why. */
an_status ani_cuda_list(ani_device *out, int32_t capacity, int32_t *count, an_error *err);

/** What links GPUs; *out NULL: the library was built without. */
an_status ani_cuda_get_links(const ani_gpu_links **out, an_error *err);

/** For tests: load this file from now on instead of the installed library; NULL: the installed one
 * again. The path is borrowed. No CUDA backend may exist. */
void ani_cuda_use(const char *file);

#endif
