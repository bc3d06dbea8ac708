/* SPDX-License-Identifier: MIT
 * JPEG images or raw frames that follow each other in a file or pipe. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/show.h"
#include "io/image.h"
#include "live/jpeg_scan.h"
#include "live/feed.h"
#include "predict/frame.h"

enum {
    CHUNK = 1 << 16,
    IMAGE_MAX = 64 << 20, /* bytes of a JPEG image */
    SEARCH_MAX = 1 << 20  /* bytes before the first image */
};

typedef struct pipe_feed {
    ani_feed base;
    int fd;                 /* 0: standard input, which is not closed */
    bool is_file, is_timed; /* regular; frames have the time of their number */
    char *name;             /* for messages */
    uint8_t *bytes;         /* read and not used yet: [first,size) */
    int64_t capacity, size;
    bool has_ended;
    int64_t next; /* number of the next frame */
    int64_t seen; /* bytes before the first image */
    ani_jpeg_scan scan;
    bool is_raw;
    ani_frames raw; /* how raw frames lie in memory */
    int64_t raw_size;
    ani_frame_reader reader; /* their conversion */
} pipe_feed;

/* Wait until there is something to read. */
static an_status wait_for_bytes(pipe_feed *feed, an_error *err) {
    struct pollfd ask = {.fd = feed->fd, .events = POLLIN};
    for (;;) {
        an_status st = ani_stop_check(feed->base.stop, err);
        if (st || feed->is_file) return st;
        const int ready = poll(&ask, 1, ANI_POLL_MS);
        if (ready > 0) return AN_OK;
        if (ready < 0 && errno != EINTR) return ani_fail_system(err, errno, "read", feed->name);
    }
}

/* Append what can be read to the bytes; has_ended is set at the end. */
static an_status read_more(pipe_feed *feed, an_error *err) {
    if (feed->capacity - feed->size < CHUNK) {
        const int64_t capacity = 2 * feed->capacity + CHUNK;
        uint8_t *larger = ani_realloc(feed->bytes, feed->size, capacity);
        if (!larger) return ani_fail_memory(err, capacity, "frames that are read");
        feed->bytes = larger;
        feed->capacity = capacity;
    }
    an_status st = wait_for_bytes(feed, err);
    if (st) return st;
    const int64_t count =
        ani_descriptor_read(feed->fd, feed->bytes + feed->size, feed->capacity - feed->size);
    if (count < 0) {
        if (errno == EAGAIN) return AN_OK; /* another reader of the pipe was faster */
        return ani_fail_system(err, errno, "read", feed->name);
    }
    feed->has_ended = count == 0;
    feed->size += count;
    return AN_OK;
}

static void remove_bytes(pipe_feed *feed, int64_t count) {
    if (!count) return;
    feed->size -= count;
    memmove(feed->bytes, feed->bytes + count, (size_t)feed->size);
    if (!feed->is_raw) ani_jpeg_scan_removed(&feed->scan, count);
}

static void stamp(pipe_feed *feed, ani_shot *to) {
    to->number = feed->next++;
    to->name = "";
    to->time = feed->is_timed ? (double)to->number / feed->base.rate : NAN;
    to->arrived = feed->is_file ? 0 : ani_clock_seconds();
}

/* --- JPEG ------------------------------------------------------------------------------------- */

static an_status refuse_bytes(const pipe_feed *feed, an_error *err) {
    return ani_fail(err, AN_ERR_FORMAT,
                    "'%s' has no JPEG image in its first %lld bytes; frames without compression "
                    "need their size and format (is_raw)",
                    feed->name, (long long)(feed->seen + feed->size));
}

/* At the end of the bytes: a cut image is damaged, and there must have been some image. */
static an_status end_jpeg(pipe_feed *feed, an_error *err) {
    if (feed->scan.has_begun) {
        feed->scan.has_begun = false;
        atomic_fetch_add(&feed->base.damaged, 1);
        feed->next++;
    }
    if (!feed->next) return refuse_bytes(feed, err);
    return AN_DONE;
}

/* Count images that ended because another one began. */
static void count_cut(pipe_feed *feed) {
    atomic_fetch_add(&feed->base.damaged, feed->scan.cut);
    feed->next += feed->scan.cut;
    feed->scan.cut = 0;
}

/* Find the next complete image: it is bytes [scan.begin, scan.at). */
static an_status find_image(pipe_feed *feed, an_error *err) {
    ani_jpeg_scan *scan = &feed->scan;
    an_status st = AN_OK;
    while (!ani_jpeg_scan_next(scan, feed->bytes, feed->size)) {
        const int64_t unused = scan->has_begun ? scan->begin : scan->at;
        count_cut(feed);
        if (!feed->next) feed->seen += unused;
        remove_bytes(feed, unused);
        if (!feed->next && feed->seen > SEARCH_MAX) return refuse_bytes(feed, err);
        if (feed->size > IMAGE_MAX)
            return ani_fail(err, AN_ERR_FORMAT,
                            "a JPEG image in '%s' has more than %d bytes, the limit", feed->name,
                            IMAGE_MAX);
        if (feed->has_ended) return end_jpeg(feed, err);
        st = read_more(feed, err);
        if (st) return st;
    }
    count_cut(feed);
    return AN_OK;
}

