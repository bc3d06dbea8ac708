/* SPDX-License-Identifier: MIT
 * Links between GPUs: what ranks with a CUDA backend each add up without the host, by NCCL. The
 * functions are those of the CUDA library (backend/cuda_load.h); lib/comm/gpus.c decides what to do
 * when they fail or take too long.
 *
 * Calls are queued on the backend's stream, in the same order on all ranks, and do not wait.
 * Threads: one call at a time on one link. */
#ifndef BACKEND_GPU_LINKS_H
#define BACKEND_GPU_LINKS_H

#include "backend/backend.h"

enum { ANI_GPU_KEY = 128 /* bytes */, ANI_GPU_ID = 33 /* with the 0 byte */ };

/** How far a link is with the last call. */
enum {
    ANI_LINK_BUSY,   /* not queued yet: no other work may be queued */
    ANI_LINK_QUEUED, /* on the stream */
    ANI_LINK_DONE    /* on the stream, and the device has computed it */
};

/** A rank's end. */
typedef struct ani_gpu_link ani_gpu_link;

typedef struct ani_gpu_links {
    /** Write the UUID of a backend's GPU in hexadecimal: the same GPU may be cuda:0 for each of
     * several processes. */
    an_status (*identify)(an_backend *backend, char id[ANI_GPU_ID], an_error *err);
    /** Draw the key that one rank makes and all give to connect(). AN_ERR_UNSUPPORTED: NCCL cannot
     * be loaded, or is too old. */
    an_status (*draw)(char key[ANI_GPU_KEY], an_error *err);
    /** Begin to connect; it is ANI_LINK_BUSY until all ranks have called. */
    an_status (*connect)(ani_gpu_link **out, an_backend *backend, const char key[ANI_GPU_KEY],
                         int32_t rank, int32_t size, an_error *err);
    /** Replace count floats (width 4) or doubles (width 8) by their sums over the ranks. */
    an_status (*sum)(ani_gpu_link *link, void *data, int64_t count, int32_t width, an_error *err);
    /** Copy size bytes of rank root to all. */
    an_status (*broadcast)(ani_gpu_link *link, void *data, int64_t size, int32_t root,
                           an_error *err);
    /** Find out how far it is: *state ANI_LINK_*. *is_peers: whether a failure may be that of
     * another rank, which the network has noticed. */
    an_status (*poll)(ani_gpu_link *link, int32_t *state, int32_t *is_peers, an_error *err);
    /** What is queued ends without a result, and later calls fail. */
    void (*give_up)(ani_gpu_link *link);
    /** End the link: all ranks call it, unless it was aborted. */
    void (*destroy)(ani_gpu_link *link);
} ani_gpu_links;

#endif
