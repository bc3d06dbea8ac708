/* SPDX-License-Identifier: MIT
 * JPEG through libjpeg-turbo, with the settings that give OpenCV's pixels: accurate integer DCT and
 * triangle upsampling, which are its defaults, and OpenCV's own rule for four components.
 *
 * libjpeg continues after damage and only warns. Here a warning that means lost pixels is an error.
 * Errors leave libjpeg by longjmp(); everything that changes between setjmp() and the jump is in
 * structs reached through pointers, never in local variables. */
#include "io/image.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h> /* jpeglib.h needs FILE */
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/show.h"
#include "base/text.h"
#include "io/bytes.h"

/* Surplus bytes after a scan that do not mean damage: some encoders flush a byte or two too many.
 * More than that mean that the decoder lost synchronisation in the preceding data. */
enum { EXTRANEOUS_MAX = 2 };

/* --- errors ---------------------------------------------------------------------------------- */

struct failure {
    struct jpeg_error_mgr manager; /* must be first: libjpeg passes a pointer to it */
    jmp_buf jump;
    const char *name; /* of the image, for messages */
    an_error *err;
    an_status status;
    int64_t max_memory; /* of decoding, for messages */
};

static struct failure *failure_of(j_common_ptr cinfo) {
    return (struct failure *)cinfo->err;
}

_Noreturn static void leave(struct failure *failure, an_status status) {
    failure->status = status;
    longjmp(failure->jump, 1);
}

_Noreturn static void error_exit(j_common_ptr cinfo) {
    struct failure *failure = failure_of(cinfo);
    char reason[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, reason);
    if (reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a' && reason[1] <= 'z')
        reason[0] = (char)(reason[0] - 'A' + 'a');
    switch (cinfo->err->msg_code) {
    case JERR_OUT_OF_MEMORY:
        leave(failure,
              ani_fail(failure->err, AN_ERR_NOMEM, "no memory for image '%s'", failure->name));
    case JERR_NO_BACKING_STORE:
        leave(failure,
              ani_fail(failure->err, AN_ERR_UNSUPPORTED,
                       "image '%s' is too large: decoding it takes more than max_memory, %lld "
                       "bytes",
                       failure->name, (long long)failure->max_memory));
#if JPEG_LIB_VERSION < 70 /* Debian's; Ubuntu's has the version 8 interface */
    case JERR_ARITH_NOTIMPL:
#endif
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_IMAGE_TOO_BIG:
    case JERR_SOF_UNSUPPORTED:
        leave(failure, ani_fail(failure->err, AN_ERR_UNSUPPORTED, "image '%s' is not supported: %s",
                                failure->name, reason));
    default:
        leave(failure, ani_fail(failure->err, AN_ERR_FORMAT, "image '%s' is damaged: %s",
                                failure->name, reason));
    }
}

/* Warnings have level -1; higher levels are for tracing. */
static void emit_message(j_common_ptr cinfo, int level) {
    if (level >= 0) return;
    switch (cinfo->err->msg_code) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
        error_exit(cinfo);
    case JWRN_EXTRANEOUS_DATA: {
        const bool in_scan = ((j_decompress_ptr)cinfo)->input_scan_number > 0;
        if (in_scan && cinfo->err->msg_parm.i[0] > EXTRANEOUS_MAX) error_exit(cinfo);
        break;
    }
    default: /* odd, but no pixel is lost */
        break;
    }
}

static void output_nothing(j_common_ptr cinfo) {
    (void)cinfo;
}

static struct jpeg_error_mgr *begin_failure(struct failure *failure, const char *name,
                                            an_error *err) {
    jpeg_std_error(&failure->manager);
    failure->manager.error_exit = error_exit;
    failure->manager.emit_message = emit_message;
    failure->manager.output_message = output_nothing;
    failure->name = name;
    failure->err = err;
    failure->status = AN_OK;
    return &failure->manager;
}

/* --- decoding -------------------------------------------------------------------------------- */

struct decoder {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_progress_mgr progress;
    struct failure failure;
    const an_image_limits *limits;
    int32_t orientation;
    an_image *image;          /* the result, unless there is a target */
    ani_image_target *target; /* NULL: none */
    ani_resizer resizer;      /* to the target */
    void *scratch;            /* of resizer */
};

/* libjpeg calls this between rows of a scan. With a few bytes per scan, a file can demand very many
 * scans. */
