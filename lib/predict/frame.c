/* SPDX-License-Identifier: MIT
 * Converts frames to RGB pixels of a model's size as OpenCV does: cvtColor, then resize.
 *
 * Resizing treats each channel separately, so the channels can be reordered after it, when there
 * are fewer pixels. YUV is different: the rows that resizing reads are converted to RGB first. */
#include "predict/frame.h"

#include <attractivenet/kinds.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/size.h"
#include "kernels/reorder.h"
#include "kernels/resize.h"

enum { MAX_SIDE = ANI_RESIZE_MAX_LENGTH };

/** The memory layout of a format. */
typedef struct layout {
    const char *name;
    int32_t pixel;    /* bytes per pixel in a row */
    int32_t channels; /* channels that are resized */
    bool yuv;         /* converted before that; two pixels of a row share their chroma */
    bool chroma_rows; /* half as many rows follow, each with the chroma of two rows */
} layout;

static const layout layouts[] = {
    [AN_FORMAT_RGB] = {"RGB", 3, 3, false, false},
    [AN_FORMAT_BGR] = {"BGR", 3, 3, false, false},
    [AN_FORMAT_RGBA] = {"RGBA", 4, 4, false, false},
    [AN_FORMAT_BGRA] = {"BGRA", 4, 4, false, false},
    [AN_FORMAT_GREY] = {"GREY", 1, 1, false, false},
    [AN_FORMAT_NV12] = {"NV12", 1, 3, true, true},
    [AN_FORMAT_YUYV] = {"YUYV", 2, 3, true, false},
};

enum { FORMATS = sizeof layouts / sizeof *layouts };

an_status ani_frame_reader_init(ani_frame_reader *reader, int64_t height, int64_t width,
                                an_error *err) {
    const int64_t size = ani_resize_scratch(width, ANI_RESIZE_MAX_CHANNELS);
    *reader = (ani_frame_reader){.height = height, .width = width};
    ani_pixels_init(&reader->pixels, ani_cpu_mask(NULL));
    reader->scratch = ani_alloc(size);
    return reader->scratch ? AN_OK : ani_fail_memory(err, size, "resizing");
}

void ani_frame_reader_clear(ani_frame_reader *reader) {
    ani_free(reader->scratch);
    ani_free(reader->reordered);
    ani_free(reader->row);
    *reader = (ani_frame_reader){0};
}

/* --- checks ----------------------------------------------------------------------------------- */

an_status ani_format_check(int32_t format, an_error *err) {
    if (format >= 0 && format < FORMATS) return AN_OK;
    return ani_fail(err, AN_ERR_ARG, "format is %d; it must be %d (RGB) to %d (YUYV)", (int)format,
                    AN_FORMAT_RGB, AN_FORMAT_YUYV);
}

an_status ani_region_check(const ani_region *r, an_error *err) {
    const bool whole = !r->x && !r->y && !r->width && !r->height;
    if (whole) return AN_OK;
    if (r->x >= 0 && r->y >= 0 && r->width >= 1 && r->height >= 1 && r->width <= MAX_SIDE &&
        r->height <= MAX_SIDE && r->x <= MAX_SIDE - r->width && r->y <= MAX_SIDE - r->height)
        return AN_OK;
    return ani_fail(err, AN_ERR_ARG,
                    "the region is x %lld, y %lld, width %lld, height %lld; it must lie between 0 "
                    "and %d and have pixels (all 0 = the whole frame)",
                    (long long)r->x, (long long)r->y, (long long)r->width, (long long)r->height,
                    MAX_SIDE);
}

static an_status check_size(const ani_frames *f, an_error *err) {
    const layout *as = &layouts[f->format];
    const ani_region *r = &f->region;
    const long long height = f->height, width = f->width;
    if (height < 1 || height > MAX_SIDE || width < 1 || width > MAX_SIDE)
        return ani_fail(err, AN_ERR_ARG, "the frame is %lld x %lld; each must be 1 to %d", height,
                        width, MAX_SIDE);
    if (as->yuv && (width % 2 || (as->chroma_rows && height % 2)))
        return ani_fail(err, AN_ERR_ARG, "the frame is %lld x %lld; in %s %s must be even", height,
                        width, as->name, as->chroma_rows ? "height and width" : "the width");
    if (r->x + r->width > width || r->y + r->height > height)
        return ani_fail(err, AN_ERR_ARG,
                        "the region is x %lld, y %lld, width %lld, height %lld; the frame has only "
                        "width %lld, height %lld",
                        (long long)r->x, (long long)r->y, (long long)r->width, (long long)r->height,
                        width, height);
    return AN_OK;
}

