/* SPDX-License-Identifier: MIT
 * Sources of frames in tests; each function fails the test if a call does. */
#ifndef SUPPORT_SOURCES_H
#define SUPPORT_SOURCES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <attractivenet/live.h>

static inline an_source *open_with(const char *name, const an_source_options *options) {
    an_error error = {0};
    an_source *source = NULL;
    const an_status st = an_source_open(&source, name, options, &error);
    if (st) fail_msg("%s: %s", an_status_name(st), error.message);
    return source;
}

static inline an_source_info describe(an_source *source) {
    an_error error = {0};
    an_source_info info;
    an_source_info_init(&info, sizeof info);
    const an_status st = an_source_describe(source, &info, &error);
    if (st) fail_msg("%s: %s", an_status_name(st), error.message);
    return info;
}

#endif
