/* SPDX-License-Identifier: MIT
 * What moves between host and device, and waiting for it.
 *
 * A ticket is an event in the stream. Memory from host_alloc is pinned, and the device reads it and
 * writes it by itself. What is sent from other memory is copied to pinned segments first, so that
 * the device need not be idle for it: there are enough of them for two of the largest batches, the
 * one that the device still waits for and the next one. */
#include <assert.h>
#include <string.h>

#include "backend/cuda/cuda.h"
#include "base/memory.h"

enum {
    LANDING = 4096, /* bytes of a slot for what arrives */
    SEGMENT_LEAST = 1 << 20,
    SEGMENT_MOST = 64 << 20
};

static int slot_of(int64_t ticket) {
    return (int)(ticket % ANI_CUDA_TICKETS);
}

an_status ani_cuda_queue_create(ani_cuda *cuda, an_error *err) {
    for (int i = 0; i < ANI_CUDA_TICKETS; i++) {
        const cudaError_t code = cudaEventCreateWithFlags(&cuda->events[i], cudaEventDisableTiming);
        if (code) return ani_cuda_explain(err, code, cuda->base.device.device, "making an event");
    }
    void *landing = NULL;
    const int64_t size = ANI_CUDA_TICKETS * LANDING;
    if (cudaHostAlloc(&landing, (size_t)size, cudaHostAllocPortable))
        return ani_fail_memory(err, size, "pinned memory");
    cuda->landing = landing;
    return AN_OK;
}

static void free_segments(ani_cuda *cuda) {
    for (int i = 0; i < ANI_CUDA_SEGMENTS; i++) {
        cudaFreeHost(cuda->segments[i]);
        cuda->segments[i] = NULL;
        cuda->segment_tickets[i] = 0;
    }
    cuda->segment_size = 0;
}

void ani_cuda_queue_clear(ani_cuda *cuda) {
    free_segments(cuda);
    while (cuda->pinned) {
        cuda_pinned *next = cuda->pinned->next;
        cudaFreeHost(cuda->pinned->memory);
        ani_free(cuda->pinned);
        cuda->pinned = next;
    }
    cudaFreeHost(cuda->landing);
    for (int i = 0; i < ANI_CUDA_TICKETS; i++)
        if (cuda->events[i]) cudaEventDestroy(cuda->events[i]);
}

/* --- pinned memory ---------------------------------------------------------------------------- */

void *ani_cuda_host_alloc(an_backend *backend, int64_t size) {
    void *memory = NULL;
    cuda_pinned *node = size < 0 ? NULL : ani_alloc_zero(1, sizeof *node);
    ani_cuda *cuda = node ? ani_cuda_enter(backend) : NULL;
    if (cuda) {
        const cudaError_t code =
            cudaHostAlloc(&memory, size ? (size_t)size : 1, cudaHostAllocPortable);
        if (code == cudaErrorMemoryAllocation)
            cudaGetLastError();
        else
            ani_cuda_check(cuda, code, "allocating pinned memory");
        if (code) memory = NULL;
    }
    if (memory) {
        memset(memory, 0, (size_t)size);
        *node = (cuda_pinned){.memory = memory, .size = size, .next = cuda->pinned};
        cuda->pinned = node;
        node = NULL;
    }
    if (cuda) ani_cuda_leave(cuda);
    ani_free(node);
    return memory;
}

void ani_cuda_host_free(an_backend *backend, void *memory, int64_t size) {
    (void)size;
    ani_cuda *cuda = memory ? ani_cuda_enter_always(backend) : NULL;
    if (!cuda) return;
    if (!cuda->failed.status)
        ani_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "queued work");
    for (cuda_pinned **at = &cuda->pinned; *at; at = &(*at)->next) {
        cuda_pinned *node = *at;
        if (node->memory != memory) continue;
        *at = node->next;
        ani_free(node);
        cudaFreeHost(memory);
        break;
    }
    ani_cuda_leave(cuda);
}

static bool is_pinned(const ani_cuda *cuda, const void *memory, int64_t size) {
    const char *first = memory;
    for (const cuda_pinned *at = cuda->pinned; at; at = at->next)
        if (first >= at->memory && first + size <= at->memory + at->size) return true;
    return false;
}

/* --- tickets ---------------------------------------------------------------------------------- */

