/* SPDX-License-Identifier: MIT
 * PNG through libpng, read as OpenCV reads a colour image: alpha dropped without blending,
 * transparency and gamma ignored, 16 bits truncated to the high byte, grey and palette expanded.
 *
 * Errors leave libpng by longjmp(); everything that changes between setjmp() and the jump is in
 * structs reached through pointers, never in local variables. */
#include "io/image.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <png.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/show.h"

enum {
    CHUNK_MEMORY_MAX = 8 << 20, /* bytes libpng may allocate for one chunk that is not image data */
    CHUNK_COUNT_MAX = 1000,     /* number of such chunks kept */
    INFLATE_MAX = 1032, /* a deflate match has at most 258 bytes and takes at least 2 bits */
};

/* --- errors ---------------------------------------------------------------------------------- */

struct failure {
    const char *name; /* of the image, for messages */
    an_error *err;
    an_status status; /* set before png_error() where more is known */
    bool out_of_memory;
};

static an_status fail_memory(struct failure *failure) {
    return ani_fail(failure->err, AN_ERR_NOMEM, "no memory for image '%s'", failure->name);
}

_Noreturn static void fail_png(png_structp png, png_const_charp reason) {
    struct failure *failure = png_get_error_ptr(png);
    if (!failure->status && failure->out_of_memory) failure->status = fail_memory(failure);
    if (!failure->status)
        failure->status = ani_fail(failure->err, AN_ERR_FORMAT, "image '%s' is damaged: %s",
                                   failure->name, reason);
    png_longjmp(png, 1);
}

/* libpng's warnings concern chunks that are ignored anyway. */
static void ignore_warning(png_structp png, png_const_charp reason) {
    (void)png;
    (void)reason;
}

/* When memory runs out, libpng skips whatever it considers optional, including the orientation; so
 * the failure is recorded here. */
static png_voidp take_memory(png_structp png, png_alloc_size_t size) {
    struct failure *failure = png_get_mem_ptr(png);
    const png_voidp memory = ani_alloc((int64_t)size);
    if (!memory) failure->out_of_memory = true;
    return memory;
}

static void give_memory(png_structp png, png_voidp memory) {
    (void)png;
    ani_free(memory);
}

/* --- decoding -------------------------------------------------------------------------------- */

struct decoder {
    png_structp png;
    png_infop info;
    struct failure failure;
    const uint8_t *bytes;
    int64_t size, at;
    const an_image_limits *limits;
    int32_t orientation;
    an_image *image;
    bool has_pixels; /* all rows were read */
};

/* A wrong checksum of the last chunk, which is empty, does not count as damage: OpenCV and Pillow
 * do not check it. libpng reads a chunk's length and name together. */
static void read_bytes(png_structp png, png_bytep out, size_t size) {
    static const uint8_t end[8] = {0, 0, 0, 0, 'I', 'E', 'N', 'D'};
    struct decoder *decoder = png_get_io_ptr(png);
    if ((int64_t)size > decoder->size - decoder->at) png_error(png, "it is cut off");
    memcpy(out, decoder->bytes + decoder->at, size);
    decoder->at += (int64_t)size;
    if (decoder->has_pixels && size == sizeof end && !memcmp(out, end, sizeof end))
        png_set_crc_action(png, PNG_CRC_WARN_USE, PNG_CRC_NO_CHANGE);
}

/* Request 8-bit RGB, whatever is stored. */
static void set_transforms(png_structp png, png_infop info) {
    const int type = png_get_color_type(png, info);
    if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (!(type & PNG_COLOR_MASK_COLOR)) {
        png_set_expand_gray_1_2_4_to_8(png);
        png_set_gray_to_rgb(png);
    }
    png_set_strip_alpha(png);
}

static int32_t find_orientation(png_structp png, png_infop info) {
    png_uint_32 size;
    png_bytep exif;
    if (!png_get_eXIf_1(png, info, &size, &exif)) return 1;
    return ani_exif_orientation(exif, size);
}

static an_status decode(struct decoder *decoder) {
    const png_structp png = decoder->png;
    struct failure *failure = &decoder->failure;
    static const png_byte exif_chunk[5] = "eXIf";
    if (setjmp(png_jmpbuf(png))) return failure->status;
    png_set_read_fn(png, decoder, read_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours are checked below */
    png_set_chunk_malloc_max(png, CHUNK_MEMORY_MAX);
    png_set_chunk_cache_max(png, CHUNK_COUNT_MAX);
    /* Texts, colour profiles and the like are not parsed; only EXIF is. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, exif_chunk, 1);
    png_read_info(png, decoder->info);

    const int64_t height = png_get_image_height(png, decoder->info);
    const int64_t width = png_get_image_width(png, decoder->info);
    const int64_t bits = (int64_t)png_get_channels(png, decoder->info) *
                         png_get_bit_depth(png, decoder->info); /* of a pixel */
    an_status st =
        ani_image_check_size(height, width, 1, decoder->limits, failure->name, failure->err);
    if (!st)
        st = ani_image_check_bytes(height, width, height * width / (8 * INFLATE_MAX) * bits,
                                   decoder->size, failure->name, failure->err);
    if (st) return st;
    set_transforms(png, decoder->info);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, decoder->info);

    const int64_t stride = (int64_t)png_get_rowbytes(png, decoder->info);
    if (stride != width * 3) png_error(png, "its rows can't be made RGB");
    st = ani_image_alloc(&decoder->image, height, width, failure->name, failure->err);
    if (st) return st;
    /* Each pass of an interlaced image fills in what the earlier ones left out. */
    for (int pass = 0; pass < passes; pass++)
        for (int64_t y = 0; y < height; y++)
            png_read_row(png, decoder->image->rgb + y * stride, NULL);
    decoder->has_pixels = true;
    png_read_end(png, decoder->info);

    if (failure->out_of_memory) return fail_memory(failure);
    decoder->orientation = find_orientation(png, decoder->info);
    if (decoder->orientation == 1) return AN_OK;
    return ani_image_check_size(height, width, 2, decoder->limits, failure->name, failure->err);
}

