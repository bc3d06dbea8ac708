/* SPDX-License-Identifier: MIT
 * What calls report: status, errors, warnings and progress; and the flag that cancels them. */
#ifndef ATTRACTIVENET_STATUS_H
#define ATTRACTIVENET_STATUS_H

#include <stdint.h>

#if defined(_WIN32)
#error "libattractivenet runs on Linux"
#endif
/* Binding generators may define AN_API as empty before they read the headers. */
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

/* Rules for every call:
 *
 * Wrong:   an invalid argument or combination of arguments is AN_ERR_ARG, before anything is done:
 *          NULL where the comment does not allow it, a number or AN_* constant out of range,
 *          mismatched sizes. Arrays must be as long as the comment says and strings must end with a
 *          0 byte: no library can check that. Arrays that are written must not overlap others.
 *          Float values are checked where the comment says so; elsewhere NaN passes through.
 * Failed:  handles that the call would have created are NULL; other results are unchanged, unless
 *          the comment says what is lost.
 * Nothing: destroying NULL does nothing; a query on NULL, or for an index that does not exist,
 *          returns 0, NULL, NaN or "".
 * Structs: those with struct_size grow only at the end. Their init function sets it and, for
 *          options, the defaults; it does nothing for NULL or an invalid size. A call with a struct
 *          whose size was not set is AN_ERR_ARG. Structs that the library passes to callbacks have
 *          the size of the library's struct. Fields named reserved are 0.
 */

/** The result of a call: 0 is success, above 0 a normal end, below 0 an error. */
typedef int32_t an_status; /* fixed width: the size of a C enum is not guaranteed */
enum {
    AN_OK = 0,
    AN_DONE = 1,             /* nothing left: no more batches or epochs, end of the video */
    AN_ERR_ARG = -1,         /* an invalid argument or option; the message names it */
    AN_ERR_NOMEM = -2,       /* out of memory */
    AN_ERR_IO = -3,          /* a file or the network could not be read or written */
    AN_ERR_FORMAT = -4,      /* the content is damaged or not what was expected */
    AN_ERR_UNSUPPORTED = -5, /* well formed, but not supported by this library or this build */
    AN_ERR_DEVICE = -6,      /* the device is absent or has failed */
    AN_ERR_CANCELLED = -7,   /* a callback or an an_cancel flag requested a stop */
    AN_ERR_INTERNAL = -8     /* a bug in this library */
};

/** Why a call failed. Owned by the caller; its size is fixed at 256 bytes; it needs no
 *  initialisation and no cleanup. Written only on failure: whether a call failed is decided by the
 *  returned status alone. */
typedef struct an_error {
    an_status status;  /* the status that the call returned */
    char message[252]; /* UTF-8, always terminated; lower case, no full stop */
} an_error;

/** Return the name of a status, such as "AN_ERR_IO": a constant string, never NULL. Threads: any.
 */
AN_API const char *an_status_name(an_status status);

/** Something the caller should know that did not stop the call. */
typedef struct an_warning {
    uint32_t struct_size; /* bytes of this struct in the library that fills it */
    int32_t code;         /* one of AN_WARN_* */
    int64_t count;        /* number of items that the warning is about, at least 1 */
    const char *message;  /* UTF-8; borrowed during the call */
} an_warning;

/** Set struct_size and zero the other fields, for programs that call such a callback themselves. */
AN_API void an_warning_init(an_warning *warning, uint32_t struct_size);

enum {
    AN_WARN_LABEL_WITHOUT_IMAGE = 1, /* labels without an image in the data set */
    AN_WARN_IMAGE_SKIPPED = 2,       /* images left out: damaged or without a label */
    AN_WARN_LABEL_SKIPPED = 3,       /* label lines left out (policy skip) */
    AN_WARN_MEMBER_SKIPPED = 4,      /* archive members refused or left out */
    AN_WARN_OLD_CHECKPOINT = 5,      /* the newest checkpoint was unreadable; the previous one was
                                        used */
    AN_WARN_OTHER = 6,
    AN_WARN_WEAK_FEATURES = 7, /* features of a frozen base are close to 0: its weights are
                                  random */
    AN_WARN_IMAGE_DAMAGED = 8  /* an_dataset_check() found a damaged image (policy strict) */
};

/** Called on the caller's thread. A non-zero return stops the call with AN_ERR_CANCELLED. */
typedef int32_t (*an_warning_fn)(void *user, const an_warning *warning);

/** Progress of a long call. */
typedef struct an_progress {
    uint32_t struct_size; /* bytes of this struct in the library that fills it */
    int32_t reserved;     /* 0 */
    int64_t done;         /* units done: bytes, members, images */
    int64_t total;        /* total number of units; -1 = unknown */
    double seconds;       /* elapsed since the call began */
    double seconds_left;  /* estimated time left; -1 = unknown */
    const char *what;     /* the unit, such as "bytes"; borrowed during the call */
} an_progress;

/** As an_warning_init(). */
AN_API void an_progress_init(an_progress *progress, uint32_t struct_size);

/** Called on the caller's thread. A non-zero return stops the call with AN_ERR_CANCELLED. */
typedef int32_t (*an_progress_fn)(void *user, const an_progress *progress);

/**
 * A flag that cancels long calls from outside. It is attached to an object (an_model_set_cancel(),
 * an_predictor_set_cancel(), an_loader_set_cancel()) or to a call through its options; one flag may
 * be attached to any number of them. The function that attaches it lists the calls that poll it.
 *
 * Meaning: once cancellation is requested, such a call returns AN_ERR_CANCELLED, at 350x350 within
 *          a fifth of a second (docs/reliability.md), and leaves everything that it changes in the
 *          state of the last complete step. Every such call that begins later does so immediately,
 *          until the flag is reset.
 * Cost:    not measurable as long as cancellation is not requested; the results stay bit-identical.
 * Threads: any number of concurrent calls on one flag.
 */
typedef struct an_cancel an_cancel;

/** Make a flag without a pending request. Returns AN_OK; AN_ERR_ARG (out is NULL); AN_ERR_NOMEM.
 *  Owns: *out is the caller's; free with an_cancel_destroy(). */
AN_API an_status an_cancel_create(an_cancel **out, an_error *err);

/** Release a flag; NULL is allowed. Its memory is freed once it is attached to nothing; objects to
 *  which it is still attached can no longer be cancelled. */
AN_API void an_cancel_destroy(an_cancel *cancel);

/** Ask all calls that poll the flag to stop; NULL does nothing. Threads: any. It may be called from
 *  a signal handler, never waits and leaves errno unchanged. */
AN_API void an_cancel_request(an_cancel *cancel);

/** Withdraw the request, so that later calls run normally; NULL does nothing. A call that has seen
 *  the request still ends. Threads and signal handlers: as an_cancel_request(). */
AN_API void an_cancel_reset(an_cancel *cancel);

/** Return 1 between an_cancel_request() and an_cancel_reset(), else 0. Threads and signal handlers:
 *  as an_cancel_request(). */
AN_API int32_t an_cancel_is_requested(const an_cancel *cancel);

#ifdef __cplusplus
}
#endif
#endif