static an_status read_jpeg(pipe_feed *feed, ani_shot *to, an_error *err) {
    for (;;) {
        an_status st = find_image(feed, err);
        if (st) return st;
        stamp(feed, to);
        st = ani_image_decode_again(&to->image, feed->bytes + feed->scan.begin,
                                    feed->scan.at - feed->scan.begin, feed->name, NULL, err);
        remove_bytes(feed, feed->scan.at);
        if (!st) feed->base.damaged_in_row = 0;
        if (st != AN_ERR_FORMAT) return st;
        st = ani_feed_damaged(&feed->base, st);
        if (st) return st;
    }
}

/* --- raw frames ------------------------------------------------------------------------------- */

static an_status begin_raw(pipe_feed *feed, const an_source_options *options, an_error *err) {
    feed->raw = (ani_frames){.count = 1,
                             .height = options->height,
                             .width = options->width,
                             .format = options->raw_format};
    an_status st = ani_format_check(options->raw_format, err);
    if (!st && (options->width < 1 || options->height < 1))
        st = ani_fail(err, AN_ERR_ARG,
                      "raw frames need their size; width is %d, height is %d (an_source_options)",
                      (int)options->width, (int)options->height);
    if (!st && (options->width > ANI_RESIZE_MAX_LENGTH || options->height > ANI_RESIZE_MAX_LENGTH))
        st = ani_fail(err, AN_ERR_ARG, "raw frames of %d x %d; each must be 1 to %d",
                      (int)options->width, (int)options->height, ANI_RESIZE_MAX_LENGTH);
    if (!st) st = ani_frame_reader_init(&feed->reader, options->height, options->width, err);
    if (!st) st = ani_frame_reader_begin(&feed->reader, &feed->raw, err);
    if (!st) feed->raw_size = feed->raw.frame_stride;
    feed->base.height = options->height;
    feed->base.width = options->width;
    return st;
}

static an_status read_raw(pipe_feed *feed, ani_shot *to, an_error *err) {
    an_status st = AN_OK;
    while (!st && feed->size < feed->raw_size && !feed->has_ended)
        st = read_more(feed, err);
    if (st) return st;
    if (feed->size < feed->raw_size) { /* the end */
        if (!feed->next)
            return ani_fail(err, AN_ERR_FORMAT,
                            "'%s' has %lld bytes; a frame of %lld x %lld has %lld", feed->name,
                            (long long)feed->size, (long long)feed->raw.width,
                            (long long)feed->raw.height, (long long)feed->raw_size);
        if (feed->size) atomic_fetch_add(&feed->base.damaged, 1);
        feed->size = 0;
        return AN_DONE;
    }
    stamp(feed, to);
    st = ani_image_fit(&to->image, feed->raw.height, feed->raw.width, "a frame", err);
    if (st) return st;
    feed->raw.first = feed->bytes;
    ani_frame_reader_read(&feed->reader, &feed->raw, 0, to->image->rgb);
    remove_bytes(feed, feed->raw_size);
    return AN_OK;
}

/* --- the feed --------------------------------------------------------------------------------- */

static an_status read_frame(ani_feed *base, ani_shot *to, an_error *err) {
    pipe_feed *feed = (pipe_feed *)base;
    return feed->is_raw ? read_raw(feed, to, err) : read_jpeg(feed, to, err);
}

static void close_pipe(ani_feed *base) {
    pipe_feed *feed = (pipe_feed *)base;
    ani_frame_reader_clear(&feed->reader);
    if (feed->fd > 0) close(feed->fd);
    ani_free(feed->bytes);
    ani_free(feed->name);
    ani_free(feed);
}

static const ani_feed_kind pipe_kind = {read_frame, close_pipe};

an_status ani_pipe_feed_open(ani_feed **out, const char *path, const an_source_options *options,
                             ani_stop *stop, an_error *err) {
    *out = NULL;
    struct stat found;
    char shown[ANI_SHOWN_NAME_SIZE];
    const bool is_stdin = !strcmp(path, "-");
    an_status st = AN_OK;
    pipe_feed *feed = ani_alloc_zero(1, sizeof *feed);
    if (!feed) return ani_fail_memory(err, sizeof *feed, "a source");
    feed->base.kind = &pipe_kind;
    feed->base.stop = stop;
    feed->base.count = -1;
    feed->name = ani_strdup(is_stdin ? "standard input" : path);
    if (!feed->name) {
        st = ani_fail_memory(err, -1, "a path");
        goto done;
    }
    if (!is_stdin) {
        /* opening a named pipe waits for its writer unless it is told not to */
        feed->fd = ani_descriptor_open(path, O_RDONLY | O_NONBLOCK, 0);
        if (feed->fd < 0) {
            st = ani_fail_system(err, errno, "open", path);
            goto done;
        }
    }
    feed->is_file = !fstat(feed->fd, &found) && S_ISREG(found.st_mode);
    feed->is_timed = feed->is_file || options->rate > 0;
    feed->base.rate = options->rate > 0 ? options->rate : feed->is_file ? ANI_FEED_RATE : 0;
    feed->is_raw = options->is_raw != 0;
    if (feed->is_raw) st = begin_raw(feed, options, err);
    if (st) goto done;
    if (feed->is_raw && feed->is_file) feed->base.count = found.st_size / feed->raw_size;
    ani_name_show(shown, feed->name);
    snprintf(feed->base.text, sizeof feed->base.text, "%s frames: %s",
             feed->is_raw ? "raw" : "JPEG", shown);
    *out = &feed->base;
    feed = NULL;
done:
    if (feed) close_pipe(&feed->base);
    return st;
}
