/* SPDX-License-Identifier: MIT
 * A sink: a window, a video file or a folder, into which frames go with the overlay. */
#include <attractivenet/live.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/thread.h"
#include "io/image.h"
#include "live/screen.h"
#include "live/video.h"
#include "live/window.h"

enum { NOTE_SIZE = 300, PAUSED_MS = 20 };

#define NOTE_SECONDS 2.0 /* how long a note is shown */
#define MEAN_PART 0.1    /* of a new value in the moving averages of rate and age */
#define RATE_MAX 1000.0
#define CURVE_MAX 3600.0 /* seconds */

typedef enum sink_kind { SINK_WINDOW, SINK_VIDEO, SINK_FOLDER } sink_kind;

struct an_sink {
    sink_kind kind;
    int64_t process; /* that opened it */
    char *path;      /* folder or video */
    char *save_folder;
    int32_t quality;
    double low, high;
    an_cancel *cancel; /* held; NULL: none */
    ani_window *window;
    ani_video *video;
    ani_screen screen;
    ani_trail trail;
    an_image *copy;       /* of the screen, for a folder */
    int64_t shown;        /* frames */
    double last_show;     /* when */
    double interval, age; /* moving averages, seconds; NaN: none yet */
    char note[NOTE_SIZE];
    double note_until;
    bool has_ended; /* a window, by its user */
    bool is_finished;
};

