/* SPDX-License-Identifier: MIT
 * Writes a video file with FFmpeg: H.264 where there is an encoder and the format has it, otherwise
 * the format's own choice. */
#include "live/video.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/show.h"
#include "live/ffmpeg.h"

enum {
    TICKS = 1000, /* of the video's clock in a second, if frames have times */
    QUALITY = 4   /* 2 (best) to 31, of encoders that take it */
};

struct ani_video {
    char *path, *part; /* its name, and the file's until it is complete */
    AVFormatContext *format;
    AVStream *stream;
    const AVCodec *encoder;
    AVCodecContext *codec; /* NULL before the first frame */
    AVFrame *frame;
    AVPacket *packet;
    struct SwsContext *scaler;
    AVRational tick; /* of its clock, in seconds */
    int64_t last;    /* time of the last frame, in ticks; -1: none yet */
    int64_t length;  /* of a frame, in ticks: that of the one before */
    bool has_file, is_complete;
};

static an_status fail(const ani_video *video, int code, an_error *err) {
    return ani_ffmpeg_fail(err, code, AN_ERR_IO, "write", video->path);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Do frames have their own times? MP4 and MOV say so only by allowing negative ones. */
static bool has_times(const AVOutputFormat *as) {
    return as->flags & (AVFMT_VARIABLE_FPS | AVFMT_TS_NEGATIVE);
}

static an_status find_encoder(ani_video *video, an_error *err) {
    const AVOutputFormat *as = video->format->oformat;
    const AVCodec *found = ani_avcodec.avcodec_find_encoder(AV_CODEC_ID_H264);
    const bool prefers =
        as->video_codec == AV_CODEC_ID_H264 || as->video_codec == AV_CODEC_ID_MPEG4;
    if (!found || !prefers ||
        ani_avformat.avformat_query_codec(as, AV_CODEC_ID_H264, FF_COMPLIANCE_NORMAL) != 1)
        found = ani_avcodec.avcodec_find_encoder(as->video_codec);
    if (!found &&
        ani_avformat.avformat_query_codec(as, AV_CODEC_ID_MPEG4, FF_COMPLIANCE_NORMAL) == 1)
        found = ani_avcodec.avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    if (!found)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "cannot write '%s': FFmpeg has no encoder for the format %s", video->path,
                        as->name);
    video->encoder = found;
    return AN_OK;
}

an_status ani_video_open(ani_video **out, const char *path, double rate, an_error *err) {
    *out = NULL;
    char shown[ANI_SHOWN_NAME_SIZE], what[ANI_SHOWN_NAME_SIZE + 32];
    const AVOutputFormat *as = NULL;
    an_status st = AN_OK;
    ani_video *video = ani_alloc_zero(1, sizeof *video);
    if (!video) return ani_fail_memory(err, sizeof *video, "a video");
    const int64_t size = (int64_t)strlen(path) + 6;
    video->last = -1;
    video->length = 1;
    video->path = ani_strdup(path);
    video->part = ani_alloc(size);
    if (!video->path || !video->part) {
        st = ani_fail_memory(err, size, "a path");
        goto done;
    }
    snprintf(video->part, (size_t)size, "%s.part", path);
    snprintf(what, sizeof what, "cannot write '%s'", ani_name_show(shown, path));
    st = ani_ffmpeg_load(false, what, err);
    if (st) goto done;
    as = ani_avformat.av_guess_format(NULL, path, NULL);
    if (!as || as->video_codec == AV_CODEC_ID_NONE || (as->flags & AVFMT_NOFILE)) {
        st = ani_fail(err, AN_ERR_UNSUPPORTED,
                      "cannot write '%s': its ending is that of no video format; try .mp4, .mkv, "
                      ".avi or .mov, or end a folder's name in '/'",
                      path);
        goto done;
    }
    st = ani_writer_check(path, err);
    if (st) goto done;
    if (ani_avformat.avformat_alloc_output_context2(&video->format, as, NULL, path) < 0) {
        st = ani_fail_memory(err, -1, "a video");
        goto done;
    }
    st = find_encoder(video, err);
    if (st) goto done;
    video->tick = (AVRational){1, TICKS};
    if (!has_times(as)) video->tick = (AVRational){TICKS, (int)lround(rate * TICKS)};
    video->packet = ani_avcodec.av_packet_alloc();
    video->frame = ani_avutil.av_frame_alloc();
    if (!video->packet || !video->frame) {
        st = ani_fail_memory(err, -1, "a frame");
        goto done;
    }
    *out = video;
    video = NULL;
done:
    ani_video_close(video);
    return st;
}

/* --- the first frame -------------------------------------------------------------------------- */

/* Every player shows 4:2:0; an encoder that does not have it decides. */
static enum AVPixelFormat choose_pixels(const AVCodec *encoder) {
    const enum AVPixelFormat *all = encoder->pix_fmts;
    for (int i = 0; all && all[i] != AV_PIX_FMT_NONE; i++)
        if (all[i] == AV_PIX_FMT_YUV420P || all[i] == AV_PIX_FMT_YUVJ420P) return all[i];
    return all ? all[0] : AV_PIX_FMT_YUV420P;
}

