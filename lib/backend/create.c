/* SPDX-License-Identifier: MIT
 * Makes the backend of a device, and lists the devices: the only file that names the kinds. */
#include <stddef.h>
#include <stdio.h>

#include "backend/backend.h"
#include "backend/cuda_load.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/options.h"

enum { MAX_THREADS = 1024 };

static an_backend_options default_options(void) {
    return (an_backend_options){.struct_size = sizeof(an_backend_options), .device = "cpu"};
}

void an_backend_options_init(an_backend_options *options, uint32_t struct_size) {
    const an_backend_options defaults = default_options();
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* The first GPU that can be used, otherwise the CPU, which remembers why. */
static an_status create_any(an_backend **out, const an_backend_options *options, an_error *err) {
    an_error why = {0};
    an_status st = ani_cuda_create(out, 0, &why);
    if (st != AN_ERR_UNSUPPORTED && st != AN_ERR_DEVICE) {
        if (st && err) *err = why;
        return st;
    }
    st = ani_cpu_create(out, options, err);
    if (!st) snprintf((*out)->device.reason, sizeof(*out)->device.reason, "%s", why.message);
    return st;
}

an_status an_backend_create(an_backend **out, const an_backend_options *options, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    int32_t kind, index;
    an_backend_options ours = default_options();
    an_status st = ani_options_copy(&ours, sizeof ours, options, "an_backend_options", err);
    if (!st) st = ani_device_parse(ours.device, &kind, &index, err);
    if (st) return st;
    if (ours.threads < 0 || ours.threads > MAX_THREADS)
        return ani_fail(err, AN_ERR_ARG, "threads is %d; it must be 0 to %d", (int)ours.threads,
                        MAX_THREADS);
    if (ours.threads == 0) ours.threads = ani_cpu_count();
    switch (kind) {
    case ANI_DEVICE_CPU:
        return ani_cpu_create(out, &ours, err);
    case ANI_DEVICE_REF:
        return ani_ref_create(out, &ours, err);
    case ANI_DEVICE_CUDA:
        return ani_cuda_create(out, index, err);
    default:
        return create_any(out, &ours, err);
    }
}

struct an_device_list {
    int64_t count;
    ani_device entries[1 + ANI_DEVICES];
};

/* The processor, as a backend made now would use it. */
static an_status list_host(ani_device *out, an_error *err) {
    an_backend *backend = NULL;
    an_backend_options options;
    an_backend_options_init(&options, sizeof options);
    options.threads = 1;
    an_status st = an_backend_create(&backend, &options, err);
    if (st) return st;
    *out = backend->device;
    backend->ops->memory(backend, &out->memory_total, &out->memory_free);
    an_backend_destroy(backend);
    return AN_OK;
}

an_status an_device_list_create(an_device_list **out, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_status st = AN_OK;
    an_error why = {0};
    int32_t cards = 0;
    an_device_list *list = ani_alloc_zero(1, sizeof *list);
    if (!list) {
        st = ani_fail_memory(err, sizeof *list, "a list of devices");
        goto done;
    }
    st = list_host(&list->entries[0], err);
    if (st) goto done;
    st = ani_cuda_list(list->entries + 1, ANI_DEVICES, &cards, &why);
    if (st == AN_ERR_NOMEM) {
        st = ani_fail(err, st, "%s", why.message);
        goto done;
    }
    if (st) {
        ani_device *none = &list->entries[1];
        *none = (ani_device){.device = "cuda", .level = ""};
        snprintf(none->reason, sizeof none->reason, "%s", why.message);
        cards = 1;
        st = AN_OK;
    }
    list->count = 1 + cards;
    *out = list;
    list = NULL;
done:
    an_device_list_destroy(list);
    return st;
}

void an_device_list_destroy(an_device_list *list) {
    ani_free(list);
}

int64_t an_device_list_count(const an_device_list *list) {
    return list ? list->count : 0;
}

an_status an_device_list_describe(const an_device_list *list, int64_t index, an_device_info *info,
                                  an_error *err) {
    if (!list) return ani_fail(err, AN_ERR_ARG, "list is NULL");
    if (!info) return ani_fail(err, AN_ERR_ARG, "info is NULL");
    const an_status st = ani_report_check(info, "an_device_info", err);
    if (st) return st;
    if (index < 0 || index >= list->count)
        return ani_fail(err, AN_ERR_ARG, "device %lld of the list; it has 0 to %lld",
                        (long long)index, (long long)list->count - 1);
    ani_device_report(&list->entries[index], info);
    return AN_OK;
}
