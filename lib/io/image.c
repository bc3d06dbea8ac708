/* SPDX-License-Identifier: MIT
 * 8-bit RGB images: memory, choice of the decoder, resizing. */
#include "io/image.h"

#include <inttypes.h>
#include <string.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/show.h"
#include "kernels/resize.h"

enum { IMAGE_MAX_LENGTH = 65535 };

void an_image_limits_init(an_image_limits *limits, uint32_t struct_size) {
    const an_image_limits defaults = {
        .max_scans = 500,
        .max_pixels = INT64_MAX,
        .max_memory = INT64_C(1) << 30,
    };
    ani_options_init(limits, struct_size, &defaults, sizeof defaults);
}

static an_status copy_limits(an_image_limits *ours, const an_image_limits *limits, an_error *err) {
    an_image_limits_init(ours, sizeof *ours);
    const an_status st = ani_options_copy(ours, sizeof *ours, limits, "an_image_limits", err);
    if (st) return st;
    const struct {
        const char *field;
        int64_t value;
    } all[] = {{"max_scans", ours->max_scans},
               {"max_pixels", ours->max_pixels},
               {"max_memory", ours->max_memory}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value < 1)
            return ani_fail(err, AN_ERR_ARG, "an_image_limits: %s is %lld; it must be at least 1",
                            all[i].field, (long long)all[i].value);
    return AN_OK;
}

an_status ani_image_check_size(int64_t height, int64_t width, int32_t copies,
                               const an_image_limits *limits, const char *name, an_error *err) {
    int64_t pixels, bytes;
    if (!ani_mul_size(height, width, &pixels)) pixels = INT64_MAX;
    if (pixels > limits->max_pixels)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "image '%s' is too large: %" PRId64 " x %" PRId64
                        " pixels; max_pixels is %" PRId64,
                        name, width, height, limits->max_pixels);
    if (!ani_mul_size(pixels, 3 * copies, &bytes)) bytes = INT64_MAX;
    if (bytes > limits->max_memory)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "image '%s' is too large: %" PRId64 " x %" PRId64 " pixels take %" PRId64
                        " bytes; max_memory is %" PRId64,
                        name, width, height, bytes, limits->max_memory);
    return AN_OK;
}

an_status ani_image_check_bytes(int64_t height, int64_t width, int64_t least, int64_t size,
                                const char *name, an_error *err) {
    if (size >= least) return AN_OK;
    return ani_fail(err, AN_ERR_FORMAT,
                    "image '%s' is damaged: it has %" PRId64 " bytes; %" PRId64 " x %" PRId64
                    " pixels take at least %" PRId64,
                    name, size, width, height, least);
}

an_status ani_image_alloc(an_image **out, int64_t height, int64_t width, const char *name,
                          an_error *err) {
    *out = NULL;
    int64_t size;
    if (!ani_mul_size(height, width, &size) || !ani_mul_size(size, 3, &size)) size = -1;
    an_image *image = ani_alloc_zero(1, sizeof *image);
    uint8_t *rgb = ani_alloc(size);
    if (!image || !rgb) {
        ani_free(image);
        ani_free(rgb);
        return ani_fail_memory(err, size, name);
    }
    *image = (an_image){.height = height, .width = width, .rgb = rgb};
    *out = image;
    return AN_OK;
}

an_status ani_image_fit(an_image **image, int64_t height, int64_t width, const char *name,
                        an_error *err) {
    if (*image && (*image)->height == height && (*image)->width == width) return AN_OK;
    an_image_destroy(*image);
    return ani_image_alloc(image, height, width, name, err);
}

static bool is_jpeg(const void *bytes, int64_t size) {
    static const uint8_t jpeg[3] = {0xff, 0xd8, 0xff};
    return size >= (int64_t)sizeof jpeg && !memcmp(bytes, jpeg, sizeof jpeg);
}

static bool is_png(const void *bytes, int64_t size) {
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return size >= (int64_t)sizeof png && !memcmp(bytes, png, sizeof png);
}

static an_status check_bytes(const void *bytes, int64_t size, const char *name, an_error *err) {
    if (size < 0 || (size > 0 && !bytes))
        return ani_fail(err, AN_ERR_ARG, "image '%s': bytes is NULL or size below 0", name);
    return size ? AN_OK : ani_fail(err, AN_ERR_FORMAT, "image '%s' is empty", name);
}

/* Decode into an image, or into the target if there is one and the decoder supports it. */
static an_status decode(an_image **out, ani_image_target *target, const void *bytes, int64_t size,
                        const char *name, const an_image_limits *limits, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    name = ani_name_show(shown, name ? name : "in memory");
    an_image_limits ours;
    an_status st = copy_limits(&ours, limits, err);
    if (!st) st = check_bytes(bytes, size, name, err);
    if (st) return st;
    if (is_jpeg(bytes, size)) return ani_jpeg_decode(out, target, bytes, size, name, &ours, err);
    if (is_png(bytes, size)) return ani_png_decode(out, bytes, size, name, &ours, err);
    return ani_image_refuse(bytes, size, name, err);
}

an_status an_image_measure(const void *bytes, int64_t size, const char *name, int64_t *height,
                           int64_t *width, an_error *err) {
    char shown[ANI_SHOWN_NAME_SIZE];
    if (!height || !width)
        return ani_fail(err, AN_ERR_ARG, "%s is NULL", height ? "width" : "height");
    name = ani_name_show(shown, name ? name : "in memory");
    an_status st = check_bytes(bytes, size, name, err);
    if (st) return st;
    if (is_jpeg(bytes, size)) return ani_jpeg_measure(bytes, size, name, height, width, err);
    if (is_png(bytes, size)) return ani_png_measure(bytes, size, name, height, width, err);
    return ani_image_refuse(bytes, size, name, err);
}

