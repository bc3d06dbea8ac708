/* SPDX-License-Identifier: MIT
 * The CUDA backend, in a library of its own (backend/cuda_load.h): one stream of one GPU. Host code
 * is C; kernels are below kernel/, behind the launchers of kernel/launch.h.
 *
 * Every entry holds the backend's lock while it queues its work: launches that belong together stay
 * together in the stream, and may then share memory that no other entry reads (room, counters).
 *
 * An error of the device stays: the first one is remembered, later entries do nothing, and reach()
 * and wait() return it. */
#ifndef BACKEND_CUDA_CUDA_H
#define BACKEND_CUDA_CUDA_H

#include <cuda_runtime_api.h>
#include <pthread.h>

#include "backend/backend.h"

enum {
    ANI_CUDA_TICKETS = 256, /* whose events are kept */
    ANI_CUDA_SEGMENTS = 8,  /* of pinned memory for what is sent from other memory */
    ANI_CUDA_SLICE = 32     /* images of a prediction at a time */
};

/** A fetch to memory that is not pinned: it arrives in pinned memory and is copied when its ticket
 * is reached. */
typedef struct cuda_arrival {
    void *to;
    int64_t size; /* 0: nothing */
} cuda_arrival;

/** Pinned host memory from host_alloc. */
typedef struct cuda_pinned cuda_pinned;
struct cuda_pinned {
    char *memory;
    int64_t size;
    cuda_pinned *next;
};

typedef struct ani_cuda {
    an_backend base;
    pthread_mutex_t lock; /* recursive: held from begin to end of a recording */
    cudaStream_t stream;
    void *room; /* ANI_ROOM_SIZE bytes for one launch at a time */
    unsigned *counters;
    ani_range *range; /* device memory for value_range */
    an_error failed;  /* the first error; status AN_OK: none */
    int32_t index;    /* of the GPU */
    int32_t capturing;

    /* tickets (queue.c) */
    int64_t issued, reached;
    cudaEvent_t events[ANI_CUDA_TICKETS];
    int32_t waits[ANI_CUDA_TICKETS]; /* 1: the host's memory is in use until the event */
    cuda_arrival arrivals[ANI_CUDA_TICKETS];
    char *landing; /* pinned, a slot per ticket */
    char *segments[ANI_CUDA_SEGMENTS];
    int64_t segment_size;
    int64_t segment_tickets[ANI_CUDA_SEGMENTS]; /* after which a segment is free */
    int32_t next_segment;
    int32_t reserved;
    cuda_pinned *pinned;
} ani_cuda;

/** Lock the backend and make its GPU the thread's. NULL, without a lock, if the backend belongs to
 * a parent process or its device has failed: do nothing. */
ani_cuda *ani_cuda_enter(an_backend *backend);
void ani_cuda_leave(ani_cuda *cuda);
/** The same, also after a failure: for what frees memory. */
ani_cuda *ani_cuda_enter_always(an_backend *backend);

/** Remember a cudaError_t; what: the entry, such as "unit_forward". Returns true if it is
 * cudaSuccess. */
bool ani_cuda_check(ani_cuda *cuda, int code, const char *what);
/** Remember a failure of the host. */
void ani_cuda_fail_memory(ani_cuda *cuda, int64_t size, const char *what);
/** The remembered error; AN_OK: none. */
an_status ani_cuda_status(const ani_cuda *cuda, an_error *err);

/* device.c */
an_status ani_cuda_list_devices(ani_device *out, int32_t capacity, int32_t *count, an_error *err);
/** Find a GPU that can be used, and make it the thread's. */
an_status ani_cuda_open(int32_t index, ani_device *out, an_error *err);
/** "driver" or "card" errors, as the CUDA runtime names them. */
an_status ani_cuda_explain(an_error *err, int code, const char *device, const char *what);

/* queue.c */
an_status ani_cuda_queue_create(ani_cuda *cuda, an_error *err);
void ani_cuda_queue_clear(ani_cuda *cuda);
void *ani_cuda_host_alloc(an_backend *backend, int64_t size);
void ani_cuda_host_free(an_backend *backend, void *memory, int64_t size);
void ani_cuda_write(an_backend *backend, void *to, const void *from_host, int64_t size);
void ani_cuda_read(an_backend *backend, void *to_host, const void *from, int64_t size);
int64_t ani_cuda_send(an_backend *backend, void *to, const void *from_host, int64_t size);
int64_t ani_cuda_fetch(an_backend *backend, void *to_host, const void *from, int64_t size);
an_status ani_cuda_reach(an_backend *backend, int64_t ticket, an_error *err);
an_status ani_cuda_wait(an_backend *backend, an_error *err);

/* record.c */
int32_t ani_cuda_begin(an_backend *backend, ani_recording **recording, const void *key,
                       int64_t key_size);
void ani_cuda_end(an_backend *backend, ani_recording *recording, int32_t whole);
void ani_cuda_forget(an_backend *backend, ani_recording *recording);

/* unit.c */
void ani_cuda_unit_plan(an_backend *backend, const ani_unit_shape *shape, int32_t element,
                        ani_unit_plan *plan);
void ani_cuda_unit_forward(an_backend *backend, const ani_unit_plan *plan,
                           const ani_unit_forward *args);
void ani_cuda_unit_backward(an_backend *backend, const ani_unit_plan *plan,
                            const ani_unit_backward *args);

/* infer.c */
an_status ani_cuda_infer_create(an_backend *backend, ani_infer **out, const ani_infer_unit *units,
                                int32_t count, int32_t kind, const ani_calibrated *calibrated,
                                an_error *err);
void ani_cuda_infer_destroy(an_backend *backend, ani_infer *infer);
void ani_cuda_infer_pack(an_backend *backend, ani_infer *infer);
an_status ani_cuda_infer_buffers_create(an_backend *backend, ani_infer_buffers **out,
                                        const ani_infer *infer, an_error *err);
void ani_cuda_infer_buffers_destroy(an_backend *backend, ani_infer_buffers *buffers);
void ani_cuda_infer_run(an_backend *backend, const ani_infer *infer, ani_infer_buffers *buffers,
                        const ani_infer_input *input, int64_t n, float *features);

/** Device memory, zeroed in the order of the stream; NULL: out of memory. The backend is locked. */
void *ani_cuda_alloc_locked(ani_cuda *cuda, int64_t size);

static inline ani_cuda *ani_cuda_of(an_backend *backend) {
    return (ani_cuda *)backend; /* its first member */
}

#endif
