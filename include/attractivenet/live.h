/* SPDX-License-Identifier: MIT
 * Live: frames from a camera, a video, a stream or a folder, and where scored frames go: a window,
 * a video file or a folder.
 *
 * Folders of images, JPEG and raw frames from a file or pipe, and folders as output are in every
 * build. Cameras, other videos and network streams are decoded by FFmpeg, and windows are SDL2's
 * (feature "live"); text is drawn by cairo (feature "plot"). These libraries are loaded when they
 * are first needed: without them a call returns AN_ERR_UNSUPPORTED and names what is missing.
 * FFmpeg's messages are switched off for the whole process when it is loaded, unless the program
 * has chosen their level. */
#ifndef ATTRACTIVENET_LIVE_H
#define ATTRACTIVENET_LIVE_H

#include <attractivenet/kinds.h>
#include <attractivenet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- sources -------------------------------------------------------------------------------- */

/**
 * Where frames come from.
 *
 * Threads: one call at a time on one source; sources are independent.
 */
typedef struct an_source an_source;

/** Which frames of a source are returned. */
enum {
    AN_FRAMES_AUTO = 0,  /* newest for cameras and network streams, else all */
    AN_FRAMES_ALL = 1,   /* every frame; the source waits for its reader */
    AN_FRAMES_NEWEST = 2 /* a thread reads; frames that are not taken in time are dropped */
};

/** How to open a source. Initialise with an_source_options_init(), then change what you need. */
typedef struct an_source_options {
    uint32_t struct_size;  /* set by init; new fields are only appended */
    int32_t frames;        /* AN_FRAMES_*; default AUTO */
    int32_t width, height; /* both 0: a camera is asked for 640 x 480. Otherwise what a camera is
                              asked for, or the size of raw frames; default 0 */
    double rate;           /* frames per second that a camera is asked for, 0 = 30; or those of
                              folders, JPEG files, raw files: 0 = 25; pipes: 0 = timed by their
                              arrival; 0 to 1000; default 0 */
    const char *camera_format; /* what a camera is asked for, by FFmpeg's names: "mjpeg", "yuyv422",
                                  ...; NULL = mjpeg, else yuyv422, else the driver's choice */
    int32_t is_raw;            /* 1: a file or pipe has raw frames of width x height; default 0 */
    int32_t raw_format;        /* AN_FORMAT_* of raw frames; default RGB */
    int32_t is_paced;  /* 1: a frame of a file or folder is not returned before its time, as in
                          a player; default 0 */
    int32_t timeout;   /* seconds without data after which a camera or network stream has
                          failed, also while it is opened: 1 to 3600; default 10 */
    an_cancel *cancel; /* a reference is kept; polled while a call waits; NULL = none */
} an_source_options;

AN_API void an_source_options_init(an_source_options *options, uint32_t struct_size);

/** One frame. */
typedef struct an_frame {
    uint32_t struct_size;  /* set by init; the library fills in no more than that */
    int32_t reserved;      /* 0 */
    const uint8_t *rgb;    /* [height,width,3], RGB; borrowed until the next call on the source */
    int64_t height, width; /* pixels, each 1 to 65535 */
    int64_t number;        /* of the frame in the source, from 0; dropped frames are counted */
    double time;      /* seconds since the first frame, by the source's own clock if it has one;
                         never decreases */
    double arrived;   /* when the frame arrived: seconds of CLOCK_MONOTONIC. For a paced source
                         when it was due, or when it was asked for if that was later */
    const char *name; /* path of an image of a folder, otherwise ""; borrowed like rgb */
} an_frame;

AN_API void an_frame_init(an_frame *frame, uint32_t struct_size);

/** Return the seconds that have passed since a frame arrived; 0 for NULL. Threads: any. */
AN_API double an_frame_age(const an_frame *frame);

