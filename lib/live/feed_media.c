/* SPDX-License-Identifier: MIT
 * Cameras, videos and network streams, read and decoded by FFmpeg. JPEG frames are decoded by our
 * own decoder, as images are. */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/show.h"
#include "base/text.h"
#include "io/image.h"
#include "live/feed.h"
#include "live/ffmpeg.h"

enum {
    CAMERA_WIDTH = 640,
    CAMERA_HEIGHT = 480,
    CAMERA_RATE = 30,
    CAMERA_POLL_MS = 2, /* cameras do not wait by themselves, so that they can be closed */
    ANALYZE_MICROSECONDS = 500000 /* how much of a stream is read before its first frame */
};

/* Formats of files and streams that hold frames themselves. A playlist would make FFmpeg open
 * whatever it names. */
#define FORMATS                                                                                    \
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,ogg,asf,yuv4mpegpipe,ivf,h264,hevc," \
    "m4v,mjpeg,mpjpeg,nut,gif,apng"

typedef struct media_feed {
    ani_feed base;
    ani_media media;
    char *url, *shown;       /* for FFmpeg; for messages, without a password */
    double timeout;          /* seconds; INFINITY: none */
    _Atomic double deadline; /* of the call of FFmpeg in progress */
    AVFormatContext *format;
    AVStream *stream;      /* of format */
    AVCodecContext *codec; /* NULL: frames are JPEG */
    AVPacket *packet;
    AVFrame *frame, *rgb;
    struct SwsContext *scaler;
    int colorspace, range; /* of scaler */
    an_image *upright;     /* a JPEG frame that will be turned */
    int32_t orientation;   /* as of EXIF */
    int64_t next;          /* number of the next frame */
    int64_t first;         /* timestamp of the first one; AV_NOPTS_VALUE: none */
    double arrived;        /* when the last packet did */
    bool is_untimed;       /* timestamps are made up by FFmpeg: frames come as they are made */
    bool is_draining;      /* there are no more packets */
} media_feed;

/* FFmpeg asks whether it should go on waiting. */
static int is_interrupted(void *user) {
    media_feed *feed = user;
    return ani_stop_asked(feed->base.stop) || ani_clock_seconds() > atomic_load(&feed->deadline);
}

static void begin_wait(media_feed *feed) {
    atomic_store(&feed->deadline, ani_clock_seconds() + feed->timeout);
}

static bool is_late(media_feed *feed) {
    return ani_clock_seconds() > atomic_load(&feed->deadline);
}

/* --- errors ----------------------------------------------------------------------------------- */

static an_status fail_camera(media_feed *feed, int code, const char *action, an_error *err) {
    const char *name = feed->shown;
    switch (AVUNERROR(code)) {
    case ENOENT:
    case ENXIO:
        return ani_fail(err, AN_ERR_DEVICE, "cannot %s camera '%s': there is none", action, name);
    case ENODEV:
    case EIO:
        if (feed->next) return ani_fail(err, AN_ERR_DEVICE, "camera '%s' was disconnected", name);
        return ani_fail(err, AN_ERR_DEVICE, "cannot %s camera '%s': it is no camera, or is gone",
                        action, name);
    case EACCES:
    case EPERM:
        return ani_fail(err, AN_ERR_DEVICE,
                        "cannot %s camera '%s': permission denied (is the user in the group "
                        "'video'?)",
                        action, name);
    case EBUSY:
        return ani_fail(err, AN_ERR_DEVICE, "cannot %s camera '%s': another program is using it",
                        action, name);
    case ENOTTY:
        return ani_fail(err, AN_ERR_DEVICE, "cannot %s camera '%s': it is no camera", action, name);
    default:
        return ani_ffmpeg_fail(err, code, AN_ERR_DEVICE, action, name);
    }
}

