/* SPDX-License-Identifier: MIT
 * An MPI as a wire. Compiled once for each MPI that is found, since their ABIs differ, into a
 * library that is linked with that MPI: libattractivenet-openmpi, libattractivenet-mpich. */
#include <mpi.h>

#include <stdio.h>
#include <string.h>

#include "comm/wire.h"
#include "config.h"

_Static_assert(sizeof(MPI_Request) <= sizeof(uint64_t), "a request is a word");

typedef struct mpi_link {
    MPI_Comm comm;    /* ours alone: a copy of the group */
    MPI_Request copy; /* making it */
    int thread;       /* MPI_THREAD_* that the library was started with */
    int is_starter;   /* we have started the library, and end it */
} mpi_link;

_Static_assert(sizeof(mpi_link) <= sizeof(ani_wire_link), "a link has room");

static mpi_link *mpi_of(ani_wire_link *room) {
    return (mpi_link *)room->words;
}

/* What the code's class means; an MPI's text of the code itself may be a whole stack of calls. */
static void explain(int32_t code, char *text) {
    char long_text[MPI_MAX_ERROR_STRING + 1] = "";
    int length = 0, class = code;
    MPI_Error_class(code, &class);
    if (MPI_Error_string(class, long_text, &length)) strcpy(long_text, "unknown error");
    long_text[strcspn(long_text, "\n")] = '\0';
    snprintf(text, ANI_WIRE_TEXT, "%.*s", ANI_WIRE_TEXT - 1, long_text);
}

static MPI_Request load(const ani_wire_request *request) {
    MPI_Request value;
    memcpy(&value, &request->word, sizeof value);
    return value;
}

/* Zero means none, and an MPI's own word for none may be another. */
static void store(ani_wire_request *request, MPI_Request value) {
    request->word = 0;
    if (value != MPI_REQUEST_NULL) memcpy(&request->word, &value, sizeof value);
}

/* Start the library, unless the caller's group shows that it runs. */
static int begin(mpi_link *link, const void *group, MPI_Comm *from, char *text) {
    int started = 0, ended = 0, code = MPI_Initialized(&started);
    if (!code) code = MPI_Finalized(&ended);
    if (code) return code;
    if (ended || (group && !started)) {
        strcpy(text, ended ? "it was ended in this process, and cannot be started again"
                           : "a group was passed before MPI_Init() was called");
        return -1;
    }
    if (!started) {
        code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &link->thread);
        if (code) return code;
        link->is_starter = 1;
        code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    } else {
        code = MPI_Query_thread(&link->thread);
    }
    if (group)
        memcpy(from, group, sizeof *from);
    else
        *from = MPI_COMM_WORLD;
    return code;
}

static int32_t mpi_start(ani_wire_link *room, const void *group, ani_wire_place *place,
                         char *text) {
    MPI_Comm from = MPI_COMM_NULL;
    int rank = 0, size = 0, code;
    mpi_link *link = mpi_of(room);
    code = begin(link, group, &from, text);
    if (!code && from == MPI_COMM_NULL) {
        strcpy(text, "the group is MPI_COMM_NULL");
        code = -1;
    }
    if (!code) code = MPI_Comm_rank(from, &rank);
    if (!code) code = MPI_Comm_size(from, &size);
    if (!code) code = MPI_Comm_idup(from, &link->comm, &link->copy);
    if (code) {
        if (code > 0) explain(code, text);
        return 1;
    }
    *place = (ani_wire_place){.rank = rank, .size = size};
    return 0;
}

static int32_t mpi_ready(ani_wire_link *room, int32_t *done) {
    mpi_link *link = mpi_of(room);
    int flag = 0;
    const int code = MPI_Test(&link->copy, &flag, MPI_STATUS_IGNORE);
    *done = flag;
    if (code || !flag) return code;
    return MPI_Comm_set_errhandler(link->comm, MPI_ERRORS_RETURN);
}

static int32_t mpi_finish(ani_wire_link *room, int32_t is_orderly) {
    mpi_link *link = mpi_of(room);
    if (!is_orderly) return 0; /* both calls below wait for all ranks */
    MPI_Comm_free(&link->comm);
    if (link->is_starter) MPI_Finalize();
    return 1;
}

static int32_t mpi_send(ani_wire_link *room, int32_t rank, int32_t tag, const void *from,
                        int64_t size, ani_wire_request *request) {
    const mpi_link *link = mpi_of(room);
    MPI_Request sent = MPI_REQUEST_NULL;
    const int code = MPI_Isend(from, (int)size, MPI_BYTE, rank, tag, link->comm, &sent);
    store(request, code ? MPI_REQUEST_NULL : sent);
    request->size = -1;
    return code;
}

static int32_t mpi_receive(ani_wire_link *room, int32_t rank, int32_t tag, void *to, int64_t size,
                           ani_wire_request *request) {
    const mpi_link *link = mpi_of(room);
    MPI_Request posted = MPI_REQUEST_NULL;
    const int code =
        MPI_Irecv(to, (int)size, MPI_BYTE, rank == ANI_WIRE_ANY ? MPI_ANY_SOURCE : rank, tag,
                  link->comm, &posted);
    store(request, code ? MPI_REQUEST_NULL : posted);
    request->size = size;
    return code;
}

static int32_t mpi_test(ani_wire_link *room, ani_wire_request *request, int32_t *done) {
    (void)room;
    int flag = 0, is_cancelled = 0, size = 0;
    MPI_Status status;
    MPI_Request tested = load(request);
    int code = MPI_Test(&tested, &flag, &status);
    *done = flag;
    store(request, code ? MPI_REQUEST_NULL : tested);
    if (code || !flag || request->size < 0) return code;
    code = MPI_Test_cancelled(&status, &is_cancelled);
    if (!code && !is_cancelled) code = MPI_Get_count(&status, MPI_BYTE, &size);
    return code || is_cancelled || size == request->size ? code : MPI_ERR_TRUNCATE;
}

static void mpi_cancel(ani_wire_link *room, ani_wire_request *request) {
    (void)room;
    MPI_Request given_up = load(request);
    MPI_Cancel(&given_up);
}

static int32_t mpi_may_call(ani_wire_link *room) {
    const mpi_link *link = mpi_of(room);
    int is_main = 0;
    if (link->thread >= MPI_THREAD_SERIALIZED) return 0;
    return MPI_Is_thread_main(&is_main) || !is_main ? AN_ERR_ARG : 0;
}

ani_companion_entry_fn ani_wire_entry;

__attribute__((visibility("default"))) const ani_companion_build *ani_wire_entry(const void *core) {
    static const ani_wire wire = {.build = {ANI_COMPANION_VERSION, ANI_WIRE_LAYOUT},
                                  .name = ANI_MPI_NAME,
                                  .start = mpi_start,
                                  .ready = mpi_ready,
                                  .finish = mpi_finish,
                                  .send = mpi_send,
                                  .receive = mpi_receive,
                                  .test = mpi_test,
                                  .cancel = mpi_cancel,
                                  .may_call = mpi_may_call,
                                  .explain = explain};
    (void)core;
    return &wire.build;
}
