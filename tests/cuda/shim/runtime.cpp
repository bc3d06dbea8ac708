// SPDX-License-Identifier: MIT
// The functions of cuda_runtime_api.h on made-up devices.
#include "cuda_runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "shim.h"

typedef std::vector<std::function<int()>> work;

struct CUstream_st {
    work captured;
    bool capturing, invalid;
};
struct CUevent_st {
    uint64_t number; // of the last copy before it
};
struct CUgraph_st {
    work calls;
};
struct CUgraphExec_st {
    work calls;
};

namespace {

struct arrival {
    uint64_t number;
    void *to;
    std::vector<unsigned char> bytes;
};

struct block {
    size_t size;
    int device;
};

std::recursive_mutex one_call;
std::map<const char *, block> device_memory, pinned_memory;
std::vector<arrival> arrivals;
uint64_t copies;
thread_local int current;
cudaError_t broken, last;
std::string fault;
long until_fault = -1;

long setting(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

cudaError_t say(cudaError_t error) {
    if (error) last = error;
    return error;
}

// Whether all of the bytes are in one block.
bool is_in(const std::map<const char *, block> &blocks, const void *memory, size_t size) {
    const char *first = static_cast<const char *>(memory);
    auto after = blocks.upper_bound(first);
    if (after == blocks.begin()) return false;
    --after;
    return first + size <= after->first + after->second.size;
}

size_t used_of(int device) {
    size_t used = 0;
    for (const auto &one : device_memory)
        if (one.second.device == device) used += one.second.size;
    return used;
}

void read_fault() {
    const char *text = getenv("AN_SHIM_FAULT");
    if (fault == (text ? text : "")) return;
    fault = text ? text : "";
    until_fault = *fault.c_str() ? atol(fault.c_str()) : -1;
    broken = cudaSuccess;
}

// What copies up to this number have brought.
void deliver(uint64_t number) {
    size_t kept = 0;
    for (arrival &one : arrivals) {
        if (one.number <= number)
            memcpy(one.to, one.bytes.data(), one.bytes.size());
        else
            arrivals[kept++] = one;
    }
    arrivals.resize(kept);
}

// Run at once, or keep for the graph.
cudaError_t queue(cudaStream_t stream, const std::function<int()> &call) {
    read_fault();
    if (broken) return say(broken);
    if (stream && stream->capturing) {
        stream->captured.push_back(call);
        return cudaSuccess;
    }
    return say(static_cast<cudaError_t>(call()));
}

// Calls that a stream cannot capture.
bool refuses(cudaStream_t stream) {
    if (!stream || !stream->capturing) return false;
    stream->invalid = true;
    return true;
}

} // namespace

int ani_shim_queue(cudaStream_t stream, const std::function<int()> &launch) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (!setting("AN_SHIM_KERNELS", 1)) return say(cudaErrorNoKernelImageForDevice);
    return queue(stream, [launch] {
        read_fault();
        if (until_fault > 0 && --until_fault == 0) broken = cudaErrorIllegalAddress;
        return broken ? 0 : launch(); // the launch succeeds, what comes after it fails
    });
}

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorIllegalAddress:
        return "cudaErrorIllegalAddress";
    case cudaErrorInvalidConfiguration:
        return "cudaErrorInvalidConfiguration";
    default:
        return "cudaError";
    }
}

const char *cudaGetErrorString(cudaError_t error) {
    static thread_local char text[64];
    if (error == cudaErrorIllegalAddress) return "an illegal memory access was encountered";
    snprintf(text, sizeof text, "error %d of the stand-in for CUDA", static_cast<int>(error));
    return text;
}

cudaError_t cudaGetLastError(void) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    const cudaError_t error = last;
    last = broken;
    return error;
}

cudaError_t cudaDriverGetVersion(int *version) {
    *version = static_cast<int>(setting("AN_SHIM_DRIVER", CUDART_VERSION));
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
    *count = static_cast<int>(setting("AN_SHIM_CARDS", 2));
    return *count ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
    const long capability = setting("AN_SHIM_CAPABILITY", 90);
    if (device < 0 || device >= setting("AN_SHIM_CARDS", 2)) return say(cudaErrorInvalidDevice);
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "Stand-in %d", device);
    properties->uuid.bytes[15] = static_cast<char>(device + 1);
    properties->totalGlobalMem = static_cast<size_t>(setting("AN_SHIM_MEMORY", 8l << 30));
    properties->major = static_cast<int>(capability / 10);
    properties->minor = static_cast<int>(capability % 10);
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    if (device < 0 || device >= setting("AN_SHIM_CARDS", 2)) return say(cudaErrorInvalidDevice);
    current = device;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_size, size_t *total) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    const size_t used = used_of(current);
    read_fault();
    if (broken) return say(broken);
    *total = static_cast<size_t>(setting("AN_SHIM_MEMORY", 8l << 30));
    *free_size = *total > used ? *total - used : 0;
    return *free_size ? cudaSuccess : say(cudaErrorMemoryAllocation);
}

