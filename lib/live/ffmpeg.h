/* SPDX-License-Identifier: MIT
 * FFmpeg's libraries, loaded when they are first needed: functions in tables, and their errors.
 * Only the major versions that the build's headers describe are loaded, since the layout of
 * FFmpeg's structs is that of a major version. */
#ifndef LIVE_FFMPEG_H
#define LIVE_FFMPEG_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>

#include "base/error.h"
#include "base/library.h"

/* clang-format off */
#define ANI_AVUTIL_FUNCTIONS(F) \
    F(av_dict_free) F(av_dict_set) F(av_display_rotation_get) F(av_frame_alloc) F(av_frame_free) \
    F(av_frame_get_buffer) F(av_frame_make_writable) F(av_frame_unref) F(av_get_pix_fmt_name) \
    F(av_log_get_level) F(av_log_set_level) F(av_strerror)
#define ANI_AVCODEC_FUNCTIONS(F) \
    F(av_packet_alloc) F(av_packet_free) F(av_packet_rescale_ts) F(av_packet_unref) \
    F(avcodec_alloc_context3) F(avcodec_find_decoder) F(avcodec_find_encoder) \
    F(avcodec_free_context) F(avcodec_get_name) F(avcodec_open2) F(avcodec_parameters_from_context) \
    F(avcodec_parameters_to_context) F(avcodec_receive_frame) F(avcodec_receive_packet) \
    F(avcodec_send_frame) F(avcodec_send_packet)
#define ANI_AVFORMAT_FUNCTIONS(F) \
    F(av_find_best_stream) F(av_find_input_format) F(av_guess_format) F(av_interleaved_write_frame) \
    F(av_read_frame) F(av_write_trailer) F(avformat_alloc_context) F(avformat_alloc_output_context2) \
    F(avformat_close_input) F(avformat_find_stream_info) F(avformat_free_context) \
    F(avformat_new_stream) F(avformat_open_input) F(avformat_query_codec) F(avformat_write_header) \
    F(avio_closep) F(avio_open2)
#define ANI_AVDEVICE_FUNCTIONS(F) F(avdevice_register_all)
#define ANI_SWSCALE_FUNCTIONS(F) \
    F(sws_freeContext) F(sws_getCachedContext) F(sws_getCoefficients) F(sws_scale) \
    F(sws_setColorspaceDetails)
/* clang-format on */

typedef struct ani_avutil_functions {
    ANI_AVUTIL_FUNCTIONS(ANI_FUNCTION)
} ani_avutil_functions;
typedef struct ani_avcodec_functions {
    ANI_AVCODEC_FUNCTIONS(ANI_FUNCTION)
} ani_avcodec_functions;
typedef struct ani_avformat_functions {
    ANI_AVFORMAT_FUNCTIONS(ANI_FUNCTION)
} ani_avformat_functions;
typedef struct ani_avdevice_functions {
    ANI_AVDEVICE_FUNCTIONS(ANI_FUNCTION)
} ani_avdevice_functions;
typedef struct ani_swscale_functions {
    ANI_SWSCALE_FUNCTIONS(ANI_FUNCTION)
} ani_swscale_functions;

/* Available once ani_ffmpeg_load() has succeeded. */
extern ani_avutil_functions ani_avutil;
extern ani_avcodec_functions ani_avcodec;
extern ani_avformat_functions ani_avformat;
extern ani_avdevice_functions ani_avdevice;
extern ani_swscale_functions ani_swscale;

/** Load the libraries, with libavdevice if cameras are needed. AN_ERR_UNSUPPORTED: one is missing;
 * the message names its file, after what ("cannot open 'x'"). */
an_status ani_ffmpeg_load(bool with_devices, const char *what, an_error *err);

/** Fail with an error code of FFmpeg: "cannot ACTION 'NAME': reason". The status fits the code;
 * otherwise it is the given one. */
an_status ani_ffmpeg_fail(an_error *err, int code, an_status otherwise, const char *action,
                          const char *name);

#endif