static void check_scans(j_common_ptr common) {
    const j_decompress_ptr cinfo = (j_decompress_ptr)common;
    const struct decoder *decoder = cinfo->client_data;
    struct failure *failure = failure_of(common);
    const int32_t most = decoder->limits->max_scans;
    if (cinfo->input_scan_number <= most) return;
    leave(failure, ani_fail(failure->err, AN_ERR_UNSUPPORTED,
                            "image '%s' has more than %d scans, the limit", failure->name, most));
}

/* As in OpenCV, only the first APP1 marker is checked for EXIF. */
static int32_t find_orientation(const struct jpeg_decompress_struct *cinfo) {
    static const char exif[6] = "Exif\0";
    const struct jpeg_marker_struct *marker = cinfo->marker_list; /* only APP1 are kept */
    if (!marker || marker->data_length < sizeof exif ||
        memcmp(marker->data, exif, sizeof exif) != 0)
        return 1;
    return ani_exif_orientation(marker->data + sizeof exif,
                                (int64_t)marker->data_length - (int64_t)sizeof exif);
}

/* OpenCV's rule; K is used as stored, in Adobe's inverted form. */
static void cmyk_to_rgb(uint8_t *restrict rgb, const uint8_t *restrict cmyk, int64_t width) {
    for (int64_t x = 0; x < width; x++, rgb += 3, cmyk += 4)
        for (int i = 0; i < 3; i++)
            rgb[i] = (uint8_t)(cmyk[3] - (((255 - cmyk[i]) * cmyk[3]) >> 8));
}

/* Read all rows. They go straight into rgb [height,width,3] if that is given and needs no colour
 * conversion, otherwise through a strip buffer. */
static void read_rows(struct decoder *decoder, uint8_t *rgb) {
    enum { ROWS = 8 };
    const j_decompress_ptr cinfo = &decoder->cinfo;
    const int64_t width = cinfo->output_width;
    const bool is_cmyk = cinfo->out_color_space == JCS_CMYK;
    JSAMPROW rows[ROWS];
    JSAMPARRAY strip = NULL, converted = NULL; /* freed by libjpeg with the rest of its memory */
    if (!rgb || is_cmyk)
        strip = cinfo->mem->alloc_sarray((j_common_ptr)cinfo, JPOOL_IMAGE,
                                         cinfo->output_width * (is_cmyk ? 4 : 3), ROWS);
    if (!rgb && is_cmyk)
        converted =
            cinfo->mem->alloc_sarray((j_common_ptr)cinfo, JPOOL_IMAGE, cinfo->output_width * 3, 1);
    while (cinfo->output_scanline < cinfo->output_height) {
        const JDIMENSION first = cinfo->output_scanline, left = cinfo->output_height - first;
        for (int64_t i = 0; i < ROWS; i++)
            rows[i] = strip ? strip[i] : rgb + (first + (i < left ? i : 0)) * width * 3;
        const JDIMENSION count = jpeg_read_scanlines(cinfo, rows, left < ROWS ? left : ROWS);
        for (JDIMENSION i = 0; strip && i < count; i++) {
            uint8_t *row = rows[i];
            if (is_cmyk) {
                row = rgb ? rgb + (int64_t)(first + i) * width * 3 : converted[0];
                cmyk_to_rgb(row, rows[i], width);
            }
            if (!rgb) ani_resize_row(&decoder->resizer, row);
        }
    }
}

/* Rows for the target: written directly, or resized. */
static an_status read_into_target(struct decoder *decoder) {
    ani_image_target *target = decoder->target;
    const int64_t height = decoder->cinfo.output_height, width = decoder->cinfo.output_width;
    if (height == target->height && width == target->width) {
        read_rows(decoder, target->dst);
    } else {
        const int64_t size = ani_resize_scratch(target->width, 3);
        decoder->scratch = ani_alloc(size);
        if (!decoder->scratch) return ani_fail_memory(decoder->failure.err, size, "a resize");
        ani_resize_begin(&decoder->resizer, target->pixels, target->dst, target->height,
                         target->width, height, width, 3, decoder->scratch);
        read_rows(decoder, NULL);
    }
    target->filled = true;
    return AN_OK;
}

/* The minimum size of the first scan in bytes: each of its blocks has a code for the first
 * coefficient and, if not progressive, one that ends the others; a code has at least one bit. Other
 * scans, and arithmetic coding, can take next to nothing. */
