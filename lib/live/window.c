/* SPDX-License-Identifier: MIT
 * A window of SDL2, loaded when the first one is opened. */
#include "live/window.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <SDL.h>

#include "base/library.h"
#include "base/memory.h"

/* clang-format off */
#define SDL_FUNCTIONS(F) \
    F(SDL_CreateRGBSurfaceWithFormatFrom) F(SDL_CreateWindow) F(SDL_DestroyWindow) \
    F(SDL_FreeSurface) F(SDL_GetDisplayUsableBounds) F(SDL_GetError) F(SDL_GetWindowDisplayIndex) \
    F(SDL_GetWindowID) F(SDL_GetWindowSize) F(SDL_GetWindowSurface) F(SDL_InitSubSystem) \
    F(SDL_PollEvent) F(SDL_PumpEvents) F(SDL_QuitSubSystem) F(SDL_SetHint) F(SDL_SetWindowFullscreen) \
    F(SDL_SetWindowPosition) F(SDL_SetWindowSize) F(SDL_ShowWindow) F(SDL_UpdateWindowSurface) \
    F(SDL_UpperBlit) F(SDL_WaitEventTimeout)
/* clang-format on */

static struct { SDL_FUNCTIONS(ANI_FUNCTION) } sdl;

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static atomic_bool is_open;

enum { MIN_SIDE = 160 }; /* pixels of a new window */

struct ani_window {
    SDL_Window *window;
    uint32_t id;
    bool has_video, is_shown, is_full_screen;
};

static void load_sdl(void) {
    static const char *const files[] = {"libSDL2-2.0.so.0", NULL};
    static const char *const names[] = {SDL_FUNCTIONS(ANI_FUNCTION_NAME)};
    ani_library_load(files, names, sizeof names / sizeof *names, &sdl);
}

/* Without a display SDL would print messages, and may choose a driver that shows nothing.
 * SDL_VIDEODRIVER asks for a certain one, such as kmsdrm on a console. */
static bool has_display(void) {
    static const char *const names[] = {"DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return true;
    }
    return false;
}

an_status ani_window_open(ani_window **out, const char *title, bool is_full_screen, an_error *err) {
    *out = NULL;
    an_status st = AN_OK;
    pthread_once(&load_once, load_sdl);
    if (!sdl.SDL_CreateWindow)
        return ani_fail(err, AN_ERR_UNSUPPORTED,
                        "cannot open a window: SDL2's 'libSDL2-2.0.so.0' cannot be loaded");
    if (!has_display())
        return ani_fail(
            err, AN_ERR_DEVICE,
            "cannot open a window: there is no display (DISPLAY and WAYLAND_DISPLAY are "
            "not set)");
    if (atomic_exchange(&is_open, true))
        return ani_fail(err, AN_ERR_DEVICE,
                        "cannot open a window: this process has one already; close it first");
    ani_window *window = ani_alloc_zero(1, sizeof *window);
    if (!window) {
        atomic_store(&is_open, false);
        return ani_fail_memory(err, sizeof *window, "a window");
    }
    window->is_full_screen = is_full_screen;
    sdl.SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* signals are the program's */
    sdl.SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "0");
    if (sdl.SDL_InitSubSystem(SDL_INIT_VIDEO)) {
        st = ani_fail(err, AN_ERR_DEVICE, "cannot open a window: %s (DISPLAY is '%s')",
                      sdl.SDL_GetError(), getenv("DISPLAY") ? getenv("DISPLAY") : "");
        goto done;
    }
    window->has_video = true;
    window->window =
        sdl.SDL_CreateWindow(title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, MIN_SIDE,
                             MIN_SIDE, SDL_WINDOW_HIDDEN | SDL_WINDOW_RESIZABLE);
    if (!window->window) {
        st = ani_fail(err, AN_ERR_DEVICE, "cannot open a window: %s", sdl.SDL_GetError());
        goto done;
    }
    window->id = sdl.SDL_GetWindowID(window->window);
    *out = window;
    window = NULL;
done:
    ani_window_close(window);
    return st;
}

void ani_window_close(ani_window *window) {
    if (!window) return;
    if (window->window) sdl.SDL_DestroyWindow(window->window);
    if (window->has_video) sdl.SDL_QuitSubSystem(SDL_INIT_VIDEO);
    ani_free(window);
    atomic_store(&is_open, false);
}

