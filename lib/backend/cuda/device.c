/* SPDX-License-Identifier: MIT
 * The GPUs, and what is said when one cannot be used: no driver, an old one, no card, an old one.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cuda.h"
#include "backend/cuda/kernel/launch.h"

/* The kernels use tensor cores with bfloat16 and asynchronous copies. */
enum { LEAST_CAPABILITY = 80 };

/* A version number of CUDA, such as 13000, as text. */
static const char *version_text(char text[16], int version) {
    snprintf(text, 16, "%d.%d", version / 1000, version % 1000 / 10);
    return text;
}

/* Drivers run programs of their own major version and of older ones. */
static an_status check_driver(int *version, an_error *err) {
    char here[16], needed[16];
    *version = 0;
    cudaDriverGetVersion(version);
    if (*version >= CUDART_VERSION / 1000 * 1000) return AN_OK;
    if (*version)
        return ani_fail(err, AN_ERR_DEVICE,
                        "the NVIDIA driver is too old: it supports CUDA %s, and this library needs "
                        "%s or later",
                        version_text(here, *version),
                        version_text(needed, CUDART_VERSION / 1000 * 1000));
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    const char *why = driver ? NULL : dlerror();
    if (driver) dlclose(driver);
    return ani_fail(err, AN_ERR_DEVICE, "no NVIDIA driver: %s",
                    why ? why : "libcuda.so.1 does not start");
}

static an_status count_devices(int32_t *count, an_error *err) {
    char text[16];
    int version, found = 0;
    *count = 0;
    an_status st = check_driver(&version, err);
    if (st) return st;
    const cudaError_t code = cudaGetDeviceCount(&found);
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (code == cudaErrorNoDevice || (!code && !found))
        return ani_fail(err, AN_ERR_DEVICE, "the NVIDIA driver (CUDA %s) found no GPU%s%s",
                        version_text(text, version), visible ? "; CUDA_VISIBLE_DEVICES is " : "",
                        visible ? visible : "");
    if (code)
        return ani_fail(err, AN_ERR_DEVICE, "the NVIDIA driver (CUDA %s) does not work: %s (%s)",
                        version_text(text, version), cudaGetErrorString(code),
                        cudaGetErrorName(code));
    *count = found;
    return AN_OK;
}

an_status ani_cuda_explain(an_error *err, int code, const char *device, const char *what) {
    return ani_fail(err, AN_ERR_DEVICE, "%s failed in %s: %s (%s)", device, what,
                    cudaGetErrorString((cudaError_t)code), cudaGetErrorName((cudaError_t)code));
}

static an_status describe(int32_t index, ani_device *out, an_error *err) {
    struct cudaDeviceProp card;
    *out = (ani_device){.level = ""};
    snprintf(out->device, sizeof out->device, "cuda:%d", (int)index);
    const cudaError_t code = cudaGetDeviceProperties(&card, index);
    if (code) return ani_cuda_explain(err, code, out->device, "its description");
    snprintf(out->name, sizeof out->name, "%.*s", (int)sizeof out->name - 1, card.name);
    out->capability_major = card.major;
    out->capability_minor = card.minor;
    out->memory_total = (int64_t)card.totalGlobalMem;
    if (10 * card.major + card.minor < LEAST_CAPABILITY)
        return ani_fail(err, AN_ERR_DEVICE,
                        "%s (%s) is too old: its compute capability is %d.%d, and this library "
                        "needs %d.%d or later",
                        out->device, out->name, card.major, card.minor, LEAST_CAPABILITY / 10,
                        LEAST_CAPABILITY % 10);
    return AN_OK;
}

/* Run an empty kernel: this build may have been made for other cards. */
static an_status try_kernel(const ani_device *device, an_error *err) {
    int code = ani_cuda_nothing(NULL);
    if (!code) code = cudaDeviceSynchronize();
    if (code == cudaErrorNoKernelImageForDevice)
        return ani_fail(err, AN_ERR_DEVICE,
                        "%s (%s) has compute capability %d.%d, for which this build has no "
                        "kernels: it was built with gpu_archs=%s",
                        device->device, device->name, (int)device->capability_major,
                        (int)device->capability_minor, ANI_CUDA_ARCHS);
    return code ? ani_cuda_explain(err, code, device->device, "its first kernel") : AN_OK;
}

/* Use a device that has been described; what is still missing is its free memory. */
static an_status start(int32_t index, ani_device *device, an_error *err) {
    size_t free = 0, total = 0;
    cudaError_t code = cudaSetDevice(index);
    if (!code) code = cudaMemGetInfo(&free, &total); /* makes the context */
    if (code == cudaErrorMemoryAllocation)
        return ani_fail(err, AN_ERR_NOMEM,
                        "no memory on %s (%s) to begin with: other programs use it", device->device,
                        device->name);
    if (code) return ani_cuda_explain(err, code, device->device, "the start");
    device->memory_total = (int64_t)total;
    device->memory_free = (int64_t)free;
    an_status st = try_kernel(device, err);
    if (st) return st;
    device->level = "fused";
    device->is_usable = 1;
    return AN_OK;
}

an_status ani_cuda_open(int32_t index, ani_device *out, an_error *err) {
    int32_t count;
    an_status st = count_devices(&count, err);
    if (st) return st;
    if (index >= count)
        return ani_fail(err, AN_ERR_DEVICE, "there is no cuda:%d; the last GPU here is cuda:%d",
                        (int)index, (int)count - 1);
    st = describe(index, out, err);
    return st ? st : start(index, out, err);
}

an_status ani_cuda_list_devices(ani_device *out, int32_t capacity, int32_t *count, an_error *err) {
    an_status st = count_devices(count, err);
    if (st) return st;
    if (*count > capacity) *count = capacity;
    for (int32_t i = 0; i < *count; i++) {
        an_error why = {0};
        st = describe(i, &out[i], &why);
        if (!st) st = start(i, &out[i], &why);
        if (st) snprintf(out[i].reason, sizeof out[i].reason, "%s", why.message);
    }
    return AN_OK;
}
