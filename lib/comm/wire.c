/* SPDX-License-Identifier: MIT
 * Ranks that are processes, of one machine or several, and send each other messages.
 *
 * Every call posts its messages and polls them until they are done or the deadline has passed.
 * Beside them, notes go from rank to rank, which every rank looks at while it waits:
 *   CALL   are you there? The sender's deadline has passed.
 *   HERE   the answer
 *   STOP   the communicator has failed; with the message that all ranks return
 *   LEAVE  this rank has ended in good order
 * Whose deadline passes makes a roll call: a rank that does not answer is the missing one. It may
 * be another than the one whose message is late, since that one may wait for the missing rank, too.
 * All that are there are then told to stop. Each kind of note is sent to a rank once at most. */
#include "comm/wire.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config.h"

enum { CALL, HERE, STOP, LEAVE, NOTES };
enum { NOTE_TAG = 0, FIRST_TAG = 1 };
enum {
    PIECE = 1 << 28,        /* bytes of a message at most */
    EXCHANGE_MOST = 1 << 18 /* bytes of all ranks that are exchanged whole */
};

/* Seconds of polling after the last progress, and for each byte that is on its way: without a
 * pause, as long as fast memory would need; then leaving the processor to who wants it; then with
 * sleeps.
 */
static const double busy = 50e-6, busy_byte = 2e-10, eager = 2e-3, eager_byte = 5e-9;
/* Seconds for the answers to a roll call, and for notes to leave. */
static const double grace_least = 0.5, grace_most = 5, parting = 1;

typedef struct wire_note {
    int32_t kind, rank; /* rank: the sender */
    an_error why;       /* of STOP */
} wire_note;

/* What ranks say of themselves at the start. */
typedef struct wire_hello {
    char version[32];
    char host[96];
} wire_hello;

typedef struct wire_peer {
    wire_hello hello;
    ani_wire_request notes[NOTES];
    int32_t sent[NOTES]; /* 1: the note has been sent */
    int32_t is_here, has_left;
    double left_at; /* when its note came */
} wire_peer;

typedef struct wire_comm {
    an_comm base;
    const ani_wire *wire;
    ani_wire_link link;
    bool is_started;
    int64_t process;
    int64_t calls; /* so far: tells messages of one call from those of the next */
    int64_t bytes; /* of the messages that are on their way */
    an_error failed;
    wire_peer *peers;           /* [size] */
    ani_wire_request *requests; /* [2 * size]: from each rank, then to each */
    const void **parts;         /* [size] */
    char *arrived;              /* what others sent for a sum */
    int64_t arrived_size;
    wire_note in, out[NOTES];
    ani_wire_request in_request;
} wire_comm;

static const char *host_of(const wire_comm *comm, int32_t rank) {
    return comm->peers[rank].hello.host;
}

/* --- notes ------------------------------------------------------------------------------------ */

static void send_note(wire_comm *comm, int32_t rank, int32_t kind) {
    wire_peer *peer = &comm->peers[rank];
    if (rank == comm->base.rank || peer->sent[kind]) return;
    comm->out[kind].kind = kind;
    comm->out[kind].rank = comm->base.rank;
    peer->sent[kind] = 1;
    if (comm->wire->send(&comm->link, rank, NOTE_TAG, &comm->out[kind], sizeof(wire_note),
                         &peer->notes[kind]))
        peer->notes[kind].word = 0; /* who cannot be reached learns it by its own deadline */
}

/* Give the notes up to a second to leave. */
static void let_notes_leave(wire_comm *comm, int32_t kind) {
    const double until = ani_clock_seconds() + parting;
    for (bool all = false; !all && ani_clock_seconds() < until;) {
        all = true;
        for (int32_t r = 0; r < comm->base.size; r++) {
            int32_t done = 1;
            ani_wire_request *request = &comm->peers[r].notes[kind];
            if (request->word && !comm->wire->test(&comm->link, request, &done) && !done)
                all = false;
        }
        if (!all) usleep(200);
    }
}

/* The communicator fails; every rank that can be reached is told. */
static void fail_all(wire_comm *comm, const an_error *why) {
    if (comm->failed.status) return;
    comm->failed = *why;
    comm->out[STOP].why = *why;
    for (int32_t r = 0; r < comm->base.size; r++)
        send_note(comm, r, STOP);
    let_notes_leave(comm, STOP);
}