// --- memory: it begins undefined, 0xff, NaN in every type ---------------------------------------

cudaError_t cudaMalloc(void **memory, size_t size) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    *memory = nullptr;
    read_fault();
    if (broken) return say(broken);
    if (!size) return cudaSuccess;
    const size_t total = static_cast<size_t>(setting("AN_SHIM_MEMORY", 8l << 30));
    if (size > total || used_of(current) > total - size) return say(cudaErrorMemoryAllocation);
    if (posix_memalign(memory, 256, size)) return say(cudaErrorMemoryAllocation);
    memset(*memory, 0xff, size);
    device_memory[static_cast<char *>(*memory)] = {size, current};
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (memory && !device_memory.erase(static_cast<char *>(memory)))
        return say(cudaErrorInvalidValue);
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **memory, size_t size, unsigned flags) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    (void)flags;
    *memory = nullptr;
    if (!size) return cudaSuccess;
    if (posix_memalign(memory, 256, size)) return say(cudaErrorMemoryAllocation);
    memset(*memory, 0xff, size);
    pinned_memory[static_cast<char *>(*memory)] = {size, current};
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (memory && !pinned_memory.erase(static_cast<char *>(memory)))
        return say(cudaErrorInvalidValue);
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    const cudaError_t error = cudaMemcpyAsync(to, from, size, kind, nullptr);
    return error ? error : cudaDeviceSynchronize();
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (!size) return cudaSuccess;
    const bool to_device = is_in(device_memory, to, size);
    const bool from_device = is_in(device_memory, from, size);
    if (kind != cudaMemcpyDefault &&
        (to_device != (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) ||
         from_device != (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice)))
        return say(cudaErrorInvalidValue);
    if (!(to_device && from_device) && refuses(stream))
        return say(cudaErrorStreamCaptureUnsupported);
    return queue(stream, [=] {
        if (to_device || !is_in(pinned_memory, to, size)) {
            memmove(to, from, size);
            return 0;
        }
        const unsigned char *bytes = static_cast<const unsigned char *>(from);
        arrivals.push_back({++copies, to, {bytes, bytes + size}});
        return 0;
    });
}

cudaError_t cudaMemsetAsync(void *memory, int byte, size_t size, cudaStream_t stream) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (size && !is_in(device_memory, memory, size)) return say(cudaErrorInvalidValue);
    return queue(stream, [=] {
        memset(memory, byte, size);
        return 0;
    });
}

// --- streams and events -------------------------------------------------------------------------

cudaError_t cudaDeviceSynchronize(void) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    read_fault();
    deliver(copies);
    return say(broken);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    (void)flags;
    *stream = new CUstream_st();
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (refuses(stream)) return say(cudaErrorStreamCaptureUnsupported);
    return cudaDeviceSynchronize();
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (refuses(stream)) return say(cudaErrorStreamCaptureUnsupported);
    read_fault();
    return broken ? say(broken) : arrivals.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    (void)flags;
    *event = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    if (refuses(stream)) return say(cudaErrorStreamCaptureUnsupported);
    read_fault();
    event->number = copies;
    return say(broken);
}

// As streams run at once, an event has been reached when what arrives before it has.
cudaError_t cudaEventQuery(cudaEvent_t event) {
    return cudaEventSynchronize(event);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    read_fault();
    deliver(event->number);
    return say(broken);
}

// --- graphs -------------------------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    (void)mode;
    if (broken) return say(broken);
    if (refuses(stream)) return say(cudaErrorStreamCaptureUnsupported);
    stream->captured.clear();
    stream->capturing = true;
    stream->invalid = false;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    *graph = nullptr;
    if (!stream->capturing) return say(cudaErrorInvalidValue);
    stream->capturing = false;
    if (stream->invalid) return say(cudaErrorStreamCaptureInvalidated);
    *graph = new CUgraph_st{stream->captured};
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long flags) {
    (void)flags;
    *exec = new CUgraphExec_st{graph->calls};
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    const std::lock_guard<std::recursive_mutex> lock(one_call);
    for (const auto &call : exec->calls) {
        const cudaError_t error = queue(stream, call);
        if (error) return error;
    }
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    delete exec;
    return cudaSuccess;
}
