/* SPDX-License-Identifier: MIT
 * Fuzz target: a web page that came where a file was asked for. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "io/page.h"

/* UTF-8 without control characters. */
static void require_line(const char *line, size_t room) {
    const size_t length = strnlen(line, room);
    REQUIRE(length < room && ani_is_utf8(line, (int64_t)length));
    for (size_t i = 0; i < length; i++)
        REQUIRE((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char title[ANI_PAGE_TITLE_SIZE], excerpt[ANI_PAGE_EXCERPT_SIZE];
    ani_text link = {0};
    char *page = malloc(size + 1);
    REQUIRE(page);
    if (size) memcpy(page, data, size);
    page[size] = '\0';
    ani_page_is_html(data, (int64_t)size);
    const ani_page_kind kind = ani_page_classify(page);
    REQUIRE(kind >= ANI_PAGE_OTHER && kind <= ANI_PAGE_LOGIN);
    ani_page_kind_of(data, (int64_t)size);
    ani_page_title(title, page);
    require_line(title, sizeof title);
    ani_page_excerpt(excerpt, data, (int64_t)size);
    require_line(excerpt, sizeof excerpt);
    if (ani_page_confirm_link(&link, page) && !link.failed && link.size > 0) {
        REQUIRE(!memchr(link.bytes, 0, (size_t)link.size));
        REQUIRE(link.size <= 3 * (int64_t)size + 2);
    }
    ani_text_clear(&link);
    free(page);
    return 0;
}