static void take_note(wire_comm *comm) {
    const wire_note *note = &comm->in;
    if (note->rank < 0 || note->rank >= comm->base.size) return;
    wire_peer *peer = &comm->peers[note->rank];
    switch (note->kind) {
    case CALL:
        send_note(comm, note->rank, HERE);
        break;
    case STOP:
        if (!comm->failed.status)
            ani_fail(&comm->failed, note->why.status, "%.*s", (int)sizeof note->why.message,
                     note->why.message);
        break;
    case LEAVE:
        peer->has_left = 1;
        peer->left_at = ani_clock_seconds();
        break;
    default:
        break;
    }
    peer->is_here = 1;
}

/* Look at the notes that have come. */
static void read_notes(wire_comm *comm) {
    for (int32_t done = 1; done;) {
        done = 0;
        if (!comm->in_request.word &&
            comm->wire->receive(&comm->link, ANI_WIRE_ANY, NOTE_TAG, &comm->in, sizeof comm->in,
                                &comm->in_request))
            return;
        if (comm->wire->test(&comm->link, &comm->in_request, &done)) return;
        if (done) take_note(comm);
    }
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void name_ranks(const wire_comm *comm, const int32_t *is_named, char *text,
                       size_t capacity) {
    int32_t first = -1, others = 0;
    for (int32_t r = 0; r < comm->base.size; r++) {
        if (!is_named[r]) continue;
        if (first < 0)
            first = r;
        else
            others++;
    }
    if (first < 0)
        snprintf(text, capacity, "a rank");
    else if (others)
        snprintf(text, capacity, "rank %d on '%s' and %d more", (int)first, host_of(comm, first),
                 (int)others);
    else
        snprintf(text, capacity, "rank %d on '%s'", (int)first, host_of(comm, first));
}

/* Whose messages have not come, or have not been accepted. */
static void find_late(const wire_comm *comm, int32_t *is_late) {
    const int32_t size = comm->base.size;
    for (int32_t r = 0; r < size; r++)
        is_late[r] = comm->requests[r].word || comm->requests[size + r].word;
}

/* The deadline has passed: who is missing? */
static void call_roll(wire_comm *comm, const char *what) {
    const int32_t size = comm->base.size;
    int32_t *is_named = ani_alloc_zero(size, sizeof *is_named);
    char names[200] = "a rank";
    double grace = comm->base.deadline / 5;
    grace = grace < grace_least ? grace_least : grace > grace_most ? grace_most : grace;
    const double until = ani_clock_seconds() + grace;
    for (int32_t r = 0; r < size; r++)
        comm->peers[r].is_here = r == comm->base.rank;
    for (int32_t r = 0; r < size; r++)
        send_note(comm, r, CALL);
    bool all = false;
    while (!all && !comm->failed.status && ani_clock_seconds() < until) {
        read_notes(comm);
        all = true;
        for (int32_t r = 0; r < size; r++)
            all = all && comm->peers[r].is_here;
        usleep(500);
    }
    an_error why = {0};
    if (!comm->failed.status && is_named) {
        for (int32_t r = 0; r < size; r++)
            is_named[r] = !comm->peers[r].is_here;
        if (all) find_late(comm, is_named);
        name_ranks(comm, is_named, names, sizeof names);
    }
    ani_fail(&why, AN_ERR_IO,
             all ? "%s did not make the same call as the others within %g seconds (%s)"
                 : "%s did not answer within %g seconds (%s): ended, stopped, too slow for the "
                   "deadline, or cut off",
             names, comm->base.deadline, what);
    fail_all(comm, &why);
    ani_free(is_named);
}

/* Forget the messages of a call that has failed. */
static void give_up(wire_comm *comm) {
    const int32_t count = 2 * comm->base.size;
    for (int32_t i = 0; i < count; i++)
        if (comm->requests[i].word) comm->wire->cancel(&comm->link, &comm->requests[i]);
    const double until = ani_clock_seconds() + 0.1;
    for (bool all = false; !all && ani_clock_seconds() < until;) {
        all = true;
        for (int32_t i = 0; i < count; i++) {
            int32_t done = 1;
            ani_wire_request *request = &comm->requests[i];
            if (request->word && !comm->wire->test(&comm->link, request, &done) && !done)
                all = false;
        }
    }
    memset(comm->requests, 0, (size_t)count * sizeof *comm->requests);
}

static void fail_rank(wire_comm *comm, int32_t rank, int32_t code) {
    char text[ANI_WIRE_TEXT];
    an_error why = {0};
    comm->wire->explain(code, text);
    ani_fail(&why, AN_ERR_IO, "cannot exchange messages with rank %d on '%s': %s", (int)rank,
             host_of(comm, rank), text);
    fail_all(comm, &why);
}

static void fail_left(wire_comm *comm, int32_t rank) {
    an_error why = {0};
    ani_fail(&why, AN_ERR_IO, "rank %d on '%s' has ended before the others", (int)rank,
             host_of(comm, rank));
    fail_all(comm, &why);
}

/* Between two polls: a large message moves only while it is polled. */
static void pause_polling(const wire_comm *comm, double waited) {
    const struct timespec moment = {.tv_nsec = waited < 0.1 ? 50000 : 500000};
    if (waited < busy + busy_byte * (double)comm->bytes) return;
    if (waited < eager + eager_byte * (double)comm->bytes)
        sched_yield();
    else
        nanosleep(&moment, NULL);
}

/* Wait for the messages of a call. what: in messages. */
static an_status complete(wire_comm *comm, const char *what, an_error *err) {
    const int32_t size = comm->base.size, count = 2 * size;
    const double began = ani_clock_seconds();
    double moved = began; /* when a message was done last */
    for (bool all = false; !all && !comm->failed.status;) {
        const double now = ani_clock_seconds();
        all = true;
        for (int32_t i = 0; i < count && !comm->failed.status; i++) {
            int32_t done = 0;
            if (!comm->requests[i].word) continue;
            const int32_t code = comm->wire->test(&comm->link, &comm->requests[i], &done);
            if (code) fail_rank(comm, i % size, code);
            if (done) {
                moved = now;
                continue;
            }
            all = false;
            /* What it sent before may arrive a little later than its note. */
            if (i < size && comm->peers[i].has_left && now - comm->peers[i].left_at > parting)
                fail_left(comm, i);
        }
        if (all) break;
        read_notes(comm);
        if (!comm->failed.status && now - began > comm->base.deadline) call_roll(comm, what);
        pause_polling(comm, now - moved);
    }
    comm->bytes = 0;
    /* Messages of others that have failed since may have been there: whoever comes late must not
     * believe that all is well. */
    if (!comm->failed.status) read_notes(comm);
    if (!comm->failed.status) return AN_OK;
    give_up(comm);
    return ani_fail(err, comm->failed.status, "%s", comm->failed.message);
}

/* Whether a call may begin. */
static an_status begin(wire_comm *comm, an_error *err) {
    if (comm->process != ani_process())
        return ani_fail(err, AN_ERR_ARG,
                        "the communicator belongs to the parent of this process; after fork(), "
                        "ranks are those of the parent");
    if (comm->wire->may_call(&comm->link))
        return ani_fail(err, AN_ERR_ARG,
                        "%s was started for one thread, and this is another: call from the thread "
                        "that started it, or start it with MPI_THREAD_SERIALIZED",
                        comm->wire->name);
    if (comm->failed.status) return ani_fail(err, comm->failed.status, "%s", comm->failed.message);
    comm->calls++;
    return AN_OK;
}

static int32_t tag_of(const wire_comm *comm) {
    return FIRST_TAG + (int32_t)(comm->calls % (ANI_WIRE_TAGS - FIRST_TAG));
}

static void send_to(wire_comm *comm, int32_t rank, const void *data, int64_t size) {
    if (comm->failed.status) return;
    comm->bytes += size;
    const int32_t code = comm->wire->send(&comm->link, rank, tag_of(comm), data, size,
                                          &comm->requests[comm->base.size + rank]);
    if (code) fail_rank(comm, rank, code);
}

static void receive_from(wire_comm *comm, int32_t rank, void *data, int64_t size) {
    if (comm->failed.status) return;
    comm->bytes += size;
    const int32_t code =
        comm->wire->receive(&comm->link, rank, tag_of(comm), data, size, &comm->requests[rank]);
    if (code) fail_rank(comm, rank, code);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Ranks in an order of each rank's own, so that not all begin with rank 0. */
static int32_t other(const wire_comm *comm, int32_t i) {
    return (comm->base.rank + i) % comm->base.size;
}

static an_status need_room(wire_comm *comm, int64_t size, an_error *err) {
    if (size <= comm->arrived_size) return AN_OK;
    ani_free(comm->arrived);
    comm->arrived_size = 0;
    comm->arrived = ani_alloc(size);
    if (!comm->arrived) return ani_fail_memory(err, size, "a sum over the ranks");
    comm->arrived_size = size;
    return AN_OK;
}

/* Send `size` bytes to all and put theirs into the room, one after another; parts: of all ranks. */
static an_status exchange(wire_comm *comm, const void *data, int64_t size, const char *what,
                          an_error *err) {
    const int32_t ranks = comm->base.size;
    an_status st = need_room(comm, size * ranks, err);
    if (st) return st;
    for (int32_t i = 1; i < ranks; i++) {
        const int32_t r = other(comm, ranks - i);
        comm->parts[r] = comm->arrived + size * r;
        receive_from(comm, r, comm->arrived + size * r, size);
    }
    comm->parts[comm->base.rank] = data;
    for (int32_t i = 1; i < ranks; i++)
        send_to(comm, other(comm, i), data, size);
    return complete(comm, what, err);
}

/* Each rank adds its slice of all ranks, then sends the sums to all. */
static an_status sum_slices(wire_comm *comm, char *data, int64_t count, int32_t type,
                            an_error *err) {
    const int32_t rank = comm->base.rank, ranks = comm->base.size;
    const int64_t width = type == ANI_COMM_FLOAT ? 4 : 8;
    const int64_t first = ani_comm_slice(count, rank, ranks);
    const int64_t own = ani_comm_slice(count, rank + 1, ranks) - first;
    an_status st = need_room(comm, own * width * ranks, err);
    if (st) return st;
    for (int32_t i = 1; i < ranks; i++) {
        const int32_t r = other(comm, ranks - i);
        comm->parts[r] = comm->arrived + own * width * r;
        receive_from(comm, r, comm->arrived + own * width * r, own * width);
    }
    comm->parts[rank] = data + first * width;
    for (int32_t i = 1; i < ranks; i++) {
        const int32_t r = other(comm, i);
        const int64_t from = ani_comm_slice(count, r, ranks);
        send_to(comm, r, data + from * width, (ani_comm_slice(count, r + 1, ranks) - from) * width);
    }
    st = complete(comm, "slices of a sum", err);
    if (st) return st;
    ani_comm_add(data + first * width, comm->parts, ranks, own, type);
    comm->calls++;
    for (int32_t i = 1; i < ranks; i++) {
        const int32_t r = other(comm, ranks - i);
        const int64_t from = ani_comm_slice(count, r, ranks);
        receive_from(comm, r, data + from * width,
                     (ani_comm_slice(count, r + 1, ranks) - from) * width);
    }
    for (int32_t i = 1; i < ranks; i++)
        send_to(comm, other(comm, i), data + first * width, own * width);
    return complete(comm, "a sum", err);
}

static an_status wire_sum(an_comm *base, an_backend *backend, void *data, int64_t count,
                          int32_t type, an_error *err) {
    (void)backend;
    wire_comm *comm = (wire_comm *)base;
    const int64_t width = type == ANI_COMM_FLOAT ? 4 : 8;
    const int64_t most = (int64_t)PIECE / width;
    for (int64_t at = 0; at < count; at += most) {
        const int64_t some = count - at < most ? count - at : most;
        char *piece = (char *)data + at * width;
        an_status st = begin(comm, err);
        if (st) return st;
        if (some * width * base->size > EXCHANGE_MOST) {
            st = sum_slices(comm, piece, some, type, err);
        } else {
            st = exchange(comm, piece, some * width, "a sum", err);
            if (!st) ani_comm_add(piece, comm->parts, base->size, some, type);
        }
        if (st) return st;
    }
    return AN_OK;
}

static an_status wire_broadcast(an_comm *base, an_backend *backend, void *data, int64_t size,
                                int32_t root, an_error *err) {
    (void)backend;
    wire_comm *comm = (wire_comm *)base;
    for (int64_t at = 0; at < size; at += PIECE) {
        const int64_t some = size - at < PIECE ? size - at : PIECE;
        an_status st = begin(comm, err);
        if (st) return st;
        if (base->rank != root) receive_from(comm, root, (char *)data + at, some);
        for (int32_t i = 1; base->rank == root && i < base->size; i++)
            send_to(comm, other(comm, i), (char *)data + at, some);
        st = complete(comm, "a broadcast", err);
        if (st) return st;
    }
    return AN_OK;
}

static an_status wire_gather(an_comm *base, an_backend *backend, const void *mine, void *all,
                             const int64_t *sizes, an_error *err) {
    (void)backend;
    wire_comm *comm = (wire_comm *)base;
    int64_t most = 0, own_place = 0;
    for (int32_t r = 0; r < base->size; r++) {
        if (sizes[r] > most) most = sizes[r];
        if (r < base->rank) own_place += sizes[r];
    }
    const int64_t own = sizes[base->rank];
    if (own > 0 && mine != (char *)all + own_place)
        memcpy((char *)all + own_place, mine, (size_t)own);
    for (int64_t at = 0; at < most; at += PIECE) {
        an_status st = begin(comm, err);
        if (st) return st;
        int64_t place = 0;
        for (int32_t r = 0; r < base->size; place += sizes[r++]) {
            const int64_t rest = sizes[r] - at;
            if (r == base->rank || rest <= 0) continue;
            receive_from(comm, r, (char *)all + place + at, rest < PIECE ? rest : PIECE);
        }
        for (int32_t i = 1; own - at > 0 && i < base->size; i++)
            send_to(comm, other(comm, i), (char *)all + own_place + at,
                    own - at < PIECE ? own - at : PIECE);
        st = complete(comm, "a gather", err);
        if (st) return st;
    }
    return AN_OK;
}

static an_status wire_agree(an_comm *base, int64_t *values, int32_t count, an_error *err) {
    wire_comm *comm = (wire_comm *)base;
    an_status st = begin(comm, err);
    if (!st) st = exchange(comm, values, count * (int64_t)sizeof *values, "an agreement", err);
    for (int32_t i = 0; !st && i < count; i++)
        for (int32_t r = 0; r < base->size; r++) {
            const int64_t theirs = ((const int64_t *)comm->parts[r])[i];
            if (theirs > values[i]) values[i] = theirs;
        }
    return st;
}

static an_status wire_wait(an_comm *base, an_backend *backend, an_error *err) {
    wire_comm *comm = (wire_comm *)base;
    an_status st = backend ? backend->ops->wait(backend, err) : AN_OK;
    if (st) return st;
    st = begin(comm, err);
    if (st) return st;
    comm->calls--; /* no messages */
    read_notes(comm);
    return comm->failed.status ? ani_fail(err, comm->failed.status, "%s", comm->failed.message)
                               : AN_OK;
}

static void wire_stop(an_comm *base, const an_error *why) {
    wire_comm *comm = (wire_comm *)base;
    if (comm->process != ani_process() || comm->wire->may_call(&comm->link)) return;
    fail_all(comm, why);
}

static const char *wire_host(const an_comm *base, int32_t rank) {
    return host_of((const wire_comm *)base, rank);
}

/* --- making and end --------------------------------------------------------------------------- */

/* Tell the others, and wait until all have said it: the wire may then be taken down. */
static bool say_goodbye(wire_comm *comm) {
    const int32_t size = comm->base.size;
    const double until = ani_clock_seconds() + comm->base.deadline;
    for (int32_t r = 0; r < size; r++)
        send_note(comm, r, LEAVE);
    for (double now = ani_clock_seconds(); !comm->failed.status && now < until;
         now = ani_clock_seconds()) {
        read_notes(comm);
        bool all = true;
        for (int32_t r = 0; r < size; r++) {
            int32_t done = 0;
            ani_wire_request *request = &comm->peers[r].notes[LEAVE];
            if (request->word && comm->wire->test(&comm->link, request, &done)) return false;
            all = all && !request->word && (r == comm->base.rank || comm->peers[r].has_left);
        }
        if (all) return true;
        usleep(200);
    }
    return false;
}

static void release(wire_comm *comm, bool is_orderly) {
    /* What a message may still be written to, or read from, stays. */
    if (comm->is_started && !comm->wire->finish(&comm->link, is_orderly)) return;
    ani_free(comm->peers);
    ani_free(comm->requests);
    ani_free(comm->parts);
    ani_free(comm->arrived);
    ani_free(comm);
}

static void wire_destroy(an_comm *base) {
    wire_comm *comm = (wire_comm *)base;
    const bool may_call = comm->process == ani_process() && !comm->wire->may_call(&comm->link);
    bool is_orderly = may_call && !comm->failed.status && say_goodbye(comm);
    if (is_orderly && comm->in_request.word) {
        int32_t done = 0;
        const double until = ani_clock_seconds() + parting;
        comm->wire->cancel(&comm->link, &comm->in_request);
        while (comm->in_request.word && ani_clock_seconds() < until)
            if (comm->wire->test(&comm->link, &comm->in_request, &done)) break;
        is_orderly = !comm->in_request.word;
    }
    release(comm, is_orderly);
}

static const ani_comm_ops wire_ops = {.name = "mpi",
                                      .destroy = wire_destroy,
                                      .broadcast = wire_broadcast,
                                      .sum = wire_sum,
                                      .gather = wire_gather,
                                      .agree = wire_agree,
                                      .wait = wire_wait,
                                      .stop = wire_stop,
                                      .host = wire_host};

/* Wait until the link can be used. */
static an_status await_link(wire_comm *comm, an_error *err) {
    const double until = ani_clock_seconds() + comm->base.deadline;
    char text[ANI_WIRE_TEXT];
    for (int32_t done = 0; !done;) {
        const int32_t code = comm->wire->ready(&comm->link, &done);
        if (code) {
            comm->wire->explain(code, text);
            return ani_fail(err, AN_ERR_IO, "%s cannot join its %d ranks: %s", comm->wire->name,
                            (int)comm->base.size, text);
        }
        if (!done && ani_clock_seconds() > until)
            return ani_fail(err, AN_ERR_IO, "%s: the %d ranks did not meet within %g seconds",
                            comm->wire->name, (int)comm->base.size, comm->base.deadline);
        if (!done) usleep(200);
    }
    return AN_OK;
}

/* Learn the hosts; ranks of different releases would compute different numbers. */
static an_status greet(wire_comm *comm, an_error *err) {
    const int32_t size = comm->base.size;
    wire_hello mine = {.version = AN_VERSION_STRING};
    if (gethostname(mine.host, sizeof mine.host - 1)) strcpy(mine.host, "?");
    for (int32_t r = 0; r < size; r++)
        strcpy(comm->peers[r].hello.host, "?");
    an_status st = begin(comm, err);
    if (!st) st = exchange(comm, &mine, sizeof mine, "the first meeting", err);
    if (st) return st;
    for (int32_t r = 0; r < size; r++) {
        memcpy(&comm->peers[r].hello, comm->parts[r], sizeof mine);
        comm->peers[r].hello.host[sizeof mine.host - 1] = '\0';
        comm->peers[r].hello.version[sizeof mine.version - 1] = '\0';
    }
    for (int32_t r = 0; r < size; r++)
        if (strcmp(comm->peers[r].hello.version, comm->peers[0].hello.version) != 0)
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "rank %d on '%s' has libattractivenet %s, and rank 0 on '%s' has %s; "
                            "all ranks need the same release",
                            (int)r, host_of(comm, r), comm->peers[r].hello.version,
                            host_of(comm, 0), comm->peers[0].hello.version);
    return AN_OK;
}

an_status ani_comm_wire_create(an_comm **out, const ani_wire *wire, const void *group,
                               double deadline, an_error *err) {
    an_status st = AN_OK;
    ani_wire_place place = {0, 1};
    char text[ANI_WIRE_TEXT] = "";
    ani_pipes pipes;
    *out = NULL;
    ani_pipes_quiet(&pipes);
    wire_comm *comm = ani_alloc_zero(1, sizeof *comm);
    if (!comm) {
        st = ani_fail_memory(err, sizeof *comm, "a communicator");
        goto done;
    }
    comm->wire = wire;
    if (wire->start(&comm->link, group, &place, text)) {
        st = ani_fail(err, AN_ERR_IO, "cannot start %s: %s", wire->name, text);
        goto done;
    }
    comm->base =
        (an_comm){.ops = &wire_ops, .rank = place.rank, .size = place.size, .deadline = deadline};
    comm->is_started = true;
    comm->process = ani_process();
    comm->peers = ani_alloc_zero(place.size, sizeof *comm->peers);
    comm->requests = ani_alloc_zero(place.size, 2 * (int64_t)sizeof *comm->requests);
    comm->parts = ani_alloc_zero(place.size, sizeof *comm->parts);
    if (!comm->peers || !comm->requests || !comm->parts) {
        st = ani_fail_memory(err, place.size * (int64_t)sizeof *comm->peers, "the ranks");
        goto done;
    }
    st = await_link(comm, err);
    if (!st) st = greet(comm, err);
    if (st) goto done;
    *out = &comm->base;
    comm = NULL;
done:
    if (comm) release(comm, false);
    ani_pipes_restore(&pipes);
    return st;
}
