/* SPDX-License-Identifier: MIT
 * Cairo draws into our memory, and libpng writes through the file layer, also with our memory, so
 * that tests can make both fail. */
#include "metrics/canvas.h"

#include <png.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

ani_cairo_functions ani_cairo;

static pthread_once_t load_once = PTHREAD_ONCE_INIT;

static void load_cairo(void) {
    static const char *const files[] = {"libcairo.so.2", NULL};
    static const char *const names[] = {ANI_CAIRO_FUNCTIONS(ANI_FUNCTION_NAME)};
    ani_library_load(files, names, sizeof names / sizeof *names, &ani_cairo);
}

static void select_font(cairo_t *cairo, const ani_text_style *style, double scale) {
    ani_cairo.cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                                     style->bold ? CAIRO_FONT_WEIGHT_BOLD
                                                 : CAIRO_FONT_WEIGHT_NORMAL);
    ani_cairo.cairo_set_font_size(cairo, style->size * scale);
}

/** Is any font available? Tried on a separate context, since cairo errors are permanent. */
static bool find_font(cairo_surface_t *surface) {
    cairo_t *probe = ani_cairo.cairo_create(surface);
    cairo_text_extents_t extents;
    select_font(probe, &(ani_text_style){.size = 10}, 1);
    ani_cairo.cairo_text_extents(probe, "0", &extents);
    const bool found =
        ani_cairo.cairo_status(probe) == CAIRO_STATUS_SUCCESS && extents.x_advance > 0;
    ani_cairo.cairo_destroy(probe);
    return found;
}

/* pixels: the caller's; NULL: white ones are allocated. */
static an_status create(ani_canvas *canvas, uint8_t *pixels, int32_t width, int32_t height,
                        int32_t design_width, int32_t design_height, an_error *err) {
    *canvas = (ani_canvas){.width = width, .height = height, .is_borrowed = pixels != NULL};
    pthread_once(&load_once, load_cairo);
    if (!ani_cairo.cairo_create)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "drawing needs cairo: 'libcairo.so.2' cannot be loaded");
    canvas->stride = 4 * width;
    const int64_t size = (int64_t)canvas->stride * height;
    const double wide = (double)width / design_width, high = (double)height / design_height;
    canvas->scale = wide < high ? wide : high;
    if (canvas->scale < 0.5) canvas->scale = 0.5; /* smaller letters are illegible */
    canvas->pixels = pixels ? pixels : ani_alloc(size);
    if (!canvas->pixels) return ani_fail_memory(err, size, "an image to draw on");
    if (!pixels) memset(canvas->pixels, 0xFF, (size_t)size);
    canvas->surface = ani_cairo.cairo_image_surface_create_for_data(
        canvas->pixels, CAIRO_FORMAT_RGB24, width, height, canvas->stride);
    canvas->has_font = find_font(canvas->surface);
    canvas->cairo = ani_cairo.cairo_create(canvas->surface);
    if (ani_cairo.cairo_status(canvas->cairo) != CAIRO_STATUS_SUCCESS) {
        ani_canvas_clear(canvas);
        return ani_fail_memory(err, size, "an image to draw on");
    }
    /* true letter widths: hinted to whole pixels, the spacing would be uneven */
    cairo_font_options_t *font = ani_cairo.cairo_font_options_create();
    ani_cairo.cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY);
    ani_cairo.cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_SLIGHT);
    ani_cairo.cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
    ani_cairo.cairo_set_font_options(canvas->cairo, font);
    ani_cairo.cairo_font_options_destroy(font);
    ani_cairo.cairo_set_line_cap(canvas->cairo, CAIRO_LINE_CAP_BUTT);
    ani_cairo.cairo_set_line_join(canvas->cairo, CAIRO_LINE_JOIN_ROUND);
    return AN_OK;
}

an_status ani_canvas_create(ani_canvas *canvas, int32_t width, int32_t height, int32_t design_width,
                            int32_t design_height, an_error *err) {
    return create(canvas, NULL, width, height, design_width, design_height, err);
}

an_status ani_canvas_create_on(ani_canvas *canvas, uint8_t *pixels, int32_t width, int32_t height,
                               int32_t design_width, int32_t design_height, an_error *err) {
    return create(canvas, pixels, width, height, design_width, design_height, err);
}

