/* SPDX-License-Identifier: MIT
 * Loads FFmpeg's libraries. */
#include "live/ffmpeg.h"

#include <errno.h>
#include <pthread.h>

#define FILE_NAME(name, major) name ".so." AV_STRINGIFY(major)

ani_avutil_functions ani_avutil;
ani_avcodec_functions ani_avcodec;
ani_avformat_functions ani_avformat;
ani_avdevice_functions ani_avdevice;
ani_swscale_functions ani_swscale;

/** A library and where its functions go. */
typedef struct part {
    const char *files[2]; /* its name, NULL */
    const char *const *names;
    int32_t count;
    void *table;
    bool is_loaded;
} part;

#define NAMES(library, list) static const char *const library##_names[] = {list(ANI_FUNCTION_NAME)};
NAMES(avutil, ANI_AVUTIL_FUNCTIONS)
NAMES(avcodec, ANI_AVCODEC_FUNCTIONS)
NAMES(avformat, ANI_AVFORMAT_FUNCTIONS)
NAMES(avdevice, ANI_AVDEVICE_FUNCTIONS)
NAMES(swscale, ANI_SWSCALE_FUNCTIONS)

#define PART(library, major)                                                                       \
    {                                                                                              \
        {FILE_NAME("lib" #library, major), NULL}, library##_names,                                 \
            (int32_t)(sizeof library##_names / sizeof *library##_names), &ani_##library, false     \
    }

enum { PARTS = 5, PARTS_WITHOUT_DEVICES = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static part parts[PARTS] = {
    PART(avutil, LIBAVUTIL_VERSION_MAJOR),     PART(avcodec, LIBAVCODEC_VERSION_MAJOR),
    PART(avformat, LIBAVFORMAT_VERSION_MAJOR), PART(swscale, LIBSWSCALE_VERSION_MAJOR),
    PART(avdevice, LIBAVDEVICE_VERSION_MAJOR),
};

an_status ani_ffmpeg_load(bool with_devices, const char *what, an_error *err) {
    an_status st = AN_OK;
    const int count = with_devices ? PARTS : PARTS_WITHOUT_DEVICES;
    pthread_mutex_lock(&lock);
    for (int i = 0; !st && i < count; i++) {
        part *p = &parts[i];
        if (p->is_loaded) continue;
        p->is_loaded = ani_library_load(p->files, p->names, p->count, p->table);
        if (!p->is_loaded)
            st = ani_fail(err, AN_ERR_UNSUPPORTED, "%s: FFmpeg's '%s' cannot be loaded", what,
                          p->files[0]);
        /* The library never prints. A level that the program has set stays. */
        else if (p->table == &ani_avutil && ani_avutil.av_log_get_level() == AV_LOG_INFO)
            ani_avutil.av_log_set_level(AV_LOG_QUIET);
        else if (p->table == &ani_avdevice)
            ani_avdevice.avdevice_register_all();
    }
    pthread_mutex_unlock(&lock);
    return st;
}

an_status ani_ffmpeg_fail(an_error *err, int code, an_status otherwise, const char *action,
                          const char *name) {
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";
    an_status st = otherwise;
    if (code == AVERROR_EXIT)
        return ani_fail(err, AN_ERR_CANCELLED, "reading frames was cancelled");
    if (code == AVERROR(ENOMEM)) st = AN_ERR_NOMEM;
    if (code == AVERROR_INVALIDDATA) st = AN_ERR_FORMAT;
    if (code == AVERROR_PROTOCOL_NOT_FOUND || code == AVERROR_DEMUXER_NOT_FOUND ||
        code == AVERROR_DECODER_NOT_FOUND || code == AVERROR_PATCHWELCOME)
        st = AN_ERR_UNSUPPORTED;
    if (code == AVERROR_INVALIDDATA)
        return ani_fail(err, st, "cannot %s '%s': it is damaged, or not a video", action, name);
    if (code == AVERROR_DEMUXER_NOT_FOUND || code == AVERROR_EOF)
        return ani_fail(
            err, code == AVERROR_EOF ? AN_ERR_FORMAT : st, "cannot %s '%s': it %s", action, name,
            code == AVERROR_EOF ? "ends before the first frame" : "has no known video format");
    ani_avutil.av_strerror(code, reason, sizeof reason);
    return ani_fail(err, st, "cannot %s '%s': %s", action, name, reason);
}
