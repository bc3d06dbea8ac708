/* SPDX-License-Identifier: MIT
 * Identifies a file that should have been a JPEG or PNG: formats are recognised by their first
 * bytes, so that the message can say what to do. */
#include "io/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "io/page.h"

/** A kind of file. */
typedef struct kind {
    const char *name;    /* as in "it is NAME" */
    const char *command; /* that converts it; NULL: not an image */
} kind;

static const char any_command[] = "convert FILE FILE.png"; /* ImageMagick */
static const kind avif = {"AVIF", "heif-convert FILE FILE.png"};
static const kind heic = {"HEIC", "heif-convert FILE FILE.jpg"};
static const kind raw = {"a camera's raw image", any_command};
static const kind video = {"an MP4 or QuickTime video", NULL};
static const kind html = {"an HTML page", NULL};

/** A kind identified by bytes at a fixed offset. */
typedef struct signature {
    int offset, length;
    const char *bytes;
    kind kind;
} signature;

static const signature signatures[] = {
    {8, 4, "WEBP", {"WebP", "dwebp FILE -o FILE.png"}},
    {0, 6, "GIF87a", {"GIF", any_command}},
    {0, 6, "GIF89a", {"GIF", any_command}},
    {0, 4, "II*\0", {"TIFF", any_command}},
    {0, 4, "MM\0*", {"TIFF", any_command}},
    {0, 4, "II+\0", {"TIFF", any_command}},
    {0, 4, "MM\0+", {"TIFF", any_command}},
    {0, 2, "\xff\x0a", {"JPEG XL", "djxl FILE FILE.png"}},
    {0, 12, "\0\0\0\x0cJXL \r\n\x87\n", {"JPEG XL", "djxl FILE FILE.png"}},
    {0, 12, "\0\0\0\x0cjP  \r\n\x87\n", {"JPEG 2000", any_command}},
    {0, 4, "\xff\x4f\xff\x51", {"JPEG 2000", any_command}},
    {0, 4, "8BPS", {"a Photoshop document", any_command}},
    {0, 5, "%PDF-", {"a PDF document", NULL}},
    {0, 4, "PK\x03\x04", {"a zip archive", NULL}},
    {0, 24, "version https://git-lfs.", {"a pointer of Git LFS ('git lfs pull' fetches it)", NULL}},
};

/* ISO media files consist of boxes, the first of which lists brands; one of these identifies the
 * kind. */
static const kind *find_brand(const uint8_t *bytes, int64_t size) {
    static const struct {
        char brand[5];
        const kind *kind;
    } brands[] = {{"avif", &avif}, {"avis", &avif}, {"heic", &heic}, {"heix", &heic},
                  {"heim", &heic}, {"heis", &heic}, {"hevc", &heic}, {"hevx", &heic},
                  {"crx ", &raw},  {"mif1", &heic}, {"msf1", &heic}};
    if (size < 12 || memcmp(bytes + 4, "ftyp", 4) != 0) return NULL;
    const int64_t claimed = (int64_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
    const int64_t end = claimed < size ? claimed : size;
    for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
        for (int64_t at = 8; at == 8 || at + 4 <= end; at += at == 8 ? 8 : 4)
            if (!memcmp(bytes + at, brands[i].brand, 4)) return brands[i].kind;
    return &video;
}

static bool is_bmp(const uint8_t *bytes, int64_t size) {
    static const uint8_t reserved[4] = {0};
    return size >= 26 && bytes[0] == 'B' && bytes[1] == 'M' && !memcmp(bytes + 6, reserved, 4);
}

static const kind *find_kind(const uint8_t *bytes, int64_t size) {
    static const kind bmp = {"BMP", any_command};
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const signature *s = &signatures[i];
        if (size >= s->offset + s->length &&
            !memcmp(bytes + s->offset, s->bytes, (size_t)s->length))
            return &s->kind;
    }
    if (is_bmp(bytes, size)) return &bmp;
    if (ani_page_is_html(bytes, size)) return &html;
    return find_brand(bytes, size);
}

an_status ani_image_refuse(const uint8_t *bytes, int64_t size, const char *name, an_error *err) {
    const kind *found = find_kind(bytes, size);
    if (!found) return ani_fail(err, AN_ERR_FORMAT, "image '%s' is neither JPEG nor PNG", name);
    if (!found->command)
        return ani_fail(err, AN_ERR_FORMAT, "'%s' is not an image: it is %s", name, found->name);
    return ani_fail(err, AN_ERR_UNSUPPORTED,
                    "image '%s' is %s; only JPEG and PNG are read: convert it, for example with "
                    "'%s'",
                    name, found->name, found->command);
}