static an_status fail_code(media_feed *feed, int code, const char *action, an_error *err) {
    an_status st = ani_stop_check(feed->base.stop, err);
    if (st) return st;
    if ((code == AVERROR_EXIT || code == AVERROR(ETIMEDOUT) || code == AVERROR(EAGAIN)) &&
        is_late(feed))
        return ani_fail(err, feed->media == ANI_MEDIA_CAMERA ? AN_ERR_DEVICE : AN_ERR_IO,
                        "cannot %s '%s': no data for %g seconds", action, feed->shown,
                        feed->timeout);
    if (feed->media == ANI_MEDIA_CAMERA) return fail_camera(feed, code, action, err);
    if (code == AVERROR(EINVAL) && !feed->stream) /* what the list of formats leaves out */
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "cannot %s '%s': it has no format that is read here (a playlist, or a "
                        "rare one)",
                        action, feed->shown);
    return ani_ffmpeg_fail(err, code, AN_ERR_IO, action, feed->shown);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* What FFmpeg opens, and what messages call it: an address without its password. */
static an_status set_names(media_feed *feed, const char *name, an_error *err) {
    static const char *const prefixes[] = {
        [ANI_MEDIA_FILE] = "file:", [ANI_MEDIA_CAMERA] = "", [ANI_MEDIA_URL] = ""};
    const bool is_index = feed->media == ANI_MEDIA_CAMERA && *name != '/';
    ani_text url = {0}, shown = {0};
    ani_text_print(&url, "%s%s", is_index ? "/dev/video" : prefixes[feed->media], name);
    const char *host = feed->media == ANI_MEDIA_URL ? strstr(name, "://") : NULL;
    if (host) {
        host += 3;
        const size_t length = strcspn(host, "/?#");
        const char *begin = host;
        for (size_t i = 0; i < length; i++)
            if (host[i] == '@') begin = host + i + 1;
        ani_text_add(&shown, name, host - name);
        ani_text_print(&shown, "%s", begin);
    } else {
        ani_text_print(&shown, "%s", is_index ? url.bytes ? url.bytes : "" : name);
    }
    feed->url = url.bytes;
    feed->shown = shown.bytes;
    return url.failed || shown.failed ? ani_fail_memory(err, -1, "a path") : AN_OK;
}

static int set_option(AVDictionary **options, int before, const char *key, const char *value) {
    const int code = ani_avutil.av_dict_set(options, key, value, 0);
    return before < 0 ? before : code;
}

/* Open with options of FFmpeg, which are freed. Returns its code. */
static int open_input(media_feed *feed, const AVInputFormat *as, AVDictionary *options) {
    feed->format = ani_avformat.avformat_alloc_context();
    if (!feed->format) {
        ani_avutil.av_dict_free(&options);
        return AVERROR(ENOMEM);
    }
    feed->format->interrupt_callback = (AVIOInterruptCB){is_interrupted, feed};
    if (feed->media == ANI_MEDIA_CAMERA) feed->format->flags |= AVFMT_FLAG_NONBLOCK;
    if (feed->media == ANI_MEDIA_URL) feed->format->max_analyze_duration = ANALYZE_MICROSECONDS;
    begin_wait(feed);
    /* on failure the context is freed and NULL */
    const int code = ani_avformat.avformat_open_input(&feed->format, feed->url, as, &options);
    ani_avutil.av_dict_free(&options);
    return code;
}

static int open_camera(media_feed *feed, const an_source_options *o) {
    static const char *const usual[] = {"mjpeg", "yuyv422", NULL};
    const AVInputFormat *as = ani_avformat.av_find_input_format("v4l2");
    char size[32], rate[32];
    int code = AVERROR(EINVAL);
    if (!as) return AVERROR_DEMUXER_NOT_FOUND;
    snprintf(size, sizeof size, "%dx%d", o->width ? (int)o->width : CAMERA_WIDTH,
             o->height ? (int)o->height : CAMERA_HEIGHT);
    ani_format_shortest(rate, sizeof rate, o->rate > 0 ? o->rate : CAMERA_RATE);
    /* a driver that does not have the format answers EINVAL */
    for (int i = 0; i < 3 && code == AVERROR(EINVAL); i++) {
        AVDictionary *options = NULL;
        const char *format = o->camera_format ? o->camera_format : usual[i];
        int set = set_option(&options, 0, "video_size", size);
        set = set_option(&options, set, "framerate", rate);
        if (format) set = set_option(&options, set, "input_format", format);
        if (set < 0) {
            ani_avutil.av_dict_free(&options);
            return set;
        }
        code = open_input(feed, as, options);
        if (o->camera_format) break;
    }
    return code;
}

