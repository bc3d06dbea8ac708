/* SPDX-License-Identifier: MIT
 * Growing text, escaping, base64. */
#include "report/page.h"

#include "result_file.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *make_room(page *to, size_t size) {
    if (to->failed) return NULL;
    if (to->capacity - to->size <= size) {
        size_t capacity = to->capacity ? to->capacity : 4096;
        while (capacity - to->size <= size && capacity < SIZE_MAX / 2)
            capacity *= 2;
        char *bytes = capacity - to->size > size ? realloc(to->bytes, capacity) : NULL;
        to->failed = !bytes;
        if (!bytes) return NULL;
        to->bytes = bytes;
        to->capacity = capacity;
    }
    return to->bytes + to->size;
}

static void add(page *to, const char *bytes, size_t size) {
    char *room = make_room(to, size);
    if (!room) return;
    memcpy(room, bytes, size);
    room[size] = 0;
    to->size += size;
}

void page_add(page *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *room = size < 0 ? NULL : make_room(to, (size_t)size);
    if (!room) {
        to->failed = 1;
        return;
    }
    va_start(arguments, format);
    vsnprintf(room, (size_t)size + 1, format, arguments);
    va_end(arguments);
    to->size += (size_t)size;
}

static const char *entity(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void page_text(page *to, const char *text) {
    static const char unknown[] = "\xef\xbf\xbd";
    while (*text) {
        const int length = utf8_length(text);
        const unsigned char first = (unsigned char)*text;
        const int is_control =
            first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)text[1] < 0xa0);
        const char *name = entity(*text);
        if (name)
            add(to, name, strlen(name));
        else if (!length || is_control)
            add(to, unknown, sizeof unknown - 1);
        else
            add(to, text, (size_t)length);
        text += length ? length : 1;
    }
}

void page_name(page *to, const char *text) {
    page_add(to, "<bdi>");
    page_text(to, text);
    page_add(to, "</bdi>");
}

void page_base64(page *to, const uint8_t *bytes, int64_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int64_t i = 0; i < size; i += 3) {
        const int64_t left = size - i;
        const uint32_t group = (uint32_t)bytes[i] << 16 |
                               (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                               (left > 2 ? bytes[i + 2] : 0);
        const char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                              left > 1 ? digits[group >> 6 & 63] : '=',
                              left > 2 ? digits[group & 63] : '='};
        add(to, four, sizeof four);
    }
}

int page_write(const page *from, const char *path) {
    result_file to;
    if (from->failed) return complain_of("no memory for the report");
    if (result_file_begin(&to, path)) return 1;
    fwrite(from->bytes, 1, from->size, to.file); /* an error shows at the end */
    return result_file_end(&to);
}

void page_clear(page *of) {
    free(of->bytes);
    *of = (page){0};
}