an_status an_image_decode(an_image **out, const void *bytes, int64_t size, const char *name,
                          const an_image_limits *limits, an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    return decode(out, NULL, bytes, size, name, limits, err);
}

an_status ani_image_decode_to(uint8_t *rgb, int64_t height, int64_t width, const ani_pixels *pixels,
                              const void *bytes, int64_t size, const char *name,
                              const an_image_limits *limits, an_error *err) {
    an_image *image = NULL;
    ani_image_target target = {.pixels = pixels, .dst = rgb, .height = height, .width = width};
    an_status st = decode(&image, &target, bytes, size, name, limits, err);
    if (!st && !target.filled) {
        st = an_resize_u8(image->rgb, image->height, image->width, 3, rgb, height, width, err);
        if (st == AN_ERR_ARG) { /* only a side length can be wrong, and the fault is in the file */
            char shown[ANI_SHOWN_NAME_SIZE];
            st = ani_fail(err, AN_ERR_UNSUPPORTED,
                          "image '%s' has %" PRId64 " x %" PRId64
                          " pixels; a side of at most %d can be resized",
                          ani_name_show(shown, name ? name : "in memory"), image->width,
                          image->height, ANI_RESIZE_MAX_LENGTH);
        }
    }
    an_image_destroy(image);
    return st;
}

an_status ani_image_decode_again(an_image **image, const void *bytes, int64_t size,
                                 const char *name, const an_image_limits *limits, an_error *err) {
    ani_image_target target = {.spare = *image};
    an_image *decoded = NULL;
    const an_status st = decode(&decoded, &target, bytes, size, name, limits, err);
    *image = st ? target.spare : decoded;
    if (!st) an_image_destroy(target.spare);
    return st;
}

an_status an_image_read(an_image **out, const char *path, const an_image_limits *limits,
                        an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!path) return ani_fail(err, AN_ERR_ARG, "path is NULL");
    uint8_t *bytes = NULL;
    int64_t size;
    an_image_limits ours;
    an_status st = copy_limits(&ours, limits, err);
    if (st) goto done;
    st = ani_file_read_all(path, ours.max_memory, &bytes, &size, err);
    if (st) goto done;
    st = an_image_decode(out, bytes, size, path, &ours, err);
done:
    ani_free(bytes);
    return st;
}

an_status an_image_create(an_image **out, const uint8_t *rgb, int64_t height, int64_t width,
                          an_error *err) {
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (height < 1 || height > IMAGE_MAX_LENGTH || width < 1 || width > IMAGE_MAX_LENGTH)
        return ani_fail(err, AN_ERR_ARG,
                        "image of %" PRId64 " x %" PRId64 " pixels; each must be 1 to %d", width,
                        height, IMAGE_MAX_LENGTH);
    const an_status st = ani_image_alloc(out, height, width, "an image", err);
    if (st) return st;
    const size_t size = (size_t)(height * width * 3);
    if (rgb)
        memcpy((*out)->rgb, rgb, size);
    else
        memset((*out)->rgb, 0, size);
    return AN_OK;
}

void an_image_destroy(an_image *image) {
    if (!image) return;
    ani_free(image->rgb);
    ani_free(image);
}

int64_t an_image_height(const an_image *image) {
    return image ? image->height : 0;
}

int64_t an_image_width(const an_image *image) {
    return image ? image->width : 0;
}

uint8_t *an_image_data(an_image *image) {
    return image ? image->rgb : NULL;
}

const uint8_t *an_image_const_data(const an_image *image) {
    return image ? image->rgb : NULL;
}

an_status an_resize_u8(const uint8_t *src, int64_t src_height, int64_t src_width, int32_t channels,
                       uint8_t *dst, int64_t dst_height, int64_t dst_width, an_error *err) {
    const struct {
        const char *name;
        int64_t value;
    } lengths[] = {{"dst_height", dst_height},
                   {"dst_width", dst_width},
                   {"src_height", src_height},
                   {"src_width", src_width}};
    if (!dst || !src) return ani_fail(err, AN_ERR_ARG, "resize: %s is NULL", dst ? "src" : "dst");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        if (lengths[i].value < 1 || lengths[i].value > ANI_RESIZE_MAX_LENGTH)
            return ani_fail(err, AN_ERR_ARG, "resize: %s is %" PRId64 "; it must be 1 to %d",
                            lengths[i].name, lengths[i].value, ANI_RESIZE_MAX_LENGTH);
    if (channels < 1 || channels > ANI_RESIZE_MAX_CHANNELS)
        return ani_fail(err, AN_ERR_ARG, "resize: channels is %" PRId32 "; it must be 1 to %d",
                        channels, ANI_RESIZE_MAX_CHANNELS);
    const int64_t size = ani_resize_scratch(dst_width, channels);
    void *scratch = ani_alloc(size);
    if (!scratch) return ani_fail_memory(err, size, "a resize");
    ani_pixels pixels;
    ani_pixels_init(&pixels, ani_cpu_mask(NULL));
    ani_resize_u8(&pixels, dst, dst_height, dst_width, src, src_height, src_width, channels,
                  scratch);
    ani_free(scratch);
    return AN_OK;
}