static int open_other(media_feed *feed) {
    const bool is_rtsp = feed->media == ANI_MEDIA_URL && !strncmp(feed->url, "rtsp", 4);
    AVDictionary *options = NULL;
    int set = set_option(&options, 0, "protocol_whitelist",
                         feed->media == ANI_MEDIA_FILE ? "file"
                         : is_rtsp                     ? "rtsp,rtsps,rtp,tcp,udp,tls"
                                                       : "http,https,tcp,tls");
    set = set_option(&options, set, "format_whitelist", is_rtsp ? "rtsp" : FORMATS);
    /* over TCP nothing is lost, and no ports need to be open */
    if (is_rtsp) set = set_option(&options, set, "rtsp_transport", "tcp");
    if (feed->media == ANI_MEDIA_URL) set = set_option(&options, set, "fpsprobesize", "0");
    if (set < 0) {
        ani_avutil.av_dict_free(&options);
        return set;
    }
    return open_input(feed, NULL, options);
}

/* How a video is to be turned, from its display matrix: as ffmpeg does it. */
static an_status read_rotation(media_feed *feed, an_error *err) {
    const int32_t *matrix = NULL;
    feed->orientation = 1;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
    const AVCodecParameters *p = feed->stream->codecpar;
    for (int i = 0; i < p->nb_coded_side_data; i++)
        if (p->coded_side_data[i].type == AV_PKT_DATA_DISPLAYMATRIX &&
            p->coded_side_data[i].size >= 9 * sizeof *matrix)
            matrix = (const int32_t *)(const void *)p->coded_side_data[i].data;
#else
    for (int i = 0; i < feed->stream->nb_side_data; i++)
        if (feed->stream->side_data[i].type == AV_PKT_DATA_DISPLAYMATRIX &&
            feed->stream->side_data[i].size >= 9 * sizeof *matrix)
            matrix = (const int32_t *)(const void *)feed->stream->side_data[i].data;
#endif
    if (!matrix) return AN_OK;
    double angle = -ani_avutil.av_display_rotation_get(matrix); /* clockwise */
    if (isnan(angle)) return AN_OK;
    angle -= 360 * floor(angle / 360 + 0.9 / 360);
    if (fabs(angle) < 1)
        feed->orientation = matrix[4] < 0 ? 4 : 1;
    else if (fabs(angle - 90) < 1)
        feed->orientation = matrix[3] > 0 ? 5 : 6;
    else if (fabs(angle - 180) < 1)
        feed->orientation = matrix[0] < 0 && matrix[4] < 0 ? 3 : matrix[0] < 0 ? 2 : 4;
    else if (fabs(angle - 270) < 1)
        feed->orientation = matrix[3] < 0 ? 7 : 8;
    else
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "the video '%s' is to be turned by %.0f degrees; only multiples of 90 are "
                        "supported",
                        feed->shown, angle);
    return AN_OK;
}

static an_status open_decoder(media_feed *feed, an_error *err) {
    const AVCodecParameters *parameters = feed->stream->codecpar;
    const AVCodec *decoder = ani_avcodec.avcodec_find_decoder(parameters->codec_id);
    if (!decoder)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "cannot decode '%s': FFmpeg has no decoder for %s",
                        feed->shown, ani_avcodec.avcodec_get_name(parameters->codec_id));
    feed->codec = ani_avcodec.avcodec_alloc_context3(decoder);
    if (!feed->codec) return ani_fail_memory(err, -1, "a decoder");
    int code = ani_avcodec.avcodec_parameters_to_context(feed->codec, parameters);
    feed->codec->pkt_timebase = feed->stream->time_base;
    feed->codec->thread_count = 1; /* the network has the others; frame threads would add delay */
    if (feed->base.is_live) feed->codec->flags |= AV_CODEC_FLAG_LOW_DELAY;
    feed->codec->max_pixels = (int64_t)ANI_RESIZE_MAX_LENGTH * ANI_RESIZE_MAX_LENGTH;
    if (code >= 0) code = ani_avcodec.avcodec_open2(feed->codec, decoder, NULL);
    if (code < 0) return fail_code(feed, code, "decode", err);
    return AN_OK;
}

