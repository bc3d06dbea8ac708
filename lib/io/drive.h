/* SPDX-License-Identifier: MIT
 * Addresses of Google Drive: told from others, and turned from links for people into those that
 * give a file. origin ("http://HOST:PORT") counts as Drive, too, and takes its place; NULL but in
 * tests. */
#ifndef IO_DRIVE_H
#define IO_DRIVE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

/** Tell whether an address is one of Drive. *failed becomes true if there was no memory to find
 * out. */
bool ani_drive_is(const char *url, const char *origin, bool *failed);
/** Tell whether it is one that a page of Drive may send us on to; *failed likewise. */
bool ani_drive_is_target(const char *url, const char *origin, bool *failed);
/** Append the address that gives the file to direct: what Drive's links for people
 * (/file/d/ID/view, /open?id=ID, /uc?id=ID) stand for; any other address is copied. */
an_status ani_drive_direct(ani_text *direct, const char *url, const char *origin, an_error *err);

#endif
