/* SPDX-License-Identifier: MIT
 * HTML in memory. What comes from elsewhere (names, paths, messages) is only written by
 * page_text() and page_name(), which escape it. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <stddef.h>
#include <stdint.h>

/** A page in progress; {0} is empty and valid. If memory runs out, failed becomes 1 and nothing
 *  more is added: page_write() reports it. */
typedef struct page {
    char *bytes;
    size_t size, capacity;
    int failed;
} page;

/** Add HTML as it is. format: a literal; %s only for text from this program. */
void page_add(page *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Add text, with everything escaped that HTML gives a meaning to, in content and in quoted
 *  attributes. Control characters and bytes that are not UTF-8 become U+FFFD. */
void page_text(page *to, const char *text);
/** Add text from elsewhere as content, isolated so that its writing direction stays its own. */
void page_name(page *to, const char *text);
/** Add bytes in base64. */
void page_base64(page *to, const uint8_t *bytes, int64_t size);

/** Write the page to a file, atomically. Returns 0, or 1 after printing why it failed; then an
 *  existing file is unchanged. */
int page_write(const page *from, const char *path);
void page_clear(page *of);

#endif