static double as_rate(AVRational rate) {
    return rate.num > 0 && rate.den > 0 ? (double)rate.num / rate.den : 0;
}

static void describe(media_feed *feed, const an_source_options *o) {
    ani_feed *base = &feed->base;
    char shown[ANI_SHOWN_NAME_SIZE], rate[80] = "", asked[80] = "";
    const AVCodecParameters *p = feed->stream->codecpar;
    const char *codec = ani_avcodec.avcodec_get_name(p->codec_id);
    if (p->codec_id == AV_CODEC_ID_RAWVIDEO && p->format >= 0)
        codec = ani_avutil.av_get_pix_fmt_name(p->format);
    if (base->rate > 0) {
        char number[32];
        ani_format_double(number, sizeof number, base->rate, 4);
        snprintf(rate, sizeof rate, ", %s frames per second", number);
    }
    if (feed->media == ANI_MEDIA_CAMERA) {
        const int width = o->width ? (int)o->width : CAMERA_WIDTH;
        const int height = o->height ? (int)o->height : CAMERA_HEIGHT;
        const double wanted = o->rate > 0 ? o->rate : CAMERA_RATE;
        char number[32];
        ani_format_double(number, sizeof number, wanted, 4);
        if (width != p->width || height != p->height || fabs(wanted - base->rate) > 0.01)
            snprintf(asked, sizeof asked, " (asked for %d x %d, %s)", width, height, number);
    }
    snprintf(base->text, sizeof base->text, "%s%s: %s, %d x %d%s%s",
             feed->media == ANI_MEDIA_CAMERA ? "camera " : "", ani_name_show(shown, feed->shown),
             codec ? codec : "unknown", p->width, p->height, rate, asked);
}