static int64_t least_bytes(const struct jpeg_decompress_struct *cinfo) {
    int64_t blocks = 0;
    if (cinfo->arith_code || cinfo->Ss > 0) return 0;
    for (int i = 0; i < cinfo->comps_in_scan; i++) {
        const jpeg_component_info *component = cinfo->cur_comp_info[i];
        blocks += (int64_t)component->width_in_blocks * component->height_in_blocks;
    }
    return blocks * (cinfo->progressive_mode ? 1 : 2) / 8;
}

static an_status decode(struct decoder *decoder, const uint8_t *bytes, int64_t size) {
    const j_decompress_ptr cinfo = &decoder->cinfo;
    struct failure *failure = &decoder->failure;
    if (setjmp(failure->jump)) return failure->status;
    jpeg_create_decompress(cinfo);
    cinfo->client_data = decoder;
    jpeg_mem_src(cinfo, bytes, (unsigned long)size);
    jpeg_save_markers(cinfo, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(cinfo, TRUE);

    decoder->orientation = find_orientation(cinfo);
    const int32_t copies = decoder->orientation == 1 ? 1 : 2;
    an_status st = ani_image_check_size(cinfo->image_height, cinfo->image_width, copies,
                                        decoder->limits, failure->name, failure->err);
    if (!st)
        st = ani_image_check_bytes(cinfo->image_height, cinfo->image_width, least_bytes(cinfo),
                                   size, failure->name, failure->err);
    if (st) return st;
    const int64_t pixels = (int64_t)cinfo->image_height * cinfo->image_width;
    const int64_t rest = decoder->limits->max_memory - pixels * 3 * copies;
    cinfo->mem->max_memory_to_use = rest > 0 ? rest : 1; /* 0 would mean no limit */
    decoder->progress.progress_monitor = check_scans;
    cinfo->progress = &decoder->progress;
    cinfo->out_color_space = cinfo->num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(cinfo);

    if (decoder->target && decoder->target->dst && decoder->orientation == 1) {
        st = read_into_target(decoder);
    } else {
        if (decoder->target) {
            decoder->image = decoder->target->spare;
            decoder->target->spare = NULL;
        }
        st = ani_image_fit(&decoder->image, cinfo->output_height, cinfo->output_width,
                           failure->name, failure->err);
        if (!st) read_rows(decoder, decoder->image->rgb);
    }
    if (st) return st;
    jpeg_finish_decompress(cinfo);
    return AN_OK;
}

an_status ani_jpeg_decode(an_image **out, ani_image_target *target, const uint8_t *bytes,
                          int64_t size, const char *name, const an_image_limits *limits,
                          an_error *err) {
    *out = NULL;
    struct decoder decoder = {.limits = limits, .orientation = 1, .target = target};
    decoder.cinfo.err = begin_failure(&decoder.failure, name, err);
    decoder.failure.max_memory = limits->max_memory;
    an_status st = decode(&decoder, bytes, size);
    jpeg_destroy_decompress(&decoder.cinfo);
    ani_free(decoder.scratch);
    if (st || !decoder.image) goto done;
    st = ani_image_turn(decoder.image, decoder.orientation, name, err);
    if (st) goto done;
    *out = decoder.image;
    decoder.image = NULL;
done:
    an_image_destroy(decoder.image);
    return st;
}

static an_status measure(struct decoder *decoder, const uint8_t *bytes, int64_t size,
                         int64_t *height, int64_t *width) {
    const j_decompress_ptr cinfo = &decoder->cinfo;
    if (setjmp(decoder->failure.jump)) return decoder->failure.status;
    jpeg_create_decompress(cinfo);
    cinfo->client_data = decoder;
    jpeg_mem_src(cinfo, bytes, (unsigned long)size);
    jpeg_read_header(cinfo, TRUE);
    *height = cinfo->image_height;
    *width = cinfo->image_width;
    return AN_OK;
}

an_status ani_jpeg_measure(const uint8_t *bytes, int64_t size, const char *name, int64_t *height,
                           int64_t *width, an_error *err) {
    struct decoder decoder = {.orientation = 1};
    decoder.cinfo.err = begin_failure(&decoder.failure, name, err);
    const an_status st = measure(&decoder, bytes, size, height, width);
    jpeg_destroy_decompress(&decoder.cinfo);
    return st;
}

/* --- encoding -------------------------------------------------------------------------------- */

struct encoder {
    struct jpeg_compress_struct cinfo;
    struct jpeg_destination_mgr destination;
    struct failure failure;
    ani_writer *writer; /* NULL: into text */
    ani_text text;
    uint8_t buffer[16384];
};

static void empty_buffer(struct encoder *encoder, size_t size) {
    an_status st = AN_OK;
    if (encoder->writer)
        st =
            ani_writer_write(encoder->writer, encoder->buffer, (int64_t)size, encoder->failure.err);
    else
        ani_text_add(&encoder->text, (const char *)encoder->buffer, (int64_t)size);
    if (!st && encoder->text.failed) st = ani_fail_memory(encoder->failure.err, -1, "a JPEG image");
    if (st) leave(&encoder->failure, st);
    encoder->destination.next_output_byte = encoder->buffer;
    encoder->destination.free_in_buffer = sizeof encoder->buffer;
}

static void begin_output(j_compress_ptr cinfo) {
    struct encoder *encoder = cinfo->client_data;
    encoder->destination.next_output_byte = encoder->buffer;
    encoder->destination.free_in_buffer = sizeof encoder->buffer;
}

static boolean write_output(j_compress_ptr cinfo) {
    empty_buffer(cinfo->client_data, sizeof((struct encoder *)0)->buffer);
    return TRUE;
}

static void end_output(j_compress_ptr cinfo) {
    struct encoder *encoder = cinfo->client_data;
    empty_buffer(encoder, sizeof encoder->buffer - encoder->destination.free_in_buffer);
}

static an_status encode(struct encoder *encoder, const an_image *image, int32_t quality) {
    const j_compress_ptr cinfo = &encoder->cinfo;
    if (setjmp(encoder->failure.jump)) return encoder->failure.status;
    jpeg_create_compress(cinfo);
    cinfo->client_data = encoder;
    encoder->destination.init_destination = begin_output;
    encoder->destination.empty_output_buffer = write_output;
    encoder->destination.term_destination = end_output;
    cinfo->dest = &encoder->destination;
    cinfo->image_width = (JDIMENSION)image->width;
    cinfo->image_height = (JDIMENSION)image->height;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;
    jpeg_set_defaults(cinfo); /* YCbCr, 4:2:0 */
    jpeg_set_quality(cinfo, quality, TRUE);
    jpeg_start_compress(cinfo, TRUE);
    while (cinfo->next_scanline < cinfo->image_height) {
        JSAMPROW row = image->rgb + (int64_t)cinfo->next_scanline * image->width * 3;
        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
    return AN_OK;
}

static an_status check_quality(int32_t quality, an_error *err) {
    if (quality >= 1 && quality <= 100) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "write JPEG: quality is %d; it must be 1 to 100", quality);
}

an_status an_image_encode_jpeg(an_bytes **out, const an_image *image, int32_t quality,
                               an_error *err) {
    uint8_t *copy;
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!image) return ani_fail(err, AN_ERR_ARG, "write JPEG: image is NULL");
    an_status st = check_quality(quality, err);
    if (st) return st;
    struct encoder encoder = {.writer = NULL};
    encoder.cinfo.err = begin_failure(&encoder.failure, "in memory", err);
    st = encode(&encoder, image, quality);
    jpeg_destroy_compress(&encoder.cinfo);
    if (!st) st = ani_bytes_create(out, encoder.text.size, &copy, "a JPEG image", err);
    if (!st) memcpy(copy, encoder.text.bytes, (size_t)encoder.text.size);
    ani_text_clear(&encoder.text);
    return st;
}

