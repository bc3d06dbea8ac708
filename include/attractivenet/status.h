/* SPDX-License-Identifier: MIT
 * What every call reports: a status, why it failed, what it warns of, how far it has come; and the
 * flag that cancels it. */
#ifndef ATTRACTIVENET_STATUS_H
#define ATTRACTIVENET_STATUS_H

#include <stdint.h>

#if defined(_WIN32)
#error "libattractivenet runs on Linux"
#endif
/* Generators of bindings may define AN_API as nothing before they read the headers. */
#ifndef AN_API
#if defined(__GNUC__)
#define AN_API __attribute__((visibility("default")))
#else
#define AN_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What holds for every call:
 *
 * Wrong:   an argument or combination of arguments that makes no sense is AN_ERR_ARG, before
 *          anything is done: NULL where the comment does not allow it, a number or an AN_* constant
 *          out of range, sizes that differ. Arrays must be as long as the comment says and strings
 *          must end with a 0 byte: no library can check that. Arrays that are written must not
 *          overlap others. Float values are checked where the comment says so; elsewhere NaN passes
 *          through.
 * Failed:  handles that a call was to make are NULL; other results are as they were, unless the
 *          comment says what is lost.
 * Nothing: destroying NULL does nothing; a question about NULL, or about an index that does not
 *          exist, is answered with 0, NULL, NaN or "".
 * Structs: those with struct_size grow at their end. Their init function sets it, and in options
 *          the defaults; it does nothing for NULL or a size that no struct has. A call with a
 *          struct whose size was not set is AN_ERR_ARG. What the library hands to callbacks has the
 *          size of the library's struct. Fields named reserved are 0.
 */

/** The outcome of a call: 0 is success, above 0 a normal ending, below 0 an error. */
typedef int32_t an_status; /* fixed width: a C enum has no promised size */
enum {
    AN_OK = 0,
    AN_DONE = 1,             /* nothing left: no more batches, no epochs left, end of the video */
    AN_ERR_ARG = -1,         /* the caller's argument or option; the message names it */
    AN_ERR_NOMEM = -2,       /* no memory */
    AN_ERR_IO = -3,          /* a file or the network could not be read or written */
    AN_ERR_FORMAT = -4,      /* the content is damaged or is not what it should be */
    AN_ERR_UNSUPPORTED = -5, /* well formed, but this library or this build does not do it */
    AN_ERR_DEVICE = -6,      /* the device is absent or failed */
    AN_ERR_CANCELLED = -7,   /* a callback or an an_cancel of the caller asked to stop */
    AN_ERR_INTERNAL = -8     /* a bug of ours */
};

/** Why a call failed. Owned by the caller; its size is fixed at 256 bytes; it needs no init and
 *  no free. Written only on failure; the returned status alone decides whether a call failed. */
typedef struct an_error {
    an_status status;  /* as the call returned it */
    char message[252]; /* UTF-8, always terminated; lower case, no full stop */
} an_error;

/** Name a status, as "AN_ERR_IO". Returns a constant string, never NULL. Threads: any. */
AN_API const char *an_status_name(an_status status);

/** Something the caller should know that did not stop the call. */
typedef struct an_warning {
    uint32_t struct_size; /* bytes of this struct in the library that fills it */
    int32_t code;         /* one of AN_WARN_* */
    int64_t count;        /* how many things the warning is about, at least 1 */
    const char *message;  /* UTF-8; borrowed during the call */
} an_warning;

/** Set struct_size, and zero the rest: for programs that call such a callback themselves. */
AN_API void an_warning_init(an_warning *warning, uint32_t struct_size);

enum {
    AN_WARN_LABEL_WITHOUT_IMAGE = 1, /* labels whose image is not in the data set */
    AN_WARN_IMAGE_SKIPPED = 2,       /* images left out: damaged or without label */
    AN_WARN_LABEL_SKIPPED = 3,       /* label lines left out (policy skip) */
    AN_WARN_MEMBER_SKIPPED = 4,      /* archive members refused or left out */
    AN_WARN_OLD_CHECKPOINT = 5, /* the newest checkpoint was unreadable; the one before was taken */
    AN_WARN_OTHER = 6,
    AN_WARN_WEAK_FEATURES = 7, /* features of a frozen base are next to 0: its weights are random */
    AN_WARN_IMAGE_DAMAGED = 8  /* an image that an_dataset_check() found damaged (policy strict) */
};

/** Called on the thread that made the call. Non-zero stops that call with AN_ERR_CANCELLED. */
typedef int32_t (*an_warning_fn)(void *user, const an_warning *warning);

/** How far a long call has come. */
typedef struct an_progress {
    uint32_t struct_size; /* bytes of this struct in the library that fills it */
    int32_t reserved;     /* 0 */
    int64_t done;         /* units done: bytes, members, images */
    int64_t total;        /* all units; -1 = not known */
    double seconds;       /* since the call began */
    double seconds_left;  /* estimate; -1 = not known */
    const char *what;     /* what is counted, as "bytes"; borrowed during the call */
} an_progress;

/** As an_warning_init(). */
AN_API void an_progress_init(an_progress *progress, uint32_t struct_size);

/** Called on the thread that made the call. Non-zero stops that call with AN_ERR_CANCELLED. */
typedef int32_t (*an_progress_fn)(void *user, const an_progress *progress);

/**
 * A flag that cancels long calls from outside. It is attached to an object (an_model_set_cancel(),
 * an_predictor_set_cancel(), an_loader_set_cancel()) or to a call by its options; one flag may be
 * attached to any number of them. The calls that poll it are listed where it is attached.
 *
 * Meaning: once it is requested, such a call returns AN_ERR_CANCELLED, at 350x350 within a fifth of
 *          a second (docs/reliability.md), and leaves what it changes as the last whole step left
 *          it. So does every such call that begins later, at once, until the flag is reset.
 * Cost:    none that can be measured while nothing is requested, and no other bits.
 * Threads: any number of calls at once on one flag.
 */
typedef struct an_cancel an_cancel;

/** Make a flag that is not requested. Returns AN_OK; AN_ERR_ARG (out is NULL); AN_ERR_NOMEM.
 *  Owns: *out is the caller's; free with an_cancel_destroy(). */
AN_API an_status an_cancel_create(an_cancel **out, an_error *err);

/** Release a flag; NULL is allowed. It lives on while it is attached to something: an object to
 *  which a flag stays attached after this can be cancelled no more. */
AN_API void an_cancel_destroy(an_cancel *cancel);

/** Ask all calls that poll the flag to stop; NULL does nothing. Threads: any; it may be called by a
 *  signal handler, waits for nothing and leaves errno as it is. */
AN_API void an_cancel_request(an_cancel *cancel);

/** Take the request back, so that calls that begin from now on run; NULL does nothing. A call that
 *  has seen the request ends all the same. Threads and signal handlers: as an_cancel_request(). */
AN_API void an_cancel_reset(an_cancel *cancel);

/** Return 1 from an_cancel_request() to an_cancel_reset(), else 0. Threads and signal handlers: as
 *  an_cancel_request(). */
AN_API int32_t an_cancel_is_requested(const an_cancel *cancel);

#ifdef __cplusplus
}
#endif
#endif
