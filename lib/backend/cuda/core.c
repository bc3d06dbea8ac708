/* SPDX-License-Identifier: MIT
 * The library's one exported function, and what it uses of the core under the core's names, so that
 * the other files include base/ as everywhere. */
#include <stdarg.h>
#include <stdio.h>

#include "backend/cuda/create.h"
#include "backend/cuda/cuda.h"
#include "backend/cuda/nccl.h"
#include "backend/cuda_load.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config.h"

static const ani_core_functions *core;

an_status ani_fail(an_error *err, an_status status, const char *format, ...) {
    char text[sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return core->fail(err, status, "%s", text);
}

an_status ani_fail_memory(an_error *err, int64_t size, const char *what) {
    return core->fail_memory(err, size, what);
}

void *ani_alloc(int64_t size) {
    return core->alloc(size);
}

void *ani_alloc_zero(int64_t count, int64_t size) {
    return core->alloc_zero(count, size);
}

void ani_free(void *memory) {
    core->free(memory);
}

int64_t ani_process(void) {
    return core->process();
}

bool ani_watch_stops(ani_watch *watch) {
    return core->watch_stops(watch);
}

an_status ani_backend_fail_memory(an_backend *backend, int64_t size, const char *what,
                                  an_error *err) {
    return core->fail_device_memory(backend, size, what, err);
}

ani_companion_entry_fn ani_cuda_entry;

__attribute__((visibility("default"))) const ani_companion_build *
ani_cuda_entry(const void *functions) {
    static const ani_cuda_library library = {
        .build = {ANI_COMPANION_VERSION, ANI_CUDA_LAYOUT},
        .create = ani_cuda_create_backend,
        .list = ani_cuda_list_devices,
#if ANI_CUDA_NCCL
        .links = &ani_nccl_links
#endif
    };
    core = functions;
    return &library.build;
}
