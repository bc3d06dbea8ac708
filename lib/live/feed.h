/* SPDX-License-Identifier: MIT
 * A feed of frames: what a source reads from. Each kind has a file; source.c chooses. */
#ifndef LIVE_FEED_H
#define LIVE_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <attractivenet/io.h>
#include <attractivenet/live.h>

#include "base/cancel.h"
#include "base/error.h"

enum {
    ANI_DAMAGED_MAX = 100,    /* damaged frames in a row that end a feed */
    ANI_FEED_TEXT_SIZE = 224, /* of the description */
    ANI_FEED_RATE = 25,       /* frames per second of a file or folder that states none */
    ANI_POLL_MS = 20          /* how often a wait looks whether it should stop */
};

/** Why a wait should end: the source is being closed, or its flag was set. */
typedef struct ani_stop {
    atomic_bool is_closing;
    ani_watch watch; /* of the flag */
} ani_stop;

/** True if the call that waits should end. */
bool ani_stop_asked(ani_stop *stop);
/** AN_ERR_CANCELLED if so. */
an_status ani_stop_check(ani_stop *stop, an_error *err);

/** A frame while it is read. Its image is used again for the next one. */
typedef struct ani_shot {
    an_image *image; /* NULL before the first */
    double time;     /* seconds, by the feed's clock; NaN: it has none */
    double arrived;  /* ani_clock_seconds(); 0: as soon as the read began */
    int64_t number;
    const char *name; /* borrowed from the feed; never NULL after a read */
} ani_shot;

typedef struct ani_feed ani_feed;

/** The functions of a kind of feed. */
typedef struct ani_feed_kind {
    /** Wait for the next frame. AN_DONE: there are no more. */
    an_status (*read)(ani_feed *feed, ani_shot *to, an_error *err);
    void (*close)(ani_feed *feed);
} ani_feed_kind;

/** What all kinds have in common: the first member of each. */
struct ani_feed {
    const ani_feed_kind *kind;
    ani_stop *stop;
    bool is_live;          /* the newest frame matters, unless the options say otherwise */
    bool continues;        /* an error concerns one frame: the next read goes on after it */
    double rate;           /* frames per second; 0: not known */
    int64_t count;         /* frames; -1: not known */
    int64_t height, width; /* as announced; 0: not known */
    atomic_llong damaged;  /* frames */
    int32_t damaged_in_row;
    char text[ANI_FEED_TEXT_SIZE];
};

/** Count a damaged frame. AN_OK: go on with the next; after ANI_DAMAGED_MAX in a row the status and
 * message of why, which err already has. */
an_status ani_feed_damaged(ani_feed *feed, an_status why);

/** Open a folder of images, or one image. */
an_status ani_folder_feed_open(ani_feed **out, const char *path, const an_source_options *options,
                               ani_stop *stop, an_error *err);
/** Open JPEG images or raw frames that follow each other in a file or pipe; "-": standard
 * input. */
an_status ani_pipe_feed_open(ani_feed **out, const char *path, const an_source_options *options,
                             ani_stop *stop, an_error *err);

/** What FFmpeg opens. */
typedef enum ani_media { ANI_MEDIA_FILE, ANI_MEDIA_CAMERA, ANI_MEDIA_URL } ani_media;
/** Open a camera, video or network stream. AN_ERR_UNSUPPORTED without FFmpeg. */
an_status ani_media_feed_open(ani_feed **out, const char *name, ani_media media,
                              const an_source_options *options, ani_stop *stop, an_error *err);

#endif
