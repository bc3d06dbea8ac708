/* SPDX-License-Identifier: MIT
 * UTF-8, as names and paths from elsewhere may or may not be. */
#ifndef PROGRAM_UTF8_H
#define PROGRAM_UTF8_H

/** Return the length in bytes of the character at the start of a text, 1 to 4; 0 if there is no
 *  valid one. */
int utf8_length(const char *text);

/** Return 1 if the whole text is valid. */
int utf8_is_valid(const char *text);

#endif
