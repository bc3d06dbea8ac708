/* SPDX-License-Identifier: MIT
 * Shared by download tests: a local server with one file, which is downloaded to the test's
 * folder. */
#ifndef SUPPORT_SERVED_H
#define SUPPORT_SERVED_H

#include <stdint.h>

#include <attractivenet/io.h>

#include "support/server.h"

extern http_server *served_host;
extern uint8_t *served_content; /* the server's content: a zip archive */
extern char served_hash[65];    /* of that */
extern an_error served_err;     /* of the last download */

/** Start serving size bytes; spare: additional bytes in served_content that do not belong to the
 * file. */
void served_begin(server_answer answer, int64_t size, int64_t spare);
void served_end(void);
/** Make an archive of exactly size bytes (200 or more) with noise in it; free() it. */
uint8_t *served_archive(int64_t size, uint32_t seed);

/** The path that the file is downloaded to, followed by a suffix such as ".part". */
const char *served_target(const char *suffix);
/** Download from a path of the server. */
an_status served_get(const char *path, const an_download_options *options);
/** Download an address with the server in place of Google Drive. */
an_status served_get_drive(const char *url);

/** Fail the test unless the message of the last download contains a word. */
void served_expect_message(const char *word);
/** Fail the test unless the whole file exists, with nothing beside it but the record of its origin.
 * Removes both. */
void served_expect_whole(void);

#endif