/** What is known about a source. */
typedef struct an_source_info {
    uint32_t struct_size;  /* set by init; the library fills in no more than that */
    int32_t is_live;       /* 1: the newest frame is returned, and others are dropped */
    int32_t has_ended;     /* 1: an_source_next() will return no more frames */
    int32_t reserved;      /* 0 */
    int64_t height, width; /* as announced or as in the last frame; 0 = not known yet */
    double rate;           /* frames per second, as announced; 0 = not known */
    int64_t count;         /* number of frames in total; -1 = not known */
    int64_t returned;      /* frames that an_source_next() has returned */
    int64_t dropped;       /* frames that arrived and were not taken in time */
    int64_t damaged;       /* frames that could not be decoded or were incomplete */
    const char *text;      /* what was opened, for people: "camera /dev/video0: mjpeg, 640 x 480,
                              30 frames per second"; borrowed from the source */
} an_source_info;

AN_API void an_source_info_init(an_source_info *info, uint32_t struct_size);

/**
 * Open a source of frames.
 *
 * Takes:   name: "-": standard input; a number or /dev/video...: a camera; http://, https://,
 *          rtsp:// or rtsps://: a stream; a folder: its .jpg, .jpeg, .jpe, .jfif and .png files by
 *          name, without sub-folders; otherwise a file or named pipe. Files and pipes have JPEG
 *          images one after the other (MJPEG; bytes between them, such as the headers of a
 *          multipart response, are skipped) or raw frames (is_raw); a file may also be a PNG image
 *          or a video (MP4, MOV, Matroska, WebM, AVI, MPEG, FLV, Ogg, ASF, Y4M, H.264).
 *          options: NULL = defaults.
 * Owns:    *out is the caller's; free with an_source_close().
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_IO (not found, not permitted, no connection, no data for
 *          timeout seconds); AN_ERR_DEVICE (a camera is absent, busy or refuses what it is asked
 *          for); AN_ERR_FORMAT (not a video, an empty folder); AN_ERR_UNSUPPORTED (a codec, another
 *          kind of URL, a library or feature that is missing); AN_ERR_CANCELLED; AN_ERR_NOMEM.
 * Cost:    may block until the first data of a stream, at most timeout seconds.
 * Source:  colours of videos are converted by FFmpeg's libswscale as in OpenCV's VideoCapture, but
 *          with the matrix and range that the video states; ITU-R BT.601 if it states none. Pixels
 *          are taken as square. Rotation flags of videos and images are applied.
 */
AN_API an_status an_source_open(an_source **out, const char *name, const an_source_options *options,
                                an_error *err);

/**
 * Wait for a frame.
 *
 * Writes:  frame, which an_frame_init() has initialised. Frames that cannot be decoded are counted
 *          and left out.
 * Returns: AN_OK; AN_DONE (the source has ended; again on each later call); AN_ERR_IO (a read error
 *          or lost connection, no data for timeout seconds); AN_ERR_DEVICE (a camera was
 *          disconnected); AN_ERR_FORMAT (100 damaged frames in a row, no frame at all, a damaged
 *          image in a folder); AN_ERR_UNSUPPORTED (an image over a limit of an_image_limits_init(),
 *          a codec); AN_ERR_CANCELLED; AN_ERR_ARG (also in a child of fork()); AN_ERR_NOMEM. After
 *          an error other than AN_ERR_ARG the source can only be closed; a damaged or oversized
 *          image of a folder is skipped by the next call.
 * Cost:    allocates nothing of this library's after the first frames of a video, unless the size
 *          of its frames changes.
 */
AN_API an_status an_source_next(an_source *source, an_frame *frame, an_error *err);

/** Describe a source. Returns AN_OK; AN_ERR_ARG (NULL, struct_size). */
AN_API an_status an_source_describe(an_source *source, an_source_info *info, an_error *err);

/** Close a source; NULL is allowed. Ends its thread, if any. */
AN_API void an_source_close(an_source *source);

/* --- sinks ---------------------------------------------------------------------------------- */

/**
 * Where frames are shown or written.
 *
 * Threads: one call at a time on one sink; sinks are independent. All calls on a window must come
 *          from the thread that opened it, and a process can have one window at a time.
 */
typedef struct an_sink an_sink;