/* The host's side of tickets that are done. */
static void settle(ani_cuda *cuda, int64_t ticket) {
    for (; cuda->reached < ticket; cuda->reached++) {
        const int slot = slot_of(cuda->reached + 1);
        cuda_arrival *arrival = &cuda->arrivals[slot];
        if (arrival->size)
            memcpy(arrival->to, cuda->landing + (int64_t)slot * LANDING, (size_t)arrival->size);
        arrival->size = 0;
        cuda->waits[slot] = 0;
    }
}

/* The newest ticket up to this one that has to be waited for; 0: none. */
static int64_t newest_wait(const ani_cuda *cuda, int64_t ticket) {
    while (ticket > cuda->reached && !cuda->waits[slot_of(ticket)])
        ticket--;
    return ticket > cuda->reached ? ticket : 0;
}

static void reach_locked(ani_cuda *cuda, int64_t ticket) {
    const int64_t wait = newest_wait(cuda, ticket);
    if (wait)
        ani_cuda_check(cuda, cudaEventSynchronize(cuda->events[slot_of(wait)]), "queued work");
    if (!cuda->failed.status) settle(cuda, ticket);
}

/* A ticket for what has been queued so far. waits: whether the host's memory is still in use. */
static int64_t issue(ani_cuda *cuda, int32_t waits) {
    const int64_t ticket = cuda->issued + 1;
    const int slot = slot_of(ticket);
    if (ticket > ANI_CUDA_TICKETS) reach_locked(cuda, ticket - ANI_CUDA_TICKETS);
    cuda->issued = ticket;
    cuda->waits[slot] = waits;
    ani_cuda_check(cuda, cudaEventRecord(cuda->events[slot], cuda->stream), "recording an event");
    return ticket;
}

an_status ani_cuda_reach(an_backend *backend, int64_t ticket, an_error *err) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (cuda) {
        const cudaError_t code = ticket ? cudaSuccess : cudaStreamQuery(cuda->stream);
        if (code != cudaErrorNotReady) ani_cuda_check(cuda, code, "queued work");
        if (ticket > cuda->issued) ticket = cuda->issued;
        const int64_t wait = newest_wait(cuda, ticket);
        cudaEvent_t event = wait ? cuda->events[slot_of(wait)] : NULL;
        ani_cuda_leave(cuda);
        /* Others may queue meanwhile. If the event is used again by then, that is later. */
        const cudaError_t waited = wait ? cudaEventSynchronize(event) : cudaSuccess;
        cuda = ani_cuda_enter(backend);
        if (cuda) {
            if (ani_cuda_check(cuda, waited, "queued work")) settle(cuda, ticket);
            ani_cuda_leave(cuda);
        }
    }
    return ani_cuda_status(ani_cuda_of(backend), err);
}

an_status ani_cuda_wait(an_backend *backend, an_error *err) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (cuda) {
        const int64_t ticket = cuda->issued;
        ani_cuda_leave(cuda);
        const cudaError_t waited = cudaStreamSynchronize(ani_cuda_of(backend)->stream);
        cuda = ani_cuda_enter(backend);
        if (cuda) {
            if (ani_cuda_check(cuda, waited, "queued work")) settle(cuda, ticket);
            ani_cuda_leave(cuda);
        }
    }
    return ani_cuda_status(ani_cuda_of(backend), err);
}

/* --- host to device --------------------------------------------------------------------------- */

/* Have segments of which four hold size bytes, as far as SEGMENT_MOST allows. */
static bool need_segments(ani_cuda *cuda, int64_t size) {
    int64_t wanted = SEGMENT_LEAST;
    while (wanted < SEGMENT_MOST && wanted * (ANI_CUDA_SEGMENTS / 2) < size)
        wanted *= 2;
    if (cuda->segment_size >= wanted) return true;
    if (!ani_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "queued work")) return false;
    free_segments(cuda);
    for (int i = 0; i < ANI_CUDA_SEGMENTS; i++) {
        void *memory = NULL;
        if (cudaHostAlloc(&memory, (size_t)wanted, cudaHostAllocPortable)) {
            cudaGetLastError();
            free_segments(cuda);
            return false;
        }
        cuda->segments[i] = memory;
    }
    cuda->segment_size = wanted;
    return true;
}

