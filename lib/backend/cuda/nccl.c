/* SPDX-License-Identifier: MIT
 * Links between GPUs by NCCL, whose library is loaded when the first one is made. A communicator is
 * of the non-blocking kind: a call returns at once, and its state is asked for. */
#include "backend/cuda/nccl.h"

#include <dlfcn.h>
#include <nccl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backend/cuda/cuda.h"
#include "base/memory.h"
#include "base/thread.h"

_Static_assert(sizeof(ncclUniqueId) == ANI_GPU_KEY, "the key of a link");

enum { LEAST_VERSION = NCCL_VERSION(2, 18, 0) };

/* What is used of the library, under its names. */
typedef struct nccl {
    ncclResult_t (*ncclGetVersion)(int *version);
    ncclResult_t (*ncclGetUniqueId)(ncclUniqueId *id);
    ncclResult_t (*ncclCommInitRankConfig)(ncclComm_t *comm, int size, ncclUniqueId id, int rank,
                                           ncclConfig_t *config);
    ncclResult_t (*ncclAllReduce)(const void *from, void *to, size_t count, ncclDataType_t type,
                                  ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream);
    ncclResult_t (*ncclBroadcast)(const void *from, void *to, size_t count, ncclDataType_t type,
                                  int root, ncclComm_t comm, cudaStream_t stream);
    ncclResult_t (*ncclCommGetAsyncError)(ncclComm_t comm, ncclResult_t *state);
    ncclResult_t (*ncclCommFinalize)(ncclComm_t comm);
    ncclResult_t (*ncclCommDestroy)(ncclComm_t comm);
    ncclResult_t (*ncclCommAbort)(ncclComm_t comm);
    const char *(*ncclGetErrorString)(ncclResult_t result);
    const char *(*ncclGetLastError)(ncclComm_t comm);
} nccl;

struct ani_gpu_link {
    ani_cuda *cuda;
    const nccl *library;
    ncclComm_t comm; /* NULL after an abort */
    cudaEvent_t event;
    bool is_recorded; /* the event, after the last call */
};

/* --- the library ------------------------------------------------------------------------------ */

#define FILE_NAME "libnccl.so.2"

static an_status find_functions(nccl *library, void *handle, an_error *err) {
    static const char *const names[] = {
        "ncclGetVersion", "ncclGetUniqueId",       "ncclCommInitRankConfig", "ncclAllReduce",
        "ncclBroadcast",  "ncclCommGetAsyncError", "ncclCommFinalize",       "ncclCommDestroy",
        "ncclCommAbort",  "ncclGetErrorString",    "ncclGetLastError"};
    _Static_assert(sizeof names / sizeof *names * sizeof(void *) == sizeof(nccl), "every function");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *symbol = dlsym(handle, names[i]);
        if (!symbol)
            return ani_fail(err, AN_ERR_UNSUPPORTED, "%s has no %s: it is older than NCCL 2.18",
                            FILE_NAME, names[i]);
        memcpy((char *)library + i * sizeof symbol, &symbol, sizeof symbol);
    }
    return AN_OK;
}

static an_status check_version(const nccl *library, an_error *err) {
    int version = 0;
    const ncclResult_t code = library->ncclGetVersion(&version);
    if (code)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "%s does not work: %s", FILE_NAME,
                        library->ncclGetErrorString(code));
    if (version < LEAST_VERSION || version / 10000 != NCCL_MAJOR)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "%s is of NCCL %d.%d.%d; this library needs %d.18 or a later %d.x",
                        FILE_NAME, version / 10000, version / 100 % 100, version % 100, NCCL_MAJOR,
                        NCCL_MAJOR);
    return AN_OK;
}

