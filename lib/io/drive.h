/* SPDX-License-Identifier: MIT
 * Google Drive addresses: recognising them, and turning links meant for people into links to the
 * file itself. origin ("http://HOST:PORT") counts as Drive too, and replaces it; NULL except in
 * tests. */
#ifndef IO_DRIVE_H
#define IO_DRIVE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/** Return whether an address belongs to Drive. *failed becomes true if memory ran out before that
 * was known. */
bool ani_drive_is(const char *url, const char *origin, bool *failed);
/** Return whether it is one that a Drive page may redirect to; *failed as above. */
bool ani_drive_is_target(const char *url, const char *origin, bool *failed);
/** Append the direct address of the file to direct: the one that Drive's links for people
 * (/file/d/ID/view, /open?id=ID, /uc?id=ID) stand for; any other address is copied. */
an_status ani_drive_direct(ani_text *direct, const char *url, const char *origin, an_error *err);

#endif