void an_sink_options_init(an_sink_options *options, uint32_t struct_size) {
    const an_sink_options defaults = {
        .quality = 92, .score_low = 1, .score_high = 5, .curve_seconds = 10, .rate = 25};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

void an_overlay_init(an_overlay *overlay, uint32_t struct_size) {
    const an_overlay defaults = {.score = NAN};
    ani_options_init(overlay, struct_size, &defaults, sizeof defaults);
}

/* --- opening ---------------------------------------------------------------------------------- */

static an_status check_options(const an_sink_options *o, an_error *err) {
    if (o->quality < 1 || o->quality > 100)
        return ani_fail(err, AN_ERR_ARG, "an_sink_options: quality is %d; it must be 1 to 100",
                        (int)o->quality);
    if (o->is_full_screen != 0 && o->is_full_screen != 1)
        return ani_fail(err, AN_ERR_ARG, "an_sink_options: is_full_screen is %d; it must be 0 or 1",
                        (int)o->is_full_screen);
    if (o->reserved)
        return ani_fail(err, AN_ERR_ARG, "an_sink_options: reserved is %d; it must be 0",
                        (int)o->reserved);
    if (!isfinite(o->score_low) || !isfinite(o->score_high) || o->score_low >= o->score_high)
        return ani_fail(err, AN_ERR_ARG,
                        "an_sink_options: score_low is %g, score_high is %g; the first must be "
                        "lower",
                        o->score_low, o->score_high);
    if (!(o->curve_seconds >= 0 && o->curve_seconds <= CURVE_MAX))
        return ani_fail(err, AN_ERR_ARG, "an_sink_options: curve_seconds is %g; it must be 0 to %g",
                        o->curve_seconds, CURVE_MAX);
    if (!(o->rate >= 1 && o->rate <= RATE_MAX))
        return ani_fail(err, AN_ERR_ARG, "an_sink_options: rate is %g; it must be 1 to %g", o->rate,
                        RATE_MAX);
    return AN_OK;
}

static an_status find_entry(void *user, const struct dirent *entry, an_error *err) {
    (void)entry, (void)err;
    *(bool *)user = true;
    return AN_OK;
}

static an_status open_folder(const char *path, an_error *err) {
    bool is_used = false;
    an_status st = ani_folder_make(path, err);
    if (!st) st = ani_folder_walk(path, find_entry, &is_used, err);
    if (!st && is_used)
        st = ani_fail(err, AN_ERR_IO,
                      "the folder '%s' is not empty: its files would be mixed with the frames",
                      path);
    return st;
}

an_status an_sink_open(an_sink **out, const char *path, const an_sink_options *options,
                       an_error *err) {
    an_sink_options ours;
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (path && !*path) return ani_fail(err, AN_ERR_ARG, "path is empty");
    an_sink_options_init(&ours, sizeof ours);
    an_status st = ani_options_copy(&ours, sizeof ours, options, "an_sink_options", err);
    if (!st) st = check_options(&ours, err);
    if (st) return st;
    an_sink *sink = ani_alloc_zero(1, sizeof *sink);
    if (!sink) return ani_fail_memory(err, sizeof *sink, "a sink");
    ani_cancel_hold(ours.cancel);
    sink->cancel = ours.cancel;
    sink->process = ani_process();
    sink->quality = ours.quality;
    sink->low = ours.score_low;
    sink->high = ours.score_high;
    sink->trail.seconds = ours.curve_seconds;
    sink->interval = sink->age = NAN;
    sink->save_folder = ani_strdup(ours.save_folder ? ours.save_folder : ".");
    sink->path = ani_strdup(path ? path : "");
    if (!sink->path || !sink->save_folder) {
        st = ani_fail_memory(err, -1, "a path");
    } else if (!path) {
        sink->kind = SINK_WINDOW;
        st = ani_window_open(&sink->window, ours.title ? ours.title : "AttractiveNet",
                             ours.is_full_screen, err);
    } else if (path[strlen(path) - 1] == '/' || ani_is_folder(path)) {
        sink->kind = SINK_FOLDER;
        st = open_folder(path, err);
    } else {
        sink->kind = SINK_VIDEO;
        st = ani_video_open(&sink->video, path, ours.rate, err);
    }
    if (st) {
        an_sink_close(sink);
        return st;
    }
    *out = sink;
    return AN_OK;
}

void an_sink_close(an_sink *sink) {
    if (!sink) return;
    /* in a child of fork() the display connection and the file are the parent's */
    if (sink->process == ani_process()) {
        ani_window_close(sink->window);
        ani_video_close(sink->video);
    }
    ani_screen_clear(&sink->screen);
    an_image_destroy(sink->copy);
    an_cancel_destroy(sink->cancel);
    ani_free(sink->path);
    ani_free(sink->save_folder);
    ani_free(sink);
}

/* --- showing ---------------------------------------------------------------------------------- */

static an_status check_frame(const an_frame *f, const an_overlay *o, an_error *err) {
    if (f->reserved || o->reserved)
        return ani_fail(err, AN_ERR_ARG, "%s: reserved is %d; it must be 0",
                        f->reserved ? "an_frame" : "an_overlay",
                        (int)(f->reserved ? f->reserved : o->reserved));
    if (!f->rgb) return ani_fail(err, AN_ERR_ARG, "an_frame: rgb is NULL");
    if (f->height < 1 || f->height > ANI_RESIZE_MAX_LENGTH || f->width < 1 ||
        f->width > ANI_RESIZE_MAX_LENGTH)
        return ani_fail(err, AN_ERR_ARG, "the frame is %lld x %lld; each must be 1 to %d",
                        (long long)f->width, (long long)f->height, ANI_RESIZE_MAX_LENGTH);
    if (!isfinite(f->time) || f->time < 0)
        return ani_fail(err, AN_ERR_ARG, "the time of the frame is %g; it must be 0 or more",
                        f->time);
    if (!isfinite(f->arrived))
        return ani_fail(err, AN_ERR_ARG, "the frame arrived at %g; it must be finite", f->arrived);
    if (f->number < 0)
        return ani_fail(err, AN_ERR_ARG, "the number of the frame is %lld; it must be 0 or more",
                        (long long)f->number);
    const bool whole = !o->x && !o->y && !o->width && !o->height;
    if (!whole && (o->x < 0 || o->y < 0 || o->width < 1 || o->height < 1 || o->x >= f->width ||
                   o->y >= f->height || o->width > f->width - o->x || o->height > f->height - o->y))
        return ani_fail(err, AN_ERR_ARG,
                        "the region is x %lld, y %lld, width %lld, height %lld; the frame has only "
                        "width %lld, height %lld",
                        (long long)o->x, (long long)o->y, (long long)o->width, (long long)o->height,
                        (long long)f->width, (long long)f->height);
    if (!isfinite(o->smoothing) || o->smoothing < 0)
        return ani_fail(err, AN_ERR_ARG, "smoothing is %g seconds; it must be 0 or more",
                        o->smoothing);
    return AN_OK;
}

/* Compose frame and overlay (NULL: none) on the screen. */
static an_status compose(an_sink *sink, const an_frame *frame, const an_overlay *overlay,
                         bool is_paused, an_error *err) {
    an_status st = ani_screen_put(&sink->screen, frame, err);
    if (st || !overlay) return st;
    ani_look look = {.score = overlay->score,
                     .smoothing = overlay->smoothing,
                     .is_window = sink->kind == SINK_WINDOW,
                     .is_paused = is_paused,
                     .rate = 1 / sink->interval,
                     .milliseconds = 1e3 * sink->age,
                     .note = ani_clock_seconds() < sink->note_until ? sink->note : "",
                     .x = (double)overlay->x,
                     .y = (double)overlay->y,
                     .width = (double)overlay->width,
                     .height = (double)overlay->height,
                     .trail = &sink->trail,
                     .low = sink->low,
                     .high = sink->high};
    return ani_screen_draw(&sink->screen, frame, &look, err);
}

static void update_mean(double *mean, double value) {
    *mean = isnan(*mean) ? value : *mean + MEAN_PART * (value - *mean);
}

/* --- windows ---------------------------------------------------------------------------------- */

/* Save the frame without the overlay, under a name that no file has. What went wrong is shown in
 * the window: it is no reason to end it. */
static void save_frame(an_sink *sink, const an_frame *frame) {
    char name[64];
    an_error why = {0};
    an_image *image = NULL;
    char *path = NULL;
    an_status st = an_image_create(&image, frame->rgb, frame->height, frame->width, &why);
    for (int i = 0; !st; i++) {
        if (i)
            snprintf(name, sizeof name, "frame-%06lld-%d.png", (long long)frame->number, i);
        else
            snprintf(name, sizeof name, "frame-%06lld.png", (long long)frame->number);
        ani_free(path);
        path = ani_path_join(sink->save_folder, name);
        if (!path)
            st = ani_fail_memory(&why, -1, "a path");
        else if (!ani_is_file(path))
            break;
    }
    if (!st) st = ani_folder_make(sink->save_folder, &why);
    if (!st) st = an_image_write_png(image, path, &why);
    snprintf(sink->note, sizeof sink->note, "%s%s", st ? "not saved: " : "saved ",
             st ? why.message : name);
    sink->note_until = ani_clock_seconds() + NOTE_SECONDS;
    ani_free(path);
    an_image_destroy(image);
}

static an_status draw_window(an_sink *sink, const an_frame *frame, const an_overlay *overlay,
                             bool is_paused, an_error *err) {
    int32_t width, height;
    an_status st = ani_window_fit(sink->window, frame->width, frame->height, &width, &height, err);
    if (!st) st = ani_screen_fit(&sink->screen, width, height, err);
    if (!st) st = compose(sink, frame, overlay, is_paused, err);
    if (!st) st = ani_window_put(sink->window, sink->screen.pixels, width, height, err);
    return st;
}

/* Show a frame and answer keys; while the window is paused, wait. */
static an_status show_in_window(an_sink *sink, const an_frame *frame, const an_overlay *overlay,
                                an_error *err) {
    bool is_paused = false;
    double note_ends = 0;
    an_status st = draw_window(sink, frame, overlay, is_paused, err);
    while (!st) {
        const int32_t events = ani_window_poll(sink->window, is_paused ? PAUSED_MS : 0);
        if (events & ANI_WINDOW_END) {
            sink->has_ended = true;
            return AN_DONE;
        }
        if (events & ANI_WINDOW_SAVE) {
            save_frame(sink, frame);
            note_ends = sink->note_until;
        }
        if (events & ANI_WINDOW_PAUSE) {
            is_paused = !is_paused;
            sink->interval = sink->age = NAN; /* the pause is not part of the means */
            sink->last_show = 0;
        }
        if (!is_paused) break;
        const bool note_ended = note_ends > 0 && ani_clock_seconds() >= note_ends;
        if (note_ended) note_ends = 0;
        if (an_cancel_is_requested(sink->cancel))
            return ani_fail(err, AN_ERR_CANCELLED, "the paused window was cancelled");
        if (events || note_ended) st = draw_window(sink, frame, overlay, is_paused, err);
    }
    return st;
}

/* --- files ------------------------------------------------------------------------------------ */

static an_status write_image(an_sink *sink, const an_frame *frame, an_error *err) {
    char name[64];
    const ani_screen *screen = &sink->screen;
    an_status st = ani_image_fit(&sink->copy, screen->height, screen->width, "a frame", err);
    if (st) return st;
    ani_screen_copy(screen, sink->copy->rgb);
    snprintf(name, sizeof name, "frame-%06lld.jpg", (long long)frame->number);
    char *path = ani_path_join(sink->path, name);
    if (!path) return ani_fail_memory(err, -1, "a path");
    st = ani_image_write_jpeg_unsynced(sink->copy, path, sink->quality, err);
    ani_free(path);
    return st;
}

static an_status write_frame(an_sink *sink, const an_frame *frame, const an_overlay *overlay,
                             an_error *err) {
    const bool keeps_size = sink->kind == SINK_VIDEO && sink->screen.pixels;
    an_status st = AN_OK;
    if (!keeps_size) st = ani_screen_fit(&sink->screen, frame->width, frame->height, err);
    if (!st) st = compose(sink, frame, overlay, false, err);
    if (st) return st;
    if (sink->kind == SINK_FOLDER) return write_image(sink, frame, err);
    return ani_video_write(sink->video, sink->screen.pixels, sink->screen.width,
                           sink->screen.height, frame->time, err);
}

/* --- calls ------------------------------------------------------------------------------------ */

an_status an_sink_show(an_sink *sink, const an_frame *frame, const an_overlay *overlay,
                       an_error *err) {
    if (!sink || !frame) return ani_fail(err, AN_ERR_ARG, "%s is NULL", sink ? "frame" : "sink");
    an_frame ours = {0};
    an_overlay over;
    an_overlay_init(&over, sizeof over);
    an_status st = ani_options_copy(&ours, sizeof ours, frame, "an_frame", err);
    if (!st) st = ani_options_copy(&over, sizeof over, overlay, "an_overlay", err);
    if (!st) st = check_frame(&ours, &over, err);
    if (!st) st = ani_process_check(sink->process, "the sink", err);
    if (st) return st;
    if (sink->is_finished)
        return ani_fail(err, AN_ERR_ARG, "the sink is complete: an_sink_finish() was called");
    if (sink->has_ended) return AN_DONE;
    const double now = ani_clock_seconds();
    if (overlay) ani_trail_add(&sink->trail, ours.time, over.score);
    /* opening the window is not part of the rate */
    if (sink->last_show > 0 && sink->shown > 1) update_mean(&sink->interval, now - sink->last_show);
    sink->last_show = now;
    update_mean(&sink->age, now - ours.arrived);
    sink->shown++;
    return sink->kind == SINK_WINDOW ? show_in_window(sink, &ours, overlay ? &over : NULL, err)
                                     : write_frame(sink, &ours, overlay ? &over : NULL, err);
}

an_status an_sink_finish(an_sink *sink, an_error *err) {
    if (!sink) return ani_fail(err, AN_ERR_ARG, "sink is NULL");
    an_status st = ani_process_check(sink->process, "the sink", err);
    if (st || sink->is_finished) return st;
    if (sink->kind == SINK_VIDEO) {
        if (!sink->shown)
            return ani_fail(err, AN_ERR_ARG, "cannot write '%s': it has no frames", sink->path);
        st = ani_video_finish(sink->video, err);
    } else if (sink->kind == SINK_FOLDER) {
        st = ani_folder_sync(sink->path, err);
    }
    sink->is_finished = st == AN_OK;
    return st;
}
