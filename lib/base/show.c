/* SPDX-License-Identifier: MIT
 * Untrusted names in a form fit for messages. */
#include "base/show.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { ESCAPE_SIZE = 4, HEAD_SIZE = 3 };

/* How many bytes a byte of the name takes when shown. */
static int64_t shown_size(char byte, bool utf8) {
    const unsigned char c = (unsigned char)byte;
    return c < 0x20 || c == 0x7f || (!utf8 && c >= 0x80) ? ESCAPE_SIZE : 1;
}

const char *ani_name_show(char shown[ANI_SHOWN_NAME_SIZE], const char *name) {
    const bool utf8 = ani_is_utf8(name, (int64_t)strlen(name));
    int64_t size = 0;
    for (const char *c = name; *c; c++)
        size += shown_size(*c, utf8);
    char *out = shown;
    if (size >= ANI_SHOWN_NAME_SIZE) {
        /* The end tells more than the beginning, which many names share. */
        while (size >= ANI_SHOWN_NAME_SIZE - HEAD_SIZE || (utf8 && (*name & 0xC0) == 0x80))
            size -= shown_size(*name++, utf8);
        memcpy(out, "...", HEAD_SIZE);
        out += HEAD_SIZE;
    }
    for (; *name; name++) {
        if (shown_size(*name, utf8) == 1)
            *out++ = *name;
        else
            out += snprintf(out, ESCAPE_SIZE + 1, "\\x%02x", (unsigned char)*name);
    }
    *out = '\0';
    return shown;
}