/* It stays loaded; loading it in two threads at once finds the same functions. */
static an_status load(const nccl **out, an_error *err) {
    static nccl library;
    static atomic_int is_loaded;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    an_status st = AN_OK;
    *out = &library;
    if (atomic_load(&is_loaded)) return AN_OK;
    pthread_mutex_lock(&lock);
    if (!atomic_load(&is_loaded)) {
        nccl found;
        void *handle = dlopen(FILE_NAME, RTLD_NOW | RTLD_LOCAL);
        if (!handle) {
            st = ani_fail(err, AN_ERR_UNSUPPORTED,
                          "cannot load NCCL, which adds up what several GPUs compute: %s; install "
                          "it (Debian: libnccl2), or set AN_NCCL=none to add by way of the host",
                          dlerror());
        } else {
            st = find_functions(&found, handle, err);
            if (!st) st = check_version(&found, err);
            if (st) dlclose(handle);
        }
        if (!st) {
            library = found;
            atomic_store(&is_loaded, 1);
        }
    }
    pthread_mutex_unlock(&lock);
    return st;
}

/* --- calls ------------------------------------------------------------------------------------ */

static an_status explain(const ani_gpu_link *link, ncclResult_t code, const char *what,
                         an_error *err) {
    const char *more = link->comm ? link->library->ncclGetLastError(link->comm) : NULL;
    return ani_fail(err, AN_ERR_DEVICE, "%s: NCCL failed in %s: %s%s%s",
                    link->cuda->base.device.device, what, link->library->ncclGetErrorString(code),
                    more && *more ? "; " : "", more ? more : "");
}

static bool is_failure(ncclResult_t code) {
    return code != ncclSuccess && code != ncclInProgress;
}

