/* SPDX-License-Identifier: MIT
 * Messages between the ranks of several processes, none of which waits: what a library of MPI
 * provides, and all that it provides. Deadlines, sums and what happens when a rank fails are in
 * wire.c, the same for every kind of wire. A wire is a library of its own (base/companion.h). */
#ifndef COMM_WIRE_H
#define COMM_WIRE_H

#include "base/companion.h"
#include "comm/comm.h"

enum { ANI_WIRE_TEXT = 160, ANI_WIRE_TAGS = 1 << 14, ANI_WIRE_ANY = -1 };

/** A message that is on its way; word 0: none. */
typedef struct ani_wire_request {
    uint64_t word; /* the wire's own */
    int64_t size;  /* what has to arrive; -1: it is sent */
} ani_wire_request;

/** Room for what a wire keeps; zero before start. */
typedef struct ani_wire_link {
    uint64_t words[8];
} ani_wire_link;

/** What start learns. */
typedef struct ani_wire_place {
    int32_t rank, size;
} ani_wire_place;

/** All return 0, or an error code of the wire's own, above 0. */
typedef struct ani_wire {
    ani_companion_build build;
    const char *name; /* "Open MPI", "MPICH" */
    /** Begin to make a link between ranks. group: the caller's MPI_Comm; NULL: all that the
     * launcher started. On failure, text [ANI_WIRE_TEXT] says why. */
    int32_t (*start)(ani_wire_link *link, const void *group, ani_wire_place *place, char *text);
    /** *done 1: the link can be used. */
    int32_t (*ready)(ani_wire_link *link, int32_t *done);
    /** End the link. is_orderly: all ranks have said goodbye, so that what waits for them may be
     * called; otherwise what cannot be freed without them is left. Returns 1 if nothing is on its
     * way any more, so that the memory of messages can be freed. */
    int32_t (*finish)(ani_wire_link *link, int32_t is_orderly);
    /** tag: below ANI_WIRE_TAGS. size: up to 1 GiB. The memory is left alone until done. */
    int32_t (*send)(ani_wire_link *link, int32_t rank, int32_t tag, const void *data, int64_t size,
                    ani_wire_request *request);
    /** From a rank or ANI_WIRE_ANY; for a message of another size, test returns an error. */
    int32_t (*receive)(ani_wire_link *link, int32_t rank, int32_t tag, void *data, int64_t size,
                       ani_wire_request *request);
    /** *done 1: it has arrived, or has left; word becomes 0, also after an error. */
    int32_t (*test)(ani_wire_link *link, ani_wire_request *request, int32_t *done);
    /** Give up a message: its memory may be written to until test says done. */
    void (*cancel)(ani_wire_link *link, ani_wire_request *request);
    /** AN_ERR_ARG: this thread may not call the library. */
    int32_t (*may_call)(ani_wire_link *link);
    /** Write what a code means to text [ANI_WIRE_TEXT]. */
    void (*explain)(int32_t code, char *text);
} ani_wire;

#define ANI_WIRE_ENTRY "ani_wire_entry"
#define ANI_WIRE_LAYOUT ((uint64_t)sizeof(ani_wire) * 1009 + sizeof(ani_wire_place))

/** Make a communicator over a wire. All ranks of the group make this call. */
an_status ani_comm_wire_create(an_comm **out, const ani_wire *wire, const void *group,
                               double deadline, an_error *err);

/** For tests: load this file from now on as the library of whatever MPI; NULL: the installed one
 * again. The path is borrowed. */
void ani_wire_use(const char *file);

#endif