/* The best video stream of what was opened. */
static an_status find_stream(media_feed *feed, const an_source_options *o, an_error *err) {
    int code = 0;
    begin_wait(feed);
    /* a camera says all that is needed when it is opened */
    if (feed->media != ANI_MEDIA_CAMERA)
        code = ani_avformat.avformat_find_stream_info(feed->format, NULL);
    if (code < 0) return fail_code(feed, code, "open", err);
    const int best =
        ani_avformat.av_find_best_stream(feed->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (is_interrupted(feed)) return fail_code(feed, AVERROR_EXIT, "open", err);
    if (best < 0) return ani_fail(err, AN_ERR_FORMAT, "'%s' has no video", feed->shown);
    feed->stream = feed->format->streams[best];
    for (unsigned i = 0; i < feed->format->nb_streams; i++)
        if ((int)i != best) feed->format->streams[i]->discard = AVDISCARD_ALL;
    const AVCodecParameters *p = feed->stream->codecpar;
    ani_feed *base = &feed->base;
    feed->is_untimed = feed->media == ANI_MEDIA_URL && feed->format->iformat->name &&
                       strstr(feed->format->iformat->name, "jpeg"); /* mjpeg, mpjpeg */
    if (!feed->is_untimed) base->rate = as_rate(feed->stream->avg_frame_rate);
    if (base->rate <= 0 && !feed->is_untimed) base->rate = as_rate(feed->stream->r_frame_rate);
    if (base->rate <= 0 && !base->is_live) base->rate = o->rate > 0 ? o->rate : ANI_FEED_RATE;
    if (feed->stream->nb_frames > 0) base->count = feed->stream->nb_frames;
    an_status st = read_rotation(feed, err);
    if (!st && p->codec_id != AV_CODEC_ID_MJPEG) st = open_decoder(feed, err);
    if (st) return st;
    base->height = feed->orientation < 5 ? p->height : p->width;
    base->width = feed->orientation < 5 ? p->width : p->height;
    describe(feed, o);
    return AN_OK;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* A frame was damaged: AN_OK to go on. */
static an_status count_damaged(media_feed *feed, const char *action, int code, an_error *err) {
    feed->next++;
    return ani_feed_damaged(&feed->base,
                            ani_ffmpeg_fail(err, code, AN_ERR_IO, action, feed->shown));
}

/* JPEG frames from an HTTP server have no length in total and end with the connection, which FFmpeg
 * takes for an input error unless the server has announced it. A reset is another error. */
static bool has_ended(const media_feed *feed, int code) {
    return code == AVERROR(EIO) && feed->is_untimed && feed->next > 0;
}

/* Read the next packet of the stream. AN_DONE: there is none. */
static an_status read_packet(media_feed *feed, an_error *err) {
    begin_wait(feed);
    for (;;) {
        an_status st = ani_stop_check(feed->base.stop, err);
        if (st) return st;
        ani_avcodec.av_packet_unref(feed->packet);
        const int code = ani_avformat.av_read_frame(feed->format, feed->packet);
        feed->arrived = ani_clock_seconds();
        if (code == AVERROR_EOF || has_ended(feed, code)) return AN_DONE;
        if (code == AVERROR(EAGAIN) && !is_late(feed)) {
            nanosleep(&(struct timespec){.tv_nsec = CAMERA_POLL_MS * 1000000L}, NULL);
            continue;
        }
        if (code == AVERROR_INVALIDDATA) {
            st = count_damaged(feed, "read", code, err);
            if (st) return st;
            continue;
        }
        if (code < 0) return fail_code(feed, code, "read", err);
        if (feed->packet->stream_index != feed->stream->index) continue;
        if (feed->packet->size > 0) return AN_OK;
    }
}

static void stamp(media_feed *feed, ani_shot *to, int64_t timestamp) {
    const double base = (double)feed->stream->time_base.num / feed->stream->time_base.den;
    to->number = feed->next++;
    to->name = "";
    if (feed->first == AV_NOPTS_VALUE) feed->first = timestamp;
    if (timestamp != AV_NOPTS_VALUE && !feed->is_untimed)
        to->time = (double)(timestamp - feed->first) * base;
    else
        to->time = feed->base.is_live ? NAN : (double)to->number / feed->base.rate;
    to->arrived = feed->base.is_live ? feed->arrived : 0;
    feed->base.damaged_in_row = 0;
}

/* Make the shot's image from rows of RGB, turned as the video says. */
static an_status put_rows(media_feed *feed, ani_shot *to, const uint8_t *rgb, int64_t stride,
                          int64_t height, int64_t width, an_error *err) {
    const bool is_turned = feed->orientation >= 5;
    an_status st = ani_image_fit(&to->image, is_turned ? width : height, is_turned ? height : width,
                                 "a frame", err);
    if (st) return st;
    if (feed->orientation != 1)
        ani_image_turn_to(to->image->rgb, rgb, stride, height, width, feed->orientation);
    else
        for (int64_t y = 0; y < height; y++)
            memcpy(to->image->rgb + 3 * y * width, rgb + y * stride, (size_t)(3 * width));
    return AN_OK;
}

/* Convert a decoded frame to RGB, with rows that libswscale may overrun. */
static an_status convert(media_feed *feed, ani_shot *to, an_error *err) {
    AVFrame *from = feed->frame, *rgb = feed->rgb;
    if (from->width < 1 || from->width > ANI_RESIZE_MAX_LENGTH || from->height < 1 ||
        from->height > ANI_RESIZE_MAX_LENGTH)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "a frame of '%s' has %d x %d pixels; each must be 1 to %d", feed->shown,
                        from->width, from->height, ANI_RESIZE_MAX_LENGTH);
    if (rgb->width != from->width || rgb->height != from->height) {
        ani_avutil.av_frame_unref(rgb);
        rgb->format = AV_PIX_FMT_RGB24;
        rgb->width = from->width;
        rgb->height = from->height;
        if (ani_avutil.av_frame_get_buffer(rgb, 0) < 0) {
            ani_avutil.av_frame_unref(rgb);
            return ani_fail_memory(err, -1, "a frame");
        }
    }
    struct SwsContext *const before = feed->scaler;
    feed->scaler = ani_swscale.sws_getCachedContext(before, from->width, from->height, from->format,
                                                    from->width, from->height, AV_PIX_FMT_RGB24,
                                                    SWS_BICUBIC, NULL, NULL, NULL);
    if (!feed->scaler)
        return ani_fail(err, AN_ERR_UNSUPPORTED, "frames of '%s' cannot be converted to RGB",
                        feed->shown);
    const int colorspace =
        from->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : (int)from->colorspace;
    const bool is_jpeg_format =
        from->format == AV_PIX_FMT_YUVJ420P || from->format == AV_PIX_FMT_YUVJ422P ||
        from->format == AV_PIX_FMT_YUVJ444P || from->format == AV_PIX_FMT_YUVJ440P;
    const int range = from->color_range == AVCOL_RANGE_JPEG || is_jpeg_format;
    if (feed->scaler != before || colorspace != feed->colorspace || range != feed->range) {
        /* it fails for formats that need no matrix */
        ani_swscale.sws_setColorspaceDetails(
            feed->scaler, ani_swscale.sws_getCoefficients(colorspace), range,
            ani_swscale.sws_getCoefficients(SWS_CS_DEFAULT), 0, 0, 1 << 16, 1 << 16);
        feed->colorspace = colorspace;
        feed->range = range;
    }
    ani_swscale.sws_scale(feed->scaler, (const uint8_t *const *)from->data, from->linesize, 0,
                          from->height, rgb->data, rgb->linesize);
    return put_rows(feed, to, rgb->data[0], rgb->linesize[0], from->height, from->width, err);
}

/* Pass the next packet to the decoder, or that there are no more. */
static an_status feed_decoder(media_feed *feed, an_error *err) {
    an_status st = read_packet(feed, err);
    if (st < 0) return st;
    if (st == AN_DONE) feed->is_draining = true;
    const int code = ani_avcodec.avcodec_send_packet(feed->codec, st ? NULL : feed->packet);
    if (code == AVERROR(ENOMEM)) return ani_fail_memory(err, -1, "a frame");
    if (code < 0 && code != AVERROR(EAGAIN) && code != AVERROR_EOF)
        return count_damaged(feed, "decode", code, err);
    return AN_OK;
}

static an_status read_decoded(media_feed *feed, ani_shot *to, an_error *err) {
    for (;;) {
        an_status st = AN_OK;
        const int code = ani_avcodec.avcodec_receive_frame(feed->codec, feed->frame);
        if (code == AVERROR_EOF || has_ended(feed, code)) return AN_DONE;
        if (code == AVERROR(EAGAIN)) {
            if (feed->is_draining) return AN_DONE;
            st = feed_decoder(feed, err);
        } else if (code == AVERROR(ENOMEM)) {
            st = ani_fail_memory(err, -1, "a frame");
        } else if (code < 0) {
            st = count_damaged(feed, "decode", code, err);
        } else if ((feed->frame->flags & AV_FRAME_FLAG_CORRUPT) ||
                   feed->frame->decode_error_flags) {
            /* its pixels are guessed, and so would be its score */
            st = count_damaged(feed, "decode", AVERROR_INVALIDDATA, err);
        } else {
            stamp(feed, to, feed->frame->best_effort_timestamp);
            return convert(feed, to, err);
        }
        if (st) return st;
    }
}

/* Is the video interlaced? Each JPEG image then has half of the rows, which only FFmpeg joins. */
static bool is_half(const media_feed *feed, const an_image *image) {
    const int64_t height = feed->stream->codecpar->height;
    return height > 0 && image->height != height && (image->height + 1) / 2 * 4 >= height &&
           image->height * 2 <= height + 1;
}

static an_status read_jpeg(media_feed *feed, ani_shot *to, an_error *err) {
    an_image **image = feed->orientation == 1 ? &to->image : &feed->upright;
    for (;;) {
        an_status st = read_packet(feed, err);
        if (st) return st;
        st = ani_image_decode_again(image, feed->packet->data, feed->packet->size, feed->shown,
                                    NULL, err);
        if (!st && !feed->next && is_half(feed, *image)) {
            st = open_decoder(feed, err);
            if (st) return st;
            if (ani_avcodec.avcodec_send_packet(feed->codec, feed->packet) < 0)
                return fail_code(feed, AVERROR_INVALIDDATA, "decode", err);
            return read_decoded(feed, to, err);
        }
        if (st == AN_ERR_FORMAT) {
            feed->next++;
            st = ani_feed_damaged(&feed->base, st);
            if (st) return st;
            continue;
        }
        if (st) return st;
        stamp(feed, to, feed->packet->pts);
        if (feed->orientation == 1) return AN_OK;
        return put_rows(feed, to, (*image)->rgb, 3 * (*image)->width, (*image)->height,
                        (*image)->width, err);
    }
}

static an_status read_frame(ani_feed *base, ani_shot *to, an_error *err) {
    media_feed *feed = (media_feed *)base;
    an_status st = feed->codec ? read_decoded(feed, to, err) : read_jpeg(feed, to, err);
    if (st == AN_DONE && !feed->next)
        st = ani_fail(err, AN_ERR_FORMAT, "'%s' has no frames", feed->shown);
    return st;
}

static void close_media(ani_feed *base) {
    media_feed *feed = (media_feed *)base;
    if (ani_swscale.sws_freeContext) ani_swscale.sws_freeContext(feed->scaler);
    if (feed->frame) ani_avutil.av_frame_free(&feed->frame);
    if (feed->rgb) ani_avutil.av_frame_free(&feed->rgb);
    if (feed->packet) ani_avcodec.av_packet_free(&feed->packet);
    if (feed->codec) ani_avcodec.avcodec_free_context(&feed->codec);
    if (feed->format) {
        /* leaving an RTSP session politely may wait for the server */
        atomic_store(&feed->deadline, ani_clock_seconds() + 1);
        ani_avformat.avformat_close_input(&feed->format);
    }
    an_image_destroy(feed->upright);
    ani_free(feed->url);
    ani_free(feed->shown);
    ani_free(feed);
}

static const ani_feed_kind media_kind = {read_frame, close_media};

an_status ani_media_feed_open(ani_feed **out, const char *name, ani_media media,
                              const an_source_options *options, ani_stop *stop, an_error *err) {
    *out = NULL;
    char what[ANI_SHOWN_NAME_SIZE + 32];
    int code;
    media_feed *feed = ani_alloc_zero(1, sizeof *feed);
    if (!feed) return ani_fail_memory(err, sizeof *feed, "a source");
    feed->base.kind = &media_kind;
    feed->base.stop = stop;
    feed->base.is_live = media != ANI_MEDIA_FILE;
    feed->base.count = -1;
    feed->media = media;
    feed->timeout = feed->base.is_live ? (double)options->timeout : INFINITY;
    feed->first = AV_NOPTS_VALUE;
    an_status st = set_names(feed, name, err);
    if (st) goto done;
    char shown[ANI_SHOWN_NAME_SIZE];
    snprintf(what, sizeof what, "cannot open '%s'", ani_name_show(shown, feed->shown));
    st = ani_ffmpeg_load(media == ANI_MEDIA_CAMERA, what, err);
    if (st) goto done;
    feed->packet = ani_avcodec.av_packet_alloc();
    feed->frame = ani_avutil.av_frame_alloc();
    feed->rgb = ani_avutil.av_frame_alloc();
    if (!feed->packet || !feed->frame || !feed->rgb) {
        st = ani_fail_memory(err, -1, "a frame");
        goto done;
    }
    code = media == ANI_MEDIA_CAMERA ? open_camera(feed, options) : open_other(feed);
    st = code < 0 ? fail_code(feed, code, "open", err) : find_stream(feed, options, err);
    if (st) goto done;
    *out = &feed->base;
    feed = NULL;
done:
    if (feed) close_media(&feed->base);
    return st;
}