/* A stride of 0 means no gaps. */
static an_status fill_strides(ani_frames *f, an_error *err) {
    const layout *as = &layouts[f->format];
    const int64_t rows = as->chroma_rows ? f->height / 2 * 3 : f->height;
    const int64_t row = as->pixel * f->width;
    int64_t size, all;
    if (f->row_stride == 0) f->row_stride = row;
    if (f->row_stride < row)
        return ani_fail(err, AN_ERR_ARG,
                        "row_stride is %lld; %s rows of %lld pixels have %lld bytes",
                        (long long)f->row_stride, as->name, (long long)f->width, (long long)row);
    if (!ani_mul_size(f->row_stride, rows, &size))
        return ani_fail(err, AN_ERR_ARG, "row_stride is %lld; %lld such rows do not fit in memory",
                        (long long)f->row_stride, (long long)rows);
    if (f->frame_stride == 0) f->frame_stride = size;
    size += row - f->row_stride; /* the last row needs no padding */
    if (f->frame_stride < size)
        return ani_fail(err, AN_ERR_ARG, "frame_stride is %lld; a frame has %lld bytes",
                        (long long)f->frame_stride, (long long)size);
    if (!ani_mul_size(f->frame_stride, f->count, &all))
        return ani_fail(err, AN_ERR_ARG,
                        "frame_stride is %lld; %lld such frames do not fit in memory",
                        (long long)f->frame_stride, (long long)f->count);
    return AN_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

an_status ani_frame_buffer_grow(uint8_t **buffer, int64_t *has, int64_t size, const char *what,
                                an_error *err) {
    if (size <= *has) return AN_OK;
    uint8_t *larger = ani_alloc(size);
    if (!larger) return ani_fail_memory(err, size, what);
    ani_free(*buffer);
    *buffer = larger;
    *has = size;
    return AN_OK;
}

an_status ani_frame_reader_begin(ani_frame_reader *reader, ani_frames *frames, an_error *err) {
    const layout *as = &layouts[frames->format];
    an_status st = check_size(frames, err);
    if (!st) st = fill_strides(frames, err);
    if (st) return st;
    if (!frames->region.width)
        frames->region = (ani_region){.width = frames->width, .height = frames->height};
    if (as->yuv) /* with a neighbour on both sides, for whole pairs */
        return ani_frame_buffer_grow(&reader->row, &reader->row_size,
                                     3 * (frames->region.width + 2), "a row of a frame", err);
    if (as->channels == 3) return AN_OK; /* reordered in place */
    return ani_frame_buffer_grow(&reader->reordered, &reader->reordered_size,
                                 as->channels * reader->height * reader->width, "a frame", err);
}

const uint8_t *ani_frame_reader_find(const ani_frame_reader *reader, const ani_frames *frames) {
    const ani_region *r = &frames->region;
    const int64_t row = 3 * reader->width;
    const bool alike =
        frames->format == AN_FORMAT_RGB && r->height == reader->height && r->width == reader->width;
    const bool dense = (frames->row_stride == row || r->height == 1) &&
                       (frames->frame_stride == row * r->height || frames->count == 1);
    return alike && dense ? frames->first + r->y * frames->row_stride + 3 * r->x : NULL;
}

/* Row y of the region of a YUV frame, as RGB. If the region begins or ends within a pair, the whole
 * pair is converted. */
static const uint8_t *convert_row(const ani_frame_reader *reader, const ani_frames *frames,
                                  const uint8_t *frame, int64_t y) {
    const ani_region *r = &frames->region;
    const int64_t left = r->x / 2 * 2, count = (r->x - left + r->width + 1) / 2 * 2;
    const uint8_t *row = frame + (r->y + y) * frames->row_stride;
    if (frames->format == AN_FORMAT_NV12) {
        const int64_t chroma = frames->height + (r->y + y) / 2;
        reader->pixels.nv12_row(reader->row, row + left, frame + chroma * frames->row_stride + left,
                                count);
    } else {
        reader->pixels.yuyv_row(reader->row, row + 2 * left, count);
    }
    return reader->row + 3 * (r->x - left);
}

void ani_frame_reader_read(const ani_frame_reader *reader, const ani_frames *frames, int64_t index,
                           uint8_t *rgb) {
    const layout *as = &layouts[frames->format];
    const ani_region *r = &frames->region;
    const uint8_t *frame = frames->first + index * frames->frame_stride;
    uint8_t *resized = as->channels == 3 ? rgb : reader->reordered;
    ani_resizer resizer;
    ani_resize_begin(&resizer, &reader->pixels, resized, reader->height, reader->width, r->height,
                     r->width, as->channels, reader->scratch);
    for (int64_t y = 0; y < r->height; y++) {
        const uint8_t *row = frame + (r->y + y) * frames->row_stride + as->pixel * r->x;
        if (as->yuv)
            row = ani_resize_needs(&resizer) ? convert_row(reader, frames, frame, y) : NULL;
        ani_resize_row(&resizer, row);
    }
    if (!as->yuv && frames->format != AN_FORMAT_RGB)
        ani_reorder(rgb, resized, reader->height * reader->width, frames->format);
}
