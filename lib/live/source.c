/* SPDX-License-Identifier: MIT
 * A source: which kind of feed a name means, whose frames are returned one by one, or the newest
 * of them, which a thread reads. */
#include <attractivenet/live.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/thread.h"
#include "io/image.h"
#include "live/feed.h"

enum { RATE_MAX = 1000, TIMEOUT_MAX = 3600 };

/* A thread fills back and exchanges it with ready; the caller exchanges ready with front. */
enum { FRONT, READY, BACK, SHOTS };

struct an_source {
    ani_feed *feed;
    ani_stop stop;
    int64_t process; /* that opened it */
    bool is_live, is_paced;
    ani_shot shots[SHOTS];
    int64_t returned, dropped;
    int64_t height, width; /* of the last frame */
    double first;          /* arrival of the first frame, if the feed has no clock */
    double last;           /* time of the last frame */
    double anchor;         /* paced: when the frame of time 0 is due */
    an_status end;         /* AN_OK: none yet */
    an_error why;          /* of the end */

    /* the rest is for the thread */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_ready;        /* ready holds a frame that was not taken */
    an_status thread_end; /* AN_OK: it reads */
    an_error thread_why;
};

void an_source_options_init(an_source_options *options, uint32_t struct_size) {
    const an_source_options defaults = {.timeout = 10};
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

void an_frame_init(an_frame *frame, uint32_t struct_size) {
    ani_report_init(frame, struct_size);
}

void an_source_info_init(an_source_info *info, uint32_t struct_size) {
    ani_report_init(info, struct_size);
}

double an_frame_age(const an_frame *frame) {
    return frame ? ani_clock_seconds() - frame->arrived : 0;
}

static an_status check_options(const an_source_options *o, an_error *err) {
    const struct {
        const char *field;
        int32_t value, low, high;
    } all[] = {{"frames", o->frames, AN_FRAMES_AUTO, AN_FRAMES_NEWEST},
               {"width", o->width, 0, ANI_RESIZE_MAX_LENGTH},
               {"height", o->height, 0, ANI_RESIZE_MAX_LENGTH},
               {"is_raw", o->is_raw, 0, 1},
               {"is_paced", o->is_paced, 0, 1},
               {"timeout", o->timeout, 1, TIMEOUT_MAX}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value < all[i].low || all[i].value > all[i].high)
            return ani_fail(err, AN_ERR_ARG, "an_source_options: %s is %d; it must be %d to %d",
                            all[i].field, (int)all[i].value, (int)all[i].low, (int)all[i].high);
    if (!(o->rate >= 0 && o->rate <= RATE_MAX))
        return ani_fail(err, AN_ERR_ARG, "an_source_options: rate is %g; it must be 0 to %d",
                        o->rate, RATE_MAX);
    if (!o->width != !o->height)
        return ani_fail(err, AN_ERR_ARG,
                        "an_source_options: width is %d and height %d; both must be 0, or neither",
                        (int)o->width, (int)o->height);
    return AN_OK;
}

/* --- what a name means ------------------------------------------------------------------------ */

/** How the first bytes of a file begin: they decide who reads it. */
typedef enum content { CONTENT_JPEG, CONTENT_PNG, CONTENT_OTHER } content;

static an_status look_into(content *out, const char *path, an_error *err) {
    static const uint8_t jpeg[3] = {0xff, 0xd8, 0xff}, png[4] = {0x89, 'P', 'N', 'G'};
    uint8_t head[4] = {0};
    ani_file *file = NULL;
    an_status st = ani_file_open(&file, path, err);
    if (st) return st;
    const int64_t size = ani_file_size(file);
    if (!size)
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' is empty", path);
    else
        st = ani_file_read(file, 0, head, size < 4 ? size : 4, err);
    ani_file_close(file);
    *out = !memcmp(head, jpeg, sizeof jpeg) ? CONTENT_JPEG
           : !memcmp(head, png, sizeof png) ? CONTENT_PNG
                                            : CONTENT_OTHER;
    return st;
}

static bool is_number(const char *name) {
    return *name && strspn(name, "0123456789") == strlen(name);
}

static an_status open_feed(ani_feed **out, const char *name, const an_source_options *options,
                           ani_stop *stop, an_error *err) {
    static const char *const schemes[] = {"http://", "https://", "rtsp://", "rtsps://"};
    struct stat found;
    content holds = CONTENT_OTHER;
    if (!strcmp(name, "-")) return ani_pipe_feed_open(out, name, options, stop, err);
    if (is_number(name) || !strncmp(name, "/dev/video", 10))
        return ani_media_feed_open(out, name, ANI_MEDIA_CAMERA, options, stop, err);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (!strncmp(name, schemes[i], strlen(schemes[i])))
            return ani_media_feed_open(out, name, ANI_MEDIA_URL, options, stop, err);
    if (stat(name, &found)) {
        const int code = errno;
        if (strstr(name, "://"))
            return ani_fail(err, AN_ERR_UNSUPPORTED,
                            "cannot open '%s': URLs must begin with http://, https://, rtsp:// or "
                            "rtsps://",
                            name);
        return ani_fail_system(err, code, "open", name);
    }
    if (S_ISDIR(found.st_mode)) return ani_folder_feed_open(out, name, options, stop, err);
    if (S_ISFIFO(found.st_mode) || options->is_raw)
        return ani_pipe_feed_open(out, name, options, stop, err);
    if (S_ISCHR(found.st_mode))
        return ani_media_feed_open(out, name, ANI_MEDIA_CAMERA, options, stop, err);
    const an_status st = look_into(&holds, name, err);
    if (st) return st;
    if (holds == CONTENT_JPEG) return ani_pipe_feed_open(out, name, options, stop, err);
    if (holds == CONTENT_PNG) return ani_folder_feed_open(out, name, options, stop, err);
    return ani_media_feed_open(out, name, ANI_MEDIA_FILE, options, stop, err);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void exchange(ani_shot *a, ani_shot *b) {
    const ani_shot kept = *a;
    *a = *b;
    *b = kept;
}

/* Wait until a frame is due. A reader that is late has its frames as fast as it takes them, and the
 * following ones are due that much later. */
static an_status wait_until_due(an_source *source, ani_shot *shot, an_error *err) {
    if (isnan(shot->time)) return AN_OK;
    if (isnan(source->anchor)) source->anchor = shot->arrived - shot->time;
    const double due = source->anchor + shot->time;
    if (due < shot->arrived) {
        source->anchor += shot->arrived - due;
        return AN_OK;
    }
    for (;;) {
        an_status st = ani_stop_check(&source->stop, err);
        if (st) return st;
        const double left = due - ani_clock_seconds();
        if (left <= 0) break;
        const double part = left < 1e-3 * ANI_POLL_MS ? left : 1e-3 * ANI_POLL_MS;
        nanosleep(&(struct timespec){.tv_nsec = (long)(part * 1e9)}, NULL);
    }
    shot->arrived = due;
    return AN_OK;
}

static an_status read_shot(an_source *source, ani_shot *shot, an_error *err) {
    const double begun = ani_clock_seconds();
    an_status st = source->feed->kind->read(source->feed, shot, err);
    if (!st && shot->arrived <= 0) shot->arrived = begun;
    if (!st && source->is_paced) st = wait_until_due(source, shot, err);
    return st;
}

static void *read_newest(void *argument) {
    an_source *source = argument;
    an_error why = {0};
    an_status st = AN_OK;
    while (!st) {
        st = read_shot(source, &source->shots[BACK], &why);
        pthread_mutex_lock(&source->lock);
        if (!st) {
            exchange(&source->shots[BACK], &source->shots[READY]);
            source->dropped += source->is_ready;
            source->is_ready = true;
        }
        source->thread_why = why;
        source->thread_end = st;
        pthread_cond_signal(&source->changed);
        pthread_mutex_unlock(&source->lock);
    }
    return NULL;
}

/* The newest frame that was not taken yet becomes front. */
static an_status take_newest(an_source *source, an_error *err) {
    an_status st = AN_OK;
    pthread_mutex_lock(&source->lock);
    while (!st && !source->is_ready && !source->thread_end) {
        ani_watch_wait(&source->stop.watch, &source->changed, &source->lock);
        st = ani_stop_check(&source->stop, err);
    }
    if (!st && source->is_ready) {
        exchange(&source->shots[READY], &source->shots[FRONT]);
        source->is_ready = false;
    } else if (!st) {
        st = source->thread_end;
        *err = source->thread_why;
    }
    pthread_mutex_unlock(&source->lock);
    return st;
}

static an_status start_thread(an_source *source, an_error *err) {
    ani_watch_condition(&source->changed);
    pthread_mutex_init(&source->lock, NULL);
    const int code = ani_thread_start(&source->thread, "an-source", read_newest, source);
    source->has_thread = code == 0;
    if (!code) return AN_OK;
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->lock);
    return ani_fail(err, AN_ERR_NOMEM, "cannot start a thread: %s", strerror(code));
}

/* --- opening and closing ---------------------------------------------------------------------- */

an_status an_source_open(an_source **out, const char *name, const an_source_options *options,
                         an_error *err) {
    an_source_options ours;
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!name || !*name) return ani_fail(err, AN_ERR_ARG, "name is %s", name ? "empty" : "NULL");
    an_source_options_init(&ours, sizeof ours);
    an_status st = ani_options_copy(&ours, sizeof ours, options, "an_source_options", err);
    if (!st) st = check_options(&ours, err);
    if (st) return st;
    an_source *source = ani_alloc_zero(1, sizeof *source);
    if (!source) return ani_fail_memory(err, sizeof *source, "a source");
    ani_watch_begin(&source->stop.watch, ours.cancel);
    source->process = ani_process();
    source->anchor = source->first = NAN;
    for (int i = 0; i < SHOTS; i++)
        source->shots[i].name = "";
    st = ani_stop_check(&source->stop, err);
    if (!st) st = open_feed(&source->feed, name, &ours, &source->stop, err);
    if (!st && ours.frames == AN_FRAMES_NEWEST && source->feed->continues)
        st =
            ani_fail(err, AN_ERR_ARG, "frames is AN_FRAMES_NEWEST, but '%s' has only images", name);
    if (st) goto done;
    source->is_paced = ours.is_paced && !source->feed->is_live;
    source->is_live =
        ours.frames == AN_FRAMES_NEWEST || (ours.frames == AN_FRAMES_AUTO && source->feed->is_live);
    if (source->is_live) st = start_thread(source, err);
    if (st) goto done;
    *out = source;
    source = NULL;
done:
    an_source_close(source);
    return st;
}