an_status ani_canvas_check(ani_canvas *canvas, const char *what, an_error *err) {
    const cairo_status_t drawn = ani_cairo.cairo_status(canvas->cairo);
    if (drawn == CAIRO_STATUS_SUCCESS) return AN_OK;
    return ani_fail(err, drawn == CAIRO_STATUS_NO_MEMORY ? AN_ERR_NOMEM : AN_ERR_INTERNAL,
                    "cannot draw '%s': %s", what, ani_cairo.cairo_status_to_string(drawn));
}

void ani_canvas_clear(ani_canvas *canvas) {
    if (canvas->cairo) ani_cairo.cairo_destroy(canvas->cairo);
    if (canvas->surface) ani_cairo.cairo_surface_destroy(canvas->surface);
    if (!canvas->is_borrowed) ani_free(canvas->pixels);
    *canvas = (ani_canvas){0};
}

void ani_canvas_color(ani_canvas *canvas, uint32_t color, double opacity) {
    ani_cairo.cairo_set_source_rgba(canvas->cairo, (color >> 16 & 0xFF) / 255.0,
                                    (color >> 8 & 0xFF) / 255.0, (color & 0xFF) / 255.0, opacity);
}

void ani_canvas_line(ani_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                     const double *dash, int dash_count) {
    double lengths[4];
    for (int i = 0; i < dash_count && i < 4; i++)
        lengths[i] = dash[i] * canvas->scale;
    ani_cairo.cairo_set_dash(canvas->cairo, lengths, dash_count < 4 ? dash_count : 4, 0);
    ani_cairo.cairo_set_line_width(canvas->cairo, width * canvas->scale);
    ani_cairo.cairo_move_to(canvas->cairo, x0, y0);
    ani_cairo.cairo_line_to(canvas->cairo, x1, y1);
    ani_cairo.cairo_stroke(canvas->cairo);
    ani_cairo.cairo_set_dash(canvas->cairo, NULL, 0, 0);
}

/* --- texts ------------------------------------------------------------------------------------ */

/** Copy what fits, up to a character boundary, with blanks for control characters. */
static void clean(char out[ANI_CANVAS_TEXT], const char *text) {
    size_t size = strlen(text);
    if (size >= ANI_CANVAS_TEXT) {
        size = ANI_CANVAS_TEXT - 1;
        while (size && ((uint8_t)text[size] & 0xC0) == 0x80)
            size--;
    }
    for (size_t i = 0; i < size; i++) {
        const uint8_t byte = (uint8_t)text[i];
        out[i] = byte < 0x20 || byte == 0x7F ? ' ' : text[i];
    }
    out[size] = '\0';
    /* the control characters beyond ASCII, U+0080 to U+009F, take two bytes */
    for (size_t i = 0; i + 1 < size; i++)
        if ((uint8_t)out[i] == 0xC2 && (uint8_t)out[i + 1] < 0xA0) out[i] = out[i + 1] = ' ';
}

static double advance(ani_canvas *canvas, const char *text) {
    cairo_text_extents_t extents;
    ani_cairo.cairo_text_extents(canvas->cairo, text, &extents);
    return extents.x_advance;
}

/** Truncate a text until it is no wider than width, and end it with dots. */
static void cut(ani_canvas *canvas, char text[ANI_CANVAS_TEXT], double width) {
    if (advance(canvas, text) <= width) return;
    size_t size = strlen(text);
    if (size > ANI_CANVAS_TEXT - 4) size = ANI_CANVAS_TEXT - 4;
    do {
        while (size && ((uint8_t)text[size] & 0xC0) == 0x80)
            size--;
        strcpy(text + size, "...");
    } while (size && advance(canvas, text) > width && size--);
}

void ani_canvas_text(ani_canvas *canvas, double x, double y, const char *text,
                     const ani_text_style *style) {
    char drawn[ANI_CANVAS_TEXT];
    if (!canvas->has_font) return;
    cairo_t *cairo = canvas->cairo;
    clean(drawn, text);
    ani_cairo.cairo_save(cairo);
    select_font(cairo, style, canvas->scale);
    if (style->width > 0) cut(canvas, drawn, style->width);
    ani_cairo.cairo_translate(cairo, x, y);
    ani_cairo.cairo_rotate(cairo, style->angle);
    /* capital letters and digits of common fonts are 0.72 of the size high: all texts of one size
     * then share a base line, whatever their letters */
    ani_cairo.cairo_move_to(cairo, -style->across * advance(canvas, drawn),
                            style->along * 0.72 * style->size * canvas->scale);
    ani_canvas_color(canvas, style->color, 1);
    ani_cairo.cairo_show_text(cairo, drawn);
    ani_cairo.cairo_restore(cairo);
}