static an_status write_jpeg(const an_image *image, const char *path, int32_t quality,
                            an_status (*commit)(ani_writer *, an_error *), an_error *err) {
    if (!image || !path)
        return ani_fail(err, AN_ERR_ARG, "write JPEG: %s is NULL", image ? "path" : "image");
    an_status st = check_quality(quality, err);
    if (st) return st;
    struct encoder encoder = {.writer = NULL};
    char shown[ANI_SHOWN_NAME_SIZE];
    encoder.cinfo.err = begin_failure(&encoder.failure, ani_name_show(shown, path), err);
    st = ani_writer_begin(&encoder.writer, path, err);
    if (st) return st;
    st = encode(&encoder, image, quality);
    jpeg_destroy_compress(&encoder.cinfo);
    if (st) {
        ani_writer_abort(encoder.writer);
        return st;
    }
    return commit(encoder.writer, err);
}

an_status an_image_write_jpeg(const an_image *image, const char *path, int32_t quality,
                              an_error *err) {
    return write_jpeg(image, path, quality, ani_writer_commit, err);
}

an_status ani_image_write_jpeg_unsynced(const an_image *image, const char *path, int32_t quality,
                                        an_error *err) {
    return write_jpeg(image, path, quality, ani_writer_commit_unsynced, err);
}