an_status ani_png_decode(an_image **out, const uint8_t *bytes, int64_t size, const char *name,
                         const an_image_limits *limits, an_error *err) {
    *out = NULL;
    struct decoder decoder = {.failure = {.name = name, .err = err},
                              .bytes = bytes,
                              .size = size,
                              .limits = limits,
                              .orientation = 1};
    an_status st;
    decoder.png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &decoder.failure, fail_png, ignore_warning,
                                 &decoder.failure, take_memory, give_memory);
    if (decoder.png) decoder.info = png_create_info_struct(decoder.png);
    if (!decoder.info) {
        st = fail_memory(&decoder.failure);
        goto done;
    }
    st = decode(&decoder);
    if (st) goto done;
    st = ani_image_turn(decoder.image, decoder.orientation, name, err);
    if (st) goto done;
    *out = decoder.image;
    decoder.image = NULL;
done:
    png_destroy_read_struct(&decoder.png, &decoder.info, NULL);
    an_image_destroy(decoder.image);
    return st;
}

/* The header is the first chunk, of 13 bytes. */
an_status ani_png_measure(const uint8_t *bytes, int64_t size, const char *name, int64_t *height,
                          int64_t *width, an_error *err) {
    static const uint8_t header[8] = {0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    enum { BEGIN = 8, WIDTH = 16, HEIGHT = 20, END = 33 };
    const int64_t h = size < END ? 0 : png_get_uint_32(bytes + HEIGHT);
    const int64_t w = size < END ? 0 : png_get_uint_32(bytes + WIDTH);
    if (size < END || memcmp(bytes + BEGIN, header, sizeof header) != 0 || h < 1 || w < 1 ||
        h > PNG_UINT_31_MAX || w > PNG_UINT_31_MAX)
        return ani_fail(err, AN_ERR_FORMAT, "image '%s' is damaged: it has no valid header", name);
    *height = h;
    *width = w;
    return AN_OK;
}

/* --- encoding -------------------------------------------------------------------------------- */

struct encoder {
    png_structp png;
    png_infop info;
    struct failure failure;
    ani_writer *writer;
};

static void write_bytes(png_structp png, png_bytep bytes, size_t size) {
    struct encoder *encoder = png_get_io_ptr(png);
    struct failure *failure = &encoder->failure;
    failure->status = ani_writer_write(encoder->writer, bytes, (int64_t)size, failure->err);
    if (failure->status) png_error(png, "write error");
}

static void flush_nothing(png_structp png) {
    (void)png;
}

static an_status encode(struct encoder *encoder, const an_image *image) {
    const png_structp png = encoder->png;
    if (setjmp(png_jmpbuf(png))) return encoder->failure.status;
    png_set_write_fn(png, encoder, write_bytes, flush_nothing);
    png_set_IHDR(png, encoder->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, encoder->info);
    for (int64_t y = 0; y < image->height; y++)
        png_write_row(png, image->rgb + y * image->width * 3);
    png_write_end(png, encoder->info);
    return AN_OK;
}

an_status an_image_write_png(const an_image *image, const char *path, an_error *err) {
    if (!image || !path)
        return ani_fail(err, AN_ERR_ARG, "write PNG: %s is NULL", image ? "path" : "image");
    char shown[ANI_SHOWN_NAME_SIZE];
    struct encoder encoder = {.failure = {.name = ani_name_show(shown, path), .err = err}};
    an_status st = ani_writer_begin(&encoder.writer, path, err);
    if (st) goto done;
    encoder.png =
        png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &encoder.failure, fail_png, ignore_warning,
                                  &encoder.failure, take_memory, give_memory);
    if (encoder.png) encoder.info = png_create_info_struct(encoder.png);
    if (!encoder.info) {
        st = fail_memory(&encoder.failure);
        goto done;
    }
    st = encode(&encoder, image);
    if (st) goto done;
    st = ani_writer_commit(encoder.writer, err);
    encoder.writer = NULL; /* freed either way */
done:
    png_destroy_write_struct(&encoder.png, &encoder.info);
    ani_writer_abort(encoder.writer);
    return st;
}