/* Copy to the device by way of the segments: when it returns, the caller's memory is free. */
static void stage(ani_cuda *cuda, char *to, const char *from, int64_t size) {
    if (!need_segments(cuda, size)) { /* without pinned memory: slower, and it waits */
        if (cuda->failed.status) return;
        ani_cuda_check(
            cuda, cudaMemcpyAsync(to, from, (size_t)size, cudaMemcpyHostToDevice, cuda->stream),
            "sending");
        ani_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "sending");
        return;
    }
    for (int64_t done = 0; done < size && !cuda->failed.status;) {
        const int i = cuda->next_segment;
        const int64_t rest = size - done;
        const int64_t piece = rest < cuda->segment_size ? rest : cuda->segment_size;
        if (cuda->segment_tickets[i] &&
            !ani_cuda_check(cuda,
                            cudaEventSynchronize(cuda->events[slot_of(cuda->segment_tickets[i])]),
                            "queued work"))
            return;
        memcpy(cuda->segments[i], from + done, (size_t)piece);
        ani_cuda_check(cuda,
                       cudaMemcpyAsync(to + done, cuda->segments[i], (size_t)piece,
                                       cudaMemcpyHostToDevice, cuda->stream),
                       "sending");
        cuda->segment_tickets[i] = issue(cuda, 0);
        cuda->next_segment = (i + 1) % ANI_CUDA_SEGMENTS;
        done += piece;
    }
}

void ani_cuda_write(an_backend *backend, void *to, const void *from_host, int64_t size) {
    ani_cuda *cuda = size > 0 ? ani_cuda_enter(backend) : NULL;
    if (!cuda) return;
    assert(!cuda->capturing);
    stage(cuda, to, from_host, size);
    ani_cuda_leave(cuda);
}

int64_t ani_cuda_send(an_backend *backend, void *to, const void *from_host, int64_t size) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return 1;
    assert(!cuda->capturing);
    const int32_t pinned = size > 0 && is_pinned(cuda, from_host, size);
    if (pinned)
        ani_cuda_check(
            cuda,
            cudaMemcpyAsync(to, from_host, (size_t)size, cudaMemcpyHostToDevice, cuda->stream),
            "sending");
    else if (size > 0)
        stage(cuda, to, from_host, size);
    const int64_t ticket = issue(cuda, pinned);
    ani_cuda_leave(cuda);
    return ticket;
}

/* --- device to host --------------------------------------------------------------------------- */

void ani_cuda_read(an_backend *backend, void *to_host, const void *from, int64_t size) {
    if (size <= 0) return;
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) {
        memset(to_host, 0, (size_t)size); /* defined, and wait() says that it is nothing */
        return;
    }
    assert(!cuda->capturing);
    const bool queued = ani_cuda_check(
        cuda, cudaMemcpyAsync(to_host, from, (size_t)size, cudaMemcpyDeviceToHost, cuda->stream),
        "reading");
    ani_cuda_leave(cuda);
    const cudaError_t waited =
        queued ? cudaStreamSynchronize(ani_cuda_of(backend)->stream) : cudaSuccess;
    cuda = ani_cuda_enter(backend);
    if (!cuda) return;
    ani_cuda_check(cuda, waited, "queued work");
    ani_cuda_leave(cuda);
}

int64_t ani_cuda_fetch(an_backend *backend, void *to_host, const void *from, int64_t size) {
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return 1;
    assert(!cuda->capturing);
    int64_t ticket = 0;
    if (size > LANDING && !is_pinned(cuda, to_host, size)) {
        ani_cuda_read(backend, to_host, from, size);
        ticket = issue(cuda, 0);
    } else if (size > 0) {
        const bool lands = !is_pinned(cuda, to_host, size);
        const int slot = slot_of(cuda->issued + 1);
        if (cuda->issued >= ANI_CUDA_TICKETS)
            reach_locked(cuda, cuda->issued + 1 - ANI_CUDA_TICKETS);
        char *to = lands ? cuda->landing + (int64_t)slot * LANDING : to_host;
        ani_cuda_check(
            cuda, cudaMemcpyAsync(to, from, (size_t)size, cudaMemcpyDeviceToHost, cuda->stream),
            "fetching");
        ticket = issue(cuda, 1);
        if (lands) cuda->arrivals[slot] = (cuda_arrival){to_host, size};
    } else {
        ticket = issue(cuda, 0);
    }
    ani_cuda_leave(cuda);
    return ticket;
}
