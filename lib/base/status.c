/* SPDX-License-Identifier: MIT
 * Names of statuses, and the recording of failures. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *an_status_name(an_status status) {
    switch (status) {
    case AN_OK:
        return "AN_OK";
    case AN_DONE:
        return "AN_DONE";
    case AN_ERR_ARG:
        return "AN_ERR_ARG";
    case AN_ERR_NOMEM:
        return "AN_ERR_NOMEM";
    case AN_ERR_IO:
        return "AN_ERR_IO";
    case AN_ERR_FORMAT:
        return "AN_ERR_FORMAT";
    case AN_ERR_UNSUPPORTED:
        return "AN_ERR_UNSUPPORTED";
    case AN_ERR_DEVICE:
        return "AN_ERR_DEVICE";
    case AN_ERR_CANCELLED:
        return "AN_ERR_CANCELLED";
    case AN_ERR_INTERNAL:
        return "AN_ERR_INTERNAL";
    default:
        return "unknown status";
    }
}

/* A message cut in the middle of a UTF-8 character loses the whole character. */
static void drop_cut_character(char *message, size_t capacity) {
    size_t length = strlen(message);
    if (length + 1 < capacity) return;
    size_t start = length;
    while (start > 0 && ((unsigned char)message[start - 1] & 0xC0u) == 0x80u)
        start--;
    if (start == 0) return;
    start--;
    const unsigned char lead = (unsigned char)message[start];
    const size_t wanted = lead < 0x80u    ? 1
                          : lead >= 0xF0u ? 4
                          : lead >= 0xE0u ? 3
                          : lead >= 0xC0u ? 2
                                          : 1;
    if (length - start < wanted) message[start] = '\0';
}

/* Names and texts from untrusted files end up in messages, and messages on terminals: control
 * characters, including C1 (U+0080 to U+009F), and invalid UTF-8 become '?'. */
static void hide_controls(char *message) {
    const size_t length = strlen(message);
    for (size_t i = 0; i < length;) {
        const unsigned char lead = (unsigned char)message[i];
        const size_t size = lead < 0xC0u ? 1 : lead < 0xE0u ? 2 : lead < 0xF0u ? 3 : 4;
        const bool is_control = lead < 0x20u || lead == 0x7fu ||
                                (lead == 0xC2u && (unsigned char)message[i + 1] < 0xA0u);
        if (is_control || size > length - i || !ani_is_utf8(message + i, (int64_t)size))
            message[i++] = '?';
        else
            i += size;
    }
}

an_status ani_fail(an_error *err, an_status status, const char *format, ...) {
    if (err) {
        /* Built in a separate buffer, since an argument may be the old message. */
        char message[sizeof err->message];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        drop_cut_character(message, sizeof message);
        hide_controls(message);
        memcpy(err->message, message, sizeof message);
        err->status = status;
    }
    return status;
}

an_status ani_fail_memory(an_error *err, int64_t size, const char *what) {
    if (size < 0) return ani_fail(err, AN_ERR_NOMEM, "no memory for %s: its size overflows", what);
    return ani_fail(err, AN_ERR_NOMEM, "no memory for %s (%lld bytes)", what, (long long)size);
}

/* strerror_r is thread-safe. glibc's version returns the text, which need not be in the buffer; the
 * POSIX version, as in musl, fills the buffer and returns a number. */
static const char *returned_text(const char *result, const char *buffer) {
    (void)buffer;
    return result;
}

static const char *filled_text(int result, const char *buffer) {
    (void)result;
    return buffer;
}

an_status ani_fail_system(an_error *err, int code, const char *action, const char *path) {
    char reason[128] = "unknown error";
    /* clang-format off */
    const char *text = _Generic(strerror_r(code, reason, sizeof reason),
                                char *: returned_text,
                                int: filled_text)(strerror_r(code, reason, sizeof reason), reason);
    /* clang-format on */
    return ani_fail(err, code == ENOMEM ? AN_ERR_NOMEM : AN_ERR_IO, "cannot %s '%s': %s", action,
                    path, text);
}