/** How to open a sink. Initialise with an_sink_options_init(), then change what you need. */
typedef struct an_sink_options {
    uint32_t struct_size;    /* set by init; new fields are only appended */
    int32_t quality;         /* of JPEG images in a folder, 1 to 100; default 92 */
    const char *title;       /* of a window; NULL = "AttractiveNet"; default NULL */
    const char *save_folder; /* where a window's key S saves frames; NULL = "."; default NULL */
    double score_low, score_high; /* range of the curve; default 1 and 5 */
    double curve_seconds; /* length of the curve in seconds, 0 to 3600, 0 = none; default 10 */
    double rate; /* frames per second of a video in a format whose frames have no times of their
                    own, such as .avi and .mpg: 1 to 1000; default 25 */
    int32_t is_full_screen; /* 1: a window begins in full screen; default 0 */
    int32_t reserved;       /* 0 */
    an_cancel *cancel;      /* a reference is kept; polled while a window is paused; NULL = none */
} an_sink_options;

AN_API void an_sink_options_init(an_sink_options *options, uint32_t struct_size);

/** What is drawn on a frame. Initialise with an_overlay_init(). */
typedef struct an_overlay {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t reserved;     /* 0 */
    double score;         /* shown with one decimal, and the curve's next point; NaN = none yet;
                             default NaN */
    double smoothing;     /* seconds over which score was smoothed, which is shown; 0 = not;
                             default 0 */
    int64_t x, y, width, height; /* the region that was scored, which is outlined; all 0 = the whole
                                    frame; default 0 */
} an_overlay;

AN_API void an_overlay_init(an_overlay *overlay, uint32_t struct_size);

/**
 * Open a sink.
 *
 * Takes:   path: NULL: a window; an existing folder, or a path that ends in "/": a folder, created
 *          if missing, for images "frame-000000.jpg" numbered as in an_frame, which must be empty;
 *          otherwise a video file, whose format is that of its ending: .mp4, .mkv, .avi, .mov, ...
 *          options: NULL = defaults.
 * Keys:    of a window: Q, Esc and closing it end it; F switches full screen; space pauses; S saves
 *          the frame without the overlay as "frame-NUMBER.png", never over another file.
 * Owns:    *out is the caller's; free with an_sink_close().
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_IO (a folder that is not empty or cannot be made);
 *          AN_ERR_DEVICE (no display, a second window); AN_ERR_UNSUPPORTED (an unknown ending; a
 *          library or feature that is missing); AN_ERR_NOMEM.
 */
AN_API an_status an_sink_open(an_sink **out, const char *path, const an_sink_options *options,
                              an_error *err);

/**
 * Show or write a frame. A window and a video keep their size: a frame of another size or shape is
 * scaled to fit, with black bars.
 *
 * Takes:   frame: from an_source_next(), or a frame of the caller's with all fields set. overlay:
 *          drawn on the frame; NULL = the frame as it is.
 * Returns: AN_OK; AN_DONE (the user has ended the window; again on each later call); AN_ERR_ARG
 *          (NULL, sizes, time not finite, a region outside the frame, after an_sink_finish());
 *          AN_ERR_IO; AN_ERR_DEVICE (the display is gone); AN_ERR_UNSUPPORTED (the encoder refuses
 *          the size, cairo is missing); AN_ERR_CANCELLED (while paused); AN_ERR_NOMEM.
 * Cost:    a paused window blocks. Allocates nothing of this library's after the first frame,
 *          unless sizes change or the sink is a folder.
 */
AN_API an_status an_sink_show(an_sink *sink, const an_frame *frame, const an_overlay *overlay,
                              an_error *err);

/**
 * Complete what a sink writes: a video file gets its name only here, and images of a folder are
 * flushed to disk. For a window this does nothing.
 *
 * Returns: AN_OK (again on each later call); AN_ERR_ARG (NULL; no frame was shown to a video);
 *          AN_ERR_IO; AN_ERR_NOMEM.
 */
AN_API an_status an_sink_finish(an_sink *sink, an_error *err);

/** Close a sink; NULL is allowed. A video that was not completed by an_sink_finish() is removed. */
AN_API void an_sink_close(an_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
