/* SPDX-License-Identifier: MIT
 * an_download() with a parameter for tests. */
#ifndef IO_DOWNLOAD_H
#define IO_DOWNLOAD_H

#include <attractivenet/io.h>

/** Download as an_download() does, with drive_origin ("http://127.0.0.1:8080") in place of Google
 * Drive's hosts; NULL = the real ones. */
an_status ani_download(const char *url, const char *path, const an_download_options *options,
                       const char *drive_origin, an_error *err);

#endif
