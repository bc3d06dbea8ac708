/* SPDX-License-Identifier: MIT
 * Cameras, videos, network streams and windows in a build without feature live: the functions
 * exist and report what is missing. */
#include "live/feed.h"
#include "live/video.h"
#include "live/window.h"

#define NEEDS "this build has no cameras, videos and windows (feature 'live' needs FFmpeg and SDL2)"

an_status ani_media_feed_open(ani_feed **out, const char *name, ani_media media,
                              const an_source_options *options, ani_stop *stop, an_error *err) {
    (void)media, (void)options, (void)stop;
    *out = NULL;
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot open '%s': " NEEDS, name);
}

an_status ani_video_open(ani_video **out, const char *path, double rate, an_error *err) {
    (void)rate;
    *out = NULL;
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot write '%s': " NEEDS, path);
}

an_status ani_video_write(ani_video *video, const uint8_t *pixels, int32_t width, int32_t height,
                          double time, an_error *err) {
    (void)video, (void)pixels, (void)width, (void)height, (void)time;
    return ani_fail(err, AN_ERR_UNSUPPORTED, NEEDS);
}

an_status ani_video_finish(ani_video *video, an_error *err) {
    (void)video;
    return ani_fail(err, AN_ERR_UNSUPPORTED, NEEDS);
}

void ani_video_close(ani_video *video) {
    (void)video;
}

an_status ani_window_open(ani_window **out, const char *title, bool is_full_screen, an_error *err) {
    (void)title, (void)is_full_screen;
    *out = NULL;
    return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot open a window: " NEEDS);
}

void ani_window_close(ani_window *window) {
    (void)window;
}

an_status ani_window_fit(ani_window *window, int64_t width, int64_t height, int32_t *has_width,
                         int32_t *has_height, an_error *err) {
    (void)window, (void)width, (void)height, (void)has_width, (void)has_height;
    return ani_fail(err, AN_ERR_UNSUPPORTED, NEEDS);
}

an_status ani_window_put(ani_window *window, const uint8_t *pixels, int32_t width, int32_t height,
                         an_error *err) {
    (void)window, (void)pixels, (void)width, (void)height;
    return ani_fail(err, AN_ERR_UNSUPPORTED, NEEDS);
}

int32_t ani_window_poll(ani_window *window, int32_t milliseconds) {
    (void)window, (void)milliseconds;
    return 0;
}