/* A size with the shape of an image that leaves some room on the display. */
static void choose_size(ani_window *window, int64_t width, int64_t height) {
    SDL_Rect room;
    double w = (double)width, h = (double)height;
    if (!sdl.SDL_GetDisplayUsableBounds(sdl.SDL_GetWindowDisplayIndex(window->window), &room)) {
        const double most_w = 0.9 * room.w, most_h = 0.9 * room.h;
        const double fit = w * most_h > h * most_w ? most_w / w : most_h / h;
        if (fit < 1) w *= fit, h *= fit;
    }
    if (w < MIN_SIDE) w = MIN_SIDE;
    if (h < MIN_SIDE) h = MIN_SIDE;
    sdl.SDL_SetWindowSize(window->window, (int)w, (int)h);
    sdl.SDL_SetWindowPosition(window->window, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED);
}

static void set_full_screen(ani_window *window) {
    sdl.SDL_SetWindowFullscreen(window->window,
                                window->is_full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
}

an_status ani_window_fit(ani_window *window, int64_t width, int64_t height, int32_t *has_width,
                         int32_t *has_height, an_error *err) {
    int w = 0, h = 0;
    if (!window->is_shown) {
        choose_size(window, width, height);
        sdl.SDL_ShowWindow(window->window);
        if (window->is_full_screen) set_full_screen(window);
        sdl.SDL_PumpEvents();
        window->is_shown = true;
    }
    sdl.SDL_GetWindowSize(window->window, &w, &h);
    if (w < 1 || h < 1)
        return ani_fail(err, AN_ERR_DEVICE, "the window has %d x %d pixels: the display is gone", w,
                        h);
    *has_width = w;
    *has_height = h;
    return AN_OK;
}

an_status ani_window_put(ani_window *window, const uint8_t *pixels, int32_t width, int32_t height,
                         an_error *err) {
    SDL_Surface *to = sdl.SDL_GetWindowSurface(window->window);
    union { /* SDL does not write to a surface that is only a source */
        const uint8_t *given;
        void *taken;
    } source = {.given = pixels};
    SDL_Surface *from = to ? sdl.SDL_CreateRGBSurfaceWithFormatFrom(
                                 source.taken, width, height, 32, 4 * width, SDL_PIXELFORMAT_RGB888)
                           : NULL;
    const bool is_shown = from && !sdl.SDL_UpperBlit(from, NULL, to, NULL) &&
                          !sdl.SDL_UpdateWindowSurface(window->window);
    if (from) sdl.SDL_FreeSurface(from);
    if (is_shown) return AN_OK;
    return ani_fail(err, AN_ERR_DEVICE, "cannot show a frame: %s", sdl.SDL_GetError());
}

static int32_t answer_key(ani_window *window, const SDL_KeyboardEvent *key) {
    if (key->repeat) return 0;
    switch (key->keysym.sym) {
    case SDLK_q:
    case SDLK_ESCAPE:
        return ANI_WINDOW_END;
    case SDLK_SPACE:
        return ANI_WINDOW_PAUSE;
    case SDLK_s:
        return ANI_WINDOW_SAVE;
    case SDLK_f:
        window->is_full_screen = !window->is_full_screen;
        set_full_screen(window);
        return ANI_WINDOW_REDRAW;
    default:
        return 0;
    }
}

static int32_t answer(ani_window *window, const SDL_Event *event) {
    switch (event->type) {
    case SDL_QUIT:
        return ANI_WINDOW_END;
    case SDL_KEYDOWN:
        return event->key.windowID == window->id ? answer_key(window, &event->key) : 0;
    case SDL_WINDOWEVENT:
        if (event->window.windowID != window->id) return 0;
        if (event->window.event == SDL_WINDOWEVENT_CLOSE) return ANI_WINDOW_END;
        if (event->window.event == SDL_WINDOWEVENT_SIZE_CHANGED ||
            event->window.event == SDL_WINDOWEVENT_EXPOSED)
            return ANI_WINDOW_REDRAW;
        return 0;
    default:
        return 0;
    }
}

int32_t ani_window_poll(ani_window *window, int32_t milliseconds) {
    SDL_Event event;
    int32_t found = 0;
    int has_event = milliseconds > 0 ? sdl.SDL_WaitEventTimeout(&event, milliseconds)
                                     : sdl.SDL_PollEvent(&event);
    for (; has_event; has_event = sdl.SDL_PollEvent(&event)) {
        const int32_t one = answer(window, &event);
        /* two presses of the space bar undo each other */
        found = one == ANI_WINDOW_PAUSE ? found ^ one : found | one;
    }
    return found;
}