double ani_canvas_text_width(ani_canvas *canvas, const char *text, const ani_text_style *style) {
    char drawn[ANI_CANVAS_TEXT];
    if (!canvas->has_font) return 0;
    clean(drawn, text);
    ani_cairo.cairo_save(canvas->cairo);
    select_font(canvas->cairo, style, canvas->scale);
    const double width = advance(canvas, drawn);
    ani_cairo.cairo_restore(canvas->cairo);
    return width;
}

/* --- PNG -------------------------------------------------------------------------------------- */

/** The state for libpng's callbacks. Only what is set before setjmp() is read after it. */
typedef struct png_job {
    ani_writer *writer;
    an_error *err;
    an_status status; /* our first failure; AN_OK: libpng's own */
    const char *path;
} png_job;

static png_voidp png_memory(png_structp png, png_alloc_size_t size) {
    (void)png;
    return ani_alloc((int64_t)size);
}

static void png_release(png_structp png, png_voidp memory) {
    (void)png;
    ani_free(memory);
}

static void png_bytes(png_structp png, png_bytep bytes, size_t size) {
    png_job *job = png_get_io_ptr(png);
    job->status = ani_writer_write(job->writer, bytes, (int64_t)size, job->err);
    if (job->status) png_error(png, "write");
}

static void png_flushed(png_structp png) {
    (void)png;
}

static void png_failed(png_structp png, png_const_charp text) {
    png_job *job = png_get_error_ptr(png);
    if (!job->status)
        job->status = ani_fail(job->err, AN_ERR_NOMEM, "cannot write '%s': %s", job->path, text);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

/** Everything between setjmp() and longjmp(), so that no caller's local variable can be
 * clobbered. */
static void write_png(const ani_canvas *canvas, png_structp png, png_infop info, uint8_t *row) {
    if (setjmp(png_jmpbuf(png))) return; /* job->status says why */
    png_set_IHDR(png, info, (png_uint_32)canvas->width, (png_uint_32)canvas->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    png_write_info(png, info);
    for (int32_t y = 0; y < canvas->height; y++) {
        const uint8_t *from = canvas->pixels + (int64_t)y * canvas->stride;
        for (int32_t x = 0; x < canvas->width; x++) {
            uint32_t pixel;
            memcpy(&pixel, from + 4 * (int64_t)x, sizeof pixel);
            row[3 * x] = (uint8_t)(pixel >> 16);
            row[3 * x + 1] = (uint8_t)(pixel >> 8);
            row[3 * x + 2] = (uint8_t)pixel;
        }
        png_write_row(png, row);
    }
    png_write_end(png, info);
}

an_status ani_canvas_write(ani_canvas *canvas, const char *path, an_error *err) {
    an_status st = AN_OK;
    png_structp png = NULL;
    png_infop info = NULL;
    png_job job = {.err = err, .path = path};
    const int64_t row_size = 3 * (int64_t)canvas->width;
    uint8_t *row = ani_alloc(row_size);
    if (!row) {
        st = ani_fail_memory(err, row_size, "a plot");
        goto done;
    }
    ani_cairo.cairo_surface_flush(canvas->surface);
    st = ani_canvas_check(canvas, path, err);
    if (st) goto done;
    st = ani_writer_begin(&job.writer, path, err);
    if (st) goto done;
    png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, png_failed, png_warned, NULL,
                                    png_memory, png_release);
    if (png) info = png_create_info_struct(png);
    if (!info) {
        st = ani_fail(err, AN_ERR_NOMEM, "cannot write '%s': no memory", path);
        goto done;
    }
    png_set_write_fn(png, &job, png_bytes, png_flushed);
    write_png(canvas, png, info, row);
    st = job.status;
    if (st) goto done;
    st = ani_writer_commit(job.writer, err);
    job.writer = NULL;
done:
    if (png) png_destroy_write_struct(&png, &info);
    ani_writer_abort(job.writer);
    ani_free(row);
    return st;
}
