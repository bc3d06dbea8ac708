/* SPDX-License-Identifier: MIT
 * Seeds: images by libjpeg and libpng, of each kind that their decoders treat in a way of its
 * own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#include "corpus.h"

static void fill(uint8_t *pixels, int height, int width, int channels) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *pixels++ = (uint8_t)(x * 9 + y * (5 + c) + (x * y * c) % 31);
}

/* --- JPEG ------------------------------------------------------------------------------------- */

typedef struct jpeg_kind {
    const char *name;
    int height, width;
    int channels; /* 1 grey, 3 RGB, 4 CMYK */
    int sampling; /* of the first component: 1 or 2 in each direction, as 10 * h + v */
    bool is_progressive;
    int restart; /* rows between restart markers; 0: none */
    int orientation;
} jpeg_kind;

static const jpeg_kind jpeg_kinds[] = {
    {"grey.jpg", 9, 13, 1, 11, false, 0, 0},     {"rgb_420.jpg", 17, 19, 3, 22, false, 0, 0},
    {"rgb_444.jpg", 8, 8, 3, 11, false, 0, 6},   {"rgb_422.jpg", 5, 33, 3, 21, false, 0, 3},
    {"restart.jpg", 40, 16, 3, 22, false, 1, 0}, {"progressive.jpg", 24, 24, 3, 22, true, 0, 0},
    {"cmyk.jpg", 10, 10, 4, 11, false, 0, 0},    {"one.jpg", 1, 1, 3, 22, false, 0, 8},
};

static void add_jpeg(corpus *all, const jpeg_kind *kind) {
    static uint8_t pixels[64 * 64 * 4];
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    fill(pixels, kind->height, kind->width, kind->channels);
    cinfo.err = jpeg_std_error(&errors); /* ends the program on an error: right for a corpus */
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &bytes, &size);
    cinfo.image_height = (JDIMENSION)kind->height;
    cinfo.image_width = (JDIMENSION)kind->width;
    cinfo.input_components = kind->channels;
    cinfo.in_color_space = kind->channels == 1   ? JCS_GRAYSCALE
                           : kind->channels == 3 ? JCS_RGB
                                                 : JCS_CMYK;
    jpeg_set_defaults(&cinfo);
    jpeg_set_quality(&cinfo, 60, TRUE);
    cinfo.comp_info[0].h_samp_factor = kind->sampling / 10;
    cinfo.comp_info[0].v_samp_factor = kind->sampling % 10;
    if (kind->is_progressive) jpeg_simple_progression(&cinfo);
    cinfo.restart_in_rows = kind->restart;
    jpeg_start_compress(&cinfo, TRUE);
    if (kind->orientation) {
        uint8_t exif[] = "Exif\0\0MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\0\0\0\0\0\0\0";
        exif[25] = (uint8_t)kind->orientation;
        jpeg_write_marker(&cinfo, JPEG_APP0 + 1, exif, sizeof exif - 1);
    }
    for (int y = 0; y < kind->height; y++) {
        JSAMPROW row = pixels + y * kind->width * kind->channels;
        jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    corpus_add(all, kind->name, bytes, (int64_t)size, true);
    free(bytes);
}

/* --- PNG -------------------------------------------------------------------------------------- */

typedef struct png_kind {
    const char *name;
    int height, width;
    int color, depth, interlace;
    bool has_transparency;
} png_kind;

static const png_kind png_kinds[] = {
    {"grey1.png", 7, 9, PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE, false},
    {"grey16.png", 5, 4, PNG_COLOR_TYPE_GRAY, 16, PNG_INTERLACE_NONE, true},
    {"grey_alpha.png", 6, 6, PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_ADAM7, false},
    {"palette4.png", 9, 9, PNG_COLOR_TYPE_PALETTE, 4, PNG_INTERLACE_NONE, true},
    {"rgb.png", 12, 10, PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_ADAM7, false},
    {"rgba16.png", 4, 5, PNG_COLOR_TYPE_RGB_ALPHA, 16, PNG_INTERLACE_NONE, false},
};

static void append(png_structp png, png_bytep bytes, size_t size) {
    corpus_item *item = png_get_io_ptr(png);
    uint8_t *grown = realloc(item->bytes, (size_t)item->size + size);
    if (!grown) png_error(png, "no memory");
    memcpy(grown + item->size, bytes, size);
    item->bytes = grown;
    item->size += (int64_t)size;
}

static void flush(png_structp png) {
    (void)png;
}

static void add_png(corpus *all, const png_kind *kind) {
    static uint8_t pixels[64 * 64 * 8];
    static png_bytep rows[64];
    corpus_item made = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        fputs("cannot make the corpus: libpng\n", stderr);
        exit(2);
    }
    const int row_size = kind->width * 8;
    fill(pixels, kind->height, row_size, 1);
    for (int y = 0; y < kind->height; y++)
        rows[y] = pixels + y * row_size;
    png_set_write_fn(png, &made, append, flush);
    png_set_IHDR(png, info, (png_uint_32)kind->width, (png_uint_32)kind->height, kind->depth,
                 kind->color, kind->interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (kind->color == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[16];
        for (int i = 0; i < 16; i++)
            palette[i] = (png_color){(png_byte)(i * 16), (png_byte)(255 - i * 9), (png_byte)i};
        png_set_PLTE(png, info, palette, 16);
    }
    if (kind->has_transparency) {
        const png_byte alpha[3] = {0, 128, 255};
        const png_color_16 key = {.gray = 77};
        png_set_tRNS(png, info, alpha, 3, &key);
    }
    png_set_gAMA(png, info, 0.45455);
    png_text text = {.compression = PNG_TEXT_COMPRESSION_zTXt,
                     .key = (png_charp) "Comment",
                     .text = (png_charp) "made for tests",
                     .text_length = 14};
    png_set_text(png, info, &text, 1);
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    corpus_add(all, kind->name, made.bytes, made.size, true);
    free(made.bytes);
}

void corpus_image(corpus *all) {
    static const uint8_t huge_png[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xdc\0\0\xff\xdc\10\2\0\0";
    static const uint8_t heic[] = "\0\0\0\x18"
                                  "ftypmif1\0\0\0\0mif1heic";
    for (size_t i = 0; i < sizeof jpeg_kinds / sizeof *jpeg_kinds; i++)
        add_jpeg(all, &jpeg_kinds[i]);
    for (size_t i = 0; i < sizeof png_kinds / sizeof *png_kinds; i++)
        add_png(all, &png_kinds[i]);
    corpus_add(all, "huge.png", huge_png, sizeof huge_png - 1, false);
    corpus_add(all, "photo.heic", heic, sizeof heic - 1, false);
    corpus_add(all, "text.jpg", "no image at all", 15, false);
    corpus_add(all, "empty.jpg", "", 0, false);
}
