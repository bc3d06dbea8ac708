/* SPDX-License-Identifier: MIT
 * Web pages received instead of the requested file: what they are, and where Google Drive's
 * virus-scan page continues. Pages are zero-terminated text; whatever they contain, the work is
 * linear in their size. */
#ifndef IO_PAGE_H
#define IO_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

typedef enum ani_page_kind {
    ANI_PAGE_OTHER,
    ANI_PAGE_VIRUS_SCAN, /* "too large to be scanned": has a link or form to continue */
    ANI_PAGE_QUOTA,      /* too many downloads of this file */
    ANI_PAGE_LOGIN       /* asks the user to log in */
} ani_page_kind;

/** Tell from the first bytes of a body whether it is HTML. */
bool ani_page_is_html(const void *bytes, int64_t size);

ani_page_kind ani_page_classify(const char *page);

/** Name the format of a non-HTML body from its first bytes: "JSON", "XML", "text"; NULL if it has
 * bytes that do not occur in text. */
const char *ani_page_kind_of(const void *bytes, int64_t size);

/** Write what a body says as one truncated line: JSON and text as they are, the text between the
 * tags of XML and HTML, or the tags if there is no text. White space and control characters become
 * single blanks; invalid UTF-8 becomes '?'. */
enum { ANI_PAGE_EXCERPT_SIZE = 100 };
void ani_page_excerpt(char excerpt[ANI_PAGE_EXCERPT_SIZE], const void *bytes, int64_t size);

/** Write the page's title on one line; "" if it has none. */
enum { ANI_PAGE_TITLE_SIZE = 80 };
void ani_page_title(char title[ANI_PAGE_TITLE_SIZE], const char *page);

/** Append to link the URL, absolute or relative, that the page's download form (with its fields) or
 * download link leads to. Returns false if the page has neither. */
bool ani_page_confirm_link(ani_text *link, const char *page);

#endif