void an_source_close(an_source *source) {
    if (!source) return;
    const bool is_ours = ani_process() == source->process;
    atomic_store(&source->stop.is_closing, true);
    if (source->has_thread && is_ours) {
        pthread_join(source->thread, NULL);
        pthread_cond_destroy(&source->changed);
        pthread_mutex_destroy(&source->lock);
    }
    /* in a child of fork() the thread may have been within the decoder, which is then left alone */
    if (source->feed && (is_ours || !source->has_thread)) source->feed->kind->close(source->feed);
    for (int i = 0; i < SHOTS; i++)
        if (is_ours || !source->has_thread) an_image_destroy(source->shots[i].image);
    ani_watch_end(&source->stop.watch);
    ani_free(source);
}

/* --- frames ----------------------------------------------------------------------------------- */

/* The time of a frame: of the feed's clock, or by its arrival; it never goes back. */
static double time_of(an_source *source, const ani_shot *shot) {
    if (isnan(source->first)) source->first = shot->arrived;
    const double time = isnan(shot->time) ? shot->arrived - source->first : shot->time;
    source->last = time > source->last ? time : source->last;
    return source->last;
}

an_status an_source_next(an_source *source, an_frame *frame, an_error *err) {
    if (!source || !frame)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", source ? "frame" : "source");
    an_status st = ani_report_check(frame, "an_frame", err);
    if (!st) st = ani_process_check(source->process, "the source", err);
    if (st) return st;
    ani_shot *shot = &source->shots[FRONT];
    if (source->end) {
        if (err && source->end < 0) *err = source->why;
        return source->end;
    }
    st = ani_stop_check(&source->stop, &source->why);
    if (!st)
        st = source->is_live ? take_newest(source, &source->why)
                             : read_shot(source, shot, &source->why);
    if (st) {
        if (!source->feed->continues || st == AN_DONE || st == AN_ERR_CANCELLED) source->end = st;
        if (err && st < 0) *err = source->why;
        return st;
    }
    source->returned++;
    source->height = an_image_height(shot->image);
    source->width = an_image_width(shot->image);
    const an_frame ours = {.struct_size = sizeof ours,
                           .rgb = an_image_const_data(shot->image),
                           .height = source->height,
                           .width = source->width,
                           .number = shot->number,
                           .time = time_of(source, shot),
                           .arrived = shot->arrived,
                           .name = shot->name};
    ani_report_copy(frame, &ours, sizeof ours);
    return AN_OK;
}

an_status an_source_describe(an_source *source, an_source_info *info, an_error *err) {
    if (!source || !info)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", source ? "info" : "source");
    an_status st = ani_report_check(info, "an_source_info", err);
    if (st) return st;
    const ani_feed *feed = source->feed;
    an_source_info ours = {.struct_size = sizeof ours,
                           .is_live = source->is_live,
                           .has_ended = source->end != AN_OK,
                           .height = source->returned ? source->height : feed->height,
                           .width = source->returned ? source->width : feed->width,
                           .rate = feed->rate,
                           .count = feed->count,
                           .returned = source->returned,
                           .damaged = atomic_load(&feed->damaged),
                           .text = feed->text};
    if (source->has_thread) {
        const bool is_ours = ani_process() == source->process;
        if (is_ours) pthread_mutex_lock(&source->lock);
        ours.dropped = source->dropped;
        if (is_ours) pthread_mutex_unlock(&source->lock);
    }
    ani_report_copy(info, &ours, sizeof ours);
    return AN_OK;
}