static an_status open_encoder(ani_video *video, int32_t width, int32_t height, an_error *err) {
    AVDictionary *options = NULL;
    AVCodecContext *codec = ani_avcodec.avcodec_alloc_context3(video->encoder);
    video->codec = codec;
    if (!codec) return ani_fail_memory(err, -1, "an encoder");
    codec->pix_fmt = choose_pixels(video->encoder);
    /* 4:2:0 has its colours for two rows and columns: an odd last one is left out */
    codec->width = width > 1 ? width & ~1 : width;
    codec->height = height > 1 ? height & ~1 : height;
    codec->time_base = video->tick;
    if (!has_times(video->format->oformat))
        codec->framerate = (AVRational){video->tick.den, video->tick.num};
    if (codec->pix_fmt == AV_PIX_FMT_YUVJ420P) codec->color_range = AVCOL_RANGE_JPEG;
    codec->colorspace = AVCOL_SPC_SMPTE170M; /* the matrix that libswscale uses by default */
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_QSCALE;
    codec->global_quality = QUALITY * FF_QP2LAMBDA;
    if (video->format->oformat->flags & AVFMT_GLOBALHEADER)
        codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (video->encoder->id == AV_CODEC_ID_H264) { /* encoders without these ignore them */
        ani_avutil.av_dict_set(&options, "preset", "veryfast", 0);
        ani_avutil.av_dict_set(&options, "crf", "20", 0);
    }
    const int code = ani_avcodec.avcodec_open2(codec, video->encoder, &options);
    ani_avutil.av_dict_free(&options);
    if (code == AVERROR(ENOMEM)) return ani_fail_memory(err, -1, "an encoder");
    if (code < 0)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "cannot write '%s': the encoder %s refuses %d x %d pixels", video->path,
                        video->encoder->name, codec->width, codec->height);
    return AN_OK;
}

static an_status begin_file(ani_video *video, int32_t width, int32_t height, an_error *err) {
    an_status st = open_encoder(video, width, height, err);
    if (st) return st;
    const AVCodecContext *codec = video->codec;
    video->stream = ani_avformat.avformat_new_stream(video->format, NULL);
    if (!video->stream) return ani_fail_memory(err, -1, "a video");
    video->stream->time_base = codec->time_base;
    video->stream->avg_frame_rate = codec->framerate;
    int code = ani_avcodec.avcodec_parameters_from_context(video->stream->codecpar, codec);
    if (code < 0) return fail(video, code, err);
    video->frame->format = codec->pix_fmt;
    video->frame->width = codec->width;
    video->frame->height = codec->height;
    video->frame->color_range = codec->color_range;
    video->frame->colorspace = codec->colorspace;
    code = ani_avutil.av_frame_get_buffer(video->frame, 0);
    if (code < 0) return fail(video, code, err);
    video->scaler = ani_swscale.sws_getCachedContext(
        NULL, codec->width, codec->height, AV_PIX_FMT_BGR0, codec->width, codec->height,
        codec->pix_fmt, SWS_BILINEAR, NULL, NULL, NULL);
    if (!video->scaler) return ani_fail_memory(err, -1, "an encoder");
    code = ani_avformat.avio_open2(&video->format->pb, video->part, AVIO_FLAG_WRITE, NULL, NULL);
    if (code < 0) return fail(video, code, err);
    video->has_file = true;
    code = ani_avformat.avformat_write_header(video->format, NULL);
    return code < 0 ? fail(video, code, err) : AN_OK;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* Give a frame to the encoder, NULL at the end, and write what it has ready. */
static an_status encode(ani_video *video, const AVFrame *frame, an_error *err) {
    int code = ani_avcodec.avcodec_send_frame(video->codec, frame);
    while (code >= 0) {
        code = ani_avcodec.avcodec_receive_packet(video->codec, video->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return AN_OK;
        if (code < 0) break;
        /* otherwise the last frame would have no time to be shown */
        if (video->packet->duration <= 0) video->packet->duration = video->length;
        ani_avcodec.av_packet_rescale_ts(video->packet, video->codec->time_base,
                                         video->stream->time_base);
        video->packet->stream_index = video->stream->index;
        code = ani_avformat.av_interleaved_write_frame(video->format, video->packet);
    }
    return fail(video, code, err);
}

an_status ani_video_write(ani_video *video, const uint8_t *pixels, int32_t width, int32_t height,
                          double time, an_error *err) {
    an_status st = AN_OK;
    if (!video->has_file) st = begin_file(video, width, height, err);
    if (st) return st;
    const int code = ani_avutil.av_frame_make_writable(video->frame);
    if (code < 0) return fail(video, code, err);
    const uint8_t *const planes[4] = {pixels};
    const int strides[4] = {4 * width};
    ani_swscale.sws_scale(video->scaler, planes, strides, 0, video->codec->height,
                          video->frame->data, video->frame->linesize);
    int64_t ticks = llround(fmin(time, 1e12) * video->tick.den / video->tick.num);
    if (ticks <= video->last) ticks = video->last + 1; /* times must grow */
    if (video->last >= 0) video->length = ticks - video->last;
    video->frame->pts = video->last = ticks;
    return encode(video, video->frame, err);
}

an_status ani_video_finish(ani_video *video, an_error *err) {
    an_status st = encode(video, NULL, err);
    if (st) return st;
    int code = ani_avformat.av_write_trailer(video->format);
    const int closed = ani_avformat.avio_closep(&video->format->pb);
    if (code >= 0) code = closed;
    if (code < 0) return fail(video, code, err);
    st = ani_file_rename(video->part, video->path, err);
    video->is_complete = st == AN_OK;
    return st;
}

void ani_video_close(ani_video *video) {
    if (!video) return;
    if (video->scaler) ani_swscale.sws_freeContext(video->scaler);
    if (video->frame) ani_avutil.av_frame_free(&video->frame);
    if (video->packet) ani_avcodec.av_packet_free(&video->packet);
    if (video->codec) ani_avcodec.avcodec_free_context(&video->codec);
    if (video->format) {
        if (video->format->pb) ani_avformat.avio_closep(&video->format->pb);
        ani_avformat.avformat_free_context(video->format);
    }
    if (video->has_file && !video->is_complete) ani_file_remove(video->part, NULL);
    ani_free(video->path);
    ani_free(video->part);
    ani_free(video);
}