static an_status identify(an_backend *backend, char id[ANI_GPU_ID], an_error *err) {
    struct cudaDeviceProp card;
    const cudaError_t code = cudaGetDeviceProperties(&card, ani_cuda_of(backend)->index);
    if (code) return ani_cuda_explain(err, code, backend->device.device, "its description");
    for (int i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", (unsigned char)card.uuid.bytes[i]);
    return AN_OK;
}

static an_status draw(char key[ANI_GPU_KEY], an_error *err) {
    const nccl *library = NULL;
    ncclUniqueId id;
    an_status st = load(&library, err);
    if (st) return st;
    const ncclResult_t code = library->ncclGetUniqueId(&id);
    if (code)
        return ani_fail(err, AN_ERR_DEVICE, "NCCL cannot begin: %s (%s)",
                        library->ncclGetErrorString(code), library->ncclGetLastError(NULL));
    memcpy(key, &id, sizeof id);
    return AN_OK;
}

static void abort_link(ani_gpu_link *link) {
    if (link->comm) link->library->ncclCommAbort(link->comm);
    link->comm = NULL;
}

/* Flush what is queued and free what the ranks share; the others of this host do the same. */
static void finish(ani_gpu_link *link) {
    const struct timespec pause = {0, 100000};
    ncclResult_t state = link->library->ncclCommFinalize(link->comm);
    for (int i = 0; i < 100000 && !is_failure(state); i++) { /* ten seconds */
        if (link->library->ncclCommGetAsyncError(link->comm, &state) || !state) break;
        nanosleep(&pause, NULL);
    }
    if (state) {
        abort_link(link);
    } else {
        link->library->ncclCommDestroy(link->comm);
        link->comm = NULL;
    }
}

static void destroy(ani_gpu_link *link) {
    if (link->cuda->base.process == ani_process()) {
        ani_cuda *cuda = ani_cuda_enter_always(&link->cuda->base);
        if (link->comm) finish(link);
        if (link->event) cudaEventDestroy(link->event);
        ani_cuda_leave(cuda);
    }
    ani_free(link);
}

static an_status connect(ani_gpu_link **out, an_backend *backend, const char key[ANI_GPU_KEY],
                         int32_t rank, int32_t size, an_error *err) {
    const nccl *library = NULL;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    ncclUniqueId id;
    *out = NULL;
    an_status st = load(&library, err);
    if (st) return st;
    ani_cuda *cuda = ani_cuda_enter(backend);
    if (!cuda) return ani_cuda_status(ani_cuda_of(backend), err);
    ani_gpu_link *link = ani_alloc_zero(1, sizeof *link);
    if (!link) {
        ani_cuda_leave(cuda);
        return ani_fail_memory(err, sizeof *link, "a link of GPUs");
    }
    link->cuda = cuda;
    link->library = library;
    config.blocking = 0;
    memcpy(&id, key, sizeof id);
    const cudaError_t made = cudaEventCreateWithFlags(&link->event, cudaEventDisableTiming);
    if (!ani_cuda_check(cuda, made, "making an event")) st = ani_cuda_status(cuda, err);
    if (!st) {
        const ncclResult_t code =
            library->ncclCommInitRankConfig(&link->comm, size, id, rank, &config);
        if (is_failure(code)) st = explain(link, code, "joining the GPUs", err);
    }
    ani_cuda_leave(cuda);
    if (st) {
        abort_link(link);
        destroy(link);
        return st;
    }
    *out = link;
    return AN_OK;
}

/* What follows a call that was made. */
static an_status queued(ani_gpu_link *link, ncclResult_t code, const char *what, an_error *err) {
    link->is_recorded = false;
    return is_failure(code) ? explain(link, code, what, err) : AN_OK;
}

/* Begin a call; false: the backend or the link has failed. */
static bool begin(ani_gpu_link *link, an_status *st, an_error *err) {
    *st = AN_OK;
    if (!link->comm)
        *st = ani_fail(err, AN_ERR_IO, "the link of the GPUs has been given up");
    else if (link->cuda->base.process != ani_process())
        *st = ani_fail(err, AN_ERR_ARG, "the link of the GPUs belongs to the parent process");
    else if (!ani_cuda_enter(&link->cuda->base))
        *st = ani_cuda_status(link->cuda, err);
    return !*st;
}

static an_status sum(ani_gpu_link *link, void *data, int64_t count, int32_t width, an_error *err) {
    an_status st;
    if (!begin(link, &st, err)) return st;
    const ncclResult_t code =
        link->library->ncclAllReduce(data, data, (size_t)count, width == 4 ? ncclFloat : ncclDouble,
                                     ncclSum, link->comm, link->cuda->stream);
    st = queued(link, code, "a sum", err);
    ani_cuda_leave(link->cuda);
    return st;
}

static an_status broadcast(ani_gpu_link *link, void *data, int64_t size, int32_t root,
                           an_error *err) {
    an_status st;
    if (!begin(link, &st, err)) return st;
    const ncclResult_t code = link->library->ncclBroadcast(data, data, (size_t)size, ncclChar, root,
                                                           link->comm, link->cuda->stream);
    st = queued(link, code, "a broadcast", err);
    ani_cuda_leave(link->cuda);
    return st;
}

static an_status poll_locked(ani_gpu_link *link, int32_t *state, int32_t *is_peers, an_error *err) {
    ncclResult_t code = ncclSuccess;
    ncclResult_t asked = link->library->ncclCommGetAsyncError(link->comm, &code);
    if (asked) code = asked;
    if (is_failure(code)) {
        *is_peers = code == ncclRemoteError;
        return explain(link, code, "what was queued", err);
    }
    if (code == ncclInProgress) return AN_OK;
    ani_cuda *cuda = link->cuda;
    *state = ANI_LINK_QUEUED;
    if (!link->is_recorded) {
        ani_cuda_check(cuda, cudaEventRecord(link->event, cuda->stream), "recording an event");
        link->is_recorded = true;
    }
    const cudaError_t reached = cudaEventQuery(link->event);
    if (reached == cudaErrorNotReady) return AN_OK;
    if (!ani_cuda_check(cuda, reached, "queued work")) return ani_cuda_status(cuda, err);
    *state = ANI_LINK_DONE;
    return AN_OK;
}

static an_status poll(ani_gpu_link *link, int32_t *state, int32_t *is_peers, an_error *err) {
    an_status st;
    *state = ANI_LINK_BUSY;
    *is_peers = 0;
    if (!begin(link, &st, err)) return st;
    st = poll_locked(link, state, is_peers, err);
    ani_cuda_leave(link->cuda);
    return st;
}

const ani_gpu_links ani_nccl_links = {.identify = identify,
                                      .draw = draw,
                                      .connect = connect,
                                      .sum = sum,
                                      .broadcast = broadcast,
                                      .poll = poll,
                                      .give_up = abort_link,
                                      .destroy = destroy};
