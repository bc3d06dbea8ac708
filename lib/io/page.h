/* SPDX-License-Identifier: MIT
 * Web pages that come where a file was asked for: what they are, and where Google Drive's
 * virus-scan page says to go on. Pages are text ended by a zero; whatever they hold, work is linear
 * in their size. */
#ifndef IO_PAGE_H
#define IO_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

typedef enum ani_page_kind {
    ANI_PAGE_OTHER,
    ANI_PAGE_VIRUS_SCAN, /* "too large to be scanned": has a link or form to go on */
    ANI_PAGE_QUOTA,      /* too many downloads of this file */
    ANI_PAGE_LOGIN       /* asks who we are */
} ani_page_kind;

/** Tell from the first bytes of a body whether it is HTML. */
bool ani_page_is_html(const void *bytes, int64_t size);

ani_page_kind ani_page_classify(const char *page);

/** Tell from the first bytes of a body that is no HTML what people call it: "JSON", "XML", "text";
 * NULL if it has bytes that no text has. */
const char *ani_page_kind_of(const void *bytes, int64_t size);

/** Write what a body says, in one line and cut: JSON and text as they are, the texts between the
 * tags of XML and HTML, or the tags if there is nothing between them. White space and control
 * characters become single blanks, what is not UTF-8 becomes '?'. */
enum { ANI_PAGE_EXCERPT_SIZE = 100 };
void ani_page_excerpt(char excerpt[ANI_PAGE_EXCERPT_SIZE], const void *bytes, int64_t size);

/** Write the page's title, in one line; "" if it has none. */
enum { ANI_PAGE_TITLE_SIZE = 80 };
void ani_page_title(char title[ANI_PAGE_TITLE_SIZE], const char *page);

/** Add to link where the page's download form (with its fields) or download link leads: a whole or
 * a relative URL. False if the page has neither. */
bool ani_page_confirm_link(ani_text *link, const char *page);

#endif
